/* SPDX-License-Identifier: MIT */
#include "plug.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "port.h"
#include "focuser_private.h"
#include "ports_watch.h"

struct plug {
	struct device *const *devices;
	int count;
	struct ports_watch *watch;
	int stop;
	pthread_t thread;
};

static void tell(struct plug *plug, const struct ports_event *event)
{
	log_debug("ports", "%s %s", event->name, event->added ? "came" : "went");
	for (int i = 0; i < plug->count; i++) {
		struct device *dev = plug->devices[i];
		pthread_mutex_lock(&dev->lock);
		if (event->added) {
			port_came(dev);
		} else {
			port_went(dev, event->name);
		}
		pthread_mutex_unlock(&dev->lock);
	}
}

static void *plug_main(void *arg)
{
	struct plug *plug = arg;
	struct pollfd fds[2] = {
		{.fd = ports_watch_fd(plug->watch), .events = POLLIN},
		{.fd = plug->stop, .events = POLLIN},
	};
	while (fds[1].revents == 0) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR) {
			break;
		}
		struct ports_event event;
		while (fds[0].revents != 0 && ports_watch_next(plug->watch, &event)) {
			tell(plug, &event);
		}
		if (fds[0].revents & (POLLHUP | POLLNVAL)) {
			fds[0].fd = -1;
		}
	}
	return NULL;
}

struct plug *plug_create(struct device *const *devices, int count)
{
	bool wanted = false;
	for (int i = 0; i < count; i++) {
		const struct focuser_core *f = focuser_of(devices[i]);
		wanted |= f != NULL && f->driver->uses_port && !f->driver->behind_server;
	}
	struct plug *plug = wanted ? calloc(1, sizeof *plug) : NULL;
	if (plug == NULL) {
		return NULL;
	}
	plug->devices = devices;
	plug->count = count;
	struct err err = {.text = "out of descriptors"};
	plug->stop = eventfd(0, EFD_CLOEXEC);
	plug->watch = plug->stop >= 0 ? ports_watch_create(ports_system(), &err) : NULL;
	if (plug->watch != NULL && pthread_create(&plug->thread, NULL, plug_main, plug) == 0) {
		log_debug("ports", "plug events come from %s", ports_watch_kind(plug->watch));
		return plug;
	}
	log_warn("ports", "ports that come and go are noticed late: %s", err.text);
	ports_watch_destroy(plug->watch);
	if (plug->stop >= 0) {
		close(plug->stop);
	}
	free(plug);
	return NULL;
}

void plug_destroy(struct plug *plug)
{
	if (plug == NULL) {
		return;
	}
	uint64_t one = 1;
	/* An event descriptor takes a number of eight bytes or nothing. */
	while (write(plug->stop, &one, sizeof one) < 0 && errno == EINTR) {
	}
	pthread_join(plug->thread, NULL);
	ports_watch_destroy(plug->watch);
	close(plug->stop);
	free(plug);
}
