/* SPDX-License-Identifier: MIT */
/*
 * A simulated camera under the shared sky: exposures take their time, and stars are blurred by the distance of the
 * optics from the hidden best focus. Frame n of a seed always has the same seeing, pointing and noise, whatever the
 * clock did.
 *
 * The picture is painted while the exposure goes on, from what is known when it begins: a motor at rest stays where
 * it is, a moving one arrives. Whenever that turns out to be wrong - another move, a halt, an exposure that was
 * stopped, a cooler that was switched - the picture is painted again from the beginning, so the frame shows what
 * really happened. Only in that case can the frame be late.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "camera_driver.h"
#include "log.h"
#include "sim_cooler.h"
#include "sim_paint.h"
#include "sim_sky.h"
#include "sim_truth.h"
#include "sim_weather.h"

enum { STREAM_NOISE = 6, STREAM_FAILURE = 10 };

/* A guide pulse on one axis. */
struct pulse {
	double px_per_s;
	int64_t since_ms, until_ms;
};

struct sim_camera {
	const struct driver_host *host;
	struct sim_settings settings;
	struct sim_sky *sky;
	struct sim_field field;
	struct sim_ziggurat ziggurat;
	struct sim_seeing seeing;
	struct sim_cooler cooler;
	struct pulse pulse[2];    /* [0] moves along y, [1] along x */
	/* The exposure. */
	struct exposure_request request;
	bool exposing;
	int64_t start_ms;
	int64_t start_utc_ms;
	double taken_s;           /* seconds of light in the end: as requested, or less when stopped */
	int64_t ready_ms;         /* when the readout is over */
	double unfed_um;          /* defocus when no simulated focuser feeds the sky */
	uint64_t number;
	bool fails;
	struct sim_weather weather;
	double sensor_c;          /* half way through it */
	/* The picture. */
	struct frame *frame;      /* lent by core; NULL: not lent so far */
	struct sim_paint *paint;
	struct sim_scene painted; /* the scene that the painting began with */
	struct sim_truth_frame truth;
};

extern const struct camera_driver sim_camera_driver;

static const char *const readout_modes[] = {"Normal", "Fast", NULL};
enum { MODE_NORMAL, MODE_FAST };

/* The sensor has 16 bits, and its gain goes in steps of 0.1 dB. */
static const int gain_max = 300;
static const int gain_default = 100;
static const int32_t offset_max = 255;
static const int32_t offset_default = 50;
static const double bias_per_offset_adu = 10.0;
static const double full_well_e = 54000.0;
static const double base_electrons_per_adu = 0.8;
static const double exposure_min_s = 0.001;
static const double exposure_max_s = 3600.0;

/* The read-out of a whole frame takes this share of the configured time in each mode, and the faster mode is noisier by
 * this factor: somewhat like the two speeds of a CCD camera. */
static const double readout_share[2] = {1.0, 0.4};
static const double noise_factor[2] = {1.0, 1.6};

/* While it exposes, the camera looks at the scene at least this often, so that a picture that a move or a halt has made
 * untrue is begun anew soon after that, and not when the exposure ends (device's milliseconds). */
static const int look_ms = 250;

/* Guide pulses move the sky at half of the sky's own pace, and no further than the field reaches beyond the sensor. */
static const double guide_arcsec_s = 7.5;
static const double guide_limit_px = 40.0;

static enum err_code camera_open(void *ctx, const struct camera_port *port,
	const struct driver_host *host, struct camera_caps *caps, struct err *err)
{
	(void)port;
	struct sim_camera *c = ctx;
	c->host = host;
	sim_settings_init(&c->settings, host, host->partner);
	c->sky = sim_sky_get(host, host->partner);
	if (c->sky == NULL || sim_field_init(&c->field, &c->settings) != 0) {
		return err_set(err, ERR_NOMEM, "out of memory for the simulated sky");
	}
	sim_ziggurat_init(&c->ziggurat);
	sim_seeing_init(&c->seeing);
	c->cooler.set_point_c = SIM_SET_POINT_DEFAULT_C;

	memset(caps, 0, sizeof *caps);
	caps->width = c->settings.width;
	caps->height = c->settings.height;
	caps->max_bin = 4;
	caps->can_abort = true;
	caps->can_stop = true;
	caps->pixel_um = c->settings.pixel_um;
	static const int sensor_types[] = {
		[SIMULATOR_MONO] = 0, [SIMULATOR_BAYER] = 2, [SIMULATOR_RGB] = 1};
	caps->sensor_type = sensor_types[c->settings.colour];
	caps->optics_known = true;
	caps->optics = (struct optics_config){
		.focal_length_mm = c->settings.focal_length_mm,
		.aperture_mm = c->settings.aperture_mm,
		.obstruction_mm = c->settings.obstruction * c->settings.aperture_mm,
		.wavelength_um = c->settings.wavelength_um,
	};
	snprintf(caps->sensor_name, sizeof caps->sensor_name, "SIMULATED CMOS");
	snprintf(caps->identity, sizeof caps->identity, "Simulated camera under a simulated sky");
	caps->exposure_min_s = exposure_min_s;
	caps->exposure_max_s = exposure_max_s;
	caps->exposure_resolution_s = 0.001;
	caps->max_adu = UINT16_MAX;
	caps->electrons_per_adu = base_electrons_per_adu / pow(10.0, gain_default / 200.0);
	caps->full_well_e = full_well_e;
	caps->has_gain = true;
	caps->gain_max = gain_max;
	caps->gain_default = gain_default;
	caps->has_offset = true;
	caps->offset_max = offset_max;
	caps->offset_default = offset_default;
	caps->readout_modes = readout_modes;
	caps->has_temperature = true;
	caps->has_heatsink = true;
	caps->has_cooler = true;
	caps->has_cooler_power = true;
	caps->set_point_min_c = SIM_SET_POINT_MIN_C;
	caps->set_point_max_c = SIM_SET_POINT_MAX_C;
	caps->set_point_default_c = SIM_SET_POINT_DEFAULT_C;
	caps->can_pulse_guide = true;
	return ERR_OK;
}

/* Ends the exposure, whichever way it went. */
static void finish(struct sim_camera *c)
{
	sim_paint_end(c->paint);
	c->paint = NULL;
	c->frame = NULL;
	c->exposing = false;
}

static void camera_close(void *ctx)
{
	struct sim_camera *c = ctx;
	finish(c);
	sim_field_fini(&c->field);
}

/* ---- cooler and guide port ---- */

/* Moves the sky by what the pulses have done since the last call; true while a pulse goes on. */
static bool run_pulses(struct sim_camera *c, int64_t now_ms, int64_t *left_ms)
{
	sim_atomic_double *to[2] = {&c->sky->guided_y, &c->sky->guided_x};
	*left_ms = 0;
	for (int i = 0; i < 2; i++) {
		struct pulse *p = &c->pulse[i];
		int64_t until = now_ms < p->until_ms ? now_ms : p->until_ms;
		if (until > p->since_ms) {
			double at = sim_load(to[i]) + p->px_per_s * (double)(until - p->since_ms) / 1000.0;
			sim_store(to[i], fmin(guide_limit_px, fmax(-guide_limit_px, at)));
			p->since_ms = until;
		}
		int64_t left = p->until_ms - now_ms;
		*left_ms = left > 0 && (*left_ms == 0 || left < *left_ms) ? left : *left_ms;
	}
	return *left_ms > 0;
}

static enum err_code camera_pulse_guide(void *ctx, enum camera_guide direction,
	int32_t duration_ms, struct err *err)
{
	(void)err;
	struct sim_camera *c = ctx;
	int64_t now = clock_now_ms(c->host->clock);
	int64_t left;
	run_pulses(c, now, &left);
	double arcsec_per_px = 206.264806 * c->settings.pixel_um / c->settings.focal_length_mm;
	double sign = direction == CAMERA_NORTH || direction == CAMERA_EAST ? 1.0 : -1.0;
	c->pulse[direction == CAMERA_EAST || direction == CAMERA_WEST] = (struct pulse){
		.px_per_s = sign * guide_arcsec_s / arcsec_per_px,
		.since_ms = now,
		.until_ms = now + duration_ms,
	};
	return ERR_OK;
}

static enum err_code camera_poll_climate(void *ctx, struct camera_climate *out, struct err *err)
{
	(void)err;
	struct sim_camera *c = ctx;
	int64_t now = clock_now_ms(c->host->clock);
	sim_cooler_run(&c->cooler, c->sky, &c->settings, now);
	/* Real cameras tell tenths of a degree. */
	out->sensor_c = round(c->cooler.sensor_c * 10.0) / 10.0;
	out->heatsink_c = round(c->cooler.heatsink_c * 10.0) / 10.0;
	out->power_percent = round(c->cooler.power * 1000.0) / 10.0;
	int64_t left;
	out->guiding = run_pulses(c, now, &left);
	out->cooler_told = true;
	out->cooler_on = c->cooler.on;
	out->set_point_c = c->cooler.set_point_c;
	out->next_poll_ms = left < 1000 ? (int)left : 1000;
	return ERR_OK;
}

static enum err_code camera_set_cooler(void *ctx, bool on, double set_point_c, struct err *err)
{
	(void)err;
	struct sim_camera *c = ctx;
	int64_t now = clock_now_ms(c->host->clock);
	sim_cooler_run(&c->cooler, c->sky, &c->settings, now);
	c->cooler.on = on;
	c->cooler.set_point_c = set_point_c;
	double left_s = 0.5 * c->taken_s - (double)(now - c->start_ms) / 1000.0;
	if (c->exposing && left_s > 0.0) {
		c->sensor_c = sim_cooler_later(&c->cooler, c->sky, &c->settings, now, left_s);
	}
	return ERR_OK;
}

/* ---- the picture ---- */

static int mode_of(const struct exposure_request *request)
{
	return request->readout_mode == MODE_FAST ? MODE_FAST : MODE_NORMAL;
}

static struct sim_sensor sensor_of(const struct exposure_request *request)
{
	double amplification = pow(10.0, request->gain / 200.0);
	struct sim_sensor sensor = {
		.read_noise_e = (1.2 + 2.3 / amplification) * noise_factor[mode_of(request)],
		.full_well_e = full_well_e,
		.electrons_per_adu = base_electrons_per_adu / amplification,
		.bias_adu = request->offset * bias_per_offset_adu,
		.max_adu = UINT16_MAX,
	};
	return sensor;
}

/* Samples where the optics stood along the exposure; a focuser that moves smears the stars. */
static void sample_focus(struct sim_camera *c, struct sim_scene *scene, struct sim_truth_frame *truth)
{
	int64_t middle_ms = c->start_ms + (int64_t)(500.0 * c->taken_s);
	truth->optics_position = truth->optics_first = truth->optics_last = NAN;
	truth->best_position = atomic_load(&c->sky->started)
		? sim_sky_best_now(c->sky, &c->settings, middle_ms) : NAN;
	if (!atomic_load(&c->sky->fed)) {
		scene->focus[0] = (struct sim_focus){c->unfed_um, 1.0};
		scene->focus_count = 1;
		return;
	}
	double step_um = sim_load(&c->sky->step_um);
	double unit_um = sim_unit_steps(&c->settings) * c->settings.step_um;
	double mean_um = 0.0;
	double mean_steps = 0.0;
	double least = INFINITY;
	double most = -INFINITY;
	for (int i = 0; i < SIM_FOCUS_MOST; i++) {
		int64_t at_ms = c->start_ms
			+ (int64_t)(1000.0 * c->taken_s * (i + 0.5) / SIM_FOCUS_MOST);
		struct sim_mechanics m;
		sim_sky_mechanics(c->sky, &c->settings, at_ms, &m, NULL);
		double um = (m.optics - sim_sky_best_now(c->sky, &c->settings, at_ms)) * step_um;
		scene->focus[i] = (struct sim_focus){um, 1.0 / SIM_FOCUS_MOST};
		least = fmin(least, um);
		most = fmax(most, um);
		mean_um += um / SIM_FOCUS_MOST;
		mean_steps += m.optics / SIM_FOCUS_MOST;
		truth->optics_first = i == 0 ? m.optics : truth->optics_first;
		truth->optics_last = m.optics;
	}
	scene->focus_count = SIM_FOCUS_MOST;
	truth->optics_position = mean_steps;
	/* A difference smaller than that comes from the drift of the tube alone. */
	if (most - least < 0.02 * unit_um) {
		scene->focus[0] = (struct sim_focus){mean_um, 1.0};
		scene->focus_count = 1;
	}
}

/* Describes the exposure as far as it is known: what has happened, and from this moment on what will happen if nobody
 * interferes. Once the exposure is over, the description is final. */
static void describe(struct sim_camera *c, struct sim_scene *scene, struct sim_truth_frame *truth)
{
	const struct sim_settings *s = &c->settings;
	const struct exposure_request *r = &c->request;
	double ratio = s->focal_length_mm / s->aperture_mm;
	memset(scene, 0, sizeof *scene);
	scene->field = &c->field;
	scene->seeing = &c->seeing;
	scene->light = r->light;
	scene->fwhm_px = sim_star_fwhm_um(s, c->weather.seeing_arcsec) / s->pixel_um;
	scene->blur_px_per_um = 1.0 / ratio / s->pixel_um;
	scene->obstruction = s->obstruction;
	scene->tilt_x_um = s->tilt_x_um;
	scene->tilt_y_um = s->tilt_y_um;
	scene->curvature_um = s->curvature_um;
	scene->shift_x = c->weather.shift_x_px;
	scene->shift_y = c->weather.shift_y_px;
	scene->light_s = c->taken_s * c->weather.transparency;
	scene->transparency_slope = c->weather.slope;
	scene->dark_s = c->taken_s * sim_dark_factor(c->sensor_c);
	scene->faint_peak_e = 0.05;
	sample_focus(c, scene, truth);
}

static bool looks_alike(const struct sim_scene *a, const struct sim_scene *b)
{
	if (a->focus_count != b->focus_count || a->light_s != b->light_s || a->dark_s != b->dark_s
		|| a->transparency_slope != b->transparency_slope) {
		return false;
	}
	for (int i = 0; i < a->focus_count; i++) {
		if (a->focus[i].defocus_um != b->focus[i].defocus_um
			|| a->focus[i].share != b->focus[i].share) {
			return false;
		}
	}
	return true;
}

/* Begins to paint what the exposure looks like at this moment, unless that very picture is being painted. */
static void paint(struct sim_camera *c)
{
	struct sim_paint_job job = {
		.sensor = sensor_of(&c->request),
		.ziggurat = &c->ziggurat,
		.bin = c->request.bin,
		.start_x = c->request.start_x,
		.start_y = c->request.start_y,
		.frame = c->frame,
	};
	describe(c, &job.scene, &c->truth);
	if (c->frame == NULL || (c->paint != NULL && looks_alike(&job.scene, &c->painted))) {
		return;
	}
	sim_paint_end(c->paint);
	struct sim_random noise;
	sim_random_init(&noise, c->settings.seed, STREAM_NOISE + 1u + 16u * (c->number + 1));
	job.noise_seed = sim_random_u64(&noise);
	c->painted = job.scene;
	c->paint = sim_paint_begin(&job);
}

/* ---- exposures ---- */

/* Where the optics stand when no simulated focuser moves them. The reported position of another focuser counts: its
 * first exposure decides where the best focus lies, as far away as a simulated focuser would have begun. Without any
 * position the telescope stands where a night begins. */
static double unfed_defocus_um(struct sim_camera *c, const struct exposure_request *request)
{
	struct sim_sky *sky = c->sky;
	if (!request->focuser_known) {
		return sim_start_offset_steps(&c->settings) * c->settings.step_um;
	}
	if (!atomic_load(&sky->started)) {
		double best = c->settings.best_position;
		if (!isfinite(best)) {
			double offset = sim_start_offset_steps(&c->settings);
			best = request->focuser_position - offset;
			best = best < 0.0 ? request->focuser_position + fabs(offset) : best;
		}
		sim_store(&sky->best, best);
		sim_store(&sky->step_um, c->settings.step_um);
		atomic_store(&sky->started, true);
		log_debug(c->host->source, "hidden best focus best=%.2f unit_steps=%.1f", best,
			sim_unit_steps(&c->settings));
	}
	double best = sim_sky_best_now(sky, &c->settings, clock_now_ms(c->host->clock));
	return (request->focuser_position - best) * sim_load(&sky->step_um);
}

static bool will_fail(const struct sim_camera *c)
{
	const struct sim_settings *s = &c->settings;
	struct sim_random random;
	sim_random_init(&random, s->seed, STREAM_FAILURE + 16u * (c->number + 1));
	bool due = s->fail_every > 0 && (c->number + 1) % (uint64_t)s->fail_every == 0;
	return due || sim_random_uniform(&random) < s->fail_chance;
}

static enum err_code camera_start(void *ctx, const struct exposure_request *request,
	struct err *err)
{
	struct sim_camera *c = ctx;
	if (!(request->duration_s >= 0.0) || request->duration_s > exposure_max_s) {
		return err_set(err, ERR_INVALID_VALUE, "an exposure lasts 0 to %g s", exposure_max_s);
	}
	if (c->exposing) {
		return err_set(err, ERR_INVALID_OPERATION, "an exposure is going on");
	}
	int64_t now = clock_now_ms(c->host->clock);
	int64_t left;
	run_pulses(c, now, &left);
	sim_cooler_run(&c->cooler, c->sky, &c->settings, now);
	c->request = *request;
	if (!atomic_load(&c->sky->fed)) {
		c->unfed_um = unfed_defocus_um(c, request);
	}
	c->taken_s = fmax(request->duration_s, exposure_min_s);
	c->number = atomic_fetch_add(&c->sky->frames, 1);
	c->fails = will_fail(c);
	sim_weather_draw(c->sky, &c->settings, c->number, sim_sky_seconds(c->sky, now), c->taken_s,
		&c->weather);
	c->sensor_c = sim_cooler_later(&c->cooler, c->sky, &c->settings, now, 0.5 * c->taken_s);
	c->start_ms = now;
	c->start_utc_ms = clock_utc_ms();
	double rows = (double)request->num_y * request->bin / c->settings.height;
	c->ready_ms = now
		+ (int64_t)ceil((c->taken_s + readout_share[mode_of(request)] * c->settings.readout_s * rows) * 1000.0);
	c->exposing = true;
	return ERR_OK;
}

/* An abort is noticed after so long at the latest (real milliseconds). */
#define WAIT_MS 10

/* Whether the picture is complete; waits a little for it, so that its end is seen at once. */
static bool painted(struct sim_camera *c)
{
	return c->paint == NULL || sim_paint_wait(c->paint, WAIT_MS);
}

static enum err_code camera_poll(void *ctx, struct camera_reading *out, struct err *err)
{
	(void)err;
	struct sim_camera *c = ctx;
	memset(out, 0, sizeof *out);
	if (!c->exposing) {
		out->state = CAMERA_DRIVER_IDLE;
		return ERR_OK;
	}
	int64_t now = clock_now_ms(c->host->clock);
	int64_t closed_ms = c->start_ms + (int64_t)ceil(c->taken_s * 1000.0);
	out->elapsed_s = fmin((double)(now - c->start_ms) / 1000.0, c->taken_s);
	paint(c);
	if (now >= c->ready_ms) {
		out->state = painted(c) ? CAMERA_DRIVER_READY : CAMERA_DRIVER_READING;
		out->next_poll_ms = 1;
		return ERR_OK;
	}
	out->state = now < closed_ms ? CAMERA_DRIVER_EXPOSING : CAMERA_DRIVER_READING;
	int64_t left = (now < closed_ms ? closed_ms : c->ready_ms) - now;
	out->next_poll_ms = left < look_ms ? (int)left : look_ms;
	return ERR_OK;
}

static enum err_code camera_abort(void *ctx, struct err *err)
{
	(void)err;
	finish(ctx);
	return ERR_OK;
}

static enum err_code camera_stop(void *ctx, struct err *err)
{
	(void)err;
	struct sim_camera *c = ctx;
	int64_t now = clock_now_ms(c->host->clock);
	double elapsed = (double)(now - c->start_ms) / 1000.0;
	if (c->exposing && elapsed < c->taken_s) {
		c->ready_ms -= (int64_t)((c->taken_s - elapsed) * 1000.0);
		c->taken_s = elapsed;
		sim_weather_average(&c->settings, sim_sky_seconds(c->sky, c->start_ms), elapsed,
			&c->weather);
	}
	return ERR_OK;
}

/* ---- read-out ---- */

static void tell_truth(struct sim_camera *c, const struct sim_scene *scene)
{
	struct sim_truth_frame *truth = &c->truth;
	const struct exposure_request *r = &c->request;
	const struct sim_sensor sensor = sensor_of(r);
	double night_s = sim_sky_seconds(c->sky, c->start_ms);
	truth->number = c->number;
	truth->utc_ms = c->start_utc_ms;
	truth->night_s = night_s;
	truth->exposure_s = c->taken_s;
	truth->light = r->light;
	truth->failed = c->fails;
	truth->bin = r->bin;
	truth->start_x = r->start_x;
	truth->start_y = r->start_y;
	truth->num_x = r->num_x;
	truth->num_y = r->num_y;
	truth->air_c = sim_air_c(&c->settings, night_s);
	truth->tube_c = sim_tube_c(&c->settings, night_s);
	truth->sensor_c = c->sensor_c;
	truth->electrons_per_adu = sensor.electrons_per_adu;
	truth->bias_adu = sensor.bias_adu;
	truth->weather = &c->weather;
	truth->scene = scene;
	log_debug(c->host->source, "frame=%llu defocus_um=%.2f fwhm_px=%.3f seeing_arcsec=%.3f "
		"transparency=%.3f", (unsigned long long)c->number, scene->focus[0].defocus_um,
		scene->fwhm_px, c->weather.seeing_arcsec, c->weather.transparency);
	if (c->host->simulator == NULL || !c->host->simulator->truth || c->host->state_dir == NULL) {
		return;
	}
	struct err err;
	if (sim_truth_write(c->host->state_dir, truth, &err) != ERR_OK) {
		log_warn(c->host->source, "%s", err.text);
	}
}

static void camera_lend(void *ctx, struct frame *frame)
{
	struct sim_camera *c = ctx;
	c->frame = frame;
	paint(c);
}

static enum err_code camera_read_lent(void *ctx, struct frame_info *info, struct err *err)
{
	struct sim_camera *c = ctx;
	if (!c->exposing || c->frame == NULL || clock_now_ms(c->host->clock) < c->ready_ms) {
		return err_set(err, ERR_INVALID_OPERATION, "no exposure is ready");
	}
	paint(c);
	while (!painted(c)) {
		if (c->host->urgent != NULL && c->host->urgent(c->host->urgent_ctx)) {
			finish(c);
			return err_set(err, ERR_CANCELLED, "something else came first");
		}
	}
	const struct sim_scene *scene = c->paint != NULL ? sim_paint_scene(c->paint) : NULL;
	if (scene == NULL) {
		finish(c);
		return err_set(err, ERR_NOMEM, "out of memory for the frame");
	}
	tell_truth(c, scene);
	*info = c->frame->info;
	info->bin = c->request.bin;
	/* A mean over cells of a mosaic has no colour. */
	info->mosaic = c->settings.colour == SIMULATOR_BAYER && c->request.bin == 1 ? IMAGE_BAYER
										    : IMAGE_MONO;
	info->full_scale_adu = UINT16_MAX;
	info->exposure_s = c->taken_s;
	bool fails = c->fails;
	finish(c);
	return fails ? err_set(err, ERR_PROTOCOL, "the read-out broke off (as configured)") : ERR_OK;
}

const struct camera_driver sim_camera_driver = {
	.name = "simulator",
	.title = "Simulated camera",
	.ctx_size = sizeof(struct sim_camera),
	.simulated = true,
	.open = camera_open,
	.close = camera_close,
	.start_exposure = camera_start,
	.poll = camera_poll,
	.abort = camera_abort,
	.stop = camera_stop,
	.lend_frame = camera_lend,
	.read_lent = camera_read_lent,
	.poll_climate = camera_poll_climate,
	.set_cooler = camera_set_cooler,
	.pulse_guide = camera_pulse_guide,
};
