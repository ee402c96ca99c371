/* SPDX-License-Identifier: MIT */
/* Pictures of another Alpaca server as text: any bytes, in pieces whose size the first byte chooses, into frames of
 * each type and of a few sizes. */
#include <math.h>

#include "alpaca_json.h"
#include "fuzz.h"

static enum err_code take(struct alpaca_bytes *b, struct frame *frame, const uint8_t *data, size_t size, size_t piece,
	struct err *err)
{
	struct alpaca_json j;
	alpaca_bytes_begin(b, frame);
	alpaca_json_begin(&j, b);
	enum err_code code = ERR_OK;
	for (size_t at = 0; code == ERR_OK && at < size; at += piece) {
		code = alpaca_json_take(&j, data + at, size - at < piece ? size - at : piece, err);
		FUZZ_CHECK(b->done + j.block_len <= frame->count);
	}
	code = code == ERR_OK ? alpaca_json_end(&j, err) : code;
	alpaca_json_fini(&j);
	return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum image_type types[] = {IMAGE_U16, IMAGE_U8, IMAGE_I32};
	if (size < 2) {
		return 0;
	}
	size_t piece = 1 + data[0];
	struct frame_info info = {.type = types[data[1] % 3], .bin = 1, .planes = data[1] & 4 ? 3 : 1};
	info.width = 1 + (data[1] >> 3 & 3);
	info.height = 1 + (data[1] >> 5 & 3);
	data += 2;
	size -= 2;
	void *rows = calloc((size_t)info.width * (size_t)info.height * (size_t)info.planes, 4);
	struct frame *frame = rows != NULL ? frame_create(&info, rows) : NULL;
	free(rows);
	if (frame == NULL) {
		FUZZ_CHECK(fuzz_starved());
		return 0;
	}
	struct alpaca_bytes b;
	struct err err = {.code = ERR_OK}, whole_err = {.code = ERR_OK};
	enum err_code code = take(&b, frame, data, size, piece, &err);
	if (code == ERR_OK) {
		FUZZ_CHECK(b.done == frame->count && isfinite(frame->max_value));
	} else if (!fuzz_starved()) {
		FUZZ_CHECK(err.code == code && err.text[0] != '\0');
	}
	/* The pieces in which it came make no difference. */
	enum err_code whole = take(&b, frame, data, size, size > 0 ? size : 1, &whole_err);
	FUZZ_CHECK(whole == code || fuzz_starved());
	frame_unref(frame);
	return 0;
}
