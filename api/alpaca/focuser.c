/* SPDX-License-Identifier: MIT */
/* Members of IFocuserV4. */
#include "focuser.h"

#include <math.h>
#include <stdio.h>

#include "alpaca_call.h"
#include "clock.h"
#include "json.h"

static struct focuser_state state_of(struct call *call)
{
	struct focuser_state state;
	focuser_state(call->dev, &state);
	return state;
}

enum http_result focuser_get_devicestate(struct call *call)
{
	struct buf text;
	struct json_writer w;
	buf_init(&text, 4096);
	json_begin(&w, &text);
	json_array(&w);
	if (device_connected(call->dev, &call->client)) {
		struct focuser_state state = state_of(call);
		struct err failure = {.code = ERR_OK};
		bool moving = false;
		/* A failed move is over for clients at once, even while its motor is still being stopped. */
		bool failed = focuser_is_moving(call->dev, &moving, &failure) != ERR_OK;
		char now[CLOCK_UTC_TEXT];
		clock_utc_text(clock_utc_ms(), now);
		json_object(&w);
		json_key_string(&w, "Name", "IsMoving");
		json_key_bool(&w, "Value", state.is_moving && state.link == LINK_UP && !failed);
		json_end_object(&w);
		/* Clients remember the names of the first answer, so a position that was once known stays, even while
		 * the link is being reopened. */
		if (state.position_valid) {
			json_object(&w);
			json_key_string(&w, "Name", "Position");
			json_key_int(&w, "Value", state.position);
			json_end_object(&w);
		}
		if (state.temperature_supported && state.temperature_valid &&
			isfinite(state.temperature_c)) {
			json_object(&w);
			json_key_string(&w, "Name", "Temperature");
			json_key_double(&w, "Value", state.temperature_c);
			json_end_object(&w);
		}
		json_object(&w);
		json_key_string(&w, "Name", "TimeStamp");
		json_key_string(&w, "Value", now);
		json_end_object(&w);
	}
	json_end_array(&w);
	return reply_json(call, &text);
}

enum http_result focuser_get_absolute(struct call *call)
{
	return reply_bool(call, true);
}

enum http_result focuser_get_ismoving(struct call *call)
{
	struct err err = {.code = ERR_OK};
	bool moving = false;
	enum err_code code = focuser_is_moving(call->dev, &moving, &err);
	return code == ERR_OK ? reply_bool(call, moving) : reply_result(call, code, &err);
}

enum http_result focuser_get_maxincrement(struct call *call)
{
	return reply_int(call, state_of(call).max_increment);
}

enum http_result focuser_get_maxstep(struct call *call)
{
	return reply_int(call, state_of(call).max_step);
}

enum http_result focuser_get_position(struct call *call)
{
	struct err err = {.code = ERR_OK};
	int32_t position = 0;
	enum err_code code = focuser_position(call->dev, &position, &err);
	return code == ERR_OK ? reply_int(call, position) : reply_result(call, code, &err);
}

enum http_result focuser_get_stepsize(struct call *call)
{
	double step_um = state_of(call).step_size_um;
	if (!(step_um > 0)) {
		return reply_failure(call, ERR_NOT_IMPLEMENTED,
			"The step size is not known: set step_size_um of this focuser.");
	}
	return reply_double(call, step_um);
}

enum http_result focuser_get_tempcomp(struct call *call)
{
	struct focuser_state state = state_of(call);
	return reply_bool(call, state.tempcomp_available && state.tempcomp);
}

enum http_result focuser_put_tempcomp(struct call *call)
{
	if (!state_of(call).tempcomp_available) {
		return reply_failure(
			call, ERR_NOT_IMPLEMENTED, "This focuser has no temperature compensation.");
	}
	struct err err = {.code = ERR_OK};
	enum err_code code = focuser_set_tempcomp(call->dev, call->value[0].b, &err);
	return reply_result(call, code, &err);
}

enum http_result focuser_get_tempcompavailable(struct call *call)
{
	return reply_bool(call, state_of(call).tempcomp_available);
}

enum http_result focuser_get_temperature(struct call *call)
{
	struct err err = {.code = ERR_OK};
	double celsius = 0;
	enum err_code code = focuser_temperature(call->dev, &celsius, &err);
	return code == ERR_OK ? reply_double(call, celsius) : reply_result(call, code, &err);
}

enum http_result focuser_put_halt(struct call *call)
{
	struct err err = {.code = ERR_OK};
	enum err_code code = device_require(call->dev, &call->client, &err);
	if (code == ERR_OK) {
		code = focuser_halt(call->dev, &err);
	} else if (device_link(call->dev) != LINK_UP) {
		/* Whoever presses STOP after the link has been lost for a minute reads that the focuser is not
		 * connected, and the motor may move all the same: the STOP is kept for it, and the answer says so. */
		struct err kept = {.code = ERR_OK};
		if (focuser_halt(call->dev, &kept) != ERR_OK) {
			snprintf(err.text, sizeof err.text, "%s", kept.text);
		}
	}
	return reply_result(call, code, &err);
}

enum http_result focuser_put_move(struct call *call)
{
	struct err err = {.code = ERR_OK};
	enum err_code code = focuser_move(call->dev, call->value[0].i, &err);
	return reply_result(call, code, &err);
}
