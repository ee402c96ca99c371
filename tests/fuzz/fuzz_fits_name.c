/* SPDX-License-Identifier: MIT */
/* The name of a FITS file that tells where the focuser stood. */
#include <math.h>

#include "fits_frame.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *path = fuzz_string(data, size);
	double position = -7;
	double exposure = -7;
	if (fits_name_position(path, &position, &exposure)) {
		FUZZ_CHECK(isfinite(position) && isfinite(exposure) && exposure >= 0);
	} else {
		FUZZ_CHECK(position == -7 && exposure == -7);
	}
	(void)fits_name_is_frame(path);
	free(path);
	return 0;
}
