/* SPDX-License-Identifier: MIT */
/*
 * One request, one framed reply, one deadline.  Every serial driver talks through this, so that the
 * truths of serial lines live in one place: input that came before a request is not its answer, a
 * device needs a pause between commands, after a missed answer the late one must not be taken for the
 * next one's, and a line that gives our own words back has not answered.  One thread; deadlines
 * absolute on clock_real().
 */
#ifndef FOCUSD_EXCHANGE_H
#define FOCUSD_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "scan.h"
#include "transport.h"

/* Longest answer, or garbage, that one request may bring. */
#define EXCHANGE_ROOM 256

struct exchange {
	struct transport *pipe; /* borrowed */
	int baud;               /* for how long a command is on the wire */
	int gap_ms;             /* pause that the device needs after a command or a reply */
	int64_t ready_ms;       /* when the next command may be sent */
	bool unsettled;         /* a reply may still be under way */
	bool unsent;            /* the last command did not get out whole: that is our side of the line */
	size_t have;            /* bytes in in[] */
	size_t used;            /* of these, consumed by frames already handed out */
	char in[EXCHANGE_ROOM];
	char sent[32];          /* the last command, to know it again when the line echoes it */
	size_t sent_len;        /* 0: longer than that, or the echo is dealt with */
	char asked[32];         /* the last command, for error texts */
	int64_t asked_ms;       /* when it was sent */
	enum transport_turn turn; /* how a command gets the bus; set after exchange_init() */
	/* Whether something else is urgent (struct driver_host); NULL never.  Set after exchange_init(). */
	bool (*urgent)(void *urgent_ctx);
	void *urgent_ctx;
};

void exchange_init(struct exchange *x, struct transport *pipe, int baud, int gap_ms);

/* Sends a command that has no reply, urgent or not.  ERR_TIMEOUT, ERR_IO. */
enum err_code exchange_tell(struct exchange *x, struct span command, int64_t deadline_ms,
	struct err *err);

/* Sends a request and waits for its frame.  After an exchange without a usable answer it first lets
 * the line fall quiet (150 ms); when the deadline has passed by then nothing is sent.  *frame borrows
 * from x until the next call.  ERR_TIMEOUT when nothing came, ERR_PROTOCOL when only bytes came that are no
 * frame, ERR_IO when the device is gone, ERR_CANCELLED when something urgent came up: then nothing
 * was sent, or the device has had more time than one that works needs for its answer. */
enum err_code exchange_ask(struct exchange *x, struct span request, scan_fn scan,
	struct span *frame, int64_t deadline_ms, struct err *err);

/* The next frame after one that was not the answer (an echo, somebody else's packet, a late
 * reply).  Errors as for exchange_ask(). */
enum err_code exchange_next(struct exchange *x, scan_fn scan, struct span *frame,
	int64_t deadline_ms, struct err *err);

/* What was received and belongs to no frame; for devices that forget their terminator. */
struct span exchange_rest(const struct exchange *x);

/* Listens without a word until until_ms: *heard is what was there or came (its beginning when it
 * is more than the room).  ERR_OK also when nothing did; ERR_IO. */
enum err_code exchange_listen(struct exchange *x, int64_t until_ms, struct span *heard,
	struct err *err);

#endif
