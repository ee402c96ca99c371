/* SPDX-License-Identifier: MIT */
/* What a fit is worth: the numbers of the result and whether it is accepted.  Pure; private to the curve. */
#ifndef FOCUSD_CURVE_JUDGE_H
#define FOCUSD_CURVE_JUDGE_H

#include <stddef.h>

#include "curve.h"
#include "curve_weigh.h"

/* Writes a sentence into reason; the result is not accepted. */
void curve_refuse(struct curve_result *out, const char *reason);

/* The same for a number of points that is too small to make a curve. */
void curve_refuse_few(struct curve_result *out, size_t used);

/* Writes the numbers of a converged fit into out.
 * Notes: 1) the covariance is multiplied by chi2/dof where that exceeds 1; where it is smaller, by the mean of it and 1
 * with weights dof and 4, because so few residuals cannot tell that the errors are smaller than expected. */
void curve_fill(struct curve_result *out, const struct curve_work *w, const struct curve_attempt *fit);

/* Accepts or refuses what curve_fill() has written, and says on which side samples are missing. */
void curve_judge(struct curve_result *out, const struct curve_point *points, size_t n, const struct curve_work *w,
	double half_width_limit_steps);

/* The sampled range and the median distance between neighbouring samples, steps; 0 when all are at one place. */
struct curve_sampling {
	double low, high, spacing;
};

/* Of the points in w, at least one. */
struct curve_sampling curve_sampling_of(const struct curve_work *w);

/* Towards which end the sizes fall, for points without a usable fit: the least sample of w lies in the outer quarter of
 * the sampled range there.  -1, 0 or 1. */
int curve_falling_side(const struct curve_work *w, const struct curve_sampling *sampled);

#endif
