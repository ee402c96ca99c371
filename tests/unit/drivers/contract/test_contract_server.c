/* SPDX-License-Identifier: MIT */
/*
 * The contract of focuser drivers whose device another server has (behind_server): the rules of test_contract.c and of
 * drivers/include/focuser_driver.h, with a server in the place of an emulated line.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../alpaca_upstream.h"
#include "../indi_motor.h"
#include "../lone_host.h"
#include "focuser_driver.h"

/* Of one try to identify, and of every other call, by focuser_driver.h. */
#define IDENTIFY_MOST_MS 1200
#define CALL_MOST_MS 2000
/* No state is waited for longer than this. */
#define GENEROUS_MS 30000
/* Between two looks at what a server has told. */
#define LOOK_MS 2
#define HOME UPSTREAM_HOME

/* One driver, and its server. */
struct row {
	const char *driver;
	void (*start)(struct upstream *u);
	void (*stop)(struct upstream *u);
	const char *port;   /* with a place for the number */
	bool asks;          /* a poll is a question; otherwise it looks at what the server has told */
};

static const struct row rows[] = {
	{"alpaca", upstream_start, upstream_stop, "127.0.0.1:%d/0", true},
	{"indi", indi_motor_start, indi_motor_stop, "tcp://127.0.0.1:%d", false},
};

struct bench {
	const struct row *row;
	const struct focuser_driver *driver;
	struct upstream server;
	struct driver_host host;
	struct focuser_port port;
	struct focuser_caps caps;
	_Atomic bool urgent;
	void *ctx;
};

static int64_t now_ms(void)
{
	return clock_now_ms(clock_real());
}

static bool is_urgent(void *arg)
{
	return atomic_load(&((struct bench *)arg)->urgent);
}

static void open_driver(struct bench *b)
{
	struct err err = {.text = ""};
	memset(b->ctx, 0, b->driver->ctx_size);
	if (b->driver->open(b->ctx, &b->port, &b->host, &err) != ERR_OK) {
		fail_msg("open: %s", err.text);
	}
}

static void serve(struct bench *b)
{
	b->row->start(&b->server);
	/* The row's, which has a place for one number. */
	const char *place = strstr(b->row->port, "%d");
	snprintf(b->port.port, sizeof b->port.port, "%.*s%d%s", (int)(place - b->row->port), b->row->port,
		b->server.port, place + 2);
}

/* The driver of the state, open on a server that is new. */
static void begin(struct bench *b, void **state, double steps_per_s)
{
	const struct row *row = *state;
	*b = (struct bench){.row = row, .driver = focuser_driver_find(row->driver)};
	b->server.clock = clock_real();
	b->server.steps_per_s = steps_per_s;
	serve(b);
	b->host = (struct driver_host){.clock = clock_real(), .source = "focuser.0", .urgent = is_urgent,
		.urgent_ctx = b, .urgent_fd = -1};
	lone_host_fill(&b->host);
	b->ctx = calloc(1, b->driver->ctx_size);
	assert_non_null(b->ctx);
	open_driver(b);
}

static void end(struct bench *b)
{
	b->driver->close(b->ctx);
	free(b->ctx);
	b->row->stop(&b->server);
}

static void identify(struct bench *b)
{
	struct err err = {.text = ""};
	enum err_code code = ERR_TIMEOUT;
	for (int i = 0; i < 4 && code != ERR_OK; i++) {
		int64_t began = now_ms();
		code = b->driver->identify(b->ctx, &b->caps, &err);
		assert_true(now_ms() - began < IDENTIFY_MOST_MS);
	}
	if (code != ERR_OK) {
		fail_msg("identify: %s", err.text);
	}
}

static struct focuser_reading poll_once(struct bench *b)
{
	struct focuser_reading reading = {0};
	struct err err = {.text = ""};
	/* A driver that is told answers at once: asked without a break, it takes the processor from who tells it. */
	if (!b->row->asks) {
		poll(NULL, 0, LOOK_MS);
	}
	if (b->driver->poll(b->ctx, FOCUSER_WANT_MOTION, &reading, &err) != ERR_OK) {
		fail_msg("poll: %s", err.text);
	}
	assert_true(reading.position_valid && reading.moving_valid);
	return reading;
}

static struct focuser_reading wait_for(struct bench *b, bool moving)
{
	int64_t deadline = now_ms() + GENEROUS_MS;
	struct focuser_reading reading = poll_once(b);
	while (reading.moving != moving) {
		assert_true(now_ms() < deadline);
		reading = poll_once(b);
	}
	return reading;
}

/* Polls until it rests at `target`; every position on the way lies on it, and none goes back. */
static void arrive(struct bench *b, int32_t from, int32_t target)
{
	struct err err = {.text = ""};
	int32_t last = from;
	int sign = target > from ? 1 : -1;
	int64_t deadline = now_ms() + GENEROUS_MS;
	if (b->driver->start_move(b->ctx, target, &err) != ERR_OK) {
		fail_msg("start_move: %s", err.text);
	}
	for (;;) {
		struct focuser_reading reading = poll_once(b);
		assert_true(sign * (reading.position - last) >= 0 && sign * (target - reading.position) >= 0);
		last = reading.position;
		if (!reading.moving) {
			break;
		}
		assert_true(now_ms() < deadline);
	}
	assert_int_equal(last, target);
}

static void test_facts_are_sane(void **state)
{
	struct bench b;
	begin(&b, state, 5000);
	assert_true(b.driver->uses_port && b.driver->read_port != NULL && !b.driver->simulated);
	assert_int_equal(b.driver->read_port(b.port.port, NULL), ERR_OK);
	identify(&b);
	assert_int_equal(b.caps.max_step, UPSTREAM_MAX_STEP);
	assert_int_equal(b.caps.max_increment, UPSTREAM_MAX_STEP);
	assert_true(b.caps.min_step == 0 && !(b.caps.step_size_um <= 0));
	assert_true(b.caps.identity[0] != '\0' && memchr(b.caps.identity, '\0', sizeof b.caps.identity) != NULL);
	end(&b);
}

static void test_sends_nothing_before_it_is_asked(void **state)
{
	struct bench b;
	begin(&b, state, 5000);
	b.driver->close(b.ctx);
	/* In any state, more than once. */
	b.driver->close(b.ctx);
	open_driver(&b);
	assert_int_equal(atomic_load(&b.server.requests), 0);
	identify(&b);
	assert_true(atomic_load(&b.server.requests) > 0);
	assert_int_equal(atomic_load(&b.server.moves), 0);
	assert_int_equal(atomic_load(&b.server.halts), 0);
	end(&b);
}

static void test_refuses_when_closed(void **state)
{
	struct bench b;
	struct focuser_reading reading = {.position = -77};
	struct err err;
	begin(&b, state, 5000);
	b.driver->close(b.ctx);
	memset(b.ctx, 0, b.driver->ctx_size);
	assert_int_equal(b.driver->identify(b.ctx, &b.caps, &err), ERR_NOT_CONNECTED);
	assert_int_equal(b.driver->start_move(b.ctx, 1, &err), ERR_NOT_CONNECTED);
	assert_int_equal(b.driver->halt(b.ctx, &err), ERR_NOT_CONNECTED);
	assert_int_equal(b.driver->poll(b.ctx, FOCUSER_WANT_MOTION, &reading, &err), ERR_NOT_CONNECTED);
	assert_true(!reading.position_valid && reading.position == -77);
	if (b.driver->set_tempcomp != NULL) {
		assert_int_equal(b.driver->set_tempcomp(b.ctx, false, &err), ERR_NOT_CONNECTED);
	}
	assert_int_equal(atomic_load(&b.server.requests), 0);
	end(&b);
}

static void test_nobody_there_is_told(void **state)
{
	struct bench b;
	struct err err = {.text = ""};
	begin(&b, state, 5000);
	b.driver->close(b.ctx);
	b.row->stop(&b.server);
	memset(b.ctx, 0, b.driver->ctx_size);
	enum err_code code = b.driver->open(b.ctx, &b.port, &b.host, &err);
	code = code == ERR_OK ? b.driver->identify(b.ctx, &b.caps, &err) : code;
	assert_int_equal(code, ERR_IO);
	assert_true(strchr(err.text, ' ') != NULL);
	serve(&b);
	b.driver->close(b.ctx);
	open_driver(&b);
	identify(&b);
	end(&b);
}

/* A motor on its way goes on when somebody connects; one that rests stays. */
static void test_identifying_moves_and_stops_nothing(void **state)
{
	struct bench b;
	begin(&b, state, 500);
	identify(&b);
	assert_int_equal(wait_for(&b, false).position, HOME);
	assert_int_equal(b.driver->start_move(b.ctx, HOME + 30000, NULL), ERR_OK);
	struct focuser_reading before = wait_for(&b, true);
	char identity[sizeof b.caps.identity];
	memcpy(identity, b.caps.identity, sizeof identity);
	b.driver->close(b.ctx);
	open_driver(&b);
	identify(&b);
	assert_string_equal(identity, b.caps.identity);
	struct focuser_reading after = wait_for(&b, true);
	assert_true(after.position >= before.position && after.position < HOME + 30000);
	assert_int_equal(b.driver->halt(b.ctx, NULL), ERR_OK);
	assert_int_equal(atomic_load(&b.server.moves), 1);
	end(&b);
}

static void test_moves_arrive(void **state)
{
	struct bench b;
	static const int32_t targets[] = {HOME + 3000, HOME - 5000, HOME - 4999, 0, UPSTREAM_MAX_STEP};
	int32_t from = HOME;
	begin(&b, state, 50000);
	identify(&b);
	for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
		arrive(&b, from, targets[i]);
		from = targets[i];
	}
	end(&b);
}

static void test_a_new_target_replaces_the_old(void **state)
{
	struct bench b;
	begin(&b, state, 20000);
	identify(&b);
	assert_int_equal(b.driver->start_move(b.ctx, HOME + 20000, NULL), ERR_OK);
	(void)wait_for(&b, true);
	assert_int_equal(b.driver->start_move(b.ctx, HOME - 1000, NULL), ERR_OK);
	assert_int_equal(wait_for(&b, false).position, HOME - 1000);
	end(&b);
}

/* A halt stops the motor where it is, is one exchange, and is fine at rest. */
static void test_a_halt_stops(void **state)
{
	struct bench b;
	begin(&b, state, 500);
	identify(&b);
	assert_int_equal(b.driver->halt(b.ctx, NULL), ERR_OK);
	assert_int_equal(b.driver->start_move(b.ctx, HOME + 30000, NULL), ERR_OK);
	(void)wait_for(&b, true);
	int before = atomic_load(&b.server.requests);
	/* Also while something urgent waits: it is that. */
	atomic_store(&b.urgent, true);
	assert_int_equal(b.driver->halt(b.ctx, NULL), ERR_OK);
	atomic_store(&b.urgent, false);
	if (b.row->asks) {
		assert_int_equal(atomic_load(&b.server.requests), before + 1);
	}
	int32_t rest = wait_for(&b, false).position;
	assert_int_equal(atomic_load(&b.server.halts), 2);
	assert_true(rest < HOME + 30000);
	assert_false(poll_once(&b).moving);
	assert_int_equal(poll_once(&b).position, rest);
	end(&b);
}

/* What a motor does that does not arrive is told as it is: never as an arrival. */
static void test_a_wrong_end_is_told(void **state)
{
	struct bench b;
	begin(&b, state, 50000);
	identify(&b);
	atomic_store(&b.server.beside, 7);
	assert_int_equal(b.driver->start_move(b.ctx, HOME + 3000, NULL), ERR_OK);
	assert_int_equal(wait_for(&b, false).position, HOME + 3007);
	atomic_store(&b.server.beside, 0);
	atomic_store(&b.server.stalls_after, 100);
	assert_int_equal(b.driver->start_move(b.ctx, HOME, NULL), ERR_OK);
	struct focuser_reading reading;
	do {
		reading = poll_once(&b);
		assert_true(reading.moving && reading.position >= HOME + 2907);
	} while (reading.position > HOME + 2907);
	assert_int_equal(b.driver->halt(b.ctx, NULL), ERR_OK);
	assert_int_equal(wait_for(&b, false).position, HOME + 2907);
	end(&b);
}

/* A server that is silent: every call ends in time, with a code and a sentence and nothing in its results, and the next
 * one works when it speaks again. */
static void test_silence_is_told_in_time(void **state)
{
	struct bench b;
	struct err err = {.text = ""};
	struct focuser_reading reading = {.position = -77};
	begin(&b, state, 50000);
	identify(&b);
	atomic_store(&b.server.silent, true);
	int64_t began = now_ms();
	assert_int_equal(b.driver->poll(b.ctx, FOCUSER_WANT_MOTION, &reading, &err), ERR_TIMEOUT);
	assert_true(now_ms() - began < CALL_MOST_MS && strchr(err.text, ' ') != NULL);
	assert_true(!reading.position_valid && reading.position == -77);
	began = now_ms();
	assert_int_equal(b.driver->halt(b.ctx, &err), ERR_TIMEOUT);
	assert_true(now_ms() - began < CALL_MOST_MS);
	atomic_store(&b.server.silent, false);
	assert_int_equal(poll_once(&b).position, HOME);
	arrive(&b, HOME, HOME + 100);
	end(&b);
}

/* While something urgent waits a question gives up, and a motor is not started. */
static void test_what_is_urgent_goes_first(void **state)
{
	struct bench b;
	struct focuser_reading reading = {0};
	begin(&b, state, 50000);
	identify(&b);
	atomic_store(&b.urgent, true);
	assert_int_equal(b.driver->start_move(b.ctx, HOME + 1000, NULL), ERR_CANCELLED);
	assert_int_equal(b.driver->poll(b.ctx, FOCUSER_WANT_MOTION, &reading, NULL),
		b.row->asks ? ERR_CANCELLED : ERR_OK);
	atomic_store(&b.urgent, false);
	assert_int_equal(atomic_load(&b.server.moves), 0);
	assert_int_equal(wait_for(&b, false).position, HOME);
	end(&b);
}

int main(void)
{
	int failed = 0;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		/* cmocka hands on what is not constant. */
		void *row = (void *)(uintptr_t)&rows[i];
		const struct CMUnitTest tests[] = {
			cmocka_unit_test_prestate(test_facts_are_sane, row),
			cmocka_unit_test_prestate(test_sends_nothing_before_it_is_asked, row),
			cmocka_unit_test_prestate(test_refuses_when_closed, row),
			cmocka_unit_test_prestate(test_nobody_there_is_told, row),
			cmocka_unit_test_prestate(test_identifying_moves_and_stops_nothing, row),
			cmocka_unit_test_prestate(test_moves_arrive, row),
			cmocka_unit_test_prestate(test_a_new_target_replaces_the_old, row),
			cmocka_unit_test_prestate(test_a_halt_stops, row),
			cmocka_unit_test_prestate(test_a_wrong_end_is_told, row),
			cmocka_unit_test_prestate(test_what_is_urgent_goes_first, row),
		};
		/* One whose poll looks at what was told is told of silence by its line. */
		const struct CMUnitTest asking[] = {cmocka_unit_test_prestate(test_silence_is_told_in_time, row)};
		failed += cmocka_run_group_tests_name(rows[i].driver, tests, NULL, NULL);
		failed += rows[i].asks ? cmocka_run_group_tests_name(rows[i].driver, asking, NULL, NULL) : 0;
	}
	return failed;
}
