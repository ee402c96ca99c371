/* SPDX-License-Identifier: MIT */
/*
 * After a sweep: fit, and decide whether that is the answer, where more samples help, or why there
 * is no answer.
 */
#include <math.h>
#include <stdio.h>

#include "af_inside.h"

/* Points from which a curve is shown while the run goes on. */
#define LIVE_POINTS 5
/* After a reversal the size stands still: that many times the least, it changes by less than this share of what is
 * due, and what is due is more than 1.5 times this share of it, which noise is not.  Estimate:
 * tests/unit/focus/test_af_plan.c unknown_optics holds with them; not varied. */
#define STILL_RATIO 1.5
#define STILL_SHARE 0.3
#define STILL_DUE 0.1
/* Points that are enough to do without the first looks. */
#define FIRM_POINTS 7
/* Rounds after the sweep, by kind. */
#define ROUNDS_MOST 9
#define REFINEMENTS_MOST 3
#define WIDENINGS_MOST 6
#define DEAD_ENDS_MOST 2
/* Largest over least sample below which the sweep was too narrow.  Estimate: tests/unit/focus/test_af_plan.c
 * unknown_optics holds with it; not varied. */
#define FLAT_RATIO 1.5
/* Least sample over the fitted minimum above which the bottom was not seen.  Estimate:
 * tests/unit/focus/test_af_plan.c unknown_optics holds with it; not varied. */
#define GAP_RATIO 3.0
/* The smallest sample over the minimum of an accepted curve above which the bottom is looked at before it is believed,
 * and how often.  Tuned on tests/bank/test_bank.c promises_are_kept. */
#define UNSEEN_RATIO 1.4
#define BOTTOM_LOOKS 2
/* Samples that are wanted below twice the minimum. */
#define COARSE_SAMPLES 3
/* Distance of the samples that widen a sweep, in its length.  Estimate: tests/unit/focus/test_af_plan.c
 * unknown_optics holds with it; not varied. */
#define WIDEN_SHARE 0.25
/* An arm is made longer up to this share of the half sweep at least.  Estimate: tests/unit/focus/test_af_plan.c
 * unknown_optics holds with it; not varied. */
#define EXTEND_SHARE 0.7
/* Where refining samples lie, in a/k about the vertex, by refinement: both arms between 1 and 3 natural widths,
 * where a sample tells most about the vertex.  Estimate: tests/unit/focus/test_af_plan.c unknown_optics holds with
 * it; not varied. */
#define REFINED_PLACES 6
static const double refined_places[REFINEMENTS_MOST][REFINED_PLACES] = {
	{0.6, 1.3, 2.0, -0.6, -1.3, -2.0}, {0.9, 1.7, 2.6, -0.9, -1.7, -2.6}, {1.1, 1.5, 2.3, -1.1, -1.5, -2.3}};
/* Fits these of the plan's samples; the points show what the fit made of them. */
static void fit_these(struct af_plan *plan, const size_t *index, size_t n)
{
	struct curve_point points[CURVE_MAX_POINTS];
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < n; i++) {
			points[i] = plan->points[index[i]].curve;
			points[i].error_px = plan->p.raw_error_px[index[i]];
		}
		/* The zone depends on the fitted star size, which the first pass finds. */
		double limit = 0;
		if (pass == 1) {
			/* The motor cannot stand between steps, so that less than one step is never asked for. */
			limit = isfinite(plan->critical_focus_zone_steps)
				? fmax(1, plan->critical_focus_zone_steps / 4)
				: curve_tenth_width(&plan->fit.curve);
		}
		(void)curve_fit(points, n, isfinite(limit) ? limit : 0, &plan->fit, NULL);
		plan->critical_focus_zone_steps =
			af_critical_focus_zone_steps(&plan->setup, plan->fit.hfr_min_px);
	}
	plan->have_fit = true;
	for (size_t i = 0; i < n; i++) {
		plan->points[index[i]].curve = points[i];
	}
}

/* Finds backlash: after a reversal the size stands still on an arm, because the motor turns and the optics do not
 * follow yet. */
static void find_backlash(struct af_plan *plan)
{
	double slope = plan->fit.curve.k, least = plan->fit.hfr_min_px;
	for (size_t i = 0; i + 1 < plan->point_count && slope > 0; i++) {
		if (!plan->p.turned[i]) {
			continue;
		}
		size_t last = i;
		const struct curve_point *a = &plan->points[i].curve;
		for (size_t k = i + 1; k < plan->point_count && !plan->p.turned[k]; k++) {
			const struct curve_point *b = &plan->points[k].curve;
			double due = slope * fabs(b->position - a->position), most = fmax(a->hfr_px, b->hfr_px);
			/* Across the vertex two sizes are alike for another reason. */
			double x0 = plan->fit.best_position;
			bool across = (a->position - x0) * (b->position - x0) <= 0;
			if (across || !af_usable(plan, i) || !af_usable(plan, k) || plan->p.recording[k] != 0 ||
				fmin(a->hfr_px, b->hfr_px) < STILL_RATIO * least) {
				break;
			}
			if (due > STILL_RATIO * STILL_DUE * most && fabs(b->hfr_px - a->hfr_px) > STILL_SHARE * due) {
				break;
			}
			last = due > STILL_RATIO * STILL_DUE * most ? k : last;
		}
		if (last == i) {
			continue;
		}
		for (size_t k = i; k <= last; k++) {
			plan->p.loose[k] = true;
		}
		plan->p.backlash = fmax(plan->p.backlash, plan->p.taken[last]);
	}
}

void af_fit(struct af_plan *plan)
{
	size_t all[CURVE_MAX_POINTS], firm[CURVE_MAX_POINTS], n = 0;
	size_t count = af_sorted(plan, all);
	for (size_t i = 0; i < count; i++) {
		if (!af_loose(plan, all[i])) {
			firm[n++] = all[i];
		}
	}
	if (n < count && n >= FIRM_POINTS) {
		fit_these(plan, firm, n);
		struct curve_result fit = plan->fit;
		if (!fit.accepted) {
			fit_these(plan, all, count);
			if (plan->fit.accepted && plan->p.backlash <= 0) {
				return;
			}
			plan->fit = fit;
		}
		for (size_t i = 0; i < count; i++) {
			if (af_loose(plan, all[i])) {
				struct curve_point *p = &plan->points[all[i]].curve;
				p->used = false;
				p->why = CURVE_BACKLASH;
				p->error_px = plan->p.raw_error_px[all[i]];
			}
		}
		return;
	}
	fit_these(plan, all, count);
}

bool af_plan_live_fit(const struct af_plan *plan, struct curve_result *out)
{
	struct curve_point points[CURVE_MAX_POINTS];
	size_t index[CURVE_MAX_POINTS];
	size_t n = af_sorted(plan, index);
	for (size_t i = 0; i < n; i++) {
		points[i] = plan->points[index[i]].curve;
		points[i].error_px = plan->p.raw_error_px[index[i]];
	}
	return n >= LIVE_POINTS && curve_fit(points, n, 0, out, NULL) == ERR_OK && out->minimum_bracketed;
}

static void fail_fit(struct af_plan *plan)
{
	double least = INFINITY;
	for (size_t i = 0; i < plan->point_count; i++) {
		if (af_usable(plan, i) && plan->points[i].curve.used) {
			least = fmin(least, plan->points[i].curve.hfr_px);
		}
	}
	if (plan->fit.minimum_bracketed && plan->fit.short_side == 0 &&
		least > GAP_RATIO * plan->fit.hfr_min_px) {
		af_fail(plan, ERR_BAD_FIT, "no frame shows the stars near their minimum about %.0f: the "
			"least HFR seen is %.1f px", plan->fit.best_position, least);
		return;
	}
	af_fail(plan, plan->fit.minimum_bracketed ? ERR_BAD_FIT : ERR_NO_MINIMUM, "%s",
		plan->fit.reason);
}

/* Ends and extremes of the usable samples. */
struct extent {
	double low, high;       /* positions */
	double least, greatest; /* sizes; least is the second smallest, which no single spike makes */
	double smallest;        /* size, and where it is */
	double at_least;
	size_t n;
};

static struct extent extent_of(const struct af_plan *plan)
{
	size_t index[CURVE_MAX_POINTS];
	struct extent e = {.least = INFINITY, .n = af_sorted(plan, index)};
	double smallest = INFINITY;
	e.low = plan->points[index[0]].curve.position;
	e.high = plan->points[index[e.n - 1]].curve.position;
	for (size_t i = 0; i < e.n; i++) {
		const struct curve_point *p = &plan->points[index[i]].curve;
		if (p->hfr_px < smallest) {
			e.least = smallest;
			smallest = p->hfr_px;
			e.at_least = p->position;
		} else {
			e.least = fmin(e.least, p->hfr_px);
		}
		e.greatest = fmax(e.greatest, p->hfr_px);
	}
	e.smallest = smallest;
	return e;
}

/* Adds samples on both sides of a sweep that hardly left the bottom. */
static void widen(struct af_plan *plan, const struct extent *e)
{
	double span = fmax(2, e->high - e->low), positions[8];
	size_t n = 0;
	for (int i = 1; i <= 4; i++) {
		double further = span * WIDEN_SHARE * i;
		positions[n++] = fmax(plan->p.low, e->low - further);
		positions[n++] = fmin(plan->p.high, e->high + further);
	}
	bool room = e->low - plan->p.low >= 1 || plan->p.high - e->high >= 1;
	if (!room || plan->p.widenings++ >= WIDENINGS_MOST ||
		!af_ask_many(plan, AF_PHASE_EXTEND, positions, n)) {
		af_fail(plan, ERR_NO_MINIMUM, "the star size does not change between %.0f and %.0f: the "
			"motor turns but the optics do not follow (coupling, slip), or clouds hide the stars",
			e->low, e->high);
	}
}

/* Adds samples beyond the end of the short side, up to the predicted reach of the sweep. */
static void extend(struct af_plan *plan, const struct extent *e)
{
	const struct curve_result *fit = &plan->fit;
	int side = fit->short_side;
	double end = side < 0 ? e->low : e->high;
	double span = e->high - e->low;
	double reach = plan->p.step * (plan->setup.points - 1) / 2;
	double target = end + side * 2 * plan->p.step;
	if (isfinite(fit->best_position)) {
		reach = fmax(2 * fit->curve.a / fit->curve.k, EXTEND_SHARE * reach);
		target = fit->best_position + side * reach;
	}
	double beyond = fmax(2 * plan->p.step, fmin(side * (target - end), 2 * span));
	beyond *= 1 << plan->p.dead_ends;
	double room = side * ((side < 0 ? plan->p.low : plan->p.high) - end);
	if (room < 1) {
		af_fail(plan, ERR_NO_MINIMUM, "%s; %.0f is the end of the allowed range", fit->reason, end);
		return;
	}
	beyond = fmin(beyond, room);
	int count = (int)ceil(fmin(6, fmax(2, beyond / fmax(1, plan->p.step))));
	double positions[8];
	for (int i = 0; i < count; i++) {
		positions[i] = end + side * beyond * (i + 1) / count;
	}
	if (!af_ask_many(plan, AF_PHASE_EXTEND, positions, (size_t)count)) {
		fail_fit(plan);
	}
}

/* Adds samples where they tell most, on both arms between 1 and 3 natural widths. */
static void refine(struct af_plan *plan)
{
	double width = plan->fit.curve.a / plan->fit.curve.k;
	double positions[REFINED_PLACES];
	for (int i = 0; i < REFINED_PLACES; i++) {
		positions[i] = plan->fit.best_position +
			fmax(width, 1) * refined_places[plan->p.refinements][i];
	}
	plan->p.refinements++;
	if (!af_ask_many(plan, AF_PHASE_EXTEND, positions, REFINED_PLACES)) {
		fail_fit(plan);
	}
}

static bool is_coarse(const struct af_plan *plan)
{
	int low = 0;
	for (size_t i = 0; i < plan->point_count; i++) {
		low += af_usable(plan, i) && plan->points[i].curve.used &&
			plan->points[i].curve.hfr_px < 2 * plan->fit.hfr_min_px;
	}
	return low < COARSE_SAMPLES;
}

void af_review(struct af_plan *plan)
{
	bool fresh = plan->point_count > plan->p.round_start;
	plan->p.dead_ends = fresh ? 0 : plan->p.dead_ends + 1;
	plan->p.rounds++;
	af_fit(plan);
	find_backlash(plan);
	af_fit(plan);
	if (plan->fit.curve.k > 0) {
		plan->p.preload = fmax(2, AF_SWEEP_REACH * plan->fit.curve.a / plan->fit.curve.k);
	}
	struct extent e = extent_of(plan);
	if (plan->fit.accepted) {
		if (e.smallest > UNSEEN_RATIO * plan->fit.hfr_min_px && plan->p.bottom_looks++ < BOTTOM_LOOKS) {
			af_ask(plan, plan->fit.best_position);
		} else if (is_coarse(plan) && plan->p.refinements == 0 && fresh &&
			plan->fit.curve.a / plan->fit.curve.k > 2) {
			refine(plan);
		} else {
			af_finish(plan);
		}
		return;
	}
	if (plan->p.rounds > ROUNDS_MOST) {
		fail_fit(plan);
	} else if (plan->p.dead_ends >= DEAD_ENDS_MOST) {
		fail_fit(plan);
	} else if (e.greatest < FLAT_RATIO * e.least) {
		widen(plan, &e);
	} else if (plan->fit.short_side != 0) {
		extend(plan, &e);
	} else if (plan->p.refinements < REFINEMENTS_MOST && isfinite(plan->fit.best_position)) {
		refine(plan);
	} else {
		fail_fit(plan);
	}
}
