/* SPDX-License-Identifier: MIT */
/* A motor that goes somewhere else than it was sent is stopped after steps; one that only looks like it is not. */
#include "core_fixture.h"
#include "focuser_private.h"

/* What a motor of 1000 steps a second may run wrong here: its margin (astray.h: 50 + tolerance 2 + 50 for its ramp),
 * the way between two looks at a moving motor (100 ms of the fake's clock), two closer looks and the halt.  The
 * clock runs twenty times faster than life, so a thread that is late by 20 ms costs 400 steps: twice that. */
#define MOST_ASTRAY (102 + 100 + 50 + 800)

static struct focuser_state look(struct fixture *f)
{
	struct focuser_state now;
	focuser_state(f->focuser, &now);
	return now;
}

static bool told(struct fixture *f)
{
	struct err err;
	bool is;
	return focuser_is_moving(f->focuser, &is, &err) == ERR_STALLED;
}

static void sentence(struct fixture *f, struct err *err)
{
	bool is;
	wait_for(f, told);
	focuser_is_moving(f->focuser, &is, err);
	wait_for(f, at_rest);
}

static void move_to(struct fixture *f, int32_t target)
{
	struct err err;
	assert_int_equal(focuser_move(f->focuser, target, &err), ERR_OK);
}

static void arrives(struct fixture *f, int32_t target)
{
	wait_for(f, at_rest);
	struct err err = {0};
	bool is = true;
	if (focuser_is_moving(f->focuser, &is, &err) != ERR_OK) {
		fail_msg("%s", err.text);
	}
	assert_int_equal(look(f).position, target);
	assert_int_equal(fake.halt_count, 0);
}

static void is_stopped(struct fixture *f, int32_t sent_to, const char *words, int32_t low, int32_t high)
{
	struct err err = {0};
	move_to(f, sent_to);
	sentence(f, &err);
	if (strstr(err.text, words) == NULL || strstr(err.text, "reverse") == NULL) {
		fail_msg("'%s' instead of %s", err.text, words);
	}
	assert_in_range(look(f).motor_position, low, high);
	assert_true(fake.halt_count >= 1);
	/* The motor was sent once and not again. */
	assert_int_equal(fake.move_count, 1);
	assert_int_equal(look(f).trust, POSITION_UNKNOWN);
}

static void reversed_wiring(void **state)
{
	struct fixture *f = *state;
	start(f);
	fake.runs_off = true;
	is_stopped(f, 9000, "sent from 5000 to 9000 and went the other way", 5000 - MOST_ASTRAY, 4940);
}

static void a_target_that_lost_a_digit(void **state)
{
	struct fixture *f = *state;
	start(f);
	fake.mishears = 510;
	is_stopped(f, 5100, "went the other way", 5000 - MOST_ASTRAY, 4940);
}

static void a_target_with_a_digit_too_many(void **state)
{
	struct fixture *f = *state;
	start(f);
	fake.mishears = 9999;
	is_stopped(f, 5100, "ran past it", 5150, 5100 + MOST_ASTRAY);
}

static void a_motor_that_runs_past_its_target(void **state)
{
	struct fixture *f = *state;
	start(f);
	fake.runs_past = true;
	is_stopped(f, 4000, "ran past it", 4000 - MOST_ASTRAY, 3950);
}

/* The motor stops by itself within the margin, yet further off than it began, so it is not sent again. */
static void a_leg_that_ended_further_off_is_not_tried_again(void **state)
{
	struct fixture *f = *state;
	start(f);
	fake.mishears = 5075;
	struct err err = {0};
	move_to(f, 5030);
	sentence(f, &err);
	assert_non_null(strstr(err.text, "ended further off, at 5075"));
	assert_int_equal(fake.move_count, 1);
}

/* To stop short of the target once is a fault of the moment, so the motor is sent again. */
static void a_leg_that_ended_nearer_is_tried_again(void **state)
{
	struct fixture *f = *state;
	start(f);
	fake.mishears = 5500;
	move_to(f, 6000);
	arrives(f, 6000);
	assert_int_equal(fake.move_count, 2);
}

static void a_late_start_is_none(void **state)
{
	struct fixture *f = *state;
	start(f);
	fake.late_ms = 900;
	move_to(f, 5400);
	arrives(f, 5400);
}

static void an_overshoot_by_deceleration_is_none(void **state)
{
	struct fixture *f = *state;
	start(f);
	fake.overshoot = 45;
	move_to(f, 5400);
	arrives(f, 5400);
}

static void a_device_that_takes_up_its_own_backlash_is_none(void **state)
{
	struct fixture *f = *state;
	fake.own_backlash = 400;
	fake.overshoot = 400;
	start(f);
	move_to(f, 4000);
	arrives(f, 4000);
}

static void a_device_that_does_not_tell_its_backlash_is_none(void **state)
{
	struct fixture *f = *state;
	fake.backlash_untold = true;
	fake.overshoot = 1500;
	start(f);
	move_to(f, 4000);
	arrives(f, 4000);
}

/* The same motion is astray for a device that takes up no backlash. */
static void a_long_way_past_the_target_is_one(void **state)
{
	struct fixture *f = *state;
	fake.overshoot = 4000;
	start(f);
	is_stopped(f, 4500, "ran past it", 4500 - MOST_ASTRAY, 4450);
}

static void until_told(void **state)
{
	struct fixture *f = *state;
	fake.backlash_untold = true;
	fake.tells_backlash = 100;
	fake.runs_past = true;
	start(f);
	is_stopped(f, 4500, "ran past it", 4500 - MOST_ASTRAY - 100, 4400);
}

static bool past_5500(struct fixture *f)
{
	return look(f).motor_position > 5500;
}

static void a_running_motor_that_has_to_turn_is_none(void **state)
{
	struct fixture *f = *state;
	start(f);
	fake.coast = 300;
	move_to(f, 9000);
	wait_for(f, past_5500);
	move_to(f, 3000);
	arrives(f, 3000);
}

static void a_number_of_a_bad_line_is_none(void **state)
{
	struct fixture *f = *state;
	start(f);
	move_to(f, 9000);
	wait_for(f, past_5500);
	fake.glitch = 2000;
	wait_for(f, at_rest);
	arrives(f, 9000);
	fake.glitch = -3000;
	move_to(f, 5000);
	arrives(f, 5000);
}

static bool is_drifting(struct fixture *f)
{
	return look(f).is_moving;
}

/* Nobody of ours has sent the motor: the motion is somebody else's, and nobody halts that. */
static void a_hand_at_the_knob_is_none(void **state)
{
	struct fixture *f = *state;
	start(f);
	fake.hand = 400;
	wait_for(f, is_drifting);
	wait_for(f, past_5500);
	fake.hand = 0;
	wait_for(f, at_rest);
	assert_int_equal(fake.halt_count, 0);
	assert_false(told(f));
}

static bool settling(struct fixture *f)
{
	pthread_mutex_lock(&f->focuser->lock);
	bool is = focuser_of(f->focuser)->phase == MOVE_SETTLE;
	pthread_mutex_unlock(&f->focuser->lock);
	return is;
}

/* The motor obeyed and had arrived. Somebody who then moves it on is told apart from a motor that goes astray, and is
 * not halted. */
static void a_motor_that_is_moved_away_from_its_target_is_somebody_elses(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].settle_ms = 60000;
	start(f);
	move_to(f, 5400);
	wait_for(f, settling);
	fake.says_moving = true;
	fake.hand = 400;
	struct err err = {0};
	bool is;
	wait_for(f, told);
	focuser_is_moving(f->focuser, &is, &err);
	fake.hand = 0;
	fake.says_moving = false;
	assert_non_null(strstr(err.text, "moved away by somebody else"));
	wait_for(f, at_rest);
	assert_int_equal(fake.halt_count, 0);
	assert_int_equal(fake.move_count, 1);
}

int main(void)
{
	clock_cond_init(&news);
	log_set_level(LOG_ERROR);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(reversed_wiring),
		TEST(a_target_that_lost_a_digit),
		TEST(a_target_with_a_digit_too_many),
		TEST(a_motor_that_runs_past_its_target),
		TEST(a_leg_that_ended_further_off_is_not_tried_again),
		TEST(a_leg_that_ended_nearer_is_tried_again),
		TEST(a_late_start_is_none),
		TEST(an_overshoot_by_deceleration_is_none),
		TEST(a_device_that_takes_up_its_own_backlash_is_none),
		TEST(a_device_that_does_not_tell_its_backlash_is_none),
		TEST(a_long_way_past_the_target_is_one),
		TEST(until_told),
		TEST(a_running_motor_that_has_to_turn_is_none),
		TEST(a_number_of_a_bad_line_is_none),
		TEST(a_hand_at_the_knob_is_none),
		TEST(a_motor_that_is_moved_away_from_its_target_is_somebody_elses),
	};
	return cmocka_run_group_tests_name("astray", tests, NULL, NULL);
}
