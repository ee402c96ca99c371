/* SPDX-License-Identifier: MIT */
/*
 * Where something stands out of the sky, at every size: a pyramid of binned copies and a bank of
 * disk filters over it.  Private to the measurement; pure.
 */
#ifndef FOCUSD_DETECT_H
#define FOCUSD_DETECT_H

#include <stddef.h>
#include <stdint.h>

#include "background.h"
#include "image.h"

#define PYRAMID_LEVELS 6

/* The frame (level 0, borrowed) and its means of 2x2, 4x4, ... 32x32 pixels. */
struct pyramid {
	int levels;
	struct image image[PYRAMID_LEVELS];
	double quantum[PYRAMID_LEVELS]; /* step between values, 0 for true floats */
	double sigma[PYRAMID_LEVELS];   /* pixel noise at that level */
	double sky;                     /* typical level of the whole frame */
	float *owned[PYRAMID_LEVELS];
};

/* Builds the levels of a mono image that are useful for its size.  0, or -1 when out of memory.
 * Free with pyramid_fini(). */
int pyramid_init(struct pyramid *pyramid, const struct image *img);
void pyramid_fini(struct pyramid *pyramid);

/* A peak of one filter.  Positions in px of level 0. */
struct candidate {
	float x, y;
	float radius;  /* of the disk that found it, px of level 0 */
	float snr;     /* over the noise that this filter shows in this frame */
	float flux;    /* in the disk, ADU */
};

struct candidates {
	struct candidate *item;
	size_t count;
	size_t cap;
};

/* Fills sky and sigma of the pyramid and lists all peaks above 5.5 sigma of the filtered noise,
 * brightest SNR first.  0, or -1 when out of memory; free(list->item) in both cases. */
int detect(struct pyramid *pyramid, struct candidates *list);

/* The same image as means of 2x2 pixels, as floats in *owned (free it); a missing pixel is left
 * out of its mean.  0 or -1. */
int image_halve(const struct image *img, struct image *half, float **owned);

#endif
