/* SPDX-License-Identifier: MIT */
/* The curve of growth against pixels that are cut into a thousand pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "growth.h"
#include "sky.h"

enum { SIDE = 41, PIECES = 33, FINE_RINGS = 20000 };

/* Half-flux radius of a picture whose pixels are even squares, each cut into PIECES^2. */
static double half_of_squares(const float *data, double x, double y, double radius)
{
	static double ring[FINE_RINGS];
	for (int k = 0; k < FINE_RINGS; k++) {
		ring[k] = 0.0;
	}
	double total = 0.0;
	for (int j = 0; j < SIDE; j++) {
		for (int i = 0; i < SIDE; i++) {
			for (int q = 0; q < PIECES * PIECES; q++) {
				double dx = i - x + (q % PIECES + 0.5) / PIECES - 0.5;
				double dy = j - y + (q / PIECES + 0.5) / PIECES - 0.5;
				double at = (dx * dx + dy * dy) / (radius * radius) * FINE_RINGS;
				if (at < FINE_RINGS) {
					double part = (double)data[j * SIDE + i] / (PIECES * PIECES);
					ring[(int)at] += part;
					total += part;
				}
			}
		}
	}
	double sum = 0.0;
	for (int k = 0; k < FINE_RINGS; k++) {
		if (sum + ring[k] >= 0.5 * total) {
			return radius * sqrt((k + (0.5 * total - sum) / ring[k]) / FINE_RINGS);
		}
		sum += ring[k];
	}
	return NAN;
}

static void pixels_are_shared_as_they_lie(void **state)
{
	(void)state;
	static const struct {
		enum sky_shape shape;
		double a, b;
		double worst; /* relative, at one place within a pixel */
	} rows[] = {{SKY_GAUSSIAN, 0.5, 0, 0.025}, {SKY_GAUSSIAN, 0.7, 0, 0.006}, {SKY_GAUSSIAN, 1, 0, 0.006},
		{SKY_GAUSSIAN, 2, 0, 0.006}, {SKY_GAUSSIAN, 4, 0, 0.003}, {SKY_MOFFAT, 2, 3, 0.006},
		{SKY_ANNULUS, 4, 0, 0.006}, {SKY_ANNULUS, 6, 0.34, 0.004}, {SKY_ANNULUS, 12, 0.45, 0.002}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		double hfr = sky_hfr(rows[i].shape, rows[i].a, rows[i].b);
		double radius = fmin(3.0 * hfr + 1.0, 18.0);
		double worst = 0.0;
		double mean = 0.0;
		for (int k = 0; k < 16; k++) {
			struct sky_picture sky = sky_new(SIDE, SIDE, 0.0, 1);
			double x = 20.0 + 0.125 * (k % 4);
			double y = 20.0 + 0.125 * (k / 4);
			sky_star(&sky, rows[i].shape, x, y, 1e4, rows[i].a, rows[i].b);
			struct stamp stamp = {sky.pixels, 0, 0, SIDE, SIDE};
			struct growth g;
			growth_make(&g, &stamp, x, y, radius, 0.0);
			double off = growth_radius(&g, 0.5) / half_of_squares(sky.pixels, x, y, radius) - 1.0;
			worst = fmax(worst, fabs(off));
			mean += off / 16;
			sky_free(&sky);
		}
		print_message("hfr %.2f px: worst %.2f %%, mean %+.2f %%\n", hfr, 100 * worst, 100 * mean);
		assert_true(worst < rows[i].worst);
		assert_true(fabs(mean) < 0.003);
	}
}

/* A pixel that is missing adds nothing, and one that is negative takes away. */
static void light_is_signed(void **state)
{
	(void)state;
	float data[SIDE * SIDE];
	for (int i = 0; i < SIDE * SIDE; i++) {
		data[i] = 100.0F;
	}
	data[20 * SIDE + 20] = 150.0F;
	data[20 * SIDE + 25] = NAN;
	data[26 * SIDE + 20] = 90.0F;
	struct stamp stamp = {data, 0, 0, SIDE, SIDE};
	struct growth g;
	growth_make(&g, &stamp, 20.0, 20.0, 12.0, 100.0);
	assert_float_equal(g.total, 40.0, 1e-9);
	assert_float_equal(g.sum[(int)(GROWTH_RINGS * 9.0 / 144.0)], 50.0, 1e-9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pixels_are_shared_as_they_lie),
		cmocka_unit_test(light_is_signed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
