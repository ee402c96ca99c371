/* SPDX-License-Identifier: MIT */
/* What the watchdog of a move takes for wrong, and what not. */
#include "core_fixture.h"
#include "focuser_private.h"

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

static bool at_5100(struct fixture *f)
{
	return look(f).motor_position == 5100;
}

/* A bad line may have changed the target to anything; that is noticed at the limit at the latest. */
static void a_motor_that_runs_past_a_limit_is_stopped_there(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};
	bool is;
	f->config.focuser[0].min_step = 4800;
	fake.backlash_untold = true;
	f->time_factor = 60;
	start(f);
	/* Where passing the target may be how the device takes up its backlash, the limit tells. */
	fake.runs_past = true;
	fake.speed = 100;
	assert_int_equal(focuser_move(f->focuser, 4900, &err), ERR_OK);
	wait_for(f, told);
	focuser_is_moving(f->focuser, &is, &err);
	assert_non_null(strstr(err.text, "outside 4800..10000"));
	wait_for(f, at_rest);
	assert_true(fake.halt_count >= 1);
	/* From there the motor finds back. */
	fake.runs_past = false;
	fake.speed = 1000;
	assert_int_equal(focuser_move(f->focuser, 5000, &err), ERR_OK);
	wait_for(f, at_rest);
	assert_int_equal(look(f).position, 5000);
}

/* The motor moves again late in a long settling, when the time for the way has long been over. */
static void moves_again_late_in_a_long_settling(void **state)
{
	struct fixture *f = *state;
	struct err err;
	f->config.focuser[0].settle_ms = 30000;
	f->time_factor = 60;
	start(f);
	assert_int_equal(focuser_move(f->focuser, 5100, &err), ERR_OK);
	wait_for(f, at_5100);
	int64_t late = clock_now_ms(f->focuser->clock) + 20000;
	while (clock_now_ms(f->focuser->clock) < late) {
		wait_for(f, at_5100);
	}
	fake.says_moving = true;
	int polls = fake.poll_count;
	while (fake.poll_count < polls + 2) {
		wait_for(f, at_5100);
	}
	fake.says_moving = false;
	wait_for(f, at_rest);
	assert_false(told(f));
	assert_int_equal(look(f).position, 5100);
	assert_int_equal(look(f).trust, POSITION_KNOWN);
}

static bool noise_is_over(struct fixture *f)
{
	(void)f;
	return fake.garbled == 0 && fake.poll_count >= 1;
}

static bool not_up(struct fixture *f)
{
	return look(f).link != LINK_UP;
}

/* A device that answers with noise is there: a burst of noise costs no move, and only a long one costs the link. */
static void noise_on_the_line_passes(void **state)
{
	struct fixture *f = *state;
	struct err err;
	f->time_factor = 60;
	start(f);
	assert_int_equal(focuser_move(f->focuser, 6000, &err), ERR_OK);
	fake.poll_count = 0;
	fake.garbled = FOCUSER_POLL_GARBLED - 1;
	wait_for(f, noise_is_over);
	wait_for(f, at_rest);
	/* It arrived: a move that a lost link has ended says so here. */
	bool is;
	assert_int_equal(focuser_is_moving(f->focuser, &is, &err), ERR_OK);
	assert_int_equal(look(f).position, 6000);
	assert_int_equal(look(f).link, LINK_UP);
	fake.garbled = FOCUSER_POLL_GARBLED;
	wait_for(f, not_up);
}

int main(void)
{
	clock_cond_init(&news);
	log_set_level(LOG_ERROR);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_motor_that_runs_past_a_limit_is_stopped_there),
		TEST(moves_again_late_in_a_long_settling),
		TEST(noise_on_the_line_passes),
	};
	return cmocka_run_group_tests_name("watchdog", tests, NULL, NULL);
}
