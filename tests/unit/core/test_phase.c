/* SPDX-License-Identifier: MIT */
/* The phases of a move: every pair of them against the steps that docs/move.md lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "focuser_private.h"

/* From docs/move.md, "Phases": each lawful change of phase. */
static const struct {
	enum move_phase from, to;
} lawful[] = {
	{MOVE_NONE, MOVE_ACCEPTED},       /* a client's move */
	{MOVE_NONE, MOVE_CALIBRATING},    /* a client's calibration, or one found running */
	{MOVE_ACCEPTED, MOVE_STOPPING},   /* the motor runs: the way can only be planned from rest */
	{MOVE_ACCEPTED, MOVE_LEG},        /* the motor was sent */
	{MOVE_ACCEPTED, MOVE_HALTING},    /* a client's halt */
	{MOVE_ACCEPTED, MOVE_NONE},       /* it is there already */
	{MOVE_STOPPING, MOVE_ACCEPTED},   /* it rests */
	{MOVE_STOPPING, MOVE_HALTING},    /* a client's halt */
	{MOVE_STOPPING, MOVE_NONE},       /* it does not stop */
	{MOVE_LEG, MOVE_ACCEPTED},        /* another target */
	{MOVE_LEG, MOVE_SETTLE},          /* it has arrived */
	{MOVE_LEG, MOVE_HALTING},         /* a client's halt */
	{MOVE_LEG, MOVE_NONE},            /* it failed */
	{MOVE_SETTLE, MOVE_ACCEPTED},     /* another target */
	{MOVE_SETTLE, MOVE_LEG},          /* it went on after all */
	{MOVE_SETTLE, MOVE_HALTING},      /* a client's halt */
	{MOVE_SETTLE, MOVE_NONE},         /* the end */
	{MOVE_HALTING, MOVE_ACCEPTED},    /* a client's move before it rests */
	{MOVE_HALTING, MOVE_NONE},        /* it rests */
	{MOVE_CALIBRATING, MOVE_HALTING}, /* over, but the motor runs on */
	{MOVE_CALIBRATING, MOVE_NONE},    /* over */
};

static bool listed(enum move_phase from, enum move_phase to)
{
	for (size_t i = 0; i < sizeof lawful / sizeof lawful[0]; i++) {
		if (lawful[i].from == from && lawful[i].to == to) {
			return true;
		}
	}
	return false;
}

static int bugs;

static void count_bug(enum move_phase from, enum move_phase to)
{
	(void)from;
	(void)to;
	bugs++;
}

static void every_pair_of_phases_is_as_listed(void **state)
{
	(void)state;
	for (int from = 0; from < MOVE_PHASES; from++) {
		for (int to = 0; to < MOVE_PHASES; to++) {
			bool expected = from == to || listed((enum move_phase)from, (enum move_phase)to);
			if (focuser_phase_lawful((enum move_phase)from, (enum move_phase)to) != expected) {
				fail_msg("%s -> %s is %s", focuser_phase_name((enum move_phase)from),
					focuser_phase_name((enum move_phase)to),
					expected ? "refused" : "let through");
			}
		}
	}
}

static void an_unlawful_step_is_told_and_taken(void **state)
{
	(void)state;
	struct device *dev = calloc(1, sizeof *dev);
	struct focuser_core *core = calloc(1, sizeof *core);
	assert_non_null(dev);
	assert_non_null(core);
	snprintf(dev->info.source, sizeof dev->info.source, "focuser.0");
	dev->core = core;
	focuser_phase_bug = count_bug;
	log_set_level(LOG_ERROR);
	focuser_set_phase(dev, MOVE_ACCEPTED);
	focuser_set_phase(dev, MOVE_LEG);
	assert_true(core->ours);
	focuser_set_phase(dev, MOVE_NONE);
	assert_false(core->ours);
	assert_int_equal(bugs, 0);
	focuser_set_phase(dev, MOVE_SETTLE);
	assert_int_equal(bugs, 1);
	assert_int_equal(core->phase, MOVE_SETTLE);
	free(core);
	free(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair_of_phases_is_as_listed),
		cmocka_unit_test(an_unlawful_step_is_told_and_taken),
	};
	return cmocka_run_group_tests_name("phase", tests, NULL, NULL);
}
