/* SPDX-License-Identifier: MIT */
/* The focuser without a motor: it knows what a person has said, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "focuser_driver.h"

/* What the host keeps for the driver as long as the server lives. */
static _Alignas(16) unsigned char kept[256];

static void *share(void *ctx, const char *key, size_t size)
{
	(void)ctx;
	assert_string_equal(key, "manual.3");
	assert_true(size <= sizeof kept);
	return kept;
}

static const struct focuser_driver *driver;
static _Alignas(16) unsigned char ctx[256];
static struct driver_host host;
static struct focuser_port port;

static int setup(void **state)
{
	(void)state;
	driver = focuser_driver_find("manual");
	assert_non_null(driver);
	assert_true(driver->ctx_size <= sizeof ctx);
	memset(kept, 0, sizeof kept);
	host = (struct driver_host){.source = "focuser.3", .number = 3, .share = share};
	port = (struct focuser_port){.max_step = 2500, .steps_per_turn = 100};
	return 0;
}

static void open_it(void)
{
	struct err err;
	memset(ctx, 0, sizeof ctx);
	assert_int_equal(driver->open(ctx, &port, &host, &err), ERR_OK);
}

static struct focuser_reading look(void)
{
	struct focuser_reading reading = {0};
	struct err err;
	assert_int_equal(driver->poll(ctx, FOCUSER_WANT_MOTION, &reading, &err), ERR_OK);
	return reading;
}

static void a_position_is_unknown_until_it_is_said(void **state)
{
	(void)state;
	struct err err;
	open_it();
	assert_false(look().position_valid);
	assert_true(look().moving_valid && !look().moving);
	assert_int_equal(driver->set_position(ctx, 325, &err), ERR_OK);
	assert_true(look().position_valid);
	assert_int_equal(look().position, 325);
	driver->close(ctx);
}

static void what_was_said_outlives_the_link(void **state)
{
	(void)state;
	struct err err;
	open_it();
	assert_int_equal(driver->set_position(ctx, 40, &err), ERR_OK);
	driver->close(ctx);
	/* The host's word is of the server before this one, and older. */
	host.stood_known = true;
	host.stood = 7;
	open_it();
	assert_int_equal(look().position, 40);
	driver->close(ctx);
}

static void the_journal_knows_where_it_stood(void **state)
{
	(void)state;
	host.stood_known = true;
	host.stood = 1200;
	open_it();
	assert_true(look().position_valid);
	assert_int_equal(look().position, 1200);
	driver->close(ctx);
}

static void it_never_moves(void **state)
{
	(void)state;
	struct err err;
	struct focuser_caps caps;
	open_it();
	assert_int_equal(driver->set_position(ctx, 500, &err), ERR_OK);
	assert_int_equal(driver->start_move(ctx, 600, &err), ERR_INVALID_OPERATION);
	assert_non_null(strstr(err.text, "no motor"));
	assert_int_equal(driver->halt(ctx, &err), ERR_OK);
	assert_int_equal(look().position, 500);
	assert_int_equal(driver->identify(ctx, &caps, &err), ERR_OK);
	assert_true(driver->by_hand && strstr(caps.move_refusal, "by hand") != NULL);
	assert_true(caps.max_step == 2500 && caps.steps_per_turn == 100 && caps.min_step == 0);
	driver->close(ctx);
}

static void a_position_outside_its_range_is_refused(void **state)
{
	(void)state;
	struct err err;
	open_it();
	assert_int_equal(driver->set_position(ctx, 2501, &err), ERR_INVALID_VALUE);
	assert_non_null(strstr(err.text, "2501"));
	assert_int_equal(driver->set_position(ctx, -1, &err), ERR_INVALID_VALUE);
	assert_false(look().position_valid);
	assert_int_equal(driver->set_position(ctx, 2500, &err), ERR_OK);
	assert_int_equal(driver->set_position(ctx, 0, &err), ERR_OK);
	driver->close(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_position_is_unknown_until_it_is_said, setup),
		cmocka_unit_test_setup(what_was_said_outlives_the_link, setup),
		cmocka_unit_test_setup(the_journal_knows_where_it_stood, setup),
		cmocka_unit_test_setup(it_never_moves, setup),
		cmocka_unit_test_setup(a_position_outside_its_range_is_refused, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
