/* SPDX-License-Identifier: MIT */
/*
 * Sky level and noise: robust statistics of samples, and a mesh of them over a frame.  Private to
 * the measurement; pure.
 */
#ifndef FOCUSD_BACKGROUND_H
#define FOCUSD_BACKGROUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image.h"

/* Level and 1 sigma of a sky. */
struct sky {
	double level;
	double sigma;
};

/* Sky of n (> 0) samples of which up to 60 % may be something brighter: the shortest interval that
 * holds 40 % of them, then the mean of what lies within 3 sigma of it.  quantum is the step between
 * neighbouring values (1 for integers, 0 for floats): a sigma is never below 0.3 of it, because a
 * mean over clipped integers needs room.  Sorts the samples. */
struct sky sky_of_samples(float *samples, size_t n, double quantum);

/* Sky of n (> 0) samples that are mostly sky: median, MAD, and the mean within 2.5 sigma.
 * Reorders the samples. */
struct sky sky_of_annulus(float *samples, size_t n, double quantum);

/* The k-th smallest (0-based, k < n).  Reorders the values. */
float select_float(float *values, size_t n, size_t k);

/* Ascending order; no NaN among them. */
void sort_float(float *values, size_t n);

/* A mesh of sky levels; zeroed is empty. */
struct background {
	int32_t cell;          /* px of the image per cell */
	int32_t height;        /* of the image, px */
	int32_t columns, rows;
	float *level;          /* columns x rows */
	double typical;        /* median level over the cells */
	double sigma;          /* median sigma over the cells: pixel noise */
};

/* Fills the mesh of img in cells of about cell px; missing pixels (NaN) are left out.  0, or -1
 * when out of memory.  Free with background_fini(). */
int background_init(struct background *bg, const struct image *img, int32_t cell, double quantum);
void background_fini(struct background *bg);

/* Writes the sky under each pixel of row y: out[0 .. width-1]. */
void background_row(const struct background *bg, int32_t y, int32_t width, float *out);

/* Copies pixels x0 .. x0+n-1 of row y into out as floats; the range lies within the image. */
void image_row(const struct image *img, int32_t y, int32_t x0, int32_t n, float *out);

#endif
