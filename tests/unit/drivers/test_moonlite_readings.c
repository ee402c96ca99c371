/* SPDX-License-Identifier: MIT */
/*
 * The driver's exact bytes, against a script: settings, temperature, resets, late replies, where it
 * stands.  Expected ones are those of the Moonlite command set.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "moonlite_rig.h"

static void test_settings(void **state)
{
	(void)state;
	struct moonlite_rig rig;
	struct focuser_caps caps;
	/* 100 steps/s: the next slower one is 63, delay 08. */
	static const struct script_step at_once[] = {{":GV#", "10#", NULL}, {":GP#", "4E20#", NULL},
		{":GI#", "00#", NULL}, {":SD08#", "", NULL}, {":SH#", "", NULL}, {":GH#", "FF#", NULL},
		{":GD#", "08#", NULL}, {0}};
	moonlite_rig_open(&rig, at_once, 0);
	rig.port.speed_steps_per_s = 100;
	rig.port.step_mode = FOCUSER_STEP_HALF;
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	moonlite_check_script();
	moonlite_rig_close(&rig);

	/* Moving when it is connected: not before it rests. */
	static const struct script_step later[] = {{":GV#", "10#", NULL}, {":GP#", "4E20#", NULL},
		{":GI#", "01#", NULL}, SETTINGS,
		{":GI#", "01#", NULL}, {":GP#", "4E20#", NULL},
		{":GI#", "00#", NULL}, {":GP#", "4E20#", NULL}, {":SD20#", "", NULL}, {":SF#", "", NULL},
		{":GH#", "00#", NULL}, {":GD#", "20#", NULL},
		{":GI#", "00#", NULL}, {":GP#", "4E20#", NULL}, {0}};
	moonlite_rig_open(&rig, later, 0);
	rig.port.speed_steps_per_s = 1;
	rig.port.step_mode = FOCUSER_STEP_FULL;
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	for (int i = 0; i < 3; i++) {
		moonlite_poll_ok(&rig, FOCUSER_WANT_MOTION);
	}
	moonlite_check_script();
	moonlite_rig_close(&rig);
}

/* The controller's own compensation: off until a client wants it, its number read back, off at the end. */
static void test_tempcomp(void **state)
{
	(void)state;
	struct moonlite_rig rig;
	struct focuser_caps caps;
	struct err err;
	/* -5 is FB. */
	static const struct script_step steps[] = {KNOWN,
		{":GI#", "00#", NULL}, {":GP#", "4E20#", NULL}, {":-#", "", NULL},
		{":SCFB#", "", NULL}, {":GC#", "FB#", NULL}, {":+#", "", NULL},
		/* It may have begun to move by itself. */
		{":GI#", "00#", NULL}, {":SN59D8#", "", NULL}, {":GN#", "59D8#", NULL},
		{":GI#", "00#", NULL}, {":GP#", "4E20#", NULL}, {":FG#", "", NULL},
		{":-#", "", NULL},
		{":SCFB#", "", NULL}, {":GC#", "02#", NULL},
		{":SCFB#", "", NULL}, {":GC#", "FB#", NULL}, {":+#", "", NULL},
		{":-#", "", NULL}, {0}};
	moonlite_rig_open(&rig, steps, 0);
	moonlite_driver.close(rig.ctx);
	script_pipe_init(&script_pipe_next, steps);
	rig.port.tempcomp_steps_per_c = -5;
	assert_int_equal(moonlite_driver.open(rig.ctx, &rig.port, &rig.host, NULL), ERR_OK);
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	assert_true(caps.has_tempcomp);
	moonlite_poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_int_equal(moonlite_driver.set_tempcomp(rig.ctx, true, NULL), ERR_OK);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 23000, NULL), ERR_OK);
	assert_int_equal(moonlite_driver.set_tempcomp(rig.ctx, false, NULL), ERR_OK);
	assert_int_equal(moonlite_driver.set_tempcomp(rig.ctx, true, &err), ERR_REFUSED);
	assert_non_null(strstr(err.text, "keeps 2 steps per degree when told -5"));
	assert_int_equal(moonlite_driver.set_tempcomp(rig.ctx, true, NULL), ERR_OK);
	moonlite_rig_close(&rig);
	moonlite_check_script();
}

/* A controller that was reset on the way, one that jumped at rest, and what only looks like it. */
static void test_reset_is_seen(void **state)
{
	(void)state;
#define MOVE_TO_23000 {":SN59D8#", "", NULL}, {":GN#", "59D8#", NULL}, {":GI#", "00#", NULL}, \
	{":GP#", "4E20#", NULL}, {":FG#", "", NULL}, {":GI#", "01#", NULL}, {":GP#", "5208#", NULL}
	static const struct {
		const char *legend;
		struct script_step steps[20];
		bool reset;
		int32_t position;
	} rows[] = {
		{"stands at 0, target forgotten", {KNOWN, MOVE_TO_23000,
			{":GI#", "00#", NULL}, {":GP#", "0000#", NULL}, {":GP#", "0000#", NULL},
			{":GN#", "0000#", NULL}}, true, 0},
		{"back at a saved count", {KNOWN, MOVE_TO_23000,
			{":GI#", "00#", NULL}, {":GP#", "2710#", NULL}, {":GP#", "2710#", NULL},
			{":GN#", "2710#", NULL}}, true, 10000},
		{"one reading was wrong", {KNOWN, MOVE_TO_23000,
			{":GI#", "00#", NULL}, {":GP#", "1208#", NULL}, {":GP#", "5400#", NULL}}, false, 21504},
		{"far away, but it knows its target", {KNOWN, MOVE_TO_23000,
			{":GI#", "00#", NULL}, {":GP#", "0000#", NULL}, {":GP#", "0000#", NULL},
			{":GN#", "59D8#", NULL}}, false, 0},
		{"on its way", {KNOWN, MOVE_TO_23000,
			{":GI#", "00#", NULL}, {":GP#", "5400#", NULL}}, false, 21504},
		{"a little beyond its target", {KNOWN, MOVE_TO_23000,
			{":GI#", "00#", NULL}, {":GP#", "59DF#", NULL}}, false, 23007},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct moonlite_rig rig;
		moonlite_open_known(&rig, rows[i].steps, 0);
		assert_int_equal(moonlite_driver.start_move(rig.ctx, 23000, NULL), ERR_OK);
		moonlite_poll_ok(&rig, FOCUSER_WANT_MOTION);
		struct focuser_reading reading = moonlite_poll_ok(&rig, FOCUSER_WANT_MOTION);
		if (reading.reset_seen != rows[i].reset || reading.position != rows[i].position) {
			fail_msg("%s: %d %d", rows[i].legend, reading.reset_seen, (int)reading.position);
		}
		moonlite_check_script();
		moonlite_rig_close(&rig);
	}
	/* At rest, nothing commanded yet: only zero tells. */
	static const struct script_step resting[] = {KNOWN, {":GI#", "00#", NULL}, {":GP#", "0000#", NULL},
		{":GP#", "0000#", NULL}, {":GI#", "00#", NULL}, {":GP#", "0000#", NULL}, {0}};
	struct moonlite_rig rig;
	moonlite_open_known(&rig, resting, 0);
	assert_true(moonlite_poll_ok(&rig, FOCUSER_WANT_MOTION).reset_seen);
	assert_false(moonlite_poll_ok(&rig, FOCUSER_WANT_MOTION).reset_seen);
	moonlite_check_script();
	moonlite_rig_close(&rig);
}

/* :C#, 800 ms later :GT#, no oftener than every 5 s, and not while moving. */
static void test_temperature(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN,
		{":GI#", "01#", NULL}, {":GP#", "4E20#", NULL},
		{":GI#", "00#", NULL}, {":GP#", "4E20#", NULL}, {":C#", "", NULL},
		{":GI#", "00#", NULL}, {":GP#", "4E20#", NULL},
		{":GI#", "00#", NULL}, {":GP#", "4E20#", NULL}, {":GT#", "FFFB#", NULL},
		{":GI#", "00#", NULL}, {":GP#", "4E20#", NULL},
		{":C#", "", NULL},
		{":GT#", "FF02#", NULL},
		{0}};
	struct moonlite_rig rig;
	const unsigned both = FOCUSER_WANT_MOTION | FOCUSER_WANT_TEMPERATURE;
	moonlite_open_known(&rig, steps, 0);
	moonlite_poll_ok(&rig, both);
	assert_false(moonlite_poll_ok(&rig, both).temperature_valid);
	clock_fake_advance(rig.host.clock, 799);
	assert_false(moonlite_poll_ok(&rig, FOCUSER_WANT_MOTION).temperature_valid);
	clock_fake_advance(rig.host.clock, 1);
	struct focuser_reading reading = moonlite_poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_true(reading.temperature_valid);
	assert_float_equal(reading.temperature_c, -2.5, 0);
	clock_fake_advance(rig.host.clock, 4199);
	moonlite_poll_ok(&rig, both);
	clock_fake_advance(rig.host.clock, 1);
	moonlite_poll_ok(&rig, FOCUSER_WANT_TEMPERATURE);
	clock_fake_advance(rig.host.clock, 5000);
	reading = moonlite_poll_ok(&rig, FOCUSER_WANT_TEMPERATURE);
	/* No probe: no number. */
	assert_false(reading.temperature_valid);
	moonlite_check_script();
	moonlite_rig_close(&rig);
}

/* A controller that does not know :GT# is asked three times; its motion stays readable. */
static void test_no_temperature(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN,
		{":C#", "", NULL}, {":GT#", "", NULL},
		{":C#", "", NULL}, {":GI#", "00#", NULL}, {":GP#", "4E20#", NULL},
		{":GT#", "", NULL},
		{":C#", "", NULL}, {":GI#", "00#", NULL}, {":GP#", "4E20#", NULL},
		{":GT#", "", NULL},
		{0}};
	struct moonlite_rig rig;
	moonlite_open_known(&rig, steps, 0);
	for (int i = 0; i < 10; i++) {
		moonlite_poll_ok(&rig, FOCUSER_WANT_TEMPERATURE);
		clock_fake_advance(rig.host.clock, 5000);
	}
	moonlite_check_script();
	moonlite_rig_close(&rig);
}

/* A reply that comes after its timeout must not be the answer to a later question. */
static void test_late_reply(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN,
		{":GI#", "01#", NULL}, {":GP#", "", "4E21#"},
		/* Resynchronised with two answers of different shape, then asked afresh. */
		{":GI#", "01#", NULL}, {":GP#", "4E22#", NULL},
		{":GI#", "01#", NULL}, {":GP#", "4E23#", NULL},
		{":GI#", "", "00#"},
		{":GI#", "", "01#"}, /* takes the late 00 for its own; its own comes below */
		{":GP#", "4E24#", NULL},
		{":GI#", "01#", NULL}, {":GP#", "4E25#", NULL},
		{0}};
	struct moonlite_rig rig;
	struct focuser_reading reading = {.position = -7};
	moonlite_open_known(&rig, steps, 0);
	assert_int_equal(moonlite_driver.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, NULL),
		ERR_TIMEOUT);
	assert_int_equal(reading.position, -7);
	reading = moonlite_poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_int_equal(reading.position, 0x4E23);
	assert_int_equal(moonlite_driver.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, NULL),
		ERR_TIMEOUT);
	reading = moonlite_poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_true(reading.moving);
	assert_int_equal(reading.position, 0x4E25);
	moonlite_check_script();
	moonlite_rig_close(&rig);
}

static void test_a_position_below_zero_is_told(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN,
		{":GI#", "01#", NULL}, {":GP#", "FFFFFFFB#", NULL}, {0}};
	struct moonlite_rig rig;
	moonlite_open_known(&rig, steps, 0);
	assert_int_equal(moonlite_poll_ok(&rig, FOCUSER_WANT_MOTION).position, -5);
	moonlite_check_script();
	moonlite_rig_close(&rig);
}

static void test_set_position(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN,
		{":GI#", "00#", NULL}, {":SP59D8#", "", NULL}, {":GP#", "59D8#", NULL},
		{":GI#", "00#", NULL}, {":SP0000#", "", NULL}, {":GP#", "59D8#", NULL},
		{":GI#", "01#", NULL},
		{0}};
	struct moonlite_rig rig;
	moonlite_open_known(&rig, steps, 0);
	assert_int_equal(moonlite_driver.set_position(rig.ctx, 23000, NULL), ERR_OK);
	assert_int_equal(moonlite_driver.set_position(rig.ctx, 0, NULL), ERR_REFUSED);
	assert_int_equal(moonlite_driver.set_position(rig.ctx, 0, NULL), ERR_INVALID_OPERATION);
	moonlite_check_script();
	moonlite_rig_close(&rig);
}

static void test_closed(void **state)
{
	(void)state;
	void *ctx = calloc(1, moonlite_driver.ctx_size);
	struct focuser_caps caps;
	struct focuser_reading reading;
	moonlite_driver.close(ctx);
	assert_int_equal(moonlite_driver.identify(ctx, &caps, NULL), ERR_NOT_CONNECTED);
	assert_int_equal(moonlite_driver.start_move(ctx, 1, NULL), ERR_NOT_CONNECTED);
	assert_int_equal(moonlite_driver.halt(ctx, NULL), ERR_NOT_CONNECTED);
	assert_int_equal(moonlite_driver.poll(ctx, FOCUSER_WANT_MOTION, &reading, NULL),
		ERR_NOT_CONNECTED);
	assert_int_equal(moonlite_driver.set_position(ctx, 1, NULL), ERR_NOT_CONNECTED);
	assert_int_equal(moonlite_driver.set_tempcomp(ctx, true, NULL), ERR_NOT_CONNECTED);
	free(ctx);
}

static void test_table(void **state)
{
	(void)state;
	struct focuser_port serial = {.port = "/dev/ttyUSB0"};
	struct focuser_port network = {.port = "tcp://pier:4001"};
	assert_string_equal(moonlite_driver.name, "moonlite");
	assert_true(moonlite_driver.uses_port);
	assert_false(moonlite_driver.simulated);
	assert_int_equal(moonlite_driver.open_wait_for(&serial), moonlite_driver.open_wait_ms);
	assert_int_equal(moonlite_driver.open_wait_for(&network), 0);
	assert_true(moonlite_driver.sets_speed && moonlite_driver.sets_step_mode);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_tempcomp),
		cmocka_unit_test(test_reset_is_seen),
		cmocka_unit_test(test_temperature),
		cmocka_unit_test(test_no_temperature),
		cmocka_unit_test(test_late_reply),
		cmocka_unit_test(test_a_position_below_zero_is_told),
		cmocka_unit_test(test_set_position),
		cmocka_unit_test(test_closed),
		cmocka_unit_test(test_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
