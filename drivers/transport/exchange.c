/* SPDX-License-Identifier: MIT */
#include "exchange.h"

#include <string.h>

#include "moment.h"
#include "trace.h"

/* How long the line must be left alone after a missed answer. */
#define SETTLE_MS 150
/* When something is urgent, an answer is waited for this long and no longer; a whole one takes 20 ms. */
#define URGENT_ANSWER_MS 120
/* How often a waiting exchange looks whether something is urgent. */
#define SLICE_MS 30

void exchange_init(struct exchange *x, struct transport *pipe, int baud, int gap_ms)
{
	memset(x, 0, sizeof *x);
	x->pipe = pipe;
	x->baud = baud > 0 ? baud : 9600;
	x->gap_ms = gap_ms;
	x->in = x->own;
	x->room = sizeof x->own;
}

void exchange_use_room(struct exchange *x, char *room, size_t cap)
{
	x->in = room;
	x->room = cap < EXCHANGE_ROOM ? EXCHANGE_ROOM : cap > EXCHANGE_MAX_ROOM ? EXCHANGE_MAX_ROOM : cap;
}

/* The clock counts whole milliseconds and may be almost one ahead of them, so one more is added to the pause. */
static void hold_off(struct exchange *x, size_t bytes_on_wire)
{
	int64_t wire_ms = ((int64_t)bytes_on_wire * 10 * 1000 + x->baud - 1) / x->baud;
	if (wire_ms + x->gap_ms == 0) {
		x->ready_ms = 0;
		return;
	}
	x->ready_ms = real_ms() + wire_ms + x->gap_ms + 1;
}

static enum err_code cancelled(const struct exchange *x, struct err *err)
{
	return err_set(err, ERR_CANCELLED, "%s: something urgent came up",
		x->pipe->ops->describe(x->pipe));
}

static bool is_urgent(const struct exchange *x)
{
	return x->urgent != NULL && x->urgent(x->urgent_ctx);
}

/* Reads as the pipe does, but gives up for something urgent once the answer is overdue. */
static enum err_code read_answer(struct exchange *x, size_t *got, int64_t deadline_ms,
	struct err *err)
{
	for (;;) {
		int64_t now = real_ms();
		bool may_be_cut = x->urgent != NULL && !x->uncut;
		int64_t until_ms = may_be_cut && now + SLICE_MS < deadline_ms ? now + SLICE_MS : deadline_ms;
		enum err_code code = x->pipe->ops->read_some(x->pipe, x->in + x->have,
			x->room - x->have, got, until_ms, err);
		if (code != ERR_TIMEOUT || until_ms == deadline_ms) {
			return code;
		}
		if (is_urgent(x) && real_ms() - x->asked_ms >= URGENT_ANSWER_MS) {
			return cancelled(x, err);
		}
	}
}

/* Reads and drops until until_ms: a pause in which an unplugged device is still noticed. */
static enum err_code stay_quiet(struct exchange *x, int64_t until_ms, struct err *err)
{
	while (real_ms() < until_ms) {
		char scrap[64];
		size_t got = 0;
		enum err_code code = x->pipe->ops->read_some(x->pipe, scrap, sizeof scrap, &got,
			until_ms, err);
		if (code == ERR_TIMEOUT) {
			return ERR_OK;
		}
		if (code != ERR_OK) {
			return code;
		}
	}
	return ERR_OK;
}

enum err_code exchange_settle(struct exchange *x, struct err *err)
{
	if (!x->unsettled) {
		return ERR_OK;
	}
	int64_t until_ms = real_ms() + SETTLE_MS;
	for (;;) {
		if (is_urgent(x)) {
			return cancelled(x, err);
		}
		int64_t now = real_ms();
		if (now >= until_ms) {
			return ERR_OK;
		}
		bool sliced = x->urgent != NULL && now + SLICE_MS < until_ms;
		enum err_code code = stay_quiet(x, sliced ? now + SLICE_MS : until_ms, err);
		if (code != ERR_OK || !sliced) {
			return code;
		}
	}
}

static enum err_code send(struct exchange *x, struct span command, int64_t deadline_ms,
	struct err *err)
{
	trace_escape(x->asked, sizeof x->asked, command.data, command.len);
	x->have = 0;
	x->used = 0;
	x->sent_len = x->line_echoes && command.len <= sizeof x->sent ? command.len : 0;
	memcpy(x->sent, command.data, x->sent_len);
	enum err_code code = stay_quiet(x, x->ready_ms, err);
	if (code == ERR_OK) {
		code = x->pipe->ops->discard_input(x->pipe, err);
	}
	if (code == ERR_OK) {
		code = transport_write_in_turn(x->pipe, x->turn, command.data, command.len, deadline_ms,
			err);
	}
	x->unsent = code != ERR_OK;
	if (code == ERR_TIMEOUT) {
		/* Half of the command may have reached the device. */
		x->unsettled = true;
	}
	hold_off(x, command.len);
	x->asked_ms = real_ms();
	return code;
}

enum err_code exchange_tell(struct exchange *x, struct span command, int64_t deadline_ms,
	struct err *err)
{
	return send(x, command, deadline_ms, err);
}

static enum err_code no_answer(struct exchange *x, bool anything, struct err *err)
{
	x->unsettled = true;
	const char *name = x->pipe->ops->describe(x->pipe);
	if (!anything) {
		return err_set(err, ERR_TIMEOUT, "%s: no answer to %s", name, x->asked);
	}
	char heard[60];
	trace_escape(heard, sizeof heard, x->in, x->have);
	return err_set(err, ERR_PROTOCOL, "%s: \"%s\" is no answer to %s", name, heard, x->asked);
}

/* Steps over an echo of our own command at the beginning.  False while the rest of the echo may still come. */
static bool pass_echo(struct exchange *x)
{
	size_t n = x->have < x->sent_len ? x->have : x->sent_len;
	if (memcmp(x->in, x->sent, n) != 0) {
		x->sent_len = 0;
	} else if (n < x->sent_len) {
		return false;
	} else {
		x->used = n;
		x->sent_len = 0;
	}
	return true;
}

/* Looks for a frame in what was received; garbage is stepped over but stays for the error text. */
static bool find_frame(struct exchange *x, scan_fn scan, struct span *frame)
{
	if (x->sent_len > 0 && !pass_echo(x)) {
		return false;
	}
	while (x->used < x->have) {
		size_t left = x->have - x->used;
		size_t skip = 0;
		enum scan found = scan(x->in + x->used, left, frame, &skip);
		if (found == SCAN_MORE || skip == 0 || skip > left) {
			return false;
		}
		x->used += skip;
		if (found == SCAN_FRAME) {
			return true;
		}
	}
	return false;
}

/* Bytes that were handed out or stepped over are dropped when their room is needed: on a shared bus the packets of
 * others may be more than fit before the answer comes. */
static void make_room(struct exchange *x)
{
	if (x->have == x->room && x->used > 0) {
		memmove(x->in, x->in + x->used, x->have - x->used);
		x->have -= x->used;
		x->used = 0;
	}
}

enum err_code exchange_next(struct exchange *x, scan_fn scan, struct span *frame,
	int64_t deadline_ms, struct err *err)
{
	bool talked = false;
	for (;;) {
		if (find_frame(x, scan, frame)) {
			x->unsettled = false;
			hold_off(x, 0);
			return ERR_OK;
		}
		make_room(x);
		/* A device that never stops talking must not hold us here beyond the deadline. */
		if (x->have == x->room || (talked && real_ms() >= deadline_ms)) {
			return no_answer(x, true, err);
		}
		size_t got = 0;
		enum err_code code = read_answer(x, &got, deadline_ms, err);
		if (code == ERR_TIMEOUT) {
			return no_answer(x, x->have > 0, err);
		}
		if (code == ERR_CANCELLED) {
			x->unsettled = true;
		}
		if (code != ERR_OK) {
			return code;
		}
		x->have += got;
		talked = true;
	}
}

enum err_code exchange_ask(struct exchange *x, struct span request, scan_fn scan,
	struct span *frame, int64_t deadline_ms, struct err *err)
{
	if (is_urgent(x)) {
		return cancelled(x, err);
	}
	enum err_code code = exchange_settle(x, err);
	if (code != ERR_OK) {
		return code;
	}
	if (real_ms() >= deadline_ms) {
		/* An answer would come after the deadline, and be taken for the answer to the next question. */
		x->unsent = false;
		return err_set(err, ERR_TIMEOUT, "%s: no time left to ask", x->pipe->ops->describe(x->pipe));
	}
	code = send(x, request, deadline_ms, err);
	x->uncut = false;
	return code != ERR_OK ? code : exchange_next(x, scan, frame, deadline_ms, err);
}

void exchange_insist(struct exchange *x, bool uncut)
{
	x->uncut = uncut;
}

enum err_code exchange_order(struct exchange *x, struct span order, scan_fn scan,
	struct span *frame, int64_t deadline_ms, struct err *err)
{
	enum err_code code = send(x, order, deadline_ms, err);
	x->uncut = true;
	return code != ERR_OK ? code : exchange_next(x, scan, frame, deadline_ms, err);
}

struct span exchange_rest(const struct exchange *x)
{
	return (struct span){.data = x->in + x->used, .len = x->have - x->used};
}

enum err_code exchange_listen(struct exchange *x, int64_t until_ms, struct span *heard,
	struct err *err)
{
	x->have = 0;
	x->used = 0;
	while (x->have < x->room) {
		size_t got = 0;
		enum err_code code = x->pipe->ops->read_some(x->pipe, x->in + x->have,
			x->room - x->have, &got, until_ms, err);
		if (code == ERR_TIMEOUT) {
			break;
		}
		if (code != ERR_OK) {
			return code;
		}
		x->have += got;
	}
	*heard = (struct span){.data = x->in, .len = x->have};
	return ERR_OK;
}
