/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "json.h"

static void writes(void **state)
{
	(void)state;
	struct buf buf;
	buf_init(&buf, 4096);
	struct json_writer w;
	json_begin(&w, &buf);
	json_object(&w);
	json_key_int(&w, "a", -5);
	json_key_double(&w, "b", NAN);
	json_key(&w, "c");
	json_array(&w);
	json_bool(&w, true);
	json_string(&w, "q\"\\\n\x01\xFF");
	json_object(&w);
	json_end_object(&w);
	json_end_array(&w);
	json_key_string(&w, "d", NULL);
	json_end_object(&w);
	assert_string_equal(buf_text(&buf), "{\"a\":-5,\"b\":null,\"c\":[true,\"q\\\"\\\\???\",{}],\"d\":null}");
	buf_fini(&buf);
}

static void reads(void **state)
{
	(void)state;
	struct err err;
	struct json *json = json_parse(span_of(" {\"x\": 3, \"s\": \"t\", \"f\": 1.5, \"b\": true} "), &err);
	assert_non_null(json);
	assert_true(json_is_object(json));
	int32_t i = 0;
	double d = 0;
	bool b = false;
	const char *s = NULL;
	assert_true(json_as_i32(json_get(json, "x"), &i));
	assert_int_equal(i, 3);
	assert_false(json_as_i32(json_get(json, "f"), &i));
	assert_true(json_as_double(json_get(json, "f"), &d) && d == 1.5);
	assert_true(json_as_bool(json_get(json, "b"), &b) && b);
	assert_true(json_as_string(json_get(json, "s"), &s));
	assert_null(json_get(json, "X"));
	const char *name;
	const struct json *value;
	assert_true(json_member(json, 3, &name, &value));
	assert_string_equal(name, "b");
	assert_false(json_member(json, 4, &name, &value));
	json_free(json);
	static const char *const bad[] = {"", "{", "{\"a\":1} x", "nul", "{\"a\":}", "\xFF",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"};
	for (size_t n = 0; n < sizeof bad / sizeof bad[0]; n++) {
		err.code = ERR_OK;
		assert_null(json_parse(span_of(bad[n]), &err));
		assert_int_equal(err.code, ERR_INVALID_VALUE);
	}
}

/* RFC 8259: inside a string a bracket is a character like any other. */
static void brackets_in_strings_do_not_nest(void **state)
{
	(void)state;
	struct err err;
	struct json *json = json_parse(
		span_of("{\"s\":\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"}"), &err);
	assert_non_null(json);
	json_free(json);
	/* Nor do they make up for nesting that is too deep. */
	assert_null(json_parse(span_of("[\"]]]]]]]]]]\","
				       "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]"
				       "]]]]]]]]]]]]]]]]]]]"), &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(writes), cmocka_unit_test(reads),
		cmocka_unit_test(brackets_in_strings_do_not_nest)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
