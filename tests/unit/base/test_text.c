/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* The value grammar of Alpaca, alpaca.md 1.3. */
static void numbers_whole_or_nothing(void **state)
{
	(void)state;
	uint32_t u = 7;
	assert_true(text_parse_u32(span_of("4294967295"), &u));
	assert_int_equal(u, 4294967295U);
	static const char *const bad_u[] = {"", " ", "-12345", "+1", "4294967296", "1.0", "abc", "1 "};
	for (size_t i = 0; i < sizeof bad_u / sizeof bad_u[0]; i++) {
		assert_false(text_parse_u32(span_of(bad_u[i]), &u));
	}
	int32_t s = 0;
	assert_true(text_parse_i32(span_of("-2147483648"), &s));
	assert_int_equal(s, INT32_MIN);
	assert_true(text_parse_i32(span_of("+5"), &s));
	assert_int_equal(s, 5);
	static const char *const bad_i[] = {"", "2147483648", "-2147483649", "1e3", "12,345", "--1", "-"};
	for (size_t i = 0; i < sizeof bad_i / sizeof bad_i[0]; i++) {
		assert_false(text_parse_i32(span_of(bad_i[i]), &s));
	}
	assert_int_equal(s, 5);
	double d = 0;
	assert_true(text_parse_double(span_of("1E-05"), &d));
	assert_true(d == 1e-5);
	assert_true(text_parse_double(span_of("-.5"), &d));
	static const char *const bad_d[] = {
		"", "nan", "inf", "0x1p3", "1,5", " 1", "1 ", "1e999", "1e", ".", "1.2.3", "+-1"};
	for (size_t i = 0; i < sizeof bad_d / sizeof bad_d[0]; i++) {
		assert_false(text_parse_double(span_of(bad_d[i]), &d));
	}
	bool b = false;
	assert_true(text_parse_bool(span_of("True"), &b) && b);
	assert_true(text_parse_bool(span_of("fALSE"), &b) && !b);
	assert_false(text_parse_bool(span_of("1"), &b));
	assert_false(text_parse_bool(span_of("yes"), &b));
}

static void buffer_has_a_ceiling(void **state)
{
	(void)state;
	struct buf buf;
	buf_init(&buf, 10);
	buf_puts(&buf, "12345");
	buf_printf(&buf, "%s", "67890");
	assert_false(buf.failed);
	assert_string_equal(buf_text(&buf), "1234567890");
	buf_putc(&buf, 'x');
	assert_true(buf.failed);
	assert_string_equal(buf_text(&buf), "1234567890");
	buf_clear(&buf);
	assert_string_equal(buf_text(&buf), "");
	buf_fini(&buf);
}

static void utf8(void **state)
{
	(void)state;
	assert_true(text_is_utf8(span_of("Sp\xC3\xA4tz \xE2\x82\xAC \xF0\x9F\x94\xAD")));
	static const char *const bad[] = {
		"\xC3", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF", "\x80", "a\xE2\x82"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(text_is_utf8(span_of(bad[i])));
	}
	char out[6];
	text_copy_clean(out, sizeof out, "ab\xFF" "d\xE2\x82\xAC");
	assert_string_equal(out, "ab?d");
}

static void shortest_double(void **state)
{
	(void)state;
	char out[32];
	text_print_double(out, 0.1);
	assert_string_equal(out, "0.1");
	text_print_double(out, 1.0 / 3.0);
	assert_true(strtod(out, NULL) == 1.0 / 3.0);
	text_print_double(out, 100);
	assert_string_equal(out, "100");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_whole_or_nothing),
		cmocka_unit_test(buffer_has_a_ceiling),
		cmocka_unit_test(utf8),
		cmocka_unit_test(shortest_double),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
