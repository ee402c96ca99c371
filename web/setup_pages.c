/* SPDX-License-Identifier: MIT */
/*
 * /setup and /setup/v1/{focuser,camera}/N/setup: what a person at another program's "Setup" button
 * needs to see, as plain HTML that works without a script and before anything is connected.
 */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "camera_modes.h"
#include "web_private.h"

static void escape(struct buf *out, const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		switch (*p) {
		case '&':
			buf_puts(out, "&amp;");
			break;
		case '<':
			buf_puts(out, "&lt;");
			break;
		case '>':
			buf_puts(out, "&gt;");
			break;
		case '"':
			buf_puts(out, "&quot;");
			break;
		case '\'':
			buf_puts(out, "&#39;");
			break;
		default:
			buf_putc(out, *p);
		}
	}
}

static void page_begin(struct buf *out, const char *title, const char *lead)
{
	buf_puts(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta name=\"color-scheme\" content=\"dark\">\n<title>");
	escape(out, title);
	buf_puts(out, " - setup</title>\n<link rel=\"icon\" href=\"/icon.svg\">\n"
		"<link rel=\"stylesheet\" href=\"/style.css\">\n<script src=\"/night.js\"></script>\n"
		"</head>\n<body class=\"setup\">\n<header class=\"top\"><div class=\"brand\"><a href=\"/\">"
		"&larr; Status page</a></div><button id=\"night\" class=\"quiet\" type=\"button\" "
		"aria-pressed=\"false\">Night</button></header>\n<main class=\"prose\">\n<h1>");
	escape(out, title);
	buf_puts(out, "</h1>\n<p class=\"lead\">");
	escape(out, lead);
	buf_puts(out, "</p>\n");
}

static void page_end(struct buf *out)
{
	buf_printf(out, "</main>\n<footer class=\"foot\">focusd %s</footer>\n</body>\n</html>\n",
		FOCUSD_VERSION);
}

static void table_begin(struct buf *out, const char *title)
{
	buf_puts(out, "<section class=\"card\"><h2>");
	escape(out, title);
	buf_puts(out, "</h2><dl class=\"facts\">\n");
}

static void table_end(struct buf *out)
{
	buf_puts(out, "</dl></section>\n");
}

/* One row; key is the name in the configuration file, "" when it is not configured there. */
static void row(struct buf *out, const char *label, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static void row(struct buf *out, const char *label, const char *key, const char *fmt, ...)
{
	char value[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(value, sizeof value, fmt, ap);
	va_end(ap);
	buf_puts(out, "<div><dt>");
	escape(out, label);
	if (key[0] != '\0') {
		buf_puts(out, " <code>");
		escape(out, key);
		buf_puts(out, "</code>");
	}
	buf_puts(out, "</dt><dd>");
	escape(out, value);
	buf_puts(out, "</dd></div>\n");
}

/* A number with its unit, or "not known". */
static void row_number(struct buf *out, const char *label, const char *key, double value,
	const char *unit)
{
	if (isfinite(value) && value > 0) {
		char text[32];
		text_print_double(text, value);
		row(out, label, key, "%s %s", text, unit);
	} else {
		row(out, label, key, "not known");
	}
}

/* "7990 steps = 7.99 turns" of a knob that people turn, "7990 steps" without one. */
static const char *steps_text(char out[64], int32_t steps, int32_t steps_per_turn)
{
	if (steps_per_turn > 0) {
		snprintf(out, 64, "%d steps = %.2f turns", (int)steps, (double)steps / steps_per_turn);
	} else {
		snprintf(out, 64, "%d steps", (int)steps);
	}
	return out;
}

static const char *link_words(enum device_link link)
{
	switch (link) {
	case LINK_UP:
		return "connected";
	case LINK_OPENING:
		return "connecting";
	case LINK_LOST:
		return "lost, trying again";
	case LINK_CLOSING:
		return "closing";
	case LINK_DOWN:
		break;
	}
	return "not connected";
}

/* What to type into a program that does not find the server by itself: host and port as this
 * browser reached it. */
static void address(struct web *web, const struct http_request *req, struct buf *out,
	const struct device_info *info)
{
	const char *given = req->header(req, "Host");
	char host[256] = "";
	struct config_server server;
	web_server_settings(web, &server);
	int port = server.port;
	if (given != NULL) {
		text_copy_clean(host, sizeof host, given);
		char *colon = strrchr(host, ':');
		char *bracket = strrchr(host, ']');
		uint32_t number = 80;
		if (colon != NULL && colon > bracket && text_parse_u32(span_of(colon + 1), &number)) {
			*colon = '\0';
		}
		port = (int)number;
	}
	table_begin(out, "Address");
	row(out, "Host", "", "%s", host[0] != '\0' ? host : "this computer's name or address");
	row(out, "Port", "", "%d", port);
	if (info != NULL) {
		row(out, "Device", "", "%s number %d", info->kind->name,
			info->number);
		row(out, "Unique ID", "", "%s", info->unique_id);
	}
	table_end(out);
	buf_puts(out, "<p>Programs that speak ASCOM Alpaca find this server by themselves when they are "
		"in the same network. Where that fails, type host and port by hand. There is no user name, no "
		"password and no encryption: keep it inside your own network.</p>\n");
}

/* The table of what focusd can do with a camera, by whose it is. */
static void modes_section(struct buf *out)
{
	buf_puts(out, "<section class=\"card\"><h2>Whose the camera is</h2><div class=\"scroll\">"
		"<table class=\"modes\">\n");
	for (int i = 0; i < CAMERA_MODE_ROWS; i++) {
		const char *cell = i == 0 ? "th" : "td";
		buf_puts(out, "<tr><th>");
		escape(out, camera_modes[i].label);
		buf_puts(out, "</th>");
		for (int mode = 0; mode < CAMERA_MODES; mode++) {
			buf_printf(out, "<%s>", cell);
			escape(out, camera_modes[i].words[mode]);
			buf_printf(out, "</%s>", cell);
		}
		buf_puts(out, "</tr>\n");
	}
	buf_puts(out, "</table></div></section>\n");
}

/* The column of one camera. */
static void mode_section(struct buf *out, enum camera_mode mode)
{
	table_begin(out, camera_modes[0].words[mode]);
	for (int i = 2; i < CAMERA_MODE_ROWS; i++) {
		row(out, camera_modes[i].label, "", "%s", camera_modes[i].words[mode]);
	}
	table_end(out);
}

static void how_to_change(struct buf *out, const char *section)
{
	buf_puts(out, "<p>These values come from the section <code>[");
	escape(out, section);
	buf_puts(out, "]</code> of <code>focusd.conf</code>; the name of each is beside it. Change the "
		"file and restart focusd; <code>focusd --check</code> says beforehand whether it is "
		"right.</p>\n");
}

enum http_result setup_server_answer(struct web *web, const char *rest, const struct http_request *req,
	struct http_response *res)
{
	(void)rest;
	struct config_server server;
	web_server_settings(web, &server);
	web_body(res, "text/html; charset=utf-8", 256 * 1024);
	struct buf *out = &res->body;
	page_begin(out, server.name, "A focuser and a camera that bring a telescope to focus, for every "
		"program that speaks ASCOM Alpaca.");
	buf_puts(out, "<section class=\"card\"><h2>Devices</h2><ul class=\"links\">\n");
	struct device *dev;
	for (int i = 0; (dev = devices_at(web->served->devices, i)) != NULL; i++) {
		const struct device_info *info = device_info(dev);
		const char *type = info->kind->name;
		buf_printf(out, "<li><a href=\"/setup/v1/%s/%d/setup\">", type, info->number);
		escape(out, info->name);
		buf_printf(out, "</a> <span class=\"dim\">%s %d, %s</span></li>\n", type, info->number,
			link_words(device_link(dev)));
	}
	buf_puts(out, "</ul></section>\n");
	address(web, req, out, NULL);
	table_begin(out, "Server");
	row(out, "Name", "name", "%s", server.name);
	row(out, "Location", "location", "%s", server.location[0] ? server.location : "not set");
	row(out, "Manufacturer", "", "focusd project");
	row(out, "Version", "", "%s", FOCUSD_VERSION);
	if (server.discovery_port > 0) {
		row(out, "Discovery port", "discovery_port", "%d", server.discovery_port);
	} else {
		row(out, "Discovery port", "discovery_port", "off: programs need host and port by hand");
	}
	row(out, "Listens on", "bind", "%s", server.bind[0] != '\0' ? server.bind : "every address");
	row(out, "Further host names", "allowed_hosts", "%s",
		server.allowed_hosts[0] != '\0' ? server.allowed_hosts : "none");
	table_end(out);
	modes_section(out);
	how_to_change(out, "server");
	page_end(out);
	web_check_body(res);
	return HTTP_DONE;
}

static void common_rows(struct buf *out, struct device *dev)
{
	const struct device_info *info = device_info(dev);
	char failure[256] = "";
	device_last_failure(dev, failure, (int)sizeof failure);
	row(out, "Link", "", "%s", link_words(device_link(dev)));
	row(out, "Driver", "driver", "%s (%s)", info->driver_title, info->driver);
	if (info->where[0] != '\0') {
		row(out, "Where", "port", "%s", info->where);
	}
	if (failure[0] != '\0') {
		row(out, "Last failure", "", "%s", failure);
	}
}

static const char *temperature_words(const struct config_focuser *config, char *out, size_t cap)
{
	switch (config->temperature_source) {
	case CONFIG_TEMPERATURE_SELF:
		return "the focuser's own sensor";
	case CONFIG_TEMPERATURE_ACTION:
		return "told by a client";
	case CONFIG_TEMPERATURE_NONE:
		return "none";
	case CONFIG_TEMPERATURE_FOCUSER:
		break;
	}
	snprintf(out, cap, "focuser %d", config->temperature_focuser);
	return out;
}

static void backlash_section(struct buf *out, const struct focuser_state *s)
{
	const char *from = s->approach == MOVES_APPROACH_IN ? "in" : "out";
	table_begin(out, "Backlash");
	if (s->device_backlash_steps > 0) {
		row(out, "Compensated by the device", "", "%d steps", (int)s->device_backlash_steps);
		row(out, "Compensated by focusd", "backlash_steps", "no, since the device does");
	} else if (s->backlash_steps > 0) {
		row(out, "Compensated by focusd", "backlash_steps", "%d steps", (int)s->backlash_steps);
	} else {
		row(out, "Compensated by focusd", "backlash_steps", "no (0 steps)");
	}
	row(out, "Last leg goes", "approach", "%s, towards %s positions", from,
		s->approach == MOVES_APPROACH_IN ? "smaller" : "larger");
	table_end(out);
	if (s->device_backlash_steps > 0) {
		buf_puts(out, "<p class=\"note\">The device takes up its backlash by itself. "
			"<code>backlash_steps</code> is not used as long as it does, and "
			"<strong>N.I.N.A.'s backlash must be 0</strong> (in and out): backlash has exactly one "
			"owner, or it is compensated twice.</p>\n");
	} else if (s->backlash_steps > 0) {
		buf_printf(out, "<p class=\"note\">focusd compensates backlash itself: every move against the "
			"approach goes %d steps too far and comes back. "
			"<strong>Leave N.I.N.A.'s backlash at 0</strong> (in and out), and "
			"that of every other program: backlash has exactly one owner, or it is compensated "
			"twice.</p>\n", (int)s->backlash_steps);
	} else {
		buf_puts(out, "<p class=\"note\">focusd does not compensate backlash now. When you set "
			"<code>backlash_steps</code> here, <strong>leave N.I.N.A.'s backlash at 0</strong> (in and "
			"out), and that of every other program: backlash has exactly one owner, or it is "
			"compensated twice.</p>\n");
	}
}

/* What there is to say of a focuser that calibrates itself, as that of a moving mirror does. */
static void calibration_section(struct buf *out, struct device *dev, const struct focuser_state *s)
{
	struct focuser_calibration c;
	char low[64], high[64];
	focuser_calibration(dev, &c);
	if (!c.possible) {
		return;
	}
	buf_puts(out, "<p class=\"note\">The backlash of a moving mirror is large: <code>backlash_steps</code> "
		"from 200 to 1000 are usual. Choose the approach that ends with the mirror pushed up against "
		"gravity; focusd does so unless <code>approach</code> says otherwise.</p>\n");
	table_begin(out, "Calibration");
	row(out, "Limits", "", "%s", c.refusal[0] != '\0' ? c.refusal
		: !c.limits_known ? "known when connected" : "found");
	if (c.limits_known) {
		row(out, "The motor's lower limit", "", "%s", steps_text(low, c.low, s->steps_per_turn));
		row(out, "The motor's upper limit", "", "%s", steps_text(high, c.high, s->steps_per_turn));
	}
	if (c.state != CALIBRATION_NONE) {
		row(out, "Last calibration", "", "%s, step %d of %d. %s", focuser_calibration_name(c.state),
			c.step, c.of, c.reason);
	}
	table_end(out);
	buf_puts(out, "<p>A calibration drives to both ends and back, which takes about four minutes. Start "
		"it on the status page. A knob that was turned by hand, or a motor that was taken off, makes "
		"a new one necessary: the motor does not notice.</p>\n");
}

static void focuser_page(struct web *web, struct device *dev, struct buf *out)
{
	int number = device_info(dev)->number;
	const struct config *config = settings_get(web->served->settings);
	const struct config_focuser focuser = config->focuser[number];
	settings_release(web->served->settings, config);
	struct focuser_state s;
	char scratch[32];
	char text[64];
	focuser_state(dev, &s);
	table_begin(out, "Focuser");
	common_rows(out, dev);
	if (s.identity[0] != '\0') {
		row(out, "Answers as", "", "%s", s.identity);
	}
	if (s.position_valid) {
		row(out, "Position", "", "%s (%s)", steps_text(text, s.position, s.steps_per_turn),
			focuser_trust_name(s.trust));
		if (s.within_known) {
			row(out, "Surely between", "", "%d and %d", (int)s.within_low, (int)s.within_high);
		}
		if (s.outside) {
			row(out, "The motor stands at", "", "%d, outside 0..%d", (int)s.measured_position,
				(int)s.max_step);
		}
		if (s.trust_why[0] != '\0') {
			row(out, "Why not known", "", "%s.", s.trust_why);
		}
	} else {
		row(out, "Position", "", "not known until it is connected");
	}
	row(out, "Temperature", "temperature_source", "%s",
		temperature_words(&focuser, scratch, sizeof scratch));
	table_end(out);
	table_begin(out, "Limits and motion");
	row(out, "Smallest position", "min_step", "%s", steps_text(text, s.min_step, s.steps_per_turn));
	if (s.max_step > 0) {
		row(out, "Largest position", "max_step", "%s",
			steps_text(text, s.max_step, s.steps_per_turn));
	} else {
		row(out, "Largest position", "max_step", "the device's; known when connected");
	}
	row_number(out, "Travel of the focal plane per step", "step_size_um", s.step_size_um,
		"\xC2\xB5m");
	row(out, "Reversed", "reverse", "%s", focuser.reverse ? "yes" : "no");
	row(out, "Wait after arrival", "settle_ms", "%d ms", focuser.settle_ms);
	row(out, "Focuses camera", "camera", "%d", focuser.camera);
	row(out, "Connects", "connect", "%s", focuser.connect_at_start ? "when the server starts" :
		"when a program or the page asks");
	table_end(out);
	backlash_section(out, &s);
	calibration_section(out, dev, &s);
}

static void optics_section(struct buf *out, const struct optics_config *optics, double pixel_um,
	int number)
{
	char title[48];
	snprintf(title, sizeof title, "Telescope %d", number);
	table_begin(out, title);
	row_number(out, "Focal length", "focal_length_mm", optics->focal_length_mm, "mm");
	row_number(out, "Aperture", "aperture_mm", optics->aperture_mm, "mm");
	row(out, "Central obstruction", "obstruction_mm", "%g mm", optics->obstruction_mm);
	double ratio = optics->focal_length_mm / optics->aperture_mm;
	if (isfinite(ratio) && ratio > 0) {
		row(out, "Focal ratio", "", "f/%.1f", ratio);
	}
	double scale = 206.265 * pixel_um / optics->focal_length_mm;
	if (isfinite(scale) && scale > 0) {
		row(out, "Scale, unbinned", "", "%.2f arcsec per px", scale);
	}
	table_end(out);
}

static void camera_page(struct web *web, struct device *dev, struct buf *out)
{
	int number = device_info(dev)->number;
	const struct config *config = settings_get(web->served->settings);
	struct camera_state s;
	camera_state(dev, &s);
	bool known = s.link == LINK_UP || s.link == LINK_LOST;
	double pixel_um = config->camera[number].pixel_size_um;
	table_begin(out, "Camera");
	common_rows(out, dev);
	if (known) {
		if (s.caps.identity[0] != '\0') {
			row(out, "Answers as", "", "%s", s.caps.identity);
		}
		row(out, "Sensor", "", "%d x %d px%s", (int)s.caps.width, (int)s.caps.height,
			s.caps.sensor_type == 2 ? ", colour mosaic" : "");
		row(out, "Binning", "", "1 to %d", s.caps.max_bin);
		row(out, "Largest pixel value", "", "%d ADU", (int)s.caps.max_adu);
		if (s.caps.has_gain) {
			row(out, "Gain", "", "%d (from %d to %d)", s.setup.gain, s.caps.gain_min, s.caps.gain_max);
		}
		if (s.caps.has_offset) {
			row(out, "Offset", "", "%d (from %d to %d)", (int)s.setup.offset, (int)s.caps.offset_min,
				(int)s.caps.offset_max);
		}
		pixel_um = s.caps.pixel_um > 0 ? s.caps.pixel_um : pixel_um;
	} else {
		row(out, "Sensor", "", "known when connected");
	}
	row_number(out, "Pixel size", "pixel_size_um", pixel_um, "\xC2\xB5m");
	row(out, "Connects", "connect", "%s", config->camera[number].connect_at_start ?
		"when the server starts" : "when a program or the page asks");
	table_end(out);
	mode_section(out, s.mode);
	/* Telescopes are numbered as the focusers on them. */
	for (int i = 0; i < CONFIG_MAX_DEVICES; i++) {
		if (config->focuser[i].present && config->focuser[i].camera == number) {
			optics_section(out, &config->telescope[i], pixel_um, i);
		}
	}
	settings_release(web->served->settings, config);
}

/* What the page of a device says of it, by its kind. */
static const struct {
	const struct device_kind *kind;
	void (*page)(struct web *web, struct device *dev, struct buf *out);
} kinds[] = {
	{&focuser_kind, focuser_page},
	{&camera_kind, camera_page},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* Whether the path begins with the name and a slash. */
static bool starts_with_name(const char *path, const char *name)
{
	size_t len = strlen(name);
	return strncmp(path, name, len) == 0 && path[len] == '/';
}

enum http_result setup_device_answer(struct web *web, const char *rest, const struct http_request *req,
	struct http_response *res)
{
	size_t k = 0;
	while (k < KINDS && !starts_with_name(rest, kinds[k].kind->name)) {
		k++;
	}
	const char *end = "";
	struct device *dev = NULL;
	int number = k < KINDS ? web_path_number(rest + strlen(kinds[k].kind->name) + 1, &end) : -1;
	if (number >= 0 && strcmp(end, "/setup") == 0) {
		dev = devices_find(web->served->devices, kinds[k].kind, number);
	}
	web_body(res, "text/html; charset=utf-8", 256 * 1024);
	struct buf *out = &res->body;
	if (dev == NULL) {
		res->status = 404;
		page_begin(out, "No such device", "There is no device at this address.");
		buf_puts(out, "<p>The list of devices is at <a href=\"/setup\">/setup</a>.</p>\n");
		page_end(out);
		web_check_body(res);
		return HTTP_DONE;
	}
	const struct device_info *info = device_info(dev);
	char lead[160];
	struct config_server server;
	web_server_settings(web, &server);
	snprintf(lead, sizeof lead, "%s %d of %s.", info->kind->alpaca_type, info->number, server.name);
	page_begin(out, info->name, lead);
	kinds[k].page(web, dev, out);
	how_to_change(out, info->source);
	address(web, req, out, info);
	page_end(out);
	web_check_body(res);
	return HTTP_DONE;
}
