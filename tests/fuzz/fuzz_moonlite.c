/* SPDX-License-Identifier: MIT */
/* Bytes from a Moonlite focuser: both scanners to the end of the input, the decoders on every frame. */
#include "fuzz.h"
#include "moonlite_codec.h"

static void decode_all(struct span frame)
{
	int32_t position = -12345;
	bool flag;
	double celsius = 0;
	char version[3];
	if (moonlite_decode_position(frame, &position) != ERR_OK) {
		FUZZ_CHECK(position == -12345);
	} else {
		FUZZ_CHECK(moonlite_digits(frame) > 0);
	}
	(void)moonlite_decode_flag(frame, &flag);
	for (int whole = 0; whole < 2; whole++) {
		if (moonlite_decode_temperature(frame, whole == 1, &celsius) == ERR_OK) {
			FUZZ_CHECK(celsius >= -55 && celsius <= 125);
		}
	}
	if (moonlite_decode_version(frame, version) == ERR_OK) {
		FUZZ_CHECK(version[2] == '\0');
	}
	for (int kind = MOONLITE_REPLY_NONE; kind <= MOONLITE_REPLY_VERSION; kind++) {
		(void)moonlite_fits((enum moonlite_reply)kind, frame);
	}
}

static void scan_all(scan_fn scan, const char *in, size_t n)
{
	while (n > 0) {
		struct span frame = {.data = NULL, .len = 0};
		size_t skip = 0;
		enum scan what = scan(in, n, &frame, &skip);
		if (what == SCAN_MORE) {
			return;
		}
		/* It gets on, and not past the end. */
		FUZZ_CHECK(skip > 0 && skip <= n);
		if (what == SCAN_FRAME) {
			FUZZ_CHECK(frame.len > 0 && frame.data >= in &&
				   frame.data + frame.len <= in + skip);
			/* One byte less is no frame yet, or the byte did not matter. */
			struct span less = {.data = NULL, .len = 0};
			size_t dropped;
			enum scan before = scan(in, skip - 1, &less, &dropped);
			FUZZ_CHECK(before != SCAN_FRAME || less.len < frame.len);
			decode_all(frame);
		}
		in += skip;
		n -= skip;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scan_all(moonlite_scan, (const char *)data, size);
	scan_all(moonlite_scan_version, (const char *)data, size);
	/* The decoders take any bytes, not only what a scanner found. */
	decode_all((struct span){.data = (const char *)data, .len = size});
	return 0;
}
