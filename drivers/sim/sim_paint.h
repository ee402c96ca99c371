/* SPDX-License-Identifier: MIT */
/*
 * Fills a frame with the pixels of one exposure, on threads of low priority that begin with the exposure, so that the
 * frame is ready when the exposure ends. The same job always gives the same frame, however many threads there are. A
 * painting has one owner, who begins it, waits for it and ends it; no thread outlives sim_paint_end().
 */
#ifndef FOCUSD_SIM_PAINT_H
#define FOCUSD_SIM_PAINT_H

#include <stdbool.h>
#include <stdint.h>

#include "image.h"
#include "sim_render.h"

struct sim_paint_job {
	struct sim_scene scene;               /* filled as far as the line in struct sim_scene */
	struct sim_sensor sensor;
	const struct sim_ziggurat *ziggurat;
	uint64_t noise_seed;
	int bin;
	int32_t start_x, start_y;             /* binned px; width and height are the frame's */
	struct frame *frame;                  /* one plane, or three: red, green, blue */
};

struct sim_paint;

/* Begins to paint and returns; the job is copied. NULL when out of memory or threads. */
struct sim_paint *sim_paint_begin(const struct sim_paint_job *job);

/* Waits until the painting is over, at most most_ms of real time; true when it is. */
bool sim_paint_wait(struct sim_paint *paint, int most_ms);

/* The scene with all that sim_scene_init() fills in, once the painting is over; NULL when memory did not suffice, in
 * which case the frame must not be used. */
const struct sim_scene *sim_paint_scene(const struct sim_paint *paint);

/* Stops the painting within milliseconds, finished or not; when this has returned nobody touches the frame any more.
 * NULL is fine. */
void sim_paint_end(struct sim_paint *paint);

#endif
