/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alpaca_call.h"
#include "camera.h"
#include "focuser.h"
#include "discovery.h"
#include "http_guard.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Fields as application/x-www-form-urlencoded has them, and what clients that do not encode send.
 */
static void fields_are_decoded(void **state)
{
	(void)state;
	static const struct {
		const char *form, *name;
		bool any_case;
		int result;
		const char *value;
	} cases[] = {
		{"Position=100", "Position", false, 0, "100"},
		{"ClientID=1&Position=100", "Position", false, 0, "100"},
		{"position=100", "Position", false, -1, ""},
		{"clientid=7", "ClientID", true, 0, "7"},
		{"Action=a+b%20c", "Action", false, 0, "a b c"},
		{"P=%7B%22step%22%3A+5%7d", "P", false, 0, "{\"step\": 5}"},
		{"P={\"a\":1}", "P", false, 0, "{\"a\":1}"},
		{"P=100%", "P", false, 0, "100%"},
		{"P=%zz", "P", false, 0, "%zz"},
		{"P=a=b", "P", false, 0, "a=b"},
		{"P", "P", false, 0, ""},
		{"P=", "P", false, 0, ""},
		{"P=1&P=2", "P", false, 0, "1"},
		{"&&P=1&", "P", false, 0, "1"},
		{"%50=1", "P", false, 0, "1"},
		{"", "P", false, -1, ""},
		{"PP=1", "P", false, -1, ""},
		{"P=%00", "P", false, -2, ""},
		{"P=%ff", "P", false, -2, ""},
		{"P=%C3%A9", "P", false, 0, "\xC3\xA9"},
		{"P=123456789012345678901234567890123", "P", false, -2, ""},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char out[32];
		int got = http_field(
			span_of(cases[i].form), cases[i].name, cases[i].any_case, out, sizeof out);
		assert_int_equal(got, cases[i].result);
		if (got == 0) {
			assert_string_equal(out, cases[i].value);
		}
	}
}

/* Bad paths of the checker's protocol test and what the specification calls them. */
static void paths_are_strict(void **state)
{
	(void)state;
	struct alpaca_path path;
	struct err err;
	assert_int_equal(alpaca_path_parse("/api/v1/focuser/0/position", &path, &err), ERR_OK);
	assert_ptr_equal(path.kind->kind, &focuser_kind);
	assert_int_equal(path.number, 0);
	assert_true(span_equal(path.member, "position"));
	assert_int_equal(alpaca_path_parse("/api/v1/camera/12/gain", &path, &err), ERR_OK);
	assert_ptr_equal(path.kind->kind, &camera_kind);
	assert_int_equal(path.number, 12);
	static const char *const bad[] = {"/api", "/api/", "/api/v1", "/api/v1/",
		"/api/v2/focuser/0/name", "/api/V1/focuser/0/name", "/api/1/focuser/0/name",
		"/api/v/focuser/0/name", "/API/v1/focuser/0/name", "/api/v1/FOCUSER/0/name",
		"/api/v1/Focuser/0/name", "/api/v1/baddevicetype/0/name", "/api/v1/focuser/-1/name",
		"/api/v1/focuser/A/name", "/api/v1/focuser//name", "/api/v1/focuser/00/name",
		"/api/v1/focuser/00x/name", "/api/v1/focuser/4294967296/name", "/api/v1/focuser/0",
		"/api/v1/focuser/0/", "/api/v1/focuser/0/name/", "/api/v1/focuser/0/name/x",
		"//api/v1/focuser/0/name"};
	for (size_t i = 0; i < COUNT(bad); i++) {
		err.text[0] = '\0';
		assert_int_equal(alpaca_path_parse(bad[i], &path, &err), ERR_INVALID_VALUE);
		assert_true(strlen(err.text) > 20);
	}
}

/* The eight bad-id calls of the protocol test, and the good ones. */
static void ids_are_checked(void **state)
{
	(void)state;
	struct alpaca_ids ids;
	struct err err;
	static const char *const bad[] = {"ClientID=", "ClientID=     ", "ClientID=-12345",
		"ClientID=NASDAQ", "ClientTransactionID=", "ClientTransactionID=%20%20",
		"ClientTransactionID=-67890", "ClientTransactionID=qweqwe", "ClientID=4294967296",
		"ClientID=1.0", "ClientID=+1"};
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(
			alpaca_ids_parse(span_of(bad[i]), false, &ids, &err), ERR_INVALID_VALUE);
	}
	assert_int_equal(alpaca_ids_parse(span_of(""), true, &ids, &err), ERR_OK);
	assert_int_equal(ids.client, 0);
	assert_int_equal(ids.transaction, 0);
	assert_int_equal(alpaca_ids_parse(span_of("clientid=4294967295&CLIENTTRANSACTIONID=67890"),
				 true, &ids, &err),
		ERR_OK);
	assert_int_equal(ids.client, 4294967295U);
	assert_int_equal(ids.transaction, 67890);
	/* In a PUT another spelling is another parameter. */
	assert_int_equal(
		alpaca_ids_parse(span_of("clienttransactionid=67890"), false, &ids, &err), ERR_OK);
	assert_int_equal(ids.transaction, 0);
}

static void parameters_explain_themselves(void **state)
{
	(void)state;
	static const struct {
		const char *body, *query, *content_type, *needle; /* needle NULL: accepted */
	} cases[] = {
		{"Position=-5", "", "", NULL},
		{"Position=%2B5", "", "", NULL},
		{"Position=1.0", "", "", "whole number"},
		{"Position=", "", "", "whole number"},
		{"Position=abc", "", "", "\"abc\""},
		{"Position=99999999999", "", "",
			"must be from -2147483648 to 2147483647, not 99999999999"},
		{"Position=1e3", "", "", "whole number"},
		{"position=5", "", "", "must be exactly Position"},
		{"", "Position=5", "", "not in the URL"},
		{"{\"Position\":5}", "", "application/json", "not as JSON"},
		{"", "", "",
			"missing: it must be a whole number, in the body of the PUT as a form, as in Position=1000"},
	};
	const struct param param = {"Position", PARAM_I32, false};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_request req = {.body = span_of(cases[i].body),
			.query = span_of(cases[i].query),
			.content_type = cases[i].content_type};
		struct param_value value;
		struct err err = {.code = ERR_OK};
		enum err_code code = alpaca_param_parse(&req, &param, &value, &err);
		if (cases[i].needle == NULL) {
			assert_int_equal(code, ERR_OK);
		} else {
			assert_int_equal(code, ERR_INVALID_VALUE);
			assert_non_null(strstr(err.text, cases[i].needle));
		}
	}
}

static void hosts_are_ours_or_refused(void **state)
{
	(void)state;
	struct http_guard guard;
	http_guard_init(&guard, "focusd", "observatory.example, pier.lan");
	snprintf(guard.host_full, sizeof guard.host_full, "raspi");
	snprintf(guard.host_name, sizeof guard.host_name, "raspi");
	static const char *const good[] = {"192.168.1.5", "192.168.1.5:11111", "[::1]:11111",
		"[fe80::1%25eth0]:80", "[fe80::1]", "localhost", "LOCALHOST:11111", "raspi",
		"Raspi.local:11111", "raspi.local.", "focusd.local", "focusd:80", "pier.lan:11111",
		"observatory.example"};
	static const char *const bad[] = {"", "evil.example", "raspi.evil.example",
		"localhost.evil", "127.0.0.1.evil", "1.2.3", "[::1", "[::1]x", "raspi:80x",
		"example", ".local", "observatory", "lan"};
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_true(http_guard_host_ok(&guard, good[i]));
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_false(http_guard_host_ok(&guard, bad[i]));
	}
	assert_true(http_guard_host_ok(&guard, NULL));
	/* Home routers give the machine's name a domain of their own; the resolver knows it. */
	assert_false(http_guard_host_ok(&guard, "raspi.fritz.box"));
	snprintf(guard.domains, sizeof guard.domains, "fritz.box home.arpa ");
	assert_true(http_guard_host_ok(&guard, "Raspi.Fritz.Box:11111"));
	assert_true(http_guard_host_ok(&guard, "raspi.home.arpa."));
	static const char *const foreign[] = {"raspi.box", "fritz.box", "other.fritz.box", "raspi.evil.fritz.box",
		"raspi.fritz.box.evil", "xraspi.fritz.box", "raspi.fritz.boxx", "raspi..fritz.box"};
	for (size_t i = 0; i < COUNT(foreign); i++) {
		assert_false(http_guard_host_ok(&guard, foreign[i]));
	}
	assert_true(http_guard_origin_ok(&guard, "raspi:11111", NULL, NULL));
	assert_true(
		http_guard_origin_ok(&guard, "raspi:11111", "http://raspi:11111", "same-origin"));
	assert_true(http_guard_origin_ok(&guard, "raspi:11111", "https://pier.lan", NULL));
	assert_false(http_guard_origin_ok(&guard, "raspi:11111", "http://evil.example", NULL));
	assert_false(http_guard_origin_ok(&guard, "raspi:11111", "http://raspi:8080", NULL));
	assert_false(http_guard_origin_ok(&guard, "raspi:11111", "null", NULL));
	assert_false(http_guard_origin_ok(&guard, "raspi:11111", NULL, "cross-site"));
}

static void strange_names_are_told_once(void **state)
{
	(void)state;
	struct http_names names = {.count = 0};
	char out[128];
	assert_true(http_names_note(&names, span_of("Pier.Fritz.Box"), out));
	assert_string_equal(out, "pier.fritz.box");
	assert_false(http_names_note(&names, span_of("pier.fritz.box"), out));
	assert_false(http_names_note(&names, span_of(""), out));
	assert_false(http_names_note(&names, span_of("a b"), out));
	assert_false(http_names_note(&names, span_of("a\nb"), out));
	for (int i = 1; i < HTTP_NAMES_MAX; i++) {
		char name[16];
		snprintf(name, sizeof name, "name%d", i);
		assert_true(http_names_note(&names, span_of(name), out));
	}
	assert_false(http_names_note(&names, span_of("one-too-many"), out));
}

static void search_domains_come_from_the_resolver(void **state)
{
	(void)state;
	struct http_guard guard;
	http_guard_init(&guard, NULL, NULL);
	assert_string_equal(guard.domains, "");
	/* LOCALDOMAIN stands for the "search" of resolv.conf(5). */
	assert_int_equal(setenv("LOCALDOMAIN", "fritz.box home.arpa", 1), 0);
	http_guard_add_domains(&guard);
	assert_string_equal(guard.domains, "fritz.box home.arpa ");
	unsetenv("LOCALDOMAIN");
}

/* The memory of starts alone, case by case; section 8.2 of the contract. */
static void starts_by_the_rule(void **state)
{
	(void)state;
	struct starts *starts = starts_create();
	int camera;
	int focuser;
	static const char expose[] = "startexposure";
	static const char action[] = "action";
	const struct start_key key = {&camera, "10.0.0.2", 5, 9, expose, span_of("Duration=1")};
	starts_begin(starts);
	assert_null(starts_first_answer(starts, &key, 7).data);
	starts_remember(starts, &key, 7, span_of("done"));
	struct span first = starts_first_answer(starts, &key, 7);
	assert_true(span_equal(first, "done"));
	/* Over, or followed by another. */
	assert_null(starts_first_answer(starts, &key, 0).data);
	assert_null(starts_first_answer(starts, &key, 8).data);
	/* Each part of the key alone. */
	for (int part = 0; part < 6; part++) {
		struct start_key other = key;
		other.device = part == 0 ? &focuser : key.device;
		other.peer = part == 1 ? "10.0.0.3" : key.peer;
		other.client = part == 2 ? 6 : key.client;
		other.transaction = part == 3 ? 10 : key.transaction;
		other.member = part == 4 ? action : key.member;
		other.body = part == 5 ? span_of("Duration=2") : key.body;
		assert_null(starts_first_answer(starts, &other, 7).data);
	}
	/* Another device changes nothing; a newer start of the same device takes the place. */
	struct start_key second = key;
	second.device = &focuser;
	starts_remember(starts, &second, 1, span_of("other"));
	assert_true(span_equal(starts_first_answer(starts, &key, 7), "done"));
	struct start_key newer = key;
	newer.transaction = 10;
	starts_remember(starts, &newer, 8, span_of("newer"));
	assert_null(starts_first_answer(starts, &key, 7).data);
	assert_true(span_equal(starts_first_answer(starts, &newer, 8), "newer"));
	/* One without ids is not remembered, and neither is the one before it. */
	newer.client = 0;
	starts_remember(starts, &newer, 9, span_of("nobody"));
	assert_null(starts_first_answer(starts, &newer, 9).data);
	newer.client = 5;
	assert_null(starts_first_answer(starts, &newer, 8).data);
	assert_true(span_equal(starts_first_answer(starts, &second, 1), "other"));
	starts_end(starts);
	starts_destroy(starts);
}

static void discovery_requests(void **state)
{
	(void)state;
	assert_true(discovery_is_request("alpacadiscovery1", 16));
	assert_true(discovery_is_request("alpacadiscovery1 and more", 25));
	assert_false(discovery_is_request("alpacadiscovery", 15));
	assert_false(discovery_is_request("alpacadiscovery2", 16));
	assert_false(discovery_is_request("Alpacadiscovery1", 16));
	assert_false(discovery_is_request("", 0));
}

/* RFC 9112, sections 3.2 and 6.3. */
static void framing(void **state)
{
	(void)state;
	static const struct {
		const char *headers[6]; /* name, value, ... */
		bool good;
	} cases[] = {
		{{"Host", "a"}, true},
		{{"Host", "a", "Content-Length", "0"}, true},
		{{"HOST", "a", "content-length", "999999999999999999"}, true},
		{{"Host", "a", "Transfer-Encoding", "Chunked"}, true},
		{{"Accept", "a"}, false},
		{{"Host", "a", "host", "a"}, false},
		{{"Host", "a", "Content-Length", "5", "Content-Length", "5"}, false},
		{{"Host", "a", "Content-Length", "5", "Transfer-Encoding", "chunked"}, false},
		{{"Host", "a", "Transfer-Encoding", "chunked", "Transfer-Encoding", "chunked"}, false},
		{{"Host", "a", "Transfer-Encoding", "gzip"}, false},
		{{"Host", "a", "Transfer-Encoding", "gzip, chunked"}, false},
		{{"Host", "a", "Transfer-Encoding", ""}, false},
		{{"Host", "a", "Content-Length", ""}, false},
		{{"Host", "a", "Content-Length", "+5"}, false},
		{{"Host", "a", "Content-Length", "5, 5"}, false},
		{{"Host", "a", "Content-Length", "0x5"}, false},
		{{"Host", "a", "Content-Length", "9999999999999999999"}, false},
		{{"Host", "a", "Content-Length ", "5"}, false},
		{{"Host", "a", "X\tY", "5"}, false},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_framing seen = {.hosts = 0};
		for (int k = 0; k < 6 && cases[i].headers[k] != NULL; k += 2) {
			http_framing_add(&seen, span_of(cases[i].headers[k]),
				span_of(cases[i].headers[k + 1]));
		}
		const char *fault = http_framing_fault(&seen, false);
		if ((fault == NULL) != cases[i].good) {
			fail_msg("case %zu: %s", i, fault != NULL ? fault : "good");
		}
	}
	struct http_framing none = {.hosts = 0};
	assert_null(http_framing_fault(&none, true)); /* HTTP/1.0 may leave Host out */
	none.codings = 1;
	assert_non_null(http_framing_fault(&none, true)); /* and has no codings */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_decoded),
		cmocka_unit_test(paths_are_strict),
		cmocka_unit_test(ids_are_checked),
		cmocka_unit_test(parameters_explain_themselves),
		cmocka_unit_test(hosts_are_ours_or_refused),
		cmocka_unit_test(strange_names_are_told_once),
		cmocka_unit_test(search_domains_come_from_the_resolver),
		cmocka_unit_test(framing),
		cmocka_unit_test(starts_by_the_rule),
		cmocka_unit_test(discovery_requests),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
