/* SPDX-License-Identifier: MIT */
/*
 * News that somebody's state has changed. An event carries no data: whoever is told looks at the snapshot of what
 * changed, so a slow listener can miss steps but never shows an old state, and nothing has to be queued for it. Any
 * thread may publish; publishing never blocks on a listener.
 */
#ifndef FOCUSD_EVENTS_H
#define FOCUSD_EVENTS_H

#include <stdint.h>

struct events;

/* Makes a bus without listeners; NULL when out of memory. */
struct events *events_create(void);
void events_destroy(struct events *events);

/* The number of the last event; it starts at 1 and grows by one with each. */
uint64_t events_now(struct events *events);

/* Counts one event and calls every listener. */
void events_publish(struct events *events);

/* Registers a function to be called on each event, on the publisher's thread, under the bus's own
 * lock: it must only set a flag or signal, must not call back into the bus, and returns at once.
 * At most 8 listeners.  0 on success, -1 when full. */
int events_listen(struct events *events, void (*fn)(void *arg), void *arg);

/* Removes that listener; when this returns, fn is not running and will not be called again. */
void events_unlisten(struct events *events, void (*fn)(void *arg), void *arg);

#endif
