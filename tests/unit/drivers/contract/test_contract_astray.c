/* SPDX-License-Identifier: MIT */
/*
 * A motor that goes somewhere else than it was sent, with each driver on its emulated device: the driver shows it and
 * stops it.  What core makes of that is tried in tests/unit/core/test_astray.c, and the whole in
 * tests/http/test_astray.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench.h"

/* So far core lets a motor go astray before it halts it (astray.h: 50 steps, tolerance, ramp), and a little. */
#define ASTRAY_STEPS 110
/* What the motor covers between that reading and the halt, ms of its clock: both are exchanges of the line, and a busy
 * machine is late by some tenths of a second; plus what a device slides while it brakes (celestron: 100 ms). */
#define ASTRAY_HALT_MS 1500

/* The motor goes elsewhere.  The driver has to show that in its readings, on a line that is not read back as well, and
 * its halt ends it: so the way is short, whatever the device was told. */
static void astray(const struct contract_row *row, const char *fault, int beyond)
{
	struct bench b;
	bench_open(&b, row, fault, "", 1, NULL);
	bench_identify(&b);
	bench_start(&b, HOME + 100);
	struct focuser_reading reading;
	int32_t off;
	int64_t deadline_ms = bench_now_ms() + BENCH_GENEROUS_MS;
	do {
		CHECK(&b, bench_now_ms() < deadline_ms);
		enum err_code code = bench_poll(&b, FOCUSER_WANT_MOTION, &reading);
		CHECK(&b, code == ERR_OK || code == ERR_TIMEOUT || code == ERR_PROTOCOL);
		off = code != ERR_OK ? 0 : beyond > 0 ? reading.position - (HOME + beyond) : HOME - reading.position;
	} while (off <= ASTRAY_STEPS);
	struct err err = {.text = ""};
	CHECK(&b, b.driver->halt(b.ctx, &err) == ERR_OK);
	reading = bench_wait(&b, false);
	int32_t rest = beyond > 0 ? reading.position - (HOME + beyond) : HOME - reading.position;
	double speed = b.kind->usual_speed_steps_per_s;
	CHECK(&b, rest < ASTRAY_STEPS + (int32_t)(speed * ASTRAY_HALT_MS / 1000));
	bench_close(&b);
}

struct job {
	pthread_t thread;
	const struct contract_row *row;
};

static void *run_row(void *arg)
{
	const struct contract_row *row = ((struct job *)arg)->row;
	astray(row, "backwards", 0);
	astray(row, "misheard", 0);
	astray(row, "runs-past", 100);
	return NULL;
}

/* A thread for each driver: devices wait for their lines, not for each other. */
static void every_driver_shows_and_stops_a_motor_that_goes_astray(void **state)
{
	(void)state;
	struct job jobs[16];
	size_t count = 0;
	for (const struct contract_row *row = contract_rows; row->driver != NULL; row++) {
		assert_true(count < sizeof jobs / sizeof jobs[0]);
		if (focuser_driver_find(row->driver) != NULL && bench_kind(row) != NULL) {
			jobs[count].row = row;
			assert_int_equal(pthread_create(&jobs[count].thread, NULL, run_row, &jobs[count]), 0);
			count++;
		}
	}
	assert_true(count > 0);
	while (count > 0) {
		pthread_join(jobs[--count].thread, NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_driver_shows_and_stops_a_motor_that_goes_astray),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
