/* SPDX-License-Identifier: MIT */
/* Order statistics, and the sky of samples that hold something brighter, as figures in units of the noise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "background.h"
#include "order.h"
#include "sky.h"

enum { MOST = 5000 };

/* Sorted order and ranks against their definition: as many values lie below as the rank says. */
static void order(void **state)
{
	(void)state;
	uint64_t seed = 7;
	static const size_t sizes[] = {1, 2, 3, 16, 17, 64, 65, 511, 4096, 4097, 5000};
	for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
		for (int kind = 0; kind < 3; kind++) {
			size_t n = sizes[s];
			float values[MOST], sorted[MOST];
			for (size_t i = 0; i < n; i++) {
				/* Normal, few different ones, all alike. */
				double few = floor(5 * sky_uniform(&seed)) - 2;
				double v = kind == 0 ? 100 * sky_normal(&seed) : kind == 1 ? few : 3;
				values[i] = sorted[i] = (float)v;
			}
			sort_float(sorted, n);
			double sum = 0, sum_sorted = 0;
			for (size_t i = 0; i < n; i++) {
				assert_true(i == 0 || sorted[i - 1] <= sorted[i]);
				sum += (double)values[i];
				sum_sorted += (double)sorted[i];
			}
			assert_true(fabs(sum - sum_sorted) < 1e-6 * (double)n * 100);
			size_t k = (size_t)((double)n * sky_uniform(&seed));
			float found = select_float(values, n, k);
			size_t below = 0, up_to = 0;
			for (size_t i = 0; i < n; i++) {
				below += values[i] < found;
				up_to += values[i] <= found;
			}
			assert_true(below <= k && k < up_to && found == sorted[k]);
		}
	}
}

/* Bias of level and sigma in units of the noise, over 400 sets of samples. */
struct bias {
	double level, level_rms, sigma;
};

static struct bias bias_of(size_t n, double brighter, bool annulus, uint64_t *seed)
{
	struct bias b = {0};
	for (int trial = 0; trial < 400; trial++) {
		float samples[512];
		for (size_t i = 0; i < n; i++) {
			double v = 1000 + 20 * sky_normal(seed);
			/* What is brighter begins at the sky and goes up to thirty sigma. */
			v += sky_uniform(seed) < brighter ? 600 * sky_uniform(seed) : 0;
			samples[i] = (float)v;
		}
		struct sky sky = annulus ? sky_of_annulus(samples, n, 0) : sky_of_samples(samples, n, 0);
		double off = (sky.level - 1000) / 20;
		b.level += off / 400;
		b.level_rms += off * off / 400;
		b.sigma += (sky.sigma / 20 - 1) / 400;
	}
	b.level_rms = sqrt(b.level_rms);
	return b;
}

static void sky_of_mixtures(void **state)
{
	(void)state;
	static const struct {
		double brighter;
		bool annulus;
		double level_most, sigma_most; /* accepted, in sigmas and relative */
	} rows[] = {
		{0, false, 0.02, 0.03}, {0.2, false, 0.05, 0.05}, {0.4, false, 0.15, 0.15}, {0.5, false, 0.5, 0.6},
		{0, true, 0.02, 0.03}, {0.1, true, 0.05, 0.05}, {0.2, true, 0.1, 0.1}, {0.4, true, 0.4, 0.4},
	};
	uint64_t seed = 11;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct bias b = bias_of(512, rows[i].brighter, rows[i].annulus, &seed);
		print_message("%s, %2.0f %% brighter: level %+.3f sigma (rms %.3f), sigma %+.1f %%\n",
			rows[i].annulus ? "annulus" : "samples", 100 * rows[i].brighter, b.level, b.level_rms,
			100 * b.sigma);
		assert_true(fabs(b.level) < rows[i].level_most && fabs(b.sigma) < rows[i].sigma_most);
	}
}

/* Constant integers have no scatter; a sigma of a third of the step is what is left to clip with. */
static void steps_leave_room(void **state)
{
	(void)state;
	float samples[100];
	for (int i = 0; i < 100; i++) {
		samples[i] = i < 95 ? 500 : 501;
	}
	struct sky sky = sky_of_samples(samples, 100, 1);
	assert_true(fabs(sky.level - 500) < 0.06 && fabs(sky.sigma - 0.3) < 0.02);
	sky = sky_of_annulus(samples, 100, 1);
	assert_true(fabs(sky.level - 500) < 0.06 && fabs(sky.sigma - 0.3) < 0.02);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order),
		cmocka_unit_test(sky_of_mixtures),
		cmocka_unit_test(steps_leave_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
