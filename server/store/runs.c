/* SPDX-License-Identifier: MIT */
/*
 * The store of runs, the one door to SQLite.  One connection behind one lock.  A rollback journal
 * with synchronous = EXTRA: a power cut at any moment leaves the last whole transaction.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "run.h"

struct runs {
	pthread_mutex_t lock;
	sqlite3 *db;
	int64_t last_id; /* given out by this process; 0 none */
};

/* Schema changes in order; user_version says how many have been applied.  Never edited once
 * released, only added to. */
static const char *const migrations[] = {
	"CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
	"INSERT INTO counters VALUES ('run', 0);"
	"CREATE TABLE runs (id INTEGER PRIMARY KEY, state INTEGER NOT NULL, phase TEXT, code"
	" TEXT, reason TEXT, started_utc_ms INTEGER, duration_s REAL, focuser INTEGER, camera"
	" INTEGER, focuser_name TEXT, camera_name TEXT, filter TEXT, temperature_c REAL,"
	" start_position REAL, best_position REAL, final_position REAL, uncertainty_steps REAL,"
	" interval95_low_steps REAL, interval95_high_steps REAL, critical_focus_zone_steps REAL,"
	" hfr_start_px REAL, hfr_predicted_px REAL, hfr_final_px REAL, r_squared REAL, model"
	" TEXT, fit_a REAL, fit_k REAL, fit_x0 REAL, fit_y0 REAL, exposures INTEGER, binning"
	" INTEGER, exposure_s REAL, backlash_steps INTEGER);"
	"CREATE INDEX runs_by_focuser ON runs (focuser, id);"
	"CREATE TABLE points (run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,"
	" number INTEGER NOT NULL, position REAL, hfr_px REAL, error_px REAL, stars INTEGER,"
	" flux_ratio REAL, used INTEGER, validation INTEGER, why TEXT, PRIMARY KEY (run, number))"
	" WITHOUT ROWID;",
};
#define MIGRATION_COUNT ((int)(sizeof migrations / sizeof migrations[0]))

static enum err_code db_error(struct runs *runs, const char *what, struct err *err)
{
	return err_set(err, ERR_IO, "the run store cannot %s: %s", what, sqlite3_errmsg(runs->db));
}

static bool run_sql(struct runs *runs, const char *sql)
{
	return sqlite3_exec(runs->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool read_number(struct runs *runs, const char *sql, int64_t *out)
{
	sqlite3_stmt *stmt;
	if (sqlite3_prepare_v2(runs->db, sql, -1, &stmt, NULL) != SQLITE_OK) {
		return false;
	}
	bool ok = sqlite3_step(stmt) == SQLITE_ROW;
	if (ok) {
		*out = sqlite3_column_int64(stmt, 0);
	}
	sqlite3_finalize(stmt);
	return ok;
}

static enum err_code migrate(struct runs *runs, struct err *err)
{
	/* Looked at inside the transaction: another process may be migrating at this moment. */
	if (!run_sql(runs, "BEGIN IMMEDIATE")) {
		return db_error(runs, "be written", err);
	}
	int64_t version = 0;
	bool ok = read_number(runs, "PRAGMA user_version", &version);
	if (ok && version > MIGRATION_COUNT) {
		run_sql(runs, "ROLLBACK");
		return err_set(err, ERR_IO,
			"the run store was written by a newer focusd (schema %d, this "
			"program knows %d)",
			(int)version, MIGRATION_COUNT);
	}
	for (int i = (int)version; ok && i < MIGRATION_COUNT; i++) {
		char pragma[48];
		snprintf(pragma, sizeof pragma, "PRAGMA user_version = %d", i + 1);
		ok = run_sql(runs, migrations[i]) && run_sql(runs, pragma);
	}
	if (!ok || !run_sql(runs, "COMMIT")) {
		enum err_code rc = db_error(runs, "be brought up to date", err);
		run_sql(runs, "ROLLBACK");
		return rc;
	}
	return ERR_OK;
}

static bool is_sound(struct runs *runs)
{
	sqlite3_stmt *stmt;
	if (sqlite3_prepare_v2(runs->db, "PRAGMA quick_check(1)", -1, &stmt, NULL) != SQLITE_OK) {
		return false;
	}
	const unsigned char *said =
		sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_text(stmt, 0) : NULL;
	bool ok = said != NULL && strcmp((const char *)said, "ok") == 0;
	sqlite3_finalize(stmt);
	return ok;
}

/* damaged: the file opens, but is not a sound database. */
static enum err_code open_file(
	struct runs *runs, const char *path, bool *damaged, struct err *err)
{
	*damaged = false;
	if (sqlite3_open_v2(path, &runs->db,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX,
		    NULL) != SQLITE_OK) {
		return err_set(
			err, ERR_IO, "cannot open %.120s: %s", path, sqlite3_errmsg(runs->db));
	}
	enum err_code rc = ERR_OK;
	if (sqlite3_busy_timeout(runs->db, 5000) != SQLITE_OK ||
		!run_sql(runs, "PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA;"
			       "PRAGMA foreign_keys = ON")) {
		rc = db_error(runs, "be opened", err);
	} else if (!is_sound(runs)) {
		*damaged = true;
		rc = err_set(err, ERR_IO, "the run store %.120s is damaged", path);
	} else {
		rc = migrate(runs, err);
	}
	int why = sqlite3_errcode(runs->db) & 0xFF;
	*damaged |= rc != ERR_OK && (why == SQLITE_CORRUPT || why == SQLITE_NOTADB);
	return rc;
}

/* Puts a damaged database and its journal, which must never be played back into another file, aside:
 * a history that cannot be read must not cost the night.  Numbers go on where they can be read. */
static enum err_code replace_damaged(struct runs *runs, const char *path, struct err *err)
{
	int64_t last = 0;
	read_number(runs, "SELECT value FROM counters WHERE name = 'run'", &last);
	sqlite3_close(runs->db);
	runs->db = NULL;
	char from[1100];
	char aside[1100];
	int n = 1;
	do {
		snprintf(aside, sizeof aside, "%s.damaged-%d", path, n);
	} while (access(aside, F_OK) == 0 && n++ < 99);
	if (rename(path, aside) != 0) {
		return err_set(err, ERR_IO, "the damaged run store %.100s cannot be put aside: %s",
			path, strerror(errno));
	}
	log_error("focusd", "the run store was damaged: kept as %s, begun anew", aside);
	snprintf(from, sizeof from, "%s-journal", path);
	snprintf(aside, sizeof aside, "%s.damaged-%d-journal", path, n);
	if (rename(from, aside) != 0 && errno != ENOENT) {
		return err_set(err, ERR_IO, "%.120s cannot be put aside: %s", from, strerror(errno));
	}
	bool damaged;
	enum err_code rc = open_file(runs, path, &damaged, err);
	if (rc == ERR_OK && last > 0) {
		char sql[80];
		snprintf(sql, sizeof sql, "UPDATE counters SET value = %lld WHERE name = 'run'",
			(long long)last);
		run_sql(runs, sql);
	}
	return rc;
}

enum err_code runs_open(const char *dir, struct runs **out, struct err *err)
{
	char path[1024];
	if ((size_t)snprintf(path, sizeof path, "%s/focusd.db", dir) >= sizeof path) {
		return err_set(err, ERR_IO, "the path of the state directory is too long");
	}
	struct runs *runs = calloc(1, sizeof *runs);
	if (runs == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	pthread_mutex_init(&runs->lock, NULL);
	bool damaged;
	enum err_code rc = open_file(runs, path, &damaged, err);
	if (rc != ERR_OK && damaged) {
		rc = replace_damaged(runs, path, err);
	}
	if (rc != ERR_OK) {
		runs_close(runs);
		return rc;
	}
	*out = runs;
	return ERR_OK;
}

void runs_close(struct runs *runs)
{
	if (runs != NULL) {
		sqlite3_close(runs->db);
		pthread_mutex_destroy(&runs->lock);
		free(runs);
	}
}

enum err_code runs_next_id(struct runs *runs, uint64_t *id, struct err *err)
{
	pthread_mutex_lock(&runs->lock);
	enum err_code rc = ERR_OK;
	int64_t value = 0;
	/* The counter, not the largest row, so that an id whose run was lost in a crash stays used;
	 * the larger of both, should somebody have put a run in by hand. */
	if (!run_sql(runs, "BEGIN IMMEDIATE") ||
		!run_sql(runs, "UPDATE counters SET value = 1 + max(value,"
			       " (SELECT coalesce(max(id), 0) FROM runs)) WHERE name = 'run'") ||
		!read_number(runs, "SELECT value FROM counters WHERE name = 'run'", &value) ||
		!run_sql(runs, "COMMIT")) {
		struct err why = {0};
		rc = db_error(runs, "give the run a number", &why);
		run_sql(runs, "ROLLBACK");
		/* A full or read-only disk must not keep a telescope from focusing: the number is
		 * good as long as this process lives. */
		if (read_number(runs,
			    "SELECT 1 + max(value, (SELECT coalesce(max(id), 0) FROM runs))"
			    " FROM counters WHERE name = 'run'",
			    &value)) {
			log_error("focusd", "%s; the run may not be kept", why.text);
			rc = ERR_OK;
		} else {
			err_set(err, why.code, "%s", why.text);
		}
	}
	if (rc == ERR_OK) {
		value = value > runs->last_id ? value : runs->last_id + 1;
		runs->last_id = value;
		*id = (uint64_t)value;
	}
	pthread_mutex_unlock(&runs->lock);
	return rc;
}

/* Columns of runs in the order of the table; binding and reading walk the same rows. */
enum kind { KIND_INT, KIND_CODE, KIND_I64, KIND_REAL, KIND_TEXT };
static const struct {
	const char *name;
	enum kind kind;
	size_t offset, size;
} columns[] = {
#define COLUMN(name, kind, field)                                                                  \
	{                                                                                          \
		name, kind, offsetof(struct run, field), sizeof(((struct run *)0)->field)          \
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
	COLUMN("exposures", KIND_INT, exposures),
	COLUMN("binning", KIND_INT, binning),
	COLUMN("exposure_s", KIND_REAL, exposure_s),
	COLUMN("backlash_steps", KIND_INT, backlash_steps),
#undef COLUMN
};
#define COLUMN_COUNT ((int)(sizeof columns / sizeof columns[0]))

static void bind_real(sqlite3_stmt *stmt, int at, double value)
{
	if (isfinite(value)) {
		sqlite3_bind_double(stmt, at, value);
	} else {
		sqlite3_bind_null(stmt, at);
	}
}

static double column_real(sqlite3_stmt *stmt, int at)
{
	return sqlite3_column_type(stmt, at) == SQLITE_NULL ? NAN : sqlite3_column_double(stmt, at);
}

static void column_text(sqlite3_stmt *stmt, int at, char *out, size_t cap)
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

static void bind_column(sqlite3_stmt *stmt, int i, const struct run *run)
{
	const char *field = (const char *)run + columns[i].offset;
	int32_t number;
	int64_t wide;
	double real;
	switch (columns[i].kind) {
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
		bind_real(stmt, i + 1, real);
		break;
	case KIND_TEXT:
		sqlite3_bind_text(stmt, i + 1, field, -1, SQLITE_TRANSIENT);
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
	switch (columns[i].kind) {
	case KIND_INT:
		number = sqlite3_column_int(stmt, i);
		memcpy(field, &number, sizeof number);
		break;
	case KIND_CODE:
		column_text(stmt, i, text, sizeof text);
		number = (int32_t)code_of_name(text);
		memcpy(field, &number, sizeof number);
		break;
	case KIND_I64:
		wide = sqlite3_column_int64(stmt, i);
		memcpy(field, &wide, sizeof wide);
		break;
	case KIND_REAL:
		real = column_real(stmt, i);
		memcpy(field, &real, sizeof real);
		break;
	case KIND_TEXT:
		column_text(stmt, i, field, columns[i].size);
		break;
	}
}

static void column_list(struct buf *sql)
{
	for (int i = 0; i < COLUMN_COUNT; i++) {
		buf_printf(sql, "%s%s", i == 0 ? "" : ", ", columns[i].name);
	}
}

static bool save_run(struct runs *runs, const struct run *run)
{
	struct buf sql;
	buf_init(&sql, 8192);
	buf_puts(&sql, "INSERT INTO runs (");
	column_list(&sql);
	buf_puts(&sql, ") VALUES (?");
	for (int i = 1; i < COLUMN_COUNT; i++) {
		buf_puts(&sql, ", ?");
	}
	buf_puts(&sql, ")");
	sqlite3_stmt *stmt = NULL;
	bool ok = !sql.failed &&
		  sqlite3_prepare_v2(runs->db, buf_text(&sql), -1, &stmt, NULL) == SQLITE_OK;
	for (int i = 0; ok && i < COLUMN_COUNT; i++) {
		bind_column(stmt, i, run);
	}
	ok = ok && sqlite3_step(stmt) == SQLITE_DONE;
	sqlite3_finalize(stmt);
	buf_fini(&sql);
	return ok;
}

static bool save_points(struct runs *runs, const struct run *run)
{
	sqlite3_stmt *stmt;
	if (sqlite3_prepare_v2(runs->db, "INSERT INTO points VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		    -1, &stmt, NULL) != SQLITE_OK) {
		return false;
	}
	bool ok = true;
	for (size_t i = 0; ok && i < run->point_count; i++) {
		const struct run_point *p = &run->points[i];
		sqlite3_reset(stmt);
		sqlite3_bind_int64(stmt, 1, (int64_t)run->id);
		sqlite3_bind_int64(stmt, 2, (int64_t)i);
		bind_real(stmt, 3, p->position);
		bind_real(stmt, 4, p->hfr_px);
		bind_real(stmt, 5, p->error_px);
		sqlite3_bind_int(stmt, 6, p->stars);
		bind_real(stmt, 7, p->flux_ratio);
		sqlite3_bind_int(stmt, 8, p->used);
		sqlite3_bind_int(stmt, 9, p->validation);
		sqlite3_bind_text(stmt, 10, p->why, -1, SQLITE_TRANSIENT);
		ok = sqlite3_step(stmt) == SQLITE_DONE;
	}
	sqlite3_finalize(stmt);
	return ok;
}

static bool delete_run(struct runs *runs, uint64_t id)
{
	sqlite3_stmt *stmt;
	if (sqlite3_prepare_v2(runs->db, "DELETE FROM runs WHERE id = ?", -1, &stmt, NULL) !=
		SQLITE_OK) {
		return false;
	}
	sqlite3_bind_int64(stmt, 1, (int64_t)id);
	bool ok = sqlite3_step(stmt) == SQLITE_DONE;
	sqlite3_finalize(stmt);
	return ok;
}

enum err_code runs_save(struct runs *runs, const struct run *run, struct err *err)
{
	pthread_mutex_lock(&runs->lock);
	enum err_code rc = ERR_OK;
	if (!run_sql(runs, "BEGIN IMMEDIATE") || !delete_run(runs, run->id) ||
		!save_run(runs, run) || !save_points(runs, run) || !run_sql(runs, "COMMIT")) {
		rc = db_error(runs, "keep the run", err);
		run_sql(runs, "ROLLBACK");
	}
	pthread_mutex_unlock(&runs->lock);
	return rc;
}

/* "SELECT columns FROM runs <rest>", with one integer bound. */
static sqlite3_stmt *select_runs(struct runs *runs, const char *rest, int64_t value)
{
	struct buf sql;
	buf_init(&sql, 8192);
	buf_puts(&sql, "SELECT ");
	column_list(&sql);
	buf_printf(&sql, " FROM runs %s", rest);
	sqlite3_stmt *stmt = NULL;
	if (!sql.failed &&
		sqlite3_prepare_v2(runs->db, buf_text(&sql), -1, &stmt, NULL) == SQLITE_OK) {
		sqlite3_bind_int64(stmt, 1, value);
	}
	buf_fini(&sql);
	return stmt;
}

static void read_row(sqlite3_stmt *stmt, struct run *run)
{
	memset(run, 0, sizeof *run);
	for (int i = 0; i < COLUMN_COUNT; i++) {
		read_column(stmt, i, run);
	}
	run->progress = 1;
}

static bool load_points(struct runs *runs, struct run *run)
{
	sqlite3_stmt *stmt;
	if (sqlite3_prepare_v2(runs->db,
		    "SELECT position, hfr_px, error_px, stars, flux_ratio, used, validation, why"
		    " FROM points WHERE run = ? ORDER BY number",
		    -1, &stmt, NULL) != SQLITE_OK) {
		return false;
	}
	sqlite3_bind_int64(stmt, 1, (int64_t)run->id);
	size_t room = 0;
	int step;
	while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (run->point_count == room) {
			room = room == 0 ? 32 : 2 * room;
			struct run_point *more = realloc(run->points, room * sizeof *more);
			if (more == NULL) {
				break;
			}
			run->points = more;
		}
		struct run_point *p = &run->points[run->point_count++];
		p->position = column_real(stmt, 0);
		p->hfr_px = column_real(stmt, 1);
		p->error_px = column_real(stmt, 2);
		p->stars = sqlite3_column_int(stmt, 3);
		p->flux_ratio = column_real(stmt, 4);
		p->used = sqlite3_column_int(stmt, 5) != 0;
		p->validation = sqlite3_column_int(stmt, 6) != 0;
		column_text(stmt, 7, p->why, sizeof p->why);
	}
	sqlite3_finalize(stmt);
	return step == SQLITE_DONE;
}

/* The first run of a selection with its points; NULL with err filled.  With the lock held. */
static struct run *load_first(struct runs *runs, sqlite3_stmt *stmt, struct err *err)
{
	int step = stmt == NULL ? SQLITE_ERROR : sqlite3_step(stmt);
	if (step == SQLITE_DONE) {
		sqlite3_finalize(stmt);
		err_set(err, ERR_INVALID_VALUE, "there is no such run");
		return NULL;
	}
	struct run *run = step == SQLITE_ROW ? malloc(sizeof *run) : NULL;
	if (run != NULL) {
		read_row(stmt, run);
	}
	sqlite3_finalize(stmt);
	if (run == NULL || !load_points(runs, run)) {
		db_error(runs, "be read", err);
		run_free(run);
		return NULL;
	}
	return run;
}

struct run *runs_load(struct runs *runs, uint64_t id, struct err *err)
{
	if (id > INT64_MAX) {
		err_set(err, ERR_INVALID_VALUE, "there is no such run");
		return NULL;
	}
	pthread_mutex_lock(&runs->lock);
	struct run *run = load_first(runs, select_runs(runs, "WHERE id = ?", (int64_t)id), err);
	pthread_mutex_unlock(&runs->lock);
	return run;
}

struct run *runs_last(struct runs *runs, int focuser)
{
	pthread_mutex_lock(&runs->lock);
	struct run *run = load_first(runs,
		select_runs(runs, "WHERE focuser = ? ORDER BY id DESC LIMIT 1", focuser), NULL);
	pthread_mutex_unlock(&runs->lock);
	return run;
}

enum err_code runs_list_json(struct runs *runs, int limit, struct buf *out, struct err *err)
{
	enum err_code rc = ERR_OK;
	pthread_mutex_lock(&runs->lock);
	sqlite3_stmt *stmt = select_runs(runs, "ORDER BY id DESC LIMIT ?", limit < 0 ? 0 : limit);
	int step = stmt == NULL ? SQLITE_ERROR : sqlite3_step(stmt);
	buf_putc(out, '[');
	for (int i = 0; step == SQLITE_ROW; i++) {
		struct run run;
		read_row(stmt, &run);
		if (i > 0) {
			buf_putc(out, ',');
		}
		run_json_summary(&run, out);
		step = sqlite3_step(stmt);
	}
	buf_putc(out, ']');
	if (step != SQLITE_DONE) {
		rc = db_error(runs, "be read", err);
	}
	sqlite3_finalize(stmt);
	pthread_mutex_unlock(&runs->lock);
	return rc;
}

bool runs_history(struct runs *runs, int focuser, int camera, int binning,
	double *slope_px_per_step, double *hfr_min_px)
{
	bool known = false;
	sqlite3_stmt *stmt;
	pthread_mutex_lock(&runs->lock);
	if (sqlite3_prepare_v2(runs->db,
		    "SELECT abs(fit_k), abs(fit_a) + coalesce(fit_y0, 0) FROM runs WHERE focuser = "
		    "?"
		    " AND camera = ? AND binning = ? AND state = ? AND fit_k IS NOT NULL"
		    " AND fit_a IS NOT NULL ORDER BY id DESC LIMIT 1",
		    -1, &stmt, NULL) == SQLITE_OK) {
		sqlite3_bind_int(stmt, 1, focuser);
		sqlite3_bind_int(stmt, 2, camera);
		sqlite3_bind_int(stmt, 3, binning);
		sqlite3_bind_int(stmt, 4, RUN_SUCCEEDED);
		if (sqlite3_step(stmt) == SQLITE_ROW) {
			known = true;
			*slope_px_per_step = sqlite3_column_double(stmt, 0);
			*hfr_min_px = sqlite3_column_double(stmt, 1);
		}
		sqlite3_finalize(stmt);
	}
	pthread_mutex_unlock(&runs->lock);
	return known;
}
