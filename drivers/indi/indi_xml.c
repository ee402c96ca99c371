/* SPDX-License-Identifier: MIT */
#include "indi_xml.h"

#include <expat.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "late.h"
#include "text.h"

#define CHILDREN_MAX 1024
#define ATTRS_MAX 8192

/* ---- the library ---- */

static struct {
	__typeof__(&XML_ParserCreate) create;
	__typeof__(&XML_ParserFree) destroy;
	__typeof__(&XML_SetUserData) set_user_data;
	__typeof__(&XML_SetElementHandler) set_element_handler;
	__typeof__(&XML_SetCharacterDataHandler) set_text_handler;
	__typeof__(&XML_Parse) parse;
	__typeof__(&XML_GetErrorCode) error_code;
	__typeof__(&XML_ErrorString) error_string;
} expat;

static const struct late_symbol expat_symbols[] = {
	{"XML_ParserCreate", &expat.create},
	{"XML_ParserFree", &expat.destroy},
	{"XML_SetUserData", &expat.set_user_data},
	{"XML_SetElementHandler", &expat.set_element_handler},
	{"XML_SetCharacterDataHandler", &expat.set_text_handler},
	{"XML_Parse", &expat.parse},
	{"XML_GetErrorCode", &expat.error_code},
	{"XML_ErrorString", &expat.error_string},
};

static pthread_once_t expat_once = PTHREAD_ONCE_INIT;
static struct err expat_missing;

static void load_expat(void)
{
	late_load(INDI_EXPAT_FILE, expat_symbols, sizeof expat_symbols / sizeof expat_symbols[0], &expat_missing);
}

/* ---- an element ---- */

/* Names and texts stand in `words`, one after another; nodes and attributes say where. */
struct node {
	size_t tag, text;
	size_t first_attr, attrs;
};

struct attr {
	size_t name, value;
};

struct indi_element {
	struct buf words;
	struct node node[CHILDREN_MAX + 1];
	size_t nodes;
	struct attr attr[ATTRS_MAX];
	size_t attrs;
};

struct indi_xml {
	const struct indi_xml_handlers *handlers;
	void *ctx;
	XML_Parser parser;
	int depth;         /* 1 is the root that we made up */
	bool in_text;      /* the last word of the element is the text of its last node, still growing */
	bool in_blob;
	bool in_tag;       /* `tag` holds the beginning of one */
	char quote;        /* within a tag: the mark that ends the value of this attribute; 0 outside of one */
	struct buf tag;
	struct indi_element element;
	struct err failed; /* code ERR_OK while all is well */
};

const char *indi_element_tag(const struct indi_element *e, size_t node)
{
	return node < e->nodes ? e->words.data + e->node[node].tag : "";
}

const char *indi_element_attr(const struct indi_element *e, size_t node, const char *name)
{
	for (size_t i = 0; node < e->nodes && i < e->node[node].attrs; i++) {
		const struct attr *a = &e->attr[e->node[node].first_attr + i];
		if (strcmp(e->words.data + a->name, name) == 0) {
			return e->words.data + a->value;
		}
	}
	return NULL;
}

const char *indi_element_text(const struct indi_element *e, size_t node)
{
	return node < e->nodes && e->node[node].text != 0 ? e->words.data + e->node[node].text : "";
}

size_t indi_element_children(const struct indi_element *e)
{
	return e->nodes > 0 ? e->nodes - 1 : 0;
}

/* ---- what expat tells ---- */

static void fail(struct indi_xml *x, enum err_code code, const char *sentence)
{
	if (x->failed.code == ERR_OK) {
		err_set(&x->failed, code, "%s", sentence);
	}
}

/* The parser takes every byte for a letter of ISO 8859-1 and tells it in UTF-8, because a name that is no UTF-8 would
 * end the session otherwise; this gets the bytes back. */
static void add_bytes(struct buf *words, const char *utf8, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)utf8[i];
		if ((c == 0xC2 || c == 0xC3) && i + 1 < len) {
			c = (unsigned char)((c & 3) << 6 | (utf8[++i] & 0x3F));
		}
		buf_putc(words, (char)c);
	}
}

static size_t add_word(struct buf *words, const char *utf8)
{
	size_t at = words->len;
	add_bytes(words, utf8, strlen(utf8));
	buf_putc(words, '\0');
	return at;
}

/* Ends the text that grows, without the blanks at its end. */
static void close_text(struct indi_xml *x)
{
	struct buf *words = &x->element.words;
	if (!x->in_text) {
		return;
	}
	x->in_text = false;
	size_t start = x->element.node[x->element.nodes - 1].text;
	while (words->len > start && strchr(" \t\r\n", words->data[words->len - 1]) != NULL) {
		words->len--;
	}
	buf_putc(words, '\0');
}

static void add_node(struct indi_xml *x, const char *tag, const char **attrs)
{
	struct indi_element *e = &x->element;
	if (e->nodes == CHILDREN_MAX + 1) {
		fail(x, ERR_PROTOCOL, "the server sent an element with too many members");
		return;
	}
	struct node *node = &e->node[e->nodes++];
	*node = (struct node){.tag = add_word(&e->words, tag), .first_attr = e->attrs};
	for (; attrs[0] != NULL && e->attrs < ATTRS_MAX; attrs += 2) {
		struct attr *a = &e->attr[e->attrs++];
		a->name = add_word(&e->words, attrs[0]);
		a->value = add_word(&e->words, attrs[1]);
		node->attrs++;
	}
}

static void XMLCALL start_element(void *ctx, const XML_Char *tag, const XML_Char **attrs)
{
	struct indi_xml *x = ctx;
	x->depth++;
	if (x->depth == 2) {
		buf_clear(&x->element.words);
		/* Offset 0 stands for "no text", so no word begins there. */
		buf_putc(&x->element.words, '\0');
		x->element.nodes = 0;
		x->element.attrs = 0;
	}
	if (x->depth == 2 || x->depth == 3) {
		close_text(x);
		add_node(x, tag, attrs);
	}
	if (x->depth == 3 && strcmp(tag, "oneBLOB") == 0 && x->failed.code == ERR_OK) {
		x->in_blob = true;
		if (x->handlers->blob_begin != NULL && !x->element.words.failed) {
			x->handlers->blob_begin(x->ctx, &x->element);
		}
	}
}

static void XMLCALL take_text(void *ctx, const XML_Char *text, int len)
{
	struct indi_xml *x = ctx;
	struct indi_element *e = &x->element;
	if (x->depth != 3 || e->nodes < 2) {
		return;
	}
	if (!x->in_text) {
		while (len > 0 && strchr(" \t\r\n", *text) != NULL) {
			text++;
			len--;
		}
		if (len == 0) {
			return;
		}
		x->in_text = true;
		e->node[e->nodes - 1].text = e->words.len;
	}
	add_bytes(&e->words, text, (size_t)len);
}

static void XMLCALL end_element(void *ctx, const XML_Char *tag)
{
	(void)tag;
	struct indi_xml *x = ctx;
	close_text(x);
	x->depth--;
	if (x->depth == 1) {
		if (x->element.words.failed) {
			fail(x, ERR_PROTOCOL, "the server sent an element that is too long");
		} else if (x->failed.code == ERR_OK) {
			x->handlers->element(x->ctx, &x->element);
		}
	}
}

/* ---- bytes ---- */

enum err_code indi_xml_create(const struct indi_xml_handlers *handlers, void *ctx, struct indi_xml **out,
	struct err *err)
{
	pthread_once(&expat_once, load_expat);
	if (expat_missing.code != ERR_OK) {
		return err_copy(err, &expat_missing);
	}
	struct indi_xml *x = calloc(1, sizeof *x);
	if (x == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	x->handlers = handlers;
	x->ctx = ctx;
	buf_init(&x->tag, INDI_TAG_MAX);
	buf_init(&x->element.words, INDI_ELEMENT_MAX);
	x->parser = expat.create("ISO-8859-1");
	if (x->parser == NULL) {
		indi_xml_destroy(x);
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	expat.set_user_data(x->parser, x);
	expat.set_element_handler(x->parser, start_element, end_element);
	expat.set_text_handler(x->parser, take_text);
	static const char root[] = "<indi>";
	if (expat.parse(x->parser, root, sizeof root - 1, 0) != XML_STATUS_OK) {
		indi_xml_destroy(x);
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	*out = x;
	return ERR_OK;
}

void indi_xml_destroy(struct indi_xml *x)
{
	if (x != NULL) {
		if (x->parser != NULL) {
			expat.destroy(x->parser);
		}
		buf_fini(&x->tag);
		buf_fini(&x->element.words);
		free(x);
	}
}

static void parse(struct indi_xml *x, const char *data, size_t len)
{
	if (x->failed.code != ERR_OK || len == 0) {
		return;
	}
	if (expat.parse(x->parser, data, (int)len, 0) != XML_STATUS_OK) {
		err_set(&x->failed, ERR_PROTOCOL, "what answers there does not speak INDI (%.100s)",
			expat.error_string(expat.error_code(x->parser)));
	} else if (x->depth == 0) {
		fail(x, ERR_PROTOCOL, "what answers there does not speak INDI (an element ends that did not begin)");
	}
}

/* Everything up to the next tag. */
static size_t take_content(struct indi_xml *x, const char *data, size_t len)
{
	const char *tag = memchr(data, '<', len);
	size_t n = tag != NULL ? (size_t)(tag - data) : len;
	x->in_tag = tag != NULL;
	x->quote = 0;
	buf_clear(&x->tag);
	if (!x->in_blob) {
		parse(x, data, n);
	} else if (x->handlers->blob_text != NULL && n > 0) {
		x->handlers->blob_text(x->ctx, data, n);
	}
	return n;
}

/* The tag, or as much of it as is there.  A tag is handed to the parser whole: then it tells of it at once, and what
 * follows <oneBLOB> can be kept from it. */
static size_t take_tag(struct indi_xml *x, const char *data, size_t len)
{
	size_t n = 0;
	bool whole = false;
	while (n < len && !whole) {
		char c = data[n++];
		if (x->quote != 0) {
			x->quote = c == x->quote ? 0 : x->quote;
		} else if (c == '"' || c == '\'') {
			x->quote = c;
		} else {
			whole = c == '>';
		}
	}
	if (x->tag.len + n > INDI_TAG_MAX) {
		fail(x, ERR_PROTOCOL, "what answers there does not speak INDI (a tag without an end)");
		return n;
	}
	if (!whole || x->tag.len > 0) {
		buf_add(&x->tag, data, n);
	}
	if (x->tag.failed) {
		fail(x, ERR_NOMEM, "out of memory");
	}
	if (!whole) {
		return n;
	}
	x->in_tag = false;
	if (x->in_blob) {
		x->in_blob = false;
		if (x->handlers->blob_end != NULL) {
			x->handlers->blob_end(x->ctx);
		}
	}
	if (x->tag.len > 0) {
		parse(x, x->tag.data, x->tag.len);
		buf_clear(&x->tag);
	} else {
		parse(x, data, n);
	}
	return n;
}

enum err_code indi_xml_feed(struct indi_xml *x, const char *data, size_t len, struct err *err)
{
	while (len > 0 && x->failed.code == ERR_OK) {
		size_t n = x->in_tag ? take_tag(x, data, len) : take_content(x, data, len);
		data += n;
		len -= n;
	}
	return x->failed.code == ERR_OK ? ERR_OK : err_copy(err, &x->failed);
}
