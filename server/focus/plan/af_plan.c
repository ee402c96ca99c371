/* SPDX-License-Identifier: MIT */
/* The plan's outer machine takes observations, repeats what clouds or blank frames spoiled, and hands finished
 * rounds to the search or the review.  The autofocus thread calls it. */
#include "af_plan.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "af_inside.h"

/* Light of common stars, as a share of the reference, below which a frame does not count.  Estimate: 0.7 moves no
 * figure of tests/unit/focus/test_af_plan.c known_optics. */
#define CLOUD_FLUX 0.5
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
/* The way that takes up a backlash which was seen, over that backlash.  Estimate: tests/unit/focus/test_af_plan.c
 * unknown_optics holds with it; not varied. */
#define BACKLASH_MARGIN 1.3

bool af_usable(const struct af_plan *plan, size_t i)
{
	const struct af_plan_point *p = &plan->points[i];
	return !p->validation && p->curve.stars > 0 && p->curve.why != CURVE_CLOUD;
}

bool af_loose(const struct af_plan *plan, size_t i)
{
	return plan->p.loose[i] || (i < plan->p.search_points && plan->p.recording[i] == 0 &&
		plan->p.taken[i] < plan->p.firm_travel);
}

size_t af_sorted(const struct af_plan *plan, size_t index[CURVE_MAX_POINTS])
{
	size_t n = 0;
	for (size_t i = 0; i < plan->point_count; i++) {
		if (!af_usable(plan, i)) {
			continue;
		}
		size_t j = n++;
		while (j > 0 && plan->points[index[j - 1]].curve.position >
			plan->points[i].curve.position) {
			index[j] = index[j - 1];
			j--;
		}
		index[j] = i;
	}
	return n;
}

void af_fail(struct af_plan *plan, enum err_code code, const char *fmt, ...)
{
	plan->phase = AF_PHASE_OVER;
	plan->wish = (struct af_wish){.want = AF_WANT_FAILURE, .exposure_factor = 1, .code = code,
		.position = plan->wish.position};
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(plan->wish.reason, sizeof plan->wish.reason, fmt, ap);
	va_end(ap);
}

static int32_t clamped(const struct af_plan *plan, double position)
{
	return (int32_t)lround(fmax(plan->p.low, fmin(plan->p.high, position)));
}

void af_route(struct af_plan *plan)
{
	double sign = plan->setup.approach == MOVES_APPROACH_OUT ? 1 : -1;
	double position = plan->wish.position;
	double way = sign * (position - plan->p.stand);
	plan->wish.via = plan->wish.position;
	if (way < 0) {
		/* The mover makes the configured overshoot with every such move; a shorter one asked for here adds
		 * nothing. */
		double preload = fmax(plan->p.preload, BACKLASH_MARGIN * plan->p.backlash);
		if (preload > plan->setup.backlash_steps) {
			plan->wish.via = clamped(plan, position - sign * preload);
		}
		plan->p.reversed = true;
		plan->p.travel = fmax(plan->setup.backlash_steps, sign * (position - plan->wish.via));
	} else {
		plan->p.travel += way;
	}
	plan->p.stand = position;
}

static void ask_queued(struct af_plan *plan)
{
	plan->wish = (struct af_wish){.want = AF_WANT_SAMPLE, .exposure_factor = 1,
		.position = plan->p.queue[plan->p.queue_index]};
	af_route(plan);
	plan->p.retries = plan->p.cloud_repeats = 0;
}

static void begin_round(struct af_plan *plan)
{
	plan->p.queue_index = 0;
	plan->p.round_start = plan->point_count;
	ask_queued(plan);
}

void af_ask(struct af_plan *plan, double position)
{
	plan->p.queue[0] = clamped(plan, position);
	plan->p.queue_count = 1;
	begin_round(plan);
}

bool af_ask_many(struct af_plan *plan, enum af_phase phase, const double *positions, size_t count)
{
	int n = 0;
	bool outwards = plan->setup.approach == MOVES_APPROACH_OUT;
	for (size_t i = 0; i < count && n < AF_QUEUE_MAX; i++) {
		if (positions[i] < plan->p.low - 0.5 || positions[i] > plan->p.high + 0.5) {
			continue;
		}
		int32_t position = clamped(plan, positions[i]);
		int j = n;
		while (j > 0 && (outwards ? plan->p.queue[j - 1] > position
			: plan->p.queue[j - 1] < position)) {
			j--;
		}
		if (j > 0 && plan->p.queue[j - 1] == position) {
			continue;
		}
		memmove(&plan->p.queue[j + 1], &plan->p.queue[j],
			(size_t)(n - j) * sizeof plan->p.queue[0]);
		plan->p.queue[j] = position;
		n++;
	}
	if (n == 0) {
		return false;
	}
	plan->p.queue_count = n;
	plan->phase = phase;
	begin_round(plan);
	return true;
}

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

bool af_fail_rings(struct af_plan *plan)
{
	char why[sizeof plan->wish.reason];
	bool only = af_only_rings(plan, why, sizeof why);
	if (only) {
		af_fail(plan, ERR_NO_MINIMUM, "%s", why);
	}
	return only;
}

void af_fail_blank(struct af_plan *plan)
{
	if (af_fail_rings(plan)) {
		return;
	}
	if (plan->p.clouds > 0) {
		af_fail(plan, ERR_NO_STARS, "the stars lost more than half of their light in %d frames: "
			"clouds, or something in front of the telescope", plan->p.clouds);
	} else if (plan->p.trails > 0 && 2 * plan->p.trails >= plan->p.blanks) {
		af_fail(plan, ERR_NO_STARS, "%d frames show trails instead of stars: is the mount "
			"tracking?", plan->p.trails);
	} else if (plan->p.blanks == 0) {
		/* No frame was without stars, so nothing is said of the sky. */
		af_fail(plan, ERR_NO_STARS, "too few different frames were taken for a curve");
	} else {
		af_fail(plan, ERR_NO_STARS, "no measurable stars in %d frames: far from focus, clouds, "
			"a closed cover, or too short an exposure", plan->p.blanks);
	}
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
		if (clamped(plan, target) != clamped(plan, plan->setup.start_position)) {
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

/* Keeps the observation; false when its very pixels are here already. */
static bool keep(struct af_plan *plan, const struct af_observation *seen, bool usable,
	bool validation)
{
	for (size_t i = 0; i < plan->point_count && seen->recording_id != 0 && !validation; i++) {
		if (plan->p.recording[i] == seen->recording_id && !plan->points[i].validation) {
			return false;
		}
	}
	if (plan->point_count == CURVE_MAX_POINTS) {
		return false;
	}
	bool cloud = usable && seen->flux_ratio < CLOUD_FLUX;
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
	bool cloud = usable && seen->flux_ratio < CLOUD_FLUX;
	if (plan->wish.want == AF_WANT_FINAL) {
		keep(plan, seen, usable, true);
		if (plan->p.observations >= AF_MAX_OBSERVATIONS ||
			!repeat(plan, usable, cloud, seen->trailed)) {
			af_validate(plan, seen, usable && !cloud);
		}
		update_progress(plan);
		return;
	}
	keep(plan, seen, usable, false);
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
			ask_queued(plan);
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
