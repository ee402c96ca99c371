/* SPDX-License-Identifier: MIT */
/* A run as a person reads it in a terminal: what came out, under which conditions, and its samples in a table. */
#include "run.h"

#include <math.h>
#include <stdio.h>

#include "clock.h"

/* A number with its decimals, or a dash when it is unknown. */
static const char *cell(char out[24], double value, int decimals)
{
	if (isfinite(value)) {
		snprintf(out, 24, "%.*f", decimals, value);
	} else {
		snprintf(out, 24, "-");
	}
	return out;
}

static void put_outcome(const struct run *run, struct buf *out)
{
	char c[2][24];
	buf_printf(out, "Run %llu ", (unsigned long long)run->id);
	switch (run->state) {
	case RUN_RUNNING:
		buf_printf(out, "is running: %s, %.0f %%\n", run->phase, 100 * run->progress);
		break;
	case RUN_SUCCEEDED:
		buf_printf(out, "succeeded: best focus at %s", cell(c[0], run->best_position, 1));
		if (isfinite(run->uncertainty_steps)) {
			buf_printf(out, " +- %s", cell(c[0], run->uncertainty_steps, 1));
		}
		if (isfinite(run->interval95_steps[0]) && isfinite(run->interval95_steps[1])) {
			buf_printf(out, " steps, 95 %% interval %s to %s",
				cell(c[0], run->interval95_steps[0], 1), cell(c[1], run->interval95_steps[1], 1));
		} else {
			buf_puts(out, " steps");
		}
		buf_putc(out, '\n');
		break;
	case RUN_FAILED:
	case RUN_ABORTED:
		buf_printf(out, "%s%s%s\n", run->state == RUN_FAILED ? "failed" : "was aborted",
			run->reason[0] != '\0' ? ": " : "", run->reason);
		break;
	}
}

/* A line "label  text"; none when nothing is known. */
static void put_text(struct buf *out, const char *label, const char *text)
{
	if (text[0] != '\0') {
		buf_printf(out, "  %-12s%s\n", label, text);
	}
}

static void put_number(struct buf *out, const char *label, double value, int decimals, const char *unit)
{
	char c[24];
	if (isfinite(value)) {
		buf_printf(out, "  %-12s%s %s\n", label, cell(c, value, decimals), unit);
	}
}

static void put_conditions(const struct run *run, struct buf *out)
{
	char c[3][24], started[CLOCK_UTC_TEXT];
	clock_utc_text(run->started_utc_ms, started);
	put_text(out, "started", started);
	put_number(out, "took", run->duration_s, 1, "s");
	put_text(out, "focuser", run->focuser_name);
	put_text(out, "camera", run->camera_name);
	put_text(out, "filter", run->filter);
	put_number(out, "temperature", run->temperature_c, 1, "C");
	if (run->exposures > 0) {
		buf_printf(out, "  %-12s%d of %s s, binning %d\n", "exposures", run->exposures,
			cell(c[0], run->exposure_s, 2), run->binning);
	}
	if (isfinite(run->start_position)) {
		buf_printf(out, "  %-12sfrom %s to %s steps, backlash %d\n", "position",
			cell(c[0], run->start_position, 0), cell(c[1], run->final_position, 0),
			(int)run->backlash_steps);
	}
	if (run->numbers == RUN_NUMBERS_OTHER) {
		put_text(out, "", "these positions are of another calibration: today they are other places");
	}
	if (isfinite(run->hfr_start_px)) {
		buf_printf(out, "  %-12s%s px before, %s px after, %s px by the curve\n", "HFR",
			cell(c[0], run->hfr_start_px, 2), cell(c[1], run->hfr_final_px, 2),
			cell(c[2], run->hfr_predicted_px, 2));
	}
	put_number(out, "focus zone", run->critical_focus_zone_steps, 1, "steps");
	if (run->model[0] != '\0') {
		buf_printf(out, "  %-12s%s, R2 %s\n", "curve", run->model, cell(c[0], run->r_squared, 4));
	}
}

void run_text(const struct run *run, struct buf *out)
{
	put_outcome(run, out);
	put_conditions(run, out);
	if (run->point_count == 0) {
		return;
	}
	buf_printf(out, "\n%10s %8s %7s %6s  %s\n", "position", "hfr_px", "+-", "stars", "sample");
	for (size_t i = 0; i < run->point_count; i++) {
		const struct run_point *p = &run->points[i];
		char c[3][24];
		const char *what = p->validation ? "check at best focus" : p->used ? "used" : "left out";
		buf_printf(out, "%10s %8s %7s %6d  %s%s%s\n", cell(c[0], p->position, 0),
			cell(c[1], p->hfr_px, 2), cell(c[2], p->error_px, 2), p->stars, what,
			p->why[0] != '\0' ? ": " : "", p->why);
	}
}
