/* SPDX-License-Identifier: MIT */
/*
 * A run as a job: it asks the plan what it wishes, moves, exposes, measures, and tells the plan. How it ends is in
 * autofocus_end.c. There is no arithmetic here.
 */
#include "autofocus_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "focuser.h"

/* Says what an interrupt from outside makes of the run. */
static enum err_code interrupted(struct autofocus *af, struct err *err)
{
	if (atomic_load(&af->jobs.interrupt) != LEASE_LINK_LOST) {
		return err_set(err, ERR_CANCELLED, "interrupted");
	}
	char failure[sizeof err->text];
	device_last_failure(af->focuser, failure, sizeof failure);
	struct focuser_state now;
	focuser_state(af->focuser, &now);
	bool forgot = now.link == LINK_UP && now.trust != POSITION_KNOWN;
	return err_set(err, ERR_FOCUSER, "the focuser failed%s%s%s", forgot ? "" : ": the link was lost",
		failure[0] != '\0' ? ": " : "", failure);
}

/* What the loop of a run needs to know. */
struct walk {
	uint64_t id;
	int bin, gain;
	double exposure_s;
	struct clock *clock;
	int64_t begin_ms;    /* on clock */
	int exposures;       /* frames that came */
	bool moved;          /* the focuser was sent somewhere */
	double arithmetic_s; /* seconds of clock that were spent on arithmetic and not on the night */
};

static double elapsed_s(const struct walk *walk)
{
	return (double)(clock_now_ms(walk->clock) - walk->begin_ms) / 1000.0 - walk->arithmetic_s;
}

/* Brings the focuser where the plan wishes to have its next frame, by the way that the plan wishes. */
static enum err_code go_to_sample(struct autofocus *af, struct walk *walk, struct err *err)
{
	const struct af_plan *plan = &af->plan;
	struct err why = {0};
	enum err_code code = ERR_OK;
	walk->moved = true;
	if (plan->wish.via != plan->wish.position) {
		code = autofocus_go_to(af, walk->id, plan->wish.via, true, &why);
	}
	if (code == ERR_OK) {
		code = autofocus_go_to(af, walk->id, plan->wish.position, true, &why);
	}
	if (atomic_load(&af->jobs.cancel)) {
		return interrupted(af, err);
	}
	return code == ERR_OK ? ERR_OK : err_set(err, ERR_FOCUSER, "the focuser failed: %s", why.text);
}

/* Exposes where the focuser stands and tells the plan what the frame shows. */
static enum err_code take_sample(struct autofocus *af, struct walk *walk, struct err *err)
{
	struct af_plan *plan = &af->plan;
	double position = autofocus_where(af);
	double factor = clock_factor(walk->clock);
	double asked_s = walk->exposure_s * plan->wish.exposure_factor;
	int64_t real_ms = clock_now_ms(clock_real());
	struct seen seen;
	struct err why = {0};
	enum err_code code = autofocus_expose(af, walk->id, asked_s, walk->bin, walk->gain, position, &seen, &why);
	/* Under a sky that runs faster than life the arithmetic is no faster, so on the sky's clock it would seem to
	 * take minutes. What a frame took beyond its exposure therefore counts at life's pace. */
	double beyond_s = (double)(clock_now_ms(clock_real()) - real_ms) / 1000.0 - asked_s / factor;
	walk->arithmetic_s += beyond_s > 0 ? beyond_s * (factor - 1.0) : 0.0;
	if (atomic_load(&af->jobs.cancel)) {
		return interrupted(af, err);
	}
	if (code != ERR_OK) {
		return err_set(err, ERR_CAMERA, "the camera failed: %s", why.text);
	}
	walk->exposures++;
	struct af_observation observation = {
		.position = seen.info.position_known ? seen.info.position_steps : position,
		.stars = seen.measurement.trailed ? 0 : seen.measurement.stars,
		.hfr_px = seen.measurement.hfr_px,
		.error_px = seen.measurement.hfr_error_px,
		.flux_ratio = autofocus_flux_ratio(af, &seen),
		.duration_s = seen.info.exposure_s,
		.trailed = seen.measurement.trailed,
		.rings = seen.measurement.donut,
		.recording_id = seen.info.recording_id,
	};
	if (walk->exposures == 1) {
		autofocus_field_first(af, walk->bin, &seen, &observation);
	}
	log_info(af->focuser->info.source,
		"run=%llu sample position=%.0f hfr_px=%.3f error_px=%.3f stars=%d flux_ratio=%.2f",
		(unsigned long long)walk->id, observation.position, observation.hfr_px,
		observation.error_px, observation.stars, observation.flux_ratio);
	af_plan_tell(plan, &observation);
	autofocus_field_tell(af, observation.position, &seen);
	return ERR_OK;
}

/* One frame where the focuser stands, which is compared with what earlier runs taught. */
static enum err_code check(struct autofocus *af, struct walk *walk, struct err *err)
{
	enum err_code code = take_sample(af, walk, err);
	if (code != ERR_OK) {
		return code;
	}
	char reason[sizeof err->text];
	code = af_check(&af->plan, reason, sizeof reason);
	return code == ERR_OK ? ERR_OK : err_set(err, code, "%s", reason);
}

/* The loop: does what the plan wishes and tells the plan the result. ERR_OK when the plan succeeded; ERR_CANCELLED when
 * interrupted; else why the run failed. */
static enum err_code go_through(struct autofocus *af, struct walk *walk, struct err *err)
{
	const struct af_plan *plan = &af->plan;
	double limit_s = af->config->autofocus.time_limit_s;
	while (plan->wish.want == AF_WANT_SAMPLE || plan->wish.want == AF_WANT_FINAL) {
		double elapsed = elapsed_s(walk);
		autofocus_publish_plan(af, walk->exposures, elapsed);
		if (elapsed > limit_s) {
			return err_set(err, ERR_BAD_FIT, "the time limit of %g s passed before the curve was complete",
				limit_s);
		}
		enum err_code code = go_to_sample(af, walk, err);
		if (code == ERR_OK) {
			code = take_sample(af, walk, err);
		}
		if (code != ERR_OK) {
			return code;
		}
	}
	if (plan->wish.want == AF_WANT_SUCCESS) {
		return ERR_OK;
	}
	return err_set(err, plan->wish.code, "%s", plan->wish.reason);
}

/* Tells everybody that the run is over; the devices are free by then. */
static void over(void *owner)
{
	struct autofocus *af = owner;
	autofocus_set_end(af->run, &af->end);
	af->ended[af->end.state]++;
	af->camera = NULL;
}

static void run(void *owner)
{
	struct autofocus *af = owner;
	const struct config_autofocus *cfg = &af->config->autofocus;
	struct focuser_state f;
	struct camera_state c;
	focuser_state(af->focuser, &f);
	camera_state(af->camera, &c);
	/* The slower one of the two clocks counts, because a fast sky must not use up the time of a real motor. */
	struct clock *clock = clock_factor(af->focuser->clock) <= clock_factor(af->camera->clock)
				      ? af->focuser->clock
				      : af->camera->clock;
	struct walk walk = {.clock = clock, .begin_ms = clock_now_ms(clock)};
	pthread_mutex_lock(&af->jobs.lock);
	walk.id = af->run->id;
	walk.bin = af->run->binning;
	walk.exposure_s = af->run->exposure_s;
	struct run *begun = run_copy(af->run);
	pthread_mutex_unlock(&af->jobs.lock);
	/* The run gets its row when it begins, so that the row says so, and where it began, if the power fails before
	 * it ends. */
	if (begun != NULL) {
		(void)store_keep_run(af->needs.store, begun);
	}
	run_free(begun);
	walk.gain = af->params.gain >= 0 ? af->params.gain : cfg->gain;
	bool tempcomp = f.tempcomp_available && f.tempcomp;
	if (tempcomp) {
		focuser_set_tempcomp(af->focuser, false, NULL);
	}
	struct af_plan_setup setup;
	autofocus_fill_setup(af, &setup, walk.bin, &c.caps);
	af->reference_count = 0;
	autofocus_field_begin(af);
	af_plan_init(&af->plan, &setup);
	log_info(af->focuser->info.source, "run=%llu started position=%.0f exposure_s=%g binning=%d",
		(unsigned long long)walk.id, setup.start_position, walk.exposure_s, walk.bin);
	struct err why = {0};
	enum err_code code = af->params.mode == AUTOFOCUS_CHECK ? check(af, &walk, &why) : go_through(af, &walk, &why);
	autofocus_publish_plan(af, walk.exposures, elapsed_s(&walk));
	struct autofocus_end *end = &af->end;
	*end = autofocus_bring_to_end(af, walk.id, code, &why, setup.start_position, walk.moved);
	autofocus_field_end(af, &setup);
	if (tempcomp && device_link(af->focuser) == LINK_UP) {
		focuser_set_tempcomp(af->focuser, true, NULL);
	}
	autofocus_say_doubt(af->focuser, end);
	end->elapsed_s = elapsed_s(&walk);
	end->final_position = autofocus_where(af);
	end->temperature_c = NAN;
	focuser_temperature(af->focuser, &end->temperature_c, NULL);
	autofocus_keep_run(af, walk.id, end);
	autofocus_log_end(af, walk.id, end);
}

const struct job_kind autofocus_run_job = {
	.name = "autofocus run",
	.numbered = true,
	.takes_focuser = true,
	.run = run,
	.over = over,
};
