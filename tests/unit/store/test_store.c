/* SPDX-License-Identifier: MIT */
/* The store's thread over a disk that is slow, full, or held by another program.  That nobody waits is shown
 * without a clock: the disk comes back only after the calls that must not wait for it have returned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "sample_run.h"
#include "store.h"

static char folder[64];

/* ---- the disk under SQLite: https://www.sqlite.org/c3ref/vfs.html, xSetSystemCall ---- */

static _Atomic bool gate_shut; /* a write does not come back while this is true */
static _Atomic bool at_gate;   /* one waits there */
static _Atomic bool full;      /* a write fails */

static ssize_t slow_pwrite(int fd, const void *data, size_t len, off_t at)
{
	while (atomic_load(&gate_shut)) {
		atomic_store(&at_gate, true);
		sched_yield();
	}
	if (atomic_load(&full)) {
		errno = ENOSPC;
		return -1;
	}
	return pwrite(fd, data, len, at);
}

static void set_disk(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	assert_non_null(vfs);
	assert_int_equal(vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)slow_pwrite), SQLITE_OK);
	assert_int_equal(vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)slow_pwrite), SQLITE_OK);
}

static void shut_gate(void)
{
	atomic_store(&at_gate, false);
	atomic_store(&gate_shut, true);
}

static void wait_at_gate(void)
{
	while (!atomic_load(&at_gate)) {
		sched_yield();
	}
}

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/focusd-store-XXXXXX");
	assert_non_null(mkdtemp(folder));
	set_disk();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	static const char *const names[] = {
		"focusd.db", "focusd.db-journal", "focusd.db-wal", "focusd.db-shm", "port-0.json", ""};
	atomic_store(&gate_shut, false);
	atomic_store(&full, false);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char path[200];
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		remove(path);
	}
	return 0;
}

static struct store *open_store(void)
{
	struct store *store = NULL;
	struct err err = {0};
	if (store_open(folder, NULL, NULL, &store, &err) != ERR_OK) {
		fail_msg("%s", err.text);
	}
	return store;
}

static void keep(struct store *store, uint64_t id, enum run_state state)
{
	struct run_point points[3];
	struct run run = sample_run(id, points);
	run.state = state;
	assert_true(store_keep_run(store, &run));
}

static struct store_answer answer_to(struct store *store, uint64_t ticket)
{
	struct store_answer answer;
	while (!store_take(store, ticket, &answer)) {
		sched_yield();
	}
	return answer;
}

/* The ids of a list, as text: "3 2 1". */
static const char *ids_listed(struct store *store, int limit)
{
	static char out[200];
	struct store_answer answer = answer_to(store, store_ask_list(store, limit, NULL, 0));
	assert_int_equal(answer.err.code, ERR_OK);
	size_t n = 0;
	out[0] = '\0';
	for (const char *at = buf_text(&answer.text); (at = strstr(at, "\"run\":")) != NULL; at++) {
		n += (size_t)snprintf(out + n, sizeof out - n, "%s%d", n > 0 ? " " : "", (int)strtol(at + 6, NULL, 10));
	}
	store_answer_fini(&answer);
	return out;
}

/* Another program. */
static sqlite3 *other_program(const char *sql)
{
	char path[200];
	snprintf(path, sizeof path, "%s/focusd.db", folder);
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	return db;
}

static int number_of(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt;
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	int value = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return value;
}

static void nobody_waits_for_the_disk(void **state)
{
	(void)state;
	struct store *store = open_store();
	uint64_t first = store_next_run_id(store);
	shut_gate();
	keep(store, first, RUN_RUNNING);
	wait_at_gate();
	uint64_t second = store_next_run_id(store);
	assert_int_equal(second, first + 1);
	keep(store, first, RUN_SUCCEEDED);
	keep(store, second, RUN_FAILED);
	uint64_t list = store_ask_list(store, 10, NULL, 0);
	uint64_t one = store_ask_run(store, first);
	char path[200];
	snprintf(path, sizeof path, "%s/port-0.json", folder);
	store_write_file(store, path, "{}\n", "focuser.0", "it is learned anew");
	struct store_history history;
	const struct run like = {.focuser = 5, .camera = 5, .binning = 1};
	assert_false(store_history(store, &like, 0, &history));
	struct store_answer answer;
	assert_false(store_take(store, list, &answer));
	assert_false(store_take(store, one, &answer));
	atomic_store(&gate_shut, false);
	answer = answer_to(store, one);
	assert_int_equal(answer.err.code, ERR_OK);
	assert_int_equal(answer.run->state, RUN_SUCCEEDED);
	assert_int_equal(answer.run->point_count, 3);
	store_answer_fini(&answer);
	answer = answer_to(store, list);
	store_answer_fini(&answer);
	assert_string_equal(ids_listed(store, 10), "2 1");
	store_flush(store);
	assert_int_equal(access(path, R_OK), 0);
	store_close(store);
	store = open_store();
	assert_string_equal(ids_listed(store, 10), "2 1");
	store_close(store);
}

static void kept_while_locked_and_written_in_order(void **state)
{
	(void)state;
	struct store *store = open_store();
	sqlite3 *other = other_program("CREATE TABLE seen (run INTEGER, at INTEGER PRIMARY KEY AUTOINCREMENT);"
				       "CREATE TRIGGER note AFTER INSERT ON runs BEGIN"
				       " INSERT INTO seen (run) VALUES (new.id); END; BEGIN EXCLUSIVE");
	keep(store, 3, RUN_FAILED);
	keep(store, 1, RUN_SUCCEEDED);
	keep(store, 2, RUN_ABORTED);
	store_flush(store);
	/* What is kept counts as history. */
	assert_string_equal(ids_listed(store, 10), "3 2 1");
	assert_string_equal(ids_listed(store, 2), "3 2");
	assert_int_equal(number_of(other, "SELECT count(*) FROM runs"), 0);
	assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	keep(store, 4, RUN_SUCCEEDED); /* tried at once, and with it all before it */
	store_flush(store);
	assert_int_equal(number_of(other, "SELECT count(*) FROM runs"), 4);
	static const int order[] = {3, 1, 2, 4};
	for (int i = 0; i < 4; i++) {
		char sql[80];
		snprintf(sql, sizeof sql, "SELECT run FROM seen ORDER BY at LIMIT 1 OFFSET %d", i);
		assert_int_equal(number_of(other, sql), order[i]);
	}
	sqlite3_close(other);
	store_close(store);
}

static void kept_while_full(void **state)
{
	(void)state;
	struct store *store = open_store();
	keep(store, store_next_run_id(store), RUN_SUCCEEDED);
	store_flush(store);
	atomic_store(&full, true);
	/* More than were reserved: a full disk keeps no telescope from focusing. */
	for (uint64_t id = 2; id <= 40; id++) {
		assert_int_equal(store_next_run_id(store), id);
		keep(store, id, RUN_SUCCEEDED);
	}
	store_flush(store);
	assert_string_equal(ids_listed(store, 3), "40 39 38");
	atomic_store(&full, false);
	keep(store, store_next_run_id(store), RUN_SUCCEEDED);
	store_flush(store);
	sqlite3 *other = other_program("SELECT 1");
	assert_int_equal(number_of(other, "SELECT count(*) FROM runs"), 41);
	sqlite3_close(other);
	store_close(store);
}

static void the_oldest_is_lost_beyond_the_ceiling(void **state)
{
	(void)state;
	struct store *store = open_store();
	sqlite3 *other = other_program("BEGIN EXCLUSIVE");
	for (uint64_t id = 1; id <= STORE_KEPT_MAX + 1; id++) {
		keep(store, id, RUN_FAILED);
	}
	assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	store_close(store); /* which writes what is kept */
	other = other_program("SELECT 1");
	assert_int_equal(number_of(other, "SELECT count(*) FROM runs"), STORE_KEPT_MAX);
	/* The oldest, or the one behind it while the oldest is on its way to the disk. */
	assert_in_range(number_of(other, "SELECT count(*) FROM runs WHERE id IN (1, 2)"), 1, 1);
	sqlite3_close(other);
}

/* Takes `count` ids in a process that dies without closing anything; the last one. */
static uint64_t ids_of_a_child(int count)
{
	int pipe_ends[2];
	assert_int_equal(pipe(pipe_ends), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct store *store = NULL;
		uint64_t id = 0;
		if (store_open(folder, NULL, NULL, &store, NULL) == ERR_OK) {
			for (int i = 0; i < count; i++) {
				id = store_next_run_id(store);
				if (i == 0 || i % 4 == 3) {
					/* The first id has the first reserve written, and later the store sees by
					 * itself that few are left, also without a run. */
					store_flush(store);
				}
				if (i == 3) {
					keep(store, id, RUN_RUNNING);
					store_flush(store);
				}
			}
		}
		_exit(write(pipe_ends[1], &id, sizeof id) == (ssize_t)sizeof id ? 0 : 1);
	}
	uint64_t id = 0;
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(read(pipe_ends[0], &id, sizeof id), sizeof id);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
	return id;
}

static void no_id_is_given_twice(void **state)
{
	(void)state;
	uint64_t last = 0;
	static const int counts[] = {1, 3, 50, 2};
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		uint64_t id = ids_of_a_child(counts[i]);
		assert_true(id >= last + (uint64_t)counts[i]);
		last = id;
	}
	struct store *store = open_store();
	uint64_t id = store_next_run_id(store);
	assert_true(id > last);
	store_close(store);
	/* An end that was no accident leaves no gap. */
	store = open_store();
	assert_int_equal(store_next_run_id(store), id + 1);
	store_close(store);
}

/* A client that is refused again and again. */
static void an_id_that_came_to_nothing_is_used_again(void **state)
{
	(void)state;
	struct store *store = open_store();
	for (int i = 0; i < 100; i++) {
		uint64_t id = store_next_run_id(store);
		assert_int_equal(id, 1);
		store_return_run_id(store, id);
	}
	assert_int_equal(store_next_run_id(store), 1);
	assert_int_equal(store_next_run_id(store), 2);
	store_return_run_id(store, 1); /* not the last one */
	assert_int_equal(store_next_run_id(store), 3);
	store_close(store);
}

/* The id is given back while the thread reserves the ids behind it. */
static void an_id_given_back_during_a_reserve_is_used_again(void **state)
{
	(void)state;
	struct store *store = open_store();
	shut_gate();
	uint64_t id = store_next_run_id(store);
	wait_at_gate();
	store_return_run_id(store, id);
	atomic_store(&gate_shut, false);
	assert_string_equal(ids_listed(store, 5), ""); /* the thread has come back from the disk */
	assert_int_equal(store_next_run_id(store), id);
	store_close(store);
}

static void a_run_that_was_cut_short_is_closed(void **state)
{
	(void)state;
	assert_int_equal(ids_of_a_child(4), 4);
	struct store *store = open_store();
	struct store_answer answer = answer_to(store, store_ask_run(store, 4));
	assert_non_null(answer.run);
	assert_int_equal(answer.run->state, RUN_ABORTED);
	assert_non_null(strstr(answer.run->reason, "cut short"));
	struct buf text;
	buf_init(&text, 65536);
	run_json(answer.run, &text);
	assert_non_null(strstr(buf_text(&text), "\"start_position\":7600,"));
	assert_non_null(strstr(buf_text(&text), "\"final_position\":null,"));
	assert_non_null(strstr(buf_text(&text), "\"duration_s\":null,"));
	buf_fini(&text);
	store_answer_fini(&answer);
	assert_string_equal(ids_listed(store, 10), "4");
	struct run *last = store_last_run(store, 0);
	assert_non_null(last);
	assert_int_equal(last->id, 4);
	run_free(last);
	store_close(store);
}

static void the_oldest_question_is_refused_beyond_the_ceiling(void **state)
{
	(void)state;
	struct store *store = open_store();
	shut_gate();
	keep(store, 1, RUN_SUCCEEDED);
	wait_at_gate();
	uint64_t ticket[STORE_ASKS_MAX + 1];
	for (size_t i = 0; i <= STORE_ASKS_MAX; i++) {
		ticket[i] = store_ask_run(store, 1);
	}
	struct store_answer answer;
	assert_true(store_take(store, ticket[0], &answer));
	assert_int_equal(answer.err.code, ERR_TIMEOUT);
	assert_non_null(strstr(answer.err.text, "too many"));
	store_answer_fini(&answer);
	assert_false(store_take(store, ticket[1], &answer));
	atomic_store(&gate_shut, false);
	for (size_t i = 1; i <= STORE_ASKS_MAX; i++) {
		answer = answer_to(store, ticket[i]);
		assert_int_equal(answer.err.code, ERR_OK);
		store_answer_fini(&answer);
	}
	/* An answer is picked up once. */
	assert_true(store_take(store, ticket[3], &answer));
	assert_int_equal(answer.err.code, ERR_TIMEOUT);
	answer = answer_to(store, store_ask_run(store, 2));
	assert_int_equal(answer.err.code, ERR_INVALID_VALUE);
	store_answer_fini(&answer);
	store_close(store);
}

static void history_is_known_without_the_disk(void **state)
{
	(void)state;
	struct run_point points[3];
	const struct run like = sample_run(0, points);
	struct run other = like;
	other.binning = 2;
	struct store *store = open_store();
	struct store_history history = {.slope_px_per_step = -1};
	assert_false(store_history(store, &like, 10000, &history));
	keep(store, 1, RUN_SUCCEEDED);
	store_close(store);
	store = open_store();
	assert_true(store_history(store, &like, 10000, &history));
	assert_true(history.slope_px_per_step == 0.0375 && history.hfr_min_px == 2.25 && history.runs == 1);
	assert_false(store_history(store, &other, 10000, &history));
	shut_gate();
	struct run run = sample_run(2, points);
	run.taught.slope_px_per_step = 0.039;
	run.field.known = false;
	assert_true(store_keep_run(store, &run));
	wait_at_gate();
	assert_true(store_history(store, &like, 0, &history));
	assert_float_equal(history.slope_px_per_step, (0.0375 + 0.039) / 2, 1e-12);
	assert_int_equal(history.runs, 2);
	/* It taught no field; that of the one before still stands, and is told by the count of today. */
	assert_true(history.field.known && history.field.train.value[FIELD_TILT_X] == 16.5);
	/* One that has a numbering is told by that of today. */
	struct run numbered = sample_run(3, points);
	numbered.numbering = (struct numbering){.known = true, .high = 60000};
	assert_true(store_keep_run(store, &numbered));
	struct run reversed = like;
	reversed.numbering = (struct numbering){.known = true, .reversed = true, .high = 60000};
	assert_true(store_history(store, &reversed, 0, &history));
	assert_true(history.field.train.value[FIELD_TILT_X] == -16.5);
	assert_true(history.field.train.value[FIELD_BEST] == 60000 - 7990.5);
	atomic_store(&gate_shut, false);
	store_close(store);
}

/* What is forgotten is forgotten on the disk, too, and a later run teaches again; the runs stay. */
static void lessons_are_told_and_forgotten(void **state)
{
	(void)state;
	struct run_point points[3];
	const struct run like = sample_run(0, points);
	const struct numbering today = {0};
	struct store_history history;
	struct store *store = open_store();
	keep(store, 1, RUN_SUCCEEDED);
	struct store_answer answer = answer_to(store, store_ask_learned(store, 0, &today, false));
	assert_int_equal(answer.err.code, ERR_OK);
	assert_non_null(strstr(buf_text(&answer.text), "\"camera_name\":\"C8\",\"binning\":1,\"filter\":null"));
	assert_non_null(strstr(buf_text(&answer.text), "\"slope_px_per_step\":0.0375"));
	assert_non_null(strstr(buf_text(&answer.text), "\"date\":\"2026-03-14T22:08:31.250Z\""));
	store_answer_fini(&answer);
	answer = answer_to(store, store_ask_learned(store, 0, &today, true));
	assert_string_equal(buf_text(&answer.text), "{\"focuser\":0,\"learned\":[]}");
	store_answer_fini(&answer);
	store_close(store);
	store = open_store();
	assert_false(store_history(store, &like, 10000, &history));
	assert_string_equal(ids_listed(store, 10), "1");
	keep(store, 2, RUN_SUCCEEDED);
	assert_true(store_history(store, &like, 0, &history));
	assert_true(history.runs == 1 && history.run == 2);
	store_close(store);
}

static _Atomic int calls;

static void count_call(void *arg)
{
	(void)arg;
	atomic_fetch_add(&calls, 1);
}

static void whoever_waits_is_told(void **state)
{
	(void)state;
	struct store *store = NULL;
	atomic_store(&calls, 0);
	assert_int_equal(store_open(folder, count_call, NULL, &store, NULL), ERR_OK);
	uint64_t ticket = store_ask_list(store, 1, NULL, 0);
	while (atomic_load(&calls) == 0) {
		sched_yield();
	}
	struct store_answer answer;
	assert_true(store_take(store, ticket, &answer));
	store_answer_fini(&answer);
	store_close(store);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(nobody_waits_for_the_disk),
		TEST(kept_while_locked_and_written_in_order),
		TEST(kept_while_full),
		TEST(the_oldest_is_lost_beyond_the_ceiling),
		TEST(no_id_is_given_twice),
		TEST(an_id_that_came_to_nothing_is_used_again),
		TEST(an_id_given_back_during_a_reserve_is_used_again),
		TEST(a_run_that_was_cut_short_is_closed),
		TEST(the_oldest_question_is_refused_beyond_the_ceiling),
		TEST(history_is_known_without_the_disk),
		TEST(lessons_are_told_and_forgotten),
		TEST(whoever_waits_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
