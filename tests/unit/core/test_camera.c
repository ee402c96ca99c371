/* SPDX-License-Identifier: MIT */
/* Cooler, guide port, readout settings and failed read-outs of a camera, with a driver that does what it
 * is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "camera.h"
#include "clock.h"
#include "fake_drivers.h"
#include "log.h"
#include "observatory.h"

static const struct client alice = {"10.0.0.1", 1};

/* Woken by each event; waits for a condition without polling the time. */
static pthread_mutex_t news_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news;
static unsigned news_count;

static void on_news(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&news_lock);
	news_count++;
	pthread_cond_broadcast(&news);
	pthread_mutex_unlock(&news_lock);
}

struct fixture {
	struct config config;
	struct observatory *obs;
	struct device *camera;
	char dir[64];
};

/* Calls ready until it is true; each time something was published or 20 ms passed. Fails after 20 s. */
static void wait_for(struct fixture *f, bool (*ready)(struct fixture *f))
{
	int64_t give_up = clock_now_ms(clock_real()) + 20000;
	while (!ready(f)) {
		pthread_mutex_lock(&news_lock);
		clock_wait(clock_real(), &news, &news_lock, clock_now_ms(clock_real()) + 20);
		pthread_mutex_unlock(&news_lock);
		if (clock_now_ms(clock_real()) > give_up) {
			fail_msg("the condition never came true");
		}
	}
}

static bool camera_up(struct fixture *f)
{
	return device_link(f->camera) == LINK_UP;
}

static bool camera_down(struct fixture *f)
{
	return device_link(f->camera) == LINK_DOWN;
}

static void connect_camera(struct fixture *f)
{
	struct err err;
	uint64_t ticket;
	assert_int_equal(device_connect(f->camera, &alice, &ticket, &err), ERR_OK);
	wait_for(f, camera_up);
}

static void start(struct fixture *f)
{
	struct err err;
	struct observatory_options options = {.state_dir = f->dir, .seed = 1, .time_factor = 20};
	assert_int_equal(observatory_create(&f->config, &options, &f->obs, &err), ERR_OK);
	assert_int_equal(events_listen(observatory_events(f->obs), on_news, NULL), 0);
	f->camera = observatory_device(f->obs, DEVICE_CAMERA, 0);
	assert_non_null(f->camera);
	connect_camera(f);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	fake_reset();
	snprintf(f->dir, sizeof f->dir, "/tmp/focusd-test-XXXXXX");
	if (mkdtemp(f->dir) == NULL) {
		return -1;
	}
	config_defaults(&f->config);
	atomic_store(&fake.sensor_c, 11.0);
	f->config.camera[0].present = true;
	snprintf(f->config.camera[0].driver, sizeof f->config.camera[0].driver, "fake");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	observatory_destroy(f->obs);
	char path[128];
	static const char *const names[] = {"focusd.db", "focusd.db-wal", "focusd.db-shm",
		"focusd.db-journal", "devices.json"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
		unlink(path);
	}
	rmdir(f->dir);
	free(f);
	return 0;
}

static struct camera_state now(struct fixture *f)
{
	struct camera_state state;
	camera_state(f->camera, &state);
	return state;
}

static bool told_cold(struct fixture *f)
{
	(void)f;
	return atomic_load(&fake.cooler_on) && atomic_load(&fake.set_point_c) == -15.0;
}

static bool reads_cold(struct fixture *f)
{
	return now(f).sensor_c == -14.5;
}

static bool reads_nothing(struct fixture *f)
{
	return isnan(now(f).sensor_c);
}

static void cooler(void **state)
{
	struct fixture *f = *state;
	struct err err;
	start(f);
	/* Known from the first moment on; nothing was told to the hardware. */
	assert_true(now(f).sensor_c == 11.0);
	assert_true(isnan(now(f).cooler_power_percent));
	assert_false(now(f).cooler_on);
	assert_true(now(f).set_point_c == -10.0);
	assert_int_equal(fake.cooler_count, 0);
	assert_int_equal(camera_set_point(f->camera, -40.1, &err), ERR_INVALID_VALUE);
	assert_int_equal(camera_set_point(f->camera, 30.1, &err), ERR_INVALID_VALUE);
	assert_int_equal(camera_set_point(f->camera, NAN, &err), ERR_INVALID_VALUE);
	assert_int_equal(camera_set_point(f->camera, -15.0, &err), ERR_OK);
	assert_false(now(f).cooler_on);
	assert_int_equal(camera_set(f->camera, CAMERA_SET_COOLER, 1, &err), ERR_OK);
	assert_true(now(f).cooler_on);
	wait_for(f, told_cold);
	atomic_store(&fake.sensor_c, -14.5);
	wait_for(f, reads_cold);
	/* A sensor that falls silent has no value; one that speaks again has. */
	atomic_store(&fake.climate_fails, true);
	wait_for(f, reads_nothing);
	atomic_store(&fake.climate_fails, false);
	wait_for(f, reads_cold);
}

static bool not_guiding(struct fixture *f)
{
	return !now(f).guiding;
}

static bool pulse_error(struct fixture *f)
{
	bool guiding;
	return camera_guiding(f->camera, &guiding, NULL) == ERR_REFUSED;
}

static void guide_pulses(void **state)
{
	struct fixture *f = *state;
	struct err err;
	bool guiding = true;
	start(f);
	assert_int_equal(camera_pulse_guide(f->camera, 4, 10, &err), ERR_INVALID_VALUE);
	assert_int_equal(camera_pulse_guide(f->camera, -1, 10, &err), ERR_INVALID_VALUE);
	assert_int_equal(camera_pulse_guide(f->camera, 0, -1, &err), ERR_INVALID_VALUE);
	assert_int_equal(camera_pulse_guide(f->camera, 0, 0, &err), ERR_OK);
	assert_int_equal(camera_guiding(f->camera, &guiding, &err), ERR_OK);
	assert_false(guiding);
	/* A minute lasts three seconds here: true until it is over, then false. */
	assert_int_equal(camera_pulse_guide(f->camera, CAMERA_WEST, 60000, &err), ERR_OK);
	assert_int_equal(camera_guiding(f->camera, &guiding, &err), ERR_OK);
	assert_true(guiding);
	wait_for(f, not_guiding);
	assert_int_equal(fake.pulse_count, 1);
	assert_int_equal(fake.pulse_direction, CAMERA_WEST);
	assert_int_equal(fake.pulse_ms, 60000);
	atomic_store(&fake.pulse_fails, true);
	assert_int_equal(camera_pulse_guide(f->camera, CAMERA_NORTH, 10, &err), ERR_OK);
	wait_for(f, pulse_error);
	assert_false(now(f).guiding);
}

static bool image_ready(struct fixture *f)
{
	return now(f).image_ready;
}

static bool exposure_error(struct fixture *f)
{
	bool ready;
	return camera_image_ready(f->camera, &ready, NULL) == ERR_PROTOCOL;
}

/* A torn read-out is exposed again without a word to the client; a second one is told.  Long
 * exposures are not repeated: the client would give up first. */
static void torn_readouts(void **state)
{
	struct fixture *f = *state;
	struct err err;
	start(f);
	atomic_store(&fake.fail_next, 1);
	assert_int_equal(camera_start_exposure(f->camera, 0.5, true, &err), ERR_OK);
	wait_for(f, image_ready);
	assert_int_equal(fake.expose_count, 2);
	atomic_store(&fake.fail_next, 2);
	assert_int_equal(camera_start_exposure(f->camera, 0.5, true, &err), ERR_OK);
	wait_for(f, exposure_error);
	assert_int_equal(fake.expose_count, 4);
	assert_int_equal(now(f).activity, CAMERA_ERROR);
	atomic_store(&fake.fail_next, 1);
	assert_int_equal(camera_start_exposure(f->camera, 31.0, true, &err), ERR_OK);
	wait_for(f, exposure_error);
	assert_int_equal(fake.expose_count, 5);
}

static void fast_readout(void **state)
{
	struct fixture *f = *state;
	struct err err;
	start(f);
	assert_false(now(f).setup.fast_readout);
	assert_int_equal(camera_set(f->camera, CAMERA_SET_FAST_READOUT, 1, &err), ERR_OK);
	assert_true(now(f).setup.fast_readout);
}

static bool is_reading(struct fixture *f)
{
	(void)f;
	return atomic_load(&fake.reading);
}

static bool is_idle(struct fixture *f)
{
	return now(f).activity == CAMERA_IDLE;
}

static bool has_image(struct fixture *f)
{
	return now(f).image_ready;
}

/* A driver that fills the frame itself gets one with each exposure; what is aborted or torn is nobody's
 * picture, and an abort does not wait for a read-out that takes its time. */
static void a_driver_that_fills_the_frame(void **state)
{
	struct fixture *f = *state;
	snprintf(f->config.camera[0].driver, sizeof f->config.camera[0].driver, "fake-painting");
	start(f);
	struct err err;
	fake.read_waits = true;
	assert_int_equal(camera_start_exposure(f->camera, 0.5, true, &err), ERR_OK);
	wait_for(f, is_reading);
	assert_int_equal(camera_abort(f->camera, &err), ERR_OK);
	wait_for(f, is_idle);
	assert_false(now(f).image_ready);
	fake.read_waits = false;
	fake.fail_next = 1; /* the second try succeeds */
	assert_int_equal(camera_start_exposure(f->camera, 0.5, true, &err), ERR_OK);
	wait_for(f, has_image);
	assert_int_equal(fake.lend_count, 3);
	struct frame *frame = NULL;
	assert_int_equal(camera_frame(f->camera, &frame, &err), ERR_OK);
	assert_int_equal(frame->info.width, 64);
	assert_int_equal(frame->info.height, 48);
	assert_true(frame->info.exposure_s == 0.5);
	assert_int_equal(frame->pixels[1], 64); /* (0, 1): second row of the sensor */
	/* Away while it reads: the worker does not wait either. */
	fake.read_waits = true;
	assert_int_equal(camera_start_exposure(f->camera, 0.5, true, &err), ERR_OK);
	wait_for(f, is_reading);
	bool closing = false;
	assert_int_equal(device_disconnect(f->camera, &alice, &closing, &err), ERR_OK);
	assert_true(closing);
	wait_for(f, camera_down);
	assert_int_equal(frame->pixels[1], 64);
	frame_unref(frame);
}

int main(void)
{
	clock_cond_init(&news);
	log_set_level(LOG_ERROR);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(cooler, setup, teardown),
		cmocka_unit_test_setup_teardown(guide_pulses, setup, teardown),
		cmocka_unit_test_setup_teardown(torn_readouts, setup, teardown),
		cmocka_unit_test_setup_teardown(fast_readout, setup, teardown),
		cmocka_unit_test_setup_teardown(a_driver_that_fills_the_frame, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
