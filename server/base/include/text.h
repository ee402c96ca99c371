/* SPDX-License-Identifier: MIT */
/*
 * Bytes and text without a locale: borrowed spans, growing buffers with a ceiling, and number and
 * boolean parsing that takes the whole text or nothing.
 */
#ifndef FOCUSD_TEXT_H
#define FOCUSD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A borrowed range of bytes; owns nothing and does not outlive the call it is passed to. */
struct span {
	const char *data;
	size_t len;
};

/* The span of a NUL-terminated string (without the NUL). */
struct span span_of(const char *text);

/* Whether the span has exactly these bytes / these bytes without regard to ASCII case. */
bool span_equal(struct span span, const char *text);
bool span_equal_nocase(struct span span, const char *text);

/* A growing byte buffer.  Zero-initialise with buf_init(); data is always NUL-terminated once
 * something was added.  After a failed append (out of memory or past the ceiling) failed is set,
 * later appends do nothing, and the content is what fitted before. */
struct buf {
	char *data;
	size_t len;
	size_t cap;
	size_t ceiling; /* most bytes it may hold */
	bool failed;
};

/* An empty buffer that may grow to ceiling bytes.  Allocates nothing yet. */
void buf_init(struct buf *buf, size_t ceiling);

/* Frees the bytes; the buffer is empty and usable again. */
void buf_fini(struct buf *buf);

/* Removes the content and keeps the memory. */
void buf_clear(struct buf *buf);

void buf_add(struct buf *buf, const void *data, size_t len);
void buf_puts(struct buf *buf, const char *text);
void buf_putc(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The content as a C string; "" when empty. */
const char *buf_text(const struct buf *buf);

/* Whole-text parsing: no surrounding blanks, no locale.  False (and *out untouched) when the text
 * is anything else.
 *   u32:    [0-9]+, at most 4294967295
 *   i32:    [+-]?[0-9]+ within int32_t
 *   double: decimal with '.', optional sign and exponent; no nan, inf or hexadecimal; finite
 *   bool:   true or false in any case */
bool text_parse_u32(struct span text, uint32_t *out);
bool text_parse_i32(struct span text, int32_t *out);
bool text_parse_double(struct span text, double *out);
bool text_parse_bool(struct span text, bool *out);

/* Whether the bytes are valid UTF-8 without NUL (no surrogates, no overlong forms). */
bool text_is_utf8(struct span text);

/* Copies text into out (cap > 0), cut at a character boundary, NUL-terminated, with bytes that
 * are not UTF-8 or are control characters replaced by '?'. */
void text_copy_clean(char *out, size_t cap, const char *text);

/* Prints the shortest decimal that reads back as the same double, always with '.', e.g. "0.1".
 * value must be finite.  Needs 32 bytes. */
void text_print_double(char out[32], double value);

#endif
