/* SPDX-License-Identifier: MIT */
/* The inside of a camera, shared by camera.c (what clients call) and camera_worker.c. */
#ifndef FOCUSD_CAMERA_PRIVATE_H
#define FOCUSD_CAMERA_PRIVATE_H

#include "camera.h"
#include "camera_driver.h"
#include "device_private.h"
#include "drive.h"

/* An exposure from acceptance to its end. */
enum expose_phase { EXPOSE_NONE, EXPOSE_ACCEPTED, EXPOSE_RUNNING, EXPOSE_READING };

/* A pulse that has yet to be told to the hardware. */
struct guide_wish {
	bool wanted;
	enum camera_guide direction;
	int32_t duration_ms;
};

/* All under the device's lock, except that ctx, fresh_caps, fresh_climate, rows and their size and lent belong to
 * the worker. */
struct camera_core {
	const struct camera_driver *driver;
	const struct config_camera *cfg;
	void *ctx;
	struct camera_caps fresh_caps;
	struct camera_climate fresh_climate;
	void *rows;       /* what the driver fills, row-major; kept from frame to frame */
	size_t rows_cap;  /* bytes */
	struct frame *lent; /* the one being exposed, which the driver may fill by now */
	struct frame_pool *pool; /* where frames come from */

	struct camera_caps caps;
	struct camera_setup setup;

	enum expose_phase phase;
	bool private; /* of a run: clients' picture and last-exposure facts stay as they are */
	uint64_t op;  /* the newest accepted */
	struct exposure_request request;
	int64_t start_utc_ms;
	int64_t start_ms;     /* device clock */
	int64_t next_poll_ms; /* device clock */
	unsigned poll_failures;
	bool reading;         /* the driver has closed the shutter and reads the sensor */
	bool retried;         /* this exposure is the second try after a failed read-out */
	bool abort_wanted, stop_wanted;
	bool failed;          /* the last exposure failed: CameraState is Error */

	uint64_t done_op;     /* the newest that is over, and how it ended */
	struct err done;
	struct frame *run_frame; /* of done_op when it was private: waits to be fetched */
	struct told_failure expose_told;

	struct frame *frame;  /* the clients' picture */
	bool image_ready;
	uint64_t started_version; /* the device's, when the clients' last exposure was accepted */
	bool has_last;
	double last_duration_s;
	int64_t last_start_utc_ms;
	struct frame *preview;
	uint64_t preview_serial;

	/* Cooler and guide port. */
	bool cooler_on;
	double set_point_c;
	bool cooler_wanted;   /* the two above have yet to be told to the hardware */
	struct guide_wish guide[2]; /* declination, right ascension */
	bool guiding;         /* as the driver said */
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

/* With the lock held: true, with a sentence, while an exposure is not over. */
bool camera_busy(struct device *dev, struct err *err);

/* With the lock held: full frame, bin 1, the device's default gain and offset, no picture. */
void camera_reset(struct device *dev);

/* camera_climate.c.  With the lock held, which it gives back around a driver call: does the next thing for
 * cooler and guide port and returns true with what it came to; false when there is nothing to do before
 * out->at_ms (STEP_AT). */
bool camera_climate_step(struct device *dev, struct step *out);
/* Reads everything once after open, without the lock. */
void camera_climate_open(struct device *dev);
/* With the lock held. */
void camera_climate_reset(struct device *dev);
bool camera_guiding_locked(const struct camera_core *c);

#endif
