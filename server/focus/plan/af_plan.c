/* SPDX-License-Identifier: MIT */
/* The plan's outer machine takes observations, repeats what clouds or blank frames spoiled, and hands finished
 * rounds to the search or the review.  The autofocus thread calls it. */
#include "af_plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "af_inside.h"

/* Light and number of stars, as a share of what frames of like blur have, below which a frame lies behind a cloud; how
 * many such frames are asked, and how much less of the light may be gone when the same place is looked at again: what
 * does not come and go is no cloud, but stars that clip or light that was lost for good.  Tuned on
 * tests/bank/test_bank.c promises_are_kept. */
#define CLOUD_FLUX 0.5
#define CLOUD_STARS 0.8
#define CLOUD_WITNESSES 3
#define STEADY_LIGHT 0.25
/* Cloudy frames of one sample and of a run, and blank places in a row that are looked at twice. */
#define CLOUD_REPEATS 3
#define CLOUDS_MOST 9
#define BLANKS_REPEATED 2
/* No new round begins after so many frames: that leaves room for the one going on. */
#define OBSERVATIONS_MOST (AF_MAX_OBSERVATIONS - 20)
/* A first frame that knows its side by so many of its sigmas decides where the search begins.  By definition: 1 in 20
 * is wrong, and costs one exposure. */
#define SIDE_SIGMAS 2
/* Places that are looked at when the start shows no star. */
#define SCOUTS 4
/* Bounds of the first probe in steps where neither optics nor history tell the scale.  Estimate:
 * tests/unit/focus/test_af_plan.c unknown_optics holds with them; not varied. */
#define LEAST_PROBE 2.0
#define MOST_PROBE 64.0
/* The first probe where they do, in half sweeps.  Estimate: tests/unit/focus/test_af_plan.c unknown_optics holds
 * with it; not varied. */
#define PROBE_SHARE 0.7

void af_plan_init(struct af_plan *plan, const struct af_plan_setup *setup)
{
	*plan = (struct af_plan){.setup = *setup, .phase = AF_PHASE_START, .hfr_start_px = NAN,
		.hfr_predicted_px = NAN, .hfr_final_px = NAN, .critical_focus_zone_steps = NAN};
	plan->p.low = setup->min_step;
	plan->p.high = setup->max_step;
	if (setup->max_radius_steps > 0) {
		plan->p.low = fmax(plan->p.low, ceil(setup->start_position - setup->max_radius_steps));
		plan->p.high = fmin(plan->p.high, floor(setup->start_position + setup->max_radius_steps));
	}
	plan->setup.points = setup->points < 5 ? 5 : setup->points > 31 ? 31 : setup->points;
	plan->p.wall[0] = plan->p.low;
	plan->p.wall[1] = plan->p.high;
	bool history = setup->known_slope_px_per_step > 0;
	plan->p.slope = history ? setup->known_slope_px_per_step : af_optics_slope(setup);
	plan->p.hfr_min = setup->known_hfr_min_px > 0 ? setup->known_hfr_min_px
		: af_optics_hfr(setup);
	if (!(plan->p.slope > 0)) {
		plan->p.slope = NAN;
	}
	double half = AF_SWEEP_REACH * plan->p.hfr_min / plan->p.slope;
	if (setup->step > 0) {
		plan->p.step = setup->step;
		if (!(half > 0)) {
			half = setup->step * (plan->setup.points - 1) / 2;
		}
	}
	double blind = fmax(LEAST_PROBE, fmin(MOST_PROBE, (plan->p.high - plan->p.low) / 4096));
	plan->p.probe = half > 0 ? fmax(LEAST_PROBE, PROBE_SHARE * half) : blind;
	plan->p.first_probe = plan->p.probe;
	plan->p.preload = half > 0 ? half : plan->p.probe;
	plan->p.stand = setup->start_position;
	plan->p.direction = setup->approach == MOVES_APPROACH_OUT ? 1 : -1;
	af_ask(plan, setup->start_position);
}

/* The start shows no star: some places to both sides of it are looked at, with twice the exposure. */
static void scout(struct af_plan *plan)
{
	static const double offsets[SCOUTS] = {1, -1, 2, -2};
	double unit = plan->p.probe;
	if (!(plan->p.slope > 0) && !(plan->p.step > 0)) {
		unit = (plan->p.high - plan->p.low) / 64;
	}
	while (plan->p.scouts < SCOUTS) {
		double target = plan->setup.start_position +
			plan->p.direction * offsets[plan->p.scouts++] * unit;
		if (af_clamped(plan, target) != af_clamped(plan, plan->setup.start_position)) {
			af_ask(plan, target);
			plan->wish.exposure_factor = 2;
			plan->p.retries = 1;
			return;
		}
	}
	af_fail_blank(plan);
}

static void fail_spent(struct af_plan *plan)
{
	af_fail(plan, plan->have_fit && plan->fit.minimum_bracketed ? ERR_BAD_FIT : ERR_NO_MINIMUM,
		"no acceptable curve after %d frames", plan->p.observations);
}

static void round_over(struct af_plan *plan)
{
	if (plan->p.observations >= OBSERVATIONS_MOST) {
		fail_spent(plan);
		return;
	}
	size_t index[CURVE_MAX_POINTS];
	size_t usable = af_sorted(plan, index);
	if (plan->phase == AF_PHASE_START) {
		if (usable == 0) {
			scout(plan);
			return;
		}
		plan->phase = AF_PHASE_SEARCH;
	}
	if (plan->phase == AF_PHASE_SEARCH) {
		if (plan->p.blanks >= 12 && usable < 3) {
			af_fail_blank(plan);
			return;
		}
		af_search_next(plan);
		return;
	}
	if (usable < 3 || (plan->p.blanks > 20 && (size_t)plan->p.blanks > 2 * usable)) {
		af_fail_blank(plan);
		return;
	}
	af_review(plan);
}

/* Whether a frame that shows stars lost their light to a cloud: by the frames of the run whose blur is nearest to its
 * own, because other stars are seen at another blur.  The frame that the job compares with has no right of its own. */
static bool is_cloud(const struct af_plan *plan, const struct af_observation *seen)
{
	bool asked[CURVE_MAX_POINTS] = {false};
	int darker = 0, fewer = 0;
	for (int witness = 0; witness < CLOUD_WITNESSES; witness++) {
		size_t nearest = plan->point_count;
		double least = INFINITY;
		for (size_t i = 0; i < plan->point_count; i++) {
			const struct af_plan_point *p = &plan->points[i];
			double apart = fabs(log(p->curve.hfr_px / seen->hfr_px));
			if (!asked[i] && p->curve.stars > 0 && p->curve.why != CURVE_CLOUD && p->flux_ratio > 0 &&
				apart < least) {
				least = apart;
				nearest = i;
			}
		}
		if (nearest == plan->point_count) {
			return false;
		}
		asked[nearest] = true;
		darker += seen->flux_ratio < CLOUD_FLUX * plan->points[nearest].flux_ratio;
		fewer += seen->stars < CLOUD_STARS * plan->points[nearest].curve.stars;
	}
	return 2 * darker > CLOUD_WITNESSES && 2 * fewer > CLOUD_WITNESSES;
}

/* A cloudy frame that shows the same light as the one before it at the same place is none after all, and neither is
 * that one. */
static bool is_steady(struct af_plan *plan, const struct af_observation *seen)
{
	if (plan->p.cloud_repeats == 0 || plan->point_count == 0) {
		return false;
	}
	struct af_plan_point *last = &plan->points[plan->point_count - 1];
	if (last->curve.why != CURVE_CLOUD || fabs(seen->flux_ratio / last->flux_ratio - 1) > STEADY_LIGHT) {
		return false;
	}
	last->curve.why = CURVE_USED;
	last->curve.used = !last->validation;
	plan->p.clouds--;
	return true;
}

/* Keeps the observation; false when its very pixels are here already. */
static bool keep(struct af_plan *plan, const struct af_observation *seen, bool usable, bool cloud, bool validation)
{
	for (size_t i = 0; i < plan->point_count && seen->recording_id != 0 && !validation; i++) {
		if (plan->p.recording[i] == seen->recording_id && !plan->points[i].validation) {
			return false;
		}
	}
	if (plan->point_count == CURVE_MAX_POINTS) {
		return false;
	}
	size_t i = plan->point_count++;
	plan->p.raw_error_px[i] = seen->error_px > 0 ? seen->error_px : 0;
	plan->p.recording[i] = seen->recording_id;
	plan->p.rings[i] = seen->rings;
	plan->p.taken[i] = plan->p.travel;
	plan->p.turned[i] = plan->p.reversed;
	plan->p.reversed = false;
	plan->points[i] = (struct af_plan_point){.flux_ratio = seen->flux_ratio,
		.validation = validation,
		.curve = {.position = seen->position, .hfr_px = usable ? seen->hfr_px : NAN,
			.error_px = plan->p.raw_error_px[i], .duration_s = seen->duration_s,
			.stars = usable ? seen->stars : 0,
			.used = usable && !cloud && !validation,
			.why = seen->trailed ? CURVE_TRAILED
				: !usable	 ? CURVE_NO_STARS
				: cloud		 ? CURVE_CLOUD
						 : CURVE_USED}};
	return true;
}

/* Asks for the same position again after a spoiled frame; false when that was tried enough. */
static bool repeat(struct af_plan *plan, bool usable, bool cloud, bool trailed)
{
	if (cloud) {
		plan->p.clouds++;
		if (plan->p.clouds >= CLOUDS_MOST) {
			af_fail_blank(plan);
			return true;
		}
		return plan->p.cloud_repeats++ < CLOUD_REPEATS;
	}
	if (usable) {
		plan->p.blank_run = 0;
		return false;
	}
	plan->p.blanks++;
	plan->p.trails += trailed;
	if (plan->p.retries++ > 0 || plan->p.blank_run >= BLANKS_REPEATED) {
		plan->p.blank_run++;
		return false;
	}
	/* More light does not turn trails into stars. */
	plan->wish.exposure_factor = trailed ? 1 : 2;
	return true;
}

static void update_progress(struct af_plan *plan)
{
	double rest = 0;
	switch (plan->phase) {
	case AF_PHASE_START:
	case AF_PHASE_SEARCH:
		rest = plan->setup.points + 3;
		break;
	case AF_PHASE_SWEEP:
	case AF_PHASE_EXTEND:
		rest = plan->p.queue_count - plan->p.queue_index + 1;
		break;
	case AF_PHASE_VALIDATE:
		rest = 1;
		break;
	case AF_PHASE_OVER:
		break;
	}
	double done = plan->p.observations;
	plan->p.progress = fmax(plan->p.progress, rest > 0 ? done / (done + rest) : 1);
}

void af_plan_tell(struct af_plan *plan, const struct af_observation *seen)
{
	if (plan->phase == AF_PHASE_OVER) {
		return;
	}
	plan->p.observations++;
	bool usable = seen->stars > 0 && seen->hfr_px > 0 && isfinite(seen->hfr_px) &&
		isfinite(seen->position) && !seen->trailed;
	bool cloud = usable && is_cloud(plan, seen) && !is_steady(plan, seen);
	if (plan->phase == AF_PHASE_VALIDATE) {
		keep(plan, seen, usable, cloud, true);
		if (plan->p.observations >= AF_MAX_OBSERVATIONS ||
			!repeat(plan, usable, cloud, seen->trailed)) {
			(plan->wish.want == AF_WANT_FINAL ? af_validate : af_take_arm)(plan, seen, usable && !cloud);
		}
		update_progress(plan);
		return;
	}
	keep(plan, seen, usable, cloud, false);
	if (plan->phase == AF_PHASE_START && seen->focus_error_sigma_steps > 0 &&
		fabs(seen->focus_error_steps) > SIDE_SIGMAS * seen->focus_error_sigma_steps) {
		plan->p.direction = seen->focus_error_steps > 0 ? -1 : 1;
	}
	if (usable && !cloud && isnan(plan->hfr_start_px) && plan->phase == AF_PHASE_START &&
		plan->p.scouts == 0) {
		plan->hfr_start_px = seen->hfr_px;
	}
	if (plan->p.observations >= AF_MAX_OBSERVATIONS) {
		fail_spent(plan);
	} else if (!repeat(plan, usable, cloud, seen->trailed)) {
		if (++plan->p.queue_index < plan->p.queue_count) {
			af_ask_queued(plan);
		} else {
			round_over(plan);
		}
	}
	update_progress(plan);
}

double af_plan_progress(const struct af_plan *plan)
{
	return plan->p.progress;
}
