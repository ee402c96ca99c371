/* SPDX-License-Identifier: MIT */
/* A donut is invisible to a filter of star size and a star to one of donut size, so every frame is
 * searched with the whole bank.  A filled disk is as good as the exact ring, and a disk costs a
 * handful of additions when its rows are shared between the filters; larger disks run on coarser
 * levels, where they are small again.  The frame is read once, row by row: each pair of rows makes
 * one of the next level, which has its own filters waiting. */
#include "detect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "background.h"

/* Factor by which the first threshold rises where there are too many peaks.  Estimate:
 * tests/unit/fits/test_frames.c sizes_of_frames holds with it; not varied. */
#define THRESHOLD_GROWTH 1.5
/* A disk with a radius above this share of the shorter side sees stars in what should be noise.  Estimate:
 * tests/unit/fits/test_frames.c sizes_of_frames holds with it; not varied. */
#define LARGE_DISK 0.1

enum {
	REACH = 3,           /* half size of the largest disk, level px */
	WINDOW = 2 * REACH + 1,
	KERNELS = 4,
	NOISE_SAMPLES = 2048,
	MAX_CANDIDATES = 1 << 17,
	STRETCH = 32,        /* px that are compared before any is looked at */
	CELL = 64,           /* of the sky, level px: some ten diameters of the disks */
	MOST_CELLS = 1600,
};

/* Disks of radius 1.3, 1.7, 2.6 and 3.4 px of their level.  Derived: pixels of the rows of 3, 3, 5 and 7 that
 * filter() adds. */
static const double kernel_pixels[KERNELS] = {5.0, 9.0, 21.0, 37.0};

/* A first, low threshold in sigmas of white noise; the final one uses the noise that is seen.  Tuned on
 * tests/unit/fits/test_measure.c noise_has_no_stars: no star in 60 frames, and donut_fields there: none of 165
 * lost. */
static const double first_threshold = 4.0;
static const double final_threshold = 5.5;

static bool add(struct candidates *list, struct candidate c)
{
	if (list->count == list->cap) {
		size_t cap = list->cap == 0 ? 1024 : 2 * list->cap;
		struct candidate *item = realloc(list->item, cap * sizeof *item);
		if (item == NULL) {
			return false;
		}
		list->item = item;
		list->cap = cap;
	}
	list->item[list->count++] = c;
	return true;
}

/* One level with its rows in flight: sums of 1, 3, 5 and 7 pixels along each of the last rows, and
 * the last three rows of each filter. */
struct scan {
	int level;
	int32_t width, height;
	int first, last;     /* filters of this level */
	int32_t fed;         /* rows taken in */
	double bin;          /* px of level 0 per px */
	double sigma;
	struct background sky;
	float *sums;         /* [WINDOW][REACH + 1][width] */
	float *outs;         /* [KERNELS][3][width] */
	float *row;          /* [width + 2 * REACH], zero at both ends */
	float *under;        /* [width] sky */
	float *before;       /* [width] the row that waits for its pair */
	float *next;         /* [width / 2] the row they make */
	float *noise;        /* [KERNELS][NOISE_SAMPLES] */
	size_t noise_count[KERNELS];
	int32_t noise_step;
	double raise[KERNELS];
	struct candidates found[KERNELS];
};

static void scan_fini(struct scan *scan)
{
	background_fini(&scan->sky);
	free(scan->sums);
	free(scan->outs);
	free(scan->row);
	free(scan->under);
	free(scan->before);
	free(scan->next);
	free(scan->noise);
	for (int k = 0; k < KERNELS; k++) {
		free(scan->found[k].item);
	}
	*scan = (struct scan){0};
}

/* The disks of 2.6 and 3.4 px of level 0 are those of 1.3 and 1.7 of level 1, at a quarter of the
 * work; from there on each level has the two that the next does not reach. */
static bool scan_init(struct scan *scan, const struct pyramid *pyramid, int level)
{
	size_t w = (size_t)pyramid->width[level];
	*scan = (struct scan){.level = level, .width = pyramid->width[level],
		.height = pyramid->height[level], .bin = (double)(1 << level),
		.sigma = pyramid->sigma[level], .raise = {1.0, 1.0, 1.0, 1.0}};
	scan->first = level < 2 ? 0 : 2;
	scan->last = level == 0 && pyramid->levels > 1 ? 1 : KERNELS - 1;
	scan->noise_step = (int32_t)(sqrt((double)scan->width * scan->height / NOISE_SAMPLES) + 1.0);
	scan->sums = calloc(WINDOW * (REACH + 1) * w, sizeof(float));
	scan->outs = calloc(KERNELS * 3 * w, sizeof(float));
	scan->row = calloc(w + 2 * REACH, sizeof(float));
	scan->under = calloc(w, sizeof(float));
	scan->before = calloc(w, sizeof(float));
	scan->next = calloc(w / 2 + 1, sizeof(float));
	scan->noise = calloc((size_t)KERNELS * NOISE_SAMPLES, sizeof(float));
	int32_t cell = CELL;
	while ((int64_t)(scan->width / cell) * (scan->height / cell) > MOST_CELLS) {
		cell *= 2;
	}
	if (scan->sums == NULL || scan->outs == NULL || scan->row == NULL || scan->under == NULL ||
	    scan->before == NULL || scan->next == NULL || scan->noise == NULL ||
	    !background_init(&scan->sky, pyramid, level, cell)) {
		scan_fini(scan);
		return false;
	}
	return true;
}

static float *sums_at(const struct scan *scan, int32_t y, int half)
{
	size_t slot = (size_t)((y + WINDOW) % WINDOW);
	return scan->sums + (slot * (REACH + 1) + (size_t)half) * (size_t)scan->width;
}

static float *out_at(const struct scan *scan, int kernel, int32_t y)
{
	return scan->outs + ((size_t)kernel * 3 + (size_t)((y + 3) % 3)) * (size_t)scan->width;
}

/* Takes in row y; past the end of the image from is NULL and zeros are taken. */
static void take_row(struct scan *scan, const float *from, int32_t y, bool may_miss)
{
	int32_t w = scan->width;
	float *restrict s0 = sums_at(scan, y, 0);
	if (from == NULL) {
		memset(s0, 0, (size_t)w * (REACH + 1) * sizeof *s0);
		return;
	}
	float *restrict s1 = s0 + w;
	float *restrict s2 = s1 + w;
	float *restrict s3 = s2 + w;
	float *restrict row = scan->row + REACH;
	const float *restrict under = scan->under;
	background_row(&scan->sky, y, w, scan->under);
	if (may_miss) {
		for (int32_t x = 0; x < w; x++) {
			row[x] = isfinite(from[x]) ? from[x] - under[x] : 0.0F;
		}
	} else {
		for (int32_t x = 0; x < w; x++) {
			row[x] = from[x] - under[x];
		}
	}
	if (scan->last < 2) {
		for (int32_t x = 0; x < w; x++) {
			s0[x] = row[x];
			s1[x] = row[x] + (row[x - 1] + row[x + 1]);
		}
		return;
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
static void filter(const struct scan *scan, int kernel, int32_t y)
{
	int32_t w = scan->width;
	float *out = out_at(scan, kernel, y);
	switch (kernel) {
	case 0:
		sum3(w, out, sums_at(scan, y, 1), sums_at(scan, y - 1, 0), sums_at(scan, y + 1, 0));
		break;
	case 1:
		sum3(w, out, sums_at(scan, y, 1), sums_at(scan, y - 1, 1), sums_at(scan, y + 1, 1));
		break;
	case 2:
		sum5(w, out, sums_at(scan, y, 2), sums_at(scan, y - 1, 2), sums_at(scan, y + 1, 2),
			sums_at(scan, y - 2, 1), sums_at(scan, y + 2, 1));
		break;
	default:
		sum5(w, out, sums_at(scan, y, 3), sums_at(scan, y - 1, 3), sums_at(scan, y + 1, 3),
			sums_at(scan, y - 2, 2), sums_at(scan, y + 2, 2));
		add2(w, out, sums_at(scan, y - 3, 1), sums_at(scan, y + 3, 1));
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
static bool peaks(struct scan *scan, int kernel, int32_t y)
{
	int32_t w = scan->width;
	const float *above = out_at(scan, kernel, y - 1);
	const float *row = out_at(scan, kernel, y);
	const float *below = out_at(scan, kernel, y + 1);
	float bin = (float)scan->bin;
	float radius = bin * (float)sqrt(kernel_pixels[kernel] / M_PI);
	float threshold = (float)(first_threshold * scan->raise[kernel] * scan->sigma *
		sqrt(kernel_pixels[kernel]));
	for (int32_t x0 = 1; x0 < w - 1; x0 += STRETCH) {
		int32_t x1 = x0 + STRETCH < w - 1 ? x0 + STRETCH : w - 1;
		if (!(x1 - x0 == STRETCH ? any_above(row + x0, STRETCH, threshold)
				: any_above(row + x0, x1 - x0, threshold))) {
			continue;
		}
		for (int32_t x = x0; x < x1; x++) {
			if (row[x] > threshold && is_peak(above, row, below, x)) {
				struct candidate c = {
					.x = ((float)x + 0.5F) * bin - 0.5F,
					.y = ((float)y + 0.5F) * bin - 0.5F,
					.radius = radius,
					.flux = row[x] * bin * bin,
				};
				if (!add(&scan->found[kernel], c)) {
					return false;
				}
			}
		}
	}
	return true;
}

/* Raises the threshold where structure is everywhere, until few enough peaks are left. */
static void thin_out(struct scan *scan, int kernel)
{
	struct candidates *found = &scan->found[kernel];
	while (found->count > MAX_CANDIDATES) {
		scan->raise[kernel] *= THRESHOLD_GROWTH;
		double least = first_threshold * scan->raise[kernel] * scan->sigma *
			sqrt(kernel_pixels[kernel]) * scan->bin * scan->bin;
		size_t kept = 0;
		for (size_t i = 0; i < found->count; i++) {
			if ((double)found->item[i].flux > least) {
				found->item[kept++] = found->item[i];
			}
		}
		found->count = kept;
	}
}

/* The next row of the level, or NULL past its end. */
static bool scan_row(struct scan *scan, const float *from, bool may_miss)
{
	take_row(scan, from, scan->fed, may_miss);
	int32_t reach = scan->last < 2 ? 1 : REACH;
	int32_t at = scan->fed - reach;
	scan->fed++;
	if (at < 0 || at >= scan->height) {
		return true;
	}
	for (int k = scan->first; k <= scan->last; k++) {
		filter(scan, k, at);
		if (at % scan->noise_step == scan->noise_step / 2) {
			const float *out = out_at(scan, k, at);
			size_t n = scan->noise_count[k];
			for (int32_t x = scan->noise_step / 2; x < scan->width && n < NOISE_SAMPLES;
			     x += scan->noise_step) {
				scan->noise[(size_t)k * NOISE_SAMPLES + n++] = out[x];
			}
			scan->noise_count[k] = n;
		}
		if (at >= 2) {
			if (!peaks(scan, k, at - 1)) {
				return false;
			}
			thin_out(scan, k);
		}
	}
	return true;
}

/* Noise of one filter as the frame shows it: banding, fixed pattern and crowding are in it.  A
 * star that fills the frame would be in it too, so with a large disk it is held to what white
 * noise explains. */
static struct sky filter_noise(const struct scan *scan, int kernel, bool large)
{
	double white = scan->sigma * sqrt(kernel_pixels[kernel]);
	if (scan->noise_count[kernel] == 0) {
		return (struct sky){0.0, white};
	}
	struct sky sky = sky_of_samples(scan->noise + (size_t)kernel * NOISE_SAMPLES,
		scan->noise_count[kernel], 0.0);
	if (large) {
		sky.level = 0.0;
		sky.sigma = sky.sigma < 2.0 * white ? sky.sigma : 2.0 * white;
	}
	sky.sigma = sky.sigma > white ? sky.sigma : white;
	return sky;
}

/* Takes the last rows and puts what is bright enough into the list.  least is the frame's shorter side, px. */
static bool scan_end(struct scan *scan, int32_t least, struct candidates *list)
{
	for (int i = 0; i < REACH; i++) {
		if (!scan_row(scan, NULL, false)) {
			return false;
		}
	}
	double area = scan->bin * scan->bin;
	for (int k = scan->first; k <= scan->last; k++) {
		double radius = scan->bin * sqrt(kernel_pixels[k] / M_PI);
		if (radius > 0.5 * least) {
			continue;
		}
		struct sky noise = filter_noise(scan, k, radius > LARGE_DISK * least);
		for (size_t i = 0; i < scan->found[k].count; i++) {
			struct candidate c = scan->found[k].item[i];
			c.flux -= (float)(noise.level * area);
			c.snr = (float)((double)c.flux / (noise.sigma * area));
			if ((double)c.snr >= final_threshold && !add(list, c)) {
				return false;
			}
		}
	}
	return true;
}

/* One row of a level, and when it completes a pair, one of the next. */
static bool cascade(struct scan *scan, struct pyramid *pyramid, int levels, const float *row)
{
	bool may_miss = image_type_is_float(pyramid->source->type);
	for (int k = 0;; k++) {
		struct scan *s = &scan[k];
		int32_t y = s->fed;
		if (!scan_row(s, row, may_miss)) {
			return false;
		}
		if (k + 1 >= pyramid->levels || y / 2 >= pyramid->height[k + 1]) {
			return true;
		}
		if (y % 2 == 0) {
			memcpy(s->before, row, (size_t)s->width * sizeof *row);
			return true;
		}
		bool keep = k + 1 == levels;
		int32_t w = pyramid->width[k + 1];
		float *to = keep ? pyramid->kept[k + 1] + (size_t)(y / 2) * (size_t)w : s->next;
		halve_rows(s->before, row, w, may_miss, to);
		if (keep) {
			return true;
		}
		row = to;
	}
}

/* Prepares the scan of a level.  A mesh of one cell would be full of star, so that the sky of the whole frame serves
 * instead. */
static bool scan_begin(struct scan *scan, struct pyramid *pyramid, int level)
{
	if (!scan_init(scan, pyramid, level)) {
		return false;
	}
	if (level == 0) {
		pyramid->sky = scan->sky.typical;
	} else if (scan->sky.columns * scan->sky.rows == 1) {
		background_fini(&scan->sky);
		int32_t w = pyramid->width[0];
		int32_t h = pyramid->height[0];
		if (!background_init(&scan->sky, pyramid, 0, 2 * (w > h ? w : h))) {
			scan_fini(scan);
			return false;
		}
		scan->sky.height = scan->height;
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

/* The levels that are made on the fly, in one pass over the frame. */
static bool detect_fine(struct pyramid *pyramid, struct candidates *list, int32_t least)
{
	int levels = pyramid->levels < PYRAMID_KEPT ? pyramid->levels : PYRAMID_KEPT;
	struct scan scan[PYRAMID_KEPT] = {{0}};
	int32_t width = pyramid->width[0];
	float *row = malloc((size_t)width * sizeof *row);
	bool enough = row != NULL;
	for (int k = 0; k < levels && enough; k++) {
		enough = scan_begin(&scan[k], pyramid, k);
	}
	for (int32_t y = 0; y < pyramid->height[0] && enough; y++) {
		pyramid_row(pyramid, 0, y, 0, width, row);
		enough = cascade(scan, pyramid, levels, row);
	}
	for (int k = 0; k < levels; k++) {
		if (enough) {
			enough = scan_end(&scan[k], least, list);
		}
		scan_fini(&scan[k]);
	}
	free(row);
	return enough;
}

static bool detect_coarse(struct pyramid *pyramid, int level, struct candidates *list, int32_t least)
{
	struct scan scan;
	if (level > PYRAMID_KEPT) {
		pyramid_fill(pyramid, level);
	}
	bool enough = scan_begin(&scan, pyramid, level);
	size_t w = (size_t)pyramid->width[level];
	for (int32_t y = 0; y < pyramid->height[level] && enough; y++) {
		enough = scan_row(&scan, pyramid->kept[level] + (size_t)y * w,
			image_type_is_float(pyramid->source->type));
	}
	if (enough) {
		enough = scan_end(&scan, least, list);
	}
	scan_fini(&scan);
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
	bool enough = detect_fine(pyramid, list, least);
	for (int k = PYRAMID_KEPT; k < pyramid->levels && enough; k++) {
		enough = detect_coarse(pyramid, k, list, least);
	}
	if (enough && list->count > 0) {
		qsort(list->item, list->count, sizeof *list->item, by_snr);
	}
	return enough;
}
