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

#include "pyramid.h"

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
 * Sorts the samples. */
struct sky sky_of_annulus(float *samples, size_t n, double quantum);

/* A mesh of sky levels; zeroed is empty. */
struct background {
	int32_t height;        /* of the level it is for, px */
	int32_t columns, rows;
	float *level;          /* columns x rows */
	double typical;        /* median level over the cells */
};

/* Fills the mesh for one level of the pyramid in cells of about cell px of that level.  The sky is
 * sampled in means of up to 4x4 pixels; missing pixels (NaN) are left out.  0, or -1 when out of
 * memory.  Free with background_fini(). */
int background_init(struct background *bg, const struct pyramid *pyramid, int level, int32_t cell);
void background_fini(struct background *bg);

/* 1 sigma of the noise of a pixel of level 0: the median over patches of the frame. */
double background_noise(const struct pyramid *pyramid);

/* Writes the sky under each pixel of row y: out[0 .. width-1]. */
void background_row(const struct background *bg, int32_t y, int32_t width, float *out);

#endif
