/* SPDX-License-Identifier: MIT */
/*
 * The one door to the FITS library.  A damaged file may crash the library, keep it busy for ever, or make it ask
 * for all memory, so this is called in a child process only (fits_child.c), which has no other thread.
 */
#ifndef FOCUSD_FITS_PARSE_H
#define FOCUSD_FITS_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "fits_frame.h"

/* An image with more pixels is taken as a sign of a damaged header: no sensor that is sold has so many (151 Mpx,
 * IMX411). */
#define FITS_MOST_PIXELS (INT64_C(1) << 28)

/* Memory for the pixels, which the parser asks for once it knows their number: take() gives so many bytes, aligned for
 * doubles; NULL when there are none. */
struct fits_room {
	bool exact;    /* as double into fits_frame.exact; else as float into fits_frame.pixels */
	int32_t plane; /* -1: green of three, else the first; 0 and more: this one, as double where float would round */
	void *(*take)(void *arg, size_t bytes);
	void *arg;
};

/* Whether a float may round a value of this type. */
static inline bool fits_type_is_wide(enum image_type type)
{
	return type == IMAGE_I32 || type == IMAGE_F64;
}

/* Reads the largest image of a file: its facts and, unless room is NULL, its pixels into the memory that room
 * gives.  out is untouched on failure.  ERR_IO with a sentence that names the file, ERR_NOMEM. */
enum err_code fits_parse(const char *path, const struct fits_room *room, struct fits_frame *out, struct err *err);

#endif
