/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "json.h"
#include "runs_db.h"
#include "sample_run.h"

static char folder[64];

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/focusd-runs-XXXXXX");
	assert_non_null(mkdtemp(folder));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	static const char *const names[] = {"focusd.db", "focusd.db-journal", "focusd.db-wal", "focusd.db-shm", ""};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char path[200];
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		remove(path);
	}
	return 0;
}

static struct runs_db *open_store(void)
{
	struct runs_db *runs = NULL;
	struct err err = {0};
	if (runs_db_open(folder, &runs, &err) != ERR_OK) {
		fail_msg("%s", err.text);
	}
	return runs;
}

/* Reserves `count` ids behind `below`; the highest that was used up before. */
static uint64_t reserve(struct runs_db *runs, uint64_t below, uint64_t count)
{
	uint64_t highest = 0;
	uint64_t reserved = 0;
	assert_int_equal(runs_db_reserve(runs, below, count, &highest, &reserved, NULL), ERR_OK);
	assert_int_equal(reserved, highest + count);
	return highest;
}

static void test_ids(void **state)
{
	(void)state;
	struct runs_db *runs = open_store();
	assert_int_equal(reserve(runs, 0, 16), 0);
	runs_db_close(runs);
	/* Nothing was saved under these, still they are used up; what was not given out is given back. */
	runs = open_store();
	assert_int_equal(reserve(runs, 0, 16), 16);
	assert_int_equal(runs_db_unreserve(runs, 17, NULL), ERR_OK);
	uint64_t highest = 0;
	assert_int_equal(runs_db_highest(runs, &highest, NULL), ERR_OK);
	assert_int_equal(highest, 17);
	/* Somebody has put a run in by hand. */
	struct run_point points[3];
	struct run run = sample_run(41, points);
	assert_int_equal(runs_db_save(runs, &run, NULL), ERR_OK);
	assert_int_equal(reserve(runs, 17, 16), 41);
	runs_db_close(runs);
}

static void same_json(const struct run *a, const struct run *b)
{
	struct buf x, y;
	buf_init(&x, 65536);
	buf_init(&y, 65536);
	run_json(a, &x);
	run_json(b, &y);
	assert_string_equal(buf_text(&x), buf_text(&y));
	buf_fini(&x);
	buf_fini(&y);
}

static void test_round_trip(void **state)
{
	(void)state;
	struct run_point points[3];
	struct run run = sample_run(5, points);
	struct runs_db *runs = open_store();
	assert_int_equal(runs_db_save(runs, &run, NULL), ERR_OK);
	runs_db_close(runs);
	runs = open_store();
	struct err err = {0};
	struct run *loaded = runs_db_load(runs, 5, &err);
	assert_non_null(loaded);
	same_json(&run, loaded);
	run_free(loaded);
	/* Saving again replaces, points included. */
	run.point_count = 1;
	run.state = RUN_FAILED;
	run.code = ERR_VALIDATION;
	memcpy(run.reason, "it's \"so\"; DROP", 16);
	assert_int_equal(runs_db_save(runs, &run, NULL), ERR_OK);
	loaded = runs_db_load(runs, 5, &err);
	assert_non_null(loaded);
	assert_int_equal(loaded->code, ERR_VALIDATION);
	same_json(&run, loaded);
	run_free(loaded);
	assert_null(runs_db_load(runs, 6, &err));
	assert_int_equal(err.code, ERR_INVALID_VALUE);
	assert_null(runs_db_load(runs, UINT64_MAX, &err));
	runs_db_close(runs);
}

/* A number that another program reads from the database. */
static double read_real(const char *sql)
{
	char path[200];
	snprintf(path, sizeof path, "%s/focusd.db", folder);
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	double value = sqlite3_column_double(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return value;
}

/* What is kept are the motor's own numbers: 2000 more than published where the lower limit is 2000, and counted down
 * from 40000 where they are reversed. */
static void test_the_motors_numbers_are_kept(void **state)
{
	(void)state;
	struct run_point points[3];
	struct runs_db *runs = open_store();
	struct err err = {0};
	struct run up = sample_run(5, points);
	up.numbering = (struct numbering){.known = true, .calibrated = true, .low = 2000, .high = 40000};
	assert_int_equal(runs_db_save(runs, &up, NULL), ERR_OK);
	struct run down = sample_run(6, points);
	down.numbering = (struct numbering){.known = true, .reversed = true, .low = 2000, .high = 40000};
	assert_int_equal(runs_db_save(runs, &down, NULL), ERR_OK);
	static const struct {
		const char *sql;
		double value;
	} rows[] = {
		{"SELECT start_position FROM runs WHERE id = 5", 9600},
		{"SELECT best_position FROM runs WHERE id = 5", 9990.25},
		{"SELECT interval95_low_steps FROM runs WHERE id = 5", 9987},
		{"SELECT fit_x0 FROM runs WHERE id = 5", 9990.25},
		{"SELECT position FROM points WHERE run = 5 AND number = 1", 9900.5},
		{"SELECT motor_low FROM runs WHERE id = 5", 2000},
		{"SELECT final_position FROM runs WHERE id = 6", 32010},
		{"SELECT interval95_low_steps FROM runs WHERE id = 6", 32006.5},
		{"SELECT interval95_high_steps FROM runs WHERE id = 6", 32013},
		{"SELECT position FROM points WHERE run = 6 AND number = 0", 31900},
		{"SELECT uncertainty_steps FROM runs WHERE id = 6", 1.5},
		{"SELECT json_extract(field, '$.train.value[0]') FROM runs WHERE id = 5", 9990.5},
		{"SELECT json_extract(field, '$.train.value[0]') FROM runs WHERE id = 6", 32009.5},
		{"SELECT json_extract(field, '$.train.value[1]') FROM runs WHERE id = 6", -16.5},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		double value = read_real(rows[i].sql);
		if (value != rows[i].value) {
			fail_msg("%s: %f", rows[i].sql, value);
		}
	}
	struct run *loaded = runs_db_load(runs, 5, &err);
	same_json(&up, loaded);
	run_free(loaded);
	loaded = runs_db_load(runs, 6, &err);
	same_json(&down, loaded);
	run_free(loaded);
	runs_db_close(runs);
}

/* A database of 0.1.0: its rows are read as they are, by a numbering that nobody knows. */
static void test_a_database_of_0_1_0(void **state)
{
	(void)state;
	struct run_point points[3];
	struct run run = sample_run(5, points);
	struct runs_db *runs = open_store();
	struct err err = {0};
	assert_int_equal(runs_db_save(runs, &run, NULL), ERR_OK);
	runs_db_close(runs);
	char path[200];
	snprintf(path, sizeof path, "%s/focusd.db", folder);
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
		"ALTER TABLE runs DROP COLUMN numbered; ALTER TABLE runs DROP COLUMN reversed;"
		"ALTER TABLE runs DROP COLUMN calibrated; ALTER TABLE runs DROP COLUMN motor_low;"
		"ALTER TABLE runs DROP COLUMN motor_high; ALTER TABLE runs DROP COLUMN mode;"
		"ALTER TABLE runs DROP COLUMN overhead_s;"
		"ALTER TABLE runs DROP COLUMN note; ALTER TABLE runs DROP COLUMN focal_length_mm;"
		"ALTER TABLE runs DROP COLUMN aperture_mm; ALTER TABLE runs DROP COLUMN slope_px_per_step;"
		"ALTER TABLE runs DROP COLUMN slope_sigma; ALTER TABLE runs DROP COLUMN hfr_min_px;"
		"ALTER TABLE runs DROP COLUMN hfr_min_sigma_px; ALTER TABLE runs DROP COLUMN asymmetry;"
		"ALTER TABLE runs DROP COLUMN asymmetry_sigma; ALTER TABLE runs DROP COLUMN backlash_seen_steps;"
		"ALTER TABLE runs DROP COLUMN field; ALTER TABLE runs DROP COLUMN fit_e; DROP TABLE forgotten;"
		"PRAGMA user_version = 1", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	runs = open_store();
	struct run *loaded = runs_db_load(runs, 5, &err);
	assert_non_null(loaded);
	assert_false(loaded->numbering.known);
	run.field.known = false;
	run.curve.e = NAN;
	run.taught = (struct run_taught){NAN, NAN, NAN, NAN, NAN, NAN, NAN};
	run.mode[0] = '\0';
	run.overhead_s = NAN;
	same_json(&run, loaded);
	run_free(loaded);
	runs_db_close(runs);
	assert_true(read_real("PRAGMA user_version") == 5);
}

static uint64_t listed[8];
static size_t listed_count;

static bool note_row(void *arg, const struct run *run)
{
	size_t *limit = arg;
	assert_null(run->points);
	listed[listed_count++] = run->id;
	return listed_count < *limit;
}

static void test_last_and_each(void **state)
{
	(void)state;
	struct runs_db *runs = open_store();
	struct err err = {0};
	size_t limit = 8;
	listed_count = 0;
	assert_int_equal(runs_db_each(runs, note_row, &limit, NULL), ERR_OK);
	assert_int_equal(listed_count, 0);
	assert_null(runs_db_last(runs, 0, &err));
	assert_int_equal(err.code, ERR_INVALID_VALUE);
	struct run_point points[3];
	for (uint64_t id = 1; id <= 5; id++) {
		struct run run = sample_run(id, points);
		run.focuser = id == 3 ? 2 : 0;
		run.state = id == 5 ? RUN_RUNNING : run.state;
		assert_int_equal(runs_db_save(runs, &run, NULL), ERR_OK);
	}
	struct run *last = runs_db_last(runs, 2, NULL);
	assert_non_null(last);
	assert_int_equal(last->id, 3);
	assert_int_equal(last->point_count, 3);
	run_free(last);
	/* One that is not over is no history. */
	limit = 3;
	assert_int_equal(runs_db_each(runs, note_row, &limit, NULL), ERR_OK);
	assert_int_equal(listed_count, 3);
	assert_int_equal(listed[0], 4);
	assert_int_equal(listed[1], 3);
	assert_int_equal(listed[2], 2);
	runs_db_close(runs);
}

static uint64_t taught[8];
static size_t taught_count;

static bool note_lesson(void *arg, const struct run *run)
{
	assert_ptr_equal(arg, taught);
	assert_true(taught_count < 8);
	taught[taught_count++] = run->id;
	return true;
}

static size_t lessons(struct runs_db *runs, int focuser)
{
	taught_count = 0;
	assert_int_equal(runs_db_lessons(runs, focuser, note_lesson, taught, NULL), ERR_OK);
	return taught_count;
}

/* Only successes of the focuser teach, newest first, and none that was forgotten; the rows stay. */
static void test_lessons(void **state)
{
	(void)state;
	struct runs_db *runs = open_store();
	struct run_point points[3];
	assert_int_equal(lessons(runs, 0), 0);
	static const enum run_state ends[] = {RUN_SUCCEEDED, RUN_FAILED, RUN_ABORTED, RUN_RUNNING, RUN_SUCCEEDED};
	for (uint64_t id = 1; id <= 5; id++) {
		struct run run = sample_run(id, points);
		run.state = ends[id - 1];
		assert_int_equal(runs_db_save(runs, &run, NULL), ERR_OK);
	}
	assert_int_equal(lessons(runs, 1), 0);
	assert_int_equal(lessons(runs, 0), 2);
	assert_true(taught[0] == 5 && taught[1] == 1);
	assert_int_equal(runs_db_forget(runs, 0, 3, NULL), ERR_OK);
	assert_int_equal(runs_db_forget(runs, 1, 9, NULL), ERR_OK);
	runs_db_close(runs);
	runs = open_store();
	assert_int_equal(lessons(runs, 0), 1);
	assert_true(taught[0] == 5);
	assert_int_equal(runs_db_forget(runs, 0, 5, NULL), ERR_OK);
	assert_int_equal(lessons(runs, 0), 0);
	struct run *kept = runs_db_load(runs, 5, NULL);
	assert_non_null(kept);
	run_free(kept);
	runs_db_close(runs);
}

/* A run whose process did not live to close it. */
static void test_cut_short(void **state)
{
	(void)state;
	struct run_point points[3];
	struct run run = sample_run(3, points);
	run.state = RUN_RUNNING;
	struct run over = sample_run(2, points);
	struct runs_db *runs = open_store();
	assert_int_equal(runs_db_save(runs, &over, NULL), ERR_OK);
	assert_int_equal(runs_db_save(runs, &run, NULL), ERR_OK);
	int count = 0;
	assert_int_equal(runs_db_cut_short(runs, &count, NULL), ERR_OK);
	assert_int_equal(count, 1);
	struct run *cut = runs_db_load(runs, 3, NULL);
	assert_non_null(cut);
	assert_int_equal(cut->state, RUN_ABORTED);
	assert_int_equal(cut->code, ERR_CANCELLED);
	assert_non_null(strstr(cut->reason, "cut short"));
	assert_true(cut->start_position == 7600);
	assert_true(isnan(cut->final_position) && isnan(cut->duration_s));
	run_free(cut);
	cut = runs_db_load(runs, 2, NULL);
	same_json(cut, &over);
	run_free(cut);
	runs_db_close(runs);
}

/* What another program does: it holds the database; a try ends soon, says so, and nothing is called damaged. */
static void test_held_by_another(void **state)
{
	(void)state;
	struct runs_db *runs = open_store();
	char path[200];
	snprintf(path, sizeof path, "%s/focusd.db", folder);
	sqlite3 *other = NULL;
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN; SELECT count(*) FROM runs", NULL, NULL, NULL), SQLITE_OK);
	struct run_point points[3];
	struct run run = sample_run(1, points);
	struct err err = {0};
	/* A reader is in nobody's way. */
	assert_int_equal(runs_db_save(runs, &run, &err), ERR_OK);
	assert_int_equal(sqlite3_exec(other, "ROLLBACK; BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(runs_db_save(runs, &run, &err), ERR_TIMEOUT);
	assert_non_null(strstr(err.text, "another program"));
	struct run *loaded = runs_db_load(runs, 1, &err);
	assert_non_null(loaded);
	run_free(loaded);
	assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(runs_db_save(runs, &run, &err), ERR_OK);
	sqlite3_close(other);
	runs_db_close(runs);
}

static void test_unusable(void **state)
{
	(void)state;
	struct runs_db *runs = NULL;
	struct err err = {0};
	/* Without a place on the disk runs are kept in memory. */
	assert_int_equal(runs_db_open("/nonexistent/place", &runs, &err), ERR_OK);
	struct run_point points[3];
	struct run run = sample_run(1, points);
	assert_int_equal(runs_db_save(runs, &run, &err), ERR_OK);
	runs_db_close(runs);
	runs = NULL;
	char path[200];
	snprintf(path, sizeof path, "%s/focusd.db", folder);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < 400; i++) {
		fputs("this is no database ", file);
	}
	fclose(file);
	/* Put aside as it was, and begun anew. */
	assert_int_equal(runs_db_open(folder, &runs, &err), ERR_OK);
	assert_int_equal(reserve(runs, 0, 16), 0);
	runs_db_close(runs);
	runs_db_close(NULL);
	snprintf(path, sizeof path, "%s/focusd.db.damaged-1", folder);
	file = fopen(path, "r");
	assert_non_null(file);
	char text[21] = "";
	assert_non_null(fgets(text, sizeof text, file));
	assert_string_equal(text, "this is no database ");
	fclose(file);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ids, setup, teardown),
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_motors_numbers_are_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_database_of_0_1_0, setup, teardown),
		cmocka_unit_test_setup_teardown(test_last_and_each, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lessons, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_short, setup, teardown),
		cmocka_unit_test_setup_teardown(test_held_by_another, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unusable, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
