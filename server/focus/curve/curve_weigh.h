/* SPDX-License-Identifier: MIT */
/*
 * The error model of a frame, and the fit that agrees with it.  Pure; private to the curve.
 *
 * sigma^2 = (e_s g h0^2/h)^2 + e_phot^2 + (MODEL_ERROR h)^2 in px^2: seeing, which fades as the blur grows, because a
 * change of the seeing width W changes h^2 = h0^2 + blur^2 by 2 h0^2 dW/W; the photon and sky noise that the frame's
 * measurement gives; and what aberrations and the hyperbola itself make of an arm.
 */
#ifndef FOCUSD_CURVE_WEIGH_H
#define FOCUSD_CURVE_WEIGH_H

#include <stdbool.h>
#include <stddef.h>

#include "curve.h"
#include "curve_lm.h"

/* Seeing scatter that is expected before a curve was seen: of an in-focus frame of CURVE_REFERENCE_EXPOSURE_S.
 * Tuned on tests/unit/focus/test_curve.c outlier_is_found: 0.07 fails it. */
#define CURVE_SEEING_PRIOR 0.05
/* Largest offset, as a share of the least sample.  Tuned on tests/unit/focus/test_curve.c interval_covers: 0.84
 * moves 2 of 25 lines, none beyond its limit. */
#define CURVE_OFFSET_SHARE 0.6

/* The points that take part, as arrays for the solver; n of each are filled. */
struct curve_work {
	size_t n;
	size_t index[CURVE_MAX_POINTS];    /* into the caller's points */
	double x[CURVE_MAX_POINTS];        /* steps */
	double h[CURVE_MAX_POINTS];        /* px */
	double photon[CURVE_MAX_POINTS];   /* px, >= 0 */
	double duration[CURVE_MAX_POINTS]; /* s, 0 unknown */
	double sigma[CURVE_MAX_POINTS];    /* px, returned */
	double loss[CURVE_MAX_POINTS];     /* share that the robust loss leaves of each square, returned */
};

/* One converged fit of a set of points. */
struct curve_attempt {
	struct curve_lm_solution solution;
	double seeing;  /* e_s */
	double chi2;    /* without the robust loss */
	double cost;    /* -2 log likelihood with the prior on the seeing, for comparing models */
	enum curve_model model;
	int parameters; /* 3 or 4 */
};

/* Collects the used points. */
void curve_work_fill(struct curve_work *w, const struct curve_point *points, size_t n);

/* Everything in `from` but one point. */
void curve_work_without(const struct curve_work *from, size_t left_out, struct curve_work *out);

/* The least size, px; w holds at least one point. */
double curve_work_least(const struct curve_work *w);

/* The minimum of a curve as far as the samples support it, px: outside the sampled range the fitted minimum is a
 * guess, so it is held to 0.3 .. 1.5 of the least sample. */
double curve_held_minimum(const struct curve *curve, double least);

/* 1 sigma of point i by its two parts: the seeing term per unit of e_s, px, and the variance of the others, px^2.
 * h is the size there and h0 the least one, px. */
double curve_seeing_gain(const struct curve_work *w, size_t i, double h0, double h);
double curve_steady_variance(const struct curve_work *w, size_t i, double h);

/* Fits curve and errors in turn until they agree.
 * Given: w, at least 3 points at more than one position; robust, soft-L1 loss, so that one wrong frame bends neither
 * the curve nor the scatter; model; rounds (>= 1).
 * Returned: *out; sigma and loss of each point in w.
 * Status: true; false when curve_lm_solve() finds no curve: *out is then untouched.
 * Notes: 1) e_s is the most likely one of a geometric ladder given the residuals and a log-normal prior.  2) the
 * square of each residual is enlarged by n / (n - parameters), because the curve has taken its share.  3) the curve
 * that comes out of six rounds differs from that of twelve by less than 1e-4 u over the skies of
 * tests/unit/focus/test_curve_lm.c six_rounds_are_enough.
 * Sources: soft-L1 rho(z^2) = 2 (sqrt(1 + z^2) - 1): Triggs et al., Bundle Adjustment, a Modern Synthesis (2000),
 * and Charbonnier et al., IEEE ICIP 1994; weights from the likelihood of a variance: Press et al., Numerical Recipes,
 * 3rd edition, chapter 15. */
bool curve_converge(struct curve_work *w, bool robust, enum curve_model model, int rounds, struct curve_attempt *out);

#endif
