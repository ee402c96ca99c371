/* SPDX-License-Identifier: MIT */
/* What this process has learned for the next run, in memory. Private to the room; this file takes no lock and does not
 * touch the disk. */
#ifndef FOCUSD_LEARNED_H
#define FOCUSD_LEARNED_H

#include <stdbool.h>
#include <stdint.h>

#include "run.h"
#include "store.h"

/* Triples of focuser, camera and binning that are remembered; the one that was used longest ago gives way. */
#define LEARNED_MAX 64

struct learned_fact {
	bool known;
	int focuser, camera, binning;
	uint64_t used;
	struct store_history history;
};

struct learned {
	struct learned_fact fact[LEARNED_MAX];
	uint64_t uses;
};

/* Learns from a run; one that did not succeed, or has no fit, teaches nothing. */
void learned_from_run(struct learned *learned, const struct run *run);

/* Takes over what the database knew. */
void learned_put(struct learned *learned, int focuser, int camera, int binning, const struct store_history *history);

/* False (out untouched) when nothing is known. */
bool learned_get(struct learned *learned, int focuser, int camera, int binning, struct store_history *out);

#endif
