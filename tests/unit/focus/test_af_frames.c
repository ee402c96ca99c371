/* SPDX-License-Identifier: MIT */
/* How the exposure follows the stars, and the binning the blur. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "af_frames.h"

static void exposure(void **state)
{
	(void)state;
	static const struct {
		int stars, saturated;
		double next_s;
	} frames[] = {
		{40, 3, 3}, {5, 9, 3}, {0, 0, 3},          /* enough, or nothing to learn from */
		{4, 0, 6}, {2, 0, 12}, {1, 0, 12},         /* few: longer, up to four times */
		{3, 1, 12},                                /* a saturated one beside more that are not */
		{2, 2, 6}, {0, 7, 3}, {1, 8, 1.5},         /* saturated: shorter, */
		{0, 9, 0.75}, {0, 9, 0.75},                /* down to a quarter */
		{3, 0, 0.75},                              /* few again, but twice that saturates */
	};
	struct af_exposure e = {.asked_s = 3, .now_s = 3};
	for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
		af_next_exposure(&e, frames[i].stars, frames[i].saturated);
		assert_float_equal(e.now_s, frames[i].next_s, 1e-12);
	}
}

/* Sizes by 0.5683 x 2.5 arcsec over the scale, 206265 x pixel / focal length. */
static void binning(void **state)
{
	(void)state;
	static const struct {
		double focal_length_mm, pixel_um, pixels;
		int max_bin, bin;
	} cases[] = {
		{400, 3.76, 62e6, 4, 1},  /* 0.73 px: a wide field keeps its pixels, however many they are */
		{1400, 3.8, 62e6, 4, 1},  /* 2.5 px */
		{2030, 3.76, 9e6, 4, 2},  /* 3.7 px */
		{3900, 3.76, 62e6, 4, 4}, /* 7.1 px */
		{3900, 3.76, 62e6, 3, 2},
		{3900, 3.76, 62e6, 1, 1},
		{9000, 2.4, 62e6, 8, 4},
		{NAN, 3.76, 62e6, 4, 2}, {NAN, 3.76, 9e6, 4, 1}, {2030, NAN, 62e6, 1, 1},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct af_plan_setup setup = {.focal_length_mm = cases[i].focal_length_mm,
			.pixel_um = cases[i].pixel_um, .focal_ratio = NAN, .aperture_mm = NAN, .known_hfr_min_px = NAN};
		assert_int_equal(af_binning(&setup, cases[i].max_bin, cases[i].pixels), cases[i].bin);
	}
	struct af_plan_setup known = {.focal_length_mm = 400, .pixel_um = 3.76, .focal_ratio = NAN,
		.aperture_mm = NAN, .known_hfr_min_px = 3.2};
	assert_int_equal(af_binning(&known, 4, 9e6), 2);
}

/* A run whose focuser goes ahead wherever it may.  On a good night each place that was foreseen is then wished, without
 * a way about; where a frame is blank, its place is wished again by a way against which backlash is taken up. */
static int ahead_run(enum moves_approach approach, int blank_frame)
{
	const struct af_plan_setup setup = {.start_position = 20100, .min_step = 0, .max_step = 65535, .points = 9,
		.approach = approach, .backlash_steps = 0, .focal_ratio = NAN, .aperture_mm = NAN, .obstruction = NAN,
		.focal_length_mm = NAN, .pixel_um = NAN, .step_size_um = NAN, .known_slope_px_per_step = 0.02,
		.known_hfr_min_px = 1.8};
	struct af_plan plan;
	af_plan_init(&plan, &setup);
	int went = 0;
	for (int frame = 0; plan.wish.want == AF_WANT_SAMPLE || plan.wish.want == AF_WANT_FINAL; frame++) {
		int32_t here = plan.wish.position;
		double h = hypot(1.8, 0.02 * (here - 20000));
		int32_t next = -1;
		bool ahead = af_plan_ahead(&plan, &next);
		bool blank = ahead && went == blank_frame;
		const struct af_observation o = {.position = here, .stars = blank ? 0 : 40,
			.hfr_px = blank ? (double)NAN : h, .error_px = 0.01 * h, .flux_ratio = 1, .duration_s = 3};
		af_plan_tell(&plan, &o);
		if (!ahead) {
			continue;
		}
		went++;
		assert_true(approach == MOVES_APPROACH_OUT ? next > here : next < here);
		af_plan_went(&plan, next);
		if (blank) {
			assert_int_equal(plan.wish.position, here);
			assert_true(approach == MOVES_APPROACH_OUT ? plan.wish.via < here : plan.wish.via > here);
		} else {
			assert_int_equal(plan.wish.position, next);
			assert_int_equal(plan.wish.via, next);
		}
	}
	assert_int_equal(plan.wish.want, AF_WANT_SUCCESS);
	assert_in_range(plan.wish.position, 19998, 20002);
	return went;
}

static void ahead(void **state)
{
	(void)state;
	static const enum moves_approach approaches[] = {MOVES_APPROACH_OUT, MOVES_APPROACH_IN};
	for (int i = 0; i < 2; i++) {
		int most = ahead_run(approaches[i], -1);
		print_message("%d frames were measured on the way\n", most);
		assert_true(most >= 4);
		for (int blank = 0; blank < most; blank++) {
			ahead_run(approaches[i], blank);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ahead),
		cmocka_unit_test(exposure),
		cmocka_unit_test(binning),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
