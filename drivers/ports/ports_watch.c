/* SPDX-License-Identifier: MIT */
#include "ports_watch.h"

#include <errno.h>
#include <libudev.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "clock.h"

static pthread_mutex_t udev_lock = PTHREAD_MUTEX_INITIALIZER;

void ports_udev_begin(void)
{
	pthread_mutex_lock(&udev_lock);
}

void ports_udev_end(void)
{
	pthread_mutex_unlock(&udev_lock);
}

struct ports_watch {
	const struct ports_roots *roots;
	struct udev *udev;
	struct udev_monitor *monitor; /* NULL: inotify */
	int notify;
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	size_t have, used;
};

static bool open_monitor(struct ports_watch *watch)
{
	/* Without a running udevd the events of udev never come. */
	if (!watch->roots->udev_events || access("/run/udev/control", F_OK) != 0) {
		return false;
	}
	watch->udev = udev_new();
	watch->monitor = watch->udev != NULL
		? udev_monitor_new_from_netlink(watch->udev, "udev") : NULL;
	if (watch->monitor != NULL &&
		udev_monitor_filter_add_match_subsystem_devtype(watch->monitor, "tty", NULL) >= 0 &&
		udev_monitor_enable_receiving(watch->monitor) >= 0) {
		return true;
	}
	udev_monitor_unref(watch->monitor);
	watch->monitor = NULL;
	return false;
}

/* The folders with nodes and with their stable names; the latter come and go with the ports.  Watching
 * one twice is watching it once. */
static bool watch_folders(struct ports_watch *watch)
{
	static const char *const folders[] = {"", "/serial", "/serial/by-id", "/serial/by-path"};
	bool any = false;
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
		char path[PATH_MAX];
		snprintf(path, sizeof path, "%s%s", watch->roots->dev, folders[i]);
		uint32_t what = IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_ONLYDIR;
		/* The rights to a node are set after it was made, so a change of rights is news, too. */
		what |= i == 0 ? IN_ATTRIB : 0;
		any |= inotify_add_watch(watch->notify, path, what) >= 0;
	}
	return any;
}

struct ports_watch *ports_watch_create(const struct ports_roots *roots, struct err *err)
{
	struct ports_watch *watch = calloc(1, sizeof *watch);
	if (watch == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	watch->roots = roots;
	watch->notify = -1;
	ports_udev_begin();
	bool monitored = open_monitor(watch);
	ports_udev_end();
	if (monitored) {
		return watch;
	}
	watch->notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->notify >= 0 && watch_folders(watch)) {
		return watch;
	}
	err_set(err, ERR_IO, "plug events cannot be had: %s", strerror(errno));
	ports_watch_destroy(watch);
	return NULL;
}

void ports_watch_destroy(struct ports_watch *watch)
{
	if (watch == NULL) {
		return;
	}
	udev_monitor_unref(watch->monitor);
	udev_unref(watch->udev);
	if (watch->notify >= 0) {
		close(watch->notify);
	}
	free(watch);
}

int ports_watch_fd(const struct ports_watch *watch)
{
	return watch->monitor != NULL ? udev_monitor_get_fd(watch->monitor) : watch->notify;
}

const char *ports_watch_kind(const struct ports_watch *watch)
{
	return watch->monitor != NULL ? "udev" : "inotify";
}

static bool next_of_udev(struct ports_watch *watch, struct ports_event *out)
{
	struct udev_device *device;
	while ((device = udev_monitor_receive_device(watch->monitor)) != NULL) {
		const char *action = udev_device_get_action(device);
		const char *name = udev_device_get_sysname(device);
		bool added = action != NULL && strcmp(action, "add") == 0;
		bool removed = action != NULL && strcmp(action, "remove") == 0;
		bool counts = (added || removed) && name != NULL;
		if (counts) {
			out->added = added;
			text_copy_clean(out->name, sizeof out->name, name);
		}
		udev_device_unref(device);
		if (counts) {
			return true;
		}
	}
	return false;
}

/* Other nodes come and go in the device folder, too; they are no serial ports and are passed over. */
static bool concerns(const struct inotify_event *event)
{
	return event->len > 0 && (strncmp(event->name, "tty", 3) == 0 ||
		strncmp(event->name, "rfcomm", 6) == 0 || strncmp(event->name, "usb-", 4) == 0 ||
		strncmp(event->name, "pci-", 4) == 0 || strncmp(event->name, "platform-", 9) == 0 ||
		strncmp(event->name, "focusd-", 7) == 0);
}

static bool next_of_inotify(struct ports_watch *watch, struct ports_event *out)
{
	for (;;) {
		if (watch->used >= watch->have) {
			ssize_t n = read(watch->notify, watch->events, sizeof watch->events);
			if (n <= 0) {
				return false;
			}
			watch->have = (size_t)n;
			watch->used = 0;
			watch_folders(watch);
		}
		struct inotify_event event;
		const char *at = watch->events + watch->used;
		memcpy(&event, at, sizeof event);
		const struct inotify_event *whole = (const struct inotify_event *)(const void *)at;
		watch->used += sizeof event + event.len;
		bool lost_some = (event.mask & IN_Q_OVERFLOW) != 0;
		/* A folder such as by-id has appeared, and the links that are in it already have made no event of
		 * their own; or events got lost.  An event without a name has all ports looked at. */
		bool folder = (event.mask & IN_ISDIR) != 0 && (event.mask & IN_CREATE) != 0;
		if (lost_some || folder) {
			*out = (struct ports_event){.added = true, .name = ""};
			return true;
		}
		if (concerns(whole)) {
			out->added = (event.mask & (IN_DELETE | IN_MOVED_FROM)) == 0;
			text_copy_clean(out->name, sizeof out->name, whole->name);
			return true;
		}
	}
}

bool ports_watch_next(struct ports_watch *watch, struct ports_event *out)
{
	if (watch->monitor == NULL) {
		return next_of_inotify(watch, out);
	}
	ports_udev_begin();
	bool found = next_of_udev(watch, out);
	ports_udev_end();
	return found;
}
