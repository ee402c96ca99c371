/* SPDX-License-Identifier: MIT */
/* Moves, lost links and runs above the driver seam, with drivers that misbehave on demand. */
#include "core_fixture.h"

#include "autofocus.h"

static void connects_without_moving(void **state)
{
	struct fixture *f = *state;
	start(f);
	int32_t position = -1;
	struct err err;
	assert_int_equal(focuser_position(f->focuser, &position, &err), ERR_OK);
	assert_int_equal(position, 5000);
	assert_int_equal(fake.move_count, 0);
	assert_int_equal(fake.halt_count, 0);
}

static void moves_exactly_and_says_so_at_once(void **state)
{
	struct fixture *f = *state;
	start(f);
	fake.stop_short = -2; /* a motor that ends two steps beside */
	struct err err;
	bool moving = false;
	assert_int_equal(focuser_move(f->focuser, 6000, &err), ERR_OK);
	assert_int_equal(focuser_is_moving(f->focuser, &moving, &err), ERR_OK);
	assert_true(moving);
	wait_for(f, at_rest);
	int32_t position = 0;
	assert_int_equal(focuser_position(f->focuser, &position, &err), ERR_OK);
	assert_int_equal(position, 6000);
	struct focuser_state now;
	focuser_state(f->focuser, &now);
	assert_int_equal(now.motor_position, 5998);
	/* A move to the position where the focuser stands succeeds without motion. */
	int moves = fake.move_count;
	assert_int_equal(focuser_move(f->focuser, 6000, &err), ERR_OK);
	assert_true(at_rest(f));
	assert_int_equal(fake.move_count, moves);
}

static void clamps_and_keeps_the_lower_limit(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].min_step = 100;
	start(f);
	struct err err;
	fake.speed = 100000;
	assert_int_equal(focuser_move(f->focuser, 20000, &err), ERR_OK);
	wait_for(f, at_rest);
	int32_t position = 0;
	assert_int_equal(focuser_position(f->focuser, &position, &err), ERR_OK);
	assert_int_equal(position, 10000);
	assert_int_equal(focuser_move(f->focuser, 50, &err), ERR_OK);
	wait_for(f, at_rest);
	focuser_position(f->focuser, &position, &err);
	assert_int_equal(position, 100);
	assert_int_equal(focuser_move(f->focuser, 200, &err), ERR_OK);
	assert_int_equal(focuser_move(f->focuser, -10, &err), ERR_OK);
	wait_for(f, at_rest);
	focuser_position(f->focuser, &position, &err);
	assert_int_equal(position, 100);
	for (int i = 0; i < fake.move_count; i++) {
		assert_in_range(fake.move[i], 100, 10000);
	}
}

/* Every final leg comes from the approach side, and no intermediate point shows as an arrival. */
static void overshoots_once_against_the_approach(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].backlash_steps = 300;
	f->config.focuser[0].approach = CONFIG_APPROACH_OUT;
	start(f);
	struct err err;
	assert_int_equal(focuser_move(f->focuser, 4000, &err), ERR_OK);
	wait_for(f, at_rest);
	assert_int_equal(fake.move_count, 2);
	assert_int_equal(fake.move[0], 3700);
	assert_int_equal(fake.move[1], 4000);
	/* A move out goes direct, because the backlash is taken up. */
	assert_int_equal(focuser_move(f->focuser, 4050, &err), ERR_OK);
	wait_for(f, at_rest);
	assert_int_equal(fake.move_count, 3);
	assert_int_equal(fake.move[2], 4050);
	int32_t position = 0;
	focuser_position(f->focuser, &position, &err);
	assert_int_equal(position, 4050);
}

static void short_first_move_takes_up_unknown_play(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].backlash_steps = 300;
	start(f);
	struct err err;
	/* After connect nobody knows how the gears lie: 50 steps out might all be backlash. */
	assert_int_equal(focuser_move(f->focuser, 5050, &err), ERR_OK);
	wait_for(f, at_rest);
	assert_int_equal(fake.move_count, 2);
	assert_int_equal(fake.move[0], 4750);
	assert_int_equal(fake.move[1], 5050);
}

static void halt_drops_the_remaining_legs(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].backlash_steps = 300;
	start(f);
	struct err err;
	assert_int_equal(focuser_move(f->focuser, 1000, &err), ERR_OK);
	wait_for(f, leg_started);
	assert_int_equal(focuser_halt(f->focuser, &err), ERR_OK);
	wait_for(f, at_rest);
	assert_int_equal(fake.halt_count, 1);
	assert_int_equal(fake.move_count, fake.moves_at_halt);
	bool moving = true;
	assert_int_equal(focuser_is_moving(f->focuser, &moving, &err), ERR_OK);
	assert_false(moving);
	struct focuser_state now;
	focuser_state(f->focuser, &now);
	assert_in_range(now.position, 701, 5000);
	/* Halting at rest is no error. */
	assert_int_equal(focuser_halt(f->focuser, &err), ERR_OK);
}

static void reverse_mirrors_the_numbers(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].reverse = true;
	fake.start_position = 2000;
	start(f);
	struct err err;
	int32_t position = 0;
	focuser_position(f->focuser, &position, &err);
	assert_int_equal(position, 8000);
	assert_int_equal(focuser_move(f->focuser, 9000, &err), ERR_OK);
	wait_for(f, at_rest);
	assert_int_equal(fake.move[0], 1000);
	focuser_position(f->focuser, &position, &err);
	assert_int_equal(position, 9000);
}

static bool stall_told(struct fixture *f)
{
	bool moving;
	struct err err;
	return focuser_is_moving(f->focuser, &moving, &err) == ERR_STALLED;
}

static void a_stuck_motor_is_halted_and_told(void **state)
{
	struct fixture *f = *state;
	start(f);
	fake.stuck = true;
	struct err err;
	assert_int_equal(focuser_move(f->focuser, 7000, &err), ERR_OK);
	wait_for(f, stall_told);
	struct focuser_state now;
	focuser_state(f->focuser, &now);
	assert_int_equal(now.trust, POSITION_UNKNOWN);
	assert_int_not_equal(now.position, 7000);
	wait_for(f, at_rest);
	assert_true(fake.halt_count >= 1);
}

static void a_lost_link_heals_and_moves_nothing(void **state)
{
	struct fixture *f = *state;
	start(f);
	struct err err;
	assert_int_equal(focuser_move(f->focuser, 9000, &err), ERR_OK);
	wait_for(f, leg_started);
	fake.gone = true;
	wait_for(f, lost);
	/* Still connected, the move has failed, the position is an error with its age, a move is refused. */
	assert_true(device_connected(f->focuser, &alice));
	bool moving = true;
	assert_int_equal(focuser_is_moving(f->focuser, &moving, &err), ERR_IO);
	int32_t position;
	assert_int_equal(focuser_position(f->focuser, &position, &err), ERR_IO);
	assert_non_null(strstr(err.text, "old"));
	assert_int_equal(focuser_move(f->focuser, 100, &err), ERR_IO);
	struct focuser_state now;
	focuser_state(f->focuser, &now);
	assert_true(now.position_valid && now.position_stale && !now.is_moving);
	int moves = fake.move_count;
	fake.gone = false;
	wait_for(f, focuser_up);
	focuser_state(f->focuser, &now);
	assert_int_equal(now.trust, POSITION_KNOWN); /* it went on while nobody looked, on its way */
	assert_int_equal(fake.move_count, moves);
	assert_int_equal(fake.halt_count, 0);
}

static void silence_is_a_lost_link(void **state)
{
	struct fixture *f = *state;
	start(f);
	fake.silent = true;
	wait_for(f, lost);
	fake.silent = false;
	wait_for(f, focuser_up);
	struct focuser_state now;
	focuser_state(f->focuser, &now);
	assert_int_equal(now.trust, POSITION_KNOWN);
	assert_int_equal(fake.move_count, 0);
}

/* The second question is asked when the first answer has been taken. */
static bool asked_twice_for_temperature(struct fixture *f)
{
	(void)f;
	return fake.temperature_count >= 2;
}

static void broken_sensors_give_no_temperature(void **state)
{
	struct fixture *f = *state;
	static const double broken[] = {-127, 85, NAN, 200};
	double t = 0;
	struct err err;
	start(f);
	wait_for(f, asked_twice_for_temperature);
	assert_int_equal(focuser_temperature(f->focuser, &t, &err), ERR_OK);
	assert_true(t == 11.5);
	for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
		observatory_destroy(f->obs);
		f->obs = NULL;
		fake.temperature_c = broken[i];
		fake.temperature_count = 0;
		start(f);
		wait_for(f, asked_twice_for_temperature);
		assert_int_equal(focuser_temperature(f->focuser, &t, &err), ERR_VALUE_NOT_SET);
	}
}

/* Setters are silent, so only the motor that goes on shows that a halt got lost on the line. */
static void a_lost_halt_is_repeated(void **state)
{
	struct fixture *f = *state;
	start(f);
	struct err err;
	fake.deaf_halts = 2;
	focuser_move(f->focuser, 10000, &err);
	wait_for(f, leg_started);
	assert_int_equal(focuser_halt(f->focuser, &err), ERR_OK);
	wait_for(f, at_rest);
	assert_int_equal(fake.halt_count, 3);
	int32_t position = 10000;
	assert_int_equal(focuser_position(f->focuser, &position, &err), ERR_OK);
	assert_in_range(position, 5000, 9999);
	assert_int_equal(fake.move_count, 1);
}

static void a_disconnect_halts_until_it_rests(void **state)
{
	struct fixture *f = *state;
	start(f);
	struct err err;
	bool closing;
	fake.deaf_halts = 1;
	focuser_move(f->focuser, 10000, &err);
	wait_for(f, leg_started);
	device_disconnect(f->focuser, &alice, &closing, &err);
	wait_for(f, focuser_down);
	assert_int_equal(fake.halt_count, 2);
	fake.start_position = 0;
	uint64_t ticket;
	device_connect(f->focuser, &alice, &ticket, &err);
	wait_for(f, focuser_up);
	struct focuser_state now;
	focuser_state(f->focuser, &now);
	assert_in_range(now.position, 5000, 9999);
	assert_false(now.is_moving);
}

/* The tolerance is two steps, and a motor that begins late has not arrived just because it is within them. */
static void a_short_move_is_waited_for(void **state)
{
	struct fixture *f = *state;
	start(f);
	struct err err;
	fake.late_ms = 400;
	assert_int_equal(focuser_move(f->focuser, 5002, &err), ERR_OK);
	wait_for(f, at_rest);
	struct focuser_state now;
	focuser_state(f->focuser, &now);
	assert_int_equal(now.motor_position, 5002);
	assert_int_equal(fake.move_count, 1);
}

/* A start that says it failed may have worked, so the motor is stopped and the failure told. */
static void a_failed_start_leaves_nothing_running(void **state)
{
	struct fixture *f = *state;
	start(f);
	struct err err;
	bool moving;
	fake.failing_starts = 3;
	assert_int_equal(focuser_move(f->focuser, 9000, &err), ERR_OK);
	wait_for(f, at_rest);
	assert_int_equal(focuser_is_moving(f->focuser, &moving, &err), ERR_TIMEOUT);
	assert_int_equal(fake.halt_count, 1);
	assert_int_equal(fake.moves_at_halt, 3);
	struct focuser_state now;
	focuser_state(f->focuser, &now);
	assert_int_not_equal(now.motor_position, 9000);
}

static bool beyond_7000(struct fixture *f)
{
	struct focuser_state state;
	focuser_state(f->focuser, &state);
	return state.position > 7000;
}

/* The new target lies just behind the running motor, and still the last leg comes from the approach side. */
static void a_new_target_amid_a_move_keeps_the_approach(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].backlash_steps = 100;
	f->time_factor = 4; /* on a busy machine too it must not arrive before it is retargeted */
	start(f);
	struct err err;
	assert_int_equal(focuser_move(f->focuser, 9500, &err), ERR_OK);
	wait_for(f, beyond_7000);
	struct focuser_state now;
	focuser_state(f->focuser, &now);
	/* By the time the motor hears of this target, it is past it. */
	assert_int_equal(focuser_move(f->focuser, now.position + 20, &err), ERR_OK);
	int32_t target = now.position + 20;
	wait_for(f, at_rest);
	focuser_state(f->focuser, &now);
	assert_int_equal(now.position, target);
	assert_int_equal(fake.move[fake.move_count - 1], target);
	assert_int_equal(fake.halt_count, 1);
	if (fake.move_count > 2) {
		assert_true(fake.move[fake.move_count - 2] < target);
	}
}

static bool run_over(struct fixture *f)
{
	return autofocus_running(observatory_served(f->obs)->autofocus[0]) == 0;
}

static bool run_exposes(struct fixture *f)
{
	(void)f;
	return fake.expose_count > 0;
}

static void a_run_holds_both_devices_and_halt_ends_it(void **state)
{
	struct fixture *f = *state;
	start(f);
	struct err err;
	struct autofocus_params params;
	autofocus_params_init(&params);
	params.exposure_s = 30;
	uint64_t run = 0;
	uint64_t second = 0;
	assert_int_equal(autofocus_start(observatory_served(f->obs)->autofocus[0], &params, &run, &err), ERR_OK);
	struct autofocus *af = observatory_served(f->obs)->autofocus[0];
	assert_int_equal(autofocus_start(af, &params, &second, &err), ERR_INVALID_OPERATION);
	assert_int_equal(focuser_move(f->focuser, 100, &err), ERR_INVALID_OPERATION);
	assert_non_null(strstr(err.text, "run"));
	assert_int_equal(camera_start_exposure(f->camera, 1, true, &err), ERR_INVALID_OPERATION);
	wait_for(f, run_exposes);
	assert_int_equal(focuser_halt(f->focuser, &err), ERR_OK);
	wait_for(f, run_over);
	struct run *object = autofocus_run(observatory_served(f->obs)->autofocus[0], run);
	assert_non_null(object);
	assert_int_equal(object->state, RUN_ABORTED);
	assert_int_equal(fake.move_count, fake.moves_at_halt);
	assert_true(fake.abort_count >= 1);
	run_free(object);
	/* The frames of a run are not the clients' picture. */
	assert_false(image_ready(f));
	assert_int_equal(focuser_move(f->focuser, 5100, &err), ERR_OK);
	wait_for(f, at_rest);
}

/* The link comes back before the run has noticed: still it ends, and nothing moves. */
static void a_run_ends_when_its_link_was_lost(void **state)
{
	struct fixture *f = *state;
	start(f);
	struct err err;
	struct autofocus_params params;
	autofocus_params_init(&params);
	params.exposure_s = 400;
	uint64_t run = 0;
	assert_int_equal(autofocus_start(observatory_served(f->obs)->autofocus[0], &params, &run, &err), ERR_OK);
	wait_for(f, run_exposes);
	int moves = fake.move_count;
	fake.gone = true;
	wait_for(f, lost);
	fake.gone = false;
	wait_for(f, run_over);
	wait_for(f, focuser_up);
	struct run *object = autofocus_run(observatory_served(f->obs)->autofocus[0], run);
	assert_int_equal(object->state, RUN_FAILED);
	assert_int_equal(object->code, ERR_FOCUSER);
	assert_non_null(strstr(object->reason, "nothing moves"));
	run_free(object);
	assert_int_equal(fake.move_count, moves);
	assert_int_equal(focuser_move(f->focuser, 5100, &err), ERR_OK);
	wait_for(f, at_rest);
}

/* The fake camera shows no stars at all. */
static void a_hopeless_run_fails_and_goes_back(void **state)
{
	struct fixture *f = *state;
	f->config.autofocus.exposure_s = 0.1;
	start(f);
	struct err err;
	struct autofocus_params params;
	autofocus_params_init(&params);
	uint64_t run = 0;
	fake.speed = 100000;
	assert_int_equal(autofocus_start(observatory_served(f->obs)->autofocus[0], &params, &run, &err), ERR_OK);
	wait_for(f, run_over);
	struct run *object = autofocus_run(observatory_served(f->obs)->autofocus[0], 0);
	assert_int_equal(object->state, RUN_FAILED);
	assert_int_equal(object->code, ERR_NO_STARS);
	assert_true(strlen(object->reason) > 10);
	assert_true(object->final_position == 5000.0);
	run_free(object);
	int32_t position = 0;
	assert_int_equal(focuser_position(f->focuser, &position, &err), ERR_OK);
	assert_int_equal(position, 5000);
}

static bool was_halted(struct fixture *f)
{
	(void)f;
	return atomic_load(&fake.halt_count) > 0;
}

static bool last_target_sent(struct fixture *f)
{
	(void)f;
	int count = atomic_load(&fake.move_count);
	return count > 0 && count <= FAKE_MAX_MOVES && atomic_load(&fake.move[count - 1]) == 7099;
}

/* A client sends a new target every other millisecond. The controller hears one of them now and then, and the last one
 * for certain; it hears a halt at once. */
static void flood_of_targets_is_gathered(void **state)
{
	struct fixture *f = *state;
	struct err err;
	f->time_factor = 0.01; /* three milliseconds of the motor's time are 300 of ours */
	start(f);
	int64_t begin = clock_now_ms(clock_real());
	for (int i = 0; i < 100; i++) {
		assert_int_equal(focuser_move(f->focuser, 7000 + i, &err), ERR_OK);
		int64_t next = clock_now_ms(clock_real()) + 2;
		pthread_mutex_lock(&news_lock);
		while (!clock_wait(clock_real(), &news, &news_lock, next)) {
		}
		pthread_mutex_unlock(&news_lock);
	}
	wait_for(f, last_target_sent);
	int64_t took = clock_now_ms(clock_real()) - begin;
	assert_true(atomic_load(&fake.move_count) <= 2 + took / 300);
	assert_int_equal(focuser_halt(f->focuser, &err), ERR_OK);
	wait_for(f, was_halted);
}

int main(void)
{
	clock_cond_init(&news);
	log_set_level(LOG_ERROR);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(flood_of_targets_is_gathered),
		TEST(connects_without_moving),
		TEST(moves_exactly_and_says_so_at_once),
		TEST(clamps_and_keeps_the_lower_limit),
		TEST(overshoots_once_against_the_approach),
		TEST(short_first_move_takes_up_unknown_play),
		TEST(halt_drops_the_remaining_legs),
		TEST(reverse_mirrors_the_numbers),
		TEST(a_stuck_motor_is_halted_and_told),
		TEST(a_lost_link_heals_and_moves_nothing),
		TEST(silence_is_a_lost_link),
		TEST(broken_sensors_give_no_temperature),
		TEST(a_lost_halt_is_repeated),
		TEST(a_disconnect_halts_until_it_rests),
		TEST(a_short_move_is_waited_for),
		TEST(a_failed_start_leaves_nothing_running),
		TEST(a_new_target_amid_a_move_keeps_the_approach),
		TEST(a_run_ends_when_its_link_was_lost),
		TEST(a_run_holds_both_devices_and_halt_ends_it),
		TEST(a_hopeless_run_fails_and_goes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
