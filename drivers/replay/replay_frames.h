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
#include "frame_fetch.h"

struct replay_entry {
	struct frame_file file;      /* owns its path */
	struct fits_position claims; /* from which position_steps was decided */
	double position_steps;
	double exposure_s;       /* recorded; NAN unknown */
	enum image_mosaic mosaic;
	int32_t bayer_x, bayer_y;    /* see fits_frame.h */
	double full_scale_adu;   /* NAN unknown */
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

#endif
