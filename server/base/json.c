/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

void json_begin(struct json_writer *w, struct buf *buf)
{
	*w = (struct json_writer){.buf = buf};
}

static void before_value(struct json_writer *w)
{
	if (w->after_key) {
		w->after_key = false;
		return;
	}
	if (w->has_item[w->depth]) {
		buf_putc(w->buf, ',');
	}
	w->has_item[w->depth] = true;
}

static void open_level(struct json_writer *w, char c)
{
	before_value(w);
	buf_putc(w->buf, c);
	if (w->depth < 16) {
		w->depth++;
	} else {
		w->buf->failed = true;
	}
	w->has_item[w->depth] = false;
}

static void close_level(struct json_writer *w, char c)
{
	buf_putc(w->buf, c);
	if (w->depth > 0) {
		w->depth--;
	}
}

void json_object(struct json_writer *w)
{
	open_level(w, '{');
}

void json_end_object(struct json_writer *w)
{
	close_level(w, '}');
}

void json_array(struct json_writer *w)
{
	open_level(w, '[');
}

void json_end_array(struct json_writer *w)
{
	close_level(w, ']');
}

static void put_quoted(struct buf *buf, const char *text)
{
	char clean[512];
	buf_putc(buf, '"');
	/* Valid text is written as it is; of any other a mended copy of limited length is written. */
	if (!text_is_utf8(span_of(text))) {
		text_copy_clean(clean, sizeof clean, text);
		text = clean;
	}
	for (const char *p = text; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;
		if (c == '"' || c == '\\') {
			buf_putc(buf, '\\');
			buf_putc(buf, (char)c);
		} else if (c == '\n') {
			buf_puts(buf, "\\n");
		} else if (c < 0x20 || c == 0x7F) {
			buf_printf(buf, "\\u%04x", c);
		} else {
			buf_putc(buf, (char)c);
		}
	}
	buf_putc(buf, '"');
}

void json_key(struct json_writer *w, const char *key)
{
	before_value(w);
	put_quoted(w->buf, key);
	buf_putc(w->buf, ':');
	w->after_key = true;
}

void json_string(struct json_writer *w, const char *text)
{
	before_value(w);
	put_quoted(w->buf, text);
}

void json_int(struct json_writer *w, int64_t value)
{
	before_value(w);
	buf_printf(w->buf, "%" PRId64, value);
}

void json_double(struct json_writer *w, double value)
{
	if (!isfinite(value)) {
		json_null(w);
		return;
	}
	before_value(w);
	char text[32];
	text_print_double(text, value);
	buf_puts(w->buf, text);
}

void json_bool(struct json_writer *w, bool value)
{
	before_value(w);
	buf_puts(w->buf, value ? "true" : "false");
}

void json_null(struct json_writer *w)
{
	before_value(w);
	buf_puts(w->buf, "null");
}

void json_key_string(struct json_writer *w, const char *key, const char *text)
{
	json_key(w, key);
	if (text != NULL) {
		json_string(w, text);
	} else {
		json_null(w);
	}
}

void json_key_int(struct json_writer *w, const char *key, int64_t value)
{
	json_key(w, key);
	json_int(w, value);
}

void json_key_double(struct json_writer *w, const char *key, double value)
{
	json_key(w, key);
	json_double(w, value);
}

void json_key_bool(struct json_writer *w, const char *key, bool value)
{
	json_key(w, key);
	json_bool(w, value);
}

void json_key_null(struct json_writer *w, const char *key)
{
	json_key(w, key);
	json_null(w);
}

/* struct json is never defined: it is the library's node under our name. */
static const cJSON *node(const struct json *json)
{
	return (const cJSON *)(const void *)json;
}

/* Brackets inside strings are text: they neither count nor make up for others. */
static bool too_deep(struct span text)
{
	int depth = 0;
	bool in_string = false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		if (in_string) {
			i += c == '\\';
			in_string = c != '"';
		} else if (c == '"') {
			in_string = true;
		} else if (c == '[' || c == '{') {
			if (++depth > 32) {
				return true;
			}
		} else if (c == ']' || c == '}') {
			depth--;
		}
	}
	return false;
}

struct json *json_parse(struct span text, struct err *err)
{
	if (text.len > 1024 * 1024 || too_deep(text)) {
		err_set(err, ERR_INVALID_VALUE, "JSON is larger or nested deeper than is sensible");
		return NULL;
	}
	if (!text_is_utf8(text)) {
		err_set(err, ERR_INVALID_VALUE, "JSON is not valid UTF-8");
		return NULL;
	}
	const char *end = NULL;
	cJSON *root = cJSON_ParseWithLengthOpts(text.data, text.len, &end, 0);
	if (root != NULL) {
		const char *limit = text.data + text.len;
		while (end < limit && (*end == ' ' || *end == '\t' || *end == '\r' || *end == '\n')) {
			end++;
		}
		if (end == limit) {
			return (struct json *)(void *)root;
		}
		cJSON_Delete(root);
	}
	err_set(err, ERR_INVALID_VALUE, "not a JSON text near character %zu",
		end != NULL ? (size_t)(end - text.data) + 1 : (size_t)1);
	return NULL;
}

void json_free(struct json *json)
{
	cJSON_Delete((cJSON *)(void *)json);
}

bool json_is_object(const struct json *json)
{
	return cJSON_IsObject(node(json));
}

bool json_is_null(const struct json *json)
{
	return cJSON_IsNull(node(json));
}

bool json_member(const struct json *object, int i, const char **name, const struct json **value)
{
	const cJSON *item = node(object)->child;
	while (item != NULL && i-- > 0) {
		item = item->next;
	}
	if (item == NULL) {
		return false;
	}
	*name = item->string;
	*value = (const struct json *)(const void *)item;
	return true;
}

const struct json *json_get(const struct json *object, const char *name)
{
	return (const struct json *)(const void *)cJSON_GetObjectItemCaseSensitive(
		node(object), name);
}

const struct json *json_get_nocase(const struct json *object, const char *name)
{
	return (const struct json *)(const void *)cJSON_GetObjectItem(node(object), name);
}

const struct json *json_element(const struct json *array, int i)
{
	const cJSON *item = cJSON_IsArray(node(array)) ? cJSON_GetArrayItem(node(array), i) : NULL;
	return (const struct json *)(const void *)item;
}

bool json_as_double(const struct json *value, double *out)
{
	if (!cJSON_IsNumber(node(value)) || !isfinite(node(value)->valuedouble)) {
		return false;
	}
	*out = node(value)->valuedouble;
	return true;
}

bool json_as_i32(const struct json *value, int32_t *out)
{
	double number;
	if (!json_as_double(value, &number) || number != floor(number) || number < INT32_MIN ||
		number > INT32_MAX) {
		return false;
	}
	*out = (int32_t)number;
	return true;
}

bool json_as_bool(const struct json *value, bool *out)
{
	if (!cJSON_IsBool(node(value))) {
		return false;
	}
	*out = cJSON_IsTrue(node(value));
	return true;
}

bool json_as_string(const struct json *value, const char **out)
{
	if (!cJSON_IsString(node(value))) {
		return false;
	}
	*out = node(value)->valuestring;
	return true;
}
