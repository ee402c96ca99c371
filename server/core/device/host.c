/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "device_private.h"
#include "mailbox.h"
#include "shared.h"

static bool something_urgent(void *ctx)
{
	struct device *dev = ctx;
	return atomic_load(&dev->urgent);
}

static void borrowers(void *ctx, char *out, size_t cap)
{
	struct device *dev = ctx;
	pthread_mutex_lock(&dev->lock);
	snprintf(out, cap, "%s%s%s", dev->info.unique_id, dev->borrowers[0] != '\0' ? "," : "", dev->borrowers);
	pthread_mutex_unlock(&dev->lock);
}

/* The list of devices and their ids never change while workers run. */
static bool is_ours(void *ctx, const char *unique_id)
{
	const struct device *dev = ctx;
	const struct devices *all = dev->needs.siblings;
	for (int i = 0; all != NULL && i < all->count; i++) {
		if (strcasecmp(all->device[i]->info.unique_id, unique_id) == 0) {
			return true;
		}
	}
	/* A server that borrows from us, through others perhaps, is as good as our own. */
	char ids[BORROWERS_ROOM + sizeof dev->info.unique_id];
	borrowers(ctx, ids, sizeof ids);
	for (const char *at = ids; *at != '\0'; at += strspn(at, ",")) {
		size_t len = strcspn(at, ",");
		if (len > 0 && len == strlen(unique_id) && strncasecmp(at, unique_id, len) == 0) {
			return true;
		}
		at += len;
	}
	return false;
}

/* Puts a post into the mailbox; a thread of the driver calls this. */
static bool post(void *ctx, const void *data, size_t size)
{
	struct device *dev = ctx;
	bool kept = mailbox_put(dev->mailbox, data, size);
	pthread_mutex_lock(&dev->lock);
	device_wake_worker(dev);
	pthread_mutex_unlock(&dev->lock);
	return kept;
}

enum err_code host_prepare(struct device *dev, struct err *err)
{
	const struct device_needs *needs = &dev->needs;
	dev->mailbox = mailbox_create();
	if (dev->mailbox == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	dev->clock = clock_real();
	dev->host.clock = dev->clock;
	dev->host.source = dev->info.source;
	dev->host.seed = needs->seed;
	dev->host.state_dir = needs->state_dir;
	dev->host.simulator = &dev->made_by->simulator;
	dev->host.optics = &dev->made_by->telescope[0];
	dev->host.pixel_size_um = NAN;
	dev->host.step_size_um = NAN;
	dev->host.number = dev->info.number;
	dev->host.partner = -1;
	dev->host.share = shared_memory;
	dev->host.share_ctx = needs->shared;
	dev->host.join = shared_join;
	dev->host.leave = shared_leave;
	dev->host.shared_ctx = needs->shared;
	dev->host.post = post;
	dev->host.post_ctx = dev;
	dev->host.urgent = something_urgent;
	dev->host.urgent_ctx = dev;
	/* Without a descriptor drivers look now and then. */
	dev->urgent_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	dev->host.urgent_fd = dev->urgent_fd;
	dev->host.is_ours = is_ours;
	dev->host.borrowers = borrowers;
	dev->host.ours_ctx = dev;
	return ERR_OK;
}

void host_end(struct device *dev)
{
	if (dev->urgent_fd >= 0) {
		close(dev->urgent_fd);
	}
	mailbox_destroy(dev->mailbox);
}

void host_opens(struct device *dev)
{
	mailbox_open(dev->mailbox);
}

void host_closes(struct device *dev)
{
	mailbox_shut(dev->mailbox);
}

struct step host_hand_over(struct device *dev)
{
	struct mail mail;
	struct step step = step_again();
	/* The loop takes no more posts than were there at first, because a driver that never stops posting must not
	 * keep a halt from its turn. */
	for (int i = 0; i <= DRIVER_POST_ROOM && step.what != STEP_LOST && mailbox_take(dev->mailbox, &mail); i++) {
		if (dev->class->posted != NULL) {
			step = dev->class->posted(dev, mail.size > 0 ? mail.data : NULL, mail.size);
		}
	}
	return step;
}
