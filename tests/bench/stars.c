/* SPDX-License-Identifier: MIT */
/* Stars of a frame against SEP's background, extraction and flux radius (where the library is
 * installed, else against memcpy()), in turns, by CPU time of this thread; one line of JSON a
 * frame. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "measure.h"
#if BENCH_WITH_SEP
#include <sep.h>
#endif

enum { PAIRS = 5, MOST_LISTED = 3000 };

/* What was painted. */
static struct {
	double x, y;
} painted[MOST_LISTED];

static uint64_t seed = 88172645463325252u;

static double uniform(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (double)(seed >> 11) / 9007199254740992.0;
}

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
	const double *left = a;
	const double *right = b;
	return *left < *right ? -1 : *left > *right;
}

/* Light per px: a Moffat 3.5 of alpha 2.3 px, or a ring of 4 to 12 px. */
static double light(double r2, double flux, int ring)
{
	if (ring) {
		return r2 < 144.0 && r2 > 16.0 ? flux / (3.14159265 * 128.0) : 0.0;
	}
	return flux * 2.5 / (3.14159265 * 5.29) * pow(1.0 + r2 / 5.29, -3.5);
}

static void paint(uint16_t *pixels, int width, int height, int stars, int ring)
{
	for (size_t i = 0; i < (size_t)width * (size_t)height; i++) {
		/* Twelve uniforms make a normal deviate; three are near enough here. */
		double noise = 2.0 * (uniform() + uniform() + uniform() - 1.5);
		pixels[i] = (uint16_t)(800.5 + 18.0 * noise);
	}
	for (int k = 0; k < stars; k++) {
		double x = 30.0 + uniform() * (width - 60);
		double y = 30.0 + uniform() * (height - 60);
		painted[k].x = x;
		painted[k].y = y;
		double flux = (ring ? 2e4 : 2e3) * pow(1.0 - 0.99 * uniform(), -1.2);
		for (int j = (int)y - 25; j <= (int)y + 25; j++) {
			for (int i = (int)x - 25; i <= (int)x + 25; i++) {
				uint16_t *p = &pixels[(size_t)j * (size_t)width + (size_t)i];
				double v = *p + light((i - x) * (i - x) + (j - y) * (j - y), flux, ring);
				*p = (uint16_t)(v < 60000.0 ? v : 60000.0);
			}
		}
	}
}

/* What the yardstick takes; its answer is not used. */
static double yardstick_ms(const uint16_t *pixels, int width, int height)
{
	size_t count = (size_t)width * (size_t)height;
	double start = now_ms();
#if BENCH_WITH_SEP
	float *data = malloc(count * sizeof *data);
	for (size_t i = 0; i < count; i++) {
		data[i] = pixels[i];
	}
	sep_image image = {.data = data, .dtype = SEP_TFLOAT, .w = width, .h = height, .gain = 1.0,
		.noiseval = 1.0, .noise_type = SEP_NOISE_NONE};
	sep_bkg *sky = NULL;
	sep_catalog *found = NULL;
	sep_set_extract_pixstack(3000000);
	if (sep_background(&image, 64, 64, 3, 3, 0.0, &sky) != 0 ||
	    sep_bkg_subarray(sky, data, SEP_TFLOAT) != 0 ||
	    sep_extract(&image, 5.0F * sep_bkg_globalrms(sky), SEP_THRESH_ABS, 5, NULL, 0, 0,
		    SEP_FILTER_CONV, 32, 0.005, 1, 1.0, &found) != 0) {
		fprintf(stderr, "stars: SEP failed\n");
		exit(1);
	}
	for (int i = 0; i < found->nobj; i++) {
		double share = 0.5;
		double radius;
		short flag;
		sep_flux_radius(&image, found->x[i], found->y[i], 6.0 * (double)found->a[i], 0, 5, 0,
			NULL, &share, 1, &radius, &flag);
	}
	sep_catalog_free(found);
	sep_bkg_free(sky);
	free(data);
#else
	uint16_t *copy = malloc(count * sizeof *copy);
	memcpy(copy, pixels, count * sizeof *copy);
	start -= copy[count / 2] == 1 ? 1e-9 : 0.0;
	free(copy);
#endif
	return now_ms() - start;
}

static long peak_kib(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

/* Half-flux radius of what paint() puts, px: a star's is that of Moffat's closed form, widened by the pixel as an even
 * square (variance 1/12 each way); a ring's is that of its area. */
static double true_hfr(int ring)
{
	double star = 2.3 * sqrt(pow(2.0, 1.0 / 2.5) - 1.0);
	return ring ? sqrt((144.0 + 16.0) / 2.0) : hypot(star, 1.17741 * sqrt(1.0 / 12.0));
}

static int is_alone(int stars, int k)
{
	for (int i = 0; i < stars; i++) {
		if (i != k && hypot(painted[i].x - painted[k].x, painted[i].y - painted[k].y) < 60.0) {
			return 0;
		}
	}
	return 1;
}

/* Of the painted stars that have no neighbour, whose SNR is 20 and more: the share that was used, and the median of the
 * relative error of their sizes. */
static void compare(const struct star *list, size_t listed, int stars, int ring, double *recall, double *error)
{
	static double off[MOST_LISTED];
	int all = 0;
	int found = 0;
	for (int k = 0; k < stars; k++) {
		all += is_alone(stars, k);
		for (size_t i = 0; i < listed && is_alone(stars, k); i++) {
			if (hypot(list[i].x - painted[k].x, list[i].y - painted[k].y) < 3.0) {
				off[found++] = fabs(list[i].hfr_px / true_hfr(ring) - 1.0);
				break;
			}
		}
	}
	qsort(off, (size_t)found, sizeof *off, by_value);
	*recall = all > 0 ? (double)found / all : NAN;
	*error = found > 0 ? off[found / 2] : NAN;
}

static int run(const char *name, int width, int height, int stars, int ring, const char *goal)
{
	uint16_t *pixels = malloc((size_t)width * (size_t)height * sizeof *pixels);
	struct star *list = malloc(MOST_LISTED * sizeof *list);
	if (pixels == NULL || list == NULL) {
		free(pixels);
		free(list);
		fprintf(stderr, "stars: no memory\n");
		return 1;
	}
	paint(pixels, width, height, stars, ring);
	struct image img = {.data = pixels, .type = IMAGE_U16, .width = width, .height = height,
		.stride = (size_t)width, .full_scale_adu = 65535.0};
	struct measure_options options = measure_defaults();
	struct measurement m = {0};
	size_t listed;
	double ours[PAIRS];
	double theirs[PAIRS];
	double ratio[PAIRS];
	long before = peak_kib();
	int status = measure_frame(&img, &options, list, MOST_LISTED, &listed, &m, NULL);
	long above = peak_kib() - before;
	for (int i = 0; i < PAIRS && status == 0; i++) {
		double start = now_ms();
		status = measure_frame(&img, &options, list, MOST_LISTED, &listed, &m, NULL);
		ours[i] = now_ms() - start;
		theirs[i] = yardstick_ms(pixels, width, height);
		ratio[i] = ours[i] / theirs[i];
	}
	double recall = NAN;
	double error = NAN;
	if (status == 0) {
		compare(list, listed, stars, ring, &recall, &error);
	}
	free(pixels);
	free(list);
	if (status != 0) {
		return 1;
	}
	qsort(ours, PAIRS, sizeof *ours, by_value);
	qsort(theirs, PAIRS, sizeof *theirs, by_value);
	qsort(ratio, PAIRS, sizeof *ratio, by_value);
	printf("{\"frame\": \"%s\", \"yardstick\": \"%s\", \"ms\": %.1f, \"yardstick_ms\": %.1f, "
	       "\"ratio\": %.3f, \"goal\": \"%s\", \"stars\": %d, \"hfr_px\": %.3f, "
	       "\"hfr_error\": %.4f, \"recall\": %.3f, \"above_frame_kib\": %ld}\n",
		name, BENCH_WITH_SEP ? "sep" : "memcpy", ours[PAIRS / 2], theirs[PAIRS / 2],
		ratio[PAIRS / 2], goal, m.stars, m.hfr_px, error, recall, above);
	return 0;
}

int main(void)
{
	/* The largest first: peak memory only ever grows. */
	int failed = run("62 Mpx", 9576, 6388, 2500, 0, "must 0.15, goal 0.08");
	failed |= run("9 Mpx", 3520, 2560, 700, 0, "must 0.20, goal 0.10");
	failed |= run("9 Mpx rings", 3520, 2560, 300, 1, "must 0.20, goal 0.10");
	failed |= run("1 Mpx", 1164, 880, 80, 0, "none");
	return failed;
}
