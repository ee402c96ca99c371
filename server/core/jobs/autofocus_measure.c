/* SPDX-License-Identifier: MIT */
/* MeasureStars as a job: one exposure where the focuser stands, which is measured. */
#include "autofocus_private.h"
#include "measurement_json.h"

static void run(void *owner)
{
	struct autofocus *af = owner;
	pthread_mutex_lock(&af->jobs.lock);
	double exposure_s = af->measure_exposure_s;
	int bin = af->measure_binning;
	int gain = af->measure_gain;
	/* The position of this focuser says nothing about the camera of another one, or of none: the camera's own
	 * room asks where its focuser stands. */
	bool own = af->measure_own;
	double position = own ? autofocus_where(af) : (double)NAN;
	pthread_mutex_unlock(&af->jobs.lock);
	struct seen seen;
	int64_t before = clock_now_ms(clock_real());
	af->fresh_error = (struct err){.code = ERR_OK};
	enum err_code code = autofocus_expose(af, MEASURE_LEASE, exposure_s, bin, gain, position, &seen,
		&af->fresh_error);
	double elapsed_ms = (double)(clock_now_ms(clock_real()) - before);
	buf_clear(&af->fresh_text);
	if (code == ERR_OK) {
		/* When the frame came at the second try, the error of the first is still there and must go. */
		af->fresh_error = (struct err){.code = ERR_OK};
		struct measurement_focus focus;
		bool focus_known = own && autofocus_field_sense(af, bin, &seen, &focus);
		measurement_json(&seen.measurement, seen.info.label[0] != '\0' ? seen.info.label : NULL,
			seen.info.width, seen.info.height, elapsed_ms, focus_known ? &focus : NULL, NULL, 0,
			&af->fresh_text);
	}
}

static void over(void *owner)
{
	struct autofocus *af = owner;
	struct buf text = af->measure_text;
	af->measure_text = af->fresh_text;
	af->fresh_text = text;
	af->measure_error = af->fresh_error;
	af->measure_done = af->measure_job;
	af->camera = NULL;
}

const struct job_kind autofocus_measure_job = {
	.name = "a star measurement",
	.run = run,
	.over = over,
};

enum err_code autofocus_measure_start(struct autofocus *af, int camera_number, double exposure_s,
	int binning, int gain, uint64_t *job, struct err *err)
{
	struct autofocus_params params;
	autofocus_params_init(&params);
	params.exposure_s = exposure_s;
	params.binning = binning;
	params.gain = gain;
	struct device *camera = NULL;
	struct camera_state state = {0};
	pthread_mutex_lock(&af->jobs.lock);
	enum err_code code = jobs_need_idle(&af->jobs, err);
	if (code == ERR_OK) {
		autofocus_take_settings(af);
		code = autofocus_find_camera(af, camera_number, &camera, &state, err);
	}
	if (code == ERR_OK) {
		code = autofocus_check_params(&params, &state.caps, err);
	}
	if (code == ERR_OK) {
		code = jobs_start(&af->jobs, &autofocus_measure_job, MEASURE_LEASE, camera, err);
	}
	if (code == ERR_OK) {
		const struct config_autofocus *cfg = &af->config->autofocus;
		af->params = params;
		af->camera = camera;
		af->await = (struct camera_await){.begun_after_ms = INT64_MIN, .at_once = true};
		af->measure_own = camera->info.number == af->config->focuser[af->number].camera;
		af->measure_exposure_s = finite_or(exposure_s, cfg->exposure_s);
		af->measure_binning = autofocus_choose_binning(af, &params, camera->info.number, &state.caps);
		af->measure_gain = gain >= 0 ? gain : cfg->gain;
		*job = ++af->measure_job;
	}
	pthread_mutex_unlock(&af->jobs.lock);
	return code;
}

bool autofocus_measure_done(struct autofocus *af, uint64_t job, struct buf *out,
	enum err_code *result, struct err *err)
{
	pthread_mutex_lock(&af->jobs.lock);
	bool done = af->measure_done >= job;
	if (done) {
		*result = af->measure_error.code;
		if (*result != ERR_OK) {
			err_copy(err, &af->measure_error);
		} else {
			buf_add(out, buf_text(&af->measure_text), af->measure_text.len);
		}
	}
	pthread_mutex_unlock(&af->jobs.lock);
	return done;
}
