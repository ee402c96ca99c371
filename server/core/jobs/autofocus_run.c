/* SPDX-License-Identifier: MIT */
/*
 * A run as a job: it asks the plan what it wishes, moves, exposes, measures, and tells the plan. How it ends is in
 * autofocus_end.c. There is no arithmetic here.
 */
#include "af_frames.h"
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
	struct af_exposure exposure;
	struct clock *clock;
	int64_t begin_ms;    /* on clock */
	int exposures;       /* frames that came */
	bool moved;          /* the focuser was sent somewhere */
	bool ahead;          /* it is on its way to the place of the next frame: */
	int32_t ahead_to;
	uint64_t ahead_op;
	int64_t ahead_ms;    /* since then, on the real clock */
	double arithmetic_s; /* seconds of clock that were spent on arithmetic and not on the night */
	int64_t real_ms;     /* when it began, on the real clock, */
	int64_t useful_ms;   /* and how much of that since went to camera and motor */
};

static double elapsed_s(const struct walk *walk)
{
	return (double)(clock_now_ms(walk->clock) - walk->begin_ms) / 1000.0 - walk->arithmetic_s;
}

static void publish(struct autofocus *af, const struct walk *walk)
{
	int64_t real_ms = clock_now_ms(clock_real()) - walk->real_ms;
	autofocus_publish_plan(af, walk->exposures, elapsed_s(walk), (double)(real_ms - walk->useful_ms) / 1000.0);
}

/* Waits for the end of the move that went ahead. */
static enum err_code wait_ahead(struct autofocus *af, struct walk *walk, struct err *why)
{
	int64_t real_ms = clock_now_ms(clock_real());
	enum err_code code = autofocus_wait_move(af, walk->ahead_op, true, why);
	int64_t now_ms = clock_now_ms(clock_real());
	/* A motor that was still on its way took longer than the look at the frame, which then cost nothing. */
	walk->useful_ms += now_ms - real_ms > 0 ? now_ms - walk->ahead_ms : 0;
	walk->ahead = false;
	return code;
}

/* Brings the focuser where the plan wishes to have its next frame, by the way that the plan wishes. */
static enum err_code go_to_sample(struct autofocus *af, struct walk *walk, struct err *err)
{
	const struct af_wish *wish = &af->plan.wish;
	struct err why = {0};
	enum err_code code = ERR_OK;
	bool is_there = walk->ahead && walk->ahead_to == wish->position && wish->via == wish->position;
	walk->moved = true;
	if (walk->ahead) {
		code = wait_ahead(af, walk, &why);
	}
	int64_t real_ms = clock_now_ms(clock_real());
	if (code == ERR_OK && wish->via != wish->position) {
		code = autofocus_go_to(af, walk->id, wish->via, true, &why);
	}
	if (code == ERR_OK && !is_there) {
		code = autofocus_go_to(af, walk->id, wish->position, true, &why);
	}
	walk->useful_ms += clock_now_ms(clock_real()) - real_ms;
	if (atomic_load(&af->jobs.cancel)) {
		return interrupted(af, err);
	}
	return code == ERR_OK ? ERR_OK : err_set(err, ERR_FOCUSER, "the focuser failed: %s", why.text);
}

/* Sends the focuser to the place of the next frame, when that is known before this frame was looked at. */
static void go_ahead(struct autofocus *af, struct walk *walk)
{
	if (af->params.mode != AUTOFOCUS_CHECK && af_plan_ahead(&af->plan, &walk->ahead_to)) {
		walk->ahead_ms = clock_now_ms(clock_real());
		/* A move that is refused is asked for again in its turn, and fails there with its reason. */
		walk->ahead = focuser_run_move(af->focuser, walk->id, walk->ahead_to, &walk->ahead_op, NULL) == ERR_OK;
	}
}

/* Exposes where the focuser stands and looks at the frame, while the focuser goes on where it can. */
static enum err_code take_frame(struct autofocus *af, struct walk *walk, double position, struct seen *seen,
	struct err *err)
{
	double factor = clock_factor(walk->clock);
	double asked_s = walk->exposure.now_s * af->plan.wish.exposure_factor;
	int64_t real_ms = clock_now_ms(clock_real());
	struct frame *frame = NULL;
	struct err why = {0};
	enum err_code code = autofocus_take_frame(af, walk->id, asked_s, walk->bin, walk->gain, position, seen, &frame,
		&why);
	if (code == ERR_OK) {
		go_ahead(af, walk);
		code = autofocus_look(af, frame, seen, &why);
	}
	/* Under a sky that runs faster than life the arithmetic is no faster, so on the sky's clock it would seem to
	 * take minutes. What a frame took beyond its exposure therefore counts at life's pace. */
	double beyond_s = (double)(clock_now_ms(clock_real()) - real_ms) / 1000.0 - asked_s / factor;
	walk->useful_ms += seen->exposed_ms;
	walk->arithmetic_s += beyond_s > 0 ? beyond_s * (factor - 1.0) : 0.0;
	if (atomic_load(&af->jobs.cancel)) {
		return interrupted(af, err);
	}
	return code == ERR_OK ? ERR_OK : err_set(err, ERR_CAMERA, "the camera failed: %s", why.text);
}

/* Takes a frame and tells the plan what it shows. */
static enum err_code take_sample(struct autofocus *af, struct walk *walk, struct err *err)
{
	struct af_plan *plan = &af->plan;
	double position = autofocus_where(af);
	struct seen seen = {.exposed_ms = 0};
	enum err_code code = take_frame(af, walk, position, &seen, err);
	if (code != ERR_OK) {
		return code;
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
	af_next_exposure(&walk->exposure, observation.stars, seen.measurement.saturated);
	af_plan_tell(plan, &observation);
	if (walk->ahead) {
		af_plan_went(plan, walk->ahead_to);
	}
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
		publish(af, walk);
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

/* Begins the walk, and gives the run its row, so that the row says where it began if the power fails before it ends. */
static void begin(struct autofocus *af, struct walk *walk)
{
	/* The slower one of the two clocks counts, because a fast sky must not use up the time of a real motor. */
	struct clock *clock = clock_factor(af->focuser->clock) <= clock_factor(af->camera->clock)
				      ? af->focuser->clock
				      : af->camera->clock;
	pthread_mutex_lock(&af->jobs.lock);
	*walk = (struct walk){.clock = clock, .begin_ms = clock_now_ms(clock), .id = af->run->id,
		.bin = af->run->binning, .real_ms = clock_now_ms(clock_real()),
		.exposure = {.asked_s = af->run->exposure_s, .now_s = af->run->exposure_s}};
	struct run *begun = run_copy(af->run);
	pthread_mutex_unlock(&af->jobs.lock);
	if (begun != NULL) {
		(void)store_keep_run(af->needs.store, begun);
	}
	run_free(begun);
	walk->gain = af->params.gain >= 0 ? af->params.gain : af->config->autofocus.gain;
	struct camera_state camera;
	camera_state(af->camera, &camera);
	autofocus_fill_setup(af, &af->told, walk->bin, &camera.caps);
	log_info(af->focuser->info.source, "run=%llu started position=%.0f exposure_s=%g binning=%d",
		(unsigned long long)walk->id, af->told.start_position, walk->exposure.now_s, walk->bin);
}

/* Carries out a plan, and where what it was told may have misled it, a second one that
 * begins with what the first has seen. */
static enum err_code focus(struct autofocus *af, struct walk *walk, struct err *why)
{
	struct af_plan_setup setup = af->told;
	af->frames_kept = 0;
	af->keep_no_more = false;
	autofocus_field_begin(af);
	af->reference_count = 0;
	af_plan_init(&af->plan, &setup);
	if (af->params.mode == AUTOFOCUS_CHECK) {
		return check(af, walk, why);
	}
	enum err_code code = go_through(af, walk, why);
	bool no_curve = code == ERR_BAD_FIT || code == ERR_NO_MINIMUM;
	if (!no_curve || elapsed_s(walk) > af->config->autofocus.time_limit_s ||
		!af_setup_from_samples(&af->plan, &setup)) {
		return code;
	}
	log_warn(af->focuser->info.source, "run=%llu: %s; once more with the slope that was seen",
		(unsigned long long)walk->id, why->text);
	*why = (struct err){.code = ERR_OK};
	af->reference_count = 0;
	af_plan_init(&af->plan, &setup);
	return go_through(af, walk, why);
}

static void run(void *owner)
{
	struct autofocus *af = owner;
	struct focuser_state f;
	struct walk walk;
	struct err why = {0};
	focuser_state(af->focuser, &f);
	bool tempcomp = f.tempcomp_available && f.tempcomp;
	if (tempcomp) {
		focuser_set_tempcomp(af->focuser, false, NULL);
	}
	begin(af, &walk);
	enum err_code code = focus(af, &walk, &why);
	publish(af, &walk);
	struct autofocus_end *end = &af->end;
	*end = autofocus_bring_to_end(af, walk.id, code, &why, af->told.start_position, walk.moved);
	autofocus_field_end(af, &af->told);
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
