/* SPDX-License-Identifier: MIT */
/* A donut is invisible to a filter of star size and a star to one of donut size, so every frame is searched with the
 * whole bank.  Larger disks run on coarser levels, where they are small again.  The frame is read once, two rows at a
 * time: they make one of the next level, where one comparison says for four pixels whether the small disks are worth
 * trying, and two of those make one of the level after that. */
#include "detect.h"

#include <stdlib.h>
#include <string.h>

#include "background.h"
#include "harvest.h"
#include "disks.h"
#include "sieve.h"

enum {
	CELL = 64,           /* of the sky, level px: some ten diameters of the disks, five on the scanned level */
	MOST_CELLS = 1600,
	SIEVED = PYRAMID_KEPT - 1, /* levels whose small disks are tried only where something is */
};

/* Side of a cell of the sky of a level, px of that level. */
static int32_t cell_of(const struct pyramid *pyramid, int level)
{
	int32_t cell = CELL;
	while ((int64_t)(pyramid->width[level] / cell) * (pyramid->height[level] / cell) > MOST_CELLS) {
		cell *= 2;
	}
	return cell;
}

/* Makes the sky of a level. */
static bool sky_init(struct background *sky, const struct pyramid *pyramid, int level)
{
	if (!background_init(sky, pyramid, level, cell_of(pyramid, level))) {
		return false;
	}
	/* A mesh of one cell would be full of star, so that the sky of the whole frame serves instead. */
	if (level > 0 && sky->columns * sky->rows == 1) {
		background_fini(sky);
		int32_t w = pyramid->width[0];
		int32_t h = pyramid->height[0];
		if (!background_init(sky, pyramid, 0, 2 * (w > h ? w : h))) {
			return false;
		}
		sky->height = pyramid->height[level];
	}
	return true;
}

static int by_snr(const void *a, const void *b)
{
	const struct candidate *p = a;
	const struct candidate *q = b;
	if (p->snr > q->snr || p->snr < q->snr) {
		return p->snr > q->snr ? -1 : 1;
	}
	if (p->y < q->y || p->y > q->y) {
		return p->y < q->y ? -1 : 1;
	}
	return p->x < q->x ? -1 : (p->x > q->x ? 1 : 0);
}

/* The levels that are made on the fly. */
struct fine {
	struct pyramid *pyramid;
	int levels;                      /* that are sieved; the next one is scanned */
	struct sieve sieve[SIEVED];
	struct disks disks;
	struct background sky[SIEVED];
};

static bool fine_init(struct fine *fine)
{
	bool enough = true;
	int from = 0;
	for (int k = 0; k < fine->levels && enough; k++) {
		/* A large frame has cells of one size on several levels, and their sky is made once. */
		if (k == 0 || cell_of(fine->pyramid, k - 1) != 2 * cell_of(fine->pyramid, k)) {
			from = k;
			enough = sky_init(&fine->sky[k], fine->pyramid, k);
		}
		enough = enough && sieve_init(&fine->sieve[k], fine->pyramid, k, &fine->sky[from]);
	}
	/* The scanned level has small disks too, which need a sky as fine as those of the level below. */
	return enough && disks_init(&fine->disks, fine->pyramid, fine->levels, 0, &fine->sky[from]);
}

static void fine_fini(struct fine *fine)
{
	for (int k = 0; k < fine->levels; k++) {
		sieve_fini(&fine->sieve[k]);
	}
	for (int k = 0; k < fine->levels; k++) {
		background_fini(&fine->sky[k]);
	}
	disks_fini(&fine->disks);
}

/* Takes in row y of the scanned level; each pair makes a row of the first one that is kept. */
static bool take_scanned(struct fine *fine, int32_t y)
{
	struct pyramid *pyramid = fine->pyramid;
	struct sieve *below = &fine->sieve[fine->levels - 1];
	int next = fine->levels + 1;
	if (next < pyramid->levels && y % 2 == 1 && y / 2 < pyramid->height[next]) {
		size_t w = (size_t)pyramid->width[next];
		halve_rows(sieve_above(below, y - 1), sieve_above(below, y), pyramid->width[next],
			image_type_is_float(pyramid->source->type), pyramid->kept[next] + (size_t)(y / 2) * w);
	}
	return disks_row(&fine->disks, sieve_above(below, y));
}

/* Takes in row y of level 1, and when that completes a pair, one of level 2. */
static bool take_row(struct fine *fine, int32_t y)
{
	struct pyramid *pyramid = fine->pyramid;
	struct sieve *sieve = fine->sieve;
	float *row = sieve_above(&sieve[0], y);
	pyramid_row(pyramid, 1, y, 0, pyramid->width[1], row);
	if (!sieve_feed(&sieve[0])) {
		return false;
	}
	if (fine->levels == 1) {
		return take_scanned(fine, y);
	}
	memcpy(sieve_row(&sieve[1], y), row, (size_t)pyramid->width[1] * sizeof *row);
	if (y % 2 == 0 || y / 2 >= pyramid->height[2]) {
		return true;
	}
	halve_rows(sieve_row(&sieve[1], y - 1), sieve_row(&sieve[1], y), pyramid->width[2],
		image_type_is_float(pyramid->source->type), sieve_above(&sieve[1], y / 2));
	return sieve_feed(&sieve[1]) && take_scanned(fine, y / 2);
}

/* One pass over the frame. */
static bool detect_fine(struct pyramid *pyramid, int levels, int32_t least, struct candidates *list)
{
	struct fine fine = {.pyramid = pyramid, .levels = levels};
	bool enough = fine_init(&fine);
	pyramid->sky = fine.sky[0].typical;
	for (int32_t y = 0; y < pyramid->height[1] && enough; y++) {
		enough = take_row(&fine, y);
	}
	for (int k = 0; k < levels && enough; k++) {
		enough = sieve_end(&fine.sieve[k]) && harvest_list(&fine.sieve[k].harvest, least, list);
	}
	enough = enough && disks_end(&fine.disks, least, list);
	fine_fini(&fine);
	return enough;
}

static bool detect_coarse(struct pyramid *pyramid, int level, int32_t least, struct candidates *list)
{
	struct background sky;
	struct disks disks = {0};
	if (level > PYRAMID_KEPT) {
		pyramid_fill(pyramid, level);
	}
	/* The smaller disks are the larger ones of the level below. */
	bool enough = sky_init(&sky, pyramid, level) && disks_init(&disks, pyramid, level, 2, &sky);
	size_t w = (size_t)pyramid->width[level];
	for (int32_t y = 0; y < pyramid->height[level] && enough; y++) {
		enough = disks_row(&disks, pyramid->kept[level] + (size_t)y * w);
	}
	enough = enough && disks_end(&disks, least, list);
	disks_fini(&disks);
	background_fini(&sky);
	return enough;
}

bool detect(struct pyramid *pyramid, struct candidates *list)
{
	*list = (struct candidates){0};
	int32_t least = pyramid->width[0] < pyramid->height[0] ? pyramid->width[0] : pyramid->height[0];
	pyramid->sigma[0] = background_noise(pyramid);
	for (int k = 1; k < pyramid->levels; k++) {
		pyramid->sigma[k] = pyramid->sigma[k - 1] / 2.0;
	}
	/* A view is 16 px and more, so that there are two levels at least. */
	int sieved = pyramid->levels - 1 < SIEVED ? pyramid->levels - 1 : SIEVED;
	bool enough = detect_fine(pyramid, sieved, least, list);
	for (int k = sieved + 1; k < pyramid->levels && enough; k++) {
		enough = detect_coarse(pyramid, k, least, list);
	}
	if (enough && list->count > 0) {
		qsort(list->item, list->count, sizeof *list->item, by_snr);
	}
	return enough;
}
