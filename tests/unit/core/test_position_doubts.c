/* SPDX-License-Identifier: MIT */
/* Memory of the position where it is easily taken for better than it is. */
#include "position_fixture.h"

/* The power may be cut while the motor has been told to stop and does not. */
static void a_stall_is_on_the_disk_before_the_motor_rests(void **state)
{
	struct fixture *f = *state;
	start(f);
	on_disk(f);
	fake.stuck = true;
	fake.says_moving = true;
	fake.deaf_halts = 1000;
	move(f, 7000);
	wait_for(f, unknown);
	struct position_entry cut = on_disk(f);
	assert_true(cut.moving && cut.trust == POSITION_UNKNOWN && cut.why[0] != '\0');
	fake.stuck = false;
	fake.says_moving = false;
	fake.deaf_halts = 0;
	power_cut(f, &cut, 6000);
	assert_int_equal(look(f).trust, POSITION_UNKNOWN);
	assert_non_null(strstr(look(f).trust_why, "says it moves but stands at 5000"));
}

static bool sync_is_over(struct fixture *f)
{
	struct err err;
	return focuser_move(f->dev, look(f).position, &err) == ERR_OK;
}

/* The board takes its new count, but its answer gets lost: to restore once more would shift it twice. */
static void a_set_position_whose_answer_is_lost(void **state)
{
	struct fixture *f = *state;
	start(f);
	on_disk(f);
	stop(f);
	fake_put_motor(300);
	start(f);
	assert_true(look(f).trust == POSITION_SHIFTED && look(f).remembered == 5000);
	fake.mute_set_positions = 1;
	assert_int_equal(set_position(f, FOCUSER_SET_RESTORE, 0), ERR_TIMEOUT);
	wait_for(f, sync_is_over);
	struct focuser_state now = look(f);
	assert_true(now.position == 5000 && now.trust == POSITION_KNOWN && !now.remembered_known);
	assert_int_equal(on_disk(f).trust, POSITION_KNOWN);
	assert_int_equal(fake.move_count, 0);
	/* A position that was known is in doubt afterwards, and restoring it is offered. */
	fake.mute_set_positions = 1;
	assert_int_equal(set_position(f, FOCUSER_SET_TO, 800), ERR_TIMEOUT);
	wait_for(f, sync_is_over);
	now = look(f);
	assert_true(now.position == 800 && now.trust == POSITION_SHIFTED && now.remembered == 5000);
	/* A SetPosition that is refused changes nothing. */
	fake.sync_fails = true;
	assert_int_equal(set_position(f, FOCUSER_SET_RESTORE, 0), ERR_REFUSED);
	wait_for(f, sync_is_over);
	now = look(f);
	assert_true(now.position == 800 && now.trust == POSITION_SHIFTED && now.remembered == 5000);
}

/* The turning point of an overshoot is a place that the motor goes to, like the target. */
static void no_overshoot_beyond_the_remembered_end(void **state)
{
	struct fixture *f = *state;
	struct err err;
	f->config.focuser[0].backlash_steps = 200;
	start(f);
	move(f, 1000);
	wait_for(f, at_rest);
	on_disk(f);
	stop(f);
	fake_put_motor(5000); /* 4000 more than it should say */
	start(f);
	assert_true(look(f).trust == POSITION_SHIFTED && look(f).remembered == 1000);
	int moves = fake.move_count;
	assert_int_equal(focuser_move(f->dev, 4100, &err), ERR_INVALID_OPERATION); /* its 100, by way of its -100 */
	assert_non_null(strstr(err.text, "SetPosition"));
	assert_int_equal(fake.move_count, moves);
	move(f, 4200);
	wait_for(f, at_rest);
	assert_int_equal(look(f).position, 4200);
	assert_int_equal(look(f).remembered, 200);
	/* A move in the direction of the approach needs no overshoot. */
	move(f, 5000);
	wait_for(f, at_rest);
}

static void another_device_at_the_same_place_is_remembered(void **state)
{
	struct fixture *f = *state;
	snprintf(f->config.focuser[0].driver, sizeof f->config.focuser[0].driver, "fake-keeper");
	start(f);
	assert_string_equal(on_disk(f).driver, "fake-keeper");
	stop(f);
	snprintf(f->config.focuser[0].driver, sizeof f->config.focuser[0].driver, "fake-forgetful");
	start(f);
	assert_string_equal(on_disk(f).driver, "fake-forgetful");
	stop(f);
	fake_put_motor(0);
	start(f);
	assert_int_equal(look(f).trust, POSITION_SHIFTED);
}

static bool on_its_way(struct fixture *f)
{
	return look(f).motor_position > 5300;
}

/* Restoring offers where the motor was seen last, not where it was noted last. */
static void what_was_seen_last_is_offered(void **state)
{
	struct fixture *f = *state;
	fake.speed = 100;
	start(f);
	for (int how = 0; how < 2; how++) {
		move(f, 9000);
		wait_for(f, on_its_way);
		if (how == 0) {
			fake.reset = true;
		} else {
			fake.gone = true;
			wait_for(f, lost);
			fake_put_motor(0);
			fake.gone = false;
		}
		wait_for(f, unknown);
		assert_true(look(f).remembered_known && look(f).remembered > 5300);
		assert_int_equal(set_position(f, FOCUSER_SET_TO, 5000), ERR_OK);
	}
}

/* One bad line at the very end must not be the thing that is remembered until the next night. */
static void an_odd_reading_on_the_way_to_closing(void **state)
{
	struct fixture *f = *state;
	struct position_entry entry;
	fake.speed = 100;
	start(f);
	for (int i = 0; i < 5; i++) {
		int moves = fake.move_count;
		move(f, 9000);
		while (fake.move_count == moves) {
			wait_for(f, up);
		}
		fake.glitch = -4000;
		stop(f);
		assert_int_equal(position_journal_read(f->path, &entry, NULL), POSITION_READ);
		assert_true(!entry.moving && entry.position >= 5000);
		start(f);
		assert_int_equal(look(f).trust, POSITION_KNOWN);
	}
}

int main(void)
{
	log_set_level(LOG_ERROR);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_stall_is_on_the_disk_before_the_motor_rests),
		TEST(a_set_position_whose_answer_is_lost),
		TEST(no_overshoot_beyond_the_remembered_end),
		TEST(what_was_seen_last_is_offered),
		TEST(an_odd_reading_on_the_way_to_closing),
		TEST(another_device_at_the_same_place_is_remembered),
	};
	return cmocka_run_group_tests_name("position doubts", tests, NULL, NULL);
}
