/* SPDX-License-Identifier: MIT */
/* Settings from a test's configuration; what is changed lasts as long as they do. */
#ifndef FOCUSD_TEST_SETTINGS_FIXTURE_H
#define FOCUSD_TEST_SETTINGS_FIXTURE_H

#include <stdlib.h>

#include "settings.h"

static const struct config_driver fixture_focusers[] = {{.name = "fake", .quirks = ""}, {.name = NULL}};
static const struct config_driver fixture_cameras[] = {{.name = "fake", .quirks = ""}, {.name = NULL}};
static const struct config_drivers fixture_drivers = {.focusers = fixture_focusers, .cameras = fixture_cameras};

/* Makes them anew in *settings (NULL or of an earlier start, whose observatory is gone). */
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
