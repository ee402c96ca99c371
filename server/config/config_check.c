/* SPDX-License-Identifier: MIT */
/* The checks of the configuration that one line alone cannot answer, and the simulated observatory. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "camera_driver.h"
#include "focuser_driver.h"
#include "ports.h"

/* "file:line: [focuser.0] sentence", at the key when it was given, else at the section. */
static void complain(const struct config *config, struct buf *errors, const char *kind, int number,
	const char *key, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
static void complain(const struct config *config, struct buf *errors, const char *kind, int number,
	const char *key, const char *fmt, ...)
{
	char section[24];
	snprintf(section, sizeof section, "%s.N", kind);
	struct config_place place = config_place_of(config, section, key, number);
	if (place.file == 0) {
		int row = strcmp(kind, "focuser") == 0 ? 1 : strcmp(kind, "camera") == 0 ? 2 : 3;
		place = config->places.section[row][number];
	}
	char text[500];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	buf_printf(errors, "%s:%d: [%s.%d] %s\n",
		place.file == 0 ? "configuration" : config->places.file[place.file], place.line, kind,
		number, text);
}

static void name_focuser_drivers(char *out, size_t cap)
{
	size_t n = 0;
	out[0] = '\0';
	for (size_t i = 0; focuser_drivers[i] != NULL && n < cap; i++) {
		n += (size_t)snprintf(out + n, cap - n, "%s%s", i == 0 ? "" : ", ",
			focuser_drivers[i]->name);
	}
}

static void name_camera_drivers(char *out, size_t cap)
{
	size_t n = 0;
	out[0] = '\0';
	for (size_t i = 0; camera_drivers[i] != NULL && n < cap; i++) {
		n += (size_t)snprintf(out + n, cap - n, "%s%s", i == 0 ? "" : ", ",
			camera_drivers[i]->name);
	}
}

/* Its devices sit behind chips that anything may have: only a person knows which. */
static void complain_auto(const struct config *config, int n, const struct focuser_driver *driver,
	struct buf *errors)
{
	char candidates[400] = "";
	struct ports *list = ports_list(ports_system());
	if (list != NULL) {
		ports_name_candidates(list, driver, candidates, sizeof candidates);
		free(list);
	}
	complain(config, errors, "focuser", n, "port",
		"auto cannot find a %s, since its chips may be anybody's; %s%s", driver->name,
		candidates[0] != '\0' ? "write " : "focusd ports lists the ports that are attached",
		candidates);
}

/* "hand-controller, aux-port", or that there are none. */
static void name_quirks(const struct focuser_driver *driver, char *out, size_t cap)
{
	size_t n = (size_t)snprintf(out, cap, "it knows ");
	for (const struct focuser_quirk *q = driver->quirks; q != NULL && q->word != NULL && n < cap; q++) {
		n += (size_t)snprintf(out + n, cap - n, "%s%s", q == driver->quirks ? "" : ", ", q->word);
	}
	if (driver->quirks == NULL) {
		snprintf(out, cap, "it knows none");
	}
}

static void check_focuser(const struct config *config, int n, struct buf *errors)
{
	const struct config_focuser *f = &config->focuser[n];
	char names[200];
	name_focuser_drivers(names, sizeof names);
	const struct focuser_driver *driver = focuser_driver_find(f->driver);
	if (f->driver[0] == '\0') {
		complain(config, errors, "focuser", n, "driver", "driver must be given; there are %s", names);
	} else if (driver == NULL) {
		complain(config, errors, "focuser", n, "driver",
			"there is no focuser driver '%s'; there are %s", f->driver, names);
	} else if (driver->uses_port && f->port.port[0] == '\0') {
		complain(config, errors, "focuser", n, "port",
			"driver %s needs a port, such as /dev/serial/by-id/...", f->driver);
	} else if (driver->uses_port && strcmp(f->port.port, "auto") == 0 && !ports_can_find(driver)) {
		complain_auto(config, n, driver, errors);
	}
	char unknown[40];
	if (driver != NULL && focuser_unknown_quirk(driver, f->port.quirks, unknown, sizeof unknown)) {
		char known[300];
		name_quirks(driver, known, sizeof known);
		complain(config, errors, "focuser", n, "quirks", "driver %s does not know the quirk '%s'; %s",
			f->driver, unknown, known);
	}
	if (driver != NULL && f->port.speed_steps_per_s > 0 && !driver->sets_speed) {
		complain(config, errors, "focuser", n, "speed", "driver %s does not set the speed", f->driver);
	}
	if (driver != NULL && f->port.step_mode != FOCUSER_STEP_AS_IS && !driver->sets_step_mode) {
		complain(config, errors, "focuser", n, "step_mode", "driver %s does not set the step mode",
			f->driver);
	}
	if (driver != NULL && f->port.tempcomp_steps_per_c != 0 && driver->set_tempcomp == NULL) {
		complain(config, errors, "focuser", n, "tempcomp_steps_per_c",
			"driver %s knows no temperature compensation of the device", f->driver);
	}
	if (f->port.max_step > 0 && f->min_step >= f->port.max_step) {
		complain(config, errors, "focuser", n, "min_step",
			"min_step (%d) must be below max_step (%d)", (int)f->min_step, (int)f->port.max_step);
	}
	if (f->camera != n && !config->camera[f->camera].present) {
		complain(config, errors, "focuser", n, "camera", "there is no [camera.%d]", f->camera);
	}
	if (f->temperature_source == CONFIG_TEMPERATURE_FOCUSER) {
		if (f->temperature_focuser == n) {
			complain(config, errors, "focuser", n, "temperature_source",
				"its own sensor is called self");
		} else if (!config->focuser[f->temperature_focuser].present) {
			complain(config, errors, "focuser", n, "temperature_source",
				"there is no [focuser.%d]", f->temperature_focuser);
		}
	}
	if (f->transcript[0] != '\0' && f->transcript[0] != '/' && strcmp(f->transcript, "no") != 0 &&
		strcmp(f->transcript, "yes") != 0) {
		complain(config, errors, "focuser", n, "transcript",
			"transcript must be yes, no, or a path that begins with /");
	}
	for (int other = 0; other < n; other++) {
		const struct config_focuser *g = &config->focuser[other];
		if (g->present && driver != NULL && driver->uses_port && f->port.port[0] != '\0' &&
			strcmp(g->port.port, f->port.port) == 0 && strcmp(g->device, f->device) == 0) {
			complain(config, errors, "focuser", n, "port", "[focuser.%d] has the same port %s",
				other, f->port.port);
		}
	}
}

static void check_camera(const struct config *config, int n, struct buf *errors)
{
	const struct config_camera *c = &config->camera[n];
	char names[200];
	name_camera_drivers(names, sizeof names);
	const struct camera_driver *driver = camera_driver_find(c->driver);
	if (c->driver[0] == '\0') {
		complain(config, errors, "camera", n, "driver", "driver must be given; there are %s", names);
		return;
	}
	if (driver == NULL) {
		complain(config, errors, "camera", n, "driver",
			"there is no camera driver '%s'; there are %s", c->driver, names);
		return;
	}
	if (driver->uses_port && c->port.port[0] == '\0') {
		complain(config, errors, "camera", n, "port", "driver %s needs a port", c->driver);
	}
	if (driver->uses_path && c->port.path[0] == '\0') {
		complain(config, errors, "camera", n, "path", "driver %s needs a path: a folder of frames",
			c->driver);
	}
}

enum err_code config_check(const struct config *config, struct buf *errors)
{
	size_t before = errors->len;
	bool any = false;
	for (int n = 0; n < CONFIG_MAX_DEVICES; n++) {
		if (config->focuser[n].present) {
			any = true;
			check_focuser(config, n, errors);
		}
		if (config->camera[n].present) {
			any = true;
			check_camera(config, n, errors);
		}
		const struct optics_config *t = &config->telescope[n];
		if (t->obstruction_mm >= t->aperture_mm) {
			complain(config, errors, "telescope", n, "obstruction_mm",
				"obstruction_mm must be smaller than aperture_mm");
		} else if (t->obstruction_mm > 0 && isnan(t->aperture_mm)) {
			complain(config, errors, "telescope", n, "obstruction_mm",
				"obstruction_mm means nothing without aperture_mm");
		}
	}
	if (!any) {
		buf_printf(errors, "%s:0: there is no [focuser.N] and no [camera.N]: nothing to serve; "
			"try focusd --simulate\n",
			config->places.files > 0 ? config->places.file[1] : "configuration");
	}
	return errors->len > before || errors->failed ? ERR_INVALID_VALUE : ERR_OK;
}

void config_simulate(struct config *config)
{
	struct config fresh;
	config_defaults(&fresh);
	memcpy(config->focuser, fresh.focuser, sizeof config->focuser);
	memcpy(config->camera, fresh.camera, sizeof config->camera);
	struct config_focuser *focuser = &config->focuser[0];
	focuser->present = true;
	snprintf(focuser->name, sizeof focuser->name, "Simulated focuser");
	snprintf(focuser->driver, sizeof focuser->driver, "simulator");
	struct config_camera *camera = &config->camera[0];
	camera->present = true;
	snprintf(camera->name, sizeof camera->name, "Simulated camera");
	snprintf(camera->driver, sizeof camera->driver, "simulator");
}
