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
	const char *name;        /* inside path: without the folder */
	double position_steps;
	double exposure_s;       /* recorded; NAN unknown */
	int32_t width, height;
	enum image_mosaic mosaic;
	double full_scale_adu;   /* NAN unknown */
	double pixel_um;         /* NAN unknown */
	uint64_t id;             /* of the recording, never 0 */
	unsigned served;         /* how often it was delivered */
};

struct replay_frames {
	struct replay_entry *entries; /* by position, then name */
	size_t count;
};

/* Lists the frames of a folder (not of folders inside).  Frames without a position, unreadable ones
 * and those of another size than most are left out, with a warning in the log under source.  ERR_IO
 * when the folder cannot be read, ERR_INVALID_VALUE when it has nothing to deliver; both name it. */
enum err_code replay_frames_list(struct replay_frames *frames, const char *folder,
	const char *source, struct err *err);
void replay_frames_fini(struct replay_frames *frames);

/* Index of the frame recorded nearest to position; of several at equal distance the one delivered
 * least often, then the first.  frames->count > 0. */
size_t replay_frames_pick(const struct replay_frames *frames, double position);

/* From file values to 16 bits: v -> (v - zero) * scale, rounded and clipped. */
struct replay_levels {
	bool known;
	double zero;
	double scale;
};

/* Levels that hold all of these values.  0 and 1 when they fit into 0..65535 as whole numbers; else
 * shifted up when there are negative ones, divided by a power of two when they are too large,
 * multiplied by one when they are fractions that whole numbers would coarsen.  Levels known already
 * stay when the values fit, so that the frames of one folder compare.  True when they changed and
 * are not 0 and 1. */
bool replay_levels_fit(struct replay_levels *levels, const float *pixels, size_t count);

/* One value; not-a-number is 0. */
uint16_t replay_level(const struct replay_levels *levels, float value);

/* Cuts num_x x num_y pixels of bin x bin means from a frame, start in binned pixels. */
void replay_cut(const struct replay_levels *levels, const float *pixels, int32_t width, int bin,
	int32_t start_x, int32_t start_y, int32_t num_x, int32_t num_y, uint16_t *out);

#endif
