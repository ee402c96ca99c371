/* SPDX-License-Identifier: MIT */
/* Which of the many times that a lasting state is met are worth a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "log.h"

static void a_lasting_state_is_news_once(void **state)
{
	(void)state;
	struct log_lasting absent = {0};
	/* An absent device is tried every five seconds; this is a day. */
	int lines = 0;
	for (int i = 0; i < 24 * 3600 / 5; i++) {
		lines += log_lasting_news(&absent, "there is no /dev/ttyUSB0") != 0;
	}
	assert_int_equal(lines, 1);
	assert_int_equal(log_lasting_over(&absent), 24 * 3600 / 5);
	assert_int_equal(log_lasting_over(&absent), 0);
	assert_true(log_lasting_news(&absent, "there is no /dev/ttyUSB0"));
}

static void another_reason_is_news(void **state)
{
	(void)state;
	struct log_lasting absent = {0};
	assert_true(log_lasting_news(&absent, "there is no such port"));
	assert_true(log_lasting_news(&absent, "it does not answer"));
	/* Reasons that take turns are known by then. */
	for (int i = 0; i < 100; i++) {
		assert_false(log_lasting_news(&absent, "there is no such port"));
		assert_false(log_lasting_news(&absent, "it does not answer"));
	}
	assert_int_equal(log_lasting_over(&absent), 202);
}

static void numbers_make_no_other_reason(void **state)
{
	(void)state;
	struct log_lasting stale = {0};
	char reason[64];
	int lines = 0;
	for (int i = 9; i < 12000; i++) {
		snprintf(reason, sizeof reason, "the last reading, 5%d, is %d.%d s old", i % 7, i, i % 10);
		lines += log_lasting_news(&stale, reason) != 0;
	}
	assert_int_equal(lines, 1);
}

/* More reasons than are remembered: what is written stays, and none is lost. */
static void many_reasons_are_each_told(void **state)
{
	(void)state;
	struct log_lasting strange = {0};
	for (int round = 0; round < 3; round++) {
		for (char c = 'a'; c < 'a' + LOG_REASONS; c++) {
			const char reason[] = {c, '\0'};
			assert_int_equal(log_lasting_news(&strange, reason) != 0, round == 0);
		}
	}
	assert_true(log_lasting_news(&strange, "one more"));
	assert_false(log_lasting_news(&strange, "one more"));
	assert_false(log_lasting_news(&strange, "b"));
	assert_true(log_lasting_news(&strange, "a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lasting_state_is_news_once),
		cmocka_unit_test(another_reason_is_news),
		cmocka_unit_test(numbers_make_no_other_reason),
		cmocka_unit_test(many_reasons_are_each_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
