/* SPDX-License-Identifier: MIT */
/* The Accept header of a request for an image. */
#include "alpaca_call.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *header = fuzz_string(data, size);
	if (image_wants_bytes(header)) {
		/* Never without the words. */
		FUZZ_CHECK(strcasestr(header, "application/imagebytes") != NULL);
	}
	free(header);
	return 0;
}
