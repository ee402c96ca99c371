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

/* Fills sky, sigma and the kept levels of the pyramid and lists all peaks, largest SNR first.
 * Given: pyramid from pyramid_init().
 * Returned: *list; free(list->item) in any case.
 * Status: false when out of memory.
 * Notes: 1) the filters are filled disks: of 1.3 and 1.7 px of levels 0 and 1, of these and of 2.6 and 3.4 px of level
 * 2, of the latter two on each coarser level.  The radii grow by 1.5 at most, so that the best of them has 0.96 and
 * more of the SNR of the right one (Gaussian, by integration).  2) a peak is a local maximum above 5.5 sigma of the
 * noise that its filter shows in this frame, on levels 0 and 1 where a block of 4 x 4 pixels stands out too (sieve.h);
 * in 60 frames of noise no star came of it: tests/unit/fits/test_measure.c noise_has_no_stars.  3) 165 of 165 isolated
 * stars and rings of SNR 18 to 180 are found: donut_fields, there; 98 % of those of SNR 10, all of SNR 15:
 * faint_stars_are_found, there.
 * Source: matched filtering; Turin, IRE Transactions on Information Theory 6 (1960) 311. */
bool detect(struct pyramid *pyramid, struct candidates *list);

#endif
