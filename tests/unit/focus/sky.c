/* SPDX-License-Identifier: MIT */
#include "sky.h"

#include <math.h>

/* Numerical convolution of the long-exposure Kolmogorov profile with an annulus, infinite
 * aperture; beyond u = 10 the bare annulus rules: h = 0.3734 d plus a vanishing rest. */
static const double table[][2] = {{0, 0.5683}, {0.5, 0.5937}, {1, 0.6664}, {1.5, 0.7766},
	{2, 0.9123}, {3, 1.2252}, {4, 1.5655}, {5, 1.9192}, {6, 2.2804}, {8, 3.0142}, {10, 3.7548}};

double sky_g(double u)
{
	u = fabs(u);
	size_t n = sizeof table / sizeof table[0];
	if (u >= 10) {
		return 3.7548 + (u - 10) * 0.3722;
	}
	size_t i = 0;
	while (i + 2 < n && table[i + 1][0] <= u) {
		i++;
	}
	/* g^2 is close to a parabola in u: interpolate g^2 by Lagrange in u^2 over three nodes. */
	if (i + 2 >= n) {
		i = n - 3;
	}
	double sum = 0;
	for (size_t j = i; j < i + 3; j++) {
		double term = table[j][1] * table[j][1];
		for (size_t k = i; k < i + 3; k++) {
			if (k != j) {
				double uj = table[j][0] * table[j][0], uk = table[k][0] * table[k][0];
				term *= (u * u - uk) / (uj - uk);
			}
		}
		sum += term;
	}
	return sqrt(sum);
}

static uint64_t next(uint64_t *seed)
{
	uint64_t z = (*seed += 0x9E3779B97F4A7C15u);
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

double sky_uniform(uint64_t *seed)
{
	return ((double)(next(seed) >> 11) + 0.5) / 9007199254740992.0;
}

double sky_normal(uint64_t *seed)
{
	double u = sky_uniform(seed);
	return sqrt(-2 * log(u)) * cos(6.283185307179586 * sky_uniform(seed));
}

double sky_sample(double u, double e_s, double e_p, uint64_t *seed)
{
	double w = exp(e_s * sky_normal(seed));
	return w * sky_g(u / w) * (1 + e_p * sky_normal(seed));
}

/* SExtractor's FLUX_RADIUS and an independent curve of growth, both measured by other programs
 * than this one on frames published with the project hfdfocus (test_data_c8). */
const struct sky_c8 sky_c8[17] = {
	{7350, 3.0, 23.691, 23.860}, {7450, 3.0, 20.233, 20.314}, {7550, 3.0, 16.521, 16.557},
	{7650, 3.0, 12.548, 12.575}, {7750, 3.0, 8.979, 8.987}, {7825, 2.0, 6.247, 6.236},
	{7850, 2.0, 5.221, 5.193}, {7900, 1.0, 4.013, 4.030}, {7950, 0.3, 2.295, 2.259},
	{8000, 0.3, 2.379, 2.331}, {8025, 0.3, 1.883, 1.811}, {8075, 1.0, 3.654, 3.650},
	{8100, 2.0, 4.512, 4.518}, {8200, 3.0, 7.709, 7.685}, {8300, 3.0, 11.401, 11.396},
	{8400, 3.0, 15.238, 15.240}, {8500, 3.0, 18.842, 18.779}};
