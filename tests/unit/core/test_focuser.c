/* SPDX-License-Identifier: MIT */
/* What is true of every focuser, whatever its driver: limits, the owner of backlash, splitting, arrival,
 * watchdog, motion by hand, temperature.  The motor is a formula that misbehaves on demand. */
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

#include "clock.h"
#include "device_private.h"
#include "fake_drivers.h"
#include "focuser.h"
#include "log.h"
#include "observatory.h"
#include "settings_fixture.h"

static const struct client alice = {"10.0.0.1", 1};

/* Each event signals this. */
static pthread_mutex_t news_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news;

static void on_news(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&news_lock);
	pthread_cond_broadcast(&news);
	pthread_mutex_unlock(&news_lock);
}

struct fixture {
	struct config config;
	struct settings *settings; /* of the last start */
	struct observatory *obs;
	struct device *focuser;
	const struct device_patience *patience;
	char dir[64];
	/* Seen by look(). */
	struct focuser_state now;
	int32_t lowest, highest;
	bool moved;
	bool false_arrival; /* "not moving" seen elsewhere than at the target */
	int32_t target;
};

static void look(struct fixture *f)
{
	focuser_state(f->focuser, &f->now);
	int32_t at = f->now.position;
	f->lowest = at < f->lowest ? at : f->lowest;
	f->highest = at > f->highest ? at : f->highest;
	f->moved |= f->now.is_moving;
	f->false_arrival |= !f->now.is_moving && at != f->target;
}

/* Looks as often as it can until ready; fails after 20 s. */
static void wait_for(struct fixture *f, bool (*ready)(struct fixture *f))
{
	int64_t give_up = clock_now_ms(clock_real()) + 20000;
	for (look(f); !ready(f); look(f)) {
		pthread_mutex_lock(&news_lock);
		clock_wait(clock_real(), &news, &news_lock, clock_now_ms(clock_real()) + 2);
		pthread_mutex_unlock(&news_lock);
		if (clock_now_ms(clock_real()) > give_up) {
			fail_msg("the condition never came true");
		}
	}
}

static bool up(struct fixture *f)
{
	return f->now.link == LINK_UP;
}

static bool at_rest(struct fixture *f)
{
	return !f->now.is_moving;
}

static bool moving(struct fixture *f)
{
	return f->now.is_moving;
}

static void start(struct fixture *f)
{
	struct err err;
	uint64_t ticket;
	struct observatory_options options = {.state_dir = f->dir, .seed = 1, .time_factor = 60,
		.patience = f->patience};
	struct settings *settings = settings_anew(&f->settings, &f->config);
	assert_int_equal(observatory_create(settings, &options, &f->obs, &err), ERR_OK);
	assert_int_equal(events_listen(observatory_served(f->obs)->events, on_news, NULL), 0);
	f->focuser = devices_find(observatory_served(f->obs)->devices, &focuser_kind, 0);
	assert_int_equal(device_connect(f->focuser, &alice, &ticket, &err), ERR_OK);
	wait_for(f, up);
}

/* Starts a move that must be accepted. */
static void go(struct fixture *f, int32_t target)
{
	struct err err;
	f->target = target;
	f->moved = f->false_arrival = false;
	f->lowest = INT32_MAX;
	f->highest = INT32_MIN;
	if (focuser_move(f->focuser, target, &err) != ERR_OK) {
		fail_msg("%s", err.text);
	}
}

static void arrive(struct fixture *f, int32_t target)
{
	go(f, target);
	wait_for(f, at_rest);
	assert_false(f->false_arrival);
	assert_int_equal(f->now.position, target);
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
	for (int i = 0; i < 2; i++) {
		f->config.focuser[i].present = i == 0;
		snprintf(f->config.focuser[i].driver, sizeof f->config.focuser[i].driver, "fake");
	}
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	observatory_destroy(f->obs);
	settings_destroy(f->settings);
	char command[96];
	static const char *const names[] = {"focusd.db", "focusd.db-wal", "focusd.db-shm",
		"focusd.db-journal", "devices.json", "position-0", "position-1"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(command, sizeof command, "%s/%s", f->dir, names[i]);
		unlink(command);
	}
	rmdir(f->dir);
	free(f);
	return 0;
}

static void moves_are(const int32_t *legs, int count)
{
	assert_int_equal(fake.move_count, count);
	for (int i = 0; i < count; i++) {
		assert_int_equal(fake.move[i], legs[i]);
	}
}

/* ---- limits ---- */

static void limits_hold_with_the_overshoot(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].min_step = 1000;
	f->config.focuser[0].port.max_step = 9000;
	f->config.focuser[0].backlash_steps = 300;
	fake.speed = 10000;
	start(f);
	arrive(f, 1200); /* 200 of 300 are left below it */
	arrive(f, 1000);
	arrive(f, 1100); /* no steps are left below the target, so the motor goes direct */
	moves_are((const int32_t[]){1000, 1200, 1000, 1100}, 4);
	go(f, 9500);
	f->target = 9000;
	wait_for(f, at_rest);
	assert_int_equal(f->now.position, 9000);
	go(f, -5);
	f->target = 1000;
	wait_for(f, at_rest);
	assert_int_equal(f->now.position, 1000);
	assert_true(f->now.clamped && f->now.asked == -5 && f->now.target == 1000);
	arrive(f, 3000);
	assert_false(f->now.clamped);
	go(f, 999);
	f->target = 1000;
	wait_for(f, at_rest);
	assert_int_equal(f->now.position, 1000);
	assert_true(f->now.clamped && f->now.asked == 999);
	for (int i = 0; i < fake.move_count; i++) {
		assert_in_range(fake.move[i], 1000, 9000);
	}
}

/* A limit that was set later leaves the motor outside: it is shown as the limit, but does not stand there. */
static void a_motor_outside_its_limits_comes_back(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].port.max_step = 4000;
	start(f); /* at 5000 */
	assert_int_equal(f->now.position, 4000);
	assert_int_equal(f->now.motor_position, 5000);
	arrive(f, 4000);
	assert_int_equal(f->now.motor_position, 4000);
	moves_are((const int32_t[]){4000}, 1);
}

static void reverse_turns_limits_and_approach(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].reverse = true;
	f->config.focuser[0].min_step = 500;
	f->config.focuser[0].backlash_steps = 300;
	f->config.focuser[0].approach = CONFIG_APPROACH_IN;
	fake.speed = 10000;
	start(f);
	/* In for clients is out for the motor: 6000 is its 4000, the overshoot its 3700. */
	arrive(f, 6000);
	arrive(f, 9800); /* 200 left: the overshoot ends at its 0 */
	arrive(f, 500);
	moves_are((const int32_t[]){3700, 4000, 0, 200, 9500}, 5);
}

/* A motor whose own lower limit is not 0, as after a calibration, is published from 0 on, and the motor is sent by its
 * own count. */
static void the_lower_limit_of_the_motor_is_0(void **state)
{
	struct fixture *f = *state;
	fake.lowest = 2000;
	fake.speed = 20000;
	f->config.focuser[0].backlash_steps = 300;
	start(f); /* at the motor's 5000 */
	assert_int_equal(f->now.position, 3000);
	assert_int_equal(f->now.measured_position, 3000);
	assert_int_equal(f->now.motor_position, 5000);
	assert_int_equal(f->now.max_step, 8000);
	assert_int_equal(f->now.max_increment, 8000);
	assert_int_equal(f->now.min_step, 0);
	arrive(f, 0);
	arrive(f, 8000);
	go(f, -10);
	f->target = 0;
	wait_for(f, at_rest);
	assert_int_equal(f->now.position, 0);
	go(f, INT32_MAX);
	f->target = 8000;
	wait_for(f, at_rest);
	assert_int_equal(f->now.position, 8000);
	arrive(f, 4000);
	/* No overshoot has room below the limit; the last one has. */
	moves_are((const int32_t[]){2000, 10000, 2000, 10000, 5700, 6000}, 6);
}

static void limits_of_the_configuration_count_from_0_too(void **state)
{
	struct fixture *f = *state;
	fake.lowest = 2000;
	fake.speed = 20000;
	f->config.focuser[0].reverse = true;
	f->config.focuser[0].min_step = 100;
	f->config.focuser[0].port.max_step = 5000;
	start(f);
	/* Reversed, the motor's 10000 is 0; it stands at its 5000. */
	assert_int_equal(f->now.position, 5000);
	assert_int_equal(f->now.max_step, 5000);
	go(f, 0);
	f->target = 100;
	wait_for(f, at_rest);
	assert_int_equal(f->now.position, 100);
	arrive(f, 5000);
	moves_are((const int32_t[]){9900, 5000}, 2);
}

/* ---- backlash ---- */

/* Nobody ever sees the turning point as an arrival, though it is shown as a place on the way. */
static void the_turning_point_is_no_arrival(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].backlash_steps = 300;
	start(f);
	struct err err;
	bool is = false;
	go(f, 4000);
	assert_int_equal(focuser_is_moving(f->focuser, &is, &err), ERR_OK);
	assert_true(is);
	wait_for(f, at_rest);
	assert_false(f->false_arrival);
	assert_true(f->lowest < 4000);
	assert_int_equal(f->now.position, 4000);
	assert_int_equal(f->now.backlash_steps, 300);
	moves_are((const int32_t[]){3700, 4000}, 2);
}

static void a_device_that_takes_up_its_play_is_the_only_one(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].backlash_steps = 300;
	fake.own_backlash = 70;
	start(f);
	assert_int_equal(f->now.backlash_steps, 0);
	assert_int_equal(f->now.device_backlash_steps, 70);
	arrive(f, 4000);
	arrive(f, 4100);
	moves_are((const int32_t[]){4000, 4100}, 2);
}

/* Some devices tell their backlash once, in the very first reading, whose position is asked for again. */
static void backlash_that_is_told_once(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].backlash_steps = 300;
	fake.tells_backlash = 70;
	start(f);
	assert_int_equal(f->now.backlash_steps, 0);
	assert_int_equal(f->now.device_backlash_steps, 70);
}

static void play_after_a_hand_at_the_knob(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].backlash_steps = 300;
	start(f);
	arrive(f, 5400); /* the backlash is taken up */
	fake.hand = -100;
	wait_for(f, moving);
	fake.hand = 0;
	wait_for(f, at_rest);
	int32_t by_hand = f->now.position;
	assert_true(by_hand < 5400);
	assert_int_equal(by_hand, fake.true_position);
	/* A hand has turned it in, so a hundred steps out would be nothing but backlash. */
	arrive(f, by_hand + 100);
	moves_are((const int32_t[]){5400, by_hand - 200, by_hand + 100}, 3);
}

/* The hand was there just before the move, when nobody had looked yet. */
static void backlash_is_looked_at_before_a_move(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].backlash_steps = 300;
	start(f);
	arrive(f, 5400);
	fake.shove = -100;
	arrive(f, 5500);
	moves_are((const int32_t[]){5400, 5200, 5500}, 3);
}

static void a_retry_beyond_the_target_comes_back_from_the_right_side(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].backlash_steps = 300;
	start(f);
	fake.stop_short = 7;
	go(f, 6000);
	while (fake.move_count < 1) {
		look(f);
	}
	fake.stop_short = 0;
	wait_for(f, at_rest);
	assert_false(f->false_arrival);
	assert_int_equal(f->now.position, 6000);
	moves_are((const int32_t[]){6000, 5700, 6000}, 3);
}

/* ---- splitting ---- */

static void long_ways_are_split(void **state)
{
	struct fixture *f = *state;
	fake.max_increment = 100;
	fake.speed = 100000;
	start(f);
	assert_int_equal(f->now.max_increment, 10000); /* clients need not know */
	arrive(f, 0);
	assert_int_equal(fake.move_count, 50);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(fake.move[i], 4900 - 100 * i);
	}
	arrive(f, 10000);
	assert_int_equal(fake.move_count, 150);
}

static bool a_few_legs(struct fixture *f)
{
	(void)f;
	return fake.move_count >= 5;
}

static void a_halt_between_legs_ends_the_move(void **state)
{
	struct fixture *f = *state;
	fake.max_increment = 20;
	start(f);
	struct err err;
	go(f, 9000);
	wait_for(f, a_few_legs);
	assert_int_equal(focuser_halt(f->focuser, &err), ERR_OK);
	wait_for(f, at_rest);
	int legs = fake.move_count;
	assert_int_equal(legs, fake.moves_at_halt);
	assert_true(f->now.position < 9000);
	assert_int_equal(f->now.position, fake.true_position);
	arrive(f, 5000);
	for (int i = 1; i < fake.move_count && i < FAKE_MAX_MOVES; i++) {
		assert_true(abs(fake.move[i] - fake.move[i - 1]) <= 40);
	}
}

/* ---- arrival ---- */

static bool settling(struct fixture *f)
{
	return f->now.motor_position == f->target;
}

static void settles_before_it_says_so(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].settle_ms = 2000;
	start(f);
	go(f, 5100);
	wait_for(f, settling);
	int64_t begin = clock_now_ms(f->focuser->clock);
	wait_for(f, at_rest);
	assert_int_equal(f->now.position, 5100);
	/* The arrival was seen a little after it happened, so a little of the settling may have been over. */
	assert_true(clock_now_ms(f->focuser->clock) - begin >= 1500);
}

/* Settling takes an hour here. */
static void a_halt_ends_the_wait(void **state)
{
	struct fixture *f = *state;
	struct err err;
	f->config.focuser[0].settle_ms = 3600000;
	start(f);
	go(f, 5200);
	wait_for(f, settling);
	assert_int_equal(focuser_halt(f->focuser, &err), ERR_OK);
	wait_for(f, at_rest);
	assert_int_equal(f->now.position, 5200);
}

/* A motor that moves on while it settles has not arrived, and is sent again. */
static void push_while_it_settles(struct fixture *f, int settle_ms)
{
	f->config.focuser[0].settle_ms = settle_ms;
	start(f);
	fake.shove_after_move = 50;
	arrive(f, 5100);
	assert_int_equal(fake.true_position, 5100);
	moves_are((const int32_t[]){5100, 5100}, 2);
}

static void pushed_while_it_settles(void **state)
{
	push_while_it_settles(*state, 4000);
}

/* It settles for so short a time that nobody looks in between. */
static void pushed_while_nobody_looks(void **state)
{
	push_while_it_settles(*state, 1);
}

static void a_new_target_in_every_phase(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].backlash_steps = 200;
	f->config.focuser[0].settle_ms = 500;
	start(f);
	uint64_t seed = 5;
	for (int i = 0; i < 60; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		go(f, 4000 + (int32_t)(seed >> 33) % 2000);
		/* From at once to after the end. */
		int64_t until = clock_now_ms(f->focuser->clock) + (int64_t)(seed >> 40) % 1500;
		while (clock_now_ms(f->focuser->clock) < until) {
			look(f);
		}
	}
	arrive(f, 5005);
	assert_int_equal(fake.true_position, 5005);
	assert_int_equal(fake.move[fake.move_count < FAKE_MAX_MOVES ? fake.move_count - 1 : 0],
		fake.move_count < FAKE_MAX_MOVES ? 5005 : fake.move[0]);
}

/* ---- watchdog ---- */

static bool told(struct fixture *f)
{
	struct err err;
	bool is;
	return focuser_is_moving(f->focuser, &is, &err) == ERR_STALLED;
}

static void a_motor_that_runs_off_is_stopped(void **state)
{
	struct fixture *f = *state;
	start(f);
	fake.runs_off = true;
	fake.speed = 100;
	go(f, 9000);
	wait_for(f, told);
	struct err err;
	bool is;
	focuser_is_moving(f->focuser, &is, &err);
	assert_non_null(strstr(err.text, "went the other way"));
	assert_int_equal(f->now.trust, POSITION_UNKNOWN);
	wait_for(f, at_rest);
	assert_true(fake.halt_count >= 1);
}

static bool stuck_move_over(struct fixture *f)
{
	return at_rest(f) && fake.halt_count >= 6;
}

/* The motor is stuck and the device, deaf to a halt, says that it moves: clients are told, and do not wait for ever. */
static void a_flag_that_hangs_does_not_move_for_ever(void **state)
{
	struct fixture *f = *state;
	static const struct device_patience short_memory = {.connect_answer_ms = 4300, .tell_ms = 0,
		.lost_grace_ms = 60000, .client_quiet_ms = 600000};
	f->patience = &short_memory;
	start(f);
	fake.stuck = true;
	fake.says_moving = true;
	fake.deaf_halts = 100;
	go(f, 7000);
	wait_for(f, stuck_move_over);
	struct err err;
	bool is = true;
	assert_int_equal(focuser_is_moving(f->focuser, &is, &err), ERR_OK);
	assert_false(is);
	assert_int_equal(f->now.position, 5000);
	/* When the motor comes free, its motion is seen again. */
	fake.stuck = false;
	wait_for(f, moving);
	fake.says_moving = false;
	wait_for(f, at_rest);
	assert_int_equal(f->now.position, 7000);
}

/* ---- readings ---- */

static bool polled_on(struct fixture *f)
{
	(void)f;
	return fake.poll_count > 40;
}

/* The first reading of all, with which what is remembered is compared, is not believed alone either. */
static void the_first_reading_is_said_twice(void **state)
{
	struct fixture *f = *state;
	start(f);
	arrive(f, 5100);
	for (int i = 0; i < 5; i++) {
		fake.gone = true;
		while (f->now.link == LINK_UP) {
			look(f);
		}
		fake.glitch = -4000;
		fake.gone = false;
		while (f->now.link != LINK_UP) {
			look(f);
		}
		assert_int_equal(f->now.position, 5100);
		assert_int_equal(f->now.trust, POSITION_KNOWN);
	}
	assert_int_equal(fake.move_count, 1);
}

static bool polled_twice(struct fixture *f)
{
	(void)f;
	return fake.poll_count >= 2;
}

static bool glitch_was_read(struct fixture *f)
{
	(void)f;
	return fake.glitch == 0;
}

/* The next reading is off, and at least one after it is right. */
static void one_odd_reading(struct fixture *f, int32_t by_steps)
{
	fake.glitch = by_steps;
	wait_for(f, glitch_was_read);
	/* The reading that was off may not have been counted yet. */
	fake.poll_count = 0;
	wait_for(f, polled_twice);
}

static void one_odd_reading_is_not_believed(void **state)
{
	struct fixture *f = *state;
	start(f);
	for (int i = 0; i < 10; i++) {
		one_odd_reading(f, -4000);
		assert_int_equal(f->now.position, 5000);
		assert_false(f->now.is_moving);
	}
	/* An odd reading during a move is not believed either. */
	go(f, 6000);
	for (look(f); f->now.is_moving; look(f)) {
		one_odd_reading(f, 3000);
	}
	assert_true(f->highest <= 6000);
	assert_int_equal(f->now.position, 6000);
	/* A change that stays is believed. */
	fake.hand = 1000;
	wait_for(f, moving);
	fake.hand = 0;
	wait_for(f, at_rest);
	assert_int_equal(f->now.position, fake.true_position);
	assert_true(f->now.position > 6000);
}

/* ---- temperature ---- */

static double temperature(struct fixture *f, int number, enum err_code *code)
{
	double t = NAN;
	*code = focuser_temperature(devices_find(observatory_served(f->obs)->devices, &focuser_kind, number), &t, NULL);
	return t;
}

static bool asked_twice(struct fixture *f)
{
	(void)f;
	return fake.temperature_count >= 2;
}

static void temperature_from_another_focuser(void **state)
{
	struct fixture *f = *state;
	enum err_code code;
	f->config.focuser[1].present = true;
	f->config.focuser[0].temperature_source = CONFIG_TEMPERATURE_NONE;
	f->config.focuser[1].temperature_source = CONFIG_TEMPERATURE_FOCUSER;
	f->config.focuser[1].temperature_focuser = 0;
	start(f);
	wait_for(f, asked_twice);
	/* The first has a probe and shows none; the second, not even connected, has the first's... which
	 * shows none. */
	temperature(f, 0, &code);
	assert_int_equal(code, ERR_NOT_IMPLEMENTED);
	temperature(f, 1, &code);
	assert_int_equal(code, ERR_NOT_IMPLEMENTED);
	observatory_destroy(f->obs);
	f->obs = NULL;
	f->config.focuser[0].temperature_source = CONFIG_TEMPERATURE_SELF;
	fake.temperature_count = 0;
	start(f);
	wait_for(f, asked_twice);
	assert_true(temperature(f, 1, &code) == 11.5);
	assert_int_equal(code, ERR_OK);
}

static void nobody_asks_a_probe_in_vain(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].temperature_source = CONFIG_TEMPERATURE_NONE;
	start(f);
	fake.poll_count = 0;
	wait_for(f, polled_on);
	assert_int_equal(fake.temperature_count, 0);
}

static void temperature_told_by_a_client(void **state)
{
	struct fixture *f = *state;
	static const struct device_patience fifty_ms = {.connect_answer_ms = 4300, .tell_ms = 5000,
		.lost_grace_ms = 60000, .client_quiet_ms = 600000, .temperature_told_ms = 50};
	enum err_code code;
	struct err err;
	start(f);
	assert_int_equal(focuser_tell_temperature(f->focuser, 3, &err), ERR_INVALID_OPERATION);
	assert_non_null(strstr(err.text, "temperature_source"));
	observatory_destroy(f->obs);
	f->obs = NULL;
	f->config.focuser[0].temperature_source = CONFIG_TEMPERATURE_ACTION;
	start(f);
	temperature(f, 0, &code);
	assert_int_equal(code, ERR_VALUE_NOT_SET);
	assert_int_equal(focuser_tell_temperature(f->focuser, 85, &err), ERR_INVALID_VALUE);
	assert_int_equal(focuser_tell_temperature(f->focuser, NAN, &err), ERR_INVALID_VALUE);
	assert_int_equal(focuser_tell_temperature(f->focuser, -3.25, &err), ERR_OK);
	assert_true(temperature(f, 0, &code) == -3.25);
	look(f);
	assert_true(f->now.temperature_valid && f->now.temperature_supported);
	observatory_destroy(f->obs);
	f->obs = NULL;
	f->patience = &fifty_ms;
	start(f);
	assert_int_equal(focuser_tell_temperature(f->focuser, -3.25, &err), ERR_OK);
	do {
		temperature(f, 0, &code);
	} while (code == ERR_OK);
	assert_int_equal(code, ERR_VALUE_NOT_SET);
}

int main(void)
{
	clock_cond_init(&news);
	log_set_level(LOG_ERROR);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(limits_hold_with_the_overshoot),
		TEST(a_motor_outside_its_limits_comes_back),
		TEST(reverse_turns_limits_and_approach),
		TEST(the_lower_limit_of_the_motor_is_0),
		TEST(limits_of_the_configuration_count_from_0_too),
		TEST(the_turning_point_is_no_arrival),
		TEST(a_device_that_takes_up_its_play_is_the_only_one),
		TEST(backlash_that_is_told_once),
		TEST(play_after_a_hand_at_the_knob),
		TEST(backlash_is_looked_at_before_a_move),
		TEST(a_retry_beyond_the_target_comes_back_from_the_right_side),
		TEST(long_ways_are_split),
		TEST(a_halt_between_legs_ends_the_move),
		TEST(settles_before_it_says_so),
		TEST(a_halt_ends_the_wait),
		TEST(pushed_while_it_settles),
		TEST(pushed_while_nobody_looks),
		TEST(a_new_target_in_every_phase),
		TEST(a_motor_that_runs_off_is_stopped),
		TEST(a_flag_that_hangs_does_not_move_for_ever),
		TEST(the_first_reading_is_said_twice),
		TEST(one_odd_reading_is_not_believed),
		TEST(temperature_from_another_focuser),
		TEST(nobody_asks_a_probe_in_vain),
		TEST(temperature_told_by_a_client),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
