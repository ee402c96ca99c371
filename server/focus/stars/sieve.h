/* SPDX-License-Identifier: MIT */
/*
 * The finest levels, where the pixels are: the two small disks are tried only where a sum of 4 x 4 pixels stands out.
 * Private to the detection; pure.
 */
#ifndef FOCUSD_SIEVE_H
#define FOCUSD_SIEVE_H

#include "background.h"
#include "harvest.h"

enum {
	SIEVE_ROWS = 8,  /* of a level that wait: those about a block of 4, and what was read ahead */
	SIEVE_ABOVE = 3, /* of the next level: those of a block, and the one that is read ahead */
};

/* One level in flight; zeroed is empty. */
struct sieve {
	const struct pyramid *pyramid;
	struct background sky;        /* borrowed, laid over the height of the next level */
	struct harvest harvest;
	int level;
	int32_t width, height;        /* of the level, px */
	int32_t width_above;          /* of the next one */
	int32_t fed;                  /* rows of the next level that were taken in */
	float *row[SIEVE_ROWS];       /* rows of this level, y modulo SIEVE_ROWS; NULL where the source is asked */
	float *above[SIEVE_ABOVE];    /* the last rows of the next level, y modulo SIEVE_ABOVE */
	float *limit;                 /* above which a sum of four of its pixels is looked into */
};

/* Gets ready for a level below the last one.
 * Given: pyramid, sky, borrowed; level.
 * Status: false when out of memory.  Free with sieve_fini() in any case. */
bool sieve_init(struct sieve *sieve, const struct pyramid *pyramid, int level, const struct background *sky);
void sieve_fini(struct sieve *sieve);

/* Where row y of a level above the first belongs, width floats: it has to be there before the next level's row y / 2
 * is taken in. */
float *sieve_row(struct sieve *sieve, int32_t y);

/* Where row y of the next level belongs, width_above floats; the one before it is there still. */
float *sieve_above(struct sieve *sieve, int32_t y);

/* Takes in the next row, which lies there.
 * Status: false when out of memory.
 * Notes: 1) a disk of 3 x 3 pixels lies wholly within one of the blocks of 4 x 4 that begin at even pixels, and a block
 * is a sum of four pixels of the next level, which is looked into from 3.5 sigma on: 98 and 100 % of stars and rings of
 * SNR 10 and 15 are found, tests/unit/fits/test_measure.c faint_stars_are_found.  2) of mere noise 0.02 % of the
 * blocks are. */
bool sieve_feed(struct sieve *sieve);

/* Looks at the last rows, after all were taken in.  Status: as above. */
bool sieve_end(struct sieve *sieve);

#endif
