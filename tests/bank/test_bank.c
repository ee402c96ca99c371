/* SPDX-License-Identifier: MIT */
/*
 * Every plan on the bank's skies: the figures that it has to keep, in a few runs of each cell, or in many of them when
 * the first argument is their number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bank.h"
#include "seeing.h"

/* Runs of each cell. */
static int runs = 4;

/* HFR over FWHM of Kolmogorov seeing by another program: numerical convolution with the annulus. */
static void sky_is_the_exact_curve(void **state)
{
	(void)state;
	static const double table[][3] = {{0, 0.5683, 0.5683}, {0.5, 0.5910, 0.5937}, {1, 0.6559, 0.6664},
		{1.5, 0.7545, 0.7766}, {2, 0.8769, 0.9123}, {3, 1.1648, 1.2252}, {4, 1.4836, 1.5655},
		{5, 1.8177, 1.9192}, {6, 2.1598, 2.2804}, {8, 2.8553, 3.0142}, {10, 3.5569, 3.7548}};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		assert_true(fabs(seeing_g(table[i][0], 0) / table[i][1] - 1) < 2e-3);
		assert_true(fabs(seeing_g(-table[i][0], 0.34) / table[i][2] - 1) < 2e-3);
	}
	/* Far out the bare annulus rules: its half-flux radius is sqrt((1 + eps^2)/2) of half the diameter. */
	assert_true(fabs(seeing_g(200, 0.34) - 74.69) < 0.05);
}

/* What a cell's runs have to keep; a share is of the cell's runs. */
struct promise {
	const char *cell;
	double e95;    /* error of the successes, zones */
	double failed; /* share of honest failures */
	double wrong;  /* share of wrong successes */
	double median; /* exposures */
};
static const struct promise promises[] = {
	{"optics", 0.06, 0.02, 0, 14}, {"blind", 0.06, 0.02, 0, 17}, {"calibrated", 0.06, 0.02, 0, 14},
	{"calibrated-scatter-2", 0.05, 0.02, 0, 13}, {"scatter-2", 0.05, 0.02, 0, 13}, {"f2", 0.06, 0.02, 0, 14},
	{"f10", 0.06, 0.02, 0, 14}, {"refractor", 0.06, 0.02, 0, 14}, {"poor-seeing", 0.08, 0.02, 0, 14},
	{"many-stars", 0.06, 0.02, 0, 14}, {"far", 0.1, 0.02, 0, 20}, {"backlash-configured", 0.06, 0.02, 0, 19},
	{"cloud-once", 0.06, 0.02, 0, 15}, {"gust", 0.1, 0.05, 0, 19}, {"slope-double", 0.08, 0.02, 0, 18},
	{"slope-half", 0.06, 0.02, 0, 20}, {"stuck", 0, 1, 0, 60}, {"dark", 0, 1, 0, 10}, {"noise", 0, 1, 0, 60},
	{"limit-before", 0, 1, 0, 20}, {"radius", 0, 1, 0, 20},
	/* What moves the curve between the sweep and the end is seen at its arms. */
	{"backlash-1", 0.06, 0.02, 0, 20}, {"backlash-5", 0.15, 0.05, 0, 20}, {"backlash-8", 0.3, 0.25, 0, 27},
	{"slip-0.05", 0.35, 0, 0, 22}, {"slip-0.2", 0.5, 1, 0.02, 40}, {"slip-0.5", 0.5, 1, 0.02, 50},
	{"drift", 0.25, 0, 0, 18}, {"slip-once", 0.4, 0.35, 0.04, 30},
	/* A doubtful frame at the end is one more sample. */
	{"scatter-15", 0.12, 0.05, 0, 20}, {"gusts", 0.25, 0.2, 0.02, 22},
	/* Two slopes where the samples demand them. */
	{"uneven-1.15", 0.3, 0, 0, 18}, {"uneven-1.3", 0.55, 0.02, 0.25, 20}, {"uneven-1.8", 1.1, 0.25, 0.25, 22},
	/* A measured slope counts against what the optics say. */
	{"step-size-10", 0.08, 0.03, 0, 45}, {"step-size-tenth", 0.06, 0.02, 0, 18},
	/* Light is compared among frames of like blur, and what does not come and go is no cloud. */
	{"cloud-passes", 0.06, 0.02, 0, 17}, {"bright-first", 0.06, 0.02, 0, 16}, {"clipped", 0.08, 0.02, 0, 18},
	{"confused", 0.1, 0.02, 0, 22},
};

static const struct bank_cell *cell_named(const char *name)
{
	for (size_t i = 0; i < bank_cell_count; i++) {
		if (strcmp(bank_cells[i].name, name) == 0) {
			return &bank_cells[i];
		}
	}
	fail_msg("there is no cell %s", name);
	return NULL;
}

static void run_cell(const struct bank_plan *plan, const struct bank_cell *cell, struct bank_figures *f)
{
	bank_figures_init(f, (size_t)runs);
	for (int run = 0; run < runs; run++) {
		struct bank_truth truth;
		struct bank_outcome outcome;
		bank_draw(cell, run, &truth);
		bank_run(plan, &truth, NULL, &outcome);
		bank_figures_add(f, &truth, &outcome, run);
		if (outcome.end == AF_WANT_FAILURE) {
			assert_true(outcome.code != ERR_OK && strlen(outcome.reason) > 20);
		}
	}
}

static void promises_are_kept(void **state)
{
	(void)state;
	int broken = 0;
	for (size_t i = 0; i < bank_plan_count * (sizeof promises / sizeof promises[0]); i++) {
		const struct bank_plan *plan = &bank_plans[i % bank_plan_count];
		const struct promise *p = &promises[i / bank_plan_count];
		struct bank_figures f;
		run_cell(plan, cell_named(p->cell), &f);
		double e95 = f.error_count > 0 ? bank_quantile(f.errors, f.error_count, 0.95) : 0;
		double median = bank_quantile(f.exposures, (size_t)runs, 0.5);
		bool kept = e95 <= p->e95 && f.failed <= p->failed * runs && f.wrong <= p->wrong * runs &&
			median <= p->median && f.broke_rules == 0;
		if (!kept) {
			print_message("plan %s, %s: e95 %.3f, %d failed (%d), %d wrong (%d), %.0f exposures, "
				"%d broke rules\n", plan->name, p->cell, e95, f.failed, f.failed_run, f.wrong,
				f.wrong_run, median, f.broke_rules);
		}
		broken += !kept;
		bank_figures_free(&f);
	}
	assert_int_equal(broken, 0);
}

static bool is_promised(const char *cell)
{
	for (size_t i = 0; i < sizeof promises / sizeof promises[0]; i++) {
		if (strcmp(promises[i].cell, cell) == 0) {
			return true;
		}
	}
	return false;
}

/* Whatever sky and mechanics do in the other cells: no wish leaves the range, and every run ends. */
static void rules_are_kept_everywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < bank_plan_count * bank_cell_count; i++) {
		const struct bank_cell *cell = &bank_cells[i / bank_plan_count];
		if (is_promised(cell->name)) {
			continue;
		}
		struct bank_figures f;
		run_cell(&bank_plans[i % bank_plan_count], cell, &f);
		assert_int_equal(f.broke_rules, 0);
		bank_figures_free(&f);
	}
}

int main(int argc, char **argv)
{
	runs = argc > 1 ? (int)strtol(argv[1], NULL, 10) : runs;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sky_is_the_exact_curve),
		cmocka_unit_test(promises_are_kept),
		cmocka_unit_test(rules_are_kept_everywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
