/* SPDX-License-Identifier: MIT */
/*
 * The driver against the emulated motor on a real pseudo terminal and over TCP.  Both follow the
 * description of the AUX bus and share no code.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "celestron_driver.h"
#include "driver_rig.h"
#include "emu_celestron.h"

/* The word of quirks is part of a row's faults where the device is wired otherwise. */
static void rig_open(struct driver_rig *rig, const char *faults, double factor)
{
	driver_rig_open(rig, &celestron_driver, &emu_celestron, faults, 20000, factor);
	if (strstr(faults, "hand-controller") != NULL) {
		celestron_driver.close(rig->ctx);
		snprintf(rig->port.quirks, sizeof rig->port.quirks, "hand-controller");
		assert_int_equal(
			celestron_driver.open(rig->ctx, &rig->port, &rig->host, NULL), ERR_OK);
	}
}

static const struct {
	const char *faults;
	int beside;    /* where it stops, from the target */
	bool may_miss; /* single polls may fail */
} builds[] = {
	{"", 0, false},
	{"bare-ack", 0, false},
	{"echo", 0, false},
	{"foreign", 0, false},
	{"echo foreign bare-ack", 0, false},
	{"hand-controller", 0, false},
	{"gives-up", 0, false},
	{"delay", 0, false},
	{"partial", 0, false},
	{"duplicate", 0, false},
	{"garbage", 0, true},
	{"no-reply-once", 0, true},
	{"late-reply", 0, true},
	{"half-reply", 0, true},
};

/* As core does: at rest elsewhere means that it has not begun, until it has. */
static int32_t arrive(struct driver_rig *rig, int32_t target, int *failures)
{
	struct focuser_reading reading = {0};
	for (int look = 0; look < 2000; look++) {
		reading = driver_rig_poll_until(rig, false, failures);
		if (reading.position == target) {
			break;
		}
	}
	return reading.position;
}

static void moves_arrive(size_t i)
{
	struct driver_rig rig;
	rig_open(&rig, builds[i].faults, 2000);
	driver_rig_identify(&rig);
	assert_string_equal(rig.caps.identity, "Celestron focus motor, firmware 7.15.8240");
	assert_int_equal(rig.caps.min_step, 2000);
	assert_int_equal(rig.caps.max_step, 40000);
	static const int32_t targets[] = {23000, 2000, 40000};
	int failures = 0;
	for (size_t k = 0; k < sizeof targets / sizeof targets[0]; k++) {
		driver_rig_start_move(&rig, targets[k]);
		int32_t position = arrive(&rig, targets[k], builds[i].may_miss ? &failures : NULL);
		if (position != targets[k]) {
			fail_msg("%s: %d instead of %d", builds[i].faults, (int)position,
				(int)targets[k]);
		}
	}
	driver_rig_close(&rig);
}

static void test_moves_arrive(void **state)
{
	(void)state;
	driver_rig_at_once(sizeof builds / sizeof builds[0], moves_arrive);
}

static void test_over_the_network(void **state)
{
	(void)state;
	struct driver_rig rig;
	struct driver_bridge bridge;
	rig_open(&rig, "echo foreign", 2000);
	driver_rig_over_tcp(&rig, &bridge);
	driver_rig_identify(&rig);
	driver_rig_start_move(&rig, 23000);
	assert_int_equal(arrive(&rig, 23000, NULL), 23000);
	celestron_driver.close(rig.ctx);
	driver_rig_end_tcp(&bridge);
	driver_rig_close(&rig);
}

static void test_halt_stops_soon(void **state)
{
	(void)state;
	struct driver_rig rig;
	rig_open(&rig, "", 1);
	driver_rig_identify(&rig);
	driver_rig_start_move(&rig, 40000);
	driver_rig_poll_until(&rig, true, NULL);
	assert_int_equal(celestron_driver.halt(rig.ctx, NULL), ERR_OK);
	struct focuser_reading rest = driver_rig_poll_until(&rig, false, NULL);
	/* 300 counts a second. */
	assert_in_range(rest.position, 20000, 20000 + 300 * GENEROUS_MS / 1000);
	driver_rig_close(&rig);
}

static void test_calibration(void **state)
{
	(void)state;
	struct driver_rig rig;
	struct err err;
	rig_open(&rig, "uncalibrated", 200);
	driver_rig_identify(&rig);
	assert_true(strstr(rig.caps.move_refusal, "not calibrated") != NULL);
	assert_int_equal(celestron_driver.start_move(rig.ctx, 23000, &err), ERR_INVALID_OPERATION);
	assert_int_equal(celestron_driver.calibrate(rig.ctx, true, &err), ERR_OK);
	struct focuser_reading reading = {0};
	int step = 0;
	const unsigned want = FOCUSER_WANT_MOTION | FOCUSER_WANT_CALIBRATION;
	int64_t deadline_ms = clock_now_ms(clock_real()) + GENEROUS_MS;
	while (reading.calibration != FOCUSER_CALIBRATION_DONE) {
		assert_true(clock_now_ms(clock_real()) < deadline_ms);
		if (celestron_driver.poll(rig.ctx, want, &reading, &err) == ERR_OK) {
			assert_true(reading.calibration_valid);
			assert_true(reading.calibration_step >= step ||
				    reading.calibration == FOCUSER_CALIBRATION_DONE);
			step = reading.calibration_step > step ? reading.calibration_step : step;
		}
	}
	assert_in_range(step, 1, 12);
	driver_rig_identify(&rig);
	assert_string_equal(rig.caps.move_refusal, "");
	assert_int_equal(rig.caps.max_step, 40000);
	driver_rig_start_move(&rig, 23000);
	driver_rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moves_arrive),
		cmocka_unit_test(test_over_the_network),
		cmocka_unit_test(test_halt_stops_soon),
		cmocka_unit_test(test_calibration),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
