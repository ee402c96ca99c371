/* SPDX-License-Identifier: MIT */
#include "transcript.h"

#include <inttypes.h>
#include <string.h>

static const char kinds[] = {TRANSCRIPT_SENT, TRANSCRIPT_RECEIVED, TRANSCRIPT_CALL,
	TRANSCRIPT_FAILED, TRANSCRIPT_RESULT};

static void print_byte(struct buf *out, uint8_t c, bool at_end)
{
	if (c == '\\') {
		buf_puts(out, "\\\\");
	} else if (c > 0x20 && c < 0x7F) {
		buf_putc(out, (char)c);
	} else if (c == ' ' && !at_end) {
		buf_putc(out, ' ');
	} else {
		buf_printf(out, "\\x%02X", c);
	}
}

void transcript_print(struct buf *out, int64_t ms, char kind, const void *data, size_t len)
{
	const uint8_t *bytes = len > 0 ? data : (const void *)"";
	do {
		size_t n = len < TRANSCRIPT_LINE_BYTES ? len : TRANSCRIPT_LINE_BYTES;
		buf_printf(out, "%10" PRId64 " %c ", ms, kind);
		for (size_t i = 0; i < n; i++) {
			print_byte(out, bytes[i], i == 0 || i + 1 == n);
		}
		buf_putc(out, '\n');
		bytes += n;
		len -= n;
	} while (len > 0);
}

static int hex(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	if (c >= 'A' && c <= 'F') {
		return c - 'A' + 10;
	}
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads one byte of the text at *at and moves *at on; false when no byte stands there. */
static bool read_byte(struct span text, size_t *at, char *out)
{
	const char *in = text.data + *at;
	size_t left = text.len - *at;
	if ((uint8_t)in[0] < 0x20 || (uint8_t)in[0] >= 0x7F) {
		return false;
	}
	if (in[0] != '\\') {
		*out = in[0];
		*at += 1;
		return true;
	}
	if (left >= 2 && in[1] == '\\') {
		*out = '\\';
		*at += 2;
		return true;
	}
	if (left < 4 || in[1] != 'x' || hex(in[2]) < 0 || hex(in[3]) < 0) {
		return false;
	}
	*out = (char)(hex(in[2]) * 16 + hex(in[3]));
	*at += 4;
	return true;
}

/* How long the beginning "  2017 < " of an entry is; 0 when the line does not begin like that. */
static size_t read_head(struct span line, int64_t *ms, char *kind)
{
	size_t at = 0;
	while (at < line.len && line.data[at] == ' ') {
		at++;
	}
	size_t begin = at;
	int64_t sum = 0;
	while (at < line.len && line.data[at] >= '0' && line.data[at] <= '9' && at - begin < 15) {
		sum = sum * 10 + (line.data[at] - '0');
		at++;
	}
	if (at == begin || line.len - at < 2 || line.data[at] != ' ' ||
		memchr(kinds, line.data[at + 1], sizeof kinds) == NULL) {
		return 0;
	}
	*ms = sum;
	*kind = line.data[at + 1];
	at += 2;
	/* An editor may have taken away the blank at the end of an entry without text. */
	if (at == line.len) {
		return at;
	}
	return line.data[at] == ' ' ? at + 1 : 0;
}

enum transcript_line transcript_read(struct span line, struct transcript_entry *out)
{
	if (line.len > 0 && line.data[line.len - 1] == '\r') {
		line.len--;
	}
	size_t at = 0;
	while (at < line.len && line.data[at] == ' ') {
		at++;
	}
	if (at == line.len || line.data[0] == '#') {
		return TRANSCRIPT_NOTHING;
	}
	struct transcript_entry entry = {.len = 0};
	at = read_head(line, &entry.ms, &entry.kind);
	if (at == 0) {
		return TRANSCRIPT_BAD;
	}
	while (at < line.len) {
		if (entry.len == sizeof entry.data || !read_byte(line, &at, &entry.data[entry.len])) {
			return TRANSCRIPT_BAD;
		}
		entry.len++;
	}
	*out = entry;
	return TRANSCRIPT_ENTRY;
}

bool transcript_next_line(struct span *text, struct span *line)
{
	if (text->len == 0) {
		return false;
	}
	const char *end = memchr(text->data, '\n', text->len);
	size_t len = end != NULL ? (size_t)(end - text->data) : text->len;
	size_t used = end != NULL ? len + 1 : len;
	*line = (struct span){.data = text->data, .len = len};
	*text = (struct span){.data = text->data + used, .len = text->len - used};
	return true;
}

bool transcript_fact(struct span line, const char *key, struct span *value)
{
	size_t n = strlen(key);
	if (line.len > 0 && line.data[line.len - 1] == '\r') {
		line.len--;
	}
	if (line.len < n + 4 || memcmp(line.data, "# ", 2) != 0 ||
		memcmp(line.data + 2, key, n) != 0 || memcmp(line.data + 2 + n, ": ", 2) != 0) {
		return false;
	}
	*value = (struct span){.data = line.data + n + 4, .len = line.len - n - 4};
	return true;
}
