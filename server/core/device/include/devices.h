/* SPDX-License-Identifier: MIT */
/*
 * The list of all devices of the server, focusers first.  It is complete before the first worker or client
 * looks at it and is never changed afterwards, so readers need no lock.  Any thread.
 */
#ifndef FOCUSD_DEVICES_H
#define FOCUSD_DEVICES_H

#include "device.h"

enum { DEVICES_MAX = 64 };

struct devices {
	struct device *device[DEVICES_MAX]; /* owned by whoever built the list */
	int count;
};

/* The device of this kind with this Alpaca number; NULL when it is not configured.  Numbers need not be
 * contiguous. */
struct device *devices_find(const struct devices *devices, const struct device_kind *kind, int number);

/* The device number i of the whole list, 0..count-1; NULL outside of that. */
struct device *devices_at(const struct devices *devices, int i);

#endif
