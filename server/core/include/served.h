/* SPDX-License-Identifier: MIT */
/*
 * What was built, for those who serve it to clients.  Constant from before the first request to after the last,
 * so readers need no lock; what is pointed to has locks of its own.
 */
#ifndef FOCUSD_SERVED_H
#define FOCUSD_SERVED_H

#include "autofocus.h"
#include "settings.h"
#include "devices.h"
#include "events.h"
#include "focuser.h"
#include "run.h"

struct served {
	struct settings *settings;
	struct events *events;
	struct runs *runs;
	const struct devices *devices;
	/* The jobs of focuser N; NULL where there is no such focuser. */
	struct autofocus *autofocus[CONFIG_MAX_DEVICES];
};

/* The jobs of this device; NULL where it has none, as a camera. */
static inline struct autofocus *served_autofocus(const struct served *served, const struct device *dev)
{
	const struct device_info *info = device_info(dev);
	return info->kind == &focuser_kind ? served->autofocus[info->number] : NULL;
}

#endif
