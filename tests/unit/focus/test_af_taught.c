/* SPDX-License-Identifier: MIT */
/* What a finished plan teaches, on hyperbolas whose slopes, sizes and asymmetry are known, and what one frame says in
 * the light of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "af_plan.h"
#include "sky.h"

#define BEST 20000.0
#define SLOPE 0.02 /* px/step, mean of both arms */
#define LEAST 1.8  /* px */

/* The optics of which SLOPE is the slope: 203 mm f/10, obstruction 0.34: sqrt((1 + 0.34^2) / 2) q / (2 N p). */
static struct af_plan_setup setup_of(double step_size_um)
{
	return (struct af_plan_setup){.start_position = BEST - 150, .min_step = 0, .max_step = 65535, .points = 9,
		.approach = MOVES_APPROACH_OUT, .focal_ratio = 10, .aperture_mm = 203, .obstruction = 0.34,
		.focal_length_mm = 2030, .pixel_um = 3.76, .step_size_um = step_size_um,
		.known_slope_px_per_step = NAN, .known_hfr_min_px = NAN};
}

static double matching_step_um(void)
{
	return SLOPE * 2 * 10 * 3.76 / sqrt((1 + 0.34 * 0.34) / 2);
}

/* A run under a sky whose arm above focus is `ratio` times as steep as the one below, with the mean SLOPE. */
static void run(struct af_plan *plan, const struct af_plan_setup *setup, double ratio, double scatter, uint64_t seed)
{
	af_plan_init(plan, setup);
	while (plan->wish.want == AF_WANT_SAMPLE || plan->wish.want == AF_WANT_FINAL) {
		double t = plan->wish.position - BEST;
		double k = 2 * SLOPE / (1 + ratio) * (t > 0 ? ratio : 1);
		double h = sqrt(LEAST * LEAST + k * k * t * t) * (1 + scatter * sky_normal(&seed));
		const struct af_observation o = {.position = plan->wish.position, .stars = 50, .hfr_px = h,
			.error_px = 0.01 * h, .flux_ratio = 1, .duration_s = 3};
		af_plan_tell(plan, &o);
	}
}

static void asymmetry(void **state)
{
	(void)state;
	static const double ratios[] = {1, 1.1, 1.2, 1.3, 1 / 1.2};
	struct af_plan_setup setup = setup_of(matching_step_um());
	for (size_t i = 0; i < sizeof ratios / sizeof ratios[0]; i++) {
		struct af_plan plan;
		struct af_taught taught;
		run(&plan, &setup, ratios[i], 0, 1);
		assert_int_equal(plan.wish.want, AF_WANT_SUCCESS);
		af_plan_taught(&plan, &setup, &taught);
		print_message("ratio %.3f: asymmetry %.3f +- %.3f, slope %.5f +- %.5f, least %.3f +- %.3f\n", ratios[i],
			taught.asymmetry, taught.asymmetry_sigma, taught.slope_px_per_step, taught.slope_sigma,
			taught.hfr_min_px, taught.hfr_min_sigma_px);
		assert_true(fabs(taught.asymmetry - 2 * (ratios[i] - 1) / (ratios[i] + 1)) < 0.04);
		assert_true(fabs(taught.slope_px_per_step / SLOPE - 1) < 0.03);
		assert_true(fabs(taught.hfr_min_px / LEAST - 1) < 0.05);
	}
}

/* The truth lies within two sigmas as often as a normal distribution says: 95 of 100, 6 sigmas of that fewer is 82. */
static void sigmas_are_honest(void **state)
{
	(void)state;
	struct af_plan_setup setup = setup_of(matching_step_um());
	int runs = 0, slope = 0, arms = 0;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct af_plan plan;
		struct af_taught t;
		run(&plan, &setup, 1.1, 0.03, seed);
		af_plan_taught(&plan, &setup, &t);
		if (plan.wish.want == AF_WANT_SUCCESS) {
			runs++;
			slope += fabs(t.slope_px_per_step - SLOPE) < 2 * t.slope_sigma;
			arms += fabs(t.asymmetry - 2 * 0.1 / 2.1) < 2 * t.asymmetry_sigma;
		}
	}
	print_message("of %d: slope %d, asymmetry %d within two sigmas\n", runs, slope, arms);
	assert_true(runs > 90 && slope >= 0.82 * runs && arms >= 0.82 * runs);
}

static void a_failed_plan_teaches_nothing(void **state)
{
	(void)state;
	struct af_plan plan;
	struct af_taught taught;
	struct af_plan_setup setup = setup_of(NAN);
	af_plan_init(&plan, &setup);
	af_plan_taught(&plan, &setup, &taught);
	assert_true(isnan(taught.slope_px_per_step) && isnan(taught.asymmetry) && isnan(taught.backlash_steps));
}

/* A wrong step_size_um is said with its factor; a right one, or none, is not. */
static void optics_are_checked(void **state)
{
	(void)state;
	static const struct {
		double factor;
		const char *say;
	} cases[] = {{1, ""}, {1.15, ""}, {2, "0.5"}, {0.5, "2 times as steep"}, {NAN, ""}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct af_plan plan;
		struct af_taught taught;
		char say[160];
		struct af_plan_setup setup = setup_of(matching_step_um() * cases[i].factor);
		run(&plan, &setup, 1, 0.01, 5);
		assert_int_equal(plan.wish.want, AF_WANT_SUCCESS);
		af_plan_taught(&plan, &setup, &taught);
		bool disagree = af_optics_disagree(&taught, say, sizeof say);
		print_message("factor %g: ratio %.2f %s\n", cases[i].factor, taught.optics_ratio, say);
		assert_int_equal(disagree, cases[i].say[0] != '\0');
		assert_true(isnan(cases[i].factor) ? isnan(taught.optics_ratio)
						   : fabs(taught.optics_ratio * cases[i].factor - 1) < 0.05);
		assert_true(strlen(say) < sizeof say - 1);
	}
}

static void one_frame_is_checked(void **state)
{
	(void)state;
	static const struct {
		double least, sigma, hfr;
		int stars;
		enum err_code code;
	} cases[] = {
		{1.8, 0.05, 1.8, 9, ERR_OK}, {1.8, 0.05, 2.0, 9, ERR_OK}, {1.8, 0.05, 2.2, 9, ERR_VALIDATION},
		{1.8, 0.4, 2.2, 9, ERR_OK}, {1.8, 0, 2.2, 9, ERR_OK}, {1.8, 0, 2.4, 9, ERR_VALIDATION},
		{NAN, 0, 2.2, 9, ERR_BAD_FIT}, {1.8, 0.05, NAN, 0, ERR_NO_STARS},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct af_plan plan;
		struct af_plan_setup setup = setup_of(NAN);
		char reason[200];
		setup.known_hfr_min_px = cases[i].least;
		setup.known_hfr_min_sigma_px = cases[i].sigma;
		setup.known_slope_px_per_step = SLOPE;
		af_plan_init(&plan, &setup);
		const struct af_observation o = {.position = BEST, .stars = cases[i].stars, .hfr_px = cases[i].hfr,
			.error_px = 0.02, .flux_ratio = 1, .duration_s = 3};
		af_plan_tell(&plan, &o);
		assert_int_equal(af_check(&plan, reason, sizeof reason), cases[i].code);
		assert_int_equal(reason[0] == '\0', cases[i].code == ERR_OK);
		if (i == 2) {
			/* sqrt(2.2^2 - 1.8^2) / 0.02 = 63 */
			assert_non_null(strstr(reason, "about 63 steps"));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asymmetry),
		cmocka_unit_test(sigmas_are_honest),
		cmocka_unit_test(a_failed_plan_teaches_nothing),
		cmocka_unit_test(optics_are_checked),
		cmocka_unit_test(one_frame_is_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
