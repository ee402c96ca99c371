/* SPDX-License-Identifier: MIT */
/* Expectations: one request, one reply; input older than the request is never its answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "clock.h"
#include "exchange.h"
#include "moonlite_codec.h"
#include "script_pipe.h"
#include "trace.h"

static int64_t soon(void)
{
	return clock_now_ms(clock_real()) + 1000;
}

static void begin(struct script_pipe *script, struct exchange *x, const struct script_step *steps)
{
	script_pipe_init(script, steps);
	exchange_init(x, &script->base, 9600, 10);
}

static enum err_code ask(struct exchange *x, const char *request, struct span *frame,
	struct err *err)
{
	return exchange_ask(x, span_of(request), moonlite_scan, frame, soon(), err);
}

static void test_answer(void **state)
{
	(void)state;
	static const struct script_step steps[] = {{":GP#", "4E20#", NULL}, {0}};
	struct script_pipe script;
	struct exchange x;
	struct span frame;
	begin(&script, &x, steps);
	assert_int_equal(ask(&x, ":GP#", &frame, NULL), ERR_OK);
	assert_true(span_equal(frame, "4E20#"));
	assert_true(script_pipe_done(&script));
}

static void test_old_input_is_dropped(void **state)
{
	(void)state;
	static const struct script_step steps[] = {{":GP#", "4E20#", NULL}, {0}};
	struct script_pipe script;
	struct exchange x;
	struct span frame;
	begin(&script, &x, steps);
	script_pipe_feed(&script, "0001#");
	assert_int_equal(ask(&x, ":GP#", &frame, NULL), ERR_OK);
	assert_true(span_equal(frame, "4E20#"));
}

static void test_what_follows_the_frame_is_not_the_next_answer(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{":GV#", "00##0001#", NULL}, {":GP#", "4E20#", NULL}, {0}};
	struct script_pipe script;
	struct exchange x;
	struct span frame;
	begin(&script, &x, steps);
	assert_int_equal(ask(&x, ":GV#", &frame, NULL), ERR_OK);
	assert_true(span_equal(frame, "00#"));
	assert_int_equal(exchange_next(&x, moonlite_scan, &frame, soon(), NULL), ERR_OK);
	assert_true(span_equal(frame, "0001#"));
	assert_int_equal(ask(&x, ":GP#", &frame, NULL), ERR_OK);
	assert_true(span_equal(frame, "4E20#"));
}

static void test_silence_and_garbage(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{":GP#", "", NULL}, {":GP#", "4E2", NULL}, {":GP#", "\xF0\x01#", NULL},
		{":GP#", NULL, NULL}, {0}};
	struct script_pipe script;
	struct exchange x;
	struct span frame = {NULL, 0};
	struct err err;
	begin(&script, &x, steps);
	assert_int_equal(ask(&x, ":GP#", &frame, &err), ERR_TIMEOUT);
	assert_string_equal(err.text, "script: no answer to :GP#");
	assert_true(x.unsettled);
	script.longest_wait_ms = 0;
	assert_int_equal(ask(&x, ":GP#", &frame, &err), ERR_PROTOCOL);
	assert_string_equal(err.text, "script: \"4E2\" is no answer to :GP#");
	assert_true(span_equal(exchange_rest(&x), "4E2"));
	assert_int_equal(ask(&x, ":GP#", &frame, &err), ERR_PROTOCOL);
	assert_string_equal(err.text, "script: \"\\xF0\\x01#\" is no answer to :GP#");
	assert_int_equal(ask(&x, ":GP#", &frame, &err), ERR_IO);
	assert_null(frame.data);
}

static void test_flood_ends(void **state)
{
	(void)state;
	static const struct script_step steps[] = {{":GP#", "", NULL}, {0}};
	struct script_pipe script;
	struct exchange x;
	struct span frame;
	static char flood[EXCHANGE_ROOM + 1];
	memset(flood, 'z', EXCHANGE_ROOM);
	begin(&script, &x, steps);
	script.late = flood;
	assert_int_equal(ask(&x, ":GP#", &frame, NULL), ERR_PROTOCOL);
}

/* 10 ms after a reply, and after a silent command also the time that it is on the wire: 7 bytes at
 * 9600 baud are 7.3 ms. */
static void test_pause_between_commands(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{":SN4E20#", "", NULL}, {":FG#", "", NULL}, {":GI#", "00#", NULL},
		{":GP#", "4E20#", NULL}, {0}};
	struct script_pipe script;
	struct exchange x;
	struct span frame;
	begin(&script, &x, steps);
	int64_t before = clock_now_ms(clock_real());
	assert_int_equal(exchange_tell(&x, span_of(":SN4E20#"), soon(), NULL), ERR_OK);
	assert_true(x.ready_ms >= before + 19);
	assert_int_equal(exchange_tell(&x, span_of(":FG#"), soon(), NULL), ERR_OK);
	assert_int_equal(ask(&x, ":GI#", &frame, NULL), ERR_OK);
	assert_true(x.ready_ms >= before + 11);
	assert_true(x.ready_ms <= clock_now_ms(clock_real()) + 11);
	assert_int_equal(ask(&x, ":GP#", &frame, NULL), ERR_OK);
	assert_true(script_pipe_done(&script));
}

/* A question after a missed answer lets the line fall quiet first; a command does not. */
static void test_settles_before_questions_only(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{":GP#", "", NULL}, {":FQ#", "", NULL}, {":GP#", "4E20#", NULL}, {0}};
	struct script_pipe script;
	struct exchange x;
	struct span frame;
	begin(&script, &x, steps);
	assert_int_equal(ask(&x, ":GP#", &frame, NULL), ERR_TIMEOUT);
	x.ready_ms = 0;
	script.longest_wait_ms = 0;
	assert_int_equal(exchange_tell(&x, span_of(":FQ#"), soon(), NULL), ERR_OK);
	assert_int_equal(script.longest_wait_ms, 0);
	assert_int_equal(ask(&x, ":GP#", &frame, NULL), ERR_OK);
	assert_true(script.longest_wait_ms > 100 && script.longest_wait_ms <= 150);
	assert_false(x.unsettled);
}

struct noted {
	char text[200];
};

static void note(void *ctx, char direction, const void *data, size_t len)
{
	struct noted *noted = ctx;
	char text[100];
	trace_escape(text, sizeof text, data, len);
	size_t used = strlen(noted->text);
	snprintf(noted->text + used, sizeof noted->text - used, "%c%s ", direction, text);
}

static void test_trace_sees_every_byte(void **state)
{
	(void)state;
	static const struct script_step steps[] = {{":GP#", "4E20#", NULL}, {0}};
	struct script_pipe script;
	struct exchange x;
	struct span frame;
	struct noted noted = {""};
	script_pipe_init(&script, steps);
	script_pipe_feed(&script, "\r\x80\\");
	struct transport *traced = trace_wrap(&script.base, note, &noted);
	exchange_init(&x, traced, 9600, 10);
	assert_int_equal(ask(&x, ":GP#", &frame, NULL), ERR_OK);
	assert_string_equal(noted.text, "<\\x0D\\x80\\\\ >:GP# <4E20# ");
	assert_string_equal(traced->ops->describe(traced), "script");
	traced->ops->destroy(traced);
	assert_true(script.destroyed);
}

static void test_escape(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		size_t cap;
		const char *out;
	} rows[] = {
		{"", 8, ""},
		{":GP#", 8, ":GP#"},
		{"1234567", 8, "1234567"},
		{"12345678", 8, "1234..."},
		{"\xFF", 8, "\\xFF"},
		{"\xFF\xFF", 12, "\\xFF\\xFF"},
		{"\xFF\xFF", 8, "\\xFF..."},
		{"a\nb", 16, "a\\x0Ab"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char out[32];
		memset(out, '!', sizeof out);
		trace_escape(out, rows[i].cap, rows[i].in, strlen(rows[i].in));
		assert_string_equal(out, rows[i].out);
		assert_int_equal(out[rows[i].cap], '!');
	}
}

/* Urgent from the n-th time it is asked on. */
static bool urgent_later(void *ctx)
{
	int *calls_left = ctx;
	return --*calls_left < 0;
}

static void test_urgent(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{":FQ#", "", NULL}, {":GP#", "", NULL}, {":GI#", "00#", NULL}, {0}};
	struct script_pipe script;
	struct exchange x;
	struct span frame;
	begin(&script, &x, steps);
	int calls_left = 0;
	x.urgent = urgent_later;
	x.urgent_ctx = &calls_left;
	/* A question is not even sent; an order is, it may be the halt. */
	assert_int_equal(ask(&x, ":GP#", &frame, NULL), ERR_CANCELLED);
	assert_int_equal(script.written_len, 0);
	assert_int_equal(exchange_tell(&x, span_of(":FQ#"), soon(), NULL), ERR_OK);
	/* Waiting for an answer that does not come ends long before its deadline. */
	calls_left = 1;
	int64_t far_ms = clock_now_ms(clock_real()) + 60000;
	assert_int_equal(exchange_ask(&x, span_of(":GP#"), moonlite_scan, &frame, far_ms, NULL),
		ERR_CANCELLED);
	assert_true(clock_now_ms(clock_real()) < far_ms);
	assert_true(x.unsettled);
	/* One that is there is taken. */
	x.unsettled = false;
	calls_left = 1;
	assert_int_equal(ask(&x, ":GI#", &frame, NULL), ERR_OK);
	assert_true(span_equal(frame, "00#"));
	assert_true(script_pipe_done(&script));
}

/* Two wires of a loop, an adapter with echo: our own words are no answer, whole or in part. */
static void test_echo(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{":GP#", ":GP#4E20#", NULL}, {":GV#", ":GV#10#", NULL}, {":GP#", ":GP#", NULL},
		{":GP#", ":G", NULL}, {":GP#", ":4E20#", NULL}, {0}};
	struct script_pipe script;
	struct exchange x;
	struct span frame;
	struct err err;
	begin(&script, &x, steps);
	x.line_echoes = true;
	assert_int_equal(ask(&x, ":GP#", &frame, NULL), ERR_OK);
	assert_true(span_equal(frame, "4E20#"));
	/* To the scanner of versions "GV#" would look like one. */
	assert_int_equal(exchange_ask(&x, span_of(":GV#"), moonlite_scan_version, &frame, soon(), NULL),
		ERR_OK);
	assert_true(span_equal(frame, "10#"));
	assert_int_equal(ask(&x, ":GP#", &frame, &err), ERR_PROTOCOL);
	assert_int_equal(ask(&x, ":GP#", &frame, &err), ERR_PROTOCOL);
	/* Only the beginning is alike. */
	assert_int_equal(ask(&x, ":GP#", &frame, NULL), ERR_OK);
	assert_true(span_equal(frame, "4E20#"));
	assert_true(script_pipe_done(&script));
}

/* A board that restarts says so instead of answering; the next question is answered. */
static void test_banner_of_a_reset(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{":GP#", "4E\r\nArdufocus 1.2 ready.\r\nbrought to you by...\r\n", NULL},
		{":GP#", "0000#", NULL}, {0}};
	struct script_pipe script;
	struct exchange x;
	struct span frame;
	begin(&script, &x, steps);
	assert_int_equal(ask(&x, ":GP#", &frame, NULL), ERR_PROTOCOL);
	assert_int_equal(ask(&x, ":GP#", &frame, NULL), ERR_OK);
	assert_true(span_equal(frame, "0000#"));
}

/* The other half comes when the line was already given up: it is dropped before the next question. */
static void test_the_other_half(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{":GP#", "4E", NULL}, {":GI#", "01#", NULL}, {0}};
	struct script_pipe script;
	struct exchange x;
	struct span frame;
	begin(&script, &x, steps);
	assert_int_equal(ask(&x, ":GP#", &frame, NULL), ERR_PROTOCOL);
	script_pipe_feed(&script, "20#");
	assert_int_equal(ask(&x, ":GI#", &frame, NULL), ERR_OK);
	assert_true(span_equal(frame, "01#"));
}

/* Others on the bus say more than there is room for; the answer is behind that. */
static void test_more_than_the_room(void **state)
{
	(void)state;
	char reply[500] = "";
	size_t n = 0;
	for (int i = 0; i < 60; i++) {
		n += (size_t)snprintf(reply + n, sizeof reply - n, "%04X#", i);
	}
	snprintf(reply + n, sizeof reply - n, "4E20#");
	const struct script_step steps[] = {{":GP#", reply, NULL}, {0}};
	struct script_pipe script;
	struct exchange x;
	struct span frame;
	begin(&script, &x, steps);
	assert_int_equal(ask(&x, ":GP#", &frame, NULL), ERR_OK);
	int count = 1;
	while (!span_equal(frame, "4E20#")) {
		char expected[16];
		snprintf(expected, sizeof expected, "%04X#", count - 1);
		assert_true(span_equal(frame, expected));
		assert_int_equal(exchange_next(&x, moonlite_scan, &frame, soon(), NULL), ERR_OK);
		count++;
	}
	assert_int_equal(count, 61);
}

static void test_answer_behind_much_noise(void **state)
{
	(void)state;
	char reply[500] = "";
	size_t n = 0;
	while (n < 440) {
		n += (size_t)snprintf(reply + n, sizeof reply - n, "noise noise\n");
	}
	snprintf(reply + n, sizeof reply - n, "4E20#");
	const struct script_step steps[] = {{":GP#", reply, NULL}, {0}};
	struct script_pipe script;
	struct exchange x;
	struct span frame;
	begin(&script, &x, steps);
	assert_int_equal(ask(&x, ":GP#", &frame, NULL), ERR_OK);
	assert_true(span_equal(frame, "4E20#"));
}

/* A pipe that never stops talking, and one that takes no bytes. */
static enum err_code talk(struct transport *t, void *out, size_t cap, size_t *got, int64_t deadline_ms,
	struct err *err)
{
	(void)t;
	(void)deadline_ms;
	(void)err;
	static const char words[] = "blah\n";
	*got = cap < sizeof words - 1 ? cap : sizeof words - 1;
	memcpy(out, words, *got);
	return ERR_OK;
}

static enum err_code take(struct transport *t, const void *data, size_t len, int64_t deadline_ms,
	struct err *err)
{
	(void)t;
	(void)data;
	(void)len;
	(void)deadline_ms;
	(void)err;
	return ERR_OK;
}

static enum err_code take_nothing(struct transport *t, const void *data, size_t len,
	int64_t deadline_ms, struct err *err)
{
	(void)t;
	(void)data;
	(void)len;
	(void)deadline_ms;
	return err_set(err, ERR_TIMEOUT, "full");
}

static enum err_code drop(struct transport *t, struct err *err)
{
	(void)t;
	(void)err;
	return ERR_OK;
}

static const char *name(struct transport *t)
{
	(void)t;
	return "pipe";
}

static void test_endless_talk_ends_at_the_deadline(void **state)
{
	(void)state;
	static const struct transport_ops ops = {.name = "talk", .write_all = take, .read_some = talk,
		.discard_input = drop, .describe = name};
	struct transport pipe = {.ops = &ops};
	struct exchange x;
	struct span frame;
	exchange_init(&x, &pipe, 9600, 0);
	int64_t deadline_ms = clock_now_ms(clock_real()) + 20;
	assert_int_equal(exchange_ask(&x, span_of(":GP#"), moonlite_scan, &frame, deadline_ms, NULL),
		ERR_PROTOCOL);
	assert_true(clock_now_ms(clock_real()) >= deadline_ms);
	/* And the pause before the next question, too. */
	deadline_ms = clock_now_ms(clock_real()) + 200;
	assert_int_equal(exchange_ask(&x, span_of(":GP#"), moonlite_scan, &frame, deadline_ms, NULL),
		ERR_PROTOCOL);
	struct span heard;
	assert_int_equal(exchange_listen(&x, clock_now_ms(clock_real()) + 20, &heard, NULL), ERR_OK);
	assert_int_equal(heard.len, EXCHANGE_ROOM);
}

static void test_half_a_command(void **state)
{
	(void)state;
	static const struct transport_ops ops = {.name = "full", .write_all = take_nothing,
		.read_some = talk, .discard_input = drop, .describe = name};
	struct transport pipe = {.ops = &ops};
	struct exchange x;
	exchange_init(&x, &pipe, 9600, 0);
	assert_int_equal(exchange_tell(&x, span_of(":SN4E20#"), soon(), NULL), ERR_TIMEOUT);
	assert_true(x.unsettled);
}

/* What is asked too late would be answered too late: it is not asked. */
static void test_no_time_left(void **state)
{
	(void)state;
	static const struct script_step steps[] = {{":FQ#", "", NULL}, {0}};
	struct script_pipe script;
	struct exchange x;
	struct span frame;
	struct err err;
	begin(&script, &x, steps);
	int64_t now = clock_now_ms(clock_real());
	assert_int_equal(exchange_ask(&x, span_of(":GP#"), moonlite_scan, &frame, now - 1, &err),
		ERR_TIMEOUT);
	assert_int_equal(script.written_len, 0);
	/* An order goes out all the same: it may be the halt. */
	assert_int_equal(exchange_tell(&x, span_of(":FQ#"), now - 1, NULL), ERR_OK);
	assert_true(script_pipe_done(&script));
}

static void test_no_pause_where_none_is_needed(void **state)
{
	(void)state;
	static const struct script_step steps[] = {{":GP#", "4E20#", NULL}, {0}};
	struct script_pipe script;
	struct exchange x;
	struct span frame;
	script_pipe_init(&script, steps);
	exchange_init(&x, &script.base, 9600, 0);
	assert_int_equal(ask(&x, ":GP#", &frame, NULL), ERR_OK);
	assert_int_equal(x.ready_ms, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_old_input_is_dropped),
		cmocka_unit_test(test_what_follows_the_frame_is_not_the_next_answer),
		cmocka_unit_test(test_silence_and_garbage),
		cmocka_unit_test(test_flood_ends),
		cmocka_unit_test(test_pause_between_commands),
		cmocka_unit_test(test_settles_before_questions_only),
		cmocka_unit_test(test_trace_sees_every_byte),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_urgent),
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_banner_of_a_reset),
		cmocka_unit_test(test_the_other_half),
		cmocka_unit_test(test_more_than_the_room),
		cmocka_unit_test(test_answer_behind_much_noise),
		cmocka_unit_test(test_endless_talk_ends_at_the_deadline),
		cmocka_unit_test(test_half_a_command),
		cmocka_unit_test(test_no_time_left),
		cmocka_unit_test(test_no_pause_where_none_is_needed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
