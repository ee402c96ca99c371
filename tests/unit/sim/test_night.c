/* SPDX-License-Identifier: MIT */
/* What can go wrong in a night, each against the truth that the simulator keeps or a number worked out
 * beside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "camera_driver.h"
#include "focuser_driver.h"
#include "measure.h"
#include "sim_cooler.h"
#include "sim_host.h"
#include "sim_lend.h"
#include "sim_render.h"
#include "sim_sky.h"
#include "sim_truth.h"
#include "sim_weather.h"

struct rig {
	struct test_host host;
	struct camera_port port;
	struct camera_caps caps;
	void *camera, *focuser;
	const struct camera_driver *c;
	const struct focuser_driver *f;
	uint16_t *pixels;
	struct frame_info info;
	struct test_lend lend;
};

static void rig_open(struct rig *rig)
{
	struct err err;
	struct focuser_port port = {.max_step = 0};
	rig->c = camera_driver_find("simulator");
	rig->f = focuser_driver_find("simulator");
	rig->camera = calloc(1, rig->c->ctx_size);
	rig->focuser = calloc(1, rig->f->ctx_size);
	assert_int_equal(rig->f->open(rig->focuser, &port, &rig->host.focuser, &err), ERR_OK);
	assert_int_equal(rig->c->open(rig->camera, &rig->port, &rig->host.camera, &rig->caps, &err),
		ERR_OK);
	rig->pixels = calloc((size_t)rig->caps.width * (size_t)rig->caps.height * 3, 2);
}

static void rig_fini(struct rig *rig)
{
	rig->c->close(rig->camera);
	test_lend_fini(&rig->lend);
	rig->f->close(rig->focuser);
	free(rig->camera);
	free(rig->focuser);
	free(rig->pixels);
	test_host_fini(&rig->host);
}

static void begin(struct rig *rig, double duration_s)
{
	struct exposure_request request = {.duration_s = duration_s, .light = true, .bin = 1,
		.num_x = rig->caps.width, .num_y = rig->caps.height,
		.gain = rig->caps.gain_default, .offset = rig->caps.offset_default};
	assert_int_equal(test_begin(&rig->lend, rig->c, rig->camera, &rig->caps, &request),
		ERR_OK);
}

static enum err_code finish(struct rig *rig)
{
	return test_read(&rig->lend, rig->c, rig->camera, rig->pixels, &rig->info);
}

static void expose(struct rig *rig)
{
	begin(rig, 3.0);
	clock_fake_advance(rig->host.focuser.clock, 4000);
	assert_int_equal(finish(rig), ERR_OK);
}

static void move_to(struct rig *rig, int32_t position, int64_t wait_ms)
{
	struct err err;
	assert_int_equal(rig->f->start_move(rig->focuser, position, &err), ERR_OK);
	clock_fake_advance(rig->host.focuser.clock, wait_ms);
}

static double measured_hfr(const struct rig *rig, int32_t x0, int32_t width)
{
	struct image image = {.data = rig->pixels + x0, .type = IMAGE_U16, .mosaic = rig->info.mosaic,
		.width = width, .height = rig->info.height, .stride = (size_t)rig->info.width,
		.full_scale_adu = rig->info.full_scale_adu};
	struct measure_options options = measure_defaults();
	struct measurement m;
	size_t listed;
	assert_int_equal(measure_frame(&image, &options, NULL, 0, &listed, &m, NULL), 0);
	assert_true(m.stars > 5);
	return m.hfr_px;
}

static void test_tilt(void **state)
{
	(void)state;
	struct rig rig = {.camera = NULL};
	test_host_init(&rig.host, 3);
	rig.host.simulator.best_position = 15000.0;
	rig.host.simulator.tilt_x_um = 1200.0;
	rig_open(&rig);
	/* Best focus of the right edge is 600 um = 200 steps further out than the centre's. */
	move_to(&rig, 15200, 60000);
	expose(&rig);
	double left = measured_hfr(&rig, 0, 320);
	double right = measured_hfr(&rig, rig.caps.width - 320, 320);
	assert_true(right < 3.65 && left > 3.0 * right);
	rig_fini(&rig);
}

/* Defocus of single stars by the formula: dz - a x - c r^2. */
static void test_focal_surface(void **state)
{
	(void)state;
	struct sim_field field = {.width = 400, .height = 300};
	struct sim_scene scene = {
		.field = &field, .tilt_x_um = 100.0, .tilt_y_um = -40.0, .curvature_um = 60.0};
	static const struct {
		double x, y, um;
	} row[] = {{200, 150, 7}, {400, 150, 7 - 50 - 60 * 0.64}, {0, 0, 7 + 50 - 20 - 60},
		{200, 300, 7 + 20 - 60 * 0.36}};
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct sim_star star = {.x = row[i].x, .y = row[i].y};
		assert_true(fabs(sim_scene_defocus(&scene, &star, 7.0) - row[i].um) < 1e-9);
	}
}

/* Blur mixed of two levels is as good as the exact one. */
static void test_mixed_blur(void **state)
{
	(void)state;
	static struct sim_seeing seeing;
	sim_seeing_init(&seeing);
	struct sim_star star = {.x = 100.0, .y = 100.0, .flux_e_s = 1e5};
	struct sim_field field = {.width = 200, .height = 200, .stars = &star, .star_count = 1};
	for (double um = 0.0; um < 40.0; um += 3.3) {
		double hfr[2];
		for (int i = 0; i < 2; i++) {
			struct sim_scene scene = {.field = &field, .seeing = &seeing, .light = true,
				.fwhm_px = 4.7, .blur_px_per_um = 1.0, .obstruction = 0.34,
				.tilt_x_um = i == 0 ? 0.0 : 1e-9, .focus = {{um, 1.0}}, .focus_count = 1,
				.light_s = 1.0};
			assert_int_equal(sim_scene_init(&scene), 0);
			hfr[i] = sim_truth_hfr_px(&scene, &star);
			sim_scene_fini(&scene);
		}
		assert_true(fabs(hfr[1] / hfr[0] - 1.0) < 0.01);
	}
}

/* A focuser that leaves during the exposure smears the stars: neither the size of the beginning nor
 * that of the end. */
static void test_motion_smears(void **state)
{
	(void)state;
	struct rig rig = {.camera = NULL};
	double hfr[3];
	test_host_init(&rig.host, 3);
	rig.host.simulator.best_position = 15000.0;
	rig.host.simulator.speed_steps_per_s = 80.0;
	rig_open(&rig);
	move_to(&rig, 15000, 600000);
	expose(&rig);
	hfr[0] = measured_hfr(&rig, 0, rig.caps.width);
	begin(&rig, 3.0);
	move_to(&rig, 15240, 4000);
	assert_int_equal(finish(&rig), ERR_OK);
	hfr[1] = measured_hfr(&rig, 0, rig.caps.width);
	expose(&rig);
	hfr[2] = measured_hfr(&rig, 0, rig.caps.width);
	assert_true(hfr[1] > 1.2 * hfr[0] && hfr[2] > 1.2 * hfr[1]);
	rig_fini(&rig);
}

static void test_colour(void **state)
{
	(void)state;
	for (int colour = SIMULATOR_BAYER; colour <= SIMULATOR_RGB; colour++) {
		struct rig rig = {.camera = NULL};
		test_host_init(&rig.host, 3);
		rig.host.simulator.colour = colour;
		rig.host.simulator.width = 200;
		rig.host.simulator.height = 100;
		rig.host.simulator.stars = 0;
		rig.host.simulator.hot_pixels = 0;
		rig_open(&rig);
		assert_int_equal(rig.caps.sensor_type, colour == SIMULATOR_BAYER ? 2 : 1);
		begin(&rig, 600.0);
		clock_fake_advance(rig.host.focuser.clock, 700000);
		assert_int_equal(finish(&rig), ERR_OK);
		assert_int_equal(rig.info.planes, colour == SIMULATOR_RGB ? 3 : 1);
		assert_int_equal(rig.info.mosaic, colour == SIMULATOR_BAYER ? IMAGE_BAYER : IMAGE_MONO);
		/* The sky behind filters of 0.28, 0.38, 0.26: red first, blue last in the cell. */
		double sum[3] = {0};
		double count[3] = {0};
		for (int i = 0; i < 200 * 100 * rig.info.planes; i++) {
			int x = i % 200;
			int y = i / 200;
			int plane = colour == SIMULATOR_RGB ? i % 3 : (x & 1) + (y & 1);
			sum[plane] += rig.pixels[i] - 500.0;
			count[plane] += 1.0;
		}
		double green = sum[1] / count[1];
		assert_true(fabs(sum[0] / count[0] / green - 0.28 / 0.38) < 0.02);
		assert_true(fabs(sum[2] / count[2] / green - 0.26 / 0.38) < 0.02);
		rig_fini(&rig);
	}
}

static void test_failing_readouts(void **state)
{
	(void)state;
	struct rig rig = {.camera = NULL};
	test_host_init(&rig.host, 3);
	rig.host.simulator.width = 64;
	rig.host.simulator.height = 64;
	rig.host.simulator.fail_every = 3;
	rig_open(&rig);
	for (int i = 1; i <= 9; i++) {
		begin(&rig, 1.0);
		clock_fake_advance(rig.host.focuser.clock, 2000);
		assert_int_equal(finish(&rig), i % 3 == 0 ? ERR_PROTOCOL : ERR_OK);
	}
	rig_fini(&rig);
}

static void test_a_jam(void **state)
{
	(void)state;
	struct rig rig = {.camera = NULL};
	struct err err;
	struct focuser_reading reading;
	test_host_init(&rig.host, 3);
	rig.host.simulator.stall_after = 2;
	rig_open(&rig);
	for (int i = 0; i < 4; i++) {
		int32_t target = i % 2 == 0 ? 20000 : 10000;
		move_to(&rig, target, 60000);
		assert_int_equal(rig.f->poll(rig.focuser, FOCUSER_WANT_MOTION, &reading, &err), ERR_OK);
		assert_int_equal(reading.moving, i >= 2);
		assert_int_equal(reading.position == target, i < 2);
		assert_int_equal(rig.f->halt(rig.focuser, &err), ERR_OK);
		int32_t at = reading.position;
		assert_int_equal(rig.f->poll(rig.focuser, FOCUSER_WANT_MOTION, &reading, &err), ERR_OK);
		assert_false(reading.moving);
		assert_int_equal(reading.position, at);
	}
	rig_fini(&rig);
}

/* The cooler gets to its set point and holds it with the power that leaks away: 25 of 40 degrees. */
static void test_cooler(void **state)
{
	(void)state;
	struct rig rig = {.camera = NULL};
	struct err err;
	struct camera_climate now = {.guiding = false};
	test_host_init(&rig.host, 3);
	rig_open(&rig);
	assert_int_equal(rig.c->poll_climate(rig.camera, &now, &err), ERR_OK);
	assert_true(fabs(now.sensor_c - 10.0) < 0.5 && now.power_percent == 0.0);
	assert_int_equal(rig.c->set_cooler(rig.camera, true, -15.0, &err), ERR_OK);
	clock_fake_advance(rig.host.focuser.clock, 20000);
	assert_int_equal(rig.c->poll_climate(rig.camera, &now, &err), ERR_OK);
	assert_true(now.sensor_c < 9.0 && now.sensor_c > -10.0 && now.power_percent > 90.0);
	clock_fake_advance(rig.host.focuser.clock, 900000);
	assert_int_equal(rig.c->poll_climate(rig.camera, &now, &err), ERR_OK);
	assert_true(fabs(now.sensor_c + 15.0) < 0.2);
	assert_true(fabs(now.power_percent - 62.0) < 4.0);
	assert_true(now.heatsink_c > 12.0);
	/* Out of reach: all it has, 40 degrees below the air. */
	assert_int_equal(rig.c->set_cooler(rig.camera, true, -50.0, &err), ERR_OK);
	clock_fake_advance(rig.host.focuser.clock, 900000);
	assert_int_equal(rig.c->poll_climate(rig.camera, &now, &err), ERR_OK);
	assert_true(now.power_percent == 100.0 && now.sensor_c > -33.0 && now.sensor_c < -28.0);
	assert_true(fabs(sim_dark_factor(4.0) - 0.5) < 1e-12);
	rig_fini(&rig);
}

/* 7.5 arcsec/s at 0.5454 arcsec/px: 13.75 px in a second. */
static void test_guiding(void **state)
{
	(void)state;
	struct rig rig = {.camera = NULL};
	struct err err;
	struct camera_climate now = {.guiding = false};
	test_host_init(&rig.host, 3);
	rig_open(&rig);
	struct sim_sky *sky = sim_sky_get(&rig.host.camera, 0);
	assert_int_equal(rig.c->pulse_guide(rig.camera, CAMERA_WEST, 1000, &err), ERR_OK);
	assert_int_equal(rig.c->pulse_guide(rig.camera, CAMERA_NORTH, 400, &err), ERR_OK);
	clock_fake_advance(rig.host.focuser.clock, 500);
	assert_int_equal(rig.c->poll_climate(rig.camera, &now, &err), ERR_OK);
	assert_true(now.guiding);
	assert_int_equal(now.next_poll_ms, 500);
	clock_fake_advance(rig.host.focuser.clock, 500);
	assert_int_equal(rig.c->poll_climate(rig.camera, &now, &err), ERR_OK);
	assert_false(now.guiding);
	assert_true(fabs(sim_load(&sky->guided_x) + 13.75) < 0.01);
	assert_true(fabs(sim_load(&sky->guided_y) - 5.50) < 0.01);
	rig_fini(&rig);
}

/* Clouds take what they are said to take, on average, and change within minutes, never by jumps. */
static void test_clouds(void **state)
{
	(void)state;
	struct sim_settings s = {.seed = 9, .cloud = 0.4};
	double sum = 0.0;
	double least = 1.0;
	double most = 0.0;
	double before = sim_transparency(&s, 0.0);
	for (int i = 0; i < 40000; i++) {
		double t = sim_transparency(&s, i);
		assert_true(t >= 0.0 && t <= 1.0 && fabs(t - before) < 0.05);
		sum += t;
		least = fmin(least, t);
		most = fmax(most, t);
		before = t;
	}
	assert_true(fabs(sum / 40000 - 0.6) < 0.01);
	assert_true(least < 0.4 && most > 0.8);
	s.cloud = 0.0;
	assert_true(sim_transparency(&s, 77.0) == 1.0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tilt),
		cmocka_unit_test(test_focal_surface),
		cmocka_unit_test(test_mixed_blur),
		cmocka_unit_test(test_motion_smears),
		cmocka_unit_test(test_colour),
		cmocka_unit_test(test_failing_readouts),
		cmocka_unit_test(test_a_jam),
		cmocka_unit_test(test_cooler),
		cmocka_unit_test(test_guiding),
		cmocka_unit_test(test_clouds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
