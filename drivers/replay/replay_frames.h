/* SPDX-License-Identifier: MIT */
/*
 * The frames of a replay folder: which one an exposure delivers, and its pixels as a camera would
 * have delivered them.  Pure but for replay_frames_list().
 */
#ifndef FOCUSD_REPLAY_FRAMES_H
#define FOCUSD_REPLAY_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "fits_frame.h"

struct replay_entry {
	char *path;
	const char *name;        /* the part of path after the folder */
	struct fits_position claims; /* from which position_steps was decided */
	double position_steps;
	double exposure_s;       /* recorded; NAN unknown */
	int32_t width, height;
	enum image_mosaic mosaic;
	double full_scale_adu;   /* NAN unknown */
	enum image_type type;    /* of the recording, see fits_frame.h */
	double pixel_um;         /* NAN unknown */
	uint64_t id;             /* of the recording, never 0 */
	unsigned served;         /* how often it was delivered */
};

struct replay_frames {
	struct replay_entry *entries; /* by position, then name */
	size_t count;
	enum image_type type;         /* the smallest type that holds every value of all frames */
};

/* Lists the frames of a folder (not of folders inside).  Whether the numbers in their names are positions is decided
 * for the folder as a whole (fits_names_judge()).  Frames without a position, unreadable ones
 * and those of another size than most are left out, with a warning in the log under source.  ERR_IO
 * when the folder cannot be read, ERR_INVALID_VALUE when it has nothing to deliver; both name it. */
enum err_code replay_frames_list(struct replay_frames *frames, const char *folder,
	const char *source, struct err *err);
/* Whether the folder can be read and holds a file that is called like a frame; fails as replay_frames_list(). */
enum err_code replay_frames_look(const char *folder, struct err *err);
void replay_frames_fini(struct replay_frames *frames);

/* Index of the frame recorded nearest to position; of several at equal distance the one delivered
 * least often, then the first.  frames->count > 0. */
size_t replay_frames_pick(const struct replay_frames *frames, double position);

/* The smallest type that holds every value of both. */
enum image_type replay_wider(enum image_type a, enum image_type b);

/* How numbers of 16 bits with a sign fit into IMAGE_U16: zero is subtracted from each. Other types need none of
 * this. */
struct replay_levels {
	bool known;
	double zero; /* ADU; 0, or negative */
};

/* Finds levels that hold all of these values; missing ones do not count. Levels that are already known stay when the
 * values fit, so that the frames of one folder can be compared. True when the levels changed and zero is not 0. */
bool replay_levels_fit(struct replay_levels *levels, const float *pixels, size_t count);

/* Stores a value of a recording, which may be a mean, as element number `index` of out. For IMAGE_U16 levels->zero is
 * subtracted first. Whole numbers are rounded and clipped to what the type holds; a missing value becomes 0 in them and
 * stays missing in floats. */
void replay_put(const struct replay_levels *levels, enum image_type type, double value, void *out, size_t index);

/* Cuts num_x x num_y elements, each a mean of bin x bin pixels, out of a frame into out, row-major; the start is in
 * binned pixels. Missing pixels do not count in a mean; a mean without any pixel is missing. */
void replay_cut(const struct replay_levels *levels, enum image_type type, const struct fits_frame *from, int bin,
	int32_t start_x, int32_t start_y, int32_t num_x, int32_t num_y, void *out);

#endif
