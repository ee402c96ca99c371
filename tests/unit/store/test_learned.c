/* SPDX-License-Identifier: MIT */
/* What runs teach together: means, sigmas, instruments and filters kept apart; the numbers are worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "learned.h"
#include "sample_run.h"

static struct learned learned;
static struct run_point points[3];

static int empty(void **state)
{
	(void)state;
	learned = (struct learned){.fact[0].count = 0};
	return 0;
}

static struct run taught(uint64_t id, double slope, double size, double position)
{
	struct run run = sample_run(id, points);
	run.taught.slope_px_per_step = slope;
	run.taught.slope_sigma = 0.0003;
	run.taught.hfr_min_px = size;
	run.taught.hfr_min_sigma_px = 0;
	run.best_position = position;
	return run;
}

static struct store_history known(const struct run *like)
{
	struct store_history history = {.runs = 0};
	assert_true(learned_get(&learned, like, &history));
	return history;
}

static void means_and_sigmas(void **state)
{
	(void)state;
	static const double sizes[] = {2.0, 2.4, 2.2};
	static const double positions[] = {8000, 8030, 8010};
	for (uint64_t id = 1; id <= 3; id++) {
		struct run run = taught(id, 0.03, sizes[id - 1], positions[id - 1]);
		learned_add(&learned, &run);
	}
	struct run like = taught(9, 0, 0, 0);
	struct store_history h = known(&like);
	assert_int_equal(h.runs, 3);
	assert_int_equal(h.run, 3);
	assert_float_equal(h.slope_px_per_step, 0.03, 1e-12);
	/* sqrt((0 + 2 (5 % of 0.03)^2) / (3 - 1 + 2) + 0.0003^2) */
	assert_float_equal(h.slope_sigma, 0.0011023, 1e-6);
	assert_float_equal(h.hfr_min_px, 2.2, 1e-12);
	/* sqrt((0.08 + 2 (15 % of 2.2)^2) / 4) */
	assert_float_equal(h.hfr_min_sigma_px, 0.27281, 1e-4);
	assert_float_equal(h.best_position, 8010, 0);
	/* The ways were 30 and -20: sqrt((900 + 400) / 2). */
	assert_float_equal(h.best_sigma_steps, 25.495, 1e-2);
	assert_float_equal(h.backlash_steps, 12, 0);
}

/* The newest eight count, in whatever order they come, each once. */
static void the_newest_count(void **state)
{
	(void)state;
	static const uint64_t order[] = {7, 3, 10, 1, 9, 4, 2, 8, 6, 5, 7, 10};
	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
		struct run run = taught(order[i], 0.03, (double)order[i], 8000);
		learned_add(&learned, &run);
	}
	struct run like = taught(99, 0, 0, 0);
	struct store_history h = known(&like);
	assert_int_equal(h.runs, 8);
	assert_int_equal(h.run, 10);
	assert_float_equal(h.hfr_min_px, 6.5, 1e-12); /* of 3 to 10 */
	learned_forget(&learned, 0, 8);
	h = known(&like);
	assert_int_equal(h.runs, 2);
	learned_forget(&learned, 1, 99);
	assert_true(learned_get(&learned, &like, &h));
	learned_forget(&learned, 0, 10);
	assert_false(learned_get(&learned, &like, &h));
}

static void instruments_are_kept_apart(void **state)
{
	(void)state;
	struct run run = taught(1, 0.03, 2, 8000);
	struct store_history h;
	learned_add(&learned, &run);
	for (int what = 0; what < 6; what++) {
		struct run like = taught(2, 0, 0, 0);
		like.focuser += what == 0;
		like.camera += what == 1;
		like.binning += what == 2;
		like.camera_name[0] = what == 3 ? 'X' : like.camera_name[0];
		like.focuser_name[0] = what == 4 ? 'X' : like.focuser_name[0];
		like.focal_length_mm = what == 5 ? 1280 : like.focal_length_mm;
		assert_false(learned_get(&learned, &like, &h));
	}
	/* An unknown telescope is one, too. */
	run.focal_length_mm = run.aperture_mm = NAN;
	assert_false(learned_get(&learned, &run, &h));
	learned_add(&learned, &run);
	assert_true(learned_get(&learned, &run, &h));
}

/* Another filter lends its slope, never its position; the own one counts alone as soon as it has taught. */
static void filters(void **state)
{
	(void)state;
	struct run ha = taught(1, 0.03, 2, 8000);
	memcpy(ha.filter, "Ha", 3);
	learned_add(&learned, &ha);
	struct run like = taught(2, 0, 0, 0);
	memcpy(like.filter, "OIII", 5);
	struct store_history h = known(&like);
	assert_float_equal(h.slope_px_per_step, 0.03, 0);
	assert_true(isnan(h.best_position));
	struct run own = taught(2, 0.031, 2.5, 8100);
	memcpy(own.filter, "OIII", 5);
	learned_add(&learned, &own);
	ha.id = 3;
	learned_add(&learned, &ha);
	h = known(&like);
	assert_float_equal(h.best_position, 8100, 0);
	assert_float_equal(h.hfr_min_px, 2.5, 0);
}

/* A reducer went in and nobody told: the slope says so, and what was before teaches nothing. */
static void other_optics_end_the_lessons(void **state)
{
	(void)state;
	static const double slopes[] = {0.03, 0.031, 0.048, 0.047};
	for (uint64_t id = 1; id <= 4; id++) {
		struct run run = taught(id, slopes[id - 1], 2, 8000);
		learned_add(&learned, &run);
	}
	struct run like = taught(9, 0, 0, 0);
	struct store_history h = known(&like);
	assert_int_equal(h.runs, 2);
	assert_float_equal(h.slope_px_per_step, 0.0475, 1e-12);
}

static void what_teaches_nothing(void **state)
{
	(void)state;
	struct store_history h;
	struct run run = taught(1, NAN, NAN, NAN);
	struct run like = run;
	run.curve.k = NAN; /* a check: it succeeded, and there is no curve */
	learned_add(&learned, &run);
	run = taught(2, 0.03, 2, 8000);
	run.state = RUN_FAILED;
	learned_add(&learned, &run);
	assert_false(learned_get(&learned, &like, &h));
	/* A row of an older version has a fit and no lessons: a = -2.25, k = 0.0375, y0 = 0. */
	run = taught(3, NAN, NAN, 8000);
	learned_add(&learned, &run);
	h = known(&like);
	assert_float_equal(h.slope_px_per_step, 0.0375, 0);
	assert_float_equal(h.hfr_min_px, 2.25, 0);
}

/* Another calibration: the position is lost, the slope is not. The other direction: the arms change places. */
static void numbers_of_today(void **state)
{
	(void)state;
	struct run run = taught(1, 0.03, 2, 8000);
	run.numbering = (struct numbering){.known = true, .low = 0, .high = 20000};
	learned_add(&learned, &run);
	struct run like = run;
	like.numbering.reversed = true;
	struct store_history h = known(&like);
	assert_float_equal(h.best_position, 12000, 0);
	assert_float_equal(h.asymmetry, -0.06, 1e-12);
	like.numbering = (struct numbering){.known = true, .calibrated = true, .low = 100, .high = 19000};
	h = known(&like);
	assert_true(isnan(h.best_position));
	assert_float_equal(h.slope_px_per_step, 0.03, 0);
}

/* More instruments than there is room for: the one that was used longest ago gives way. */
static void the_oldest_gives_way(void **state)
{
	(void)state;
	struct store_history h;
	for (int i = 0; i <= LEARNED_FACTS; i++) {
		struct run run = taught((uint64_t)i + 1, 0.03, 2, 8000);
		run.camera = i;
		learned_add(&learned, &run);
	}
	struct run like = taught(99, 0, 0, 0);
	like.camera = 0;
	assert_false(learned_get(&learned, &like, &h));
	for (int i = 1; i <= LEARNED_FACTS; i++) {
		like.camera = i;
		assert_true(learned_get(&learned, &like, &h));
	}
}

#define TEST(name) cmocka_unit_test_setup(name, empty)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(means_and_sigmas),
		TEST(the_newest_count),
		TEST(instruments_are_kept_apart),
		TEST(filters),
		TEST(other_optics_end_the_lessons),
		TEST(what_teaches_nothing),
		TEST(numbers_of_today),
		TEST(the_oldest_gives_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
