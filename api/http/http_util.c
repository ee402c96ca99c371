/* SPDX-License-Identifier: MIT */
#include "http.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void http_text(struct http_response *res, int status, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	res->status = status;
	res->content_type = "text/plain; charset=utf-8";
	/* Texts quote what the client sent, which may be anything. */
	char clean[sizeof text];
	text_copy_clean(clean, sizeof clean, text);
	if (res->body.ceiling < 2 * sizeof text) {
		buf_init(&res->body, 2 * sizeof text);
	}
	buf_clear(&res->body);
	buf_puts(&res->body, clean);
	buf_putc(&res->body, '\n');
}

void http_add_header(struct http_response *res, const char *name, const char *value)
{
	if (res->header_count >= (int)(sizeof res->header_name / sizeof res->header_name[0])) {
		return;
	}
	int i = res->header_count++;
	res->header_name[i] = name;
	/* A line break in a value would begin another header. */
	text_copy_clean(res->header_value[i], sizeof res->header_value[i], value);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes raw into out; false when it does not fit.  A '%' without two hexadecimal digits stands
 * for itself: some clients send forms without encoding them. */
static bool decode(struct span raw, char *out, size_t cap, size_t *len)
{
	size_t n = 0;
	for (size_t i = 0; i < raw.len; i++) {
		char c = raw.data[i];
		if (c == '+') {
			c = ' ';
		} else if (c == '%' && i + 2 < raw.len && hex_digit(raw.data[i + 1]) >= 0 &&
			   hex_digit(raw.data[i + 2]) >= 0) {
			c = (char)(hex_digit(raw.data[i + 1]) * 16 + hex_digit(raw.data[i + 2]));
			i += 2;
		}
		if (n + 1 >= cap) {
			return false;
		}
		out[n++] = c;
	}
	out[n] = '\0';
	*len = n;
	return true;
}

int http_field(struct span form, const char *name, bool any_case, char *out, size_t cap)
{
	size_t at = 0;
	while (at < form.len) {
		const char *start = form.data + at;
		const char *amp = memchr(start, '&', form.len - at);
		size_t len = amp != NULL ? (size_t)(amp - start) : form.len - at;
		at += len + 1;
		const char *equal = memchr(start, '=', len);
		size_t name_len = equal != NULL ? (size_t)(equal - start) : len;
		char key[64];
		size_t key_len;
		struct span raw = {.data = start, .len = name_len};
		if (!decode(raw, key, sizeof key, &key_len)) {
			continue;
		}
		struct span found = {.data = key, .len = key_len};
		if (any_case ? !span_equal_nocase(found, name) : !span_equal(found, name)) {
			continue;
		}
		raw.data = equal != NULL ? equal + 1 : "";
		raw.len = equal != NULL ? len - name_len - 1 : 0;
		size_t value_len;
		if (!decode(raw, out, cap, &value_len)) {
			return -2;
		}
		struct span value = {.data = out, .len = value_len};
		return text_is_utf8(value) ? 0 : -2;
	}
	return -1;
}
