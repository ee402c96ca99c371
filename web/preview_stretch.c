/* SPDX-License-Identifier: MIT */
#include "preview_stretch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Screen transfer: sky level goes to this brightness (0..1), and what lies this many sigma below the sky is
 * black.  Black is that of PixInsight's automatic stretch; the sky is half as bright as there (0.25), because the
 * page is looked at in the dark. */
#define SKY_BRIGHTNESS 0.13
#define BLACK_SIGMAS 2.8
/* White is at least this far above black, so that the noise of an empty frame does not look like stars. */
#define WHITE_SIGMAS 20
/* Of the median of absolute deviations, for a normal distribution: 1 / quantile(0.75). */
#define SIGMA_PER_MAD 1.4826
/* The sample for sky and noise has about so many pixels each way. */
enum { GRID = 256 };

enum { VALUES = 65536 }; /* of 16 bits */

/* ---- pixels ---- */

/* A box of pixels in the frame's own columns. */
struct box {
	int32_t x0, x1, y0, y1;
};

/* Where a box of b pixels that would begin at `at` begins when it must not leave the frame. */
static int32_t inside(int32_t at, int32_t b, int32_t size)
{
	int32_t most = size - b;
	return most < 0 ? 0 : at < most ? at : most;
}

static struct box box_at(const struct frame *frame, int32_t x, int32_t y, int32_t b)
{
	int32_t x0 = inside(x, b, frame->info.width);
	int32_t y0 = inside(y, b, frame->info.height);
	return (struct box){
		.x0 = x0,
		.x1 = x0 + b < frame->info.width ? x0 + b : frame->info.width,
		.y0 = y0,
		.y1 = y0 + b < frame->info.height ? y0 + b : frame->info.height,
	};
}

static size_t column_start(const struct frame *frame, int32_t x, int32_t plane)
{
	return (size_t)x * (size_t)frame->info.height * (size_t)frame->info.planes + (size_t)plane;
}

/* The mean, rounded, of a frame of 16 bits. */
static uint16_t mean_u16(const struct frame *frame, const struct box *box, int32_t plane)
{
	size_t planes = (size_t)frame->info.planes;
	uint32_t sum = 0;
	for (int32_t i = box->x0; i < box->x1; i++) {
		const uint16_t *column = frame_u16(frame) + column_start(frame, i, plane);
		for (int32_t j = box->y0; j < box->y1; j++) {
			sum += column[(size_t)j * planes];
		}
	}
	uint32_t n = (uint32_t)((box->x1 - box->x0) * (box->y1 - box->y0));
	return (uint16_t)(n > 0 ? (sum + n / 2) / n : 0);
}

/* The mean of what is not missing; NAN when all is. */
static double mean_any(const struct frame *frame, const struct box *box, int32_t plane)
{
	size_t planes = (size_t)frame->info.planes;
	double sum = 0.0;
	int n = 0;
	for (int32_t i = box->x0; i < box->x1; i++) {
		size_t start = column_start(frame, i, plane);
		for (int32_t j = box->y0; j < box->y1; j++) {
			double v = image_element(frame->pixels, frame->info.type, start + (size_t)j * planes);
			sum += isfinite(v) ? v : 0.0;
			n += isfinite(v) ? 1 : 0;
		}
	}
	return n > 0 ? sum / n : NAN;
}

int32_t stretch_box(const struct frame *frame, int32_t factor)
{
	return frame->info.mosaic == IMAGE_BAYER ? (factor + 1) / 2 * 2 : factor;
}

/* ---- sky and noise ---- */

struct sky {
	double level, sigma;
};

/* Calls of sample() go over a grid of boxes; of three colours green is looked at. */
typedef void (*sample_fn)(void *arg, const struct frame *frame, const struct box *box, int32_t plane);

static void for_sample(const struct frame *frame, sample_fn sample, void *arg)
{
	int32_t b = stretch_box(frame, 1);
	int32_t step_x = frame->info.width > GRID ? frame->info.width / GRID : 1;
	int32_t step_y = frame->info.height > GRID ? frame->info.height / GRID : 1;
	for (int32_t x = 0; x < frame->info.width; x += step_x) {
		for (int32_t y = 0; y < frame->info.height; y += step_y) {
			struct box box = box_at(frame, x, y, b);
			sample(arg, frame, &box, frame->info.planes == 3 ? 1 : 0);
		}
	}
}

static void count_u16(void *arg, const struct frame *frame, const struct box *box, int32_t plane)
{
	uint32_t *histogram = arg;
	histogram[mean_u16(frame, box, plane)]++;
}

static uint32_t histogram_median(const uint32_t *histogram, uint32_t total)
{
	uint32_t seen = 0;
	uint32_t value = 0;
	while (value < VALUES - 1 && (seen += histogram[value]) * 2 < total) {
		value++;
	}
	return value;
}

static bool sky_u16(const struct frame *frame, struct sky *sky)
{
	uint32_t *histogram = calloc(VALUES, sizeof *histogram);
	if (histogram == NULL) {
		return false;
	}
	for_sample(frame, count_u16, histogram);
	uint32_t total = 0;
	for (int v = 0; v < VALUES; v++) {
		total += histogram[v];
	}
	uint32_t median = histogram_median(histogram, total);
	/* The deviations' histogram folds the values' one about the median, from the median outwards. */
	uint32_t deviation = 0;
	uint32_t seen = histogram[median];
	while (deviation < VALUES - 1 && seen * 2 < total) {
		deviation++;
		seen += deviation <= median ? histogram[median - deviation] : 0;
		seen += median + deviation < VALUES ? histogram[median + deviation] : 0;
	}
	free(histogram);
	*sky = (struct sky){.level = median, .sigma = SIGMA_PER_MAD * (deviation > 0 ? (double)deviation : 1)};
	return true;
}

struct values {
	double *value;
	size_t count;
};

static void list_any(void *arg, const struct frame *frame, const struct box *box, int32_t plane)
{
	struct values *values = arg;
	double v = mean_any(frame, box, plane);
	if (isfinite(v)) {
		values->value[values->count++] = v;
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(struct values *values)
{
	qsort(values->value, values->count, sizeof *values->value, by_value);
	return values->count > 0 ? values->value[values->count / 2] : 0.0;
}

static bool sky_any(const struct frame *frame, struct sky *sky)
{
	/* Steps are rounded down, so that the grid has less than twice as many pixels each way. */
	struct values values = {.value = malloc((size_t)4 * GRID * GRID * sizeof(double))};
	if (values.value == NULL) {
		return false;
	}
	for_sample(frame, list_any, &values);
	sky->level = median(&values);
	for (size_t i = 0; i < values.count; i++) {
		values.value[i] = fabs(values.value[i] - sky->level);
	}
	sky->sigma = SIGMA_PER_MAD * median(&values);
	free(values.value);
	if (!(sky->sigma > 0)) {
		/* A sky without noise: one step of 16 bits from it to the brightest, as if it were such a frame. */
		double span = frame->max_value - sky->level;
		sky->sigma = span > 0 && isfinite(span) ? span / VALUES : 1.0;
	}
	return true;
}

/* ---- the stretch ---- */

/* Midtones transfer function: 0 to 0, m to 0.5, 1 to 1. */
static double midtones(double m, double x)
{
	return (m - 1) * x / ((2 * m - 1) * x - m);
}

static uint8_t brightness_of(const struct stretch *stretch, double value)
{
	double x = fmin(1, fmax(0, (value - stretch->black) / (stretch->white - stretch->black)));
	return (uint8_t)lround(255 * midtones(stretch->middle, x));
}

bool stretch_init(struct stretch *stretch, const struct frame *frame)
{
	bool is_u16 = frame->info.type == IMAGE_U16;
	struct sky sky;
	if (!(is_u16 ? sky_u16(frame, &sky) : sky_any(frame, &sky))) {
		return false;
	}
	double black = sky.level - BLACK_SIGMAS * sky.sigma;
	black = is_u16 ? fmax(0, black) : black;
	double white = fmax(frame->max_value, black + WHITE_SIGMAS * sky.sigma);
	double level = (sky.level - black) / (white - black);
	*stretch = (struct stretch){
		.frame = frame,
		.black = black,
		.white = white,
		/* The middle that sends the sky to SKY_BRIGHTNESS is the function itself with the two exchanged. */
		.middle = level > 0 ? midtones(SKY_BRIGHTNESS, level) : 0.5,
	};
	if (is_u16) {
		stretch->table = malloc(VALUES);
		if (stretch->table == NULL) {
			return false;
		}
		for (int v = 0; v < VALUES; v++) {
			stretch->table[v] = brightness_of(stretch, v);
		}
	}
	return true;
}

void stretch_fini(struct stretch *stretch)
{
	free(stretch->table);
	stretch->table = NULL;
}

uint8_t stretch_brightness(const struct stretch *stretch, int32_t x, int32_t y, int32_t box, int32_t plane)
{
	struct box at = box_at(stretch->frame, x, y, box);
	if (stretch->table != NULL) {
		return stretch->table[mean_u16(stretch->frame, &at, plane)];
	}
	double value = mean_any(stretch->frame, &at, plane);
	return isfinite(value) ? brightness_of(stretch, value) : 0;
}
