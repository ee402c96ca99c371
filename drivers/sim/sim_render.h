/* SPDX-License-Identifier: MIT */
/*
 * Pixels of the simulated sky: a field of stars fixed by the seed, the light of one exposure
 * without noise, and the sensor that turns light into numbers.  Pure; called by the simulated
 * camera and its tests on one thread.  Pixel coordinates: centre of pixel (0, 0) is 0.0, 0.0;
 * unbinned.
 */
#ifndef FOCUSD_SIM_RENDER_H
#define FOCUSD_SIM_RENDER_H

#include <stddef.h>
#include <stdint.h>

#include "sim_psf.h"
#include "sim_random.h"
#include "sim_sky.h"

struct sim_star {
	double x, y;         /* px */
	double flux_e_s;     /* electrons per second under a clear sky */
};

struct sim_hot_pixel {
	int32_t x, y;
	double rate_e_s;
};

/* What does not change from frame to frame. */
struct sim_field {
	int32_t width, height;
	struct sim_star *stars;
	size_t star_count;
	struct sim_hot_pixel *hot;  /* ordered by y */
	size_t hot_count;
	double sky_e_s;             /* background per pixel */
};

/* Stars rise in number by 0.35 dex per magnitude; a margin around the sensor has stars too, whose
 * blurred light reaches in.  0, or -1 when out of memory. */
int sim_field_init(struct sim_field *field, const struct sim_settings *settings);
void sim_field_fini(struct sim_field *field);

/* The light of one exposure. */
struct sim_scene {
	const struct sim_field *field;
	const struct sim_psf *psf;     /* NULL: the shutter is closed */
	double shift_x, shift_y;       /* px, pointing of this frame */
	double light_s;                /* exposure x transparency */
	double dark_s;                 /* exposure, for dark current and hot pixels */
	double faint_peak_e;           /* stars whose peak stays below are spread over the frame */
};

/* Electrons, without noise, in columns x0..x0+width-1 of rows y0..y0+height-1, row-major. */
void sim_render(const struct sim_scene *scene, int32_t x0, int32_t y0, int32_t width,
	int32_t height, float *electrons);

/* How electrons become numbers. */
struct sim_sensor {
	double read_noise_e;
	double full_well_e;
	double electrons_per_adu;
	double bias_adu;
	int32_t max_adu;
};

/* Photon and read noise, saturation, digitisation.  `to` gets count values. */
void sim_digitise(const struct sim_sensor *sensor, const struct sim_ziggurat *ziggurat,
	struct sim_random *random, const float *electrons, size_t count, uint16_t *to);

#endif
