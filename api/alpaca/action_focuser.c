/* SPDX-License-Identifier: MIT */
/* Actions of the focuser itself; their parameters are in the table of actions.c. */
#include <math.h>
#include <stdio.h>

#include "action.h"
#include "clock.h"
#include "focuser.h"
#include "json.h"

/* No driver takes so long for an answer, even with all the tries that it gets. */
enum { SET_POSITION_WAIT_MS = 10000 };

bool action_can_calibrate(struct call *call)
{
	struct focuser_calibration now;
	focuser_calibration(call->dev, &now);
	return now.possible;
}

static enum http_result reply_calibration(struct call *call)
{
	struct focuser_calibration now;
	focuser_calibration(call->dev, &now);
	struct buf text;
	struct json_writer w;
	buf_init(&text, 4096);
	json_begin(&w, &text);
	focuser_calibration_json(&now, &w);
	enum http_result result = text.failed
		? reply_failure(call, ERR_NOMEM, "The server is out of memory.")
		: reply_string(call, buf_text(&text));
	buf_fini(&text);
	return result;
}

uint64_t action_ongoing_calibration(struct call *call)
{
	struct focuser_calibration now;
	focuser_calibration(call->dev, &now);
	return now.ongoing;
}

enum http_result action_calibrate(struct call *call, const struct action_value *value)
{
	enum { START, ABORT, STATUS };
	int word = value[0].given ? (int)value[0].number : START;
	struct err err = {.code = ERR_OK};
	enum err_code code = word == STATUS ? ERR_OK : device_require(call->dev, &call->client, &err);
	if (code == ERR_OK && word == START) {
		code = focuser_calibrate(call->dev, &err);
		call->started = code == ERR_OK;
	} else if (code == ERR_OK && word == ABORT) {
		code = focuser_calibrate_abort(call->dev, &err);
	}
	return code == ERR_OK ? reply_calibration(call) : reply_result(call, code, &err);
}

enum http_result action_set_temperature(struct call *call, const struct action_value *value)
{
	double celsius = value[0].number;
	struct err err = {.code = ERR_OK};
	enum err_code code = focuser_tell_temperature(call->dev, celsius, &err);
	if (code != ERR_OK) {
		return reply_result(call, code, &err);
	}
	char text[64];
	snprintf(text, sizeof text, "{\"temperature_c\":%.2f}", celsius);
	return reply_string(call, text);
}

/* The position that was given in steps, or in turns of the knob, whose nearest step counts. */
static enum err_code wanted_position(struct call *call, const struct action_value *value, int32_t *out,
	struct err *err)
{
	enum { STEPS, WORD, TURNS };
	*out = (int32_t)value[STEPS].number;
	if (!value[TURNS].given) {
		return ERR_OK;
	}
	if (value[STEPS].given) {
		return err_set(err, ERR_INVALID_VALUE, "SetPosition wants either position or turns, not both");
	}
	struct focuser_state now;
	focuser_state(call->dev, &now);
	if (now.steps_per_turn == 0) {
		return err_set(err, ERR_INVALID_VALUE, "how many steps a turn of %s has is not known: write "
			"steps_per_turn into its section, or give a position in steps", call->info->name);
	}
	double steps = value[TURNS].number * now.steps_per_turn;
	if (steps > now.max_step) {
		return err_set(err, ERR_INVALID_VALUE, "%g turns of %s are %.0f steps, which is outside 0..%d",
			value[TURNS].number, call->info->name, steps, (int)now.max_step);
	}
	*out = (int32_t)lround(steps);
	return ERR_OK;
}

enum http_result action_set_position(struct call *call, const struct action_value *value)
{
	struct err err = {.code = ERR_OK};
	enum err_code code = ERR_OK;
	uint64_t ticket = 0;
	int64_t deadline_ms = clock_now_ms(clock_real()) + SET_POSITION_WAIT_MS;
	if (call->wait == NULL) {
		static const enum focuser_set_how words[] = {FOCUSER_SET_RESTORE, FOCUSER_SET_KEEP};
		enum focuser_set_how how = value[1].given ? words[(int)value[1].number] : FOCUSER_SET_TO;
		int32_t position = 0;
		code = wanted_position(call, value, &position, &err);
		if (code == ERR_OK) {
			code = focuser_set_position(call->dev, how, position, &ticket, &err);
		}
		if (code != ERR_OK) {
			return reply_result(call, code, &err);
		}
	} else {
		ticket = call->wait->ticket;
		deadline_ms = call->wait->deadline_ms;
	}
	if (!focuser_set_position_done(call->dev, ticket, &code, &err)) {
		return call_is_late(call)
			? reply_failure(call, ERR_TIMEOUT, "The focuser has not answered in time.")
			: call_wait(call, 0, ticket, deadline_ms);
	}
	if (code != ERR_OK) {
		return reply_result(call, code, &err);
	}
	struct focuser_state now;
	focuser_state(call->dev, &now);
	struct buf text;
	buf_init(&text, 128);
	buf_printf(&text, "{\"position\":%d,\"trust\":\"%s\"", (int)now.position, focuser_trust_name(now.trust));
	if (now.within_known) {
		buf_printf(&text, ",\"within\":[%d,%d]", (int)now.within_low, (int)now.within_high);
	}
	buf_printf(&text, "}");
	enum http_result result = reply_string(call, buf_text(&text));
	buf_fini(&text);
	return result;
}
