/* SPDX-License-Identifier: MIT */
/* A donut is invisible to a filter of star size and a star to one of donut size, so every frame is
 * searched with the whole bank.  A filled disk is as good as the exact ring, and a disk costs a
 * handful of additions when its rows are shared between the filters; large disks run on binned
 * levels, where they are small again. */
#include "detect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	REACH = 3,           /* half size of the largest disk, level px */
	WINDOW = 2 * REACH + 1,
	KERNELS = 4,
	NOISE_SAMPLES = 8192,
	MAX_CANDIDATES = 1 << 18,
};

/* Half widths of the rows of each disk by distance from its middle row; -1 ends it. */
static const struct {
	int half[REACH + 1];
	double pixels;
} kernels[KERNELS] = {
	{{1, 0, -1, -1}, 5.0},
	{{1, 1, -1, -1}, 9.0},
	{{2, 2, 1, -1}, 21.0},
	{{3, 3, 2, 1}, 37.0},
};

/* A first, low threshold in sigmas of white noise; the final one uses the noise that is seen. */
static const double first_threshold = 4.0;
static const double final_threshold = 5.5;

int image_halve(const struct image *img, struct image *half, float **owned)
{
	int32_t w = img->width / 2;
	int32_t h = img->height / 2;
	float *out = malloc((size_t)w * (size_t)h * sizeof *out);
	float *rows = malloc(4 * (size_t)w * sizeof *rows);
	*owned = out;
	if (out == NULL || rows == NULL) {
		free(rows);
		return -1;
	}
	float *a = rows;
	float *b = rows + 2 * w;
	for (int32_t y = 0; y < h; y++) {
		float *to = out + (size_t)y * (size_t)w;
		image_row(img, 2 * y, 0, 2 * w, a);
		image_row(img, 2 * y + 1, 0, 2 * w, b);
		for (int32_t x = 0; x < w; x++) {
			to[x] = 0.25F * (a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1]);
		}
		if (img->type != IMAGE_F32) {
			continue;
		}
		for (int32_t x = 0; x < w; x++) {
			if (isfinite(to[x])) {
				continue;
			}
			const float v[4] = {a[2 * x], a[2 * x + 1], b[2 * x], b[2 * x + 1]};
			float sum = 0.0F;
			int n = 0;
			for (int i = 0; i < 4; i++) {
				if (isfinite(v[i])) {
					sum += v[i];
					n++;
				}
			}
			to[x] = n > 0 ? sum / (float)n : NAN;
		}
	}
	free(rows);
	*half = *img;
	half->data = out;
	half->type = IMAGE_F32;
	half->mosaic = IMAGE_MONO;
	half->width = w;
	half->height = h;
	half->stride = (size_t)w;
	return 0;
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
			image_row(img, y, x, 1, &v);
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

int pyramid_init(struct pyramid *pyramid, const struct image *img)
{
	*pyramid = (struct pyramid){.levels = 1, .image[0] = *img};
	pyramid->quantum[0] = quantum_of(img);
	int status = 0;
	for (int k = 1; k < PYRAMID_LEVELS && status == 0; k++) {
		const struct image *from = &pyramid->image[k - 1];
		if (from->width < 2 * WINDOW || from->height < 2 * WINDOW) {
			break;
		}
		status = image_halve(from, &pyramid->image[k], &pyramid->owned[k]);
		pyramid->quantum[k] = pyramid->quantum[k - 1] / 4.0;
		pyramid->levels = k + 1;
	}
	if (status != 0) {
		pyramid_fini(pyramid);
	}
	return status;
}

void pyramid_fini(struct pyramid *pyramid)
{
	for (int k = 0; k < PYRAMID_LEVELS; k++) {
		free(pyramid->owned[k]);
		pyramid->owned[k] = NULL;
	}
	pyramid->levels = 0;
}

static int add(struct candidates *list, struct candidate c)
{
	if (list->count == list->cap) {
		size_t cap = list->cap == 0 ? 4096 : 2 * list->cap;
		struct candidate *item = realloc(list->item, cap * sizeof *item);
		if (item == NULL) {
			return -1;
		}
		list->item = item;
		list->cap = cap;
	}
	list->item[list->count++] = c;
	return 0;
}

/* One level's rows in flight: sums of 1, 3, 5 and 7 pixels along each of the last seven rows, and
 * the last three rows of each filter. */
struct bank {
	int32_t width;
	float *sums;   /* [WINDOW][REACH + 1][width] */
	float *outs;   /* [KERNELS][3][width] */
	float *row;    /* [width + 2 * REACH], zero at both ends */
	float *sky;    /* [width] */
	float *noise;  /* [KERNELS][NOISE_SAMPLES] */
	size_t noise_count[KERNELS];
};

static void bank_fini(struct bank *bank)
{
	free(bank->sums);
	free(bank->outs);
	free(bank->row);
	free(bank->sky);
	free(bank->noise);
}

static int bank_init(struct bank *bank, int32_t width)
{
	size_t w = (size_t)width;
	*bank = (struct bank){.width = width};
	bank->sums = calloc(WINDOW * (REACH + 1) * w, sizeof(float));
	bank->outs = calloc(KERNELS * 3 * w, sizeof(float));
	bank->row = calloc(w + 2 * REACH, sizeof(float));
	bank->sky = calloc(w, sizeof(float));
	bank->noise = calloc((size_t)KERNELS * NOISE_SAMPLES, sizeof(float));
	if (bank->sums == NULL || bank->outs == NULL || bank->row == NULL || bank->sky == NULL ||
	    bank->noise == NULL) {
		bank_fini(bank);
		return -1;
	}
	return 0;
}

static float *sums_at(struct bank *bank, int32_t y, int half)
{
	size_t slot = (size_t)((y + WINDOW) % WINDOW);
	return bank->sums + (slot * (REACH + 1) + (size_t)half) * (size_t)bank->width;
}

static float *out_at(struct bank *bank, int kernel, int32_t y)
{
	return bank->outs + ((size_t)kernel * 3 + (size_t)((y + 3) % 3)) * (size_t)bank->width;
}

/* Takes in row y of the image; past its end, zeros. */
static void bank_feed(struct bank *bank, const struct image *img, const struct background *bg,
	int32_t y)
{
	int32_t w = bank->width;
	float *s0 = sums_at(bank, y, 0);
	if (y >= img->height) {
		memset(s0, 0, (size_t)w * (REACH + 1) * sizeof *s0);
		return;
	}
	float *s1 = s0 + w;
	float *s2 = s1 + w;
	float *s3 = s2 + w;
	float *row = bank->row + REACH;
	image_row(img, y, 0, w, row);
	background_row(bg, y, w, bank->sky);
	for (int32_t x = 0; x < w; x++) {
		row[x] -= bank->sky[x];
	}
	if (img->type == IMAGE_F32) {
		for (int32_t x = 0; x < w; x++) {
			row[x] = isfinite(row[x]) ? row[x] : 0.0F;
		}
	}
	for (int32_t x = 0; x < w; x++) {
		float one = row[x];
		float three = one + row[x - 1] + row[x + 1];
		float five = three + row[x - 2] + row[x + 2];
		s0[x] = one;
		s1[x] = three;
		s2[x] = five;
		s3[x] = five + row[x - 3] + row[x + 3];
	}
}

/* Row y of one filter. */
static void bank_filter(struct bank *bank, int kernel, int32_t y)
{
	int32_t w = bank->width;
	float *out = out_at(bank, kernel, y);
	memcpy(out, sums_at(bank, y, kernels[kernel].half[0]), (size_t)w * sizeof *out);
	for (int d = 1; d <= REACH && kernels[kernel].half[d] >= 0; d++) {
		const float *above = sums_at(bank, y - d, kernels[kernel].half[d]);
		const float *below = sums_at(bank, y + d, kernels[kernel].half[d]);
		for (int32_t x = 0; x < w; x++) {
			out[x] += above[x] + below[x];
		}
	}
}

static bool is_peak(const float *above, const float *row, const float *below, int32_t x)
{
	float v = row[x];
	return v > row[x - 1] && v >= row[x + 1] && v > above[x - 1] && v > above[x] &&
	       v > above[x + 1] && v >= below[x - 1] && v >= below[x] && v >= below[x + 1];
}

/* Peaks of row y of one filter, whose neighbours above and below are there. */
static int bank_peaks(struct bank *bank, int kernel, int32_t y, float threshold, float bin,
	struct candidates *list)
{
	int32_t w = bank->width;
	const float *above = out_at(bank, kernel, y - 1);
	const float *row = out_at(bank, kernel, y);
	const float *below = out_at(bank, kernel, y + 1);
	float radius = bin * (float)sqrt(kernels[kernel].pixels / M_PI);
	for (int32_t x = 1; x < w - 1; x++) {
		if (row[x] > threshold && is_peak(above, row, below, x)) {
			struct candidate c = {
				.x = ((float)x + 0.5F) * bin - 0.5F,
				.y = ((float)y + 0.5F) * bin - 0.5F,
				.radius = radius,
				.flux = row[x] * bin * bin,
			};
			if (add(list, c) != 0) {
				return -1;
			}
		}
	}
	return 0;
}

/* Noise of one filter as the frame shows it: banding, fixed pattern and crowding are in it.  A
 * star that fills the frame would be in it too, so with a large disk it is held to what white
 * noise explains. */
static struct sky filter_noise(struct bank *bank, int kernel, double white, bool large)
{
	if (bank->noise_count[kernel] == 0) {
		return (struct sky){0.0, white};
	}
	struct sky sky = sky_of_samples(bank->noise + (size_t)kernel * NOISE_SAMPLES,
		bank->noise_count[kernel], 0.0);
	if (large) {
		sky.level = 0.0;
		sky.sigma = sky.sigma < 2.0 * white ? sky.sigma : 2.0 * white;
	}
	sky.sigma = sky.sigma > white ? sky.sigma : white;
	return sky;
}

static int detect_level(const struct pyramid *pyramid, int level, const struct background *bg,
	double sigma, struct candidates *list)
{
	const struct image *img = &pyramid->image[level];
	double bin = (double)(1 << level);
	int first_kernel = level == 0 ? 0 : 2;
	int32_t least = pyramid->image[0].width < pyramid->image[0].height
		? pyramid->image[0].width : pyramid->image[0].height;
	struct bank bank;
	if (bank_init(&bank, img->width) != 0) {
		return -1;
	}
	int32_t step = (int32_t)(sqrt((double)img->width * img->height / NOISE_SAMPLES) + 1.0);
	int status = 0;
	struct candidates found[KERNELS] = {{0}};
	double raise[KERNELS] = {1.0, 1.0, 1.0, 1.0};
	for (int32_t y = 0; y < img->height + REACH && status == 0; y++) {
		bank_feed(&bank, img, bg, y);
		int32_t at = y - REACH;
		for (int k = first_kernel; k < KERNELS && at >= 0 && status == 0; k++) {
			bank_filter(&bank, k, at);
			if (at % step == step / 2) {
				const float *out = out_at(&bank, k, at);
				size_t n = bank.noise_count[k];
				for (int32_t x = step / 2; x < img->width && n < NOISE_SAMPLES; x += step) {
					bank.noise[(size_t)k * NOISE_SAMPLES + n++] = out[x];
				}
				bank.noise_count[k] = n;
			}
			if (at >= 2) {
				double white = sigma * sqrt(kernels[k].pixels);
				status = bank_peaks(&bank, k, at - 1,
					(float)(first_threshold * raise[k] * white), (float)bin, &found[k]);
				if (found[k].count > MAX_CANDIDATES) {
					/* Structure everywhere: keep the brighter ones. */
					raise[k] *= 1.5;
					size_t kept = 0;
					double least_flux = first_threshold * raise[k] * white * bin * bin;
					for (size_t i = 0; i < found[k].count; i++) {
						if ((double)found[k].item[i].flux > least_flux) {
							found[k].item[kept++] = found[k].item[i];
						}
					}
					found[k].count = kept;
				}
			}
		}
	}
	for (int k = first_kernel; k < KERNELS && status == 0; k++) {
		double white = sigma * sqrt(kernels[k].pixels);
		double radius = bin * sqrt(kernels[k].pixels / M_PI);
		if (radius > 0.5 * least) {
			continue;
		}
		struct sky noise = filter_noise(&bank, k, white, radius > 0.1 * least);
		for (size_t i = 0; i < found[k].count && status == 0; i++) {
			struct candidate c = found[k].item[i];
			c.flux -= (float)(noise.level * bin * bin);
			c.snr = (float)((double)c.flux / (noise.sigma * bin * bin));
			if ((double)c.snr >= final_threshold) {
				status = add(list, c);
			}
		}
	}
	for (int k = 0; k < KERNELS; k++) {
		free(found[k].item);
	}
	bank_fini(&bank);
	return status;
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

int detect(struct pyramid *pyramid, struct candidates *list)
{
	*list = (struct candidates){0};
	struct background whole;
	int32_t largest = pyramid->image[0].width > pyramid->image[0].height
		? pyramid->image[0].width : pyramid->image[0].height;
	if (background_init(&whole, &pyramid->image[0], 2 * largest, pyramid->quantum[0]) != 0) {
		return -1;
	}
	pyramid->sky = whole.typical;
	for (int k = 0; k < pyramid->levels; k++) {
		const struct image *img = &pyramid->image[k];
		struct background bg;
		/* Cells of 64 px are some ten diameters of this level's disks. */
		if (background_init(&bg, img, 64, pyramid->quantum[k]) != 0) {
			background_fini(&whole);
			return -1;
		}
		if (k == 0) {
			pyramid->sky = bg.typical;
			pyramid->sigma[0] = bg.sigma;
		} else {
			/* The binned noise may not be less than white noise makes it: a mesh of few
			 * cells full of star would say anything. */
			double white = pyramid->sigma[0] / (double)(1 << k);
			bool few = bg.columns * bg.rows < 4;
			pyramid->sigma[k] = few || bg.sigma < white ? white : bg.sigma;
		}
		const struct background *use = &bg;
		if (bg.columns * bg.rows == 1) {
			whole.height = img->height;
			use = &whole;
		}
		int status = detect_level(pyramid, k, use, pyramid->sigma[k], list);
		background_fini(&bg);
		if (status != 0) {
			background_fini(&whole);
			return -1;
		}
	}
	background_fini(&whole);
	if (list->count > 0) {
		qsort(list->item, list->count, sizeof *list->item, by_snr);
	}
	return 0;
}
