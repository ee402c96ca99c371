/* SPDX-License-Identifier: MIT */
#include "sky.h"

#include <math.h>
#include <stdlib.h>

struct sky_picture sky_new(int width, int height, double level, uint64_t seed)
{
	struct sky_picture sky = {width, height, NULL, seed * UINT64_C(0x9E3779B97F4A7C15) + 1};
	size_t count = (size_t)width * (size_t)height;
	sky.pixels = malloc(count * sizeof *sky.pixels);
	for (size_t i = 0; i < count; i++) {
		sky.pixels[i] = (float)level;
	}
	return sky;
}

void sky_free(struct sky_picture *sky)
{
	free(sky->pixels);
	sky->pixels = NULL;
}

double sky_uniform(struct sky_picture *sky)
{
	/* xorshift64*, Marsaglia and Vigna. */
	sky->seed ^= sky->seed >> 12;
	sky->seed ^= sky->seed << 25;
	sky->seed ^= sky->seed >> 27;
	return (double)((sky->seed * UINT64_C(2685821657736338717)) >> 11) / 9007199254740992.0;
}

double sky_normal(struct sky_picture *sky)
{
	double u = sky_uniform(sky);
	double v = sky_uniform(sky);
	return sqrt(-2.0 * log(u + 1e-300)) * cos(2.0 * M_PI * v);
}

/* Light per px^2 at a squared distance, for total light of one. */
static double density(enum sky_shape shape, double r2, double a, double b)
{
	switch (shape) {
	case SKY_GAUSSIAN:
		return exp(-0.5 * r2 / (a * a)) / (2.0 * M_PI * a * a);
	case SKY_MOFFAT:
		return (b - 1.0) / (M_PI * a * a) * pow(1.0 + r2 / (a * a), -b);
	case SKY_ANNULUS:
		return r2 <= a * a && r2 >= b * b * a * a ? 1.0 / (M_PI * a * a * (1.0 - b * b)) : 0.0;
	}
	return 0.0;
}

void sky_star(struct sky_picture *sky, enum sky_shape shape, double x, double y, double flux,
	double a, double b)
{
	double reach = shape == SKY_GAUSSIAN ? 7.0 * a : (shape == SKY_MOFFAT ? 30.0 * a : a + 2.0);
	int x0 = (int)fmax(0.0, floor(x - reach));
	int x1 = (int)fmin(sky->width - 1.0, ceil(x + reach));
	int y0 = (int)fmax(0.0, floor(y - reach));
	int y1 = (int)fmin(sky->height - 1.0, ceil(y + reach));
	const int parts = 8;
	for (int j = y0; j <= y1; j++) {
		for (int i = x0; i <= x1; i++) {
			double sum = 0.0;
			for (int q = 0; q < parts; q++) {
				for (int p = 0; p < parts; p++) {
					double dx = i - x + (p + 0.5) / parts - 0.5;
					double dy = j - y + (q + 0.5) / parts - 0.5;
					sum += density(shape, dx * dx + dy * dy, a, b);
				}
			}
			sky->pixels[(size_t)j * (size_t)sky->width + (size_t)i] +=
				(float)(flux * sum / (parts * parts));
		}
	}
}

void sky_noise(struct sky_picture *sky, double sigma)
{
	size_t count = (size_t)sky->width * (size_t)sky->height;
	for (size_t i = 0; i < count; i++) {
		sky->pixels[i] += (float)(sigma * sky_normal(sky));
	}
}

void sky_round(struct sky_picture *sky, double top)
{
	size_t count = (size_t)sky->width * (size_t)sky->height;
	for (size_t i = 0; i < count; i++) {
		double v = floor((double)sky->pixels[i] + 0.5);
		sky->pixels[i] = (float)(v < 0.0 ? 0.0 : (v > top ? top : v));
	}
}

double sky_hfr(enum sky_shape shape, double a, double b)
{
	switch (shape) {
	case SKY_GAUSSIAN:
		return 1.17741 * a;
	case SKY_MOFFAT:
		return a * sqrt(pow(2.0, 1.0 / (b - 1.0)) - 1.0);
	case SKY_ANNULUS:
		return a * sqrt((1.0 + b * b) / 2.0);
	}
	return 0.0;
}
