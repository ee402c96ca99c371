/* SPDX-License-Identifier: MIT */
#include "bank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void bank_figures_init(struct bank_figures *f, size_t room)
{
	*f = (struct bank_figures){.worst_error = -1, .worst_run = -1, .failed_run = -1, .wrong_run = -1};
	f->errors = calloc(room + 1, sizeof f->errors[0]);
	f->exposures = calloc(room + 1, sizeof f->exposures[0]);
	if (f->errors == NULL || f->exposures == NULL) {
		abort();
	}
}

void bank_figures_add(struct bank_figures *f, const struct bank_truth *truth, const struct bank_outcome *o, int run)
{
	bool impossible = truth->cell->impossible;
	f->exposures[f->runs++] = o->exposures;
	f->broke_rules += o->broke_rules;
	f->impossible += impossible;
	if (o->end != AF_WANT_SUCCESS) {
		f->failed++;
		f->failed_run = f->failed_run < 0 ? run : f->failed_run;
		return;
	}
	f->succeeded++;
	if (impossible || o->error > BANK_WRONG) {
		f->wrong++;
		f->wrong_run = f->wrong_run < 0 ? run : f->wrong_run;
	}
	if (impossible) {
		return;
	}
	f->covered += o->covered;
	f->errors[f->error_count++] = o->error;
	if (o->error > f->worst_error) {
		f->worst_error = o->error;
		f->worst_run = run;
	}
}

void bank_figures_join(struct bank_figures *all, const struct bank_figures *part)
{
	memcpy(all->errors + all->error_count, part->errors, part->error_count * sizeof part->errors[0]);
	memcpy(all->exposures + all->runs, part->exposures, (size_t)part->runs * sizeof part->exposures[0]);
	all->error_count += part->error_count;
	all->runs += part->runs;
	all->succeeded += part->succeeded;
	all->failed += part->failed;
	all->wrong += part->wrong;
	all->impossible += part->impossible;
	all->covered += part->covered;
	all->broke_rules += part->broke_rules;
	all->worst_error = fmax(all->worst_error, part->worst_error);
}

void bank_figures_free(struct bank_figures *f)
{
	free(f->errors);
	free(f->exposures);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double bank_quantile(double *values, size_t n, double share)
{
	if (n == 0) {
		return NAN;
	}
	qsort(values, n, sizeof values[0], compare);
	size_t i = (size_t)(share * (double)n);
	return values[i < n ? i : n - 1];
}
