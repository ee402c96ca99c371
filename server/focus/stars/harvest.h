/* SPDX-License-Identifier: MIT */
/*
 * What the disk filters of one level find: their peaks, and samples of them by which their noise is told.  Private to
 * the detection; pure.
 */
#ifndef FOCUSD_HARVEST_H
#define FOCUSD_HARVEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "detect.h"

/* The filters: disks of radius 1.3, 1.7, 2.6 and 3.4 px of their level. */
enum { HARVEST_KERNELS = 4 };

/* The filters of one level; zeroed is empty. */
struct harvest {
	double bin;          /* px of level 0 per px of the level */
	double sigma;        /* noise of a pixel of the level, ADU */
	int first, last;     /* filters that the level has */
	int32_t noise_step;  /* px between two samples, in both directions; the first lies at half of it */
	float *noise;        /* [HARVEST_KERNELS][samples] */
	size_t noise_count[HARVEST_KERNELS];
	double raise[HARVEST_KERNELS];
	struct candidates found[HARVEST_KERNELS];
};

/* Gets ready for a level.
 * Given: pyramid, whose sigma is known; level; first, last, filters of the level.
 * Status: false when out of memory.  Free with harvest_fini() in any case. */
bool harvest_init(struct harvest *harvest, const struct pyramid *pyramid, int level, int first, int last);
void harvest_fini(struct harvest *harvest);

/* The sum over a disk, ADU of the level's pixels above the sky, from which a peak is taken in. */
float harvest_threshold(const struct harvest *harvest, int kernel);

/* Takes in a peak.
 * Given: (x, y), px of the level; sum over the disk, ADU.
 * Status: false when out of memory.
 * Notes: 1) where there are more than 131072 of one filter, its threshold rises and the faintest go. */
bool harvest_peak(struct harvest *harvest, int kernel, int32_t x, int32_t y, float sum);

/* Takes in a sample of the filter's noise; what is beyond its room is left out. */
void harvest_sample(struct harvest *harvest, int kernel, float sum);

/* Adds what exceeds 5.5 sigma of the noise that each filter shows to a list.
 * Given: least, the frame's shorter side, px.
 * Status: false when out of memory. */
bool harvest_list(const struct harvest *harvest, int32_t least, struct candidates *list);

#endif
