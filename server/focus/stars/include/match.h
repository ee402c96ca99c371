/* SPDX-License-Identifier: MIT */
/* The same stars in two frames: how far the field moved and how much light was lost.  Pure. */
#ifndef FOCUSD_MATCH_H
#define FOCUSD_MATCH_H

#include <stddef.h>

#include "measure.h"

struct match_result {
	int matched;       /* stars found in both */
	double shift_x_px; /* seen minus reference */
	double shift_y_px;
	double flux_ratio; /* median of seen flux over reference flux of the matched; NAN without */
};

/* Compares the used stars of two lists, brightest first as measure_frame() leaves them.  radius_px is
 * how far a star may lie from its place after the common shift; the shift itself is at most
 * max_shift_px per axis.  With too few common stars matched is 0 and the numbers are NAN. */
void match_stars(const struct star *reference, size_t reference_count, const struct star *seen,
	size_t seen_count, double radius_px, double max_shift_px, struct match_result *out);

#endif
