/* SPDX-License-Identifier: MIT */
/* What every part of the plan builds on: which samples count, the next wish and the way to it, and the end. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "af_inside.h"

/* The way that takes up a backlash which was seen, over that backlash.  Estimate: tests/unit/focus/test_af_plan.c
 * unknown_optics holds with it; not varied. */
#define BACKLASH_MARGIN 1.3

bool af_usable(const struct af_plan *plan, size_t i)
{
	const struct af_plan_point *p = &plan->points[i];
	return !p->validation && !plan->p.stale[i] && p->curve.stars > 0 && p->curve.why != CURVE_CLOUD;
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

int32_t af_clamped(const struct af_plan *plan, double position)
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
			plan->wish.via = af_clamped(plan, position - sign * preload);
		}
		plan->p.reversed = true;
		plan->p.travel = fmax(plan->setup.backlash_steps, sign * (position - plan->wish.via));
	} else {
		plan->p.travel += way;
	}
	plan->p.stand = position;
}

void af_ask_queued(struct af_plan *plan)
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
	af_ask_queued(plan);
}

void af_ask(struct af_plan *plan, double position)
{
	plan->p.queue[0] = af_clamped(plan, position);
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
		int32_t position = af_clamped(plan, positions[i]);
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
