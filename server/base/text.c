/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct span span_of(const char *text)
{
	return (struct span){.data = text, .len = strlen(text)};
}

bool span_equal(struct span span, const char *text)
{
	size_t len = strlen(text);
	return span.len == len && (len == 0 || memcmp(span.data, text, len) == 0);
}

bool span_equal_nocase(struct span span, const char *text)
{
	size_t len = strlen(text);
	return span.len == len && (len == 0 || strncasecmp(span.data, text, len) == 0);
}

void buf_init(struct buf *buf, size_t ceiling)
{
	*buf = (struct buf){.ceiling = ceiling};
}

void buf_fini(struct buf *buf)
{
	free(buf->data);
	buf_init(buf, buf->ceiling);
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
	buf->failed = false;
	if (buf->data != NULL) {
		buf->data[0] = '\0';
	}
}

/* Makes room for len more bytes and a NUL. */
static bool buf_reserve(struct buf *buf, size_t len)
{
	if (buf->failed) {
		return false;
	}
	if (len > buf->ceiling || buf->len > buf->ceiling - len) {
		buf->failed = true;
		return false;
	}
	size_t need = buf->len + len + 1;
	if (need <= buf->cap) {
		return true;
	}
	size_t cap = buf->cap < 128 ? 128 : buf->cap;
	while (cap < need) {
		cap *= 2;
	}
	char *data = realloc(buf->data, cap);
	if (data == NULL) {
		buf->failed = true;
		return false;
	}
	buf->data = data;
	buf->cap = cap;
	return true;
}

void buf_add(struct buf *buf, const void *data, size_t len)
{
	if (!buf_reserve(buf, len)) {
		return;
	}
	if (len > 0) {
		memcpy(buf->data + buf->len, data, len);
	}
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void buf_puts(struct buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

void buf_putc(struct buf *buf, char c)
{
	buf_add(buf, &c, 1);
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
	va_list ap;
	va_list again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n >= 0 && buf_reserve(buf, (size_t)n)) {
		vsnprintf(buf->data + buf->len, (size_t)n + 1, fmt, again);
		buf->len += (size_t)n;
	}
	va_end(again);
}

const char *buf_text(const struct buf *buf)
{
	return buf->data != NULL ? buf->data : "";
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool text_parse_u32(struct span text, uint32_t *out)
{
	uint64_t value = 0;
	if (text.len == 0) {
		return false;
	}
	for (size_t i = 0; i < text.len; i++) {
		if (!is_digit(text.data[i])) {
			return false;
		}
		value = value * 10 + (uint64_t)(text.data[i] - '0');
		if (value > UINT32_MAX) {
			return false;
		}
	}
	*out = (uint32_t)value;
	return true;
}

bool text_parse_i32(struct span text, int32_t *out)
{
	bool negative = text.len > 0 && text.data[0] == '-';
	if (text.len > 0 && (text.data[0] == '-' || text.data[0] == '+')) {
		text.data++;
		text.len--;
	}
	uint32_t magnitude;
	if (!text_parse_u32(text, &magnitude)) {
		return false;
	}
	int64_t value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
	if (value < INT32_MIN || value > INT32_MAX) {
		return false;
	}
	*out = (int32_t)value;
	return true;
}

bool text_parse_double(struct span text, double *out)
{
	/* strtod() would take blanks, nan, inf and hexadecimal, so the characters are looked at first. */
	char copy[64];
	if (text.len == 0 || text.len >= sizeof copy) {
		return false;
	}
	bool digits = false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		if (is_digit(c)) {
			digits = true;
		} else if (c != '.' && c != '+' && c != '-' && c != 'e' && c != 'E') {
			return false;
		}
	}
	if (!digits) {
		return false;
	}
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	char *end;
	double value = strtod(copy, &end);
	if (*end != '\0' || !isfinite(value)) {
		return false;
	}
	*out = value;
	return true;
}

bool text_parse_bool(struct span text, bool *out)
{
	if (span_equal_nocase(text, "true")) {
		*out = true;
		return true;
	}
	if (span_equal_nocase(text, "false")) {
		*out = false;
		return true;
	}
	return false;
}

/* Length of the valid UTF-8 character at data, 0 when there is none. */
static size_t utf8_char(const unsigned char *data, size_t len)
{
	unsigned char c = data[0];
	if (c < 0x80) {
		return 1;
	}
	size_t need = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
	if (c < 0xC2 || c > 0xF4 || len < need) {
		return 0;
	}
	for (size_t i = 1; i < need; i++) {
		if ((data[i] & 0xC0) != 0x80) {
			return 0;
		}
	}
	if ((c == 0xE0 && data[1] < 0xA0) || (c == 0xED && data[1] > 0x9F) ||
		(c == 0xF0 && data[1] < 0x90) || (c == 0xF4 && data[1] > 0x8F)) {
		return 0;
	}
	return need;
}

bool text_is_utf8(struct span text)
{
	const unsigned char *data = (const unsigned char *)text.data;
	for (size_t i = 0; i < text.len;) {
		size_t n = utf8_char(data + i, text.len - i);
		if (n == 0 || data[i] == 0) {
			return false;
		}
		i += n;
	}
	return true;
}

void text_copy_clean(char *out, size_t cap, const char *text)
{
	const unsigned char *in = (const unsigned char *)text;
	size_t left = strlen(text);
	size_t n = 0;
	while (left > 0) {
		size_t step = utf8_char(in, left);
		bool bad = step == 0 || in[0] < 0x20 || in[0] == 0x7F;
		size_t width = bad ? 1 : step;
		if (n + width >= cap) {
			break;
		}
		if (bad) {
			out[n] = '?';
		} else {
			memcpy(out + n, in, step);
		}
		n += width;
		in += bad ? 1 : step;
		left -= bad ? 1 : step;
	}
	out[n] = '\0';
}

void text_print_double(char out[32], double value)
{
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(out, 32, "%.*g", digits, value);
		if (strtod(out, NULL) == value) {
			return;
		}
	}
}
