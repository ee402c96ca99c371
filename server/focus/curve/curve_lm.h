/* SPDX-License-Identifier: MIT */
/*
 * One weighted least-squares solution of the hyperbola by Levenberg-Marquardt.  Pure; private to the curve.
 */
#ifndef FOCUSD_CURVE_LM_H
#define FOCUSD_CURVE_LM_H

#include <stdbool.h>
#include <stddef.h>

#include "curve.h"

/* What to fit; arrays of n (3..CURVE_MAX_POINTS) elements, borrowed. */
struct curve_lm_problem {
	size_t n;
	const double *x;           /* positions, steps; not all alike */
	const double *h;           /* sizes, px, > 0 */
	const double *sigma;       /* 1 sigma of each size, px, > 0 */
	enum curve_model model;    /* whether y0 or e is fitted, too; what is not is 0 */
	double offset_bound;       /* |y0| stays below this, px */
	const struct curve *start; /* a curve near the answer; NULL: a grid of starts is tried */
};

/* covariance is (J^T W J)^-1 in the units of struct curve, not rescaled by the residuals; the row and the
 * column of an absent y0 or e are 0.  chi2 is the sum of ((h - model) / sigma)^2. */
struct curve_lm_solution {
	struct curve curve;
	double covariance[CURVE_PARAMETERS][CURVE_PARAMETERS];
	double chi2;
};

/* Size on the curve.
 * Given: curve; x, steps, any finite.
 * Returned: y0 + sqrt(a^2 + q^2 (x - x0)^2), px, q = k (1 + e/2) above x0 and k (1 - e/2) below. */
double curve_lm_model(const struct curve *curve, double x);

/* Derivatives of the size.
 * Given: as above.
 * Returned: dh/da = a/s, dh/dk = q^2 t^2/(k s), dh/dx0 = -q^2 t/s, dh/dy0 = 1, dh/de = q k t |t|/(2 s) with t = x - x0
 * and s = sqrt(a^2 + q^2 t^2), in the order of enum curve_parameter.
 * Notes: 1) where s is 0 the hyperbola has a corner and no derivative; all but that of y0 are 0 there.
 * 2) against differences of curve_lm_model() they agree to 1e-6 relative: tests/unit/focus/test_curve_lm.c
 * gradient. */
void curve_lm_gradient(const struct curve *curve, double x, double gradient[CURVE_PARAMETERS]);

/* The least-squares solution.
 * Given: problem.
 * Returned: *out.
 * Status: true; false when all positions are alike, a size is not positive, no convex curve describes the
 * points, the solver gives up or the normal equations are singular.  *out is then untouched.
 * Notes: 1) positions are scaled by half the sampled range and sizes by the least sample, so that one set of
 * tolerances fits every focuser.  2) the start is the best of a grid of vertices, on each of which
 * h^2 = P + Q (x - x0)^2 is linear; no other start is needed.  3) y0 and e are bound * tanh(q): the solver sees
 * no wall.  4) tried on noise-free hyperbolas with slopes of 1e-4..10 px/step about vertices of 0..1e6 steps,
 * the vertex up to 1.9 half widths off the middle: x0 returns within 1e-12 of the sampled half
 * width, a and k within 1e-12 relative: tests/unit/focus/test_curve_lm.c exact_curves_return.
 * Sources: Levenberg, Quarterly of Applied Mathematics 2 (1944) 164; Marquardt, SIAM J. 11 (1963) 431; More,
 * The Levenberg-Marquardt Algorithm, in Numerical Analysis, Lecture Notes in Mathematics 630 (1978) 105:
 * MINPACK's lmder.  Covariance: Press et al., Numerical Recipes, 3rd edition (2007), equation 15.4.15. */
bool curve_lm_solve(const struct curve_lm_problem *problem, struct curve_lm_solution *out);

#endif
