/* SPDX-License-Identifier: MIT */
/* What is peculiar to a camera that is a command: its time limit, on a clock that the test turns, and the facts that
 * its first frame tells. The frames are grey PGM of two by two pixels, written by the command itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../sim/sim_host.h"
#include "../sim/sim_lend.h"
#include "camera_driver.h"

/* The tests wait for facts, this often (ms). */
#define LOOK_MS 5

struct rig {
	const struct camera_driver *driver;
	struct test_host host;
	struct camera_port port;
	struct camera_caps caps;
	void *ctx;
};

static void rig_init(struct rig *rig, const char *command)
{
	*rig = (struct rig){.driver = camera_driver_find("exec")};
	assert_non_null(rig->driver);
	test_host_init(&rig->host, 1);
	snprintf(rig->port.command, sizeof rig->port.command, "%s", command);
	snprintf(rig->port.frame, sizeof rig->port.frame, "{out}.pgm");
	rig->ctx = calloc(1, rig->driver->ctx_size);
	assert_non_null(rig->ctx);
}

static enum err_code rig_open(struct rig *rig, struct err *err)
{
	memset(rig->ctx, 0, rig->driver->ctx_size);
	return rig->driver->open(rig->ctx, &rig->port, &rig->host.camera, &rig->caps, err);
}

static void rig_fini(struct rig *rig)
{
	rig->driver->close(rig->ctx);
	free(rig->ctx);
	test_host_fini(&rig->host);
}

/* Polls until the exposure is over, one way or the other. */
static void until_ready(struct rig *rig)
{
	struct camera_reading reading = {.state = CAMERA_DRIVER_EXPOSING};
	struct err err;
	while (reading.state != CAMERA_DRIVER_READY) {
		assert_int_equal(rig->driver->poll(rig->ctx, &reading, &err), ERR_OK);
		assert_int_not_equal(reading.state, CAMERA_DRIVER_IDLE);
		poll(NULL, 0, LOOK_MS);
	}
}

static void the_first_frame_tells_the_facts(void **state)
{
	(void)state;
	struct rig rig;
	struct err err = {0};
	rig_init(&rig, "/bin/sh -c 'printf \"P5 3 2 255 ABCDEF\" >{out}.pgm; exit 0' {gain}");
	assert_int_equal(rig_open(&rig, &err), ERR_OK);
	assert_int_equal(rig.caps.width, 3);
	assert_int_equal(rig.caps.height, 2);
	assert_int_equal(rig.caps.frame_type, IMAGE_U8);
	assert_int_equal(rig.caps.max_adu, 255);
	assert_int_equal(rig.caps.sensor_type, 0);
	assert_true(rig.caps.has_gain);
	assert_false(rig.caps.has_shutter);
	assert_string_equal(rig.caps.identity, "Command sh");
	/* The second connect knows them: it runs nothing, which would fail. */
	rig.driver->close(rig.ctx);
	snprintf(rig.port.command, sizeof rig.port.command, "/bin/false {out}");
	assert_int_equal(rig_open(&rig, &err), ERR_OK);
	assert_int_equal(rig.caps.width, 3);
	rig_fini(&rig);
}

static void a_command_beyond_its_time_is_ended(void **state)
{
	(void)state;
	struct rig rig;
	struct err err = {0};
	struct test_lend lend = {0};
	struct frame_info info;
	rig_init(&rig, "/bin/sh -c 'printf \"P5 2 2 255 ABCD\" >{out}.pgm; [ {ms} = 100 ] && exit; echo waiting; "
		"exec sleep 1000'");
	assert_int_equal(rig_open(&rig, &err), ERR_OK);
	const struct exposure_request request = {.duration_s = 2.0, .light = true, .bin = 1, .num_x = 2, .num_y = 2};
	assert_int_equal(test_begin(&lend, rig.driver, rig.ctx, &rig.caps, &request), ERR_OK);
	struct camera_reading reading;
	clock_fake_advance(rig.host.focuser.clock, 35900);
	assert_int_equal(rig.driver->poll(rig.ctx, &reading, &err), ERR_OK);
	assert_int_equal(reading.state, CAMERA_DRIVER_READING);
	/* Three times the exposure and thirty seconds. */
	clock_fake_advance(rig.host.focuser.clock, 100);
	until_ready(&rig);
	assert_int_equal(rig.driver->read_lent(rig.ctx, &info, &err), ERR_TIMEOUT);
	assert_non_null(strstr(err.text, "sh did not end within 36 s and was ended; it said last: "));
	assert_int_equal(rig.driver->poll(rig.ctx, &reading, &err), ERR_OK);
	assert_int_equal(reading.state, CAMERA_DRIVER_IDLE);
	test_lend_fini(&lend);
	rig_fini(&rig);
}

static void what_no_shell_would_run_is_refused(void **state)
{
	(void)state;
	struct rig rig;
	struct err err = {0};
	rig_init(&rig, "rm -rf {out}");
	assert_int_equal(rig_open(&rig, &err), ERR_INVALID_VALUE);
	assert_non_null(strstr(err.text, "whole path of a program, such as /usr/bin/rm"));
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_frame_tells_the_facts),
		cmocka_unit_test(a_command_beyond_its_time_is_ended),
		cmocka_unit_test(what_no_shell_would_run_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
