/* SPDX-License-Identifier: MIT */
/* Focuser, camera, link and clients above the driver seam, with drivers that misbehave on demand. */
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

#include "autofocus.h"
#include "camera.h"
#include "clock.h"
#include "device_private.h"
#include "fake_drivers.h"
#include "focuser.h"
#include "log.h"
#include "observatory.h"

static const struct client alice = {"10.0.0.1", 1};
static const struct client bob = {"10.0.0.1", 2};

/* Woken by each event; waits for a condition without polling the time. */
static pthread_mutex_t news_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news;
static unsigned news_count;

static void on_news(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&news_lock);
	news_count++;
	pthread_cond_broadcast(&news);
	pthread_mutex_unlock(&news_lock);
}

struct fixture {
	struct config config;
	struct observatory *obs;
	struct device *focuser;
	struct device *camera;
	const struct device_patience *patience;
	double time_factor;
	char dir[64];
};

/* Calls ready until it is true; each time something was published or 20 ms passed. Fails after 20 s. */
static void wait_for(struct fixture *f, bool (*ready)(struct fixture *f))
{
	int64_t give_up = clock_now_ms(clock_real()) + 20000;
	while (!ready(f)) {
		pthread_mutex_lock(&news_lock);
		clock_wait(clock_real(), &news, &news_lock, clock_now_ms(clock_real()) + 20);
		pthread_mutex_unlock(&news_lock);
		if (clock_now_ms(clock_real()) > give_up) {
			fail_msg("the condition never came true");
		}
	}
}

static bool focuser_up(struct fixture *f)
{
	return device_link(f->focuser) == LINK_UP;
}

static bool camera_up(struct fixture *f)
{
	return device_link(f->camera) == LINK_UP;
}

static bool at_rest(struct fixture *f)
{
	struct focuser_state state;
	focuser_state(f->focuser, &state);
	return !state.is_moving;
}

static void start(struct fixture *f)
{
	struct err err;
	uint64_t ticket;
	struct observatory_options options = {.state_dir = f->dir, .seed = 1,
		.time_factor = f->time_factor, .patience = f->patience};
	assert_int_equal(observatory_create(&f->config, &options, &f->obs, &err), ERR_OK);
	assert_int_equal(events_listen(observatory_events(f->obs), on_news, NULL), 0);
	f->focuser = observatory_device(f->obs, DEVICE_FOCUSER, 0);
	f->camera = observatory_device(f->obs, DEVICE_CAMERA, 0);
	assert_non_null(f->focuser);
	assert_non_null(f->camera);
	assert_int_equal(device_connect(f->focuser, &alice, &ticket, &err), ERR_OK);
	assert_int_equal(device_connect(f->camera, &alice, &ticket, &err), ERR_OK);
	wait_for(f, focuser_up);
	wait_for(f, camera_up);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	fake_reset();
	f->time_factor = 20;
	snprintf(f->dir, sizeof f->dir, "/tmp/focusd-test-XXXXXX");
	if (mkdtemp(f->dir) == NULL) {
		return -1;
	}
	config_defaults(&f->config);
	f->config.focuser[0].present = true;
	snprintf(f->config.focuser[0].driver, sizeof f->config.focuser[0].driver, "fake");
	f->config.camera[0].present = true;
	snprintf(f->config.camera[0].driver, sizeof f->config.camera[0].driver, "fake");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	observatory_destroy(f->obs);
	char path[128];
	static const char *const names[] = {"focusd.db", "focusd.db-wal", "focusd.db-shm",
		"focusd.db-journal", "devices.json"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
		unlink(path);
	}
	rmdir(f->dir);
	free(f);
	return 0;
}

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
	/* The same target again is a success without motion. */
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
	assert_int_equal(focuser_move(f->focuser, 50, &err), ERR_INVALID_VALUE);
	assert_non_null(strstr(err.text, "100"));
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
	f->config.focuser[0].approach = MOVES_APPROACH_OUT;
	start(f);
	struct err err;
	assert_int_equal(focuser_move(f->focuser, 4000, &err), ERR_OK);
	wait_for(f, at_rest);
	assert_int_equal(fake.move_count, 2);
	assert_int_equal(fake.move[0], 3700);
	assert_int_equal(fake.move[1], 4000);
	/* Outwards goes direct: the play is taken up. */
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
	/* After connect nobody knows how the gears lie: 50 steps outward might all be play. */
	assert_int_equal(focuser_move(f->focuser, 5050, &err), ERR_OK);
	wait_for(f, at_rest);
	assert_int_equal(fake.move_count, 2);
	assert_int_equal(fake.move[0], 4750);
	assert_int_equal(fake.move[1], 5050);
}

static bool leg_started(struct fixture *f)
{
	(void)f;
	return fake.move_count > 0;
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

/* Counted on from there, the rest of the way would be a way to an end stop. */
static void a_controller_that_began_anew_goes_nowhere(void **state)
{
	struct fixture *f = *state;
	start(f);
	struct err err;
	assert_int_equal(focuser_move(f->focuser, 7000, &err), ERR_OK);
	wait_for(f, leg_started);
	fake.loses_count = true;
	wait_for(f, stall_told);
	struct focuser_state now;
	focuser_state(f->focuser, &now);
	assert_int_equal(now.trust, POSITION_UNKNOWN);
	assert_int_equal(now.position, 0);
	assert_int_equal(fake.move_count, 1);
	wait_for(f, at_rest);
	assert_int_equal(fake.move_count, 1);
}

static bool lost(struct fixture *f)
{
	return device_link(f->focuser) == LINK_LOST;
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
	assert_int_equal(now.trust, POSITION_SHIFTED); /* it went on while nobody looked */
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

static bool focuser_down(struct fixture *f)
{
	return device_link(f->focuser) == LINK_DOWN;
}

/* Whoever said False reads false; the link closes when nobody else is there. */
static void clients_come_and_go(void **state)
{
	struct fixture *f = *state;
	start(f);
	struct err err;
	bool closing;
	device_touch(f->focuser, &bob);
	assert_true(device_connected(f->focuser, &bob));
	assert_int_equal(device_disconnect(f->focuser, &alice, &closing, &err), ERR_OK);
	assert_false(closing);
	assert_false(device_connected(f->focuser, &alice));
	assert_int_equal(device_require(f->focuser, &alice, &err), ERR_NOT_CONNECTED);
	assert_true(device_connected(f->focuser, &bob));
	assert_int_equal(device_require(f->focuser, &bob, &err), ERR_OK);
	uint64_t ticket;
	device_connect(f->focuser, &alice, &ticket, &err);
	assert_true(device_connected(f->focuser, &alice));
	device_disconnect(f->focuser, &bob, &closing, &err);
	assert_false(closing);
	device_disconnect(f->focuser, &alice, &closing, &err);
	assert_true(closing);
	wait_for(f, focuser_down);
	assert_false(device_connected(f->focuser, &bob));
	/* A new link starts afresh for everybody. */
	device_connect(f->focuser, &alice, &ticket, &err);
	wait_for(f, focuser_up);
	assert_true(device_connected(f->focuser, &bob));
}

static void disconnecting_stops_the_motor(void **state)
{
	struct fixture *f = *state;
	start(f);
	struct err err;
	bool closing;
	focuser_move(f->focuser, 9000, &err);
	wait_for(f, leg_started);
	device_disconnect(f->focuser, &alice, &closing, &err);
	assert_true(closing);
	wait_for(f, focuser_down);
	assert_int_equal(fake.halt_count, 1);
}

static void a_failed_connect_is_told_with_its_reason(void **state)
{
	struct fixture *f = *state;
	start(f);
	struct err err;
	bool closing;
	uint64_t ticket;
	device_disconnect(f->focuser, &alice, &closing, &err);
	wait_for(f, focuser_down);
	fake.open_fails = true;
	device_connect(f->focuser, &alice, &ticket, &err);
	wait_for(f, focuser_down);
	enum err_code result = ERR_OK;
	assert_true(device_connect_done(f->focuser, ticket, &result, &err));
	assert_int_equal(result, ERR_IO);
	assert_non_null(strstr(err.text, "no such port"));
	bool connecting;
	assert_int_equal(device_connecting(f->focuser, &connecting, &err), ERR_IO);
}

static bool opening(struct fixture *f)
{
	(void)f;
	return fake.opening;
}

/* Disconnected while a lost link was being opened: the next connect is a first one and fails as such. */
static void a_disconnect_amid_relinking_leaves_nothing_behind(void **state)
{
	struct fixture *f = *state;
	start(f);
	struct err err;
	bool closing;
	uint64_t ticket;
	fake.open_waits = true;
	fake.gone = true;
	wait_for(f, opening);
	assert_int_equal(device_link(f->focuser), LINK_LOST);
	device_disconnect(f->focuser, &alice, &closing, &err);
	assert_true(closing);
	assert_int_equal(device_link(f->focuser), LINK_CLOSING);
	fake.open_waits = false;
	wait_for(f, focuser_down);
	bool connecting = true;
	assert_int_equal(device_connecting(f->focuser, &connecting, &err), ERR_OK);
	assert_false(connecting);
	device_connect(f->focuser, &alice, &ticket, &err);
	wait_for(f, focuser_down);
	enum err_code result = ERR_OK;
	assert_true(device_connect_done(f->focuser, ticket, &result, &err));
	assert_int_equal(result, ERR_IO);
	fake.gone = false;
	device_connect(f->focuser, &alice, &ticket, &err);
	wait_for(f, focuser_up);
	struct focuser_state now;
	focuser_state(f->focuser, &now);
	assert_int_equal(now.trust, POSITION_KNOWN);
}

/* One disconnects, another connects before the port is closed: it closes, and opens again. */
static void a_connect_amid_closing_opens_afresh(void **state)
{
	struct fixture *f = *state;
	start(f);
	struct err err;
	bool closing;
	uint64_t ticket;
	int opens = fake.open_count;
	fake.open_waits = true;
	fake.gone = true;
	wait_for(f, opening);
	device_disconnect(f->focuser, &alice, &closing, &err);
	device_connect(f->focuser, &bob, &ticket, &err);
	fake.gone = false;
	fake.open_waits = false;
	wait_for(f, focuser_up);
	assert_int_equal(fake.open_count, opens + 2);
	enum err_code result = ERR_IO;
	assert_true(device_connect_done(f->focuser, ticket, &result, &err));
	assert_int_equal(result, ERR_OK);
}

static bool alice_reads_false(struct fixture *f)
{
	return !device_connected(f->focuser, &alice);
}

static void connected_turns_false_after_the_grace(void **state)
{
	struct fixture *f = *state;
	static const struct device_patience short_grace = {.connect_answer_ms = 20000,
		.tell_ms = 5000, .lost_grace_ms = 300, .client_quiet_ms = 600000};
	f->patience = &short_grace;
	start(f);
	fake.gone = true;
	wait_for(f, lost);
	wait_for(f, alice_reads_false);
	assert_int_equal(device_link(f->focuser), LINK_LOST);
	struct err err;
	assert_int_equal(device_require(f->focuser, &alice, &err), ERR_NOT_CONNECTED);
	/* Whoever asks for the link now hears how it went, and the tries go on. */
	uint64_t ticket;
	enum err_code result = ERR_OK;
	device_connect(f->focuser, &alice, &ticket, &err);
	while (!device_connect_done(f->focuser, ticket, &result, &err)) {
		pthread_mutex_lock(&news_lock);
		clock_wait(clock_real(), &news, &news_lock, clock_now_ms(clock_real()) + 20);
		pthread_mutex_unlock(&news_lock);
	}
	assert_int_equal(result, ERR_IO);
	assert_non_null(strstr(err.text, "no such port"));
	fake.gone = false;
	wait_for(f, focuser_up);
	assert_true(device_connected(f->focuser, &alice));
	assert_int_equal(fake.move_count, 0);
}

/* No client counts that was not heard of for the time of quiet; here it is none at all. */
static void quiet_clients_do_not_keep_the_link(void **state)
{
	struct fixture *f = *state;
	static const struct device_patience no_quiet = {.connect_answer_ms = 20000, .tell_ms = 0,
		.lost_grace_ms = 60000, .client_quiet_ms = 0};
	f->patience = &no_quiet;
	start(f);
	struct err err;
	bool closing = false;
	uint64_t ticket;
	device_touch(f->focuser, &bob);
	device_disconnect(f->focuser, &alice, &closing, &err);
	assert_true(closing);
	wait_for(f, focuser_down);
	/* And a failure that is told for no time at all reads false at once. */
	fake.open_fails = true;
	device_connect(f->focuser, &alice, &ticket, &err);
	wait_for(f, focuser_down);
	bool connecting = true;
	assert_int_equal(device_connecting(f->focuser, &connecting, &err), ERR_OK);
	assert_false(connecting);
}

static bool tried_twice(struct fixture *f)
{
	(void)f;
	return fake.open_count >= 3;
}

static void connect_at_start_goes_on_trying(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].connect_at_start = true;
	fake.open_fails = true;
	struct err err;
	struct observatory_options options = {.state_dir = f->dir, .seed = 1, .time_factor = 200};
	assert_int_equal(observatory_create(&f->config, &options, &f->obs, &err), ERR_OK);
	assert_int_equal(events_listen(observatory_events(f->obs), on_news, NULL), 0);
	f->focuser = observatory_device(f->obs, DEVICE_FOCUSER, 0);
	wait_for(f, tried_twice);
	fake.open_fails = false;
	wait_for(f, focuser_up);
	assert_int_equal(fake.move_count, 0);
	/* Until somebody disconnects. */
	bool closing;
	device_disconnect(f->focuser, &alice, &closing, &err);
	wait_for(f, focuser_down);
	assert_false(f->focuser->keep_trying);
}

/* Setters are silent: a halt that the line lost is known only by the motor going on. */
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

/* Two steps are within what is forgiven: a motor that begins late has not arrived yet. */
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

/* A start that says it failed may have worked: the motor is stopped, and the failure told. */
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

/* Retargeted just behind a running motor, the last leg still comes from the approach side. */
static void a_new_target_amid_a_move_keeps_the_approach(void **state)
{
	struct fixture *f = *state;
	f->config.focuser[0].backlash_steps = 100;
	start(f);
	struct err err;
	assert_int_equal(focuser_move(f->focuser, 9500, &err), ERR_OK);
	wait_for(f, beyond_7000);
	struct focuser_state now;
	focuser_state(f->focuser, &now);
	/* By the time the motor hears of it, it is past this. */
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

static bool image_ready(struct fixture *f)
{
	bool ready = false;
	camera_image_ready(f->camera, &ready, NULL);
	return ready;
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
	assert_int_equal(frame->pixels[1], 64); /* (0, 1): second row of the sensor */
	/* A download keeps its picture while the next exposure runs. */
	assert_int_equal(camera_start_exposure(f->camera, 100.0, true, &err), ERR_OK);
	struct frame *none = NULL;
	assert_int_equal(camera_frame(f->camera, &none, &err), ERR_INVALID_OPERATION);
	assert_int_equal(frame->pixels[1], 64);
	frame_unref(frame);
	assert_int_equal(camera_abort(f->camera, &err), ERR_OK);
	assert_int_equal(camera_abort(f->camera, &err), ERR_OK);
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

static bool exposure_error(struct fixture *f)
{
	bool ready;
	return camera_image_ready(f->camera, &ready, NULL) == ERR_PROTOCOL;
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

static bool run_over(struct fixture *f)
{
	return autofocus_running(f->obs, 0) == 0;
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
	assert_int_equal(autofocus_start(f->obs, 0, &params, &run, &err), ERR_OK);
	assert_int_equal(autofocus_start(f->obs, 0, &params, &second, &err), ERR_INVALID_OPERATION);
	assert_int_equal(focuser_move(f->focuser, 100, &err), ERR_INVALID_OPERATION);
	assert_non_null(strstr(err.text, "run"));
	assert_int_equal(camera_start_exposure(f->camera, 1, true, &err), ERR_INVALID_OPERATION);
	wait_for(f, run_exposes);
	assert_int_equal(focuser_halt(f->focuser, &err), ERR_OK);
	wait_for(f, run_over);
	struct run *object = autofocus_run(f->obs, 0, run);
	assert_non_null(object);
	assert_int_equal(object->state, RUN_ABORTED);
	assert_int_equal(fake.move_count, fake.moves_at_halt);
	assert_true(fake.abort_count >= 1);
	run_free(object);
	/* The pictures of a run are its own. */
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
	assert_int_equal(autofocus_start(f->obs, 0, &params, &run, &err), ERR_OK);
	wait_for(f, run_exposes);
	int moves = fake.move_count;
	fake.gone = true;
	wait_for(f, lost);
	fake.gone = false;
	wait_for(f, run_over);
	wait_for(f, focuser_up);
	struct run *object = autofocus_run(f->obs, 0, run);
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
	assert_int_equal(autofocus_start(f->obs, 0, &params, &run, &err), ERR_OK);
	wait_for(f, run_over);
	struct run *object = autofocus_run(f->obs, 0, 0);
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

/* A client with a new target every other millisecond: the controller hears one of them now and then and
 * the last one for certain; a halt it hears at once. */
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
		TEST(a_controller_that_began_anew_goes_nowhere),
		TEST(a_lost_link_heals_and_moves_nothing),
		TEST(silence_is_a_lost_link),
		TEST(broken_sensors_give_no_temperature),
		TEST(clients_come_and_go),
		TEST(disconnecting_stops_the_motor),
		TEST(a_failed_connect_is_told_with_its_reason),
		TEST(a_disconnect_amid_relinking_leaves_nothing_behind),
		TEST(a_connect_amid_closing_opens_afresh),
		TEST(connected_turns_false_after_the_grace),
		TEST(quiet_clients_do_not_keep_the_link),
		TEST(connect_at_start_goes_on_trying),
		TEST(a_lost_halt_is_repeated),
		TEST(a_disconnect_halts_until_it_rests),
		TEST(a_short_move_is_waited_for),
		TEST(a_failed_start_leaves_nothing_running),
		TEST(a_new_target_amid_a_move_keeps_the_approach),
		TEST(a_run_ends_when_its_link_was_lost),
		TEST(exposes_and_keeps_the_picture),
		TEST(frame_limits_are_checked_at_the_start_only),
		TEST(a_failed_exposure_is_told),
		TEST(a_run_holds_both_devices_and_halt_ends_it),
		TEST(a_hopeless_run_fails_and_goes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
