/* SPDX-License-Identifier: MIT */
/*
 * The seam for camera drivers: one const table, called from that device's worker thread only, never two calls at
 * once.  Errors are returned, not logged: a code, and in err a sentence for a person at a telescope.  Each call but
 * read_frame, read_lent, and an open that waits for its device and watches host->urgent meanwhile, ends within two
 * seconds.  CONTRIBUTING tells how a driver is made; what each has to keep
 * is tried by tests/unit/drivers/contract_camera.
 */
#ifndef FOCUSD_CAMERA_DRIVER_H
#define FOCUSD_CAMERA_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "camera_arrival.h"
#include "camera_caps.h"
#include "driver_host.h"
#include "err.h"
#include "image.h"

/* One exposure, complete.  Core has checked bin and frame against the sensor, gain and offset against their ranges,
 * and the duration against the shortest (of a light frame) and longest; a driver checks what it alone knows. */
struct exposure_request {
	double duration_s;              /* on the device's clock; 0 for the shortest dark or bias there is */
	bool light;                     /* false: the shutter stays closed, where there is one */
	int bin;                        /* 1..max_bin, on both axes */
	int32_t start_x, start_y, num_x, num_y; /* binned px from the top left corner */
	int gain;                       /* as in the caps; 0 without */
	int32_t offset;                 /* as in the caps; 0 without */
	int readout_mode;               /* index into the caps' list */
	bool fast_readout;              /* with can_fast_readout */
	bool focuser_known;             /* where the camera's focuser stands when it begins */
	double focuser_position;        /* steps, what the motor said */
};

/* An exposure goes through these in the order EXPOSING, READING, READY and never back; READING may be left out. */
enum camera_driver_state {
	CAMERA_DRIVER_IDLE,    /* nothing goes on; in place of READY: the exposure was lost */
	CAMERA_DRIVER_EXPOSING,
	CAMERA_DRIVER_READY,   /* read_frame or read_lent may be called */
	CAMERA_DRIVER_READING, /* no light is collected any more, the pixels are not all there yet */
};

struct camera_reading {
	enum camera_driver_state state;
	double elapsed_s;               /* of the running exposure, 0 to its duration */
	int next_poll_ms;               /* on the device's clock, when to ask again; 0 = core's choice */
};

/* Everything beside exposures; NAN where there is no such sensor or it cannot be read just now. */
struct camera_climate {
	double sensor_c, heatsink_c;    /* degrees Celsius */
	double power_percent;           /* of the cooler, 0..100 */
	bool guiding;                   /* a guide pulse is going on */
	/* What the cooler does by its own word, for clients that connect to a camera whose cooler runs already; core
	 * takes it when the link comes up, and afterwards goes by what was wished. */
	bool cooler_told;
	bool cooler_on;                 /* with cooler_told, as the next */
	double set_point_c;             /* degrees Celsius; NAN or outside the caps' range: the caps' default counts */
	int next_poll_ms;               /* on the device's clock, when to ask again; 0 = core's choice */
};

struct camera_driver {
	const char *name;               /* what people write after `driver =`; small letters and digits */
	const char *title;              /* what clients show when no name is configured */
	size_t ctx_size;                /* bytes of the driver's own state, cleared by core before open */
	bool uses_port;                 /* `port` must be configured */
	/* Optional, of a driver whose port names a server: what its own parser says of it, ERR_INVALID_VALUE with a
	 * sentence that shows what is understood.  Pure, any thread; for `focusd --check`. */
	enum err_code (*read_port)(const char *port, struct err *err);
	bool uses_device;               /* heeds `device`: several may be behind one port */
	bool uses_path;                 /* `path` must be configured */
	/* Says what is wrong with a `path` on the disk at this moment: ERR_IO, or ERR_INVALID_VALUE when nothing in it
	 * can be
	 * used.  It reads names only, and is called without open.  NULL: nothing can be said. */
	enum err_code (*look_path)(const char *path, struct err *err);
	bool uses_command;              /* `command` must be configured; `frame` may be */
	/* Says what is wrong with `command` and `frame`: ERR_INVALID_VALUE as they are written, ERR_IO when there is no
	 * such program at this moment.  It runs nothing, and is called without open. */
	enum err_code (*look_command)(const struct camera_port *port, struct err *err);
	/* Optional: writes what beside its own defaults the sandboxed service must be allowed for this command, as the
	 * end of a sentence that begins with "the service needs": names of files in packaging/systemd.  "" where it
	 * needs nothing.  Pure, any thread; for `focusd --check`. */
	void (*service_needs)(const struct camera_port *port, char *out, size_t cap);
	/* Whose the camera is.  Of a watched one the frames come by themselves: its caps refuse every exposure, and
	 * programs are not told of it unless the configuration says `announce = yes`, since none can expose with it. */
	enum camera_mode mode;
	bool simulated;                 /* runs on the scaled clock */
	bool owns_position;             /* frames carry the position they were recorded at */
	bool needs_focuser;             /* an exposure cannot be made unless it is known where the focuser stands */

	/* Finds the device and fills caps; what is unknown is NAN or 0, as core has set it.  Exposes nothing and
	 * switches nothing.  port and host stay good until close.  After a failure core calls close, and open again
	 * later; so it does after ERR_IO from any other call, which says that the device is gone. */
	enum err_code (*open)(void *ctx, const struct camera_port *port,
		const struct driver_host *host, struct camera_caps *caps, struct err *err);
	/* Optional: one try (at most 1.2 s) to finish what open began, for a device that takes its time before it can
	 * tell what it is.  caps are as open left them, and as the try before left them; the link is up when it has
	 * returned ERR_OK.  Core repeats it, but after ERR_IO. */
	enum err_code (*identify)(void *ctx, struct camera_caps *caps, struct err *err);
	/* In any state, after a failed open, too: ends what goes on, lets go of a frame that was lent, gives everything
	 * back.  A cooler is left as it is. */
	void (*close)(void *ctx);
	/* Optional: what a thread of this driver's posted (struct driver_host), one post a call; (NULL, 0) says
	 * that posts were dropped, so that what is known has to be asked for anew.  It remembers and returns at
	 * once; poll() (during an exposure) and poll_climate() are called soon afterwards, and tell.  ERR_IO: what
	 * was posted is that the link is lost. */
	enum err_code (*posted)(void *ctx, const void *data, size_t size, struct err *err);
	/* Of a watched camera: takes what came last and was not taken, with a reference to its frame that core
	 * takes over; false when nothing came.  Core asks after each posted(). */
	bool (*take_arrived)(void *ctx, struct camera_arrival *out);
	/* Begins and returns.  ERR_INVALID_OPERATION while an exposure goes on, ERR_INVALID_VALUE for a request that
	 * this camera cannot do; the driver is as it was then. */
	enum err_code (*start_exposure)(void *ctx, const struct exposure_request *request,
		struct err *err);
	/* How far it is.  Core gives an exposure up after three failures in a row. */
	enum err_code (*poll)(void *ctx, struct camera_reading *out, struct err *err);
	/* Ends the exposure and throws it away; fine when idle; never gives way to something urgent, because it is
	 * that.  Afterwards the driver is IDLE. */
	enum err_code (*abort)(void *ctx, struct err *err);
	/* Optional: ends it early; it becomes READY with what was collected.  Does nothing when no light is being
	 * collected. */
	enum err_code (*stop)(void *ctx, struct err *err);
	/* Fills out (count = num_x * num_y * planes elements of the request, each of the type that caps.frame_type
	 * said, row-major, y outer, row 0 on top, planes innermost) and info (width, height, planes, bin, mosaic, full
	 * scale, exposure really taken, recording facts; type and start_utc_ms are core's).  out is aligned for any
	 * type.  When nothing is ready it is ERR_INVALID_OPERATION and costs nothing; otherwise the driver is IDLE
	 * afterwards, or core aborts.  While it waits for the device it watches host->urgent and may give up with
	 * ERR_CANCELLED. */
	enum err_code (*read_frame)(void *ctx, void *out, size_t count, struct frame_info *info,
		struct err *err);
	/* These two, both or neither, take the place of read_frame, for drivers that make their pixels themselves
	 * or get them piece by piece: core lends the frame that it is going to publish, which has caps.frame_type,
	 * as soon as the exposure has begun, so that a large one is in memory once and there when the exposure
	 * ends, or when the device's own read-out does.  The driver fills it by frame_fill(), on threads of its
	 * own too, which also transposes the rows and takes their statistics as they come, or by frame_put() where
	 * the pixels come in Alpaca's order; when read_lent, abort
	 * or close has returned it must not touch it any more.  Such a driver says READING while rows are missing
	 * and READY when the frame is whole, since clients are told that the camera exposes or reads until
	 * read_lent has returned.  read_lent fills info as read_frame does; should rows be missing all the same,
	 * it waits for them and watches host->urgent. */
	void (*lend_frame)(void *ctx, struct frame *frame);
	enum err_code (*read_lent)(void *ctx, struct frame_info *info, struct err *err);

	/* The rest is optional; NULL: the camera cannot do it, whatever its caps say.  Each begins what it is asked for
	 * and returns; at any time, during exposures too (not between two calls of one read-out). */
	enum err_code (*poll_climate)(void *ctx, struct camera_climate *out, struct err *err);
	/* Both at once; the set point, degrees Celsius within the caps' range, counts while the cooler is off, too. */
	enum err_code (*set_cooler)(void *ctx, bool on, double set_point_c, struct err *err);
	/* Moves the mount for so long; a pulse along the other axis goes on beside it, one along the same axis is
	 * replaced.  duration_ms >= 0.  Needs poll_climate to tell its end. */
	enum err_code (*pulse_guide)(void *ctx, enum camera_guide direction, int32_t duration_ms,
		struct err *err);
};

/* All of them, in the order in which people are shown them, ended by NULL; and one by its name, NULL when there is
 * none. */
extern const struct camera_driver *const camera_drivers[];
const struct camera_driver *camera_driver_find(const char *name);

#endif
