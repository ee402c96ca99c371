/* SPDX-License-Identifier: MIT */
/*
 * The driver's exact bytes, against a script; expected ones are those of the list of serial commands
 * that comes with the myFocuserPro2 firmware.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "myfocuserpro2_driver.h"
#include "script_pipe.h"

#define DRIVER myfocuserpro2_driver

struct rig {
	struct driver_host host;
	struct focuser_port port;
	void *ctx;
};

static void rig_open(struct rig *rig, const struct script_step *steps)
{
	memset(rig, 0, sizeof *rig);
	rig->host.clock = clock_create_fake();
	rig->host.source = "focuser.0";
	memcpy(rig->port.port, "/dev/script", sizeof "/dev/script");
	rig->ctx = calloc(1, DRIVER.ctx_size);
	script_pipe_init(&script_pipe_next, steps);
	assert_int_equal(DRIVER.open(rig->ctx, &rig->port, &rig->host, NULL), ERR_OK);
	/* Nothing goes out before somebody asks. */
	assert_int_equal(script_pipe_next.written_len, 0);
}

static void rig_close(struct rig *rig)
{
	if (!script_pipe_done(&script_pipe_next)) {
		fail_msg("sent %s", script_pipe_next.written);
	}
	DRIVER.close(rig->ctx);
	assert_true(script_pipe_next.destroyed);
	DRIVER.close(rig->ctx);
	free(rig->ctx);
	clock_destroy(rig->host.clock);
}

#define KNOWN \
	{":02#", "EOK#", NULL}, {":03#", "F291#", NULL}, {":08#", "M80000#", NULL}, \
		{":83#", "c1#", NULL}, {":24#", "10#", NULL}
#define REST(position) {":01#", "I0#", NULL}, {":00#", position, NULL}
#define NO_PLAY {":74#", "40#", NULL}, {":76#", "50#", NULL}

static void test_identify(void **state)
{
	(void)state;
	static const struct {
		const char *legend, *unasked;
		struct script_step steps[8];
		enum err_code code;
		const char *text; /* identity, or part of the error */
		int32_t max_step;
		bool temperature, tempcomp;
	} rows[] = {
		{"as in the book", "", {KNOWN}, ERR_OK, "myFocuserPro2, firmware 291", 80000, true, true},
		{"boot text", "myFP2 291\r\nready\r\n", {KNOWN}, ERR_OK, "myFocuserPro2, firmware 291",
			80000, true, true},
		{"no probe", "",
			{{":02#", "EOK#", NULL}, {":03#", "F3.1#", NULL}, {":08#", "M2000000#", NULL},
				{":83#", "c0#", NULL}, {":24#", "10#", NULL}},
			ERR_OK, "myFocuserPro2, firmware 3.1", 2000000, false, false},
		{"old firmware", "",
			{{":02#", "EOK#", NULL}, {":03#", "F204#", NULL}, {":08#", "M5000#", NULL},
				{":83#", "", NULL}, {":24#", "", NULL}},
			ERR_OK, "myFocuserPro2, firmware 204", 5000, true, false},
		{"every answer twice, and it compensates", "",
			{{":02#", "EOK#EOK#", NULL}, {":03#", "F291#F291#", NULL},
				{":08#", "M80000#M80000#", NULL}, {":83#", "c1#c1#", NULL},
				{":24#", "11#11#", NULL}},
			ERR_OK, "myFocuserPro2, firmware 291", 80000, true, true},
		{"somebody else's late answer", "",
			{{":02#", "P20000#EOK#", NULL}, {":03#", "F291#", NULL}, {":08#", "M80000#", NULL},
				{":83#", "c1#", NULL}, {":24#", "10#", NULL}},
			ERR_OK, "myFocuserPro2, firmware 291", 80000, true, true},
		{"silence", "", {{":02#", "", NULL}}, ERR_TIMEOUT, "nothing answers on script", 0, false,
			false},
		{"a GPS receiver", "$GPGGA,123519,4807.038,N\r\n", {{0}}, ERR_PROTOCOL,
			"nothing was sent to it", 0, false, false},
		{"a Moonlite controller", "", {{":02#", "00##", NULL}}, ERR_PROTOCOL,
			"is no answer to :02#", 0, false, false},
		{"another language", "", {{":02#", "OnFocus 1.2\r\n", NULL}}, ERR_PROTOCOL,
			"is no answer to :02#", 0, false, false},
		{"no version", "", {{":02#", "EOK#", NULL}, {":03#", "", NULL}}, ERR_TIMEOUT,
			"no answer to :03#", 0, false, false},
		{"a negative limit", "",
			{{":02#", "EOK#", NULL}, {":03#", "F291#", NULL}, {":08#", "M-5#", NULL}},
			ERR_PROTOCOL, "is no answer to :08#", 0, false, false},
		{"no room to move", "",
			{{":02#", "EOK#", NULL}, {":03#", "F291#", NULL}, {":08#", "M0#", NULL}},
			ERR_REFUSED, "highest position is 0", 0, false, false},
		{"unplugged", "", {{":02#", NULL, NULL}}, ERR_IO, "gone", 0, false, false},
		{"unplugged later", "",
			{{":02#", "EOK#", NULL}, {":03#", "F291#", NULL}, {":08#", "M80000#", NULL},
				{":83#", NULL, NULL}},
			ERR_IO, "gone", 0, false, false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct rig rig;
		struct focuser_caps caps;
		struct err err = {.text = ""};
		rig_open(&rig, rows[i].steps);
		script_pipe_feed(&script_pipe_next, rows[i].unasked);
		enum err_code code = DRIVER.identify(rig.ctx, &caps, &err);
		bool good = code == rows[i].code;
		if (good && code == ERR_OK) {
			good = strcmp(caps.identity, rows[i].text) == 0 &&
				caps.max_step == rows[i].max_step &&
				caps.max_increment == rows[i].max_step &&
				caps.has_temperature == rows[i].temperature &&
				caps.has_tempcomp == rows[i].tempcomp &&
				caps.tempcomp_on == (strstr(rows[i].legend, "compensates") != NULL);
		} else if (good) {
			good = strstr(err.text, rows[i].text) != NULL;
		}
		if (!good) {
			fail_msg("%s: %d %s", rows[i].legend, (int)code,
				code == ERR_OK ? caps.identity : err.text);
		}
		rig_close(&rig);
	}
}

/* A try that was cut short is gone on with, and a later one asks for everything again. */
static void test_identify_goes_on(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{":02#", "EOK#", NULL}, {":03#", "", NULL},
		{":03#", "F291#", NULL}, {":08#", "M8", NULL},
		{":08#", "M80000#", NULL}, {":83#", "c1#", NULL}, {":24#", "10#", NULL},
		KNOWN, {0}};
	struct rig rig;
	struct focuser_caps caps;
	rig_open(&rig, steps);
	assert_int_equal(DRIVER.identify(rig.ctx, &caps, NULL), ERR_TIMEOUT);
	assert_int_equal(DRIVER.identify(rig.ctx, &caps, NULL), ERR_PROTOCOL);
	assert_int_equal(DRIVER.identify(rig.ctx, &caps, NULL), ERR_OK);
	assert_int_equal(caps.max_step, 80000);
	assert_int_equal(DRIVER.identify(rig.ctx, &caps, NULL), ERR_OK);
	rig_close(&rig);
}

static void open_known(struct rig *rig, const struct script_step *steps)
{
	struct focuser_caps caps;
	rig_open(rig, steps);
	assert_int_equal(DRIVER.identify(rig->ctx, &caps, NULL), ERR_OK);
}

static struct focuser_reading poll_ok(struct rig *rig, unsigned want)
{
	struct focuser_reading reading;
	struct err err;
	if (DRIVER.poll(rig->ctx, want, &reading, &err) != ERR_OK) {
		fail_msg("%s", err.text);
	}
	return reading;
}

static void test_move_and_halt(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN,
		/* Whether it rests is not known yet. */
		{":01#", "I0#", NULL}, {":0523000#", "", NULL},
		{":01#", "I1#", NULL}, {":00#", "P20100#", NULL},
		{":27#", "", NULL},
		{":01#", "I01#", NULL}, {":00#", "P20110#", NULL},
		{":01#", "I00#", NULL}, {":00#", "P20116#", NULL}, NO_PLAY,
		/* Seen at rest: one command. */
		{":050#", "", NULL},
		{0}};
	struct rig rig;
	open_known(&rig, steps);
	assert_int_equal(DRIVER.start_move(rig.ctx, 23000, NULL), ERR_OK);
	struct focuser_reading reading = poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_true(reading.moving_valid && reading.moving);
	assert_true(reading.position_valid);
	assert_int_equal(reading.position, 20100);
	assert_false(reading.temperature_valid);
	size_t before = script_pipe_next.written_len;
	assert_int_equal(DRIVER.halt(rig.ctx, NULL), ERR_OK);
	assert_int_equal(script_pipe_next.written_len - before, 4);
	assert_true(poll_ok(&rig, FOCUSER_WANT_MOTION).moving);
	reading = poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_false(reading.moving);
	assert_int_equal(reading.position, 20116);
	assert_int_equal(DRIVER.start_move(rig.ctx, 0, NULL), ERR_OK);
	rig_close(&rig);
}

/* A new target while moving: stopped first, because most firmware would ignore it. */
static void test_supersede(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN,
		{":01#", "I1#", NULL}, {":27#", "", NULL}, {":01#", "I1#", NULL}, {":01#", "I0#", NULL},
		{":0520116#", "", NULL}, {0}};
	struct rig rig;
	open_known(&rig, steps);
	assert_int_equal(DRIVER.start_move(rig.ctx, 20116, NULL), ERR_OK);
	rig_close(&rig);
}

/* One lost answer does not fail the start of a move, two do. */
static void test_start_asks_twice(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN,
		{":01#", "", NULL}, {":02#", "EOK#", NULL}, {":01#", "I0#", NULL}, {":055#", "", NULL},
		{":01#", "", NULL}, {":02#", "", NULL},
		{0}};
	struct rig rig;
	open_known(&rig, steps);
	assert_int_equal(DRIVER.start_move(rig.ctx, 5, NULL), ERR_OK);
	assert_int_equal(DRIVER.start_move(rig.ctx, 6, NULL), ERR_TIMEOUT);
	rig_close(&rig);
}

static bool is_urgent(void *ctx)
{
	return *(const bool *)ctx;
}

static void test_nothing_urgent_is_kept_waiting(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN, REST("P5#"), NO_PLAY, {":27#", "", NULL}, {0}};
	struct rig rig;
	struct focuser_reading reading;
	struct focuser_caps caps;
	bool urgent = false;
	rig_open(&rig, steps);
	DRIVER.close(rig.ctx);
	rig.host.urgent = is_urgent;
	rig.host.urgent_ctx = &urgent;
	script_pipe_init(&script_pipe_next, steps);
	assert_int_equal(DRIVER.open(rig.ctx, &rig.port, &rig.host, NULL), ERR_OK);
	assert_int_equal(DRIVER.identify(rig.ctx, &caps, NULL), ERR_OK);
	poll_ok(&rig, FOCUSER_WANT_MOTION);
	urgent = true;
	assert_int_equal(DRIVER.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, NULL), ERR_CANCELLED);
	assert_int_equal(DRIVER.start_move(rig.ctx, 23000, NULL), ERR_CANCELLED);
	assert_int_equal(DRIVER.halt(rig.ctx, NULL), ERR_OK);
	rig_close(&rig);
}

static void test_targets(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN, {0}};
	struct rig rig;
	open_known(&rig, steps);
	assert_int_equal(DRIVER.start_move(rig.ctx, 80001, NULL), ERR_INVALID_VALUE);
	assert_int_equal(DRIVER.start_move(rig.ctx, -1, NULL), ERR_INVALID_VALUE);
	assert_int_equal(DRIVER.set_position(rig.ctx, 80001, NULL), ERR_INVALID_VALUE);
	assert_int_equal(DRIVER.set_position(rig.ctx, -1, NULL), ERR_INVALID_VALUE);
	rig_close(&rig);
}

/* Asked for when wanted, not while moving; a broken probe is no number and no error. */
static void test_temperature(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN,
		{":01#", "I1#", NULL}, {":00#", "P5#", NULL},
		REST("P6#"), {":06#", "Z-2.50#", NULL},
		{":06#", "Z-127.00#", NULL},
		{":06#", "", "Z20.00#"},
		/* The late one is not taken for the next: the greeting is asked between. */
		{":02#", "EOK#", NULL}, {":06#", "Z3.25#", NULL},
		REST("P6#"), NO_PLAY,
		{0}};
	struct rig rig;
	const unsigned both = FOCUSER_WANT_MOTION | FOCUSER_WANT_TEMPERATURE;
	open_known(&rig, steps);
	assert_false(poll_ok(&rig, both).temperature_valid);
	struct focuser_reading reading = poll_ok(&rig, both);
	assert_true(reading.temperature_valid);
	assert_float_equal(reading.temperature_c, -2.5, 0);
	assert_int_equal(reading.position, 6);
	assert_false(poll_ok(&rig, FOCUSER_WANT_TEMPERATURE).temperature_valid);
	assert_false(poll_ok(&rig, FOCUSER_WANT_TEMPERATURE).temperature_valid);
	reading = poll_ok(&rig, FOCUSER_WANT_TEMPERATURE);
	assert_true(reading.temperature_valid);
	assert_float_equal(reading.temperature_c, 3.25, 0);
	poll_ok(&rig, FOCUSER_WANT_MOTION);
	rig_close(&rig);
}

/* A reply that comes after its timeout must not be the answer to the same question asked later. */
static void test_late_reply(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN, REST("P20000#"), NO_PLAY,
		{":01#", "I1#", NULL}, {":00#", "", "P20001#"},
		{":02#", "EOK#", NULL}, {":01#", "I1#", NULL}, {":00#", "P20003#", NULL},
		{":01#", "", "I0#"},
		/* The greeting is late as well; the late answers come before the fresh one. */
		{":02#", "", "EOK#"},
		{":02#", "EOK#", NULL}, {":01#", "I1#", NULL}, {":00#", "P20005#", NULL},
		{0}};
	struct rig rig;
	struct focuser_reading reading = {.position = -7};
	open_known(&rig, steps);
	poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_int_equal(DRIVER.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, NULL), ERR_TIMEOUT);
	assert_int_equal(reading.position, -7);
	assert_int_equal(poll_ok(&rig, FOCUSER_WANT_MOTION).position, 20003);
	assert_int_equal(DRIVER.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, NULL), ERR_TIMEOUT);
	assert_int_equal(DRIVER.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, NULL), ERR_PROTOCOL);
	reading = poll_ok(&rig, FOCUSER_WANT_MOTION);
	assert_true(reading.moving);
	assert_int_equal(reading.position, 20005);
	rig_close(&rig);
}

/* Half an answer, noise, somebody else's: never a number. */
static void test_bad_answers(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"P2", "P", "20000#", "P20 00#", "P2O000#", "\xFE\x80z4?", "M5#", "P2147483648#"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		const struct script_step steps[] = {KNOWN, {":01#", "I1#", NULL}, {":00#", bad[i], NULL},
			{":02#", "EOK#", NULL}, {":01#", "I1#", NULL}, {":00#", "P20003#", NULL}, {0}};
		struct rig rig;
		struct focuser_reading reading = {.position = -7};
		open_known(&rig, steps);
		enum err_code code = DRIVER.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, NULL);
		if (code != ERR_PROTOCOL || reading.position != -7) {
			fail_msg("%s: %d", bad[i], (int)code);
		}
		assert_int_equal(poll_ok(&rig, FOCUSER_WANT_MOTION).position, 20003);
		rig_close(&rig);
	}
}

/* Old firmware cannot tell its backlash; it is asked once, at rest. */
static void test_play_is_looked_up_once(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN,
		{":01#", "I1#", NULL}, {":00#", "P5#", NULL},
		REST("P6#"), {":74#", "", NULL},
		{":02#", "EOK#", NULL}, REST("P6#"),
		{0}};
	struct rig rig;
	open_known(&rig, steps);
	poll_ok(&rig, FOCUSER_WANT_MOTION);
	poll_ok(&rig, FOCUSER_WANT_MOTION);
	poll_ok(&rig, FOCUSER_WANT_MOTION);
	rig_close(&rig);
}

static void test_set_position(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN,
		{":01#", "I0#", NULL}, {":3123000#", "", NULL}, {":00#", "P23000#", NULL},
		{":01#", "I0#", NULL}, {":310#", "", NULL}, {":00#", "P23000#", NULL},
		{":01#", "I1#", NULL},
		{0}};
	struct rig rig;
	struct err err;
	open_known(&rig, steps);
	assert_int_equal(DRIVER.set_position(rig.ctx, 23000, NULL), ERR_OK);
	assert_int_equal(DRIVER.set_position(rig.ctx, 0, &err), ERR_REFUSED);
	assert_non_null(strstr(err.text, "says 23000"));
	assert_int_equal(DRIVER.set_position(rig.ctx, 0, NULL), ERR_INVALID_OPERATION);
	rig_close(&rig);
}

static void test_tempcomp(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN,
		{":231#", "", NULL}, {":24#", "11#", NULL},
		{":230#", "", NULL}, {":24#", "10#", NULL},
		{":231#", "", NULL}, {":24#", "10#", NULL},
		{":231#", "", NULL}, {":24#", "", NULL},
		{0}};
	struct rig rig;
	struct err err;
	open_known(&rig, steps);
	assert_int_equal(DRIVER.set_tempcomp(rig.ctx, true, NULL), ERR_OK);
	assert_int_equal(DRIVER.set_tempcomp(rig.ctx, false, NULL), ERR_OK);
	assert_int_equal(DRIVER.set_tempcomp(rig.ctx, true, &err), ERR_REFUSED);
	assert_non_null(strstr(err.text, "does not switch its temperature compensation on"));
	assert_int_equal(DRIVER.set_tempcomp(rig.ctx, true, NULL), ERR_TIMEOUT);
	rig_close(&rig);
}

static void test_closed(void **state)
{
	(void)state;
	void *ctx = calloc(1, DRIVER.ctx_size);
	struct focuser_caps caps;
	struct focuser_reading reading;
	DRIVER.close(ctx);
	assert_int_equal(DRIVER.identify(ctx, &caps, NULL), ERR_NOT_CONNECTED);
	assert_int_equal(DRIVER.start_move(ctx, 1, NULL), ERR_NOT_CONNECTED);
	assert_int_equal(DRIVER.halt(ctx, NULL), ERR_NOT_CONNECTED);
	assert_int_equal(DRIVER.poll(ctx, FOCUSER_WANT_MOTION, &reading, NULL), ERR_NOT_CONNECTED);
	assert_int_equal(DRIVER.set_position(ctx, 1, NULL), ERR_NOT_CONNECTED);
	assert_int_equal(DRIVER.set_tempcomp(ctx, true, NULL), ERR_NOT_CONNECTED);
	free(ctx);
}

static void test_table(void **state)
{
	(void)state;
	struct focuser_port serial = {.port = "/dev/ttyUSB0"};
	struct focuser_port network = {.port = "tcp://pier:2020"};
	assert_string_equal(DRIVER.name, "myfocuserpro2");
	assert_true(DRIVER.uses_port);
	assert_false(DRIVER.simulated);
	assert_int_equal(DRIVER.open_wait_for(&serial), DRIVER.open_wait_ms);
	assert_int_equal(DRIVER.open_wait_for(&network), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identify),
		cmocka_unit_test(test_identify_goes_on),
		cmocka_unit_test(test_move_and_halt),
		cmocka_unit_test(test_supersede),
		cmocka_unit_test(test_start_asks_twice),
		cmocka_unit_test(test_nothing_urgent_is_kept_waiting),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_temperature),
		cmocka_unit_test(test_late_reply),
		cmocka_unit_test(test_bad_answers),
		cmocka_unit_test(test_play_is_looked_up_once),
		cmocka_unit_test(test_set_position),
		cmocka_unit_test(test_tempcomp),
		cmocka_unit_test(test_closed),
		cmocka_unit_test(test_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
