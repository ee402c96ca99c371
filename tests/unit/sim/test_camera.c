/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "camera_driver.h"
#include "focuser_driver.h"
#include "measure.h"
#include "sim_host.h"
#include "sim_lend.h"
#include "sim_sky.h"

/* A camera, with a focuser when a test opens one. */
struct rig {
	struct test_host host;
	const struct camera_driver *camera;
	void *camera_ctx;
	struct camera_port port;
	struct camera_caps caps;
	const struct focuser_driver *focuser;
	void *focuser_ctx;
	struct focuser_port focuser_port;
	uint16_t *pixels;
	struct frame_info info;
	struct test_lend lend;
};

static void rig_init(struct rig *rig, uint64_t seed)
{
	memset(rig, 0, sizeof *rig);
	test_host_init(&rig->host, seed);
	rig->camera = camera_driver_find("simulator");
	rig->focuser = focuser_driver_find("simulator");
	assert_non_null(rig->camera);
	assert_non_null(rig->focuser);
}

static void rig_open(struct rig *rig)
{
	struct err err;
	rig->camera_ctx = calloc(1, rig->camera->ctx_size);
	assert_int_equal(rig->camera->open(rig->camera_ctx, &rig->port, &rig->host.camera, &rig->caps,
		&err), ERR_OK);
	rig->pixels = calloc((size_t)rig->caps.width * (size_t)rig->caps.height, 2);
}

static void rig_open_focuser(struct rig *rig)
{
	struct err err;
	rig->focuser_ctx = calloc(1, rig->focuser->ctx_size);
	assert_int_equal(rig->focuser->open(rig->focuser_ctx, &rig->focuser_port, &rig->host.focuser,
		&err), ERR_OK);
}

static void rig_fini(struct rig *rig)
{
	rig->camera->close(rig->camera_ctx);
	test_lend_fini(&rig->lend);
	free(rig->camera_ctx);
	if (rig->focuser_ctx != NULL) {
		rig->focuser->close(rig->focuser_ctx);
		free(rig->focuser_ctx);
	}
	free(rig->pixels);
	test_host_fini(&rig->host);
}

static struct exposure_request whole(const struct rig *rig, double duration_s)
{
	return (struct exposure_request){
		.duration_s = duration_s, .light = true, .bin = 1,
		.num_x = rig->caps.width, .num_y = rig->caps.height,
		.gain = rig->caps.gain_default, .offset = rig->caps.offset_default,
	};
}

static enum err_code begin(struct rig *rig, const struct exposure_request *request)
{
	return test_begin(&rig->lend, rig->camera, rig->camera_ctx, &rig->caps, request);
}

static enum err_code read_out(struct rig *rig)
{
	return test_read(&rig->lend, rig->camera, rig->camera_ctx, rig->pixels, &rig->info);
}

static void expose(struct rig *rig, const struct exposure_request *request)
{
	assert_int_equal(begin(rig, request), ERR_OK);
	double taken_s = fmax(request->duration_s, rig->caps.exposure_min_s);
	clock_fake_advance(rig->host.camera.clock, (int64_t)(taken_s * 1000.0));
	test_until_ready(rig->camera, rig->camera_ctx);
	assert_int_equal(read_out(rig), ERR_OK);
}

static void move_to(struct rig *rig, int32_t position)
{
	struct err err;
	struct focuser_reading reading;
	assert_int_equal(rig->focuser->start_move(rig->focuser_ctx, position, &err), ERR_OK);
	clock_fake_advance(rig->host.camera.clock, 60000);
	assert_int_equal(rig->focuser->poll(rig->focuser_ctx, FOCUSER_WANT_MOTION, &reading, &err),
		ERR_OK);
	assert_int_equal(reading.position, position);
}

struct stats {
	double mean, sd;
};

/* Of the values within five robust sigmas, so that hot pixels do not count. */
static struct stats stats_of(const uint16_t *pixels, size_t n, double low, double high)
{
	double sum = 0.0;
	double squares = 0.0;
	double used = 0.0;
	for (size_t i = 0; i < n; i++) {
		if (pixels[i] >= low && pixels[i] <= high) {
			sum += pixels[i];
			squares += (double)pixels[i] * pixels[i];
			used += 1.0;
		}
	}
	double mean = sum / used;
	return (struct stats){mean, sqrt(squares / used - mean * mean)};
}

static struct measurement measure(const struct rig *rig)
{
	struct image image = {
		.data = rig->pixels, .type = IMAGE_U16, .width = rig->info.width,
		.height = rig->info.height, .stride = (size_t)rig->info.width,
		.full_scale_adu = rig->info.full_scale_adu,
	};
	struct measure_options options = measure_defaults();
	struct measurement m;
	size_t listed;
	assert_int_equal(measure_frame(&image, &options, NULL, 0, &listed, &m, NULL), 0);
	return m;
}

/* HFR over in-focus FWHM against blur over FWHM, obstruction 0.34, Kolmogorov seeing: the table
 * computed by numerical convolution.  Here it must come out of whole noisy frames, through the
 * measurement of the maths room; the seeing of each frame scatters by some 4 %. */
static void test_the_v_curve_of_measured_frames(void **state)
{
	(void)state;
	static const struct {
		double u, g;
	} row[] = {{0.0, 0.5683}, {2.0, 0.9123}, {4.0, 1.5655}, {6.0, 2.2804}, {-4.0, 1.5655}};
	struct rig rig;
	rig_init(&rig, 21);
	rig.host.simulator.best_position = 15000.0;
	rig_open(&rig);
	rig_open_focuser(&rig);
	struct sim_settings settings;
	sim_settings_init(&settings, &rig.host.camera, 0);
	double fwhm_px = sim_star_fwhm_um(&settings, settings.seeing_arcsec) / settings.pixel_um;
	/* 2.5 arcsec and 0.54 of diffraction at 1422 mm and 3.76 um. */
	assert_true(fabs(fwhm_px - 4.69) < 0.05);
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		move_to(&rig, (int32_t)lrint(15000.0 + row[i].u * sim_unit_steps(&settings)));
		struct exposure_request request = whole(&rig, 3.0);
		expose(&rig, &request);
		struct measurement m = measure(&rig);
		double wanted = row[i].g * fwhm_px;
		print_message("u %4.1f: %3d stars, HFR %.3f px, table %.3f, donut %d\n", row[i].u,
			m.stars, m.hfr_px, wanted, m.donut);
		assert_true(m.stars >= 20);
		double tolerance = fabs(row[i].u) < 3.0 ? 0.12 : 0.05;
		assert_true(fabs(m.hfr_px / wanted - 1.0) < tolerance);
		if (fabs(row[i].u) >= 4.0) {
			assert_true(m.donut);
		}
		if (row[i].u == 0.0) {
			assert_false(m.donut);
		}
	}
	rig_fini(&rig);
}

static void test_same_seed_same_frames(void **state)
{
	(void)state;
	uint16_t *first[2] = {NULL, NULL};
	static const uint64_t seeds[3] = {5, 5, 6};
	const size_t bytes = 320 * 240 * sizeof(uint16_t);
	for (int i = 0; i < 3; i++) {
		struct rig rig;
		rig_init(&rig, seeds[i]);
		rig.host.simulator.width = 320;
		rig.host.simulator.height = 240;
		rig_open(&rig);
		rig_open_focuser(&rig);
		/* Another pace of the clock must not matter. */
		clock_fake_advance(rig.host.camera.clock, 777 * i);
		struct exposure_request request = whole(&rig, 2.0);
		for (int k = 0; k < 2; k++) {
			expose(&rig, &request);
			if (i == 0) {
				first[k] = malloc(bytes);
				memcpy(first[k], rig.pixels, bytes);
			} else {
				assert_int_equal(memcmp(first[k], rig.pixels, bytes) == 0, i == 1);
			}
		}
		assert_memory_not_equal(first[0], first[1], bytes);
		rig_fini(&rig);
	}
	free(first[0]);
	free(first[1]);
}

static void test_an_exposure_takes_its_time(void **state)
{
	(void)state;
	struct rig rig;
	struct err err;
	struct camera_reading reading;
	rig_init(&rig, 1);
	rig.host.simulator.width = 64;
	rig.host.simulator.height = 64;
	rig.host.simulator.readout_s = 0.15;
	rig_open(&rig);
	struct exposure_request request = whole(&rig, 10.0);
	assert_int_equal(rig.camera->poll(rig.camera_ctx, &reading, &err), ERR_OK);
	assert_int_equal(reading.state, CAMERA_DRIVER_IDLE);
	assert_int_equal(begin(&rig, &request), ERR_OK);
	assert_int_equal(begin(&rig, &request),
		ERR_INVALID_OPERATION);
	clock_fake_advance(rig.host.camera.clock, 4000);
	assert_int_equal(rig.camera->poll(rig.camera_ctx, &reading, &err), ERR_OK);
	assert_int_equal(reading.state, CAMERA_DRIVER_EXPOSING);
	assert_true(reading.elapsed_s == 4.0);
	assert_true(reading.next_poll_ms > 0);
	assert_int_equal(read_out(&rig),
		ERR_INVALID_OPERATION);
	clock_fake_advance(rig.host.camera.clock, 6000);
	assert_int_equal(rig.camera->poll(rig.camera_ctx, &reading, &err), ERR_OK);
	assert_int_equal(reading.state, CAMERA_DRIVER_READING);
	assert_true(reading.elapsed_s == 10.0);
	assert_int_equal(reading.next_poll_ms, 150);
	clock_fake_advance(rig.host.camera.clock, 150);
	test_until_ready(rig.camera, rig.camera_ctx);
	assert_int_equal(read_out(&rig),
		ERR_OK);
	assert_true(rig.info.exposure_s == 10.0);
	assert_false(rig.info.position_known);
	assert_int_equal(rig.camera->poll(rig.camera_ctx, &reading, &err), ERR_OK);
	assert_int_equal(reading.state, CAMERA_DRIVER_IDLE);

	/* Abort throws away, stop keeps what was collected. */
	assert_int_equal(begin(&rig, &request), ERR_OK);
	assert_int_equal(rig.camera->abort(rig.camera_ctx, &err), ERR_OK);
	assert_int_equal(rig.camera->abort(rig.camera_ctx, &err), ERR_OK);
	assert_int_equal(rig.camera->poll(rig.camera_ctx, &reading, &err), ERR_OK);
	assert_int_equal(reading.state, CAMERA_DRIVER_IDLE);
	assert_int_equal(begin(&rig, &request), ERR_OK);
	clock_fake_advance(rig.host.camera.clock, 2500);
	assert_int_equal(rig.camera->stop(rig.camera_ctx, &err), ERR_OK);
	clock_fake_advance(rig.host.camera.clock, 500);
	test_until_ready(rig.camera, rig.camera_ctx);
	assert_int_equal(read_out(&rig),
		ERR_OK);
	assert_true(rig.info.exposure_s == 2.5);
	rig_fini(&rig);
}

/* The read-out takes as long as the configuration says, and no time by itself; the faster mode takes 0.4 of it, half of
 * the rows half of it (focusd.conf(5)). */
static void test_the_time_of_a_read_out(void **state)
{
	(void)state;
	static const struct {
		double readout_s;
		int mode;
		int32_t rows;
		int64_t late_ms;
	} row[] = {{0, 0, 64, 0}, {0, 1, 64, 0}, {2, 0, 64, 2000}, {2, 1, 64, 800}, {2, 0, 32, 1000}};
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct rig rig;
		struct camera_reading reading;
		struct err err;
		rig_init(&rig, 1);
		rig.host.simulator.width = 64;
		rig.host.simulator.height = 64;
		rig.host.simulator.readout_s = row[i].readout_s;
		rig_open(&rig);
		struct exposure_request request = whole(&rig, 1.0);
		request.num_y = row[i].rows;
		request.readout_mode = row[i].mode;
		assert_int_equal(begin(&rig, &request), ERR_OK);
		clock_fake_advance(rig.host.camera.clock, 1000 + row[i].late_ms - 1);
		assert_int_equal(rig.camera->poll(rig.camera_ctx, &reading, &err), ERR_OK);
		assert_int_equal(reading.state,
			row[i].late_ms > 1 ? CAMERA_DRIVER_READING : CAMERA_DRIVER_EXPOSING);
		assert_int_equal(reading.next_poll_ms, 1);
		clock_fake_advance(rig.host.camera.clock, 1);
		test_until_ready(rig.camera, rig.camera_ctx);
		assert_int_equal(read_out(&rig), ERR_OK);
		rig_fini(&rig);
	}
}

/* Levels and noise of a dark frame: offset 50 is 500 ADU; 0.8 e/ADU and 3.5 e at gain 0, ten times
 * less and 1.43 e at 200 (20 dB); a mean of b x b pixels has 1/b of the noise. */
static void test_the_sensor(void **state)
{
	(void)state;
	static const struct {
		int gain, bin;
		int32_t offset;
		double mean, sd;
	} row[] = {
		{0, 1, 50, 500.0, 3.5 / 0.8},
		{200, 1, 50, 500.0, 1.43 / 0.08},
		{200, 1, 100, 1000.0, 1.43 / 0.08},
		{200, 2, 50, 500.0, 0.5 * 1.43 / 0.08},
		{200, 4, 50, 500.0, 0.25 * 1.43 / 0.08},
	};
	struct rig rig;
	rig_init(&rig, 8);
	rig.host.simulator.width = 640;
	rig.host.simulator.height = 480;
	rig_open(&rig);
	assert_true(fabs(rig.caps.electrons_per_adu - 0.8 / sqrt(10.0)) < 1e-9);
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct exposure_request request = whole(&rig, 0.0);
		request.light = false;
		request.gain = row[i].gain;
		request.offset = row[i].offset;
		request.bin = row[i].bin;
		request.num_x /= row[i].bin;
		request.num_y /= row[i].bin;
		expose(&rig, &request);
		size_t n = (size_t)request.num_x * (size_t)request.num_y;
		struct stats s = stats_of(rig.pixels, n, 0, 65535);
		assert_true(fabs(s.mean - row[i].mean) < 0.3);
		assert_true(fabs(s.sd / row[i].sd - 1.0) < 0.03);
		assert_int_equal(rig.info.width, request.num_x);
		assert_int_equal(rig.info.bin, request.bin);
	}
	rig_fini(&rig);
}

/* Photon transfer of the sky: variance over signal is one electron per electron. */
static void test_photon_noise(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig, 8);
	rig.host.simulator.stars = 0;
	rig.host.simulator.width = 640;
	rig.host.simulator.height = 480;
	rig_open(&rig);
	struct exposure_request request = whole(&rig, 300.0);
	request.gain = 0;
	expose(&rig, &request);
	struct stats s = stats_of(rig.pixels, 640 * 480, 500, 2500);
	double electrons = (s.mean - 500.0) * 0.8;
	double variance = s.sd * s.sd * 0.8 * 0.8 - 3.5 * 3.5;
	assert_true(electrons > 500.0);
	assert_true(fabs(variance / electrons - 1.0) < 0.03);
	rig_fini(&rig);
}

static void test_saturation_and_hot_pixels(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig, 8);
	rig_open(&rig);
	rig_open_focuser(&rig);
	struct sim_truth truth;
	assert_true(sim_truth(&rig.host.camera, 0, &truth));
	move_to(&rig, (int32_t)lrint(truth.best_position));
	struct exposure_request request = whole(&rig, 120.0);
	expose(&rig, &request);
	size_t n = (size_t)request.num_x * (size_t)request.num_y;
	size_t full = 0;
	for (size_t i = 0; i < n; i++) {
		full += rig.pixels[i] == 65535;
	}
	assert_true(full > 100);
	assert_true(measure(&rig).saturated > 3);

	/* Hot pixels are where they were, in darks of any length, and grow with time. */
	request.light = false;
	request.duration_s = 10.0;
	expose(&rig, &request);
	uint16_t *first = malloc(n * sizeof *first);
	assert_non_null(first);
	memcpy(first, rig.pixels, n * sizeof *first);
	request.duration_s = 20.0;
	expose(&rig, &request);
	size_t hot = 0;
	for (size_t i = 0; i < n; i++) {
		if (first[i] > 1500 && first[i] < 20000) {
			hot++;
			double grown = (rig.pixels[i] - 500.0) / (first[i] - 500.0);
			assert_true(grown > 1.5 && grown < 2.5);
		}
	}
	assert_true(hot > 20);
	free(first);
	rig_fini(&rig);
}

/* A subframe shows the same part of the sky, binned or not: the brightest pixels agree. */
static void test_subframes(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig, 13);
	rig.host.simulator.width = 600;
	rig.host.simulator.height = 500;
	rig.host.simulator.best_position = 9000.0;
	rig_open(&rig);
	rig_open_focuser(&rig);
	move_to(&rig, 9000);
	struct exposure_request request = whole(&rig, 3.0);
	expose(&rig, &request);
	uint16_t *frame = malloc(600 * 500 * sizeof *frame);
	assert_non_null(frame);
	memcpy(frame, rig.pixels, 600 * 500 * sizeof *frame);
	request.start_x = 100;
	request.start_y = 50;
	request.num_x = 300;
	request.num_y = 200;
	expose(&rig, &request);
	double same = 0.0;
	double sum = 0.0;
	double other = 0.0;
	for (int y = 0; y < 200; y++) {
		for (int x = 0; x < 300; x++) {
			double a = rig.pixels[y * 300 + x] - 500.0;
			double b = frame[(y + 50) * 600 + x + 100] - 500.0;
			same += a * b;
			sum += a * a;
			other += b * b;
		}
	}
	assert_true(same / sqrt(sum * other) > 0.95);

	request.bin = 2;
	request.start_x = 50;
	request.start_y = 25;
	request.num_x = 150;
	request.num_y = 100;
	expose(&rig, &request);
	same = sum = other = 0.0;
	for (int y = 0; y < 100; y++) {
		for (int x = 0; x < 150; x++) {
			const uint16_t *corner = frame + (2 * y + 50) * 600 + 2 * x + 100;
			double a = rig.pixels[y * 150 + x] - 500.0;
			double b = 0.25 * (corner[0] + corner[1] + corner[600] + corner[601]) - 500.0;
			same += a * b;
			sum += a * a;
			other += b * b;
		}
	}
	assert_true(same / sqrt(sum * other) > 0.95);
	free(frame);
	rig_fini(&rig);
}

/* A focuser of another make: what core says of its position counts, and the best focus lies 3 to 8
 * units from where it was first seen, for good. */
static void test_a_focuser_of_another_make(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig, 2);
	rig.host.simulator.width = 500;
	rig.host.simulator.height = 400;
	rig_open(&rig);
	struct sim_truth truth;
	assert_false(sim_truth(&rig.host.camera, 0, &truth));
	struct exposure_request request = whole(&rig, 3.0);
	request.focuser_known = true;
	request.focuser_position = 4000.0;
	expose(&rig, &request);
	assert_true(sim_truth(&rig.host.camera, 0, &truth));
	assert_false(truth.fed);
	double units = fabs(truth.best_position - 4000.0) / truth.unit_steps;
	assert_true(units >= 2.99 && units <= 8.01);
	double far = measure(&rig).hfr_px;
	request.focuser_position = truth.best_position;
	expose(&rig, &request);
	double near = measure(&rig).hfr_px;
	assert_true(near < 3.2 && far > 1.8 * near);

	/* Nobody knows the position: out of focus, no error. */
	request.focuser_known = false;
	expose(&rig, &request);
	assert_true(measure(&rig).hfr_px > 1.8 * near);
	rig_fini(&rig);
}

static void test_clouds_take_light(void **state)
{
	(void)state;
	double flux[2];
	for (int i = 0; i < 2; i++) {
		struct rig rig;
		rig_init(&rig, 31);
		rig.host.simulator.cloud = i == 0 ? 0.0 : 0.5;
		rig.host.simulator.best_position = 9000.0;
		rig_open(&rig);
		rig_open_focuser(&rig);
		move_to(&rig, 9000);
		struct exposure_request request = whole(&rig, 3.0);
		expose(&rig, &request);
		flux[i] = measure(&rig).flux_adu;
		rig_fini(&rig);
	}
	assert_true(flux[1] / flux[0] > 0.3 && flux[1] / flux[0] < 0.7);
}

/* The two workers of a server, each with its own driver, under one sky and one running clock. */
static void *focuser_worker(void *arg)
{
	struct rig *rig = arg;
	struct err err;
	struct focuser_reading reading;
	for (int i = 0; i < 2000; i++) {
		rig->focuser->start_move(rig->focuser_ctx, i % 2 == 0 ? 100 : 20000, &err);
		rig->focuser->poll(rig->focuser_ctx, FOCUSER_WANT_MOTION, &reading, &err);
		rig->focuser->halt(rig->focuser_ctx, &err);
	}
	return NULL;
}

static void test_two_workers(void **state)
{
	(void)state;
	struct rig rig;
	struct err err;
	rig_init(&rig, 3);
	rig.host.simulator.width = 64;
	rig.host.simulator.height = 48;
	struct clock *clock = clock_create_scaled(100000.0);
	rig.host.focuser.clock = clock;
	struct clock *fake = rig.host.camera.clock;
	rig.host.camera.clock = clock;
	rig_open(&rig);
	rig_open_focuser(&rig);
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, focuser_worker, &rig), 0);
	struct exposure_request request = whole(&rig, 1.0);
	for (int i = 0; i < 20; i++) {
		struct camera_reading reading = {.state = CAMERA_DRIVER_IDLE};
		assert_int_equal(begin(&rig, &request), ERR_OK);
		while (reading.state != CAMERA_DRIVER_READY) {
			assert_int_equal(rig.camera->poll(rig.camera_ctx, &reading, &err), ERR_OK);
		}
		assert_int_equal(read_out(&rig), ERR_OK);
	}
	pthread_join(thread, NULL);
	struct sim_truth truth;
	assert_true(sim_truth(&rig.host.camera, 0, &truth));
	assert_int_equal(truth.frames, 20);
	assert_true(truth.optics_position >= 0.0 && truth.optics_position <= SIM_MAX_STEP);
	rig.host.focuser.clock = fake;
	clock_destroy(clock);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_v_curve_of_measured_frames),
		cmocka_unit_test(test_same_seed_same_frames),
		cmocka_unit_test(test_an_exposure_takes_its_time),
		cmocka_unit_test(test_the_time_of_a_read_out),
		cmocka_unit_test(test_the_sensor),
		cmocka_unit_test(test_photon_noise),
		cmocka_unit_test(test_saturation_and_hot_pixels),
		cmocka_unit_test(test_subframes),
		cmocka_unit_test(test_a_focuser_of_another_make),
		cmocka_unit_test(test_clouds_take_light),
		cmocka_unit_test(test_two_workers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
