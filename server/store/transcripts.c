/* SPDX-License-Identifier: MIT */
#include "transcripts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "transcript_ring.h"

/* Bytes that may wait to be written to the file of one device. */
#define PENDING_MEMORY (64 * 1024)
/* Entries are gathered for so long before they are written. */
#define GATHER_MS 500
#define FAULT_EVERY_MS 60000
/* At this size the file of a complete transcript is renamed to FILE.1, and a new one is begun. */
#define FILE_LIMIT (16 * 1024 * 1024)
/* So many lines of the end of a transcript go to the log. */
#define LOGGED_LINES 12
#define TEXT_CEILING (4 * 1024 * 1024)

struct transcript {
	struct transcripts *all;
	struct transcript *next;
	char source[32];
	char head[768];             /* "# key: value" lines */
	char file[512];             /* of the complete transcript, "" none */

	/* The lock guards these. */
	struct transcript_ring recent;
	struct transcript_ring pending; /* empty, without memory, where there is no file */
	uint64_t lost;              /* entries that found no room in pending */
	struct transcript_ring fault; /* a copy of `recent` that is to be written; without memory: none is due */
	char reason[240];
	bool had_fault;
	int64_t fault_ms;
	unsigned faults_skipped;

	/* Only the writer's thread uses these. */
	struct transcript_ring taken;
	int fd;
	off_t written;
	struct log_repeat failures;
};

struct transcripts {
	char folder[600]; /* "" none */
	pthread_mutex_t lock;
	pthread_cond_t work;
	pthread_cond_t idle;
	pthread_t thread;
	bool has_thread, due, hurry, quit, busy;
	struct transcript *first;
};

struct transcripts *transcripts_create(const char *state_dir)
{
	struct transcripts *all = calloc(1, sizeof *all);
	if (all == NULL) {
		return NULL;
	}
	int n = state_dir != NULL
			? snprintf(all->folder, sizeof all->folder, "%s/transcripts", state_dir)
			: 0;
	if (n < 0 || (size_t)n >= sizeof all->folder) {
		all->folder[0] = '\0';
	}
	pthread_mutex_init(&all->lock, NULL);
	clock_cond_init(&all->work);
	clock_cond_init(&all->idle);
	return all;
}

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

static void write_fault(struct transcript *t, const struct transcript_ring *ring, const char *reason)
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

static void close_file(struct transcript *t)
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
		close_file(t);
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

static void write_pending(struct transcript *t, const struct transcript_ring *ring, uint64_t lost)
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
		if (log_repeat_due(&t->failures)) {
			log_warn(t->source, "cannot write the transcript %s: %s", t->file, strerror(error));
		}
		close_file(t);
	} else {
		(void)log_repeat_reset(&t->failures);
	}
	buf_fini(&text);
}

/* Writes what is due for all devices, once; the lock is given back while it writes. */
static void write_all(struct transcripts *all)
{
	for (struct transcript *t = all->first; t != NULL; t = t->next) {
		struct transcript_ring fault = t->fault;
		t->fault = (struct transcript_ring){0};
		char reason[sizeof t->reason];
		memcpy(reason, t->reason, sizeof reason);
		uint64_t lost = t->lost;
		bool pending = t->pending.used > 0;
		if (pending) {
			struct transcript_ring empty = t->taken;
			t->taken = t->pending;
			t->pending = empty;
			t->lost = 0;
		}
		pthread_mutex_unlock(&all->lock);
		if (fault.room != NULL) {
			write_fault(t, &fault, reason);
			transcript_ring_fini(&fault);
		}
		if (pending) {
			write_pending(t, &t->taken, lost);
			transcript_ring_clear(&t->taken);
		}
		pthread_mutex_lock(&all->lock);
	}
}

static void *writer(void *arg)
{
	struct transcripts *all = arg;
	pthread_mutex_lock(&all->lock);
	for (;;) {
		while (!all->due && !all->quit) {
			clock_wait(clock_real(), &all->work, &all->lock, CLOCK_NEVER);
		}
		if (!all->due && all->quit) {
			break;
		}
		int64_t until_ms = clock_now_ms(clock_real()) + GATHER_MS;
		while (!all->hurry && !all->quit &&
			!clock_wait(clock_real(), &all->work, &all->lock, until_ms)) {
		}
		all->due = false;
		all->hurry = false;
		all->busy = true;
		write_all(all);
		all->busy = false;
		pthread_cond_broadcast(&all->idle);
	}
	pthread_mutex_unlock(&all->lock);
	return NULL;
}

/* Wakes the writer's thread and starts it when it is first needed. The caller holds the lock. */
static void wake_writer(struct transcripts *all, bool hurry)
{
	bool wake = !all->due || (hurry && !all->hurry);
	all->due = true;
	all->hurry |= hurry;
	if (!all->has_thread) {
		all->has_thread = pthread_create(&all->thread, NULL, writer, all) == 0;
	} else if (wake) {
		pthread_cond_broadcast(&all->work);
	}
}

static void add_fact(struct buf *text, const char *key, const char *value)
{
	char clean[300];
	text_copy_clean(clean, sizeof clean, value != NULL ? value : "");
	if (clean[0] != '\0') {
		buf_printf(text, "# %s: %s\n", key, clean);
	}
}

/* Adds a setting to the head of a file; 0 means that it has its usual value and needs no line. */
static void add_number(struct buf *text, const char *key, int value)
{
	if (value != 0) {
		buf_printf(text, "# %s: %d\n", key, value);
	}
}

struct transcript *transcript_create(struct transcripts *all, const struct transcript_about *about)
{
	struct transcript *t = all != NULL ? calloc(1, sizeof *t) : NULL;
	if (t == NULL) {
		return NULL;
	}
	t->all = all;
	t->fd = -1;
	snprintf(t->source, sizeof t->source, "%s", about->source);
	struct buf text;
	buf_init(&text, sizeof t->head - 1);
	add_fact(&text, "program", "focusd " FOCUSD_VERSION);
	add_fact(&text, "device", about->source);
	add_fact(&text, "driver", about->driver);
	add_fact(&text, "port", about->port->port);
	add_fact(&text, "quirks", about->port->quirks);
	add_number(&text, "baud", about->port->baud);
	add_number(&text, "max_step", about->port->max_step);
	add_number(&text, "speed_steps_per_s", about->port->speed_steps_per_s);
	add_number(&text, "step_mode", about->port->step_mode);
	add_number(&text, "tempcomp_steps_per_c", about->port->tempcomp_steps_per_c);
	snprintf(t->head, sizeof t->head, "%s", buf_text(&text));
	buf_fini(&text);
	bool whole = about->file != NULL && about->file[0] != '\0' &&
		strcmp(about->file, "no") != 0;
	if (whole && strcmp(about->file, "yes") == 0) {
		whole = all->folder[0] != '\0';
		snprintf(t->file, sizeof t->file, "%.400s/%s.txt", all->folder, t->source);
	} else if (whole) {
		snprintf(t->file, sizeof t->file, "%s", about->file);
	}
	if (!transcript_ring_init(&t->recent, TRANSCRIPT_MEMORY) ||
		(whole && (!transcript_ring_init(&t->pending, PENDING_MEMORY) ||
				  !transcript_ring_init(&t->taken, PENDING_MEMORY)))) {
		transcript_ring_fini(&t->recent);
		transcript_ring_fini(&t->pending);
		transcript_ring_fini(&t->taken);
		free(t);
		return NULL;
	}
	t->recent.begin_ms = clock_now_ms(clock_real());
	pthread_mutex_lock(&all->lock);
	t->next = all->first;
	all->first = t;
	pthread_mutex_unlock(&all->lock);
	return t;
}

void transcript_note(struct transcript *t, char kind, const void *data, size_t len)
{
	if (t == NULL) {
		return;
	}
	int64_t now = clock_now_ms(clock_real());
	struct transcripts *all = t->all;
	pthread_mutex_lock(&all->lock);
	transcript_ring_add(&t->recent, now, kind, data, len, true);
	if (t->pending.room != NULL) {
		if (!transcript_ring_add(&t->pending, now, kind, data, len, false)) {
			t->lost++;
		}
		wake_writer(all, t->pending.used > PENDING_MEMORY / 2);
	}
	pthread_mutex_unlock(&all->lock);
}

void transcript_say(struct transcript *t, char kind, const char *fmt, ...)
{
	if (t == NULL) {
		return;
	}
	char text[200];
	va_list list;
	va_start(list, fmt);
	int n = vsnprintf(text, sizeof text, fmt, list);
	va_end(list);
	if (n >= 0) {
		transcript_note(t, kind, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
	}
}

void transcript_fault(struct transcript *t, const char *reason)
{
	if (t == NULL) {
		return;
	}
	int64_t now = clock_now_ms(clock_real());
	struct transcripts *all = t->all;
	pthread_mutex_lock(&all->lock);
	if (t->had_fault && now - t->fault_ms < FAULT_EVERY_MS) {
		t->faults_skipped++;
	} else if (t->recent.used > 0 && t->fault.room == NULL &&
		   transcript_ring_copy(&t->fault, &t->recent)) {
		char clean[200];
		text_copy_clean(clean, sizeof clean, reason);
		if (t->faults_skipped > 0) {
			snprintf(t->reason, sizeof t->reason, "%s (and %u more since the last)", clean,
				t->faults_skipped);
		} else {
			snprintf(t->reason, sizeof t->reason, "%s", clean);
		}
		t->faults_skipped = 0;
		t->had_fault = true;
		t->fault_ms = now;
		wake_writer(all, true);
	}
	pthread_mutex_unlock(&all->lock);
}

void transcripts_flush(struct transcripts *all)
{
	pthread_mutex_lock(&all->lock);
	if (all->due) {
		all->hurry = true;
		pthread_cond_broadcast(&all->work);
	}
	while (all->has_thread && (all->due || all->busy)) {
		clock_wait(clock_real(), &all->idle, &all->lock, CLOCK_NEVER);
	}
	pthread_mutex_unlock(&all->lock);
}

void transcripts_destroy(struct transcripts *all)
{
	if (all == NULL) {
		return;
	}
	pthread_mutex_lock(&all->lock);
	all->quit = true;
	pthread_cond_broadcast(&all->work);
	pthread_mutex_unlock(&all->lock);
	if (all->has_thread) {
		pthread_join(all->thread, NULL);
	}
	while (all->first != NULL) {
		struct transcript *t = all->first;
		all->first = t->next;
		close_file(t);
		transcript_ring_fini(&t->recent);
		transcript_ring_fini(&t->pending);
		transcript_ring_fini(&t->taken);
		transcript_ring_fini(&t->fault);
		free(t);
	}
	pthread_cond_destroy(&all->idle);
	pthread_cond_destroy(&all->work);
	pthread_mutex_destroy(&all->lock);
	free(all);
}
