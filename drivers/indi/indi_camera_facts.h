/* SPDX-License-Identifier: MIT */
/* What a camera is and can do, read from what its INDI driver tells.  Pure but for the shape, which is atomic. */
#ifndef FOCUSD_INDI_CAMERA_FACTS_H
#define FOCUSD_INDI_CAMERA_FACTS_H

#include <stdatomic.h>

#include "camera_caps.h"
#include "indi_variants.h"

/* The property with the pictures of a camera's main sensor. */
#define INDI_PICTURE "CCD1"
/* The guide port of a camera that has one (libindi 1.9.9, indiguiderinterface.cpp). */
#define INDI_GUIDE_NS "TELESCOPE_TIMED_GUIDE_NS"
#define INDI_GUIDE_WE "TELESCOPE_TIMED_GUIDE_WE"

/* How pictures were seen to be, when that is not what the properties say, and how the camera can be read out; outlives
 * the link. */
struct indi_shape {
	_Atomic int type;    /* enum image_type, and one more: 0 nothing was seen */
	_Atomic int planes;
	struct indi_modes modes;
	_Atomic int red;     /* one more than column + 2 * row of the first red cell of a mosaic; 0 none was seen */
};

/* Whether the driver has told what a camera has to tell: the size of its sensor, an exposure, a picture. */
bool indi_camera_told(const struct indi_store *store, const char *device);

/* Fills caps, which core has cleared.  pixel_size_um is the configured one; NAN without. */
void indi_camera_facts(const struct indi_store *store, const char *device, struct indi_shape *shape,
	double pixel_size_um, struct camera_caps *caps);

#endif
