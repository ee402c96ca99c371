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
		{"Position=99999999999", "", "", "whole number"},
		{"position=5", "", "", "upper and lower case"},
		{"", "Position=5", "", "not in the URL"},
		{"{\"Position\":5}", "", "application/json", "not as JSON"},
		{"", "", "", "missing"},
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

/* The rule of the contract, section 8.2, case by case. */
static void retries_by_the_rule(void **state)
{
	(void)state;
	struct retry_table *table = retry_create();
	int focuser;
	int camera;
	static const char move[] = "move";
	static const char halt[] = "halt";
	struct retry_key key = {&focuser, "10.0.0.2", 5, 9, move, span_of("Position=1")};
	struct retry_ticket first;
	struct retry_ticket ticket;
	struct buf answer;
	buf_init(&answer, 100);
	assert_int_equal(retry_note(table, &key, 15000, 1000, &first), RETRY_NEW);
	assert_true(first.serial != 0);
	/* Still running: joins. */
	assert_int_equal(retry_note(table, &key, 15000, 2000, &ticket), RETRY_AGAIN);
	assert_int_equal(ticket.serial, first.serial);
	assert_int_equal(retry_fetch(table, ticket, &answer), RETRY_PENDING);
	assert_true(retry_answered(table, first, span_of("done")));
	assert_int_equal(retry_fetch(table, ticket, &answer), RETRY_READY);
	assert_string_equal(buf_text(&answer), "done");
	/* Exactly 15 s after the first is still a retry; later is not. */
	assert_int_equal(retry_note(table, &key, 15000, 16000, &ticket), RETRY_AGAIN);
	assert_int_equal(retry_note(table, &key, 15000, 16001, &first), RETRY_NEW);
	/* Another body, transaction, client, peer, device or member is another request. */
	struct retry_key other = key;
	other.body = span_of("Position=2");
	assert_int_equal(retry_note(table, &other, 15000, 17000, &ticket), RETRY_NEW);
	/* ... and the one before is no longer the latest. */
	assert_int_equal(retry_note(table, &key, 15000, 17100, &first), RETRY_NEW);
	other = key;
	other.client = 6;
	assert_int_equal(retry_note(table, &other, 15000, 17200, &ticket), RETRY_NEW);
	other = key;
	other.peer = "10.0.0.3";
	assert_int_equal(retry_note(table, &other, 15000, 17200, &ticket), RETRY_NEW);
	other = key;
	other.device = &camera;
	assert_int_equal(retry_note(table, &other, 15000, 17200, &ticket), RETRY_NEW);
	/* Other clients and devices change nothing for this one. */
	assert_int_equal(retry_note(table, &key, 15000, 17300, &ticket), RETRY_AGAIN);
	/* A halt in between does. */
	other = key;
	other.member = halt;
	assert_int_equal(retry_note(table, &other, 0, 17400, &ticket), RETRY_NEW);
	assert_int_equal(ticket.serial, 0);
	assert_int_equal(retry_note(table, &key, 15000, 17500, &ticket), RETRY_NEW);
	/* Without ids nothing is a retry. */
	key.client = 0;
	assert_int_equal(retry_note(table, &key, 15000, 18000, &ticket), RETRY_NEW);
	assert_int_equal(retry_note(table, &key, 15000, 18000, &ticket), RETRY_NEW);
	key.client = 5;
	key.transaction = 0;
	assert_int_equal(retry_note(table, &key, 15000, 18000, &ticket), RETRY_NEW);
	assert_int_equal(retry_note(table, &key, 15000, 18000, &ticket), RETRY_NEW);
	buf_fini(&answer);
	retry_destroy(table);
}

static void retries_are_bounded(void **state)
{
	(void)state;
	struct retry_table *table = retry_create();
	static const char move[] = "move";
	struct retry_ticket first = {.slot = 0, .serial = 0};
	for (uint32_t i = 1; i <= 1000; i++) {
		struct retry_key key = {table, "::1", i, i, move, span_of("Position=1")};
		struct retry_ticket ticket;
		assert_int_equal(retry_note(table, &key, 15000, i, &ticket), RETRY_NEW);
		if (i == 1) {
			first = ticket;
		}
		retry_answered(table, ticket, span_of("x"));
	}
	struct buf answer;
	buf_init(&answer, 100);
	assert_int_equal(retry_fetch(table, first, &answer), RETRY_GONE);
	buf_fini(&answer);
	retry_destroy(table);
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
		cmocka_unit_test(retries_by_the_rule),
		cmocka_unit_test(retries_are_bounded),
		cmocka_unit_test(discovery_requests),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
