/* SPDX-License-Identifier: MIT */
/* Frames that are painted while they are exposed: by however many threads, whatever happens meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>

#include "camera_driver.h"
#include "focuser_driver.h"
#include "sim_host.h"
#include "sim_lend.h"
#include "sim_paint.h"
#include "sim_sky.h"

/* ---- the painter ---- */

struct studio {
	struct test_host host;
	struct sim_settings settings;
	struct sim_field field;
	struct sim_seeing seeing;
	struct sim_ziggurat ziggurat;
	struct frame_pool *pool;
};

static void studio_init(struct studio *s, int colour, int32_t width, int32_t height)
{
	test_host_init(&s->host, 9);
	s->host.simulator.colour = colour;
	s->host.simulator.width = width;
	s->host.simulator.height = height;
	s->host.simulator.stars = 300;
	sim_settings_init(&s->settings, &s->host.camera, 0);
	assert_int_equal(sim_field_init(&s->field, &s->settings), 0);
	sim_seeing_init(&s->seeing);
	sim_ziggurat_init(&s->ziggurat);
	s->pool = frame_pool_create();
}

static void studio_fini(struct studio *s)
{
	frame_pool_release(s->pool);
	sim_field_fini(&s->field);
	test_host_fini(&s->host);
}

static struct sim_paint_job job_of(struct studio *s, int bin)
{
	struct frame_info info = {.width = s->settings.width / bin, .height = s->settings.height / bin,
		.planes = s->settings.colour == SIMULATOR_RGB ? 3 : 1, .bin = bin};
	struct sim_paint_job job = {
		.scene = {.field = &s->field, .seeing = &s->seeing, .light = true, .fwhm_px = 4.7,
			.blur_px_per_um = 0.04, .obstruction = 0.3, .tilt_x_um = 120.0,
			.focus = {{200.0, 0.5}, {-300.0, 0.5}}, .focus_count = 2,
			.light_s = 3.0, .dark_s = 3.0, .faint_peak_e = 0.05},
		.sensor = {.read_noise_e = 1.9, .full_well_e = 54000.0, .electrons_per_adu = 0.25,
			.bias_adu = 500.0, .max_adu = 65535},
		.ziggurat = &s->ziggurat,
		.noise_seed = 77,
		.bin = bin,
		.frame = frame_pool_take(s->pool, &info),
	};
	assert_non_null(job.frame);
	return job;
}

static struct frame *painted(struct studio *s, int bin)
{
	struct sim_paint_job job = job_of(s, bin);
	struct sim_paint *paint = sim_paint_begin(&job);
	assert_non_null(paint);
	while (!sim_paint_wait(paint, 1000)) {
	}
	assert_non_null(sim_paint_scene(paint));
	sim_paint_end(paint);
	return job.frame;
}

static void test_threads_make_no_difference(void **state)
{
	(void)state;
	static const struct {
		int colour, bin;
		int32_t width, height;
	} row[] = {{SIMULATOR_MONO, 1, 301, 207}, {SIMULATOR_MONO, 2, 302, 132},
		{SIMULATOR_BAYER, 1, 260, 98}, {SIMULATOR_RGB, 1, 203, 97}, {SIMULATOR_RGB, 3, 201, 99}};
	cpu_set_t all;
	assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
	cpu_set_t one;
	CPU_ZERO(&one);
	for (int i = 0; CPU_COUNT(&one) == 0; i++) {
		if (CPU_ISSET(i, &all)) {
			CPU_SET(i, &one);
		}
	}
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct studio s;
		studio_init(&s, row[i].colour, row[i].width, row[i].height);
		struct frame *many = painted(&s, row[i].bin);
		assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
		struct frame *alone = painted(&s, row[i].bin);
		assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
		assert_int_equal(many->count, alone->count);
		assert_memory_equal(many->pixels, alone->pixels, many->count * sizeof(uint16_t));
		assert_int_equal(many->max_value, alone->max_value);
		frame_unref(many);
		frame_unref(alone);
		studio_fini(&s);
	}
}

/* Strips and pieces of them hide no seam: noise of its own, but the same sky.  Rows 31 and 32 lie in
 * different strips; of a field without stars each row has the mean of sky and bias. */
static void test_no_seams(void **state)
{
	(void)state;
	struct studio s;
	studio_init(&s, SIMULATOR_MONO, 2000, 80);
	s.field.star_count = 0;
	s.field.hot_count = 0;
	struct sim_paint_job job = job_of(&s, 1);
	struct sim_paint *paint = sim_paint_begin(&job);
	while (!sim_paint_wait(paint, 1000)) {
	}
	double electrons = (s.field.sky_e_s + 0.01) * 3.0;
	double wanted = 500.0 + electrons / 0.25;
	double sd = sqrt(electrons + 1.9 * 1.9) / 0.25;
	for (int32_t y = 0; y < 80; y++) {
		double sum = 0.0;
		for (int32_t x = 0; x < 2000; x++) {
			sum += frame_u16(job.frame)[(size_t)x * 80 + (size_t)y];
		}
		assert_true(fabs(sum / 2000.0 - wanted) < 4.5 * sd / sqrt(2000.0));
	}
	/* Neighbours across the seam have nothing in common. */
	double product = 0.0;
	for (int32_t x = 0; x < 2000; x++) {
		const uint16_t *column = frame_u16(job.frame) + (size_t)x * 80;
		product += (column[31] - wanted) * (column[32] - wanted) / (sd * sd * 2000.0);
	}
	assert_true(fabs(product) < 4.5 / sqrt(2000.0));
	sim_paint_end(paint);
	frame_unref(job.frame);
	studio_fini(&s);
}

static void test_ended_at_any_moment(void **state)
{
	(void)state;
	struct studio s;
	studio_init(&s, SIMULATOR_RGB, 900, 700);
	for (int i = 0; i < 40; i++) {
		struct sim_paint_job job = job_of(&s, 1);
		struct sim_paint *paint = sim_paint_begin(&job);
		assert_non_null(paint);
		if (i % 4 != 0) {
			sim_paint_wait(paint, i);
		}
		sim_paint_end(paint);
		frame_unref(job.frame);
		/* Whoever still wrote would write into freed memory. */
		frame_pool_trim(s.pool);
	}
	sim_paint_end(NULL);
	studio_fini(&s);
}

/* ---- the driver ---- */

struct rig {
	struct test_host host;
	struct test_lend lend;
	const struct camera_driver *camera;
	const struct focuser_driver *focuser;
	void *camera_ctx, *focuser_ctx;
	struct camera_caps caps;
	struct frame_info info;
	uint16_t pixels[128 * 96];
};

static void rig_init(struct rig *rig)
{
	struct err err;
	struct camera_port camera_port = {.port = ""};
	struct focuser_port focuser_port = {.max_step = 0};
	memset(rig, 0, sizeof *rig);
	test_host_init(&rig->host, 12);
	rig->host.simulator.width = 128;
	rig->host.simulator.height = 96;
	rig->host.simulator.stars = 60;
	rig->camera = camera_driver_find("simulator");
	rig->focuser = focuser_driver_find("simulator");
	rig->camera_ctx = calloc(1, rig->camera->ctx_size);
	rig->focuser_ctx = calloc(1, rig->focuser->ctx_size);
	assert_int_equal(rig->focuser->open(rig->focuser_ctx, &focuser_port, &rig->host.focuser, &err),
		ERR_OK);
	assert_int_equal(rig->camera->open(rig->camera_ctx, &camera_port, &rig->host.camera, &rig->caps,
		&err), ERR_OK);
}

static void rig_fini(struct rig *rig)
{
	rig->camera->close(rig->camera_ctx);
	rig->focuser->close(rig->focuser_ctx);
	test_lend_fini(&rig->lend);
	free(rig->camera_ctx);
	free(rig->focuser_ctx);
	test_host_fini(&rig->host);
}

enum happening { NOTHING, MOVE, MOVE_AND_HALT, COOLER, STOP };

static bool urgent_flag;

static bool is_urgent(void *ctx)
{
	(void)ctx;
	return urgent_flag;
}

/* One exposure of ten minutes in which something happens, looked at each second or never. */
static void expose_through(struct rig *rig, enum happening what, bool watched)
{
	struct err err;
	struct focuser_reading motor;
	struct camera_reading reading;
	struct exposure_request request = {.duration_s = 600.0, .light = true, .bin = 1, .num_x = 128,
		.num_y = 96, .gain = rig->caps.gain_default, .offset = rig->caps.offset_default};
	struct clock *clock = rig->host.camera.clock;
	assert_int_equal(rig->focuser->poll(rig->focuser_ctx, FOCUSER_WANT_MOTION, &motor, &err), ERR_OK);
	assert_int_equal(test_begin(&rig->lend, rig->camera, rig->camera_ctx, &rig->caps, &request),
		ERR_OK);
	for (int s = 1; s <= 602; s++) {
		clock_fake_advance(clock, 1000);
		if (s == 100 && (what == MOVE || what == MOVE_AND_HALT)) {
			assert_int_equal(rig->focuser->start_move(rig->focuser_ctx,
				motor.position < 10000 ? motor.position + 3000 : motor.position - 3000, &err),
				ERR_OK);
		}
		if (s == 101 && what == MOVE_AND_HALT) {
			assert_int_equal(rig->focuser->halt(rig->focuser_ctx, &err), ERR_OK);
		}
		if (s == 100 && what == COOLER) {
			assert_int_equal(rig->camera->set_cooler(rig->camera_ctx, true, -20.0, &err), ERR_OK);
		}
		if (s == 300 && what == STOP) {
			assert_int_equal(rig->camera->stop(rig->camera_ctx, &err), ERR_OK);
		}
		if (watched) {
			assert_int_equal(rig->camera->poll(rig->camera_ctx, &reading, &err), ERR_OK);
		}
	}
	assert_int_equal(test_read(&rig->lend, rig->camera, rig->camera_ctx, rig->pixels, &rig->info),
		ERR_OK);
	assert_true(rig->info.exposure_s == (what == STOP ? 300.0 : 600.0));
}

/* What is delivered shows what really happened, not what was expected when painting began, and it does
 * not depend on when the painter was told. */
static void test_what_happens_meanwhile(void **state)
{
	(void)state;
	static struct rig rig;
	static uint16_t frame[STOP + 1][2][128 * 96];
	for (int what = NOTHING; what <= STOP; what++) {
		for (int watched = 0; watched < 2; watched++) {
			rig_init(&rig);
			expose_through(&rig, (enum happening)what, watched != 0);
			memcpy(frame[what][watched], rig.pixels, sizeof rig.pixels);
			rig_fini(&rig);
		}
		assert_memory_equal(frame[what][0], frame[what][1], sizeof rig.pixels);
		for (int other = 0; other < what; other++) {
			assert_memory_not_equal(frame[what][0], frame[other][0], sizeof rig.pixels);
		}
	}
	/* Half of the light: bias 500 ADU, the rest grows with time. */
	double mean[2] = {0.0, 0.0};
	for (int i = 0; i < 2; i++) {
		const uint16_t *of = frame[i == 0 ? NOTHING : STOP][0];
		double least = 65535.0;
		for (int k = 0; k < 128 * 96; k += 64) {
			double block = 0.0;
			for (int j = 0; j < 64; j++) {
				block += of[k + j] / 64.0;
			}
			least = fmin(least, block);
		}
		mean[i] = least - 500.0;
	}
	assert_true(fabs(mean[1] / mean[0] - 0.5) < 0.03);
}

/* Whoever wants an abort does not wait until the frame is complete, and nothing of it stays. */
static void test_something_urgent(void **state)
{
	(void)state;
	static struct rig rig;
	struct err err;
	rig_init(&rig);
	rig.host.camera.urgent = is_urgent;
	struct exposure_request request = {.duration_s = 1.0, .light = true, .bin = 1, .num_x = 128,
		.num_y = 96};
	assert_int_equal(test_begin(&rig.lend, rig.camera, rig.camera_ctx, &rig.caps, &request), ERR_OK);
	urgent_flag = true;
	clock_fake_advance(rig.host.camera.clock, 2000);
	/* Done in time or given up; idle afterwards in both cases. */
	enum err_code code = test_read(&rig.lend, rig.camera, rig.camera_ctx, rig.pixels, &rig.info);
	assert_true(code == ERR_OK || code == ERR_CANCELLED);
	urgent_flag = false;
	struct camera_reading reading;
	assert_int_equal(rig.camera->poll(rig.camera_ctx, &reading, &err), ERR_OK);
	assert_int_equal(reading.state, CAMERA_DRIVER_IDLE);
	assert_int_equal(test_read(&rig.lend, rig.camera, rig.camera_ctx, rig.pixels, &rig.info),
		ERR_INVALID_OPERATION);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads_make_no_difference),
		cmocka_unit_test(test_no_seams),
		cmocka_unit_test(test_ended_at_any_moment),
		cmocka_unit_test(test_what_happens_meanwhile),
		cmocka_unit_test(test_something_urgent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
