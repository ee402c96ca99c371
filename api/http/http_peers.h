/* SPDX-License-Identifier: MIT */
/*
 * The open connections, and the closing of those whose request has begun and does not end: the HTTP
 * library's own timeout counts only silence, so a byte a second would hold a connection for ever.  For the same reason
 * a connection is closed whose client takes an answer that keeps memory too slowly.
 *
 * Only the client's own time counts.  Time in which bytes of the client lay unread here, in which the thread that
 * reads its connection was held by something else, or in which nobody swept (the machine slept, or was too busy
 * to let the caretaker run), is ours: a halt that waits behind our own slowness is not to be cut.  While an answer is
 * sent, the client's time is that in which bytes wait in the socket to be taken.
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
	_Atomic bool keeps;        /* what is answered keeps memory until the client has taken it */
	char asked[96];            /* the path that such an answer is for; under the list's lock */
	/* The caretaker's: a request has begun when more bytes came than base_bytes. */
	unsigned seen_finished;
	uint64_t base_bytes;
	bool begun;
	int64_t spent_us;          /* of the client's own time since it was seen to have begun, or to be silent */
	/* Also the caretaker's, while an answer that keeps memory is sent: */
	bool is_measured;
	unsigned measured_answer;  /* value of finished for this answer */
	uint64_t last_taken;       /* bytes that the client had taken at the last sweep */
	int64_t behind_us;         /* how far the client is behind the least rate; never ahead of it */
};

/* What a client may take; all above 0 but crowd. */
struct peer_rules {
	int64_t timeout_us;        /* for a request from its first byte to its last, and for silence at the beginning */
	int64_t period_us;         /* from one sweep to the next: a few in a timeout_us */
	int crowd;                 /* with more open connections, those that never spoke go after a period_us */
	uint64_t least_rate;       /* bytes/s that a client takes of an answer that keeps memory ... */
	int64_t behind_us;         /* ... and how far it may fall behind that */
};

void peers_add(struct peer **list, struct peer *peer);
void peers_remove(struct peer **list, struct peer *peer);

/* Shuts the sockets of requests that took their clients timeout_us or longer, and of connections on which nothing was
 * said for so long since they were opened.  When more than crowd are open, those that never spoke go as soon as they
 * have been silent for a period, so that they shut nobody out; the log says so.
 *
 * Clients that have fallen behind the least rate are reset, so that they learn of it at once and nothing more is kept
 * for them; the log says so in one line a sweep.  Each second of the client's time puts it a second behind, and each
 * least_rate bytes that it takes make up for one.  A client's system takes bytes in lumps; those do not matter so.
 *
 * To be called every period_us; since_us is when it was called last, now_us the present (turn_now_us()).  Of a longer
 * gap only period_us count. */
void peers_sweep(struct peer *peers, const struct peer_rules *rules, int64_t since_us, int64_t now_us);

#endif
