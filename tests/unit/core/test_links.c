/* SPDX-License-Identifier: MIT */
/* Links and the clients that want them: who connects, who leaves, what is told when it fails. */
#include "core_fixture.h"

static const struct client bob = {"10.0.0.1", 2};

/* A client that said False reads false; the link closes when no other client is there. */
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

/* A client disconnects while a lost link is being opened: the next connect is a first one and fails as such. */
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

static bool deaf_halt_was_told(struct fixture *f)
{
	(void)f;
	return fake.halt_count > 0;
}

/* A halt that the motor has not heard when the cable goes, or that comes while it is out, is sent when it is back,
 * because whoever pressed STOP has not taken it back. */
static void a_halt_outlives_the_link(void **state)
{
	struct fixture *f = *state;
	struct err err;
	struct focuser_state now;
	fake.speed = 20;
	start(f);
	for (int how = 0; how < 2; how++) {
		fake.move_count = 0;
		fake.halt_count = 0;
		assert_int_equal(focuser_move(f->focuser, 9000, &err), ERR_OK);
		wait_for(f, leg_started);
		if (how == 0) {
			fake.deaf_halts = 100;
			assert_int_equal(focuser_halt(f->focuser, &err), ERR_OK);
			wait_for(f, deaf_halt_was_told);
		}
		fake.gone = true;
		wait_for(f, lost);
		if (how == 1) {
			assert_int_equal(focuser_halt(f->focuser, &err), ERR_IO);
		}
		fake.deaf_halts = 0;
		fake.halt_count = 0;
		fake.gone = false;
		wait_for(f, focuser_up);
		wait_for(f, at_rest);
		assert_true(fake.halt_count > 0);
		focuser_state(f->focuser, &now);
		assert_true(now.position < 9000);
		assert_int_equal(fake.move_count, 1);
	}
	/* Without a halt nobody interferes with the move. */
	fake.move_count = 0;
	fake.halt_count = 0;
	assert_int_equal(focuser_move(f->focuser, now.position + 10, &err), ERR_OK);
	wait_for(f, leg_started);
	fake.gone = true;
	wait_for(f, lost);
	fake.gone = false;
	wait_for(f, focuser_up);
	wait_for(f, at_rest);
	assert_int_equal(fake.halt_count, 0);
}

/* One client disconnects, and another connects before the port is closed: the port is closed and opened again. */
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
	/* A client that asks for the link at this moment hears how the try went, and the tries go on. */
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

static int moves_before;

static bool moves_again(struct fixture *f)
{
	(void)f;
	return fake.move_count > moves_before;
}

static bool halted(struct fixture *f)
{
	(void)f;
	return fake.halt_count > 0;
}

/* The motor would finish its way without us: STOP is pressed while the cable is out, or the halt gets lost with it. */
static void a_halt_is_owed_until_the_link_is_back(void **state)
{
	struct fixture *f = *state;
	struct err err;
	fake.speed = 5;
	start(f);
	for (int round = 0; round < 2; round++) {
		moves_before = fake.move_count;
		fake.halt_count = 0;
		assert_int_equal(focuser_move(f->focuser, round == 0 ? 9000 : 1000, &err), ERR_OK);
		wait_for(f, moves_again);
		if (round == 0) {
			fake.gone = true;
			wait_for(f, lost);
			assert_int_equal(focuser_halt(f->focuser, &err), ERR_IO);
		} else {
			/* The halt is accepted, but the device never hears it. */
			fake.silent = true;
			assert_int_equal(focuser_halt(f->focuser, &err), ERR_OK);
			wait_for(f, lost);
		}
		assert_int_equal(fake.halt_count, 0);
		fake.gone = false;
		fake.silent = false;
		wait_for(f, focuser_up);
		wait_for(f, halted);
		wait_for(f, at_rest);
		struct focuser_state now;
		focuser_state(f->focuser, &now);
		assert_true(now.position > 1000 && now.position < 9000);
		assert_int_equal(fake.move_count, moves_before + 1);
	}
	/* A motor that has come to rest by then is left alone, and so is its next motion. */
	fake.halt_count = 0;
	fake.gone = true;
	wait_for(f, lost);
	assert_int_equal(focuser_halt(f->focuser, &err), ERR_IO);
	fake.gone = false;
	wait_for(f, focuser_up);
	fake.speed = 1000;
	assert_int_equal(focuser_move(f->focuser, 3000, &err), ERR_OK);
	wait_for(f, at_rest);
	assert_int_equal(fake.halt_count, 0);
}

/* A client counts only as long as it was heard of within the time of quiet, which is zero here. */
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
	/* A failure that is told for no time at all reads false at once. */
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
	struct settings *settings = settings_anew(&f->settings, &f->config);
	assert_int_equal(observatory_create(settings, &options, &f->obs, &err), ERR_OK);
	assert_int_equal(events_listen(observatory_served(f->obs)->events, on_news, NULL), 0);
	f->focuser = devices_find(observatory_served(f->obs)->devices, &focuser_kind, 0);
	wait_for(f, tried_twice);
	fake.open_fails = false;
	wait_for(f, focuser_up);
	assert_int_equal(fake.move_count, 0);
	/* The tries go on until somebody disconnects. */
	bool closing;
	device_disconnect(f->focuser, &alice, &closing, &err);
	wait_for(f, focuser_down);
	assert_false(f->focuser->keep_trying);
}

int main(void)
{
	clock_cond_init(&news);
	log_set_level(LOG_ERROR);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(clients_come_and_go),
		TEST(disconnecting_stops_the_motor),
		TEST(a_failed_connect_is_told_with_its_reason),
		TEST(a_disconnect_amid_relinking_leaves_nothing_behind),
		TEST(a_halt_outlives_the_link),
		TEST(a_connect_amid_closing_opens_afresh),
		TEST(connected_turns_false_after_the_grace),
		TEST(a_halt_is_owed_until_the_link_is_back),
		TEST(quiet_clients_do_not_keep_the_link),
		TEST(connect_at_start_goes_on_trying),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
