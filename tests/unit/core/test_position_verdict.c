/* SPDX-License-Identifier: MIT */
/* What journal and device say together: the table of position_verdict.h, case by case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "position_verdict.h"

#define REST(p) .position = (p), .from = (p), .target = (p), .low = (p), .high = (p)
#define WAY(f, t, at) \
	.moving = true, .from = (f), .target = (t), .position = (at), .low = (f) < (t) ? (f) : (t), \
	.high = (f) > (t) ? (f) : (t)

enum { FORGETS, KEEPS };

static const struct {
	const char *what;
	struct position_entry last;
	int32_t says;
	bool keeps, moving;
	enum focuser_trust trust;
	int offset;          /* INT32_MIN: none */
	const char *words;   /* in why, or in the note when known */
} cases[] = {
	{"at rest, the same", {REST(7600)}, 7600, FORGETS, false, POSITION_KNOWN, INT32_MIN, NULL},
	{"a step beside: it was switched off between two", {REST(7600)}, 7602, FORGETS, false, POSITION_KNOWN,
		INT32_MIN, NULL},
	{"at rest at 0", {REST(0)}, 0, FORGETS, false, POSITION_KNOWN, INT32_MIN, NULL},
	{"reset", {REST(7600)}, 0, FORGETS, false, POSITION_SHIFTED, 7600, "as after a reset"},
	{"another number", {REST(7600)}, 5000, FORGETS, false, POSITION_SHIFTED, 2600, "moved by something"},
	{"just beyond tolerance", {REST(7600)}, 7603, FORGETS, false, POSITION_SHIFTED, -3, "stood at 7600"},
	{"it moves by itself now", {REST(7600)}, 8000, FORGETS, true, POSITION_SHIFTED, -400, "stood at 7600"},
	{"moved with the hand controller", {REST(7600)}, 5000, KEEPS, false, POSITION_KNOWN, INT32_MIN,
		"from 7600 to 5000"},
	{"driven to 0 with the hand controller", {REST(7600)}, 0, KEEPS, false, POSITION_KNOWN, INT32_MIN,
		"from 7600 to 0"},

	{"arrived without us", {WAY(7000, 8000, 7400)}, 8000, FORGETS, false, POSITION_KNOWN, INT32_MIN, NULL},
	{"still on its way", {WAY(7000, 8000, 7400)}, 7500, FORGETS, true, POSITION_KNOWN, INT32_MIN, NULL},
	{"stopped on its way", {WAY(7000, 8000, 7400)}, 7500, FORGETS, false, POSITION_UNKNOWN, -100,
		"nobody here stopped it"},
	{"stopped on its way, keeps", {WAY(7000, 8000, 7400)}, 7500, KEEPS, false, POSITION_KNOWN, INT32_MIN, NULL},
	{"rests where it turns after an overshoot", {.moving = true, .from = 7000, .target = 8000, .position = 7400,
							    .low = 7000, .high = 8200},
		8199, FORGETS, false, POSITION_KNOWN, INT32_MIN, NULL},
	{"not begun, or fell back before it was seen", {WAY(7000, 8000, 7000)}, 7000, FORGETS, false,
		POSITION_UNKNOWN, 0, "where that move began"},
	{"not begun, keeps", {WAY(7000, 8000, 7000)}, 7000, KEEPS, false, POSITION_KNOWN, INT32_MIN, NULL},
	{"told to stay", {WAY(7000, 7001, 7000)}, 7000, FORGETS, false, POSITION_KNOWN, INT32_MIN, NULL},
	{"its own backlash", {WAY(7000, 8000, 7400)}, 8007, FORGETS, false, POSITION_KNOWN, INT32_MIN, NULL},
	{"fell back to where it began", {WAY(7000, 8000, 7400)}, 7000, FORGETS, false, POSITION_UNKNOWN, 400,
		"where that move began"},
	{"passes again where it began", {WAY(7000, 8000, 7400)}, 7000, FORGETS, true, POSITION_KNOWN, INT32_MIN,
		NULL},
	{"forgot", {WAY(7000, 8000, 7400)}, 0, FORGETS, false, POSITION_UNKNOWN, 7400, "not on that way"},
	{"forgot, 0 on the way", {WAY(500, 0, 300)}, 0, FORGETS, false, POSITION_UNKNOWN, 300, "after a reset"},
	{"forgot, from 0", {WAY(0, 500, 200)}, 0, FORGETS, false, POSITION_UNKNOWN, 200, "after a reset"},
	{"elsewhere", {WAY(7000, 8000, 7400)}, 9000, FORGETS, false, POSITION_UNKNOWN, -1600, "not on that way"},
	{"elsewhere, keeps", {WAY(7000, 8000, 7400)}, 9000, KEEPS, false, POSITION_KNOWN, INT32_MIN,
		"not to 8000"},
	{"at 0, keeps", {WAY(500, 0, 300)}, 0, KEEPS, false, POSITION_KNOWN, INT32_MIN, NULL},

	{"a shift goes on", {REST(0), .trust = POSITION_SHIFTED, .offset_known = true, .offset = 7600,
				    .why = "old words"},
		0, FORGETS, false, POSITION_SHIFTED, 7600, "old words"},
	{"a shift goes on after a move", {WAY(0, 500, 300), .trust = POSITION_SHIFTED, .offset_known = true,
						 .offset = 7600, .why = "old words"},
		500, FORGETS, false, POSITION_SHIFTED, 7600, "old words"},
	{"shifted again", {REST(500), .trust = POSITION_SHIFTED, .offset_known = true, .offset = 7600}, 0,
		FORGETS, false, POSITION_SHIFTED, 8100, "stood at 8100"},
	{"settled by another program", {REST(500), .trust = POSITION_SHIFTED, .offset_known = true,
					       .offset = 7600},
		8100, FORGETS, false, POSITION_KNOWN, INT32_MIN, "8100"},
	{"not settled by a move that happens to end there", {WAY(100, 50, 100), .trust = POSITION_SHIFTED,
								    .offset_known = true, .offset = -50},
		50, FORGETS, false, POSITION_SHIFTED, -50, NULL},
	{"unknown stays unknown", {REST(500), .trust = POSITION_UNKNOWN, .why = "it stalled"}, 500, FORGETS,
		false, POSITION_UNKNOWN, INT32_MIN, "it stalled"},
	{"unknown stays unknown where it keeps its count", {REST(500), .trust = POSITION_UNKNOWN,
								   .why = "it stalled"},
		900, KEEPS, false, POSITION_UNKNOWN, INT32_MIN, "it stalled"},
	{"unknown, then reset", {REST(500), .trust = POSITION_UNKNOWN, .why = "it stalled"}, 0, FORGETS, false,
		POSITION_UNKNOWN, 500, "it stalled"},
};

static void judge(const struct position_entry *last, int32_t says, bool keeps, bool moving, bool reverse,
	struct position_verdict *out)
{
	struct position_entry entry = *last;
	if (entry.trust == POSITION_UNKNOWN && entry.why[0] == '\0') {
		entry.trust = POSITION_KNOWN; /* the table leaves it out */
	}
	snprintf(entry.time, sizeof entry.time, "2026-11-21T03:12:45.678Z");
	snprintf(entry.driver, sizeof entry.driver, "moonlite");
	struct position_seen seen = {.position = says, .moving = moving, .keeps = keeps, .tolerance = 2,
		.numbering = {.known = true, .reversed = reverse, .high = 10000},
		.driver = "moonlite", .device = "", .port_serial = ""};
	position_judge(POSITION_READ, &entry, &seen, out);
}

static void the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct position_verdict v;
		judge(&cases[i].last, cases[i].says, cases[i].keeps, cases[i].moving, false, &v);
		bool offset = cases[i].offset != INT32_MIN;
		const char *said = v.trust == POSITION_KNOWN ? v.note : v.why;
		if (v.trust != cases[i].trust || v.offset_known != offset ||
			(offset && v.offset != cases[i].offset) ||
			(cases[i].words != NULL && strstr(said, cases[i].words) == NULL) ||
			(v.trust == POSITION_KNOWN && v.why[0] != '\0') ||
			(v.trust == POSITION_KNOWN && cases[i].words == NULL && v.note[0] != '\0')) {
			fail_msg("%s: %s offset %d (%d), \"%s\"", cases[i].what, focuser_trust_name(v.trust),
				(int)v.offset, v.offset_known, said);
		}
	}
}

/* After a power cut on the way the motor is somewhere on that way, by the count of before; what the span says is what
 * is wrong with the device's number. */
static void a_motor_cut_short_is_somewhere_on_its_way(void **state)
{
	(void)state;
	static const int32_t says[] = {7500, 7000, 0, 9000};
	struct position_entry last = {WAY(7000, 8000, 7400)};
	struct position_verdict v;
	for (size_t i = 0; i < sizeof says / sizeof says[0]; i++) {
		judge(&last, says[i], false, false, false, &v);
		assert_int_equal(v.trust, POSITION_UNKNOWN);
		assert_true(v.span_known);
		assert_int_equal(says[i] + v.span_low, 7000);
		assert_int_equal(says[i] + v.span_high, 8000);
	}
	/* At rest since: what was wrong with the number is still wrong with it, also after a reset. */
	last = (struct position_entry){REST(7400), .trust = POSITION_UNKNOWN, .span_known = true, .span_low = -400,
		.span_high = 600, .why = "it was cut short"};
	for (int32_t says_now = 0; says_now <= 7400; says_now += 7400) {
		judge(&last, says_now, false, false, false, &v);
		assert_int_equal(v.trust, POSITION_UNKNOWN);
		assert_true(v.span_known);
		assert_int_equal(says_now + v.span_low, 7000);
		assert_int_equal(says_now + v.span_high, 8000);
	}
	/* After a stall nothing is sure, whatever was cut short then. */
	last = (struct position_entry){WAY(7000, 8000, 7400), .trust = POSITION_UNKNOWN, .why = "it stalled"};
	judge(&last, 0, false, false, false, &v);
	assert_int_equal(v.trust, POSITION_UNKNOWN);
	assert_false(v.span_known);
}

/* A halt that was sent explains why a motor rests on its way. */
static void a_motor_that_was_halted_rests_where_it_is(void **state)
{
	(void)state;
	struct position_entry last = {WAY(7000, 8000, 7400), .driver = "moonlite", .trust = POSITION_KNOWN};
	struct position_seen seen = {.position = 7500, .halted = true, .tolerance = 2,
		.numbering = {.known = true, .high = 10000},
		.driver = "moonlite", .device = "", .port_serial = ""};
	struct position_verdict v;
	position_judge(POSITION_READ, &last, &seen, &v);
	assert_int_equal(v.trust, POSITION_KNOWN);
}

static void numbers_are_told_as_clients_know_them(void **state)
{
	(void)state;
	struct position_entry last = {REST(7600)};
	struct position_verdict v;
	judge(&last, 0, false, false, true, &v);
	assert_string_equal(v.why,
		"It says 10000, as after a reset, but stood at 2400 (last seen 2026-11-21 03:12 UTC)");
	assert_int_equal(v.offset, 7600); /* the motor's own */
}

/* Somebody else has calibrated the motor: its number says nothing about where it was. */
static void a_calibration_of_somebody_else(void **state)
{
	(void)state;
	struct position_entry last = {REST(20000), .driver = "celestron", .trust = POSITION_KNOWN,
		.numbering = {.known = true, .calibrated = true, .low = 2000, .high = 40000}};
	struct position_seen seen = {.position = 21500, .keeps = true, .tolerance = 2,
		.numbering = {.known = true, .calibrated = true, .low = 1500, .high = 40000},
		.driver = "celestron", .device = "", .port_serial = ""};
	struct position_verdict v;
	position_judge(POSITION_READ, &last, &seen, &v);
	assert_int_equal(v.trust, POSITION_KNOWN);
	assert_non_null(strstr(v.note, "limits are 1500 and 40000 now, and it stands at 20000"));
	/* An entry of 0.1.0 does not say the lower limit, so the upper one alone can tell. */
	last.before_shift = true;
	last.numbering.low = 0;
	position_judge(POSITION_READ, &last, &seen, &v);
	assert_non_null(strstr(v.note, "moved from 18500 to 20000"));
	seen.numbering.high = 39000;
	position_judge(POSITION_READ, &last, &seen, &v);
	assert_non_null(strstr(v.note, "limits are 1500 and 39000"));
	last.trust = POSITION_UNKNOWN;
	snprintf(last.why, sizeof last.why, "A calibration was begun");
	position_judge(POSITION_READ, &last, &seen, &v);
	assert_int_equal(v.trust, POSITION_UNKNOWN);
}

/* The driver says that the device began anew: in a move its number is worth nothing, wherever it lies. */
static void a_reset_that_is_told(void **state)
{
	(void)state;
	struct position_entry last = {WAY(7000, 8000, 7400), .driver = "moonlite", .trust = POSITION_KNOWN};
	struct position_seen seen = {.position = 7500, .reset = true, .tolerance = 2,
		.numbering = {.known = true, .high = 10000},
		.driver = "moonlite", .device = "", .port_serial = ""};
	struct position_verdict v;
	position_judge(POSITION_READ, &last, &seen, &v);
	assert_int_equal(v.trust, POSITION_UNKNOWN);
	assert_non_null(strstr(v.why, "7500, after a reset"));
	seen.position = 8000;
	position_judge(POSITION_READ, &last, &seen, &v);
	assert_int_equal(v.trust, POSITION_UNKNOWN);
	/* The count was saved and the motor was at rest, so nothing was lost. */
	last = (struct position_entry){REST(7600), .driver = "moonlite", .trust = POSITION_KNOWN};
	seen.position = 7600;
	position_judge(POSITION_READ, &last, &seen, &v);
	assert_int_equal(v.trust, POSITION_KNOWN);
}

static void other_devices_and_damaged_journals(void **state)
{
	(void)state;
	struct position_entry last = {REST(7600), .trust = POSITION_SHIFTED, .driver = "celestron"};
	struct position_seen seen = {.position = 100, .tolerance = 2,
		.numbering = {.known = true, .high = 10000}, .driver = "moonlite",
		.device = "Moonlite compatible, firmware 1.0", .port_serial = "B2"};
	struct position_verdict v;
	position_judge(POSITION_NONE, NULL, &seen, &v);
	assert_int_equal(v.trust, POSITION_KNOWN);
	assert_string_equal(v.note, "");
	position_judge(POSITION_READ, &last, &seen, &v);
	assert_int_equal(v.trust, POSITION_KNOWN);
	assert_non_null(strstr(v.note, "another focuser"));
	snprintf(last.driver, sizeof last.driver, "moonlite");
	snprintf(last.port_serial, sizeof last.port_serial, "A1");
	position_judge(POSITION_MENDED, &last, &seen, &v);
	assert_int_equal(v.trust, POSITION_KNOWN);
	/* Where one of the two serial numbers is not known, they are taken for the same. */
	seen.port_serial = "";
	last.trust = POSITION_KNOWN;
	position_judge(POSITION_MENDED, &last, &seen, &v);
	assert_int_equal(v.trust, POSITION_SHIFTED);
	assert_non_null(strstr(v.why, "Another device or firmware says 100"));
	position_judge(POSITION_DAMAGED, NULL, &seen, &v);
	assert_int_equal(v.trust, POSITION_UNKNOWN);
	assert_false(v.offset_known);
	assert_non_null(strstr(v.why, "damaged"));
}

/* Whatever the numbers are, a doubt has words and a known position has none. */
static void the_ends_of_the_numbers(void **state)
{
	(void)state;
	static const int32_t odd[] = {INT32_MIN, -1, 0, 1, 5000, INT32_MAX};
	enum { COUNT = sizeof odd / sizeof odd[0] };
	for (int i = 0; i < COUNT * COUNT * COUNT; i++) {
		struct position_entry last = {.moving = i % 2, .position = odd[i % COUNT],
			.from = odd[i / COUNT % COUNT], .target = odd[i / COUNT / COUNT], .low = INT32_MIN,
			.high = odd[i % COUNT]};
		for (int k = 0; k < COUNT; k++) {
			struct position_verdict v;
			judge(&last, odd[k], false, false, k % 2, &v);
			assert_true((v.trust == POSITION_KNOWN) == (v.why[0] == '\0'));
			assert_true(strlen(v.why) < sizeof v.why);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table),
		cmocka_unit_test(a_motor_cut_short_is_somewhere_on_its_way),
		cmocka_unit_test(a_motor_that_was_halted_rests_where_it_is),
		cmocka_unit_test(numbers_are_told_as_clients_know_them),
		cmocka_unit_test(a_calibration_of_somebody_else),
		cmocka_unit_test(a_reset_that_is_told),
		cmocka_unit_test(other_devices_and_damaged_journals),
		cmocka_unit_test(the_ends_of_the_numbers),
	};
	return cmocka_run_group_tests_name("position verdict", tests, NULL, NULL);
}
