/* SPDX-License-Identifier: MIT */
/* Peaks of the filters and their noise; see harvest.h. */
#include "harvest.h"

#include <math.h>
#include <stdlib.h>

#include "background.h"

/* Factor by which the first threshold rises where there are too many peaks.  Estimate:
 * tests/unit/fits/test_frames.c sizes_of_frames holds with it; not varied. */
#define THRESHOLD_GROWTH 1.5
/* A disk with a radius above this share of the shorter side sees stars in what should be noise.  Estimate:
 * tests/unit/fits/test_frames.c sizes_of_frames holds with it; not varied. */
#define LARGE_DISK 0.1

enum {
	NOISE_SAMPLES = 2048,
	MAX_CANDIDATES = 1 << 17,
	FIRST_ROOM = 256, /* candidates */
};

/* Derived: pixels of the rows of 3, 3, 5 and 7 that make the disks. */
static const double kernel_pixels[HARVEST_KERNELS] = {5.0, 9.0, 21.0, 37.0};

/* A first, low threshold in sigmas of white noise; the final one uses the noise that is seen.  Tuned on
 * tests/unit/fits/test_measure.c noise_has_no_stars: no star in 60 frames, and donut_fields there: none of 165
 * lost. */
static const double first_threshold = 4.0;
static const double final_threshold = 5.5;

static bool add(struct candidates *list, struct candidate c)
{
	if (list->count == list->cap) {
		size_t cap = list->cap == 0 ? FIRST_ROOM : 2 * list->cap;
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

bool harvest_init(struct harvest *harvest, const struct pyramid *pyramid, int level, int first, int last)
{
	*harvest = (struct harvest){.bin = (double)(1 << level), .sigma = pyramid->sigma[level], .first = first,
		.last = last, .raise = {1.0, 1.0, 1.0, 1.0}};
	double area = (double)pyramid->width[level] * pyramid->height[level];
	harvest->noise_step = (int32_t)(sqrt(area / NOISE_SAMPLES) + 1.0);
	harvest->noise = malloc((size_t)HARVEST_KERNELS * NOISE_SAMPLES * sizeof *harvest->noise);
	return harvest->noise != NULL;
}

void harvest_fini(struct harvest *harvest)
{
	free(harvest->noise);
	for (int k = 0; k < HARVEST_KERNELS; k++) {
		free(harvest->found[k].item);
	}
	*harvest = (struct harvest){0};
}

float harvest_threshold(const struct harvest *harvest, int kernel)
{
	return (float)(first_threshold * harvest->raise[kernel] * harvest->sigma * sqrt(kernel_pixels[kernel]));
}

/* Raises the threshold where structure is everywhere, until few enough peaks are left. */
static void thin_out(struct harvest *harvest, int kernel)
{
	struct candidates *found = &harvest->found[kernel];
	while (found->count > MAX_CANDIDATES) {
		harvest->raise[kernel] *= THRESHOLD_GROWTH;
		double least = (double)harvest_threshold(harvest, kernel) * harvest->bin * harvest->bin;
		size_t kept = 0;
		for (size_t i = 0; i < found->count; i++) {
			if ((double)found->item[i].flux > least) {
				found->item[kept++] = found->item[i];
			}
		}
		found->count = kept;
	}
}

bool harvest_peak(struct harvest *harvest, int kernel, int32_t x, int32_t y, float sum)
{
	float bin = (float)harvest->bin;
	struct candidate c = {
		.x = ((float)x + 0.5F) * bin - 0.5F,
		.y = ((float)y + 0.5F) * bin - 0.5F,
		.radius = bin * (float)sqrt(kernel_pixels[kernel] / M_PI),
		.flux = sum * bin * bin,
	};
	if (!add(&harvest->found[kernel], c)) {
		return false;
	}
	thin_out(harvest, kernel);
	return true;
}

void harvest_sample(struct harvest *harvest, int kernel, float sum)
{
	size_t *n = &harvest->noise_count[kernel];
	if (*n < NOISE_SAMPLES) {
		harvest->noise[(size_t)kernel * NOISE_SAMPLES + (*n)++] = sum;
	}
}

/* Noise of one filter as the frame shows it: banding, fixed pattern and crowding are in it.  A star that fills the
 * frame would be in it too, so with a large disk it is held to what white noise explains. */
static struct sky filter_noise(const struct harvest *harvest, int kernel, bool large)
{
	double white = harvest->sigma * sqrt(kernel_pixels[kernel]);
	if (harvest->noise_count[kernel] == 0) {
		return (struct sky){0.0, white};
	}
	struct sky sky = sky_of_samples(harvest->noise + (size_t)kernel * NOISE_SAMPLES,
		harvest->noise_count[kernel], 0.0);
	if (large) {
		sky.level = 0.0;
		sky.sigma = sky.sigma < 2.0 * white ? sky.sigma : 2.0 * white;
	}
	sky.sigma = sky.sigma > white ? sky.sigma : white;
	return sky;
}

bool harvest_list(const struct harvest *harvest, int32_t least, struct candidates *list)
{
	double area = harvest->bin * harvest->bin;
	for (int k = harvest->first; k <= harvest->last; k++) {
		double radius = harvest->bin * sqrt(kernel_pixels[k] / M_PI);
		if (radius > 0.5 * least) {
			continue;
		}
		struct sky noise = filter_noise(harvest, k, radius > LARGE_DISK * least);
		for (size_t i = 0; i < harvest->found[k].count; i++) {
			struct candidate c = harvest->found[k].item[i];
			c.flux -= (float)(noise.level * area);
			c.snr = (float)((double)c.flux / (noise.sigma * area));
			if ((double)c.snr >= final_threshold && !add(list, c)) {
				return false;
			}
		}
	}
	return true;
}
