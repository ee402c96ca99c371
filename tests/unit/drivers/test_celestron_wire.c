/* SPDX-License-Identifier: MIT */
/*
 * The driver's exact bytes against a script; expected ones are the worked examples of the AUX protocol
 * and of the hand controllers' pass-through.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "celestron_driver.h"
#include "script_pipe.h"

struct rig {
	struct driver_host host;
	struct focuser_port port;
	struct focuser_caps caps;
	void *ctx;
};

static void rig_open(struct rig *rig, const struct script_step *steps, const char *port,
	const char *quirks)
{
	memset(rig, 0, sizeof *rig);
	rig->host.clock = clock_create_fake();
	rig->host.source = "focuser.0";
	snprintf(rig->port.port, sizeof rig->port.port, "%s", port);
	snprintf(rig->port.quirks, sizeof rig->port.quirks, "%s", quirks);
	rig->ctx = calloc(1, celestron_driver.ctx_size);
	script_pipe_init(&script_pipe_next, steps);
	script_pipe_next.hex = true;
	bool slow = strstr(quirks, "hand-controller") != NULL ||
		(strstr(port, "ttyACM") != NULL && strstr(quirks, "aux-port") == NULL);
	script_pipe_next.baud = slow ? 9600 : 19200;
	assert_int_equal(celestron_driver.open(rig->ctx, &rig->port, &rig->host, NULL), ERR_OK);
	/* Nothing goes out before somebody asks. */
	assert_int_equal(script_pipe_next.written_len, 0);
}

static void rig_close(struct rig *rig)
{
	celestron_driver.close(rig->ctx);
	assert_true(script_pipe_next.destroyed);
	celestron_driver.close(rig->ctx);
	free(rig->ctx);
	clock_destroy(rig->host.clock);
}

static void check_script(const char *legend)
{
	if (!script_pipe_done(&script_pipe_next)) {
		char text[400] = "";
		for (size_t i = 0; i < script_pipe_next.written_len && i < 100; i++) {
			snprintf(text + 3 * i, 4, "%02X ",
				(unsigned)(uint8_t)script_pipe_next.written[i]);
		}
		fail_msg("%s: sent %s", legend, text);
	}
}

#define ASK_VERSION "3B 03 20 12 FE CD"
#define ASK_POSITION "3B 03 20 12 01 CA"
#define ASK_REST "3B 03 20 12 13 B8"
#define ASK_STATE "3B 03 20 12 2B A0"
#define ASK_LIMITS "3B 03 20 12 2C 9F"
#define VERSION "3B 07 12 20 FE 07 0F 20 30 63"
#define AT_20000 "3B 06 12 20 01 00 4E 20 59"
#define AT_23000 "3B 06 12 20 01 00 59 D8 96"
#define RESTS "3B 04 12 20 13 FF B8"
#define MOVES "3B 04 12 20 13 00 B7"
#define DONE "3B 05 12 20 2B 01 00 9D"
#define IDLE "3B 05 12 20 2B 00 00 9E"
#define STEP_4 "3B 05 12 20 2B 00 04 9A"
#define LIMITS "3B 0B 12 20 2C 00 00 07 D0 00 00 9C 40 E4"
#define NO_LIMITS "3B 0B 12 20 2C 00 00 00 00 00 00 00 00 97"
#define STOP "3B 04 20 12 24 00 A6"
#define STOPPED "3B 04 12 20 24 01 A5"
#define GO_23000 "3B 06 20 12 02 00 59 D8 95"
#define GO_SLOWLY "3B 06 20 12 17 00 59 D8 80"
#define GOES "3B 04 12 20 02 01 C7"
#define FOREIGN "3B 03 04 10 01 E8 3B 06 10 04 01 12 3B 56 42 3B 04 12 04 13 FF D4 "

#define KNOWN \
	{ASK_VERSION, VERSION, NULL}, {ASK_STATE, DONE, NULL}, {ASK_LIMITS, LIMITS, NULL}

static void open_known(struct rig *rig, const struct script_step *steps)
{
	struct err err = {.text = ""};
	rig_open(rig, steps, "/dev/script", "");
	if (celestron_driver.identify(rig->ctx, &rig->caps, &err) != ERR_OK) {
		fail_msg("%s", err.text);
	}
}

static void test_identify(void **state)
{
	(void)state;
	static const struct {
		const char *legend, *unasked;
		struct script_step steps[5];
		enum err_code code;
		const char *says; /* part of the error, or of why moves are refused */
		int32_t low, high;
		bool calibrating;
	} rows[] = {
		{"as in the book", "", {KNOWN}, ERR_OK, "", 2000, 40000, false},
		{"never calibrated", "", {{ASK_VERSION, VERSION, NULL}, {ASK_STATE, IDLE, NULL},
			{ASK_LIMITS, NO_LIMITS, NULL}},
			ERR_OK, "not calibrated", 0, 60000, false},
		{"in the middle of it", "", {{ASK_VERSION, VERSION, NULL}, {ASK_STATE, STEP_4, NULL},
			{ASK_LIMITS, NO_LIMITS, NULL}},
			ERR_OK, "not calibrated", 0, 60000, true},
		{"its own words come first", "", {{ASK_VERSION, ASK_VERSION " " VERSION, NULL},
			{ASK_STATE, ASK_STATE " " DONE, NULL},
			{ASK_LIMITS, ASK_LIMITS " " LIMITS, NULL}}, ERR_OK, "", 2000, 40000, false},
		{"a bus full of others", "", {{ASK_VERSION, FOREIGN VERSION, NULL},
			{ASK_STATE, FOREIGN FOREIGN FOREIGN DONE, NULL},
			{ASK_LIMITS, FOREIGN LIMITS, NULL}}, ERR_OK, "", 2000, 40000, false},
		{"noise before the answer", "", {{ASK_VERSION, "00 FF 3C " VERSION, NULL},
			{ASK_STATE, "3B " DONE, NULL}, {ASK_LIMITS, "12 20 " LIMITS, NULL}},
			ERR_OK, "", 2000, 40000, false},
		{"an EFA", "", {{ASK_VERSION, "3B 05 12 20 FE 01 07 C3", NULL}}, ERR_PROTOCOL,
			"PlaneWave EFA (version 1.7)", 0, 0, false},
		{"silence", "", {{ASK_VERSION, "", NULL}}, ERR_TIMEOUT,
			"nothing answers on script: check power, cable, and that this is the right port; a hand "
			"controller needs quirks = hand-controller, a mount's AUX port quirks = aux-port",
			0, 0, false},
		{"only an echo", "", {{ASK_VERSION, ASK_VERSION, NULL}}, ERR_TIMEOUT,
			"only the echo", 0, 0, false},
		{"only others", "", {{ASK_VERSION, FOREIGN, NULL}}, ERR_TIMEOUT,
			"no focus motor answers", 0, 0, false},
		{"noise only", "", {{ASK_VERSION, "00 11 22", NULL}}, ERR_PROTOCOL,
			"noise instead of a focus motor's answer: check that this is the right port, and its baud; a",
			0, 0, false},
		{"half an answer", "", {{ASK_VERSION, "3B 07 12 20 FE 07", NULL}}, ERR_PROTOCOL,
			"noise instead of a focus motor's answer", 0, 0, false},
		{"a wrong sum", "", {{ASK_VERSION, "3B 07 12 20 FE 07 0F 20 30 64", NULL}}, ERR_PROTOCOL,
			"noise", 0, 0, false},
		{"not understood", "", {{ASK_VERSION, "3B 03 12 20 F0 DB", NULL}}, ERR_REFUSED,
			"does not understand \"get version\"", 0, 0, false},
		{"a version of three bytes", "", {{ASK_VERSION, "3B 06 12 20 FE 01 02 03 C4", NULL}},
			ERR_PROTOCOL, "wrong shape", 0, 0, false},
		{"limits of two bytes", "", {{ASK_VERSION, VERSION, NULL}, {ASK_STATE, DONE, NULL},
			{ASK_LIMITS, "3B 05 12 20 2C 01 00 9C", NULL}}, ERR_PROTOCOL, "wrong shape",
			0, 0, false},
		{"unplugged", "", {{ASK_VERSION, VERSION, NULL}, {ASK_STATE, NULL, NULL}}, ERR_IO, "gone",
			0, 0, false},
		{"a GPS receiver", "24 47 50 47 47 41 2C", {{0}}, ERR_PROTOCOL, "nothing was sent",
			0, 0, false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct rig rig;
		struct err err = {.text = ""};
		rig_open(&rig, rows[i].steps, "/dev/script", "");
		script_pipe_feed(&script_pipe_next, rows[i].unasked);
		enum err_code code = celestron_driver.identify(rig.ctx, &rig.caps, &err);
		check_script(rows[i].legend);
		bool good = code == rows[i].code;
		if (good && code == ERR_OK) {
			good = strcmp(rig.caps.identity, "Celestron focus motor, firmware 7.15.8240") == 0 &&
				rig.caps.min_step == rows[i].low && rig.caps.max_step == rows[i].high &&
				rig.caps.calibrating == rows[i].calibrating &&
				rig.caps.steps_per_turn == 1000 && !rig.caps.has_temperature &&
				strncmp(rig.caps.move_refusal, rows[i].says, strlen(rows[i].says)) == 0 &&
				(rows[i].says[0] != '\0' || rig.caps.move_refusal[0] == '\0');
		} else if (good) {
			good = strstr(err.text, rows[i].says) != NULL;
		}
		if (!good) {
			fail_msg("%s: %d %s %s", rows[i].legend, (int)code, err.text,
				rig.caps.move_refusal);
		}
		rig_close(&rig);
	}
}

static struct focuser_reading poll_ok(struct rig *rig, unsigned want)
{
	struct focuser_reading reading;
	struct err err = {.text = ""};
	if (celestron_driver.poll(rig->ctx, want, &reading, &err) != ERR_OK) {
		fail_msg("%s", err.text);
	}
	return reading;
}

static void move_ok(struct rig *rig, int32_t target)
{
	struct err err = {.text = ""};
	if (celestron_driver.start_move(rig->ctx, target, &err) != ERR_OK) {
		fail_msg("%s", err.text);
	}
}

/* Nothing has ever answered: each try says so, whatever it asks, and none speaks of a question that only clears the
 * line.  Once the motor has answered, the question that was not answered is the one to tell of. */
static void test_the_first_reason_stays(void **state)
{
	(void)state;
	static const struct script_step steps[] = {{ASK_VERSION, "", NULL}, {ASK_REST, "", NULL},
		{ASK_REST, "", NULL},
		{ASK_REST, ASK_REST, NULL}, {ASK_REST, RESTS, NULL}, {ASK_VERSION, VERSION, NULL},
		{ASK_STATE, "", NULL}, {ASK_REST, "", NULL}, {0}};
	static const char *const words[] = {"nothing answers on script", "nothing answers on script",
		"nothing answers on script", "only the echo of \"get version\"",
		"does not answer \"calibration state\"",
		"does not answer \"calibration state\""};
	struct rig rig;
	struct err err;
	rig_open(&rig, steps, "/dev/script", "");
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		assert_int_equal(celestron_driver.identify(rig.ctx, &rig.caps, &err), ERR_TIMEOUT);
		if (strstr(err.text, words[i]) == NULL) {
			fail_msg("try %d: %s", (int)i, err.text);
		}
	}
	check_script("the first reason");
	rig_close(&rig);
}

/* A line too slow for all the questions in one try: what was answered is not asked again. */
static void test_identify_goes_on(void **state)
{
	(void)state;
	static const struct script_step steps[] = {{ASK_VERSION, VERSION, NULL}, {ASK_STATE, "", NULL},
		/* The state was doubted, so something else is asked in between. */
		{ASK_REST, RESTS, NULL}, {ASK_STATE, STEP_4, NULL}, {ASK_LIMITS, "", NULL},
		{ASK_REST, RESTS, NULL}, {ASK_LIMITS, LIMITS, NULL},
		/* Once known, it is asked anew. */
		KNOWN, {0}};
	struct rig rig;
	struct err err;
	rig_open(&rig, steps, "/dev/script", "");
	assert_int_equal(celestron_driver.identify(rig.ctx, &rig.caps, &err), ERR_TIMEOUT);
	assert_int_equal(celestron_driver.identify(rig.ctx, &rig.caps, &err), ERR_TIMEOUT);
	assert_int_equal(celestron_driver.identify(rig.ctx, &rig.caps, &err), ERR_OK);
	assert_true(rig.caps.calibrating);
	assert_int_equal(celestron_driver.identify(rig.ctx, &rig.caps, &err), ERR_OK);
	assert_false(rig.caps.calibrating);
	check_script("identify goes on");
	rig_close(&rig);
}

static void test_move_and_halt(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN, {GO_23000, GOES, NULL}, {ASK_REST, MOVES, NULL},
		{ASK_POSITION, AT_20000, NULL}, {STOP, STOPPED, NULL}, {ASK_REST, RESTS, NULL},
		{ASK_POSITION, AT_23000, NULL},
		/* After a halt the same target is no retry. */
		{GO_23000, "3B 03 12 20 02 C9", NULL}, {0}};
	struct rig rig;
	open_known(&rig, steps);
	move_ok(&rig, 23000);
	struct focuser_reading reading = poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_true(reading.moving_valid && reading.moving && reading.position_valid);
	assert_int_equal(reading.position, 20000);
	/* One exchange of seven bytes. */
	size_t before = script_pipe_next.written_len;
	assert_int_equal(celestron_driver.halt(rig.ctx, NULL), ERR_OK);
	assert_int_equal(script_pipe_next.written_len - before, 7);
	reading = poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_false(reading.moving);
	assert_int_equal(reading.position, 23000);
	move_ok(&rig, 23000);
	check_script("move and halt");
	rig_close(&rig);
}

/* A leg that ended elsewhere is repeated slowly, and so is the short way back that takes up the backlash. */
static void test_slow_legs(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN, {GO_23000, GOES, NULL}, {ASK_REST, RESTS, NULL},
		/* Far from it: fast again. */
		{ASK_POSITION, AT_20000, NULL}, {GO_23000, GOES, NULL}, {ASK_REST, RESTS, NULL},
		{ASK_POSITION, "3B 06 12 20 01 00 57 E4 8C", NULL}, {GO_SLOWLY, "3B 04 12 20 17 01 B2", NULL},
		{ASK_REST, RESTS, NULL}, {ASK_POSITION, AT_23000, NULL},
		/* 22600 = 5848, the other way and short: slowly. */
		{"3B 06 20 12 17 00 58 48 11", "3B 03 12 20 17 B4", NULL},
		{ASK_REST, RESTS, NULL}, {ASK_POSITION, "3B 06 12 20 01 00 58 48 27", NULL},
		/* 2000 = 07D0, further the same way: fast. */
		{"3B 06 20 12 02 00 07 D0 EF", GOES, NULL}, {0}};
	struct rig rig;
	open_known(&rig, steps);
	for (int i = 0; i < 3; i++) {
		move_ok(&rig, 23000);
		poll_ok(&rig, FOCUSER_WANT_MOTION);
	}
	move_ok(&rig, 22600);
	poll_ok(&rig, FOCUSER_WANT_MOTION);
	move_ok(&rig, 2000);
	check_script("slow legs");
	rig_close(&rig);
}

static void test_refusals(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN, {GO_23000, "3B 04 12 20 02 00 C8", NULL},
		{STOP, "3B 04 12 20 24 00 A6", NULL}, {0}};
	struct rig rig;
	struct err err;
	open_known(&rig, steps);
	static const int32_t outside[] = {1999, 40001, -1, INT32_MAX, INT32_MIN};
	for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
		assert_int_equal(celestron_driver.start_move(rig.ctx, outside[i], &err),
			ERR_INVALID_VALUE);
	}
	assert_int_equal(celestron_driver.start_move(rig.ctx, 23000, &err), ERR_REFUSED);
	assert_non_null(strstr(err.text, "refuses to go to 23000"));
	assert_int_equal(celestron_driver.halt(rig.ctx, &err), ERR_REFUSED);
	check_script("refusals");
	rig_close(&rig);
}

static void test_uncalibrated(void **state)
{
	(void)state;
	static const struct script_step steps[] = {{ASK_VERSION, VERSION, NULL}, {ASK_STATE, IDLE, NULL},
		{ASK_LIMITS, NO_LIMITS, NULL}, {ASK_REST, RESTS, NULL},
		{ASK_POSITION, "3B 06 12 20 01 FF FC 18 B4", NULL}, {STOP, STOPPED, NULL},
		/* The answer to the start has the length, the data and the sum of its echo. */
		{"3B 04 20 12 2A 01 9F", "3B 04 20 12 2A 01 9F 3B 04 12 20 2A 01 9F", NULL},
		{ASK_STATE, STEP_4, NULL}, {ASK_REST, MOVES, NULL}, {ASK_POSITION, AT_20000, NULL},
		{ASK_STATE, STEP_4, NULL},
		{"3B 04 20 12 2A 00 A0", "3B 03 12 20 2A A1", NULL}, {0}};
	struct rig rig;
	struct err err;
	open_known(&rig, steps);
	/* The motor says FFFC18, which is -1000; what clients see of it is not the driver's business. */
	assert_int_equal(poll_ok(&rig, FOCUSER_WANT_MOTION).position, -1000);
	assert_int_equal(celestron_driver.start_move(rig.ctx, 23000, &err), ERR_INVALID_OPERATION);
	assert_int_equal(celestron_driver.halt(rig.ctx, &err), ERR_OK);
	assert_int_equal(celestron_driver.calibrate(rig.ctx, true, &err), ERR_OK);
	struct focuser_reading reading =
		poll_ok(&rig, FOCUSER_WANT_MOTION | FOCUSER_WANT_CALIBRATION);
	assert_true(reading.calibration_valid);
	assert_int_equal(reading.calibration, FOCUSER_CALIBRATION_RUNS);
	assert_int_equal(reading.calibration_step, 4);
	assert_int_equal(celestron_driver.start_move(rig.ctx, 23000, &err), ERR_INVALID_OPERATION);
	assert_int_equal(celestron_driver.calibrate(rig.ctx, false, &err), ERR_OK);
	check_script("uncalibrated");
	rig_close(&rig);
}

/* Still calibrating when it was identified, as after an abort that took a moment: asked again by the next
 * move, which is not refused for ever. */
static void test_a_calibration_that_ended_unseen(void **state)
{
	(void)state;
	static const struct script_step steps[] = {{ASK_VERSION, VERSION, NULL}, {ASK_STATE, STEP_4, NULL},
		{ASK_LIMITS, LIMITS, NULL}, {ASK_STATE, STEP_4, NULL}, {ASK_STATE, IDLE, NULL},
		/* 2000..22000: new ones. */
		{ASK_LIMITS, "3B 0B 12 20 2C 00 00 07 D0 00 00 55 F0 7B", NULL},
		{"3B 06 20 12 02 00 4E 20 58", GOES, NULL}, {0}};
	struct rig rig;
	struct err err = {.text = ""};
	open_known(&rig, steps);
	assert_true(rig.caps.calibrating);
	assert_int_equal(celestron_driver.start_move(rig.ctx, 23000, &err), ERR_INVALID_OPERATION);
	assert_non_null(strstr(err.text, "is calibrating"));
	assert_int_equal(celestron_driver.start_move(rig.ctx, 23000, &err), ERR_INVALID_VALUE);
	assert_non_null(strstr(err.text, "2000..22000"));
	move_ok(&rig, 20000);
	check_script("ended unseen");
	rig_close(&rig);
}

/* An echo alone is no answer: the start was not taken. */
static void test_the_echo_of_a_calibration_is_no_answer(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN,
		{"3B 04 20 12 2A 01 9F", "3B 04 20 12 2A 01 9F", NULL}, {0}};
	struct rig rig;
	struct err err;
	open_known(&rig, steps);
	assert_int_equal(celestron_driver.calibrate(rig.ctx, true, &err), ERR_TIMEOUT);
	assert_non_null(strstr(err.text, "only the echo"));
	rig_close(&rig);
}

/* An answer that comes when the question is asked again belongs to the first time: another question is
 * put in between, behind which nothing older can come. */
static void test_late_answers(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN, {ASK_REST, "", RESTS},
		/* The late one comes now, and is passed over. */
		{ASK_POSITION, AT_20000, NULL}, {ASK_REST, MOVES, NULL}, {ASK_POSITION, AT_23000, NULL},
		{0}};
	struct rig rig;
	struct err err;
	struct focuser_reading reading;
	open_known(&rig, steps);
	assert_int_equal(celestron_driver.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, &err),
		ERR_TIMEOUT);
	reading = poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_true(reading.moving);
	assert_int_equal(reading.position, 23000);
	check_script("late");
	rig_close(&rig);
}

/* Every way an answer can be wrong, at each of the two questions of a poll. */
static void test_wrong_answers(void **state)
{
	(void)state;
	static const struct {
		const char *legend, *rest, *position;
		enum err_code code;
	} rows[] = {
		{"silence", "", NULL, ERR_TIMEOUT},
		{"garbage", "FE 80 7A 34 00 3F", NULL, ERR_PROTOCOL},
		{"half", "3B 04 12 20", NULL, ERR_PROTOCOL},
		{"a value that is none", "3B 04 12 20 13 42 75", NULL, ERR_PROTOCOL},
		{"two data bytes", "3B 05 12 20 13 FF 00 B7", NULL, ERR_PROTOCOL},
		{"not understood", "3B 03 12 20 F0 DB", NULL, ERR_REFUSED},
		{"somebody else's", "3B 04 10 20 13 FF BA", NULL, ERR_TIMEOUT},
		{"another command's", STOPPED, NULL, ERR_PROTOCOL},
		{"silence then", RESTS, "", ERR_TIMEOUT},
		{"a short position", RESTS, "3B 05 12 20 01 4E 20 5A", ERR_PROTOCOL},
		{"given up", "3B 04 12 20 13 FE B9", AT_20000, ERR_OK},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct script_step steps[] = {KNOWN, {ASK_REST, rows[i].rest, NULL},
			{rows[i].position != NULL ? ASK_POSITION : NULL, rows[i].position, NULL}, {0}};
		struct rig rig;
		struct err err = {.text = ""};
		struct focuser_reading reading;
		open_known(&rig, steps);
		enum err_code code =
			celestron_driver.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, &err);
		check_script(rows[i].legend);
		if (code != rows[i].code) {
			fail_msg("%s: %d %s", rows[i].legend, (int)code, err.text);
		}
		rig_close(&rig);
	}
}

static bool yes(void *ctx)
{
	return *(const bool *)ctx;
}

/* With something urgent a question is not even asked, and the halt goes out. */
static void test_urgent(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN, {STOP, STOPPED, NULL}, {0}};
	struct rig rig;
	struct focuser_reading reading;
	bool urgent = false;
	rig_open(&rig, steps, "/dev/script", "");
	celestron_driver.close(rig.ctx);
	rig.host.urgent = yes;
	rig.host.urgent_ctx = &urgent;
	script_pipe_next.destroyed = false;
	assert_int_equal(celestron_driver.open(rig.ctx, &rig.port, &rig.host, NULL), ERR_OK);
	assert_int_equal(celestron_driver.identify(rig.ctx, &rig.caps, NULL), ERR_OK);
	urgent = true;
	assert_int_equal(celestron_driver.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, NULL),
		ERR_CANCELLED);
	assert_int_equal(celestron_driver.halt(rig.ctx, NULL), ERR_OK);
	check_script("urgent");
	rig_close(&rig);
}

/* ---- wired otherwise ---- */

#define HC_VERSION {"50 01 12 FE 00 00 00 04", "07 0F 20 30 23", NULL}
#define HC_KNOWN \
	{"4B 66", "66 23", NULL}, HC_VERSION, {"50 01 12 2B 00 00 00 02", "01 00 23", NULL}, \
		{"50 01 12 2C 00 00 00 08", "00 00 07 D0 00 00 9C 40 23", NULL}

static void test_hand_controller(void **state)
{
	(void)state;
	static const struct script_step steps[] = {HC_KNOWN,
		{"50 04 12 02 00 59 D8 00", "23", NULL}, {"50 01 12 13 00 00 00 01", "00 23", NULL},
		{"50 01 12 01 00 00 00 03", "00 23 23 23", NULL}, {"50 02 12 24 00 00 00 00", "23", NULL},
		{"50 02 12 2A 01 00 00 00", "23", NULL},
		/* The motor does not answer the controller: filler, one byte more, the end. */
		{"50 01 12 13 00 00 00 01", "00 00 23", NULL},
		{0}};
	struct rig rig;
	struct err err = {.text = ""};
	rig_open(&rig, steps, "/dev/script", "hand-controller");
	if (celestron_driver.identify(rig.ctx, &rig.caps, &err) != ERR_OK) {
		fail_msg("%s", err.text);
	}
	assert_int_equal(rig.caps.max_step, 40000);
	move_ok(&rig, 23000);
	struct focuser_reading reading = poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_true(reading.moving);
	assert_int_equal(reading.position, 0x2323);
	assert_int_equal(celestron_driver.halt(rig.ctx, NULL), ERR_OK);
	assert_int_equal(celestron_driver.calibrate(rig.ctx, true, NULL), ERR_OK);
	assert_int_equal(celestron_driver.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, &err),
		ERR_TIMEOUT);
	assert_non_null(strstr(err.text, "no focus motor does"));
	check_script("hand controller");
	rig_close(&rig);
}

/* It waits 3.5 s for the motor: until then its answer is taken out of the way, never read as the next. */
static void test_hand_controller_owes_an_answer(void **state)
{
	(void)state;
	static const struct script_step steps[] = {HC_KNOWN, {"50 01 12 13 00 00 00 01", "", NULL},
		{"50 01 12 13 00 00 00 01", "00 23", NULL}, {"50 01 12 01 00 00 00 03", "00 59 D8 23", NULL},
		{0}};
	struct rig rig;
	struct err err;
	struct focuser_reading reading;
	rig_open(&rig, steps, "/dev/script", "hand-controller");
	assert_int_equal(celestron_driver.identify(rig.ctx, &rig.caps, &err), ERR_OK);
	assert_int_equal(celestron_driver.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, &err),
		ERR_TIMEOUT);
	size_t before = script_pipe_next.written_len;
	assert_int_equal(celestron_driver.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, &err),
		ERR_TIMEOUT);
	/* Nothing new was sent while it is busy. */
	assert_int_equal(script_pipe_next.written_len, before);
	script_pipe_feed(&script_pipe_next, "FF 23");
	reading = poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_true(reading.moving);
	assert_int_equal(reading.position, 23000);
	check_script("owed");
	rig_close(&rig);
}

/* After 3.5 s it says that no motor answers: that is what people are told, not that it is silent itself. */
static void test_hand_controller_says_late_that_there_is_no_motor(void **state)
{
	(void)state;
	static const struct script_step steps[] = {HC_KNOWN, {"50 01 12 13 00 00 00 01", "", NULL},
		{"50 01 12 13 00 00 00 01", "", NULL}, {"50 02 12 24 00 00 00 00", "23", NULL},
		{"50 01 12 13 00 00 00 01", "FF 23", NULL}, {"50 01 12 01 00 00 00 03", "00 59 D8 23", NULL},
		{"50 01 12 13 00 00 00 01", "", NULL}, {0}};
	struct rig rig;
	struct err err;
	struct focuser_reading reading;
	rig_open(&rig, steps, "/dev/script", "hand-controller");
	assert_int_equal(celestron_driver.identify(rig.ctx, &rig.caps, &err), ERR_OK);
	assert_int_equal(celestron_driver.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, &err),
		ERR_TIMEOUT);
	assert_non_null(strstr(err.text, "the hand controller does not answer"));
	script_pipe_feed(&script_pipe_next, "00 00 23");
	size_t before = script_pipe_next.written_len;
	for (int look = 0; look < 2; look++) {
		assert_int_equal(celestron_driver.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, &err),
			ERR_TIMEOUT);
		assert_non_null(strstr(err.text, "no focus motor does"));
		assert_int_equal(script_pipe_next.written_len, before + (size_t)look * 8);
	}
	/* A halt goes out all the same. */
	script_pipe_feed(&script_pipe_next, "00 00 23");
	assert_int_equal(celestron_driver.halt(rig.ctx, &err), ERR_OK);
	assert_int_equal(poll_ok(&rig, FOCUSER_WANT_MOTION).position, 23000);
	assert_int_equal(celestron_driver.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, &err),
		ERR_TIMEOUT);
	assert_non_null(strstr(err.text, "the hand controller does not answer"));
	check_script("late word");
	rig_close(&rig);
}

static void test_hand_controller_is_not_there(void **state)
{
	(void)state;
	static const struct {
		struct script_step steps[3];
		const char *says;
	} rows[] = {
		{{{"4B 66", "", NULL}}, "no hand controller answers"},
		{{{"4B 66", "00 11", NULL}}, "no hand controller answers"},
		{{{"4B 66", "66 23", NULL}, {"50 01 12 FE 00 00 00 04", "00 00 00 00 23", NULL}},
			"finds no focus motor"},
		{{{"4B 66", "66 23", NULL}, {"50 01 12 FE 00 00 00 04", "00 00 00 00 00 23", NULL}},
			"no focus motor does"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct rig rig;
		struct err err = {.text = ""};
		rig_open(&rig, rows[i].steps, "/dev/script", "hand-controller");
		assert_int_not_equal(celestron_driver.identify(rig.ctx, &rig.caps, &err), ERR_OK);
		check_script(rows[i].says);
		if (strstr(err.text, rows[i].says) == NULL) {
			fail_msg("%s instead of %s", err.text, rows[i].says);
		}
		rig_close(&rig);
	}
}

/* What is asked of the port, by how the motor is wired. */
static void test_wiring(void **state)
{
	(void)state;
	static const struct script_step none[] = {{0}};
	static const struct {
		const char *port, *quirks;
		bool rts_low;
		int wait_ms;
	} rows[] = {
		{"/dev/script", "", false, 1000},
		{"/dev/ttyACM0", "", false, 1000},
		{"/dev/ttyACM0", "aux-port", true, 1000},
		{"/dev/script", "aux-port", true, 1000},
		{"/dev/script", "aux-port, no-cts", true, 1000},
		{"/dev/script", "hand-controller", false, 1000},
		{"tcp://1.2.3.4:2000", "", false, 500},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct rig rig;
		rig_open(&rig, none, rows[i].port, rows[i].quirks);
		assert_int_equal(script_pipe_next.opened.rts_low, rows[i].rts_low);
		assert_false(script_pipe_next.opened.dtr_low);
		assert_int_equal(celestron_driver.open_wait_for(&rig.port), rows[i].wait_ms);
		rig_close(&rig);
	}
	struct rig rig = {.host = {.source = "focuser.0"}, .port = {.port = "/dev/script",
		.quirks = "aux-port hand-controller"}};
	struct err err;
	rig.ctx = calloc(1, celestron_driver.ctx_size);
	assert_int_equal(celestron_driver.open(rig.ctx, &rig.port, &rig.host, &err), ERR_INVALID_VALUE);
	celestron_driver.close(rig.ctx);
	free(rig.ctx);
}

static void test_not_open(void **state)
{
	(void)state;
	void *ctx = calloc(1, celestron_driver.ctx_size);
	struct focuser_caps caps;
	struct focuser_reading reading;
	assert_int_equal(celestron_driver.identify(ctx, &caps, NULL), ERR_NOT_CONNECTED);
	assert_int_equal(celestron_driver.start_move(ctx, 5000, NULL), ERR_NOT_CONNECTED);
	assert_int_equal(celestron_driver.halt(ctx, NULL), ERR_NOT_CONNECTED);
	assert_int_equal(celestron_driver.poll(ctx, 0, &reading, NULL), ERR_NOT_CONNECTED);
	assert_int_equal(celestron_driver.calibrate(ctx, true, NULL), ERR_NOT_CONNECTED);
	free(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identify),
		cmocka_unit_test(test_the_first_reason_stays),
		cmocka_unit_test(test_identify_goes_on),
		cmocka_unit_test(test_move_and_halt),
		cmocka_unit_test(test_slow_legs),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_uncalibrated),
		cmocka_unit_test(test_a_calibration_that_ended_unseen),
		cmocka_unit_test(test_the_echo_of_a_calibration_is_no_answer),
		cmocka_unit_test(test_late_answers),
		cmocka_unit_test(test_wrong_answers),
		cmocka_unit_test(test_urgent),
		cmocka_unit_test(test_hand_controller),
		cmocka_unit_test(test_hand_controller_owes_an_answer),
		cmocka_unit_test(test_hand_controller_says_late_that_there_is_no_motor),
		cmocka_unit_test(test_hand_controller_is_not_there),
		cmocka_unit_test(test_wiring),
		cmocka_unit_test(test_not_open),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
