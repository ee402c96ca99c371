/* SPDX-License-Identifier: MIT */
/* Pictures of another Alpaca server: any bytes, in pieces that the first bytes choose, into frames of each type and of
 * the size that the header says, or another one. */
#include <math.h>

#include "alpaca_bytes.h"
#include "fuzz.h"
#include "text.h"

/* Elements in a frame at the most. */
#define ELEMENTS 4096

static int32_t field(const uint8_t *data, size_t size, size_t at)
{
	int32_t value = 1;
	if (at + sizeof value <= size) {
		memcpy(&value, data + at, sizeof value);
	}
	return value < 1 ? 1 : value > 64 ? 64 : value;
}

static enum err_code take(struct alpaca_bytes *b, const uint8_t *data, size_t size, size_t piece, struct err *err)
{
	enum err_code code = ERR_OK;
	for (size_t at = 0; code == ERR_OK && at < size; at += piece) {
		size_t n = size - at < piece ? size - at : piece;
		code = alpaca_bytes_take(b, data + at, n, err);
		FUZZ_CHECK(b->done <= b->frame->count);
	}
	return code == ERR_OK ? alpaca_bytes_end(b, err) : code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum image_type types[] = {IMAGE_U16, IMAGE_U8, IMAGE_I32};
	if (size < 2) {
		return 0;
	}
	size_t piece = 1 + data[0];
	struct frame_info info = {.type = types[data[1] % 3], .bin = 1};
	data += 2;
	size -= 2;
	info.width = field(data, size, 32);
	info.height = field(data, size, 36);
	info.planes = size > 28 && data[28] == 3 && info.width * info.height <= ELEMENTS / 3 ? 3 : 1;
	void *rows = calloc(ELEMENTS, 4);
	struct frame *frame = rows != NULL ? frame_create(&info, rows) : NULL;
	free(rows);
	if (frame == NULL) {
		FUZZ_CHECK(fuzz_starved());
		return 0;
	}
	struct alpaca_bytes b;
	struct err err = {.code = ERR_OK};
	alpaca_bytes_begin(&b, frame);
	enum err_code code = take(&b, data, size, piece, &err);
	if (code == ERR_OK) {
		FUZZ_CHECK(b.done == frame->count && isfinite(frame->max_value));
	} else {
		FUZZ_CHECK(err.code == code && err.text[0] != '\0' && text_is_utf8(span_of(err.text)));
	}
	/* The pieces in which it came make no difference. */
	struct err whole_err = {.code = ERR_OK};
	alpaca_bytes_begin(&b, frame);
	FUZZ_CHECK(take(&b, data, size, size > 0 ? size : 1, &whole_err) == code);
	frame_unref(frame);
	return 0;
}
