/* SPDX-License-Identifier: MIT */
/*
 * A FITS file that comes in pieces, as plain as INDI's drivers send it: one primary array with two axes, or with three
 * planes (FITS Standard 4.0, sections 4.4 and 5).  The header is read as it comes, the pixels are handed on in whole
 * rows, so that no picture is ever in memory twice.  Pure.
 *
 * Compressed and more complicated files are another room's business (fits_frame.h).
 */
#ifndef FOCUSD_INDI_FITS_H
#define FOCUSD_INDI_FITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "image.h"

/* What the header says. */
struct indi_fits_facts {
	int bitpix;                 /* 8, 16, 32, -32, -64 */
	int32_t width, height;      /* px */
	int32_t planes;             /* 1 or 3 */
	double zero, scale;         /* BZERO and BSCALE; 0 and 1 without */
	double exposure_s;          /* EXPTIME; NAN */
	int64_t start_utc_ms;       /* DATE-OBS; 0 unknown */
	enum image_type type;       /* the smallest that holds every value exactly */
	/* Of pictures that were read by other means (indi_fits_give()) alone: */
	bool rounded;               /* exposure_s is what a camera's own file says, in its own steps */
	int red;                    /* column + 2 * row, 0..3, of the first red cell of a mosaic; -1 none is told */
};

struct indi_fits;

struct indi_fits_handlers {
	/* The header is complete.  False: the pixels are not wanted, and the rest is passed over. */
	bool (*header)(void *ctx, const struct indi_fits_facts *facts);
	/* `rows` rows of a plane, from row `first` of the file on: elements of facts->type in the byte order of the
	 * machine.  Planes one after the other. */
	void (*rows)(void *ctx, const struct indi_fits_facts *facts, int32_t plane, int32_t first, int32_t rows,
		const void *data);
};

/* ERR_NOMEM.  Owned by the caller. */
enum err_code indi_fits_create(const struct indi_fits_handlers *handlers, void *ctx, struct indi_fits **out,
	struct err *err);
void indi_fits_destroy(struct indi_fits *f);

/* Before each file. */
void indi_fits_begin(struct indi_fits *f);
/* The next bytes.  ERR_PROTOCOL with a sentence when this is not such a file; ERR_NOMEM. */
enum err_code indi_fits_feed(struct indi_fits *f, const void *data, size_t len, struct err *err);
/* A plane of a picture that was read by other means, in place of indi_fits_feed(): facts of the picture, and its values
 * row by row, in one of the two arrays; a value that is no number, or that the type cannot hold, becomes the nearest
 * that it can.  Plane 0 first, then the others.  ERR_NOMEM; ERR_PROTOCOL when it is no picture. */
enum err_code indi_fits_give(struct indi_fits *f, const struct indi_fits_facts *facts, int32_t plane,
	const float *values, const double *exact, struct err *err);
/* Whether pixels are missing that are wanted. */
bool indi_fits_wants(const struct indi_fits *f);
/* Whether all pixels have come; what follows them is padding. */
bool indi_fits_whole(const struct indi_fits *f);

/* Whether every value of one type can stand in the other. */
bool indi_fits_fits_into(enum image_type from, enum image_type into);

#endif
