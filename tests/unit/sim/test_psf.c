/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <math.h>

#include "sim_psf.h"
#include "sim_random.h"

static struct sim_seeing seeing;

static void near(double value, double expected, double tolerance, int line)
{
	if (!(fabs(value - expected) <= tolerance)) {
		fail_msg("line %d: %.6g is not %.6g within %.2g", line, value, expected, tolerance);
	}
}
#define assert_near(value, expected, tolerance) near(value, expected, tolerance, __LINE__)

/* Half-flux radius of a stamp by its curve of growth: every pixel is cut into 10 x 10 pieces that
 * are sorted into rings of 1/50 px. */
static double growth_hfr(const struct sim_psf *psf)
{
	enum { FINE = 10, RINGS_PER_PX = 50 };
	int half = psf->size / 2;
	int rings = (int)(1.5 * psf->size * RINGS_PER_PX);
	double *ring = calloc((size_t)rings, sizeof *ring);
	assert_non_null(ring);
	const float *stamp = sim_psf_stamp(psf, 0, 0);
	double total = 0.0;
	for (int y = 0; y < psf->size; y++) {
		for (int x = 0; x < psf->size; x++) {
			double part = (double)stamp[y * psf->size + x] / (FINE * FINE);
			for (int k = 0; k < FINE * FINE; k++) {
				double dx = x - half + (k % FINE + 0.5) / FINE - 0.5;
				double dy = y - half + ((double)(k / FINE) + 0.5) / FINE - 0.5;
				ring[(int)(hypot(dx, dy) * RINGS_PER_PX)] += part;
				total += part;
			}
		}
	}
	double sum = 0.0;
	int i = 0;
	while (sum + ring[i] < 0.5 * total) {
		sum += ring[i++];
	}
	double hfr = (i + (0.5 * total - sum) / ring[i]) / RINGS_PER_PX;
	free(ring);
	return hfr;
}

static double hfr_of(double fwhm, double u, double eps)
{
	struct sim_psf_shape shape = {.fwhm_px = fwhm, .blur_px = u * fwhm, .obstruction = eps};
	struct sim_psf psf;
	assert_int_equal(sim_psf_init(&psf, &seeing, &shape), 0);
	double hfr = growth_hfr(&psf);
	sim_psf_fini(&psf);
	return hfr;
}

/* HFR over in-focus FWHM of Kolmogorov seeing convolved with a disk and with an annulus, computed
 * numerically elsewhere by convolution on a grid, infinite aperture.  Here the wings end at six
 * FWHM, which takes 0.4 % near focus; the pixel adds 0.1 %. */
static void test_hfr_against_defocus(void **state)
{
	(void)state;
	static const struct {
		double u, disk, annulus;
	} row[] = {
		{0.0, 0.5683, 0.5683}, {0.5, 0.5910, 0.5937}, {1.0, 0.6559, 0.6664},
		{1.5, 0.7545, 0.7766}, {2.0, 0.8769, 0.9123}, {3.0, 1.1648, 1.2252},
		{4.0, 1.4836, 1.5655}, {5.0, 1.8177, 1.9192}, {6.0, 2.1598, 2.2804},
		{8.0, 2.8553, 3.0142}, {10.0, 3.5569, 3.7548},
	};
	const double fwhm = 16.0;
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		double disk = hfr_of(fwhm, row[i].u, 0.0) / fwhm;
		double annulus = hfr_of(fwhm, row[i].u, 0.34) / fwhm;
		print_message("u %4.1f disk %.4f (%.4f) annulus %.4f (%.4f)\n", row[i].u, disk,
			row[i].disk, annulus, row[i].annulus);
		assert_near(disk / row[i].disk, 1.0, 0.006);
		assert_near(annulus / row[i].annulus, 1.0, 0.006);
	}
}

/* FWHM 4 px, u = 3, obstruction 0.34: 4.901 px. */
static void test_hfr_vector(void **state)
{
	(void)state;
	assert_near(hfr_of(4.0, 3.0, 0.34), 4.901, 0.01 * 4.901);
}

/* Without seeing to speak of: R sqrt((1 + eps^2) / 2). */
static void test_hfr_of_a_wide_annulus(void **state)
{
	(void)state;
	double r = 0.5 * 60.0 * 2.0;
	assert_near(hfr_of(2.0, 60.0, 0.34), r * sqrt((1.0 + 0.34 * 0.34) / 2.0), 0.005 * r);
	assert_near(hfr_of(2.0, 60.0, 0.0), r * sqrt(0.5), 0.005 * r);
}

/* Centre against peak at obstruction 0.34: the hole opens at about u = 2.5. */
static void test_the_donut_opens(void **state)
{
	(void)state;
	static const struct {
		double u, centre;
	} row[] = {{2.0, 0.99}, {3.0, 0.70}, {4.0, 0.43}, {6.0, 0.16}};
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		struct sim_psf_shape shape = {
			.fwhm_px = 1.0, .blur_px = row[i].u, .obstruction = 0.34};
		double peak = 0.0;
		for (double r = 0.0; r < row[i].u; r += 0.01) {
			peak = fmax(peak, sim_psf_profile(&seeing, &shape, r));
		}
		assert_near(sim_psf_profile(&seeing, &shape, 0.0) / peak, row[i].centre, 0.01);
	}
}

/* Flux of the profile itself, before any normalisation, at every defocus. */
static void test_flux_is_conserved(void **state)
{
	(void)state;
	static const double blur[] = {0.0, 0.01, 0.1, 1.0, 3.0, 10.0, 40.0};
	for (size_t i = 0; i < sizeof blur / sizeof blur[0]; i++) {
		struct sim_psf_shape shape = {.fwhm_px = 1.0, .blur_px = blur[i], .obstruction = 0.34};
		double sum = 0.0;
		const double step = 0.01;
		for (double r = 0.5 * step; r < 0.5 * blur[i] + 6.0; r += step) {
			sum += 2.0 * M_PI * r * step * sim_psf_profile(&seeing, &shape, r);
		}
		assert_near(sum, 1.0, 0.001);
	}
}

/* Every stamp keeps all light, and its centroid is where its phase says. */
static void test_stamps(void **state)
{
	(void)state;
	static const double width[] = {0.8, 2.1, 4.6, 9.0};
	for (size_t w = 0; w < sizeof width / sizeof width[0]; w++) {
		struct sim_psf_shape shape = {
			.fwhm_px = width[w], .blur_px = 3.0 * width[w], .obstruction = 0.3};
		struct sim_psf psf;
		assert_int_equal(sim_psf_init(&psf, &seeing, &shape), 0);
		for (int py = 0; py < psf.oversampling; py++) {
			for (int px = 0; px < psf.oversampling; px++) {
				const float *stamp = sim_psf_stamp(&psf, px, py);
				double sum = 0.0;
				double x = 0.0;
				double y = 0.0;
				for (int i = 0; i < psf.size * psf.size; i++) {
					sum += (double)stamp[i];
					x += (double)stamp[i] * (i % psf.size - psf.size / 2);
					y += (double)stamp[i] * ((double)(i / psf.size) - psf.size / 2);
				}
				assert_near(sum, 1.0, 1e-5);
				assert_near(x, (double)px / psf.oversampling, 0.01);
				assert_near(y, (double)py / psf.oversampling, 0.01);
			}
		}
		sim_psf_fini(&psf);
	}
}

static void test_split(void **state)
{
	(void)state;
	struct sim_psf psf = {.oversampling = 8};
	static const struct {
		double x;
		int pixel, phase;
	} row[] = {{0.0, 0, 0}, {3.5, 3, 4}, {-0.25, -1, 6}, {-2.0, -2, 0}, {7.99, 8, 0}};
	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
		int pixel;
		int phase;
		sim_psf_split(&psf, row[i].x, &pixel, &phase);
		assert_int_equal(pixel, row[i].pixel);
		assert_int_equal(phase, row[i].phase);
	}
}

/* Moments and tail of the normal distribution; the limits are five standard errors. */
static void test_normal_deviates(void **state)
{
	(void)state;
	static struct sim_ziggurat ziggurat;
	sim_ziggurat_init(&ziggurat);
	struct sim_random random;
	sim_random_init(&random, 42, 7);
	enum { N = 2000000 };
	double m1 = 0.0;
	double m2 = 0.0;
	double m4 = 0.0;
	int beyond1 = 0;
	int beyond37 = 0;
	static float deviate[N];
	sim_normal_fill(&ziggurat, &random, deviate, N);
	for (int i = 0; i < N; i++) {
		double v = (double)deviate[i];
		m1 += v / N;
		m2 += v * v / N;
		m4 += v * v * v * v / N;
		beyond1 += fabs(v) > 1.0;
		beyond37 += fabs(v) > 3.7;
	}
	assert_near(m1, 0.0, 5.0 / sqrt(N));
	assert_near(m2, 1.0, 5.0 * sqrt(2.0 / N));
	assert_near(m4, 3.0, 5.0 * sqrt(96.0 / N));
	assert_near((double)beyond1 / N, 0.317311, 5.0 * sqrt(0.317 * 0.683 / N));
	assert_near((double)beyond37 / N, 2.1560e-4, 5.0 * sqrt(2.156e-4 / N));
}

int main(void)
{
	sim_seeing_init(&seeing);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hfr_against_defocus),
		cmocka_unit_test(test_hfr_vector),
		cmocka_unit_test(test_hfr_of_a_wide_annulus),
		cmocka_unit_test(test_the_donut_opens),
		cmocka_unit_test(test_flux_is_conserved),
		cmocka_unit_test(test_stamps),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_normal_deviates),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
