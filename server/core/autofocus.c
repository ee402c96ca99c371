/* SPDX-License-Identifier: MIT */
/*
 * The orchestrator: asks the plan what it wants, moves, exposes, measures, tells the plan, and ends
 * the run by the rules: success stands at the best position, failure and abort go back to where the
 * run began, halt and a lost link stay.
 */
#include "autofocus.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "af_plan.h"
#include "camera.h"
#include "device_private.h"
#include "focuser.h"
#include "match.h"
#include "measure.h"
#include "measurement_json.h"
#include "observatory_private.h"

#define MAX_STARS 512
/* A frame that failed to arrive is exposed once more before the run fails. */
#define EXPOSE_TRIES 2
/* No single move of a run may take longer, device clock. */
#define MOVE_LIMIT_MS 600000
/* Measuring gives way to requests and device polling. */
#define THREAD_NICE 5
/* Above this many pixels a monochrome frame is binned 2x2 when the binning is left to the run: enough
 * detail remains, and a frame costs a quarter. */
#define BIN_ABOVE_PX 12000000.0

enum job { JOB_NONE, JOB_RUN, JOB_MEASURE };

struct autofocus {
	struct observatory *obs;
	int number;
	struct device *focuser;
	struct device *camera; /* of the running job */

	pthread_mutex_t lock;
	pthread_cond_t work;
	pthread_t thread;
	bool has_thread;
	bool quit;
	enum job job;
	struct autofocus_params params;
	struct run *run;       /* the newest; NULL before the first */
	uint64_t version;
	uint64_t ended[4];     /* runs that ended since the start, by enum run_state */

	_Atomic bool cancel;   /* set together with interrupt */
	_Atomic int interrupt; /* enum lease_interrupt */

	/* MeasureStars. */
	uint64_t measure_job;  /* the newest */
	uint64_t measure_done; /* the newest that is over */
	double measure_exposure_s;
	int measure_binning, measure_gain;
	struct err measure_error;
	struct buf measure_text;

	/* The thread's own. */
	struct af_plan plan;
	struct star stars[MAX_STARS];
	struct star reference[MAX_STARS];
	size_t reference_count;
	double reference_exposure_s;
};

void autofocus_params_init(struct autofocus_params *params)
{
	*params = (struct autofocus_params){
		.exposure_s = NAN, .step = NAN, .binning = -1, .gain = -1, .camera = -1};
}

/* Called under a device's lock: atomics only. */
static void interrupt(void *arg, enum lease_interrupt why)
{
	struct autofocus *af = arg;
	/* A halt is stronger than an abort and is never taken back by one. */
	int now = atomic_load(&af->interrupt);
	while (now < (int)why && !atomic_compare_exchange_weak(&af->interrupt, &now, (int)why)) {
	}
	atomic_store(&af->cancel, true);
}

static void poke(void *arg)
{
	struct autofocus *af = arg;
	device_poke(af->focuser);
	pthread_mutex_lock(&af->lock);
	struct device *camera = af->camera;
	pthread_mutex_unlock(&af->lock);
	if (camera != NULL) {
		device_poke(camera);
	}
}

/* With af->lock held. */
static void run_changed(struct autofocus *af)
{
	af->version++;
	events_publish(observatory_events(af->obs));
}

static bool running_locked(const struct autofocus *af)
{
	return af->job != JOB_NONE;
}

/* ------------------------------------------------------------------ one exposure, measured */

struct seen {
	struct measurement measurement;
	struct frame_info info;
	size_t listed;
};

static enum err_code expose_and_measure(struct autofocus *af, uint64_t lease, double exposure_s, int bin,
	int gain, double focuser_position, struct seen *out, struct err *err)
{
	struct frame *frame = NULL;
	enum err_code code = ERR_OK;
	for (int i = 0; i < EXPOSE_TRIES; i++) {
		code = camera_run_expose(af->camera, lease, exposure_s, bin, gain, focuser_position,
			&af->cancel, &frame, err);
		if (code == ERR_OK || code == ERR_CANCELLED || code == ERR_IO || code == ERR_NOT_CONNECTED) {
			break;
		}
		log_warn(af->camera->info.source, "frame of a run failed, exposing again: %s",
			err != NULL ? err->text : "");
	}
	if (code != ERR_OK) {
		return code;
	}
	if (frame->info.planes > 1) {
		/* Of three colours green sees most stars. */
		struct frame *green = frame_plane(frame, 1);
		frame_unref(frame);
		if (green == NULL) {
			return err_set(err, ERR_NOMEM, "no memory to measure the frame");
		}
		frame = green;
	}
	struct image view = frame_image(frame);
	struct measure_options options = measure_defaults();
	options.region = observatory_config(af->obs)->autofocus.region;
	int rc = measure_frame(&view, &options, af->stars, MAX_STARS, &out->listed, &out->measurement);
	out->info = frame->info;
	frame_unref(frame);
	if (rc == -1) {
		return err_set(err, ERR_NOMEM, "no memory to measure the frame");
	}
	if (rc != 0) {
		return err_set(err, ERR_CAMERA, "the frame is too small to measure");
	}
	return ERR_OK;
}

/* Light of the stars common with the run's first frame, per second, against that frame. */
static double flux_ratio(struct autofocus *af, const struct seen *seen)
{
	if (seen->measurement.stars == 0 || !(seen->info.exposure_s > 0)) {
		return NAN;
	}
	if (af->reference_count == 0) {
		memcpy(af->reference, af->stars, seen->listed * sizeof af->stars[0]);
		af->reference_count = seen->listed;
		af->reference_exposure_s = seen->info.exposure_s;
		return 1.0;
	}
	double radius = 3.0 * seen->measurement.hfr_px;
	struct match_result match;
	match_stars(af->reference, af->reference_count, af->stars, seen->listed,
		radius < 5.0 ? 5.0 : radius, 100.0, &match);
	return match.flux_ratio * af->reference_exposure_s / seen->info.exposure_s;
}

/* ------------------------------------------------------------------ the run object */

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
	bool drawn = fit != NULL && isfinite(fit->params[0]);
	bool known = drawn && fit->accepted;
	run->best_position = known ? fit->best_position : NAN;
	run->uncertainty_steps = known ? fit->uncertainty_steps : NAN;
	run->interval95_steps[0] = known ? fit->interval95_steps[0] : NAN;
	run->interval95_steps[1] = known ? fit->interval95_steps[1] : NAN;
	run->r_squared = drawn ? fit->r_squared : NAN;
	snprintf(run->model, sizeof run->model, "%s", drawn ? curve_model_name(fit->model) : "");
	for (int i = 0; i < 4; i++) {
		run->fit[i] = drawn ? fit->params[i] : NAN;
	}
}

/* Copies what the plan knows into the run object that everybody sees. */
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
	snprintf(run->phase, sizeof run->phase, "%s", af_phase_name(plan->phase));
	run->hfr_start_px = plan->hfr_start_px;
	run->hfr_predicted_px = plan->hfr_predicted_px;
	run->hfr_final_px = plan->hfr_final_px;
	run->critical_focus_zone_steps = plan->critical_focus_zone_steps;
	show_fit(run, fit);
	run_changed(af);
	pthread_mutex_unlock(&af->lock);
}

/* ------------------------------------------------------------------ the run itself */

static double where_now(struct autofocus *af)
{
	struct focuser_state state;
	focuser_state(af->focuser, &state);
	return state.position_valid ? (double)state.motor_position : (double)NAN;
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

static double finite_or(double value, double otherwise)
{
	return isfinite(value) ? value : otherwise;
}

static int choose_binning(const struct autofocus *af, const struct config_autofocus *cfg,
	const struct camera_caps *caps)
{
	int wanted = af->params.binning >= 0 ? af->params.binning : cfg->binning;
	if (wanted > 0) {
		return wanted;
	}
	double pixels = (double)caps->width * caps->height;
	return caps->sensor_type == 0 && caps->max_bin >= 2 && pixels > BIN_ABOVE_PX ? 2 : 1;
}

static void fill_setup(struct autofocus *af, struct af_plan_setup *setup, int bin,
	const struct camera_caps *caps)
{
	const struct config *config = observatory_config(af->obs);
	const struct config_autofocus *cfg = &config->autofocus;
	const struct optics_config *optics = af->camera->host.optics;
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
	if (runs_history(observatory_runs(af->obs), af->number, af->camera->info.number, bin, &slope,
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
	return err_set(err, ERR_FOCUSER, "the focuser failed: the link was lost%s%s",
		failure[0] != '\0' ? ": " : "", failure);
}

/* The loop: what the plan wishes is done and told.  ERR_OK when the plan succeeded; ERR_CANCELLED when
 * interrupted; else why the run failed.  *arithmetic_s: seconds of clock that are not the night's. */
static enum err_code walk(struct autofocus *af, uint64_t id, int bin, double exposure_s, int gain,
	struct clock *clock, int64_t begin_ms, int *exposures, double *arithmetic_s, struct err *err)
{
	struct af_plan *plan = &af->plan;
	double limit_s = observatory_config(af->obs)->autofocus.time_limit_s;
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
		double position = where_now(af);
		struct seen seen;
		double asked_s = exposure_s * plan->wish.exposure_factor;
		int64_t real_ms = clock_now_ms(clock_real());
		code = expose_and_measure(af, id, asked_s, bin, gain, position, &seen, &why);
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
			.flux_ratio = flux_ratio(af, &seen),
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

static void show_phase(struct autofocus *af, enum run_state state, const char *reason, const char *phase)
{
	pthread_mutex_lock(&af->lock);
	af->run->state = state;
	snprintf(af->run->phase, sizeof af->run->phase, "%s", phase);
	if (state != RUN_RUNNING) {
		af->run->code = ERR_CANCELLED;
		snprintf(af->run->reason, sizeof af->run->reason, "%s", reason);
	}
	run_changed(af);
	pthread_mutex_unlock(&af->lock);
}

/* After a halt the motor may still be slowing down: say where it stands only when it rests. */
static void wait_for_rest(struct autofocus *af)
{
	struct device *dev = af->focuser;
	struct clock *clock = clock_real();
	int64_t deadline = clock_now_ms(clock) + 5000;
	pthread_mutex_lock(&dev->lock);
	for (;;) {
		bool resting = dev->link != LINK_UP || !focuser_busy(dev, NULL);
		if (resting || clock_wait(clock, &dev->changed, &dev->lock, deadline)) {
			break;
		}
	}
	pthread_mutex_unlock(&dev->lock);
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
		"aborted; the focuser returns to where the run began", "returning");
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
			where_now(af));
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
		show_phase(af, RUN_ABORTED, "halted; the focuser stays where it stops", "stopping");
		wait_for_rest(af);
		err_set(&end.why, ERR_CANCELLED, "halted; the focuser stays where it stopped, at %.0f",
			where_now(af));
		return end;
	case LEASE_ABORT:
		end.state = RUN_ABORTED;
		break;
	default:
		break;
	}
	if (atomic_load(&af->interrupt) == LEASE_LINK_LOST || !link_is_up(af->focuser)) {
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
	snprintf(run->phase, sizeof run->phase, "over");
	run->final_position = final_position;
	run->duration_s = elapsed_s;
	run->temperature_c = temperature_c;
	if (good) {
		run->progress = 1.0;
	}
}

/* Keeps the run, lets the devices go, and only then says that it is over: whoever reads that may move
 * or start again at once. */
static void close_run(struct autofocus *af, uint64_t id, const struct outcome *end, double elapsed_s)
{
	double final_position = where_now(af);
	double temperature_c = NAN;
	focuser_temperature(af->focuser, &temperature_c, NULL);
	pthread_mutex_lock(&af->lock);
	struct run *copy = run_copy(af->run);
	pthread_mutex_unlock(&af->lock);
	struct err save = {0};
	if (copy != NULL) {
		set_end(copy, end, final_position, temperature_c, elapsed_s);
	}
	if (copy == NULL || runs_save(observatory_runs(af->obs), copy, &save) != ERR_OK) {
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
	run_changed(af);
	pthread_mutex_unlock(&af->lock);
}

static void do_run(struct autofocus *af)
{
	const struct config_autofocus *cfg = &observatory_config(af->obs)->autofocus;
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

static void do_measure(struct autofocus *af)
{
	pthread_mutex_lock(&af->lock);
	uint64_t job = af->measure_job;
	double exposure_s = af->measure_exposure_s;
	int bin = af->measure_binning;
	int gain = af->measure_gain;
	pthread_mutex_unlock(&af->lock);
	struct seen seen;
	struct err why = {0};
	int64_t before = clock_now_ms(clock_real());
	enum err_code code = expose_and_measure(af, UINT64_MAX, exposure_s, bin, gain, where_now(af), &seen, &why);
	double elapsed_ms = (double)(clock_now_ms(clock_real()) - before);
	device_lease_drop(af->camera, UINT64_MAX);
	pthread_mutex_lock(&af->lock);
	af->measure_done = job;
	af->measure_error = why;
	buf_clear(&af->measure_text);
	if (code == ERR_OK) {
		measurement_json(&seen.measurement, seen.info.label[0] != '\0' ? seen.info.label : NULL,
			seen.info.width, seen.info.height, elapsed_ms, NULL, 0, &af->measure_text);
	}
	af->job = JOB_NONE;
	af->camera = NULL;
	run_changed(af);
	pthread_mutex_unlock(&af->lock);
}

static void *thread_main(void *arg)
{
	struct autofocus *af = arg;
	/* On Linux the nice value belongs to the thread. */
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), THREAD_NICE);
	pthread_mutex_lock(&af->lock);
	while (!af->quit || af->job != JOB_NONE) {
		if (af->job == JOB_NONE) {
			pthread_cond_wait(&af->work, &af->lock);
			continue;
		}
		enum job job = af->job;
		pthread_mutex_unlock(&af->lock);
		if (job == JOB_RUN) {
			do_run(af);
		} else {
			do_measure(af);
		}
		pthread_mutex_lock(&af->lock);
	}
	pthread_mutex_unlock(&af->lock);
	return NULL;
}

/* ------------------------------------------------------------------ what clients call */

static enum err_code need_idle(const struct autofocus *af, struct err *err)
{
	if (af->job == JOB_RUN) {
		return err_set(err, ERR_INVALID_OPERATION, "autofocus run %llu is %s",
			(unsigned long long)af->run->id, af->run->state == RUN_RUNNING ? "going on"
										       : "still ending");
	}
	if (af->job == JOB_MEASURE) {
		return err_set(err, ERR_INVALID_OPERATION, "a measurement is going on");
	}
	return af->quit ? err_set(err, ERR_INVALID_OPERATION, "the server is stopping") : ERR_OK;
}

static enum err_code check_params(const struct autofocus_params *p, const struct camera_caps *caps,
	struct err *err)
{
	if (isfinite(p->exposure_s) && !(p->exposure_s > 0 && p->exposure_s <= caps->exposure_max_s)) {
		return err_set(err, ERR_INVALID_VALUE, "exposure_s must be above 0 and at most %g, not %g",
			caps->exposure_max_s, p->exposure_s);
	}
	if (p->points != 0 && (p->points < 5 || p->points > 31)) {
		return err_set(err, ERR_INVALID_VALUE, "points must be 5 to 31, not %d", p->points);
	}
	if (isfinite(p->step) && !(p->step >= 0 && p->step <= 1e6)) {
		return err_set(err, ERR_INVALID_VALUE, "step must be 0 (find out) or a number of steps, not %g",
			p->step);
	}
	if (p->binning > caps->max_bin) {
		return err_set(err, ERR_INVALID_VALUE, "binning must be 0 (what suits) to %d, not %d",
			caps->max_bin, p->binning);
	}
	if (p->gain >= 0 && (!caps->has_gain || p->gain < caps->gain_min || p->gain > caps->gain_max)) {
		return err_set(err, ERR_INVALID_VALUE,
			caps->has_gain ? "gain must be %d to %d, not %d" : "the camera has no gain setting",
			caps->gain_min, caps->gain_max, p->gain);
	}
	return ERR_OK;
}

static enum err_code need_up(struct device *dev, struct err *err)
{
	pthread_mutex_lock(&dev->lock);
	enum err_code code = device_need_link(dev, err);
	pthread_mutex_unlock(&dev->lock);
	return code;
}

/* With af->lock held: finds the camera and checks that both devices are there. */
static enum err_code find_camera(struct autofocus *af, int wanted, struct device **camera,
	struct camera_state *state, struct err *err)
{
	int number = wanted >= 0 ? wanted : observatory_config(af->obs)->focuser[af->number].camera;
	*camera = observatory_device(af->obs, DEVICE_CAMERA, number);
	if (*camera == NULL) {
		return err_set(err, ERR_INVALID_VALUE, "there is no camera %d", number);
	}
	enum err_code code = need_up(*camera, err);
	if (code == ERR_OK) {
		camera_state(*camera, state);
	}
	return code;
}

static struct run *new_run(struct autofocus *af, uint64_t id, const struct device *camera)
{
	struct run *run = calloc(1, sizeof *run);
	if (run == NULL) {
		return NULL;
	}
	*run = (struct run){
		.id = id,
		.state = RUN_RUNNING,
		.started_utc_ms = clock_utc_ms(),
		.focuser = af->number,
		.camera = camera->info.number,
		.temperature_c = NAN,
		.start_position = where_now(af),
		.best_position = NAN,
		.final_position = NAN,
		.uncertainty_steps = NAN,
		.interval95_steps = {NAN, NAN},
		.critical_focus_zone_steps = NAN,
		.hfr_start_px = NAN,
		.hfr_predicted_px = NAN,
		.hfr_final_px = NAN,
		.r_squared = NAN,
		.fit = {NAN, NAN, NAN, NAN},
	};
	snprintf(run->phase, sizeof run->phase, "start");
	snprintf(run->focuser_name, sizeof run->focuser_name, "%s", af->focuser->info.name);
	snprintf(run->camera_name, sizeof run->camera_name, "%s", camera->info.name);
	return run;
}

static enum err_code take_leases(struct autofocus *af, struct device *camera, uint64_t id, struct err *err)
{
	struct lease lease = {.run = id, .interrupt = interrupt, .poke = poke, .arg = af};
	snprintf(lease.what, sizeof lease.what, "autofocus run %llu", (unsigned long long)id);
	enum err_code code = device_lease_take(af->focuser, &lease, focuser_busy, err);
	if (code == ERR_OK) {
		code = device_lease_take(camera, &lease, camera_busy, err);
		if (code != ERR_OK) {
			device_lease_drop(af->focuser, id);
		}
	}
	return code;
}

static enum err_code start_locked(struct autofocus *af, const struct autofocus_params *params,
	uint64_t *id, struct err *err)
{
	const struct config_autofocus *cfg = &observatory_config(af->obs)->autofocus;
	struct device *camera = NULL;
	struct camera_state state;
	enum err_code code = need_idle(af, err);
	if (code == ERR_OK) {
		code = need_up(af->focuser, err);
	}
	if (code == ERR_OK) {
		code = find_camera(af, params->camera, &camera, &state, err);
	}
	if (code == ERR_OK) {
		code = check_params(params, &state.caps, err);
	}
	if (code == ERR_OK) {
		code = runs_next_id(observatory_runs(af->obs), id, err);
	}
	struct run *run = code == ERR_OK ? new_run(af, *id, camera) : NULL;
	if (code == ERR_OK && run == NULL) {
		code = err_set(err, ERR_NOMEM, "out of memory");
	}
	if (code == ERR_OK) {
		atomic_store(&af->interrupt, LEASE_RUNNING);
		atomic_store(&af->cancel, false);
		code = take_leases(af, camera, *id, err);
	}
	if (code != ERR_OK) {
		run_free(run);
		return code;
	}
	af->params = *params;
	af->camera = camera;
	run->binning = choose_binning(af, cfg, &state.caps);
	run->binning = run->binning > state.caps.max_bin ? state.caps.max_bin : run->binning;
	run->exposure_s = finite_or(params->exposure_s, cfg->exposure_s);
	run->backlash_steps = observatory_config(af->obs)->focuser[af->number].backlash_steps;
	snprintf(run->filter, sizeof run->filter, "%s",
		params->filter[0] != '\0' ? params->filter : cfg->filter);
	run_free(af->run);
	af->run = run;
	af->job = JOB_RUN;
	pthread_cond_signal(&af->work);
	run_changed(af);
	return ERR_OK;
}

enum err_code autofocus_start(struct observatory *obs, int focuser,
	const struct autofocus_params *params, uint64_t *run, struct err *err)
{
	struct autofocus *af = observatory_autofocus(obs, focuser);
	if (af == NULL) {
		return err_set(err, ERR_INVALID_VALUE, "there is no focuser %d", focuser);
	}
	pthread_mutex_lock(&af->lock);
	uint64_t id = 0;
	enum err_code code = start_locked(af, params, &id, err);
	pthread_mutex_unlock(&af->lock);
	if (code == ERR_OK) {
		*run = id;
	}
	return code;
}

enum err_code autofocus_abort(struct observatory *obs, int focuser, struct err *err)
{
	struct autofocus *af = observatory_autofocus(obs, focuser);
	if (af == NULL) {
		return err_set(err, ERR_INVALID_VALUE, "there is no focuser %d", focuser);
	}
	pthread_mutex_lock(&af->lock);
	bool running = running_locked(af);
	if (running) {
		interrupt(af, LEASE_ABORT);
	}
	pthread_mutex_unlock(&af->lock);
	if (running) {
		poke(af);
	}
	return ERR_OK;
}

struct run *autofocus_run(struct observatory *obs, int focuser, uint64_t id)
{
	struct autofocus *af = observatory_autofocus(obs, focuser);
	if (af == NULL) {
		return NULL;
	}
	struct run *copy = NULL;
	pthread_mutex_lock(&af->lock);
	if (af->run != NULL && (id == 0 || af->run->id == id)) {
		copy = run_copy(af->run);
		/* Who reads that it is over may use the devices and start another at once; until they
		 * are free it goes on. */
		if (copy != NULL && af->job == JOB_RUN && copy->state != RUN_RUNNING) {
			copy->state = RUN_RUNNING;
			copy->code = ERR_OK;
			copy->reason[0] = '\0';
		}
	}
	pthread_mutex_unlock(&af->lock);
	if (copy == NULL && id != 0) {
		copy = runs_load(observatory_runs(obs), id, NULL);
	}
	return copy;
}

uint64_t autofocus_running(struct observatory *obs, int focuser)
{
	struct autofocus *af = observatory_autofocus(obs, focuser);
	if (af == NULL) {
		return 0;
	}
	pthread_mutex_lock(&af->lock);
	uint64_t id = af->job == JOB_RUN ? af->run->id : 0;
	pthread_mutex_unlock(&af->lock);
	return id;
}

uint64_t autofocus_version(struct observatory *obs, int focuser)
{
	struct autofocus *af = observatory_autofocus(obs, focuser);
	if (af == NULL) {
		return 0;
	}
	pthread_mutex_lock(&af->lock);
	uint64_t version = af->version;
	pthread_mutex_unlock(&af->lock);
	return version;
}

void autofocus_counts(struct observatory *obs, int focuser, uint64_t by_state[4])
{
	struct autofocus *af = observatory_autofocus(obs, focuser);
	memset(by_state, 0, 4 * sizeof by_state[0]);
	if (af == NULL) {
		return;
	}
	pthread_mutex_lock(&af->lock);
	memcpy(by_state, af->ended, sizeof af->ended);
	pthread_mutex_unlock(&af->lock);
}

enum err_code autofocus_measure_start(struct observatory *obs, int focuser, double exposure_s,
	int binning, int gain, uint64_t *job, struct err *err)
{
	struct autofocus *af = observatory_autofocus(obs, focuser);
	if (af == NULL) {
		return err_set(err, ERR_INVALID_VALUE, "there is no focuser %d", focuser);
	}
	struct autofocus_params params;
	autofocus_params_init(&params);
	params.exposure_s = exposure_s;
	params.binning = binning;
	params.gain = gain;
	struct device *camera = NULL;
	struct camera_state state;
	pthread_mutex_lock(&af->lock);
	enum err_code code = need_idle(af, err);
	if (code == ERR_OK) {
		code = find_camera(af, -1, &camera, &state, err);
	}
	if (code == ERR_OK) {
		code = check_params(&params, &state.caps, err);
	}
	if (code == ERR_OK) {
		atomic_store(&af->interrupt, LEASE_RUNNING);
		atomic_store(&af->cancel, false);
		struct lease lease = {.run = UINT64_MAX, .interrupt = interrupt, .poke = poke, .arg = af};
		snprintf(lease.what, sizeof lease.what, "a star measurement");
		code = device_lease_take(camera, &lease, camera_busy, err);
	}
	if (code == ERR_OK) {
		const struct config_autofocus *cfg = &observatory_config(obs)->autofocus;
		af->params = params;
		af->camera = camera;
		af->measure_exposure_s = finite_or(exposure_s, cfg->exposure_s);
		af->measure_binning = choose_binning(af, cfg, &state.caps);
		af->measure_gain = gain >= 0 ? gain : cfg->gain;
		*job = ++af->measure_job;
		af->job = JOB_MEASURE;
		pthread_cond_signal(&af->work);
	}
	pthread_mutex_unlock(&af->lock);
	return code;
}

bool autofocus_measure_done(struct observatory *obs, int focuser, uint64_t job, struct buf *out,
	enum err_code *result, struct err *err)
{
	struct autofocus *af = observatory_autofocus(obs, focuser);
	pthread_mutex_lock(&af->lock);
	/* Not before another one may be asked for. */
	bool busy = af->job == JOB_MEASURE && af->measure_job == job;
	bool done = af->measure_done >= job && !busy;
	if (done) {
		*result = af->measure_error.code;
		if (*result != ERR_OK) {
			err_copy(err, &af->measure_error);
		} else {
			buf_add(out, buf_text(&af->measure_text), af->measure_text.len);
		}
	}
	pthread_mutex_unlock(&af->lock);
	return done;
}

/* ------------------------------------------------------------------ life */

struct autofocus *autofocus_create(struct observatory *obs, int focuser)
{
	struct autofocus *af = calloc(1, sizeof *af);
	if (af == NULL) {
		return NULL;
	}
	af->obs = obs;
	af->number = focuser;
	af->focuser = observatory_device(obs, DEVICE_FOCUSER, focuser);
	af->version = 1;
	pthread_mutex_init(&af->lock, NULL);
	pthread_cond_init(&af->work, NULL);
	buf_init(&af->measure_text, 64 * 1024);
	af->run = runs_last(observatory_runs(obs), focuser);
	return af;
}

enum err_code autofocus_begin(struct autofocus *af, struct err *err)
{
	if (pthread_create(&af->thread, NULL, thread_main, af) != 0) {
		return err_set(err, ERR_INTERNAL, "no thread for autofocus");
	}
	af->has_thread = true;
	return ERR_OK;
}

void autofocus_end(struct autofocus *af)
{
	if (af == NULL || !af->has_thread) {
		return;
	}
	pthread_mutex_lock(&af->lock);
	af->quit = true;
	bool running = running_locked(af);
	pthread_cond_signal(&af->work);
	pthread_mutex_unlock(&af->lock);
	if (running) {
		/* The same as STOP: the motor stops where it is and nothing moves afterwards. */
		interrupt(af, LEASE_HALTED);
		focuser_halt(af->focuser, NULL);
		poke(af);
	}
	pthread_join(af->thread, NULL);
	af->has_thread = false;
}

void autofocus_destroy(struct autofocus *af)
{
	if (af == NULL) {
		return;
	}
	run_free(af->run);
	buf_fini(&af->measure_text);
	pthread_cond_destroy(&af->work);
	pthread_mutex_destroy(&af->lock);
	free(af);
}
