/* SPDX-License-Identifier: MIT */
/*
 * What was built, for those who serve it to clients. It is constant from before the first request to after the last,
 * so readers need no lock; the objects that it points to have locks of their own.
 */
#ifndef FOCUSD_SERVED_H
#define FOCUSD_SERVED_H

#include "arrivals_measured.h"
#include "autofocus.h"
#include "settings.h"
#include "devices.h"
#include "events.h"
#include "focuser.h"
#include "store.h"

struct served {
	struct settings *settings;
	struct events *events;
	struct store *store;
	const struct devices *devices;
	/* The jobs of focuser N; NULL where there is no such focuser. */
	struct autofocus *autofocus[CONFIG_MAX_DEVICES];
	struct arrivals_measured *arrivals; /* of the cameras that watch, told for each */
};

/* The jobs of this device; NULL where it has none, as a camera. */
static inline struct autofocus *served_autofocus(const struct served *served, const struct device *dev)
{
	const struct device_info *info = device_info(dev);
	return info->kind == &focuser_kind ? served->autofocus[info->number] : NULL;
}

/* How positions of focuser N are published today; not known before its first link, or where there is none. */
static inline struct numbering served_numbering(const struct served *served, int number)
{
	struct focuser_state state = {.link = LINK_DOWN};
	struct device *dev;
	for (int i = 0; (dev = devices_at(served->devices, i)) != NULL; i++) {
		const struct device_info *info = device_info(dev);
		if (info->kind == &focuser_kind && info->number == number) {
			focuser_state(dev, &state);
		}
	}
	return state.numbering;
}

#endif
