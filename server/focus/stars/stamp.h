/* SPDX-License-Identifier: MIT */
/*
 * The surroundings of one star: pixels, sky in a ring, centre.  Private to the stars; pure.  All lengths are px of the
 * level that is looked at, positions are 0-based pixel centres.
 */
#ifndef FOCUSD_STAMP_H
#define FOCUSD_STAMP_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "background.h"
#include "pyramid.h"

/* Farthest that a probe looks from its centre, px. */
#define PROBE_REACH 240
/* Most samples of one ring of sky; the room that stamp_ring_sky() is handed. */
#define STAMP_SAMPLES 4096

/* A piece of a level, in memory of the caller. */
struct stamp {
	const float *data;     /* NaN where missing; NULL before stamp_cut() */
	int32_t x0, y0;        /* image position of its first pixel */
	int32_t width, height;
};

/* A value held to a range and cut to an integer. */
static inline int32_t clamp_i32(double v, int32_t low, int32_t high)
{
	return v < low ? low : (v > high ? high : (int32_t)v);
}

/* The pixel at an image position, ADU; NAN outside the stamp or where missing. */
static inline double stamp_at(const struct stamp *s, int32_t x, int32_t y)
{
	if (x < s->x0 || y < s->y0 || x >= s->x0 + s->width || y >= s->y0 + s->height) {
		return NAN;
	}
	return (double)s->data[(size_t)(y - s->y0) * (size_t)s->width + (size_t)(x - s->x0)];
}

/* Copies the pixels within reach of (x, y) as far as the level has them; memory holds (2 * PROBE_REACH + 1)^2. */
struct stamp stamp_cut(const struct pyramid *pyramid, int level, double x, double y, double reach, float *memory);

/* Replaces lone hot pixels by the mean of their neighbours.
 * Given: stamp, whose pixels memory holds; sky, sigma, ADU.
 * Notes: 1) lone is what exceeds twice the brightest neighbour by 8 sigma; no star with an HFR above 2.5 px has such a
 * pixel, so only call it there.  2) of a Gaussian with that HFR the brightest pixel exceeds its neighbour by a tenth
 * (exp(ln 2 / 2.5^2) = 1.12). */
void stamp_mend_spikes(const struct stamp *s, float *memory, double sky, double sigma);

/* Sky and its noise in the ring between two radii.
 * Given: (x, y), inner < outer, px; hfr of the star, px; quantum, step between pixel values, ADU; samples, room for
 * STAMP_SAMPLES.
 * Returned: level and sigma of a pixel, ADU, NAN where fewer than 12 samples are left; *count, pixels they stand for.
 * Notes: 1) under a star above 2.5 px it is the sky of blocks of 3x3 or 4x4 pixels: clipping single pixels of a
 * lopsided noise would take their mean, which the star stands on, too low.  2) the method is sky_of_annulus(). */
struct sky stamp_ring_sky(const struct stamp *s, double x, double y, double inner, double outer, double hfr,
	double quantum, float *samples, size_t *count);

/* One step of the flux-weighted centre.
 * Given: sky, ADU; radius, px; *x, *y, a guess.
 * Returned: *x, *y, the centre of the signed light within radius of the guess.
 * Status: false when there is no positive flux; the guess then stands.
 * Notes: 1) the rim is soft over a pixel, so that the centre does not jump with the pixels.  2) three steps bring it to
 * 0.02 HFR + 0.05 px of the truth at SNR 800: tests/unit/fits/test_measure.c sizes_of_bright_stars.
 * Source: first moments; Stone, Astronomical Journal 97 (1989) 1227. */
bool stamp_centre(const struct stamp *s, double sky, double radius, double *x, double *y);

#endif
