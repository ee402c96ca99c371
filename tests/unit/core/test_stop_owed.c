/* SPDX-License-Identifier: MIT */
/* What becomes of a STOP that could not be sent: the table of stop_owed.h, row by row and in its order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "stop_owed.h"

/* A motor on its way from 20000 to 19000, last seen at 19800; it has to be there by 60000 ms. */
static const struct stopped_motion way = {.under_way = true, .kept_way = true, .position = 19800, .target = 19000,
	.margin = 50, .until_ms = 60000};
/* It goes on as it should, one second later. */
static const struct stop_seen on_it = {.same_device = true, .position_known = true, .position = 19500, .now_ms = 1000};

enum change {
	NOTHING,
	CALIBRATED = 1 << 0,      /* the motion was a calibration */
	BY_OTHERS = 1 << 1,       /* it was not sent by focusd, or not yet seen to come nearer */
	PASSES = 1 << 2,
	OTHER_DEVICE = 1 << 3,
	CALIBRATES = 1 << 4,
	RESTS = 1 << 5,
	RESET = 1 << 6,
	LATE = 1 << 7,
	NO_POSITION = 1 << 8,
	UNSAID = 1 << 9,          /* the device had not said yet that it calibrates */
};

static const struct {
	const char *what;
	int change;
	int32_t at;
	enum stop_verdict verdict;
} rows[] = {
	{"it goes on", NOTHING, 19500, STOP_HALT},
	{"it has not moved since", NOTHING, 19800, STOP_HALT},
	{"another device", OTHER_DEVICE, 19500, STOP_VOID_DEVICE},
	{"another device that calibrates", OTHER_DEVICE | CALIBRATES, 19500, STOP_VOID_DEVICE},
	{"the calibration goes on", CALIBRATED | CALIBRATES, 100, STOP_END_CALIBRATION},
	{"the calibration goes on and on", CALIBRATED | CALIBRATES | LATE, 100, STOP_END_CALIBRATION},
	{"a calibration that somebody else had begun", BY_OTHERS | CALIBRATES, 100, STOP_END_CALIBRATION},
	{"a calibration that somebody has begun since", CALIBRATES, 100, STOP_VOID_OTHER},
	{"the calibration is in its first step, or over, and the motor comes back", CALIBRATED, 100,
		STOP_END_CALIBRATION},
	{"the calibration had just been begun", CALIBRATED | UNSAID, 100, STOP_END_CALIBRATION},
	{"the calibration had just been begun, and it rests", CALIBRATED | UNSAID | RESTS, 100, STOP_END_CALIBRATION},
	{"the calibration had just been begun, and the power was cut", CALIBRATED | UNSAID | RESTS | RESET, 100,
		STOP_RESTS},
	{"long after a calibration it moves", CALIBRATED | LATE, 100, STOP_VOID_OTHER},
	{"the calibration is over", CALIBRATED | RESTS, 100, STOP_RESTS},
	{"it rests", RESTS, 19000, STOP_RESTS},
	{"it rests after a reset", RESTS | RESET, 0, STOP_RESTS},
	{"it moves after a reset", RESET, 19500, STOP_VOID_RESET},
	{"it moves when it must have ended", LATE, 19500, STOP_VOID_OTHER},
	{"it moves on where it came from", NOTHING, 19900, STOP_VOID_OTHER},
	{"it moves far beyond its target", NOTHING, 18000, STOP_VOID_OTHER},
	{"just beside its way", NOTHING, 19850, STOP_HALT},
	{"just beyond its target", NOTHING, 18950, STOP_HALT},
	{"beyond its target, as it may", PASSES, 18000, STOP_HALT},
	{"beyond its target, as it may, but on the other side", PASSES, 19900, STOP_VOID_OTHER},
	{"astray from the start", BY_OTHERS, 21000, STOP_HALT},
	{"nobody knows where", NO_POSITION, 0, STOP_HALT},
};

static void each_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int c = rows[i].change;
		struct stopped_motion of = way;
		of.calibrating = (c & CALIBRATED) != 0;
		of.calibration_said = of.calibrating && (c & UNSAID) == 0;
		of.kept_way = (c & (CALIBRATED | BY_OTHERS)) == 0;
		of.passes = (c & PASSES) != 0;
		struct stop_seen seen = on_it;
		seen.same_device = (c & OTHER_DEVICE) == 0;
		seen.calibrating = (c & CALIBRATES) != 0;
		seen.rests = (c & RESTS) != 0;
		seen.reset = (c & RESET) != 0;
		seen.position_known = (c & NO_POSITION) == 0;
		seen.position = rows[i].at;
		seen.now_ms = (c & LATE) != 0 ? 60001 : 1000;
		enum stop_verdict verdict = stop_owed_judge(&of, &seen);
		if (verdict != rows[i].verdict) {
			fail_msg("%s: %s", rows[i].what, stop_owed_outcome(verdict));
		}
		/* The same in the other direction. */
		of.position = -of.position;
		of.target = -of.target;
		seen.position = -seen.position;
		assert_int_equal(stop_owed_judge(&of, &seen), rows[i].verdict);
	}
}

/* Whatever hinders it, people read that it was not sent, when it will be, and what helps now. */
static void the_words(void **state)
{
	(void)state;
	assert_string_equal(stop_owed_words(STOP_CABLE, false),
		"STOP not sent: the cable is out; it is sent when the link is back; cut the power if it moves.");
	for (int why = 0; why < STOP_HINDRANCES; why++) {
		const char *unsent = stop_owed_words((enum stop_hindrance)why, false);
		const char *unsure = stop_owed_words((enum stop_hindrance)why, true);
		assert_int_equal(strncmp(unsent, "STOP not sent: ", 15), 0);
		assert_int_equal(strncmp(unsure, "STOP may not have arrived: ", 27), 0);
		assert_non_null(strstr(unsent, "cut the power if it moves"));
		assert_non_null(strstr(unsure, "cut the power if it moves"));
		assert_null(strstr(stop_needless_words((enum stop_hindrance)why), "it is sent"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row),
		cmocka_unit_test(the_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
