/* SPDX-License-Identifier: MIT */
/*
 * Skies for the tests of curve and plan: the exact V-curve of a seeing disc convolved with an
 * annulus, a seeded noise, and the table of a recorded focus sweep of a C8.
 */
#ifndef FOCUSD_TEST_SKY_H
#define FOCUSD_TEST_SKY_H

#include <stddef.h>
#include <stdint.h>

/* HFR over FWHM at blur u (blur diameter over FWHM): Kolmogorov seeing, obstruction 0.34. */
double sky_g(double u);

/* Pseudo-random numbers (splitmix64): 0..1, and normal with sd 1. */
double sky_uniform(uint64_t *seed);
double sky_normal(uint64_t *seed);

/* One frame's HFR in units of the undisturbed FWHM: seeing scatter e_s, photometric error e_p. */
double sky_sample(double u, double e_s, double e_p, uint64_t *seed);

/* Real frames of an 8 inch Schmidt-Cassegrain, 14 May 2019, one star, best focus 7990 +- 3. */
struct sky_c8 {
	int position;
	double exposure_s, sextractor_px, growth_px;
};
extern const struct sky_c8 sky_c8[17];

#endif
