/* SPDX-License-Identifier: MIT */
/* Identity, changes and failures of a device. The rest is in link.c, clients.c, lease.c and device_make.c. */
#include "device_private.h"

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

/* What clients are promised. A connect is promised an answer within 4.5 s; the time below is shorter, because the
 * answer takes a while on its way. */
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
	dev->urgent_fd = -1;
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
	if (dev->urgent_fd >= 0) {
		(void)eventfd_write(dev->urgent_fd, 1);
	}
	device_wake_worker(dev);
}

void device_seen_urgent(struct device *dev)
{
	eventfd_t count;
	if (atomic_exchange(&dev->urgent, false) && dev->urgent_fd >= 0) {
		(void)eventfd_read(dev->urgent_fd, &count);
	}
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
