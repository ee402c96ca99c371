/* SPDX-License-Identifier: MIT */
/* Actions around autofocus runs and measurements; their parameters are in the table of actions.c. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "action.h"
#include "autofocus.h"
#include "clock.h"
#include "run.h"

/* A measurement exposes for at most 60 s; the rest of this time is for the read-out and the arithmetic. */
enum { MEASURE_WAIT_MS = 95000 };

static enum http_result reply_run(struct call *call, struct run *run)
{
	if (run == NULL) {
		return reply_string(call, "{\"run\":0,\"state\":\"none\"}");
	}
	struct numbering today = served_numbering(call->served, run->focuser);
	run_renumber(run, &today);
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

uint64_t action_ongoing_run(struct call *call)
{
	return autofocus_ongoing(served_autofocus(call->served, call->dev));
}

enum http_result action_autofocus(struct call *call, const struct action_value *value)
{
	struct autofocus_params params;
	autofocus_params_init(&params);
	params.exposure_s = value[0].given ? value[0].number : params.exposure_s;
	params.points = value[1].given ? (int)value[1].number : params.points;
	params.step = value[2].given ? value[2].number : params.step;
	memcpy(params.filter, value[3].text, sizeof params.filter);
	params.binning = value[4].given ? (int)value[4].number : params.binning;
	params.gain = value[5].given ? (int)value[5].number : params.gain;
	params.camera = value[6].given ? (int)value[6].number : params.camera;
	params.mode = value[7].given ? (enum autofocus_mode)value[7].number : params.mode;
	struct err err = {.code = ERR_OK};
	uint64_t run = 0;
	enum err_code code = autofocus_start(served_autofocus(call->served, call->dev), &params, &run, &err);
	if (code != ERR_OK) {
		return reply_result(call, code, &err);
	}
	call->started = true;
	struct buf text;
	buf_init(&text, 128);
	buf_printf(&text, "{\"run\":%" PRIu64 ",\"state\":\"running\"}", run);
	enum http_result result = reply_string(call, buf_text(&text));
	buf_fini(&text);
	return result;
}

/* What a call may wait for: first for a run to end, then for the store. */
enum { STEP_RUN, STEP_STORE };

/* Lets the call wait for an old run, which only the store has. */
static enum http_result ask_store(struct call *call, uint64_t id)
{
	return call_wait(call, STEP_STORE, store_ask_run(call->served->store, id),
		clock_now_ms(clock_real()) + STORE_PATIENCE_MS);
}

/* Takes the run from the store: true with *run or with err filled, false while the store has no answer. */
static bool store_answered(struct call *call, struct run **run, struct err *err)
{
	struct store_answer answer;
	if (store_take(call->served->store, call->wait->ticket, &answer)) {
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

enum http_result action_autofocus_status(struct call *call, const struct action_value *value)
{
	struct err err = {.code = ERR_OK};
	struct run *run = NULL;
	if (call->wait == NULL) {
		uint32_t id = value[0].given ? (uint32_t)value[0].number : 0;
		run = autofocus_run(served_autofocus(call->served, call->dev), id);
		if (run == NULL && id != 0) {
			return ask_store(call, id);
		}
	} else if (!store_answered(call, &run, &err)) {
		return call_wait(call, STEP_STORE, call->wait->ticket, call->wait->deadline_ms);
	}
	if (err.code == ERR_INVALID_VALUE) {
		return reply_error(call, &err);
	}
	if (err.code != ERR_OK) {
		return reply_failure(call, err.code, "The run cannot be read: %s", err.text);
	}
	return reply_run(call, run);
}

/* Replies with a run for which the client waited: the run object when it succeeded, else an error. Frees the run. */
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

/* Replies with a run that is over. Another may have begun since; in that case only the store has it. */
static enum http_result outcome_of(struct call *call, uint64_t id)
{
	struct run *run = autofocus_run(served_autofocus(call->served, call->dev), id);
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

enum err_code action_a_run_is_known(struct call *call, struct err *err)
{
	struct run *run = autofocus_run(served_autofocus(call->served, call->dev), 0);
	if (run == NULL) {
		return err_set(err, ERR_INVALID_OPERATION,
			"There has been no autofocus run yet: start one with the action Autofocus.");
	}
	run_free(run);
	return ERR_OK;
}

enum http_result action_autofocus_wait(struct call *call, const struct action_value *value)
{
	struct autofocus *af = served_autofocus(call->served, call->dev);
	uint64_t id = 0;
	int64_t deadline_ms;
	if (call->wait != NULL && call->wait->step == STEP_STORE) {
		return outcome_from_store(call);
	}
	if (call->wait == NULL) {
		double seconds = value[0].given ? value[0].number : ACTION_WAIT_MAX_S;
		struct run *run = autofocus_run(af, 0);
		id = run != NULL ? run->id : 0;
		run_free(run);
		deadline_ms = clock_now_ms(clock_real()) + (int64_t)(seconds * 1000);
	} else {
		id = call->wait->ticket;
		deadline_ms = call->wait->deadline_ms;
	}
	if (autofocus_running(af) != id || clock_now_ms(clock_real()) >= deadline_ms) {
		return outcome_of(call, id);
	}
	return call_wait(call, STEP_RUN, id, deadline_ms);
}

enum http_result action_autofocus_abort(struct call *call, const struct action_value *value)
{
	(void)value;
	struct autofocus *af = served_autofocus(call->served, call->dev);
	autofocus_abort(af);
	return reply_run(call, autofocus_run(af, 0));
}

enum http_result action_learned(struct call *call, const struct action_value *value)
{
	struct store *store = call->served->store;
	struct store_answer answer;
	if (call->wait == NULL) {
		struct numbering today = served_numbering(call->served, call->info->number);
		return call_wait(call, STEP_STORE, store_ask_learned(store, call->info->number, &today, value[0].given),
			clock_now_ms(clock_real()) + STORE_PATIENCE_MS);
	}
	if (!store_take(store, call->wait->ticket, &answer)) {
		return call_is_late(call) ? reply_failure(call, ERR_TIMEOUT, "The disk did not answer in %d s.",
						    STORE_PATIENCE_MS / 1000)
					  : call_wait(call, STEP_STORE, call->wait->ticket, call->wait->deadline_ms);
	}
	enum http_result result = answer.err.code != ERR_OK ? reply_error(call, &answer.err)
							    : reply_string(call, buf_text(&answer.text));
	store_answer_fini(&answer);
	return result;
}

/* The jobs that measure: a focuser's own, and for a camera those of the first focuser that it belongs to, else of the
 * first focuser. NULL where a server has no focuser. */
static struct autofocus *measurer(struct call *call)
{
	const struct served *served = call->served;
	if (call->info->kind == &focuser_kind) {
		return served_autofocus(served, call->dev);
	}
	struct autofocus *first = NULL;
	struct autofocus *own = NULL;
	const struct config *config = settings_get(served->settings);
	for (int i = CONFIG_MAX_DEVICES - 1; i >= 0; i--) {
		first = served->autofocus[i] != NULL ? served->autofocus[i] : first;
		if (served->autofocus[i] != NULL && config->focuser[i].camera == call->info->number) {
			own = served->autofocus[i];
		}
	}
	settings_release(served->settings, config);
	return own != NULL ? own : first;
}

bool action_can_measure(struct call *call)
{
	return measurer(call) != NULL;
}

enum http_result action_measure_stars(struct call *call, const struct action_value *value)
{
	struct autofocus *af = measurer(call);
	struct err err = {.code = ERR_OK};
	uint64_t job = 0;
	int64_t deadline_ms;
	if (call->wait == NULL) {
		int camera = call->info->kind == &focuser_kind ? -1 : call->info->number;
		enum err_code code = autofocus_measure_start(af, camera, value[0].given ? value[0].number : NAN,
			value[1].given ? (int)value[1].number : -1, value[2].given ? (int)value[2].number : -1, &job,
			&err);
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
	if (autofocus_measure_done(af, job, &text, &code, &err)) {
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
