/* SPDX-License-Identifier: MIT */
/*
 * What a driver's threads posted and the worker has not taken yet. It is bounded, and nothing is allocated after its
 * creation; its own mutex is held for a copy only and is the innermost of all.
 */
#ifndef FOCUSD_MAILBOX_H
#define FOCUSD_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "driver_host.h"

struct mailbox;

struct mail {
	size_t size; /* 0: posts were dropped here */
	char data[DRIVER_POST_BYTES];
};

/* Makes a mailbox that is shut and empty; NULL when out of memory. */
struct mailbox *mailbox_create(void);
void mailbox_destroy(struct mailbox *box);

/* Opens the mailbox empty, or shuts it, which throws away what is in it. After a shut has returned, nothing can be
 * taken and no post is kept until the next opening. Worker. */
void mailbox_open(struct mailbox *box);
void mailbox_shut(struct mailbox *box);

/* Adds a post; false, and nothing is kept, when the mailbox is shut or full or size is out of range. Any thread. */
bool mailbox_put(struct mailbox *box, const void *data, size_t size);

/* Takes the oldest post; false when there is none. Where posts were dropped, a size of 0 says so once. Worker. */
bool mailbox_take(struct mailbox *box, struct mail *out);

#endif
