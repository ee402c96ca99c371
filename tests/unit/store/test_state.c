/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "state.h"

static char folder[64];

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/focusd-state-XXXXXX");
	assert_non_null(mkdtemp(folder));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	static const char *const names[] = {"devices.json", "devices.json.damaged-1", "devices.json.damaged-2",
		"devices.json.damaged-3", "file", "a/b/c", "a/b", "a", "focusd",
		".local/state/focusd", ".local/state", ".local", ""};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char path[200];
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		remove(path);
	}
	unsetenv("STATE_DIRECTORY");
	return 0;
}

/* The layout of RFC 4122 for random UUIDs: version 4, variant 10. */
static void expect_uuid(const char *id)
{
	assert_int_equal(strlen(id), 36);
	assert_int_equal(strspn(id, "0123456789abcdef-"), 36);
	assert_true(id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-');
	assert_int_equal(id[14], '4');
	assert_non_null(strchr("89ab", id[19]));
}

static void test_ids_are_kept(void **state)
{
	(void)state;
	char first[37], camera[37], again[37];
	struct err err;
	assert_int_equal(state_unique_id(folder, "focuser.0", first, &err), ERR_OK);
	assert_int_equal(state_unique_id(folder, "camera.0", camera, &err), ERR_OK);
	expect_uuid(first);
	expect_uuid(camera);
	assert_string_not_equal(first, camera);
	assert_int_equal(state_unique_id(folder, "focuser.0", again, &err), ERR_OK);
	assert_string_equal(first, again);
	assert_int_equal(state_unique_id(folder, "camera.0", again, &err), ERR_OK);
	assert_string_equal(camera, again);
}

static void write_text(const char *name, const char *text)
{
	char path[200];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void expect_text(const char *name, const char *wanted)
{
	char path[200], text[200] = "";
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	(void)fread(text, 1, sizeof text - 1, file);
	fclose(file);
	assert_string_equal(text, wanted);
}

static void test_damaged_files_are_put_aside(void **state)
{
	(void)state;
	char id[37], again[37];
	struct err err = {0};
	write_text("devices.json", "{\"focuser.0\":");
	assert_int_equal(state_unique_id(folder, "focuser.0", id, &err), ERR_OK);
	expect_uuid(id);
	expect_text("devices.json.damaged-1", "{\"focuser.0\":");
	assert_int_equal(state_unique_id(folder, "focuser.0", again, &err), ERR_OK);
	assert_string_equal(id, again);
	/* An empty file has lost its ids, too. */
	write_text("devices.json", "");
	assert_int_equal(state_unique_id(folder, "focuser.0", again, &err), ERR_OK);
	assert_string_not_equal(id, again);
	expect_text("devices.json.damaged-2", "");
}

static void test_good_ids_survive_a_damaged_one(void **state)
{
	(void)state;
	static const char good[] = "12345678-1234-4234-8234-123456789abc";
	static const char text[] = "{\"camera.0\":\"12345678-1234-4234-8234-123456789abc\",\"focuser.0\":\"1234\"}";
	char id[37];
	struct err err = {0};
	write_text("devices.json", text);
	assert_int_equal(state_unique_id(folder, "focuser.0", id, &err), ERR_OK);
	expect_uuid(id);
	expect_text("devices.json.damaged-1", text);
	assert_int_equal(state_unique_id(folder, "camera.0", id, &err), ERR_OK);
	assert_string_equal(id, good);
}

static void test_link_is_not_followed(void **state)
{
	(void)state;
	char path[200], id[37], aside[STATE_PATH_MAX];
	struct err err = {0};
	write_text("file", "{\"focuser.0\":\"12345678-1234-4234-8234-123456789abc\"}");
	snprintf(path, sizeof path, "%s/devices.json", folder);
	assert_int_equal(symlink("file", path), 0);
	assert_int_equal(state_unique_id(folder, "focuser.0", id, &err), ERR_OK);
	assert_string_not_equal(id, "12345678-1234-4234-8234-123456789abc");
	expect_text("file", "{\"focuser.0\":\"12345678-1234-4234-8234-123456789abc\"}");
	/* A pipe would be waited for. */
	assert_int_equal(remove(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(state_unique_id(folder, "focuser.0", id, &err), ERR_OK);
	expect_uuid(id);
	assert_true(state_put_aside(path, aside));
	snprintf(path, sizeof path, "%s/devices.json.damaged-3", folder);
	assert_string_equal(aside, path);
}

static void test_no_place_to_write(void **state)
{
	(void)state;
	char id[37];
	struct err err = {0};
	assert_true(state_can_write(folder, &err));
	assert_false(state_can_write("/proc", &err));
	assert_int_equal(err.code, ERR_IO);
	assert_int_equal(state_unique_id("/proc", "focuser.0", id, &err), ERR_OK);
	expect_uuid(id);
	int lock = 0;
	assert_int_equal(state_lock("/proc", &lock, &err), ERR_OK);
	assert_int_equal(lock, -1);
	state_unlock(lock);
}

static void test_write_file(void **state)
{
	(void)state;
	char path[200], text[20] = "";
	struct err err;
	snprintf(path, sizeof path, "%s/file", folder);
	assert_int_equal(state_write_file(path, "first and long", 14, &err), ERR_OK);
	assert_int_equal(state_write_file(path, "second", 6, &err), ERR_OK);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fread(text, 1, sizeof text, file), 6);
	fclose(file);
	assert_string_equal(text, "second");
	snprintf(path, sizeof path, "%s/absent/file", folder);
	assert_int_equal(state_write_file(path, "x", 1, &err), ERR_IO);
	assert_non_null(strstr(err.text, "No such file"));
	/* The target is a directory: the rename fails and the temporary file is gone. */
	assert_int_equal(state_write_file(folder, "x", 1, NULL), ERR_IO);
	char command_free_check[100];
	snprintf(command_free_check, sizeof command_free_check, "%s.", folder);
	assert_int_not_equal(access(command_free_check, F_OK), 0);
}

static void test_dir_choice(void **state)
{
	(void)state;
	char wanted[200], got[200];
	struct err err;
	snprintf(wanted, sizeof wanted, "%s/a/b/c", folder);
	assert_int_equal(state_dir(wanted, got, sizeof got, &err), ERR_OK);
	assert_string_equal(got, wanted);
	struct stat facts;
	assert_int_equal(stat(wanted, &facts), 0);
	assert_true(S_ISDIR(facts.st_mode));
	/* The option wins over the environment, of which the first of several counts. */
	char env[300];
	snprintf(env, sizeof env, "%s/focusd:/elsewhere", folder);
	setenv("STATE_DIRECTORY", env, 1);
	assert_int_equal(state_dir(wanted, got, sizeof got, &err), ERR_OK);
	assert_string_equal(got, wanted);
	snprintf(wanted, sizeof wanted, "%s/focusd", folder);
	assert_int_equal(state_dir(NULL, got, sizeof got, &err), ERR_OK);
	assert_string_equal(got, wanted);
	snprintf(wanted, sizeof wanted, "%s/file", folder);
	assert_int_equal(state_write_file(wanted, "x", 1, &err), ERR_OK);
	assert_int_equal(state_dir(wanted, got, sizeof got, &err), ERR_IO);
	assert_non_null(strstr(err.text, "not a directory"));
	assert_int_equal(state_dir("", got, sizeof got, &err), ERR_IO);
	char small[4];
	assert_int_equal(state_dir(folder, small, sizeof small, &err), ERR_IO);
}

static void *ask(void *arg)
{
	struct err err;
	return state_unique_id(folder, "focuser.0", arg, &err) == ERR_OK ? arg : NULL;
}

static void test_threads_agree(void **state)
{
	(void)state;
	pthread_t thread[4];
	char id[4][37];
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_create(&thread[i], NULL, ask, id[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		void *result;
		pthread_join(thread[i], &result);
		assert_non_null(result);
		assert_string_equal(id[i], id[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ids_are_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_files_are_put_aside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_good_ids_survive_a_damaged_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_link_is_not_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_place_to_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dir_choice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads_agree, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
