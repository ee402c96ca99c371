/* SPDX-License-Identifier: MIT */
/*
 * The database of runs, the one door to SQLite.  Private to the room: the store's thread alone calls it (and
 * whoever opens and closes the store, before and after that thread).  Each call may wait for the disk, and
 * RUNS_DB_BUSY_MS for a lock of another program.
 *
 * The database is in WAL mode, so that a reader of another program never holds up a write, with
 * synchronous = FULL: a power cut at any moment leaves the last whole transaction
 * (https://www.sqlite.org/wal.html, https://www.sqlite.org/pragma.html#pragma_synchronous).  Where it cannot be
 * switched to WAL (another program holds it, a network disk) it stays as it is, and works all the same.  On a disk
 * that takes nothing it is opened for this program alone, and where that fails, too, a copy of it in memory is used:
 * runs_open.c.
 *
 * Errors: ERR_INVALID_OPERATION when a newer program wrote the database, ERR_TIMEOUT when another program
 * held a lock for too long, ERR_IO for all else of SQLite's.
 */
#ifndef FOCUSD_RUNS_DB_H
#define FOCUSD_RUNS_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "run.h"
#include "text.h"

/* A call waits so long for the lock of another program; the store tries again a second later. */
#define RUNS_DB_BUSY_MS 200
/* Opening the database waits longer: without it there are no ids, so more patience is worth it. */
#define RUNS_DB_OPEN_BUSY_MS 5000

struct sqlite3;
struct sqlite3_stmt;

struct runs_db {
	struct sqlite3 *db;
	char path[1100];
};

/* Opens or creates dir/focusd.db; see store_open(). */
enum err_code runs_db_open(const char *dir, struct runs_db **out, struct err *err);
void runs_db_close(struct runs_db *runs);

/* Reserves ids durably: all up to *reserved are used up. `below` is the highest id that was given out, 0 for none;
 * *highest becomes the highest id that was used up before this call. */
enum err_code runs_db_reserve(struct runs_db *runs, uint64_t below, uint64_t count, uint64_t *highest,
	uint64_t *reserved, struct err *err);

/* Gives back ids that were reserved and not used; `highest` is the last one that stays used up. */
enum err_code runs_db_unreserve(struct runs_db *runs, uint64_t highest, struct err *err);

/* Reads the highest id of a reservation or a row and writes nothing. */
enum err_code runs_db_highest(struct runs_db *runs, uint64_t *highest, struct err *err);

/* Closes runs that an earlier process left open because it did not live to close them: they are aborted, with a reason,
 * and their end is unknown. *count becomes their number. */
enum err_code runs_db_cut_short(struct runs_db *runs, int *count, struct err *err);

/* Writes a run, or replaces it with its points, in one transaction. */
enum err_code runs_db_save(struct runs_db *runs, const struct run *run, struct err *err);

/* Reads one run with its points, which the caller frees; NULL with ERR_INVALID_VALUE when there is none. */
struct run *runs_db_load(struct runs_db *runs, uint64_t id, struct err *err);

/* Reads the newest run of a focuser; the caller frees it, as with runs_db_load(). */
struct run *runs_db_last(struct runs_db *runs, int focuser, struct err *err);

/* Calls row() with each run that is over, newest first, without its points, until it returns false. */
enum err_code runs_db_each(struct runs_db *runs, bool (*row)(void *arg, const struct run *run), void *arg,
	struct err *err);

/* Calls row() with each run of the focuser that succeeded and was not forgotten, newest first, without its points, up
 * to 200 of them. */
enum err_code runs_db_lessons(struct runs_db *runs, int focuser, bool (*row)(void *arg, const struct run *run),
	void *arg, struct err *err);

/* Notes that the runs of this focuser, up to this number, are no lessons any more. */
enum err_code runs_db_forget(struct runs_db *runs, int focuser, uint64_t upto, struct err *err);

/* ---- shared by the files of the database ---- */

enum runs_db_mode {
	RUNS_DB_SHARED,    /* in WAL mode, beside readers of other programs */
	RUNS_DB_ALONE,     /* no other program can read it; needs no room for the shared index
	                    * (https://www.sqlite.org/wal.html#use_of_wal_without_shared_memory) */
	RUNS_DB_IN_MEMORY, /* lost when the program ends */
};

/* Opens the file (or makes one, or one in memory), and brings its schema up to date.  *damaged says that it can be
 * opened but is no sound database.  ERR_INVALID_OPERATION when a newer program wrote it.  runs->db is to be closed also
 * after an error. */
enum err_code runs_db_open_file(struct runs_db *runs, enum runs_db_mode mode, bool *damaged, struct err *err);

/* The same for a database that is open already. */
enum err_code runs_db_prepare(struct runs_db *runs, enum runs_db_mode mode, bool *damaged, struct err *err);

enum err_code runs_db_error(struct runs_db *runs, const char *what, struct err *err);
bool runs_db_sql(struct runs_db *runs, const char *sql);
bool runs_db_number(struct runs_db *runs, const char *sql, int64_t *out);

/* The columns of the table runs, in one order for binding and reading. */
void runs_columns_list(struct buf *sql);
int runs_columns_count(void);
void runs_columns_bind(struct sqlite3_stmt *stmt, const struct run *run);
void runs_columns_read(struct sqlite3_stmt *stmt, struct run *run);
/* Binds a number; NAN becomes null. */
void runs_bind_real(struct sqlite3_stmt *stmt, int at, double value);
double runs_read_real(struct sqlite3_stmt *stmt, int at);
void runs_read_text(struct sqlite3_stmt *stmt, int at, char *out, size_t cap);

#endif
