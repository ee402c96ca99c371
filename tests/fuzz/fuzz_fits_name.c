/* SPDX-License-Identifier: MIT */
/* The name of a FITS file that tells where the focuser stood, and the date of a header. */
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
	int64_t utc_ms = -7;
	if (fits_date_parse(path, &utc_ms)) {
		FUZZ_CHECK(utc_ms >= 0 && utc_ms < INT64_C(253402300800000));
	} else {
		FUZZ_CHECK(utc_ms == -7);
	}
	free(path);
	return 0;
}
