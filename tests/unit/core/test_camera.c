/* SPDX-License-Identifier: MIT */
/* Exposures, cooler, guide port, readout settings and failed read-outs of a camera, with a driver that does
 * what it is told. */
#include "core_fixture.h"

static bool camera_down(struct fixture *f)
{
	return device_link(f->camera) == LINK_DOWN;
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
	/* The wish is known from the first moment on, before the hardware was told anything. */
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
	/* A minute lasts three seconds here; guiding is true until it is over, then false. */
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

static bool exposure_error(struct fixture *f)
{
	bool ready;
	return camera_image_ready(f->camera, &ready, NULL) == ERR_PROTOCOL;
}

/* A torn read-out is exposed again, and the client is told nothing; a second one is told. Long exposures are not
 * repeated, because the client would give up first. */
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

static void exposes_and_keeps_the_picture(void **state)
{
	struct fixture *f = *state;
	start(f);
	struct err err;
	struct camera_state now;
	assert_int_equal(camera_start_exposure(f->camera, 2.0, true, &err), ERR_OK);
	camera_state(f->camera, &now);
	assert_false(now.image_ready);
	assert_true(now.activity == CAMERA_WAITING || now.activity == CAMERA_EXPOSING);
	assert_int_equal(camera_start_exposure(f->camera, 2.0, true, &err), ERR_INVALID_OPERATION);
	wait_for(f, image_ready);
	camera_state(f->camera, &now);
	assert_int_equal(now.activity, CAMERA_IDLE);
	assert_int_equal(now.percent, 100);
	assert_true(now.has_last_exposure && now.last_duration_s == 2.0);
	struct frame *frame = NULL;
	assert_int_equal(camera_frame(f->camera, &frame, &err), ERR_OK);
	assert_int_equal(frame->info.width, 64);
	assert_int_equal(frame_u16(frame)[1], 64); /* (0, 1): second row of the sensor */
	/* A download keeps its picture while the next exposure runs. */
	assert_int_equal(camera_start_exposure(f->camera, 100.0, true, &err), ERR_OK);
	struct frame *none = NULL;
	assert_int_equal(camera_frame(f->camera, &none, &err), ERR_INVALID_OPERATION);
	assert_int_equal(frame_u16(frame)[1], 64);
	frame_unref(frame);
	assert_int_equal(camera_abort(f->camera, &err), ERR_OK);
	assert_int_equal(camera_abort(f->camera, &err), ERR_OK);
}

static bool is_idle(struct fixture *f)
{
	return now(f).activity == CAMERA_IDLE;
}

static uint64_t ongoing(struct fixture *f)
{
	return now(f).ongoing_exposure;
}

/* Each exposure has a number of its own until it is over or somebody asks it to end, whatever the hardware does. */
static void an_exposure_goes_on_until_it_is_asked_to_end(void **state)
{
	struct fixture *f = *state;
	struct err err;
	start(f);
	uint64_t last = 0;
	for (int k = 0; k < 3; k++) {
		assert_int_equal(ongoing(f), 0);
		assert_int_equal(camera_start_exposure(f->camera, 1000.0, true, &err), ERR_OK);
		uint64_t number = ongoing(f);
		assert_true(number != 0 && number != last);
		assert_int_equal(camera_start_exposure(f->camera, 1.0, true, &err), ERR_INVALID_OPERATION);
		assert_int_equal(ongoing(f), number);
		assert_int_equal(k == 0 ? camera_stop(f->camera, &err) : camera_abort(f->camera, &err), ERR_OK);
		assert_int_equal(ongoing(f), 0);
		wait_for(f, is_idle);
		last = number;
	}
	assert_int_equal(camera_start_exposure(f->camera, 1.0, true, &err), ERR_OK);
	wait_for(f, image_ready);
	assert_int_equal(ongoing(f), 0);
}

static void frame_limits_are_checked_at_the_start_only(void **state)
{
	struct fixture *f = *state;
	start(f);
	struct err err;
	assert_int_equal(camera_set(f->camera, CAMERA_SET_NUM_X, 65, &err), ERR_OK);
	assert_int_equal(camera_start_exposure(f->camera, 1.0, true, &err), ERR_INVALID_VALUE);
	assert_int_equal(camera_set(f->camera, CAMERA_SET_NUM_X, 2147483647, &err), ERR_OK);
	assert_int_equal(camera_set(f->camera, CAMERA_SET_START_X, 2147483647, &err), ERR_OK);
	assert_int_equal(camera_start_exposure(f->camera, 1.0, true, &err), ERR_INVALID_VALUE);
	camera_set(f->camera, CAMERA_SET_START_X, 0, &err);
	camera_set(f->camera, CAMERA_SET_NUM_X, 32, &err);
	camera_set(f->camera, CAMERA_SET_NUM_Y, 24, &err);
	assert_int_equal(camera_set(f->camera, CAMERA_SET_BIN, 3, &err), ERR_INVALID_VALUE);
	assert_int_equal(camera_set(f->camera, CAMERA_SET_BIN, 2, &err), ERR_OK);
	assert_int_equal(camera_start_exposure(f->camera, -1.0, true, &err), ERR_INVALID_VALUE);
	assert_int_equal(camera_start_exposure(f->camera, NAN, true, &err), ERR_INVALID_VALUE);
	assert_int_equal(camera_start_exposure(f->camera, 0.0, false, &err), ERR_OK);
	wait_for(f, image_ready);
	assert_int_equal(camera_set(f->camera, CAMERA_SET_GAIN, 101, &err), ERR_INVALID_VALUE);
	assert_int_equal(camera_set(f->camera, CAMERA_SET_GAIN, 100, &err), ERR_OK);
}

static void a_failed_exposure_is_told(void **state)
{
	struct fixture *f = *state;
	start(f);
	struct err err;
	fake.expose_fails = true;
	assert_int_equal(camera_start_exposure(f->camera, 0.5, true, &err), ERR_OK);
	wait_for(f, exposure_error);
	struct camera_state now;
	camera_state(f->camera, &now);
	assert_int_equal(now.activity, CAMERA_ERROR);
	assert_false(now.image_ready);
	fake.expose_fails = false;
	assert_int_equal(camera_start_exposure(f->camera, 0.5, true, &err), ERR_OK);
	wait_for(f, image_ready);
}

static bool is_reading(struct fixture *f)
{
	(void)f;
	return atomic_load(&fake.reading);
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
	wait_for(f, image_ready);
	assert_int_equal(fake.lend_count, 3);
	struct frame *frame = NULL;
	assert_int_equal(camera_frame(f->camera, &frame, &err), ERR_OK);
	assert_int_equal(frame->info.width, 64);
	assert_int_equal(frame->info.height, 48);
	assert_true(frame->info.exposure_s == 0.5);
	assert_int_equal(frame_u16(frame)[1], 64); /* (0, 1): second row of the sensor */
	/* The client disconnects during the read-out, and the worker does not wait for it either. */
	fake.read_waits = true;
	assert_int_equal(camera_start_exposure(f->camera, 0.5, true, &err), ERR_OK);
	wait_for(f, is_reading);
	bool closing = false;
	assert_int_equal(device_disconnect(f->camera, &alice, &closing, &err), ERR_OK);
	assert_true(closing);
	wait_for(f, camera_down);
	assert_int_equal(frame_u16(frame)[1], 64);
	frame_unref(frame);
}

/* Frames of each type arrive element by element, from drivers that fill rows and from those that are lent the frame;
 * a camera that comes back with larger elements gets room for them. */
static void every_type_arrives(void **state)
{
	struct fixture *f = *state;
	struct err err;
	static const enum image_type types[] = {IMAGE_U8, IMAGE_U16, IMAGE_I32, IMAGE_F32, IMAGE_F64, IMAGE_U8};
	start(f);
	for (size_t k = 0; k < sizeof types / sizeof types[0]; k++) {
		bool closing = false;
		uint64_t ticket;
		assert_int_equal(device_disconnect(f->camera, &alice, &closing, &err), ERR_OK);
		wait_for(f, camera_down);
		atomic_store(&fake.frame_type, types[k]);
		assert_int_equal(device_connect(f->camera, &alice, &ticket, &err), ERR_OK);
		wait_for(f, camera_up);
		assert_int_equal(now(f).caps.frame_type, types[k]);
		assert_int_equal(camera_start_exposure(f->camera, 0.5, true, &err), ERR_OK);
		wait_for(f, image_ready);
		struct frame *frame = NULL;
		assert_int_equal(camera_frame(f->camera, &frame, &err), ERR_OK);
		assert_int_equal(frame->info.type, types[k]);
		assert_int_equal(frame->count, 64 * 48);
		double largest = -INFINITY;
		for (size_t i = 0; i < frame->count; i++) {
			/* Rows of 64 became columns of 48. */
			double want = fake_element(types[k], i % 48 * 64 + i / 48);
			assert_true(image_element(frame->pixels, types[k], i) == want);
			largest = fmax(largest, want);
		}
		assert_true(frame->max_value == largest);
		frame_unref(frame);
	}
}

static void every_type_arrives_lent(void **state)
{
	struct fixture *f = *state;
	snprintf(f->config.camera[0].driver, sizeof f->config.camera[0].driver, "fake-painting");
	every_type_arrives(state);
	assert_int_equal(fake.lend_count, 6);
}

int main(void)
{
	clock_cond_init(&news);
	log_set_level(LOG_ERROR);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(exposes_and_keeps_the_picture),
		TEST(an_exposure_goes_on_until_it_is_asked_to_end),
		TEST(frame_limits_are_checked_at_the_start_only),
		TEST(a_failed_exposure_is_told),
		TEST(cooler),
		TEST(guide_pulses),
		TEST(torn_readouts),
		TEST(fast_readout),
		TEST(a_driver_that_fills_the_frame),
		TEST(every_type_arrives),
		TEST(every_type_arrives_lent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
