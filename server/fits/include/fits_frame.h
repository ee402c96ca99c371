/* SPDX-License-Identifier: MIT */
/*
 * Frames in files as other programs left them: FITS (plain, .gz, .fz), whose real headers have faults that are
 * tolerated, grey PGM, and raw files of cameras (DNG and others).  Each file is taken apart in a child process with
 * limits on time and memory, so that a damaged one ends in a sentence and never in the caller.  Called by cameras
 * whose frames come in files, `focusd measure` and `focusd fit`; any thread, no shared state; the calls block until
 * the child has ended.
 */
#ifndef FOCUSD_FITS_FRAME_H
#define FOCUSD_FITS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "image.h"

/* What one file claims about where the focuser stood, in steps. Which claim counts is decided for the list of frames to
 * which it belongs: fits_names_judge(). */
struct fits_position {
	bool in_name, in_header; /* whether there is a claim; its number is 0 when not */
	double name_steps;       /* by fits_name_position() */
	double header_steps;     /* FOCUSPOS, else FOCPOS */
};

/* A frame read whole.  Free with fits_frame_free(). */
struct fits_frame {
	int32_t width, height;     /* px */
	/* width*height values, row-major, first row first in the file, ADU; a value is not finite where the file has a
	 * blank or an infinite number. The function that read the frame decides which of the two is filled; the other
	 * is NULL. */
	float *pixels;
	double *exact;
	/* The smallest type of elements that holds every value the file can have: IMAGE_U8 for BITPIX 8; IMAGE_U16 for
	 * 16, also where the numbers have a sign (-32768..32767: whoever delivers them has to shift them); IMAGE_I32
	 * for 32; IMAGE_F32 for -32 and for scaled 8 and 16; IMAGE_F64 for -64, scaled or unsigned 32, and 64 (where
	 * numbers beyond 2^53 are rounded). */
	enum image_type type;
	enum image_mosaic mosaic;  /* from BAYERPAT, COLORTYP or a FILTER that names a mosaic */
	int32_t bayer_x, bayer_y;  /* column and row, 0 or 1, of the first red cell of a mosaic */
	double full_scale_adu;     /* from SATURATE, DATAMAX or the data's own type and width; NAN */
	struct fits_position position;
	double exposure_s;         /* EXPTIME or EXPOSURE, else from the name; NAN */
	double pixel_um;           /* XPIXSZ; NAN */
	int32_t bin;               /* XBINNING; 1 when absent */
	int32_t planes;            /* that lie behind one another in the image, colours for example; 1..1000 */
	bool calibration;          /* IMAGETYP, or FRAME, names a dark, flat, bias or zero frame */
	int64_t start_utc_ms;      /* DATE-OBS, when the exposure began, ms since 1970 in UTC; 0 unknown */
	void *mapping;             /* what fits_frame_free() gives back */
	size_t mapping_size;       /* bytes */
};

/* Reads the largest image with two axes of a FITS file (the first of equals: some programs put a thumbnail in front; of
 * three planes the second, green, is taken) into out->pixels: exactly where the type is IMAGE_U8, IMAGE_U16 or
 * IMAGE_F32, rounded to 24 bits otherwise, which is less than any noise.  ERR_IO with a sentence when it cannot:
 * another format is named, a damaged file is called so, one that takes longer than 30 s is given up.  out is
 * untouched then. */
enum err_code fits_frame_read(const char *path, struct fits_frame *out, struct err *err);
/* Does the same, into out->exact. */
enum err_code fits_frame_read_exact(const char *path, struct fits_frame *out, struct err *err);

/* Does what fits_frame_read_exact() does when `exact` is true, else what fits_frame_read() does, for a caller who may
 * lose interest meanwhile: when the descriptor give_up (an eventfd, for example) becomes readable, the child is ended
 * within milliseconds and the call returns ERR_CANCELLED. The descriptor is looked at and never read from. */
enum err_code fits_frame_read_unless(const char *path, bool exact, int give_up, struct fits_frame *out,
	struct err *err);

/* Reads one plane, 0 to planes - 1, of the image that fits_frame_read() takes, with every value as the file has it:
 * into out->exact where the type is IMAGE_I32 or IMAGE_F64, else into out->pixels.  give_up and errors as above. */
enum err_code fits_frame_read_plane(const char *path, int32_t plane, int give_up, struct fits_frame *out,
	struct err *err);

void fits_frame_free(struct fits_frame *frame);

/* The borrowed view for measuring of a frame from fits_frame_read(). */
struct image fits_frame_image(const struct fits_frame *frame);

/* Position and exposure from a file name that ends in both (c8_7350_3s.fits.gz, c8_7950_0p3s): a
 * number, underscore, a number with p or . for the decimal point, s.  A plain counter (m42_0812) is no position; one
 * before an exposure (m42_0812_2s) looks like one until its list is judged.
 * False when the name does not say; path may hold directories. */
bool fits_name_position(const char *path, double *position_steps, double *exposure_s);

/* What the numbers in the names of a list of frames are. */
enum fits_names {
	FITS_NAMES_STAND,    /* positions, or there are none */
	FITS_NAMES_COUNT,    /* a counter: whole, all different, most of them one after the other */
	FITS_NAMES_CONSTANT, /* the same number in two names or more, such as that of a galaxy */
	FITS_NAMES_FAR,      /* most of them lie nowhere near the headers' positions */
};

/* Decides for a list of n frames as a whole, in any order, whether the numbers in their names are positions. A single
 * name is a position unless its header is far away. Pure; any thread. ERR_NOMEM, and *out is FITS_NAMES_STAND then. */
enum err_code fits_names_judge(const struct fits_position *list, size_t n, enum fits_names *out, struct err *err);

/* A sentence without a full stop that says why the numbers in the names do not count; "" for FITS_NAMES_STAND.
 * Static. */
const char *fits_names_reason(enum fits_names names);

/* The position of one frame of the list so judged, in steps: the name's where names stand, else the header's. False,
 * and *position_steps untouched, when the frame has none. */
bool fits_position_choose(const struct fits_position *frame, enum fits_names names, double *position_steps);

/* True when name and header both claim a position and differ by more than rounding, half a step. */
bool fits_position_differs(const struct fits_position *frame);

/* The date of a header, "2026-11-28T21:05:07.25" in UTC (FITS standard 4.0, 9.1.1), as ms since 1970; a Z behind it is
 * fine.  False, and *utc_ms untouched, for another form, a day without a time, and years before 1970 or after 9999.
 * Pure. */
bool fits_date_parse(const char *text, int64_t *utc_ms);

/* True for names that end in .fits, .fit, .fts, with .gz or .fz behind, in any case. */
bool fits_name_is_frame(const char *path);

/* The header's facts without the pixels (pixels and exact are NULL in out): for listing a folder quickly.
 * Errors as above; a file is given up after 5 s. */
enum err_code fits_frame_stat(const char *path, struct fits_frame *out, struct err *err);

#endif
