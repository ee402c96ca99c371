/* SPDX-License-Identifier: MIT */
/* Which rows of readings are a motor that goes astray, and after how many steps; and which are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "astray.h"

/* The margin of a slow motor with the usual tolerance of 2: astray.h. */
#define MARGIN (ASTRAY_MARGIN_STEPS + 2)
#define LAST INT32_MIN

/* Readings come every 200 ms, as those of a moving motor do. */
#define EVERY_MS 200

struct row {
	const char *what;
	struct astray_way way;
	int32_t reading[24];      /* ended by LAST */
	enum astray_word expected; /* ASTRAY_RECEDES or PASSES at the last reading and not before, or ASTRAY_NO:
	                            * neither at any */
};

#define WAY(from_, target_, ...) {.from = (from_), .target = (target_), .tolerance = 2, __VA_ARGS__}

static const struct row rows[] = {
	{"a motor on its way", WAY(0, 1000), {0, 200, 400, 600, 800, 1000, 1000, LAST}, ASTRAY_NO},
	{"one that starts late", WAY(5000, 9000), {5000, 5000, 5000, 5000, 5100, 5300, LAST}, ASTRAY_NO},
	{"reversed wiring", WAY(5000, 9000), {4980, 4948, 4947, LAST}, ASTRAY_RECEDES},
	{"reversed wiring, inward", WAY(5000, 1000), {5020, 5052, 5053, LAST}, ASTRAY_RECEDES},
	{"reversed wiring, fast", WAY(5000, 9000), {4800, 4600, LAST}, ASTRAY_RECEDES},
	{"no further than the margin", WAY(5000, 9000), {4990, 4970, 5000 - MARGIN, 5000 - MARGIN, LAST}, ASTRAY_NO},
	{"a lost digit: 3010 for 30100", WAY(30000, 30100), {29990, 29900, LAST}, ASTRAY_RECEDES},
	{"a doubled digit: 51000 for 5100", WAY(5000, 5100), {5050, 5130, 5153, LAST}, ASTRAY_PASSES},
	{"one that runs past slowly", WAY(5000, 5100), {5095, 5110, 5130, 5152, 5153, LAST}, ASTRAY_PASSES},
	{"one that overshoots while it slows down", WAY(5000, 5100),
		{5050, 5090, 5110, 5130, 5140, 5130, 5110, 5100, LAST}, ASTRAY_NO},
	{"one number of a bad line, ahead", WAY(0, 9000), {200, 8000, 400, 600, 800, LAST}, ASTRAY_NO},
	{"one number of a bad line, just after the start", WAY(0, 9000), {7000, 10, 20, 30, LAST}, ASTRAY_NO},
	{"one number of a bad line, ahead, and then slow readings", WAY(0, 9000), {200, 8000, 201, 201, 201, 202, LAST},
		ASTRAY_NO},
	{"astray after a number of a bad line", WAY(0, 9000), {200, 8000, 400, 380, LAST}, ASTRAY_RECEDES},
	{"a device that takes up 100 steps past its target", WAY(9000, 5000, .own_backlash = 100),
		{7000, 5000, 4950, 4901, 4900, 4950, 5000, LAST}, ASTRAY_NO},
	{"that device running past", WAY(9000, 5000, .own_backlash = 100), {5000, 4900, 4848, 4847, LAST},
		ASTRAY_PASSES},
	{"a device that does not tell how far it goes past", WAY(9000, 5000, .backlash_untold = true),
		{7000, 5000, 4500, 4000, 4100, 4500, 5000, LAST}, ASTRAY_NO},
	{"that device going the other way", WAY(9000, 5000, .backlash_untold = true), {9030, 9053, LAST},
		ASTRAY_RECEDES},
	{"that device swinging about its target", WAY(9000, 5000, .backlash_untold = true),
		{5001, 4600, 5300, 5200, 5300, 5400, 5000, LAST}, ASTRAY_NO},
	{"a slow final approach", WAY(0, 1000), {700, 900, 950, 960, 970, 980, 990, 995, 1000, LAST}, ASTRAY_NO},
	{"a running motor that has to turn", WAY(5000, 1000, .running = true),
		{5200, 5350, 5400, 5350, 5100, 4800, LAST}, ASTRAY_NO},
	{"a running motor with a target just ahead", WAY(5000, 5010, .running = true),
		{5100, 5250, 5300, 5290, 5100, 5010, LAST}, ASTRAY_NO},
	/* The readings are 200 ms apart, so 1500 ms are eight of them. */
	{"a running motor that never turns", WAY(5000, 1000, .running = true),
		{5100, 5200, 5300, 5400, 5500, 5600, 5700, 5800, 5830, 5853, LAST}, ASTRAY_RECEDES},
	{"a running motor that turns and turns again", WAY(5000, 1000, .running = true),
		{5200, 5250, 5240, 5000, 4900, 5020, 5030, LAST}, ASTRAY_RECEDES},
};

static void play(const struct row *row)
{
	struct astray a;
	astray_begin(&a, &row->way);
	int64_t now = 0;
	for (int i = 0; row->reading[i] != LAST; i++) {
		now += EVERY_MS;
		enum astray_word word = astray_take(&a, row->reading[i], 0, now);
		word = word == ASTRAY_MAYBE ? ASTRAY_NO : word;
		enum astray_word expected = row->reading[i + 1] == LAST ? row->expected : ASTRAY_NO;
		if (word != expected) {
			fail_msg("%s: at reading %d, %d", row->what, i, (int)row->reading[i]);
		}
	}
}

static void rows_of_readings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		play(&rows[i]);
	}
}

/* 1000 steps/s stop within 100 ms after half of 100 steps; a speed that a bad number made adds no more than the
 * most. */
static void a_fast_motor_is_given_its_ramp(void **state)
{
	(void)state;
	const struct {
		double speed;
		int64_t margin;
	} fast[] = {{0, 52}, {1, 102}, {1000, 202}};
	for (size_t i = 0; i < sizeof fast / sizeof fast[0]; i++) {
		struct astray a;
		astray_begin(&a, &(struct astray_way){.from = 0, .target = 1000, .tolerance = 2});
		astray_take(&a, 1001, fast[i].speed, EVERY_MS);
		int32_t edge = (int32_t)(1000 + fast[i].margin);
		assert_int_equal(astray_take(&a, edge, fast[i].speed, EVERY_MS), ASTRAY_MAYBE);
		assert_int_equal(astray_take(&a, edge + 1, 0, EVERY_MS), ASTRAY_PASSES);
		assert_int_equal(astray_steps(&a), fast[i].margin + 1);
	}
}

/* Whatever it was sent to, a motor that leads away at a steady pace is told after the margin and two readings. */
static void nothing_runs_further_than_the_margin_and_two_readings(void **state)
{
	(void)state;
	for (int32_t step = 1; step <= 2000; step += 7) {
		struct astray a;
		astray_begin(&a, &(struct astray_way){.from = 0, .target = 1000000, .tolerance = 2});
		int32_t x = 0;
		enum astray_word word;
		do {
			x -= step;
			word = astray_take(&a, x, 0, EVERY_MS);
		} while (word != ASTRAY_RECEDES && x > -100000);
		assert_int_equal(word, ASTRAY_RECEDES);
		assert_true(-x <= MARGIN + 2 * step);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_of_readings),
		cmocka_unit_test(a_fast_motor_is_given_its_ramp),
		cmocka_unit_test(nothing_runs_further_than_the_margin_and_two_readings),
	};
	return cmocka_run_group_tests_name("astray rules", tests, NULL, NULL);
}
