/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "json.h"
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
	static const char *const names[] = {"focusd.db", "focusd.db-journal", ""};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char path[200];
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		remove(path);
	}
	return 0;
}

static struct runs *open_store(void)
{
	struct runs *runs = NULL;
	struct err err = {0};
	if (runs_open(folder, &runs, &err) != ERR_OK) {
		fail_msg("%s", err.text);
	}
	return runs;
}

static uint64_t next(struct runs *runs)
{
	uint64_t id = 0;
	assert_int_equal(runs_next_id(runs, &id, NULL), ERR_OK);
	return id;
}

static void test_ids(void **state)
{
	(void)state;
	struct runs *runs = open_store();
	assert_int_equal(next(runs), 1);
	assert_int_equal(next(runs), 2);
	runs_close(runs);
	/* Nothing was saved under 1 and 2, still they are used up. */
	runs = open_store();
	assert_int_equal(next(runs), 3);
	struct run_point points[3];
	struct run run = sample_run(41, points);
	assert_int_equal(runs_save(runs, &run, NULL), ERR_OK);
	assert_int_equal(next(runs), 42);
	runs_close(runs);
}

/* A child takes an id and dies without closing anything. */
static void test_ids_after_a_crash(void **state)
{
	(void)state;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct runs *runs = NULL;
		uint64_t id = 0;
		bool ok = runs_open(folder, &runs, NULL) == ERR_OK &&
			  runs_next_id(runs, &id, NULL) == ERR_OK;
		_exit(ok ? (int)id : 99);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	struct runs *runs = open_store();
	assert_int_equal(next(runs), 2);
	runs_close(runs);
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
	struct runs *runs = open_store();
	assert_int_equal(runs_save(runs, &run, NULL), ERR_OK);
	runs_close(runs);
	runs = open_store();
	struct err err = {0};
	struct run *loaded = runs_load(runs, 5, &err);
	assert_non_null(loaded);
	same_json(&run, loaded);
	run_free(loaded);
	/* Saving again replaces, points included. */
	run.point_count = 1;
	run.state = RUN_FAILED;
	run.code = ERR_VALIDATION;
	memcpy(run.reason, "it's \"so\"; DROP", 16);
	assert_int_equal(runs_save(runs, &run, NULL), ERR_OK);
	loaded = runs_load(runs, 5, &err);
	assert_non_null(loaded);
	assert_int_equal(loaded->code, ERR_VALIDATION);
	same_json(&run, loaded);
	run_free(loaded);
	assert_null(runs_load(runs, 6, &err));
	assert_int_equal(err.code, ERR_INVALID_VALUE);
	assert_null(runs_load(runs, UINT64_MAX, &err));
	runs_close(runs);
}

static void test_last_and_list(void **state)
{
	(void)state;
	struct runs *runs = open_store();
	struct buf out;
	buf_init(&out, 65536);
	assert_int_equal(runs_list_json(runs, 10, &out, NULL), ERR_OK);
	assert_string_equal(buf_text(&out), "[]");
	assert_null(runs_last(runs, 0));
	struct run_point points[3];
	for (uint64_t id = 1; id <= 4; id++) {
		struct run run = sample_run(id, points);
		run.focuser = id == 3 ? 2 : 0;
		assert_int_equal(runs_save(runs, &run, NULL), ERR_OK);
	}
	struct run *last = runs_last(runs, 0);
	assert_non_null(last);
	assert_int_equal(last->id, 4);
	assert_int_equal(last->point_count, 3);
	run_free(last);
	last = runs_last(runs, 2);
	assert_non_null(last);
	assert_int_equal(last->id, 3);
	run_free(last);
	buf_clear(&out);
	assert_int_equal(runs_list_json(runs, 3, &out, NULL), ERR_OK);
	struct json *json = json_parse((struct span){out.data, out.len}, NULL);
	assert_non_null(json);
	json_free(json);
	const char *fourth = strstr(out.data, "\"run\":4,"),
		   *third = strstr(out.data, "\"run\":3,");
	const char *second = strstr(out.data, "\"run\":2,");
	assert_true(fourth != NULL && fourth < third && third < second);
	assert_null(strstr(out.data, "\"run\":1,"));
	assert_null(strstr(out.data, "points"));
	buf_fini(&out);
	runs_close(runs);
}

static void test_history(void **state)
{
	(void)state;
	struct runs *runs = open_store();
	struct run_point points[3];
	double slope = -1, least = -1;
	assert_false(runs_history(runs, 0, 1, 1, &slope, &least));
	struct run run = sample_run(1, points);
	assert_int_equal(runs_save(runs, &run, NULL), ERR_OK);
	run.id = 2;
	run.state = RUN_FAILED;
	run.curve.k = 9;
	assert_int_equal(runs_save(runs, &run, NULL), ERR_OK);
	assert_false(runs_history(runs, 0, 1, 2, &slope, &least));
	assert_false(runs_history(runs, 0, 0, 1, &slope, &least));
	assert_true(slope == -1 && least == -1);
	assert_true(runs_history(runs, 0, 1, 1, &slope, &least));
	/* a = -2.25 (its sign means nothing), k = 0.0375, y0 = 0 */
	assert_true(slope == 0.0375);
	assert_true(least == 2.25);
	runs_close(runs);
}

static void test_unusable(void **state)
{
	(void)state;
	struct runs *runs = NULL;
	struct err err = {0};
	assert_int_equal(runs_open("/nonexistent/place", &runs, &err), ERR_IO);
	assert_null(runs);
	char path[200];
	snprintf(path, sizeof path, "%s/focusd.db", folder);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < 400; i++) {
		fputs("this is no database ", file);
	}
	fclose(file);
	/* Put aside as it was, and begun anew. */
	assert_int_equal(runs_open(folder, &runs, &err), ERR_OK);
	uint64_t id;
	assert_int_equal(runs_next_id(runs, &id, &err), ERR_OK);
	assert_int_equal(id, 1);
	runs_close(runs);
	runs_close(NULL);
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
		cmocka_unit_test_setup_teardown(test_ids_after_a_crash, setup, teardown),
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_last_and_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_history, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unusable, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
