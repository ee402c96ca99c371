/* SPDX-License-Identifier: MIT */
/*
 * The frames of cameras that watch, measured as they come: the state of focus while other software owns the camera.
 * One thread of its own at a low priority measures them, so that nobody who stops a motor waits for it; without such a
 * camera there is no thread.
 */
#ifndef FOCUSD_ARRIVALS_MEASURED_H
#define FOCUSD_ARRIVALS_MEASURED_H

#include <stdbool.h>
#include <stdint.h>

#include "autofocus.h"
#include "measure.h"

struct arrivals_measured;

/* What is known of one camera's frames.  file and why are texts for people. */
struct arrivals_state {
	uint64_t measured;       /* how many frames were; 0: the next members mean nothing */
	struct measurement last; /* of the newest one */
	char file[96];
	int32_t width, height;   /* px */
	double exposure_s;       /* NAN unknown */
	bool position_known;
	double position_steps;   /* what its header says */
	int64_t seen_ms;         /* when its file was noticed, on clock_real() */
	uint64_t left_out;       /* how many files were; 0: the next two mean nothing */
	char left_file[96];      /* of the newest one that was left out */
	char left_why[240];
};

/* Begins to measure; the needs are copied, and what they point to is borrowed and outlives it.  The devices exist, and
 * their workers have not begun.  NULL when out of memory or threads. */
struct arrivals_measured *arrivals_measured_create(const struct job_needs *needs);
/* Joins the thread, which ends the measurement that it is at, a second or two; NULL is fine. */
void arrivals_measured_destroy(struct arrivals_measured *arrivals);

/* Copies what is known of this device; false when it is no camera that watches.  Any thread. */
bool arrivals_measured_state(struct arrivals_measured *arrivals, const struct device *dev, struct arrivals_state *out);

#endif
