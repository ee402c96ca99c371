/* SPDX-License-Identifier: MIT */
/* Turns the pixels of a file into those that a camera delivers.  Pure; any thread. */
#ifndef FOCUSD_FRAME_LEVELS_H
#define FOCUSD_FRAME_LEVELS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "fits_frame.h"
#include "image.h"

/* The smallest type that holds every value of both. */
enum image_type frame_type_wider(enum image_type a, enum image_type b);

/* The highest value that an element of this type can have, for clients: what whole numbers of 8 or 16 bits hold, or
 * less where full_scale_adu (NAN unknown) says so; of other types the value at which they saturate, the greatest whole
 * number for IMAGE_I32 where that is unknown, and 0 (unknown) for floats. */
int32_t frame_type_most(enum image_type type, double full_scale_adu);

/* How numbers of 16 bits with a sign fit into IMAGE_U16: zero is subtracted from each. Other types need none of
 * this. */
struct frame_levels {
	bool known;
	double zero; /* ADU; 0, or negative */
};

/* Finds levels that hold all of these values; missing ones do not count. Levels that are already known stay when the
 * values fit, so that the frames of one folder can be compared. True when the levels changed and zero is not 0. */
bool frame_levels_fit(struct frame_levels *levels, const float *pixels, size_t count);

/* Stores a value of a recording, which may be a mean, as element number `index` of out. For IMAGE_U16 levels->zero is
 * subtracted first. Whole numbers are rounded and clipped to what the type holds; a missing value becomes 0 in them and
 * stays missing in floats. */
void frame_levels_put(const struct frame_levels *levels, enum image_type type, double value, void *out, size_t index);

/* Cuts num_x x num_y elements, each a mean of bin x bin pixels, out of a frame into out, row-major; the start is in
 * binned pixels. Missing pixels do not count in a mean; a mean without any pixel is missing. */
void frame_levels_cut(const struct frame_levels *levels, enum image_type type, const struct fits_frame *from, int bin,
	int32_t start_x, int32_t start_y, int32_t num_x, int32_t num_y, void *out);

/* Does the same for a whole frame from frame_pool_take(): its width and height from the start on, in its type.  Returns
 * early when *cancelled becomes true, and the rest of the frame is not filled then; ERR_NOMEM. */
enum err_code frame_levels_into(const struct frame_levels *levels, const struct fits_frame *from, int bin,
	int32_t start_x, int32_t start_y, const atomic_bool *cancelled, struct frame *into, struct err *err);

#endif
