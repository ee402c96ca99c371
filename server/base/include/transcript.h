/* SPDX-License-Identifier: MIT */
/*
 * The text of a transcript: what was said on a line, by whom and when.  Pure; focusd.conf(5) explains
 * it to people.  Each entry is one line
 *
 *        2017 < 10#
 *
 * with the milliseconds since the transcript began, one character for what it is, and its text.  A
 * line that begins with '#' is a remark; those at the top are "# key: value" facts.  Empty lines mean
 * nothing.
 */
#ifndef FOCUSD_TRANSCRIPT_H
#define FOCUSD_TRANSCRIPT_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

/* What an entry is. */
#define TRANSCRIPT_SENT '>'
#define TRANSCRIPT_RECEIVED '<'
#define TRANSCRIPT_CALL '='   /* what the driver was asked to do: "identify", "move 5000" */
#define TRANSCRIPT_FAILED '!' /* how that ended when it went wrong: "timeout" */
#define TRANSCRIPT_RESULT '.' /* what came out: "position=5000 moving=0" */

/* The most bytes that one line holds; more are written as several lines with the same time. */
#define TRANSCRIPT_LINE_BYTES 64
/* The most bytes that a line may hold when it is read. */
#define TRANSCRIPT_ROOM 256

struct transcript_entry {
	int64_t ms;
	char kind;
	size_t len;
	char data[TRANSCRIPT_ROOM];
};

/* Adds an entry as one or more lines. Bytes are printed as trace_escape() does, all of them, and a blank at either end
 * becomes \x20, so that nothing gets lost when a transcript is sent in a mail. */
void transcript_print(struct buf *out, int64_t ms, char kind, const void *data, size_t len);

enum transcript_line { TRANSCRIPT_NOTHING, TRANSCRIPT_ENTRY, TRANSCRIPT_BAD };

/* Reads one line (without its end; a carriage return there is dropped). A remark or an empty line is
 * TRANSCRIPT_NOTHING. *out is filled for TRANSCRIPT_ENTRY only. */
enum transcript_line transcript_read(struct span line, struct transcript_entry *out);

/* Cuts the next line off *text; false at its end. */
bool transcript_next_line(struct span *text, struct span *line);

/* The value of a "# key: value" line, or false. */
bool transcript_fact(struct span line, const char *key, struct span *value);

#endif
