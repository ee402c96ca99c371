/* SPDX-License-Identifier: MIT */
/* One comparison for four pixels, and filters where it says so; see sieve.h. */
#include "sieve.h"

#include <math.h>
#include <stdlib.h>

/* Sigmas by which a block stands out.  Derived: of a star that its disk of 5 pixels shows with 8 sigma, the least that
 * is used, the block has 8 sqrt(5) / 4 = 4.5 and the light outside the disk.  In tests/unit/fits/test_measure.c
 * faint_stars_are_found 2.5 finds no more and 6 no fewer. */
#define BLOCK_SIGMAS 3.5F
/* A block is a sum of four pixels of the next level.  Derived. */
#define QUARTER 0.25F

enum {
	STRETCH = 16, /* blocks that are compared before any is looked into */
	PATCH = 6,    /* px a side about a block: its four inner pixels, their neighbours, and theirs */
	INNER = 4,    /* px a side whose disks lie in a patch */
};

bool sieve_init(struct sieve *sieve, const struct pyramid *pyramid, int level, const struct background *sky)
{
	*sieve = (struct sieve){.pyramid = pyramid, .sky = *sky, .level = level, .width = pyramid->width[level],
		.height = pyramid->height[level], .width_above = pyramid->width[level + 1]};
	sieve->sky.height = pyramid->height[level + 1];
	bool enough = harvest_init(&sieve->harvest, pyramid, level, 0, 1);
	size_t above = (size_t)sieve->width_above;
	for (int k = 0; k < SIEVE_ROWS && level > 0; k++) {
		sieve->row[k] = malloc((size_t)sieve->width * sizeof(float));
		enough = enough && sieve->row[k] != NULL;
	}
	for (int k = 0; k < SIEVE_ABOVE; k++) {
		sieve->above[k] = malloc(above * sizeof(float));
		enough = enough && sieve->above[k] != NULL;
	}
	sieve->limit = malloc(above * sizeof *sieve->limit);
	return enough && sieve->limit != NULL;
}

void sieve_fini(struct sieve *sieve)
{
	harvest_fini(&sieve->harvest);
	for (int k = 0; k < SIEVE_ROWS; k++) {
		free(sieve->row[k]);
	}
	for (int k = 0; k < SIEVE_ABOVE; k++) {
		free(sieve->above[k]);
	}
	free(sieve->limit);
	*sieve = (struct sieve){0};
}

float *sieve_row(struct sieve *sieve, int32_t y)
{
	return sieve->row[y % SIEVE_ROWS];
}

float *sieve_above(struct sieve *sieve, int32_t y)
{
	return sieve->above[y % SIEVE_ABOVE];
}

/* Pixels x .. x + n - 1 of row y above the sky; 0 where missing. */
static void piece(const struct sieve *sieve, int32_t x, int32_t y, int32_t n, float sky, float *out)
{
	const struct image *img = sieve->pyramid->source;
	if (sieve->row[0] != NULL) {
		const float *from = sieve->row[y % SIEVE_ROWS] + x;
		for (int32_t i = 0; i < n; i++) {
			out[i] = from[i];
		}
	} else if (img->type == IMAGE_U16 && sieve->pyramid->shift == 0) {
		const uint16_t *from = (const uint16_t *)img->data + (size_t)y * img->stride + (size_t)x;
		for (int32_t i = 0; i < n; i++) {
			out[i] = (float)from[i];
		}
	} else {
		pyramid_row(sieve->pyramid, sieve->level, y, x, n, out);
	}
	for (int32_t i = 0; i < n; i++) {
		out[i] = isfinite(out[i]) ? out[i] - sky : 0.0F;
	}
}

/* The two disks about each inner pixel of a patch whose upper left pixel is (x0, y0); pixels off the frame are sky. */
static void filter(const struct sieve *sieve, int32_t x0, int32_t y0, float sky, float out[2][INNER][INNER])
{
	float patch[PATCH][PATCH] = {{0}};
	float three[PATCH][INNER];
	int32_t from = x0 < 0 ? -x0 : 0;
	int32_t to = x0 + PATCH > sieve->width ? sieve->width - x0 : PATCH;
	for (int j = 0; j < PATCH; j++) {
		int32_t y = y0 + j;
		if (y >= 0 && y < sieve->height) {
			piece(sieve, x0 + from, y, to - from, sky, patch[j] + from);
		}
		for (int i = 0; i < INNER; i++) {
			three[j][i] = patch[j][i + 1] + (patch[j][i] + patch[j][i + 2]);
		}
	}
	for (int j = 0; j < INNER; j++) {
		for (int i = 0; i < INNER; i++) {
			out[0][j][i] = three[j + 1][i] + (patch[j][i + 1] + patch[j + 2][i + 1]);
			out[1][j][i] = three[j + 1][i] + (three[j][i] + three[j + 2][i]);
		}
	}
}

static bool is_peak(float v[INNER][INNER], int j, int i)
{
	float own = v[j][i];
	return own > v[j][i - 1] && own >= v[j][i + 1] && own > v[j - 1][i - 1] && own > v[j - 1][i] &&
	       own > v[j - 1][i + 1] && own >= v[j + 1][i - 1] && own >= v[j + 1][i] && own >= v[j + 1][i + 1];
}

/* Looks for peaks among the four inner pixels of block (bx, by). */
static bool look_into(struct sieve *sieve, int32_t bx, int32_t by, float sky)
{
	float sum[2][INNER][INNER];
	filter(sieve, 2 * bx - 1, 2 * by - 1, sky, sum);
	for (int k = 0; k < 2; k++) {
		float threshold = harvest_threshold(&sieve->harvest, k);
		for (int p = 0; p < 4; p++) {
			int j = 1 + p / 2;
			int i = 1 + p % 2;
			if (sum[k][j][i] > threshold && is_peak(sum[k], j, i) &&
			    !harvest_peak(&sieve->harvest, k, 2 * bx + i, 2 * by + j, sum[k][j][i])) {
				return false;
			}
		}
	}
	return true;
}

static float sky_at(const struct sieve *sieve, int32_t bx)
{
	return QUARTER * (sieve->limit[bx] - BLOCK_SIGMAS * (float)sieve->harvest.sigma);
}

/* Samples of what the disks show along the inner rows of a row of blocks. */
static void sample(struct sieve *sieve, int32_t by)
{
	struct harvest *harvest = &sieve->harvest;
	for (int j = 1; j <= 2; j++) {
		if ((2 * by + j) % harvest->noise_step != harvest->noise_step / 2) {
			continue;
		}
		for (int32_t x = harvest->noise_step / 2; x < sieve->width; x += harvest->noise_step) {
			float sum[2][INNER][INNER];
			int32_t bx = x / 2 < sieve->width_above ? x / 2 : sieve->width_above - 1;
			filter(sieve, x - 2, 2 * by - 1, sky_at(sieve, bx), sum);
			harvest_sample(harvest, 0, sum[0][j][1]);
			harvest_sample(harvest, 1, sum[1][j][1]);
		}
	}
}

/* Whether any of n blocks stands out. */
static inline bool any_above(const float *restrict a, const float *restrict b, const float *restrict limit, int32_t n)
{
	int over = 0;
	for (int32_t x = 0; x < n; x++) {
		over |= (a[x] + b[x]) + (a[x + 1] + b[x + 1]) > limit[x] ? 1 : 0;
	}
	return over != 0;
}

/* The blocks of two rows of the next level, whose first is by. */
static bool blocks(struct sieve *sieve, int32_t by)
{
	const float *a = sieve->above[by % SIEVE_ABOVE];
	const float *b = sieve->above[(by + 1) % SIEVE_ABOVE];
	int32_t count = sieve->width_above - 1;
	background_row(&sieve->sky, by, sieve->width_above, sieve->limit);
	float out = BLOCK_SIGMAS * (float)sieve->harvest.sigma;
	for (int32_t x = 0; x < sieve->width_above; x++) {
		sieve->limit[x] = 4 * sieve->limit[x] + out;
	}
	sample(sieve, by);
	for (int32_t x0 = 0; x0 < count; x0 += STRETCH) {
		int32_t n = x0 + STRETCH <= count ? STRETCH : count - x0;
		const float *limit = sieve->limit + x0;
		if (!(n == STRETCH ? any_above(a + x0, b + x0, limit, STRETCH)
				: any_above(a + x0, b + x0, limit, n))) {
			continue;
		}
		for (int32_t x = x0; x < x0 + n; x++) {
			if ((a[x] + b[x]) + (a[x + 1] + b[x + 1]) > sieve->limit[x]) {
				if (!look_into(sieve, x, by, sky_at(sieve, x))) {
					return false;
				}
			}
		}
	}
	return true;
}

bool sieve_feed(struct sieve *sieve)
{
	/* The patches of a row of blocks reach into the row after the next. */
	sieve->fed++;
	return sieve->fed < SIEVE_ABOVE || blocks(sieve, sieve->fed - SIEVE_ABOVE);
}

bool sieve_end(struct sieve *sieve)
{
	return sieve->fed < 2 || blocks(sieve, sieve->fed - 2);
}
