/* SPDX-License-Identifier: MIT */
/* The runs, the measurements and the store of the core in memory. */
#include "fake_core.h"
#include "guided.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

/* ---- runs ---- */

const char *run_state_name(enum run_state state)
{
	static const char *const names[] = {"running", "succeeded", "failed", "aborted"};
	return names[state];
}

void run_free(struct run *run)
{
	free(run);
}

struct run *run_copy(const struct run *run)
{
	struct run *copy = malloc(sizeof *copy);
	if (copy != NULL) {
		*copy = *run;
	}
	return copy;
}

void run_json(const struct run *run, struct buf *out)
{
	buf_printf(out, "{\"run\":%d,\"state\":\"%s\"}", (int)run->id, run_state_name(run->state));
}

void autofocus_params_init(struct autofocus_params *params)
{
	*params = (struct autofocus_params){
		.exposure_s = NAN, .step = NAN, .binning = -1, .gain = -1, .camera = -1};
}

enum err_code autofocus_start(struct autofocus *af,
	const struct autofocus_params *params, uint64_t *run, struct err *err)
{
	enum err_code code = ERR_OK;
	fake_lock();
	if (af->run != NULL && af->run->state == RUN_RUNNING) {
		code = err_set(err, ERR_INVALID_OPERATION, "Run 41 is going on.");
	} else {
		run_free(af->run);
		af->run = calloc(1, sizeof *af->run);
		if (af->run == NULL) {
			code = err_set(err, ERR_NOMEM, "out of memory");
		} else {
			af->run_starts++;
			af->run->id = 40 + (uint64_t)af->run_starts;
			af->run_params = *params;
			*run = 41;
		}
	}
	fake_unlock();
	return code;
}

void autofocus_abort(struct autofocus *af)
{
	fake_lock();
	if (af->run != NULL && af->run->state == RUN_RUNNING) {
		af->run->state = RUN_ABORTED;
	}
	fake_unlock();
}

struct run *autofocus_run(struct autofocus *af, uint64_t id)
{
	fake_lock();
	struct run *run =
		af->run != NULL && (id == 0 || id == af->run->id) ? run_copy(af->run) : NULL;
	fake_unlock();
	return run;
}

uint64_t autofocus_ongoing(struct autofocus *af)
{
	return autofocus_running(af);
}

uint64_t autofocus_running(struct autofocus *af)
{
	fake_lock();
	uint64_t id = af->run != NULL && af->run->state == RUN_RUNNING ? af->run->id : 0;
	fake_unlock();
	return id;
}

enum err_code autofocus_measure_start(struct autofocus *af, int camera, double exposure_s,
	int binning, int gain, uint64_t *job, struct err *err)
{
	(void)exposure_s;
	(void)binning;
	(void)gain;
	(void)err;
	fake_lock();
	af->measurements++;
	af->measured_camera = camera;
	fake_unlock();
	*job = 5;
	return ERR_OK;
}

bool autofocus_measure_done(struct autofocus *af, uint64_t job, struct buf *out,
	enum err_code *result, struct err *err)
{
	(void)err;
	fake_lock();
	bool done = af->measured && job == 5;
	*result = af->measure_result;
	fake_unlock();
	if (done) {
		buf_puts(out, "{\"stars\":12}");
	}
	return done;
}

/* ---- guided focusing ---- */

enum err_code guided_start(struct autofocus *af, uint64_t *session, struct err *err)
{
	fake_lock();
	bool going = af->guided;
	af->guided = true;
	fake_unlock();
	*session = 3;
	return going ? err_set(err, ERR_INVALID_OPERATION, "guided focusing is going on") : ERR_OK;
}

void guided_end(struct autofocus *af)
{
	fake_lock();
	af->guided = false;
	fake_unlock();
}

uint64_t guided_ongoing(struct autofocus *af)
{
	fake_lock();
	uint64_t session = af->guided ? 3 : 0;
	fake_unlock();
	return session;
}

void guided_json(struct autofocus *af, struct buf *out)
{
	buf_printf(out, "{\"session\":3,\"state\":\"%s\"}", guided_ongoing(af) != 0 ? "running" : "ended");
}

/* ---- what tests do ---- */

void fake_finish_run(struct fake *fake, enum run_state state, enum err_code code)
{
	fake_lock();
	fake->autofocus.run->state = state;
	fake->autofocus.run->code = code;
	snprintf(fake->autofocus.run->reason, sizeof fake->autofocus.run->reason, "the sky fell down");
	fake_unlock();
	events_publish(fake->events);
}

void fake_finish_measure(struct fake *fake)
{
	fake_lock();
	fake->autofocus.measured = true;
	fake_unlock();
	events_publish(fake->events);
}

void fake_forget_run(struct fake *fake)
{
	fake_lock();
	fake->autofocus.run->id = 99;
	fake_unlock();
}

uint64_t store_ask_run(struct store *store, uint64_t id)
{
	(void)store;
	return id;
}

uint64_t store_ask_learned(struct store *store, int focuser, const struct numbering *today, bool forget)
{
	(void)today;
	(void)forget;
	return store_ask_run(store, (uint64_t)focuser);
}

bool store_take(struct store *store, uint64_t ticket, struct store_answer *out)
{
	if (!store->ready) {
		return false;
	}
	*out = (struct store_answer){.run = NULL};
	if (store->fails != ERR_OK) {
		err_set(&out->err, store->fails, "the disk sleeps");
	} else if (ticket == 5 || ticket == 6 || ticket == 41) {
		out->run = calloc(1, sizeof *out->run);
		out->run->id = ticket;
		out->run->state = ticket == 6 ? RUN_FAILED : RUN_SUCCEEDED;
		out->run->code = ticket == 6 ? ERR_NO_MINIMUM : ERR_OK;
	} else {
		err_set(&out->err, ERR_INVALID_VALUE, "there is no run %d", (int)ticket);
	}
	return true;
}

void store_answer_fini(struct store_answer *answer)
{
	run_free(answer->run);
	buf_fini(&answer->text);
}
