/* SPDX-License-Identifier: MIT */
#include <time.h>

#include "fits_frame.h"
#include "text.h"

bool fits_date_parse(const char *text, int64_t *utc_ms)
{
	struct tm tm = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (rest == NULL) {
		return false;
	}
	/* Some programs write the Z of ISO 8601 behind it. */
	struct span fraction = span_of(rest);
	fraction.len -= fraction.len > 0 && rest[fraction.len - 1] == 'Z' ? 1 : 0;
	double part_s = 0.0;
	if (fraction.len > 0 && (rest[0] != '.' || !text_parse_double(fraction, &part_s) || part_s >= 1.0)) {
		return false;
	}
	int64_t whole_ms = (int64_t)timegm(&tm) * 1000;
	if (whole_ms < 0 || tm.tm_year + 1900 > 9999) {
		return false;
	}
	*utc_ms = whole_ms + (int64_t)(part_s * 1000.0);
	return true;
}
