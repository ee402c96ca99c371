/* SPDX-License-Identifier: MIT */
/* Identity, clients, failures and the lease: everything of a device that is not its link (link.c). */
#include "device_private.h"

#include <stdio.h>
#include <string.h>

/* What clients are promised.  A connect is answered by 4.5 s; the rest of it is for the way. */
static const struct device_patience usual_patience = {
	.connect_answer_ms = 4300,
	.tell_ms = 5000,
	.lost_grace_ms = 60000,
	.temperature_told_ms = 900000,
	.client_quiet_ms = 600000,
};

void device_init(struct device *dev)
{
	pthread_mutex_init(&dev->lock, NULL);
	clock_cond_init(&dev->mail);
	clock_cond_init(&dev->changed);
	dev->version = 1;
	dev->link = LINK_DOWN;
	dev->patience = usual_patience;
}

void device_fini(struct device *dev)
{
	pthread_cond_destroy(&dev->mail);
	pthread_cond_destroy(&dev->changed);
	pthread_mutex_destroy(&dev->lock);
}

void device_changed(struct device *dev)
{
	dev->version++;
	pthread_cond_broadcast(&dev->changed);
	events_publish(dev->needs.events);
}

void device_wake_worker(struct device *dev)
{
	dev->woken = true;
	pthread_cond_signal(&dev->mail);
}

void device_wake_urgent(struct device *dev)
{
	atomic_store(&dev->urgent, true);
	device_wake_worker(dev);
}

void device_poke(struct device *dev)
{
	pthread_mutex_lock(&dev->lock);
	pthread_cond_broadcast(&dev->changed);
	pthread_mutex_unlock(&dev->lock);
}

void device_failed(struct device *dev, struct told_failure *told, const struct err *err)
{
	snprintf(dev->last_failure, sizeof dev->last_failure, "%s", err->text);
	if (err->code == ERR_STALLED) {
		transcript_fault(dev->transcript, err->text);
	}
	if (told != NULL) {
		told->err = *err;
		told->until_ms = clock_now_ms(clock_real()) + dev->patience.tell_ms;
	}
}

void device_count_error(struct device *dev, enum err_code code)
{
	if (code != ERR_OK && code != ERR_CANCELLED) {
		dev->errors[code]++;
		transcript_say(dev->transcript, TRANSCRIPT_FAILED, "%s", err_name(code));
		if (code == ERR_PROTOCOL && dev->usable) {
			transcript_fault(dev->transcript, "an answer that the protocol does not allow");
		}
	}
}

void device_error_counts(struct device *dev, uint64_t by_code[ERR_CODE_COUNT])
{
	pthread_mutex_lock(&dev->lock);
	memcpy(by_code, dev->errors, sizeof dev->errors);
	pthread_mutex_unlock(&dev->lock);
}

enum err_code told_failure_get(const struct told_failure *told, struct err *err)
{
	if (told->until_ms != 0 && clock_now_ms(clock_real()) < told->until_ms) {
		return err_copy(err, &told->err);
	}
	return ERR_OK;
}

const struct device_info *device_info(const struct device *dev)
{
	return &dev->info;
}

uint64_t device_version(struct device *dev)
{
	pthread_mutex_lock(&dev->lock);
	uint64_t version = dev->version;
	pthread_mutex_unlock(&dev->lock);
	return version;
}

enum device_link device_link(struct device *dev)
{
	pthread_mutex_lock(&dev->lock);
	enum device_link link = dev->link;
	pthread_mutex_unlock(&dev->lock);
	return link;
}

const char *device_link_name(enum device_link link)
{
	switch (link) {
	case LINK_DOWN:
		return "down";
	case LINK_OPENING:
		return "opening";
	case LINK_UP:
		return "up";
	case LINK_LOST:
		return "lost";
	case LINK_CLOSING:
		break;
	}
	return "closing";
}

void device_last_failure(struct device *dev, char *out, int cap)
{
	pthread_mutex_lock(&dev->lock);
	snprintf(out, (size_t)cap, "%s", dev->last_failure);
	pthread_mutex_unlock(&dev->lock);
}

static bool same_client(const struct client *a, const struct client *b)
{
	return a->id == b->id && strcmp(a->peer, b->peer) == 0;
}

/* The client's entry, made if need be.  When the table is full the one not heard of for longest goes,
 * one that never said False first: forgetting it changes nothing that it reads. */
static struct device_client *client_entry(struct device *dev, const struct client *who)
{
	struct device_client *free_entry = NULL;
	struct device_client *oldest = NULL;
	for (int i = 0; i < DEVICE_MAX_CLIENTS; i++) {
		struct device_client *entry = &dev->clients[i];
		if (!entry->present) {
			free_entry = free_entry == NULL ? entry : free_entry;
		} else if (same_client(&entry->who, who)) {
			return entry;
		} else if (oldest == NULL ||
			(entry->said_false != oldest->said_false
					? !entry->said_false
					: entry->heard_ms < oldest->heard_ms)) {
			oldest = entry;
		}
	}
	struct device_client *entry = free_entry != NULL ? free_entry : oldest;
	*entry = (struct device_client){.present = true, .who = *who};
	return entry;
}

void device_touch(struct device *dev, const struct client *client)
{
	pthread_mutex_lock(&dev->lock);
	client_entry(dev, client)->heard_ms = clock_now_ms(clock_real());
	pthread_mutex_unlock(&dev->lock);
}

static bool link_counts_as_connected(const struct device *dev)
{
	if (dev->link == LINK_LOST) {
		return clock_now_ms(clock_real()) - dev->lost_since_ms < dev->patience.lost_grace_ms;
	}
	return dev->link == LINK_UP;
}

static bool connected_locked(struct device *dev, const struct client *who)
{
	if (!link_counts_as_connected(dev)) {
		return false;
	}
	for (int i = 0; i < DEVICE_MAX_CLIENTS; i++) {
		const struct device_client *entry = &dev->clients[i];
		if (entry->present && same_client(&entry->who, who)) {
			return !entry->said_false;
		}
	}
	return true;
}

uint64_t device_back_since(struct device *dev, const struct client *who)
{
	for (int i = 0; i < DEVICE_MAX_CLIENTS; i++) {
		const struct device_client *entry = &dev->clients[i];
		if (entry->present && same_client(&entry->who, who)) {
			return entry->back_since;
		}
	}
	return 0;
}

bool device_connected(struct device *dev, const struct client *client)
{
	pthread_mutex_lock(&dev->lock);
	bool connected = connected_locked(dev, client);
	pthread_mutex_unlock(&dev->lock);
	return connected;
}

enum err_code device_require(struct device *dev, const struct client *client, struct err *err)
{
	enum err_code code = ERR_OK;
	pthread_mutex_lock(&dev->lock);
	if (!connected_locked(dev, client)) {
		code = err_set(err, ERR_NOT_CONNECTED, "%s is not connected: PUT connected with Connected=true first",
			dev->info.name);
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}

enum err_code device_connecting(struct device *dev, bool *connecting, struct err *err)
{
	pthread_mutex_lock(&dev->lock);
	enum err_code code = told_failure_get(&dev->connect_told, err);
	if (code == ERR_OK) {
		*connecting = dev->link == LINK_OPENING || dev->link == LINK_CLOSING;
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}

enum err_code device_connect(struct device *dev, const struct client *client, uint64_t *ticket,
	struct err *err)
{
	(void)err;
	int64_t now = clock_now_ms(clock_real());
	pthread_mutex_lock(&dev->lock);
	if (dev->link == LINK_DOWN || dev->link == LINK_CLOSING) {
		/* Whoever said False before this link was opened starts afresh. */
		for (int i = 0; i < DEVICE_MAX_CLIENTS; i++) {
			dev->clients[i].said_false = false;
		}
		dev->connect_error = (struct err){0};
		dev->connect_told.until_ms = 0;
		dev->want_link = true;
		dev->next_try_ms = 0;
		if (dev->link == LINK_DOWN) {
			/* `connecting` must read true before the answer to this request leaves. */
			dev->link = LINK_OPENING;
			dev->opened = false;
			dev->identify_tries = 0;
		}
		device_wake_worker(dev);
		device_changed(dev);
	} else if (dev->link == LINK_LOST) {
		/* Somebody wants it now, perhaps with the plug just put back. */
		dev->keen = true;
		if (!dev->opened) {
			dev->next_try_ms = 0;
			dev->relink_backoff_ms = 0;
			device_wake_worker(dev);
		}
	}
	struct device_client *entry = client_entry(dev, client);
	if (entry->said_false) {
		entry->back_since = ++dev->version;
	}
	entry->said_false = false;
	entry->heard_ms = now;
	pthread_mutex_unlock(&dev->lock);
	/* The ticket is the moment by which an answer is due. */
	*ticket = (uint64_t)(now + dev->patience.connect_answer_ms);
	return ERR_OK;
}

bool device_connect_done(struct device *dev, uint64_t ticket, enum err_code *result,
	struct err *err)
{
	bool done = true;
	pthread_mutex_lock(&dev->lock);
	if (dev->link == LINK_UP) {
		*result = ERR_OK;
	} else if (dev->link == LINK_DOWN && dev->connect_error.code != ERR_OK) {
		*result = err_copy(err, &dev->connect_error);
	} else if (dev->link == LINK_LOST &&
		   dev->try_failed_ms > (int64_t)ticket - dev->patience.connect_answer_ms) {
		/* A lost link goes on being tried, but whoever asked for it hears how this try went. */
		*result = err_copy(err, &dev->connect_error);
	} else if (clock_now_ms(clock_real()) >= (int64_t)ticket) {
		*result = err_set(err, ERR_TIMEOUT, "%s has not answered yet on %s; still trying, see Connecting",
			dev->info.name, dev->info.where[0] != '\0' ? dev->info.where : "its link");
	} else {
		done = false;
	}
	pthread_mutex_unlock(&dev->lock);
	return done;
}

enum err_code device_disconnect(struct device *dev, const struct client *client, bool *closing,
	struct err *err)
{
	(void)err;
	int64_t now = clock_now_ms(clock_real());
	pthread_mutex_lock(&dev->lock);
	struct device_client *own = client_entry(dev, client);
	own->said_false = true;
	own->heard_ms = now;
	bool others = false;
	for (int i = 0; i < DEVICE_MAX_CLIENTS; i++) {
		const struct device_client *entry = &dev->clients[i];
		others |= entry->present && entry != own && !entry->said_false &&
			  now - entry->heard_ms < dev->patience.client_quiet_ms;
	}
	if (!others) {
		dev->keep_trying = false;
	}
	*closing = !others && dev->link != LINK_DOWN;
	if (*closing) {
		dev->want_link = false;
		dev->link = LINK_CLOSING;
		device_wake_urgent(dev);
	}
	device_changed(dev);
	pthread_mutex_unlock(&dev->lock);
	return ERR_OK;
}

enum err_code device_need_link(struct device *dev, struct err *err)
{
	if (dev->link == LINK_UP) {
		return ERR_OK;
	}
	if (dev->link == LINK_LOST) {
		return err_set(err, ERR_IO, "%s: the link was lost %lld s ago and is being reopened (%s)",
			dev->info.name,
			(long long)((clock_now_ms(clock_real()) - dev->lost_since_ms) / 1000),
			dev->last_failure);
	}
	return err_set(err, ERR_NOT_CONNECTED, "%s is not connected", dev->info.name);
}

enum err_code device_need_free(struct device *dev, struct err *err)
{
	if (dev->lease.run == 0) {
		return ERR_OK;
	}
	return err_set(err, ERR_INVALID_OPERATION,
		"%s is in use by %s; Halt or AutofocusAbort ends it", dev->info.name, dev->lease.what);
}

enum err_code device_lease_take(struct device *dev, const struct lease *lease, struct err *err)
{
	pthread_mutex_lock(&dev->lock);
	enum err_code code = device_need_link(dev, err);
	if (code == ERR_OK) {
		code = device_need_free(dev, err);
	}
	if (code == ERR_OK && dev->class->unfit(dev, err)) {
		code = ERR_INVALID_OPERATION;
	}
	if (code == ERR_OK) {
		dev->lease = *lease;
		device_changed(dev);
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}

void device_lease_drop(struct device *dev, uint64_t run)
{
	pthread_mutex_lock(&dev->lock);
	if (dev->lease.run == run) {
		dev->lease = (struct lease){0};
		device_changed(dev);
	}
	pthread_mutex_unlock(&dev->lock);
}

void device_lease_lost(struct device *dev)
{
	if (dev->class->loss_ends_lease && dev->lease.run != 0) {
		dev->lease.blocked = true;
		dev->lease.interrupt(dev->lease.arg, LEASE_LINK_LOST);
	}
}
