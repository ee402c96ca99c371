/* SPDX-License-Identifier: MIT */
/* The last entries of a transcript in a fixed piece of memory. It has no lock: its owner guards it. */
#ifndef FOCUSD_TRANSCRIPT_RING_H
#define FOCUSD_TRANSCRIPT_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transcript.h"

struct transcript_ring {
	uint8_t *room;    /* NULL: there is no memory */
	size_t size;
	size_t head;      /* where the oldest entry begins */
	size_t used;
	int64_t begin_ms; /* belongs to the owner of the ring */
};

/* Makes an empty ring of `size` bytes; false when out of memory. */
bool transcript_ring_init(struct transcript_ring *ring, size_t size);
void transcript_ring_fini(struct transcript_ring *ring);
void transcript_ring_clear(struct transcript_ring *ring);
bool transcript_ring_copy(struct transcript_ring *to, const struct transcript_ring *from);

/* Adds an entry, in pieces when it is long. Where there is no room, the oldest entries give way if may_drop is true; if
 * it is false, nothing is added and the answer is false. */
bool transcript_ring_add(struct transcript_ring *ring, int64_t ms, char kind, const void *data,
	size_t len, bool may_drop);

/* A walk over the entries, from the oldest to the newest. */
struct transcript_ring_walk {
	const struct transcript_ring *ring;
	size_t at;
};
struct transcript_ring_walk transcript_ring_walk(const struct transcript_ring *ring);
bool transcript_ring_next(struct transcript_ring_walk *walk, struct transcript_entry *out);

#endif
