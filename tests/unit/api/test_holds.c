/* SPDX-License-Identifier: MIT */
/* The account of things that stay in memory for their readers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "holds.h"

static const char camera[2], thing[40];

static void each_owner_has_so_much(void **state)
{
	(void)state;
	struct holds *holds = holds_create(2, 100);
	assert_non_null(holds);
	assert_int_equal(holds_enter(holds, &camera[0], &thing[0], 1), HOLDS_ENTERED);
	assert_int_equal(holds_enter(holds, &camera[0], &thing[1], 1), HOLDS_ENTERED);
	assert_int_equal(holds_enter(holds, &camera[0], &thing[2], 1), HOLDS_HEAVY);
	/* What is read already weighs nothing more, and another owner has an allowance of its own. */
	assert_int_equal(holds_enter(holds, &camera[0], &thing[1], 1), HOLDS_ENTERED);
	assert_int_equal(holds_enter(holds, &camera[1], &thing[3], 1), HOLDS_ENTERED);
	/* Only with its last reader a thing makes room. */
	holds_leave(holds, &thing[1]);
	assert_int_equal(holds_enter(holds, &camera[0], &thing[2], 1), HOLDS_HEAVY);
	holds_leave(holds, &thing[1]);
	assert_int_equal(holds_enter(holds, &camera[0], &thing[2], 1), HOLDS_ENTERED);
	assert_int_equal(holds_enter(holds, &camera[0], &thing[1], 1), HOLDS_HEAVY);
	holds_leave(holds, &thing[0]);
	holds_leave(holds, &thing[2]);
	holds_leave(holds, &thing[3]);
	holds_destroy(holds);
}

static void weights_add_up(void **state)
{
	(void)state;
	struct holds *holds = holds_create(100, 100);
	/* One that is heavier than everything may be, alone: it has to be sent, too. */
	assert_int_equal(holds_enter(holds, &camera[0], &thing[0], 101), HOLDS_ENTERED);
	assert_int_equal(holds_enter(holds, &camera[0], &thing[1], 1), HOLDS_HEAVY);
	holds_leave(holds, &thing[0]);
	assert_int_equal(holds_enter(holds, &camera[0], &thing[0], 60), HOLDS_ENTERED);
	assert_int_equal(holds_enter(holds, &camera[0], &thing[1], 41), HOLDS_HEAVY);
	assert_int_equal(holds_enter(holds, &camera[0], &thing[1], SIZE_MAX), HOLDS_HEAVY);
	assert_int_equal(holds_enter(holds, &camera[0], &thing[1], 40), HOLDS_ENTERED);
	holds_leave(holds, &thing[0]);
	holds_leave(holds, &thing[1]);
	holds_destroy(holds);
}

static void readers_are_counted(void **state)
{
	(void)state;
	enum { MAX = 5 };
	struct holds *holds = holds_create(1000, MAX);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < MAX; i++) {
			assert_int_equal(holds_enter(holds, camera, &thing[i / 2 + round], 1), HOLDS_ENTERED);
		}
		assert_int_equal(holds_enter(holds, camera, &thing[round], 1), HOLDS_CROWDED);
		assert_int_equal(holds_enter(holds, camera, &thing[30], 1), HOLDS_CROWDED);
		for (int i = 0; i < MAX; i++) {
			holds_leave(holds, &thing[i / 2 + round]);
		}
	}
	holds_destroy(holds);
	holds_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_owner_has_so_much),
		cmocka_unit_test(weights_add_up),
		cmocka_unit_test(readers_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
