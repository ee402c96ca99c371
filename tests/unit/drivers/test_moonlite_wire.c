/* SPDX-License-Identifier: MIT */
/*
 * The driver's exact bytes, against a script; expected ones are those of the Moonlite command set.
 * The device clock is a fake one, so the pauses of the temperature cost nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "moonlite_driver.h"
#include "script_pipe.h"

struct rig {
	struct driver_host host;
	struct focuser_port port;
	void *ctx;
};

static void rig_open_with(struct rig *rig, const struct script_step *steps, int32_t max_step,
	const char *quirks)
{
	memset(rig, 0, sizeof *rig);
	rig->host.clock = clock_create_fake();
	rig->host.source = "focuser.0";
	memcpy(rig->port.port, "/dev/script", sizeof "/dev/script");
	rig->port.max_step = max_step;
	snprintf(rig->port.quirks, sizeof rig->port.quirks, "%s", quirks);
	rig->ctx = calloc(1, moonlite_driver.ctx_size);
	script_pipe_init(&script_pipe_next, steps);
	assert_int_equal(moonlite_driver.open(rig->ctx, &rig->port, &rig->host, NULL), ERR_OK);
	/* Nothing goes out before somebody asks. */
	assert_int_equal(script_pipe_next.written_len, 0);
}

static void rig_open(struct rig *rig, const struct script_step *steps, int32_t max_step)
{
	rig_open_with(rig, steps, max_step, "");
}

static void rig_close(struct rig *rig)
{
	moonlite_driver.close(rig->ctx);
	assert_true(script_pipe_next.destroyed);
	moonlite_driver.close(rig->ctx);
	free(rig->ctx);
	clock_destroy(rig->host.clock);
}

static void check_script(void)
{
	if (!script_pipe_done(&script_pipe_next)) {
		fail_msg("sent %s", script_pipe_next.written);
	}
}

/* Plays a script to identify(), which is asked once more when it is not over. */
static enum err_code identify(const struct script_step *steps, const char *unasked,
	struct focuser_caps *caps, struct err *err)
{
	struct rig rig;
	rig_open(&rig, steps, 0);
	script_pipe_feed(&script_pipe_next, unasked);
	enum err_code code = moonlite_driver.identify(rig.ctx, caps, err);
	if (code == ERR_TIMEOUT && !script_pipe_done(&script_pipe_next)) {
		assert_non_null(strstr(err->text, ":GP# is answered, but not :GV#"));
		code = moonlite_driver.identify(rig.ctx, caps, err);
	}
	check_script();
	rig_close(&rig);
	return code;
}

/* How it is set is asked for last, and nothing depends on it. */
#define SETTINGS {":GH#", "00#", NULL}, {":GD#", "02#", NULL}
#define KNOWN {":GV#", "10#", NULL}, {":GP#", "4E20#", NULL}, {":GI#", "00#", NULL}, SETTINGS

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
				{":GP#", "4E20#", NULL}, {":GI#", "0#", NULL}, SETTINGS},
			ERR_OK, "Moonlite compatible, does not tell its version"},
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

static void open_known(struct rig *rig, const struct script_step *steps, int32_t max_step)
{
	struct focuser_caps caps;
	rig_open(rig, steps, max_step);
	assert_int_equal(moonlite_driver.identify(rig->ctx, &caps, NULL), ERR_OK);
}

static struct focuser_reading poll_ok(struct rig *rig, unsigned want)
{
	struct focuser_reading reading;
	struct err err;
	if (moonlite_driver.poll(rig->ctx, want, &reading, &err) != ERR_OK) {
		fail_msg("%s", err.text);
	}
	return reading;
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
	struct rig rig;
	open_known(&rig, steps, 0);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 23000, NULL), ERR_OK);
	struct focuser_reading reading = poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_true(reading.moving_valid && reading.moving);
	assert_true(reading.position_valid);
	assert_int_equal(reading.position, 20100);
	assert_false(reading.temperature_valid);
	size_t before = script_pipe_next.written_len;
	assert_int_equal(moonlite_driver.halt(rig.ctx, NULL), ERR_OK);
	assert_int_equal(script_pipe_next.written_len - before, 4);
	poll_ok(&rig, FOCUSER_WANT_MOTION);
	reading = poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_false(reading.moving);
	assert_int_equal(reading.position, 20116);
	poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 23000, NULL), ERR_OK);
	check_script();
	rig_close(&rig);
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
	struct rig rig;
	struct focuser_caps caps;
	struct focuser_reading reading;
	bool urgent = false;
	rig_open(&rig, steps, 0);
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
	check_script();
	rig_close(&rig);
}

static void test_halt_at_rest_is_one_command(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN, {":FQ#", "", NULL},
		{":GI#", "00#", NULL}, {":GP#", "4E20#", NULL}, {0}};
	struct rig rig;
	open_known(&rig, steps, 0);
	assert_int_equal(moonlite_driver.halt(rig.ctx, NULL), ERR_OK);
	poll_ok(&rig, FOCUSER_WANT_MOTION);
	check_script();
	rig_close(&rig);
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
	struct rig rig;
	open_known(&rig, steps, 0);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 23000, NULL), ERR_OK);
	assert_int_equal(moonlite_driver.halt(rig.ctx, NULL), ERR_OK);
	poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 100, NULL), ERR_OK);
	check_script();
	rig_close(&rig);
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
	struct rig rig;
	open_known(&rig, steps, 0);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 20116, NULL), ERR_OK);
	check_script();
	rig_close(&rig);
}

static void test_targets(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN, {0}};
	struct rig rig;
	open_known(&rig, steps, 0);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 65536, NULL), ERR_INVALID_VALUE);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, -1, NULL), ERR_INVALID_VALUE);
	assert_int_equal(moonlite_driver.set_position(rig.ctx, 65536, NULL), ERR_INVALID_VALUE);
	check_script();
	rig_close(&rig);
}

/* 70000 = 11170 hex on a controller that keeps it, on one that keeps 1170 = 4464, and on one of which
 * nobody has said that it knows more than 65535. */
static void test_beyond_16_bits(void **state)
{
	(void)state;
	static const struct script_step good[] = {KNOWN,
		{":SN11170#", "", NULL}, {":GN#", "11170#", NULL},
		{":GI#", "00#", NULL}, {":GP#", "4E20#", NULL}, {":FG#", "", NULL}, {0}};
	struct rig rig;
	struct focuser_caps caps;
	rig_open_with(&rig, good, 100000, "extended");
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	assert_int_equal(caps.max_step, 100000);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 70000, NULL), ERR_OK);
	check_script();
	rig_close(&rig);

	static const struct script_step narrow[] = {KNOWN,
		{":SN11170#", "", NULL}, {":GN#", "1170#", NULL},
		{":SN11170#", "", NULL}, {":GN#", "1170#", NULL}, {":FQ#", "", NULL}, {0}};
	struct err err;
	rig_open_with(&rig, narrow, 100000, "extended");
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 70000, &err), ERR_REFUSED);
	assert_non_null(strstr(err.text, "70000 into 4464"));
	check_script();
	rig_close(&rig);

	static const struct script_step unknown[] = {KNOWN, {0}};
	rig_open(&rig, unknown, 100000);
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	assert_int_equal(caps.max_step, 65535);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 70000, &err), ERR_INVALID_VALUE);
	check_script();
	rig_close(&rig);

	/* Eight digits say it by themselves. */
	static const struct script_step wide[] = {{":GV#", "00##", NULL}, {":GP#", "00004E20#", NULL},
		{":GI#", "00#", NULL}, SETTINGS, {0}};
	rig_open(&rig, wide, 100000);
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	assert_int_equal(caps.max_step, 100000);
	check_script();
	rig_close(&rig);
}

/* A lost target is set again; one that the controller does not take moves nothing. */
static void test_target_is_read_back(void **state)
{
	(void)state;
	static const struct script_step lost[] = {KNOWN,
		{":SN59D8#", "", NULL}, {":GN#", "4E20#", NULL},
		{":SN59D8#", "", NULL}, {":GN#", "59D8#", NULL},
		{":GI#", "00#", NULL}, {":GP#", "4E20#", NULL}, {":FG#", "", NULL}, {0}};
	struct rig rig;
	struct err err;
	open_known(&rig, lost, 0);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 23000, NULL), ERR_OK);
	check_script();
	rig_close(&rig);

	static const struct script_step clamped[] = {KNOWN,
		{":SNEA60#", "", NULL}, {":GN#", "C350#", NULL},
		{":SNEA60#", "", NULL}, {":GN#", "C350#", NULL}, {":FQ#", "", NULL}, {0}};
	open_known(&rig, clamped, 0);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 60000, &err), ERR_REFUSED);
	assert_non_null(strstr(err.text, "keeps 50000 for a target when told 60000"));
	check_script();
	rig_close(&rig);

	/* One that never answers: not started, and the word that helps is named. */
	static const struct script_step mute[] = {KNOWN,
		{":SN59D8#", "", NULL}, {":GN#", "", NULL},
		{":GI#", "00#", NULL}, {":GP#", "4E20#", NULL}, {":GN#", "", NULL}, {0}};
	open_known(&rig, mute, 0);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 23000, &err), ERR_TIMEOUT);
	assert_non_null(strstr(err.text, "no-target"));
	check_script();
	rig_close(&rig);

	static const struct script_step unasked[] = {KNOWN, {":SN59D8#", "", NULL},
		{":GI#", "00#", NULL}, {":GP#", "4E20#", NULL}, {":FG#", "", NULL}, {0}};
	struct focuser_caps caps;
	rig_open_with(&rig, unasked, 0, "no-target");
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 23000, NULL), ERR_OK);
	check_script();
	rig_close(&rig);
}

/* Every word of quirks, by what it changes on the wire. */
static void test_quirks(void **state)
{
	(void)state;
	struct rig rig;
	struct focuser_caps caps;
	struct focuser_reading reading;

	static const struct script_step no_version[] = {{":GP#", "4E20#", NULL}, {":GI#", "00#", NULL},
		SETTINGS, {0}};
	rig_open_with(&rig, no_version, 0, "no-version");
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	check_script();
	rig_close(&rig);

	static const struct script_step sn_starts[] = {KNOWN, {":SN59D8#", "", NULL},
		{":FQ#", "", NULL}, {":GI#", "00#", NULL}, {":GP#", "4E94#", NULL}, {0}};
	rig_open_with(&rig, sn_starts, 0, "sn-starts");
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 23000, NULL), ERR_OK);
	assert_int_equal(moonlite_driver.halt(rig.ctx, NULL), ERR_OK);
	poll_ok(&rig, FOCUSER_WANT_MOTION);
	check_script();
	rig_close(&rig);

	static const struct script_step no_hash[] = {{":GV#", "10", NULL}, {":GP#", "4E20", NULL},
		{":GI#", "00", NULL}, SETTINGS,
		{":GI#", "01", NULL}, {":GP#", "4E2A", NULL},
		/* Half an answer stays half an answer. */
		{":GI#", "0", NULL},
		{":GI#", "01", NULL}, {":GP#", "4E2B#", NULL}, {":GI#", "01", NULL}, {":GP#", "4E2", NULL},
		{0}};
	rig_open_with(&rig, no_hash, 0, "no-hash");
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	assert_int_equal(poll_ok(&rig, FOCUSER_WANT_MOTION).position, 0x4E2A);
	assert_int_equal(moonlite_driver.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, NULL), ERR_PROTOCOL);
	assert_int_equal(moonlite_driver.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, NULL), ERR_PROTOCOL);
	check_script();
	rig_close(&rig);

	/* FFFD is -3 where the user says so, and 65533 elsewhere. */
	static const struct script_step below[] = {KNOWN, {":GI#", "01#", NULL}, {":GP#", "FFFD#", NULL}, {0}};
	rig_open_with(&rig, below, 0, "signed-positions");
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	assert_int_equal(poll_ok(&rig, FOCUSER_WANT_MOTION).position, 0);
	check_script();
	rig_close(&rig);
	open_known(&rig, below, 0);
	assert_int_equal(poll_ok(&rig, FOCUSER_WANT_MOTION).position, 65533);
	check_script();
	rig_close(&rig);

	static const struct script_step whole[] = {KNOWN, {":C#", "", NULL}, {":GT#", "000A#", NULL}, {0}};
	rig_open_with(&rig, whole, 0, "whole-degrees, lands-beside");
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	assert_int_equal(caps.tolerance_steps, 10);
	poll_ok(&rig, FOCUSER_WANT_TEMPERATURE);
	clock_fake_advance(rig.host.clock, 800);
	assert_float_equal(poll_ok(&rig, FOCUSER_WANT_TEMPERATURE).temperature_c, 10, 0);
	check_script();
	rig_close(&rig);

	char unknown[40];
	for (const struct focuser_quirk *q = moonlite_driver.quirks; q->word != NULL; q++) {
		assert_false(focuser_unknown_quirk(&moonlite_driver, q->word, unknown, sizeof unknown));
	}
}

/* Speed and step mode go out only when configured, at rest, and are read back. */
static void test_settings(void **state)
{
	(void)state;
	struct rig rig;
	struct focuser_caps caps;
	/* 100 steps/s: the next slower one is 63, delay 08. */
	static const struct script_step at_once[] = {{":GV#", "10#", NULL}, {":GP#", "4E20#", NULL},
		{":GI#", "00#", NULL}, {":SD08#", "", NULL}, {":SH#", "", NULL}, {":GH#", "FF#", NULL},
		{":GD#", "08#", NULL}, {0}};
	rig_open(&rig, at_once, 0);
	rig.port.speed_steps_per_s = 100;
	rig.port.step_mode = FOCUSER_STEP_HALF;
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	check_script();
	rig_close(&rig);

	/* Moving when it is connected: not before it rests. */
	static const struct script_step later[] = {{":GV#", "10#", NULL}, {":GP#", "4E20#", NULL},
		{":GI#", "01#", NULL}, SETTINGS,
		{":GI#", "01#", NULL}, {":GP#", "4E20#", NULL},
		{":GI#", "00#", NULL}, {":GP#", "4E20#", NULL}, {":SD20#", "", NULL}, {":SF#", "", NULL},
		{":GH#", "00#", NULL}, {":GD#", "20#", NULL},
		{":GI#", "00#", NULL}, {":GP#", "4E20#", NULL}, {0}};
	rig_open(&rig, later, 0);
	rig.port.speed_steps_per_s = 1;
	rig.port.step_mode = FOCUSER_STEP_FULL;
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	for (int i = 0; i < 3; i++) {
		poll_ok(&rig, FOCUSER_WANT_MOTION);
	}
	check_script();
	rig_close(&rig);
}

/* The controller's own compensation: off until a client wants it, its number read back, off at the end. */
static void test_tempcomp(void **state)
{
	(void)state;
	struct rig rig;
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
	rig_open(&rig, steps, 0);
	moonlite_driver.close(rig.ctx);
	script_pipe_init(&script_pipe_next, steps);
	rig.port.tempcomp_steps_per_c = -5;
	assert_int_equal(moonlite_driver.open(rig.ctx, &rig.port, &rig.host, NULL), ERR_OK);
	assert_int_equal(moonlite_driver.identify(rig.ctx, &caps, NULL), ERR_OK);
	assert_true(caps.has_tempcomp);
	poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_int_equal(moonlite_driver.set_tempcomp(rig.ctx, true, NULL), ERR_OK);
	assert_int_equal(moonlite_driver.start_move(rig.ctx, 23000, NULL), ERR_OK);
	assert_int_equal(moonlite_driver.set_tempcomp(rig.ctx, false, NULL), ERR_OK);
	assert_int_equal(moonlite_driver.set_tempcomp(rig.ctx, true, &err), ERR_REFUSED);
	assert_non_null(strstr(err.text, "keeps 2 steps per degree when told -5"));
	assert_int_equal(moonlite_driver.set_tempcomp(rig.ctx, true, NULL), ERR_OK);
	rig_close(&rig);
	check_script();
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
		struct rig rig;
		open_known(&rig, rows[i].steps, 0);
		assert_int_equal(moonlite_driver.start_move(rig.ctx, 23000, NULL), ERR_OK);
		poll_ok(&rig, FOCUSER_WANT_MOTION);
		struct focuser_reading reading = poll_ok(&rig, FOCUSER_WANT_MOTION);
		if (reading.reset_seen != rows[i].reset || reading.position != rows[i].position) {
			fail_msg("%s: %d %d", rows[i].legend, reading.reset_seen, (int)reading.position);
		}
		check_script();
		rig_close(&rig);
	}
	/* At rest, nothing commanded yet: only zero tells. */
	static const struct script_step resting[] = {KNOWN, {":GI#", "00#", NULL}, {":GP#", "0000#", NULL},
		{":GP#", "0000#", NULL}, {":GI#", "00#", NULL}, {":GP#", "0000#", NULL}, {0}};
	struct rig rig;
	open_known(&rig, resting, 0);
	assert_true(poll_ok(&rig, FOCUSER_WANT_MOTION).reset_seen);
	assert_false(poll_ok(&rig, FOCUSER_WANT_MOTION).reset_seen);
	check_script();
	rig_close(&rig);
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
	struct rig rig;
	const unsigned both = FOCUSER_WANT_MOTION | FOCUSER_WANT_TEMPERATURE;
	open_known(&rig, steps, 0);
	poll_ok(&rig, both);
	assert_false(poll_ok(&rig, both).temperature_valid);
	clock_fake_advance(rig.host.clock, 799);
	assert_false(poll_ok(&rig, FOCUSER_WANT_MOTION).temperature_valid);
	clock_fake_advance(rig.host.clock, 1);
	struct focuser_reading reading = poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_true(reading.temperature_valid);
	assert_float_equal(reading.temperature_c, -2.5, 0);
	clock_fake_advance(rig.host.clock, 4199);
	poll_ok(&rig, both);
	clock_fake_advance(rig.host.clock, 1);
	poll_ok(&rig, FOCUSER_WANT_TEMPERATURE);
	clock_fake_advance(rig.host.clock, 5000);
	reading = poll_ok(&rig, FOCUSER_WANT_TEMPERATURE);
	/* No probe: no number. */
	assert_false(reading.temperature_valid);
	check_script();
	rig_close(&rig);
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
	struct rig rig;
	open_known(&rig, steps, 0);
	for (int i = 0; i < 10; i++) {
		poll_ok(&rig, FOCUSER_WANT_TEMPERATURE);
		clock_fake_advance(rig.host.clock, 5000);
	}
	check_script();
	rig_close(&rig);
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
	struct rig rig;
	struct focuser_reading reading = {.position = -7};
	open_known(&rig, steps, 0);
	assert_int_equal(moonlite_driver.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, NULL),
		ERR_TIMEOUT);
	assert_int_equal(reading.position, -7);
	reading = poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_int_equal(reading.position, 0x4E23);
	assert_int_equal(moonlite_driver.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, NULL),
		ERR_TIMEOUT);
	reading = poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_true(reading.moving);
	assert_int_equal(reading.position, 0x4E25);
	check_script();
	rig_close(&rig);
}

static void test_negative_position_is_zero(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN,
		{":GI#", "01#", NULL}, {":GP#", "FFFFFFFB#", NULL}, {0}};
	struct rig rig;
	open_known(&rig, steps, 0);
	assert_int_equal(poll_ok(&rig, FOCUSER_WANT_MOTION).position, 0);
	check_script();
	rig_close(&rig);
}

static void test_set_position(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN,
		{":GI#", "00#", NULL}, {":SP59D8#", "", NULL}, {":GP#", "59D8#", NULL},
		{":GI#", "00#", NULL}, {":SP0000#", "", NULL}, {":GP#", "59D8#", NULL},
		{":GI#", "01#", NULL},
		{0}};
	struct rig rig;
	open_known(&rig, steps, 0);
	assert_int_equal(moonlite_driver.set_position(rig.ctx, 23000, NULL), ERR_OK);
	assert_int_equal(moonlite_driver.set_position(rig.ctx, 0, NULL), ERR_REFUSED);
	assert_int_equal(moonlite_driver.set_position(rig.ctx, 0, NULL), ERR_INVALID_OPERATION);
	check_script();
	rig_close(&rig);
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
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_tempcomp),
		cmocka_unit_test(test_reset_is_seen),
		cmocka_unit_test(test_temperature),
		cmocka_unit_test(test_no_temperature),
		cmocka_unit_test(test_late_reply),
		cmocka_unit_test(test_negative_position_is_zero),
		cmocka_unit_test(test_set_position),
		cmocka_unit_test(test_closed),
		cmocka_unit_test(test_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
