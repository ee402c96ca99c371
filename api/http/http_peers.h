/* SPDX-License-Identifier: MIT */
/*
 * The open connections, and the closing of those whose request has begun and does not end: the HTTP
 * library's own timeout counts only silence, so a byte a second would hold a connection for ever.
 *
 * Only the client's own time counts.  Time in which bytes of his lay unread for us, in which the thread that
 * reads his connection was held by something else, or in which nobody swept (the machine slept, or was too busy
 * to let the caretaker run), is ours: a halt that waits behind our own slowness is not to be cut.
 *
 * Used by http_mhd*.c; the list belongs under the server's lock.
 */
#ifndef FOCUSD_HTTP_PEERS_H
#define FOCUSD_HTTP_PEERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "http_turn.h"

struct peer {
	struct peer *prev, *next;
	int fd;
	char address[64];
	struct turn *turn;         /* of the thread that serves it */
	_Atomic bool answering;    /* a request is complete, its answer is not */
	_Atomic unsigned finished; /* requests answered */
	/* The caretaker's: a request has begun when more bytes came than base_bytes. */
	unsigned seen_finished;
	uint64_t base_bytes;
	bool begun;
	int64_t spent_us;          /* of the client's own time since it was seen to have begun, or to be silent */
};

void peers_add(struct peer **list, struct peer *peer);
void peers_remove(struct peer **list, struct peer *peer);

/* Shuts the sockets of requests that took their clients timeout_us or longer, and of connections on which nothing was
 * said for so long since they were opened.  When more than crowd are open, those that never spoke go as soon as they
 * have been silent for a period, so that they shut nobody out; the log says so.  To be called every period_us, a few
 * times within that time; since_us is when it was called last, now_us the present (turn_now_us()).  Of a longer
 * gap only period_us count. */
void peers_sweep(struct peer *peers, int64_t timeout_us, int64_t period_us, int64_t since_us, int64_t now_us,
	int crowd);

#endif
