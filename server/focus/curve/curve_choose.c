/* SPDX-License-Identifier: MIT */
/* Outliers and the window; see curve_choose.h for method and sources. */
#include "curve_choose.h"

#include <math.h>
#include <string.h>

/* A deleted residual beyond this many sigmas is an outlier, where a normal distribution would be the judge.  Tuned
 * on tests/unit/focus/test_curve.c outlier_is_found: 4.9 fails it.  Tuned on tests/unit/focus/test_curve.c
 * outlier_is_found: 4.9 fails it. */
#define REJECT_SIGMA 3.5
/* Degrees of freedom at which Student's t is as good as normal. */
#define NORMAL_DOF 1000
/* Rounds of curve_converge() that look at one point. */
#define LOOK_ROUNDS 3
/* With more points than this one cannot bend the curve: only those this many sigmas off are looked at. */
#define MANY_POINTS 40
#define SUSPECT_SIGMA 2
/* At most one point in so many is dropped. */
#define DROPPED_PART 4
/* The longer arm may reach this many times as far as the shorter.  Tuned on tests/unit/focus/test_curve.c
 * interval_covers: 1.82 moves 10 of 25 lines, none beyond its limit. */
#define LOPSIDED 1.3
/* And always as far as three times the least size, at sqrt(3^2 - 1) a/k, with a margin.  Tuned on
 * tests/unit/focus/test_curve.c interval_covers: TRIPLE_REACH of 3.96 moves 6, TRIPLE_MARGIN of 1.47 moves 6 of 25
 * lines, none beyond its limit. */
#define TRIPLE_REACH 2.83
#define TRIPLE_MARGIN 1.05
/* What has to be left. */
#define TRIM_POINTS 7
#define TRIM_ARM 3

void curve_count_arms(const struct curve_point *points, size_t n, double x0, double limit, int count[2])
{
	count[0] = count[1] = 0;
	for (size_t i = 0; i < n; i++) {
		if (points[i].used && points[i].hfr_px >= limit) {
			count[points[i].position > x0]++;
		}
	}
}

static int count_used(const struct curve_point *points, size_t n)
{
	int used = 0;
	for (size_t i = 0; i < n; i++) {
		used += points[i].used;
	}
	return used;
}

/* Whether point i may go without leaving too few points, in all or on its side of the vertex. */
static bool may_drop(const struct curve_point *points, size_t n, size_t i, double x0)
{
	int side = 0;
	for (size_t j = 0; j < n; j++) {
		side += points[j].used && (points[j].position > x0) == (points[i].position > x0);
	}
	return count_used(points, n) > CURVE_LEAST_POINTS && side > CURVE_ARM_SAMPLES;
}

/* How far point i lies, in sigma, from the curve that the others make; *limit is how far it may.  0 without such a
 * curve. */
static double deleted_residual(const struct curve_work *w, enum curve_model model, size_t i, double *limit)
{
	struct curve_work rest;
	struct curve_attempt fit;
	curve_work_without(w, i, &rest);
	if (!curve_converge(&rest, true, model, LOOK_ROUNDS, &fit)) {
		return 0;
	}
	const struct curve *curve = &fit.solution.curve;
	double h = curve_lm_model(curve, w->x[i]);
	double h0 = curve_held_minimum(curve, curve_work_least(&rest));
	double s = fmax(fit.seeing, CURVE_SEEING_PRIOR) * curve_seeing_gain(w, i, h0, h);
	double variance = s * s + curve_steady_variance(w, i, h), g[CURVE_PARAMETERS];
	int dof = (int)rest.n - fit.parameters;
	double scale = fmax(1, fit.chi2 / dof);
	curve_lm_gradient(curve, w->x[i], g);
	for (int r = 0; r < CURVE_PARAMETERS; r++) {
		for (int c = 0; c < CURVE_PARAMETERS; c++) {
			variance += g[r] * fit.solution.covariance[r][c] * g[c];
		}
	}
	*limit = REJECT_SIGMA * curve_student975(dof) / curve_student975(NORMAL_DOF);
	return fabs(w->h[i] - h) / sqrt(variance * scale);
}

/* The point that disagrees most with the others and may go; w->n when there is none. */
static size_t worst_of(const struct curve_work *w, const struct curve_point *points, size_t n,
	const struct curve_attempt *fit)
{
	const struct curve *curve = &fit->solution.curve;
	size_t worst = w->n;
	double most = 1;
	for (size_t i = 0; i < w->n && w->n > CURVE_LEAST_POINTS; i++) {
		double z = fabs(w->h[i] - curve_lm_model(curve, w->x[i])) / w->sigma[i];
		if (w->n > MANY_POINTS && z < SUSPECT_SIGMA) {
			continue;
		}
		double limit = INFINITY;
		double share = deleted_residual(w, fit->model, i, &limit) / limit;
		if (share > most && may_drop(points, n, w->index[i], curve->x0)) {
			most = share;
			worst = i;
		}
	}
	return worst;
}

bool curve_reject_outliers(struct curve_work *w, struct curve_point *points, size_t n, struct curve_attempt *fit)
{
	for (size_t dropped = 0; dropped < n / DROPPED_PART; dropped++) {
		size_t worst = worst_of(w, points, n, fit);
		if (worst == w->n) {
			break;
		}
		points[w->index[worst]].used = false;
		points[w->index[worst]].why = CURVE_OUTLIER;
		curve_work_fill(w, points, n);
		if (!curve_converge(w, true, fit->model, CURVE_ROUNDS, fit)) {
			return false;
		}
	}
	return true;
}

void curve_trim_window(struct curve_point *points, size_t n, const struct curve *curve)
{
	double x0 = curve->x0, reach[2] = {0, 0};
	for (size_t i = 0; i < n; i++) {
		if (points[i].used) {
			double d = points[i].position - x0;
			reach[d > 0] = fmax(reach[d > 0], fabs(d));
		}
	}
	double triple = TRIPLE_REACH * curve->a / curve->k;
	double window = fmax(LOPSIDED * fmin(reach[0], reach[1]), TRIPLE_MARGIN * triple);
	struct curve_point trial[CURVE_MAX_POINTS] = {{0}};
	memcpy(trial, points, n * sizeof trial[0]);
	for (size_t i = 0; i < n; i++) {
		if (trial[i].used && fabs(trial[i].position - x0) > window) {
			trial[i].used = false;
			trial[i].why = CURVE_WINDOW;
		}
	}
	int arms[2];
	curve_count_arms(trial, n, x0, CURVE_ARM_RATIO * (curve->a + curve->y0), arms);
	if (count_used(trial, n) >= TRIM_POINTS && arms[0] >= TRIM_ARM && arms[1] >= TRIM_ARM) {
		memcpy(points, trial, n * sizeof trial[0]);
	}
}
