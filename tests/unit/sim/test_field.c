/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim_host.h"
#include "sim_render.h"
#include "sim_sky.h"

/* Every seed gives enough light at the ends of a sweep: at least 20 stars above SNR 20 in an
 * aperture of 2.2 x HFR, for 3 s at u = 6, by the CCD equation. */
static void test_enough_stars_for_every_seed(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 50; seed++) {
		struct test_host host;
		test_host_init(&host, seed);
		struct sim_settings s;
		sim_settings_init(&s, &host.camera, 0);
		struct sim_field field;
		assert_int_equal(sim_field_init(&field, &s), 0);
		double fwhm_px = sim_star_fwhm_um(&s, s.seeing_arcsec) / s.pixel_um;
		double aperture = M_PI * pow(2.2 * 2.2804 * fwhm_px, 2.0);
		int good = 0;
		int saturated = 0;
		for (size_t i = 0; i < field.star_count; i++) {
			const struct sim_star *star = &field.stars[i];
			if (star->x < 40 || star->y < 40 || star->x > s.width - 40
				|| star->y > s.height - 40) {
				continue;
			}
			double e = 3.0 * star->flux_e_s;
			double noise = sqrt(e + aperture * (3.0 * field.sky_e_s + 4.0));
			good += e / noise > 20.0;
			/* Peak of a Kolmogorov star is 0.9 / FWHM^2 of its flux; 16500 e fill 16 bits. */
			saturated += 0.9 * e / (fwhm_px * fwhm_px) > 16500.0;
		}
		assert_true(good >= 20);
		assert_true(saturated <= 15);
		sim_field_fini(&field);
		test_host_fini(&host);
	}
}

/* The light of a whole field is the same at every defocus. */
static void test_flux_does_not_depend_on_focus(void **state)
{
	(void)state;
	struct test_host host;
	test_host_init(&host, 4);
	host.simulator.width = 400;
	host.simulator.height = 400;
	struct sim_settings s;
	sim_settings_init(&s, &host.camera, 0);
	struct sim_star star = {.x = 200.3, .y = 199.8, .flux_e_s = 1e6};
	struct sim_field field = {.width = 400, .height = 400, .stars = &star, .star_count = 1};
	static struct sim_seeing seeing;
	sim_seeing_init(&seeing);
	float *electrons = malloc(400 * 400 * sizeof *electrons);
	assert_non_null(electrons);
	for (double blur = 0.0; blur < 300.0; blur = blur * 1.7 + 0.4) {
		struct sim_scene scene = {.field = &field, .seeing = &seeing, .light = true,
			.fwhm_px = 4.7, .blur_px_per_um = 1.0, .obstruction = 0.34,
			.focus = {{blur, 1.0}}, .focus_count = 1, .light_s = 2.0};
		assert_int_equal(sim_scene_init(&scene), 0);
		sim_render(&scene, 0, 0, 400, 400, -1, electrons);
		double sum = 0.0;
		for (int i = 0; i < 400 * 400; i++) {
			sum += (double)electrons[i];
		}
		assert_true(fabs(sum / 2e6 - 1.0) < 0.001);
		sim_scene_fini(&scene);
	}
	free(electrons);
	test_host_fini(&host);
}

/* The telescope that is configured is the telescope that is simulated. */
static void test_configured_optics(void **state)
{
	(void)state;
	struct test_host host;
	test_host_init(&host, 1);
	struct sim_settings s;
	sim_settings_init(&s, &host.camera, 0);
	assert_true(s.focal_length_mm == sim_default_optics()->focal_length_mm);
	assert_true(fabs(s.obstruction - 69.0 / 203.2) < 1e-9);
	/* Zone of 10 % growth: 0.00195 x theta x sqrt(10) x D x N^2 um with theta 2.56 arcsec, wide
	 * enough to be more than a step and narrow enough to be worth finding. */
	double ratio = 1422.0 / 203.2;
	double zone = 0.00195 * 2.56 * sqrt(10.0) * 203.2 * ratio * ratio / s.step_um;
	assert_true(zone > 20.0 && zone < 60.0);
	host.optics.focal_length_mm = 530.0;
	host.optics.aperture_mm = 106.0;
	host.camera.step_size_um = 2.0;
	sim_settings_init(&s, &host.camera, 0);
	assert_true(s.obstruction == 0.0);
	/* hypot(2.5 arcsec, 1.029 x 0.55 um / 106 mm = 1.101 arcsec) x 530 mm = 7.02 um, times 5, at
	 * 2 um a step. */
	assert_true(fabs(sim_unit_steps(&s) - 17.55) < 0.02);
	host.simulator.obstruction = 0.4;
	sim_settings_init(&s, &host.camera, 0);
	assert_true(s.obstruction == 0.4);
	test_host_fini(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enough_stars_for_every_seed),
		cmocka_unit_test(test_flux_does_not_depend_on_focus),
		cmocka_unit_test(test_configured_optics),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
