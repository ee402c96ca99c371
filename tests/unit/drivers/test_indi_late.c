/* SPDX-License-Identifier: MIT */
/*
 * What an INDI camera does too late: it never begins, it never ends, its picture does not come.  The driver's clock is
 * wrapped, so that minutes pass at once; only calls that do not wait are made while it is ahead of life.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "camera_driver.h"
#include "clock.h"
#include "indi_upstream.h"
#include "lone_host.h"

static _Atomic int64_t ahead_ms;

int64_t __real_clock_now_ms(struct clock *clock);
int64_t __wrap_clock_now_ms(struct clock *clock);
int64_t __wrap_clock_now_ms(struct clock *clock)
{
	return __real_clock_now_ms(clock) + atomic_load(&ahead_ms);
}

static max_align_t shape[256];

static void *share(void *ctx, const char *key, size_t size)
{
	(void)ctx;
	(void)key;
	assert_true(size <= sizeof shape);
	return shape;
}

static bool is_urgent(void *ctx)
{
	(void)ctx;
	return false;
}

struct rig {
	const struct camera_driver *driver;
	struct indi_upstream server;
	struct driver_host host;
	struct camera_port port;
	struct camera_caps caps;
	void *ctx;
};

static void begin(struct rig *r, enum indi_upstream_fault fault)
{
	struct err err = {.text = ""};
	*r = (struct rig){.driver = camera_driver_find("indi")};
	memset(shape, 0, sizeof shape);
	atomic_store(&ahead_ms, 0);
	r->server.bits = 16;
	atomic_store(&r->server.fault, fault);
	indi_upstream_start(&r->server);
	r->host = (struct driver_host){.clock = clock_real(), .source = "camera.0", .urgent = is_urgent,
		.urgent_fd = -1, .share = share};
	lone_host_fill(&r->host);
	snprintf(r->port.port, sizeof r->port.port, "tcp://127.0.0.1:%d", r->server.port);
	r->ctx = calloc(1, r->driver->ctx_size);
	assert_non_null(r->ctx);
	enum err_code code = r->driver->open(r->ctx, &r->port, &r->host, &r->caps, &err);
	for (int i = 0; i < 20 && (code == ERR_OK || code == ERR_TIMEOUT); i++) {
		code = r->driver->identify(r->ctx, &r->caps, &err);
		if (code == ERR_OK) {
			break;
		}
	}
	if (code != ERR_OK) {
		fail_msg("%s", err.text);
	}
	struct exposure_request request = {.duration_s = 0.1, .light = true, .bin = 1, .num_x = r->caps.width,
		.num_y = r->caps.height, .gain = r->caps.gain_default};
	assert_int_equal(r->driver->start_exposure(r->ctx, &request, &err), ERR_OK);
}

static void end(struct rig *r)
{
	atomic_store(&ahead_ms, 0);
	r->driver->close(r->ctx);
	free(r->ctx);
	indi_upstream_stop(&r->server);
}

static enum err_code poll_at(struct rig *r, int64_t later_ms, struct camera_reading *out, struct err *err)
{
	atomic_store(&ahead_ms, later_ms);
	return r->driver->poll(r->ctx, out, err);
}

/* Polls, without a lead, until the driver is in this state. */
static void until(struct rig *r, enum camera_driver_state state)
{
	struct camera_reading reading;
	struct err err;
	int64_t deadline = __real_clock_now_ms(clock_real()) + 30000;
	do {
		assert_int_equal(r->driver->poll(r->ctx, &reading, &err), ERR_OK);
		assert_true(__real_clock_now_ms(clock_real()) < deadline);
	} while (reading.state != state);
}

/* Contract of the driver: BEGIN_MS is 15 s, PICTURE_MS 120 s after the exposure's 0.1 s. */
static void a_camera_that_does_nothing_is_given_up(void **state)
{
	(void)state;
	struct rig r;
	struct camera_reading reading;
	struct frame_info info;
	struct err err = {.text = ""};
	begin(&r, INDI_UPSTREAM_DEAF);
	assert_int_equal(poll_at(&r, 14000, &reading, &err), ERR_OK);
	assert_int_not_equal(reading.state, CAMERA_DRIVER_READY);
	assert_int_equal(poll_at(&r, 16000, &reading, &err), ERR_OK);
	/* It may be exposed again: nothing was begun. */
	assert_int_equal(reading.state, CAMERA_DRIVER_READY);
	assert_int_equal(r.driver->read_lent(r.ctx, &info, &err), ERR_TIMEOUT);
	assert_non_null(strstr(err.text, "does nothing"));
	end(&r);
}

static void wait_for_a_picture(enum indi_upstream_fault fault)
{
	struct rig r;
	struct camera_reading reading;
	struct err err = {.text = ""};
	begin(&r, fault);
	until(&r, CAMERA_DRIVER_READING);
	assert_int_equal(poll_at(&r, 119000, &reading, &err), ERR_OK);
	assert_int_equal(reading.state, CAMERA_DRIVER_READING);
	assert_int_equal(poll_at(&r, 121000, &reading, &err), ERR_TIMEOUT);
	assert_non_null(strstr(err.text, "120 s"));
	/* It is final, until core aborts. */
	assert_int_equal(poll_at(&r, 122000, &reading, &err), ERR_TIMEOUT);
	assert_int_equal(r.driver->abort(r.ctx, &err), ERR_OK);
	assert_int_equal(r.driver->poll(r.ctx, &reading, &err), ERR_OK);
	assert_int_equal(reading.state, CAMERA_DRIVER_IDLE);
	end(&r);
}

static void a_camera_that_stays_busy_is_given_up(void **state)
{
	(void)state;
	wait_for_a_picture(INDI_UPSTREAM_HANGS);
}

static void a_picture_that_does_not_come_is_given_up(void **state)
{
	(void)state;
	wait_for_a_picture(INDI_UPSTREAM_NO_PICTURE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_camera_that_does_nothing_is_given_up),
		cmocka_unit_test(a_camera_that_stays_busy_is_given_up),
		cmocka_unit_test(a_picture_that_does_not_come_is_given_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
