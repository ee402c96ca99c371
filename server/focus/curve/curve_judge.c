/* SPDX-License-Identifier: MIT */
/* The verdict on a fit; see curve_judge.h. */
#include "curve_judge.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "curve_choose.h"

/* Weight of the expected errors against the residuals that were seen, in degrees of freedom.  Tuned on
 * tests/unit/focus/test_curve.c interval_covers: 5.6 moves 18 of 25 lines, none beyond its limit. */
#define TRUST_DOF 4.0
/* Square of the misfit beyond which no error explains the samples, although the scatter of the seeing was estimated
 * from them.  Choice: 3 sigmas in the mean; good sweeps stay below 2 (tests/unit/focus/test_curve.c
 * recorded_curves). */
#define MISFIT_MOST 9.0
/* A sample this many times the minimum has risen: enough to say that the minimum is bracketed.  By definition: a
 * tenth. */
#define RISEN_RATIO 1.1

/* No star on a detector is smaller: the light of one pixel, spread evenly over it, has half of it within
 * sqrt(1 / (2 pi)) px of the middle.  A vertex below it is one that no sample has seen.
 * By definition: 0.39894. */
#define LEAST_HFR_PX 0.399

void curve_refuse(struct curve_result *out, const char *reason)
{
	out->accepted = false;
	snprintf(out->reason, sizeof out->reason, "%s", reason);
}

void curve_refuse_few(struct curve_result *out, size_t used)
{
	out->accepted = false;
	snprintf(out->reason, sizeof out->reason, "only %zu usable samples; a curve needs at least %d", used,
		CURVE_LEAST_POINTS);
}

/* Coefficient of determination, unweighted. */
static double r_squared_of(const struct curve_work *w, const struct curve *curve)
{
	double mean = 0, rest = 0, total = 0;
	for (size_t i = 0; i < w->n; i++) {
		mean += w->h[i] / (double)w->n;
	}
	for (size_t i = 0; i < w->n; i++) {
		double r = w->h[i] - curve_lm_model(curve, w->x[i]);
		rest += r * r;
		total += (w->h[i] - mean) * (w->h[i] - mean);
	}
	return total > 0 ? 1 - rest / total : NAN;
}

void curve_fill(struct curve_result *out, const struct curve_work *w, const struct curve_attempt *fit)
{
	const struct curve_lm_solution *s = &fit->solution;
	int dof = (int)w->n - fit->parameters;
	double chi2_dof = dof > 0 ? fit->chi2 / dof : NAN;
	double scale = 1;
	if (dof > 0) {
		scale = chi2_dof > 1 ? chi2_dof
			: (TRUST_DOF + dof * chi2_dof) / (TRUST_DOF + dof);
	}
	out->model = fit->model;
	out->curve = s->curve;
	for (int r = 0; r < CURVE_PARAMETERS; r++) {
		for (int c = 0; c < CURVE_PARAMETERS; c++) {
			out->covariance[r][c] = s->covariance[r][c] * scale;
		}
	}
	out->best_position = s->curve.x0;
	out->uncertainty_steps = dof > 0 ? sqrt(out->covariance[CURVE_X0][CURVE_X0]) : NAN;
	double half_width = dof > 0 ? curve_student975(dof) * out->uncertainty_steps : NAN;
	out->interval95_steps[0] = out->best_position - half_width;
	out->interval95_steps[1] = out->best_position + half_width;
	out->hfr_min_px = fmax(s->curve.a + s->curve.y0, LEAST_HFR_PX);
	out->slope_px_per_step = s->curve.k;
	out->r_squared = r_squared_of(w, &s->curve);
	out->chi2_dof = chi2_dof;
	out->seeing_scatter = fit->seeing;
}

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

struct curve_sampling curve_sampling_of(const struct curve_work *w)
{
	double sorted[CURVE_MAX_POINTS], gaps[CURVE_MAX_POINTS], spacing = 0;
	size_t count = 0;
	for (size_t i = 0; i < w->n; i++) {
		sorted[i] = w->x[i];
	}
	qsort(sorted, w->n, sizeof sorted[0], compare_double);
	for (size_t i = 1; i < w->n; i++) {
		if (sorted[i] > sorted[i - 1]) {
			gaps[count++] = sorted[i] - sorted[i - 1];
		}
	}
	if (count > 0) {
		qsort(gaps, count, sizeof gaps[0], compare_double);
		spacing = count % 2 == 1 ? gaps[count / 2] : (gaps[count / 2 - 1] + gaps[count / 2]) / 2;
	}
	return (struct curve_sampling){.low = sorted[0], .high = sorted[w->n - 1], .spacing = spacing};
}

int curve_falling_side(const struct curve_work *w, const struct curve_sampling *sampled)
{
	size_t least = 0;
	for (size_t i = 1; i < w->n; i++) {
		least = w->h[i] < w->h[least] ? i : least;
	}
	double low = sampled->low, high = sampled->high;
	double quarter = (high - low) / 4;
	if (high > low && w->x[least] <= low + quarter) {
		return -1;
	}
	return high > low && w->x[least] >= high - quarter ? 1 : 0;
}

/* The side with fewer samples on its arm, 0 when both have enough; of two equally short ones the nearer end. */
static int short_side_of(const struct curve_result *out, const struct curve_point *points, size_t n, int nearer)
{
	int arms[2];
	curve_count_arms(points, n, out->best_position, CURVE_ARM_RATIO * out->hfr_min_px, arms);
	if (arms[0] >= CURVE_ARM_SAMPLES && arms[1] >= CURVE_ARM_SAMPLES) {
		return 0;
	}
	return arms[0] == arms[1] ? nearer : arms[0] < arms[1] ? -1 : 1;
}

void curve_judge(struct curve_result *out, const struct curve_point *points, size_t n, const struct curve_work *w,
	double half_width_limit_steps)
{
	struct curve_sampling s = curve_sampling_of(w);
	double x0 = out->best_position;
	int rising[2];
	curve_count_arms(points, n, x0, RISEN_RATIO * out->hfr_min_px, rising);
	bool inside = x0 >= s.low + s.spacing / 2 && x0 <= s.high - s.spacing / 2;
	int nearer = x0 - s.low < s.high - x0 ? -1 : 1;
	out->minimum_bracketed = inside && rising[0] > 0 && rising[1] > 0;
	out->short_side = short_side_of(out, points, n, nearer);
	double half_width = (out->interval95_steps[1] - out->interval95_steps[0]) / 2;
	double tenth = curve_tenth_width(&out->curve);
	double most = half_width_limit_steps > 0 ? half_width_limit_steps : fmax(s.spacing, tenth);
	char text[sizeof out->reason];
	if (w->n < CURVE_LEAST_POINTS) {
		curve_refuse_few(out, w->n);
	} else if (!inside) {
		/* This is tested before the arms, because it says more. */
		out->short_side = nearer;
		snprintf(text, sizeof text, "the minimum lies outside the samples: the HFR still falls "
			"towards %s positions at %.0f", out->short_side < 0 ? "smaller" : "larger",
			out->short_side < 0 ? s.low : s.high);
		curve_refuse(out, text);
	} else if (out->short_side != 0) {
		snprintf(text, sizeof text, "the curve has too few samples on its arm at %s positions",
			out->short_side < 0 ? "smaller" : "larger");
		curve_refuse(out, text);
	} else if (out->chi2_dof > MISFIT_MOST) {
		snprintf(text, sizeof text, "the samples lie %.0f times as far from the curve as their errors allow: "
			"backlash, slip, clouds, or no curve at all", sqrt(out->chi2_dof));
		curve_refuse(out, text);
	} else if (!(half_width <= most)) {
		snprintf(text, sizeof text, "the best position is only known to within %.1f steps; "
			"%.1f are needed", half_width, most);
		curve_refuse(out, text);
	} else {
		out->accepted = true;
	}
}
