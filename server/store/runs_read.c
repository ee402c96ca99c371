/* SPDX-License-Identifier: MIT */
/* The queries: runs and what was learned from them are read from the database. */
#include "runs_db.h"

#include <sqlite3.h>
#include <stdlib.h>

/* Prepares "SELECT columns FROM runs <rest>" and binds one integer. */
static sqlite3_stmt *select_runs(struct runs_db *runs, const char *rest, int64_t value)
{
	struct buf sql;
	buf_init(&sql, 8192);
	buf_puts(&sql, "SELECT ");
	runs_columns_list(&sql);
	buf_printf(&sql, " FROM runs %s", rest);
	sqlite3_stmt *stmt = NULL;
	if (!sql.failed &&
		sqlite3_prepare_v2(runs->db, buf_text(&sql), -1, &stmt, NULL) == SQLITE_OK) {
		sqlite3_bind_int64(stmt, 1, value);
	}
	buf_fini(&sql);
	return stmt;
}

static bool load_points(struct runs_db *runs, struct run *run)
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
		p->position = numbering_published_part(&run->numbering, runs_read_real(stmt, 0));
		p->hfr_px = runs_read_real(stmt, 1);
		p->error_px = runs_read_real(stmt, 2);
		p->stars = sqlite3_column_int(stmt, 3);
		p->flux_ratio = runs_read_real(stmt, 4);
		p->used = sqlite3_column_int(stmt, 5) != 0;
		p->validation = sqlite3_column_int(stmt, 6) != 0;
		runs_read_text(stmt, 7, p->why, sizeof p->why);
	}
	sqlite3_finalize(stmt);
	return step == SQLITE_DONE;
}

/* Reads the first run of a selection with its points; NULL with err filled. */
static struct run *load_first(struct runs_db *runs, sqlite3_stmt *stmt, struct err *err)
{
	int step = stmt == NULL ? SQLITE_ERROR : sqlite3_step(stmt);
	if (step == SQLITE_DONE) {
		sqlite3_finalize(stmt);
		err_set(err, ERR_INVALID_VALUE, "there is no such run");
		return NULL;
	}
	struct run *run = step == SQLITE_ROW ? malloc(sizeof *run) : NULL;
	if (run != NULL) {
		runs_columns_read(stmt, run);
	}
	sqlite3_finalize(stmt);
	if (run == NULL || !load_points(runs, run)) {
		runs_db_error(runs, "be read", err);
		run_free(run);
		return NULL;
	}
	return run;
}

struct run *runs_db_load(struct runs_db *runs, uint64_t id, struct err *err)
{
	if (id > INT64_MAX) {
		err_set(err, ERR_INVALID_VALUE, "there is no run %llu", (unsigned long long)id);
		return NULL;
	}
	struct err why = {0};
	struct run *run = load_first(runs, select_runs(runs, "WHERE id = ?", (int64_t)id), &why);
	if (run == NULL && why.code == ERR_INVALID_VALUE) {
		err_set(err, ERR_INVALID_VALUE, "there is no run %llu", (unsigned long long)id);
	} else if (run == NULL) {
		err_copy(err, &why);
	}
	return run;
}

struct run *runs_db_last(struct runs_db *runs, int focuser, struct err *err)
{
	return load_first(runs, select_runs(runs, "WHERE focuser = ? ORDER BY id DESC LIMIT 1", focuser), err);
}

static enum err_code each(struct runs_db *runs, const char *which, int64_t value,
	bool (*row)(void *arg, const struct run *run), void *arg, struct err *err)
{
	sqlite3_stmt *stmt = select_runs(runs, which, value);
	int step = stmt == NULL ? SQLITE_ERROR : sqlite3_step(stmt);
	bool more = true;
	while (more && step == SQLITE_ROW) {
		struct run run;
		runs_columns_read(stmt, &run);
		more = row(arg, &run);
		step = more ? sqlite3_step(stmt) : SQLITE_DONE;
	}
	enum err_code code = step == SQLITE_DONE ? ERR_OK : runs_db_error(runs, "be read", err);
	sqlite3_finalize(stmt);
	return code;
}

enum err_code runs_db_each(struct runs_db *runs, bool (*row)(void *arg, const struct run *run), void *arg,
	struct err *err)
{
	return each(runs, "WHERE state <> ? ORDER BY id DESC", RUN_RUNNING, row, arg, err);
}

enum err_code runs_db_lessons(struct runs_db *runs, int focuser, bool (*row)(void *arg, const struct run *run),
	void *arg, struct err *err)
{
	_Static_assert(RUN_SUCCEEDED == 1, "the number in the statement");
	return each(runs, "WHERE focuser = ? AND state = 1 AND id > coalesce((SELECT run FROM forgotten"
		" WHERE forgotten.focuser = runs.focuser), 0) ORDER BY id DESC LIMIT 200", focuser, row, arg, err);
}
