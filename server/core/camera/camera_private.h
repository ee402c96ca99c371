/* SPDX-License-Identifier: MIT */
/* The inside of a camera, shared by camera.c (what clients call) and camera_worker.c. */
#ifndef FOCUSD_CAMERA_PRIVATE_H
#define FOCUSD_CAMERA_PRIVATE_H

#include "camera.h"
#include "camera_driver.h"
#include "device_private.h"
#include "drive.h"

/* The phases of an exposure from its acceptance to its end. */
enum expose_phase { EXPOSE_NONE, EXPOSE_ACCEPTED, EXPOSE_RUNNING, EXPOSE_READING };

/* A guide pulse that the hardware has yet to be told. */
struct guide_wish {
	bool wanted;
	enum camera_guide direction;
	int32_t duration_ms;
};

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

	enum expose_phase phase;
	bool private; /* the exposure is a run's: clients' picture and last-exposure facts stay as they are */
	uint64_t op;  /* the newest exposure that was accepted */
	struct exposure_request request;
	int64_t start_utc_ms;
	int64_t start_ms;     /* device clock */
	int64_t next_poll_ms; /* device clock */
	unsigned poll_failures;
	bool reading;         /* the driver has closed the shutter and reads the sensor */
	bool retried;         /* this exposure is the second try after a failed read-out */
	bool abort_wanted, stop_wanted;
	bool failed;          /* the last exposure failed: CameraState is Error */

	uint64_t done_op;     /* the newest exposure that is over, and how it ended */
	struct err done;
	struct frame *run_frame; /* of done_op when that was private; it waits to be fetched */
	struct told_failure expose_told;

	struct frame *frame;  /* the clients' picture */
	bool image_ready;
	uint64_t started_version; /* the device's version when the clients' last exposure was accepted */
	bool has_last;
	double last_duration_s;
	int64_t last_start_utc_ms;
	struct frame *preview;
	uint64_t preview_serial;

	/* Cooler and guide port. */
	bool cooler_on;
	double set_point_c;
	bool cooler_wanted;   /* the hardware has yet to be told the two above */
	struct guide_wish guide[2]; /* declination, right ascension */
	bool guiding;         /* as the driver said last */
	struct told_failure guide_told;
	struct camera_climate climate;
	int64_t next_climate_ms; /* device clock */
	unsigned climate_failures;
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

/* Does the next thing for cooler and guide port and returns true with what it came to; false when there is nothing to
 * do before out->at_ms (STEP_AT). The caller holds the lock, which is given back around a driver call. In
 * camera_climate.c, as the next two. */
bool camera_climate_step(struct device *dev, struct step *out);
/* Reads everything once after open. The caller does not hold the lock. */
void camera_climate_open(struct device *dev);
/* Forgets wishes and values. The caller holds the lock. */
void camera_climate_reset(struct device *dev);
bool camera_guiding_locked(const struct camera_core *c);

#endif
