/* SPDX-License-Identifier: MIT */
/* The configuration as a whole: sections, defaults, and where each value was given. */
#include <stdio.h>
#include <string.h>

#include "config_private.h"

const struct config_section config_sections[CONFIG_SECTION_COUNT] = {
	[CONFIG_SECTION_SERVER] = {"server", false, 0},
	[CONFIG_SECTION_FOCUSER] = {"focuser.N", true, sizeof(struct config_focuser)},
	[CONFIG_SECTION_CAMERA] = {"camera.N", true, sizeof(struct config_camera)},
	[CONFIG_SECTION_TELESCOPE] = {"telescope.N", true, sizeof(struct optics_config)},
	[CONFIG_SECTION_AUTOFOCUS] = {"autofocus", false, 0},
	[CONFIG_SECTION_SIMULATOR] = {"simulator", false, 0},
};

int config_section_row(const char *name)
{
	for (int i = 0; i < CONFIG_SECTION_COUNT; i++) {
		if (strcmp(config_sections[i].name, name) == 0) {
			return i;
		}
	}
	return -1;
}

const struct config_option *config_option_find(const char *section, const char *key)
{
	for (size_t i = 0; i < config_option_count; i++) {
		const struct config_option *o = &config_options[i];
		if (strcmp(o->section, section) == 0 && strcmp(o->name, key) == 0) {
			return o;
		}
	}
	return NULL;
}

void config_defaults(struct config *config)
{
	memset(config, 0, sizeof *config);
	for (size_t i = 0; i < config_option_count; i++) {
		const struct config_option *o = &config_options[i];
		const char *text = o->initial != NULL ? o->initial : o->fallback;
		int count = strstr(o->section, ".N") != NULL ? CONFIG_MAX_DEVICES : 1;
		for (int n = 0; n < count; n++) {
			config_option_parse(config, o, n, text, false, NULL);
		}
	}
	for (int n = 0; n < CONFIG_MAX_DEVICES; n++) {
		config->focuser[n].camera = n;
	}
}

struct config_place config_place_of(const struct config *config, const char *section, const char *key, int number)
{
	const struct config_option *option = config_option_find(section, key);
	return option == NULL ? (struct config_place){0, 0} : config->places.option[option - config_options][number];
}

bool config_set_bind(struct config *config, const char *address)
{
	char clean[sizeof config->server.bind];
	bool all = strcmp(address, "all") == 0 || strcmp(address, "*") == 0;
	if (strlen(address) >= sizeof clean) {
		return false;
	}
	snprintf(clean, sizeof clean, "%s", all ? "" : address);
	memcpy(config->server.bind, clean, sizeof clean);
	return true;
}
