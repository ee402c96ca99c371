/* SPDX-License-Identifier: MIT */
#include "alpaca_bytes.h"

#include <math.h>
#include <string.h>

#include "alpaca_answer.h"
#include "text.h"

/* Pixels may begin later than the header ends; a server that puts more than this between is not believed. */
#define START_MAX 65536
/* Elements that are converted at a time; the block stays in the processor's first cache. */
#define BLOCK 2048

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "ImageBytes are little-endian, and are taken as they are");

/* Offsets of the header's fields, bytes. */
enum { AT_VERSION = 0, AT_ERROR = 4, AT_START = 16, AT_ELEMENT = 24, AT_RANK = 28, AT_DIMENSIONS = 32 };

void alpaca_bytes_begin(struct alpaca_bytes *b, struct frame *frame)
{
	*b = (struct alpaca_bytes){.frame = frame};
}

static int32_t field(const struct alpaca_bytes *b, size_t at)
{
	int32_t value;
	memcpy(&value, b->head + at, sizeof value);
	return value;
}

static size_t element_size(int element)
{
	switch (element) {
	case ALPACA_BYTE:
		return 1;
	case ALPACA_INT16:
	case ALPACA_UINT16:
		return 2;
	case ALPACA_INT32:
	case ALPACA_UINT32:
	case ALPACA_SINGLE:
		return 4;
	case ALPACA_DOUBLE:
	case ALPACA_INT64:
	case ALPACA_UINT64:
		return 8;
	default:
		return 0;
	}
}

static enum err_code check_shape(const struct alpaca_bytes *b, struct err *err)
{
	const struct frame_info *info = &b->frame->info;
	int32_t rank = field(b, AT_RANK);
	int32_t x = field(b, AT_DIMENSIONS), y = field(b, AT_DIMENSIONS + 4), planes = field(b, AT_DIMENSIONS + 8);
	planes = rank == 2 ? 1 : planes;
	if (rank != 2 && rank != 3) {
		return err_set(err, ERR_PROTOCOL, "the picture has %d dimensions, not 2 or 3", (int)rank);
	}
	if (x != info->width || y != info->height || planes != info->planes) {
		return err_set(err, ERR_PROTOCOL, "the picture has %dx%dx%d elements, not %dx%dx%d as was asked for",
			(int)x, (int)y, (int)planes, (int)info->width, (int)info->height, (int)info->planes);
	}
	return ERR_OK;
}

static enum err_code read_header(struct alpaca_bytes *b, struct err *err)
{
	int32_t version = field(b, AT_VERSION), start = field(b, AT_START);
	if (version != 1) {
		return err_set(err, ERR_PROTOCOL, "the picture is ImageBytes of version %d, not 1", (int)version);
	}
	if (start < ALPACA_BYTES_HEADER || start > START_MAX) {
		return err_set(err, ERR_PROTOCOL, "the picture's pixels begin at %d", (int)start);
	}
	b->start = (size_t)start;
	b->error_number = field(b, AT_ERROR);
	if (b->error_number != 0) {
		return ERR_OK;
	}
	b->element = field(b, AT_ELEMENT);
	b->size = element_size(b->element);
	if (b->size == 0) {
		return err_set(err, ERR_PROTOCOL, "the picture's elements are of type %d, which nobody knows",
			(int)b->element);
	}
	return check_shape(b, err);
}

/* Whole numbers of the wire into 32 bits, within low..high. */
#define WHOLE(name, type)                                                                                              \
	static uint64_t name(const unsigned char *in, size_t count, int64_t low, int64_t high, int32_t *out)           \
	{                                                                                                              \
		uint64_t cut = 0;                                                                                      \
		for (size_t i = 0; i < count; i++) {                                                                   \
			type value;                                                                                    \
			memcpy(&value, in + i * sizeof value, sizeof value);                                           \
			bool below = value < 0 && (int64_t)value < low;                                                \
			bool above = value > 0 && (uint64_t)value > (uint64_t)high;                                    \
			out[i] = (int32_t)(below ? low : above ? high : (int64_t)value);                               \
			cut += below || above;                                                                         \
		}                                                                                                      \
		return cut;                                                                                            \
	}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtype-limits" /* the same lines serve types with a sign and without */
WHOLE(whole_u8, uint8_t)
WHOLE(whole_i16, int16_t)
WHOLE(whole_u16, uint16_t)
WHOLE(whole_i32, int32_t)
WHOLE(whole_u32, uint32_t)
WHOLE(whole_i64, int64_t)
WHOLE(whole_u64, uint64_t)
#pragma GCC diagnostic pop

/* To the nearest whole number; a missing pixel becomes 0, as it does wherever whole numbers are wanted. */
static uint64_t round_all(const unsigned char *in, bool single, size_t count, int64_t low, int64_t high, int32_t *out)
{
	uint64_t cut = 0;
	for (size_t i = 0; i < count; i++) {
		float narrow;
		double value;
		if (single) {
			memcpy(&narrow, in + i * sizeof narrow, sizeof narrow);
			value = (double)narrow;
		} else {
			memcpy(&value, in + i * sizeof value, sizeof value);
		}
		value = isnan(value) ? 0.0 : rint(value);
		bool below = value < (double)low, above = value > (double)high;
		out[i] = (int32_t)(below ? low : above ? high : (int64_t)value);
		cut += below || above;
	}
	return cut;
}

static uint64_t to_whole(int element, const unsigned char *in, size_t count, int64_t low, int64_t high, int32_t *out)
{
	switch (element) {
	case ALPACA_BYTE:
		return whole_u8(in, count, low, high, out);
	case ALPACA_INT16:
		return whole_i16(in, count, low, high, out);
	case ALPACA_UINT16:
		return whole_u16(in, count, low, high, out);
	case ALPACA_INT32:
		return whole_i32(in, count, low, high, out);
	case ALPACA_UINT32:
		return whole_u32(in, count, low, high, out);
	case ALPACA_INT64:
		return whole_i64(in, count, low, high, out);
	case ALPACA_UINT64:
		return whole_u64(in, count, low, high, out);
	default:
		return round_all(in, element == ALPACA_SINGLE, count, low, high, out);
	}
}

/* Puts one block of elements that differ from the frame's type. */
static void put_block(struct alpaca_bytes *b, const unsigned char *in, size_t count)
{
	int32_t wide[BLOCK];
	uint16_t narrow[BLOCK];
	uint8_t bytes[BLOCK];
	enum image_type type = b->frame->info.type;
	int64_t low = type == IMAGE_I32 ? INT32_MIN : 0;
	int64_t high = type == IMAGE_I32 ? INT32_MAX : type == IMAGE_U16 ? UINT16_MAX : UINT8_MAX;
	b->cut += to_whole(b->element, in, count, low, high, wide);
	const void *out = wide;
	if (type == IMAGE_U16) {
		for (size_t i = 0; i < count; i++) {
			narrow[i] = (uint16_t)wide[i];
		}
		out = narrow;
	} else if (type == IMAGE_U8) {
		for (size_t i = 0; i < count; i++) {
			bytes[i] = (uint8_t)wide[i];
		}
		out = bytes;
	}
	frame_put(b->frame, b->done, count, out);
	b->done += count;
}

static void put(struct alpaca_bytes *b, const unsigned char *in, size_t count)
{
	enum image_type type = b->frame->info.type;
	bool same = (b->element == ALPACA_BYTE && type == IMAGE_U8) ||
		    (b->element == ALPACA_UINT16 && type == IMAGE_U16) ||
		    (b->element == ALPACA_INT32 && type == IMAGE_I32);
	if (same) {
		frame_put(b->frame, b->done, count, in);
		b->done += count;
		return;
	}
	while (count > 0) {
		size_t block = count < BLOCK ? count : BLOCK;
		put_block(b, in, block);
		in += block * b->size;
		count -= block;
	}
}

void alpaca_bytes_put(struct alpaca_bytes *b, int element, const void *elements, size_t count)
{
	b->element = element;
	b->size = element_size(element);
	put(b, elements, count);
}

static enum err_code take_pixels(struct alpaca_bytes *b, const unsigned char *in, size_t size, struct err *err)
{
	if (size > (b->frame->count - b->done) * b->size - b->rest_len) {
		return err_set(err, ERR_PROTOCOL, "the picture goes on after its %zu elements", b->frame->count);
	}
	if (b->rest_len > 0) {
		size_t more = b->size - b->rest_len < size ? b->size - b->rest_len : size;
		memcpy(b->rest + b->rest_len, in, more);
		b->rest_len += more;
		in += more;
		size -= more;
		if (b->rest_len < b->size) {
			return ERR_OK;
		}
		put(b, b->rest, 1);
		b->rest_len = 0;
	}
	size_t whole = size / b->size;
	put(b, in, whole);
	b->rest_len = size - whole * b->size;
	memcpy(b->rest, in + whole * b->size, b->rest_len);
	return ERR_OK;
}

static void take_words(struct alpaca_bytes *b, const unsigned char *in, size_t size)
{
	size_t room = sizeof b->words - 1 - b->words_len;
	size_t take = size < room ? size : room;
	memcpy(b->words + b->words_len, in, take);
	b->words_len += take;
}

enum err_code alpaca_bytes_take(struct alpaca_bytes *b, const void *data, size_t size, struct err *err)
{
	const unsigned char *in = data;
	if (b->got < ALPACA_BYTES_HEADER) {
		size_t take = ALPACA_BYTES_HEADER - b->got < size ? ALPACA_BYTES_HEADER - b->got : size;
		memcpy(b->head + b->got, in, take);
		b->got += take;
		in += take;
		size -= take;
		if (b->got < ALPACA_BYTES_HEADER) {
			return ERR_OK;
		}
		enum err_code code = read_header(b, err);
		if (code != ERR_OK) {
			return code;
		}
	}
	if (b->got < b->start) {
		size_t skip = b->start - b->got < size ? b->start - b->got : size;
		b->got += skip;
		in += skip;
		size -= skip;
	}
	if (size == 0) {
		return ERR_OK;
	}
	b->got += size;
	if (b->error_number != 0) {
		take_words(b, in, size);
		return ERR_OK;
	}
	return take_pixels(b, in, size, err);
}

enum err_code alpaca_bytes_end(const struct alpaca_bytes *b, struct err *err)
{
	if (b->got < ALPACA_BYTES_HEADER) {
		return err_set(err, ERR_PROTOCOL, "the picture ends after %zu bytes", b->got);
	}
	if (b->error_number != 0) {
		char words[sizeof b->words];
		text_copy_clean(words, sizeof words, b->words);
		return alpaca_error_tell(b->error_number, words, "the picture", err);
	}
	if (b->done < b->frame->count) {
		return err_set(err, ERR_PROTOCOL, "the picture ends after %zu of %zu elements", b->done,
			b->frame->count);
	}
	return ERR_OK;
}
