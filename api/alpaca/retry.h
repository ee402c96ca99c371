/* SPDX-License-Identifier: MIT */
/*
 * PUTs that a client sends again because it did not hear the answer. A PUT is taken for a retry only when its member
 * allows that, and only when peer, both ids (sent, not 0), member and raw body equal that client's latest PUT to that
 * device within a time. The first answer is then given again, or waited for. Any thread.
 */
#ifndef FOCUSD_RETRY_H
#define FOCUSD_RETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

struct retry_table;

/* Makes an empty table; NULL when out of memory. */
struct retry_table *retry_create(void);
void retry_destroy(struct retry_table *table);

/* What identifies a PUT. */
struct retry_key {
	const void *device; /* compared by its address only */
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
	RETRY_NEW,   /* the PUT is to be done; *ticket may be 0, then there is nothing to remember */
	RETRY_AGAIN, /* it is a retry, and *ticket names the first one */
};

/* Notes that a PUT came at now_ms. With window_ms 0 the member takes no retries, and the PUT only becomes the client's
 * latest one. */
enum retry_result retry_note(struct retry_table *table, const struct retry_key *key,
	int64_t window_ms, int64_t now_ms, struct retry_ticket *ticket);

/* Keeps the answer of the PUT; true when somebody waits for it. */
bool retry_answered(struct retry_table *table, struct retry_ticket ticket, struct span answer);

enum retry_state { RETRY_READY, RETRY_PENDING, RETRY_GONE };

/* Appends the first answer to out when it is there. Else it is PENDING, and retry_answered() will tell that somebody
 * waits; or GONE, when the answer was thrown out. */
enum retry_state retry_fetch(
	struct retry_table *table, struct retry_ticket ticket, struct buf *out);

#endif
