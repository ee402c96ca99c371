/* SPDX-License-Identifier: MIT */
/* Walks the lists of drivers: what core relies on is there, and names are unique. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "camera_driver.h"
#include "focuser_driver.h"

static void check_name(const char *name, const char *title)
{
	assert_non_null(name);
	assert_true(strlen(name) > 0 && strlen(name) < 32);
	assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789"), strlen(name));
	assert_non_null(title);
	assert_true(strlen(title) > 0 && strlen(title) < 64);
}

static void test_focusers(void **state)
{
	(void)state;
	for (size_t i = 0; focuser_drivers[i] != NULL; i++) {
		const struct focuser_driver *d = focuser_drivers[i];
		check_name(d->name, d->title);
		assert_ptr_equal(focuser_driver_find(d->name), d);
		assert_true(d->ctx_size > 0);
		assert_true(d->open != NULL && d->identify != NULL && d->close != NULL);
		assert_true(d->start_move != NULL && d->halt != NULL && d->poll != NULL);
		assert_true(d->poll_moving_ms > 0 && d->poll_idle_ms > 0 && d->poll_temperature_ms > 0);
		assert_true(d->speed_floor_steps_per_s > 0.0);
	}
	assert_null(focuser_driver_find("nosuch"));
	assert_null(focuser_driver_find(""));
	assert_non_null(focuser_driver_find("simulator"));
}

static void test_cameras(void **state)
{
	(void)state;
	for (size_t i = 0; camera_drivers[i] != NULL; i++) {
		const struct camera_driver *d = camera_drivers[i];
		check_name(d->name, d->title);
		assert_ptr_equal(camera_driver_find(d->name), d);
		assert_true(d->ctx_size > 0);
		assert_true(d->open != NULL && d->close != NULL && d->start_exposure != NULL);
		assert_true(d->poll != NULL && d->abort != NULL);
		assert_true((d->read_frame != NULL) != (d->lend_frame != NULL && d->read_lent != NULL));
	}
	assert_null(camera_driver_find("nosuch"));
	assert_non_null(camera_driver_find("simulator"));
	assert_true(camera_driver_find("replay")->owns_position);
	assert_false(camera_driver_find("simulator")->owns_position);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_focusers),
		cmocka_unit_test(test_cameras),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
