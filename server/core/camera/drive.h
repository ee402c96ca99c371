/* SPDX-License-Identifier: MIT */
/*
 * Where the core of a camera crosses to its driver.  Every driver call is made here: the lock is given back
 * around it, and a failure is counted.  On the device's worker only.
 */
#ifndef FOCUSD_CAMERA_DRIVE_H
#define FOCUSD_CAMERA_DRIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

struct camera_arrival;
struct camera_climate;
struct camera_reading;
struct device;
struct exposure_request;
struct frame;
struct guide_wish;

/* With the lock held, which is free during the call: afterwards the wishes may have changed.  All return what
 * the driver returned, and ERR_IO means that the link is lost. */

/* Starts an exposure as the request says, and lends its frame to a driver that fills one while it exposes; nothing is
 * exposed when this fails with anything but ERR_IO.  A request that does not know where the focuser stands has that
 * filled in. */
enum err_code camera_drive_start(struct device *dev, struct exposure_request *request, struct err *err);
/* Whether the driver fills the frame while it exposes, so that nothing is left to be fetched when it is ready. */
bool camera_drive_lends(struct device *dev);
/* How the exposure goes; *out is all 0 after a failure. */
enum err_code camera_drive_poll(struct device *dev, struct camera_reading *out, struct err *err);
/* Ends the exposure early, with its picture. */
enum err_code camera_drive_stop(struct device *dev, struct err *err);
/* Ends the exposure without a picture, and takes back a frame that was lent.  Fine when nothing is exposed.  Its
 * failure is not counted: the exposure that was to be aborted ends with it. */
enum err_code camera_drive_abort(struct device *dev, struct err *err);
/* The same for a device that is on its way to closing: the frame stays lent until then, and a failure is counted. */
enum err_code camera_drive_halt(struct device *dev, struct err *err);
/* Fetches the picture of the exposure that is ready: *out is the caller's reference, NULL after a failure, after which
 * the camera is idle unless it is ERR_IO.  ERR_PROTOCOL for a picture of another shape than was asked for; ERR_NOMEM.
 * A failure is not counted here, since the caller counts it when it exposes again. */
enum err_code camera_drive_read(struct device *dev, const struct exposure_request *request, struct frame **out,
	struct err *err);

/* Temperatures, the cooler's power and whether a pulse goes on; *out is as the caller filled it in where the driver
 * says nothing. */
enum err_code camera_drive_climate(struct device *dev, struct camera_climate *out, struct err *err);
enum err_code camera_drive_cooler(struct device *dev, bool on, double set_point_c, struct err *err);
/* Starts a guide pulse, whose end camera_drive_climate() sees. */
enum err_code camera_drive_pulse(struct device *dev, const struct guide_wish *pulse, struct err *err);

/* Tells the driver what one of its threads posted; (NULL, 0) is a gap. */
enum err_code camera_drive_posted(struct device *dev, const void *data, size_t size, struct err *err);

/* Takes what came to a camera that watches; false when nothing did. */
bool camera_drive_take(struct device *dev, struct camera_arrival *out);

/* Without the lock, while the link comes up or goes; link.c of the device counts their failures. */

/* What the camera can do goes into c->fresh_caps.  Closes by itself after a failure. */
enum err_code camera_drive_open(struct device *dev, struct err *err);
/* One try to learn the rest, into c->fresh_caps; nothing for a driver whose open learns it all. */
enum err_code camera_drive_identify(struct device *dev, struct err *err);
enum err_code camera_drive_first_climate(struct device *dev, struct camera_climate *out, struct err *err);
/* Lent frames and memory kept for frames to come are given back too. */
void camera_drive_close(struct device *dev);

#endif
