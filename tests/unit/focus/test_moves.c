/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "moves.h"
#include "sky.h"

/* Worked by hand from the overshoot rule. */
static const struct {
	struct moves_rules rules;
	int32_t from, left, target;
	int count;
	int32_t point[2];
	bool skipped;
} cases[] = {
	{{0, 10000, 0, MOVES_APPROACH_OUT, 0}, 5000, 0, 4000, 1, {4000}, false},
	{{0, 10000, 200, MOVES_APPROACH_OUT, 0}, 5000, 0, 6000, 1, {6000}, false},
	{{0, 10000, 200, MOVES_APPROACH_OUT, 0}, 5000, 0, 4000, 2, {3800, 4000}, false},
	{{0, 10000, 200, MOVES_APPROACH_IN, 0}, 5000, 0, 6000, 2, {6200, 6000}, false},
	{{0, 10000, 200, MOVES_APPROACH_IN, 0}, 5000, 0, 4000, 1, {4000}, false},
	/* 150 of 200 left: reduced overshoot; 99 left: direct. */
	{{0, 10000, 200, MOVES_APPROACH_OUT, 0}, 5000, 0, 150, 2, {0, 150}, false},
	{{0, 10000, 200, MOVES_APPROACH_OUT, 0}, 5000, 0, 100, 2, {0, 100}, false},
	{{0, 10000, 200, MOVES_APPROACH_OUT, 0}, 5000, 0, 99, 1, {99}, true},
	{{1000, 10000, 200, MOVES_APPROACH_OUT, 0}, 5000, 0, 1100, 2, {1000, 1100}, false},
	{{1000, 10000, 200, MOVES_APPROACH_OUT, 0}, 5000, 0, 1099, 1, {1099}, true},
	{{0, 10000, 200, MOVES_APPROACH_IN, 0}, 5000, 0, 9900, 2, {10000, 9900}, false},
	{{0, 10000, 200, MOVES_APPROACH_OUT, 0}, 5000, 0, -50, 1, {0}, true},
	{{0, 10000, 200, MOVES_APPROACH_IN, 0}, 5000, 0, 20000, 1, {10000}, true},
	{{0, 10000, 200, MOVES_APPROACH_OUT, 0}, 5000, 200, 5000, 0, {0}, false},
	/* In the approach direction: enough to take the backlash up, or not. */
	{{0, 10000, 200, MOVES_APPROACH_OUT, 0}, 5000, 150, 5150, 1, {5150}, false},
	{{0, 10000, 200, MOVES_APPROACH_OUT, 0}, 5000, 150, 5149, 2, {4949, 5149}, false},
	{{0, 10000, 200, MOVES_APPROACH_IN, 0}, 5000, 200, 4900, 2, {5100, 4900}, false},
	{{0, 10000, 200, MOVES_APPROACH_OUT, 0}, 0, 200, 50, 1, {50}, true},
	{{0, 10000, 0, MOVES_APPROACH_OUT, 0}, 5000, 150, 5050, 1, {5050}, false},
	/* Standing outside the limits. */
	{{1000, 9000, 200, MOVES_APPROACH_OUT, 0}, 20, 200, 1500, 1, {1500}, false},
	{{1000, 9000, 200, MOVES_APPROACH_OUT, 0}, 9800, 0, 8900, 2, {8700, 8900}, false},
};

static void by_hand(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct moves_plan plan;
		moves_make(&cases[i].rules, cases[i].from, cases[i].left, cases[i].target, &plan);
		assert_int_equal(plan.count, cases[i].count);
		assert_int_equal(plan.overshoot_skipped, cases[i].skipped);
		for (int j = 0; j < plan.count; j++) {
			assert_int_equal(plan.point[j], cases[i].point[j]);
		}
	}
}

static int32_t between(uint64_t *seed, int32_t low, int32_t high)
{
	return low + (int32_t)(sky_uniform(seed) * ((double)high - low + 1));
}

/* Properties that hold for every move, on a mechanism with as much backlash as is configured: the carriage is
 * pushed by the one face of the nut or by the other, and whatever was known about it before, after a
 * move it lies against the face of the approach direction. */
static void random_moves(void **state)
{
	(void)state;
	uint64_t seed = 7;
	for (int trial = 0; trial < 200000; trial++) {
		struct moves_rules rules = {.min_step = between(&seed, 0, 5000)};
		rules.max_step = rules.min_step + between(&seed, 1, 60000);
		rules.backlash_steps = between(&seed, 0, 3) == 0 ? 0 : between(&seed, 0, 3000);
		bool out = between(&seed, 0, 1) != 0;
		rules.approach = out ? MOVES_APPROACH_OUT : MOVES_APPROACH_IN;
		rules.max_increment = between(&seed, 300, 70000);
		int32_t from = between(&seed, rules.min_step, rules.max_step);
		int32_t left = between(&seed, 0, rules.backlash_steps);
		int32_t target = between(&seed, -10000, 70000);
		int32_t end = moves_clamp(&rules, target);
		struct moves_plan plan;
		moves_make(&rules, from, left, target, &plan);
		assert_true(end >= rules.min_step && end <= rules.max_step);
		assert_int_equal(plan.count == 0, from == end);
		int32_t at = from, untaken = left, reversals = 0, direction = 0;
		for (int i = 0; i < plan.count; i++) {
			while (at != plan.point[i]) {
				int32_t leg = moves_leg(&rules, at, plan.point[i]) - at;
				assert_true(leg != 0 && abs(leg) <= rules.max_increment);
				at += leg;
				assert_true(at >= rules.min_step && at <= rules.max_step);
				reversals += direction != 0 && (leg > 0) != (direction > 0);
				direction = leg;
				untaken -= out ? leg : -leg;
				untaken = untaken < 0 ? 0
					: untaken > rules.backlash_steps ? rules.backlash_steps : untaken;
			}
		}
		assert_int_equal(at, end);
		assert_true(reversals <= 1);
		int32_t room = out ? end - rules.min_step : rules.max_step - end;
		if (plan.overshoot_skipped) {
			/* Only when the limit really is that near. */
			assert_true(2 * room < rules.backlash_steps);
			assert_int_equal(reversals, 0);
		} else if (plan.count > 0 && room >= rules.backlash_steps) {
			assert_int_equal(untaken, 0);
		}
	}
}

/* A whole 31-bit range does not overflow, a tiny increment still arrives, and the way back from outside
 * the limits begins with a leg to the limit. */
static void extremes(void **state)
{
	(void)state;
	struct moves_rules rules = {0, INT32_MAX, INT32_MAX, MOVES_APPROACH_OUT, 1000};
	struct moves_plan plan;
	moves_make(&rules, 0, INT32_MAX, INT32_MAX, &plan);
	assert_int_equal(plan.count, 1);
	assert_int_equal(moves_leg(&rules, 0, plan.point[0]), 1000);
	assert_int_equal(moves_leg(&rules, INT32_MAX - 1000, INT32_MAX), INT32_MAX);
	moves_make(&rules, INT32_MAX, 0, INT32_MAX - 5, &plan);
	assert_int_equal(plan.count, 2);
	assert_int_equal(plan.point[0], 0);
	assert_int_equal(plan.point[1], INT32_MAX - 5);
	assert_int_equal(moves_leg(&rules, INT32_MIN, 500), 0);
	rules = (struct moves_rules){100, 900, 0, MOVES_APPROACH_IN, 50};
	assert_int_equal(moves_leg(&rules, -300, 500), 100);
	assert_int_equal(moves_leg(&rules, 1500, 500), 900);
	assert_int_equal(moves_leg(&rules, 520, 500), 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_hand),
		cmocka_unit_test(random_moves),
		cmocka_unit_test(extremes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
