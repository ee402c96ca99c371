/* SPDX-License-Identifier: MIT */
/* Pictures with known stars, for tests.  Shares nothing with the code under test. */
#ifndef TEST_SKY_H
#define TEST_SKY_H

#include <stdint.h>

enum sky_shape {
	SKY_GAUSSIAN, /* a = sigma */
	SKY_MOFFAT,   /* a = alpha, b = beta */
	SKY_ANNULUS,  /* a = outer radius, b = hole over outer radius */
};

struct sky_picture {
	int width, height;
	float *pixels;
	uint64_t seed;
};

/* A flat picture at level; free with sky_free(). */
struct sky_picture sky_new(int width, int height, double level, uint64_t seed);
void sky_free(struct sky_picture *sky);

/* Uniform in 0..1, and a normal deviate. */
double sky_uniform(struct sky_picture *sky);
double sky_normal(struct sky_picture *sky);

/* Adds a star of total flux whose light is integrated over each pixel. */
void sky_star(struct sky_picture *sky, enum sky_shape shape, double x, double y, double flux,
	double a, double b);

/* Adds white noise. */
void sky_noise(struct sky_picture *sky, double sigma);

/* Rounded to whole numbers, clipped to 0..top. */
void sky_round(struct sky_picture *sky, double top);

/* The HFR of the shape on the sky: Gaussian 1.17741 sigma, Moffat
 * alpha sqrt(2^(1/(beta-1)) - 1), annulus R sqrt((1 + eps^2)/2). */
double sky_hfr(enum sky_shape shape, double a, double b);

#endif
