/* SPDX-License-Identifier: MIT */
#include "sim_render.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_FIELD = 4, STREAM_HOT = 5, STREAM_COLOUR = 8 };

/* A sensor of the default size shows so many stars; a bigger one shows more sky. */
static const double stars_default = 180.0;
static const double stars_most = 20000.0;
static const double margin_px = 48.0;

/* The faintest star in electrons per second through the default telescope (about magnitude 15), and the slope of the
 * counts: the flux goes as u^(-0.4/0.35) for uniform u. */
static const double faintest_e_s = 600.0;
static const double flux_exponent = -0.4 / 0.35;
/* No star is brighter, because it would drown a field of this size. */
static const double brightest_e_s = 1e6;

/* The sky of a suburb, through the default telescope and on its pixel. */
static const double sky_default_e_s = 2.0;
static const double dark_e_s = 0.01;

static const double hot_share = 1e-4;

/* The share of grey light that each filter lets through, and how much the colours of stars differ. */
static const float filter_share[3] = {0.28f, 0.38f, 0.26f};
static const double colour_scatter = 0.25;

/* The size of the nebula as a share of the frame's diagonal. */
static const double nebula_share = 0.15;

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

/* The index of the first hot pixel in row y or below. */
static size_t hot_from(const struct sim_field *field, int32_t y)
{
	size_t low = 0;
	size_t high = field->hot_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (field->hot[middle].y < y) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
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
	field->hot_count = s->hot_pixels >= 0 ? (size_t)s->hot_pixels : (size_t)(pixels * hot_share);
	field->nebula_e_s = s->nebula * field->sky_e_s;
	field->colour = s->colour;
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
	sim_random_init(&random, s->seed, STREAM_COLOUR);
	for (size_t i = 0; i < field->star_count; i++) {
		float warm = (float)exp(colour_scatter * sim_normal_simple(&random));
		field->stars[i].colour[0] = filter_share[0] * warm;
		field->stars[i].colour[1] = filter_share[1];
		field->stars[i].colour[2] = filter_share[2] / warm;
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

/* ---- what a frame is made of ---- */

/* One stamp in the frame. */
struct sim_piece {
	const float *stamp;
	int32_t size;
	int32_t left, top;      /* px, where its first element goes */
	float electrons;
	const float *colour;    /* of its star */
};

/* Orders pieces by their top. The other members are compared only to make the order, and with it the rounding of every
 * sum, the same each time. */
static int piece_order(const void *a, const void *b)
{
	const struct sim_piece *p = a;
	const struct sim_piece *q = b;
	if (p->top != q->top) {
		return p->top < q->top ? -1 : 1;
	}
	if (p->left != q->left) {
		return p->left < q->left ? -1 : 1;
	}
	return (p->electrons > q->electrons) - (p->electrons < q->electrons);
}

/* The index of the first piece that begins in row y or below. */
static size_t piece_from(const struct sim_scene *scene, int32_t y)
{
	size_t low = 0;
	size_t high = scene->piece_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (scene->pieces[middle].top < y) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

/* Levels of blur, in FWHM: the first ones are this far apart, and the distance grows by this share. */
static const double blur_step = 0.15;
static const double blur_growth = 1.075;

static double level_of(double blur)
{
	double turn = blur_step / (blur_growth - 1.0);
	return blur < turn ? blur / blur_step : turn / blur_step + log(blur / turn) / log(blur_growth);
}

static double blur_of(int level)
{
	double turn = blur_step / (blur_growth - 1.0);
	double at = level * blur_step;
	return at < turn ? at : turn * pow(blur_growth, level - turn / blur_step);
}

double sim_scene_defocus(const struct sim_scene *scene, const struct sim_star *star, double defocus_um)
{
	const struct sim_field *field = scene->field;
	double x = star->x / field->width - 0.5;
	double y = star->y / field->height - 0.5;
	double corner = hypot(field->width, field->height) / 2.0;
	double r = hypot(x * field->width, y * field->height) / corner;
	return defocus_um - scene->tilt_x_um * x - scene->tilt_y_um * y - scene->curvature_um * r * r;
}

/* Adds a share to a level of the list, which gets the level when it is not there. */
static int mix_add(struct sim_mix *mix, int count, int cap, int level, double share)
{
	for (int i = 0; i < count; i++) {
		if (mix[i].level == level) {
			mix[i].share += share;
			return count;
		}
	}
	if (count < cap) {
		mix[count++] = (struct sim_mix){level, share};
	}
	return count;
}

int sim_scene_mix(const struct sim_scene *scene, const struct sim_star *star, struct sim_mix *mix,
	int cap)
{
	if (scene->blur.exact) {
		return mix_add(mix, 0, cap, 0, 1.0);
	}
	int count = 0;
	for (int i = 0; i < scene->focus_count; i++) {
		double defocus = sim_scene_defocus(scene, star, scene->focus[i].defocus_um);
		double blur = fmin(fabs(defocus) * scene->blur_px_per_um, SIM_PSF_MAX_BLUR_PX);
		double at = fmin(level_of(blur / scene->fwhm_px), SIM_BLUR_LEVELS - 2.0);
		int level = (int)at;
		double upper = at - level;
		count = mix_add(mix, count, cap, level, scene->focus[i].share * (1.0 - upper));
		if (upper > 0.0) {
			count = mix_add(mix, count, cap, level + 1, scene->focus[i].share * upper);
		}
	}
	return count;
}

static int need_level(struct sim_scene *scene, int level, double blur_px)
{
	struct sim_psf *psf = &scene->blur.level[level];
	if (psf->stamps != NULL) {
		return 0;
	}
	struct sim_psf_shape shape = {
		.fwhm_px = scene->fwhm_px, .blur_px = blur_px, .obstruction = scene->obstruction};
	return sim_psf_init(psf, scene->seeing, &shape);
}

#define MIX_MOST (2 * SIM_FOCUS_MOST)

static int add_pieces(struct sim_scene *scene, const struct sim_star *star, double *spread)
{
	struct sim_mix mix[MIX_MOST];
	int count = sim_scene_mix(scene, star, mix, MIX_MOST);
	double across = star->x / scene->field->width - 0.5;
	double clear = fmax(0.0, 1.0 + scene->transparency_slope * across);
	double electrons = star->flux_e_s * scene->light_s * clear;
	double peak = 0.0;
	for (int i = 0; i < count; i++) {
		if (!scene->blur.exact
			&& need_level(scene, mix[i].level, blur_of(mix[i].level) * scene->fwhm_px) != 0) {
			return -1;
		}
		peak += mix[i].share * scene->blur.level[mix[i].level].peak;
	}
	if (electrons * peak < scene->faint_peak_e) {
		*spread += electrons;
		return 0;
	}
	for (int i = 0; i < count; i++) {
		const struct sim_psf *psf = &scene->blur.level[mix[i].level];
		int px;
		int py;
		int phase_x;
		int phase_y;
		sim_psf_split(psf, star->x + scene->shift_x, &px, &phase_x);
		sim_psf_split(psf, star->y + scene->shift_y, &py, &phase_y);
		scene->piece_most = psf->size > scene->piece_most ? psf->size : scene->piece_most;
		scene->pieces[scene->piece_count++] = (struct sim_piece){
			.stamp = sim_psf_stamp(psf, phase_x, phase_y),
			.size = psf->size,
			.left = px - psf->size / 2,
			.top = py - psf->size / 2,
			.electrons = (float)(electrons * mix[i].share),
			.colour = star->colour,
		};
	}
	return 0;
}

/* Whether all stars are blurred alike. */
static bool is_flat(const struct sim_scene *scene)
{
	return scene->focus_count == 1 && scene->tilt_x_um == 0.0 && scene->tilt_y_um == 0.0
		&& scene->curvature_um == 0.0;
}

int sim_scene_init(struct sim_scene *scene)
{
	const struct sim_field *field = scene->field;
	memset(&scene->blur, 0, sizeof scene->blur);
	scene->pieces = NULL;
	scene->piece_count = 0;
	scene->piece_most = 0;
	scene->spread_e = 0.0;
	if (!scene->light) {
		return 0;
	}
	scene->blur.exact = is_flat(scene);
	size_t each = scene->blur.exact ? 1 : 2 * (size_t)scene->focus_count;
	scene->pieces = malloc((field->star_count + 1) * each * sizeof *scene->pieces);
	int status = scene->pieces != NULL ? 0 : -1;
	if (status == 0 && scene->blur.exact) {
		double blur = fabs(scene->focus[0].defocus_um) * scene->blur_px_per_um;
		status = need_level(scene, 0, blur);
	}
	double spread = 0.0;
	for (size_t i = 0; status == 0 && i < field->star_count; i++) {
		bool stop = scene->cancelled != NULL && atomic_load(scene->cancelled);
		status = stop ? -1 : add_pieces(scene, &field->stars[i], &spread);
	}
	/* A star in the middle of the frame tells what the frame as a whole is like. */
	struct sim_star centre = {.x = 0.5 * field->width, .y = 0.5 * field->height};
	status = status == 0 ? add_pieces(scene, &centre, &spread) : status;
	scene->spread_e = spread
		/ ((field->width + 2.0 * margin_px) * (field->height + 2.0 * margin_px));
	if (status != 0) {
		sim_scene_fini(scene);
	} else {
		qsort(scene->pieces, scene->piece_count, sizeof *scene->pieces, piece_order);
	}
	return status;
}

void sim_scene_fini(struct sim_scene *scene)
{
	for (int i = 0; i < SIM_BLUR_LEVELS; i++) {
		sim_psf_fini(&scene->blur.level[i]);
	}
	free(scene->pieces);
	scene->pieces = NULL;
	scene->piece_count = 0;
}

/* The part of a sensor that is being rendered. */
struct window {
	int32_t x0, y0, width, height;
	int plane;
	float *electrons;
};

/* Which filter of an RGGB mosaic lies over a pixel. */
static int filter_at(int32_t x, int32_t y)
{
	return (y & 1) == 0 ? (x & 1) : 1 + (x & 1);
}

static void add_piece(const struct window *w, const struct sim_piece *p, bool mosaic)
{
	int32_t left = p->left > w->x0 ? p->left : w->x0;
	int32_t right = p->left + p->size < w->x0 + w->width ? p->left + p->size : w->x0 + w->width;
	int32_t top = p->top > w->y0 ? p->top : w->y0;
	int32_t bottom = p->top + p->size < w->y0 + w->height ? p->top + p->size : w->y0 + w->height;
	if (left >= right) {
		return;
	}
	for (int32_t y = top; y < bottom; y++) {
		const float *from = p->stamp + (size_t)(y - p->top) * (size_t)p->size
			+ (size_t)(left - p->left);
		float *to = w->electrons + (size_t)(y - w->y0) * (size_t)w->width
			+ (size_t)(left - w->x0);
		float even = p->electrons;
		float odd = p->electrons;
		if (mosaic) {
			even *= p->colour[filter_at(left, y)];
			odd *= p->colour[filter_at(left + 1, y)];
		} else if (w->plane >= 0) {
			even *= p->colour[w->plane];
			odd = even;
		}
		int32_t i = 0;
		for (; i + 1 < right - left; i += 2) {
			to[i] += even * from[i];
			to[i + 1] += odd * from[i + 1];
		}
		if (i < right - left) {
			to[i] += even * from[i];
		}
	}
}

/* Fills the window with dark current and the even brightness of the sky. */
static void fill_level(const struct window *w, double dark, double sky, bool mosaic)
{
	for (int32_t y = 0; y < w->height; y++) {
		float level[2];
		for (int i = 0; i < 2; i++) {
			double share = 1.0;
			if (mosaic) {
				share = (double)filter_share[filter_at(w->x0 + i, w->y0 + y)];
			} else if (w->plane >= 0) {
				share = (double)filter_share[w->plane];
			}
			level[i] = (float)(dark + sky * share);
		}
		float *to = w->electrons + (size_t)y * (size_t)w->width;
		for (int32_t x = 0; x < w->width; x++) {
			to[x] = level[x & 1];
		}
	}
}

/* Adds a round glow in the middle of the frame, red in a colour camera. */
static void add_nebula(const struct window *w, const struct sim_scene *scene, bool mosaic)
{
	const struct sim_field *field = scene->field;
	double sigma = nebula_share * hypot(field->width, field->height);
	float centre = (float)(field->nebula_e_s * scene->light_s);
	for (int32_t y = 0; y < w->height; y++) {
		double dy = (w->y0 + y - 0.5 * field->height - scene->shift_y) / sigma;
		float row = centre * (float)exp(-0.5 * dy * dy);
		for (int32_t x = 0; x < w->width; x++) {
			int filter = mosaic ? filter_at(w->x0 + x, w->y0 + y) : w->plane;
			float dx = (float)((w->x0 + x - 0.5 * field->width - scene->shift_x) / sigma);
			float share = filter < 0 ? 1.0f : filter == 0 ? filter_share[0] : 0.1f;
			w->electrons[(size_t)y * (size_t)w->width + (size_t)x] +=
				row * share * expf(-0.5f * dx * dx);
		}
	}
}

void sim_render(const struct sim_scene *scene, int32_t x0, int32_t y0, int32_t width,
	int32_t height, int plane, float *electrons)
{
	const struct sim_field *field = scene->field;
	const struct window w = {x0, y0, width, height, plane, electrons};
	bool mosaic = plane < 0 && field->colour == SIMULATOR_BAYER;
	double sky = scene->light ? field->sky_e_s * scene->light_s + scene->spread_e : 0.0;
	fill_level(&w, dark_e_s * scene->dark_s, sky, mosaic);
	if (scene->light && field->nebula_e_s > 0.0) {
		add_nebula(&w, scene, mosaic);
	}
	size_t first = piece_from(scene, y0 - scene->piece_most + 1);
	for (size_t i = first; i < scene->piece_count && scene->pieces[i].top < y0 + height; i++) {
		add_piece(&w, &scene->pieces[i], mosaic);
	}
	for (size_t i = hot_from(field, y0); i < field->hot_count && field->hot[i].y < y0 + height; i++) {
		const struct sim_hot_pixel *hot = &field->hot[i];
		if (hot->x >= x0 && hot->x < x0 + width) {
			electrons[(size_t)(hot->y - y0) * (size_t)width + (size_t)(hot->x - x0)] +=
				(float)(hot->rate_e_s * scene->dark_s);
		}
	}
}

/* So many values are digitised at once. */
#define BLOCK 256

/* The loop has a function of its own, so that the compiler makes vector instructions of it. */
static void digitise_block(const struct sim_sensor *sensor, const float *electrons,
	const float *deviates, uint16_t *to)
{
	float read_variance = (float)(sensor->read_noise_e * sensor->read_noise_e);
	float well = (float)sensor->full_well_e;
	float per_adu = (float)(1.0 / sensor->electrons_per_adu);
	float bias = (float)sensor->bias_adu + 0.5f;
	float top = (float)sensor->max_adu;
	for (int i = 0; i < BLOCK; i++) {
		/* One normal deviate stands for photon noise and read noise: below some 10 electrons, where a Poisson
		 * count would differ from it, the read noise hides the difference. */
		float v = electrons[i] + __builtin_sqrtf(electrons[i] + read_variance) * deviates[i];
		v = (v > well ? well : v) * per_adu + bias;
		v = v < 0.0f ? 0.0f : v;
		to[i] = (uint16_t)(int32_t)(v > top ? top : v);
	}
}

void sim_digitise(const struct sim_sensor *sensor, const struct sim_ziggurat *ziggurat,
	struct sim_random *random, const float *electrons, size_t count, uint16_t *to)
{
	float deviates[BLOCK];
	size_t done = 0;
	for (; done + BLOCK <= count; done += BLOCK) {
		sim_normal_fill(ziggurat, random, deviates, BLOCK);
		digitise_block(sensor, electrons + done, deviates, to + done);
	}
	if (done < count) {
		float last[BLOCK] = {0};
		uint16_t numbers[BLOCK];
		memcpy(last, electrons + done, (count - done) * sizeof *last);
		sim_normal_fill(ziggurat, random, deviates, BLOCK);
		digitise_block(sensor, last, deviates, numbers);
		memcpy(to + done, numbers, (count - done) * sizeof *to);
	}
}
