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
	int32_t from, target;
	int count;
	int32_t leg[6];
	bool skipped;
} cases[] = {
	{{0, 10000, 0, MOVES_APPROACH_OUT, 10000}, 5000, 4000, 1, {4000}, false},
	{{0, 10000, 200, MOVES_APPROACH_OUT, 10000}, 5000, 6000, 1, {6000}, false},
	{{0, 10000, 200, MOVES_APPROACH_OUT, 10000}, 5000, 4000, 2, {3800, 4000}, false},
	{{0, 10000, 200, MOVES_APPROACH_IN, 10000}, 5000, 6000, 2, {6200, 6000}, false},
	{{0, 10000, 200, MOVES_APPROACH_IN, 10000}, 5000, 4000, 1, {4000}, false},
	/* 150 of 200 left: reduced overshoot; 99 left: direct. */
	{{0, 10000, 200, MOVES_APPROACH_OUT, 10000}, 5000, 150, 2, {0, 150}, false},
	{{0, 10000, 200, MOVES_APPROACH_OUT, 10000}, 5000, 100, 2, {0, 100}, false},
	{{0, 10000, 200, MOVES_APPROACH_OUT, 10000}, 5000, 99, 1, {99}, true},
	{{0, 10000, 200, MOVES_APPROACH_OUT, 10000}, 5000, -50, 1, {0}, true},
	{{0, 10000, 200, MOVES_APPROACH_IN, 10000}, 5000, 20000, 1, {10000}, true},
	{{0, 10000, 200, MOVES_APPROACH_OUT, 10000}, 5000, 5000, 0, {0}, false},
	{{0, 10000, 200, MOVES_APPROACH_OUT, 400}, 5000, 4000, 4, {4600, 4200, 3800, 4000}, false},
	{{0, 10000, 0, MOVES_APPROACH_OUT, 400}, 5000, 6000, 3, {5400, 5800, 6000}, false},
};

static void by_hand(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct moves_plan plan;
		moves_make(&cases[i].rules, cases[i].from, cases[i].target, &plan);
		assert_int_equal(plan.count, cases[i].count);
		assert_int_equal(plan.overshoot_skipped, cases[i].skipped);
		for (int j = 0; j < plan.count; j++) {
			assert_int_equal(plan.leg[j], cases[i].leg[j]);
		}
	}
}

static int32_t between(uint64_t *seed, int32_t low, int32_t high)
{
	return low + (int32_t)(sky_uniform(seed) * ((double)high - low + 1));
}

/* Properties that hold for every move. */
static void random_moves(void **state)
{
	(void)state;
	uint64_t seed = 7;
	for (int trial = 0; trial < 200000; trial++) {
		struct moves_rules rules = {.min_step = between(&seed, 0, 5000)};
		rules.max_step = rules.min_step + between(&seed, 1, 60000);
		rules.backlash_steps = between(&seed, 0, 3) == 0 ? 0 : between(&seed, 0, 3000);
		rules.approach = between(&seed, 0, 1) != 0 ? MOVES_APPROACH_OUT : MOVES_APPROACH_IN;
		rules.max_increment = between(&seed, 3000, 70000);
		int32_t from = between(&seed, rules.min_step, rules.max_step);
		int32_t target = between(&seed, -10000, 70000);
		int32_t end = moves_clamp(&rules, target);
		struct moves_plan plan;
		moves_make(&rules, from, target, &plan);
		assert_true(end >= rules.min_step && end <= rules.max_step);
		assert_int_equal(plan.count == 0, from == end);
		if (plan.count == 0) {
			continue;
		}
		assert_true(plan.count <= MOVES_MAX_LEGS);
		assert_int_equal(plan.leg[plan.count - 1], end);
		int32_t at = from, reversals = 0, direction = 0;
		for (int i = 0; i < plan.count; i++) {
			int32_t leg = plan.leg[i] - at;
			assert_true(leg != 0);
			assert_true(plan.leg[i] >= rules.min_step && plan.leg[i] <= rules.max_step);
			assert_true(abs(leg) <= rules.max_increment);
			reversals += direction != 0 && (leg > 0) != (direction > 0);
			direction = leg;
			at = plan.leg[i];
		}
		assert_true(reversals <= 1);
		bool last_out = direction > 0;
		if (rules.backlash_steps > 0 && !plan.overshoot_skipped) {
			assert_int_equal(last_out, rules.approach == MOVES_APPROACH_OUT);
		}
		if (plan.overshoot_skipped) {
			/* Only when the limit really is that near. */
			int32_t room = rules.approach == MOVES_APPROACH_OUT ? end - rules.min_step
				: rules.max_step - end;
			assert_true(2 * room < rules.backlash_steps);
			assert_int_equal(reversals, 0);
		}
	}
}

/* A whole 31-bit range does not overflow, and a tiny increment still arrives. */
static void extremes(void **state)
{
	(void)state;
	struct moves_rules rules = {0, INT32_MAX, INT32_MAX, MOVES_APPROACH_OUT, 1000};
	struct moves_plan plan;
	moves_make(&rules, 0, INT32_MAX, &plan);
	assert_int_equal(plan.count, MOVES_MAX_LEGS);
	assert_int_equal(plan.leg[plan.count - 1], INT32_MAX);
	moves_make(&rules, INT32_MAX, INT32_MAX - 5, &plan);
	assert_int_equal(plan.leg[plan.count - 1], INT32_MAX - 5);
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
