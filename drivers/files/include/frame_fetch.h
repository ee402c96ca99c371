/* SPDX-License-Identifier: MIT */
/*
 * Brings one file into a frame while the exposure goes on, on a thread of its own with a low priority: reads the
 * file, unless it was the last one that was read, and cuts out the part that was asked for.  A fetch has one owner, who
 * begins it, waits for it and ends it; no thread outlives frame_fetch_end().
 */
#ifndef FOCUSD_REPLAY_FETCH_H
#define FOCUSD_REPLAY_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "fits_frame.h"
#include "image.h"
#include "frame_levels.h"

/* A file with a frame. */
struct frame_file {
	char *path;
	const char *name;        /* the part of path after the folder; for people */
	int32_t width, height;   /* px, and below the type, that it had when it was looked at first */
	enum image_type type;    /* see fits_frame.h */
};

/* The recording that was read last, because the same one is often asked for again. */
struct frame_recording {
	struct fits_frame frame;
	const struct frame_file *file; /* NULL: nothing was read */
};

/* Drops the recording. */
void frame_recording_free(struct frame_recording *recording);

/* Fills mosaic and full_scale_adu of info, whose bin is filled already, for a part of this recording as elements of
 * `type`. */
void frame_recording_describe(const struct frame_recording *recording, const struct frame_levels *levels,
	enum image_type type, struct frame_info *info);

/* What is to be fetched.  Everything that is pointed to is borrowed, and `kept`, `levels` and the frame's pixels belong
 * to the fetch until it is over. */
struct frame_fetch_job {
	const struct frame_file *file;
	enum image_type type;           /* of the frame's elements */
	struct frame_recording *kept;  /* replaced when it is of another file */
	struct frame_levels *levels;   /* made to hold the values of the recording */
	int bin;
	int32_t start_x, start_y;       /* binned px; width and height are the frame's */
	struct frame *frame;            /* from frame_pool_take() */
	const char *source;             /* name for log lines */
};

struct frame_fetch;

/* Begins to fetch and returns; the job is copied. NULL when out of memory or threads. */
struct frame_fetch *frame_fetch_begin(const struct frame_fetch_job *job);

/* Waits until the fetch is over, at most most_ms of real time; true when it is. */
bool frame_fetch_wait(struct frame_fetch *fetch, int most_ms);

/* How it went, once it is over. ERR_OK: the frame is whole; ERR_IO: the file cannot be read any more or has changed;
 * ERR_NOMEM. */
enum err_code frame_fetch_result(const struct frame_fetch *fetch, struct err *err);

/* Gives the fetch up within milliseconds, unless it is over, and frees it; when this has returned nobody touches what
 * the job points to any more. NULL is fine. */
void frame_fetch_end(struct frame_fetch *fetch);

#endif
