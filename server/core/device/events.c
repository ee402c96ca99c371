/* SPDX-License-Identifier: MIT */
#include "events.h"

#include <pthread.h>
#include <stdlib.h>

enum { MAX_LISTENERS = 8 };

struct events {
	pthread_mutex_t lock;
	uint64_t now;
	int count;
	struct {
		void (*fn)(void *arg);
		void *arg;
	} listener[MAX_LISTENERS];
};

struct events *events_create(void)
{
	struct events *events = calloc(1, sizeof *events);
	if (events != NULL) {
		pthread_mutex_init(&events->lock, NULL);
		events->now = 1;
	}
	return events;
}

void events_destroy(struct events *events)
{
	if (events != NULL) {
		pthread_mutex_destroy(&events->lock);
		free(events);
	}
}

uint64_t events_now(struct events *events)
{
	pthread_mutex_lock(&events->lock);
	uint64_t now = events->now;
	pthread_mutex_unlock(&events->lock);
	return now;
}

void events_publish(struct events *events)
{
	pthread_mutex_lock(&events->lock);
	events->now++;
	for (int i = 0; i < events->count; i++) {
		events->listener[i].fn(events->listener[i].arg);
	}
	pthread_mutex_unlock(&events->lock);
}

int events_listen(struct events *events, void (*fn)(void *arg), void *arg)
{
	int rc = -1;
	pthread_mutex_lock(&events->lock);
	if (events->count < MAX_LISTENERS) {
		events->listener[events->count].fn = fn;
		events->listener[events->count].arg = arg;
		events->count++;
		rc = 0;
	}
	pthread_mutex_unlock(&events->lock);
	return rc;
}

void events_unlisten(struct events *events, void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&events->lock);
	for (int i = 0; i < events->count; i++) {
		if (events->listener[i].fn == fn && events->listener[i].arg == arg) {
			events->listener[i] = events->listener[--events->count];
			break;
		}
	}
	pthread_mutex_unlock(&events->lock);
}
