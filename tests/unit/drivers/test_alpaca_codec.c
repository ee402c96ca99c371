/* SPDX-License-Identifier: MIT */
/* What is read without a network: places in the configuration, and the answers of other servers.  Shapes and numbers
 * are those of the Alpaca API reference; the odd ones are of servers that exist or must be expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "alpaca_answer.h"
#include "alpaca_place.h"
#include "alpaca_search.h"

static void test_places(void **state)
{
	(void)state;
	static const struct {
		const char *port, *device, *host;
		int tcp, number;
		const char *unique_id;
	} rows[] = {
		{"192.168.1.20:11111/0", "", "192.168.1.20", 11111, 0, ""},
		{"pier.local", "", "pier.local", 11111, -1, ""},
		{"pier.local:80", "2", "pier.local", 80, 2, ""},
		{"tcp://10.0.0.7:6800/3", "", "10.0.0.7", 6800, 3, ""},
		{"alpaca://10.0.0.7/3", "3", "10.0.0.7", 11111, 3, ""},
		{"http://10.0.0.7:6800/", "", "10.0.0.7", 6800, -1, ""},
		{"[::1]:4000/1", "", "::1", 4000, 1, ""},
		{"[fe80::1%eth0]", "", "fe80::1%eth0", 11111, -1, ""},
		{"10.0.0.7:1/4", "5b0c5f0e-6d3c", "10.0.0.7", 1, 4, "5b0c5f0e-6d3c"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct alpaca_place place;
		struct err err;
		assert_int_equal(alpaca_place_read(rows[i].port, rows[i].device, &place, &err), ERR_OK);
		assert_false(place.search);
		assert_string_equal(place.host, rows[i].host);
		assert_int_equal(place.port, rows[i].tcp);
		assert_int_equal(place.number, rows[i].number);
		assert_string_equal(place.unique_id, rows[i].unique_id);
	}
}

static void test_searches(void **state)
{
	(void)state;
	struct alpaca_place place;
	struct err err;
	assert_int_equal(alpaca_place_read("auto", "", &place, &err), ERR_OK);
	assert_true(place.search);
	assert_int_equal(place.discovery_port, 32227);
	assert_int_equal(alpaca_place_read("auto:4711", "abc-1", &place, &err), ERR_OK);
	assert_true(place.search);
	assert_int_equal(place.discovery_port, 4711);
	assert_string_equal(place.unique_id, "abc-1");
}

static void test_what_is_no_place(void **state)
{
	(void)state;
	static const char *const rows[] = {"", "/", "/0", ":80", "host:", "host:0", "host:65536", "host:80:81",
		"host/x", "host/-1", "host/0/1", "host/1000000", "ftp://host", "user@host", "host?x", "ho st", "[::1",
		"[]", "::1", "auto:", "auto:0", "auto:70000", "auto:x"};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct alpaca_place place;
		struct err err = {.code = ERR_OK};
		if (alpaca_place_read(rows[i], "", &place, &err) != ERR_INVALID_VALUE || err.text[0] == '\0') {
			fail_msg("'%s' was taken for a place", rows[i]);
		}
	}
	struct alpaca_place place;
	struct err err;
	assert_int_equal(alpaca_place_read("host/1", "2", &place, &err), ERR_INVALID_VALUE);
}

static enum err_code read_text(long status, const char *body, struct alpaca_answer *out, struct err *err)
{
	return alpaca_answer_read(status, span_of(body), "focuser/0/x", out, err);
}

static void test_values(void **state)
{
	(void)state;
	struct alpaca_answer answer;
	struct err err;
	int32_t whole;
	double number;
	bool flag;
	const char *text;
	assert_int_equal(read_text(200, "{\"Value\":12500,\"ServerTransactionID\":3077,\"ErrorNumber\":0,"
		"\"ErrorMessage\":\"\"}", &answer, &err), ERR_OK);
	assert_int_equal(answer.server_id, 3077);
	assert_int_equal(alpaca_answer_int(&answer, "x", &whole, &err), ERR_OK);
	assert_int_equal(whole, 12500);
	assert_int_equal(alpaca_answer_double(&answer, "x", &number, &err), ERR_OK);
	assert_true(number == 12500.0);
	assert_int_equal(alpaca_answer_bool(&answer, "x", &flag, &err), ERR_PROTOCOL);
	assert_int_equal(alpaca_answer_text(&answer, "x", &text, &err), ERR_PROTOCOL);
	alpaca_answer_fini(&answer);
	/* Names in another case, no number of the error, no id. */
	assert_int_equal(read_text(200, "{\"value\":true}", &answer, &err), ERR_OK);
	assert_int_equal(answer.server_id, 0);
	assert_int_equal(alpaca_answer_bool(&answer, "x", &flag, &err), ERR_OK);
	assert_true(flag);
	alpaca_answer_fini(&answer);
	/* A PUT has no value. */
	assert_int_equal(read_text(200, "{\"ErrorNumber\":0,\"ErrorMessage\":null}", &answer, &err), ERR_OK);
	assert_int_equal(alpaca_answer_int(&answer, "x", &whole, &err), ERR_PROTOCOL);
	assert_non_null(strstr(err.text, "missing"));
	alpaca_answer_fini(&answer);
	static const char *const no_ints[] = {"1.5", "1e99", "\"7\"", "null", "2147483648", "[]", "true"};
	for (size_t i = 0; i < sizeof no_ints / sizeof no_ints[0]; i++) {
		char body[64];
		snprintf(body, sizeof body, "{\"Value\":%s}", no_ints[i]);
		assert_int_equal(read_text(200, body, &answer, &err), ERR_OK);
		assert_int_equal(alpaca_answer_int(&answer, "x", &whole, &err), ERR_PROTOCOL);
		alpaca_answer_fini(&answer);
	}
}

static void test_errors(void **state)
{
	(void)state;
	static const struct {
		int number;
		enum err_code code;
		int passed_on;
	} rows[] = {
		{0x400, ERR_NOT_IMPLEMENTED, 0x400},
		{0x401, ERR_INVALID_VALUE, 0x401},
		{0x402, ERR_VALUE_NOT_SET, 0x402},
		{0x407, ERR_NOT_CONNECTED, 0x407},
		{0x408, ERR_REFUSED, 0x408},
		{0x40B, ERR_INVALID_OPERATION, 0x40B},
		{0x40C, ERR_ACTION_NOT_IMPLEMENTED, 0x40C},
		{0x40E, ERR_REFUSED, 0x40E},
		{0x4FF, ERR_REFUSED, 0x4FF},
		{0x500, ERR_REFUSED, 0x500},
		{0xFFF, ERR_REFUSED, 0xFFF},
		/* Numbers that the standard does not allow are not passed on. */
		{7, ERR_REFUSED, 0},
		{-1, ERR_REFUSED, 0},
		{0x1000, ERR_REFUSED, 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char body[128];
		struct alpaca_answer answer;
		struct err err;
		snprintf(body, sizeof body,
			"{\"Value\":0,\"ServerTransactionID\":5,\"ErrorNumber\":%d,"
			"\"ErrorMessage\":\"Stuck.\\nReally\"}", rows[i].number);
		assert_int_equal(read_text(200, body, &answer, &err), rows[i].code);
		assert_null(answer.json);
		assert_int_equal(answer.server_id, 5);
		assert_int_equal(err.number, rows[i].passed_on);
		assert_non_null(strstr(err.text, "Stuck. Really"));
	}
}

static void test_what_is_no_answer(void **state)
{
	(void)state;
	static const struct {
		long status;
		const char *body;
		enum err_code code;
		const char *says;
	} rows[] = {
		{200, "", ERR_PROTOCOL, "JSON"},
		{200, "<html>", ERR_PROTOCOL, "JSON"},
		{200, "[1]", ERR_PROTOCOL, "object"},
		{200, "{\"Value\":1", ERR_PROTOCOL, "JSON"},
		{200, "{\"Value\":1,\"ErrorNumber\":\"0\"}", ERR_PROTOCOL, "ErrorNumber"},
		{404, "no such member", ERR_NOT_IMPLEMENTED, "no such member"},
		{404, "<html>lost</html>", ERR_NOT_IMPLEMENTED, "404"},
		{400, "Position is missing", ERR_PROTOCOL, "Position is missing"},
		{500, "{\"Value\":1,\"ErrorNumber\":0}", ERR_PROTOCOL, "500"},
		{301, "", ERR_PROTOCOL, "301"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct alpaca_answer answer;
		struct err err;
		assert_int_equal(read_text(rows[i].status, rows[i].body, &answer, &err), rows[i].code);
		assert_null(answer.json);
		assert_int_equal(err.number, 0);
		if (strstr(err.text, rows[i].says) == NULL) {
			fail_msg("'%s' does not say '%s'", err.text, rows[i].says);
		}
	}
}

static void test_lists(void **state)
{
	(void)state;
	struct alpaca_answer answer;
	struct alpaca_listed listed;
	struct err err;
	assert_int_equal(read_text(200, "{\"Value\":[{\"DeviceName\":\"A\",\"DeviceType\":\"Focuser\","
		"\"DeviceNumber\":3,\"UniqueID\":\"u\"},7,{\"DeviceNumber\":-2}]}", &answer, &err), ERR_OK);
	assert_true(alpaca_answer_device(&answer, 0, &listed));
	assert_string_equal(listed.name, "A");
	assert_string_equal(listed.type, "Focuser");
	assert_string_equal(listed.unique_id, "u");
	assert_int_equal(listed.number, 3);
	for (int i = 1; i < 3; i++) {
		assert_true(alpaca_answer_device(&answer, i, &listed));
		assert_int_equal(listed.number, -1);
	}
	assert_false(alpaca_answer_device(&answer, 3, &listed));
	alpaca_answer_fini(&answer);
	assert_int_equal(read_text(200, "{\"Value\":{}}", &answer, &err), ERR_OK);
	assert_false(alpaca_answer_device(&answer, 0, &listed));
	alpaca_answer_fini(&answer);
}

static void test_answers_to_a_search(void **state)
{
	(void)state;
	assert_int_equal(alpaca_search_port(span_of("{\"AlpacaPort\":11111}")), 11111);
	assert_int_equal(alpaca_search_port(span_of("{ \"alpacaport\" : 80 }\r\n")), 80);
	static const char *const wrong[] = {"", "alpacadiscovery1", "11111", "{\"AlpacaPort\":\"11111\"}",
		"{\"AlpacaPort\":0}", "{\"AlpacaPort\":65536}", "{\"AlpacaPort\":80.5}", "{}"};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		assert_int_equal(alpaca_search_port(span_of(wrong[i])), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_searches),
		cmocka_unit_test(test_what_is_no_place),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_what_is_no_answer),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_answers_to_a_search),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
