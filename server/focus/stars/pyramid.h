/* SPDX-License-Identifier: MIT */
/*
 * One frame at every scale: means of 2x2, 4x4, ... 32x32 pixels.  The fine levels are made row by
 * row whenever somebody asks, so that a large frame costs no second copy; the coarse ones are kept.
 * Private to the measurement; pure.
 */
#ifndef FOCUSD_PYRAMID_H
#define FOCUSD_PYRAMID_H

#include <stdbool.h>
#include <stdint.h>

#include "image.h"

#define PYRAMID_LEVELS 6
/* The finest level that is kept. */
#define PYRAMID_KEPT 3

struct pyramid {
	const struct image *source; /* borrowed */
	int shift;                  /* 1 on a colour mosaic, whose level 0 is its 2x2 means */
	int levels;
	int32_t width[PYRAMID_LEVELS];
	int32_t height[PYRAMID_LEVELS];
	double quantum[PYRAMID_LEVELS]; /* step between values, next to 0 for true floats */
	double sigma[PYRAMID_LEVELS];   /* pixel noise at that level */
	double sky;                     /* typical level of the whole frame */
	float *kept[PYRAMID_LEVELS];    /* from PYRAMID_KEPT on: width x height */
	float *scratch;                 /* of pyramid_row() */
};

/* Lays out the levels that are useful for the size of the source; the kept ones still have no pixels.
 * Given: source, borrowed while the pyramid lives.
 * Status: false when out of memory; the pyramid is then empty.  Free with pyramid_fini(), which an empty one bears. */
bool pyramid_init(struct pyramid *pyramid, const struct image *source);
void pyramid_fini(struct pyramid *pyramid);

/* Fills kept level (> PYRAMID_KEPT, < levels) from the one below, which is filled. */
void pyramid_fill(struct pyramid *pyramid, int level);

/* Pixels x0 .. x0+n-1 of row y of a level, ADU; the range lies within it.  The scratch of the pyramid is used: one
 * thread at a time. */
void pyramid_row(const struct pyramid *pyramid, int level, int32_t y, int32_t x0, int32_t n,
	float *out);

/* n means of 2x2 pixels of two rows of 2n.  A missing pixel (NaN, infinite) is left out of its
 * mean; may_miss says that there can be any. */
void halve_rows(const float *above, const float *below, int32_t n, bool may_miss, float *out);

#endif
