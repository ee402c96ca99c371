/* SPDX-License-Identifier: MIT */
/*
 * Inside of curve.c: one weighted least-squares solution of the hyperbola by Levenberg-Marquardt.
 * Pure; nobody outside the curve files includes this.
 */
#ifndef FOCUSD_CURVE_LM_H
#define FOCUSD_CURVE_LM_H

#include <stdbool.h>
#include <stddef.h>

/* What to fit; arrays of n (3..CURVE_MAX_POINTS) elements, borrowed. */
struct curve_lm_problem {
	size_t n;
	const double *x;      /* positions, steps; not all alike */
	const double *h;      /* sizes, px, > 0 */
	const double *sigma;  /* 1 sigma of each size, px, > 0 */
	bool offset;          /* fit the vertical offset too */
	double offset_bound;  /* |y0| stays below this, px */
	const double *start;  /* parameters near the answer; NULL: a grid of starts */
};

/* a, k, x0, y0 as in struct curve_result; covariance is (J^T W J)^-1, not rescaled. */
struct curve_lm_solution {
	double params[4];
	double covariance[4][4];
	double chi2;
};

/* h of the model. */
double curve_lm_model(const double params[4], double x);

/* Derivatives of h with respect to a, k, x0, y0. */
void curve_lm_gradient(const double params[4], double x, double gradient[4]);

/* Solves from start, else from a grid of start values.  False when no convex curve
 * describes the points or the normal equations are singular; out is then untouched. */
bool curve_lm_solve(const struct curve_lm_problem *problem, struct curve_lm_solution *out);

#endif
