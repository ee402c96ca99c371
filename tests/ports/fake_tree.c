/* SPDX-License-Identifier: MIT */
/*
 * What makes focusd-fake-tree another program than focusd: it looks for serial ports below the folder
 * in FOCUSD_TEST_TREE, and has a driver "maker": the Moonlite language under a USB identity that
 * belongs to one maker.  The shipped program has neither.  Of its drivers moonlite and celestron are here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "camera_driver.h"
#include "focuser_driver.h"
#include "ports.h"

extern const struct focuser_driver celestron_driver;
extern const struct focuser_driver moonlite_driver;
extern const struct focuser_driver sim_focuser_driver;
extern const struct camera_driver sim_camera_driver;

static const struct focuser_usb_id maker_ids[] = {
	{.vid = 0x15a2, .pid = 0xa50f, .product = "Test Focuser", .one_maker = true},
	{.vid = 0},
};
static struct focuser_driver maker_driver;

const struct focuser_driver *const focuser_drivers[] = {
	&maker_driver,
	&celestron_driver,
	&moonlite_driver,
	&sim_focuser_driver,
	NULL,
};

const struct camera_driver *const camera_drivers[] = {&sim_camera_driver, NULL};

const struct focuser_driver *focuser_driver_find(const char *name)
{
	for (size_t i = 0; focuser_drivers[i] != NULL; i++) {
		if (strcmp(focuser_drivers[i]->name, name) == 0) {
			return focuser_drivers[i];
		}
	}
	return NULL;
}

const struct camera_driver *camera_driver_find(const char *name)
{
	return strcmp(name, sim_camera_driver.name) == 0 ? &sim_camera_driver : NULL;
}

static char sys[256], dev[256], proc[256];
static struct ports_roots roots = {.sys = sys, .dev = dev, .proc = proc};

const struct ports_roots *ports_system(void)
{
	return &roots;
}

__attribute__((constructor)) static void prepare(void)
{
	const char *tree = getenv("FOCUSD_TEST_TREE");
	snprintf(sys, sizeof sys, "%s/sys", tree != NULL ? tree : "");
	snprintf(dev, sizeof dev, "%s/dev", tree != NULL ? tree : "");
	snprintf(proc, sizeof proc, "%s/proc", tree != NULL ? tree : "");
	maker_driver = moonlite_driver;
	maker_driver.name = "maker";
	maker_driver.title = "Test Focuser";
	maker_driver.usb_ids = maker_ids;
}
