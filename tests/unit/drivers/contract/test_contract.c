/* SPDX-License-Identifier: MIT */
/*
 * What every focuser driver has to keep, tried on its emulated device over a pseudo terminal.  The
 * rules are those of drivers/include/focuser_driver.h; rows.c says which drivers there are.  Nothing waits
 * for a fixed time: loops end when the device says so, or fail at a generous deadline.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench.h"

/* Fast enough to be there soon, slow enough to be seen on the way. */
#define QUICK 100
#define LIFE 1

/* Calls test(row, number) on a thread each: devices wait for their lines, not for each other. */
typedef void (*row_test)(const struct contract_row *row, size_t number);

struct job {
	pthread_t thread;
	row_test test;
	const struct contract_row *row;
	size_t number;
};

#define MAX_JOBS 64
static struct job jobs[MAX_JOBS];
static size_t job_count;

static void *run_job(void *arg)
{
	struct job *job = arg;
	job->test(job->row, job->number);
	return NULL;
}

static void begin(row_test test, const struct contract_row *row, size_t number)
{
	assert_true(job_count < MAX_JOBS);
	struct job *job = &jobs[job_count++];
	*job = (struct job){.test = test, .row = row, .number = number};
	assert_int_equal(pthread_create(&job->thread, NULL, run_job, job), 0);
}

static void finish(void)
{
	while (job_count > 0) {
		pthread_join(jobs[--job_count].thread, NULL);
	}
}

static bool ready(const struct contract_row *row)
{
	return focuser_driver_find(row->driver) != NULL && bench_kind(row) != NULL;
}

static void for_all(row_test test)
{
	for (const struct contract_row *row = contract_rows; row->driver != NULL; row++) {
		if (ready(row)) {
			begin(test, row, 0);
		}
	}
	finish();
}

static void test_every_driver_has_a_row(void **state)
{
	(void)state;
	for (size_t i = 0; focuser_drivers[i] != NULL; i++) {
		const struct contract_row *row = contract_rows;
		while (row->driver != NULL && strcmp(row->driver, focuser_drivers[i]->name) != 0) {
			row++;
		}
		/* A simulator has no line, and neither has a knob; what has a server is tried by
		 * test_contract_server.c. */
		bool here = !focuser_drivers[i]->simulated && !focuser_drivers[i]->by_hand &&
			    !focuser_drivers[i]->behind_server;
		if (here && (row->driver == NULL || !ready(row))) {
			fail_msg("%s has no row in contract/rows.c, or no emulator", focuser_drivers[i]->name);
		}
	}
}

/* What happens to any device must be tried with each: a fault that an emulator lacks would be passed over. */
static void test_every_kind_has_the_usual_faults(void **state)
{
	(void)state;
	static const char *const usual[] = {"silent", "garbage", "late-reply", "half-reply", "drop-line", "stall",
		"slow-start", "reset", "wrong-position", "backwards", "runs-past", "misheard"};
	for (const struct contract_row *row = contract_rows; row->driver != NULL; row++) {
		for (size_t i = 0; ready(row) && i < sizeof usual / sizeof usual[0]; i++) {
			if (!bench_kind_has(bench_kind(row), usual[i])) {
				fail_msg("focusd emulate %s has no fault %s", row->kind, usual[i]);
			}
		}
	}
}

static void sends_nothing_before_it_is_asked(const struct contract_row *row, size_t number)
{
	(void)number;
	struct bench b;
	bench_open(&b, row, "", "", LIFE, NULL);
	b.driver->close(b.ctx);
	/* In any state, more than once. */
	b.driver->close(b.ctx);
	bench_reopen(&b);
	CHECK(&b, bench_sent(&b) == 0);
	bench_identify(&b);
	CHECK(&b, bench_sent(&b) > 0);
	/* What is not there cannot be opened, and is closed all the same. */
	struct err err = {.text = ""};
	b.driver->close(b.ctx);
	memset(b.ctx, 0, b.driver->ctx_size);
	snprintf(b.port.port, sizeof b.port.port, "/dev/focusd-no-such-port");
	CHECK(&b, b.driver->open(b.ctx, &b.port, &b.host, &err) == ERR_IO && err.text[0] != '\0');
	bench_close(&b);
}

static void refuses_when_closed(const struct contract_row *row, size_t number)
{
	(void)number;
	struct bench b;
	struct focuser_reading reading = {.position = -77};
	bench_open(&b, row, "", "", LIFE, NULL);
	b.driver->close(b.ctx);
	memset(b.ctx, 0, b.driver->ctx_size);
	struct err err;
	CHECK(&b, b.driver->identify(b.ctx, &b.caps, &err) == ERR_NOT_CONNECTED);
	CHECK(&b, b.driver->start_move(b.ctx, 1, &err) == ERR_NOT_CONNECTED);
	CHECK(&b, b.driver->halt(b.ctx, &err) == ERR_NOT_CONNECTED);
	CHECK(&b, b.driver->poll(b.ctx, FOCUSER_WANT_MOTION, &reading, &err) == ERR_NOT_CONNECTED);
	CHECK(&b, !reading.position_valid && reading.position == -77);
	if (b.driver->set_position != NULL) {
		CHECK(&b, b.driver->set_position(b.ctx, 1, &err) == ERR_NOT_CONNECTED);
	}
	if (b.driver->set_tempcomp != NULL) {
		CHECK(&b, b.driver->set_tempcomp(b.ctx, false, &err) == ERR_NOT_CONNECTED);
	}
	bench_close(&b);
}

/* A motor on its way goes on when somebody connects; one that rests stays. */
static void identifying_moves_and_stops_nothing(const struct contract_row *row, size_t number)
{
	(void)number;
	struct bench b;
	bench_open(&b, row, "", "", LIFE, NULL);
	bench_identify(&b);
	char identity[sizeof b.caps.identity];
	memcpy(identity, b.caps.identity, sizeof identity);
	for (int i = 0; i < 3; i++) {
		CHECK(&b, bench_wait(&b, false).position == HOME);
		bench_identify(&b);
		CHECK(&b, strcmp(identity, b.caps.identity) == 0);
	}
	bench_start(&b, HOME + 10000);
	struct focuser_reading before = bench_wait(&b, true);
	bench_reopen(&b);
	bench_identify(&b);
	CHECK(&b, strcmp(identity, b.caps.identity) == 0);
	struct focuser_reading after = bench_wait(&b, true);
	CHECK(&b, after.position >= before.position && after.position < HOME + 10000);
	CHECK(&b, b.driver->halt(b.ctx, NULL) == ERR_OK);
	bench_close(&b);
}

/* Faults that every kind has and with which moves arrive, or must be told as they are. */
static const char *const common[] = {"", "delay", "partial", "garbage", "duplicate", "no-reply-once",
	"late-reply", "half-reply", "slow-start", "reset-on-open"};
#define COMMON (sizeof common / sizeof common[0])

static void walk(struct bench *b, int beside)
{
	static const int32_t targets[] = {HOME + 3000, HOME - 5000, HOME - 4999, HOME + 1};
	int32_t from = HOME;
	bench_identify(b);
	for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
		bench_start(b, targets[i]);
		/* A step is a way for one that stops beside it, too. */
		int32_t end = targets[i] + beside;
		bench_arrive(b, from, end);
		from = end;
	}
	CHECK(b, !b->was_reset);
}

static void moves_arrive(const struct contract_row *row, size_t number)
{
	struct bench b;
	if (*common[number] != '\0' && !bench_kind_has(bench_kind(row), common[number])) {
		return;
	}
	bench_open(&b, row, common[number], "", QUICK, NULL);
	walk(&b, 0);
	bench_close(&b);
}

static void relatives_move_and_arrive(const struct contract_row *row, size_t number)
{
	const struct contract_relative *relative = &row->relatives[number];
	struct bench b;
	bench_open(&b, row, relative->faults, relative->quirks, QUICK, NULL);
	walk(&b, relative->beside);
	CHECK(&b, b.caps.tolerance_steps >= abs(relative->beside));
	bench_close(&b);
}

static void test_moves_arrive(void **state)
{
	(void)state;
	for (const struct contract_row *row = contract_rows; row->driver != NULL; row++) {
		for (size_t i = 0; ready(row) && i < COMMON; i++) {
			begin(moves_arrive, row, i);
		}
	}
	finish();
}

static void test_relatives_move_and_arrive(void **state)
{
	(void)state;
	for (const struct contract_row *row = contract_rows; row->driver != NULL; row++) {
		for (size_t i = 0; ready(row) && row->relatives[i].faults != NULL; i++) {
			begin(relatives_move_and_arrive, row, i);
		}
	}
	finish();
}

/* What a motor does that does not arrive is told as it is: never as an arrival. */
static void a_wrong_end_is_told(const struct contract_row *row, size_t number)
{
	(void)number;
	struct bench b;
	bench_open(&b, row, "wrong-position", "", QUICK, NULL);
	bench_identify(&b);
	bench_start(&b, HOME + 3000);
	bench_arrive(&b, HOME, HOME + 3000 + row->wrong_steps);
	bench_close(&b);

	bench_open(&b, row, "stall", "", QUICK, NULL);
	bench_identify(&b);
	bench_start(&b, HOME + 3000);
	struct focuser_reading reading;
	do {
		reading = bench_wait(&b, true);
		CHECK(&b, reading.position <= HOME + 100);
	} while (reading.position < HOME + 100);
	CHECK(&b, b.driver->halt(b.ctx, NULL) == ERR_OK);
	CHECK(&b, bench_wait(&b, false).position == HOME + 100);
	bench_close(&b);
}

static void a_new_target_replaces_the_old(const struct contract_row *row, size_t number)
{
	(void)number;
	struct bench b;
	bench_open(&b, row, "", "", 20, NULL);
	bench_identify(&b);
	bench_start(&b, HOME + 10000);
	struct focuser_reading at = bench_wait(&b, true);
	bench_start(&b, HOME - 500);
	struct focuser_reading reading;
	do {
		reading = bench_wait(&b, false);
		CHECK(&b, reading.position < HOME + 10000 && reading.position >= HOME - 500);
	} while (reading.position != HOME - 500);
	CHECK(&b, at.position < HOME + 10000);
	bench_close(&b);
}

/* One command; the motor stands, stays, and does not go on to the old target later. */
static void a_halt_is_one_exchange(const struct contract_row *row, size_t number)
{
	(void)number;
	struct bench b;
	bench_open(&b, row, "", "", LIFE, NULL);
	bench_identify(&b);
	bench_start(&b, HOME + 10000);
	struct focuser_reading moving = bench_wait(&b, true);
	(void)bench_sent(&b);
	CHECK(&b, b.driver->halt(b.ctx, NULL) == ERR_OK);
	struct focuser_reading rest;
	/* The device has what a halt sends, and nothing else, before the next call. */
	int64_t deadline_ms = bench_now_ms() + BENCH_GENEROUS_MS;
	size_t sent = bench_sent(&b);
	while (sent < row->halt_bytes && bench_now_ms() < deadline_ms) {
		sent += bench_sent(&b);
	}
	CHECK(&b, sent == row->halt_bytes);
	rest = bench_wait(&b, false);
	CHECK(&b, rest.position >= moving.position && rest.position < HOME + 10000);
	for (int i = 0; i < 5; i++) {
		CHECK(&b, bench_wait(&b, false).position == rest.position);
	}
	/* At rest it is no error. */
	CHECK(&b, b.driver->halt(b.ctx, NULL) == ERR_OK);
	CHECK(&b, bench_wait(&b, false).position == rest.position);
	bench_start(&b, rest.position + 100);
	bench_arrive(&b, rest.position, rest.position + 100);
	bench_close(&b);
}

static void targets_outside_are_refused(const struct contract_row *row, size_t number)
{
	(void)number;
	struct bench b;
	struct err err = {.text = ""};
	bench_open(&b, row, "", "", QUICK, NULL);
	bench_identify(&b);
	const int32_t outside[] = {-1, INT32_MIN, b.caps.max_step + 1, INT32_MAX};
	for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
		CHECK(&b, b.driver->start_move(b.ctx, outside[i], &err) == ERR_INVALID_VALUE);
		CHECK(&b, err.text[0] != '\0');
		CHECK(&b, bench_wait(&b, false).position == HOME);
	}
	if (b.driver->set_position != NULL) {
		CHECK(&b, b.driver->set_position(b.ctx, -1, &err) == ERR_INVALID_VALUE);
		CHECK(&b, b.driver->set_position(b.ctx, b.caps.max_step + 1, &err) == ERR_INVALID_VALUE);
		CHECK(&b, bench_wait(&b, false).position == HOME);
	}
	/* Both ends are inside. */
	bench_start(&b, b.caps.max_step);
	bench_arrive(&b, HOME, b.caps.max_step);
	bench_start(&b, b.caps.min_step);
	bench_arrive(&b, b.caps.max_step, b.caps.min_step);
	bench_close(&b);
}

static void it_is_told_where_it_stands(const struct contract_row *row, size_t number)
{
	(void)number;
	struct bench b;
	struct err err = {.text = ""};
	bench_open(&b, row, "", "", LIFE, NULL);
	bench_identify(&b);
	if (b.driver->set_position != NULL) {
		CHECK(&b, b.driver->set_position(b.ctx, 12345, &err) == ERR_OK);
		CHECK(&b, bench_wait(&b, false).position == 12345);
		CHECK(&b, !b.was_reset);
		bench_start(&b, 12445);
		bench_arrive(&b, 12345, 12445);
		bench_start(&b, 20000);
		bench_wait(&b, true);
		CHECK(&b, b.driver->set_position(b.ctx, 5, &err) == ERR_INVALID_OPERATION);
	}
	bench_close(&b);
}

static void temperature_is_what_the_probe_says(const struct contract_row *row, size_t number)
{
	(void)number;
	struct bench b;
	bench_open(&b, row, "", "", LIFE, NULL);
	bench_identify(&b);
	struct focuser_reading reading = {.temperature_valid = false};
	int64_t deadline_ms = bench_now_ms() + BENCH_GENEROUS_MS;
	while (b.caps.has_temperature && !reading.temperature_valid) {
		CHECK(&b, bench_now_ms() < deadline_ms);
		(void)bench_poll(&b, FOCUSER_WANT_MOTION | FOCUSER_WANT_TEMPERATURE, &reading);
	}
	if (b.caps.has_temperature) {
		CHECK(&b, reading.temperature_c >= CELSIUS - 0.5 && reading.temperature_c <= CELSIUS + 0.5);
	}
	bench_close(&b);
}

/* Something urgent: no question is begun, none is waited for, no motor is started; but a halt goes out. */
static void what_is_urgent_goes_first(const struct contract_row *row, size_t number)
{
	(void)number;
	struct bench b;
	struct focuser_reading reading;
	struct err err;
	bench_open(&b, row, "", "", LIFE, NULL);
	bench_identify(&b);
	(void)bench_wait(&b, false);
	(void)bench_sent(&b);
	atomic_store(&b.calm, 0);
	CHECK(&b, bench_poll(&b, FOCUSER_WANT_MOTION, &reading) == ERR_CANCELLED);
	CHECK(&b, b.driver->start_move(b.ctx, HOME + 5000, &err) == ERR_CANCELLED);
	atomic_store(&b.calm, -1);
	CHECK(&b, bench_wait(&b, false).position == HOME);
	/* In the middle of waiting for an answer that does not come. */
	emulator_thread_pause(&b.emulator);
	atomic_store(&b.calm, 1);
	CHECK(&b, bench_poll(&b, FOCUSER_WANT_MOTION, &reading) == ERR_CANCELLED);
	/* Sent, whether or not the device answers to it. */
	CHECK(&b, b.driver->halt(b.ctx, &err) != ERR_CANCELLED);
	atomic_store(&b.calm, -1);
	emulator_thread_resume(&b.emulator);
	CHECK(&b, bench_wait(&b, false).position == HOME);
	bench_close(&b);
}

/* A device that hangs: timeouts, never an old position; when it speaks again all is as it was. */
static void silence_is_a_timeout(const struct contract_row *row, size_t number)
{
	(void)number;
	struct bench b;
	struct focuser_reading reading;
	struct err err = {.text = ""};
	bench_open(&b, row, "silent", "", LIFE, NULL);
	CHECK(&b, b.driver->identify(b.ctx, &b.caps, &err) == ERR_TIMEOUT);
	CHECK(&b, strstr(err.text, b.port.port) != NULL);
	bench_close(&b);

	bench_open(&b, row, "", "", QUICK, NULL);
	bench_identify(&b);
	CHECK(&b, bench_wait(&b, false).position == HOME);
	emulator_thread_pause(&b.emulator);
	for (int i = 0; i < 2; i++) {
		CHECK(&b, bench_poll(&b, FOCUSER_WANT_MOTION, &reading) == ERR_TIMEOUT);
	}
	emulator_thread_resume(&b.emulator);
	CHECK(&b, bench_wait(&b, false).position == HOME);
	bench_start(&b, HOME + 2000);
	bench_arrive(&b, HOME, HOME + 2000);
	bench_close(&b);
}

/* Refused or unanswered, a start is an error: what is read afterwards is where the motor is. */
static void a_start_that_fails_is_no_arrival(const struct contract_row *row, size_t number)
{
	(void)number;
	struct bench b;
	struct err err = {.text = ""};
	bench_open(&b, row, "", "", LIFE, NULL);
	bench_identify(&b);
	CHECK(&b, bench_wait(&b, false).position == HOME);
	emulator_thread_pause(&b.emulator);
	/* On lines without answers to commands it is the next poll that fails. */
	if (b.driver->start_move(b.ctx, HOME + 5000, &err) != ERR_OK) {
		CHECK(&b, err.text[0] != '\0');
	}
	/* As core does then. */
	(void)b.driver->halt(b.ctx, &err);
	emulator_thread_resume(&b.emulator);
	int64_t deadline_ms = bench_now_ms() + BENCH_GENEROUS_MS;
	struct focuser_reading reading = {.moving = true};
	while (reading.moving && bench_now_ms() < deadline_ms) {
		if (bench_poll(&b, FOCUSER_WANT_MOTION, &reading) != ERR_OK) {
			reading.moving = true;
		}
	}
	CHECK(&b, !reading.moving && reading.position >= HOME && reading.position < HOME + 5000);
	bench_close(&b);
}

/* Unplugged on the way: known at once, as such, from every call; and back under the same name. */
static void an_unplugged_device_is_gone(const struct contract_row *row, size_t number)
{
	(void)number;
	char folder[] = "/tmp/focusd-test-XXXXXX";
	char link[64];
	struct bench b;
	struct err err = {.text = ""};
	struct focuser_reading reading;
	if (mkdtemp(folder) == NULL) {
		abort();
	}
	snprintf(link, sizeof link, "%s/port", folder);
	bench_open(&b, row, "drop-line", "", LIFE, link);
	bench_identify(&b);
	bench_start(&b, HOME + 1200);
	enum err_code code;
	int64_t deadline_ms = bench_now_ms() + BENCH_GENEROUS_MS;
	do {
		code = bench_poll(&b, FOCUSER_WANT_MOTION, &reading);
		CHECK(&b, code != ERR_OK || (reading.position >= HOME && reading.position < HOME + 1200));
		CHECK(&b, bench_now_ms() < deadline_ms);
	} while (code != ERR_IO);
	CHECK(&b, b.driver->halt(b.ctx, &err) == ERR_IO);
	CHECK(&b, b.driver->start_move(b.ctx, HOME, &err) == ERR_IO);
	CHECK(&b, b.driver->identify(b.ctx, &b.caps, &err) == ERR_IO);
	bench_reopen(&b);
	bench_identify(&b);
	/* The motor went on by itself. */
	bench_arrive(&b, HOME, HOME + 1200);
	bench_close(&b);
	rmdir(folder);
}

/* Reset on its way it has forgotten where it went: no arrival, and whoever asks gets answers again. */
static void a_reset_is_no_arrival(const struct contract_row *row, size_t number)
{
	(void)number;
	if (!bench_kind_has(bench_kind(row), "reset")) {
		return;
	}
	struct bench b;
	bench_open(&b, row, "reset", "", LIFE, NULL);
	bench_identify(&b);
	bench_start(&b, HOME + 3000);
	struct focuser_reading reading = {.moving = true};
	int64_t deadline_ms = bench_now_ms() + BENCH_GENEROUS_MS;
	while (reading.moving && bench_now_ms() < deadline_ms) {
		enum err_code code = bench_poll(&b, FOCUSER_WANT_MOTION, &reading);
		CHECK(&b, code == ERR_OK || code == ERR_TIMEOUT || code == ERR_PROTOCOL);
		if (code != ERR_OK) {
			reading.moving = true;
		}
	}
	CHECK(&b, !reading.moving && reading.position != HOME + 3000);
	/* At a count that no motion leads to, it is known for what it is. */
	CHECK(&b, b.was_reset || (reading.position >= HOME && reading.position < HOME + 3000));
	int32_t from = reading.position;
	bench_start(&b, from + 50);
	bench_arrive(&b, from, from + 50);
	bench_close(&b);
}

static void test_opening_and_closing(void **state)
{
	(void)state;
	for_all(sends_nothing_before_it_is_asked);
	for_all(refuses_when_closed);
}

/* Most of the rest waits for devices: all at once. */
static void test_rules(void **state)
{
	(void)state;
	static const row_test tests[] = {identifying_moves_and_stops_nothing, a_wrong_end_is_told,
		a_new_target_replaces_the_old, a_halt_is_one_exchange, targets_outside_are_refused,
		it_is_told_where_it_stands, temperature_is_what_the_probe_says, what_is_urgent_goes_first,
		silence_is_a_timeout, a_start_that_fails_is_no_arrival, an_unplugged_device_is_gone,
		a_reset_is_no_arrival};
	for (const struct contract_row *row = contract_rows; row->driver != NULL; row++) {
		for (size_t i = 0; ready(row) && i < sizeof tests / sizeof tests[0]; i++) {
			begin(tests[i], row, 0);
		}
	}
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_driver_has_a_row),
		cmocka_unit_test(test_every_kind_has_the_usual_faults),
		cmocka_unit_test(test_opening_and_closing),
		cmocka_unit_test(test_moves_arrive),
		cmocka_unit_test(test_relatives_move_and_arrive),
		cmocka_unit_test(test_rules),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
