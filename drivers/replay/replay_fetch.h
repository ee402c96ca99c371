/* SPDX-License-Identifier: MIT */
/*
 * Brings one recording into a frame while the exposure goes on, on a thread of its own with a low priority: reads the
 * file, unless it was the last one that was read, and cuts out the part that was asked for.  A fetch has one owner, who
 * begins it, waits for it and ends it; no thread outlives replay_fetch_end().
 */
#ifndef FOCUSD_REPLAY_FETCH_H
#define FOCUSD_REPLAY_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "fits_frame.h"
#include "image.h"
#include "replay_frames.h"

/* The recording that was read last, because the same one is often asked for again. */
struct replay_recording {
	struct fits_frame frame;
	const struct replay_entry *entry; /* NULL: nothing was read */
};

/* Drops the recording. */
void replay_recording_free(struct replay_recording *recording);

/* What is to be fetched.  Everything that is pointed to is borrowed, and `kept`, `levels` and the frame's pixels belong
 * to the fetch until it is over. */
struct replay_fetch_job {
	const struct replay_entry *entry;
	enum image_type type;           /* of the frame's elements */
	struct replay_recording *kept;  /* replaced when it is of another entry */
	struct replay_levels *levels;   /* made to hold the values of the recording */
	int bin;
	int32_t start_x, start_y;       /* binned px; width and height are the frame's */
	struct frame *frame;            /* from frame_pool_take() */
	const char *source;             /* name for log lines */
};

struct replay_fetch;

/* Begins to fetch and returns; the job is copied. NULL when out of memory or threads. */
struct replay_fetch *replay_fetch_begin(const struct replay_fetch_job *job);

/* Waits until the fetch is over, at most most_ms of real time; true when it is. */
bool replay_fetch_wait(struct replay_fetch *fetch, int most_ms);

/* How it went, once it is over. ERR_OK: the frame is whole; ERR_IO: the file cannot be read any more or has changed;
 * ERR_NOMEM. */
enum err_code replay_fetch_result(const struct replay_fetch *fetch, struct err *err);

/* Gives the fetch up within milliseconds, unless it is over, and frees it; when this has returned nobody touches what
 * the job points to any more. NULL is fine. */
void replay_fetch_end(struct replay_fetch *fetch);

#endif
