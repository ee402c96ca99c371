/* SPDX-License-Identifier: MIT */
/* Sky and noise.  A donut or a galaxy can cover half of a cell, so the level comes from the
 * densest part of the distribution and not from the median. */
#include "background.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Samples per mesh cell: enough for 3 % of sigma, few enough to sort thousands of cells. */
enum { CELL_SAMPLES = 1024 };

static void swap_float(float *a, float *b)
{
	float t = *a;
	*a = *b;
	*b = t;
}

/* Splits values so that [0, *lo) <= pivot <= (*hi, n). */
static void split(float *values, size_t n, size_t *lo, size_t *hi)
{
	float a = values[0];
	float b = values[n / 2];
	float c = values[n - 1];
	float pivot = a < b ? (b < c ? b : (a < c ? c : a)) : (a < c ? a : (b < c ? c : b));
	size_t i = 0;
	size_t j = n - 1;
	for (;;) {
		while (values[i] < pivot) {
			i++;
		}
		while (values[j] > pivot) {
			j--;
		}
		if (i >= j) {
			break;
		}
		swap_float(&values[i++], &values[j--]);
	}
	*lo = i;
	*hi = j;
}

float select_float(float *values, size_t n, size_t k)
{
	while (n > 1) {
		size_t i;
		size_t j;
		split(values, n, &i, &j);
		size_t left = j + 1; /* [0, left) <= [left, n) when i > j, shared middle when equal */
		if (i == j) {
			if (k < i) {
				n = i;
			} else if (k == i) {
				return values[i];
			} else {
				values += i + 1;
				n -= i + 1;
				k -= i + 1;
			}
		} else if (k < left) {
			n = left;
		} else {
			values += left;
			n -= left;
			k -= left;
		}
	}
	return values[0];
}

void sort_float(float *values, size_t n)
{
	while (n > 16) {
		size_t i;
		size_t j;
		split(values, n, &i, &j);
		size_t left = i == j ? i : j + 1;
		size_t right = i == j ? i + 1 : j + 1;
		if (left < n - right) {
			sort_float(values, left);
			values += right;
			n -= right;
		} else {
			sort_float(values + right, n - right);
			n = left;
		}
	}
	for (size_t a = 1; a < n; a++) {
		float v = values[a];
		size_t b = a;
		for (; b > 0 && values[b - 1] > v; b--) {
			values[b] = values[b - 1];
		}
		values[b] = v;
	}
}

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
		bool settled = fabs(mean) < 0.003 * sigma;
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
		guess.sigma = (best + quantum) / 1.049; /* 40 % of a Gaussian: +-0.5244 sigma */
	}
	double floor_sigma = 0.3 * quantum;
	guess.sigma = guess.sigma > floor_sigma ? guess.sigma : floor_sigma;
	return clipped(samples, n, guess, 3.0, 0.9866, floor_sigma);
}

struct sky sky_of_annulus(float *samples, size_t n, double quantum)
{
	struct sky guess = {(double)select_float(samples, n, n / 2), 0.0};
	/* The lower half only: neighbours and wings stand in the upper one. */
	double quarter = (double)select_float(samples, n, n / 4);
	guess.sigma = (guess.level - quarter + 0.5 * quantum) * 1.4826;
	double floor_sigma = 0.3 * quantum;
	guess.sigma = guess.sigma > floor_sigma ? guess.sigma : floor_sigma;
	return clipped(samples, n, guess, 2.5, 0.9546, floor_sigma);
}

void image_row(const struct image *img, int32_t y, int32_t x0, int32_t n, float *out)
{
	size_t at = (size_t)y * img->stride + (size_t)x0;
	if (img->type == IMAGE_U16) {
		const uint16_t *in = (const uint16_t *)img->data + at;
		for (int32_t i = 0; i < n; i++) {
			out[i] = (float)in[i];
		}
	} else {
		memcpy(out, (const float *)img->data + at, (size_t)n * sizeof *out);
	}
}

static float image_pixel(const struct image *img, int32_t x, int32_t y)
{
	size_t at = (size_t)y * img->stride + (size_t)x;
	return img->type == IMAGE_U16 ? (float)((const uint16_t *)img->data)[at]
		: ((const float *)img->data)[at];
}

/* Level of one cell, NaN when it holds almost nothing. */
static struct sky cell_sky(const struct image *img, int32_t x0, int32_t x1, int32_t y0, int32_t y1,
	double quantum, float *samples)
{
	int64_t area = (int64_t)(x1 - x0) * (y1 - y0);
	int32_t thin = (int32_t)(area / CELL_SAMPLES);
	/* Rows may alternate in level, so a step over rows is odd; the start along the row shifts from
	 * row to row, so that a bad column is met no more often than others. */
	int32_t row_step = thin > 64 ? (int32_t)sqrt((double)thin) | 1 : 1;
	int32_t step = thin / row_step < 1 ? 1 : thin / row_step;
	size_t n = 0;
	int32_t start = 0;
	for (int32_t y = y0; y < y1; y += row_step) {
		start = (start + step / 2 + 1) % step;
		for (int32_t x = x0 + start; x < x1; x += step) {
			float v = image_pixel(img, x, y);
			if (n < 4 * CELL_SAMPLES && isfinite(v)) {
				samples[n++] = v;
			}
		}
	}
	if (n < 16 && (int64_t)n * 4 < area) {
		return (struct sky){NAN, NAN};
	}
	return sky_of_samples(samples, n, quantum);
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
			/* An even count leans to the lower value: the sky is the darker of two. */
			float own = n > 0 ? select_float(near, n, (n - 1) / 2) : (float)bg->typical;
			bool corner = n < 5 && isfinite(scratch[r * bg->columns + c]);
			bg->level[r * bg->columns + c] =
				corner ? scratch[r * bg->columns + c] : own;
		}
	}
}

int background_init(struct background *bg, const struct image *img, int32_t cell, double quantum)
{
	int32_t columns = (img->width + cell / 2) / cell;
	int32_t rows = (img->height + cell / 2) / cell;
	columns = columns < 1 ? 1 : columns;
	rows = rows < 1 ? 1 : rows;
	size_t count = (size_t)columns * (size_t)rows;
	*bg = (struct background){.cell = cell, .height = img->height, .columns = columns, .rows = rows};
	bg->level = malloc(count * sizeof *bg->level);
	float *sigma = malloc(count * sizeof *sigma);
	float *scratch = malloc(count * sizeof *scratch);
	float *samples = malloc(4 * CELL_SAMPLES * sizeof *samples);
	int status = -1;
	if (bg->level != NULL && sigma != NULL && scratch != NULL && samples != NULL) {
		size_t known = 0;
		for (int32_t r = 0; r < rows; r++) {
			int32_t y0 = (int32_t)((int64_t)img->height * r / rows);
			int32_t y1 = (int32_t)((int64_t)img->height * (r + 1) / rows);
			for (int32_t c = 0; c < columns; c++) {
				int32_t x0 = (int32_t)((int64_t)img->width * c / columns);
				int32_t x1 = (int32_t)((int64_t)img->width * (c + 1) / columns);
				struct sky sky = cell_sky(img, x0, x1, y0, y1, quantum, samples);
				bg->level[(size_t)r * (size_t)columns + (size_t)c] = (float)sky.level;
				if (isfinite(sky.level)) {
					scratch[known] = (float)sky.level;
					sigma[known++] = (float)sky.sigma;
				}
			}
		}
		if (known > 0) {
			bg->typical = (double)select_float(scratch, known, known / 2);
			bg->sigma = (double)select_float(sigma, known, known / 2);
		}
		smooth_mesh(bg, scratch);
		status = 0;
	}
	free(sigma);
	free(scratch);
	free(samples);
	if (status != 0) {
		background_fini(bg);
	}
	return status;
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
