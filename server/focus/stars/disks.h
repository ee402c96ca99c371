/* SPDX-License-Identifier: MIT */
/* The coarse levels, which have few pixels: every disk about every one.  Private to the detection; pure. */
#ifndef FOCUSD_DISKS_H
#define FOCUSD_DISKS_H

#include "background.h"
#include "harvest.h"

/* One level with its rows in flight; zeroed is empty. */
struct disks {
	int32_t width, height;
	int32_t fed;                  /* rows taken in */
	struct background sky;        /* borrowed, laid over the height of the level */
	struct harvest harvest;
	float *sums;                  /* sums of 1, 3, 5 and 7 pixels along each of the last seven rows */
	float *outs;                  /* the last three rows of each filter */
	float *row;                   /* one row, with room at both ends */
	float *under;                 /* its sky */
	bool may_miss;                /* pixels may be NaN */
};

/* Gets ready for a level.
 * Given: pyramid, whose sigma is known; level; first of its filters, 0..3 of harvest.h; sky of that level or the one
 * below, borrowed.
 * Status: false when out of memory.  Free with disks_fini() in any case. */
bool disks_init(struct disks *disks, const struct pyramid *pyramid, int level, int first, const struct background *sky);
void disks_fini(struct disks *disks);

/* Takes in the next row of the level, ADU; NULL past its end.
 * Status: false when out of memory. */
bool disks_row(struct disks *disks, const float *from);

/* Looks at the last rows and adds the peaks to a list.
 * Given: least, the frame's shorter side, px.
 * Status: false when out of memory. */
bool disks_end(struct disks *disks, int32_t least, struct candidates *list);

#endif
