/* SPDX-License-Identifier: MIT */
#include "pyramid.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "order.h"

/* A pixel of the next level is the mean of four, whose values are four times as close.  Derived. */
#define QUARTER 0.25F
#define MEAN_OF 4.0

/* A level narrower than this shows nothing that the one below does not. */
enum { LEAST_SIDE = 14 };

static void source_row(const struct image *img, int32_t y, int32_t x0, int32_t n, float *out)
{
	size_t at = (size_t)y * img->stride + (size_t)x0;
	if (img->type == IMAGE_U16) {
		const uint16_t *in = (const uint16_t *)img->data + at;
		for (int32_t i = 0; i < n; i++) {
			out[i] = (float)in[i];
		}
	} else if (img->type == IMAGE_F32) {
		memcpy(out, (const float *)img->data + at, (size_t)n * sizeof *out);
	} else {
		/* Whole numbers of 32 bits and doubles are rounded to the 24 bits of a float, less than any noise;
		 * doubles beyond its range become infinite, which is missing. */
		for (int32_t i = 0; i < n; i++) {
			out[i] = (float)image_element(img->data, img->type, at + (size_t)i);
		}
	}
}

static void mend_missing(const float *above, const float *below, int32_t n, float *out)
{
	for (int32_t x = 0; x < n; x++) {
		if (isfinite(out[x])) {
			continue;
		}
		const float v[4] = {above[2 * x], above[2 * x + 1], below[2 * x], below[2 * x + 1]};
		float sum = 0.0F;
		int count = 0;
		for (int i = 0; i < 4; i++) {
			if (isfinite(v[i])) {
				sum += v[i];
				count++;
			}
		}
		out[x] = count > 0 ? sum / (float)count : NAN;
	}
}

void halve_rows(const float *above, const float *below, int32_t n, bool may_miss, float *out)
{
	for (int32_t x = 0; x < n; x++) {
		out[x] = QUARTER * ((above[2 * x] + below[2 * x]) + (above[2 * x + 1] + below[2 * x + 1]));
	}
	if (may_miss) {
		mend_missing(above, below, n, out);
	}
}

/* n means of 2x2 pixels of two rows of whole numbers; two neighbours are read as one word, in whichever order. */
static void halve_words(const uint16_t *above, const uint16_t *below, int32_t n, float *out)
{
	for (int32_t x = 0; x < n; x++) {
		uint32_t a;
		uint32_t b;
		memcpy(&a, above + 2 * (size_t)x, sizeof a);
		memcpy(&b, below + 2 * (size_t)x, sizeof b);
		out[x] = QUARTER * (float)(int32_t)((a & UINT16_MAX) + (a >> 16) + (b & UINT16_MAX) + (b >> 16));
	}
}

/* A row of the source in means of 2^shift pixels; scratch holds 4n + 8n + ... floats. */
static void binned_row(const struct image *img, int shift, int32_t y, int32_t x0, int32_t n,
	float *out, float *scratch)
{
	if (shift == 0) {
		source_row(img, y, x0, n, out);
		return;
	}
	if (shift == 1 && img->type == IMAGE_U16) {
		const uint16_t *pair = (const uint16_t *)img->data + (size_t)(2 * y) * img->stride + 2 * (size_t)x0;
		halve_words(pair, pair + img->stride, n, out);
		return;
	}
	float *above = scratch;
	float *below = above + 2 * (size_t)n;
	float *rest = below + 2 * (size_t)n;
	binned_row(img, shift - 1, 2 * y, 2 * x0, 2 * n, above, rest);
	binned_row(img, shift - 1, 2 * y + 1, 2 * x0, 2 * n, below, rest);
	halve_rows(above, below, n, image_type_is_float(img->type), out);
}

void pyramid_row(const struct pyramid *pyramid, int level, int32_t y, int32_t x0, int32_t n,
	float *out)
{
	if (pyramid->kept[level] != NULL) {
		const float *from = pyramid->kept[level] +
			(size_t)y * (size_t)pyramid->width[level] + (size_t)x0;
		memcpy(out, from, (size_t)n * sizeof *out);
		return;
	}
	binned_row(pyramid->source, level + pyramid->shift, y, x0, n, out, pyramid->scratch);
}

/* Step between neighbouring values, as seen in a sample: integers may come as floats, and cameras
 * of 8 or 12 bit stretched to 16.  Next to nothing for true floats. */
static double quantum_of(const struct image *img)
{
	enum { SAMPLES = 1024 };
	float sample[SAMPLES];
	size_t n = 0;
	int32_t row_step = img->height / 32 + 1;
	int32_t column_step = img->width / 32 + 1;
	for (int32_t y = 0; y < img->height; y += row_step) {
		for (int32_t x = y % column_step; x < img->width && n < SAMPLES; x += column_step) {
			float v;
			source_row(img, y, x, 1, &v);
			if (isfinite(v)) {
				sample[n++] = v;
			}
		}
	}
	sort_float(sample, n);
	double least = INFINITY;
	for (size_t i = 1; i < n; i++) {
		double step = (double)sample[i] - (double)sample[i - 1];
		if (step > 0.0 && step < least) {
			least = step;
		}
	}
	return isfinite(least) ? least : 0.0;
}

bool pyramid_init(struct pyramid *pyramid, const struct image *source)
{
	int shift = source->mosaic == IMAGE_MONO ? 0 : 1;
	*pyramid = (struct pyramid){.source = source, .shift = shift, .levels = 1};
	pyramid->width[0] = source->width >> shift;
	pyramid->height[0] = source->height >> shift;
	pyramid->quantum[0] = quantum_of(source) / (shift == 0 ? 1.0 : MEAN_OF);
	/* Rows of n px of a level made on the fly: 4n, 8n, ... up to the source, less than 4 rows of it;
	 * at least what the window of a probe takes. */
	size_t span = (size_t)source->width > 8 * 512 ? (size_t)source->width : 8 * 512;
	pyramid->scratch = malloc(4 * span * sizeof *pyramid->scratch);
	bool enough = pyramid->scratch != NULL;
	for (int k = 1; k < PYRAMID_LEVELS && enough; k++) {
		if (pyramid->width[k - 1] < LEAST_SIDE || pyramid->height[k - 1] < LEAST_SIDE) {
			break;
		}
		pyramid->width[k] = pyramid->width[k - 1] / 2;
		pyramid->height[k] = pyramid->height[k - 1] / 2;
		pyramid->quantum[k] = pyramid->quantum[k - 1] / MEAN_OF;
		pyramid->levels = k + 1;
		if (k >= PYRAMID_KEPT) {
			size_t count = (size_t)pyramid->width[k] * (size_t)pyramid->height[k];
			pyramid->kept[k] = malloc(count * sizeof(float));
			enough = pyramid->kept[k] != NULL;
		}
	}
	if (!enough) {
		pyramid_fini(pyramid);
	}
	return enough;
}

void pyramid_fini(struct pyramid *pyramid)
{
	for (int k = 0; k < PYRAMID_LEVELS; k++) {
		free(pyramid->kept[k]);
		pyramid->kept[k] = NULL;
	}
	free(pyramid->scratch);
	pyramid->scratch = NULL;
	pyramid->levels = 0;
}

void pyramid_fill(struct pyramid *pyramid, int level)
{
	size_t from_width = (size_t)pyramid->width[level - 1];
	int32_t w = pyramid->width[level];
	for (int32_t y = 0; y < pyramid->height[level]; y++) {
		const float *above = pyramid->kept[level - 1] + 2 * (size_t)y * from_width;
		halve_rows(above, above + from_width, w, image_type_is_float(pyramid->source->type),
			pyramid->kept[level] + (size_t)y * (size_t)w);
	}
}
