/* SPDX-License-Identifier: MIT */
#include "transcripts_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

/* Bytes that may wait to be written to the file of one device. */
#define PENDING_MEMORY (64 * 1024)
/* Entries are gathered for so long before they are written. */
#define GATHER_MS 500
#define FAULT_EVERY_MS 60000

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
			transcript_write_fault(t, &fault, reason);
			transcript_ring_fini(&fault);
		}
		if (pending) {
			transcript_write_pending(t, &t->taken, lost);
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
		transcript_close_file(t);
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
