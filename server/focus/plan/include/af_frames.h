/* SPDX-License-Identifier: MIT */
/* How the frames of a run are taken: for how long, and with which binning.  Pure; any thread. */
#ifndef FOCUSD_AF_FRAMES_H
#define FOCUSD_AF_FRAMES_H

#include "af_plan.h"

/* The exposure of a run, s, and where it may go. */
struct af_exposure {
	double asked_s; /* at the start; > 0 */
	double now_s;   /* of the next frame */
	bool lowered;   /* stars saturate at twice now_s: it is not raised again */
};

/* The exposure of the next frame.
 * Given: exposure, with now_s of this frame; stars that were used, and saturated ones that were not.
 * Returned: exposure->now_s: half where fewer than 5 stars are used and as many saturate, twice where fewer than 5 but
 * one are used and none saturates; as it was else.  Never below a quarter of what was asked for, nor above four times.
 * Notes: 1) without any star nothing is changed: the plan exposes again for twice the time by itself.  2) exposures
 * that differ are told to the plan, which knows what that does to the scatter by seeing (curve_seeing()).
 * Source: 20 stars are wanted, 5 are good, 1 is possible with twice the exposure; all saturated: a shorter one. */
void af_next_exposure(struct af_exposure *exposure, int stars, int saturated);

/* The binning that suits the blur of a camera.
 * Given: setup, of unbinned pixels, for the optics and what is known of the least size; max_bin, >= 1; pixels of the
 * sensor.
 * Returned: the largest of 1, 2 and 4 that leaves 1.5 px of half-flux radius in focus; where the size is not known, 2
 * for more than 12 million pixels, else 1; never above max_bin.
 * Notes: 1) at 1.5 px sampling adds nothing to the error of a size (af_frames.c); each step of binning makes a frame
 * four times smaller. */
int af_binning(const struct af_plan_setup *setup, int max_bin, double pixels);

#endif
