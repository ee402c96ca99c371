/* SPDX-License-Identifier: MIT */
/* Autofocus as clients call it, and the thread that does the work: start, abort, look, measure.  The run
 * itself is in autofocus_run.c. */
#include "autofocus.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "autofocus_private.h"
#include "camera.h"
#include "focuser.h"
#include "measurement_json.h"

/* Measuring gives way to requests and device polling. */
#define THREAD_NICE 5
/* Above this many pixels a monochrome frame is binned 2x2 when the binning is left to the run: enough
 * detail remains, and a frame costs a quarter. */
#define BIN_ABOVE_PX 12000000.0

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
void autofocus_changed(struct autofocus *af)
{
	af->version++;
	events_publish(af->needs.events);
}

static bool running_locked(const struct autofocus *af)
{
	return af->job != JOB_NONE;
}

double autofocus_where(struct autofocus *af)
{
	struct focuser_state state;
	focuser_state(af->focuser, &state);
	return state.position_valid ? (double)state.motor_position : (double)NAN;
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
	enum err_code code = autofocus_expose(af, UINT64_MAX, exposure_s, bin, gain, autofocus_where(af), &seen, &why);
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
	autofocus_changed(af);
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
			autofocus_do_run(af);
		} else {
			do_measure(af);
		}
		pthread_mutex_lock(&af->lock);
	}
	pthread_mutex_unlock(&af->lock);
	return NULL;
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

/* With af->lock held, while no job runs. */
static void take_settings(struct autofocus *af)
{
	settings_release(af->needs.settings, af->config);
	af->config = settings_get(af->needs.settings);
}

/* With af->lock held: finds the camera and checks that both devices are there. */
static enum err_code find_camera(struct autofocus *af, int wanted, struct device **camera,
	struct camera_state *state, struct err *err)
{
	int number = wanted >= 0 ? wanted : af->config->focuser[af->number].camera;
	*camera = devices_find(af->needs.devices, &camera_kind, number);
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
	};
	snprintf(run->phase, sizeof run->phase, "%s", run_phase_name(RUN_PHASE_START));
	snprintf(run->focuser_name, sizeof run->focuser_name, "%s", af->focuser->info.name);
	snprintf(run->camera_name, sizeof run->camera_name, "%s", camera->info.name);
	return run;
}

static enum err_code take_leases(struct autofocus *af, struct device *camera, uint64_t id, struct err *err)
{
	struct lease lease = {.run = id, .interrupt = interrupt, .poke = poke, .arg = af};
	snprintf(lease.what, sizeof lease.what, "autofocus run %llu", (unsigned long long)id);
	enum err_code code = device_lease_take(af->focuser, &lease, err);
	if (code == ERR_OK) {
		code = device_lease_take(camera, &lease, err);
		if (code != ERR_OK) {
			device_lease_drop(af->focuser, id);
		}
	}
	return code;
}

static enum err_code start_locked(struct autofocus *af, const struct autofocus_params *params,
	uint64_t *id, struct err *err)
{
	struct device *camera = NULL;
	struct camera_state state = {0};
	enum err_code code = need_idle(af, err);
	if (code == ERR_OK) {
		take_settings(af);
		code = need_up(af->focuser, err);
	}
	if (code == ERR_OK) {
		code = find_camera(af, params->camera, &camera, &state, err);
	}
	if (code == ERR_OK) {
		code = check_params(params, &state.caps, err);
	}
	if (code == ERR_OK) {
		code = runs_next_id(af->needs.runs, id, err);
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
	const struct config_autofocus *cfg = &af->config->autofocus;
	run->binning = choose_binning(af, cfg, &state.caps);
	run->binning = run->binning > state.caps.max_bin ? state.caps.max_bin : run->binning;
	run->exposure_s = finite_or(params->exposure_s, cfg->exposure_s);
	run->backlash_steps = af->config->focuser[af->number].backlash_steps;
	snprintf(run->filter, sizeof run->filter, "%s",
		params->filter[0] != '\0' ? params->filter : cfg->filter);
	run_free(af->run);
	af->run = run;
	af->job = JOB_RUN;
	pthread_cond_signal(&af->work);
	autofocus_changed(af);
	return ERR_OK;
}

enum err_code autofocus_start(struct autofocus *af,
	const struct autofocus_params *params, uint64_t *run, struct err *err)
{
	pthread_mutex_lock(&af->lock);
	uint64_t id = 0;
	enum err_code code = start_locked(af, params, &id, err);
	pthread_mutex_unlock(&af->lock);
	if (code == ERR_OK) {
		*run = id;
	}
	return code;
}

void autofocus_abort(struct autofocus *af)
{
	pthread_mutex_lock(&af->lock);
	bool running = running_locked(af);
	if (running) {
		interrupt(af, LEASE_ABORT);
	}
	pthread_mutex_unlock(&af->lock);
	if (running) {
		poke(af);
	}
}

struct run *autofocus_run(struct autofocus *af, uint64_t id)
{
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
		copy = runs_load(af->needs.runs, id, NULL);
	}
	return copy;
}

uint64_t autofocus_running(struct autofocus *af)
{
	pthread_mutex_lock(&af->lock);
	uint64_t id = af->job == JOB_RUN ? af->run->id : 0;
	pthread_mutex_unlock(&af->lock);
	return id;
}

uint64_t autofocus_version(struct autofocus *af)
{
	pthread_mutex_lock(&af->lock);
	uint64_t version = af->version;
	pthread_mutex_unlock(&af->lock);
	return version;
}

void autofocus_counts(struct autofocus *af, uint64_t by_state[4])
{
	pthread_mutex_lock(&af->lock);
	memcpy(by_state, af->ended, sizeof af->ended);
	pthread_mutex_unlock(&af->lock);
}

enum err_code autofocus_measure_start(struct autofocus *af, double exposure_s,
	int binning, int gain, uint64_t *job, struct err *err)
{
	struct autofocus_params params;
	autofocus_params_init(&params);
	params.exposure_s = exposure_s;
	params.binning = binning;
	params.gain = gain;
	struct device *camera = NULL;
	struct camera_state state = {0};
	pthread_mutex_lock(&af->lock);
	enum err_code code = need_idle(af, err);
	if (code == ERR_OK) {
		take_settings(af);
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
		code = device_lease_take(camera, &lease, err);
	}
	if (code == ERR_OK) {
		const struct config_autofocus *cfg = &af->config->autofocus;
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

bool autofocus_measure_done(struct autofocus *af, uint64_t job, struct buf *out,
	enum err_code *result, struct err *err)
{
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

struct autofocus *autofocus_create(const struct job_needs *needs, struct device *focuser)
{
	struct autofocus *af = calloc(1, sizeof *af);
	if (af == NULL) {
		return NULL;
	}
	af->needs = *needs;
	af->number = device_info(focuser)->number;
	af->focuser = focuser;
	af->version = 1;
	pthread_mutex_init(&af->lock, NULL);
	pthread_cond_init(&af->work, NULL);
	buf_init(&af->measure_text, 64 * 1024);
	af->run = runs_last(needs->runs, af->number);
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
	settings_release(af->needs.settings, af->config);
	buf_fini(&af->measure_text);
	pthread_cond_destroy(&af->work);
	pthread_mutex_destroy(&af->lock);
	free(af);
}
