/* SPDX-License-Identifier: MIT */
/*
 * The open connections, and the closing of those whose request has begun and does not end: the HTTP
 * library's own timeout counts only silence, so a byte a second would hold a connection for ever.
 * Used by http_mhd.c; the list belongs under its lock.
 */
#ifndef FOCUSD_HTTP_PEERS_H
#define FOCUSD_HTTP_PEERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct peer {
	struct peer *prev, *next;
	int fd;
	char address[64];
	_Atomic bool answering;    /* a request is complete, its answer is not */
	_Atomic unsigned finished; /* requests answered */
	/* The caretaker's: a request has begun when more bytes came than base_bytes. */
	unsigned seen_finished;
	uint64_t base_bytes;
	int64_t begun_ms; /* 0 = not begun */
};

void peers_add(struct peer **list, struct peer *peer);
void peers_remove(struct peer **list, struct peer *peer);

/* Shuts the sockets of requests that began timeout_ms or longer ago; to be called a few times
 * within that time. */
void peers_sweep(struct peer *peers, int64_t timeout_ms, int64_t now_ms);

#endif
