/* SPDX-License-Identifier: MIT */
/* The first start after focusd 0.1.0, and those that follow: the table of renumbered.h, case by case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "renumbered.h"

#define OLD .before_shift = true, .driver = "celestron", .position = 20000
#define HIGH .numbering.known = true, .numbering.high = 40000
#define TODAY .driver = "celestron", .position = 20000
#define CALIBRATED {.known = true, .calibrated = true, .low = 2000, .high = 40000}
#define REVERSED {.known = true, .calibrated = true, .reversed = true, .low = 2000, .high = 40000}
#define FROM_0 {.known = true, .high = 65535}

/* The limits 2000..40000 are those that the description of Celestron's protocol shows. */
static const struct {
	const char *what;
	struct position_entry last;
	struct numbering numbering;
	bool unknown_limits;
	int32_t min_step, max_step;    /* configured */
	const char *note, *refusal;    /* words; NULL: there is none */
	int32_t old_min_step, old_max_step;
	bool undecided;
} cases[] = {
	{"the numbers become smaller", {OLD, HIGH}, CALIBRATED, .note = "was 20000 and is 18000"},
	{"calibrated otherwise since",
		{OLD, .numbering.known = true, .numbering.high = 39000}, CALIBRATED,
		.note = "each is 2000 less than before"},
	{"a lower limit of then", {OLD, HIGH}, CALIBRATED, .min_step = 5000,
		.note = "0 at the motor's lower limit, 2000",
		.refusal = "write min_step = 3000", .old_min_step = 5000},
	{"one that lay below the motor's own", {OLD, HIGH}, CALIBRATED, .min_step = 1500, .note = "2000",
		.refusal = "remove min_step", .old_min_step = 1500},
	{"an upper limit of then", {OLD, HIGH}, CALIBRATED, .max_step = 30000, .note = "2000",
		.refusal = "write max_step = 28000", .old_max_step = 30000},
	{"both", {OLD, HIGH}, CALIBRATED, .min_step = 5000, .max_step = 30000, .note = "2000",
		.refusal = "min_step = 5000 and max_step = 30000 counts as", .old_min_step = 5000,
		.old_max_step = 30000},
	{"an upper limit that never held", {OLD, HIGH}, CALIBRATED, .max_step = 40000, .note = "2000"},
	{"an upper limit below the motor's lower one", {OLD, HIGH}, CALIBRATED, .max_step = 1999, .note = "2000",
		.refusal = "remove max_step", .old_max_step = 1999},
	{"reversed, nothing changes", {OLD, .numbering.known = true, .numbering.reversed = true}, REVERSED,
		.min_step = 5000},
	{"a motor that begins at 0", {OLD, .numbering.known = true, .numbering.high = 65535}, FROM_0, .min_step = 5000,
		.max_step = 30000},
	{"not calibrated yet", {OLD, HIGH}, {.known = true, .calibrated = true, .high = 60000}, .unknown_limits = true,
		.min_step = 5000, .undecided = true},
	{"the next start with the same limits", {TODAY, .old_min_step = 5000, .old_max_step = 30000}, CALIBRATED,
		.min_step = 5000, .max_step = 30000, .refusal = "write min_step = 3000 and write max_step = 28000",
		.old_min_step = 5000, .old_max_step = 30000},
	{"one of them changed", {TODAY, .old_min_step = 5000, .old_max_step = 30000}, CALIBRATED, .min_step = 3000,
		.max_step = 30000, .refusal = "held: max_step = 30000 counts", .old_max_step = 30000},
	{"both changed", {TODAY, .old_min_step = 5000, .old_max_step = 30000}, CALIBRATED, .min_step = 3000},
	{"limits that were written today", {TODAY}, CALIBRATED, .min_step = 5000, .max_step = 30000},
	{"another driver", {.before_shift = true, .driver = "moonlite"}, CALIBRATED, .min_step = 5000},
};

static bool as_it_should(const char *said, const char *words)
{
	return words == NULL ? said[0] == '\0' : strstr(said, words) != NULL;
}

static void the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct renumbered_case now = {.last = &cases[i].last, .driver = "celestron",
			.numbering = cases[i].numbering, .limits_known = !cases[i].unknown_limits,
			.min_step = cases[i].min_step, .max_step = cases[i].max_step};
		struct renumbered out;
		renumbered_judge(&now, &out);
		if (!as_it_should(out.note, cases[i].note) || !as_it_should(out.refusal, cases[i].refusal) ||
			out.old_min_step != cases[i].old_min_step || out.old_max_step != cases[i].old_max_step ||
			out.undecided != cases[i].undecided) {
			fail_msg("%s: \"%s\" \"%s\" %d %d %d", cases[i].what, out.note, out.refusal,
				(int)out.old_min_step, (int)out.old_max_step, out.undecided);
		}
	}
}

static void without_a_journal_there_was_no_time_before(void **state)
{
	(void)state;
	struct renumbered_case now = {.driver = "celestron", .numbering = CALIBRATED, .limits_known = true,
		.min_step = 5000, .max_step = 30000};
	struct renumbered out;
	renumbered_judge(&now, &out);
	assert_string_equal(out.note, "");
	assert_string_equal(out.refusal, "");
	assert_false(out.undecided);
}

static void the_longest_refusal_has_room(void **state)
{
	(void)state;
	const struct position_entry last = {OLD, .numbering.known = true, .numbering.high = INT32_MAX};
	struct renumbered_case now = {.last = &last, .driver = "celestron", .limits_known = true,
		.numbering = {.known = true, .low = 1000000000, .high = INT32_MAX},
		.min_step = 2000000000, .max_step = 2000000001};
	struct renumbered out;
	renumbered_judge(&now, &out);
	assert_non_null(strstr(out.refusal, "write min_step = 1000000000 and write max_step = 1000000001"));
	assert_int_equal(out.refusal[strlen(out.refusal) - 1], '1');
	assert_non_null(strstr(out.note, "is -999980000"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table),
		cmocka_unit_test(without_a_journal_there_was_no_time_before),
		cmocka_unit_test(the_longest_refusal_has_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
