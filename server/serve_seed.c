/* SPDX-License-Identifier: MIT */
#include "serve_seed.h"

#include "camera_driver.h"
#include "focuser_driver.h"
#include "state.h"

static bool something_is_simulated(const struct config *config)
{
	for (int i = 0; i < CONFIG_MAX_DEVICES; i++) {
		const struct config_focuser *focuser = &config->focuser[i];
		const struct config_camera *camera = &config->camera[i];
		if ((focuser->present && focuser_driver_find(focuser->driver)->simulated)
			|| (camera->present && camera_driver_find(camera->driver)->simulated)) {
			return true;
		}
	}
	return false;
}

uint32_t serve_seed(const struct config *config, const char *dir)
{
	char id[37] = "";
	struct err err;
	/* The hash FNV-1a, 32 bit (Fowler, Noll, Vo), of an id that was made at random. */
	uint32_t hash = 0x811C9DC5u;
	if (something_is_simulated(config) && state_unique_id(dir, "simulated sky", id, &err) == ERR_OK) {
		for (const char *p = id; *p != '\0'; p++) {
			hash = (hash ^ (unsigned char)*p) * 0x01000193u;
		}
	}
	return hash;
}
