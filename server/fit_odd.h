/* SPDX-License-Identifier: MIT */
/* What is odd about a list of frames, before a curve is made of them: said by its name instead of by what it does to
 * the curve.  Pure. */
#ifndef FOCUSD_FIT_ODD_H
#define FOCUSD_FIT_ODD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which positions cannot be those of the focuser that the other frames tell of: as programs write -1 or 99999999 when
 * they do not know.
 * Given: steps[n], finite.
 * Returned: odd[n]; how many are.
 * Notes: 1) odd are a quarter of the positions or fewer, on one side of the rest and further away than 10 times
 * what the rest spans.  A sweep spans the curve; what lies ten sweeps away tells nothing of it, even if it is true.
 * 2) several groups are found one after the other.  3) nothing is odd where the rest is one place.
 */
size_t fit_odd_positions(const double *steps, size_t n, bool *odd);

/* How a frame was read out. */
struct fit_scale {
	int32_t width, height; /* px */
	int32_t bin;           /* >= 1 */
};

/* Whether sizes in pixels of all frames can be compared.
 * Given: scales[n]; cap, of why.
 * Returned: false, and why, a sentence: frames are binned differently, by their headers or, where these say the same,
 * by frames of a half, a third or a quarter of the width and height. */
bool fit_same_scale(const struct fit_scale *scales, size_t n, char *why, size_t cap);

#endif
