/* SPDX-License-Identifier: MIT */
/* The state of the devices as the page and other listeners of /events see it.  What is not known is
 * null, never 0. */
#include <math.h>

#include "web_private.h"

static const char *const activity_names[] = {
	[CAMERA_IDLE] = "idle",
	[CAMERA_WAITING] = "waiting",
	[CAMERA_EXPOSING] = "exposing",
	[CAMERA_READING] = "reading",
	[CAMERA_DOWNLOAD] = "download",
	[CAMERA_ERROR] = "error",
};

static void key_id(struct json_writer *w, const char *key, uint64_t id)
{
	if (id != 0) {
		json_key_int(w, key, (int64_t)id);
	} else {
		json_key_null(w, key);
	}
}

static void key_steps(struct json_writer *w, const char *key, bool known, int32_t value)
{
	if (known) {
		json_key_int(w, key, value);
	} else {
		json_key_null(w, key);
	}
}

static void key_text(struct json_writer *w, const char *key, const char *text)
{
	json_key_string(w, key, text[0] != '\0' ? text : NULL);
}

static void common(struct json_writer *w, struct device *dev, enum device_link link)
{
	const struct device_info *info = device_info(dev);
	char failure[256] = "";
	device_last_failure(dev, failure, (int)sizeof failure);
	json_key_string(w, "type", info->kind->name);
	json_key_int(w, "number", info->number);
	json_key_string(w, "name", info->name);
	json_key_string(w, "unique_id", info->unique_id);
	json_key_string(w, "driver", info->driver);
	json_key_string(w, "driver_title", info->driver_title);
	key_text(w, "where", info->where);
	json_key_string(w, "link", device_link_name(link));
	key_text(w, "last_failure", failure);
}

/* The newest move that was asked to go beyond the limits; null when it was not. */
static void clamped_json(struct json_writer *w, const struct focuser_state *s)
{
	json_key(w, "clamped");
	if (!s->clamped) {
		json_null(w);
		return;
	}
	json_object(w);
	json_key_int(w, "asked", s->asked);
	json_key_int(w, "to", s->target);
	json_end_object(w);
}

/* How positions and the motor's own numbers belong together (numbering.h); null before the first link. */
static void numbering_json(struct json_writer *w, const struct numbering *n)
{
	json_key(w, "numbering");
	if (!n->known) {
		json_null(w);
		return;
	}
	json_object(w);
	json_key_int(w, "low", n->low);
	json_key_int(w, "high", n->high);
	json_key_bool(w, "reversed", n->reversed);
	json_end_object(w);
}

static void focuser_json(struct web *web, struct device *dev, struct json_writer *w)
{
	int number = device_info(dev)->number;
	const struct config *config = settings_get(web->served->settings);
	int camera = config->focuser[number].camera;
	settings_release(web->served->settings, config);
	struct focuser_state s;
	focuser_state(dev, &s);
	bool up = s.link == LINK_UP || s.link == LINK_LOST;
	common(w, dev, s.link);
	json_key_bool(w, "moving", s.is_moving);
	key_steps(w, "position", s.position_valid, s.position);
	key_steps(w, "motor_position", s.position_valid, s.motor_position);
	key_steps(w, "target", s.is_moving, s.target);
	clamped_json(w, &s);
	numbering_json(w, &s.numbering);
	json_key_bool(w, "position_stale", s.position_stale);
	json_key_double(w, "position_age_s", s.position_valid ? (double)s.position_age_ms / 1000 : NAN);
	json_key_string(w, "trust", focuser_trust_name(s.trust));
	key_text(w, "trust_why", s.trust_why);
	key_steps(w, "within_low", s.within_known, s.within_low);
	key_steps(w, "within_high", s.within_known, s.within_high);
	key_steps(w, "outside_at", s.position_valid && s.outside, s.measured_position);
	key_steps(w, "remembered_position", s.remembered_known, s.remembered);
	json_key_bool(w, "can_set_position", s.can_set_position);
	json_key_bool(w, "by_hand", s.by_hand);
	json_key_bool(w, "journal_failing", s.journal_failing);
	json_key_bool(w, "stop_owed", s.stop_owed);
	key_text(w, "stop_words", s.stop_words);
	json_key_bool(w, "temperature_supported", s.temperature_supported);
	json_key_double(w, "temperature_c", s.temperature_valid ? s.temperature_c : NAN);
	json_key_int(w, "min_step", s.min_step);
	key_steps(w, "max_step", up || s.max_step > 0, s.max_step);
	key_steps(w, "max_increment", up || s.max_increment > 0, s.max_increment);
	json_key_double(w, "step_size_um", s.step_size_um);
	json_key_int(w, "backlash_steps", s.backlash_steps);
	json_key_int(w, "device_backlash_steps", s.device_backlash_steps);
	json_key_string(w, "approach", s.approach == MOVES_APPROACH_IN ? "in" : "out");
	json_key_bool(w, "tempcomp", s.tempcomp);
	json_key_int(w, "steps_per_turn", s.steps_per_turn);
	struct focuser_calibration calibration;
	focuser_calibration(dev, &calibration);
	json_key(w, "calibration");
	if (calibration.possible) {
		focuser_calibration_json(&calibration, w);
	} else {
		json_null(w);
	}
	key_text(w, "move_refusal", calibration.refusal);
	json_key_int(w, "camera", camera);
	key_id(w, "leased_to_run", s.leased_to_run);
	key_id(w, "run", autofocus_running(served_autofocus(web->served, dev)));
	key_text(w, "identity", s.identity);
}

static void frame_json(struct device *dev, struct json_writer *w)
{
	uint64_t serial = 0;
	struct frame *frame = camera_preview_frame(dev, &serial);
	json_key(w, "frame");
	if (frame == NULL) {
		json_null(w);
		return;
	}
	char start[CLOCK_UTC_TEXT];
	clock_utc_text(frame->info.start_utc_ms, start);
	json_object(w);
	json_key_int(w, "serial", (int64_t)serial);
	json_key_int(w, "width", frame->info.width);
	json_key_int(w, "height", frame->info.height);
	json_key_int(w, "bin", frame->info.bin);
	json_key_double(w, "exposure_s", frame->info.exposure_s);
	json_key_string(w, "start", start);
	json_key_double(w, "position", frame->info.position_known ? frame->info.position_steps : NAN);
	key_text(w, "label", frame->info.label);
	json_end_object(w);
	frame_unref(frame);
}

/* The frames that came by themselves: the newest that was measured, and the newest that was left out. */
static void watched_json(struct web *web, struct device *dev, struct json_writer *w)
{
	struct arrivals_state s;
	json_key(w, "watched");
	if (!arrivals_measured_state(web->served->arrivals, dev, &s)) {
		json_null(w);
		return;
	}
	bool any = s.measured > 0;
	int64_t age_ms = clock_now_ms(clock_real()) - s.seen_ms;
	char came[CLOCK_UTC_TEXT] = "";
	if (any) {
		clock_utc_text(clock_utc_ms() - age_ms, came);
	}
	json_object(w);
	json_key_int(w, "measured", (int64_t)s.measured);
	key_text(w, "file", s.file);
	key_text(w, "came", came);
	json_key_double(w, "age_s", any ? (double)age_ms / 1000 : NAN);
	json_key_double(w, "hfr_px", any ? s.last.hfr_px : NAN);
	json_key_double(w, "fwhm_px", any ? s.last.fwhm_px : NAN);
	json_key_double(w, "eccentricity", any ? s.last.eccentricity : NAN);
	key_steps(w, "stars", any, s.last.stars);
	json_key_double(w, "exposure_s", any ? s.exposure_s : NAN);
	json_key_double(w, "position", any && s.position_known ? s.position_steps : NAN);
	json_key_int(w, "left_out", (int64_t)s.left_out);
	key_text(w, "left_out_file", s.left_file);
	key_text(w, "left_out_why", s.left_why);
	json_end_object(w);
}

static void camera_json(struct web *web, struct device *dev, struct json_writer *w)
{
	struct camera_state s;
	camera_state(dev, &s);
	bool known = s.link == LINK_UP || s.link == LINK_LOST;
	bool exposing = s.activity == CAMERA_EXPOSING || s.activity == CAMERA_WAITING;
	common(w, dev, s.link);
	json_key_string(w, "activity", activity_names[s.activity]);
	json_key_int(w, "percent", s.percent);
	json_key_double(w, "exposure_s", exposing ? s.exposure_duration_s : NAN);
	json_key_double(w, "elapsed_s", exposing ? s.exposure_elapsed_s : NAN);
	json_key_bool(w, "image_ready", s.image_ready);
	key_steps(w, "width", known && s.caps.width > 0, s.caps.width);
	key_steps(w, "height", known && s.caps.height > 0, s.caps.height);
	json_key_double(w, "pixel_um", known && s.caps.pixel_um > 0 ? s.caps.pixel_um : NAN);
	key_steps(w, "bin", known, s.setup.bin);
	key_steps(w, "gain", known && s.caps.has_gain, s.setup.gain);
	json_key_int(w, "preview_serial", (int64_t)s.preview_serial);
	frame_json(dev, w);
	key_text(w, "expose_refusal", known ? s.caps.expose_refusal : "");
	watched_json(web, dev, w);
	key_id(w, "leased_to_run", s.leased_to_run);
	key_text(w, "identity", known ? s.caps.identity : "");
	key_text(w, "sensor_name", known ? s.caps.sensor_name : "");
}

/* The members of a device's object, by its kind. */
static const struct {
	const struct device_kind *kind;
	void (*json)(struct web *web, struct device *dev, struct json_writer *w);
} kinds[] = {
	{&focuser_kind, focuser_json},
	{&camera_kind, camera_json},
};

static void device_json(struct web *web, struct device *dev, struct json_writer *w)
{
	json_object(w);
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (kinds[i].kind == device_info(dev)->kind) {
			kinds[i].json(web, dev, w);
		}
	}
	json_end_object(w);
}

void state_json_device(struct web *web, struct device *dev, struct buf *out)
{
	struct json_writer w;
	json_begin(&w, out);
	device_json(web, dev, &w);
}

void state_json_all(struct web *web, struct buf *out)
{
	struct config_server server;
	web_server_settings(web, &server);
	char now[CLOCK_UTC_TEXT];
	clock_utc_text(clock_utc_ms(), now);
	struct json_writer w;
	json_begin(&w, out);
	json_object(&w);
	json_key(&w, "server");
	json_object(&w);
	json_key_string(&w, "name", server.name);
	key_text(&w, "location", server.location);
	json_key_string(&w, "version", FOCUSD_VERSION);
	json_key_string(&w, "now", now);
	json_end_object(&w);
	json_key(&w, "devices");
	json_array(&w);
	struct device *dev;
	for (int i = 0; (dev = devices_at(web->served->devices, i)) != NULL; i++) {
		device_json(web, dev, &w);
	}
	json_end_array(&w);
	json_end_object(&w);
}
