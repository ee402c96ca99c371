/* SPDX-License-Identifier: MIT */
/* STOP without a link: it is said, kept, and sent as the first order when the device is back; or void, and said. */
#include "core_fixture.h"

/* Steps a second of the motor, so slow that it does not arrive within a test. */
#define SLOW 20

static struct focuser_state look(struct fixture *f)
{
	struct focuser_state now;
	focuser_state(f->focuser, &now);
	return now;
}

static bool ordering(struct fixture *f)
{
	(void)f;
	return fake.ordering;
}

static bool comes_nearer(struct fixture *f)
{
	return look(f).motor_position > 5010;
}

static bool halt_told(struct fixture *f)
{
	(void)f;
	return fake.halt_count > 0;
}

static bool nothing_owed(struct fixture *f)
{
	return !look(f).stop_owed;
}

static bool nothing_said(struct fixture *f)
{
	return look(f).stop_words[0] == '\0';
}

static bool calibrates(struct fixture *f)
{
	struct focuser_calibration c;
	focuser_calibration(f->focuser, &c);
	return c.step > 0;
}

static bool seen_moving(struct fixture *f)
{
	return look(f).is_moving;
}

/* Connects, and sends the motor from 5000 to 9000. */
static void set_off(struct fixture *f)
{
	struct err err;
	fake.speed = SLOW;
	start(f);
	assert_int_equal(focuser_move(f->focuser, 9000, &err), ERR_OK);
	wait_for(f, comes_nearer);
}

static void lose_link(struct fixture *f)
{
	fake.gone = true;
	wait_for(f, lost);
}

static void press_stop(struct fixture *f, const char *words)
{
	struct err err;
	assert_int_equal(focuser_halt(f->focuser, &err), ERR_IO);
	if (strstr(err.text, words) == NULL) {
		fail_msg("STOP was answered by: %s", err.text);
	}
}

/* The device is back and hears the order; until it has, nobody reads that the link is up. */
static void back_with_an_order(struct fixture *f)
{
	fake.orders_wait = true;
	fake.gone = false;
	fake.silent = false;
	wait_for(f, ordering);
	assert_int_equal(device_link(f->focuser), LINK_LOST);
	assert_int_equal(fake.halt_count + fake.calibrate_aborts, 0);
	fake.orders_wait = false;
	wait_for(f, focuser_up);
	assert_int_equal(fake.halt_count + fake.calibrate_aborts, 1);
	assert_false(look(f).stop_owed);
	assert_non_null(strstr(look(f).stop_words, "STOP was sent when the link was back"));
	wait_for(f, at_rest);
	assert_int_equal(fake.halt_count + fake.calibrate_aborts, 1);
}

static void it_is_the_first_order(void **state)
{
	struct fixture *f = *state;
	struct err err;
	set_off(f);
	lose_link(f);
	assert_false(look(f).stop_owed);
	/* However often it is pressed, it is sent once. */
	press_stop(f, "STOP not sent: the cable is out; it is sent when the link is back; cut the power if it moves.");
	press_stop(f, "STOP not sent: the cable is out; it is sent when the link is back; cut the power if it moves.");
	assert_true(look(f).stop_owed);
	assert_string_equal(look(f).stop_words,
		"STOP not sent: the cable is out; it is sent when the link is back; cut the power if it moves.");
	back_with_an_order(f);
	assert_true(look(f).motor_position < 9000);
	assert_int_equal(fake.move_count, 1);
	/* What became of it is news until the next thing is asked for. */
	assert_int_equal(focuser_move(f->focuser, 9000, &err), ERR_OK);
	assert_true(nothing_said(f));
	/* The next loss has nothing to do with it. */
	fake.halt_count = 0;
	lose_link(f);
	fake.gone = false;
	wait_for(f, focuser_up);
	assert_true(nothing_said(f));
	assert_int_equal(fake.halt_count, 0);
}

/* It was accepted, and sent or not; the device did not come to rest before the link went. */
static void one_that_nobody_is_known_to_have_heard(void **state)
{
	struct fixture *f = *state;
	struct err err;
	set_off(f);
	fake.deaf_halts = 1;
	assert_int_equal(focuser_halt(f->focuser, &err), ERR_OK);
	wait_for(f, halt_told);
	lose_link(f);
	fake.halt_count = 0;
	assert_true(look(f).stop_owed);
	assert_non_null(strstr(look(f).stop_words, "STOP may not have arrived: the cable is out"));
	back_with_an_order(f);
}

static void a_silent_device_is_no_cable(void **state)
{
	struct fixture *f = *state;
	set_off(f);
	fake.silent = true;
	wait_for(f, lost);
	press_stop(f, "STOP not sent: the focuser does not answer; it is sent when the link is back");
	back_with_an_order(f);
}

static void a_calibration_is_ended_by_its_own_order(void **state)
{
	struct fixture *f = *state;
	struct err err;
	snprintf(f->config.focuser[0].driver, sizeof f->config.focuser[0].driver, "fake-calibrator");
	start(f);
	assert_int_equal(focuser_calibrate(f->focuser, &err), ERR_OK);
	wait_for(f, calibrates);
	lose_link(f);
	press_stop(f, "STOP not sent: the cable is out");
	back_with_an_order(f);
	assert_int_equal(fake.calibrate_aborts, 1);
	assert_int_equal(fake.halt_count, 0);
	struct focuser_calibration c;
	focuser_calibration(f->focuser, &c);
	assert_int_equal(c.state, CALIBRATION_ABORTED);
}

/* Somebody drives it to where the stopped motion would never have led. */
static void another_motion_is_left_alone(void **state)
{
	struct fixture *f = *state;
	set_off(f);
	lose_link(f);
	press_stop(f, "it is sent when the link is back");
	fake_drive_motor(4000, 2000);
	fake.gone = false;
	wait_for(f, focuser_up);
	assert_false(look(f).stop_owed);
	assert_non_null(strstr(look(f).stop_words, "STOP was not sent: the motion that was to stop is over"));
	wait_for(f, seen_moving);
	assert_int_equal(fake.halt_count, 0);
	/* It stops by itself, and the advice goes. */
	fake.speed = 10000;
	wait_for(f, nothing_said);
	assert_int_equal(fake.halt_count, 0);
}

static void a_controller_that_began_anew_is_left_alone(void **state)
{
	struct fixture *f = *state;
	set_off(f);
	lose_link(f);
	press_stop(f, "it is sent when the link is back");
	fake.loses_count = true;
	fake.says_moving = true;
	fake.gone = false;
	wait_for(f, focuser_up);
	assert_non_null(strstr(look(f).stop_words, "STOP was not sent: the focuser began anew"));
	assert_int_equal(fake.halt_count, 0);
}

/* Nothing moved when the link went: whatever moves afterwards was not meant. */
static void at_rest_nothing_is_kept(void **state)
{
	struct fixture *f = *state;
	fake.speed = SLOW;
	start(f);
	lose_link(f);
	press_stop(f, "STOP not sent: the cable is out. The motor was at rest before that; cut the power if it moves.");
	assert_false(look(f).stop_owed);
	fake_drive_motor(5000, 9000);
	fake.gone = false;
	wait_for(f, focuser_up);
	wait_for(f, seen_moving);
	assert_true(nothing_said(f));
	assert_int_equal(fake.halt_count, 0);
}

/* Whoever disconnects and connects again, to get the link back, has not taken STOP back. */
static void it_outlives_a_disconnect(void **state)
{
	struct fixture *f = *state;
	struct err err;
	bool closing;
	uint64_t ticket;
	set_off(f);
	lose_link(f);
	press_stop(f, "it is sent when the link is back");
	device_disconnect(f->focuser, &alice, &closing, &err);
	wait_for(f, focuser_down);
	assert_non_null(strstr(look(f).stop_words, "it is sent at the next connect"));
	press_stop(f, "it is sent at the next connect");
	fake.gone = false;
	fake.orders_wait = true;
	device_connect(f->focuser, &alice, &ticket, &err);
	wait_for(f, ordering);
	assert_int_equal(device_link(f->focuser), LINK_OPENING);
	fake.orders_wait = false;
	wait_for(f, focuser_up);
	assert_int_equal(fake.halt_count, 1);
	assert_false(look(f).stop_owed);
}

/* A device that does not take it does not keep the link from coming up, and is told on. */
static void one_that_is_not_taken(void **state)
{
	struct fixture *f = *state;
	set_off(f);
	lose_link(f);
	press_stop(f, "it is sent when the link is back");
	fake.failing_halts = 4;
	fake.gone = false;
	wait_for(f, focuser_up);
	wait_for(f, at_rest);
	assert_int_equal(fake.failing_halts, 0);
	assert_int_equal(fake.halt_count, 1);
}

/* By its own speed the motor has ended its way long before the link is back. */
static void it_lapses(void **state)
{
	struct fixture *f = *state;
	f->time_factor = 200;
	set_off(f);
	lose_link(f);
	press_stop(f, "it is sent when the link is back");
	wait_for(f, nothing_owed);
	assert_non_null(strstr(look(f).stop_words, "STOP was never sent"));
	press_stop(f, "STOP was never sent");
	fake.gone = false;
	wait_for(f, focuser_up);
	assert_int_equal(fake.halt_count, 0);
}

int main(void)
{
	clock_cond_init(&news);
	log_set_level(LOG_ERROR);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(it_is_the_first_order),
		TEST(one_that_nobody_is_known_to_have_heard),
		TEST(a_silent_device_is_no_cable),
		TEST(a_calibration_is_ended_by_its_own_order),
		TEST(another_motion_is_left_alone),
		TEST(a_controller_that_began_anew_is_left_alone),
		TEST(at_rest_nothing_is_kept),
		TEST(it_outlives_a_disconnect),
		TEST(one_that_is_not_taken),
		TEST(it_lapses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
