/* SPDX-License-Identifier: MIT */
/*
 * A run on the autofocus thread: asks the plan what it wants, moves, exposes, measures, tells the plan,
 * and ends by the rules: success stands at the best position, failure and abort go back to where the
 * run began, halt and a lost link stay.  No arithmetic here.
 */
#include "autofocus_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "camera.h"
#include "focuser.h"

/* No single move of a run may take longer, device clock. */
#define MOVE_LIMIT_MS 600000
/* A motor that was told to stop is given so long to come to rest before its place is told. */
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

/* fit NULL: there is none.  One that was not accepted is drawn, but names no best position. */
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
	/* While samples come in the curve grows with them; at the end the plan's own fit stands. */
	struct curve_result live;
	const struct curve_result *fit = NULL;
	if (plan->phase == AF_PHASE_VALIDATE || plan->phase == AF_PHASE_OVER) {
		fit = plan->have_fit ? &plan->fit : NULL;
	} else if (af_plan_live_fit(plan, &live)) {
		fit = &live;
	}
	pthread_mutex_lock(&af->lock);
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
	autofocus_changed(af);
	pthread_mutex_unlock(&af->lock);
}

/* cancel NULL: the way back, which only a halt or a lost link ends. */
static enum err_code go_to(struct autofocus *af, uint64_t run, int32_t position, bool cancellable,
	struct err *err)
{
	uint64_t op;
	enum err_code code = focuser_run_move(af->focuser, run, position, &op, err);
	if (code != ERR_OK) {
		return code;
	}
	return focuser_run_wait(af->focuser, op, cancellable ? &af->cancel : NULL,
		clock_now_ms(af->focuser->clock) + MOVE_LIMIT_MS, err);
}

static void fill_setup(struct autofocus *af, struct af_plan_setup *setup, int bin,
	const struct camera_caps *caps)
{
	const struct config_autofocus *cfg = &af->config->autofocus;
	const struct optics_config *optics = &af->config->telescope[af->camera->info.number];
	if (!isfinite(optics->focal_length_mm) && caps->optics_known) {
		optics = &caps->optics;
	}
	struct focuser_state f;
	focuser_state(af->focuser, &f);
	*setup = (struct af_plan_setup){
		.start_position = (double)f.motor_position,
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
	double slope;
	double least;
	if (runs_history(af->needs.runs, af->number, af->camera->info.number, bin, &slope,
		    &least)) {
		setup->known_slope_px_per_step = slope;
		setup->known_hfr_min_px = least;
	}
}

/* What an interrupt from outside makes of the run. */
static enum err_code interrupted(struct autofocus *af, struct err *err)
{
	if (atomic_load(&af->interrupt) != LEASE_LINK_LOST) {
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

/* The loop: what the plan wishes is done and told.  ERR_OK when the plan succeeded; ERR_CANCELLED when
 * interrupted; else why the run failed.  *arithmetic_s: seconds of clock that are not the night's. */
static enum err_code walk(struct autofocus *af, uint64_t id, int bin, double exposure_s, int gain,
	struct clock *clock, int64_t begin_ms, int *exposures, double *arithmetic_s, struct err *err)
{
	struct af_plan *plan = &af->plan;
	double limit_s = af->config->autofocus.time_limit_s;
	double factor = clock_factor(clock);
	*arithmetic_s = 0;
	while (plan->wish.want == AF_WANT_SAMPLE || plan->wish.want == AF_WANT_FINAL) {
		double elapsed_s = (double)(clock_now_ms(clock) - begin_ms) / 1000.0 - *arithmetic_s;
		publish_plan(af, *exposures, elapsed_s);
		if (elapsed_s > limit_s) {
			return err_set(err, ERR_BAD_FIT, "the time limit of %g s passed before the curve was complete",
				limit_s);
		}
		struct err why = {0};
		enum err_code code = ERR_OK;
		if (plan->wish.via != plan->wish.position) {
			code = go_to(af, id, plan->wish.via, true, &why);
		}
		if (code == ERR_OK) {
			code = go_to(af, id, plan->wish.position, true, &why);
		}
		if (atomic_load(&af->cancel)) {
			return interrupted(af, err);
		}
		if (code != ERR_OK) {
			return err_set(err, ERR_FOCUSER, "the focuser failed: %s", why.text);
		}
		double position = autofocus_where(af);
		struct seen seen;
		double asked_s = exposure_s * plan->wish.exposure_factor;
		int64_t real_ms = clock_now_ms(clock_real());
		code = autofocus_expose(af, id, asked_s, bin, gain, position, &seen, &why);
		/* Under a sky that runs faster than life the arithmetic does not: on its clock it would seem
		 * to take minutes.  What a frame took beyond its exposure counts at life's pace. */
		double beyond_s =
			(double)(clock_now_ms(clock_real()) - real_ms) / 1000.0 - asked_s / factor;
		*arithmetic_s += beyond_s > 0 ? beyond_s * (factor - 1.0) : 0.0;
		if (atomic_load(&af->cancel)) {
			return interrupted(af, err);
		}
		if (code != ERR_OK) {
			return err_set(err, ERR_CAMERA, "the camera failed: %s", why.text);
		}
		(*exposures)++;
		struct af_observation observation = {
			.position = seen.info.position_known ? seen.info.position_steps : position,
			.stars = seen.measurement.trailed ? 0 : seen.measurement.stars,
			.hfr_px = seen.measurement.hfr_px,
			.error_px = seen.measurement.hfr_error_px,
			.flux_ratio = autofocus_flux_ratio(af, &seen),
			.duration_s = seen.info.exposure_s,
			.trailed = seen.measurement.trailed,
			.recording_id = seen.info.recording_id,
		};
		log_info(af->focuser->info.source,
			"run=%llu sample position=%.0f hfr_px=%.3f error_px=%.3f stars=%d flux_ratio=%.2f",
			(unsigned long long)id, observation.position, observation.hfr_px,
			observation.error_px, observation.stars, observation.flux_ratio);
		af_plan_tell(plan, &observation);
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
	pthread_mutex_lock(&af->lock);
	af->run->state = state;
	snprintf(af->run->phase, sizeof af->run->phase, "%s", run_phase_name(phase));
	if (state != RUN_RUNNING) {
		af->run->code = ERR_CANCELLED;
		snprintf(af->run->reason, sizeof af->run->reason, "%s", reason);
	}
	autofocus_changed(af);
	pthread_mutex_unlock(&af->lock);
}

/* After a halt the motor may still be slowing down: say where it stands only when it rests. */
static void wait_for_rest(struct autofocus *af)
{
	focuser_wait_rest(af->focuser, clock_now_ms(clock_real()) + REST_LIMIT_MS);
}

/* How a run ends. */
struct outcome {
	enum run_state state;
	struct err why; /* not succeeded */
};

/* The way back to where the run began; *end is completed with how that went. */
static void go_back(struct autofocus *af, uint64_t id, double start_position, struct outcome *end)
{
	bool aborted = end->state == RUN_ABORTED;
	show_phase(af, aborted ? RUN_ABORTED : RUN_RUNNING,
		"aborted; the focuser returns to where the run began", RUN_PHASE_RETURNING);
	struct err back = {0};
	struct err first = end->why;
	if (go_to(af, id, (int32_t)lround(start_position), false, &back) == ERR_OK) {
		if (aborted) {
			err_set(&end->why, ERR_CANCELLED, "aborted; the focuser is back where the run began");
		}
		return;
	}
	const char *what = aborted ? "aborted" : first.text;
	if (atomic_load(&af->interrupt) == LEASE_HALTED) {
		wait_for_rest(af);
		err_set(&end->why, first.code, "%s; halted on the way back, it stands at %.0f", what,
			autofocus_where(af));
	} else {
		err_set(&end->why, first.code, "%s; and it could not go back: %s", what, back.text);
	}
}

/* Brings the focuser where the rules say and tells how the run ended. */
static struct outcome bring_to_end(struct autofocus *af, uint64_t id, enum err_code code,
	const struct err *why, double start_position)
{
	struct outcome end = {.state = RUN_SUCCEEDED};
	if (code == ERR_OK) {
		return end;
	}
	end.state = RUN_FAILED;
	end.why = *why;
	switch (atomic_load(&af->interrupt)) {
	case LEASE_HALTED:
		end.state = RUN_ABORTED;
		show_phase(af, RUN_ABORTED, "halted; the focuser stays where it stops", RUN_PHASE_STOPPING);
		wait_for_rest(af);
		err_set(&end.why, ERR_CANCELLED, "halted; the focuser stays where it stopped, at %.0f",
			autofocus_where(af));
		return end;
	case LEASE_ABORT:
		end.state = RUN_ABORTED;
		break;
	default:
		break;
	}
	if (atomic_load(&af->interrupt) == LEASE_LINK_LOST || !link_is_up(af->focuser)) {
		/* A focuser that went astray has a link, and its halt is on its way. */
		wait_for_rest(af);
		err_set(&end.why, end.why.code, "%s; nothing moves", end.state == RUN_ABORTED ? "aborted"
										      : why->text);
		return end;
	}
	go_back(af, id, start_position, &end);
	return end;
}

/* Fills the end of the run object. */
static void set_end(struct run *run, const struct outcome *end, double final_position,
	double temperature_c, double elapsed_s)
{
	bool good = end->state == RUN_SUCCEEDED;
	run->state = end->state;
	run->code = good ? ERR_OK : end->why.code;
	snprintf(run->reason, sizeof run->reason, "%s", good ? "" : end->why.text);
	snprintf(run->phase, sizeof run->phase, "%s", run_phase_name(RUN_PHASE_OVER));
	run->final_position = final_position;
	run->duration_s = elapsed_s;
	run->temperature_c = temperature_c;
	if (good) {
		run->progress = 1.0;
	}
}

/* A run looks for stars, not for numbers, so it goes on with a position that is not trusted; but when it
 * fails that may be why. */
static void say_doubt(struct device *dev, struct outcome *end)
{
	struct focuser_state now;
	focuser_state(dev, &now);
	if (end->state == RUN_FAILED && now.position_valid && now.trust != POSITION_KNOWN) {
		struct err why = end->why;
		err_set(&end->why, why.code, "%.180s (the position of the focuser is %s)", why.text,
			focuser_trust_name(now.trust));
	}
}

/* Keeps the run, lets the devices go, and only then says that it is over: whoever reads that may move
 * or start again at once. */
static void close_run(struct autofocus *af, uint64_t id, struct outcome *end, double elapsed_s)
{
	say_doubt(af->focuser, end);
	double final_position = autofocus_where(af);
	double temperature_c = NAN;
	focuser_temperature(af->focuser, &temperature_c, NULL);
	pthread_mutex_lock(&af->lock);
	struct run *copy = run_copy(af->run);
	pthread_mutex_unlock(&af->lock);
	struct err save = {0};
	if (copy != NULL) {
		set_end(copy, end, final_position, temperature_c, elapsed_s);
	}
	if (copy == NULL || runs_save(af->needs.runs, copy, &save) != ERR_OK) {
		log_error(af->focuser->info.source, "run=%llu could not be kept: %s",
			(unsigned long long)id, save.text);
	}
	run_free(copy);
	if (end->state == RUN_SUCCEEDED) {
		log_info(af->focuser->info.source, "run=%llu succeeded best=%.1f", (unsigned long long)id,
			af->plan.fit.best_position);
	} else {
		log_warn(af->focuser->info.source, "run=%llu %s: %s", (unsigned long long)id,
			run_state_name(end->state), end->why.text);
	}
	device_lease_drop(af->camera, id);
	device_lease_drop(af->focuser, id);
	pthread_mutex_lock(&af->lock);
	set_end(af->run, end, final_position, temperature_c, elapsed_s);
	af->ended[end->state]++;
	af->job = JOB_NONE;
	af->camera = NULL;
	autofocus_changed(af);
	pthread_mutex_unlock(&af->lock);
}

void autofocus_do_run(struct autofocus *af)
{
	const struct config_autofocus *cfg = &af->config->autofocus;
	struct focuser_state f;
	struct camera_state c;
	focuser_state(af->focuser, &f);
	camera_state(af->camera, &c);
	/* Of two clocks the slower one counts: a fast sky must not run out a real motor's time. */
	struct clock *clock = clock_factor(af->focuser->clock) <= clock_factor(af->camera->clock)
				      ? af->focuser->clock
				      : af->camera->clock;
	int64_t begin_ms = clock_now_ms(clock);
	pthread_mutex_lock(&af->lock);
	uint64_t id = af->run->id;
	int bin = af->run->binning;
	double exposure_s = af->run->exposure_s;
	pthread_mutex_unlock(&af->lock);
	int gain = af->params.gain >= 0 ? af->params.gain : cfg->gain;
	bool tempcomp = f.tempcomp_available && f.tempcomp;
	if (tempcomp) {
		focuser_set_tempcomp(af->focuser, false, NULL);
	}
	struct af_plan_setup setup;
	fill_setup(af, &setup, bin, &c.caps);
	af->reference_count = 0;
	af_plan_init(&af->plan, &setup);
	log_info(af->focuser->info.source, "run=%llu started position=%.0f exposure_s=%g binning=%d",
		(unsigned long long)id, setup.start_position, exposure_s, bin);
	int exposures = 0;
	struct err why = {0};
	double arithmetic_s = 0;
	enum err_code code = walk(
		af, id, bin, exposure_s, gain, clock, begin_ms, &exposures, &arithmetic_s, &why);
	begin_ms += (int64_t)(arithmetic_s * 1000.0);
	publish_plan(af, exposures, (double)(clock_now_ms(clock) - begin_ms) / 1000.0);
	struct outcome end = bring_to_end(af, id, code, &why, setup.start_position);
	if (tempcomp && link_is_up(af->focuser)) {
		focuser_set_tempcomp(af->focuser, true, NULL);
	}
	close_run(af, id, &end, (double)(clock_now_ms(clock) - begin_ms) / 1000.0);
}
