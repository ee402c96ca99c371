/* SPDX-License-Identifier: MIT */
/* Who has the device for itself. No other file writes struct lease, except that a halt sets `blocked`. */
#include "device_private.h"

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

void device_lease_disconnected(struct device *dev)
{
	if (dev->lease.run == 0) {
		return;
	}
	dev->lease.blocked |= dev->class->loss_ends_lease;
	dev->lease.interrupt(dev->lease.arg, dev->class->loss_ends_lease ? LEASE_DISCONNECTED : LEASE_LEFT);
}
