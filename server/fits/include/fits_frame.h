/* SPDX-License-Identifier: MIT */
/*
 * Frames in FITS files (plain, .gz, .fz) as other programs left them: faults of real headers are
 * tolerated.  Each file is taken apart in a child process with limits on time and memory, so that a damaged one
 * ends in a sentence and never in the caller.  Called by the replay camera, `focusd measure` and `focusd fit`;
 * any thread, no shared state; the calls block until the child has ended.
 */
#ifndef FOCUSD_FITS_FRAME_H
#define FOCUSD_FITS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "image.h"

/* A frame read whole.  Free with fits_frame_free(). */
struct fits_frame {
	int32_t width, height;     /* px */
	float *pixels;             /* width*height, row-major, first row first in the file, ADU */
	enum image_mosaic mosaic;  /* from BAYERPAT, COLORTYP or a FILTER that names a mosaic */
	double full_scale_adu;     /* from SATURATE, DATAMAX or the data's own type and width; NAN */
	bool position_known;
	double position_steps;     /* by the rule of fits_frame_position() */
	double exposure_s;         /* EXPTIME or EXPOSURE, else from the name; NAN */
	double pixel_um;           /* XPIXSZ; NAN */
	int32_t bin;               /* XBINNING; 1 when absent */
	char warning[160];         /* "" or a sentence, e.g. name and header disagree */
	void *mapping;             /* what fits_frame_free() gives back */
	size_t mapping_size;       /* bytes */
};

/* Reads the largest image with two axes of a file (the first of equals: some programs put a thumbnail in front; of
 * three planes the second, green, is taken).  ERR_IO with a sentence when it cannot: another format is named, a
 * damaged file is called so, one that takes longer than 30 s is given up.  out is untouched then. */
enum err_code fits_frame_read(const char *path, struct fits_frame *out, struct err *err);

void fits_frame_free(struct fits_frame *frame);

/* The borrowed view for measuring. */
struct image fits_frame_image(const struct fits_frame *frame);

/* Position and exposure from a file name that ends in both (c8_7350_3s.fits.gz, c8_7950_0p3s): a
 * number, underscore, a number with p or . for the decimal point, s.  A plain counter (m42_0812) is no position.
 * False when the name does not say; path may hold directories. */
bool fits_name_position(const char *path, double *position_steps, double *exposure_s);

/* True for names that end in .fits, .fit, .fts, with .gz or .fz behind, in any case. */
bool fits_name_is_frame(const char *path);

/* The header's facts without the pixels (pixels is NULL in out): for listing a folder quickly.  Errors as above; a
 * file is given up after 5 s. */
enum err_code fits_frame_stat(const char *path, struct fits_frame *out, struct err *err);

#endif
