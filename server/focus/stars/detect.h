/* SPDX-License-Identifier: MIT */
/*
 * Where something stands out of the sky, at every size: a bank of disk filters over the levels of a
 * pyramid.  Private to the measurement; pure.
 */
#ifndef FOCUSD_DETECT_H
#define FOCUSD_DETECT_H

#include <stddef.h>

#include "pyramid.h"

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

/* Fills sky, sigma and the kept levels of the pyramid and lists all peaks above 5.5 sigma of the
 * filtered noise, brightest SNR first.  0, or -1 when out of memory; free(list->item) in both
 * cases. */
int detect(struct pyramid *pyramid, struct candidates *list);

#endif
