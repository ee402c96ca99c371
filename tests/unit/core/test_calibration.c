/* SPDX-License-Identifier: MIT */
/* A calibration that the device does by itself, with a device that does not hear or is not heard. */
#include "core_fixture.h"

static struct focuser_calibration calibration(struct fixture *f)
{
	struct focuser_calibration now;
	focuser_calibration(f->focuser, &now);
	return now;
}

static bool runs_there(struct fixture *f)
{
	(void)f;
	return fake.calibrating;
}

static bool runs_there_no_more(struct fixture *f)
{
	(void)f;
	return !fake.calibrating;
}

static bool over(struct fixture *f)
{
	return calibration(f).state != CALIBRATION_RUNNING;
}

static bool step_seen(struct fixture *f)
{
	return calibration(f).step > 0;
}

static void begin(struct fixture *f)
{
	struct err err;
	snprintf(f->config.focuser[0].driver, sizeof f->config.focuser[0].driver, "fake-calibrator");
	start(f);
	assert_int_equal(focuser_calibrate(f->focuser, &err), ERR_OK);
	wait_for(f, runs_there);
	wait_for(f, step_seen);
}

/* STOP is pressed while the cable is out: the device is told when it is back, and the reason speaks of a
 * calibration. */
static void a_stop_outlives_the_link(void **state)
{
	struct fixture *f = *state;
	struct err err;
	begin(f);
	fake.gone = true;
	wait_for(f, lost);
	assert_int_equal(focuser_halt(f->focuser, &err), ERR_IO);
	fake.gone = false;
	wait_for(f, focuser_up);
	wait_for(f, runs_there_no_more);
	wait_for(f, over);
	assert_int_equal(calibration(f).state, CALIBRATION_ABORTED);
	assert_int_equal(fake.halt_count, 0);
	assert_int_equal(fake.calibrate_starts, 1);
}

/* Without a STOP the calibration goes on. */
static void without_a_stop_it_goes_on(void **state)
{
	struct fixture *f = *state;
	begin(f);
	uint64_t number = calibration(f).ongoing;
	assert_true(number != 0);
	fake.gone = true;
	wait_for(f, lost);
	fake.gone = false;
	wait_for(f, focuser_up);
	assert_int_equal(calibration(f).state, CALIBRATION_RUNNING);
	assert_int_equal(calibration(f).ongoing, number);
	int polls = fake.poll_count;
	while (fake.poll_count < polls + 3) {
		wait_for(f, runs_there);
	}
	assert_int_equal(calibration(f).state, CALIBRATION_RUNNING);
	assert_int_equal(fake.calibrate_aborts, 0);
	/* One that has been asked to end is not what a client started any more, whether the device has heard it or
	 * not; the next is another. */
	struct err err;
	assert_int_equal(focuser_calibrate_abort(f->focuser, &err), ERR_OK);
	assert_int_equal(calibration(f).ongoing, 0);
	wait_for(f, over);
	assert_int_equal(focuser_calibrate(f->focuser, &err), ERR_OK);
	assert_true(calibration(f).ongoing != 0 && calibration(f).ongoing != number);
}

static bool done(struct fixture *f)
{
	struct focuser_state now;
	focuser_state(f->focuser, &now);
	return calibration(f).state == CALIBRATION_DONE && !now.is_moving;
}

/* A calibration that finds another lower limit numbers positions anew: what was published before is forgotten, and the
 * same place has another number. */
static void other_limits_number_positions_anew(void **state)
{
	struct fixture *f = *state;
	struct focuser_state now;
	struct err err;
	fake.lowest = 1000;
	snprintf(f->config.focuser[0].driver, sizeof f->config.focuser[0].driver, "fake-slow-calibrator");
	start(f);
	fake.speed = 100000;
	assert_int_equal(focuser_move(f->focuser, 20000, &err), ERR_OK);
	wait_for(f, at_rest);
	focuser_state(f->focuser, &now);
	assert_true(now.position == 9000 && now.motor_position == 10000 && now.max_step == 9000 && now.clamped);
	fake.calibration_ms = 3000;
	fake.lowest = 2500;
	assert_int_equal(focuser_calibrate(f->focuser, &err), ERR_OK);
	wait_for(f, done);
	focuser_state(f->focuser, &now);
	assert_int_equal(now.max_step, 7500);
	assert_int_equal(now.position, now.motor_position - 2500);
	assert_false(now.clamped);
	assert_int_equal(focuser_move(f->focuser, 0, &err), ERR_OK);
	wait_for(f, at_rest);
	focuser_state(f->focuser, &now);
	assert_true(now.position == 0 && now.motor_position == 2500);
}

/* The motor does not drive on to both ends after the server has ended. */
static void the_end_tells_it_until_it_is_heard(void **state)
{
	struct fixture *f = *state;
	begin(f);
	fake.deaf_calibrates = 2;
	observatory_destroy(f->obs);
	f->obs = NULL;
	assert_false(fake.calibrating);
	assert_int_equal(fake.calibrate_aborts, 3);
}

/* A start that nobody confirms may have been heard all the same, so a calibration that is given up is stopped. */
static void a_start_that_is_given_up_is_ended(void **state)
{
	struct fixture *f = *state;
	struct err err;
	snprintf(f->config.focuser[0].driver, sizeof f->config.focuser[0].driver, "fake-calibrator");
	start(f);
	fake.mute_calibrates = 3;
	assert_int_equal(focuser_calibrate(f->focuser, &err), ERR_OK);
	wait_for(f, over);
	assert_int_equal(calibration(f).state, CALIBRATION_FAILED);
	assert_non_null(strstr(calibration(f).reason, "the answer got lost"));
	assert_int_equal(fake.calibrate_starts, 3);
	assert_true(fake.calibrate_aborts > 0);
	assert_false(fake.calibrating);
	wait_for(f, at_rest);
	assert_int_equal(fake.halt_count, 0);
}

/* A position that was meant for the old count must not be set after the calibration has made a new one. */
static void not_while_a_position_is_being_set(void **state)
{
	struct fixture *f = *state;
	struct err err;
	snprintf(f->config.focuser[0].driver, sizeof f->config.focuser[0].driver, "fake-calibrator");
	start(f);
	uint64_t ticket;
	fake.set_position_waits = true;
	assert_int_equal(focuser_set_position(f->focuser, FOCUSER_SET_TO, 100, &ticket, &err), ERR_OK);
	enum err_code code = focuser_calibrate(f->focuser, &err);
	fake.set_position_waits = false;
	assert_int_equal(code, ERR_INVALID_OPERATION);
	assert_non_null(strstr(err.text, "SetPosition under way"));
}

int main(void)
{
	clock_cond_init(&news);
	log_set_level(LOG_ERROR);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_stop_outlives_the_link),
		TEST(without_a_stop_it_goes_on),
		TEST(other_limits_number_positions_anew),
		TEST(the_end_tells_it_until_it_is_heard),
		TEST(a_start_that_is_given_up_is_ended),
		TEST(not_while_a_position_is_being_set),
	};
	return cmocka_run_group_tests_name("calibration", tests, NULL, NULL);
}
