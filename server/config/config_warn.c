/* SPDX-License-Identifier: MIT */
/* What a configuration without errors probably does not mean. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_private.h"

/* No lens is faster; a smaller quotient of focal length and aperture means that the two were swapped or that one of
 * them is not in mm. */
#define FASTEST_F_RATIO 0.7

/* Whether the files or the command line give the key of this section. */
static bool is_given(const struct checking *check, const char *section, const char *key, int n)
{
	return config_place_of(check->config, section, key, n).file != 0;
}

/* Whether the text of an option goes through a parser, which says itself what is wrong with it. */
static bool is_parsed(const char *key)
{
	static const char *const parsed[] = {"driver", "port", "bind", "path", "transcript", "quirks", "allowed_hosts"};
	for (size_t i = 0; i < sizeof parsed / sizeof parsed[0]; i++) {
		if (strcmp(key, parsed[i]) == 0) {
			return true;
		}
	}
	return false;
}

/* Warns of texts that a person meant to end before they do, as in name = "C8" or name = C8 # the large one. */
static void warn_of_texts(const struct checking *check)
{
	for (size_t i = 0; i < config_option_count; i++) {
		const struct config_option *option = &config_options[i];
		int row = config_section_row(option->section);
		int count = config_sections[row].numbered ? CONFIG_MAX_DEVICES : 1;
		for (int n = 0; n < count && option->type == CONFIG_TEXT && !is_parsed(option->name); n++) {
			char text[CONFIG_VALUE_ROOM];
			config_option_print(check->config, option, n, text, sizeof text);
			const char *hint = config_value_hint(text);
			if (hint[0] != '\0' && check->config->places.option[i][n].file != 0) {
				config_complain(check, (enum config_section_row)row, n, option->name,
					"%s is taken as it stands, %.80s%s", option->name, text, hint);
			}
		}
	}
}

/* Whether a word of allowed_hosts can be equal to the host of a request, which has no scheme, port or wildcard. */
static bool is_host(const char *word, size_t len)
{
	const char *colon = memchr(word, ':', len);
	bool is_v6 = colon != NULL && memchr(colon + 1, ':', len - (size_t)(colon + 1 - word)) != NULL;
	return memchr(word, '/', len) == NULL && memchr(word, '*', len) == NULL && (colon == NULL || is_v6);
}

static void warn_of_hosts(const struct checking *check, const char *hosts)
{
	for (const char *at = hosts; *at != '\0';) {
		at += strspn(at, ", \t");
		size_t len = strcspn(at, ", \t");
		if (len > 0 && !is_host(at, len)) {
			config_complain(check, CONFIG_SECTION_SERVER, 0, "allowed_hosts",
				"'%.*s' is no host name and allows nothing: write the name alone, as in pier3.example",
				(int)(len > 60 ? 60 : len), at);
		}
		at += len;
	}
}

static void warn_of_server(const struct checking *check)
{
	const struct config_server *server = &check->config->server;
	const struct config_drivers *drivers = check->drivers;
	struct err err;
	if (drivers->look_bind != NULL && drivers->read_bind(server->bind, &err) == ERR_OK &&
		drivers->look_bind(server->bind, &err) != ERR_OK) {
		config_complain(check, CONFIG_SECTION_SERVER, 0, "bind", "%s", err.text);
	}
	warn_of_hosts(check, server->allowed_hosts);
}

/* Warns of a port that is not there, or that the driver does not use. */
static void warn_of_port(const struct checking *check, enum config_section_row row, int n,
	const struct config_driver *driver, const char *port)
{
	struct err err;
	if (port[0] == '\0') {
		return;
	}
	if (!driver->uses_port) {
		config_complain(check, row, n, "port", "driver %s does not use port", driver->name);
	} else if (strcmp(port, "auto") != 0 && driver->look_port != NULL && driver->read_port(port, &err) == ERR_OK &&
		   driver->look_port(port, &err) != ERR_OK) {
		config_complain(check, row, n, "port", "%s (focusd ports lists what is attached)", err.text);
	}
}

/* Whether two names, which may be links, lead to one device. */
static bool is_same_device(const char *a, const char *b)
{
	char first[PATH_MAX];
	char second[PATH_MAX];
	return a[0] == '/' && b[0] == '/' && strcmp(a, b) != 0 && realpath(a, first) != NULL &&
	       realpath(b, second) != NULL && strcmp(first, second) == 0;
}

static void warn_of_shared_port(const struct checking *check, int n)
{
	const struct config_focuser *f = &check->config->focuser[n];
	for (int other = 0; other < n; other++) {
		const struct config_focuser *g = &check->config->focuser[other];
		if (g->present && strcmp(f->port.device, g->port.device) == 0 &&
			is_same_device(f->port.port, g->port.port)) {
			config_complain(check, CONFIG_SECTION_FOCUSER, n, "port",
				"port %s is the same device as %s of [focuser.%d]", f->port.port, g->port.port, other);
		}
	}
}

/* Warns of a focuser that cannot focus by itself although a run seems to be wanted. */
static void warn_of_partner(const struct checking *check, int n)
{
	const struct config *config = check->config;
	const struct config_focuser *f = &config->focuser[n];
	int other = -1;
	for (int k = CONFIG_MAX_DEVICES - 1; k >= 0; k--) {
		other = config->camera[k].present ? k : other;
	}
	bool runs_wanted = config->places.section[CONFIG_SECTION_AUTOFOCUS][0].file != 0 ||
			   is_given(check, "focuser.N", "camera", n);
	if (f->camera != n || config->camera[n].present || (other < 0 && !runs_wanted)) {
		return; /* what is wrong beside this is an error already */
	}
	if (other >= 0) {
		config_complain(check, CONFIG_SECTION_FOCUSER, n, "camera",
			"there is no [camera.%d], so it cannot focus by itself; did you mean camera = %d?", n, other);
	} else {
		config_complain(check, CONFIG_SECTION_FOCUSER, n, "camera",
			"there is no [camera.%d], so it cannot focus by itself", n);
	}
}

static void warn_of_focuser(const struct checking *check, int n)
{
	const struct config_focuser *f = &check->config->focuser[n];
	const struct config_driver *driver = config_driver_find(check->drivers->focusers, f->driver);
	if (driver != NULL) {
		warn_of_port(check, CONFIG_SECTION_FOCUSER, n, driver, f->port.port);
	}
	if (driver != NULL && !driver->uses_port && f->port.baud > 0) {
		config_complain(check, CONFIG_SECTION_FOCUSER, n, "baud", "driver %s does not use baud", driver->name);
	}
	warn_of_shared_port(check, n);
	warn_of_partner(check, n);
	if (f->min_step > 0) {
		config_complain(check, CONFIG_SECTION_FOCUSER, n, "min_step",
			"positions below min_step (%d) are never entered: the Alpaca checker's limit test fails there",
			(int)f->min_step);
	}
	const char *slash = strrchr(f->transcript, '/');
	if (slash != NULL && slash > f->transcript) {
		char folder[sizeof f->transcript];
		snprintf(folder, sizeof folder, "%.*s", (int)(slash - f->transcript), f->transcript);
		if (access(folder, F_OK) != 0) {
			config_complain(check, CONFIG_SECTION_FOCUSER, n, "transcript", "there is no folder %s",
				folder);
		}
	}
}

static void warn_of_camera(const struct checking *check, int n)
{
	const struct config *config = check->config;
	const struct config_camera *c = &config->camera[n];
	const struct config_driver *driver = config_driver_find(check->drivers->cameras, c->driver);
	struct err err;
	if (driver != NULL) {
		warn_of_port(check, CONFIG_SECTION_CAMERA, n, driver, c->port.port);
	}
	if (driver != NULL && c->port.path[0] != '\0' && !driver->uses_path) {
		config_complain(check, CONFIG_SECTION_CAMERA, n, "path", "driver %s does not use path", driver->name);
	} else if (driver != NULL && c->port.path[0] != '\0' && driver->look_path != NULL &&
		   driver->look_path(c->port.path, &err) != ERR_OK) {
		config_complain(check, CONFIG_SECTION_CAMERA, n, "path", "%s", err.text);
	}
	if (driver != NULL && !driver->uses_command && (c->port.command[0] != '\0' || c->port.frame[0] != '\0')) {
		config_complain(check, CONFIG_SECTION_CAMERA, n, c->port.command[0] != '\0' ? "command" : "frame",
			"driver %s runs no command", driver->name);
	} else if (driver != NULL && driver->uses_command && driver->look_command(&c->port, &err) == ERR_IO) {
		config_complain(check, CONFIG_SECTION_CAMERA, n, "command", "%s", err.text);
	}
}

static void warn_of_telescope(const struct checking *check, int n)
{
	const struct optics_config *t = &check->config->telescope[n];
	if (check->config->places.section[CONFIG_SECTION_TELESCOPE][n].file != 0 &&
		!check->config->focuser[n].present && !check->config->camera[n].present) {
		config_complain(check, CONFIG_SECTION_TELESCOPE, n, "focal_length_mm",
			"it belongs to [focuser.%d] and [camera.%d], and neither is there", n, n);
	}
	if (isfinite(t->focal_length_mm) && isfinite(t->aperture_mm) &&
		t->focal_length_mm < FASTEST_F_RATIO * t->aperture_mm) {
		config_complain(check, CONFIG_SECTION_TELESCOPE, n, "focal_length_mm",
			"focal_length_mm (%g) is small against aperture_mm (%g): no telescope is as fast as f/%.2g; "
			"both are "
			"in mm, and focal_length_mm is the longer one", t->focal_length_mm, t->aperture_mm,
			t->focal_length_mm / t->aperture_mm);
	}
}

void config_warn(const struct config *config, const struct config_drivers *drivers, struct buf *warnings)
{
	const struct checking check = {
		.config = config, .drivers = drivers, .out = warnings, .places = true, .mark = "warning: "};
	warn_of_texts(&check);
	warn_of_server(&check);
	for (int n = 0; n < CONFIG_MAX_DEVICES; n++) {
		if (config->focuser[n].present) {
			warn_of_focuser(&check, n);
		}
		if (config->camera[n].present) {
			warn_of_camera(&check, n);
		}
		warn_of_telescope(&check, n);
	}
}
