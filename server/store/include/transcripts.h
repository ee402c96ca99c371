/* SPDX-License-Identifier: MIT */
/*
 * What was said on the line of each device: the last of it in memory, written to a file when something
 * goes wrong, and all of it to a file where the configuration asks for that.  Whoever notes something
 * only copies it; one thread of its own, started when first needed, does the writing, so that a slow or
 * full disk never holds up a device.  What it cannot write in time is dropped, and the file says so.
 * The text is that of transcript.h in base.
 */
#ifndef FOCUSD_TRANSCRIPTS_H
#define FOCUSD_TRANSCRIPTS_H

#include <stddef.h>

#include "device_settings.h"
#include "transcript.h"

/* So many bytes are kept in memory for each device: about two hundred exchanges. */
#define TRANSCRIPT_MEMORY (16 * 1024)
/* So many files of faults, the newest, are kept in the folder transcripts/ of the state directory. */
#define TRANSCRIPT_FILES 20

struct transcripts;
struct transcript;

/* Makes the transcripts of all devices, whose files of faults go into state_dir/transcripts; with NULL there are no
 * such files. NULL when out of memory. */
struct transcripts *transcripts_create(const char *state_dir);

/* Writes what is pending and frees it with all its transcripts; NULL is fine.  Nobody may note any
 * more. */
void transcripts_destroy(struct transcripts *all);

/* What stands at the top of each file of a device. */
struct transcript_about {
	const char *source; /* "focuser.0" */
	const char *driver;
	const struct focuser_port *port;
	const char *file;   /* "", "no" or NULL: faults only; "yes": SOURCE.txt in the folder; else a path */
};

/* Makes a device's transcript; NULL when out of memory, which all calls below accept. Texts are copied. */
struct transcript *transcript_create(struct transcripts *all, const struct transcript_about *about);

/* Notes bytes or a call; see transcript.h of base for kinds.  Any thread; never waits for a disk. */
void transcript_note(struct transcript *t, char kind, const void *data, size_t len);

/* Notes a call or a result as text. */
void transcript_say(struct transcript *t, char kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Says that something went wrong: what is in memory goes to a file, its end to the log. Each device writes one such
 * file a minute; further faults are only counted. Any thread; the call does not wait. */
void transcript_fault(struct transcript *t, const char *reason);

/* Waits until everything noted and every fault so far is in its file; for tests. */
void transcripts_flush(struct transcripts *all);

#endif
