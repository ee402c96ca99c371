/* SPDX-License-Identifier: MIT */
/*
 * The driver's exact bytes, against a script; packets are those of the published descriptions of the AUX
 * bus, each with its checksum as written there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "celestron_driver.h"
#include "script_pipe.h"

#define DRIVER celestron_driver

#define STEP(request, reply) {request, reply, NULL}

#define VERSION "3B 03 20 12 FE CD "
#define VERSION_IS "3B 07 12 20 FE 07 0F 20 30 63 "
#define STATE "3B 03 20 12 2B A0 "
#define STATE_DONE "3B 05 12 20 2B 01 00 9D "
#define STATE_IDLE "3B 05 12 20 2B 00 00 9E "
#define LIMITS "3B 03 20 12 2C 9F "
#define LIMITS_ARE "3B 0B 12 20 2C 00 00 07 D0 00 00 9C 40 E4 "
#define LIMITS_NONE "3B 0B 12 20 2C 00 00 00 00 00 00 00 00 97 "
#define POSITION "3B 03 20 12 01 CA "
#define AT_20000 "3B 06 12 20 01 00 4E 20 59 "
#define AT_MINUS_1000 "3B 06 12 20 01 FF FC 18 B4 "
#define SLEW_DONE "3B 03 20 12 13 B8 "
#define IDLE "3B 04 12 20 13 FF B8 "
#define MOVING "3B 04 12 20 13 00 B7 "
#define GOTO_23000 "3B 06 20 12 02 00 59 D8 95 "
#define GOTO_ACK "3B 04 12 20 02 01 C7 "
#define GOTO_BARE_ACK "3B 03 12 20 02 C9 "
#define GOTO_REFUSED "3B 04 12 20 02 00 C8 "
#define STOP "3B 04 20 12 24 00 A6 "
#define STOP_ACK "3B 04 12 20 24 01 A5 "
#define CALIBRATE "3B 04 20 12 2A 01 9F "
#define CALIBRATE_ACK "3B 04 12 20 2A 01 9F "

#define KNOWN \
	STEP(VERSION, VERSION_IS), STEP(STATE, STATE_DONE), STEP(LIMITS, LIMITS_ARE), STEP(POSITION, AT_20000)

struct rig {
	struct driver_host host;
	struct focuser_port port;
	void *ctx;
	struct focuser_caps caps;
};

static void rig_open(struct rig *rig, const struct script_step *steps)
{
	memset(rig, 0, sizeof *rig);
	rig->host.clock = clock_create_fake();
	rig->host.source = "focuser.0";
	memcpy(rig->port.port, "/dev/script", sizeof "/dev/script");
	rig->ctx = calloc(1, DRIVER.ctx_size);
	script_pipe_init(&script_pipe_next, steps);
	script_pipe_next.hex = true;
	script_pipe_next.baud = 19200;
	struct err err = {0};
	if (DRIVER.open(rig->ctx, &rig->port, &rig->host, &err) != ERR_OK) {
		fail_msg("%s", err.text);
	}
	/* Nothing goes out before somebody asks. */
	assert_int_equal(script_pipe_next.written_len, 0);
}

static void rig_close(struct rig *rig)
{
	assert_true(script_pipe_done(&script_pipe_next));
	DRIVER.close(rig->ctx);
	assert_true(script_pipe_next.destroyed);
	DRIVER.close(rig->ctx);
	free(rig->ctx);
	clock_destroy(rig->host.clock);
}

static void test_identify(void **state)
{
	(void)state;
	static const struct {
		const char *legend;
		struct script_step steps[6];
		enum err_code code;
		const char *text; /* part of the identity, of the refusal or of the error */
		bool refuses;
	} rows[] = {
		{"as in the book", {KNOWN}, ERR_OK, "7.15", false},
		{"its own echo first",
			{STEP(VERSION, VERSION VERSION_IS), STEP(STATE, STATE STATE_DONE),
				STEP(LIMITS, LIMITS LIMITS_ARE), STEP(POSITION, POSITION AT_20000)},
			ERR_OK, "7.15", false},
		{"not calibrated",
			{STEP(VERSION, VERSION_IS), STEP(STATE, STATE_IDLE), STEP(LIMITS, LIMITS_NONE),
				STEP(POSITION, AT_MINUS_1000)},
			ERR_OK, "alibrat", true},
		{"a PlaneWave EFA", {STEP(VERSION, "3B 05 12 20 FE 01 07 C3 ")}, ERR_PROTOCOL,
			"PlaneWave", false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct rig rig;
		struct err err = {0};
		rig_open(&rig, rows[i].steps);
		enum err_code code = DRIVER.identify(rig.ctx, &rig.caps, &err);
		const char *told = code != ERR_OK ? err.text : rows[i].refuses ? rig.caps.move_refusal
									     : rig.caps.identity;
		if (code != rows[i].code || strstr(told, rows[i].text) == NULL) {
			fail_msg("%s: %d, %s", rows[i].legend, (int)code, told);
		}
		if (code == ERR_OK && !rows[i].refuses) {
			assert_int_equal(rig.caps.min_step, 2000);
			assert_int_equal(rig.caps.max_step, 40000);
			assert_int_equal(rig.caps.steps_per_turn, 1000);
			assert_string_equal(rig.caps.move_refusal, "");
		}
		rig_close(&rig);
	}
}

/* The acknowledgement comes with and without a byte; a byte of zero is a refusal. */
static void test_goto(void **state)
{
	(void)state;
	static const struct {
		struct script_step steps[6];
		enum err_code code;
	} rows[] = {
		{{KNOWN, STEP(GOTO_23000, GOTO_ACK)}, ERR_OK},
		{{KNOWN, STEP(GOTO_23000, GOTO_BARE_ACK)}, ERR_OK},
		{{KNOWN, STEP(GOTO_23000, GOTO_REFUSED)}, ERR_REFUSED},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct rig rig;
		rig_open(&rig, rows[i].steps);
		assert_int_equal(DRIVER.identify(rig.ctx, &rig.caps, NULL), ERR_OK);
		assert_int_equal(DRIVER.start_move(rig.ctx, 23000, NULL), rows[i].code);
		rig_close(&rig);
	}
}

static void test_halt_is_one_packet(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN, STEP(STOP, STOP_ACK), {.request = NULL}};
	struct rig rig;
	rig_open(&rig, steps);
	assert_int_equal(DRIVER.identify(rig.ctx, &rig.caps, NULL), ERR_OK);
	assert_int_equal(DRIVER.halt(rig.ctx, NULL), ERR_OK);
	rig_close(&rig);
}

/* While another's packet and a false beginning lie between question and answer. */
static void test_poll(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN,
		STEP(SLEW_DONE, "3B 03 04 10 01 E8 3B " MOVING),
		STEP(POSITION, AT_20000), {.request = NULL}};
	struct rig rig;
	rig_open(&rig, steps);
	assert_int_equal(DRIVER.identify(rig.ctx, &rig.caps, NULL), ERR_OK);
	struct focuser_reading reading = {0};
	assert_int_equal(DRIVER.poll(rig.ctx, FOCUSER_WANT_MOTION, &reading, NULL), ERR_OK);
	assert_true(reading.moving_valid && reading.moving);
	assert_true(reading.position_valid);
	assert_int_equal(reading.position, 20000);
	rig_close(&rig);
}

/* Only source and destination tell the echo of "calibrate" from its acknowledgement. */
static void test_calibrate_is_not_fooled_by_its_echo(void **state)
{
	(void)state;
	static const struct script_step steps[] = {KNOWN, STEP(CALIBRATE, CALIBRATE CALIBRATE_ACK),
		{.request = NULL}};
	static const struct script_step echo_only[] = {KNOWN, STEP(CALIBRATE, CALIBRATE),
		{.request = NULL}};
	struct rig rig;
	rig_open(&rig, steps);
	assert_int_equal(DRIVER.identify(rig.ctx, &rig.caps, NULL), ERR_OK);
	assert_int_equal(DRIVER.calibrate(rig.ctx, true, NULL), ERR_OK);
	rig_close(&rig);
	rig_open(&rig, echo_only);
	assert_int_equal(DRIVER.identify(rig.ctx, &rig.caps, NULL), ERR_OK);
	assert_int_not_equal(DRIVER.calibrate(rig.ctx, true, NULL), ERR_OK);
	DRIVER.close(rig.ctx);
	free(rig.ctx);
	clock_destroy(rig.host.clock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identify),
		cmocka_unit_test(test_goto),
		cmocka_unit_test(test_halt_is_one_packet),
		cmocka_unit_test(test_poll),
		cmocka_unit_test(test_calibrate_is_not_fooled_by_its_echo),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
