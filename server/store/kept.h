/* SPDX-License-Identifier: MIT */
/* Runs that wait in memory to be written, in the order in which they were handed over. Private to the room; this file
 * takes no lock and does not touch the disk. */
#ifndef FOCUSD_KEPT_H
#define FOCUSD_KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "run.h"

struct kept_run {
	struct run *run;    /* owned */
	uint64_t version;   /* grows with each run that is put in */
	bool told;          /* the log said that it could not be written yet */
	bool writing;       /* a copy is on its way to the disk */
};

struct kept {
	struct kept_run *item; /* room for `room` of them, the oldest first */
	size_t count, room;
	uint64_t versions;
};

/* Makes room for this many runs (> 1); false when out of memory. */
bool kept_init(struct kept *kept, size_t room);
void kept_fini(struct kept *kept);

/* Takes the run over: in the place of an older version of itself, or behind all others.  Where there is no room, the
 * oldest of which no copy is on its way to the disk is taken out and returned; the caller frees it. */
struct run *kept_put(struct kept *kept, struct run *run);

/* Finds the run with this id; NULL when it is not kept. */
struct kept_run *kept_find(const struct kept *kept, uint64_t id);

/* Takes the run with this id out and frees it, unless a newer version has come in meanwhile. */
void kept_written(struct kept *kept, uint64_t id, uint64_t version);

#endif
