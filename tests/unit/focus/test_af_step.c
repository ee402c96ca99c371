/* SPDX-License-Identifier: MIT */
/* What the optics say beforehand, against values that were worked out without this program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "af_inside.h"

static struct af_plan_setup optics(double ratio, double aperture_mm, double obstruction)
{
	return (struct af_plan_setup){.focal_ratio = ratio, .aperture_mm = aperture_mm, .obstruction = obstruction,
		.focal_length_mm = NAN, .pixel_um = 3.76, .step_size_um = 1};
}

/* Slopes: 1000 sqrt((1 + eps^2)/2) / (2 N p) by hand.  Sizes: seeing of 2.5 arcsec convolved with diffraction and pixel
 * numerically; the formula leaves the latter two out and is therefore smaller. */
static void slope_and_size(void **state)
{
	(void)state;
	static const struct {
		double ratio, aperture_mm, obstruction, slope_px_per_mm, hfr_px, short_by;
	} rows[] = {
		{5, 106, 0, 18.806, 1.06, 0.09}, {10, 203, 0.34, 9.932, 3.82, 0.04}, {4, 200, 0, 23.507, 1.50, 0.05}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct af_plan_setup setup = optics(rows[i].ratio, rows[i].aperture_mm, rows[i].obstruction);
		double slope = 1000 * af_optics_slope(&setup);
		assert_true(fabs(slope / rows[i].slope_px_per_mm - 1) < 1e-3);
		double off = 1 - af_optics_hfr(&setup) / rows[i].hfr_px;
		print_message("f/%.0f: %.2f px/mm, size short by %.1f %%\n", rows[i].ratio, slope, 100 * off);
		assert_true(off > 0 && off < rows[i].short_by);
	}
}

/* Two of three lengths suffice; without them, or without a step size, nothing is said. */
static void what_is_missing(void **state)
{
	(void)state;
	struct af_plan_setup setup = optics(10, 203, 0.34);
	double slope = af_optics_slope(&setup), hfr = af_optics_hfr(&setup);
	setup.focal_ratio = NAN;
	setup.focal_length_mm = 2030;
	assert_true(fabs(af_optics_slope(&setup) / slope - 1) < 1e-9 && fabs(af_optics_hfr(&setup) / hfr - 1) < 1e-9);
	setup.aperture_mm = NAN;
	assert_true(isnan(af_optics_slope(&setup)) && fabs(af_optics_hfr(&setup) / hfr - 1) < 1e-9);
	setup.focal_ratio = 10;
	setup.step_size_um = NAN;
	assert_true(isnan(af_optics_slope(&setup)) && isnan(af_critical_focus_zone_steps(&setup, 3)));
	setup.step_size_um = 0;
	assert_true(isnan(af_optics_slope(&setup)));
}

/* The reach of a sweep is where a hyperbola is AF_SWEEP_RATIO times its least size. */
static void reach_fits_ratio(void **state)
{
	(void)state;
	assert_true(fabs(sqrt(1 + AF_SWEEP_REACH * AF_SWEEP_REACH) / AF_SWEEP_RATIO - 1) < 1e-4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slope_and_size),
		cmocka_unit_test(what_is_missing),
		cmocka_unit_test(reach_fits_ratio),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
