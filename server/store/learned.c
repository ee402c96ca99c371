/* SPDX-License-Identifier: MIT */
#include "learned.h"

#include <math.h>

static struct learned_fact *find(struct learned *learned, int focuser, int camera, int binning)
{
	for (int i = 0; i < LEARNED_MAX; i++) {
		struct learned_fact *fact = &learned->fact[i];
		if (fact->known && fact->focuser == focuser && fact->camera == camera && fact->binning == binning) {
			return fact;
		}
	}
	return NULL;
}

void learned_put(struct learned *learned, int focuser, int camera, int binning, const struct store_history *history)
{
	struct learned_fact *fact = find(learned, focuser, camera, binning);
	for (int i = 0; fact == NULL && i < LEARNED_MAX; i++) {
		if (!learned->fact[i].known) {
			fact = &learned->fact[i];
		}
	}
	if (fact == NULL) {
		fact = &learned->fact[0];
		for (int i = 1; i < LEARNED_MAX; i++) {
			fact = learned->fact[i].used < fact->used ? &learned->fact[i] : fact;
		}
	}
	*fact = (struct learned_fact){.known = true, .focuser = focuser, .camera = camera, .binning = binning,
		.used = ++learned->uses, .history = *history};
}

void learned_from_run(struct learned *learned, const struct run *run)
{
	if (run->state != RUN_SUCCEEDED || !isfinite(run->curve.a) || !isfinite(run->curve.k)) {
		return;
	}
	/* Only the sizes of a and k have a meaning, not their signs; y0 may be unknown. runs_db_history() calculates
	 * the same. */
	struct run own = *run;
	own.points = NULL;
	own.point_count = 0;
	run_to_motor(&own);
	/* A run whose stars taught no field does not make an earlier one wrong. */
	const struct learned_fact *before = find(learned, run->focuser, run->camera, run->binning);
	struct store_history history = {
		.field = !own.field.known && before != NULL ? before->history.field : own.field,
		.slope_px_per_step = fabs(run->curve.k),
		.hfr_min_px = fabs(run->curve.a) + (isfinite(run->curve.y0) ? run->curve.y0 : 0),
	};
	learned_put(learned, run->focuser, run->camera, run->binning, &history);
}

bool learned_get(struct learned *learned, int focuser, int camera, int binning, struct store_history *out)
{
	struct learned_fact *fact = find(learned, focuser, camera, binning);
	if (fact == NULL) {
		return false;
	}
	fact->used = ++learned->uses;
	*out = fact->history;
	return true;
}
