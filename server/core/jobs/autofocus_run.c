/* SPDX-License-Identifier: MIT */
/*
 * A run as a job: it asks the plan what it wishes, moves, exposes, measures, and tells the plan. At the end of a
 * success the focuser stands at the best position; after a failure or an abort it goes back to where the run began;
 * after a halt, a disconnect or a lost link it stays. There is no arithmetic here.
 */
#include "autofocus_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "focuser.h"

/* No single move of a run may take longer than this, on the device's clock. */
#define MOVE_LIMIT_MS 600000
/* A run waits no longer for the disk (real milliseconds); it then begins without knowing what the last one learned. */
#define HISTORY_PATIENCE_MS 1000
/* A motor that was told to stop gets so long to come to rest before its position is told. */
#define REST_LIMIT_MS 5000

static struct run_point point_of(const struct af_plan_point *p)
{
	struct run_point out = {
		.position = p->curve.position,
		.hfr_px = p->curve.stars > 0 ? p->curve.hfr_px : NAN,
		.error_px = p->curve.stars > 0 ? p->curve.error_px : NAN,
		.stars = p->curve.stars,
		.flux_ratio = p->flux_ratio,
		.used = p->curve.used && !p->validation,
		.validation = p->validation,
	};
	snprintf(out.why, sizeof out.why, "%s",
		p->validation ? "validation" : out.used ? "" : curve_why_name(p->curve.why));
	return out;
}

/* Shows a fit (NULL: there is none). One that was not accepted is drawn, but names no best position. */
static void show_fit(struct run *run, const struct curve_result *fit)
{
	bool drawn = fit != NULL && isfinite(fit->curve.a);
	bool known = drawn && fit->accepted;
	run->best_position = known ? fit->best_position : NAN;
	run->uncertainty_steps = known ? fit->uncertainty_steps : NAN;
	run->interval95_steps[0] = known ? fit->interval95_steps[0] : NAN;
	run->interval95_steps[1] = known ? fit->interval95_steps[1] : NAN;
	run->r_squared = drawn ? fit->r_squared : NAN;
	snprintf(run->model, sizeof run->model, "%s", drawn ? curve_model_name(fit->model) : "");
	run->curve = (struct run_curve){NAN, NAN, NAN, NAN};
	if (drawn) {
		run->curve = (struct run_curve){fit->curve.a, fit->curve.k, fit->curve.x0, fit->curve.y0};
	}
}

/* Copies what the plan knows into the run object that everybody sees. */
/* What people who watch are told of the plan's phase. */
static enum run_phase phase_of(enum af_phase phase)
{
	switch (phase) {
	case AF_PHASE_START:
		return RUN_PHASE_START;
	case AF_PHASE_SEARCH:
		return RUN_PHASE_SEARCH;
	case AF_PHASE_SWEEP:
		return RUN_PHASE_SWEEP;
	case AF_PHASE_EXTEND:
		return RUN_PHASE_EXTEND;
	case AF_PHASE_VALIDATE:
		return RUN_PHASE_VALIDATE;
	case AF_PHASE_OVER:
		break;
	}
	return RUN_PHASE_OVER;
}

static void publish_plan(struct autofocus *af, int exposures, double elapsed_s)
{
	const struct af_plan *plan = &af->plan;
	struct run_point *points =
		plan->point_count > 0 ? calloc(plan->point_count, sizeof *points) : NULL;
	for (size_t i = 0; points != NULL && i < plan->point_count; i++) {
		points[i] = point_of(&plan->points[i]);
	}
	/* The curve grows with the samples that come in; at the end the plan's own fit counts. */
	struct curve_result live;
	const struct curve_result *fit = NULL;
	if (plan->phase == AF_PHASE_VALIDATE || plan->phase == AF_PHASE_OVER) {
		fit = plan->have_fit ? &plan->fit : NULL;
	} else if (af_plan_live_fit(plan, &live)) {
		fit = &live;
	}
	pthread_mutex_lock(&af->jobs.lock);
	struct run *run = af->run;
	free(run->points);
	run->points = points;
	run->point_count = points != NULL ? plan->point_count : 0;
	run->exposures = exposures;
	run->duration_s = elapsed_s;
	run->progress = af_plan_progress(plan);
	snprintf(run->phase, sizeof run->phase, "%s", run_phase_name(phase_of(plan->phase)));
	run->hfr_start_px = plan->hfr_start_px;
	run->hfr_predicted_px = plan->hfr_predicted_px;
	run->hfr_final_px = plan->hfr_final_px;
	run->critical_focus_zone_steps = plan->critical_focus_zone_steps;
	show_fit(run, fit);
	jobs_changed(&af->jobs);
	pthread_mutex_unlock(&af->jobs.lock);
}

/* Moves and waits for the end of the move. The way back is not cancellable: only a halt or a lost link ends it. */
static enum err_code go_to(struct autofocus *af, uint64_t run, int32_t position, bool cancellable,
	struct err *err)
{
	uint64_t op;
	enum err_code code = focuser_run_move(af->focuser, run, position, &op, err);
	if (code != ERR_OK) {
		return code;
	}
	return focuser_run_wait(af->focuser, op, cancellable ? &af->jobs.cancel : NULL,
		clock_now_ms(af->focuser->clock) + MOVE_LIMIT_MS, err);
}

void autofocus_fill_setup(struct autofocus *af, struct af_plan_setup *setup, int bin, const struct camera_caps *caps)
{
	const struct config_autofocus *cfg = &af->config->autofocus;
	const struct optics_config *optics = &af->config->telescope[af->camera->info.number];
	if (!isfinite(optics->focal_length_mm) && caps->optics_known) {
		optics = &caps->optics;
	}
	struct focuser_state f;
	focuser_state(af->focuser, &f);
	*setup = (struct af_plan_setup){
		.start_position = (double)f.measured_position,
		.min_step = f.min_step,
		.max_step = f.max_step,
		.max_radius_steps = cfg->max_radius_steps,
		.points = af->params.points > 0 ? af->params.points : cfg->points,
		.step = finite_or(af->params.step, cfg->step),
		.approach = f.approach,
		.backlash_steps = f.backlash_steps,
		.focal_ratio = optics->focal_length_mm / optics->aperture_mm,
		.aperture_mm = optics->aperture_mm,
		.obstruction = finite_or(optics->obstruction_mm, 0.0) / optics->aperture_mm,
		.focal_length_mm = optics->focal_length_mm,
		.pixel_um = caps->pixel_um > 0 ? caps->pixel_um * bin : NAN,
		.step_size_um = f.step_size_um,
		.known_slope_px_per_step = NAN,
		.known_hfr_min_px = NAN,
	};
	struct store_history history;
	if (store_history(af->needs.store, af->number, af->camera->info.number, bin, HISTORY_PATIENCE_MS,
		    &history)) {
		setup->known_slope_px_per_step = history.slope_px_per_step;
		setup->known_hfr_min_px = history.hfr_min_px;
	}
}

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
	double arithmetic_s; /* seconds of clock that were spent on arithmetic and not on the night */
};

static double elapsed_s(const struct walk *walk)
{
	return (double)(clock_now_ms(walk->clock) - walk->begin_ms) / 1000.0 - walk->arithmetic_s;
}

/* Brings the focuser where the plan wishes to have its next frame, by the way that the plan wishes. */
static enum err_code go_to_sample(struct autofocus *af, const struct walk *walk, struct err *err)
{
	const struct af_plan *plan = &af->plan;
	struct err why = {0};
	enum err_code code = ERR_OK;
	if (plan->wish.via != plan->wish.position) {
		code = go_to(af, walk->id, plan->wish.via, true, &why);
	}
	if (code == ERR_OK) {
		code = go_to(af, walk->id, plan->wish.position, true, &why);
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
	log_info(af->focuser->info.source,
		"run=%llu sample position=%.0f hfr_px=%.3f error_px=%.3f stars=%d flux_ratio=%.2f",
		(unsigned long long)walk->id, observation.position, observation.hfr_px,
		observation.error_px, observation.stars, observation.flux_ratio);
	af_plan_tell(plan, &observation);
	autofocus_field_tell(af, observation.position, &seen);
	return ERR_OK;
}

/* The loop: does what the plan wishes and tells the plan the result. ERR_OK when the plan succeeded; ERR_CANCELLED when
 * interrupted; else why the run failed. */
static enum err_code go_through(struct autofocus *af, struct walk *walk, struct err *err)
{
	const struct af_plan *plan = &af->plan;
	double limit_s = af->config->autofocus.time_limit_s;
	while (plan->wish.want == AF_WANT_SAMPLE || plan->wish.want == AF_WANT_FINAL) {
		double elapsed = elapsed_s(walk);
		publish_plan(af, walk->exposures, elapsed);
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

static bool link_is_up(struct device *dev)
{
	return device_link(dev) == LINK_UP;
}

static void show_phase(struct autofocus *af, enum run_state state, const char *reason, enum run_phase phase)
{
	pthread_mutex_lock(&af->jobs.lock);
	af->run->state = state;
	snprintf(af->run->phase, sizeof af->run->phase, "%s", run_phase_name(phase));
	if (state != RUN_RUNNING) {
		af->run->code = ERR_CANCELLED;
		snprintf(af->run->reason, sizeof af->run->reason, "%s", reason);
	}
	jobs_changed(&af->jobs);
	pthread_mutex_unlock(&af->jobs.lock);
}

/* Waits until the motor rests: after a halt it may still be slowing down, and only at rest it can be said where it
 * stands. */
static void wait_for_rest(struct autofocus *af)
{
	focuser_wait_rest(af->focuser, clock_now_ms(clock_real()) + REST_LIMIT_MS);
}

/* What an aborted run says of its cause. */
static const char *abort_cause(const struct autofocus *af, char *out, size_t cap)
{
	snprintf(out, cap, "aborted");
	if (atomic_load(&af->jobs.interrupt) == LEASE_LEFT) {
		snprintf(out, cap, "aborted: %s was disconnected during the run", af->camera->info.name);
	}
	return out;
}

/* Moves the focuser back to where the run began and adds to *end how that went. */
static void go_back(struct autofocus *af, uint64_t id, double start_position, struct autofocus_end *end)
{
	bool aborted = end->state == RUN_ABORTED;
	char cause[160];
	abort_cause(af, cause, sizeof cause);
	show_phase(af, aborted ? RUN_ABORTED : RUN_RUNNING,
		"aborted; the focuser returns to where the run began", RUN_PHASE_RETURNING);
	struct err back = {0};
	struct err first = end->why;
	if (go_to(af, id, (int32_t)lround(start_position), false, &back) == ERR_OK) {
		if (aborted) {
			err_set(&end->why, ERR_CANCELLED, "%s; the focuser is back where the run began", cause);
		}
		return;
	}
	const char *what = aborted ? cause : first.text;
	switch (atomic_load(&af->jobs.interrupt)) {
	case LEASE_HALTED:
		wait_for_rest(af);
		err_set(&end->why, first.code, "%s; halted on the way back, it stands at %.0f", what,
			autofocus_where(af));
		break;
	case LEASE_DISCONNECTED:
		wait_for_rest(af);
		err_set(&end->why, first.code, "%s; disconnected on the way back, it stands at %.0f", what,
			autofocus_where(af));
		break;
	default:
		err_set(&end->why, first.code, "%s; and it could not go back: %s", what, back.text);
	}
}

/* Ends a run whose motor somebody stopped: it says so, and when the motor rests also where. */
static void end_where_it_stopped(struct autofocus *af, const char *what, struct autofocus_end *end)
{
	struct err shown;
	end->state = RUN_ABORTED;
	err_set(&shown, ERR_CANCELLED, "%s; the focuser stays where it stops", what);
	show_phase(af, RUN_ABORTED, shown.text, RUN_PHASE_STOPPING);
	wait_for_rest(af);
	err_set(&end->why, ERR_CANCELLED, "%s; the focuser stays where it stopped, at %.0f", what,
		autofocus_where(af));
}

/* Brings the focuser where the rules say and tells how the run ended. */
static struct autofocus_end bring_to_end(struct autofocus *af, uint64_t id, enum err_code code,
	const struct err *why, double start_position)
{
	struct autofocus_end end = {.state = RUN_SUCCEEDED};
	if (code == ERR_OK) {
		return end;
	}
	end.state = RUN_FAILED;
	end.why = *why;
	int interrupt = atomic_load(&af->jobs.interrupt);
	char what[160];
	switch (interrupt) {
	case LEASE_HALTED:
		end_where_it_stopped(af, "halted", &end);
		return end;
	case LEASE_DISCONNECTED:
		snprintf(what, sizeof what, "%s was disconnected during the run", af->focuser->info.name);
		end_where_it_stopped(af, what, &end);
		return end;
	case LEASE_ABORT:
	case LEASE_LEFT:
		end.state = RUN_ABORTED;
		break;
	default:
		break;
	}
	if (interrupt == LEASE_LINK_LOST || !link_is_up(af->focuser)) {
		/* A focuser that went astray still has its link, and its halt is already being sent. */
		wait_for_rest(af);
		err_set(&end.why, end.why.code, "%s; nothing moves",
			end.state == RUN_ABORTED ? abort_cause(af, what, sizeof what) : why->text);
		return end;
	}
	go_back(af, id, start_position, &end);
	return end;
}

/* Fills the end of the run object. */
static void set_end(struct run *run, const struct autofocus_end *end)
{
	bool good = end->state == RUN_SUCCEEDED;
	run->state = end->state;
	run->code = good ? ERR_OK : end->why.code;
	snprintf(run->reason, sizeof run->reason, "%s", good ? "" : end->why.text);
	snprintf(run->phase, sizeof run->phase, "%s", run_phase_name(RUN_PHASE_OVER));
	run->final_position = end->final_position;
	run->duration_s = end->elapsed_s;
	run->temperature_c = end->temperature_c;
	if (good) {
		run->progress = 1.0;
	}
}

/* Adds a doubt to the reason of a failure: a run looks for stars, not for numbers, so it goes on with a position that
 * is not trusted; but when it fails, that may be why. */
static void say_doubt(struct device *dev, struct autofocus_end *end)
{
	struct focuser_state now;
	focuser_state(dev, &now);
	if (end->state == RUN_FAILED && now.position_valid && now.trust != POSITION_KNOWN) {
		struct err why = end->why;
		/* A long reason is cut, so that the doubt still stands. */
		int room = (int)(sizeof why.text - sizeof " (the position of the focuser is unknown)");
		err_set(&end->why, why.code, "%.*s (the position of the focuser is %s)", room, why.text,
			focuser_trust_name(now.trust));
	}
}

/* Keeps the run before it is said to be over, so that whoever reads that it is over finds it in the history. */
static void keep_run(struct autofocus *af, uint64_t id, const struct autofocus_end *end)
{
	pthread_mutex_lock(&af->jobs.lock);
	struct run *copy = run_copy(af->run);
	pthread_mutex_unlock(&af->jobs.lock);
	if (copy != NULL) {
		set_end(copy, end);
	}
	if (copy == NULL || !store_keep_run(af->needs.store, copy)) {
		log_error(af->focuser->info.source, "run=%llu could not be kept: out of memory",
			(unsigned long long)id);
	}
	run_free(copy);
}

static void log_end(struct autofocus *af, uint64_t id, const struct autofocus_end *end)
{
	if (end->state == RUN_SUCCEEDED) {
		log_info(af->focuser->info.source, "run=%llu succeeded best=%.1f", (unsigned long long)id,
			af->plan.fit.best_position);
	} else {
		log_warn(af->focuser->info.source, "run=%llu %s: %s", (unsigned long long)id,
			run_state_name(end->state), end->why.text);
	}
}

/* Tells everybody that the run is over; the devices are free by then. */
static void over(void *owner)
{
	struct autofocus *af = owner;
	set_end(af->run, &af->end);
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
	enum err_code code = go_through(af, &walk, &why);
	publish_plan(af, walk.exposures, elapsed_s(&walk));
	struct autofocus_end *end = &af->end;
	*end = bring_to_end(af, walk.id, code, &why, setup.start_position);
	autofocus_field_end(af, &setup);
	if (tempcomp && link_is_up(af->focuser)) {
		focuser_set_tempcomp(af->focuser, true, NULL);
	}
	say_doubt(af->focuser, end);
	end->elapsed_s = elapsed_s(&walk);
	end->final_position = autofocus_where(af);
	end->temperature_c = NAN;
	focuser_temperature(af->focuser, &end->temperature_c, NULL);
	keep_run(af, walk.id, end);
	log_end(af, walk.id, end);
}

const struct job_kind autofocus_run_job = {
	.name = "autofocus run",
	.numbered = true,
	.takes_focuser = true,
	.run = run,
	.over = over,
};
