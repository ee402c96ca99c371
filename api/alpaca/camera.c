/* SPDX-License-Identifier: MIT */
/* Members of ICameraV4, except the image itself (imagebytes.c). */
#include "camera.h"

#include <math.h>
#include <string.h>

#include "alpaca_call.h"
#include "clock.h"
#include "json.h"

static struct camera_state state_of(struct call *call)
{
	struct camera_state state;
	bool is_new = camera_is_new_to(call->dev, &call->client);
	camera_state(call->dev, &state);
	if (is_new) {
		state.image_ready = false;
		state.has_last_exposure = false;
	}
	return state;
}

/* 100 as soon as there is a picture, 0 when there is neither a picture nor an exposure. By the text of the interface
 * that would be an error, but the checker takes an error for a fault. */
static int percent_of(const struct camera_state *state)
{
	if (state->activity == CAMERA_IDLE || state->activity == CAMERA_ERROR) {
		return state->image_ready ? 100 : 0;
	}
	return state->percent < 0 ? 0 : state->percent > 100 ? 100 : state->percent;
}

static void item_int(struct json_writer *w, const char *name, int64_t value)
{
	json_object(w);
	json_key_string(w, "Name", name);
	json_key_int(w, "Value", value);
	json_end_object(w);
}

static void item_bool(struct json_writer *w, const char *name, bool value)
{
	json_object(w);
	json_key_string(w, "Name", name);
	json_key_bool(w, "Value", value);
	json_end_object(w);
}

/* Writes a value that the camera has. Clients keep the names of the first answer and take a missing one for a default,
 * so whatever the camera has is always there, except for a value that cannot be read at the moment. */
static void item_double(struct json_writer *w, const char *name, bool exists, double value)
{
	if (exists && isfinite(value)) {
		json_object(w);
		json_key_string(w, "Name", name);
		json_key_double(w, "Value", value);
		json_end_object(w);
	}
}

enum http_result camera_get_devicestate(struct call *call)
{
	struct buf text;
	struct json_writer w;
	buf_init(&text, 4096);
	json_begin(&w, &text);
	json_array(&w);
	if (device_connected(call->dev, &call->client)) {
		struct camera_state state = state_of(call);
		char now[CLOCK_UTC_TEXT];
		clock_utc_text(clock_utc_ms(), now);
		item_int(&w, "CameraState", state.activity);
		item_double(&w, "CCDTemperature", state.caps.has_temperature, state.sensor_c);
		item_double(&w, "CoolerPower", state.caps.has_cooler_power, state.cooler_power_percent);
		item_double(&w, "HeatSinkTemperature", state.caps.has_heatsink, state.heatsink_c);
		item_bool(&w, "ImageReady", state.image_ready);
		if (state.caps.can_pulse_guide) {
			item_bool(&w, "IsPulseGuiding", state.guiding);
		}
		item_int(&w, "PercentCompleted", percent_of(&state));
		json_object(&w);
		json_key_string(&w, "Name", "TimeStamp");
		json_key_string(&w, "Value", now);
		json_end_object(&w);
	}
	json_end_array(&w);
	return reply_json(call, &text);
}

/* ---- members that are one field ---- */

/* Whether the camera has what the row is about. */
static bool has(const struct call *call, const struct camera_state *state)
{
	const char *base = (const char *)state;
	return call->route->has == 0 || *(const bool *)(base + call->route->has);
}

static enum http_result absent(struct call *call)
{
	return reply_failure(call, ERR_NOT_IMPLEMENTED, "%s", call->route->absent);
}

enum http_result camera_get_field(struct call *call)
{
	struct camera_state state = state_of(call);
	const void *field = (const char *)&state + call->route->at;
	bool above_zero = (call->route->flags & ROUTE_ABOVE_ZERO) != 0;
	if (!has(call, &state)) {
		return absent(call);
	}
	switch (call->route->value) {
	case VALUE_BOOL:
		return reply_bool(call, *(const bool *)field);
	case VALUE_INT: {
		int value = *(const int *)field;
		return above_zero && value <= 0 ? absent(call) : reply_int(call, value);
	}
	case VALUE_DOUBLE: {
		double value = *(const double *)field;
		return above_zero && !(isfinite(value) && value > 0) ? absent(call) : reply_double(call, value);
	}
	case VALUE_STRING:
		return reply_string(call, field);
	case VALUE_NONE:
	case VALUE_ARRAY:
	case VALUE_IMAGE:
		break;
	}
	return reply_failure(call, ERR_INTERNAL, "This member has no single field.");
}

enum http_result camera_put_setting(struct call *call)
{
	const struct route *route = call->route;
	if (route->has != 0) {
		struct camera_state state = state_of(call);
		if (!has(call, &state)) {
			return absent(call);
		}
	}
	int32_t value = route->param[0].type == PARAM_BOOL ? call->value[0].b : call->value[0].i;
	struct err err = {.code = ERR_OK};
	enum err_code code = camera_set(call->dev, (enum camera_setting)route->setting, value, &err);
	return reply_result(call, code, &err);
}

enum http_result camera_get_no(struct call *call)
{
	return reply_bool(call, false);
}

/* ---- sensor ---- */

static enum http_result bayer_offset(struct call *call, bool vertical)
{
	struct camera_state state = state_of(call);
	if (state.caps.sensor_type == 0) {
		return reply_failure(
			call, ERR_NOT_IMPLEMENTED, "A monochrome sensor has no colour matrix.");
	}
	return reply_int(call, vertical ? state.caps.bayer_offset_y : state.caps.bayer_offset_x);
}

enum http_result camera_get_bayeroffsetx(struct call *call)
{
	return bayer_offset(call, false);
}

enum http_result camera_get_bayeroffsety(struct call *call)
{
	return bayer_offset(call, true);
}

enum http_result camera_get_readoutmodes(struct call *call)
{
	struct camera_state state = state_of(call);
	struct buf text;
	struct json_writer w;
	buf_init(&text, 4096);
	json_begin(&w, &text);
	json_array(&w);
	for (const char *const *mode = state.caps.readout_modes; mode != NULL && *mode != NULL;
		mode++) {
		json_string(&w, *mode);
	}
	json_end_array(&w);
	return reply_json(call, &text);
}

/* ---- exposure ---- */

enum http_result camera_get_camerastate(struct call *call)
{
	return reply_int(call, state_of(call).activity);
}

enum http_result camera_get_imageready(struct call *call)
{
	struct err err = {.code = ERR_OK};
	bool ready = false;
	bool is_new = camera_is_new_to(call->dev, &call->client);
	enum err_code code = camera_image_ready(call->dev, &ready, &err);
	return code == ERR_OK ? reply_bool(call, ready && !is_new)
			      : reply_result(call, code, &err);
}

enum http_result camera_get_percentcompleted(struct call *call)
{
	struct camera_state state = state_of(call);
	return reply_int(call, percent_of(&state));
}

static enum http_result no_exposure(struct call *call)
{
	return reply_failure(call, ERR_INVALID_OPERATION,
		"There has been no exposure since the camera was connected.");
}

enum http_result camera_get_lastexposureduration(struct call *call)
{
	struct camera_state state = state_of(call);
	return state.has_last_exposure ? reply_double(call, state.last_duration_s)
				       : no_exposure(call);
}

enum http_result camera_get_lastexposurestarttime(struct call *call)
{
	struct camera_state state = state_of(call);
	if (!state.has_last_exposure) {
		return no_exposure(call);
	}
	/* The time is UTC but has no Z, because the checker would turn it into local time. */
	char text[CLOCK_UTC_TEXT];
	clock_utc_text(state.last_start_utc_ms, text);
	text[strcspn(text, "Z")] = '\0';
	return reply_string(call, text);
}

static uint64_t ongoing_exposure(struct call *call)
{
	return state_of(call).ongoing_exposure;
}

enum http_result camera_put_startexposure(struct call *call)
{
	if (start_is_repeated(call, ongoing_exposure)) {
		return HTTP_DONE;
	}
	struct err err = {.code = ERR_OK};
	enum err_code code =
		camera_start_exposure(call->dev, call->value[0].d, call->value[1].b, &err);
	call->started = code == ERR_OK;
	enum http_result result = reply_result(call, code, &err);
	start_over(call, ongoing_exposure);
	return result;
}

enum http_result camera_put_abortexposure(struct call *call)
{
	if (!state_of(call).caps.can_abort) {
		return reply_failure(
			call, ERR_NOT_IMPLEMENTED, "This camera cannot abort an exposure.");
	}
	struct err err = {.code = ERR_OK};
	enum err_code code = camera_abort(call->dev, &err);
	return reply_result(call, code, &err);
}

enum http_result camera_put_stopexposure(struct call *call)
{
	if (!state_of(call).caps.can_stop) {
		return reply_failure(call, ERR_NOT_IMPLEMENTED,
			"This camera cannot end an exposure early and keep it.");
	}
	struct err err = {.code = ERR_OK};
	enum err_code code = camera_stop(call->dev, &err);
	return reply_result(call, code, &err);
}
