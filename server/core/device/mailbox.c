/* SPDX-License-Identifier: MIT */
#include "mailbox.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct mailbox {
	pthread_mutex_t lock;
	bool open;
	bool dropped; /* posts after the newest one in here were dropped */
	size_t first, count;
	struct mail mail[DRIVER_POST_ROOM];
};

struct mailbox *mailbox_create(void)
{
	struct mailbox *box = calloc(1, sizeof *box);
	if (box != NULL) {
		pthread_mutex_init(&box->lock, NULL);
	}
	return box;
}

void mailbox_destroy(struct mailbox *box)
{
	if (box != NULL) {
		pthread_mutex_destroy(&box->lock);
		free(box);
	}
}

static void set_open(struct mailbox *box, bool open)
{
	pthread_mutex_lock(&box->lock);
	box->open = open;
	box->dropped = false;
	box->count = 0;
	pthread_mutex_unlock(&box->lock);
}

void mailbox_open(struct mailbox *box)
{
	set_open(box, true);
}

void mailbox_shut(struct mailbox *box)
{
	set_open(box, false);
}

bool mailbox_put(struct mailbox *box, const void *data, size_t size)
{
	if (size == 0 || size > DRIVER_POST_BYTES) {
		return false;
	}
	pthread_mutex_lock(&box->lock);
	/* After a gap nothing is kept until the worker has been told of the gap, so that it learns everything in
	 * order. */
	bool kept = box->open && !box->dropped && box->count < DRIVER_POST_ROOM;
	if (kept) {
		struct mail *mail = &box->mail[(box->first + box->count++) % DRIVER_POST_ROOM];
		mail->size = size;
		memcpy(mail->data, data, size);
	} else if (box->open) {
		box->dropped = true;
	}
	pthread_mutex_unlock(&box->lock);
	return kept;
}

bool mailbox_take(struct mailbox *box, struct mail *out)
{
	pthread_mutex_lock(&box->lock);
	bool there = true;
	if (box->count > 0) {
		*out = box->mail[box->first];
		box->first = (box->first + 1) % DRIVER_POST_ROOM;
		box->count--;
	} else if (box->dropped) {
		box->dropped = false;
		out->size = 0;
	} else {
		there = false;
	}
	pthread_mutex_unlock(&box->lock);
	return there;
}
