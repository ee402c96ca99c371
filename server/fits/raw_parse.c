/* SPDX-License-Identifier: MIT */
#include "raw_parse.h"

#include <math.h>

#include "raw_library.h"

/* What the library calls a mosaic that repeats after two rows and two columns has more bits than this in its pattern
 * (libraw_types.h: `filters`); smaller numbers stand for other arrangements, 0 for none. */
#define LEAST_SQUARE_PATTERN 1000u

/* Finds where the first red cell stands. False when the four cells are not those of a Bayer mosaic. */
static bool find_red(libraw_data_t *raw, int32_t *column, int32_t *row)
{
	bool found = false;
	for (int y = 0; y < 2; y++) {
		for (int x = 0; x < 2; x++) {
			if (raw_library.colour(raw, y, x) == 0) {
				*column = x;
				*row = y;
				found = true;
			}
		}
	}
	/* Blue stands diagonally across from red; the library numbers red, green, blue, second green. */
	return found && raw_library.colour(raw, 1 - *row, 1 - *column) == 2;
}

static enum err_code read_facts(const char *path, libraw_data_t *raw, struct fits_frame *frame, struct err *err)
{
	const libraw_image_sizes_t *sizes = &raw->sizes;
	*frame = (struct fits_frame){
		.width = sizes->width,
		.height = sizes->height,
		.type = IMAGE_U16,
		.mosaic = IMAGE_MONO,
		.full_scale_adu = raw->color.maximum > 0 ? (double)raw->color.maximum : NAN,
		.exposure_s = raw->other.shutter > 0.0f ? (double)raw->other.shutter : NAN,
		.pixel_um = NAN,
		.bin = 1,
		.planes = 1,
	};
	if (frame->width < 2 || frame->height < 2 || frame->width > FITS_MOST_PIXELS / frame->height) {
		return err_set(err, ERR_IO, "%s claims %d x %d pixels; it is damaged", path, (int)frame->width,
			(int)frame->height);
	}
	if (raw->idata.filters >= LEAST_SQUARE_PATTERN) {
		if (!find_red(raw, &frame->bayer_x, &frame->bayer_y)) {
			return err_set(err, ERR_IO, "%s has other cells than red, green and blue ones, which focusd "
				"cannot measure", path);
		}
		frame->mosaic = IMAGE_BAYER;
	} else if (raw->idata.filters != 0 || raw->idata.colors != 1) {
		return err_set(err, ERR_IO, "%s has a mosaic that does not repeat in squares of four cells (X-Trans, "
			"Foveon), or none any more, which focusd cannot measure", path);
	}
	double exposure_s;
	frame->position.in_name = fits_name_position(path, &frame->position.name_steps, &exposure_s);
	return ERR_OK;
}

static enum err_code read_pixels(const char *path, libraw_data_t *raw, const struct fits_room *room,
	struct fits_frame *frame, struct err *err)
{
	const libraw_image_sizes_t *sizes = &raw->sizes;
	const unsigned char *rows = (const unsigned char *)raw->rawdata.raw_image;
	if (rows == NULL || sizes->top_margin + sizes->height > sizes->raw_height ||
		sizes->left_margin + sizes->width > sizes->raw_width) {
		return err_set(err, ERR_IO, "%s holds no pixels as the sensor gave them", path);
	}
	size_t width = (size_t)frame->width;
	size_t count = width * (size_t)frame->height;
	void *pixels = room->take(room->arg, count * (room->exact ? sizeof *frame->exact : sizeof *frame->pixels));
	if (pixels == NULL) {
		return err_set(err, ERR_NOMEM, "no memory for the %d x %d pixels of %s", (int)frame->width,
			(int)frame->height, path);
	}
	frame->pixels = room->exact ? NULL : pixels;
	frame->exact = room->exact ? pixels : NULL;
	for (size_t y = 0; y < (size_t)frame->height; y++) {
		const unsigned short *row = (const unsigned short *)(const void *)(rows +
			(y + sizes->top_margin) * sizes->raw_pitch) + sizes->left_margin;
		for (size_t x = 0; x < width; x++) {
			if (room->exact) {
				frame->exact[y * width + x] = row[x];
			} else {
				frame->pixels[y * width + x] = row[x];
			}
		}
	}
	return ERR_OK;
}

enum err_code raw_parse(const char *path, const char *kind, const struct fits_room *room, struct fits_frame *out,
	struct err *err)
{
	libraw_data_t *raw = raw_library.init(LIBRAW_OPIONS_NO_DATAERR_CALLBACK);
	if (raw == NULL) {
		return err_set(err, ERR_NOMEM, "no memory to read %s", path);
	}
	struct fits_frame frame;
	enum err_code code = ERR_OK;
	int status = raw_library.open_file(raw, path);
	if (status == 0 && room != NULL) {
		status = raw_library.unpack(raw);
	}
	if (status != 0) {
		code = err_set(err, ERR_IO, "%s is %s that cannot be read: %s; focusd reads FITS (.fits, .fit, .fts, "
			"also .gz and .fz), PGM, and raw files as the camera wrote them", path, kind,
			raw_library.strerror(status));
	} else {
		code = read_facts(path, raw, &frame, err);
	}
	if (code == ERR_OK && room != NULL) {
		code = read_pixels(path, raw, room, &frame, err);
	}
	raw_library.close(raw);
	if (code == ERR_OK) {
		*out = frame;
	}
	return code;
}
