/* SPDX-License-Identifier: MIT */
/*
 * The driver's exact bytes, against a script: who it is, moves, halts, quirks.  Expected ones are those
 * of the Moonlite command set.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "moonlite_rig.h"

/* Plays a script to identify(), which is asked once more when it is not over. */
static enum err_code identify(const struct script_step *steps, const char *unasked,
	struct focuser_caps *caps, struct err *err)
{
	struct moonlite_rig rig;
	moonlite_rig_open(&rig, steps, 0);
	script_pipe_feed(&script_pipe_next, unasked);
	enum err_code code = moonlite_driver.identify(rig.ctx, caps, err);
	if (code == ERR_TIMEOUT && !script_pipe_done(&script_pipe_next)) {
		assert_non_null(strstr(err->text, "answers :GP#, but not :GV#"));
		code = moonlite_driver.identify(rig.ctx, caps, err);
	}
	moonlite_check_script();
	moonlite_rig_close(&rig);
	return code;
}

static void test_identify(void **state)
{
	(void)state;
	static const struct {
		const char *legend, *unasked;
		struct script_step steps[8];
		enum err_code code;
		const char *text; /* identity, or part of the error */
	} rows[] = {
		{"the original", "", {KNOWN}, ERR_OK, "Moonlite compatible, firmware 1.0"},
		{"a letter in the version", "",
			{{":GV#", "V1#", NULL}, {":GP#", "4E20#", NULL}, {":GI#", "00#", NULL}, SETTINGS},
			ERR_OK, "Moonlite compatible, firmware V1"},
		{"the version lacks its hash", "",
			{{":GV#", "10", NULL}, {":GP#", "4E20#", NULL}, {":GI#", "00#", NULL}, SETTINGS},
			ERR_OK, "Moonlite compatible, firmware 1.0"},
		{"no version", "",
			{{":GV#", "", NULL}, {":GP#", "4E20#", NULL}, {":GV#", "", NULL},
				{":GP#", "4E20#", NULL}},
			ERR_TIMEOUT, "add quirks = no-version"},
		{"the version comes late", "",
			{{":GV#", "", "10#"}, {":GP#", "4E20#", NULL}, {":GV#", "10#", NULL},
				{":GP#", "4E20#", NULL}, {":GI#", "00#", NULL}, SETTINGS},
			ERR_OK, "Moonlite compatible, firmware 1.0"},
		{"Ardufocus", "Ardufocus v3.0 ready.\r\n",
			{{":GV#", "00##", NULL}, {":GP#", "4E20#", NULL}, {":GI#", "00#", NULL}, SETTINGS},
			ERR_OK, "Moonlite compatible, answers 00 for its version"},
		{"moving already", "",
			{{":GV#", "10#", NULL}, {":GP#", "4E20#", NULL}, {":GI#", "01#", NULL}, SETTINGS},
			ERR_OK, "Moonlite compatible, firmware 1.0"},
		{"does not say how it is set", "",
			{{":GV#", "10#", NULL}, {":GP#", "4E20#", NULL}, {":GI#", "00#", NULL},
				{":GH#", "", NULL}},
			ERR_OK, "Moonlite compatible, firmware 1.0"},
		{"lower case", "",
			{{":GV#", "10#", NULL}, {":GP#", "4e20#", NULL}, {":GI#", "00#", NULL}, SETTINGS},
			ERR_OK, "Moonlite compatible, firmware 1.0"},
		{"silence", "", {{":GV#", "", NULL}, {":GP#", "", NULL}}, ERR_TIMEOUT,
			"nothing answers on script"},
		{"a GPS receiver", "$GPGGA,123519,4807.038,N\r\n", {{0}}, ERR_PROTOCOL,
			"nothing was sent to it"},
		{"another language", "", {{":GV#", "OnFocus 1.2\r\n", NULL}}, ERR_PROTOCOL,
			"is no answer to :GV#"},
		{"a long version", "", {{":GV#", "4E20#", NULL}}, ERR_PROTOCOL,
			"is no answer to :GV#"},
		{"short positions", "", {{":GV#", "10#", NULL}, {":GP#", "20#", NULL}},
			ERR_PROTOCOL, "is no answer to :GP#"},
		{"silence to moving", "",
			{{":GV#", "10#", NULL}, {":GP#", "4E20#", NULL}, {":GI#", "", NULL}},
			ERR_TIMEOUT, "no answer to :GI#"},
		{"unplugged", "", {{":GV#", NULL, NULL}}, ERR_IO, "gone"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct focuser_caps caps;
		struct err err = {.text = ""};
		enum err_code code = identify(rows[i].steps, rows[i].unasked, &caps, &err);
		bool good = code == rows[i].code;
		if (good && code == ERR_OK) {
			good = strcmp(caps.identity, rows[i].text) == 0 && caps.max_step == 65535 &&
				caps.max_increment == 65535 && caps.has_temperature &&
				!caps.has_tempcomp;
		} else if (good) {
			good = strstr(err.text, rows[i].text) != NULL;
		}
		if (!good) {
			fail_msg("%s: %d %s", rows[i].legend, (int)code,
				code == ERR_OK ? caps.identity : err.text);
		}
	}
}

static void test_move_halt_retarget(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN,
		/* The first move looks whether SN alone starts the motor. */
		{":SN59D8#", "", NULL}, {":GN#", "59D8#", NULL}, {":GI#", "00#", NULL},
		{":GP#", "4E20#", NULL}, {":FG#", "", NULL},
		{":GI#", "01#", NULL}, {":GP#", "4E84#", NULL},
		{":FQ#", "", NULL},
		/* Still moving: not the moment for a new target. */
		{":GI#", "01#", NULL}, {":GP#", "4E90#", NULL},
		{":GI#", "00#", NULL}, {":GP#", "4E94#", NULL}, {":SN4E94#", "", NULL},
		{":GI#", "00#", NULL}, {":GP#", "4E94#", NULL},
		/* Later moves are two commands, and the target is read back between them. */
		{":SN59D8#", "", NULL}, {":GN#", "59D8#", NULL}, {":FG#", "", NULL},
		{0}};
	struct moonlite_rig rig;
	moonlite_open_known(&rig, steps, 0);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 23000, NULL), ERR_OK);
	struct focuser_reading reading = moonlite_poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_true(reading.moving_valid && reading.moving);
	assert_true(reading.position_valid);
	assert_int_equal(reading.position, 20100);
	assert_false(reading.temperature_valid);
	size_t before = script_pipe_next.written_len;
	assert_int_equal(moonlite_driver.halt(rig.ctx, NULL), ERR_OK);
	assert_int_equal(script_pipe_next.written_len - before, 4);
	moonlite_poll_ok(&rig, FOCUSER_WANT_MOTION);
	reading = moonlite_poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_false(reading.moving);
	assert_int_equal(reading.position, 20116);
	moonlite_poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 23000, NULL), ERR_OK);
	moonlite_check_script();
	moonlite_rig_close(&rig);
}

static bool yes(void *ctx)
{
	return *(const bool *)ctx;
}

/* A halt that comes between SN and FG: the motor is not started, and the halt goes out at once. */
static void test_nothing_urgent_is_kept_waiting(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN, {":SN59D8#", "", NULL}, {":FQ#", "", NULL}, {0}};
	struct moonlite_rig rig;
	struct focuser_caps caps;
	struct focuser_reading reading;
	bool urgent = false;
	moonlite_rig_open(&rig, steps, 0);
	moonlite_driver.close(rig.ctx);
	rig.host.urgent = yes;
	rig.host.urgent_ctx = &urgent;
	script_pipe_init(&script_pipe_next, steps);
	assert_int_equal(moonlite_driver.open(rig.ctx, &rig.port, &rig.host, NULL), ERR_OK);
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	urgent = true;
	assert_int_equal(moonlite_driver.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, NULL), ERR_CANCELLED);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 23000, NULL), ERR_CANCELLED);
	assert_int_equal(moonlite_driver.halt(rig.ctx, NULL), ERR_OK);
	moonlite_check_script();
	moonlite_rig_close(&rig);
}

static void test_halt_at_rest_is_one_command(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN, {":FQ#", "", NULL},
		{":GI#", "00#", NULL}, {":GP#", "4E20#", NULL}, {0}};
	struct moonlite_rig rig;
	moonlite_open_known(&rig, steps, 0);
	assert_int_equal(moonlite_driver.halt(rig.ctx, NULL), ERR_OK);
	moonlite_poll_ok(&rig, FOCUSER_WANT_MOTION);
	moonlite_check_script();
	moonlite_rig_close(&rig);
}

/* On a clone that starts at SN neither FG nor a new target after a halt is sent. */
static void test_sn_moves(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN,
		{":SN59D8#", "", NULL}, {":GN#", "59D8#", NULL}, {":GI#", "01#", NULL},
		{":GP#", "4E2A#", NULL}, {":FQ#", "", NULL},
		{":GI#", "00#", NULL}, {":GP#", "4E94#", NULL},
		{":SN0064#", "", NULL},
		{0}};
	struct moonlite_rig rig;
	moonlite_open_known(&rig, steps, 0);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 23000, NULL), ERR_OK);
	assert_int_equal(moonlite_driver.halt(rig.ctx, NULL), ERR_OK);
	moonlite_poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 100, NULL), ERR_OK);
	moonlite_check_script();
	moonlite_rig_close(&rig);
}

/* A new target while moving: stopped first, because some clones would ignore it. */
static void test_supersede(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{":GV#", "10#", NULL}, {":GP#", "4E20#", NULL}, {":GI#", "01#", NULL}, SETTINGS,
		{":GI#", "01#", NULL}, {":FQ#", "", NULL}, {":GI#", "01#", NULL},
		{":GI#", "00#", NULL}, {":GP#", "4E94#", NULL},
		{":SN4E94#", "", NULL}, {":GN#", "4E94#", NULL}, {":FG#", "", NULL},
		{0}};
	struct moonlite_rig rig;
	moonlite_open_known(&rig, steps, 0);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 20116, NULL), ERR_OK);
	moonlite_check_script();
	moonlite_rig_close(&rig);
}

static void test_targets(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN, {0}};
	struct moonlite_rig rig;
	moonlite_open_known(&rig, steps, 0);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 65536, NULL), ERR_INVALID_VALUE);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, -1, NULL), ERR_INVALID_VALUE);
	assert_int_equal(moonlite_driver.set_position(rig.ctx, 65536, NULL), ERR_INVALID_VALUE);
	moonlite_check_script();
	moonlite_rig_close(&rig);
}

/* 70000 = 11170 hex on a controller that keeps it, on one that keeps 1170 = 4464, and on one of which
 * nobody has said that it knows more than 65535. */
static void test_beyond_16_bits(void **state)
{
	(void)state;
	static const struct script_step good[] = {KNOWN,
		{":SN11170#", "", NULL}, {":GN#", "11170#", NULL},
		{":GI#", "00#", NULL}, {":GP#", "4E20#", NULL}, {":FG#", "", NULL}, {0}};
	struct moonlite_rig rig;
	struct focuser_caps caps;
	moonlite_rig_open_with(&rig, good, 100000, "extended");
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	assert_int_equal(caps.max_step, 100000);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 70000, NULL), ERR_OK);
	moonlite_check_script();
	moonlite_rig_close(&rig);

	static const struct script_step narrow[] = {KNOWN,
		{":SN11170#", "", NULL}, {":GN#", "1170#", NULL},
		{":SN11170#", "", NULL}, {":GN#", "1170#", NULL}, {":FQ#", "", NULL}, {0}};
	struct err err;
	moonlite_rig_open_with(&rig, narrow, 100000, "extended");
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 70000, &err), ERR_REFUSED);
	assert_non_null(strstr(err.text, "70000 into 4464"));
	moonlite_check_script();
	moonlite_rig_close(&rig);

	static const struct script_step unknown[] = {KNOWN, {0}};
	moonlite_rig_open(&rig, unknown, 100000);
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	assert_int_equal(caps.max_step, 65535);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 70000, &err), ERR_INVALID_VALUE);
	moonlite_check_script();
	moonlite_rig_close(&rig);

	/* Eight digits say it by themselves. */
	static const struct script_step wide[] = {{":GV#", "00##", NULL}, {":GP#", "00004E20#", NULL},
		{":GI#", "00#", NULL}, SETTINGS, {0}};
	moonlite_rig_open(&rig, wide, 100000);
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	assert_int_equal(caps.max_step, 100000);
	moonlite_check_script();
	moonlite_rig_close(&rig);
}

/* A lost target is set again; one that the controller does not take moves nothing. */
static void test_target_is_read_back(void **state)
{
	(void)state;
	static const struct script_step lost[] = {KNOWN,
		{":SN59D8#", "", NULL}, {":GN#", "4E20#", NULL},
		{":SN59D8#", "", NULL}, {":GN#", "59D8#", NULL},
		{":GI#", "00#", NULL}, {":GP#", "4E20#", NULL}, {":FG#", "", NULL}, {0}};
	struct moonlite_rig rig;
	struct err err;
	moonlite_open_known(&rig, lost, 0);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 23000, NULL), ERR_OK);
	moonlite_check_script();
	moonlite_rig_close(&rig);

	static const struct script_step clamped[] = {KNOWN,
		{":SNEA60#", "", NULL}, {":GN#", "C350#", NULL},
		{":SNEA60#", "", NULL}, {":GN#", "C350#", NULL}, {":FQ#", "", NULL}, {0}};
	moonlite_open_known(&rig, clamped, 0);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 60000, &err), ERR_REFUSED);
	assert_non_null(strstr(err.text, "keeps 50000 for a target when told 60000"));
	moonlite_check_script();
	moonlite_rig_close(&rig);

	/* One that never answers: not started, and the word that helps is named. */
	static const struct script_step mute[] = {KNOWN,
		{":SN59D8#", "", NULL}, {":GN#", "", NULL},
		{":GI#", "00#", NULL}, {":GP#", "4E20#", NULL}, {":GN#", "", NULL}, {0}};
	moonlite_open_known(&rig, mute, 0);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 23000, &err), ERR_TIMEOUT);
	assert_non_null(strstr(err.text, "no-target"));
	moonlite_check_script();
	moonlite_rig_close(&rig);

	static const struct script_step unasked[] = {KNOWN, {":SN59D8#", "", NULL},
		{":GI#", "00#", NULL}, {":GP#", "4E20#", NULL}, {":FG#", "", NULL}, {0}};
	struct focuser_caps caps;
	moonlite_rig_open_with(&rig, unasked, 0, "no-target");
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 23000, NULL), ERR_OK);
	moonlite_check_script();
	moonlite_rig_close(&rig);
}

/* Every word of quirks, by what it changes on the wire. */
static void test_quirks(void **state)
{
	(void)state;
	struct moonlite_rig rig;
	struct focuser_caps caps;
	struct focuser_reading reading;

	static const struct script_step no_version[] = {{":GP#", "4E20#", NULL}, {":GI#", "00#", NULL},
		SETTINGS, {0}};
	moonlite_rig_open_with(&rig, no_version, 0, "no-version");
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	moonlite_check_script();
	moonlite_rig_close(&rig);

	static const struct script_step sn_starts[] = {KNOWN, {":SN59D8#", "", NULL},
		{":FQ#", "", NULL}, {":GI#", "00#", NULL}, {":GP#", "4E94#", NULL}, {0}};
	moonlite_rig_open_with(&rig, sn_starts, 0, "sn-starts");
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 23000, NULL), ERR_OK);
	assert_int_equal(moonlite_driver.halt(rig.ctx, NULL), ERR_OK);
	moonlite_poll_ok(&rig, FOCUSER_WANT_MOTION);
	moonlite_check_script();
	moonlite_rig_close(&rig);

	static const struct script_step no_hash[] = {{":GV#", "10", NULL}, {":GP#", "4E20", NULL},
		{":GI#", "00", NULL}, SETTINGS,
		{":GI#", "01", NULL}, {":GP#", "4E2A", NULL},
		/* Half an answer stays half an answer. */
		{":GI#", "0", NULL},
		{":GI#", "01", NULL}, {":GP#", "4E2B#", NULL}, {":GI#", "01", NULL}, {":GP#", "4E2", NULL},
		{0}};
	moonlite_rig_open_with(&rig, no_hash, 0, "no-hash");
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	assert_int_equal(moonlite_poll_ok(&rig, FOCUSER_WANT_MOTION).position, 0x4E2A);
	assert_int_equal(moonlite_driver.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, NULL), ERR_PROTOCOL);
	assert_int_equal(moonlite_driver.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, NULL), ERR_PROTOCOL);
	moonlite_check_script();
	moonlite_rig_close(&rig);

	/* FFFD is -3 where the user says so, and 65533 elsewhere. */
	static const struct script_step below[] = {KNOWN, {":GI#", "01#", NULL}, {":GP#", "FFFD#", NULL}, {0}};
	moonlite_rig_open_with(&rig, below, 0, "signed-positions");
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	assert_int_equal(moonlite_poll_ok(&rig, FOCUSER_WANT_MOTION).position, -3);
	moonlite_check_script();
	moonlite_rig_close(&rig);
	moonlite_open_known(&rig, below, 0);
	assert_int_equal(moonlite_poll_ok(&rig, FOCUSER_WANT_MOTION).position, 65533);
	moonlite_check_script();
	moonlite_rig_close(&rig);

	static const struct script_step whole[] = {KNOWN, {":C#", "", NULL}, {":GT#", "000A#", NULL}, {0}};
	moonlite_rig_open_with(&rig, whole, 0, "whole-degrees, lands-beside");
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	assert_int_equal(caps.tolerance_steps, 10);
	moonlite_poll_ok(&rig, FOCUSER_WANT_TEMPERATURE);
	clock_fake_advance(rig.host.clock, 800);
	assert_float_equal(moonlite_poll_ok(&rig, FOCUSER_WANT_TEMPERATURE).temperature_c, 10, 0);
	moonlite_check_script();
	moonlite_rig_close(&rig);
}

/* Speed and step mode go out only when configured, at rest, and are read back. */
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identify),
		cmocka_unit_test(test_move_halt_retarget),
		cmocka_unit_test(test_nothing_urgent_is_kept_waiting),
		cmocka_unit_test(test_halt_at_rest_is_one_command),
		cmocka_unit_test(test_sn_moves),
		cmocka_unit_test(test_supersede),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_beyond_16_bits),
		cmocka_unit_test(test_target_is_read_back),
		cmocka_unit_test(test_quirks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
