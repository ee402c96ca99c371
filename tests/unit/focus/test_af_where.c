/* SPDX-License-Identifier: MIT */
/* The reason of a run that saw nothing but large rings: which way focus lies, and how far, as far as that can be told.
 * The sizes are those of geometry: half-flux radius = slope x distance, with the scatter of real frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "af_plan.h"
#include "sky.h"

#define START 12000.0
#define SLOPE 0.01 /* px/step */

struct rings {
	double truth;      /* best position */
	double slope;      /* px/step of the sky */
	double scatter;    /* relative, of a size */
	double low, high;  /* no star is seen outside */
	bool dim;          /* they lose light against the first frame */
	bool stars;        /* one of the frames shows stars, not rings */
	uint64_t seed;
};

static struct af_plan_setup far_setup(void)
{
	return (struct af_plan_setup){.start_position = START, .min_step = 0, .max_step = 65535, .points = 9,
		.approach = MOVES_APPROACH_OUT, .focal_ratio = NAN, .aperture_mm = NAN, .obstruction = NAN,
		.focal_length_mm = NAN, .pixel_um = NAN, .step_size_um = NAN, .known_slope_px_per_step = NAN,
		.known_hfr_min_px = NAN};
}

/* Runs to the end, which is a failure, and returns its reason; *measured is how many frames showed rings. */
static const char *reason_of(struct af_plan *plan, const struct af_plan_setup *setup, struct rings *sky, int *measured)
{
	af_plan_init(plan, setup);
	*measured = 0;
	int looks = 0;
	while (plan->wish.want == AF_WANT_SAMPLE || plan->wish.want == AF_WANT_FINAL) {
		double x = plan->wish.position;
		bool seen = x >= sky->low && x <= sky->high;
		double h = sky->slope * fabs(x - sky->truth) * (1 + sky->scatter * sky_normal(&sky->seed));
		/* A cloud comes after three frames, and is never the same. */
		bool dim = sky->dim && looks > 2;
		const struct af_observation o = {.position = x, .stars = !seen ? 0 : dim ? 5 : 9,
			.hfr_px = seen ? h : NAN, .error_px = 0.02 * h,
			.flux_ratio = !dim ? 1 : looks % 2 == 0 ? 0.3 : 0.1, .duration_s = 3,
			.rings = seen && !(sky->stars && *measured == 1)};
		*measured += seen;
		looks++;
		af_plan_tell(plan, &o);
	}
	assert_int_equal(plan->wish.want, AF_WANT_FAILURE);
	print_message("%s\n", plan->wish.reason);
	return plan->wish.reason;
}

/* The steps that a reason tells, or -1. */
static double told(const char *reason, const char *after)
{
	double steps = -1;
	char side[8] = "";
	const char *at = strstr(reason, "focus lies about ");
	bool there = at != NULL && sscanf(at, "focus lies about %lf steps %7[a-z]", &steps, side) == 2;
	return there && strcmp(side, after) == 0 ? steps : -1;
}

static void only_rings_are_named(void **state)
{
	(void)state;
	for (int side = -1; side <= 1; side += 2) {
		for (uint64_t seed = 1; seed <= 20; seed++) {
			struct rings sky = {.truth = START + side * 2000, .slope = SLOPE, .scatter = 0.01,
				.low = START - 700, .high = START + 700, .seed = seed};
			struct af_plan_setup setup = far_setup();
			struct af_plan plan;
			int measured;
			const char *reason = reason_of(&plan, &setup, &sky, &measured);
			assert_true(measured >= 3);
			assert_int_equal(plan.wish.code, ERR_NO_MINIMUM);
			assert_int_equal(strncmp(reason, "only large rings, HFR ", 22), 0);
			double steps = told(reason, side < 0 ? "in" : "out");
			assert_true(steps >= 1500 && steps <= 2600);
		}
	}
}

/* Without a trend the side is not guessed; how far it is can be told by a slope that is known. */
static void no_side_without_a_trend(void **state)
{
	(void)state;
	for (int known = 0; known < 2; known++) {
		struct rings sky = {.truth = START - 20000, .slope = SLOPE, .scatter = 0.02, .low = START - 60,
			.high = START + 60, .seed = 5};
		struct af_plan_setup setup = far_setup();
		setup.max_radius_steps = 100;
		if (known) {
			setup.known_slope_px_per_step = SLOPE;
			setup.known_hfr_min_px = 2;
		}
		struct af_plan plan;
		int measured;
		const char *reason = reason_of(&plan, &setup, &sky, &measured);
		assert_int_equal(told(reason, "in"), -1);
		assert_int_equal(told(reason, "out"), -1);
		assert_true(measured >= 2);
		assert_non_null(strstr(reason, known ? "and the frames do not tell on which side"
						     : "on a side that the frames do not tell"));
		assert_int_equal(told(reason, "away"), known ? 20000 : -1);
	}
}

/* Rings that lose light are rings all the same. */
static void dim_rings_are_rings(void **state)
{
	(void)state;
	struct rings sky = {.truth = START - 2000, .slope = SLOPE, .scatter = 0.01, .low = START - 700,
		.high = START + 700, .dim = true, .seed = 3};
	struct af_plan_setup setup = far_setup();
	struct af_plan plan;
	int measured;
	const char *reason = reason_of(&plan, &setup, &sky, &measured);
	assert_int_equal(strncmp(reason, "only large rings, HFR ", 22), 0);
	assert_non_null(strstr(reason, "clouds?"));
}

/* Where anything else was seen it is not said that there were only rings. */
static void stars_among_them(void **state)
{
	(void)state;
	struct rings sky = {.truth = START - 2000, .slope = SLOPE, .scatter = 0.01, .low = START - 700,
		.high = START + 700, .stars = true, .seed = 3};
	struct af_plan_setup setup = far_setup();
	struct af_plan plan;
	int measured;
	assert_null(strstr(reason_of(&plan, &setup, &sky, &measured), "only large rings"));
}

/* The end of the range is named, and what lies beyond. */
static void beyond_the_range(void **state)
{
	(void)state;
	struct rings sky = {.truth = START - 2000, .slope = SLOPE, .scatter = 0.01, .low = 0, .high = 65535, .seed = 3};
	struct af_plan_setup setup = far_setup();
	setup.max_radius_steps = 700;
	struct af_plan plan;
	int measured;
	const char *reason = reason_of(&plan, &setup, &sky, &measured);
	assert_non_null(strstr(reason, "the end of the allowed range"));
	double steps = told(reason, "in");
	assert_true(steps >= 1500 && steps <= 2600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_rings_are_named),
		cmocka_unit_test(no_side_without_a_trend),
		cmocka_unit_test(dim_rings_are_rings),
		cmocka_unit_test(stars_among_them),
		cmocka_unit_test(beyond_the_range),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
