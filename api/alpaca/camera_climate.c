/* SPDX-License-Identifier: MIT */
/* Members of ICameraV4 that are not about pictures: temperatures, cooler, guide port. */
#include <math.h>

#include "alpaca_call.h"
#include "camera.h"

static struct camera_state state_of(struct call *call)
{
	struct camera_state state;
	camera_state(call->dev, &state);
	return state;
}

static enum http_result no_cooler(struct call *call)
{
	return reply_failure(
		call, ERR_NOT_IMPLEMENTED, "This camera has no cooler that focusd can control.");
}

/* Replies with a reading, which the camera may not have, and which may fail for a while. */
static enum http_result reading(struct call *call, bool exists, double value, const char *what)
{
	if (!exists) {
		return reply_failure(call, ERR_NOT_IMPLEMENTED, "This camera does not tell its %s.", what);
	}
	if (!isfinite(value)) {
		return reply_failure(
			call, ERR_VALUE_NOT_SET, "The camera does not tell its %s just now.", what);
	}
	return reply_double(call, value);
}

enum http_result camera_get_ccdtemperature(struct call *call)
{
	struct camera_state state = state_of(call);
	return reading(call, state.caps.has_temperature, state.sensor_c, "temperature");
}

enum http_result camera_get_heatsinktemperature(struct call *call)
{
	struct camera_state state = state_of(call);
	return reading(call, state.caps.has_heatsink, state.heatsink_c, "heat sink's temperature");
}

enum http_result camera_get_coolerpower(struct call *call)
{
	struct camera_state state = state_of(call);
	return reading(
		call, state.caps.has_cooler_power, state.cooler_power_percent, "cooler's power");
}

enum http_result camera_put_setccdtemperature(struct call *call)
{
	if (!state_of(call).caps.has_cooler) {
		return no_cooler(call);
	}
	struct err err = {.code = ERR_OK};
	enum err_code code = camera_set_point(call->dev, call->value[0].d, &err);
	return reply_result(call, code, &err);
}

static enum http_result no_guiding(struct call *call)
{
	return reply_failure(
		call, ERR_NOT_IMPLEMENTED, "This camera has no guide port that focusd can use.");
}

enum http_result camera_get_ispulseguiding(struct call *call)
{
	if (!state_of(call).caps.can_pulse_guide) {
		return no_guiding(call);
	}
	struct err err = {.code = ERR_OK};
	bool guiding = false;
	enum err_code code = camera_guiding(call->dev, &guiding, &err);
	return code == ERR_OK ? reply_bool(call, guiding) : reply_result(call, code, &err);
}

enum http_result camera_put_pulseguide(struct call *call)
{
	if (!state_of(call).caps.can_pulse_guide) {
		return no_guiding(call);
	}
	struct err err = {.code = ERR_OK};
	enum err_code code =
		camera_pulse_guide(call->dev, call->value[0].i, call->value[1].i, &err);
	return reply_result(call, code, &err);
}
