/* SPDX-License-Identifier: MIT */
/* Calls handlers as the HTTP server calls them, over a core in memory. */
#ifndef FOCUSD_TEST_CALL_FIXTURE_H
#define FOCUSD_TEST_CALL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alpaca_call.h"
#include "fake_core.h"
#include "json.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct fake *fake;
static struct alpaca *alpaca;
static const char *accept_header;
static const char *peer; /* who asks */

static struct http_wait waiting; /* of the last call */

/* What the server does at the end of a request. */
static void forget_wait(void)
{
	if (waiting.data != NULL && waiting.release != NULL) {
		waiting.release(waiting.data);
	} else {
		free(waiting.data);
	}
	memset(&waiting, 0, sizeof waiting);
}

static int setup(void **state)
{
	(void)state;
	fake = fake_create();
	alpaca = alpaca_create(&fake->served);
	accept_header = NULL;
	peer = "10.0.0.2";
	return alpaca == NULL;
}

static int teardown(void **state)
{
	(void)state;
	forget_wait();
	alpaca_destroy(alpaca);
	fake_free(fake);
	return 0;
}

static const char *header(const struct http_request *req, const char *name)
{
	(void)req;
	return strcmp(name, "Accept") == 0 ? accept_header : NULL;
}

/* One answer; text is good until the next. */
struct answer {
	enum http_result result;
	int status;
	char content_type[64];
	char text[4096];
	size_t len;
	char allow[160];
};

static struct answer turn(
	enum http_verb verb, const char *path, const char *form, struct http_wait *wait)
{
	struct http_request req = {.verb = verb,
		.verb_text = "?",
		.path = path,
		.query = span_of(""),
		.body = span_of(""),
		.content_type = "",
		.header = header,
		.wait = wait};
	snprintf(req.peer, sizeof req.peer, "%s", peer);
	*(verb == HTTP_PUT ? &req.body : &req.query) = span_of(form);
	struct http_response res;
	memset(&res, 0, sizeof res);
	struct answer answer = {.result = alpaca_handle(alpaca, &req, &res)};
	answer.status = res.status;
	snprintf(answer.content_type, sizeof answer.content_type, "%s",
		res.content_type != NULL ? res.content_type : "");
	if (res.header_count > 0) {
		snprintf(answer.allow, sizeof answer.allow, "%s", res.header_value[0]);
	}
	if (res.stream.read != NULL) {
		/* Small reads find mistakes at the seams. */
		ssize_t n;
		while ((n = res.stream.read(
				res.stream.arg, answer.len, answer.text + answer.len, 3)) > 0) {
			answer.len += (size_t)n;
		}
		assert_int_equal(answer.len, res.stream.size);
		res.stream.release(res.stream.arg);
	} else {
		answer.len = res.body.len;
		assert_true(answer.len < sizeof answer.text);
		memcpy(answer.text, buf_text(&res.body), answer.len);
	}
	buf_fini(&res.body);
	return answer;
}

static struct answer ask(enum http_verb verb, const char *path, const char *form)
{
	forget_wait();
	return turn(verb, path, form, &waiting);
}

static inline struct answer again(enum http_verb verb, const char *path, const char *form)
{
	waiting.resumed = true;
	return turn(verb, path, form, &waiting);
}

static inline struct answer get(const char *member)
{
	char path[128];
	snprintf(path, sizeof path, "/api/v1/%s", member);
	return ask(HTTP_GET, path, "ClientID=3&ClientTransactionID=21");
}

static struct answer put(const char *member, const char *form)
{
	char path[128];
	snprintf(path, sizeof path, "/api/v1/%s", member);
	return ask(HTTP_PUT, path, form);
}

/* The ErrorNumber of an envelope, after checking the envelope. */
static int number(const struct answer *answer)
{
	assert_int_equal(answer->result, HTTP_DONE);
	assert_int_equal(answer->status, 200);
	assert_string_equal(answer->content_type, "application/json");
	struct err err;
	struct json *json = json_parse(span_of(answer->text), &err);
	assert_non_null(json);
	int32_t error = -1;
	int32_t ignored;
	const char *message = NULL;
	assert_true(json_as_i32(json_get(json, "ErrorNumber"), &error));
	assert_true(json_as_string(json_get(json, "ErrorMessage"), &message));
	assert_true(json_as_i32(json_get(json, "ClientTransactionID"), &ignored));
	assert_true(json_as_i32(json_get(json, "ServerTransactionID"), &ignored));
	assert_true(ignored > 0);
	assert_true((error == 0) == (message[0] == '\0'));
	json_free(json);
	return error;
}

static inline void assert_has(const struct answer *answer, const char *needle)
{
	if (strstr(answer->text, needle) == NULL) {
		fail_msg("\"%s\" is not in \"%s\"", needle, answer->text);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

#endif
