/* SPDX-License-Identifier: MIT */
/* The same field twice, shifted and dimmed: the shift and the light that are put in have to come out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "match.h"
#include "sky.h"

enum { MOST = 200 };

/* A field of 2000 x 1500 px, brightest first, and how it looks after a shift: each star is off by scatter px (1 sigma
 * per axis), its light by 5 %; a share of the stars is lost and as many others are seen instead. */
static size_t field(struct star *first, struct star *second, size_t n, double dx, double dy, double light,
	double lost, double scatter, uint64_t *seed)
{
	for (size_t i = 0; i < n; i++) {
		first[i] = (struct star){.x = 2000 * sky_uniform(seed), .y = 1500 * sky_uniform(seed),
			.flux_adu = 1e6 / (double)(1 + i)};
		second[i] = first[i];
		second[i].x += dx + scatter * sky_normal(seed);
		second[i].y += dy + scatter * sky_normal(seed);
		second[i].flux_adu *= light * exp(0.05 * sky_normal(seed));
		if (sky_uniform(seed) < lost) {
			second[i].x = 2000 * sky_uniform(seed);
			second[i].y = 1500 * sky_uniform(seed);
		}
	}
	return n;
}

static void shift_and_light_come_back(void **state)
{
	(void)state;
	static const struct {
		size_t stars;
		double lost;
		double shift_most, light_most; /* accepted errors: px, relative */
	} rows[] = {{3, 0, 1, 0.10}, {10, 0.3, 1, 0.08}, {40, 0.3, 5, 0.03}, {150, 0.5, 5, 0.02}};
	/* The shift is that of one pair, which may be off by as much as two stars may be: the radius of 5 px. */
	uint64_t seed = 41;
	for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
		int found = 0;
		double worst_shift = 0, worst_light = 0;
		for (int trial = 0; trial < 100; trial++) {
			struct star first[MOST], second[MOST];
			double dx = 60 * (2 * sky_uniform(&seed) - 1), dy = 60 * (2 * sky_uniform(&seed) - 1);
			double light = 0.3 + sky_uniform(&seed);
			size_t n = field(first, second, rows[r].stars, dx, dy, light, rows[r].lost, 0.2, &seed);
			struct match_result m;
			match_stars(first, n, second, n, 5, 100, &m);
			if (m.matched == 0) {
				continue;
			}
			found++;
			worst_shift = fmax(worst_shift, fmax(fabs(m.shift_x_px - dx), fabs(m.shift_y_px - dy)));
			worst_light = fmax(worst_light, fabs(m.flux_ratio / light - 1));
		}
		print_message("%3zu stars, %2.0f %% others: matched %d of 100, shift within %.2f px, light within "
			"%.1f %%\n",
			rows[r].stars, 100 * rows[r].lost, found, worst_shift, 100 * worst_light);
		assert_true(found >= 99);
		assert_true(worst_shift < rows[r].shift_most && worst_light < rows[r].light_most);
	}
}

/* Two fields that have nothing to do with each other: nothing is matched. */
static void other_fields_do_not_match(void **state)
{
	(void)state;
	uint64_t seed = 43;
	int matched = 0;
	for (int trial = 0; trial < 200; trial++) {
		struct star first[30], second[30];
		field(first, second, 30, 0, 0, 1, 1, 0, &seed);
		struct match_result m;
		match_stars(first, 30, second, 30, 5, 100, &m);
		matched += m.matched > 0;
		assert_true(m.matched > 0 || (isnan(m.shift_x_px) && isnan(m.shift_y_px) && isnan(m.flux_ratio)));
	}
	print_message("other fields: %d of 200 matched\n", matched);
	assert_true(matched <= 10);
}

/* Flagged stars take no part, and empty lists are no error. */
static void what_is_not_used(void **state)
{
	(void)state;
	struct star a[2] = {{.x = 10, .y = 10, .flux_adu = 9, .flags = STAR_SATURATED},
		{.x = 50, .y = 60, .flux_adu = 4}};
	struct star b[2] = {{.x = 11, .y = 10, .flux_adu = 9}, {.x = 53, .y = 60, .flux_adu = 2}};
	struct match_result m;
	match_stars(a, 2, b, 2, 5, 20, &m);
	assert_int_equal(m.matched, 1);
	assert_true(m.shift_x_px == 3 && m.shift_y_px == 0 && m.flux_ratio == 0.5);
	match_stars(a, 1, b, 2, 5, 20, &m);
	assert_int_equal(m.matched, 0);
	match_stars(NULL, 0, b, 2, 5, 20, &m);
	assert_true(m.matched == 0 && isnan(m.flux_ratio));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shift_and_light_come_back),
		cmocka_unit_test(other_fields_do_not_match),
		cmocka_unit_test(what_is_not_used),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
