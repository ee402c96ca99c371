/* SPDX-License-Identifier: MIT */
/*
 * Pixels of the simulated sky: a field of stars fixed by the seed, the light of one exposure
 * without noise, and the sensor that turns light into numbers.  Pure; once prepared, a scene may be
 * rendered by several threads.  Pixel coordinates: centre of pixel (0, 0) is 0.0, 0.0;
 * unbinned.
 */
#ifndef FOCUSD_SIM_RENDER_H
#define FOCUSD_SIM_RENDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim_psf.h"
#include "sim_random.h"
#include "sim_sky.h"

struct sim_star {
	double x, y;         /* px */
	double flux_e_s;     /* electrons per second under a clear sky, without a filter */
	float colour[3];     /* share of it behind red, green and blue filters */
};

struct sim_hot_pixel {
	int32_t x, y;
	double rate_e_s;
};

/* What stays the same from frame to frame. */
struct sim_field {
	int32_t width, height;
	struct sim_star *stars;
	size_t star_count;
	struct sim_hot_pixel *hot;  /* ordered by y */
	size_t hot_count;
	double sky_e_s;             /* background per pixel */
	double nebula_e_s;          /* in its centre */
	enum simulator_colour colour;
};

/* Makes the stars, whose number grows by 0.35 dex per magnitude; a margin around the sensor has stars too, because
 * their blurred light reaches the sensor. Returns 0, or -1 when out of memory. */
int sim_field_init(struct sim_field *field, const struct sim_settings *settings);
void sim_field_fini(struct sim_field *field);

/* Where the optics stood for a share of the exposure: distance of the sensor's centre from the best
 * focus, um, signed. */
struct sim_focus {
	double defocus_um;
	double share;
};
#define SIM_FOCUS_MOST 32

/* Images of a star at growing blur; those in between are mixed of two. */
#define SIM_BLUR_LEVELS 128
struct sim_blur {
	struct sim_psf level[SIM_BLUR_LEVELS]; /* a level whose stamps are NULL was not needed so far */
	bool exact;                 /* there is level 0 only, and it has exactly the wanted blur */
};

/* The light of one exposure; everything up to the line is the caller's. */
struct sim_scene {
	const struct sim_field *field;
	const struct sim_seeing *seeing;
	bool light;                    /* false: the shutter is closed */
	double fwhm_px;                /* of stars in focus, before pixel integration */
	double blur_px_per_um;
	double obstruction;
	double tilt_x_um, tilt_y_um, curvature_um;
	struct sim_focus focus[SIM_FOCUS_MOST];
	int focus_count;
	double shift_x, shift_y;       /* px, pointing of this frame */
	double light_s;                /* exposure x transparency in the centre */
	double transparency_slope;     /* its change across the width, as a share of that in the centre */
	double dark_s;                 /* exposure x how much faster than at 10 C dark current flows */
	double faint_peak_e;           /* stars whose peak stays below are spread over the frame */
	const atomic_bool *cancelled;  /* sim_scene_init() gives up when it is set; NULL: it never is */
	/* ---- filled by sim_scene_init() ---- */
	struct sim_blur blur;
	struct sim_piece *pieces;      /* stamps to be put into the frame, ordered by top */
	size_t piece_count;
	int32_t piece_most;            /* px, side of the largest */
	double spread_e;               /* light of the faint stars, per pixel */
};

/* Prepares the images of all stars; returns 0, or -1 when out of memory or cancelled (nothing is left to free then). */
int sim_scene_init(struct sim_scene *scene);
void sim_scene_fini(struct sim_scene *scene);

/* Distance of a star from its best focus when the centre's is defocus_um. */
double sim_scene_defocus(const struct sim_scene *scene, const struct sim_star *star, double defocus_um);

/* The levels of which the image of a star is mixed, at most cap of them, and the share of each; the function returns
 * their number. */
struct sim_mix {
	int level;
	double share;
};
int sim_scene_mix(const struct sim_scene *scene, const struct sim_star *star, struct sim_mix *mix,
	int cap);

/* Renders electrons, without noise, in columns x0..x0+width-1 of rows y0..y0+height-1, row-major. plane is 0 to 2 for
 * what red, green and blue filters let through, -1 for what the pixels of the sensor see. */
void sim_render(const struct sim_scene *scene, int32_t x0, int32_t y0, int32_t width,
	int32_t height, int plane, float *electrons);

/* How electrons become numbers. */
struct sim_sensor {
	double read_noise_e;
	double full_well_e;
	double electrons_per_adu;
	double bias_adu;
	int32_t max_adu;
};

/* Adds photon and read noise, saturates, and turns electrons into numbers. `to` gets count values. */
void sim_digitise(const struct sim_sensor *sensor, const struct sim_ziggurat *ziggurat,
	struct sim_random *random, const float *electrons, size_t count, uint16_t *to);

#endif
