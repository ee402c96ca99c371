/* SPDX-License-Identifier: MIT */
/* Which clients are connected: the only file that reads and writes the device's table of clients. */
#include "device_private.h"

#include <string.h>

static bool same_client(const struct client *a, const struct client *b)
{
	return a->id == b->id && strcmp(a->peer, b->peer) == 0;
}

/* Finds the client's entry, or makes it. When the table is full, the client that was not heard of for longest gives
 * way, first among those that never said False: to forget one of these changes nothing that it reads. */
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

void device_borrowed_by(struct device *dev, const char *unique_ids)
{
	size_t len = strspn(unique_ids, "0123456789abcdefABCDEF-,");
	if (unique_ids[len] != '\0' || len >= sizeof dev->borrowers) {
		return;
	}
	pthread_mutex_lock(&dev->lock);
	memcpy(dev->borrowers, unique_ids, len + 1);
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
		code = err_set(err, ERR_NOT_CONNECTED, "%s is not connected: connect it first", dev->info.name);
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
		/* A client that said False before this link was opened starts afresh. */
		for (int i = 0; i < DEVICE_MAX_CLIENTS; i++) {
			dev->clients[i].said_false = false;
		}
		dev->connect_error = (struct err){0};
		dev->connect_told.until_ms = 0;
		dev->want_link = true;
		dev->wished_ms = now;
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
		/* A client wants the link at once; perhaps somebody has just put the plug back. */
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
		/* A lost link is tried again and again, but the client that asked hears how this try went. */
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
	struct lease lease = {0};
	if (*closing) {
		device_lease_disconnected(dev);
		lease = dev->lease;
		dev->want_link = false;
		dev->link = LINK_CLOSING;
		device_wake_urgent(dev);
	}
	device_changed(dev);
	pthread_mutex_unlock(&dev->lock);
	if (lease.run != 0) {
		lease.poke(lease.arg);
	}
	return ERR_OK;
}
