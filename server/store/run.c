/* SPDX-License-Identifier: MIT */
/* The shapes of a run: a copy, the JSON of the actions and pages, CSV, and N.I.N.A.'s report. */
#include "run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "json.h"
#include "run_field.h"

const char *run_state_name(enum run_state state)
{
	switch (state) {
	case RUN_RUNNING:
		return "running";
	case RUN_SUCCEEDED:
		return "succeeded";
	case RUN_FAILED:
		return "failed";
	case RUN_ABORTED:
		return "aborted";
	}
	return "unknown";
}

const char *run_phase_name(enum run_phase phase)
{
	switch (phase) {
	case RUN_PHASE_START:
		return "start";
	case RUN_PHASE_SEARCH:
		return "search";
	case RUN_PHASE_SWEEP:
		return "sweep";
	case RUN_PHASE_EXTEND:
		return "extend";
	case RUN_PHASE_VALIDATE:
		return "validate";
	case RUN_PHASE_RETURNING:
		return "returning";
	case RUN_PHASE_STOPPING:
		return "stopping";
	case RUN_PHASE_OVER:
		break;
	}
	return "over";
}

struct run *run_copy(const struct run *run)
{
	struct run *copy = malloc(sizeof *copy);
	if (copy == NULL) {
		return NULL;
	}
	*copy = *run;
	copy->points = NULL;
	if (run->point_count > 0) {
		copy->points = malloc(run->point_count * sizeof *copy->points);
		if (copy->points == NULL) {
			free(copy);
			return NULL;
		}
		memcpy(copy->points, run->points, run->point_count * sizeof *copy->points);
	}
	return copy;
}

void run_free(struct run *run)
{
	if (run != NULL) {
		free(run->points);
		free(run);
	}
}

/* Writes a text; an empty one means that nothing is known and becomes null. */
static void key_text(struct json_writer *w, const char *key, const char *text)
{
	json_key_string(w, key, text[0] == '\0' ? NULL : text);
}

static void write_point(struct json_writer *w, const struct run_point *p)
{
	json_object(w);
	json_key_double(w, "position", p->position);
	json_key_double(w, "hfr_px", p->hfr_px);
	json_key_double(w, "error_px", p->error_px);
	json_key_int(w, "stars", p->stars);
	json_key_double(w, "flux_ratio", p->flux_ratio);
	json_key_bool(w, "used", p->used);
	key_text(w, "why", p->why);
	json_key_bool(w, "validation", p->validation);
	json_end_object(w);
}

static void write_fit(struct json_writer *w, const struct run *run)
{
	json_key(w, "fit");
	if (!isfinite(run->curve.a) || !isfinite(run->curve.k) || !isfinite(run->curve.x0)) {
		json_null(w);
		return;
	}
	json_object(w);
	json_key_double(w, "a", run->curve.a);
	json_key_double(w, "k", run->curve.k);
	json_key_double(w, "x0", run->curve.x0);
	json_key_double(w, "y0", run->curve.y0);
	json_key_double(w, "e", isfinite(run->curve.e) ? run->curve.e : 0);
	json_end_object(w);
}

static void write_taught(struct json_writer *w, const struct run_taught *taught)
{
	json_key(w, "taught");
	if (!isfinite(taught->slope_px_per_step)) {
		json_null(w);
		return;
	}
	json_object(w);
	json_key_double(w, "slope_px_per_step", taught->slope_px_per_step);
	json_key_double(w, "slope_sigma", taught->slope_sigma);
	json_key_double(w, "hfr_min_px", taught->hfr_min_px);
	json_key_double(w, "hfr_min_sigma_px", taught->hfr_min_sigma_px);
	json_key_double(w, "asymmetry", taught->asymmetry);
	json_key_double(w, "asymmetry_sigma", taught->asymmetry_sigma);
	json_key_double(w, "backlash_steps", taught->backlash_steps);
	json_end_object(w);
}

static void write_numbering(struct json_writer *w, const struct run *run)
{
	json_key(w, "calibration");
	if (run->numbering.known) {
		json_object(w);
		json_key_int(w, "low", run->numbering.low);
		json_key_int(w, "high", run->numbering.high);
		json_key_bool(w, "reversed", run->numbering.reversed);
		json_end_object(w);
	} else {
		json_null(w);
	}
	json_key_string(w, "numbers", run->numbers == RUN_NUMBERS_TODAY ? "today"
				      : run->numbers == RUN_NUMBERS_OTHER ? "other" : NULL);
}

static void write_run(const struct run *run, bool with_points, struct buf *out)
{
	char started[CLOCK_UTC_TEXT];
	clock_utc_text(run->started_utc_ms, started);
	struct json_writer w;
	json_begin(&w, out);
	json_object(&w);
	json_key_int(&w, "run", (int64_t)run->id);
	json_key_string(&w, "state", run_state_name(run->state));
	key_text(&w, "phase", run->phase);
	json_key_double(&w, "progress", run->progress);
	key_text(&w, "reason", run->reason);
	json_key_int(&w, "error_number", err_alpaca_number(run->code));
	json_key_string(&w, "started", started);
	json_key_double(&w, "duration_s", run->duration_s);
	json_key_double(&w, "overhead_s", run->overhead_s);
	json_key_int(&w, "focuser", run->focuser);
	json_key_int(&w, "camera", run->camera);
	key_text(&w, "focuser_name", run->focuser_name);
	key_text(&w, "camera_name", run->camera_name);
	key_text(&w, "filter", run->filter);
	json_key_double(&w, "temperature_c", run->temperature_c);
	json_key_double(&w, "start_position", run->start_position);
	json_key_double(&w, "best_position", run->best_position);
	json_key_double(&w, "final_position", run->final_position);
	json_key_double(&w, "uncertainty_steps", run->uncertainty_steps);
	json_key(&w, "interval95_steps");
	if (isfinite(run->interval95_steps[0]) && isfinite(run->interval95_steps[1])) {
		json_array(&w);
		json_double(&w, run->interval95_steps[0]);
		json_double(&w, run->interval95_steps[1]);
		json_end_array(&w);
	} else {
		json_null(&w);
	}
	json_key_double(&w, "critical_focus_zone_steps", run->critical_focus_zone_steps);
	json_key_double(&w, "hfr_start_px", run->hfr_start_px);
	json_key_double(&w, "hfr_predicted_px", run->hfr_predicted_px);
	json_key_double(&w, "hfr_final_px", run->hfr_final_px);
	json_key_double(&w, "r_squared", run->r_squared);
	key_text(&w, "model", run->model);
	key_text(&w, "mode", run->mode);
	key_text(&w, "note", run->note);
	write_taught(&w, &run->taught);
	write_fit(&w, run);
	write_numbering(&w, run);
	json_key(&w, "field");
	run_field_write(&w, &run->field, with_points);
	json_key_int(&w, "exposures", run->exposures);
	json_key_double(&w, "exposure_s", run->exposure_s);
	json_key_int(&w, "binning", run->binning);
	json_key_int(&w, "backlash_steps", run->backlash_steps);
	if (with_points) {
		json_key(&w, "points");
		json_array(&w);
		for (size_t i = 0; i < run->point_count; i++) {
			write_point(&w, &run->points[i]);
		}
		json_end_array(&w);
	}
	json_end_object(&w);
}

void run_json(const struct run *run, struct buf *out)
{
	write_run(run, true, out);
}

void run_json_summary(const struct run *run, struct buf *out)
{
	write_run(run, false, out);
}

/* Writes a number; one that is unknown leaves its column empty. */
static void csv_number(struct buf *out, double value)
{
	if (isfinite(value)) {
		char text[32];
		text_print_double(text, value);
		buf_puts(out, text);
	}
}

void run_csv(const struct run *run, struct buf *out)
{
	buf_puts(out, "position,hfr_px,error_px,stars,flux_ratio,used,validation,why\r\n");
	for (size_t i = 0; i < run->point_count; i++) {
		const struct run_point *p = &run->points[i];
		csv_number(out, p->position);
		buf_putc(out, ',');
		csv_number(out, p->hfr_px);
		buf_putc(out, ',');
		csv_number(out, p->error_px);
		buf_printf(out, ",%d,", p->stars);
		csv_number(out, p->flux_ratio);
		/* `why` holds one of our own texts, which have neither comma nor quote. */
		buf_printf(out, ",%s,%s,%s\r\n", p->used ? "true" : "false",
			p->validation ? "true" : "false", p->why);
	}
}

/* N.I.N.A. writes an unknown number as the text "NaN". */
static void nina_number(struct json_writer *w, const char *key, double value)
{
	if (isfinite(value)) {
		json_key_double(w, key, value);
	} else {
		json_key_string(w, key, "NaN");
	}
}

static void nina_fields(struct json_writer *w, double position, double value, double error)
{
	json_object(w);
	nina_number(w, "Position", position);
	nina_number(w, "Value", value);
	nina_number(w, "Error", error);
	json_end_object(w);
}

static void nina_point(
	struct json_writer *w, const char *key, double position, double value, double error)
{
	json_key(w, key);
	nina_fields(w, position, value, error);
}

/* Prints ISO 8601 in local time with its zone: 2026-03-14T23:08:31.2500000+01:00. */
static void nina_time(int64_t utc_ms, char *out, size_t cap)
{
	time_t seconds = (time_t)(utc_ms / 1000);
	int ms = (int)(utc_ms % 1000);
	struct tm tm;
	localtime_r(&seconds, &tm);
	long zone = tm.tm_gmtoff / 60;
	char sign = zone < 0 ? '-' : '+';
	zone = zone < 0 ? -zone : zone;
	snprintf(out, cap, "%04d-%02d-%02dT%02d:%02d:%02d.%03d0000%c%02ld:%02ld", tm.tm_year + 1900,
		tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, ms, sign, zone / 60,
		zone % 60);
}

static int by_position(const void *a, const void *b)
{
	double x = ((const struct run_point *)a)->position,
	       y = ((const struct run_point *)b)->position;
	return (x > y) - (x < y);
}

static void nina_points(struct json_writer *w, const struct run *run)
{
	json_key(w, "MeasurePoints");
	json_array(w);
	struct run *sorted = run_copy(run);
	if (sorted == NULL) {
		w->buf->failed = true;
	} else if (sorted->points != NULL) {
		qsort(sorted->points, sorted->point_count, sizeof *sorted->points, by_position);
	}
	size_t count = sorted != NULL && sorted->points != NULL ? sorted->point_count : 0;
	for (size_t i = 0; i < count; i++) {
		const struct run_point *p = &sorted->points[i];
		if (p->used && !p->validation && isfinite(p->hfr_px)) {
			nina_fields(w, p->position, p->hfr_px, p->error_px);
		}
	}
	run_free(sorted);
	json_end_array(w);
}

/* The formula of the curve in words, as N.I.N.A. shows it; empty where there is none. */
static void nina_formula(const struct run_curve *curve, char *out, size_t cap)
{
	out[0] = '\0';
	if (!isfinite(curve->a) || !isfinite(curve->k) || !isfinite(curve->x0)) {
		return;
	}
	char a[32], k[32], x0[32], y0[32];
	text_print_double(a, curve->a);
	text_print_double(k, curve->k);
	text_print_double(x0, curve->x0);
	text_print_double(y0, isfinite(curve->y0) ? curve->y0 : 0);
	snprintf(out, cap, "y = %s + sqrt(%s^2 + (%s * (x - %s))^2)", y0, a, k, x0);
}

/* What was calculated from the points: N.I.N.A. has four methods, and one of them is ours. */
static void nina_fit(struct json_writer *w, const struct run *run)
{
	char formula[160];
	json_key(w, "Intersections");
	json_object(w);
	nina_point(w, "TrendLineIntersection", NAN, NAN, 0);
	nina_point(w, "HyperbolicMinimum", run->best_position, run->hfr_predicted_px, 0);
	nina_point(w, "QuadraticMinimum", NAN, NAN, 0);
	nina_point(w, "GaussianMaximum", NAN, NAN, 0);
	json_end_object(w);
	json_key(w, "Fittings");
	json_object(w);
	json_key_string(w, "Quadratic", "");
	nina_formula(&run->curve, formula, sizeof formula);
	json_key_string(w, "Hyperbolic", formula);
	json_key_string(w, "LeftTrend", "");
	json_key_string(w, "RightTrend", "");
	json_end_object(w);
	json_key(w, "RSquares");
	json_object(w);
	nina_number(w, "Quadratic", NAN);
	nina_number(w, "Hyperbolic", run->r_squared);
	nina_number(w, "LeftTrend", NAN);
	nina_number(w, "RightTrend", NAN);
	json_end_object(w);
}

void run_nina(const struct run *run, struct buf *out)
{
	double duration = isfinite(run->duration_s) && run->duration_s > 0 ? run->duration_s : 0;
	int64_t ticks = (int64_t)(duration * 1e7);
	char text[160];
	struct json_writer w;
	json_begin(&w, out);
	json_object(&w);
	json_key_int(&w, "Version", 2);
	json_key_string(&w, "Filter", run->filter);
	json_key_string(&w, "AutoFocuserName", "focusd");
	json_key_string(&w, "StarDetectorName", "focusd");
	nina_time(run->started_utc_ms + (int64_t)(duration * 1000), text, sizeof text);
	json_key_string(&w, "Timestamp", text);
	nina_number(&w, "Temperature", run->temperature_c);
	json_key_string(&w, "Method", "STARHFR");
	json_key_string(&w, "Fitting", "HYPERBOLIC");
	nina_point(&w, "InitialFocusPoint", run->start_position, run->hfr_start_px, 0);
	nina_point(&w, "CalculatedFocusPoint", run->best_position, run->hfr_predicted_px, 0);
	nina_point(&w, "PreviousFocusPoint", NAN, NAN, NAN);
	nina_points(&w, run);
	nina_fit(&w, run);
	json_key(&w, "BacklashCompensation");
	json_object(&w);
	json_key_string(&w, "BacklashCompensationModel", "OVERSHOOT");
	json_key_int(&w, "BacklashIN", run->backlash_steps);
	json_key_int(&w, "BacklashOUT", 0);
	json_end_object(&w);
	snprintf(text, sizeof text, "%02d:%02d:%02d.%07d", (int)(ticks / 36000000000),
		(int)(ticks / 600000000 % 60), (int)(ticks / 10000000 % 60),
		(int)(ticks % 10000000));
	json_key_string(&w, "Duration", text);
	json_end_object(&w);
}
