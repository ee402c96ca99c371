/* SPDX-License-Identifier: MIT */
/* The files of transcripts: one for each fault, and the complete one. */
#include "transcripts_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"

/* At this size the file of a complete transcript is renamed to FILE.1, and a new one is begun. */
#define FILE_LIMIT (16 * 1024 * 1024)
/* So many lines of the end of a transcript go to the log. */
#define LOGGED_LINES 12
#define TEXT_CEILING (4 * 1024 * 1024)

static void make_folder(const struct transcripts *all)
{
	if (all->folder[0] != '\0') {
		(void)mkdir(all->folder, 0755);
	}
}

/* The file is opened without blocking, so that a pipe whose reader sleeps does not hold the writer up. */
static int open_file(const char *path, int flags)
{
	return open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags, 0644);
}

static bool write_text(int fd, const struct buf *text)
{
	size_t at = 0;
	while (at < text->len) {
		ssize_t n = write(fd, text->data + at, text->len - at);
		if (n > 0) {
			at += (size_t)n;
		} else if (n == 0 || errno != EINTR) {
			return false;
		}
	}
	return true;
}

static void add_head(struct buf *text, const struct transcript *t, const char *reason)
{
	char utc[CLOCK_UTC_TEXT];
	clock_utc_text(clock_utc_ms(), utc);
	buf_printf(text, "# focusd transcript 1\n%s# date: %s\n", t->head, utc);
	if (reason != NULL) {
		buf_printf(text, "# reason: %s\n", reason);
	}
	buf_puts(text, "#\n");
}

/* The milliseconds of a file count from its first entry. */
static void add_entries(struct buf *text, const struct transcript_ring *ring, int64_t begin_ms)
{
	struct transcript_ring_walk walk = transcript_ring_walk(ring);
	struct transcript_entry entry;
	while (transcript_ring_next(&walk, &entry)) {
		transcript_print(text, entry.ms - begin_ms, entry.kind, entry.data, entry.len);
	}
}

static int64_t begin_of(const struct transcript_ring *ring)
{
	struct transcript_ring_walk walk = transcript_ring_walk(ring);
	struct transcript_entry entry;
	return transcript_ring_next(&walk, &entry) ? entry.ms : 0;
}

static void log_end(const struct transcript *t, const struct buf *text)
{
	struct span rest = {.data = buf_text(text), .len = text->len};
	struct span line[LOGGED_LINES];
	size_t count = 0;
	struct span at;
	while (transcript_next_line(&rest, &at)) {
		if (at.len > 0 && at.data[0] != '#') {
			line[count++ % LOGGED_LINES] = at;
		}
	}
	size_t from = count > LOGGED_LINES ? count - LOGGED_LINES : 0;
	for (size_t i = from; i < count; i++) {
		struct span it = line[i % LOGGED_LINES];
		log_info(t->source, "transcript %.*s", (int)it.len, it.data);
	}
}

static int newest_last(const void *a, const void *b)
{
	/* Names look like "focuser.0-20260314T220831Z.txt"; they are ordered by time, not by device. */
	const char *x = strrchr(*(char *const *)a, '-');
	const char *y = strrchr(*(char *const *)b, '-');
	return strcmp(x, y);
}

static bool is_fault_file(const char *name)
{
	const char *dash = strrchr(name, '-');
	size_t len = strlen(name);
	return dash != NULL && len > 4 && strcmp(name + len - 4, ".txt") == 0;
}

/* Deletes the oldest files of faults and keeps TRANSCRIPT_FILES. */
static void tidy(const struct transcripts *all)
{
	DIR *dir = opendir(all->folder);
	if (dir == NULL) {
		return;
	}
	char *names[256];
	size_t count = 0;
	const struct dirent *entry;
	while (count < sizeof names / sizeof names[0] && (entry = readdir(dir)) != NULL) {
		if (is_fault_file(entry->d_name) && (names[count] = strdup(entry->d_name)) != NULL) {
			count++;
		}
	}
	qsort(names, count, sizeof names[0], newest_last);
	for (size_t i = 0; i < count; i++) {
		if (i + TRANSCRIPT_FILES < count) {
			(void)unlinkat(dirfd(dir), names[i], 0);
		}
		free(names[i]);
	}
	closedir(dir);
}

/* Prints the time as in "20260314T220831.250Z". */
static void file_time(char out[24])
{
	char utc[CLOCK_UTC_TEXT];
	clock_utc_text(clock_utc_ms(), utc);
	size_t n = 0;
	for (size_t i = 0; utc[i] != '\0'; i++) {
		if (utc[i] != '-' && utc[i] != ':') {
			out[n++] = utc[i];
		}
	}
	out[n] = '\0';
}

void transcript_write_fault(struct transcript *t, const struct transcript_ring *ring, const char *reason)
{
	struct transcripts *all = t->all;
	struct buf text;
	buf_init(&text, TEXT_CEILING);
	add_head(&text, t, reason);
	add_entries(&text, ring, begin_of(ring));
	char path[700] = "";
	if (all->folder[0] != '\0') {
		char when[24];
		file_time(when);
		make_folder(all);
		snprintf(path, sizeof path, "%s/%s-%s.txt", all->folder, t->source, when);
		int fd = open_file(path, O_TRUNC);
		bool good = fd >= 0 && !text.failed && write_text(fd, &text);
		int error = errno;
		if (fd >= 0) {
			close(fd);
		}
		if (!good) {
			log_warn(t->source, "cannot write %s: %s", path, strerror(error));
			path[0] = '\0';
		}
		tidy(all);
	}
	if (path[0] != '\0') {
		log_info(t->source, "what was said before is in %s, its end:", path);
	}
	log_end(t, &text);
	buf_fini(&text);
}

void transcript_close_file(struct transcript *t)
{
	if (t->fd >= 0) {
		close(t->fd);
	}
	t->fd = -1;
}

/* Opens the file of a complete transcript, or begins a new one when it has become too long. */
static bool ready_file(struct transcript *t, struct buf *text)
{
	if (t->fd >= 0 && t->written > FILE_LIMIT) {
		transcript_close_file(t);
		char old[sizeof t->file + 2];
		snprintf(old, sizeof old, "%s.1", t->file);
		(void)rename(t->file, old);
	}
	if (t->fd < 0) {
		if (t->all->folder[0] != '\0' &&
			strncmp(t->file, t->all->folder, strlen(t->all->folder)) == 0) {
			make_folder(t->all);
		}
		t->fd = open_file(t->file, O_APPEND);
		struct stat st;
		t->written = t->fd >= 0 && fstat(t->fd, &st) == 0 ? st.st_size : 0;
		add_head(text, t, NULL);
	}
	return t->fd >= 0;
}

void transcript_write_pending(struct transcript *t, const struct transcript_ring *ring, uint64_t lost)
{
	struct buf text;
	buf_init(&text, TEXT_CEILING);
	bool good = ready_file(t, &text);
	int error = errno;
	if (good) {
		if (lost > 0) {
			buf_printf(&text, "# %llu entries are missing here: the disk was too slow\n",
				(unsigned long long)lost);
		}
		add_entries(&text, ring, t->recent.begin_ms);
		good = !text.failed && write_text(t->fd, &text);
		error = errno;
		t->written += (off_t)text.len;
	}
	if (!good) {
		if (log_lasting_news(&t->failures, strerror(error))) {
			log_warn(t->source, "cannot write the transcript %s: %s", t->file, strerror(error));
		}
		transcript_close_file(t);
	} else {
		(void)log_lasting_over(&t->failures);
	}
	buf_fini(&text);
}
