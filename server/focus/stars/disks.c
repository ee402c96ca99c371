/* SPDX-License-Identifier: MIT */
/* A filled disk is as good as the exact ring, and costs a handful of additions when its rows are shared between the
 * filters; see disks.h. */
#include "disks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	REACH = 3,           /* half size of the largest disk, level px */
	WINDOW = 2 * REACH + 1,
	STRETCH = 32,        /* px that are compared before any is looked at */
};

bool disks_init(struct disks *disks, const struct pyramid *pyramid, int level, int first, const struct background *sky)
{
	size_t w = (size_t)pyramid->width[level];
	*disks = (struct disks){.width = pyramid->width[level], .height = pyramid->height[level], .sky = *sky,
		.may_miss = image_type_is_float(pyramid->source->type)};
	disks->sky.height = disks->height;
	disks->sums = calloc(WINDOW * (REACH + 1) * w, sizeof(float));
	disks->outs = calloc(HARVEST_KERNELS * 3 * w, sizeof(float));
	disks->row = calloc(w + 2 * REACH, sizeof(float));
	disks->under = malloc(w * sizeof(float));
	return harvest_init(&disks->harvest, pyramid, level, first, HARVEST_KERNELS - 1) && disks->sums != NULL &&
		disks->outs != NULL && disks->row != NULL && disks->under != NULL;
}

void disks_fini(struct disks *disks)
{
	harvest_fini(&disks->harvest);
	free(disks->sums);
	free(disks->outs);
	free(disks->row);
	free(disks->under);
	*disks = (struct disks){0};
}

static float *sums_at(const struct disks *disks, int32_t y, int half)
{
	size_t slot = (size_t)((y + WINDOW) % WINDOW);
	return disks->sums + (slot * (REACH + 1) + (size_t)half) * (size_t)disks->width;
}

static float *out_at(const struct disks *disks, int kernel, int32_t y)
{
	return disks->outs + ((size_t)kernel * 3 + (size_t)((y + 3) % 3)) * (size_t)disks->width;
}

/* Takes in row y; past the end of the image from is NULL and zeros are taken. */
static void take_row(struct disks *disks, const float *from, int32_t y)
{
	int32_t w = disks->width;
	float *restrict s0 = sums_at(disks, y, 0);
	if (from == NULL) {
		memset(s0, 0, (size_t)w * (REACH + 1) * sizeof *s0);
		return;
	}
	float *restrict s1 = s0 + w;
	float *restrict s2 = s1 + w;
	float *restrict s3 = s2 + w;
	float *restrict row = disks->row + REACH;
	const float *restrict under = disks->under;
	background_row(&disks->sky, y, w, disks->under);
	if (disks->may_miss) {
		for (int32_t x = 0; x < w; x++) {
			row[x] = isfinite(from[x]) ? from[x] - under[x] : 0.0F;
		}
	} else {
		for (int32_t x = 0; x < w; x++) {
			row[x] = from[x] - under[x];
		}
	}
	for (int32_t x = 0; x < w; x++) {
		float three = row[x] + (row[x - 1] + row[x + 1]);
		float five = three + (row[x - 2] + row[x + 2]);
		s0[x] = row[x];
		s1[x] = three;
		s2[x] = five;
		s3[x] = five + (row[x - 3] + row[x + 3]);
	}
}

static void sum3(int32_t n, float *restrict out, const float *restrict a, const float *restrict b,
	const float *restrict c)
{
	for (int32_t x = 0; x < n; x++) {
		out[x] = a[x] + (b[x] + c[x]);
	}
}

static void sum5(int32_t n, float *restrict out, const float *restrict a, const float *restrict b,
	const float *restrict c, const float *restrict d, const float *restrict e)
{
	for (int32_t x = 0; x < n; x++) {
		out[x] = a[x] + (b[x] + c[x]) + (d[x] + e[x]);
	}
}

static void add2(int32_t n, float *restrict out, const float *restrict a, const float *restrict b)
{
	for (int32_t x = 0; x < n; x++) {
		out[x] += a[x] + b[x];
	}
}

/* Row y of one filter. */
static void filter(const struct disks *disks, int kernel, int32_t y)
{
	int32_t w = disks->width;
	float *out = out_at(disks, kernel, y);
	switch (kernel) {
	case 0:
		sum3(w, out, sums_at(disks, y, 1), sums_at(disks, y - 1, 0), sums_at(disks, y + 1, 0));
		break;
	case 1:
		sum3(w, out, sums_at(disks, y, 1), sums_at(disks, y - 1, 1), sums_at(disks, y + 1, 1));
		break;
	case 2:
		sum5(w, out, sums_at(disks, y, 2), sums_at(disks, y - 1, 2), sums_at(disks, y + 1, 2),
			sums_at(disks, y - 2, 1), sums_at(disks, y + 2, 1));
		break;
	default:
		sum5(w, out, sums_at(disks, y, 3), sums_at(disks, y - 1, 3), sums_at(disks, y + 1, 3),
			sums_at(disks, y - 2, 2), sums_at(disks, y + 2, 2));
		add2(w, out, sums_at(disks, y - 3, 1), sums_at(disks, y + 3, 1));
		break;
	}
}

static bool is_peak(const float *above, const float *row, const float *below, int32_t x)
{
	float v = row[x];
	return v > row[x - 1] && v >= row[x + 1] && v > above[x - 1] && v > above[x] &&
	       v > above[x + 1] && v >= below[x - 1] && v >= below[x] && v >= below[x + 1];
}

/* Whether any of n pixels exceeds the threshold. */
static bool any_above(const float *row, int32_t n, float threshold)
{
	int over = 0;
	for (int32_t x = 0; x < n; x++) {
		over |= row[x] > threshold ? 1 : 0;
	}
	return over != 0;
}

/* Peaks of row y of one filter, whose neighbours above and below are there. */
static bool peaks(struct disks *disks, int kernel, int32_t y)
{
	int32_t w = disks->width;
	const float *above = out_at(disks, kernel, y - 1);
	const float *row = out_at(disks, kernel, y);
	const float *below = out_at(disks, kernel, y + 1);
	float threshold = harvest_threshold(&disks->harvest, kernel);
	for (int32_t x0 = 1; x0 < w - 1; x0 += STRETCH) {
		int32_t x1 = x0 + STRETCH < w - 1 ? x0 + STRETCH : w - 1;
		if (!(x1 - x0 == STRETCH ? any_above(row + x0, STRETCH, threshold)
				: any_above(row + x0, x1 - x0, threshold))) {
			continue;
		}
		for (int32_t x = x0; x < x1; x++) {
			if (row[x] > threshold && is_peak(above, row, below, x) &&
			    !harvest_peak(&disks->harvest, kernel, x, y, row[x])) {
				return false;
			}
		}
	}
	return true;
}

bool disks_row(struct disks *disks, const float *from)
{
	take_row(disks, from, disks->fed);
	int32_t at = disks->fed - REACH;
	disks->fed++;
	if (at < 0 || at >= disks->height) {
		return true;
	}
	int32_t step = disks->harvest.noise_step;
	for (int k = disks->harvest.first; k <= disks->harvest.last; k++) {
		filter(disks, k, at);
		if (at % step == step / 2) {
			const float *out = out_at(disks, k, at);
			for (int32_t x = step / 2; x < disks->width; x += step) {
				harvest_sample(&disks->harvest, k, out[x]);
			}
		}
		if (at >= 2 && !peaks(disks, k, at - 1)) {
			return false;
		}
	}
	return true;
}

bool disks_end(struct disks *disks, int32_t least, struct candidates *list)
{
	for (int i = 0; i < REACH; i++) {
		if (!disks_row(disks, NULL)) {
			return false;
		}
	}
	return harvest_list(&disks->harvest, least, list);
}
