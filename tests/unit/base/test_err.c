/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "err.h"

/* Alpaca API Reference, table of error numbers; the upper ranges are the project's contract. */
static void numbers(void **state)
{
	(void)state;
	static const struct {
		enum err_code code;
		int number;
	} rows[] = {
		{ERR_OK, 0}, {ERR_NOT_IMPLEMENTED, 0x400}, {ERR_INVALID_VALUE, 0x401},
		{ERR_VALUE_NOT_SET, 0x402}, {ERR_NOT_CONNECTED, 0x407},
		{ERR_INVALID_OPERATION, 0x40B}, {ERR_ACTION_NOT_IMPLEMENTED, 0x40C},
		{ERR_CANCELLED, 0x40E}, {ERR_INTERNAL, 0x4FF}, {ERR_NOMEM, 0x4FF}, {ERR_IO, 0x500},
		{ERR_TIMEOUT, 0x501}, {ERR_PROTOCOL, 0x502}, {ERR_REFUSED, 0x503},
		{ERR_STALLED, 0x504}, {ERR_NO_STARS, 0x510}, {ERR_BAD_FIT, 0x511},
		{ERR_NO_MINIMUM, 0x512}, {ERR_VALIDATION, 0x513}, {ERR_FOCUSER, 0x514},
		{ERR_CAMERA, 0x515},
	};
	assert_int_equal(sizeof rows / sizeof rows[0], ERR_CODE_COUNT);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(err_alpaca_number(rows[i].code), rows[i].number);
		assert_string_not_equal(err_name(rows[i].code), "unknown");
	}
}

static void text_is_kept_and_cut(void **state)
{
	(void)state;
	struct err err = {0};
	assert_int_equal(err_set(&err, ERR_REFUSED, "said %d", 7), ERR_REFUSED);
	assert_string_equal(err.text, "said 7");
	/* The old text may be part of the new one. */
	err_set(&err, ERR_IO, "port: %s", err.text);
	assert_string_equal(err.text, "port: said 7");
	assert_int_equal(err_set(NULL, ERR_IO, "x"), ERR_IO);

	char longer[600];
	memset(longer, 'a', sizeof longer);
	longer[sizeof longer - 1] = '\0';
	/* A two-byte character across the cut must go as a whole. */
	longer[238] = (char)0xC3;
	longer[239] = (char)0xA9;
	err_set(&err, ERR_IO, "%s", longer);
	assert_int_equal(strlen(err.text), 238);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(text_is_kept_and_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
