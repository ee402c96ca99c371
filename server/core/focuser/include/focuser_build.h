/* SPDX-License-Identifier: MIT */
/* For who builds the devices: makes a device a focuser, and takes that down again.  Before its worker starts and
 * after it has ended. */
#ifndef FOCUSD_FOCUSER_BUILD_H
#define FOCUSD_FOCUSER_BUILD_H

#include <stdbool.h>

#include "config.h"
#include "device.h"

/* What a focuser is handed. */
struct focuser_needs {
	const struct config_focuser *config; /* borrowed, constant, outlives the device */
	bool approach_configured; /* its approach was configured; else the driver may prefer another */
};

/* ERR_INVALID_VALUE for a driver that there is not, ERR_NOMEM. */
enum err_code focuser_core_create(struct device *dev, const struct focuser_needs *needs, struct err *err);

/* temperature_source = focuser.N: dev's temperature is that of other, which has to outlive dev's clients. */
void focuser_use_thermometer(struct device *dev, struct device *other);

/* Writes what the journal still has to write and frees.  Fine for a device that is no focuser. */
void focuser_core_destroy(struct device *dev);

#endif
