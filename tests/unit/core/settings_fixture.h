/* SPDX-License-Identifier: MIT */
/* Settings made of a test's configuration; changes last as long as the settings do. */
#ifndef FOCUSD_TEST_SETTINGS_FIXTURE_H
#define FOCUSD_TEST_SETTINGS_FIXTURE_H

#include <stdlib.h>

#include "settings.h"

static const struct config_driver fixture_focusers[] = {{.name = "fake", .quirks = ""}, {.name = NULL}};
static const struct config_driver fixture_cameras[] = {{.name = "fake", .quirks = ""}, {.name = NULL}};
static const struct config_drivers fixture_drivers = {.focusers = fixture_focusers, .cameras = fixture_cameras};

/* Makes the settings anew in *settings, which is NULL or has those of an earlier start whose observatory is gone. */
static inline struct settings *settings_anew(struct settings **settings, const struct config *config)
{
	struct settings_options options = {.drivers = &fixture_drivers};
	settings_destroy(*settings);
	*settings = NULL;
	if (settings_create(config, &options, settings, NULL) != ERR_OK) {
		abort();
	}
	return *settings;
}

#endif
