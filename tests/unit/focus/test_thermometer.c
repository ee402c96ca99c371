/* SPDX-License-Identifier: MIT */
/* Readings as probes give them: -127 and 85 from the DS18B20's data sheet and the usual libraries, jumps as
 * a lost digit makes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "thermometer.h"

#define NONE NAN /* nothing is known */

static const struct {
	const char *what;
	double said[8];     /* every 5 s */
	double known[8];    /* after each */
	int count;
} nights[] = {
	{"quiet", {10, 10.5, 10, 9.5}, {10, 10.5, 10, 9.5}, 4},
	{"no probe", {-127, -127, -127, -127}, {NONE, NONE, NONE, NONE}, 4},
	{"no probe, other library", {-128, -128, -128}, {NONE, NONE, NONE}, 3},
	{"just got power", {85, 85, 12, 12.5}, {NONE, NONE, 12, 12.5}, 4},
	{"a contact shakes", {10, -127, 10, 85, 10.5}, {10, 10, 10, 10, 10.5}, 5},
	{"the wire comes off", {10, -127, -127, -127, -127, 8}, {10, 10, 10, NONE, NONE, 8}, 6},
	{"no number", {10, NAN, INFINITY, -INFINITY, 10}, {10, 10, 10, NONE, 10}, 5},
	{"one lost digit", {10, 10, 10, 1, 10}, {10, 10, 10, 10, 10}, 5},
	{"a real step", {10, 10, 10, 18, 18.5, 18.5, 18}, {10, 10, 10, 10, 10, 18.5, 18}, 7},
	{"wild", {10, 10, 10, 20, 30, 20, 30, 10}, {10, 10, 10, 10, 10, 10, 10, 10}, 8},
	{"the first was wrong", {1, 10, 10, 10.5}, {1, NONE, 10, 10.5}, 4},
	{"the second was wrong", {10, 1, 10, 10.5, 10}, {10, NONE, NONE, 10.5, 10}, 5},
	{"the limits", {-55, 60, 60, 60}, {-55, NONE, 60, 60}, 4},
	{"beyond the limits", {-55.5, 60.5, 85.5}, {NONE, NONE, NONE}, 3},
	{"slow but far", {10, 14, 18, 22, 26}, {10, 14, 18, 22, 26}, 5},
};

static void what_is_believed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof nights / sizeof nights[0]; i++) {
		struct thermometer t = {0};
		for (int j = 0; j < nights[i].count; j++) {
			thermometer_take(&t, nights[i].said[j], 1000 + j * INT64_C(5000));
			double known = nights[i].known[j];
			if (t.known == isnan(known) || (t.known && t.celsius != known)) {
				fail_msg("%s, reading %d: %s %g", nights[i].what, j,
					t.known ? "known" : "not known", t.celsius);
			}
		}
	}
}

/* Eleven degrees in ten minutes are a jump for nobody. */
static void time_passes(void **state)
{
	(void)state;
	struct thermometer t = {0};
	thermometer_take(&t, 10, 0);
	thermometer_take(&t, 10, 5000);
	assert_int_equal(thermometer_take(&t, 21, 10000), THERMOMETER_DOUBTED);
	assert_int_equal(thermometer_take(&t, -127, 15000), THERMOMETER_BROKEN);
	assert_int_equal(thermometer_take(&t, 21, 605000), THERMOMETER_BELIEVED);
	assert_true(t.celsius == 21);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_believed),
		cmocka_unit_test(time_passes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
