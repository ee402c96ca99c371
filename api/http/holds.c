/* SPDX-License-Identifier: MIT */
#include "holds.h"

#include <pthread.h>
#include <stdlib.h>

/* One thing that somebody reads. */
struct held {
	const void *owner, *thing;
	size_t weight;
	unsigned readers;
};

struct holds {
	pthread_mutex_t lock;
	size_t weight_max;
	unsigned readers_max;
	unsigned readers;
	unsigned count;
	struct held held[]; /* the first count of readers_max */
};

struct holds *holds_create(size_t weight_max, unsigned readers_max)
{
	struct holds *holds = calloc(1, sizeof *holds + readers_max * sizeof holds->held[0]);
	if (holds != NULL) {
		pthread_mutex_init(&holds->lock, NULL);
		holds->weight_max = weight_max;
		holds->readers_max = readers_max;
	}
	return holds;
}

void holds_destroy(struct holds *holds)
{
	if (holds != NULL) {
		pthread_mutex_destroy(&holds->lock);
		free(holds);
	}
}

static struct held *find(struct holds *holds, const void *thing)
{
	for (unsigned i = 0; i < holds->count; i++) {
		if (holds->held[i].thing == thing) {
			return &holds->held[i];
		}
	}
	return NULL;
}

static enum holds_result enter_thing(struct holds *holds, const void *owner, const void *thing, size_t weight)
{
	size_t weighs = 0;
	for (unsigned i = 0; i < holds->count; i++) {
		weighs += holds->held[i].owner == owner ? holds->held[i].weight : 0;
	}
	if (weighs > 0 && (weighs >= holds->weight_max || weight > holds->weight_max - weighs)) {
		return HOLDS_HEAVY;
	}
	holds->held[holds->count++] = (struct held){.owner = owner, .thing = thing, .weight = weight, .readers = 1};
	return HOLDS_ENTERED;
}

enum holds_result holds_enter(struct holds *holds, const void *owner, const void *thing, size_t weight)
{
	enum holds_result result = HOLDS_CROWDED;
	pthread_mutex_lock(&holds->lock);
	if (holds->readers < holds->readers_max) {
		struct held *held = find(holds, thing);
		if (held != NULL) {
			held->readers++;
			result = HOLDS_ENTERED;
		} else {
			result = enter_thing(holds, owner, thing, weight);
		}
		holds->readers += result == HOLDS_ENTERED;
	}
	pthread_mutex_unlock(&holds->lock);
	return result;
}

void holds_leave(struct holds *holds, const void *thing)
{
	pthread_mutex_lock(&holds->lock);
	struct held *held = find(holds, thing);
	if (held != NULL) {
		holds->readers--;
		if (--held->readers == 0) {
			*held = holds->held[--holds->count];
		}
	}
	pthread_mutex_unlock(&holds->lock);
}
