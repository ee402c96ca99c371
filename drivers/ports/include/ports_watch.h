/* SPDX-License-Identifier: MIT */
/*
 * Tells when serial ports come and go: through udev where it runs (after its rules: names and rights
 * are there), else by watching the device folder.  Costs nothing while nothing happens.  One thread.
 */
#ifndef FOCUSD_PORTS_WATCH_H
#define FOCUSD_PORTS_WATCH_H

#include "ports.h"

struct ports_watch;

struct ports_event {
	bool added;              /* else gone */
	char name[32];           /* "ttyUSB0"; for an added one perhaps a link's name */
};

/* NULL with err when neither udev nor inotify is to be had. */
struct ports_watch *ports_watch_create(const struct ports_roots *roots, struct err *err);
void ports_watch_destroy(struct ports_watch *watch);

/* To be polled for reading. */
int ports_watch_fd(const struct ports_watch *watch);

/* "udev" or "inotify", for the log. */
const char *ports_watch_kind(const struct ports_watch *watch);

/* The next thing that happened; false when there is nothing more.  Never waits. */
bool ports_watch_next(struct ports_watch *watch, struct ports_event *out);

/* libudev keeps things for the whole program without a lock; between these two it is ours alone. */
void ports_udev_begin(void);
void ports_udev_end(void);

#endif
