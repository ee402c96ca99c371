/* SPDX-License-Identifier: MIT */
/*
 * The picture as JSON text, made while it is sent out of the frame's own memory, which has Alpaca's order. Its length
 * is told before the first byte, because some clients accept no chunks. So the digits of elements of 8 and 16 bits
 * are counted first; elements of other types are all as long as the longest, with blanks before the number, because
 * to count their digits would take as long as to write them.
 */
#include "alpaca_call.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"

enum {
	/* A handler counts so many elements in one call, and a stream writes so many: either takes a fraction of a
	 * millisecond, because a halt may wait for it. Larger frames are counted in several turns. */
	COUNT_ELEMENTS = 512 * 1024,
	BLOCK_BYTES = 256 * 1024,
	PRINTED_BLOCK_BYTES = 16 * 1024, /* a printed element takes a hundred times as long as one out of the table */
	MARK_MAX = 5,     /* the longest text between two elements, "]],[[" */
	TEXT_MAX = 25,    /* the longest element, a double of 24 characters, and the comma behind it */
	ELEMENT_MAX = TEXT_MAX + MARK_MAX,
	HEAD_MAX = 40,
};

double image_published(const struct frame *frame, size_t index)
{
	double value = image_element(frame->pixels, frame->info.type, index);
	return isfinite(value) ? value : 0.0;
}

/* ---- elements ---- */

/* The decimal text of every value with a comma behind it; len counts the comma. */
struct digits {
	char text[7];
	uint8_t len;
};
static struct digits digits[65536];
static pthread_once_t digits_once = PTHREAD_ONCE_INIT;

/* snprintf() would take ten times as long, and the first client that asks for a picture has this done on an HTTP
 * thread. */
static void make_digits(void)
{
	for (unsigned value = 0; value < 65536; value++) {
		struct digits *d = &digits[value];
		uint8_t len = (uint8_t)(1 + (value > 9) + (value > 99) + (value > 999) + (value > 9999));
		unsigned rest = value;
		d->text[len] = ',';
		for (int i = len - 1; i >= 0; i--) {
			d->text[i] = (char)('0' + rest % 10);
			rest /= 10;
		}
		d->len = (uint8_t)(len + 1);
	}
}

static const struct digits *digits_of(const struct frame *frame, size_t index)
{
	const uint8_t *bytes = frame->pixels;
	return &digits[frame->info.type == IMAGE_U8 ? bytes[index] : frame_u16(frame)[index]];
}

/* The number of characters of an element that is printed, without its comma; 0 for one that is copied out of the table.
 * Nine digits tell a float from its neighbours, seventeen a double (IEEE 754-2019, 5.12.2). */
static int printed_width(enum image_type type)
{
	switch (type) {
	case IMAGE_U8:
	case IMAGE_U16:
		break;
	case IMAGE_I32:
		return sizeof "-2147483648" - 1;
	case IMAGE_F32:
		return sizeof "-1.17549435e-38" - 1;
	case IMAGE_F64:
		return sizeof "-2.2250738585072014e-308" - 1;
	}
	return 0;
}

/* Writes one element and a comma; returns their length, at most TEXT_MAX. */
static size_t put_text(const struct frame *frame, size_t index, char *out)
{
	enum image_type type = frame->info.type;
	int width = printed_width(type);
	if (width == 0) {
		const struct digits *d = digits_of(frame, index);
		memcpy(out, d, sizeof *d);
		return d->len;
	}
	char text[TEXT_MAX + 1];
	double value = image_published(frame, index);
	int precision = type == IMAGE_F32 ? 9 : 17;
	/* With %g a whole number of 32 bits is no longer than it has digits. */
	snprintf(text, sizeof text, "%*.*g,", width, precision, value);
	memcpy(out, text, (size_t)width + 1);
	return (size_t)width + 1;
}

/* Counts the digits of all elements of 8 or 16 bits together. Blocks of fixed size and numbers of 16 bits let the
 * compiler count many at once. */
#define COUNT_DIGITS(name, type)                                                                          \
	static uint64_t name(const type *pixels, size_t count)                                            \
	{                                                                                                 \
		uint64_t sum = count;                                                                     \
		size_t i = 0;                                                                             \
		for (; i + 4096 <= count; i += 4096) {                                                    \
			uint16_t more = 0;                                                                \
			for (size_t k = 0; k < 4096; k++) {                                               \
				uint16_t v = pixels[i + k];                                               \
				more = (uint16_t)(more + (v > 9) + (v > 99) + (v > 999) + (v > 9999));    \
			}                                                                                 \
			sum += more;                                                                      \
		}                                                                                         \
		for (; i < count; i++) {                                                                  \
			uint16_t v = pixels[i];                                                           \
			sum += (uint64_t)((v > 9) + (v > 99) + (v > 999) + (v > 9999));                   \
		}                                                                                         \
		return sum;                                                                               \
	}

COUNT_DIGITS(count_digits_u8, uint8_t)
COUNT_DIGITS(count_digits_u16, uint16_t)

bool image_count_on(const struct frame *frame, struct image_count *count)
{
	size_t left = frame->count - count->next;
	size_t n = left < COUNT_ELEMENTS ? left : COUNT_ELEMENTS;
	switch (frame->info.type) {
	case IMAGE_U8:
		count->length += count_digits_u8((const uint8_t *)frame->pixels + count->next, n);
		break;
	case IMAGE_U16:
		count->length += count_digits_u16(frame_u16(frame) + count->next, n);
		break;
	default:
		n = left;
		count->length += (uint64_t)printed_width(frame->info.type) * n;
	}
	count->next += n;
	return count->next == frame->count;
}

/* ---- the stream ---- */

struct json_stream {
	struct image_reader reader;
	const struct frame *frame; /* the reader's */
	size_t next;        /* index of the next element */
	size_t column_left; /* elements to the end of this column */
	size_t column;      /* elements in one column */
	size_t planes;
	bool head_done;
	char head[HEAD_MAX];
	/* The part of an element that did not fit into the last block. */
	char left[ELEMENT_MAX];
	size_t left_at, left_len;
	size_t tail_at, tail_len;
	char tail[];
};

/* Writes the next element and what stands after it; out has room for ELEMENT_MAX. */
static size_t put_element(struct json_stream *stream, char *out)
{
	size_t n = put_text(stream->frame, stream->next, out);
	stream->next++;
	stream->column_left--;
	bool pixel_end = stream->planes > 1 && stream->column_left % stream->planes == 0;
	if (stream->column_left > 0 && !pixel_end) {
		return n;
	}
	/* The comma gives way to the brackets. */
	n--;
	const char *mark = "],[";
	if (stream->column_left == 0) {
		bool last = stream->next == stream->frame->count;
		mark = stream->planes > 1 ? (last ? "]]]," : "]],[[") : (last ? "]]," : "],[");
		stream->column_left = stream->column;
	}
	size_t len = strlen(mark);
	memcpy(out + n, mark, len);
	return n + len;
}

/* Writes whole columns of one plane without looking for marks, which is the fast way through a large frame. */
static size_t put_run(struct json_stream *stream, char *out, size_t room)
{
	const struct frame *frame = stream->frame;
	int width = printed_width(frame->info.type);
	size_t longest = width > 0 ? (size_t)width + 1 : sizeof(struct digits);
	size_t run = stream->column_left - 1;
	if (run > room / longest) {
		run = room / longest;
	}
	char *at = out;
	if (frame->info.type == IMAGE_U16) {
		const uint16_t *pixels = frame_u16(frame) + stream->next;
		for (size_t i = 0; i < run; i++) {
			const struct digits *d = &digits[pixels[i]];
			memcpy(at, d, sizeof *d);
			at += d->len;
		}
	} else {
		for (size_t i = 0; i < run; i++) {
			at += put_text(frame, stream->next + i, at);
		}
	}
	stream->next += run;
	stream->column_left -= run;
	return (size_t)(at - out);
}

static size_t put_left(struct json_stream *stream, char *out, size_t max)
{
	size_t len = stream->left_len - stream->left_at;
	if (len > max) {
		len = max;
	}
	memcpy(out, stream->left + stream->left_at, len);
	stream->left_at += len;
	return len;
}

static ssize_t read_json(void *arg, uint64_t pos, char *out, size_t max)
{
	struct json_stream *stream = arg;
	const char *head = stream->head;
	size_t done = 0;
	if (!stream->head_done) {
		size_t head_len = strlen(head);
		size_t len = head_len - (size_t)pos < max ? head_len - (size_t)pos : max;
		memcpy(out, head + pos, len);
		done = len;
		stream->head_done = pos + len == head_len;
		if (!stream->head_done) {
			return (ssize_t)done;
		}
	}
	done += put_left(stream, out + done, max - done);
	while (stream->next < stream->frame->count && done < max) {
		if (max - done < ELEMENT_MAX) {
			stream->left_len = put_element(stream, stream->left);
			stream->left_at = 0;
			done += put_left(stream, out + done, max - done);
			continue;
		}
		if (stream->planes == 1 && stream->column_left > 1) {
			done += put_run(stream, out + done, max - done);
			continue;
		}
		done += put_element(stream, out + done);
	}
	if (stream->next == stream->frame->count && stream->left_at == stream->left_len) {
		size_t len = stream->tail_len - stream->tail_at;
		if (len > max - done) {
			len = max - done;
		}
		memcpy(out + done, stream->tail + stream->tail_at, len);
		stream->tail_at += len;
		done += len;
	}
	return done > 0 ? (ssize_t)done : HTTP_STREAM_END;
}

static void release_json(void *arg)
{
	struct json_stream *stream = arg;
	image_reader_end(&stream->reader);
	free(stream);
}

enum err_code image_stream_json(struct image_reader *reader, uint64_t text_length, const char *tail,
	struct http_response *res)
{
	const struct frame *frame = reader->frame;
	size_t tail_len = strlen(tail);
	struct json_stream *stream = malloc(sizeof *stream + tail_len + 1);
	if (stream == NULL) {
		image_reader_end(reader);
		return ERR_NOMEM;
	}
	pthread_once(&digits_once, make_digits);
	memset(stream, 0, sizeof *stream);
	memcpy(stream->tail, tail, tail_len + 1);
	stream->tail_len = tail_len;
	stream->reader = *reader;
	stream->frame = frame;
	stream->planes = (size_t)frame->info.planes;
	stream->column = (size_t)frame->info.height * stream->planes;
	stream->column_left = stream->column;
	uint64_t width = (uint64_t)frame->info.width;
	uint64_t pixel_count = frame->count / stream->planes;
	bool colours = stream->planes > 1;
	/* Type 2 is Int32, 3 Double.  Clients look for these two members with a pattern before they read the rest. */
	snprintf(stream->head, sizeof stream->head, "{\"Type\":%d,\"Rank\":%d,\"Value\":[[%s",
		image_type_is_float(frame->info.type) ? 3 : 2, colours ? 3 : 2, colours ? "[" : "");
	/* After an element stands, between two of a pixel, ","; between pixels of a column "," or "],["; between
	 * columns "],[" or "]],[["; at the end "]]," or "]]],". */
	uint64_t size = strlen(stream->head) + tail_len + text_length;
	if (colours) {
		size += (frame->count - pixel_count) + 3 * (pixel_count - width) + 5 * (width - 1) +
			4;
	} else {
		size += (frame->count - width) + 3 * (width - 1) + 3;
	}
	res->status = 200;
	res->content_type = "application/json";
	res->stream = (struct http_stream){.read = read_json,
		.release = release_json,
		.arg = stream,
		.size = (int64_t)size,
		.block = printed_width(frame->info.type) > 0 ? PRINTED_BLOCK_BYTES : BLOCK_BYTES};
	return ERR_OK;
}

