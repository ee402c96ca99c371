/* SPDX-License-Identifier: MIT */
/*
 * Reads one file in a child process with limits on time and memory.  The parser of a library must not live in the
 * process that holds the motor: whatever a damaged file does to it, the caller gets a sentence.
 */
#ifndef FOCUSD_FITS_CHILD_H
#define FOCUSD_FITS_CHILD_H

#include "err.h"
#include "fits_frame.h"

/* How long a child may take, wall clock.  A header alone is a matter of milliseconds; 62 Mpx in compressed tiles
 * take about five seconds on a Raspberry Pi 4. */
#define FITS_CHILD_FACTS_MS 5000
#define FITS_CHILD_PIXELS_MS 30000

/* What a child may ask for beyond what the caller has: the pixels as double of the largest image (2 GiB), and
 * half as much for the file taken apart. */
#define FITS_CHILD_MEMORY (INT64_C(3) << 30)

/* What is wanted of a file: its facts alone, or the pixels, too, into `pixels` or into `exact`. */
enum fits_want { FITS_FACTS, FITS_FLOATS, FITS_DOUBLES };

/* The facts of a file and, unless nothing else is wanted, its pixels: memory shared with the child that has ended,
 * given back by fits_frame_free().  Blocks until the child ends, at most as long as above; any thread, several at once.
 * ERR_IO with a sentence when the file cannot be read, is damaged, or took too long; ERR_NOMEM. */
enum err_code fits_child_read(const char *path, enum fits_want want, struct fits_frame *out, struct err *err);

#endif
