/* SPDX-License-Identifier: MIT */
/*
 * The driver against the emulated motor on a real pseudo terminal and over TCP.  Both follow the
 * description of the AUX bus and share no code.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "celestron_driver.h"
#include "driver_rig.h"
#include "emulators/emu_celestron.h"

static void rig_open(struct driver_rig *rig, const char *faults, double factor)
{
	driver_rig_open(rig, &celestron_driver, &emu_celestron, faults, 20000, factor);
}

static const char *const lines[] = {"", "bare-ack", "echo", "foreign", "echo foreign"};

/* Within the two counts that the motor itself takes for an arrival. */
static void moves_arrive(size_t i)
{
	struct driver_rig rig;
	rig_open(&rig, lines[i], 2000);
	driver_rig_identify(&rig);
	assert_int_equal(rig.caps.min_step, 2000);
	assert_int_equal(rig.caps.max_step, 40000);
	static const int32_t targets[] = {23000, 2000, 40000};
	for (size_t k = 0; k < sizeof targets / sizeof targets[0]; k++) {
		driver_rig_start_move(&rig, targets[k]);
		/* Just after a goto the motor may still say that it rests. */
		struct focuser_reading reading = {0};
		for (int look = 0; look < 100; look++) {
			reading = driver_rig_poll_until(&rig, false, NULL);
			if (abs(reading.position - targets[k]) <= 2) {
				break;
			}
		}
		if (abs(reading.position - targets[k]) > 2) {
			fail_msg("%s: %d instead of %d", lines[i], (int)reading.position, (int)targets[k]);
		}
	}
	driver_rig_close(&rig);
}

static void test_moves_arrive(void **state)
{
	(void)state;
	driver_rig_at_once(sizeof lines / sizeof lines[0], moves_arrive);
}

static void test_halt(void **state)
{
	(void)state;
	struct driver_rig rig;
	rig_open(&rig, "", 10);
	driver_rig_identify(&rig);
	driver_rig_start_move(&rig, 40000);
	struct focuser_reading reading = driver_rig_poll_until(&rig, true, NULL);
	assert_int_equal(rig.driver->halt(rig.ctx, NULL), ERR_OK);
	struct focuser_reading rest = driver_rig_poll_until(&rig, false, NULL);
	assert_true(rest.position >= reading.position && rest.position < 40000);
	driver_rig_close(&rig);
}

static void test_over_tcp(void **state)
{
	(void)state;
	struct driver_rig rig;
	struct driver_bridge bridge;
	rig_open(&rig, "", 1000);
	driver_rig_over_tcp(&rig, &bridge);
	driver_rig_identify(&rig);
	driver_rig_start_move(&rig, 23000);
	while (driver_rig_poll_until(&rig, false, NULL).position != 23000) {
	}
	rig.driver->close(rig.ctx);
	driver_rig_end_tcp(&bridge);
	driver_rig_close(&rig);
}

static void test_not_calibrated(void **state)
{
	(void)state;
	struct driver_rig rig;
	rig_open(&rig, "uncalibrated", 1);
	driver_rig_identify(&rig);
	assert_non_null(strstr(rig.caps.move_refusal, "alibrat"));
	assert_int_equal(rig.driver->halt(rig.ctx, NULL), ERR_OK);
	driver_rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moves_arrive),
		cmocka_unit_test(test_halt),
		cmocka_unit_test(test_over_tcp),
		cmocka_unit_test(test_not_calibrated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
