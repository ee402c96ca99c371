/* SPDX-License-Identifier: MIT */
/*
 * Expectations: what kinds of devices ask of an exchange beside a plain answer: one that acknowledges by
 * repeating the command (as Pegasus' FocusCube does), one whose answers are kilobytes of JSON (as
 * PrimaLuce's Esatto sends them), one whose halt is acknowledged and must get through.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "clock.h"
#include "exchange.h"
#include "script_pipe.h"

static int64_t soon(void)
{
	return clock_now_ms(clock_real()) + 1000;
}

/* A line that ends with LF, of any length. */
static enum scan scan_line(const char *in, size_t n, struct span *frame, size_t *skip)
{
	const char *end = memchr(in, '\n', n);
	if (end == NULL) {
		return SCAN_MORE;
	}
	*frame = (struct span){.data = in, .len = (size_t)(end - in) + 1};
	*skip = frame->len;
	return SCAN_FRAME;
}

static void begin(struct script_pipe *script, struct exchange *x, const struct script_step *steps)
{
	script_pipe_init(script, steps);
	exchange_init(x, &script->base, 19200, 0);
}

/* Urgent from the n-th time it is asked on. */
static bool urgent_later(void *ctx)
{
	int *calls_left = ctx;
	return --*calls_left < 0;
}

static void an_acknowledgement_may_equal_its_command(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"#\n", "OK_DMFCN\n", NULL}, {"M:12000\n", "M:12000\n", NULL}, {"P\n", "11873\n", NULL},
		{"H\n", "H\n", NULL}, {0}};
	struct script_pipe script;
	struct exchange x;
	struct span frame;
	begin(&script, &x, steps);
	assert_int_equal(exchange_ask(&x, span_of("#\n"), scan_line, &frame, soon(), NULL), ERR_OK);
	assert_true(span_equal(frame, "OK_DMFCN\n"));
	assert_int_equal(exchange_order(&x, span_of("M:12000\n"), scan_line, &frame, soon(), NULL), ERR_OK);
	assert_true(span_equal(frame, "M:12000\n"));
	assert_int_equal(exchange_ask(&x, span_of("P\n"), scan_line, &frame, soon(), NULL), ERR_OK);
	assert_true(span_equal(frame, "11873\n"));
	assert_int_equal(exchange_order(&x, span_of("H\n"), scan_line, &frame, soon(), NULL), ERR_OK);
	assert_true(span_equal(frame, "H\n"));
	assert_true(script_pipe_done(&script));
}

/* The same answer on a line that echoes is no answer, once the driver has said so. */
static void an_echo_is_stepped_over_where_the_driver_says_so(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{"P\n", "P\n11873\n", NULL}, {"P\n", "P\n", NULL}, {0}};
	struct script_pipe script;
	struct exchange x;
	struct span frame;
	begin(&script, &x, steps);
	x.line_echoes = true;
	assert_int_equal(exchange_ask(&x, span_of("P\n"), scan_line, &frame, soon(), NULL), ERR_OK);
	assert_true(span_equal(frame, "11873\n"));
	assert_int_equal(exchange_ask(&x, span_of("P\n"), scan_line, &frame, soon(), NULL), ERR_PROTOCOL);
}

/* A halt with an acknowledgement: urgency, which is the halt itself, neither keeps it back nor cuts the
 * wait for its answer; the question after it gives way again. */
static void an_order_is_not_cut(void **state)
{
	(void)state;
	static const struct script_step steps[] = {{"H\n", "", NULL}, {"H\n", "H\n", NULL}, {0}};
	struct script_pipe script;
	struct exchange x;
	struct span frame;
	begin(&script, &x, steps);
	int calls_left = 0;
	x.urgent = urgent_later;
	x.urgent_ctx = &calls_left;
	int64_t deadline_ms = soon();
	assert_int_equal(exchange_order(&x, span_of("H\n"), scan_line, &frame, deadline_ms, NULL), ERR_TIMEOUT);
	/* It waited to the deadline in one piece: the pipe of the script tells how far that was ahead. */
	assert_true(script.last_wait_ms > 500);
	assert_true(x.unsettled);
	/* And again at once, although an answer may be under way: but for the time that the first was on the
	 * wire. */
	x.ready_ms = 0;
	script.longest_wait_ms = 0;
	assert_int_equal(exchange_order(&x, span_of("H\n"), scan_line, &frame, soon(), NULL), ERR_OK);
	assert_int_equal(script.longest_wait_ms, 0);
	assert_true(script_pipe_done(&script));
	assert_int_equal(exchange_ask(&x, span_of("P\n"), scan_line, &frame, soon(), NULL), ERR_CANCELLED);
	assert_true(script_pipe_done(&script));
	/* A frame that belongs to the question is waited for as that was: cut when it is overdue. */
	calls_left = 0;
	exchange_insist(&x, false);
	x.asked_ms = 0;
	assert_int_equal(exchange_next(&x, scan_line, &frame, soon(), NULL), ERR_CANCELLED);
}

/* The pause after a missed answer ends as soon as something urgent comes up, with nothing sent. */
static void settling_gives_way(void **state)
{
	(void)state;
	static const struct script_step steps[] = {{"P\n", "", NULL}, {0}};
	struct script_pipe script;
	struct exchange x;
	struct span frame;
	begin(&script, &x, steps);
	assert_int_equal(exchange_settle(&x, NULL), ERR_OK);
	assert_int_equal(exchange_ask(&x, span_of("P\n"), scan_line, &frame, soon(), NULL), ERR_TIMEOUT);
	int calls_left = 1;
	x.urgent = urgent_later;
	x.urgent_ctx = &calls_left;
	size_t sent = script.written_len;
	assert_int_equal(exchange_ask(&x, span_of("P\n"), scan_line, &frame, soon(), NULL), ERR_CANCELLED);
	assert_int_equal(script.written_len, sent);
}

/* A state of about `len` bytes in one line, as a controller that speaks JSON tells it. */
static void write_state(char *out, size_t len)
{
	size_t n = (size_t)snprintf(out, len, "{\"res\":{\"get\":{\"MOT1\":{\"ABS_POS\":12873,\"LOG\":\"");
	memset(out + n, 'x', len - n - 8);
	snprintf(out + len - 8, 9, "\"}}}}}\n");
}

static void frames_of_kilobytes_want_a_room(void **state)
{
	(void)state;
	static char whole[EXCHANGE_MAX_ROOM + 1];
	write_state(whole, EXCHANGE_MAX_ROOM - 1);
	size_t len = strlen(whole);
	assert_true(len > 8000 && len < EXCHANGE_MAX_ROOM);
	const struct script_step steps[] = {{"{\"req\":{\"get\":\"\"}}\n", whole, NULL},
		{"{\"req\":{\"get\":\"\"}}\n", whole, NULL}, {0}};
	struct script_pipe script;
	struct exchange x;
	struct span frame;
	struct span request = span_of("{\"req\":{\"get\":\"\"}}\n");
	static char room[EXCHANGE_MAX_ROOM];
	begin(&script, &x, steps);
	/* Without one it is garbage that fills what there is, and ends there. */
	assert_int_equal(exchange_ask(&x, request, scan_line, &frame, soon(), NULL), ERR_PROTOCOL);
	assert_int_equal(exchange_rest(&x).len, EXCHANGE_ROOM);
	exchange_init(&x, &script.base, 115200, 0);
	exchange_use_room(&x, room, sizeof room);
	assert_int_equal(exchange_ask(&x, request, scan_line, &frame, soon(), NULL), ERR_OK);
	assert_int_equal(frame.len, len);
	assert_memory_equal(frame.data, whole, len);
	assert_ptr_equal(frame.data, room);
	assert_true(script_pipe_done(&script));
}

/* Two frames that do not fit together: the first goes when the second needs its room. */
static void a_room_is_used_again(void **state)
{
	(void)state;
	static char room[600];
	static char reply[1000];
	char first[401], second[401];
	write_state(first, 400);
	write_state(second, 400);
	second[40] = 'y';
	snprintf(reply, sizeof reply, "%s%s", first, second);
	const struct script_step steps[] = {{"?\n", reply, NULL}, {0}};
	struct script_pipe script;
	struct exchange x;
	struct span frame;
	begin(&script, &x, steps);
	exchange_use_room(&x, room, sizeof room);
	assert_int_equal(exchange_ask(&x, span_of("?\n"), scan_line, &frame, soon(), NULL), ERR_OK);
	assert_memory_equal(frame.data, first, frame.len);
	assert_int_equal(exchange_next(&x, scan_line, &frame, soon(), NULL), ERR_OK);
	assert_int_equal(frame.len, strlen(second));
	assert_memory_equal(frame.data, second, frame.len);
}

static void a_room_is_held_within_its_bounds(void **state)
{
	(void)state;
	static const struct script_step steps[] = {{0}};
	static char room[EXCHANGE_MAX_ROOM];
	struct script_pipe script;
	struct exchange x;
	begin(&script, &x, steps);
	assert_int_equal(x.room, EXCHANGE_ROOM);
	exchange_use_room(&x, room, 10);
	assert_int_equal(x.room, EXCHANGE_ROOM);
	exchange_use_room(&x, room, 1u << 20);
	assert_int_equal(x.room, EXCHANGE_MAX_ROOM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_acknowledgement_may_equal_its_command),
		cmocka_unit_test(an_echo_is_stepped_over_where_the_driver_says_so),
		cmocka_unit_test(an_order_is_not_cut),
		cmocka_unit_test(settling_gives_way),
		cmocka_unit_test(frames_of_kilobytes_want_a_room),
		cmocka_unit_test(a_room_is_used_again),
		cmocka_unit_test(a_room_is_held_within_its_bounds),
	};
	return cmocka_run_group_tests_name("kinds of devices an exchange serves", tests, NULL, NULL);
}
