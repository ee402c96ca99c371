/* SPDX-License-Identifier: MIT */
/* Autofocus as clients call it: they start it, abort it, and look at it. The run itself is in autofocus_run.c. */
#include "autofocus.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "af_frames.h"
#include "autofocus_private.h"
#include "focuser.h"

/* A measurement without its list of stars is some hundred bytes of JSON. */
#define MEASURE_TEXT_MAX 65536
/* A guided session with all its points and sentences is some ten thousand bytes of JSON. */
#define GUIDED_TEXT_MAX 262144

void autofocus_params_init(struct autofocus_params *params)
{
	*params = (struct autofocus_params){
		.exposure_s = NAN, .step = NAN, .binning = -1, .gain = -1, .camera = -1};
}

const char *autofocus_mode_name(enum autofocus_mode mode)
{
	static const char *const names[] = {"full", "quick", "check"};
	return names[mode];
}

double autofocus_where(struct autofocus *af)
{
	struct focuser_state state;
	focuser_state(af->focuser, &state);
	return state.position_valid ? (double)state.measured_position : (double)NAN;
}

int autofocus_choose_binning(const struct autofocus *af, const struct autofocus_params *p, int camera,
	const struct camera_caps *caps)
{
	int wanted = p->binning >= 0 ? p->binning : af->config->autofocus.binning;
	if (wanted > 0) {
		return wanted > caps->max_bin ? caps->max_bin : wanted;
	}
	/* A colour sensor's pixels of different colours are not added up. */
	if (caps->sensor_type != 0) {
		return 1;
	}
	struct af_plan_setup setup = {.focal_ratio = NAN, .aperture_mm = NAN, .known_hfr_min_px = NAN,
		.focal_length_mm = autofocus_optics(af, camera, caps)->focal_length_mm,
		.pixel_um = caps->pixel_um > 0 ? caps->pixel_um : NAN};
	return af_binning(&setup, caps->max_bin, (double)caps->width * caps->height);
}

enum err_code autofocus_check_params(const struct autofocus_params *p, const struct camera_caps *caps,
	struct err *err)
{
	if (caps->expose_refusal[0] != '\0' && (isfinite(p->exposure_s) || p->binning >= 0 || p->gain >= 0)) {
		return err_set(err, ERR_INVALID_VALUE, "the camera cannot expose: exposure_s, binning and gain mean "
			"nothing to it");
	}
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

enum err_code autofocus_need_up(struct device *dev, struct err *err)
{
	pthread_mutex_lock(&dev->lock);
	enum err_code code = device_need_link(dev, err);
	pthread_mutex_unlock(&dev->lock);
	return code;
}

/* Takes the settings of the next job. The caller holds the lock, and no job runs. */
void autofocus_take_settings(struct autofocus *af)
{
	settings_release(af->needs.settings, af->config);
	af->config = settings_get(af->needs.settings);
}

enum err_code autofocus_find_camera(struct autofocus *af, int wanted, struct device **camera,
	struct camera_state *state, struct err *err)
{
	int number = wanted >= 0 ? wanted : af->config->focuser[af->number].camera;
	*camera = devices_find(af->needs.devices, &camera_kind, number);
	if (*camera == NULL) {
		return err_set(err, ERR_INVALID_VALUE, "there is no camera %d", number);
	}
	enum err_code code = autofocus_need_up(*camera, err);
	if (code == ERR_OK) {
		camera_state(*camera, state);
	}
	return code;
}

static struct numbering numbering_now(struct autofocus *af)
{
	struct focuser_state state;
	focuser_state(af->focuser, &state);
	return state.numbering;
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
		.numbering = numbering_now(af),
		.focuser = af->number,
		.camera = camera->info.number,
		.temperature_c = NAN,
		.start_position = autofocus_where(af),
		.best_position = NAN,
		.final_position = NAN,
		.uncertainty_steps = NAN,
		.interval95_steps = {NAN, NAN},
		.critical_focus_zone_steps = NAN,
		.hfr_start_px = NAN,
		.hfr_predicted_px = NAN,
		.hfr_final_px = NAN,
		.r_squared = NAN,
		.curve = {NAN, NAN, NAN, NAN},
		.overhead_s = NAN,
		.taught = {NAN, NAN, NAN, NAN, NAN, NAN, NAN},
		.focal_length_mm = NAN,
		.aperture_mm = NAN,
	};
	snprintf(run->phase, sizeof run->phase, "%s", run_phase_name(RUN_PHASE_START));
	snprintf(run->focuser_name, sizeof run->focuser_name, "%s", af->focuser->info.name);
	snprintf(run->camera_name, sizeof run->camera_name, "%s", camera->info.name);
	return run;
}

static enum err_code start_locked(struct autofocus *af, const struct autofocus_params *params,
	uint64_t *id, struct err *err)
{
	struct device *camera = NULL;
	struct camera_state state = {0};
	enum err_code code = jobs_need_idle(&af->jobs, err);
	if (code == ERR_OK) {
		autofocus_take_settings(af);
		code = autofocus_need_up(af->focuser, err);
	}
	if (code == ERR_OK) {
		code = autofocus_find_camera(af, params->camera, &camera, &state, err);
	}
	if (code == ERR_OK && state.caps.expose_refusal[0] != '\0') {
		code = err_set(err, ERR_INVALID_OPERATION, "%s %s", camera->info.name, state.caps.expose_refusal);
	}
	if (code == ERR_OK) {
		code = autofocus_check_params(params, &state.caps, err);
	}
	if (code == ERR_OK) {
		*id = store_next_run_id(af->needs.store);
	}
	struct run *run = code == ERR_OK ? new_run(af, *id, camera) : NULL;
	if (code == ERR_OK && run == NULL) {
		code = err_set(err, ERR_NOMEM, "out of memory");
	}
	if (code == ERR_OK) {
		code = jobs_start(&af->jobs, &autofocus_run_job, *id, camera, err);
	}
	if (code != ERR_OK) {
		if (*id != 0) {
			store_return_run_id(af->needs.store, *id);
		}
		run_free(run);
		return code;
	}
	/* The thread reads these only after the lock was given back. */
	af->params = *params;
	af->camera = camera;
	const struct config_autofocus *cfg = &af->config->autofocus;
	run->binning = autofocus_choose_binning(af, params, camera->info.number, &state.caps);
	run->exposure_s = finite_or(params->exposure_s, cfg->exposure_s);
	/* A run records the backlash that is taken up: the device's own where it does that by itself, else that of the
	 * settings. */
	struct focuser_state focuser;
	focuser_state(af->focuser, &focuser);
	run->backlash_steps = focuser.device_backlash_steps > 0
				      ? focuser.device_backlash_steps
				      : af->config->focuser[af->number].backlash_steps;
	snprintf(run->mode, sizeof run->mode, "%s", autofocus_mode_name(params->mode));
	snprintf(run->filter, sizeof run->filter, "%s", autofocus_filter(af));
	run_free(af->run);
	af->run = run;
	return ERR_OK;
}

enum err_code autofocus_start(struct autofocus *af,
	const struct autofocus_params *params, uint64_t *run, struct err *err)
{
	pthread_mutex_lock(&af->jobs.lock);
	uint64_t id = 0;
	enum err_code code = start_locked(af, params, &id, err);
	pthread_mutex_unlock(&af->jobs.lock);
	if (code == ERR_OK) {
		*run = id;
	}
	return code;
}

void autofocus_abort(struct autofocus *af)
{
	jobs_abort(&af->jobs, NULL);
}

struct run *autofocus_run(struct autofocus *af, uint64_t id)
{
	struct run *copy = NULL;
	pthread_mutex_lock(&af->jobs.lock);
	if (af->run != NULL && (id == 0 || af->run->id == id)) {
		copy = run_copy(af->run);
		/* A client that reads that a run is over may use the devices and start another at once, so the run is
		 * said to go on until they are free. */
		if (copy != NULL && af->jobs.kind == &autofocus_run_job && copy->state != RUN_RUNNING) {
			copy->state = RUN_RUNNING;
			copy->code = ERR_OK;
			copy->reason[0] = '\0';
		}
	}
	pthread_mutex_unlock(&af->jobs.lock);
	return copy;
}

uint64_t autofocus_running(struct autofocus *af)
{
	pthread_mutex_lock(&af->jobs.lock);
	uint64_t id = af->jobs.kind == &autofocus_run_job ? af->run->id : 0;
	pthread_mutex_unlock(&af->jobs.lock);
	return id;
}

uint64_t autofocus_ongoing(struct autofocus *af)
{
	pthread_mutex_lock(&af->jobs.lock);
	bool goes_on = af->jobs.kind == &autofocus_run_job && !atomic_load(&af->jobs.cancel);
	uint64_t id = goes_on ? af->run->id : 0;
	pthread_mutex_unlock(&af->jobs.lock);
	return id;
}

uint64_t autofocus_version(struct autofocus *af)
{
	pthread_mutex_lock(&af->jobs.lock);
	uint64_t version = af->jobs.version;
	pthread_mutex_unlock(&af->jobs.lock);
	return version;
}

void autofocus_counts(struct autofocus *af, uint64_t by_state[4])
{
	pthread_mutex_lock(&af->jobs.lock);
	memcpy(by_state, af->ended, sizeof af->ended);
	pthread_mutex_unlock(&af->jobs.lock);
}

struct autofocus *autofocus_create(const struct job_needs *needs, struct device *focuser)
{
	struct autofocus *af = calloc(1, sizeof *af);
	if (af == NULL) {
		return NULL;
	}
	af->needs = *needs;
	af->number = device_info(focuser)->number;
	af->focuser = focuser;
	jobs_init(&af->jobs, focuser, needs->events, af);
	buf_init(&af->measure_text, MEASURE_TEXT_MAX);
	buf_init(&af->fresh_text, MEASURE_TEXT_MAX);
	buf_init(&af->guided_text, GUIDED_TEXT_MAX);
	buf_init(&af->guided_fresh, GUIDED_TEXT_MAX);
	af->run = store_last_run(needs->store, af->number);
	return af;
}

enum err_code autofocus_begin(struct autofocus *af, struct err *err)
{
	return jobs_begin(&af->jobs, err);
}

void autofocus_end(struct autofocus *af)
{
	if (af != NULL) {
		jobs_end(&af->jobs);
	}
}

void autofocus_destroy(struct autofocus *af)
{
	if (af == NULL) {
		return;
	}
	run_free(af->run);
	settings_release(af->needs.settings, af->config);
	buf_fini(&af->measure_text);
	buf_fini(&af->fresh_text);
	buf_fini(&af->guided_text);
	buf_fini(&af->guided_fresh);
	jobs_fini(&af->jobs);
	free(af);
}
