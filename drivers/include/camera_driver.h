/* SPDX-License-Identifier: MIT */
/*
 * The seam for camera drivers: one const table, called from that device's worker thread only, never
 * two calls at once.  Errors are returned, not logged.  Each call but read_frame and read_lent ends
 * within two seconds.
 */
#ifndef FOCUSD_CAMERA_DRIVER_H
#define FOCUSD_CAMERA_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "camera_caps.h"
#include "driver_host.h"
#include "err.h"
#include "image.h"

/* One exposure, complete: bin, frame in binned pixels (already checked against the sensor), gain. */
struct exposure_request {
	double duration_s;
	bool light;
	int bin;
	int32_t start_x, start_y, num_x, num_y;
	int gain;
	int32_t offset;
	int readout_mode;
	bool fast_readout;
	bool focuser_known;             /* where the camera's focuser stands when it begins */
	double focuser_position;        /* steps, what the motor said */
};

enum camera_driver_state {
	CAMERA_DRIVER_IDLE,
	CAMERA_DRIVER_EXPOSING,
	CAMERA_DRIVER_READY,   /* read_frame may be called */
	CAMERA_DRIVER_READING, /* no light is collected any more, the pixels are not there yet */
};

struct camera_reading {
	enum camera_driver_state state;
	double elapsed_s;               /* of the running exposure */
	int next_poll_ms;               /* on the device's clock, when to ask again; 0 = core's choice */
};

/* Everything beside exposures; NAN where there is no such sensor or it cannot be read just now. */
struct camera_climate {
	double sensor_c, heatsink_c;
	double power_percent;           /* of the cooler, 0..100 */
	bool guiding;                   /* a guide pulse is going on */
	int next_poll_ms;               /* on the device's clock, when to ask again; 0 = core's choice */
};

struct camera_driver {
	const char *name;
	const char *title;
	size_t ctx_size;
	bool uses_port;                 /* `port` must be configured */
	bool uses_path;                 /* `path` must be configured */
	bool uses_device;               /* heeds `device`: several may be behind one port */
	bool simulated;                 /* runs on the scaled clock */
	bool owns_position;             /* frames carry the position they were recorded at */

	enum err_code (*open)(void *ctx, const struct camera_port *port,
		const struct driver_host *host, struct camera_caps *caps, struct err *err);
	void (*close)(void *ctx);
	/* Optional: what a thread of this driver's posted (struct driver_host), one post a call; (NULL, 0) says
	 * that posts were dropped, so that what is known has to be asked for anew.  It remembers and returns at
	 * once; poll() (during an exposure) and poll_climate() are called soon afterwards, and tell.  ERR_IO: what
	 * was posted is that the link is lost. */
	enum err_code (*posted)(void *ctx, const void *data, size_t size, struct err *err);
	/* Begins and returns. */
	enum err_code (*start_exposure)(void *ctx, const struct exposure_request *request,
		struct err *err);
	enum err_code (*poll)(void *ctx, struct camera_reading *out, struct err *err);
	/* Ends the exposure and throws it away; fine when idle. */
	enum err_code (*abort)(void *ctx, struct err *err);
	/* Optional: ends it early; it becomes READY with what was collected. */
	enum err_code (*stop)(void *ctx, struct err *err);
	/* Fills out (count = num_x * num_y * planes elements of the request, each of the type that
	 * caps.frame_type said, row-major, y outer, row 0 on top, planes innermost) and info (width, height,
	 * planes, bin, mosaic, full scale, exposure really taken, recording facts; type and start_utc_ms are
	 * core's).  out is aligned for any type.  Afterwards the driver is IDLE. */
	enum err_code (*read_frame)(void *ctx, void *out, size_t count, struct frame_info *info,
		struct err *err);
	/* These two, both or neither, take the place of read_frame, for drivers that make their pixels
	 * themselves: core lends the frame that it is going to publish as soon as the exposure has begun, so
	 * that a large one is in memory once and there when the exposure ends.  The driver fills it by
	 * frame_fill(), on threads of its own too; when read_lent, abort or close has returned it must not
	 * touch it any more.  read_lent fills info as read_frame does; while it waits for the rest it watches
	 * host->urgent. */
	void (*lend_frame)(void *ctx, struct frame *frame);
	enum err_code (*read_lent)(void *ctx, struct frame_info *info, struct err *err);

	/* The rest is optional; NULL: the camera cannot do it, whatever its caps say.  Each begins what
	 * it is asked for and returns; at any time, during exposures too (not between two calls of one
	 * read-out). */
	enum err_code (*poll_climate)(void *ctx, struct camera_climate *out, struct err *err);
	/* Both at once; the set point counts while the cooler is off, too. */
	enum err_code (*set_cooler)(void *ctx, bool on, double set_point_c, struct err *err);
	/* Moves the mount for so long; a pulse along the other axis goes on beside it, one along the
	 * same axis is replaced.  Needs poll_climate to tell its end. */
	enum err_code (*pulse_guide)(void *ctx, enum camera_guide direction, int32_t duration_ms,
		struct err *err);
};

extern const struct camera_driver *const camera_drivers[];
const struct camera_driver *camera_driver_find(const char *name);

#endif
