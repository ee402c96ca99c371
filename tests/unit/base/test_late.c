/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "late.h"

static struct {
	__typeof__(&crc32) crc32;
	__typeof__(&zlibVersion) version;
} late;

static void functions_of_a_library_can_be_called(void **state)
{
	(void)state;
	static const struct late_symbol symbols[] = {{"crc32", &late.crc32}, {"zlibVersion", &late.version}};
	struct err err = {0};
	assert_int_equal(late_load(LATE_LIBRARY, symbols, 2, &err), ERR_OK);
	/* The check value of CRC-32 in the catalogue of parametrised CRC algorithms (Cook). */
	assert_int_equal(late.crc32(0, (const unsigned char *)"123456789", 9), 0xCBF43926);
	assert_string_equal(late.version(), ZLIB_VERSION);
}

static void a_library_that_is_not_there_is_named(void **state)
{
	(void)state;
	struct err err = {0};
	assert_int_equal(late_load("libfocusd-none.so.7", NULL, 0, &err), ERR_IO);
	assert_non_null(strstr(err.text, "libfocusd-none.so.7 cannot be loaded"));
	assert_non_null(strstr(err.text, "install it again"));
}

static void a_function_that_is_not_there_is_named(void **state)
{
	(void)state;
	void (*none)(void) = NULL;
	struct late_symbol symbols[] = {{"focusd_has_no_such_function", &none}};
	struct err err = {0};
	assert_int_equal(late_load(LATE_LIBRARY, symbols, 1, &err), ERR_IO);
	assert_non_null(strstr(err.text, "has no focusd_has_no_such_function"));
	assert_null(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_of_a_library_can_be_called),
		cmocka_unit_test(a_library_that_is_not_there_is_named),
		cmocka_unit_test(a_function_that_is_not_there_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
