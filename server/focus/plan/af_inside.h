/* SPDX-License-Identifier: MIT */
/*
 * Inside of the autofocus plan: what the files of the plan share.
 * Pure; nobody outside these files includes this.
 */
#ifndef FOCUSD_AF_INSIDE_H
#define FOCUSD_AF_INSIDE_H

#include "af_plan.h"

/* HFR of the ends of a sweep over the least one, and the distance from the vertex, in a/k, at which that is so.
 * Derived: sqrt(4^2 - 1). */
#define AF_SWEEP_RATIO 4.0
#define AF_SWEEP_REACH 3.873
/* A sample this much above the least one has risen.  Estimate: 0.35 moves no figure of
 * tests/unit/focus/test_af_plan.c known_optics. */
#define AF_RISEN 0.25

/* A rough V from few samples: vertex, least HFR and slope. */
struct af_shape {
	double x0, a, k;
};

/* Slope of the arms and size at best focus from the optics (af_step.c).
 * Given: setup.
 * Returned: k = sqrt((1 + eps^2) / 2) q / (2 N p), px/step, q um/step and p um/px; h = 0.5683 x 2.5 arcsec over the
 * scale, px, the HFR of typical seeing.  NAN when the optics are unknown.
 * Notes: 1) the blur is a uniform annulus of diameter dz/N, whose half-flux radius is R sqrt((1 + eps^2)/2).  2)
 * diffraction makes the real slope 3 to 6 % smaller at some waves of defocus, and seeing is off by a factor of two
 * on many nights: both only lay the first probe and the sweep.  3) 18.8 px/mm at f/5 and 9.9 px/mm at f/10 with an
 * obstruction of 0.34 and 3.76 um, and the HFR of a 203 mm f/10: tests/unit/focus/test_af_step.c slope_and_size.
 * Sources: geometry; Fried, Journal of the Optical Society of America 56 (1966) 1372, for the profile of the seeing. */
double af_optics_slope(const struct af_plan_setup *setup);
double af_optics_hfr(const struct af_plan_setup *setup);

/* Whether points[i] takes part in decisions: measured, no cloud, no validation. */
bool af_usable(const struct af_plan *plan, size_t i);

/* Whether backlash may have spoiled points[i]: the first looks of a run, reached with the backlash
 * in an unknown state, and those where it was seen.  A recording has its position from its own
 * night. */
bool af_loose(const struct af_plan *plan, size_t i);

/* Indices of usable points by rising position; returns how many. */
size_t af_sorted(const struct af_plan *plan, size_t index[CURVE_MAX_POINTS]);

/* Ends the plan. */
void af_fail(struct af_plan *plan, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Ends the plan with what was measured: only rings (ERR_NO_MINIMUM); else with ERR_NO_STARS and the likeliest reason:
 * clouds, trails, nothing to see. */
void af_fail_blank(struct af_plan *plan);

/* So many frames of rings, and none of anything else, say that only rings were seen.  By definition: one may be a
 * mistake. */
#define AF_LEAST_RINGS 2

/* Where focus lies by the samples (af_where.c).
 * Given: plan, with samples of one arm; cap, of out, 120 is enough.
 * Returned: out, "focus lies about 2000 steps in from the start": where the line through the sizes of all measured
 * samples reaches 0, which is exact for the blur of geometry and within 2 % on the arms of a hyperbola beyond 7 of
 * its widths a/k (the square of their ratio).
 * The side is only named where the slope of that line is 3 of its sigmas (true); else the distance is told by the slope
 * that is known from history or optics, and where there is none, that it is not known (false). */
bool af_where(const struct af_plan *plan, char *out, size_t cap);

/* Whether all that was measured are rings (af_where.c); then out says so, with what af_where() says, in at most cap
 * bytes. */
bool af_only_rings(const struct af_plan *plan, char *out, size_t cap);

/* Ends the plan with ERR_NO_MINIMUM when all that was measured are rings; else false. */
bool af_fail_rings(struct af_plan *plan);

/* The nearest position of the range of the plan, steps. */
int32_t af_clamped(const struct af_plan *plan, double position);

/* Fills wish.via for the way from where the plan sent the focuser last, and keeps the book of it. */
void af_route(struct af_plan *plan);

/* Asks for the present sample of the round. */
void af_ask_queued(struct af_plan *plan);

/* Asks for one sample at position (clamped to the range); one round of its own. */
void af_ask(struct af_plan *plan, double position);

/* Asks for count samples from first to last, evenly, in walking order.  Those outside the range or
 * doubling one another are left out; false when none remains. */
bool af_ask_many(struct af_plan *plan, enum af_phase phase, const double *positions, size_t count);

/* af_search.c: the next look for the V, or the sweep. */
void af_search_next(struct af_plan *plan);

/* af_search.c: lays the sweep about a shape. */
void af_start_sweep(struct af_plan *plan, const struct af_shape *shape);

/* af_review.c: fits what is there after a round and decides: final position, more samples, or
 * failure. */
void af_review(struct af_plan *plan);

/* af_review.c: fits the samples, without the loose ones where the others are enough. */
void af_fit(struct af_plan *plan);

/* af_confirm.c: from an accepted curve to the best position; takes a frame on an arm, and one at the best position. */
void af_finish(struct af_plan *plan);
void af_take_arm(struct af_plan *plan, const struct af_observation *seen, bool usable);
void af_validate(struct af_plan *plan, const struct af_observation *seen, bool usable);

/* Ends the plan because a frame that should confirm the curve shows nothing. */
void af_fail_unusable(struct af_plan *plan, const struct af_observation *seen);

#endif
