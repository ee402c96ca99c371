/* SPDX-License-Identifier: MIT */
/* Opening the database whatever its place has become: damaged, full, read-only, or no file at all. */
#include "runs_db.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "log.h"
#include "state.h"

/* A season of runs is a few megabytes; a file beyond this is none of ours, and would be read whole at each start. */
#define DB_MAX_BYTES ((off_t)1 << 30)

static const char *const tails[] = {"", "-journal", "-wal", "-shm"};
#define TAIL_COUNT (sizeof tails / sizeof tails[0])

/* Puts a damaged database and its journals, which must never be played back into another file, aside. */
static enum err_code put_aside(const char *path, const char *reason, struct err *err)
{
	char aside[STATE_PATH_MAX];
	if (!state_put_aside(path, aside)) {
		return err_set(
			err, ERR_IO, "the damaged %.120s cannot be put aside: %s", path, strerror(errno));
	}
	for (size_t i = 1; i < TAIL_COUNT; i++) {
		char from[STATE_PATH_MAX];
		char to[STATE_PATH_MAX + 8];
		snprintf(from, sizeof from, "%s%s", path, tails[i]);
		snprintf(to, sizeof to, "%s%s", aside, tails[i]);
		if (rename(from, to) != 0 && errno != ENOENT) {
			return err_set(
				err, ERR_IO, "the damaged %.120s cannot be put aside: %s", from, strerror(errno));
		}
	}
	log_error("store", "the run store was damaged (%s): kept as %s, begun anew", reason, aside);
	return ERR_OK;
}

/* What is wrong with the file itself, before SQLite opens it; NULL when nothing is, or when there is none. */
static const char *fault_of(const char *path, bool may_be_empty)
{
	struct stat facts;
	if (lstat(path, &facts) != 0) {
		return NULL;
	}
	if (!S_ISREG(facts.st_mode)) {
		return "it is no regular file";
	}
	if (facts.st_size > DB_MAX_BYTES) {
		return "it is too large";
	}
	/* SQLite would take an empty file for a new database without a word. */
	return facts.st_size == 0 && !may_be_empty ? "it is empty" : NULL;
}

static enum err_code clear_faults(const char *path, struct err *err)
{
	const char *fault = fault_of(path, false);
	if (fault != NULL) {
		return put_aside(path, fault, err);
	}
	for (size_t i = 1; i < TAIL_COUNT; i++) {
		char name[STATE_PATH_MAX];
		char aside[STATE_PATH_MAX];
		snprintf(name, sizeof name, "%s%s", path, tails[i]);
		fault = fault_of(name, true);
		if (fault != NULL && !state_put_aside(name, aside)) {
			return err_set(
				err, ERR_IO, "the damaged %.120s cannot be put aside: %s", name, strerror(errno));
		}
		if (fault != NULL) {
			log_error("store", "%s was damaged (%s): kept as %s", name, fault, aside);
		}
	}
	return ERR_OK;
}

/* A history that cannot be read must not cost the night.  Numbers go on where they can be read. */
static enum err_code replace_damaged(struct runs_db *runs, const char *reason, struct err *err)
{
	int64_t last = 0;
	runs_db_number(runs, "SELECT value FROM counters WHERE name = 'run'", &last);
	sqlite3_close(runs->db);
	runs->db = NULL;
	enum err_code code = put_aside(runs->path, reason, err);
	bool damaged;
	if (code == ERR_OK) {
		code = runs_db_open_file(runs, RUNS_DB_SHARED, &damaged, err);
	}
	if (code == ERR_OK && last > 0) {
		code = runs_db_unreserve(runs, (uint64_t)last, err);
	}
	return code;
}

static void close_handle(struct runs_db *runs)
{
	sqlite3_close(runs->db);
	runs->db = NULL;
}

/* Copies the database as it is on a disk that takes nothing into memory; false when it cannot be read. What stands in
 * a journal beside it cannot be played back there, so the last runs may be missing. */
static bool copy_of_disk(struct runs_db *runs)
{
	char uri[3 * STATE_PATH_MAX + 40] = "file:";
	size_t at = strlen(uri);
	for (const char *p = runs->path; *p != '\0'; p++) {
		at += (size_t)snprintf(uri + at, 4, strchr("?#%", *p) != NULL ? "%%%02x" : "%c", (unsigned char)*p);
	}
	snprintf(uri + at, sizeof uri - at, "?mode=ro&immutable=1");
	sqlite3 *disk = NULL;
	bool ok = fault_of(runs->path, false) == NULL &&
		sqlite3_open_v2(uri, &disk, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL) ==
			SQLITE_OK;
	sqlite3_backup *backup = ok ? sqlite3_backup_init(runs->db, "main", disk, "main") : NULL;
	ok = backup != NULL && sqlite3_backup_step(backup, -1) == SQLITE_DONE;
	sqlite3_backup_finish(backup);
	sqlite3_close(disk);
	return ok;
}

/* The last resort: a database in memory, with what the disk lets be read. */
static enum err_code open_in_memory(struct runs_db *runs, struct err *err)
{
	struct err why = {0};
	bool damaged;
	close_handle(runs);
	if (sqlite3_open_v2(":memory:", &runs->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
		copy_of_disk(runs) && runs_db_prepare(runs, RUNS_DB_IN_MEMORY, &damaged, &why) == ERR_OK) {
		return ERR_OK;
	}
	close_handle(runs);
	return runs_db_open_file(runs, RUNS_DB_IN_MEMORY, &damaged, err);
}

/* The disk refused: without its two side files, for which it may have no room, and else without the disk. */
static enum err_code fall_back(struct runs_db *runs, const struct err *reason, struct err *err)
{
	bool damaged = false;
	close_handle(runs);
	if (runs_db_open_file(runs, RUNS_DB_ALONE, &damaged, NULL) == ERR_OK) {
		log_error("store", "%s; runs are kept in memory until the disk takes them, and no other program can "
			"read the run store meanwhile", reason->text);
		return ERR_OK;
	}
	enum err_code code = open_in_memory(runs, err);
	if (code == ERR_OK) {
		log_error("store", "%s; no run is remembered: all of them are lost when focusd ends", reason->text);
	}
	return code;
}

enum err_code runs_db_open(const char *dir, struct runs_db **out, struct err *err)
{
	struct err why = {0};
	struct runs_db *runs = calloc(1, sizeof *runs);
	if (runs == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	if ((size_t)snprintf(runs->path, sizeof runs->path, "%s/focusd.db", dir) >= sizeof runs->path) {
		free(runs);
		return err_set(err, ERR_IO, "the path of the state directory is too long");
	}
	bool damaged = false;
	enum err_code code = clear_faults(runs->path, &why);
	if (code == ERR_OK) {
		code = runs_db_open_file(runs, RUNS_DB_SHARED, &damaged, &why);
	}
	if (code != ERR_OK && damaged) {
		struct err reason = why;
		code = replace_damaged(runs, reason.text, &why);
	}
	/* A database of a newer program is left to a person, and one that another program holds will be given back. */
	if (code == ERR_IO) {
		struct err reason = why;
		code = fall_back(runs, &reason, &why);
	}
	if (code != ERR_OK) {
		runs_db_close(runs);
		return err_copy(err, &why);
	}
	*out = runs;
	return ERR_OK;
}

void runs_db_close(struct runs_db *runs)
{
	if (runs != NULL) {
		sqlite3_close(runs->db);
		free(runs);
	}
}
