/* SPDX-License-Identifier: MIT */
/* The real machine, and what udev's database says of it; the only file here beside ports_watch.c that
 * knows libudev. */
#include <libudev.h>

#include <stdio.h>
#include <string.h>

#include "ports.h"
#include "ports_watch.h"

static bool is_set(struct udev_device *device, const char *property)
{
	const char *value = udev_device_get_property_value(device, property);
	return value != NULL && strcmp(value, "1") == 0;
}

static bool ask_udev(const char *name, struct ports_udev_facts *out)
{
	struct udev *udev = udev_new();
	if (udev == NULL) {
		return false;
	}
	struct udev_device *device = udev_device_new_from_subsystem_sysname(udev, "tty", name);
	bool known = device != NULL && udev_device_get_is_initialized(device) > 0;
	if (known) {
		const char *path = udev_device_get_property_value(device, "ID_PATH");
		text_copy_clean(out->path, sizeof out->path, path != NULL ? path : "");
		out->modem_ignored = is_set(device, "ID_MM_DEVICE_IGNORE") ||
			is_set(device, "ID_MM_PORT_IGNORE");
	}
	udev_device_unref(device);
	udev_unref(udev);
	return known;
}

static bool udev_facts(const char *name, struct ports_udev_facts *out)
{
	ports_udev_begin();
	bool known = ask_udev(name, out);
	ports_udev_end();
	return known;
}

const struct ports_roots *ports_system(void)
{
	static const struct ports_roots system_roots = {
		.sys = "/sys",
		.dev = "/dev",
		.proc = "/proc",
		.udev_facts = udev_facts,
		.udev_events = true,
	};
	return &system_roots;
}
