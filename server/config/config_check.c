/* SPDX-License-Identifier: MIT */
/* The checks of the configuration that one line alone cannot answer, and the simulated observatory. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config_private.h"

void config_complain(const struct checking *check, enum config_section_row row, int number, const char *key,
	const char *fmt, ...)
{
	const struct config_places *places = &check->config->places;
	const struct config_section *section = &config_sections[row];
	char text[500];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (check->places) {
		struct config_place place = config_place_of(check->config, section->name, key, number);
		if (place.file == 0) {
			place = places->section[row][number];
		}
		buf_printf(check->out, "%s:%d: ", place.file == 0 ? "configuration" : places->file[place.file],
			place.line);
	}
	buf_printf(check->out, "%s[%.*s", check->mark, (int)strcspn(section->name, "N"), section->name);
	if (section->numbered) {
		buf_printf(check->out, "%d", number);
	}
	buf_printf(check->out, "] %s\n", text);
}

const struct config_driver *config_driver_find(const struct config_driver *list, const char *name)
{
	for (const struct config_driver *d = list; d->name != NULL; d++) {
		if (strcmp(d->name, name) == 0) {
			return d;
		}
	}
	return NULL;
}

static void name_drivers(const struct config_driver *list, char *out, size_t cap)
{
	size_t n = 0;
	out[0] = '\0';
	for (const struct config_driver *d = list; d->name != NULL && n < cap; d++) {
		n += (size_t)snprintf(out + n, cap - n, "%s%s", d == list ? "" : ", ", d->name);
	}
}

/* Complains of a driver that does not exist, and guesses what was meant. */
static void no_driver(const struct checking *check, enum config_section_row row, int n, const char *name)
{
	bool camera = row == CONFIG_SECTION_CAMERA;
	const struct config_driver *list = camera ? check->drivers->cameras : check->drivers->focusers;
	const struct config_driver *others = camera ? check->drivers->focusers : check->drivers->cameras;
	const char *what = camera ? "camera" : "focuser";
	if (config_driver_find(others, name) != NULL) {
		config_complain(check, row, n, "driver", "%s is a driver for [%s.N], not for a %s", name,
			camera ? "focuser" : "camera", what);
		return;
	}
	const char *near = NULL;
	size_t least = CONFIG_MISSPELT_MOST + 1;
	for (const struct config_driver *d = list; d->name != NULL; d++) {
		size_t unlike = config_unlike(name, d->name);
		if (unlike < least) {
			least = unlike;
			near = d->name;
		}
	}
	char names[200];
	name_drivers(list, names, sizeof names);
	config_complain(check, row, n, "driver", "there is no %s driver '%s'; %s%s%s%s", what, name,
		near != NULL ? "did you mean '" : "there are ", near != NULL ? near : names, near != NULL ? "'?" : "",
		config_value_hint(name));
}

/* The driver of a section; NULL, after a complaint, when no driver is given or none has that name. */
static const struct config_driver *check_driver(const struct checking *check, enum config_section_row row, int n,
	const char *name)
{
	bool camera = row == CONFIG_SECTION_CAMERA;
	const struct config_driver *list = camera ? check->drivers->cameras : check->drivers->focusers;
	const struct config_driver *driver = config_driver_find(list, name);
	char names[200];
	name_drivers(list, names, sizeof names);
	if (name[0] == '\0') {
		config_complain(check, row, n, "driver", "driver must be given; there are %s", names);
	} else if (driver == NULL) {
		no_driver(check, row, n, name);
	}
	return driver;
}

/* Complains of port = auto for a driver whose devices sit behind chips that anything may have: only a person knows
 * which port is which. */
static void complain_auto(const struct checking *check, int n, const struct config_driver *driver)
{
	char candidates[400] = "";
	if (check->drivers->name_candidates != NULL) {
		check->drivers->name_candidates(driver->name, candidates, sizeof candidates);
	}
	config_complain(check, CONFIG_SECTION_FOCUSER, n, "port",
		"auto cannot find a %s, since its chips may be anybody's; %s%s", driver->name,
		candidates[0] != '\0' ? "write " : "focusd ports lists the ports that are attached", candidates);
}

static const char between_words[] = ", \t";

static bool is_word_of(const char *words, struct span word)
{
	for (const char *at = words + strspn(words, between_words); *at != '\0';) {
		size_t len = strcspn(at, between_words);
		if (len == word.len && memcmp(at, word.data, len) == 0) {
			return true;
		}
		at += len + strspn(at + len, between_words);
	}
	return false;
}

static void check_quirks(const struct checking *check, int n, const struct config_driver *driver)
{
	for (const char *at = check->config->focuser[n].port.quirks; *at != '\0';) {
		at += strspn(at, between_words);
		struct span word = {at, strcspn(at, between_words)};
		if (word.len > 0 && !is_word_of(driver->quirks, word)) {
			config_complain(check, CONFIG_SECTION_FOCUSER, n, "quirks",
				"driver %s does not know the quirk '%.*s'; it knows %s", driver->name,
				(int)(word.len > 39 ? 39 : word.len), word.data,
				driver->quirks[0] == '\0' ? "none" : driver->quirks);
			return;
		}
		at += word.len;
	}
}

/* Complains of options that were given and mean nothing to the driver. */
static void check_heeded(const struct checking *check, int n, const struct config_driver *driver)
{
	const struct focuser_port *port = &check->config->focuser[n].port;
	check_quirks(check, n, driver);
	if (port->device[0] != '\0' && !driver->uses_device) {
		config_complain(check, CONFIG_SECTION_FOCUSER, n, "device",
			"driver %s does not use device: there is one behind its port", driver->name);
	}
	if (port->speed_steps_per_s > 0 && !driver->sets_speed) {
		config_complain(check, CONFIG_SECTION_FOCUSER, n, "speed", "driver %s does not set the speed",
			driver->name);
	}
	if (port->step_mode != FOCUSER_STEP_AS_IS && !driver->sets_step_mode) {
		config_complain(check, CONFIG_SECTION_FOCUSER, n, "step_mode", "driver %s does not set the step mode",
			driver->name);
	}
	if (port->steps_per_turn != 0 && !driver->by_hand) {
		config_complain(check, CONFIG_SECTION_FOCUSER, n, "steps_per_turn",
			"driver %s does not use steps_per_turn: nobody turns its knob", driver->name);
	}
	if (port->tempcomp_steps_per_c != 0 && !driver->has_tempcomp) {
		config_complain(check, CONFIG_SECTION_FOCUSER, n, "tempcomp_steps_per_c",
			"driver %s knows no temperature compensation of the device", driver->name);
	}
}

/* Asks the parser that runs later what it says of a port. */
static void read_port(const struct checking *check, enum config_section_row row, int n,
	const struct config_driver *driver, const char *port)
{
	struct err err;
	/* Among ports that can be looked at one can be found; of servers the driver itself says whether it can. */
	bool is_auto = strcasecmp(port, "auto") == 0 && driver->look_port != NULL;
	if (is_auto && strcmp(port, "auto") != 0) {
		config_complain(check, row, n, "port", "'%s' is no port: did you mean auto?", port);
	} else if (!is_auto && driver->read_port != NULL && driver->read_port(port, &err) != ERR_OK) {
		config_complain(check, row, n, "port", "%s", err.text);
	}
}

static void check_port(const struct checking *check, int n, const struct config_driver *driver)
{
	const struct focuser_port *port = &check->config->focuser[n].port;
	if (!driver->uses_port) {
		return;
	}
	if (port->port[0] == '\0') {
		config_complain(check, CONFIG_SECTION_FOCUSER, n, "port",
			"driver %s needs a port, such as /dev/serial/by-id/...: focusd ports lists what is attached",
			driver->name);
		return;
	}
	read_port(check, CONFIG_SECTION_FOCUSER, n, driver, port->port);
	if (strcmp(port->port, "auto") == 0 && !driver->finds_port) {
		complain_auto(check, n, driver);
	}
	for (int other = 0; other < n; other++) {
		const struct config_focuser *g = &check->config->focuser[other];
		if (g->present && strcmp(g->port.port, port->port) == 0 && strcmp(g->port.device, port->device) == 0) {
			config_complain(check, CONFIG_SECTION_FOCUSER, n, "port",
				"port %s is that of [focuser.%d] already", port->port, other);
		}
	}
}

/* Complains of limits that leave no room for what shall happen between them. */
static void check_range(const struct checking *check, int n)
{
	const struct config_focuser *f = &check->config->focuser[n];
	if (f->port.max_step <= 0) {
		return;
	}
	if (f->min_step >= f->port.max_step) {
		config_complain(check, CONFIG_SECTION_FOCUSER, n, "min_step",
			"min_step (%d) must be below max_step (%d)", (int)f->min_step, (int)f->port.max_step);
	} else if (f->backlash_steps >= f->port.max_step - f->min_step) {
		config_complain(check, CONFIG_SECTION_FOCUSER, n, "backlash_steps",
			"backlash_steps (%d) must be smaller than the range of the focuser, %d steps from min_step %d "
			"to max_step %d",
			(int)f->backlash_steps, (int)(f->port.max_step - f->min_step), (int)f->min_step,
			(int)f->port.max_step);
	}
}

static void check_focuser(const struct checking *check, int n)
{
	const struct config *config = check->config;
	const struct config_focuser *f = &config->focuser[n];
	const struct config_driver *driver = check_driver(check, CONFIG_SECTION_FOCUSER, n, f->driver);
	if (driver != NULL) {
		check_port(check, n, driver);
		check_heeded(check, n, driver);
	}
	check_range(check, n);
	if (f->camera != n && !config->camera[f->camera].present) {
		config_complain(check, CONFIG_SECTION_FOCUSER, n, "camera", "there is no [camera.%d]", f->camera);
	}
	if (f->temperature_source == CONFIG_TEMPERATURE_FOCUSER) {
		if (f->temperature_focuser == n) {
			config_complain(check, CONFIG_SECTION_FOCUSER, n, "temperature_source",
				"its own sensor is called self");
		} else if (!config->focuser[f->temperature_focuser].present) {
			config_complain(check, CONFIG_SECTION_FOCUSER, n, "temperature_source",
				"there is no [focuser.%d]", f->temperature_focuser);
		}
	}
	if (f->transcript[0] != '\0' && f->transcript[0] != '/' && strcmp(f->transcript, "no") != 0 &&
		strcmp(f->transcript, "yes") != 0) {
		config_complain(check, CONFIG_SECTION_FOCUSER, n, "transcript",
			"transcript must be yes, no, or a path that begins with /");
	}
}

static void check_camera(const struct checking *check, int n)
{
	const struct config_camera *c = &check->config->camera[n];
	const struct config_driver *driver = check_driver(check, CONFIG_SECTION_CAMERA, n, c->driver);
	if (driver == NULL) {
		return;
	}
	if (driver->uses_port && c->port.port[0] == '\0') {
		config_complain(check, CONFIG_SECTION_CAMERA, n, "port", "driver %s needs a port", c->driver);
	} else if (driver->uses_port) {
		read_port(check, CONFIG_SECTION_CAMERA, n, driver, c->port.port);
	}
	if (driver->uses_path && c->port.path[0] == '\0') {
		config_complain(check, CONFIG_SECTION_CAMERA, n, "path", "driver %s needs a path: a folder of frames",
			c->driver);
	}
	struct err err;
	if (driver->uses_command && c->port.command[0] == '\0') {
		config_complain(check, CONFIG_SECTION_CAMERA, n, "command",
			"driver %s needs a command that writes one frame", c->driver);
	} else if (driver->uses_command && driver->look_command(&c->port, &err) == ERR_INVALID_VALUE) {
		config_complain(check, CONFIG_SECTION_CAMERA, n, "command", "%s", err.text);
	}
	if (c->port.device[0] != '\0' && !driver->uses_device) {
		config_complain(check, CONFIG_SECTION_CAMERA, n, "device",
			"driver %s does not use device: there is only one", c->driver);
	}
}

static void check_telescope(const struct checking *check, int n)
{
	const struct optics_config *t = &check->config->telescope[n];
	if (t->obstruction_mm >= t->aperture_mm) {
		config_complain(check, CONFIG_SECTION_TELESCOPE, n, "obstruction_mm",
			"obstruction_mm must be smaller than aperture_mm");
	} else if (t->obstruction_mm > 0 && isnan(t->aperture_mm)) {
		config_complain(check, CONFIG_SECTION_TELESCOPE, n, "obstruction_mm",
			"obstruction_mm means nothing without aperture_mm");
	}
}

static void check_server(const struct checking *check)
{
	struct err err;
	if (check->drivers->read_bind != NULL &&
		check->drivers->read_bind(check->config->server.bind, &err) != ERR_OK) {
		config_complain(check, CONFIG_SECTION_SERVER, 0, "bind", "%s", err.text);
	}
}

static void check_all(const struct checking *check)
{
	const struct config *config = check->config;
	bool any = false;
	check_server(check);
	for (int n = 0; n < CONFIG_MAX_DEVICES; n++) {
		if (config->focuser[n].present) {
			any = true;
			check_focuser(check, n);
		}
		if (config->camera[n].present) {
			any = true;
			check_camera(check, n);
		}
		check_telescope(check, n);
	}
	if (!any) {
		if (check->places) {
			buf_printf(check->out, "%s:0: ",
				config->places.files > 0 ? config->places.file[1] : "configuration");
		}
		buf_puts(check->out, "there is no [focuser.N] and no [camera.N]: nothing to serve; "
			"try focusd --simulate\n");
	}
}

enum err_code config_check(const struct config *config, const struct config_drivers *drivers, struct buf *errors)
{
	size_t before = errors->len;
	check_all(&(struct checking){.config = config, .drivers = drivers, .out = errors, .places = true, .mark = ""});
	return errors->len > before || errors->failed ? ERR_INVALID_VALUE : ERR_OK;
}

enum err_code config_check_sentence(const struct config *config, const struct config_drivers *drivers, struct err *err)
{
	struct buf errors;
	buf_init(&errors, 1 << 20);
	check_all(&(struct checking){.config = config, .drivers = drivers, .out = &errors, .places = false,
		.mark = ""});
	enum err_code code = ERR_OK;
	if (errors.len > 0) {
		size_t line = strcspn(errors.data, "\n");
		code = err_set(err, ERR_INVALID_VALUE, "%.*s", (int)(line > 239 ? 239 : line), errors.data);
	} else if (errors.failed) {
		code = err_set(err, ERR_NOMEM, "out of memory");
	}
	buf_fini(&errors);
	return code;
}

void config_simulate(struct config *config)
{
	struct config fresh;
	config_defaults(&fresh);
	memcpy(config->focuser, fresh.focuser, sizeof config->focuser);
	memcpy(config->camera, fresh.camera, sizeof config->camera);
	/* The places where the files gave settings of devices are forgotten, because the simulator's settings stand
	 * now. */
	struct config_places *places = &config->places;
	for (size_t i = 0; i < config_option_count; i++) {
		int row = config_section_row(config_options[i].section);
		if (row == CONFIG_SECTION_FOCUSER || row == CONFIG_SECTION_CAMERA) {
			memset(places->option[i], 0, sizeof places->option[i]);
		}
	}
	struct config_focuser *focuser = &config->focuser[0];
	focuser->present = true;
	snprintf(focuser->name, sizeof focuser->name, "Simulated focuser");
	snprintf(focuser->driver, sizeof focuser->driver, "simulator");
	struct config_camera *camera = &config->camera[0];
	camera->present = true;
	snprintf(camera->name, sizeof camera->name, "Simulated camera");
	snprintf(camera->driver, sizeof camera->driver, "simulator");
}
