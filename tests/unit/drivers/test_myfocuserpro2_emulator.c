/* SPDX-License-Identifier: MIT */
/*
 * The driver against the emulated controller on a real pseudo terminal and over TCP.  Both follow the
 * firmware's list of commands and share no code.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "driver_rig.h"
#include "emu_myfocuserpro2.h"
#include "myfocuserpro2_driver.h"

static void rig_open(struct driver_rig *rig, const char *faults, double factor)
{
	driver_rig_open(rig, &myfocuserpro2_driver, &emu_myfocuserpro2, faults, 20000, factor);
}

static const struct {
	const char *faults;
	int beside; /* where it stops, from the target */
} builds[] = {
	{"", 0},
	{"delay", 0},
	{"partial", 0},
	{"duplicate", 0},
	{"garbage", 0},
	{"no-reply-once", 0},
	{"late-reply", 0},
	{"half-reply", 0},
	{"reset-on-open", 0},
	{"two-digit-moving", 0},
	{"retargets", 0},
	{"old-firmware", 0},
	{"wrong-position", 7},
	{"no-probe", 0},
	{"own-backlash", 0},
};

static void moves_arrive(size_t i)
{
	struct driver_rig rig;
	rig_open(&rig, builds[i].faults, 2000);
	driver_rig_identify(&rig);
	assert_string_equal(rig.caps.identity, "myFocuserPro2, firmware 291");
	assert_int_equal(rig.caps.max_step, 80000);
	static const int32_t targets[] = {23000, 0, 80000 - 7};
	for (size_t k = 0; k < sizeof targets / sizeof targets[0]; k++) {
		driver_rig_start_move(&rig, targets[k]);
		struct focuser_reading reading = driver_rig_poll_until(&rig, false, NULL);
		if (reading.position != targets[k] + builds[i].beside) {
			fail_msg("%s: %d instead of %d", builds[i].faults, (int)reading.position,
				(int)targets[k]);
		}
	}
	driver_rig_close(&rig);
}

/* Moves arrive exactly, whatever this build or this line does. */
static void test_moves_arrive(void **state)
{
	(void)state;
	driver_rig_at_once(sizeof builds / sizeof builds[0], moves_arrive);
}

/* Exactly the bytes that may go out before the first move, and none at all on open. */
static void test_connect_bytes(void **state)
{
	(void)state;
	struct driver_rig rig;
	char sent[256];
	rig_open(&rig, "", 1);
	driver_rig_identify(&rig);
	emulator_thread_take(&rig.emulator, sent, sizeof sent);
	assert_string_equal(sent, ":02#:03#:08#:83#:24#");
	driver_rig_close(&rig);

	rig_open(&rig, "", 1);
	rig.driver->close(rig.ctx);
	emulator_thread_take(&rig.emulator, sent, sizeof sent);
	assert_string_equal(sent, "");
	driver_rig_close(&rig);
}

/* One command, and the motor stands: position and time from the device, not from a wait. */
static void test_halt(void **state)
{
	(void)state;
	struct driver_rig rig;
	char sent[1024];
	rig_open(&rig, "", 1);
	driver_rig_identify(&rig);
	driver_rig_start_move(&rig, 60000);
	struct focuser_reading reading = driver_rig_poll_until(&rig, true, NULL);
	emulator_thread_take(&rig.emulator, sent, sizeof sent);
	assert_int_equal(rig.driver->halt(rig.ctx, NULL), ERR_OK);
	struct focuser_reading rest = driver_rig_poll_until(&rig, false, NULL);
	emulator_thread_take(&rig.emulator, sent, sizeof sent);
	assert_int_equal(strncmp(sent, ":27#:01#", 8), 0);
	assert_true(rest.position >= reading.position && rest.position < 60000);
	assert_int_equal(driver_rig_poll_until(&rig, false, NULL).position, rest.position);
	driver_rig_close(&rig);
}

static void supersedes(size_t i)
{
	static const char *const faults[] = {"", "retargets", "no-reply-once", "late-reply"};
	struct driver_rig rig;
	rig_open(&rig, faults[i], 20);
	driver_rig_identify(&rig);
	driver_rig_start_move(&rig, 60000);
	driver_rig_poll_until(&rig, true, NULL);
	driver_rig_start_move(&rig, 15000);
	assert_int_equal(driver_rig_poll_until(&rig, false, NULL).position, 15000);
	driver_rig_close(&rig);
}

static void test_supersede(void **state)
{
	(void)state;
	driver_rig_at_once(4, supersedes);
}

static void test_over_tcp(void **state)
{
	(void)state;
	struct driver_rig rig;
	struct driver_bridge bridge;
	rig_open(&rig, "", 100);
	driver_rig_over_tcp(&rig, &bridge);
	driver_rig_identify(&rig);
	driver_rig_start_move(&rig, 23000);
	assert_int_equal(driver_rig_poll_until(&rig, false, NULL).position, 23000);
	rig.driver->close(rig.ctx);
	driver_rig_end_tcp(&bridge);
	driver_rig_close(&rig);
}

static const struct {
	const char *faults;
	bool probe, valid, tempcomp, compensates;
} probes[] = {
	{"", true, true, true, false},
	{"compensates", true, true, true, true},
	{"old-firmware", true, true, true, false},
	{"probe-lost", true, false, true, false},
	{"probe-nan", true, false, true, false},
	{"no-probe", false, false, false, false},
};

static void measures(size_t i)
{
	struct driver_rig rig;
	rig_open(&rig, probes[i].faults, 1);
	driver_rig_identify(&rig);
	assert_int_equal(rig.caps.has_temperature, probes[i].probe);
	assert_int_equal(rig.caps.has_tempcomp, probes[i].tempcomp);
	assert_int_equal(rig.caps.tempcomp_on, probes[i].compensates);
	driver_rig_poll_until(&rig, false, NULL);
	struct focuser_reading reading = driver_rig_measure(&rig);
	assert_int_equal(reading.temperature_valid, probes[i].valid);
	if (probes[i].valid) {
		assert_float_equal(reading.temperature_c, -2.5, 0);
	}
	enum err_code code;
	do {
		code = rig.driver->set_tempcomp(rig.ctx, true, NULL);
	} while (code == ERR_TIMEOUT);
	assert_int_equal(code, probes[i].tempcomp ? ERR_OK : ERR_REFUSED);
	driver_rig_close(&rig);
}

static void test_temperature(void **state)
{
	(void)state;
	driver_rig_at_once(sizeof probes / sizeof probes[0], measures);
}

static void test_set_position(void **state)
{
	(void)state;
	struct driver_rig rig;
	rig_open(&rig, "", 1);
	driver_rig_identify(&rig);
	assert_int_equal(rig.driver->set_position(rig.ctx, 1234, NULL), ERR_OK);
	assert_int_equal(driver_rig_poll_until(&rig, false, NULL).position, 1234);
	driver_rig_start_move(&rig, 60000);
	driver_rig_poll_until(&rig, true, NULL);
	assert_int_equal(rig.driver->set_position(rig.ctx, 5, NULL), ERR_INVALID_OPERATION);
	driver_rig_close(&rig);
}

/* Back at the count that it had saved: the driver tells what the device says. */
static void test_reset_on_the_way(void **state)
{
	(void)state;
	struct driver_rig rig;
	int failures = 0;
	rig_open(&rig, "reset", 1);
	driver_rig_identify(&rig);
	driver_rig_start_move(&rig, 30000);
	assert_int_equal(driver_rig_poll_until(&rig, false, &failures).position, 20000);
	assert_true(failures > 0);
	driver_rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moves_arrive),
		cmocka_unit_test(test_connect_bytes),
		cmocka_unit_test(test_halt),
		cmocka_unit_test(test_supersede),
		cmocka_unit_test(test_over_tcp),
		cmocka_unit_test(test_temperature),
		cmocka_unit_test(test_set_position),
		cmocka_unit_test(test_reset_on_the_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
