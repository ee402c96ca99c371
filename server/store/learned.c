/* SPDX-License-Identifier: MIT */
#include "learned.h"

#include <math.h>
#include <string.h>

#include "clock.h"
#include "json.h"

/* Changes from run to run before several runs have shown them, 1 sigma.  The slope is of the instrument: with 5 % two
 * arms predict the best position well enough.  The least size follows the seeing.  Estimates. */
#define SLOPE_CHANGE 0.05
#define SIZE_CHANGE 0.15
#define ASYMMETRY_CHANGE 0.05
/* The estimates above count like so many runs.  Choice. */
#define CHANGE_WEIGHT 2
/* A run whose slope differs by such a factor from the newest one was made with other optics, whatever the settings say:
 * it and all before it teach nothing.  Reducers and extenders begin at 0.8 and 1.4. */
#define SAME_OPTICS 1.2

static bool same_number(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

/* Whether the run is made with the instrument of this fact, whatever the filter. */
static bool same_instrument(const struct learned_fact *fact, const struct run *run)
{
	return fact->count > 0 && fact->focuser == run->focuser && fact->camera == run->camera &&
	       fact->binning == run->binning && same_number(fact->focal_length_mm, run->focal_length_mm) &&
	       same_number(fact->aperture_mm, run->aperture_mm) &&
	       strcmp(fact->focuser_name, run->focuser_name) == 0 && strcmp(fact->camera_name, run->camera_name) == 0;
}

static struct learned_fact *fact_for(struct learned *learned, const struct run *run)
{
	struct learned_fact *oldest = &learned->fact[0];
	for (int i = 0; i < LEARNED_FACTS; i++) {
		struct learned_fact *fact = &learned->fact[i];
		if (same_instrument(fact, run) && strcmp(fact->filter, run->filter) == 0) {
			return fact;
		}
		uint64_t newest = fact->count > 0 ? fact->lesson[0].run : 0;
		oldest = newest < (oldest->count > 0 ? oldest->lesson[0].run : 0) ? fact : oldest;
	}
	*oldest = (struct learned_fact){.focuser = run->focuser, .camera = run->camera, .binning = run->binning,
		.focal_length_mm = run->focal_length_mm, .aperture_mm = run->aperture_mm};
	memcpy(oldest->focuser_name, run->focuser_name, sizeof oldest->focuser_name);
	memcpy(oldest->camera_name, run->camera_name, sizeof oldest->camera_name);
	memcpy(oldest->filter, run->filter, sizeof oldest->filter);
	return oldest;
}

void learned_add(struct learned *learned, const struct run *run)
{
	struct lesson lesson = {.run = run->id, .utc_ms = run->started_utc_ms, .taught = run->taught,
		.numbering = run->numbering, .best_position = run->best_position, .temperature_c = run->temperature_c};
	if (!isfinite(lesson.taught.slope_px_per_step)) {
		/* What was kept before runs told what they taught: only the sizes of a and k have a meaning, not their
		 * signs; y0 may be unknown. */
		lesson.taught.slope_px_per_step = fabs(run->curve.k);
		lesson.taught.hfr_min_px = fabs(run->curve.a) + (isfinite(run->curve.y0) ? run->curve.y0 : 0);
	}
	if (run->state != RUN_SUCCEEDED || !(lesson.taught.slope_px_per_step > 0)) {
		return;
	}
	struct learned_fact *fact = fact_for(learned, run);
	int at = 0;
	while (at < fact->count && fact->lesson[at].run > run->id) {
		at++;
	}
	if (at == LEARNED_LESSONS) {
		return;
	}
	if (at == fact->count || fact->lesson[at].run != run->id) {
		int moved = fact->count - at - (fact->count == LEARNED_LESSONS);
		memmove(&fact->lesson[at + 1], &fact->lesson[at], (size_t)moved * sizeof lesson);
		fact->count += fact->count < LEARNED_LESSONS;
	}
	fact->lesson[at] = lesson;
	if (run->field.known && run->id >= fact->field_run) {
		/* A run whose stars taught no field does not make an earlier one wrong. */
		fact->field = run->field;
		fact->field_run = run->id;
		fact->field_numbering = run->numbering;
	}
}

/* What the lessons say of one quantity. */
struct fold {
	int n;
	double sum, squares, variances;
};

static void add(struct fold *fold, double value, double sigma)
{
	if (isfinite(value)) {
		fold->n++;
		fold->sum += value;
		fold->squares += value * value;
		fold->variances += isfinite(sigma) ? sigma * sigma : 0;
	}
}

/* The mean, and 1 sigma of the next run's value: the scatter of the runs, of which `change` is the estimate beforehand,
 * and their own errors. */
static double folded(const struct fold *fold, double change, double *sigma)
{
	if (fold->n == 0) {
		*sigma = NAN;
		return NAN;
	}
	double mean = fold->sum / fold->n;
	double scatter = fmax(0, fold->squares - fold->n * mean * mean);
	*sigma = sqrt((scatter + CHANGE_WEIGHT * change * change) / (fold->n - 1 + CHANGE_WEIGHT) +
		fold->variances / fold->n);
	return mean;
}

static double published_today(const struct lesson *lesson, const struct numbering *today)
{
	struct run place = {.numbering = lesson->numbering, .best_position = lesson->best_position};
	run_renumber(&place, today);
	return place.numbers == RUN_NUMBERS_OTHER ? NAN : place.best_position;
}

static void fold_fact(const struct learned_fact *fact, const struct numbering *today, struct store_history *out)
{
	struct fold slope = {0}, size = {0}, arms = {0}, walk = {0};
	double newest = fact->lesson[0].taught.slope_px_per_step;
	double later = NAN;
	*out = (struct store_history){.run = fact->lesson[0].run, .utc_ms = fact->lesson[0].utc_ms,
		.temperature_c = fact->lesson[0].temperature_c};
	for (int i = 0; i < fact->count; i++) {
		const struct lesson *lesson = &fact->lesson[i];
		const struct run_taught *t = &lesson->taught;
		double ratio = t->slope_px_per_step / newest;
		if (ratio > SAME_OPTICS || ratio < 1 / SAME_OPTICS) {
			break;
		}
		bool mirrored = lesson->numbering.known && today->known &&
				lesson->numbering.reversed != today->reversed;
		out->runs++;
		add(&slope, t->slope_px_per_step, t->slope_sigma);
		add(&size, t->hfr_min_px, t->hfr_min_sigma_px);
		add(&arms, mirrored ? -t->asymmetry : t->asymmetry, t->asymmetry_sigma);
		out->backlash_steps = fmax(out->backlash_steps, isfinite(t->backlash_steps) ? t->backlash_steps : 0);
		double position = published_today(lesson, today);
		add(&walk, later - position, NAN);
		out->best_position = i == 0 ? position : out->best_position;
		later = position;
	}
	out->slope_px_per_step = folded(&slope, SLOPE_CHANGE * newest, &out->slope_sigma);
	out->hfr_min_px = folded(&size, SIZE_CHANGE * size.sum / fmax(1, size.n), &out->hfr_min_sigma_px);
	out->asymmetry = folded(&arms, ASYMMETRY_CHANGE, &out->asymmetry_sigma);
	out->best_sigma_steps = walk.n > 0 ? sqrt(walk.squares / walk.n) : NAN;
}

/* What is known of the field, by today's numbering; that of other optics (see SAME_OPTICS) is not. */
static struct run_field field_today(const struct learned_fact *fact, const struct numbering *today)
{
	struct run place = {.numbering = fact->field_numbering, .field = fact->field};
	double ratio = exp(fact->field.train.value[FIELD_SLOPE]) / fact->lesson[0].taught.slope_px_per_step;
	place.field.known = place.field.known && ratio < SAME_OPTICS && ratio > 1 / SAME_OPTICS;
	run_renumber(&place, today);
	if (place.numbers == RUN_NUMBERS_OTHER && place.numbering.known &&
		place.numbering.reversed != today->reversed) {
		/* The place of best focus means nothing by another calibration, but its sides are known. */
		field_mirror(&place.field.train, place.field.train.value[FIELD_BEST]);
	}
	return place.field;
}

bool learned_get(const struct learned *learned, const struct run *like, struct store_history *out)
{
	const struct learned_fact *found = NULL;
	bool same_filter = false;
	for (int i = 0; i < LEARNED_FACTS; i++) {
		const struct learned_fact *fact = &learned->fact[i];
		bool same = strcmp(fact->filter, like->filter) == 0;
		if (same_instrument(fact, like) &&
			(found == NULL || same || (!same_filter && fact->lesson[0].run > found->lesson[0].run))) {
			found = fact;
			same_filter = same;
		}
	}
	if (found == NULL) {
		return false;
	}
	fold_fact(found, &like->numbering, out);
	out->field = field_today(found, &like->numbering);
	if (!same_filter) {
		/* Slope and size hardly depend on the filter; the best position does. */
		out->best_position = NAN;
		out->best_sigma_steps = NAN;
	}
	return true;
}

void learned_forget(struct learned *learned, int focuser, uint64_t upto)
{
	for (int i = 0; i < LEARNED_FACTS; i++) {
		struct learned_fact *fact = &learned->fact[i];
		while (fact->focuser == focuser && fact->count > 0 && fact->lesson[fact->count - 1].run <= upto) {
			fact->count--;
		}
		if (fact->focuser == focuser && fact->field_run <= upto) {
			fact->field.known = false;
			fact->field_run = 0;
		}
	}
}

void learned_json(const struct learned *learned, int focuser, const struct numbering *today, struct buf *out)
{
	struct json_writer w;
	json_begin(&w, out);
	json_object(&w);
	json_key_int(&w, "focuser", focuser);
	json_key(&w, "learned");
	json_array(&w);
	for (int i = 0; i < LEARNED_FACTS; i++) {
		const struct learned_fact *fact = &learned->fact[i];
		if (fact->count == 0 || fact->focuser != focuser) {
			continue;
		}
		struct store_history h;
		char date[CLOCK_UTC_TEXT];
		fold_fact(fact, today, &h);
		clock_utc_text(h.utc_ms, date);
		json_object(&w);
		json_key_int(&w, "camera", fact->camera);
		json_key_string(&w, "camera_name", fact->camera_name);
		json_key_int(&w, "binning", fact->binning);
		json_key_string(&w, "filter", fact->filter[0] != '\0' ? fact->filter : NULL);
		const struct {
			const char *name;
			double value;
		} numbers[] = {
			{"focal_length_mm", fact->focal_length_mm}, {"aperture_mm", fact->aperture_mm},
			{"slope_px_per_step", h.slope_px_per_step}, {"slope_sigma", h.slope_sigma},
			{"hfr_min_px", h.hfr_min_px}, {"hfr_min_sigma_px", h.hfr_min_sigma_px},
			{"asymmetry", h.asymmetry}, {"asymmetry_sigma", h.asymmetry_sigma},
			{"backlash_steps", h.backlash_steps}, {"best_position", h.best_position},
			{"best_sigma_steps", h.best_sigma_steps}, {"temperature_c", h.temperature_c},
		};
		for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++) {
			json_key_double(&w, numbers[k].name, numbers[k].value);
		}
		json_key_int(&w, "runs", h.runs);
		json_key_int(&w, "last_run", (int64_t)h.run);
		json_key_string(&w, "date", date);
		json_end_object(&w);
	}
	json_end_array(&w);
	json_end_object(&w);
}
