/* SPDX-License-Identifier: MIT */
/*
 * Raw files of cameras: DNG as rpicam-still writes it, and those of single-lens cameras.  The one door to the library
 * that reads them, for the child process only: as with FITS, a damaged file may do anything to it.
 */
#ifndef FOCUSD_RAW_PARSE_H
#define FOCUSD_RAW_PARSE_H

#include "fits_parse.h"

/* Does what fits_parse() does, for a raw file: the part of the sensor that sees light, as the converter gave it
 * (nothing is subtracted, scaled or interpolated), as IMAGE_U16. `kind` is for people: "a raw file of a Canon camera".
 * A file whose cells are not red, green, green, blue in a square, or one colour, is refused with ERR_IO. */
enum err_code raw_parse(const char *path, const char *kind, const struct fits_room *room, struct fits_frame *out,
	struct err *err);

#endif
