/* SPDX-License-Identifier: MIT */
#include "af_frames.h"

#include <math.h>

#include "af_inside.h"

/* Used stars that make a frame good.  Source: af_frames.h. */
#define GOOD_STARS 5
/* Limits of the exposure over the one that was asked for.  Choice: two steps of 2 to each side. */
#define MOST_EXPOSURE 4
#define LEAST_EXPOSURE 0.25
/* Least size in binned pixels.  Derived: a Gaussian of this half-flux radius has an FWHM of 3 px, which is sampled. */
#define LEAST_SAMPLED_PX 1.5
/* Where nothing is known of the blur, larger sensors are binned: their pixels are small, and a frame costs a quarter.
 * Choice. */
#define BIN_ABOVE_PX 12000000.0
/* The largest binning that is chosen.  Choice. */
#define BIN_MOST 4

void af_next_exposure(struct af_exposure *exposure, int stars, int saturated)
{
	if (stars >= GOOD_STARS || stars + saturated == 0) {
		return;
	}
	if (saturated > 0 && saturated >= stars) {
		exposure->now_s = fmax(exposure->now_s / 2, LEAST_EXPOSURE * exposure->asked_s);
		exposure->lowered = true;
	} else if (saturated == 0 && !exposure->lowered) {
		exposure->now_s = fmin(exposure->now_s * 2, MOST_EXPOSURE * exposure->asked_s);
	}
}

int af_binning(const struct af_plan_setup *setup, int max_bin, double pixels)
{
	double size = setup->known_hfr_min_px > 0 ? setup->known_hfr_min_px : af_optics_hfr(setup);
	int bin = size > 0 || !(pixels > BIN_ABOVE_PX) ? 1 : 2;
	while (size >= 2 * bin * LEAST_SAMPLED_PX && 2 * bin <= BIN_MOST) {
		bin *= 2;
	}
	while (bin > max_bin) {
		bin /= 2;
	}
	return bin < 1 ? 1 : bin;
}
