/* SPDX-License-Identifier: MIT */
/* V-curve fits: which points take part, which model, and the verdict.  The errors are those of curve_weigh.h. */
#include "curve.h"

#include <math.h>
#include <stdio.h>

#include "curve_choose.h"
#include "curve_judge.h"
#include "curve_lm.h"
#include "curve_weigh.h"

/* A fourth parameter needs so many points, so many of them on each arm, and has to lower -2 log likelihood by so
 * much.  Tuned on tests/unit/focus/test_curve.c interval_covers: 21 moves 1 of 25 lines, none beyond its limit. */
#define OFFSET_POINTS 9
#define OFFSET_ARM 3
#define OFFSET_GAIN 15.0
/* An offset beyond this share of its bound has run against it.  Tuned on tests/unit/focus/test_curve.c
 * interval_covers: 1.36 moves 3 of 25 lines, none beyond its limit. */
#define OFFSET_WALL 0.97
/* Three parameters go through fewer points exactly. */
#define SOLVABLE_POINTS 3

const char *curve_model_name(enum curve_model model)
{
	return model == CURVE_HYPERBOLA_OFFSET ? "hyperbola+offset" : "hyperbola";
}

const char *curve_why_name(enum curve_why why)
{
	switch (why) {
	case CURVE_USED:
		break;
	case CURVE_NO_STARS:
		return "no stars";
	case CURVE_OUTLIER:
		return "outlier";
	case CURVE_CLOUD:
		return "cloud";
	case CURVE_WINDOW:
		return "outside the window";
	case CURVE_TRAILED:
		return "trailed";
	case CURVE_BACKLASH:
		return "backlash not taken up";
	}
	return "";
}

/* The least-squares fit of what is left, with the offset where it clearly earns its place. */
static bool final_fit(struct curve_work *w, const struct curve_point *points, size_t n, struct curve_attempt *fit)
{
	if (!curve_converge(w, false, false, CURVE_ROUNDS, fit)) {
		return false;
	}
	const struct curve *curve = &fit->solution.curve;
	int arms[2];
	curve_count_arms(points, n, curve->x0, CURVE_ARM_RATIO * curve->a, arms);
	if (w->n < OFFSET_POINTS || arms[0] < OFFSET_ARM || arms[1] < OFFSET_ARM) {
		return true;
	}
	struct curve_attempt with_offset;
	double bound = OFFSET_WALL * CURVE_OFFSET_SHARE * curve_work_least(w);
	if (curve_converge(w, false, true, CURVE_ROUNDS, &with_offset) &&
		fabs(with_offset.solution.curve.y0) < bound && with_offset.cost < fit->cost - OFFSET_GAIN) {
		*fit = with_offset;
		return true;
	}
	/* The other model has left its own errors in the points. */
	return curve_converge(w, false, false, CURVE_ROUNDS, fit);
}

/* Marks the points that can take part at all. */
static void mark_usable(struct curve_point *points, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct curve_point *p = &points[i];
		p->used = p->stars > 0 && isfinite(p->hfr_px) && p->hfr_px > 0 && isfinite(p->position);
		p->why = p->used ? CURVE_USED : CURVE_NO_STARS;
	}
}

/* The fit of the marked points, which loses some of them on the way; false when there is none. */
static bool fit_marked(struct curve_work *w, struct curve_point *points, size_t n, struct curve_attempt *fit)
{
	if (w->n < SOLVABLE_POINTS || !curve_converge(w, true, false, CURVE_ROUNDS, fit) ||
		!curve_reject_outliers(w, points, n, fit)) {
		return false;
	}
	curve_trim_window(points, n, &fit->solution.curve);
	curve_work_fill(w, points, n);
	return final_fit(w, points, n, fit);
}

enum err_code curve_fit(struct curve_point *points, size_t n, double half_width_limit_steps,
	struct curve_result *out, struct err *err)
{
	if (n > CURVE_MAX_POINTS) {
		return err_set(err, ERR_INVALID_VALUE, "a curve takes at most %d samples, not %zu", CURVE_MAX_POINTS,
			n);
	}
	*out = (struct curve_result){.best_position = NAN, .uncertainty_steps = NAN,
		.interval95_steps = {NAN, NAN}, .hfr_min_px = NAN, .slope_px_per_step = NAN,
		.r_squared = NAN, .chi2_dof = NAN, .seeing_scatter = NAN, .curve = {NAN, NAN, NAN, NAN}};
	mark_usable(points, n);
	struct curve_work w;
	curve_work_fill(&w, points, n);
	out->points_used = (int)w.n;
	if (w.n == 0) {
		curve_refuse(out, n > 0 ? "no sample shows a measurable star" : "there are no samples");
		return ERR_OK;
	}
	struct curve_sampling sampled = curve_sampling_of(&w);
	if (w.n > 1 && sampled.low == sampled.high) {
		char text[sizeof out->reason];
		/* Programs write 0 when no focuser is connected. */
		snprintf(text, sizeof text, "all %zu usable samples were taken at one position, %.0f; a curve needs "
			"different ones%s", w.n, sampled.low,
			sampled.low == 0 ? " (was the focuser connected?)" : "");
		curve_refuse(out, text);
		return ERR_OK;
	}
	struct curve_attempt fit;
	bool solved = fit_marked(&w, points, n, &fit);
	out->points_used = (int)w.n;
	if (!solved) {
		out->short_side = curve_falling_side(&w, &sampled);
		if (w.n < CURVE_LEAST_POINTS) {
			curve_refuse_few(out, w.n);
		} else {
			curve_refuse(out, "the samples show no minimum: the HFR does not rise on both sides");
		}
		return ERR_OK;
	}
	curve_fill(out, &w, &fit);
	for (size_t i = 0; i < w.n; i++) {
		points[w.index[i]].error_px = w.sigma[i];
	}
	curve_judge(out, points, n, &w, half_width_limit_steps);
	return ERR_OK;
}
