/* SPDX-License-Identifier: MIT */
/* Bytes from a myFocuserPro2 controller: both scanners to the end of the input, the decoders on every
 * frame. */
#include <string.h>

#include "fuzz.h"
#include "myfocuserpro2_codec.h"

static void decode_all(struct span frame)
{
	for (int c = 0; c < MFP2_COMMAND_COUNT; c++) {
		enum mfp2_command command = (enum mfp2_command)c;
		int32_t number = -12345;
		bool fits = mfp2_fits(command, frame);
		if (mfp2_decode_number(command, frame, &number) == ERR_OK) {
			FUZZ_CHECK(fits);
			FUZZ_CHECK(number >= 0 || command == MFP2_GET_POSITION);
			FUZZ_CHECK(command != MFP2_GET_MOVING || number <= 1);
		} else {
			FUZZ_CHECK(number == -12345);
		}
		/* Whatever fits is a whole frame. */
		FUZZ_CHECK(!fits || (frame.len >= 3 && frame.data[frame.len - 1] == '#'));
	}
	double celsius = 0;
	if (mfp2_decode_temperature(frame, &celsius) == ERR_OK) {
		FUZZ_CHECK(celsius >= -55 && celsius <= 125);
	}
	char name[MFP2_MAX_NAME];
	char version[MFP2_MAX_VERSION];
	if (mfp2_decode_version(frame, version) == ERR_OK) {
		FUZZ_CHECK(strlen(version) == frame.len - 2);
	}
	if (mfp2_decode_name(frame, name, version) == ERR_OK) {
		FUZZ_CHECK(strlen(name) > 0 && strlen(name) + strlen(version) + 2 <= frame.len);
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
			/* One byte less is no frame yet. */
			struct span less = {.data = NULL, .len = 0};
			size_t dropped;
			FUZZ_CHECK(scan(in, skip - 1, &less, &dropped) == SCAN_MORE);
			decode_all(frame);
		}
		in += skip;
		n -= skip;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scan_all(mfp2_scan, (const char *)data, size);
	scan_all(mfp2_scan_name, (const char *)data, size);
	/* The decoders take any bytes, not only what a scanner found. */
	decode_all((struct span){.data = (const char *)data, .len = size});
	return 0;
}
