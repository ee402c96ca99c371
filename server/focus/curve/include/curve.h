/* SPDX-License-Identifier: MIT */
/*
 * V-curve fits: HFR against position, best position with an honest interval.  Pure.
 * Called by the autofocus plan and by `focusd fit`.
 */
#ifndef FOCUSD_CURVE_H
#define FOCUSD_CURVE_H

#include <stdbool.h>
#include <stddef.h>

#define CURVE_MAX_POINTS 256

/* Exposure that seeing_scatter refers to: the typical focusing exposure. */
#define CURVE_REFERENCE_EXPOSURE_S 3.0

/* Why a point does not count, for people; CURVE_USED means that it does. */
enum curve_why {
	CURVE_USED,
	CURVE_NO_STARS,
	CURVE_OUTLIER,
	CURVE_CLOUD,
	CURVE_WINDOW,
	CURVE_TRAILED, /* the frame showed trails */
	CURVE_PLAY,    /* reached before the play of the gears was taken up */
};

/* One sample.  Positions in steps (fractional where a recording says so), sizes in px. */
struct curve_point {
	double position;
	double hfr_px;       /* > 0; NAN without stars */
	double error_px;     /* given: 1 sigma of the frame's measurement without seeing, >= 0;
	                      * returned: with the seeing term that the fit used */
	double duration_s;   /* exposure; seeing scatter shrinks with it; 0 = all alike */
	int stars;
	bool used;           /* returned */
	enum curve_why why;  /* returned */
};

enum curve_model { CURVE_HYPERBOLA, CURVE_HYPERBOLA_OFFSET };

/* Result.  When accepted is false, reason says why in a sentence, and numbers are there as far as
 * they could be computed (NAN where not). */
struct curve_result {
	bool accepted;
	bool minimum_bracketed;     /* samples rise on both sides of the minimum */
	int short_side;             /* -1: more samples wanted at smaller positions, +1: at larger, 0 */
	char reason[160];
	enum curve_model model;
	double best_position;       /* steps */
	double uncertainty_steps;   /* 1 sigma; scatter from the residuals */
	double interval95_steps[2]; /* Student t with the fit's degrees of freedom */
	double hfr_min_px;          /* of the fitted curve */
	double slope_px_per_step;   /* asymptotic, > 0 */
	double r_squared;           /* unweighted, for people; decides nothing */
	double chi2_dof;            /* with the errors before rescaling */
	double seeing_scatter;      /* estimated relative scatter of an in-focus frame of
	                             * CURVE_REFERENCE_EXPOSURE_S, 0..1; curve_seeing() for others */
	int points_used;
	double params[4];           /* a, k, x0, y0 of h = y0 + sqrt(a^2 + k^2 (x-x0)^2) */
	double covariance[4][4];    /* of params, rescaled; rows and columns of absent params are 0 */
};

/* "hyperbola", "hyperbola+offset" / "", "no stars", "outlier", "cloud", "outside the window",
 * "trailed", "play not taken up". */
const char *curve_model_name(enum curve_model model);
const char *curve_why_name(enum curve_why why);

/* Fits points (n <= CURVE_MAX_POINTS, any order); writes used, why and error_px of each.
 * half_width_limit_steps is the largest half width of the 95 % interval that is acceptable, 0 = no
 * limit but the sampling itself: the larger of the sample spacing and of the distance in which the
 * HFR grows by a tenth.  Returns 0 also when the result is not accepted; -1 when n is out of
 * range. */
int curve_fit(struct curve_point *points, size_t n, double half_width_limit_steps,
	struct curve_result *out);

/* HFR of the fitted curve at a position, px; *sigma_px (may be NULL) its 1 sigma from the fit. */
double curve_at(const struct curve_result *fit, double position, double *sigma_px);

/* Relative scatter by seeing of an in-focus frame of this exposure:
 * relative * sqrt(CURVE_REFERENCE_EXPOSURE_S / duration_s), the factor within 0.5..4;
 * relative itself when duration_s is 0 or unknown. */
double curve_seeing(double relative, double duration_s);

/* 97.5 % quantile of Student's t with dof (>= 1) degrees of freedom. */
double curve_student975(int dof);

#endif
