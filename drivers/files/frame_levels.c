/* SPDX-License-Identifier: MIT */
/* Pixels of a file as a camera delivers them. */
#include "frame_levels.h"

#include <math.h>
#include <stdlib.h>

/* So many rows go into a frame at once: whole cache lines of each of its columns. */
#define STRIP_ROWS 32

/* Whether every value of `value` has a place in `type`. */
static bool holds(enum image_type type, enum image_type value)
{
	switch (type) {
	case IMAGE_U8:
	case IMAGE_U16:
		return value == IMAGE_U8 || value == type;
	case IMAGE_I32:
	case IMAGE_F32:
		return value == IMAGE_U8 || value == IMAGE_U16 || value == type;
	case IMAGE_F64:
		break;
	}
	return true;
}

enum image_type frame_type_wider(enum image_type a, enum image_type b)
{
	static const enum image_type by_size[] = {IMAGE_U8, IMAGE_U16, IMAGE_I32, IMAGE_F32};
	for (size_t i = 0; i < sizeof by_size / sizeof by_size[0]; i++) {
		if (holds(by_size[i], a) && holds(by_size[i], b)) {
			return by_size[i];
		}
	}
	return IMAGE_F64;
}

int32_t frame_type_most(enum image_type type, double full_scale_adu)
{
	int32_t most = type == IMAGE_U8    ? UINT8_MAX
		       : type == IMAGE_U16 ? UINT16_MAX
		       : type == IMAGE_I32 ? INT32_MAX
					   : 0;
	bool told = full_scale_adu > 0.0 && full_scale_adu <= INT32_MAX;
	return told && (most == 0 || full_scale_adu < most) ? (int32_t)ceil(full_scale_adu) : most;
}

bool frame_levels_fit(struct frame_levels *levels, const float *pixels, size_t count)
{
	double low = INFINITY;
	double high = -INFINITY;
	for (size_t i = 0; i < count; i++) {
		double v = (double)pixels[i];
		if (isfinite(v)) {
			low = fmin(low, v);
			high = fmax(high, v);
		}
	}
	bool nothing = low > high;
	if (levels->known && (nothing || (low >= levels->zero && high - levels->zero <= UINT16_MAX))) {
		return false;
	}
	*levels = (struct frame_levels){.known = true, .zero = nothing ? 0.0 : fmin(0.0, floor(low))};
	return levels->zero != 0.0;
}

/* Rounds half up and clips. */
static double whole(double value, double least, double most)
{
	return fmin(most, fmax(least, floor(value + 0.5)));
}

void frame_levels_put(const struct frame_levels *levels, enum image_type type, double value, void *out, size_t index)
{
	/* A missing value becomes 0 in a type that has no word for it. */
	bool missing = !isfinite(value);
	switch (type) {
	case IMAGE_U8:
		((uint8_t *)out)[index] = missing ? 0 : (uint8_t)whole(value, 0, UINT8_MAX);
		break;
	case IMAGE_U16:
		((uint16_t *)out)[index] = missing ? 0 : (uint16_t)whole(value - levels->zero, 0, UINT16_MAX);
		break;
	case IMAGE_I32:
		((int32_t *)out)[index] = missing ? 0 : (int32_t)whole(value, INT32_MIN, INT32_MAX);
		break;
	case IMAGE_F32:
		((float *)out)[index] = (float)value;
		break;
	case IMAGE_F64:
		((double *)out)[index] = value;
		break;
	}
}

static double value_at(const struct fits_frame *frame, size_t row, size_t column)
{
	size_t at = row * (size_t)frame->width + column;
	return frame->exact != NULL ? frame->exact[at] : (double)frame->pixels[at];
}

/* The mean of those of the bin x bin pixels, from row and column on, that are not missing; NAN when all are. */
static double mean_at(const struct fits_frame *frame, size_t row, size_t column, size_t bin)
{
	double sum = 0.0;
	int n = 0;
	for (size_t j = 0; j < bin; j++) {
		for (size_t i = 0; i < bin; i++) {
			double value = value_at(frame, row + j, column + i);
			sum += isfinite(value) ? value : 0.0;
			n += isfinite(value) ? 1 : 0;
		}
	}
	return n > 0 ? sum / n : NAN;
}

void frame_levels_cut(const struct frame_levels *levels, enum image_type type, const struct fits_frame *from, int bin,
	int32_t start_x, int32_t start_y, int32_t num_x, int32_t num_y, void *out)
{
	size_t index = 0;
	for (int32_t y = 0; y < num_y; y++) {
		for (int32_t x = 0; x < num_x; x++) {
			size_t row = (size_t)(start_y + y) * (size_t)bin;
			size_t column = (size_t)(start_x + x) * (size_t)bin;
			frame_levels_put(levels, type, mean_at(from, row, column, (size_t)bin), out, index++);
		}
	}
}

enum err_code frame_levels_into(const struct frame_levels *levels, const struct fits_frame *from, int bin,
	int32_t start_x, int32_t start_y, const atomic_bool *cancelled, struct frame *into, struct err *err)
{
	const struct frame_info *info = &into->info;
	void *strip = malloc(STRIP_ROWS * (size_t)info->width * image_type_size(info->type));
	if (strip == NULL) {
		return err_set(err, ERR_NOMEM, "no memory for the rows of a frame");
	}
	for (int32_t first = 0; first < info->height && !atomic_load(cancelled); first += STRIP_ROWS) {
		int32_t rows = info->height - first < STRIP_ROWS ? info->height - first : STRIP_ROWS;
		frame_levels_cut(levels, info->type, from, bin, start_x, start_y + first, info->width, rows,
			strip);
		frame_fill(into, first, rows, strip);
	}
	free(strip);
	return ERR_OK;
}
