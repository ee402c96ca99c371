/* SPDX-License-Identifier: MIT */
/* `focusd emulate` as a process: what it prints, its exit codes, that a signal ends it.  argv[1] is
 * the program. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "transport.h"

static const char *program;

/* Starts it; *out reads its standard output and standard error. */
static pid_t start(const char *const *arguments, int *out)
{
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const char *argv[12] = {program, "emulate"};
		for (int i = 0; arguments[i] != NULL && i < 10; i++) {
			argv[i + 2] = arguments[i];
		}
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		execv(program, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(ends[1]);
	*out = ends[0];
	return pid;
}

static void read_line(int fd, char *line, size_t cap)
{
	size_t n = 0;
	while (n + 1 < cap && read(fd, line + n, 1) == 1 && line[n] != '\n') {
		n++;
	}
	line[n] = '\0';
}

static void test_exit_codes(void **state)
{
	(void)state;
	static const struct {
		const char *arguments[8];
		int code;
		const char *says; /* somewhere in what it prints */
	} rows[] = {
		{{"--help"}, 0, "reset-on-open"},
		{{"moonlite", "--help"}, 0, "unasked-motion"},
		{{NULL}, 2, "give one kind"},
		{{"toaster"}, 2, "no kind 'toaster'"},
		{{"moonlite", "--position", "12x"}, 2, "'12x' is no value"},
		{{"moonlite", "--position", "65536"}, 2, "outside 0..65535"},
		{{"moonlite", "--position", "-1"}, 2, "outside 0..65535"},
		{{"moonlite", "--speed", "0"}, 2, "speed"},
		{{"moonlite", "--time-factor", "0"}, 2, "time factor"},
		{{"moonlite", "--temperature", "200"}, 2, "temperature"},
		{{"moonlite", "--fault", "toast"}, 2, "no fault 'toast'"},
		{{"moonlite", "--toast"}, 2, "toast"},
		{{"moonlite", "again"}, 2, "give one kind"},
		{{"moonlite", "--link", "/nowhere/at/all"}, 1, "cannot make the link"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int out = -1;
		pid_t pid = start(rows[i].arguments, &out);
		static char text[8192];
		size_t n = 0;
		ssize_t got;
		while (n + 1 < sizeof text && (got = read(out, text + n, sizeof text - 1 - n)) > 0) {
			n += (size_t)got;
		}
		text[n] = '\0';
		close(out);
		int status = 0;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != rows[i].code ||
			strstr(text, rows[i].says) == NULL) {
			fail_msg("row %zu: status %x: %s", i, (unsigned)status, text);
		}
	}
}

static void test_serves_until_told(void **state)
{
	(void)state;
	static const int signals[] = {SIGTERM, SIGINT};
	for (size_t i = 0; i < 2; i++) {
		static const char *const arguments[] = {"moonlite", "--position", "20000",
			"--max", "100000", "--speed", "250", NULL};
		int out = -1;
		pid_t pid = start(arguments, &out);
		char path[64];
		read_line(out, path, sizeof path);
		assert_int_equal(strncmp(path, "/dev/pts/", 9), 0);
		struct transport_settings settings = {.baud = 9600};
		/* Twice: a client that leaves must not end it. */
		for (int round = 0; round < 2; round++) {
			struct transport *t = NULL;
			int64_t deadline_ms = clock_now_ms(clock_real()) + 10000;
			assert_int_equal(transport_open(path, &settings, deadline_ms, &t, NULL),
				ERR_OK);
			assert_int_equal(t->ops->write_all(t, ":GP#", 4, deadline_ms, NULL), ERR_OK);
			char in[6] = "";
			for (size_t at = 0, got = 0; at < 5; at += got) {
				assert_int_equal(t->ops->read_some(t, in + at, 5 - at, &got,
							 deadline_ms, NULL), ERR_OK);
			}
			assert_string_equal(in, "4E20#");
			t->ops->destroy(t);
		}
		assert_int_equal(kill(pid, signals[i]), 0);
		int status = 0;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
		char rest[64];
		read_line(out, rest, sizeof rest);
		assert_string_equal(rest, "");
		close(out);
	}
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: %s PROGRAM\n", argv[0]);
		return 2;
	}
	program = argv[1];
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit_codes),
		cmocka_unit_test(test_serves_until_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
