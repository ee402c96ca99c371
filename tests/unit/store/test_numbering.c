/* SPDX-License-Identifier: MIT */
/* Published numbers and the motor's own: the table of numbering.h, case by case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "numbering.h"

#define LIMITS(l, h) .known = true, .low = (l), .high = (h)

/* The limits of a calibrated Celestron are those that its protocol's description shows, 2000..40000. */
static const struct {
	const char *what;
	struct numbering n;
	int32_t motor, published;
} places[] = {
	{"a motor that begins at 0", {LIMITS(0, 65535)}, 7600, 7600},
	{"its highest", {LIMITS(0, 65535)}, 65535, 65535},
	{"reversed, its highest is 0", {LIMITS(0, 65535), .reversed = true}, 65535, 0},
	{"reversed, its lowest", {LIMITS(0, 65535), .reversed = true}, 0, 65535},
	{"the lower limit of a calibration is 0", {LIMITS(2000, 40000), .calibrated = true}, 2000, 0},
	{"the upper limit of a calibration", {LIMITS(2000, 40000), .calibrated = true}, 40000, 38000},
	{"between", {LIMITS(2000, 40000), .calibrated = true}, 20000, 18000},
	{"reversed, the upper limit is 0", {LIMITS(2000, 40000), .reversed = true}, 40000, 0},
	{"reversed, the lower limit", {LIMITS(2000, 40000), .reversed = true}, 2000, 38000},
	{"below the limits", {LIMITS(2000, 40000)}, 1500, -500},
	{"above the limits", {LIMITS(2000, 40000)}, 40010, 38010},
	{"below the limits, reversed", {LIMITS(2000, 40000), .reversed = true}, 1500, 38500},
	{"limits that are not known yet leave it as it is", {.known = false, .low = 2000, .reversed = true}, 1234,
		1234},
	{"a lower limit below 0", {LIMITS(-500, 500)}, -500, 0},
};

static void every_place_has_both_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		const struct numbering *n = &places[i].n;
		if (numbering_published(n, places[i].motor) != places[i].published ||
			numbering_motor(n, places[i].published) != places[i].motor) {
			fail_msg("%s: motor %d is %d, published %d is %d", places[i].what, (int)places[i].motor,
				(int)numbering_published(n, places[i].motor), (int)places[i].published,
				(int)numbering_motor(n, places[i].published));
		}
		/* Half a step on, in the direction in which the motor counts. */
		double half = n->known && n->reversed ? -0.5 : 0.5;
		assert_true(numbering_published_part(n, places[i].motor + 0.5) == places[i].published + half);
		assert_true(numbering_motor_part(n, places[i].published + half) == places[i].motor + 0.5);
	}
	assert_true(isnan(numbering_published_part(&places[4].n, NAN)));
	assert_true(isnan(numbering_motor_part(&places[7].n, NAN)));
}

static void the_range_is_published_from_0_on(void **state)
{
	(void)state;
	const struct numbering n = {LIMITS(2000, 40000)};
	assert_int_equal(numbering_highest(&n), 38000);
	assert_int_equal(numbering_highest(&(struct numbering){LIMITS(0, 65535)}), 65535);
	assert_int_equal(numbering_highest(&(struct numbering){LIMITS(INT32_MIN, INT32_MAX)}), INT32_MAX);
}

static void numbers_that_do_not_fit_are_held(void **state)
{
	(void)state;
	const struct numbering up = {LIMITS(2000, 40000)};
	const struct numbering down = {LIMITS(2000, 40000), .reversed = true};
	assert_int_equal(numbering_published(&up, INT32_MIN), INT32_MIN);
	assert_int_equal(numbering_motor(&up, INT32_MAX), INT32_MAX);
	assert_int_equal(numbering_published(&down, INT32_MIN), INT32_MAX);
	assert_int_equal(numbering_motor(&down, INT32_MIN), INT32_MAX);
	assert_int_equal(numbering_published(&(struct numbering){.known = false}, (int64_t)INT32_MAX + 1), INT32_MAX);
}

static void a_motor_is_sent_within_its_limits_only(void **state)
{
	(void)state;
	const struct numbering n = {LIMITS(2000, 40000)};
	assert_true(numbering_holds(&n, 2000) && numbering_holds(&n, 40000));
	assert_false(numbering_holds(&n, 1999) || numbering_holds(&n, 40001));
	assert_true(numbering_holds(&(struct numbering){.known = false}, -5));
}

static void a_calibration_begins_another_count(void **state)
{
	(void)state;
	const struct numbering unknown = {.known = false};
	const struct numbering plain = {LIMITS(0, 65535)};
	const struct numbering shorter = {LIMITS(0, 30000), .reversed = true};
	const struct numbering first = {LIMITS(2000, 40000), .calibrated = true};
	const struct numbering again = {LIMITS(2000, 40000), .calibrated = true, .reversed = true};
	const struct numbering other = {LIMITS(1500, 40000), .calibrated = true};
	assert_true(numbering_same_count(&plain, &shorter));
	assert_true(numbering_same_count(&first, &again));
	assert_false(numbering_same_count(&first, &other));
	assert_false(numbering_same_count(&plain, &first));
	assert_false(numbering_same_count(&unknown, &plain) || numbering_same_count(&plain, &unknown));
	assert_false(numbering_same_count(&unknown, &unknown));
}

static void equal_numberings_publish_the_same_numbers(void **state)
{
	(void)state;
	const struct numbering a = {LIMITS(2000, 40000)};
	const struct numbering longer = {LIMITS(2000, 41000)};
	const struct numbering lower = {LIMITS(1500, 40000)};
	const struct numbering back = {LIMITS(2000, 40000), .reversed = true};
	const struct numbering back_longer = {LIMITS(2000, 41000), .reversed = true};
	assert_true(numbering_equal(&a, &longer));
	assert_false(numbering_equal(&a, &lower) || numbering_equal(&a, &back));
	assert_false(numbering_equal(&back, &back_longer));
	assert_false(numbering_equal(&a, &(struct numbering){.known = false}));
	assert_true(numbering_equal(&(struct numbering){.known = false}, &(struct numbering){.known = false}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_place_has_both_numbers),
		cmocka_unit_test(the_range_is_published_from_0_on),
		cmocka_unit_test(numbers_that_do_not_fit_are_held),
		cmocka_unit_test(a_motor_is_sent_within_its_limits_only),
		cmocka_unit_test(a_calibration_begins_another_count),
		cmocka_unit_test(equal_numberings_publish_the_same_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
