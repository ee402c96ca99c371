/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "exec_words.h"

static const struct exec_values values = {
	.exposure_s = 2.5, .gain = 16, .light = true, .out = "/tmp/a b/frame"};

/* The words in brackets, so that a row can be read. */
static void join(const struct exec_words *words, char *out, size_t cap)
{
	size_t at = 0;
	out[0] = '\0';
	for (int i = 0; i < words->argc; i++) {
		at += (size_t)snprintf(out + at, cap - at, "[%s]", words->argv[i]);
	}
	assert_null(words->argv[words->argc]);
}

static void commands_are_split_and_filled(void **state)
{
	(void)state;
	static const struct {
		const char *command, *words;
	} rows[] = {
		{"/bin/true", "[/bin/true]"},
		{"  /bin/a\t-b  ", "[/bin/a][-b]"},
		{"/bin/cam --shutter {us} -o {out}.jpg", "[/bin/cam][--shutter][2500000][-o][/tmp/a b/frame.jpg]"},
		{"/x {s} {ms} {gain} {light}", "[/x][2.5][2500][16][1]"},
		{"/x shutter={s}s,iso={gain}", "[/x][shutter=2.5s,iso=16]"},
		{"/x \"two words\" 'it is \"so\"'", "[/x][two words][it is \"so\"]"},
		{"/x a\"b c\"d ''", "[/x][ab cd][]"},
		{"/x '{out}' \"{ms}\"", "[/x][/tmp/a b/frame][2500]"},
		{"/x {{s}} $HOME * | ; `id` > y", "[/x][{s}][$HOME][*][|][;][`id`][>][y]"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		static struct exec_words words;
		char got[512];
		struct err err = {0};
		assert_int_equal(exec_words(rows[i].command, &values, &words, &err), ERR_OK);
		join(&words, got, sizeof got);
		assert_string_equal(got, rows[i].words);
	}
}

static void seconds_are_written_short(void **state)
{
	(void)state;
	static const struct {
		double s;
		const char *text;
	} rows[] = {{0.0, "0 0 0"}, {2.0, "2 2000 2000000"}, {100.0, "100 100000 100000000"},
		{0.000032, "0.000032 0 32"},
		{0.1, "0.1 100 100000"}, {3600.0, "3600 3600000 3600000000"}, {1.0 / 3.0, "0.333333 333 333333"}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char got[64];
		const struct exec_values with = {.exposure_s = rows[i].s, .out = ""};
		assert_int_equal(exec_fill("{s} {ms} {us}", &with, got, sizeof got, NULL), ERR_OK);
		assert_string_equal(got, rows[i].text);
	}
}

static void what_is_wrong_is_said(void **state)
{
	(void)state;
	static const struct {
		const char *command, *said;
	} rows[] = {
		{"", "the command is empty"},
		{" \t ", "the command is empty"},
		{"/x \"a", "the quote \" is not closed"},
		{"/x it's", "the quote ' is not closed"},
		{"/x {exposure}", "there is no place {exposure}; there are {s}"},
		{"/x {us", "a { stands alone"},
		{"/x us}", "a } stands alone"},
		{"/x {}", "there is no place {}"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		static struct exec_words words;
		struct err err = {0};
		assert_int_equal(exec_words(rows[i].command, &values, &words, &err), ERR_INVALID_VALUE);
		assert_non_null(strstr(err.text, rows[i].said));
	}
}

static void room_is_never_exceeded(void **state)
{
	(void)state;
	static struct exec_words words;
	static char command[3 * EXEC_TEXT_MAX];
	struct err err = {0};
	memset(command, 'a', sizeof command - 1);
	command[EXEC_TEXT_MAX - 2] = '\0';
	assert_int_equal(exec_words(command, &values, &words, &err), ERR_OK);
	assert_int_equal(strlen(words.argv[0]), EXEC_TEXT_MAX - 2);
	command[EXEC_TEXT_MAX - 2] = 'a';
	assert_int_equal(exec_words(command, &values, &words, &err), ERR_INVALID_VALUE);
	assert_non_null(strstr(err.text, "too long"));
	for (size_t i = 0; i < sizeof command - 1; i++) {
		command[i] = i % 2 == 0 ? 'a' : ' ';
	}
	command[2 * EXEC_WORDS_MAX] = '\0';
	assert_int_equal(exec_words(command, &values, &words, &err), ERR_OK);
	assert_int_equal(words.argc, EXEC_WORDS_MAX);
	command[2 * EXEC_WORDS_MAX] = 'a';
	command[2 * EXEC_WORDS_MAX + 1] = '\0';
	assert_int_equal(exec_words(command, &values, &words, &err), ERR_INVALID_VALUE);
	assert_non_null(strstr(err.text, "more than 64 words"));
	char small[8];
	assert_int_equal(exec_fill("{out}", &values, small, sizeof small, &err), ERR_INVALID_VALUE);
}

static void places_are_found(void **state)
{
	(void)state;
	assert_true(exec_has_place("/x --gain {gain}", "gain"));
	assert_true(exec_has_place("{out}.dng", "out"));
	assert_false(exec_has_place("/x {{gain}}", "gain"));
	assert_false(exec_has_place("/x {gains} gain", "gain"));
	assert_false(exec_has_place("", "gain"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_split_and_filled),
		cmocka_unit_test(seconds_are_written_short),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(room_is_never_exceeded),
		cmocka_unit_test(places_are_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
