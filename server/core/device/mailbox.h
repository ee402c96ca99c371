/* SPDX-License-Identifier: MIT */
/*
 * What a driver's threads posted and the worker has not taken yet.  Bounded, nothing allocated after creation;
 * its own mutex is held for a copy only and is the innermost of all.
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

/* Shut and empty; NULL when out of memory. */
struct mailbox *mailbox_create(void);
void mailbox_destroy(struct mailbox *box);

/* Opens it empty; shuts it, which throws away what is in it.  After a shut has returned nothing can be taken and
 * no post is kept until the next opening.  Worker. */
void mailbox_open(struct mailbox *box);
void mailbox_shut(struct mailbox *box);

/* False when it is shut or full or size is out of range; nothing is kept then.  Any thread. */
bool mailbox_put(struct mailbox *box, const void *data, size_t size);

/* The oldest, false when there is none.  Where posts were dropped it says so once, by a size of 0.  Worker. */
bool mailbox_take(struct mailbox *box, struct mail *out);

#endif
