/* SPDX-License-Identifier: MIT */
/*
 * Reads one file in a child process with limits on time and memory.  The parser of a library must not live in the
 * process that holds the motor: whatever a damaged file does to it, the caller gets a sentence.
 */
#ifndef FOCUSD_FITS_CHILD_H
#define FOCUSD_FITS_CHILD_H

#include "err.h"
#include "fits_frame.h"

/* A child may take so long, in real milliseconds. A header alone is a matter of milliseconds; 62 Mpx in compressed
 * tiles take about five seconds on a Raspberry Pi 4. */
#define FITS_CHILD_FACTS_MS 5000
#define FITS_CHILD_PIXELS_MS 30000

/* A child may ask for so many bytes beyond what the caller has: the pixels of the largest image as double (2 GiB), and
 * half as much for what the library needs beside them. */
#define FITS_CHILD_MEMORY (INT64_C(3) << 30)

/* The end of the year 9999, ms since 1970: no date of a header is later. */
#define FITS_LATEST_MS INT64_C(253402300799999)

/* What the caller wants of a file: its facts alone, or the pixels as well, in `pixels` (float) or in `exact`
 * (double); or those of one plane in whichever holds their values. */
enum fits_want { FITS_FACTS, FITS_FLOATS, FITS_DOUBLES, FITS_PLANE };

/* Which parser a file is for, by its first bytes. */
enum file_kind { FILE_FITS, FILE_PGM, FILE_RAW };

struct fits_file {
	const char *path;
	enum file_kind kind;
	const char *kind_name; /* for people: "a raw file of a Canon camera" */
	int32_t plane;         /* with FITS_PLANE */
};

/* Reads the facts of a file and, unless only these are wanted, its pixels, into memory that was shared with the child
 * and that fits_frame_free() gives back. The call blocks until the child ends, at most as long as said above, or until
 * the descriptor give_up (-1: none) becomes readable, upon which the child is killed; any thread may make it, several
 * at once. ERR_IO with a sentence when the file cannot be read, is damaged, or took too long; ERR_CANCELLED when it was
 * given up; ERR_NOMEM. */
enum err_code fits_child_read(const struct fits_file *file, enum fits_want want, int give_up, struct fits_frame *out,
	struct err *err);

#endif
