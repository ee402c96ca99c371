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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exposure),
		cmocka_unit_test(binning),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
