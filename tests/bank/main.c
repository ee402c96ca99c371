/* SPDX-License-Identifier: MIT */
/* The bank as a command: every figure, by cell and pooled, with the numbers of the worst runs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bank.h"

static const char usage[] =
	"usage: bank [--plan NAME] [--cell NAME] [--runs N] [--first N] [--trace] [--reasons]\n"
	"Runs plans against drawn skies and prints, for each cell:\n"
	"  ok, fail, wrong   successes, honest failures, successes beyond half a zone (or where none was possible)\n"
	"  e50 e95 max       error of the successes, in zones\n"
	"  exposures         median, 90 %, most\n"
	"  holds             share of intervals that hold the best position\n"
	"  seeds             run with the largest error / first failure / first wrong success\n"
	"--trace with --cell, --first and --runs 1 shows every frame; --reasons what failed runs say.\n";

struct options {
	const char *plan, *cell;
	int runs, first;
	bool trace, reasons;
};

static bool parse(int argc, char **argv, struct options *o)
{
	*o = (struct options){.runs = 100};
	for (int i = 1; i < argc; i++) {
		bool more = i + 1 < argc;
		if (strcmp(argv[i], "--plan") == 0 && more) {
			o->plan = argv[++i];
		} else if (strcmp(argv[i], "--cell") == 0 && more) {
			o->cell = argv[++i];
		} else if (strcmp(argv[i], "--runs") == 0 && more) {
			o->runs = (int)strtol(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--first") == 0 && more) {
			o->first = (int)strtol(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--trace") == 0) {
			o->trace = true;
		} else if (strcmp(argv[i], "--reasons") == 0) {
			o->reasons = true;
		} else {
			return false;
		}
	}
	return o->runs > 0 && o->first >= 0;
}

static void print_seed(const char *before, int run)
{
	if (run >= 0) {
		printf("%s%d", before, run);
	} else {
		printf("%s-", before);
	}
}

static void print_figures(const char *name, struct bank_figures *f, bool seeds)
{
	size_t runs = (size_t)f->runs;
	printf("%-21s %5d %5d %4d %5d  %6.3f %6.3f %6.3f  %3.0f %3.0f %3.0f  %5.1f", name, f->runs, f->succeeded,
		f->failed, f->wrong, bank_quantile(f->errors, f->error_count, 0.5),
		bank_quantile(f->errors, f->error_count, 0.95), bank_quantile(f->errors, f->error_count, 1),
		bank_quantile(f->exposures, runs, 0.5), bank_quantile(f->exposures, runs, 0.9),
		bank_quantile(f->exposures, runs, 1), 100.0 * f->covered / fmax(1, (double)f->error_count));
	if (seeds) {
		print_seed("  ", f->worst_run);
		print_seed("/", f->failed_run);
		print_seed("/", f->wrong_run);
	}
	printf("%s\n", f->broke_rules > 0 ? "  BROKE RULES" : "");
	fflush(stdout);
}

static void run_cell(const struct bank_plan *plan, const struct bank_cell *cell, const struct options *o,
	struct bank_figures *f)
{
	for (int run = o->first; run < o->first + o->runs; run++) {
		struct bank_truth truth;
		struct bank_outcome outcome;
		bank_draw(cell, run, &truth);
		bank_run(plan, &truth, o->trace ? stdout : NULL, &outcome);
		bank_figures_add(f, &truth, &outcome, run);
		if (o->trace || (o->reasons && outcome.end != AF_WANT_SUCCESS)) {
			printf("%s %d: %s after %d, error %.3f +- %.3f Z (Z = %.0f steps) %s\n", cell->name, run,
				outcome.end == AF_WANT_SUCCESS ? "success" : "failure", outcome.exposures,
				outcome.error, outcome.width, truth.zone, outcome.reason);
		}
	}
}

static void run_plan(const struct bank_plan *plan, const struct options *o)
{
	enum { GOOD, NASTY, ALL, POOLS };
	static const char *const names[POOLS] = {"usual nights", "nasty", "all"};
	struct bank_figures pools[POOLS];
	size_t room = (size_t)o->runs * bank_cell_count;
	for (int p = 0; p < POOLS; p++) {
		bank_figures_init(&pools[p], room);
	}
	printf("plan %s\n%-21s %5s %5s %4s %5s  %6s %6s %6s  %s  %5s  %s\n", plan->name, "cell", "runs", "ok", "fail",
		"wrong", "e50", "e95", "max", "exposures  ", "holds", "seeds");
	clock_t start = clock();
	double possible_failed = 0, frames = 0;
	for (size_t i = 0; i < bank_cell_count; i++) {
		const struct bank_cell *cell = &bank_cells[i];
		if (o->cell != NULL && strcmp(o->cell, cell->name) != 0) {
			continue;
		}
		struct bank_figures f;
		bank_figures_init(&f, (size_t)o->runs);
		run_cell(plan, cell, o, &f);
		print_figures(cell->name, &f, true);
		bank_figures_join(&pools[cell->nasty ? NASTY : GOOD], &f);
		bank_figures_join(&pools[ALL], &f);
		possible_failed += cell->impossible ? 0 : f.failed;
		bank_figures_free(&f);
	}
	double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
	for (int p = 0; p < POOLS && o->cell == NULL; p++) {
		print_figures(names[p], &pools[p], false);
	}
	for (int i = 0; i < pools[ALL].runs; i++) {
		frames += pools[ALL].exposures[i];
	}
	int possible = pools[ALL].runs - pools[ALL].impossible;
	printf("failed where success was possible: %.1f %%; wrong successes: %d of %d runs\n",
		100 * possible_failed / fmax(1, possible), pools[ALL].wrong, pools[ALL].runs);
	printf("%.0f runs a minute and core; %.2f ms a decision\n", pools[ALL].runs / fmax(1e-9, seconds) * 60,
		1000 * seconds / fmax(1, frames));
	for (int p = 0; p < POOLS; p++) {
		bank_figures_free(&pools[p]);
	}
}

int main(int argc, char **argv)
{
	struct options o;
	if (!parse(argc, argv, &o)) {
		fputs(usage, stderr);
		return 2;
	}
	bool found = false;
	for (size_t i = 0; i < bank_plan_count; i++) {
		if (o.plan == NULL || strcmp(o.plan, bank_plans[i].name) == 0) {
			run_plan(&bank_plans[i], &o);
			found = true;
		}
	}
	if (!found) {
		fprintf(stderr, "bank: there is no plan named %s\n", o.plan);
		return 2;
	}
	return 0;
}
