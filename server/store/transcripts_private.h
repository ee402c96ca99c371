/* SPDX-License-Identifier: MIT */
/* The inside of the transcripts: transcripts.c gathers entries and has the thread, transcript_files.c writes files. */
#ifndef FOCUSD_TRANSCRIPTS_PRIVATE_H
#define FOCUSD_TRANSCRIPTS_PRIVATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "log.h"
#include "transcript_ring.h"
#include "transcripts.h"

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
	struct log_lasting failures;
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

/* Writes what was said before a fault to a file of its own, deletes the oldest of such files, and has the log show the
 * end.  On the writer's thread, without the lock. */
void transcript_write_fault(struct transcript *t, const struct transcript_ring *ring, const char *reason);

/* Adds entries to the file of the complete transcript; `lost` of them are missing before these.  On the writer's
 * thread, without the lock. */
void transcript_write_pending(struct transcript *t, const struct transcript_ring *ring, uint64_t lost);

/* Closes the file of the complete transcript when it is open. */
void transcript_close_file(struct transcript *t);

#endif
