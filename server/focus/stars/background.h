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

/* Sky of samples of which many may be something brighter.
 * Given: samples[n], n > 0, ADU, no NaN; quantum, the step between neighbouring values (1 for integers, 0 for
 * floats).
 * Returned: level and sigma, ADU; the samples are sorted.
 * Notes: 1) the middle of the shortest interval that holds 40 % of the samples, then the mean of what lies within 3
 * sigma of it, up to four times.  2) sigma is never below 0.3 of quantum, because a mean over clipped integers needs
 * room.  3) of 512 samples of Gaussian noise with light from 0 to 30 sigma added to a share of them: level +0.00
 * sigma and sigma -0.2 % without any, +0.04 and +3 % with 20 %, +0.13 and +13 % with 40 %, +0.39 and +46 % with 50
 * %; not to be used beyond: tests/unit/focus/test_background.c sky_of_mixtures.
 * Source: half-sample mode of Bickel and Fruehwirth, Computational Statistics and Data Analysis 50 (2006) 3500, one
 * step with 40 %; kappa-sigma clipping. */
struct sky sky_of_samples(float *samples, size_t n, double quantum);

/* Sky of samples that are mostly sky.
 * Given, returned: as above.
 * Notes: 1) the median, sigma from the lower quartile alone, because neighbours and wings stand in the upper half,
 * then the mean within 2.5 sigma.  2) of the samples above: level +0.00 sigma and sigma -0.4 % with nothing
 * brighter, +0.03 and +2 % with 20 %, +0.08 and +8 % with 40 %: tests/unit/focus/test_background.c sky_of_mixtures. */
struct sky sky_of_annulus(float *samples, size_t n, double quantum);

/* A mesh of sky levels; zeroed is empty. */
struct background {
	int32_t height;        /* of the level it is for, px */
	int32_t columns, rows;
	float *level;          /* columns x rows */
	double typical;        /* median level over the cells */
};

/* Fills the mesh for one level of the pyramid.
 * Given: pyramid; level, 0..pyramid->levels - 1, whose pixels the mesh is for; cell, px of that level, > 0, about
 * which a cell is wide and high.
 * Returned: *bg, to be freed with background_fini().
 * Status: false when out of memory; *bg is then empty.
 * Notes: 1) the sky of each cell is sky_of_samples() of up to 256 means of up to 4 x 4 pixels, missing ones left
 * out; then the median of 3 x 3 cells.  2) on a flat sky of 800 ADU the level is within 3 ADU at a noise of 10, also
 * under a ring that fills a stamp: tests/unit/fits/test_measure.c sizes_of_bright_stars.
 * Source: the mesh and its median are those of Bertin and Arnouts, SExtractor (1996), section 3. */
bool background_init(struct background *bg, const struct pyramid *pyramid, int level, int32_t cell);
void background_fini(struct background *bg);

/* 1 sigma of the noise of a pixel of level 0, ADU: the median over 64 patches of 28 x 28 px of the sigma of
 * sky_of_samples(), whose accuracy it has; 0 when no patch has 12 pixels. */
double background_noise(const struct pyramid *pyramid);

/* Writes the sky under each pixel of row y (0..height - 1) of the level: out[0 .. width - 1], ADU, bilinear between the
 * centres of cells and constant beyond the outermost. */
void background_row(const struct background *bg, int32_t y, int32_t width, float *out);

#endif
