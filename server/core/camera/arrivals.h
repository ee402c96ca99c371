/* SPDX-License-Identifier: MIT */
/* The frames of a camera that watches: the newest that came, and the newest that was left out.  arrivals.c alone writes
 * it; the device's lock guards all of it. */
#ifndef FOCUSD_CAMERA_ARRIVALS_H
#define FOCUSD_CAMERA_ARRIVALS_H

#include <stdint.h>

#include "camera_arrival.h"

struct device;

struct arrivals {
	uint64_t came, left;            /* how many since the start */
	struct camera_arrival newest;   /* with a frame; its reference is ours */
	struct camera_arrival left_out; /* without one */
};

/* Takes from the driver what has come; on the worker with the lock held, which is free during the driver's call. */
void arrivals_take(struct device *dev);
/* Lets go of the frame. */
void arrivals_free(struct arrivals *arrivals);

#endif
