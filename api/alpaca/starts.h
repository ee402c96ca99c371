/* SPDX-License-Identifier: MIT */
/*
 * Starts that a client sends again because it did not hear the answer. Every PUT is carried out, with this exception: a
 * PUT that starts something (an exposure, a run, a calibration) and equals, in peer, both ids (sent, not 0), member and
 * raw body, the one that started what still goes on with that device. It gets the first answer once more. What somebody
 * has asked to end does not go on any more in this sense: a start after an abort is meant.
 *
 * One start is remembered for each device, because a device does one such thing at a time. Any thread; a start holds
 * the lock of the table while it is carried out, so that of two equal ones that come together one is the first.
 */
#ifndef FOCUSD_STARTS_H
#define FOCUSD_STARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

struct starts;

/* Makes an empty table; NULL when out of memory. */
struct starts *starts_create(void);
void starts_destroy(struct starts *starts);

/* What makes two PUTs equal. All is borrowed for the time of a call. */
struct start_key {
	const void *device; /* compared by its address only */
	const char *peer;
	uint32_t client, transaction;
	const char *member; /* static: compared by address */
	struct span body;
};

/* Takes the lock before a start is carried out, and gives it back. Between the two the caller may take the locks of
 * devices and jobs, and never waits. */
void starts_begin(struct starts *starts);
void starts_end(struct starts *starts);

/* The answer to the PUT that began what goes on with the device and is equal to this one; a span without data when
 * there is none, and this one is to be carried out. `ongoing` is the number of what goes on with the device, 0 when
 * nothing does. The span is good until starts_end(). The lock is held. */
struct span starts_first_answer(struct starts *starts, const struct start_key *key, uint64_t ongoing);

/* Remembers that this PUT started number `ongoing` (0: it is over already) and was answered so. The lock is held. */
void starts_remember(struct starts *starts, const struct start_key *key, uint64_t ongoing, struct span answer);

#endif
