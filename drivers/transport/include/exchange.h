/* SPDX-License-Identifier: MIT */
/*
 * One request, one framed reply, one deadline.  Every serial driver talks through this, so that the
 * truths of serial lines live in one place: input that came before a request is not its answer, a
 * device needs a pause between commands, and after a missed answer the late one must not be taken for the
 * next one's.  One thread; deadlines are absolute milliseconds on clock_real().  Nothing here allocates.
 *
 * Which call for what:
 *   exchange_ask()    a question.  It gives way to what is urgent, and may be asked again.
 *   exchange_order()  an order that the device acknowledges: a halt, a start.  Nothing cuts it short.
 *   exchange_tell()   an order that the device does not acknowledge.
 */
#ifndef FOCUSD_EXCHANGE_H
#define FOCUSD_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "scan.h"
#include "transport.h"

/* Bytes that one request may bring, answer and garbage together, unless the driver brings a room of its
 * own: every ASCII focuser that is served has answers below 100. */
#define EXCHANGE_ROOM 256
/* The largest room that a driver may bring: the answers of controllers that speak JSON (PrimaLuce's Esatto
 * tells its whole state in one) fit into it. */
#define EXCHANGE_MAX_ROOM 8192

/* Stays where it was initialised: in[] may be its own memory. */
struct exchange {
	struct transport *pipe; /* borrowed */
	int baud;               /* bits per second: for how long a command is on the wire */
	int gap_ms;             /* pause that the device needs after a command or a reply */
	int64_t ready_ms;       /* when the next command may be sent */
	bool unsettled;         /* a reply may still be under way */
	bool unsent;            /* the last command did not get out whole: that is our side of the line */
	bool uncut;             /* what is being waited for answers an order: urgency does not end that */
	size_t have;            /* bytes in in[] */
	size_t used;            /* of these, consumed by frames already handed out */
	char *in;               /* own[], or what exchange_use_room() was given */
	size_t room;            /* bytes that fit in in[] */
	char own[EXCHANGE_ROOM];
	char sent[32];          /* the last command, to know it again when the line echoes it */
	size_t sent_len;        /* 0: longer than that, or the echo is dealt with */
	char asked[32];         /* the last command, for error texts */
	int64_t asked_ms;       /* when it was sent */

	/* Options of the driver; all are zero after exchange_init(), and are set after it. */

	/* No answer of this device equals its command: input that begins with the command's own bytes is
	 * an echo of the line (a bus of one wire, an adapter, two wires of a loop) and is stepped over.
	 * Never to be set for a device that acknowledges by repeating the command.  Commands longer than
	 * sent[] are not known again. */
	bool line_echoes;
	enum transport_turn turn; /* how a command gets the bus */
	/* Whether something else is urgent (struct driver_host); NULL: never. */
	bool (*urgent)(void *urgent_ctx);
	void *urgent_ctx;
};

/* Begins with the pipe (borrowed, open) as it is.  baud <= 0 means 9600. */
void exchange_init(struct exchange *x, struct transport *pipe, int baud, int gap_ms);

/* Lets answers be up to cap bytes long, EXCHANGE_ROOM..EXCHANGE_MAX_ROOM; other values are taken for the
 * nearest of these two, so room must hold at least EXCHANGE_ROOM.  room is borrowed until the next
 * exchange_init(); a driver has it in its context.  Called right after exchange_init(). */
void exchange_use_room(struct exchange *x, char *room, size_t cap);

/* Sends a command that has no reply, urgent or not.  ERR_TIMEOUT, ERR_IO. */
enum err_code exchange_tell(struct exchange *x, struct span command, int64_t deadline_ms,
	struct err *err);

/* Sends a request and waits for its frame.  After an exchange without a usable answer it first lets
 * the line fall quiet, see exchange_settle(); when the deadline has passed by then nothing is sent.
 * *frame borrows from x until the next call.  ERR_TIMEOUT when nothing came, ERR_PROTOCOL when only bytes
 * came that are no frame, ERR_IO when the device is gone, ERR_CANCELLED when something urgent came up:
 * then nothing was sent, or the device has had more time than one that works needs for its answer. */
enum err_code exchange_ask(struct exchange *x, struct span request, scan_fn scan,
	struct span *frame, int64_t deadline_ms, struct err *err);

/* Sends an order at once, also while an older answer is under way, and waits for its frame to the
 * deadline, urgent or not.  Because it does not wait for the line to fall quiet, the frame may be the late
 * answer to something older: the caller passes over what cannot answer this with exchange_next(), and
 * calls exchange_settle() first where an older answer would look the same and that matters.  Errors as for
 * exchange_ask(), but never ERR_CANCELLED. */
enum err_code exchange_order(struct exchange *x, struct span order, scan_fn scan,
	struct span *frame, int64_t deadline_ms, struct err *err);

/* Whether exchange_next() waits to its deadline, urgent or not.  exchange_ask() and exchange_order() set it
 * for what follows them; for a driver that waits for an older answer before it sends anything. */
void exchange_insist(struct exchange *x, bool uncut);

/* When an answer may still be under way, drops what comes in the next 150 ms.  ERR_OK, ERR_IO;
 * ERR_CANCELLED as soon as something urgent comes up. */
enum err_code exchange_settle(struct exchange *x, struct err *err);

/* The next frame after one that was not the answer (somebody else's packet, a late reply).  Cut short by
 * what is urgent as the call before it was.  Errors as for exchange_ask(). */
enum err_code exchange_next(struct exchange *x, scan_fn scan, struct span *frame,
	int64_t deadline_ms, struct err *err);

/* What was received and belongs to no frame; for devices that forget their terminator.  Borrowed until the
 * next call. */
struct span exchange_rest(const struct exchange *x);

/* Listens without a word until until_ms: *heard is what was there or came (its beginning when it
 * is more than the room).  ERR_OK also when nothing did; ERR_IO. */
enum err_code exchange_listen(struct exchange *x, int64_t until_ms, struct span *heard,
	struct err *err);

#endif
