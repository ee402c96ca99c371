/* SPDX-License-Identifier: MIT */
/* How long a calibration that the device does by itself may take.  The times come from the description of
 * Celestron's motor: limits up to 60000, 300 counts a second, three to four minutes as a rule. */
#include "core_fixture.h"

static bool calibration_over(struct fixture *f)
{
	struct focuser_calibration now;
	focuser_calibration(f->focuser, &now);
	return now.state != CALIBRATION_RUNNING;
}

/* 40000 counts at 300 a second are 133 s a way: a motor that tells nothing of it is not stuck, and slower ones
 * need more than five minutes for all; one that hangs is stopped in the end. */
static void a_calibration_has_its_time(void **state)
{
	struct fixture *f = *state;
	struct err err;
	struct focuser_calibration now;
	snprintf(f->config.focuser[0].driver, sizeof f->config.focuser[0].driver, "fake-slow-calibrator");
	f->time_factor = 100;
	fake.calibration_ms = 320000;
	start(f);
	assert_int_equal(focuser_calibrate(f->focuser, &err), ERR_OK);
	wait_for(f, calibration_over);
	focuser_calibration(f->focuser, &now);
	if (now.state != CALIBRATION_DONE) {
		fail_msg("%s", now.reason);
	}
	assert_int_equal(fake.calibration_aborts, 0);
	/* As long as the motor runs it is not over, whatever is still said of the last one. */
	fake.calibration_stale = true;
	fake.calibration_ms = 100000;
	assert_int_equal(focuser_calibrate(f->focuser, &err), ERR_OK);
	wait_for(f, calibration_over);
	focuser_calibration(f->focuser, &now);
	assert_int_equal(now.state, CALIBRATION_DONE);
	assert_false(fake.calibration_runs);
	assert_int_equal(fake.halt_count, 0);
	fake.calibration_stale = false;
	fake.calibration_hangs = true;
	assert_int_equal(focuser_calibrate(f->focuser, &err), ERR_OK);
	wait_for(f, calibration_over);
	focuser_calibration(f->focuser, &now);
	assert_int_equal(now.state, CALIBRATION_FAILED);
	assert_non_null(strstr(now.reason, "at step 2 of 2"));
	assert_int_equal(fake.calibration_aborts, 1);
}

int main(void)
{
	clock_cond_init(&news);
	log_set_level(LOG_ERROR);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_calibration_has_its_time, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
