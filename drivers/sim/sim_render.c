/* SPDX-License-Identifier: MIT */
#include "sim_render.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_FIELD = 4, STREAM_HOT = 5 };

/* Stars on a sensor of the default size; a bigger one shows more sky. */
static const double stars_default = 180.0;
static const double stars_most = 20000.0;
static const double margin_px = 48.0;

/* Faintest star in electrons per second through the default telescope (about magnitude 15), and the
 * slope of the counts: flux goes as u^(-0.4/0.35) for uniform u. */
static const double faintest_e_s = 600.0;
static const double flux_exponent = -0.4 / 0.35;
/* No brighter star: one of those would drown a field of this size. */
static const double brightest_e_s = 1e6;

/* Sky of a suburb through the default telescope and pixel. */
static const double sky_default_e_s = 2.0;
static const double dark_e_s = 0.01;

static const double hot_share = 1e-4;

static double collecting_area(double aperture_mm, double obstruction)
{
	return aperture_mm * aperture_mm * (1.0 - obstruction * obstruction);
}

static int hot_order(const void *a, const void *b)
{
	const struct sim_hot_pixel *p = a;
	const struct sim_hot_pixel *q = b;
	return (p->y > q->y) - (p->y < q->y);
}

int sim_field_init(struct sim_field *field, const struct sim_settings *s)
{
	memset(field, 0, sizeof *field);
	field->width = s->width;
	field->height = s->height;
	const struct optics_config *ref = sim_default_optics();
	double area = collecting_area(s->aperture_mm, s->obstruction)
		/ collecting_area(ref->aperture_mm, ref->obstruction_mm / ref->aperture_mm);
	double scale = (s->pixel_um / s->focal_length_mm) / (SIM_PIXEL_UM / ref->focal_length_mm);
	field->sky_e_s = sky_default_e_s * area * scale * scale;

	double pixels = (double)s->width * s->height;
	double wanted = s->stars >= 0 ? s->stars
		: stars_default * pixels / ((double)SIM_WIDTH_PX * SIM_HEIGHT_PX);
	double wide = s->width + 2.0 * margin_px;
	double high = s->height + 2.0 * margin_px;
	wanted = fmin(wanted, stars_most) * wide * high / pixels;
	field->star_count = (size_t)lrint(wanted);
	field->hot_count = (size_t)(pixels * hot_share);
	field->stars = malloc((field->star_count + 1) * sizeof *field->stars);
	field->hot = malloc((field->hot_count + 1) * sizeof *field->hot);
	if (field->stars == NULL || field->hot == NULL) {
		sim_field_fini(field);
		return -1;
	}
	struct sim_random random;
	sim_random_init(&random, s->seed, STREAM_FIELD);
	for (size_t i = 0; i < field->star_count; i++) {
		struct sim_star *star = &field->stars[i];
		star->x = sim_random_uniform(&random) * wide - margin_px;
		star->y = sim_random_uniform(&random) * high - margin_px;
		double flux = faintest_e_s * pow(sim_random_uniform(&random), flux_exponent);
		star->flux_e_s = area * fmin(flux, brightest_e_s);
	}
	sim_random_init(&random, s->seed, STREAM_HOT);
	for (size_t i = 0; i < field->hot_count; i++) {
		struct sim_hot_pixel *hot = &field->hot[i];
		hot->x = (int32_t)(sim_random_uniform(&random) * s->width);
		hot->y = (int32_t)(sim_random_uniform(&random) * s->height);
		hot->rate_e_s = -150.0 * log(sim_random_uniform(&random));
	}
	qsort(field->hot, field->hot_count, sizeof *field->hot, hot_order);
	return 0;
}

void sim_field_fini(struct sim_field *field)
{
	free(field->stars);
	free(field->hot);
	field->stars = NULL;
	field->hot = NULL;
	field->star_count = 0;
	field->hot_count = 0;
}

static int32_t larger(int32_t a, int32_t b)
{
	return a > b ? a : b;
}

static int32_t smaller(int32_t a, int32_t b)
{
	return a < b ? a : b;
}

static void add_star(const struct sim_scene *scene, const struct sim_star *star, int32_t x0,
	int32_t y0, int32_t width, int32_t height, float *electrons)
{
	const struct sim_psf *psf = scene->psf;
	int px;
	int py;
	int phase_x;
	int phase_y;
	sim_psf_split(psf, star->x + scene->shift_x, &px, &phase_x);
	sim_psf_split(psf, star->y + scene->shift_y, &py, &phase_y);
	int32_t half = psf->size / 2;
	int32_t left = larger(px - half, x0);
	int32_t right = smaller(px + half + 1, x0 + width);
	int32_t top = larger(py - half, y0);
	int32_t bottom = smaller(py + half + 1, y0 + height);
	if (left >= right) {
		return;
	}
	const float *stamp = sim_psf_stamp(psf, phase_x, phase_y);
	float flux = (float)(star->flux_e_s * scene->light_s);
	for (int32_t y = top; y < bottom; y++) {
		const float *from = stamp + (size_t)(y - py + half) * (size_t)psf->size
			+ (size_t)(left - px + half);
		float *to = electrons + (size_t)(y - y0) * (size_t)width + (size_t)(left - x0);
		for (int32_t i = 0; i < right - left; i++) {
			to[i] += flux * from[i];
		}
	}
}

/* Whether a star shows; the light of those that do not is part of the background. */
static int shows(const struct sim_scene *scene, const struct sim_star *star)
{
	return star->flux_e_s * scene->light_s * scene->psf->peak >= scene->faint_peak_e;
}

void sim_render(const struct sim_scene *scene, int32_t x0, int32_t y0, int32_t width,
	int32_t height, float *electrons)
{
	const struct sim_field *field = scene->field;
	double level = dark_e_s * scene->dark_s;
	if (scene->psf != NULL) {
		double spread = 0.0;
		for (size_t i = 0; i < field->star_count; i++) {
			if (!shows(scene, &field->stars[i])) {
				spread += field->stars[i].flux_e_s;
			}
		}
		spread /= (field->width + 2.0 * margin_px) * (field->height + 2.0 * margin_px);
		level += (field->sky_e_s + spread) * scene->light_s;
	}
	size_t count = (size_t)width * (size_t)height;
	for (size_t i = 0; i < count; i++) {
		electrons[i] = (float)level;
	}
	for (size_t i = 0; scene->psf != NULL && i < field->star_count; i++) {
		if (shows(scene, &field->stars[i])) {
			add_star(scene, &field->stars[i], x0, y0, width, height, electrons);
		}
	}
	for (size_t i = 0; i < field->hot_count && field->hot[i].y < y0 + height; i++) {
		const struct sim_hot_pixel *hot = &field->hot[i];
		if (hot->y >= y0 && hot->x >= x0 && hot->x < x0 + width) {
			electrons[(size_t)(hot->y - y0) * (size_t)width + (size_t)(hot->x - x0)] +=
				(float)(hot->rate_e_s * scene->dark_s);
		}
	}
}

void sim_digitise(const struct sim_sensor *sensor, const struct sim_ziggurat *ziggurat,
	struct sim_random *random, const float *electrons, size_t count, uint16_t *to)
{
	float read_variance = (float)(sensor->read_noise_e * sensor->read_noise_e);
	float well = (float)sensor->full_well_e;
	float per_adu = (float)(1.0 / sensor->electrons_per_adu);
	float bias = (float)sensor->bias_adu + 0.5f;
	float top = (float)sensor->max_adu;
	for (size_t i = 0; i < count; i++) {
		/* Photon and read noise are one normal deviate: below some 10 electrons, where a Poisson
		 * count would differ from it, the read noise hides the difference. */
		float e = electrons[i];
		float sigma = __builtin_sqrtf(e + read_variance);
		float v = e + sigma * sim_normal(ziggurat, random);
		v = (v > well ? well : v) * per_adu + bias;
		v = v < 0.0f ? 0.0f : v;
		to[i] = (uint16_t)(v > top ? top : v);
	}
}
