/* SPDX-License-Identifier: MIT */
/* What a person at the knob is told; the ways are worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../server/core/jobs/guided_words.h"

static void the_way_and_its_words(void **state)
{
	(void)state;
	static const struct {
		int32_t from, to, wished_via;
		int sign;
		int32_t backlash, turn;
		const char *say;
	} cases[] = {
		{500, 540, 540, 1, 0, 100, "Turn out by 40 steps (0.40 turns) to 540. Then say where it stands."},
		{500, 499, 499, 1, 0, 0, "Turn in by 1 step to 499. Then say where it stands."},
		/* Backlash is taken up by the last leg. */
		{500, 460, 460, 1, 20, 100, "Turn in by 60 steps (0.60 turns) to 440, then out by 20 steps "
			"(0.20 turns) to 460. Then say where it stands."},
		{460, 500, 500, -1, 20, 0, "Turn out by 60 steps to 520, then in by 20 steps to 500. Then say where it "
			"stands."},
		/* With the direction of last legs there is nothing to take up. */
		{460, 500, 500, 1, 20, 0, "Turn out by 40 steps to 500. Then say where it stands."},
		/* The plan's own place to turn back, also where the focuser stands at the target. */
		{500, 500, 470, 1, 0, 0, "Turn in by 30 steps to 470, then out by 30 steps to 500. Then say where it "
			"stands."},
		/* It lies on the way. */
		{400, 500, 470, 1, 0, 0, "Turn out by 100 steps to 500. Then say where it stands."},
		{470, 500, 470, 1, 0, 0, "Turn out by 30 steps to 500. Then say where it stands."},
		/* The range ends before the backlash is taken up. */
		{50, 10, 10, 1, 20, 0, "Turn in by 50 steps to 0, then out by 10 steps to 10. Then say where it "
			"stands."},
		{980, 1000, 1000, -1, 20, 0, "Turn out by 20 steps to 1000. Then say where it stands."},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char say[GUIDED_SAY];
		struct guided_way way = guided_way_of(cases[i].from, cases[i].to, cases[i].wished_via, cases[i].sign,
			cases[i].backlash, 0, 1000, cases[i].turn);
		guided_say_way(&way, say, sizeof say);
		assert_string_equal(say, cases[i].say);
	}
}

static void the_longest_sentence_has_room(void **state)
{
	(void)state;
	char say[GUIDED_SAY];
	struct guided_way way = guided_way_of(INT32_MAX - 1, INT32_MAX - 1, 0, 1, 0, 0, INT32_MAX - 1, 1);
	guided_say_way(&way, say, sizeof say);
	assert_string_equal(say, "Turn in by 2147483646 steps (2147483646.00 turns) to 0, then out by 2147483646 steps "
		"(2147483646.00 turns) to 2147483646. Then say where it stands.");
	assert_true(guided_way_steps(&way) == 2 * (int64_t)(INT32_MAX - 1));
}

static void near_is_a_twentieth_of_the_way(void **state)
{
	(void)state;
	assert_true(guided_is_there(500, 500, 0));
	assert_false(guided_is_there(501, 500, 19));
	assert_true(guided_is_there(501, 500, 20));
	assert_true(guided_is_there(495, 500, 100));
	assert_false(guided_is_there(494, 500, 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_way_and_its_words),
		cmocka_unit_test(the_longest_sentence_has_room),
		cmocka_unit_test(near_is_a_twentieth_of_the_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
