/* SPDX-License-Identifier: MIT */
/* Commands as they are met at a telescope: they work, fail, hang, ignore being asked, flood, and leave children. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "exec_child.h"

/* The tests wait for facts, this often (ms). */
#define LOOK_MS 5

static char folder[64];

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/focusd-exec.XXXXXX");
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	char command[96];
	snprintf(command, sizeof command, "%s/frame", folder);
	unlink(command);
	return rmdir(folder);
}

static void start(struct exec_child *child, const char *script)
{
	char copy[512];
	char sh[] = "/bin/sh";
	char dash_c[] = "-c";
	snprintf(copy, sizeof copy, "%s", script);
	char *argv[] = {sh, dash_c, copy, NULL};
	struct err err = {0};
	assert_int_equal(exec_child_start(child, argv, folder, &err), ERR_OK);
}

static void wait_for_end(struct exec_child *child)
{
	while (!exec_child_ended(child)) {
		poll(NULL, 0, LOOK_MS);
	}
}

static void a_command_that_works_says_so(void **state)
{
	(void)state;
	struct exec_child child;
	struct err err = {0};
	/* It stands in its folder, reads nothing, and has no file of the caller's open. */
	start(&child, "read line && exit 9; ls /proc/self/fd | wc -l; echo here >frame; pwd");
	wait_for_end(&child);
	assert_int_equal(exec_child_verdict(&child, "sh", &err), ERR_OK);
	assert_string_equal(child.said, folder);
	assert_true(exec_child_ended(&child));
	exec_child_end(&child, 0);
}

static void nothing_of_the_callers_is_open_in_it(void **state)
{
	(void)state;
	struct exec_child child;
	int open_file = dup(STDIN_FILENO);
	assert_true(open_file > 2);
	/* The shell itself has 0, 1, 2; ls has one more while it looks. */
	start(&child, "exec ls -1 /proc/self/fd | tail -1");
	wait_for_end(&child);
	close(open_file);
	assert_string_equal(child.said, "3");
}

static void a_failure_has_its_last_words(void **state)
{
	(void)state;
	static const struct {
		const char *script, *said;
	} rows[] = {
		{"echo fine; echo 'no cameras available' >&2; echo; exit 3",
			"rpicam-still failed (3): no cameras available"},
		{"exit 1", "rpicam-still failed (1): it said nothing"},
		{"printf 'no line end'; exit 2", "rpicam-still failed (2): no line end"},
		{"printf 'progress 1\\rprogress 2\\r'; exit 2", "rpicam-still failed (2): progress 2"},
		{"printf '\\377\\001bad\\n'; exit 2", "rpicam-still failed (2): ? bad"},
		{"kill -SEGV $$", "rpicam-still was ended by a signal (Segmentation fault): it said nothing"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct exec_child child;
		struct err err = {0};
		start(&child, rows[i].script);
		wait_for_end(&child);
		assert_int_equal(exec_child_verdict(&child, "rpicam-still", &err), ERR_REFUSED);
		assert_string_equal(err.text, rows[i].said);
	}
}

static void what_cannot_be_started_is_said(void **state)
{
	(void)state;
	struct exec_child child;
	struct err err = {0};
	char none[] = "/usr/bin/focusd-no-such-program";
	char *argv[] = {none, NULL};
	assert_int_equal(exec_child_start(&child, argv, folder, &err), ERR_IO);
	assert_string_equal(err.text, "/usr/bin/focusd-no-such-program cannot be started: No such file or directory");
	char true_path[] = "/bin/true";
	argv[0] = true_path;
	assert_int_equal(exec_child_start(&child, argv, "/no/such/folder", &err), ERR_IO);
	assert_true(exec_child_ended(&child));
}

static void it_goes_when_it_is_asked(void **state)
{
	(void)state;
	struct exec_child child;
	struct err err = {0};
	start(&child, "trap 'echo closing the camera; exit 5' TERM; echo up; while :; do sleep 0.02; done");
	while (strcmp(child.said, "up") != 0) {
		assert_false(exec_child_ended(&child));
		poll(NULL, 0, LOOK_MS);
	}
	exec_child_ask(&child);
	wait_for_end(&child);
	assert_int_equal(exec_child_verdict(&child, "sh", &err), ERR_REFUSED);
	assert_string_equal(err.text, "sh failed (5): closing the camera");
}

static void it_is_killed_when_it_ignores_that_and_its_children_with_it(void **state)
{
	(void)state;
	struct exec_child child;
	start(&child, "trap '' TERM; sleep 1000 & echo $!; while :; do sleep 0.02; done");
	while (child.said[0] == '\0') {
		assert_false(exec_child_ended(&child));
		poll(NULL, 0, LOOK_MS);
	}
	long grandchild = strtol(child.said, NULL, 10);
	assert_true(grandchild > 1);
	exec_child_end(&child, 50);
	assert_true(exec_child_ended(&child));
	/* It ignored SIGTERM, so only the kill of the group can have ended it; init reaps it in its own time. */
	while (kill((pid_t)grandchild, 0) == 0) {
		char path[64];
		char text[256] = "";
		snprintf(path, sizeof path, "/proc/%ld/stat", grandchild);
		FILE *stat = fopen(path, "re");
		if (stat == NULL || fgets(text, sizeof text, stat) == NULL || strstr(text, ") Z ") != NULL) {
			if (stat != NULL) {
				fclose(stat);
			}
			break;
		}
		fclose(stat);
		poll(NULL, 0, LOOK_MS);
	}
}

static void a_child_that_is_left_behind_goes_too(void **state)
{
	(void)state;
	struct exec_child child;
	struct err err = {0};
	/* The one left behind holds the output open, which must not keep the command from being over. */
	start(&child, "sleep 1000 & echo done");
	wait_for_end(&child);
	assert_int_equal(exec_child_verdict(&child, "sh", &err), ERR_OK);
	assert_string_equal(child.said, "done");
}

static void a_flood_is_swallowed(void **state)
{
	(void)state;
	struct exec_child child;
	struct err err = {0};
	start(&child, "head -c 3000000 /dev/zero | tr '\\0' 'x'; echo; echo over; exit 7");
	wait_for_end(&child);
	assert_int_equal(exec_child_verdict(&child, "sh", &err), ERR_REFUSED);
	assert_string_equal(err.text, "sh failed (7): over");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_that_works_says_so),
		cmocka_unit_test(nothing_of_the_callers_is_open_in_it),
		cmocka_unit_test(a_failure_has_its_last_words),
		cmocka_unit_test(what_cannot_be_started_is_said),
		cmocka_unit_test(it_goes_when_it_is_asked),
		cmocka_unit_test(it_is_killed_when_it_ignores_that_and_its_children_with_it),
		cmocka_unit_test(a_child_that_is_left_behind_goes_too),
		cmocka_unit_test(a_flood_is_swallowed),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
