/* SPDX-License-Identifier: MIT */
/* Memory of the position in a whole observatory: a slow or refusing disk, resets, restarts, SetPosition. */
#include "position_fixture.h"

static _Atomic int moves_at_sync;

static void count_moves(void)
{
	moves_at_sync = fake.move_count;
}

static void the_way_is_on_the_disk_before_the_motor_is_told(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].backlash_steps = 200; /* inwards: past the target and back */
	start(f);
	assert_int_equal(look(f).trust, POSITION_KNOWN);
	struct position_entry entry = on_disk(f);
	assert_true(!entry.moving && entry.position == 5000 && entry.trust == POSITION_KNOWN);
	moves_at_sync = -1;
	disk.on_sync = count_moves;
	disk.sync_waits = true;
	move(f, 4000);
	wait_for(f, disk_is_syncing);
	assert_int_equal(moves_at_sync, 0);
	assert_true(look(f).is_moving);
	/* The bytes are in the file, but the disk has not yet said so. */
	assert_int_equal(position_journal_read(f->path, &entry, NULL), POSITION_READ);
	assert_true(entry.moving && entry.from == 5000 && entry.target == 4000);
	assert_true(entry.low == 3800 && entry.high == 5000 && entry.position == 5000);
	disk.on_sync = NULL;
	disk.sync_waits = false;
	wait_for(f, at_rest);
	entry = on_disk(f);
	assert_true(!entry.moving && entry.position == 4000 && entry.low == 4000 && entry.high == 4000);
	/* A move makes two entries, and none is made while nothing happens. */
	int writes = disk.writes;
	assert_int_equal(writes, 2);
	int polls = fake.temperature_count;
	while (fake.temperature_count < polls + 3) {
		wait_for(f, at_rest);
	}
	assert_int_equal(disk.writes, writes);
}

static void a_halt_does_not_wait_for_the_disk(void **state)
{
	struct fixture *f = *state;
	struct err err;
	start(f);
	on_disk(f);
	disk.sync_waits = true;
	move(f, 9000);
	wait_for(f, disk_is_syncing);
	assert_int_equal(focuser_halt(f->dev, &err), ERR_OK);
	wait_for(f, at_rest);
	assert_int_equal(fake.halt_count, 1);
	assert_int_equal(fake.move_count, 0);
	assert_true(disk.syncing);
	disk.sync_waits = false;
	assert_false(on_disk(f).moving);
}

static bool failing(struct fixture *f)
{
	return look(f).journal_failing;
}

static bool healthy(struct fixture *f)
{
	return !look(f).journal_failing;
}

static void a_disk_that_never_answers_delays_a_move_by_its_patience(void **state)
{
	struct fixture *f = *state;
	start(f);
	on_disk(f);
	disk.sync_waits = true;
	int64_t begin = clock_now_ms(clock_real());
	move(f, 5100);
	wait_for(f, started);
	assert_true(clock_now_ms(clock_real()) - begin >= POSITION_JOURNAL_PATIENCE_MS - 1);
	/* The move starts, and it is said that a power cut would lose the position, until the disk has answered. */
	assert_true(look(f).journal_failing);
	wait_for(f, at_rest);
	assert_int_equal(look(f).position, 5100);
	assert_true(look(f).journal_failing);
	disk.sync_waits = false;
	assert_int_equal(on_disk(f).position, 5100);
	wait_for(f, healthy);
}

static void focusing_goes_on_with_a_full_disk(void **state)
{
	struct fixture *f = *state;
	start(f);
	on_disk(f);
	disk.write_error = ENOSPC;
	move(f, 5300);
	wait_for(f, started);
	wait_for(f, at_rest);
	wait_for(f, failing);
	assert_int_equal(look(f).position, 5300);
	assert_int_equal(look(f).trust, POSITION_KNOWN);
	disk.write_error = 0;
	move(f, 5200);
	wait_for(f, at_rest);
	wait_for(f, healthy);
	assert_int_equal(on_disk(f).position, 5200);
}

static void a_target_that_is_replaced_is_noted_with_the_way_before(void **state)
{
	struct fixture *f = *state;
	start(f);
	move(f, 9000);
	wait_for(f, started);
	move(f, 1000);
	while (fake.move_count < 2) {
		wait_for(f, started);
	}
	struct position_entry entry;
	assert_int_equal(position_journal_read(f->path, &entry, NULL), POSITION_READ);
	assert_true(entry.moving && entry.target == 1000 && entry.low == 1000 && entry.high == 9000);
	struct err err;
	focuser_halt(f->dev, &err);
	wait_for(f, at_rest);
}

static void a_reset_is_a_shift_and_restore_settles_it(void **state)
{
	struct fixture *f = *state;
	start(f);
	move(f, 7600);
	wait_for(f, at_rest);
	stop(f);
	fake_put_motor(0);
	start(f);
	struct focuser_state now = look(f);
	assert_int_equal(now.trust, POSITION_SHIFTED);
	assert_int_equal(now.position, 0);
	assert_true(now.remembered_known && now.remembered == 7600 && now.can_set_position);
	assert_non_null(strstr(now.trust_why, "stood at 7600"));
	/* The focuser moves all the same, and what is remembered moves along, but not out of the range by both
	 * counts. */
	int moves = fake.move_count;
	struct err err;
	assert_int_equal(focuser_move(f->dev, 2401, &err), ERR_INVALID_OPERATION);
	assert_non_null(strstr(err.text, "restore"));
	move(f, 400);
	wait_for(f, at_rest);
	assert_int_equal(fake.move_count, moves + 1);
	assert_int_equal(look(f).remembered, 8000);
	/* The doubt outlives a restart. */
	stop(f);
	start(f);
	now = look(f);
	assert_true(now.trust == POSITION_SHIFTED && now.remembered == 8000 && now.position == 400);
	assert_int_equal(set_position(f, FOCUSER_SET_RESTORE, 0), ERR_OK);
	now = look(f);
	assert_true(now.trust == POSITION_KNOWN && now.position == 8000 && now.trust_why[0] == '\0');
	assert_false(now.remembered_known);
	assert_int_equal(fake.set_position_count, 1);
	assert_int_equal(fake.move_count, moves + 1);
	struct position_entry entry = on_disk(f);
	assert_true(entry.trust == POSITION_KNOWN && entry.position == 8000 && !entry.offset_known);
	assert_int_equal(set_position(f, FOCUSER_SET_RESTORE, 0), ERR_INVALID_VALUE);
}

static void set_position_is_over_when_it_is_on_the_disk(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};
	struct position_entry entry;
	uint64_t ticket;
	enum err_code code;
	start(f);
	on_disk(f);
	disk.sync_waits = true;
	assert_int_equal(focuser_set_position(f->dev, FOCUSER_SET_TO, 1200, &ticket, &err), ERR_OK);
	wait_for(f, disk_is_syncing);
	assert_false(focuser_set_position_done(f->dev, ticket, &code, &err));
	disk.sync_waits = false;
	while (!focuser_set_position_done(f->dev, ticket, &code, &err)) {
		wait_for(f, at_rest);
	}
	assert_int_equal(code, ERR_OK);
	assert_int_equal(position_journal_read(f->path, &entry, NULL), POSITION_READ);
	assert_int_equal(entry.position, 1200);
}

static void keep_takes_the_devices_word(void **state)
{
	struct fixture *f = *state;
	start(f);
	on_disk(f);
	stop(f);
	fake_put_motor(3000);
	start(f);
	assert_int_equal(look(f).trust, POSITION_SHIFTED);
	assert_int_equal(set_position(f, FOCUSER_SET_KEEP, 0), ERR_OK);
	assert_int_equal(fake.set_position_count, 0);
	assert_int_equal(look(f).trust, POSITION_KNOWN);
	assert_int_equal(on_disk(f).position, 3000);
	stop(f);
	start(f);
	assert_int_equal(look(f).trust, POSITION_KNOWN);
}

static void a_reset_is_noticed_when_the_link_returns(void **state)
{
	struct fixture *f = *state;
	start(f);
	on_disk(f);
	fake.gone = true;
	wait_for(f, lost);
	fake_put_motor(0);
	fake.gone = false;
	wait_for(f, up);
	assert_int_equal(look(f).trust, POSITION_SHIFTED);
	assert_int_equal(look(f).remembered, 5000);
	assert_int_equal(fake.move_count, 0);
	assert_int_equal(fake.set_position_count, 0); /* nothing is put right by itself */
}

static bool shifted(struct fixture *f)
{
	return look(f).trust == POSITION_SHIFTED;
}

static void a_reset_under_an_open_link_ends_a_move(void **state)
{
	struct fixture *f = *state;
	struct err err;
	bool moving;
	start(f);
	on_disk(f);
	fake.reset = true;
	wait_for(f, shifted);
	assert_int_equal(look(f).remembered, 5000);
	assert_int_equal(on_disk(f).trust, POSITION_SHIFTED);
	assert_int_equal(set_position(f, FOCUSER_SET_RESTORE, 0), ERR_OK);
	move(f, 9000);
	wait_for(f, started);
	int moves = fake.move_count;
	fake.reset = true;
	wait_for(f, unknown);
	/* The motor does not set out from 0 for 9000, which would be far beyond the end. */
	assert_int_equal(fake.move_count, moves);
	assert_int_equal(focuser_is_moving(f->dev, &moving, &err), ERR_STALLED);
	assert_non_null(strstr(err.text, "reset"));
	assert_int_equal(look(f).position, 0);
	assert_int_equal(focuser_move(f->dev, 9000, &err), ERR_INVALID_OPERATION);
	move(f, 100);
	wait_for(f, at_rest);
	assert_int_equal(look(f).position, 100);
}

/* This board saves its count now and then; the driver tells of the reset, since the number alone does not show it. */
static void a_reset_that_the_driver_tells_of_ends_a_move(void **state)
{
	struct fixture *f = *state;
	struct err err;
	bool moving;
	start(f);
	on_disk(f);
	move(f, 9000);
	wait_for(f, started);
	int moves = fake.move_count;
	fake.loses_count = true;
	wait_for(f, unknown);
	assert_int_equal(fake.move_count, moves);
	assert_int_equal(focuser_is_moving(f->dev, &moving, &err), ERR_STALLED);
	assert_int_equal(look(f).position, 2000);
	/* The move also ends when the saved number happens to lie on the way. */
	assert_int_equal(set_position(f, FOCUSER_SET_TO, 1000), ERR_OK);
	assert_int_equal(look(f).trust, POSITION_KNOWN);
	move(f, 9000);
	moves++;
	while (fake.move_count < moves) {
		wait_for(f, started);
	}
	fake.loses_count = true;
	wait_for(f, unknown);
	assert_int_equal(fake.move_count, moves);
	assert_int_equal(look(f).position, 2000);
	/* A reset at rest is noticed, too. */
	assert_int_equal(set_position(f, FOCUSER_SET_TO, 5000), ERR_OK);
	on_disk(f);
	fake.loses_count = true;
	wait_for(f, shifted);
	assert_int_equal(look(f).remembered, 5000);
	assert_int_equal(fake.move_count, moves);
}

static void a_power_cut_in_a_move(void **state)
{
	struct fixture *f = *state;
	start(f);
	on_disk(f);
	move(f, 9000);
	wait_for(f, started);
	struct position_entry cut = on_disk(f);
	assert_true(cut.moving);
	/* A board that writes its count down now and then. */
	power_cut(f, &cut, 6500);
	assert_int_equal(look(f).trust, POSITION_UNKNOWN);
	assert_true(look(f).within_known && look(f).within_low == 5000 && look(f).within_high == 9000);
	power_cut(f, &cut, 9000);
	assert_int_equal(look(f).trust, POSITION_KNOWN);
	/* A board that saves its count at rest. */
	power_cut(f, &cut, 5000);
	assert_int_equal(look(f).trust, POSITION_UNKNOWN);
	power_cut(f, &cut, 0);
	assert_int_equal(look(f).trust, POSITION_UNKNOWN);
	assert_non_null(strstr(look(f).trust_why, "from 5000 to 9000"));
	assert_true(look(f).remembered_known && look(f).remembered == 5000);
	/* The person at the telescope reads the position off the setting circle and sets it. */
	assert_int_equal(set_position(f, FOCUSER_SET_TO, 7000), ERR_OK);
	assert_int_equal(look(f).trust, POSITION_KNOWN);
	assert_int_equal(look(f).position, 7000);
	assert_false(look(f).within_known);
}

/* To restore the place where the motor was last seen on its way is a guess, and stays one: over moves, restarts and
 * another reset, until somebody says where it stands. */
static void restoring_after_a_power_cut_in_a_move_is_a_guess(void **state)
{
	struct fixture *f = *state;
	start(f);
	on_disk(f);
	move(f, 9000);
	wait_for(f, started);
	struct position_entry cut = on_disk(f);
	cut.position = 6000; /* where it was seen last */
	power_cut(f, &cut, 0);
	assert_true(look(f).within_known && look(f).within_low == 5000 && look(f).within_high == 9000);
	assert_int_equal(set_position(f, FOCUSER_SET_RESTORE, 0), ERR_OK);
	struct focuser_state now = look(f);
	assert_int_equal(now.position, 6000);
	assert_int_equal(now.trust, POSITION_UNKNOWN);
	assert_true(now.within_known && now.within_low == 5000 && now.within_high == 9000);
	assert_non_null(strstr(now.trust_why, "from 5000 to 9000"));
	/* A move of 500 moves both ends by as much. */
	move(f, 6500);
	wait_for(f, at_rest);
	now = look(f);
	assert_int_equal(now.trust, POSITION_UNKNOWN);
	assert_true(now.within_low == 5500 && now.within_high == 9500);
	on_disk(f);
	stop(f);
	start(f);
	now = look(f);
	assert_int_equal(now.trust, POSITION_UNKNOWN);
	assert_true(now.within_known && now.within_low == 5500 && now.within_high == 9500);
	stop(f);
	fake_put_motor(0);
	start(f);
	now = look(f);
	assert_int_equal(now.trust, POSITION_UNKNOWN);
	assert_true(now.within_known && now.within_low == 5500 && now.within_high == 9500);
	assert_int_equal(set_position(f, FOCUSER_SET_KEEP, 0), ERR_OK);
	assert_int_equal(look(f).trust, POSITION_KNOWN);
	assert_false(look(f).within_known);
}

static void one_that_keeps_its_count_is_believed(void **state)
{
	struct fixture *f = *state;
	snprintf(f->config.focuser[0].driver, sizeof f->config.focuser[0].driver, "fake-keeper");
	start(f);
	on_disk(f);
	stop(f);
	fake_put_motor(3000);
	start(f);
	assert_int_equal(look(f).trust, POSITION_KNOWN);
	assert_false(look(f).can_set_position);
	assert_int_equal(set_position(f, FOCUSER_SET_TO, 100), ERR_NOT_IMPLEMENTED);
	assert_int_equal(set_position(f, FOCUSER_SET_TO, 3000), ERR_OK); /* it says so itself */
	assert_int_equal(set_position(f, FOCUSER_SET_KEEP, 0), ERR_OK);
	assert_int_equal(on_disk(f).position, 3000);
}

static void a_stall_stays_unknown_until_somebody_says_where_it_is(void **state)
{
	struct fixture *f = *state;
	start(f);
	on_disk(f);
	fake.stuck = true;
	move(f, 7000);
	wait_for(f, unknown);
	wait_for(f, at_rest);
	assert_non_null(strstr(look(f).trust_why, "says it moves but stands at 5000"));
	fake.stuck = false;
	stop(f);
	fake_put_motor(5000);
	start(f);
	assert_int_equal(look(f).trust, POSITION_UNKNOWN);
	assert_non_null(strstr(look(f).trust_why, "stands at 5000"));
	assert_int_equal(set_position(f, FOCUSER_SET_RESTORE, 0), ERR_INVALID_VALUE);
	move(f, 5400);
	wait_for(f, at_rest);
	assert_int_equal(look(f).trust, POSITION_UNKNOWN);
	assert_int_equal(set_position(f, FOCUSER_SET_KEEP, 0), ERR_OK);
	assert_int_equal(look(f).trust, POSITION_KNOWN);
}

static void set_position_is_refused_when_it_cannot_be_meant(void **state)
{
	struct fixture *f = *state;
	struct err err;
	start(f);
	assert_int_equal(set_position(f, FOCUSER_SET_TO, -1), ERR_INVALID_VALUE);
	assert_int_equal(set_position(f, FOCUSER_SET_TO, 10001), ERR_INVALID_VALUE);
	move(f, 9000);
	assert_int_equal(set_position(f, FOCUSER_SET_TO, 100), ERR_INVALID_OPERATION);
	focuser_halt(f->dev, &err);
	wait_for(f, at_rest);
	struct lease lease = {.run = 7, .what = "autofocus run 7"};
	pthread_mutex_lock(&f->dev->lock);
	f->dev->lease = lease;
	pthread_mutex_unlock(&f->dev->lock);
	assert_int_equal(set_position(f, FOCUSER_SET_TO, 100), ERR_INVALID_OPERATION);
	device_lease_drop(f->dev, 7);
	assert_int_equal(fake.set_position_count, 0);
	fake.sync_fails = true;
	assert_int_equal(set_position(f, FOCUSER_SET_TO, 100), ERR_REFUSED);
	assert_int_not_equal(look(f).position, 100);
	fake.gone = true;
	wait_for(f, lost);
	assert_int_equal(set_position(f, FOCUSER_SET_TO, 100), ERR_IO);
}

static void reversed_numbers_are_kept_as_the_motor_counts(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].reverse = true;
	fake.start_position = 4000;
	start(f);
	assert_int_equal(look(f).position, 6000);
	move(f, 7000);
	wait_for(f, at_rest);
	struct position_entry entry = on_disk(f);
	assert_true(entry.position == 3000 && entry.numbering.reversed && entry.max_step == 10000);
	stop(f);
	/* With `reverse` the other way round the motor still stands where it stood. */
	f->config.focuser[0].reverse = false;
	start(f);
	assert_int_equal(look(f).trust, POSITION_KNOWN);
	assert_int_equal(look(f).position, 3000);
	stop(f);
	f->config.focuser[0].reverse = true;
	fake_put_motor(0);
	start(f);
	assert_int_equal(look(f).trust, POSITION_SHIFTED);
	assert_int_equal(look(f).position, 10000);
	assert_int_equal(look(f).remembered, 7000);
	assert_int_equal(set_position(f, FOCUSER_SET_TO, 7000), ERR_OK);
	assert_int_equal(on_disk(f).position, 3000);
}

/* A motor whose lower limit is 1000 by its own count: what lasts, and what the device is told, is by that count. */
static void shifted_numbers_are_kept_as_the_motor_counts(void **state)
{
	struct fixture *f = *state;
	fake.lowest = 1000;
	fake.start_position = 4000;
	start(f);
	assert_int_equal(look(f).position, 3000);
	move(f, 4000);
	wait_for(f, at_rest);
	struct position_entry entry = on_disk(f);
	assert_true(entry.position == 5000 && entry.max_step == 9000 && !entry.before_shift);
	assert_true(entry.numbering.low == 1000 && entry.numbering.high == 10000);
	stop(f);
	fake_put_motor(0);
	start(f);
	assert_int_equal(look(f).trust, POSITION_SHIFTED);
	assert_true(look(f).position == 0 && look(f).measured_position == -1000 && look(f).motor_position == 0);
	assert_int_equal(look(f).remembered, 4000);
	assert_int_equal(set_position(f, FOCUSER_SET_RESTORE, 0), ERR_OK);
	assert_true(look(f).position == 4000 && look(f).motor_position == 5000);
	assert_int_equal(on_disk(f).position, 5000);
	assert_int_equal(set_position(f, FOCUSER_SET_TO, 9000), ERR_OK);
	assert_int_equal(look(f).motor_position, 10000);
	assert_int_equal(set_position(f, FOCUSER_SET_TO, 9001), ERR_INVALID_VALUE);
}

int main(void)
{
	log_set_level(LOG_ERROR);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_way_is_on_the_disk_before_the_motor_is_told),
		TEST(a_halt_does_not_wait_for_the_disk),
		TEST(a_disk_that_never_answers_delays_a_move_by_its_patience),
		TEST(focusing_goes_on_with_a_full_disk),
		TEST(a_target_that_is_replaced_is_noted_with_the_way_before),
		TEST(a_reset_is_a_shift_and_restore_settles_it),
		TEST(set_position_is_over_when_it_is_on_the_disk),
		TEST(keep_takes_the_devices_word),
		TEST(a_reset_is_noticed_when_the_link_returns),
		TEST(a_reset_under_an_open_link_ends_a_move),
		TEST(a_reset_that_the_driver_tells_of_ends_a_move),
		TEST(a_power_cut_in_a_move),
		TEST(restoring_after_a_power_cut_in_a_move_is_a_guess),
		TEST(one_that_keeps_its_count_is_believed),
		TEST(a_stall_stays_unknown_until_somebody_says_where_it_is),
		TEST(set_position_is_refused_when_it_cannot_be_meant),
		TEST(reversed_numbers_are_kept_as_the_motor_counts),
		TEST(shifted_numbers_are_kept_as_the_motor_counts),
	};
	return cmocka_run_group_tests_name("position memory", tests, NULL, NULL);
}
