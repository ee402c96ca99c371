/* SPDX-License-Identifier: MIT */
/* Expectations: focusd.conf(5), section TRANSCRIPTS; a full disk is Linux's /dev/full, a slow one a pipe
 * that nobody empties. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "transcript_ring.h"
#include "transcripts.h"

struct place {
	char state[64];
	char folder[96];
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof *p);
	snprintf(p->state, sizeof p->state, "/tmp/focusd-transcripts-XXXXXX");
	assert_non_null(mkdtemp(p->state));
	snprintf(p->folder, sizeof p->folder, "%s/transcripts", p->state);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	const char *const folders[] = {p->folder, p->state};
	for (int i = 0; i < 2; i++) {
		DIR *dir = opendir(folders[i]);
		const struct dirent *entry;
		while (dir != NULL && (entry = readdir(dir)) != NULL) {
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
		}
		if (dir != NULL) {
			closedir(dir);
		}
		rmdir(folders[i]);
	}
	free(p);
	return 0;
}

static const struct focuser_port port = {.port = "/dev/ttyUSB0", .max_step = 9000,
	.quirks = "no-version"};
static const struct transcript_about about = {.source = "focuser.3", .driver = "moonlite",
	.port = &port};

/* How many files there are whose names end so; the last one's text goes to out. */
static int files(const char *folder, const char *ending, char *out, size_t cap)
{
	DIR *dir = opendir(folder);
	int count = 0;
	const struct dirent *entry;
	out[0] = '\0';
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		size_t len = strlen(entry->d_name);
		if (len < strlen(ending) || strcmp(entry->d_name + len - strlen(ending), ending) != 0) {
			continue;
		}
		count++;
		char path[400];
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		FILE *file = fopen(path, "r");
		assert_non_null(file);
		out[fread(out, 1, cap - 1, file)] = '\0';
		fclose(file);
	}
	if (dir != NULL) {
		closedir(dir);
	}
	return count;
}

static void note(struct transcript *t, char kind, const char *text)
{
	transcript_note(t, kind, text, strlen(text));
}

static void test_fault_is_written(void **state)
{
	const struct place *p = *state;
	struct transcripts *all = transcripts_create(p->state);
	struct transcript *t = transcript_create(all, &about);
	transcript_fault(t, "nothing was said yet: nothing is written");
	transcript_say(t, TRANSCRIPT_CALL, "poll %d", 1);
	note(t, TRANSCRIPT_SENT, ":GP#");
	transcript_note(t, TRANSCRIPT_RECEIVED, " 4\\E2\x00#\xFF ", 9);
	transcript_fault(t, "cable\npulled");
	transcript_fault(t, "again, too soon");
	transcripts_flush(all);
	static char text[8192];
	assert_int_equal(files(p->folder, ".txt", text, sizeof text), 1);
	assert_int_equal(strncmp(text, "# focusd transcript 1\n# program: focusd ", 39), 0);
	assert_non_null(strstr(text, "\n# device: focuser.3\n# driver: moonlite\n# port: /dev/ttyUSB0\n"
				     "# quirks: no-version\n# max_step: 9000\n# date: 20"));
	assert_non_null(strstr(text, "\n# reason: cable?pulled\n#\n"));
	/* The first entry is the beginning of time. */
	assert_non_null(strstr(text, "\n         0 = poll 1\n"));
	assert_non_null(strstr(text, " > :GP#\n"));
	assert_non_null(strstr(text, " < \\x204\\\\E2\\x00#\\xFF\\x20\n"));
	transcripts_destroy(all);
}

static void test_only_the_newest_files_stay(void **state)
{
	const struct place *p = *state;
	assert_int_equal(mkdir(p->folder, 0755), 0);
	/* The oldest is of a device with a later name. */
	for (int i = 0; i < TRANSCRIPT_FILES + 3; i++) {
		char path[200];
		snprintf(path, sizeof path, "%s/focuser.%d-2026010%dT0000%02d.000Z.txt", p->folder,
			i == 0 ? 9 : 1, i == 0 ? 1 : 2, i);
		close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	}
	char whole[200];
	snprintf(whole, sizeof whole, "%s/focuser.3.txt", p->folder);
	close(open(whole, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	struct transcripts *all = transcripts_create(p->state);
	struct transcript *t = transcript_create(all, &about);
	note(t, TRANSCRIPT_SENT, "x");
	transcript_fault(t, "why");
	transcripts_destroy(all);
	static char text[8192];
	assert_int_equal(files(p->folder, "Z.txt", text, sizeof text), TRANSCRIPT_FILES);
	assert_int_equal(access(whole, F_OK), 0);
	assert_int_equal(files(p->folder, "focuser.9-20260101T000000.000Z.txt", text, sizeof text), 0);
	assert_int_equal(files(p->folder, "focuser.1-20260102T000022.000Z.txt", text, sizeof text), 1);
}

static void test_everything_is_written(void **state)
{
	const struct place *p = *state;
	for (int round = 0; round < 2; round++) {
		struct transcripts *all = transcripts_create(p->state);
		struct transcript_about whole = about;
		whole.file = "yes";
		struct transcript *t = transcript_create(all, &whole);
		for (int i = 0; i < 1000; i++) {
			transcript_say(t, TRANSCRIPT_SENT, "%d-%04d", round, i);
			if (i % 100 == 99) {
				transcripts_flush(all);
			}
		}
		transcripts_destroy(all);
	}
	static char text[100000];
	assert_int_equal(files(p->folder, "focuser.3.txt", text, sizeof text), 1);
	/* In order, after one head for each start, nothing missing. */
	const char *at = text;
	for (int i = 0; i < 2000; i++) {
		char expected[32];
		snprintf(expected, sizeof expected, " > %d-%04d\n", i / 1000, i % 1000);
		at = strstr(at, expected);
		assert_non_null(at);
	}
	const char *second = strstr(text + 1, "# focusd transcript 1");
	assert_non_null(second);
	assert_null(strstr(second + 1, "# focusd transcript 1"));
	assert_null(strstr(text, "missing"));
}

static void test_a_disk_that_takes_nothing(void **state)
{
	const struct place *p = *state;
	char pipe_path[128];
	snprintf(pipe_path, sizeof pipe_path, "%s/pipe", p->state);
	assert_int_equal(mkfifo(pipe_path, 0644), 0);
	int reader = open(pipe_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(reader >= 0);
	const char *const paths[] = {"/dev/full", "/nowhere/at/all", pipe_path};
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		struct transcripts *all = transcripts_create("/nowhere/either");
		struct transcript_about whole = about;
		whole.file = paths[i];
		struct transcript *t = transcript_create(all, &whole);
		assert_non_null(t);
		static char much[5000];
		memset(much, 'x', sizeof much);
		for (int n = 0; n < 200; n++) {
			transcript_note(t, TRANSCRIPT_RECEIVED, much, sizeof much);
		}
		transcript_fault(t, "why");
		transcripts_flush(all);
		note(t, TRANSCRIPT_SENT, "still here");
		transcripts_destroy(all);
	}
	close(reader);
}

/* More than the memory for it between two rounds of the writer: the file says that some is missing. */
static void test_says_what_is_missing(void **state)
{
	const struct place *p = *state;
	char path[128];
	snprintf(path, sizeof path, "%s/whole.txt", p->state);
	struct transcripts *all = transcripts_create(NULL);
	struct transcript_about whole = about;
	whole.file = path;
	struct transcript *t = transcript_create(all, &whole);
	static char much[60000];
	memset(much, 'x', sizeof much);
	/* Two of these do not fit into the memory for what waits, in whatever round they are written. */
	for (int i = 0; i < 200; i++) {
		transcript_note(t, TRANSCRIPT_RECEIVED, much, sizeof much);
	}
	transcripts_flush(all);
	note(t, TRANSCRIPT_SENT, "the end");
	transcripts_destroy(all);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	char line[200];
	bool missing = false;
	bool end = false;
	while (fgets(line, sizeof line, file) != NULL) {
		missing |= strstr(line, "entries are missing here") != NULL;
		end |= strstr(line, " > the end\n") != NULL;
	}
	fclose(file);
	assert_true(missing);
	assert_true(end);
}

static void test_nothing_without_memory(void **state)
{
	(void)state;
	transcript_note(NULL, TRANSCRIPT_SENT, "x", 1);
	transcript_say(NULL, TRANSCRIPT_CALL, "x");
	transcript_fault(NULL, "x");
	transcripts_destroy(NULL);
	assert_null(transcript_create(NULL, &about));
}

/* Against a model: a plain list of which the ring holds the end. */
static void test_ring(void **state)
{
	(void)state;
	struct transcript_ring ring;
	assert_true(transcript_ring_init(&ring, 1000));
	unsigned seed = 1;
	static size_t lengths[5000];
	size_t count = 0;
	for (int i = 0; i < 4000; i++) {
		seed = seed * 1103515245u + 12345u;
		size_t len = (seed >> 16) % 120;
		char data[120];
		memset(data, 'a' + i % 26, sizeof data);
		assert_true(transcript_ring_add(&ring, i, '>', data, len, true));
		lengths[count++] = len;
		/* 11 bytes for each head. */
		size_t used = 0;
		size_t from = count;
		while (from > 0 && used + lengths[from - 1] + 11 <= 1000) {
			used += lengths[--from] + 11;
		}
		assert_int_equal(ring.used, used);
		struct transcript_ring_walk walk = transcript_ring_walk(&ring);
		struct transcript_entry entry;
		while (transcript_ring_next(&walk, &entry)) {
			assert_int_equal(entry.ms, from);
			assert_int_equal(entry.len, lengths[from]);
			for (size_t k = 0; k < entry.len; k++) {
				assert_int_equal(entry.data[k], 'a' + (int)from % 26);
			}
			from++;
		}
		assert_int_equal(from, count);
	}
	/* Without the right to drop it takes whole entries or nothing. */
	transcript_ring_clear(&ring);
	static char big[989];
	assert_false(transcript_ring_add(&ring, 1, '>', big, sizeof big, false));
	assert_int_equal(ring.used, 0);
	assert_true(transcript_ring_add(&ring, 1, '>', big, 900, false));
	assert_false(transcript_ring_add(&ring, 1, '>', big, 100, false));
	transcript_ring_fini(&ring);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_fault_is_written),
		TEST(test_only_the_newest_files_stay),
		TEST(test_everything_is_written),
		TEST(test_a_disk_that_takes_nothing),
		TEST(test_says_what_is_missing),
		TEST(test_nothing_without_memory),
		cmocka_unit_test(test_ring),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
