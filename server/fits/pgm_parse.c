/* SPDX-License-Identifier: MIT */
#include "pgm_parse.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Reads the next number of the head; comments begin with # and end with their line. -1 when there is none, or when it
 * is larger than any number of a head may be. */
static int64_t next_number(FILE *file)
{
	int c = fgetc(file);
	while (c == '#' || (c != EOF && isspace(c))) {
		while (c == '#' && c != EOF) {
			do {
				c = fgetc(file);
			} while (c != EOF && c != '\n');
		}
		c = c == EOF ? EOF : fgetc(file);
	}
	int64_t value = c != EOF && isdigit(c) ? 0 : -1;
	while (c != EOF && isdigit(c) && value <= INT32_MAX) {
		value = 10 * value + (c - '0');
		c = fgetc(file);
	}
	/* One blank ends the number, and the pixels begin behind the last one's. */
	return c != EOF && isspace(c) && value <= INT32_MAX ? value : -1;
}

static enum err_code damaged(const char *path, const char *why, struct err *err)
{
	return err_set(err, ERR_IO, "%s is a damaged PGM file: %s", path, why);
}

/* Reads the pixels, row by row. */
static enum err_code read_pixels(const char *path, FILE *file, const struct fits_room *room, struct fits_frame *frame,
	struct err *err)
{
	size_t count = (size_t)frame->width * (size_t)frame->height;
	void *pixels = room->take(room->arg, count * (room->exact ? sizeof *frame->exact : sizeof *frame->pixels));
	if (pixels == NULL) {
		return err_set(err, ERR_NOMEM, "no memory for the %d x %d pixels of %s", (int)frame->width,
			(int)frame->height, path);
	}
	frame->pixels = room->exact ? NULL : pixels;
	frame->exact = room->exact ? pixels : NULL;
	size_t size = frame->type == IMAGE_U8 ? 1 : 2;
	unsigned char piece[8192];
	for (size_t at = 0; at < count;) {
		size_t want = count - at < sizeof piece / size ? count - at : sizeof piece / size;
		if (fread(piece, size, want, file) != want) {
			return damaged(path, "it ends too early", err);
		}
		for (size_t i = 0; i < want; i++, at++) {
			int value = size == 1 ? piece[i] : piece[2 * i] << 8 | piece[2 * i + 1];
			if (room->exact) {
				frame->exact[at] = value;
			} else {
				frame->pixels[at] = (float)value;
			}
		}
	}
	return ERR_OK;
}

static enum err_code parse(const char *path, FILE *file, const struct fits_room *room, struct fits_frame *frame,
	struct err *err)
{
	if (fgetc(file) != 'P' || fgetc(file) != '5') {
		return damaged(path, "it does not begin with P5", err);
	}
	int64_t width = next_number(file);
	int64_t height = next_number(file);
	int64_t most = next_number(file);
	if (width < 1 || height < 1 || most < 1 || most > UINT16_MAX) {
		return damaged(path, "its head does not say width, height and a maximum up to 65535", err);
	}
	if (width > FITS_MOST_PIXELS / height) {
		return damaged(path, "its head claims more pixels than any sensor has", err);
	}
	*frame = (struct fits_frame){
		.width = (int32_t)width,
		.height = (int32_t)height,
		.type = most <= UINT8_MAX ? IMAGE_U8 : IMAGE_U16,
		.mosaic = IMAGE_MONO,
		.full_scale_adu = (double)most,
		.exposure_s = NAN,
		.pixel_um = NAN,
		.bin = 1,
		.planes = 1,
	};
	double exposure_s;
	frame->position.in_name = fits_name_position(path, &frame->position.name_steps, &exposure_s);
	if (frame->position.in_name) {
		frame->exposure_s = exposure_s;
	}
	return room != NULL ? read_pixels(path, file, room, frame, err) : ERR_OK;
}

enum err_code pgm_parse(const char *path, const struct fits_room *room, struct fits_frame *out, struct err *err)
{
	FILE *file = fopen(path, "re");
	if (file == NULL) {
		return err_set(err, ERR_IO, "cannot open %s: %s", path, strerror(errno));
	}
	struct fits_frame frame;
	enum err_code code = parse(path, file, room, &frame, err);
	fclose(file);
	if (code == ERR_OK) {
		*out = frame;
	}
	return code;
}
