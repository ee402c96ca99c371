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
/* Two slopes need so many points, so many of them on each arm, and have to lower -2 log likelihood by so much besides
 * what e costs by its usual size; by twice as much where the scatter seems to be UNEVEN_NOISE, which few points
 * can hide by chance.
 * Tuned on tests/bank/test_bank.c promises_are_kept, and the scatter of 25 % in tests/unit/focus/test_curve.c
 * interval_covers. */
#define UNEVEN_POINTS 7
#define UNEVEN_ARM 3
#define UNEVEN_GAIN 8.5
#define UNEVEN_PRIOR 0.2
#define UNEVEN_NOISE 0.18
/* Three parameters go through fewer points exactly. */
#define SOLVABLE_POINTS 3

const char *curve_model_name(enum curve_model model)
{
	return model == CURVE_HYPERBOLA_OFFSET ? "hyperbola+offset"
		: model == CURVE_HYPERBOLA_UNEVEN ? "hyperbola, uneven arms" : "hyperbola";
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

/* The fit of the points with the fourth parameter that earns its place, if one does: the plain hyperbola is fitted
 * first, each other one has to be better by its gain.  The points keep the errors of the winner. */
static bool best_model(struct curve_work *w, bool robust, const struct curve_point *points, size_t n,
	struct curve_attempt *fit)
{
	if (!curve_converge(w, robust, CURVE_HYPERBOLA, CURVE_ROUNDS, fit)) {
		return false;
	}
	const struct curve *curve = &fit->solution.curve;
	int arms[2];
	curve_count_arms(points, n, curve->x0, CURVE_ARM_RATIO * curve->a, arms);
	double bound = OFFSET_WALL * CURVE_OFFSET_SHARE * curve_work_least(w), least = fit->cost;
	enum curve_model winner = CURVE_HYPERBOLA;
	struct curve_attempt other;
	if (!robust && w->n >= OFFSET_POINTS && arms[0] >= OFFSET_ARM && arms[1] >= OFFSET_ARM &&
		curve_converge(w, robust, CURVE_HYPERBOLA_OFFSET, CURVE_ROUNDS, &other) &&
		fabs(other.solution.curve.y0) < bound && other.cost + OFFSET_GAIN < least) {
		winner = CURVE_HYPERBOLA_OFFSET;
		least = other.cost + OFFSET_GAIN;
	}
	if (w->n >= UNEVEN_POINTS && arms[0] >= UNEVEN_ARM && arms[1] >= UNEVEN_ARM &&
		curve_converge(w, robust, CURVE_HYPERBOLA_UNEVEN, CURVE_ROUNDS, &other)) {
		double e = other.solution.curve.e / UNEVEN_PRIOR, noise = fmin(1, fit->seeing / UNEVEN_NOISE);
		if (other.cost + e * e + UNEVEN_GAIN * (1 + noise * noise) < least) {
			winner = CURVE_HYPERBOLA_UNEVEN;
		}
	}
	/* The last model that was tried has left its own errors in the points. */
	return curve_converge(w, robust, winner, CURVE_ROUNDS, fit);
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
	if (w->n < SOLVABLE_POINTS || !best_model(w, true, points, n, fit) ||
		!curve_reject_outliers(w, points, n, fit)) {
		return false;
	}
	curve_trim_window(points, n, &fit->solution.curve);
	curve_work_fill(w, points, n);
	return best_model(w, false, points, n, fit);
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
