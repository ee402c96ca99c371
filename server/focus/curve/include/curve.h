/* SPDX-License-Identifier: MIT */
/*
 * V-curve fits: HFR against position, best position with an honest interval.  Called by the autofocus plan, by
 * `focusd fit` and by whoever draws a curve.  All functions are pure: they keep nothing, may be called on any thread,
 * and only write where the caller says.
 *
 * The unit u used for accuracies below is the blur of one in-focus FWHM; the HFR has grown by 17 % at 1 u.
 */
#ifndef FOCUSD_CURVE_H
#define FOCUSD_CURVE_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

/* Most points of one fit. */
#define CURVE_MAX_POINTS 256

/* Exposure in s that seeing_scatter refers to.  By definition: the typical focusing exposure of 2 to 5 s. */
#define CURVE_REFERENCE_EXPOSURE_S 3.0

/* The hyperbola h(x) = y0 + sqrt(a^2 + q^2 (x - x0)^2), q = k (1 + e/2) above x0 and k (1 - e/2) below; NAN where
 * nothing was fitted. */
struct curve {
	double a;  /* px, > 0: size at the vertex without the offset */
	double k;  /* px per step, > 0: slope of both asymptotes, or their mean */
	double x0; /* steps: the vertex, which is the best position */
	double y0; /* px: offset; 0 unless the model is CURVE_HYPERBOLA_OFFSET, and within 0.6 of the least sample */
	double e;  /* how uneven the arms are, -0.8..0.8: the difference of their slopes over the mean; 0 unless the
	            * model is CURVE_HYPERBOLA_UNEVEN */
};

/* Rows and columns of a covariance. */
enum curve_parameter { CURVE_A, CURVE_K, CURVE_X0, CURVE_Y0, CURVE_E, CURVE_PARAMETERS };

/* Why a point does not count, for people; CURVE_USED means that it does. */
enum curve_why {
	CURVE_USED,
	CURVE_NO_STARS,
	CURVE_OUTLIER,
	CURVE_CLOUD,
	CURVE_WINDOW,
	CURVE_TRAILED,  /* the frame showed trails */
	CURVE_BACKLASH, /* reached before the backlash was taken up */
};

/* One sample.  Positions in steps (fractional where a recording says so), sizes in px. */
struct curve_point {
	double position;     /* given: steps, finite */
	double hfr_px;       /* given: > 0; NAN without stars */
	double error_px;     /* given: 1 sigma of the frame's measurement without seeing, >= 0; returned for the points
	                      * that were used: with the seeing and model terms that the fit gave them */
	double duration_s;   /* given: exposure, s; the seeing scatter shrinks with it; 0 where unknown */
	int stars;           /* given: 0 when nothing was measured */
	bool used;           /* returned */
	enum curve_why why;  /* returned */
};

enum curve_model { CURVE_HYPERBOLA, CURVE_HYPERBOLA_OFFSET, CURVE_HYPERBOLA_UNEVEN };

/* Result.  When accepted is false, reason says why in a sentence, and the numbers are there as far as they could be
 * computed (NAN where not). */
struct curve_result {
	bool accepted;
	bool minimum_bracketed;     /* samples rise on both sides of the minimum */
	int short_side;             /* -1: more samples are wanted at smaller positions, +1: at larger, 0: neither */
	char reason[160];           /* "" when accepted */
	enum curve_model model;
	struct curve curve;
	double best_position;       /* steps */
	double uncertainty_steps;   /* 1 sigma; scatter from the residuals */
	double interval95_steps[2]; /* Student t with the fit's degrees of freedom */
	double hfr_min_px;          /* of the fitted curve; at least 0.399, the half-flux radius of a single pixel */
	double slope_px_per_step;   /* asymptotic, > 0 */
	double r_squared;           /* unweighted, for people; decides nothing */
	double chi2_dof;            /* with the errors before rescaling */
	double seeing_scatter;      /* estimated relative scatter of an in-focus frame of
	                             * CURVE_REFERENCE_EXPOSURE_S, 0..1; curve_seeing() for others */
	int points_used;
	/* Of curve, in its units squared, rescaled; rows and columns of an absent y0 or e are 0. */
	double covariance[CURVE_PARAMETERS][CURVE_PARAMETERS];
};

/* "hyperbola", "hyperbola+offset", "hyperbola, uneven arms"; static storage. */
const char *curve_model_name(enum curve_model model);

/* "" for CURVE_USED, "no stars", "outlier", "cloud", "outside the window", "trailed", "backlash not taken up"; static
 * storage. */
const char *curve_why_name(enum curve_why why);

/* The best curve through samples, and what it is worth.
 * Given: points[n], n 0..CURVE_MAX_POINTS, any order; half_width_limit_steps, the largest half width of the 95 %
 * interval that is acceptable, > 0, or 0 for no limit but the sampling itself: the larger of the sample spacing and of
 * curve_tenth_width().
 * Returned: *out; used, why and (where used) error_px of each point.
 * Status: ERR_OK, also when the result is not accepted; ERR_INVALID_VALUE when n is too large, with a sentence in err
 * (may be NULL): points and *out are then untouched.
 * Notes: 1) sigma^2 = (e_s h0^2/h)^2 + e_phot^2 + (2 % of h)^2 per sample; e_s is estimated from the residuals about a
 * prior of 5 %.  2) a robust fit finds outliers (deleted residual beyond 3.5 sigma), the end of an arm that reaches
 * more than 1.3 times as far as the other is left out, and a least-squares fit of the rest is the answer; the offset
 * is only fitted to 9 and more points that demand it, two slopes to 7 and more.  3) accepted: 5 points, 2 of them on
 * each side 1.3 times as large as the minimum, the vertex half a spacing inside the samples, the misfit no more than 3
 * times what the errors allow, the interval within its limit.  4) the interval covers scatter, not what is common to
 * all samples: drift and slip shift it, and arms of 1.15 : 1 that hide in the noise.
 * Accuracy, against the exact curve of Kolmogorov seeing and an obstruction of 0.34, 800 sweeps a row
 * (tests/unit/focus/test_curve.c interval_covers):
 *	points  half sweep  scatter  rms of the best position  interval holds the truth  accepted
 *	 5      4.5 u        2 %     0.015 u                   100 %                     100 %
 *	 5      4.5 u        5 %     0.031 u                   100 %                     100 %
 *	 7      4.5 u        5 %     0.030 u                    99 %                     100 %
 *	 9      4.5 u        2 %     0.012 u                   100 %                     100 %
 *	 9      4.5 u        5 %     0.026 u                    99 %                     100 %
 *	 9      6 u         25 %     0.067 u                    95 %                     100 %
 *	11      6 u          5 %     0.023 u                    99 %                     100 %
 * One wrong frame of nine is found in 400 of 400 and leaves 0.013 u (outlier_is_found, there).  Recorded curves: within
 * 1 sigma of an independent fit (recorded_curves, there); 17 frames of an 8 inch Schmidt-Cassegrain: 7990.0 to 7990.6
 * where 7990 +- 3 is known (c8_sweep, there).
 * Sources: the hyperbola: Weber and Brady, Fast Auto-Focus Method and Software for CCD-based Telescopes (2001); the
 * solver: curve_lm.h; the error model: curve_weigh.h; the interval: Press et al., Numerical Recipes, 3rd edition
 * (2007), section 15.6. */
enum err_code curve_fit(struct curve_point *points, size_t n, double half_width_limit_steps,
	struct curve_result *out, struct err *err);

/* Size on the fitted curve.
 * Given: fit, with a curve; position, steps, any finite one.
 * Returned: HFR, px; *sigma_px (may be NULL) its 1 sigma from the covariance of the fit, px: sqrt(g C g), g the
 * derivatives of the curve.
 * Notes: 1) the seeing of a single frame is not in sigma_px.
 * Source: linear propagation of errors; Press et al., Numerical Recipes, 3rd edition, section 15.6. */
double curve_at(const struct curve_result *fit, double position, double *sigma_px);

/* Distance from the vertex at which the size is a tenth above a.
 * Given: curve, a and k > 0.
 * Returned: sqrt(1.1^2 - 1) a/k, steps; NAN for a curve of NAN.
 * Notes: 1) the factor is rounded to 0.4583, 1e-4 too large at most (tests/unit/focus/test_curve.c widths). */
double curve_tenth_width(const struct curve *curve);

/* Relative scatter by seeing of an in-focus frame of some exposure.
 * Given: relative, that of CURVE_REFERENCE_EXPOSURE_S, >= 0; duration_s, s, 0 or less where unknown.
 * Returned: relative * sqrt(CURVE_REFERENCE_EXPOSURE_S / duration_s), the factor held to 0.5..4; relative itself where
 * the exposure is unknown.
 * Notes: 1) the square root holds for moments of seeing that do not know of one another, above some tenths of a second.
 * 2) on frames of 0.3 to 3 s of one star it lowers the scatter that the fit finds from 0.16 to 0.073
 * (tests/unit/focus/test_curve.c c8_sweep). */
double curve_seeing(double relative, double duration_s);

/* Student's t that is exceeded with a probability of 2.5 %.
 * Given: dof, degrees of freedom, >= 1.
 * Returned: t, 12.7062 .. 1.95996; INFINITY for a dof below 1.
 * Notes: 1) a table up to 10, beyond it the expansion in 1/dof.  2) within 6e-4 of printed tables for dof 1..120
 * (tests/unit/focus/test_curve.c student).
 * Source: Abramowitz and Stegun, Handbook of Mathematical Functions (1964), table 26.10 and equation 26.7.5. */
double curve_student975(int dof);

#endif
