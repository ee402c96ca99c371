/* SPDX-License-Identifier: MIT */
/* Sky and noise.  A donut or a galaxy can cover half of a cell, so the level comes from the
 * densest part of the distribution and not from the median. */
#include "background.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "order.h"

/* A change of the level in sigmas that ends the clipping.  Estimate: tests/unit/fits/test_frames.c sizes_of_frames
 * holds with it; not varied. */
#define SETTLED 0.003
/* Width of the shortest interval that holds 40 % of a Gaussian, in sigmas.  Derived: 2 x 0.5244, the 70 %
 * quantile. */
#define SHORTEST_SPAN 1.049
/* Least sigma in steps between values: rounding alone has 1/sqrt(12) = 0.29.  Derived. */
#define QUANTUM_SHARE 0.3
/* Clipping of samples that need not be sky, in sigmas, and the sigma of a Gaussian cut there over its own.
 * Derived: sqrt(1 - 2 c phi(c) / (2 Phi(c) - 1)) with c = 3. */
#define SAMPLES_CLIP 3.0
#define SAMPLES_SHRINK 0.9866
/* The same of samples that are mostly sky.  Derived: as above with c = 2.5. */
#define ANNULUS_CLIP 2.5
#define ANNULUS_SHRINK 0.9546

enum {
	CELL_SAMPLES = 256,   /* per mesh cell: enough for a level within 0.1 sigma, few enough to sort */
	LEAST_SAMPLES = 4096, /* of a frame, below which means would be too few */
};

/* Mean and sigma of the samples within clip sigmas of a first guess.  A Gaussian cut at k sigma
 * has a smaller spread than the whole; shrink is that ratio. */
static struct sky clipped(const float *v, size_t n, struct sky guess, double clip, double shrink,
	double floor_sigma)
{
	for (int pass = 0; pass < 4; pass++) {
		double low = guess.level - clip * guess.sigma;
		double high = guess.level + clip * guess.sigma;
		double sum = 0.0;
		double sum2 = 0.0;
		size_t count = 0;
		for (size_t i = 0; i < n; i++) {
			double x = (double)v[i];
			if (x >= low && x <= high) {
				double d = x - guess.level;
				sum += d;
				sum2 += d * d;
				count++;
			}
		}
		if (count < 2) {
			break;
		}
		double mean = sum / (double)count;
		double var = sum2 / (double)count - mean * mean;
		double sigma = sqrt(var > 0.0 ? var : 0.0) / shrink;
		sigma = sigma > floor_sigma ? sigma : floor_sigma;
		guess.level += mean;
		bool settled = fabs(mean) < SETTLED * sigma;
		guess.sigma = sigma;
		if (settled) {
			break;
		}
	}
	return guess;
}

struct sky sky_of_samples(float *samples, size_t n, double quantum)
{
	sort_float(samples, n);
	size_t span = n * 2 / 5;
	struct sky guess = {(double)samples[n / 2], 0.0};
	if (span >= 1) {
		double best = INFINITY;
		/* Equal widths are common among integers: the middle of their run is the mode. */
		size_t first = 0;
		size_t last = 0;
		for (size_t i = 0; i + span < n; i++) {
			double width = (double)samples[i + span] - (double)samples[i];
			if (width < best) {
				best = width;
				first = i;
				last = i;
			} else if (width <= best && last + 1 == i) {
				last = i;
			}
		}
		size_t at = (first + last) / 2;
		guess.level = 0.5 * ((double)samples[at] + (double)samples[at + span]);
		guess.sigma = (best + quantum) / SHORTEST_SPAN;
	}
	double floor_sigma = QUANTUM_SHARE * quantum;
	guess.sigma = guess.sigma > floor_sigma ? guess.sigma : floor_sigma;
	return clipped(samples, n, guess, SAMPLES_CLIP, SAMPLES_SHRINK, floor_sigma);
}

struct sky sky_of_annulus(float *samples, size_t n, double quantum)
{
	sort_float(samples, n);
	struct sky guess = {(double)samples[n / 2], 0.0};
	/* Only the lower half is used, because neighbours and wings stand in the upper one. */
	double quarter = (double)samples[n / 4];
	guess.sigma = (guess.level - quarter + 0.5 * quantum) * SIGMA_PER_MAD;
	double floor_sigma = QUANTUM_SHARE * quantum;
	guess.sigma = guess.sigma > floor_sigma ? guess.sigma : floor_sigma;
	return clipped(samples, n, guess, ANNULUS_CLIP, ANNULUS_SHRINK, floor_sigma);
}

/* Median of the 3x3 neighbourhood, so that one cell full of star does not dent the sky; fills
 * cells that had nothing. */
static void smooth_mesh(struct background *bg, float *scratch)
{
	size_t count = (size_t)bg->columns * (size_t)bg->rows;
	memcpy(scratch, bg->level, count * sizeof *scratch);
	for (int32_t r = 0; r < bg->rows; r++) {
		for (int32_t c = 0; c < bg->columns; c++) {
			float near[9];
			size_t n = 0;
			for (int32_t j = r - 1; j <= r + 1; j++) {
				for (int32_t i = c - 1; i <= c + 1; i++) {
					if (j < 0 || i < 0 || j >= bg->rows || i >= bg->columns) {
						continue;
					}
					float v = scratch[j * bg->columns + i];
					if (isfinite(v)) {
						near[n++] = v;
					}
				}
			}
			/* Of an even count the lower middle value is taken: the sky is the darker of two. */
			float own = n > 0 ? select_float(near, n, (n - 1) / 2) : (float)bg->typical;
			bool corner = n < 5 && isfinite(scratch[r * bg->columns + c]);
			bg->level[r * bg->columns + c] =
				corner ? scratch[r * bg->columns + c] : own;
		}
	}
}

/* The level whose pixels are the samples: means of 4x4 tell a level better than single pixels and
 * are few, but a small frame needs every one. */
static int sampled_level(const struct pyramid *pyramid, int level)
{
	int from = level < 2 ? 2 : level;
	from = from < pyramid->levels ? from : pyramid->levels - 1;
	while (from > 0 && (int64_t)pyramid->width[from] * pyramid->height[from] < LEAST_SAMPLES) {
		from--;
	}
	return level > from ? level : from;
}

/* Samples of one row of cells. */
struct strip {
	float *row;
	float *samples;  /* [columns][CELL_SAMPLES] */
	size_t *count;   /* [columns] */
};

static void strip_fill(struct strip *strip, const struct pyramid *pyramid, int from, int32_t y0,
	int32_t y1, int32_t columns)
{
	int32_t width = pyramid->width[from];
	int32_t most = width / columns + 1;
	int32_t rows = CELL_SAMPLES / most;
	rows = rows < 1 ? 1 : rows;
	/* The step is odd, because rows may alternate in level. */
	int32_t step = (y1 - y0 + rows - 1) / rows;
	step = step > 1 ? step | 1 : 1;
	int32_t thin = most / CELL_SAMPLES + 1;
	memset(strip->count, 0, (size_t)columns * sizeof *strip->count);
	for (int32_t y = y0 + (step - 1) / 2; y < y1; y += step) {
		pyramid_row(pyramid, from, y, 0, width, strip->row);
		for (int32_t c = 0; c < columns; c++) {
			float *to = strip->samples + (size_t)c * CELL_SAMPLES;
			size_t n = strip->count[c];
			int32_t x1 = (int32_t)((int64_t)width * (c + 1) / columns);
			for (int32_t x = (int32_t)((int64_t)width * c / columns); x < x1; x += thin) {
				if (n < CELL_SAMPLES && isfinite(strip->row[x])) {
					to[n++] = strip->row[x];
				}
			}
			strip->count[c] = n;
		}
	}
}

static bool strip_init(struct strip *strip, int32_t width, int32_t columns)
{
	strip->row = malloc((size_t)width * sizeof *strip->row);
	strip->samples = malloc((size_t)columns * CELL_SAMPLES * sizeof *strip->samples);
	strip->count = malloc((size_t)columns * sizeof *strip->count);
	return strip->row != NULL && strip->samples != NULL && strip->count != NULL;
}

static void strip_fini(struct strip *strip)
{
	free(strip->row);
	free(strip->samples);
	free(strip->count);
}

bool background_init(struct background *bg, const struct pyramid *pyramid, int level, int32_t cell)
{
	int from = sampled_level(pyramid, level);
	int32_t height = pyramid->height[from];
	int32_t columns = (pyramid->width[level] + cell / 2) / cell;
	int32_t rows = (pyramid->height[level] + cell / 2) / cell;
	columns = columns < 1 ? 1 : columns;
	rows = rows < 1 ? 1 : rows;
	size_t count = (size_t)columns * (size_t)rows;
	*bg = (struct background){.height = pyramid->height[level], .columns = columns, .rows = rows};
	bg->level = malloc(count * sizeof *bg->level);
	float *scratch = malloc(count * sizeof *scratch);
	struct strip strip;
	bool enough = strip_init(&strip, pyramid->width[from], columns) && bg->level != NULL && scratch != NULL;
	if (enough) {
		size_t known = 0;
		for (int32_t r = 0; r < rows; r++) {
			strip_fill(&strip, pyramid, from, (int32_t)((int64_t)height * r / rows),
				(int32_t)((int64_t)height * (r + 1) / rows), columns);
			for (int32_t c = 0; c < columns; c++) {
				float *own = &bg->level[(size_t)r * (size_t)columns + (size_t)c];
				*own = NAN;
				if (strip.count[c] >= 12) {
					*own = (float)sky_of_samples(strip.samples + (size_t)c * CELL_SAMPLES,
						strip.count[c], pyramid->quantum[from]).level;
					scratch[known++] = *own;
				}
			}
		}
		bg->typical = known > 0 ? (double)select_float(scratch, known, known / 2) : 0.0;
		smooth_mesh(bg, scratch);
	}
	strip_fini(&strip);
	free(scratch);
	if (!enough) {
		background_fini(bg);
	}
	return enough;
}

double background_noise(const struct pyramid *pyramid)
{
	enum { PATCHES = 8, SIDE = 28 };
	float samples[SIDE * SIDE];
	float sigma[PATCHES * PATCHES];
	size_t known = 0;
	int32_t w = pyramid->width[0] < SIDE ? pyramid->width[0] : SIDE;
	int32_t h = pyramid->height[0] < SIDE ? pyramid->height[0] : SIDE;
	for (int32_t r = 0; r < PATCHES; r++) {
		for (int32_t c = 0; c < PATCHES; c++) {
			int32_t x0 = (int32_t)((int64_t)(pyramid->width[0] - w) * (2 * c + 1) / (2 * PATCHES));
			int32_t y0 = (int32_t)((int64_t)(pyramid->height[0] - h) * (2 * r + 1) / (2 * PATCHES));
			size_t n = 0;
			for (int32_t y = y0; y < y0 + h; y++) {
				pyramid_row(pyramid, 0, y, x0, w, samples + n);
				size_t end = n + (size_t)w;
				for (size_t i = n; i < end; i++) {
					if (isfinite(samples[i])) {
						samples[n++] = samples[i];
					}
				}
			}
			if (n >= 12) {
				sigma[known++] = (float)sky_of_samples(samples, n, pyramid->quantum[0]).sigma;
			}
		}
	}
	return known > 0 ? (double)select_float(sigma, known, known / 2) : 0.0;
}

void background_fini(struct background *bg)
{
	free(bg->level);
	*bg = (struct background){0};
}

/* Cell centres around a coordinate: index of the lower one and the weight of the upper. */
static int32_t cell_at(double where, int32_t cells, float *weight)
{
	double at = where - 0.5;
	if (at <= 0.0) {
		*weight = 0.0F;
		return 0;
	}
	if (at >= cells - 1) {
		*weight = 0.0F;
		return cells - 1;
	}
	int32_t i = (int32_t)at;
	*weight = (float)(at - i);
	return i;
}

void background_row(const struct background *bg, int32_t y, int32_t width, float *out)
{
	float wy;
	int32_t r = cell_at(((double)y + 0.5) / bg->height * bg->rows, bg->rows, &wy);
	const float *upper = bg->level + (size_t)r * (size_t)bg->columns;
	const float *lower = r + 1 < bg->rows ? upper + bg->columns : upper;
	double pitch = (double)width / bg->columns;
	/* Between two cell centres the sky is a straight line: one slope per stretch. */
	for (int32_t c = -1; c < bg->columns; c++) {
		int32_t left = c < 0 ? 0 : c;
		int32_t right = c + 1 < bg->columns ? c + 1 : c;
		float a = upper[left] + wy * (lower[left] - upper[left]);
		float b = upper[right] + wy * (lower[right] - upper[right]);
		double from = (c + 0.5) * pitch - 0.5;
		double to = from + pitch;
		int32_t x0 = c < 0 ? 0 : (int32_t)ceil(from);
		int32_t x1 = c + 1 >= bg->columns ? width : (int32_t)ceil(to);
		float slope = (float)((double)(b - a) / pitch);
		float start = a - slope * (float)from;
		for (int32_t x = x0; x < x1; x++) {
			out[x] = start + slope * (float)x;
		}
	}
}
