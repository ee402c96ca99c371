/* SPDX-License-Identifier: MIT */
/*
 * PUTs that a client sends again because it did not hear the answer.  Only the members that say so
 * are taken for a retry, and only when peer, both ids (sent, not 0), member and raw body equal that
 * client's latest PUT to that device within a time: then the first answer is given again, or waited
 * for.  Any thread.
 */
#ifndef FOCUSD_RETRY_H
#define FOCUSD_RETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

struct retry_table;

/* NULL when out of memory. */
struct retry_table *retry_create(void);
void retry_destroy(struct retry_table *table);

/* One PUT. */
struct retry_key {
	const void *device; /* identity only */
	const char *peer;
	uint32_t client, transaction;
	const char *member; /* static: compared by address */
	struct span body;
};

/* Names a remembered PUT; serial 0 is none. */
struct retry_ticket {
	uint32_t slot;
	uint64_t serial;
};

enum retry_result {
	RETRY_NEW,   /* do it; *ticket may be 0: nothing to remember */
	RETRY_AGAIN, /* a retry: *ticket names the first one */
};

/* Notes that a PUT came at now_ms.  window_ms 0: the member takes no retries; it only becomes the
 * client's latest PUT. */
enum retry_result retry_note(struct retry_table *table, const struct retry_key *key,
	int64_t window_ms, int64_t now_ms, struct retry_ticket *ticket);

/* Keeps the answer of the PUT; true when somebody waits for it. */
bool retry_answered(struct retry_table *table, struct retry_ticket ticket, struct span answer);

enum retry_state { RETRY_READY, RETRY_PENDING, RETRY_GONE };

/* Appends the first answer to out when it is there; else PENDING, and retry_answered() will tell
 * that somebody waits; GONE when it was thrown out. */
enum retry_state retry_fetch(
	struct retry_table *table, struct retry_ticket ticket, struct buf *out);

#endif
