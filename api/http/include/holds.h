/* SPDX-License-Identifier: MIT */
/*
 * An account of large things (frames, rendered pictures) that stay in memory because somebody is reading them. A
 * reader may be as slow as it likes, so whoever starts an answer out of such a thing enters it here first, and answers
 * something else when there is no room: the readers that are there already are not disturbed. Readers that take less
 * than the least rate of http.h lose their connection, and their entries go then.
 *
 * Any thread; every call lasts for a walk over at most readers_max entries.
 */
#ifndef FOCUSD_HOLDS_H
#define FOCUSD_HOLDS_H

#include <stddef.h>

struct holds;

/* Makes an empty account in which each owner may have things of weight_max together (in a unit of the caller's choice)
 * and which has at most readers_max entries in all.  NULL when out of memory. */
struct holds *holds_create(size_t weight_max, unsigned readers_max);

/* Frees the account, in which no reader may be left; NULL is fine. */
void holds_destroy(struct holds *holds);

enum holds_result {
	HOLDS_ENTERED,
	HOLDS_HEAVY,    /* other things of this owner are read, and with this one they would weigh too much */
	HOLDS_CROWDED,  /* there are as many readers as may be */
};

/* Enters one reader of a thing.  Things are told apart by their address, and a thing that somebody reads already weighs
 * nothing more.  The reader keeps the thing alive until holds_leave().  The first thing of an owner is entered whatever
 * its weight. */
enum holds_result holds_enter(struct holds *holds, const void *owner, const void *thing, size_t weight);

/* Takes out one reader, who was entered for this thing. */
void holds_leave(struct holds *holds, const void *thing);

#endif
