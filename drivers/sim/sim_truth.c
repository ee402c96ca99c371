/* SPDX-License-Identifier: MIT */
#include "sim_truth.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "text.h"

/* The rings of a curve of growth are so wide, in pixels. */
static const double ring_px = 0.05;
/* Each pixel is cut into CUTS x CUTS squares so that a circle takes its share of it. */
enum { CUTS = 5 };

struct growth {
	double *within;  /* [i] is the light within i + 1 rings */
	int rings;
};

/* Adds the light of a stamp that is centred on a pixel. */
static void add_stamp(struct growth *g, const struct sim_psf *psf, double share)
{
	const float *stamp = sim_psf_stamp(psf, 0, 0);
	int half = psf->size / 2;
	/* The pixels of a large image are small enough as they are and need not be cut. */
	int cuts = psf->size > 160 ? 1 : CUTS;
	for (int y = -half; y <= half; y++) {
		for (int x = -half; x <= half; x++) {
			double light = share * (double)stamp[(y + half) * psf->size + x + half]
				/ (cuts * cuts);
			for (int k = 0; k < cuts * cuts; k++) {
				double dx = x + (k % cuts + 0.5) / cuts - 0.5;
				int line = k / cuts;
				double dy = y + (line + 0.5) / cuts - 0.5;
				int ring = (int)(hypot(dx, dy) / ring_px);
				if (ring < g->rings) {
					g->within[ring] += light;
				}
			}
		}
	}
}

/* The radius that holds this share of the light within the first `rings` rings. */
static double radius_of(const struct growth *g, int rings, double share)
{
	double wanted = share * g->within[rings - 1];
	double before = 0.0;
	for (int i = 0; i < rings; i++) {
		if (g->within[i] >= wanted) {
			double step = g->within[i] - before;
			return ring_px * (i + (step > 0.0 ? (wanted - before) / step : 0.0));
		}
		before = g->within[i];
	}
	return ring_px * rings;
}

static double half_flux(const struct growth *g)
{
	int rings = g->rings;
	double hfr = radius_of(g, rings, 0.5);
	for (int i = 0; i < 40; i++) {
		double c = radius_of(g, rings, 0.8) / fmax(radius_of(g, rings, 0.2), 1e-6);
		double peaked = fmin(1.0, fmax(0.0, (c - 1.9) / 0.6));
		double aperture = (2.3 + 1.7 * peaked) * hfr;
		int next = (int)fmin(fmax(aperture / ring_px, 1.0), g->rings);
		rings += (next - rings) / 2;
		rings = rings < 1 ? 1 : rings;
		hfr = radius_of(g, rings, 0.5);
	}
	return hfr;
}

double sim_truth_hfr_px(const struct sim_scene *scene, const struct sim_star *star)
{
	if (!scene->light) {
		return 0.0;
	}
	struct sim_mix mix[2 * SIM_FOCUS_MOST];
	int count = sim_scene_mix(scene, star, mix, 2 * SIM_FOCUS_MOST);
	int size = 0;
	for (int i = 0; i < count; i++) {
		const struct sim_psf *psf = &scene->blur.level[mix[i].level];
		if (psf->stamps == NULL) {
			return 0.0;
		}
		size = psf->size > size ? psf->size : size;
	}
	struct growth g = {.rings = (int)(0.5 * size / ring_px) + 1};
	g.within = calloc((size_t)g.rings, sizeof *g.within);
	if (g.within == NULL) {
		return 0.0;
	}
	for (int i = 0; i < count; i++) {
		add_stamp(&g, &scene->blur.level[mix[i].level], mix[i].share);
	}
	for (int i = 1; i < g.rings; i++) {
		g.within[i] += g.within[i - 1];
	}
	double hfr = half_flux(&g);
	free(g.within);
	return hfr;
}

/* Pixels b times as wide make an image wider by the square that they are integrated and then cut up
 * over: twice (b^2 - 1)/12 px^2, times 2 ln 2 for a half-flux radius. */
static double binned_hfr(double hfr_px, int bin)
{
	if (hfr_px <= 0.0) {
		return NAN;
	}
	double wider = 2.0 * M_LN2 * 2.0 * (bin * bin - 1) / 12.0;
	return sqrt(hfr_px * hfr_px + wider) / bin;
}

static bool inside(const struct sim_truth_frame *f, double x, double y)
{
	return x > -0.5 && y > -0.5 && x < f->num_x - 0.5 && y < f->num_y - 0.5;
}

/* A coordinate in delivered pixels; the centre of pixel (0, 0) is 0, 0. */
static double delivered(double at_px, double shift, int bin, int32_t start)
{
	return (at_px + shift + 0.5) / bin - 0.5 - start;
}

static void write_stars(struct json_writer *w, const struct sim_truth_frame *f)
{
	const struct sim_field *field = f->scene->field;
	const struct sim_star *brightest[SIM_TRUTH_STARS];
	int count = 0;
	for (size_t i = 0; i < field->star_count; i++) {
		const struct sim_star *star = &field->stars[i];
		if (!inside(f, delivered(star->x, f->scene->shift_x, f->bin, f->start_x),
			delivered(star->y, f->scene->shift_y, f->bin, f->start_y))) {
			continue;
		}
		int at = count;
		while (at > 0 && brightest[at - 1]->flux_e_s < star->flux_e_s) {
			if (at < SIM_TRUTH_STARS) {
				brightest[at] = brightest[at - 1];
			}
			at--;
		}
		if (at < SIM_TRUTH_STARS) {
			brightest[at] = star;
			count += count < SIM_TRUTH_STARS;
		}
	}
	json_key(w, "stars");
	json_array(w);
	for (int i = 0; i < count; i++) {
		const struct sim_star *star = brightest[i];
		double defocus_um = 0.0;
		for (int k = 0; k < f->scene->focus_count; k++) {
			defocus_um += f->scene->focus[k].share
				* sim_scene_defocus(f->scene, star, f->scene->focus[k].defocus_um);
		}
		double across = star->x / field->width - 0.5;
		double clear = fmax(0.0, 1.0 + f->scene->transparency_slope * across);
		json_object(w);
		json_key_double(w, "x", delivered(star->x, f->scene->shift_x, f->bin, f->start_x));
		json_key_double(w, "y", delivered(star->y, f->scene->shift_y, f->bin, f->start_y));
		json_key_double(w, "flux_e", star->flux_e_s * f->scene->light_s * clear);
		json_key_double(w, "defocus_um", defocus_um);
		json_key_double(w, "hfr_px", binned_hfr(sim_truth_hfr_px(f->scene, star), f->bin));
		json_end_object(w);
	}
	json_end_array(w);
}

static void write_frame(struct json_writer *w, const struct sim_truth_frame *f)
{
	const struct sim_field *field = f->scene->field;
	struct sim_star centre = {.x = 0.5 * field->width, .y = 0.5 * field->height};
	char begun[CLOCK_UTC_TEXT];
	clock_utc_text(f->utc_ms, begun);
	json_object(w);
	json_key_int(w, "frame", (int64_t)f->number);
	json_key_string(w, "started", begun);
	json_key_double(w, "night_s", f->night_s);
	json_key_double(w, "exposure_s", f->exposure_s);
	json_key_bool(w, "light", f->light);
	json_key_bool(w, "failed", f->failed);
	json_key_int(w, "bin", f->bin);
	json_key_int(w, "start_x", f->start_x);
	json_key_int(w, "start_y", f->start_y);
	json_key_int(w, "num_x", f->num_x);
	json_key_int(w, "num_y", f->num_y);
	json_key_double(w, "best_position", f->best_position);
	json_key_double(w, "optics_position", f->optics_position);
	json_key_double(w, "optics_first", f->optics_first);
	json_key_double(w, "optics_last", f->optics_last);
	json_key_double(w, "seeing_arcsec", f->weather->seeing_arcsec);
	json_key_double(w, "fwhm_px", f->scene->fwhm_px / f->bin);
	json_key_double(w, "transparency", f->weather->transparency);
	json_key_double(w, "shift_x_px", f->weather->shift_x_px / f->bin);
	json_key_double(w, "shift_y_px", f->weather->shift_y_px / f->bin);
	json_key_double(w, "air_c", f->air_c);
	json_key_double(w, "tube_c", f->tube_c);
	json_key_double(w, "sensor_c", f->sensor_c);
	json_key_double(w, "electrons_per_adu", f->electrons_per_adu);
	json_key_double(w, "bias_adu", f->bias_adu);
	json_key_double(w, "hfr_px", binned_hfr(sim_truth_hfr_px(f->scene, &centre), f->bin));
	if (f->light) {
		write_stars(w, f);
	}
	json_end_object(w);
}

enum err_code sim_truth_write(const char *folder, const struct sim_truth_frame *frame, struct err *err)
{
	struct buf text;
	struct json_writer w;
	buf_init(&text, 65536);
	json_begin(&w, &text);
	write_frame(&w, frame);
	buf_printf(&text, "\n");
	char path[1024];
	snprintf(path, sizeof path, "%s/simulator-truth.jsonl", folder);
	FILE *file = fopen(path, "a");
	bool good = !text.failed && file != NULL && fputs(buf_text(&text), file) >= 0;
	int why = errno;
	if (file != NULL && fclose(file) != 0) {
		good = false;
		why = errno;
	}
	buf_fini(&text);
	return good ? ERR_OK : err_set(err, ERR_REFUSED, "%s: %s", path, strerror(why));
}
