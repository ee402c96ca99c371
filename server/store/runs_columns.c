/* SPDX-License-Identifier: MIT */
/* How a run and its row in the table runs become each other. */
#include "runs_db.h"

#include <math.h>
#include <sqlite3.h>
#include <stddef.h>
#include <string.h>

/* The columns of runs in the order of the table; binding and reading walk the same rows. */
enum kind { KIND_BOOL, KIND_INT, KIND_CODE, KIND_I64, KIND_REAL, KIND_TEXT, KIND_FIELD };
static const struct {
	const char *name;
	enum kind kind;
	size_t offset, size;
} columns[] = {
#define COLUMN(name, kind, field) \
	{ \
		name, kind, offsetof(struct run, field), sizeof(((struct run *)0)->field) \
	}
	COLUMN("id", KIND_I64, id),
	COLUMN("state", KIND_INT, state),
	COLUMN("phase", KIND_TEXT, phase),
	COLUMN("code", KIND_CODE, code),
	COLUMN("reason", KIND_TEXT, reason),
	COLUMN("started_utc_ms", KIND_I64, started_utc_ms),
	COLUMN("duration_s", KIND_REAL, duration_s),
	COLUMN("focuser", KIND_INT, focuser),
	COLUMN("camera", KIND_INT, camera),
	COLUMN("focuser_name", KIND_TEXT, focuser_name),
	COLUMN("camera_name", KIND_TEXT, camera_name),
	COLUMN("filter", KIND_TEXT, filter),
	COLUMN("temperature_c", KIND_REAL, temperature_c),
	COLUMN("start_position", KIND_REAL, start_position),
	COLUMN("best_position", KIND_REAL, best_position),
	COLUMN("final_position", KIND_REAL, final_position),
	COLUMN("uncertainty_steps", KIND_REAL, uncertainty_steps),
	COLUMN("interval95_low_steps", KIND_REAL, interval95_steps[0]),
	COLUMN("interval95_high_steps", KIND_REAL, interval95_steps[1]),
	COLUMN("critical_focus_zone_steps", KIND_REAL, critical_focus_zone_steps),
	COLUMN("hfr_start_px", KIND_REAL, hfr_start_px),
	COLUMN("hfr_predicted_px", KIND_REAL, hfr_predicted_px),
	COLUMN("hfr_final_px", KIND_REAL, hfr_final_px),
	COLUMN("r_squared", KIND_REAL, r_squared),
	COLUMN("model", KIND_TEXT, model),
	COLUMN("fit_a", KIND_REAL, curve.a),
	COLUMN("fit_k", KIND_REAL, curve.k),
	COLUMN("fit_x0", KIND_REAL, curve.x0),
	COLUMN("fit_y0", KIND_REAL, curve.y0),
	COLUMN("fit_e", KIND_REAL, curve.e),
	COLUMN("exposures", KIND_INT, exposures),
	COLUMN("binning", KIND_INT, binning),
	COLUMN("exposure_s", KIND_REAL, exposure_s),
	COLUMN("backlash_steps", KIND_INT, backlash_steps),
	COLUMN("numbered", KIND_BOOL, numbering.known),
	COLUMN("reversed", KIND_BOOL, numbering.reversed),
	COLUMN("calibrated", KIND_BOOL, numbering.calibrated),
	COLUMN("motor_low", KIND_INT, numbering.low),
	COLUMN("motor_high", KIND_INT, numbering.high),
	COLUMN("mode", KIND_TEXT, mode),
	COLUMN("note", KIND_TEXT, note),
	COLUMN("overhead_s", KIND_REAL, overhead_s),
	COLUMN("focal_length_mm", KIND_REAL, focal_length_mm),
	COLUMN("aperture_mm", KIND_REAL, aperture_mm),
	COLUMN("slope_px_per_step", KIND_REAL, taught.slope_px_per_step),
	COLUMN("slope_sigma", KIND_REAL, taught.slope_sigma),
	COLUMN("hfr_min_px", KIND_REAL, taught.hfr_min_px),
	COLUMN("hfr_min_sigma_px", KIND_REAL, taught.hfr_min_sigma_px),
	COLUMN("asymmetry", KIND_REAL, taught.asymmetry),
	COLUMN("asymmetry_sigma", KIND_REAL, taught.asymmetry_sigma),
	COLUMN("backlash_seen_steps", KIND_REAL, taught.backlash_steps),
	COLUMN("field", KIND_FIELD, field),
#undef COLUMN
};
/* The most bytes of such a text: 65 numbers of at most 24 bytes, and their names. */
#define FIELD_TEXT_MAX 8192
#define COLUMN_COUNT ((int)(sizeof columns / sizeof columns[0]))

void runs_bind_real(sqlite3_stmt *stmt, int at, double value)
{
	if (isfinite(value)) {
		sqlite3_bind_double(stmt, at, value);
	} else {
		sqlite3_bind_null(stmt, at);
	}
}

double runs_read_real(sqlite3_stmt *stmt, int at)
{
	return sqlite3_column_type(stmt, at) == SQLITE_NULL ? NAN : sqlite3_column_double(stmt, at);
}

void runs_read_text(sqlite3_stmt *stmt, int at, char *out, size_t cap)
{
	const char *text = (const char *)sqlite3_column_text(stmt, at);
	text_copy_clean(out, cap, text == NULL ? "" : text);
}

/* Codes are stored by name: their numbers may change between versions. */
static enum err_code code_of_name(const char *name)
{
	for (int code = 0; code < ERR_CODE_COUNT; code++) {
		if (strcmp(err_name((enum err_code)code), name) == 0) {
			return (enum err_code)code;
		}
	}
	return ERR_INTERNAL;
}

/* What was learned of the field is one JSON text: its numbers are of use together or not at all. */
static void bind_field(sqlite3_stmt *stmt, int at, const struct run_field *field)
{
	if (!field->known) {
		sqlite3_bind_null(stmt, at);
		return;
	}
	struct buf text;
	buf_init(&text, FIELD_TEXT_MAX);
	run_field_json(field, true, &text);
	sqlite3_bind_text(stmt, at, buf_text(&text), -1, SQLITE_TRANSIENT);
	buf_fini(&text);
}

/* One that is null or damaged is not known. */
static void read_field(sqlite3_stmt *stmt, int at, struct run_field *out)
{
	const char *text = (const char *)sqlite3_column_text(stmt, at);
	*out = (struct run_field){.known = false};
	if (text != NULL) {
		(void)run_field_parse(span_of(text), out, NULL);
	}
}

static void bind_column(sqlite3_stmt *stmt, int i, const struct run *run)
{
	const char *field = (const char *)run + columns[i].offset;
	int32_t number;
	int64_t wide;
	double real;
	bool flag;
	switch (columns[i].kind) {
	case KIND_BOOL:
		memcpy(&flag, field, sizeof flag);
		sqlite3_bind_int(stmt, i + 1, flag);
		break;
	case KIND_INT:
		memcpy(&number, field, sizeof number);
		sqlite3_bind_int(stmt, i + 1, number);
		break;
	case KIND_CODE:
		memcpy(&number, field, sizeof number);
		sqlite3_bind_text(stmt, i + 1, err_name((enum err_code)number), -1, SQLITE_STATIC);
		break;
	case KIND_I64:
		memcpy(&wide, field, sizeof wide);
		sqlite3_bind_int64(stmt, i + 1, wide);
		break;
	case KIND_REAL:
		memcpy(&real, field, sizeof real);
		runs_bind_real(stmt, i + 1, real);
		break;
	case KIND_TEXT:
		sqlite3_bind_text(stmt, i + 1, field, -1, SQLITE_TRANSIENT);
		break;
	case KIND_FIELD:
		bind_field(stmt, i + 1, &run->field);
		break;
	}
}

static void read_column(sqlite3_stmt *stmt, int i, struct run *run)
{
	char *field = (char *)run + columns[i].offset;
	int32_t number;
	int64_t wide;
	double real;
	char text[32];
	bool flag;
	switch (columns[i].kind) {
	case KIND_BOOL:
		flag = sqlite3_column_int(stmt, i) != 0;
		memcpy(field, &flag, sizeof flag);
		break;
	case KIND_INT:
		number = sqlite3_column_int(stmt, i);
		memcpy(field, &number, sizeof number);
		break;
	case KIND_CODE:
		runs_read_text(stmt, i, text, sizeof text);
		number = (int32_t)code_of_name(text);
		memcpy(field, &number, sizeof number);
		break;
	case KIND_I64:
		wide = sqlite3_column_int64(stmt, i);
		memcpy(field, &wide, sizeof wide);
		break;
	case KIND_REAL:
		real = runs_read_real(stmt, i);
		memcpy(field, &real, sizeof real);
		break;
	case KIND_TEXT:
		runs_read_text(stmt, i, field, columns[i].size);
		break;
	case KIND_FIELD:
		read_field(stmt, i, &run->field);
		break;
	}
}

void runs_columns_list(struct buf *sql)
{
	for (int i = 0; i < COLUMN_COUNT; i++) {
		buf_printf(sql, "%s%s", i == 0 ? "" : ", ", columns[i].name);
	}
}

int runs_columns_count(void)
{
	return COLUMN_COUNT;
}

void runs_columns_bind(sqlite3_stmt *stmt, const struct run *run)
{
	struct run own = *run;
	own.points = NULL; /* they have a table of their own */
	run_to_motor(&own);
	for (int i = 0; i < COLUMN_COUNT; i++) {
		bind_column(stmt, i, &own);
	}
}

void runs_columns_read(sqlite3_stmt *stmt, struct run *run)
{
	memset(run, 0, sizeof *run);
	for (int i = 0; i < COLUMN_COUNT; i++) {
		read_column(stmt, i, run);
	}
	run_to_published(run);
	run->progress = run->state == RUN_RUNNING ? 0 : 1;
}
