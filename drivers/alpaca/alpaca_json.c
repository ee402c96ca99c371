/* SPDX-License-Identifier: MIT */
#include "alpaca_json.h"

#include <math.h>
#include <string.h>
#include <strings.h>

/* Whole numbers of so many digits are exact in a double and are read without the library. */
#define EXACT_DIGITS 15

void alpaca_json_begin(struct alpaca_json *j, struct alpaca_bytes *pixels)
{
	memset(j, 0, sizeof *j);
	j->pixels = pixels;
	buf_init(&j->envelope, ALPACA_JSON_ENVELOPE);
}

void alpaca_json_fini(struct alpaca_json *j)
{
	buf_fini(&j->envelope);
}

/* ---- the pixels ---- */

/* The dimensions of the frame, from the outermost on: Alpaca's first index is x. */
static int32_t wanted(const struct alpaca_json *j, int level)
{
	const struct frame_info *info = &j->pixels->frame->info;
	return level == 1 ? info->width : level == 2 ? info->height : info->planes;
}

static enum err_code wrong_size(const struct alpaca_json *j, int level, const char *how, struct err *err)
{
	static const char *const name[] = {"", "columns", "rows", "colours"};
	return err_set(err, ERR_PROTOCOL, "the picture has %s than the %d %s that were asked for", how,
		(int)wanted(j, level), name[level]);
}

static void flush(struct alpaca_json *j)
{
	alpaca_bytes_put(j->pixels, ALPACA_DOUBLE, j->block, j->block_len);
	j->block_len = 0;
}

/* An element of the open array begins: a number, or the next inner array. */
static enum err_code begin_element(struct alpaca_json *j, struct err *err)
{
	if (j->wants_comma) {
		return err_set(err, ERR_PROTOCOL, "a comma is missing between the pixels of the picture");
	}
	j->after_comma = false;
	if (++j->count[j->level] > wanted(j, j->level)) {
		return wrong_size(j, j->level, "more", err);
	}
	return ERR_OK;
}

static bool read_whole(const struct alpaca_json *j, double *out)
{
	size_t at = j->number[0] == '-' ? 1 : 0;
	int64_t value = 0;
	if (j->number_len == at || j->number_len - at > EXACT_DIGITS) {
		return false;
	}
	for (size_t i = at; i < j->number_len; i++) {
		if (j->number[i] < '0' || j->number[i] > '9') {
			return false;
		}
		value = value * 10 + (j->number[i] - '0');
	}
	*out = (double)(at > 0 ? -value : value);
	return true;
}

/* The number that has come in is over. */
static enum err_code end_number(struct alpaca_json *j, struct err *err)
{
	struct span text = {j->number, j->number_len};
	double value;
	if (j->number_len == 4 && memcmp(j->number, "null", 4) == 0) {
		value = NAN; /* a missing pixel */
	} else if (!read_whole(j, &value) && !text_parse_double(text, &value)) {
		return err_set(err, ERR_PROTOCOL, "a pixel of the picture is no number");
	}
	j->number_len = 0;
	enum err_code code = begin_element(j, err);
	if (code != ERR_OK) {
		return code;
	}
	if (j->rank == 0) {
		j->rank = j->level;
	}
	if (j->level != j->rank || (j->rank == 2 && wanted(j, 3) != 1) || j->rank < 2) {
		return err_set(err, ERR_PROTOCOL, "the picture has numbers in its dimension %d, and %d colours were "
			"asked for", j->level, (int)wanted(j, 3));
	}
	j->wants_comma = true;
	j->block[j->block_len++] = value;
	if (j->block_len == ALPACA_JSON_BLOCK) {
		flush(j);
	}
	return ERR_OK;
}

static enum err_code open_array(struct alpaca_json *j, struct err *err)
{
	enum err_code code = begin_element(j, err);
	if (code == ERR_OK && (j->level == 3 || j->level == j->rank)) {
		code = err_set(err, ERR_PROTOCOL, "the picture has more than %d dimensions", j->level);
	}
	if (code == ERR_OK) {
		j->count[++j->level] = 0;
	}
	return code;
}

static enum err_code close_array(struct alpaca_json *j, struct err *err)
{
	if (j->level == 1 && j->count[1] == 0) {
		/* An error may come with an empty picture; the envelope tells. */
		j->begun = false;
	} else if (j->count[j->level] < wanted(j, j->level)) {
		return wrong_size(j, j->level, "less", err);
	}
	if (j->after_comma) {
		return err_set(err, ERR_PROTOCOL, "a pixel is missing behind a comma of the picture");
	}
	j->wants_comma = true;
	if (--j->level == 0) {
		flush(j);
		buf_putc(&j->envelope, ']');
	}
	return ERR_OK;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static enum err_code take_mark(struct alpaca_json *j, char c, struct err *err)
{
	if (c == '[') {
		return open_array(j, err);
	}
	if (c == ']') {
		return close_array(j, err);
	}
	if (c == ',') {
		if (!j->wants_comma) {
			return err_set(err, ERR_PROTOCOL, "a pixel is missing before a comma of the picture");
		}
		j->wants_comma = false;
		j->after_comma = true;
	}
	return ERR_OK;
}

/* Takes bytes until the array of the pixels is closed or the piece is over; returns how many. */
static size_t take_pixels(struct alpaca_json *j, const char *in, size_t size, enum err_code *code, struct err *err)
{
	size_t i = 0;
	while (i < size && j->level > 0 && *code == ERR_OK) {
		char c = in[i++];
		bool mark = c == ',' || c == '[' || c == ']' || is_blank(c);
		if (!mark && j->number_len < sizeof j->number) {
			j->number[j->number_len++] = c;
			continue;
		}
		if (!mark) {
			*code = err_set(err, ERR_PROTOCOL, "the picture has a pixel of more than %zu digits",
				sizeof j->number);
			break;
		}
		if (j->number_len > 0) {
			*code = end_number(j, err);
		}
		if (*code == ERR_OK) {
			*code = take_mark(j, c, err);
		}
	}
	return i;
}

/* ---- what stands around them ---- */

static void take_string(struct alpaca_json *j, char c)
{
	if (j->escaped) {
		j->escaped = false;
	} else if (c == '\\') {
		j->escaped = true;
	} else if (c == '"') {
		j->in_string = false;
		return;
	}
	if (j->depth == 1 && j->key_len < sizeof j->key) {
		j->key[j->key_len++] = c;
	}
}

static bool key_is_value(const struct alpaca_json *j)
{
	static const char value[] = "Value";
	return j->key_len == sizeof value - 1 && strncasecmp(j->key, value, sizeof value - 1) == 0;
}

static void begin_pixels(struct alpaca_json *j)
{
	j->begun = true;
	j->level = 1;
	j->count[1] = 0;
	j->wants_comma = j->after_comma = false;
}

static enum err_code take_around(struct alpaca_json *j, char c, struct err *err)
{
	buf_putc(&j->envelope, c);
	if (j->in_string) {
		take_string(j, c);
		return ERR_OK;
	}
	if (c == '[' && j->depth == 1 && j->is_value) {
		if (j->begun) {
			return err_set(err, ERR_PROTOCOL, "the answer has two pictures");
		}
		begin_pixels(j);
		return ERR_OK;
	}
	if (is_blank(c)) {
		return ERR_OK;
	}
	j->is_value = c == ':' && j->depth == 1 && key_is_value(j);
	if (c == '"') {
		j->in_string = true;
		j->key_len = 0;
	} else if (c == '{' || c == '[') {
		j->depth++;
	} else if (c == '}' || c == ']') {
		j->depth--;
	}
	return ERR_OK;
}

enum err_code alpaca_json_take(struct alpaca_json *j, const void *data, size_t size, struct err *err)
{
	const char *in = data;
	enum err_code code = ERR_OK;
	for (size_t i = 0; code == ERR_OK && i < size;) {
		if (j->level > 0) {
			i += take_pixels(j, in + i, size - i, &code, err);
		} else {
			code = take_around(j, in[i++], err);
		}
	}
	if (code == ERR_OK && j->envelope.failed) {
		code = err_set(err, ERR_PROTOCOL, "the answer is too long beside its pixels");
	}
	return code;
}

enum err_code alpaca_json_end(const struct alpaca_json *j, struct err *err)
{
	if (!j->begun) {
		return err_set(err, ERR_PROTOCOL, "the answer holds no picture: its Value is no array");
	}
	if (j->level > 0 || j->pixels->done < j->pixels->frame->count) {
		return err_set(err, ERR_PROTOCOL, "the picture ends after %zu of %zu elements", j->pixels->done,
			j->pixels->frame->count);
	}
	return ERR_OK;
}
