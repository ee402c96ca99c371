/* SPDX-License-Identifier: MIT */
/*
 * The focuser's own actions.  Each returns at once except AutofocusWait, MeasureStars and SetPosition, which
 * are suspended with a deadline below the 100 s that clients allow.
 */
#include "alpaca_call.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "autofocus.h"
#include "clock.h"
#include "focuser.h"
#include "json.h"
#include "run.h"

enum {
	WAIT_MAX_S = 90,
	MEASURE_EXPOSURE_MAX_S = 60,
	MEASURE_WAIT_MS = 95000,
	SET_POSITION_WAIT_MS = 10000,
};

struct action {
	const char *name;
	enum http_result (*run)(struct call *call, const char *parameters);
};

static bool is_blank(const char *text)
{
	return text[strspn(text, " \t\r\n")] == '\0';
}

/* ---- JSON parameters ---- */

/* A member that an action takes. */
struct member {
	const char *name;
	enum { MEMBER_NUMBER, MEMBER_WHOLE, MEMBER_TEXT } type;
	double low, high;
	void *out; /* double, int, or char[64] */
};

static enum err_code read_member(
	const struct member *member, const struct json *value, struct err *err)
{
	double number;
	int32_t whole;
	const char *text;
	switch (member->type) {
	case MEMBER_NUMBER:
		if (!json_as_double(value, &number) || number < member->low ||
			number > member->high) {
			return err_set(err, ERR_INVALID_VALUE, "%s must be a number from %g to %g.",
				member->name, member->low, member->high);
		}
		*(double *)member->out = number;
		return ERR_OK;
	case MEMBER_WHOLE:
		if (!json_as_i32(value, &whole) || whole < member->low || whole > member->high) {
			return err_set(err, ERR_INVALID_VALUE,
				"%s must be a whole number from %g to %g.", member->name,
				member->low, member->high);
		}
		*(int *)member->out = whole;
		return ERR_OK;
	case MEMBER_TEXT:
		if (!json_as_string(value, &text) || strlen(text) >= 64) {
			return err_set(err, ERR_INVALID_VALUE,
				"%s must be text of at most 63 bytes.", member->name);
		}
		text_copy_clean(member->out, 64, text);
		return ERR_OK;
	}
	return ERR_OK;
}

/* Reads an object with these members only, or nothing at all.  null counts as absent. */
static enum err_code read_members(
	const char *parameters, const struct member *members, size_t count, struct err *err)
{
	if (is_blank(parameters)) {
		return ERR_OK;
	}
	struct err why = {.code = ERR_OK};
	struct json *json = json_parse(span_of(parameters), &why);
	if (json == NULL || !json_is_object(json)) {
		json_free(json);
		return err_set(err, ERR_INVALID_VALUE,
			"Parameters must be empty or a JSON object such as {\"%s\": 3}.%s%s",
			members[0].name, why.text[0] != '\0' ? " " : "", why.text);
	}
	enum err_code code = ERR_OK;
	const char *name;
	const struct json *value;
	for (int i = 0; code == ERR_OK && json_member(json, i, &name, &value); i++) {
		size_t k = 0;
		while (k < count && strcmp(members[k].name, name) != 0) {
			k++;
		}
		if (k == count) {
			char clean[48];
			text_copy_clean(clean, sizeof clean, name);
			code = err_set(err, ERR_INVALID_VALUE,
				"This action has no parameter \"%s\".", clean);
		} else if (!json_is_null(value)) {
			code = read_member(&members[k], value, err);
		}
	}
	json_free(json);
	return code;
}

/* ---- runs ---- */

static enum http_result reply_run(struct call *call, struct run *run)
{
	if (run == NULL) {
		return reply_string(call, "{\"run\":0,\"state\":\"none\"}");
	}
	struct buf text;
	buf_init(&text, 1024 * 1024);
	run_json(run, &text);
	run_free(run);
	enum http_result result =
		text.failed ? reply_failure(call, ERR_NOMEM, "The server is out of memory.")
			    : reply_string(call, buf_text(&text));
	buf_fini(&text);
	return result;
}

static enum http_result autofocus(struct call *call, const char *parameters)
{
	struct autofocus_params params;
	autofocus_params_init(&params);
	const struct member members[] = {
		{"exposure_s", MEMBER_NUMBER, 0.0001, 3600, &params.exposure_s},
		{"points", MEMBER_WHOLE, 5, 31, &params.points},
		{"step", MEMBER_NUMBER, 0, 1e6, &params.step},
		{"filter", MEMBER_TEXT, 0, 0, params.filter},
		{"binning", MEMBER_WHOLE, 0, 16, &params.binning},
		{"gain", MEMBER_WHOLE, 0, INT32_MAX, &params.gain},
		{"camera", MEMBER_WHOLE, 0, INT32_MAX, &params.camera},
	};
	struct err err = {.code = ERR_OK};
	enum err_code code = device_require(call->dev, &call->client, &err);
	if (code == ERR_OK) {
		code = read_members(parameters, members, sizeof members / sizeof members[0], &err);
	}
	uint64_t run = 0;
	if (code == ERR_OK) {
		code = autofocus_start(call->obs, call->info->number, &params, &run, &err);
	}
	if (code != ERR_OK) {
		return reply_result(call, code, &err);
	}
	struct buf text;
	buf_init(&text, 128);
	buf_printf(&text, "{\"run\":%" PRIu64 ",\"state\":\"running\"}", run);
	enum http_result result = reply_string(call, buf_text(&text));
	buf_fini(&text);
	return result;
}

/* Steps of calls that may wait: for a run to end, then for the store. */
enum { STEP_RUN, STEP_STORE };

/* Lets the call wait for an old run, which the store has. */
static enum http_result ask_store(struct call *call, uint64_t id)
{
	return call_wait(call, STEP_STORE, store_ask_run(observatory_store(call->obs), id),
		clock_now_ms(clock_real()) + STORE_PATIENCE_MS);
}

/* Picks the run up: true with *run or with err filled, false while the store has no answer. */
static bool store_answered(struct call *call, struct run **run, struct err *err)
{
	struct store_answer answer;
	if (store_take(observatory_store(call->obs), call->wait->ticket, &answer)) {
		*run = answer.run;
		*err = answer.err;
		answer.run = NULL;
		store_answer_fini(&answer);
		return true;
	}
	if (call_is_late(call)) {
		err_set(err, ERR_TIMEOUT, "the disk did not answer in %d s", STORE_PATIENCE_MS / 1000);
		return true;
	}
	return false;
}

static enum http_result autofocus_status(struct call *call, const char *parameters)
{
	uint32_t id = 0;
	if (!is_blank(parameters) && (!text_parse_u32(span_of(parameters), &id) || id == 0)) {
		return reply_failure(call, ERR_INVALID_VALUE,
			"Parameters must be empty (the last run) or the number of a run.");
	}
	struct err err = {.code = ERR_OK};
	struct run *run = NULL;
	if (call->wait == NULL) {
		run = autofocus_run(call->obs, call->info->number, id);
		if (run == NULL && id != 0) {
			return ask_store(call, id);
		}
	} else if (!store_answered(call, &run, &err)) {
		return call_wait(call, STEP_STORE, call->wait->ticket, call->wait->deadline_ms);
	}
	if (err.code == ERR_INVALID_VALUE) {
		return reply_failure(call, ERR_INVALID_VALUE, "There is no run %" PRIu32 ".", id);
	}
	if (err.code != ERR_OK) {
		return reply_failure(call, err.code, "Run %" PRIu32 " cannot be read: %s", id, err.text);
	}
	return reply_run(call, run);
}

/* A run as the outcome of waiting for it: the object when it went well, else an error.  Frees the run. */
static enum http_result reply_outcome(struct call *call, struct run *run)
{
	if (run->state == RUN_SUCCEEDED) {
		return reply_run(call, run);
	}
	struct err err = {.code = ERR_OK};
	if (run->state == RUN_RUNNING) {
		err_set(&err, ERR_INVALID_OPERATION,
			"Run %" PRIu64 " is still running (%s, %d %%).", run->id, run->phase,
			(int)(run->progress * 100));
	} else if (run->state == RUN_ABORTED) {
		err_set(&err, ERR_CANCELLED, "Run %" PRIu64 " was aborted: %s", run->id, run->reason);
	} else {
		enum err_code code = run->code != ERR_OK ? run->code : ERR_INTERNAL;
		err_set(&err, code, "Run %" PRIu64 " failed: %s", run->id, run->reason);
	}
	run_free(run);
	return reply_error(call, &err);
}

/* The run is over, and another may have begun since: then the store has it. */
static enum http_result outcome_of(struct call *call, uint64_t id)
{
	struct run *run = autofocus_run(call->obs, call->info->number, id);
	return run != NULL ? reply_outcome(call, run) : ask_store(call, id);
}

static enum http_result outcome_from_store(struct call *call)
{
	struct run *run = NULL;
	struct err err = {.code = ERR_OK};
	if (!store_answered(call, &run, &err)) {
		return call_wait(call, STEP_STORE, call->wait->ticket, call->wait->deadline_ms);
	}
	if (err.code != ERR_OK) {
		return reply_failure(call, err.code, "The run is over, but how it ended cannot be read: %s", err.text);
	}
	return reply_outcome(call, run);
}

static enum http_result autofocus_wait(struct call *call, const char *parameters)
{
	int number = call->info->number;
	uint64_t id;
	int64_t deadline_ms;
	if (call->wait != NULL && call->wait->step == STEP_STORE) {
		return outcome_from_store(call);
	}
	if (call->wait == NULL) {
		double seconds = WAIT_MAX_S;
		if (!is_blank(parameters) && (!text_parse_double(span_of(parameters), &seconds) ||
						     seconds < 0 || seconds > WAIT_MAX_S)) {
			return reply_failure(call, ERR_INVALID_VALUE,
				"Parameters must be empty or seconds from 0 to %d.", WAIT_MAX_S);
		}
		struct run *run = autofocus_run(call->obs, number, 0);
		if (run == NULL) {
			return reply_failure(call, ERR_INVALID_OPERATION,
				"There has been no autofocus run yet: start one with the action "
				"Autofocus.");
		}
		id = run->id;
		run_free(run);
		deadline_ms = clock_now_ms(clock_real()) + (int64_t)(seconds * 1000);
	} else {
		id = call->wait->ticket;
		deadline_ms = call->wait->deadline_ms;
	}
	if (autofocus_running(call->obs, number) != id ||
		clock_now_ms(clock_real()) >= deadline_ms) {
		return outcome_of(call, id);
	}
	return call_wait(call, STEP_RUN, id, deadline_ms);
}

static enum http_result autofocus_abort_action(struct call *call, const char *parameters)
{
	if (!is_blank(parameters)) {
		return reply_failure(call, ERR_INVALID_VALUE, "This action takes no parameters.");
	}
	struct err err = {.code = ERR_OK};
	enum err_code code = autofocus_abort(call->obs, call->info->number, &err);
	if (code != ERR_OK) {
		return reply_result(call, code, &err);
	}
	return reply_run(call, autofocus_run(call->obs, call->info->number, 0));
}

static enum http_result measure_stars(struct call *call, const char *parameters)
{
	struct err err = {.code = ERR_OK};
	uint64_t job = 0;
	int64_t deadline_ms;
	if (call->wait == NULL) {
		double exposure_s = NAN;
		int binning = -1;
		int gain = -1;
		const struct member members[] = {
			{"exposure_s", MEMBER_NUMBER, 0.0001, MEASURE_EXPOSURE_MAX_S, &exposure_s},
			{"binning", MEMBER_WHOLE, 0, 16, &binning},
			{"gain", MEMBER_WHOLE, 0, INT32_MAX, &gain},
		};
		enum err_code code = device_require(call->dev, &call->client, &err);
		if (code == ERR_OK) {
			code = read_members(
				parameters, members, sizeof members / sizeof members[0], &err);
		}
		if (code == ERR_OK) {
			code = autofocus_measure_start(call->obs, call->info->number, exposure_s,
				binning, gain, &job, &err);
		}
		if (code != ERR_OK) {
			return reply_result(call, code, &err);
		}
		deadline_ms = clock_now_ms(clock_real()) + MEASURE_WAIT_MS;
	} else {
		job = call->wait->ticket;
		deadline_ms = call->wait->deadline_ms;
	}
	struct buf text;
	buf_init(&text, 1024 * 1024);
	enum err_code code = ERR_OK;
	enum http_result result;
	if (autofocus_measure_done(call->obs, call->info->number, job, &text, &code, &err)) {
		result = code != ERR_OK ? reply_result(call, code, &err)
					: reply_string(call, buf_text(&text));
	} else if (call_is_late(call)) {
		result = reply_failure(call, ERR_TIMEOUT, "The measurement did not end in time.");
	} else {
		result = call_wait(call, 0, job, deadline_ms);
	}
	buf_fini(&text);
	return result;
}

static enum http_result set_temperature(struct call *call, const char *parameters)
{
	struct err err = {.code = ERR_OK};
	double celsius = NAN;
	const struct member members[] = {{"temperature_c", MEMBER_NUMBER, -55, 60, &celsius}};
	enum err_code code = read_members(parameters, members, 1, &err);
	if (code == ERR_OK && isnan(celsius)) {
		code = err_set(&err, ERR_INVALID_VALUE,
			"This action needs an object such as {\"temperature_c\": 11.5}.");
	}
	if (code == ERR_OK) {
		code = focuser_tell_temperature(call->dev, celsius, &err);
	}
	if (code != ERR_OK) {
		return reply_result(call, code, &err);
	}
	char text[64];
	snprintf(text, sizeof text, "{\"temperature_c\":%.2f}", celsius);
	return reply_string(call, text);
}

/* "restore", "keep", a position, or {"position": a position}. */
static enum err_code read_sync(
	const char *parameters, enum focuser_sync *how, int32_t *position, struct err *err)
{
	struct span text = span_of(parameters);
	while (text.len > 0 && strchr(" \t\r\n", text.data[text.len - 1]) != NULL) {
		text.len--;
	}
	size_t blanks = strspn(parameters, " \t\r\n");
	text.data += blanks < text.len ? blanks : text.len;
	text.len -= blanks < text.len ? blanks : text.len;
	*how = FOCUSER_SYNC_TO;
	if (span_equal_nocase(text, "restore") || span_equal_nocase(text, "keep")) {
		*how = text.len == 4 ? FOCUSER_SYNC_KEEP : FOCUSER_SYNC_RESTORE;
		return ERR_OK;
	}
	if (text_parse_i32(text, position)) {
		return ERR_OK;
	}
	int whole = INT32_MIN;
	const struct member members[] = {{"position", MEMBER_WHOLE, INT32_MIN, INT32_MAX, &whole}};
	enum err_code code = ERR_OK;
	if (text.len > 0 && text.data[0] == '{') {
		code = read_members(parameters, members, 1, err);
	}
	if (code == ERR_OK && whole == INT32_MIN) {
		code = err_set(err, ERR_INVALID_VALUE,
			"Parameters must be a position, {\"position\": 7600}, restore or keep.");
	}
	*position = whole;
	return code;
}

static enum http_result set_position(struct call *call, const char *parameters)
{
	struct err err = {.code = ERR_OK};
	enum err_code code = ERR_OK;
	uint64_t ticket = 0;
	int64_t deadline_ms = clock_now_ms(clock_real()) + SET_POSITION_WAIT_MS;
	if (call->wait == NULL) {
		enum focuser_sync how;
		int32_t position = 0;
		code = device_require(call->dev, &call->client, &err);
		if (code == ERR_OK) {
			code = read_sync(parameters, &how, &position, &err);
		}
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
	buf_printf(&text, "{\"position\":%d,\"trust\":\"%s\"}", (int)now.position,
		focuser_trust_name(now.trust));
	enum http_result result = reply_string(call, buf_text(&text));
	buf_fini(&text);
	return result;
}

/* The harmless first: some clients preselect it. */
static const struct action focuser_actions[] = {
	{"AutofocusStatus", autofocus_status},
	{"AutofocusWait", autofocus_wait},
	{"MeasureStars", measure_stars},
	{"Autofocus", autofocus},
	{"AutofocusAbort", autofocus_abort_action},
	{"SetPosition", set_position},
	{"SetTemperature", set_temperature},
};
enum { FOCUSER_ACTIONS = sizeof focuser_actions / sizeof focuser_actions[0] };

const char *const *actions_of(enum device_type type)
{
	static const char *const none[] = {NULL};
	static const char *const focuser[] = {"AutofocusStatus", "AutofocusWait", "MeasureStars",
		"Autofocus", "AutofocusAbort", "SetPosition", "SetTemperature", NULL};
	_Static_assert(sizeof focuser / sizeof focuser[0] == FOCUSER_ACTIONS + 1,
		"a name for every action");
	return type == DEVICE_FOCUSER ? focuser : none;
}

enum http_result action_run(struct call *call, const char *name, const char *parameters)
{
	for (int i = 0; call->info->type == DEVICE_FOCUSER && i < FOCUSER_ACTIONS; i++) {
		if (strcasecmp(name, focuser_actions[i].name) == 0) {
			return focuser_actions[i].run(call, parameters);
		}
	}
	if (strcasecmp(name, "Calibrate") == 0 && calibrate_possible(call)) {
		return calibrate_action(call, parameters);
	}
	char clean[64];
	text_copy_clean(clean, sizeof clean, name);
	return reply_failure(call, ERR_ACTION_NOT_IMPLEMENTED,
		"There is no action \"%s\": supportedactions lists the names.", clean);
}
