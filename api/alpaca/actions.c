/* SPDX-License-Identifier: MIT */
/* The table of all Actions, and the two members that use it: action and supportedactions. */
#include "action.h"

#include <string.h>
#include <strings.h>

#include "camera.h"
#include "focuser.h"
#include "json.h"

/* No camera is asked for a shorter or a longer exposure than these, s. */
#define EXPOSURE_MIN_S 0.0001
#define EXPOSURE_MAX_S 3600
/* A measurement with this exposure is still done within the time that clients wait. */
#define MEASURE_EXPOSURE_MAX_S 60
/* No camera is asked for a larger binning. */
#define BINNING_MAX 16

/* The first row is harmless, because some clients preselect it. */
const struct action alpaca_actions[] = {
	{.name = "AutofocusStatus",
		.kind = &focuser_kind,
		.help = "shows a run",
		.expected = "empty (the last run) or the number of a run",
		.run = action_autofocus_status,
		.param = {{NULL, ACTION_WHOLE, 1, UINT32_MAX, NULL, true}}},
	{.name = "AutofocusWait",
		.kind = &focuser_kind,
		.help = "waits for the end of the run",
		.expected = "empty or seconds from 0 to 90",
		.waits = true,
		.sensible = action_a_run_is_known,
		.run = action_autofocus_wait,
		.param = {{NULL, ACTION_NUMBER, 0, ACTION_WAIT_MAX_S, NULL, true}}},
	{.name = "MeasureStars",
		.kind = &focuser_kind,
		.also = &camera_kind,
		.has = action_can_measure,
		.help = "measures one exposure where the focuser stands",
		.expected = "empty or a JSON object such as {\"exposure_s\": 3}",
		.needs_link = true,
		.waits = true,
		.run = action_measure_stars,
		.param = {{"exposure_s", ACTION_NUMBER, EXPOSURE_MIN_S, MEASURE_EXPOSURE_MAX_S, NULL, false},
			{"binning", ACTION_WHOLE, 0, BINNING_MAX, NULL, false},
			{"gain", ACTION_WHOLE, 0, INT32_MAX, NULL, false}}},
	{.name = "Autofocus",
		.kind = &focuser_kind,
		.help = "starts an autofocus run",
		.expected = "empty or a JSON object such as {\"exposure_s\": 3}",
		.needs_link = true,
		.ongoing = action_ongoing_run,
		.run = action_autofocus,
		.param = {{"exposure_s", ACTION_NUMBER, EXPOSURE_MIN_S, EXPOSURE_MAX_S, NULL, false},
			{"points", ACTION_WHOLE, 5, 31, NULL, false},
			{"step", ACTION_NUMBER, 0, 1e6, NULL, false},
			{"filter", ACTION_TEXT, 0, 0, NULL, false},
			{"binning", ACTION_WHOLE, 0, BINNING_MAX, NULL, false},
			{"gain", ACTION_WHOLE, 0, INT32_MAX, NULL, false},
			{"camera", ACTION_WHOLE, 0, INT32_MAX, NULL, false},
			{"mode", ACTION_WORD, 0, 0, "full quick check", false}}},
	{.name = "AutofocusAbort",
		.kind = &focuser_kind,
		.help = "ends the run",
		.run = action_autofocus_abort},
	{.name = "Learned",
		.kind = &focuser_kind,
		.help = "tells what runs have taught, or forgets it",
		.expected = "empty or forget",
		.waits = true,
		.run = action_learned,
		.param = {{NULL, ACTION_WORD, 0, 0, "forget", true}}},
	{.name = "GuidedFocus",
		.kind = &focuser_kind,
		.help = "tells a person at the knob where to turn",
		.expected = "start, end or empty (what to do next)",
		.ongoing = action_ongoing_guided,
		.run = action_guided_focus,
		.param = {{NULL, ACTION_WORD, 0, 0, "start end", true}}},
	{.name = "SetPosition",
		.kind = &focuser_kind,
		.help = "tells the focuser where it stands",
		.expected = "a position, {\"position\": 7600}, {\"turns\": 3.25}, restore or keep",
		.needs_link = true,
		.needs_value = true,
		.waits = true,
		.run = action_set_position,
		.param = {{"position", ACTION_WHOLE, INT32_MIN, INT32_MAX, NULL, true},
			{NULL, ACTION_WORD, 0, 0, "restore keep", true},
			{"turns", ACTION_NUMBER, 0, INT32_MAX, NULL, false}}},
	{.name = "SetTemperature",
		.kind = &focuser_kind,
		.help = "tells the temperature of the tube",
		.expected = "degrees Celsius from -55 to 60, also as {\"temperature_c\": 11.5}",
		.needs_value = true,
		.run = action_set_temperature,
		.param = {{"temperature_c", ACTION_NUMBER, -55, 60, NULL, true}}},
	{.name = "Calibrate",
		.kind = &focuser_kind,
		.help = "lets the focuser find its ends",
		.expected = "empty or start, abort, or status",
		.has = action_can_calibrate,
		.ongoing = action_ongoing_calibration,
		.run = action_calibrate,
		.param = {{NULL, ACTION_WORD, 0, 0, "start abort status", true}}},
};
const size_t alpaca_action_count = sizeof alpaca_actions / sizeof alpaca_actions[0];

static bool has(struct call *call, const struct action *action)
{
	bool of_kind = action->kind == call->info->kind || action->also == call->info->kind;
	return of_kind && (action->has == NULL || action->has(call));
}

static const struct action *find(struct call *call, const char *name)
{
	for (size_t i = 0; i < alpaca_action_count; i++) {
		if (strcasecmp(name, alpaca_actions[i].name) == 0 && has(call, &alpaca_actions[i])) {
			return &alpaca_actions[i];
		}
	}
	return NULL;
}

static enum http_result carry_out(struct call *call, const struct action *action, const struct action_value *value)
{
	if (action->ongoing == NULL) {
		return action->run(call, value);
	}
	if (start_is_repeated(call, action->ongoing)) {
		return HTTP_DONE;
	}
	enum http_result result = action->run(call, value);
	start_over(call, action->ongoing);
	return result;
}

enum http_result common_action(struct call *call)
{
	const struct action *action = find(call, call->value[0].s);
	if (action == NULL) {
		char clean[64];
		text_copy_clean(clean, sizeof clean, call->value[0].s);
		return reply_failure(call, ERR_ACTION_NOT_IMPLEMENTED,
			"There is no action \"%s\": supportedactions lists the names.", clean);
	}
	if (call->wait != NULL) {
		return action->run(call, NULL);
	}
	struct err err = {.code = ERR_OK};
	struct action_value value[ACTION_MAX_PARAMS];
	enum err_code code = action->needs_link ? device_require(call->dev, &call->client, &err) : ERR_OK;
	if (code == ERR_OK) {
		code = action_read(action, call->value[1].s, value, &err);
	}
	if (code == ERR_OK && action->sensible != NULL) {
		code = action->sensible(call, &err);
	}
	return code == ERR_OK ? carry_out(call, action, value) : reply_result(call, code, &err);
}

enum http_result common_supportedactions(struct call *call)
{
	struct buf text;
	struct json_writer w;
	buf_init(&text, 4096);
	json_begin(&w, &text);
	json_array(&w);
	for (size_t i = 0; i < alpaca_action_count; i++) {
		if (has(call, &alpaca_actions[i])) {
			json_string(&w, alpaca_actions[i].name);
		}
	}
	json_end_array(&w);
	return reply_json(call, &text);
}
