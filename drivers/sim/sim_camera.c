/* SPDX-License-Identifier: MIT */
/*
 * A simulated camera under the shared sky: exposures take their time, stars are blurred by the
 * distance of the optics from the hidden best focus.  Frame n of a seed always has the same seeing,
 * pointing and noise, whatever the clock did.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "camera_driver.h"
#include "log.h"
#include "sim_render.h"
#include "sim_sky.h"

enum { STREAM_FRAME = 6 };

/* What the air and the mount did during one exposure. */
struct weather {
	double seeing_arcsec;
	double transparency;
	double shift_x_px, shift_y_px;
};

struct sim_camera {
	const struct driver_host *host;
	struct sim_settings settings;
	struct sim_sky *sky;
	struct sim_field field;
	struct sim_ziggurat ziggurat;
	struct sim_seeing seeing;
	/* The exposure. */
	struct exposure_request request;
	bool exposing;
	int64_t start_ms;
	double taken_s;           /* what it will have been: the request, less when stopped */
	int64_t ready_ms;         /* when the readout is over */
	double defocus_steps;     /* of the optics when it began */
	uint64_t number;
	struct weather weather;
};

extern const struct camera_driver sim_camera_driver;

static const char *const readout_modes[] = {"Normal", NULL};

/* The sensor: 16 bits, gain in steps of 0.1 dB. */
static const int gain_max = 300;
static const int gain_default = 100;
static const int32_t offset_max = 255;
static const int32_t offset_default = 50;
static const double bias_per_offset_adu = 10.0;
static const double full_well_e = 54000.0;
static const double base_electrons_per_adu = 0.8;
static const double readout_full_frame_s = 0.25;
static const double exposure_max_s = 3600.0;

/* Scatter of the seeing from frame to frame at 3 s, less in longer exposures that average over it;
 * and of its slow part, which remembers this share from one frame to the next. */
static const double fast_seeing = 0.03;
static const double slow_seeing = 0.025;
static const double slow_memory = 0.9;
static const double pointing_px = 0.3;

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

	memset(caps, 0, sizeof *caps);
	caps->width = c->settings.width;
	caps->height = c->settings.height;
	caps->max_bin = 4;
	caps->can_abort = true;
	caps->can_stop = true;
	caps->pixel_um = c->settings.pixel_um;
	caps->optics_known = true;
	caps->optics = (struct optics_config){
		.focal_length_mm = c->settings.focal_length_mm,
		.aperture_mm = c->settings.aperture_mm,
		.obstruction_mm = c->settings.obstruction * c->settings.aperture_mm,
		.wavelength_um = c->settings.wavelength_um,
	};
	snprintf(caps->sensor_name, sizeof caps->sensor_name, "Simulated CMOS");
	snprintf(caps->identity, sizeof caps->identity, "Simulated camera under a simulated sky");
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
	return ERR_OK;
}

static void camera_close(void *ctx)
{
	struct sim_camera *c = ctx;
	sim_field_fini(&c->field);
	c->exposing = false;
}

/* Distance of the optics from the best focus.  Without a simulated focuser the reported position of
 * another one counts: its first exposure decides where the best focus lies, as far away as a
 * simulated focuser would have begun.  With no position at all the telescope stands where a night
 * begins. */
static double defocus_now(struct sim_camera *c, const struct exposure_request *request)
{
	struct sim_sky *sky = c->sky;
	int64_t now = clock_now_ms(c->host->clock);
	if (atomic_load(&sky->fed)) {
		return sim_load(&sky->optics) - sim_sky_best_now(sky, &c->settings, now);
	}
	if (!request->focuser_known) {
		return sim_start_offset_steps(&c->settings);
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
	return request->focuser_position - sim_sky_best_now(sky, &c->settings, now);
}

static void make_weather(struct sim_camera *c, double duration_s)
{
	struct sim_random random;
	sim_random_init(&random, c->settings.seed, STREAM_FRAME + 16u * (c->number + 1));
	double fresh = sqrt(1.0 - slow_memory * slow_memory);
	double seeing = slow_memory * sim_load(&c->sky->slow_seeing)
		+ fresh * sim_normal_simple(&random);
	double cloud = slow_memory * sim_load(&c->sky->slow_cloud)
		+ fresh * sim_normal_simple(&random);
	sim_store(&c->sky->slow_seeing, seeing);
	sim_store(&c->sky->slow_cloud, cloud);
	/* The air is averaged over the exposure; what lasts under 0.3 s is one moment of it. */
	double fast = fast_seeing * sqrt(3.0 / fmax(duration_s, 0.3)) * sim_normal_simple(&random);
	struct weather *w = &c->weather;
	w->seeing_arcsec = c->settings.seeing_arcsec * exp(fast + slow_seeing * seeing);
	w->transparency = fmin(1.0, fmax(0.0, 1.0 - c->settings.cloud * (1.0 + 0.2 * cloud)));
	w->shift_x_px = pointing_px * sim_normal_simple(&random);
	w->shift_y_px = pointing_px * sim_normal_simple(&random);
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
	c->request = *request;
	c->defocus_steps = defocus_now(c, request);
	c->number = atomic_fetch_add(&c->sky->frames, 1);
	make_weather(c, request->duration_s);
	c->taken_s = request->duration_s;
	c->start_ms = clock_now_ms(c->host->clock);
	double rows = (double)request->num_y * request->bin / c->settings.height;
	c->ready_ms = c->start_ms
		+ (int64_t)ceil((request->duration_s + readout_full_frame_s * rows) * 1000.0);
	c->exposing = true;
	return ERR_OK;
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
	out->elapsed_s = fmin((double)(now - c->start_ms) / 1000.0, c->taken_s);
	if (now >= c->ready_ms) {
		out->state = CAMERA_DRIVER_READY;
		return ERR_OK;
	}
	out->state = CAMERA_DRIVER_EXPOSING;
	int64_t left = c->ready_ms - now;
	out->next_poll_ms = left < 1000 ? (int)left : 1000;
	return ERR_OK;
}

static enum err_code camera_abort(void *ctx, struct err *err)
{
	(void)err;
	struct sim_camera *c = ctx;
	c->exposing = false;
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
	}
	return ERR_OK;
}

static struct sim_sensor sensor_of(const struct exposure_request *request)
{
	double amplification = pow(10.0, request->gain / 200.0);
	struct sim_sensor sensor = {
		.read_noise_e = 1.2 + 2.3 / amplification,
		.full_well_e = full_well_e,
		.electrons_per_adu = base_electrons_per_adu / amplification,
		.bias_adu = request->offset * bias_per_offset_adu,
		.max_adu = UINT16_MAX,
	};
	return sensor;
}

/* Means of bin x bin pixels; `from` has rows of num_x * bin values, bin rows for one of `to`. */
static void bin_rows(uint16_t *to, const uint16_t *from, int32_t num_x, int32_t rows, int bin)
{
	size_t wide = (size_t)num_x * (size_t)bin;
	uint32_t share = (uint32_t)(bin * bin);
	for (int32_t y = 0; y < rows; y++) {
		for (int32_t x = 0; x < num_x; x++) {
			const uint16_t *corner = from + (size_t)y * (size_t)bin * wide
				+ (size_t)x * (size_t)bin;
			uint32_t sum = share / 2;
			for (int j = 0; j < bin; j++) {
				for (int i = 0; i < bin; i++) {
					sum += corner[(size_t)j * wide + (size_t)i];
				}
			}
			to[(size_t)y * (size_t)num_x + (size_t)x] = (uint16_t)(sum / share);
		}
	}
}

/* Pixels of one strip, so that a large frame needs no second large buffer. */
#define STRIP_PIXELS (512u * 1024u)

static enum err_code render_frame(struct sim_camera *c, const struct sim_scene *scene,
	uint16_t *out, struct err *err)
{
	const struct exposure_request *r = &c->request;
	int32_t wide = r->num_x * r->bin;
	int32_t rows = (int32_t)(STRIP_PIXELS / (unsigned)wide) / r->bin;
	rows = rows < 1 ? 1 : rows;
	size_t most = (size_t)wide * (size_t)rows * (size_t)r->bin;
	float *electrons = malloc(most * sizeof *electrons);
	uint16_t *raw = r->bin > 1 ? malloc(most * sizeof *raw) : NULL;
	if (electrons == NULL || (r->bin > 1 && raw == NULL)) {
		free(electrons);
		free(raw);
		return err_set(err, ERR_NOMEM, "out of memory for the frame");
	}
	struct sim_sensor sensor = sensor_of(r);
	struct sim_random random;
	sim_random_init(&random, c->settings.seed, STREAM_FRAME + 1u + 16u * (c->number + 1));
	for (int32_t y = 0; y < r->num_y; y += rows) {
		int32_t now = r->num_y - y < rows ? r->num_y - y : rows;
		size_t count = (size_t)wide * (size_t)now * (size_t)r->bin;
		uint16_t *to = out + (size_t)y * (size_t)r->num_x;
		sim_render(scene, r->start_x * r->bin, (r->start_y + y) * r->bin, wide, now * r->bin,
			electrons);
		sim_digitise(&sensor, &c->ziggurat, &random, electrons, count, raw != NULL ? raw : to);
		if (raw != NULL) {
			bin_rows(to, raw, r->num_x, now, r->bin);
		}
	}
	free(electrons);
	free(raw);
	return ERR_OK;
}

static enum err_code camera_read(void *ctx, uint16_t *out, size_t count, struct frame_info *info,
	struct err *err)
{
	struct sim_camera *c = ctx;
	const struct exposure_request *r = &c->request;
	if (!c->exposing || clock_now_ms(c->host->clock) < c->ready_ms) {
		return err_set(err, ERR_INVALID_OPERATION, "no exposure is ready");
	}
	if (count < (size_t)r->num_x * (size_t)r->num_y) {
		return err_set(err, ERR_INTERNAL, "the frame does not fit into %zu pixels", count);
	}
	const struct sim_settings *s = &c->settings;
	double step_um = atomic_load(&c->sky->started) ? sim_load(&c->sky->step_um) : s->step_um;
	double ratio = s->focal_length_mm / s->aperture_mm;
	struct sim_psf_shape shape = {
		.fwhm_px = sim_star_fwhm_um(s, c->weather.seeing_arcsec) / s->pixel_um,
		.blur_px = fabs(c->defocus_steps) * step_um / ratio / s->pixel_um,
		.obstruction = s->obstruction,
	};
	struct sim_psf psf = {.stamps = NULL};
	if (r->light && sim_psf_init(&psf, &c->seeing, &shape) != 0) {
		return err_set(err, ERR_NOMEM, "out of memory for the frame");
	}
	struct sim_scene scene = {
		.field = &c->field,
		.psf = r->light ? &psf : NULL,
		.shift_x = c->weather.shift_x_px,
		.shift_y = c->weather.shift_y_px,
		.light_s = c->taken_s * c->weather.transparency,
		.dark_s = c->taken_s,
		.faint_peak_e = 0.05,
	};
	enum err_code code = render_frame(c, &scene, out, err);
	sim_psf_fini(&psf);
	if (code != ERR_OK) {
		return code;
	}
	log_debug(c->host->source, "frame=%llu defocus_steps=%.2f fwhm_px=%.3f blur_px=%.3f "
		"seeing_arcsec=%.3f transparency=%.3f", (unsigned long long)c->number, c->defocus_steps,
		shape.fwhm_px, shape.blur_px, c->weather.seeing_arcsec, c->weather.transparency);
	memset(info, 0, sizeof *info);
	info->width = r->num_x;
	info->height = r->num_y;
	info->planes = 1;
	info->bin = r->bin;
	info->mosaic = IMAGE_MONO;
	info->full_scale_adu = UINT16_MAX;
	info->exposure_s = c->taken_s;
	c->exposing = false;
	return ERR_OK;
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
	.read_frame = camera_read,
};
