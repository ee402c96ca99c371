/* SPDX-License-Identifier: MIT */
/*
 * The inside of a camera, put together from its parts.  The parts are structs with a file and a header each:
 * exposure, picture, and climate with cooler and guide port (camera_climate.c).  camera.c is what clients and runs
 * call, camera_settings.c what clients set for the next exposure, camera_worker.c decides what comes next, and
 * drive.c alone calls the driver.
 */
#ifndef FOCUSD_CAMERA_PRIVATE_H
#define FOCUSD_CAMERA_PRIVATE_H

#include "arrivals.h"
#include "camera.h"
#include "camera_driver.h"
#include "climate.h"
#include "device_private.h"
#include "drive.h"
#include "exposure.h"
#include "picture.h"

/* The device's lock guards all of this, except that ctx, fresh_caps, fresh_climate, rows and their size, and lent
 * belong to the worker. */
struct camera_core {
	const struct camera_driver *driver;
	const struct config_camera *cfg;
	void *ctx;
	struct camera_caps fresh_caps;
	struct camera_climate fresh_climate;
	void *rows;       /* memory that the driver fills, row-major; kept from frame to frame */
	size_t rows_cap;  /* bytes */
	struct frame *lent; /* the frame that is being exposed, which the driver may be filling */
	struct frame_pool *pool; /* makes the frames */

	struct camera_caps caps;
	struct camera_setup setup;

	struct exposure exposure;
	struct picture picture;
	struct arrivals arrivals;
	struct cooler cooler;
	struct guide guide;
	struct climate climate;
};

extern const struct device_class camera_class;

static inline struct camera_core *camera_of(const struct device *dev)
{
	return dev->core;
}

/* True, with a sentence, while an exposure is not over. The caller holds the lock. */
bool camera_busy(struct device *dev, struct err *err);

/* Sets what a camera that was just opened has: full frame, bin 1, the device's default gain and offset, no picture. The
 * caller holds the lock. */
void camera_reset(struct device *dev);

#endif
