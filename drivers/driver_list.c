/* SPDX-License-Identifier: MIT */
/*
 * All drivers, one line each; the order is the order in which they are listed to people.
 */
#include <stddef.h>
#include <string.h>

#include "camera_driver.h"
#include "focuser_driver.h"

extern const struct focuser_driver alpaca_driver;
extern const struct focuser_driver celestron_driver;
extern const struct focuser_driver indi_driver;
extern const struct focuser_driver manual_driver;
extern const struct focuser_driver moonlite_driver;
extern const struct focuser_driver myfocuserpro2_driver;
extern const struct focuser_driver sim_focuser_driver;
extern const struct camera_driver indi_camera_driver;
extern const struct camera_driver alpaca_camera_driver;
extern const struct camera_driver sim_camera_driver;
extern const struct camera_driver replay_camera_driver;
extern const struct camera_driver exec_camera_driver;
extern const struct camera_driver folder_camera_driver;

const struct focuser_driver *const focuser_drivers[] = {
	&celestron_driver,
	&moonlite_driver,
	&myfocuserpro2_driver,
	&alpaca_driver,
	&indi_driver,
	&manual_driver,
	&sim_focuser_driver,
	NULL,
};

const struct camera_driver *const camera_drivers[] = {
	&exec_camera_driver,
	&sim_camera_driver,
	&replay_camera_driver,
	&indi_camera_driver,
	&alpaca_camera_driver,
	&folder_camera_driver,
	NULL,
};

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
	for (size_t i = 0; camera_drivers[i] != NULL; i++) {
		if (strcmp(camera_drivers[i]->name, name) == 0) {
			return camera_drivers[i];
		}
	}
	return NULL;
}
