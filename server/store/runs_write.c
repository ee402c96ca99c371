/* SPDX-License-Identifier: MIT */
/* Writes to the database: runs, and the numbers that are used up. */
#include "runs_db.h"

#include <sqlite3.h>
#include <stdio.h>

static bool save_run(struct runs_db *runs, const struct run *run)
{
	struct buf sql;
	buf_init(&sql, 8192);
	buf_puts(&sql, "INSERT INTO runs (");
	runs_columns_list(&sql);
	buf_puts(&sql, ") VALUES (?");
	for (int i = 1; i < runs_columns_count(); i++) {
		buf_puts(&sql, ", ?");
	}
	buf_puts(&sql, ")");
	sqlite3_stmt *stmt = NULL;
	bool ok = !sql.failed &&
		  sqlite3_prepare_v2(runs->db, buf_text(&sql), -1, &stmt, NULL) == SQLITE_OK;
	if (ok) {
		runs_columns_bind(stmt, run);
	}
	ok = ok && sqlite3_step(stmt) == SQLITE_DONE;
	sqlite3_finalize(stmt);
	buf_fini(&sql);
	return ok;
}

static bool save_points(struct runs_db *runs, const struct run *run)
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
		runs_bind_real(stmt, 3, numbering_motor_part(&run->numbering, p->position));
		runs_bind_real(stmt, 4, p->hfr_px);
		runs_bind_real(stmt, 5, p->error_px);
		sqlite3_bind_int(stmt, 6, p->stars);
		runs_bind_real(stmt, 7, p->flux_ratio);
		sqlite3_bind_int(stmt, 8, p->used);
		sqlite3_bind_int(stmt, 9, p->validation);
		sqlite3_bind_text(stmt, 10, p->why, -1, SQLITE_TRANSIENT);
		ok = sqlite3_step(stmt) == SQLITE_DONE;
	}
	sqlite3_finalize(stmt);
	return ok;
}

static bool delete_run(struct runs_db *runs, uint64_t id)
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

enum err_code runs_db_save(struct runs_db *runs, const struct run *run, struct err *err)
{
	if (runs_db_sql(runs, "BEGIN IMMEDIATE") && delete_run(runs, run->id) && save_run(runs, run) &&
		save_points(runs, run) && runs_db_sql(runs, "COMMIT")) {
		return ERR_OK;
	}
	enum err_code code = runs_db_error(runs, "keep the run", err);
	runs_db_sql(runs, "ROLLBACK");
	return code;
}

/* The counter is asked, not the largest row alone, so that an id whose run was lost in a crash stays used; the larger
 * of both counts, in case somebody has put a run in by hand. */
#define HIGHEST "SELECT max(value, (SELECT coalesce(max(id), 0) FROM runs)) FROM counters WHERE name = 'run'"

enum err_code runs_db_highest(struct runs_db *runs, uint64_t *highest, struct err *err)
{
	int64_t value = 0;
	if (!runs_db_number(runs, HIGHEST, &value)) {
		return runs_db_error(runs, "be read", err);
	}
	*highest = value > 0 ? (uint64_t)value : 0;
	return ERR_OK;
}

static bool set_counter(struct runs_db *runs, uint64_t value)
{
	char sql[80];
	snprintf(sql, sizeof sql, "UPDATE counters SET value = %llu WHERE name = 'run'",
		(unsigned long long)value);
	return runs_db_sql(runs, sql);
}

enum err_code runs_db_reserve(struct runs_db *runs, uint64_t below, uint64_t count, uint64_t *highest,
	uint64_t *reserved, struct err *err)
{
	uint64_t used = 0;
	uint64_t rows = 0;
	int64_t row = 0;
	bool ok = runs_db_sql(runs, "BEGIN IMMEDIATE") && runs_db_highest(runs, &used, NULL) == ERR_OK &&
		  runs_db_number(runs, "SELECT coalesce(max(id), 0) FROM runs", &row);
	rows = row > 0 ? (uint64_t)row : 0;
	/* At the start nobody has an id yet, and all ids that an earlier process reserved count as used. */
	*highest = below == 0 ? used : rows > below ? rows : below;
	if (ok && set_counter(runs, *highest + count) && runs_db_sql(runs, "COMMIT")) {
		*reserved = *highest + count;
		return ERR_OK;
	}
	enum err_code code = runs_db_error(runs, "reserve numbers of runs", err);
	runs_db_sql(runs, "ROLLBACK");
	return code;
}

enum err_code runs_db_unreserve(struct runs_db *runs, uint64_t highest, struct err *err)
{
	return set_counter(runs, highest) ? ERR_OK : runs_db_error(runs, "give numbers of runs back", err);
}

enum err_code runs_db_forget(struct runs_db *runs, int focuser, uint64_t upto, struct err *err)
{
	char sql[100];
	snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO forgotten VALUES (%d, %llu)", focuser,
		(unsigned long long)upto);
	return runs_db_sql(runs, sql) ? ERR_OK : runs_db_error(runs, "forget", err);
}

enum err_code runs_db_cut_short(struct runs_db *runs, int *count, struct err *err)
{
	char sql[400];
	snprintf(sql, sizeof sql,
		"UPDATE runs SET state = %d, phase = 'over', code = '%s', duration_s = NULL,"
		" final_position = NULL, reason = 'cut short: focusd ended before the run did; where the focuser"
		" stood in the end is not known' WHERE state = %d",
		RUN_ABORTED, err_name(ERR_CANCELLED), RUN_RUNNING);
	if (!runs_db_sql(runs, sql)) {
		return runs_db_error(runs, "close runs that were cut short", err);
	}
	*count = sqlite3_changes(runs->db);
	return ERR_OK;
}
