/* SPDX-License-Identifier: MIT */
/* The schema of the database, its mode and its soundness. */
#include "runs_db.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "log.h"

/* Changes of the schema in order; user_version says how many of them have been applied. A change that was released is
 * never edited; new ones are added at the end. */
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
	/* From here on positions are the motor's own numbers where numbered is 1, with the limits of the motor that
	 * they were published by (numbering.h).  Rows from before have NULL there and hold what 0.1.0 published. */
	"ALTER TABLE runs ADD COLUMN numbered INTEGER;"
	"ALTER TABLE runs ADD COLUMN reversed INTEGER;"
	"ALTER TABLE runs ADD COLUMN calibrated INTEGER;"
	"ALTER TABLE runs ADD COLUMN motor_low INTEGER;"
	"ALTER TABLE runs ADD COLUMN motor_high INTEGER;",
	/* What runs teach the next ones, of which telescope (rows from before: what their fits say), and up to which
	 * run of a focuser that was forgotten. */
	"ALTER TABLE runs ADD COLUMN mode TEXT; ALTER TABLE runs ADD COLUMN note TEXT;"
	"ALTER TABLE runs ADD COLUMN focal_length_mm REAL; ALTER TABLE runs ADD COLUMN aperture_mm REAL;"
	"ALTER TABLE runs ADD COLUMN slope_px_per_step REAL; ALTER TABLE runs ADD COLUMN slope_sigma REAL;"
	"ALTER TABLE runs ADD COLUMN hfr_min_px REAL; ALTER TABLE runs ADD COLUMN hfr_min_sigma_px REAL;"
	"ALTER TABLE runs ADD COLUMN asymmetry REAL; ALTER TABLE runs ADD COLUMN asymmetry_sigma REAL;"
	"ALTER TABLE runs ADD COLUMN backlash_seen_steps REAL;"
	"ALTER TABLE runs ADD COLUMN overhead_s REAL;"
	"CREATE TABLE forgotten (focuser INTEGER PRIMARY KEY, run INTEGER NOT NULL) WITHOUT ROWID;",
	/* What the stars of the run have taught of the field: run_field_json() of run.h. */
	"ALTER TABLE runs ADD COLUMN field TEXT;",
	/* Arms of different slopes. */
	"ALTER TABLE runs ADD COLUMN fit_e REAL;",
};
#define MIGRATION_COUNT ((int)(sizeof migrations / sizeof migrations[0]))

enum err_code runs_db_error(struct runs_db *runs, const char *what, struct err *err)
{
	int why = sqlite3_errcode(runs->db) & 0xFF;
	if (why == SQLITE_BUSY || why == SQLITE_LOCKED) {
		return err_set(err, ERR_TIMEOUT, "the run store cannot %s: another program holds it", what);
	}
	return err_set(err, ERR_IO, "the run store cannot %s: %s", what, sqlite3_errmsg(runs->db));
}

bool runs_db_sql(struct runs_db *runs, const char *sql)
{
	return sqlite3_exec(runs->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

bool runs_db_number(struct runs_db *runs, const char *sql, int64_t *out)
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

/* Asks the database whether it is sound; false with err filled when it is damaged or cannot be read. */
static bool is_sound(struct runs_db *runs, bool *damaged, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	const char *said = NULL;
	if (sqlite3_prepare_v2(runs->db, "PRAGMA quick_check(1)", -1, &stmt, NULL) == SQLITE_OK &&
		sqlite3_step(stmt) == SQLITE_ROW) {
		said = (const char *)sqlite3_column_text(stmt, 0);
	}
	bool ok = said != NULL && strcmp(said, "ok") == 0;
	/* A database that another program holds gives no answer at all, which does not mean that it is damaged. */
	*damaged = said != NULL && !ok;
	if (*damaged) {
		err_set(err, ERR_IO, "the run store %.120s is damaged: %.80s", runs->path, said);
	} else if (!ok) {
		runs_db_error(runs, "be read", err);
	}
	sqlite3_finalize(stmt);
	return ok;
}

static enum err_code check_version(struct runs_db *runs, int64_t *version, struct err *err)
{
	if (!runs_db_number(runs, "PRAGMA user_version", version)) {
		return runs_db_error(runs, "be read", err);
	}
	if (*version > MIGRATION_COUNT) {
		return err_set(err, ERR_INVALID_OPERATION,
			"the run store was written by a newer focusd (schema %d, this program knows %d)",
			(int)*version, MIGRATION_COUNT);
	}
	return ERR_OK;
}

static enum err_code migrate(struct runs_db *runs, struct err *err)
{
	/* The version is read inside the transaction, because another process may be migrating at this moment. */
	if (!runs_db_sql(runs, "BEGIN IMMEDIATE")) {
		return runs_db_error(runs, "be written", err);
	}
	int64_t version = 0;
	enum err_code code = check_version(runs, &version, err);
	if (code != ERR_OK) {
		runs_db_sql(runs, "ROLLBACK");
		return code;
	}
	bool ok = true;
	for (int i = (int)version; ok && i < MIGRATION_COUNT; i++) {
		char pragma[48];
		snprintf(pragma, sizeof pragma, "PRAGMA user_version = %d", i + 1);
		ok = runs_db_sql(runs, migrations[i]) && runs_db_sql(runs, pragma);
	}
	if (!ok || !runs_db_sql(runs, "COMMIT")) {
		code = runs_db_error(runs, "be brought up to date", err);
		runs_db_sql(runs, "ROLLBACK");
		return code;
	}
	return ERR_OK;
}

/* Switches to WAL, for which the database is needed alone for a moment; where that fails, it works on in its older
 * mode. */
static void switch_to_wal(struct runs_db *runs)
{
	sqlite3_stmt *stmt = NULL;
	bool ok = false;
	if (sqlite3_prepare_v2(runs->db, "PRAGMA journal_mode = WAL", -1, &stmt, NULL) == SQLITE_OK &&
		sqlite3_step(stmt) == SQLITE_ROW) {
		const char *mode = (const char *)sqlite3_column_text(stmt, 0);
		ok = mode != NULL && strcmp(mode, "wal") == 0;
	}
	sqlite3_finalize(stmt);
	if (!ok) {
		log_warn("store", "%s is not in WAL mode: while another program reads it, runs wait to be written",
			runs->path);
	}
}

/* Says how the database is used, before anything of it is read. */
static bool set_mode(struct runs_db *runs, enum runs_db_mode mode)
{
	/* EXTRA is FULL, and also safe in the older mode (see runs_db.h). */
	return sqlite3_busy_timeout(runs->db, RUNS_DB_OPEN_BUSY_MS) == SQLITE_OK &&
	       (mode != RUNS_DB_ALONE || runs_db_sql(runs, "PRAGMA locking_mode = EXCLUSIVE")) &&
	       runs_db_sql(runs, "PRAGMA synchronous = EXTRA; PRAGMA foreign_keys = ON");
}

enum err_code runs_db_prepare(struct runs_db *runs, enum runs_db_mode mode, bool *damaged, struct err *err)
{
	*damaged = false;
	int64_t version = 0;
	enum err_code code = ERR_OK;
	if (!set_mode(runs, mode)) {
		code = runs_db_error(runs, "be opened", err);
	} else {
		code = check_version(runs, &version, err);
	}
	if (code == ERR_OK && !is_sound(runs, damaged, err)) {
		code = err != NULL && err->code == ERR_TIMEOUT ? ERR_TIMEOUT : ERR_IO;
	}
	if (code == ERR_OK && mode == RUNS_DB_SHARED) {
		switch_to_wal(runs);
	}
	/* A database that is up to date is not written, for which the disk may have no room. */
	if (code == ERR_OK && version < MIGRATION_COUNT) {
		code = migrate(runs, err);
	}
	int why = sqlite3_errcode(runs->db) & 0xFF;
	*damaged |= code != ERR_OK && (why == SQLITE_CORRUPT || why == SQLITE_NOTADB);
	sqlite3_busy_timeout(runs->db, RUNS_DB_BUSY_MS);
	return code;
}

enum err_code runs_db_open_file(struct runs_db *runs, enum runs_db_mode mode, bool *damaged, struct err *err)
{
	*damaged = false;
	const char *path = mode == RUNS_DB_IN_MEMORY ? ":memory:" : runs->path;
	if (sqlite3_open_v2(path, &runs->db,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
		return err_set(err, ERR_IO, "cannot open %.120s: %s", path, sqlite3_errmsg(runs->db));
	}
	return runs_db_prepare(runs, mode, damaged, err);
}
