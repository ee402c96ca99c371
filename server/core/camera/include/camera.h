/* SPDX-License-Identifier: MIT */
/*
 * Everything true of every camera, above the driver: frame settings, the exposure's state machine,
 * the picture clients see, and the private exposures of a run.  Any thread; nothing here waits for
 * hardware except camera_run_expose().
 */
#ifndef FOCUSD_CAMERA_H
#define FOCUSD_CAMERA_H

#include <stdbool.h>
#include <stdint.h>

#include "camera_arrival.h"
#include "camera_caps.h"
#include "device.h"
#include "image.h"

/* What the camera is doing, as in Alpaca's CameraState. */
enum camera_activity {
	CAMERA_IDLE = 0,
	CAMERA_WAITING = 1,
	CAMERA_EXPOSING = 2,
	CAMERA_READING = 3,
	CAMERA_DOWNLOAD = 4,
	CAMERA_ERROR = 5,
};

/* What clients set for the next exposure. */
struct camera_setup {
	int bin;
	int32_t start_x, start_y, num_x, num_y; /* binned px; checked only when an exposure starts */
	int gain;
	int32_t offset;
	int readout_mode;
	bool fast_readout;
};

struct camera_state {
	enum device_link link;
	enum camera_mode mode;        /* whose the camera is, connected or not */
	struct camera_caps caps;      /* valid while connected */
	struct camera_setup setup;
	enum camera_activity activity; /* of client exposures and runs alike */
	int percent;                  /* 0..100 */
	uint64_t ongoing_exposure;    /* number of the clients' exposure that has not ended and that nobody has asked to
				       * end early; 0: there is none. No number comes twice. */
	double exposure_elapsed_s, exposure_duration_s; /* of the running one */
	bool image_ready;
	bool has_last_exposure;
	double last_duration_s;
	int64_t last_start_utc_ms;
	uint64_t leased_to_run;
	uint64_t preview_serial;      /* grows with each new frame, a run's included */
	/* What clients wished last, whether it is known to be done or not. */
	bool cooler_on;
	double set_point_c;
	/* The values that were read last, NAN while reading fails; which of them exist is constant, see caps. */
	double sensor_c, heatsink_c, cooler_power_percent;
	bool guiding;                 /* from the wish for a pulse to the end of the pulse */
};

/* The row of the kind; every function here takes devices of this kind only. */
extern const struct device_kind camera_kind;

void camera_state(struct device *dev, struct camera_state *out);

/* Whether the client has connected again, after its own False, since the last exposure was started: such a client finds
 * neither picture nor last exposure, as in a camera that was just opened, while the others, who kept the link up, keep
 * theirs. */
bool camera_is_new_to(struct device *dev, const struct client *client);

/* Changes one setting: bin sets both axes; ERR_INVALID_VALUE outside the device's range for bin, gain,
 * offset, readout mode; ERR_NOT_IMPLEMENTED where the camera has no such thing.  Frame numbers are
 * not checked.  What the hardware has to do follows at once, on the device's worker. */
enum camera_setting {
	CAMERA_SET_BIN,
	CAMERA_SET_START_X,
	CAMERA_SET_START_Y,
	CAMERA_SET_NUM_X,
	CAMERA_SET_NUM_Y,
	CAMERA_SET_GAIN,
	CAMERA_SET_OFFSET,
	CAMERA_SET_READOUT_MODE,
	CAMERA_SET_FAST_READOUT, /* 0 or 1 */
	CAMERA_SET_COOLER,       /* 0 or 1; switches nothing but the cooler */
};
enum err_code camera_set(struct device *dev, enum camera_setting what, int32_t value,
	struct err *err);

/* Sets the temperature that the cooler keeps; does not switch the cooler on. ERR_INVALID_VALUE outside the device's
 * range. */
enum err_code camera_set_point(struct device *dev, double celsius, struct err *err);

/* Starts a guide pulse and returns: `guiding` is true before this returns. direction is numbered as in Alpaca, 0..3;
 * other numbers and negative durations are ERR_INVALID_VALUE. */
enum err_code camera_pulse_guide(struct device *dev, int32_t direction, int32_t duration_ms,
	struct err *err);
/* Whether a guide pulse goes on: Alpaca's completion property, which tells of a failed pulse for 5 s, then false. */
enum err_code camera_guiding(struct device *dev, bool *out, struct err *err);

/* Starts an exposure and returns: image_ready is false and the activity WAITING or EXPOSING before this returns. Checks
 * in this order: link, duration, frame (ERR_INVALID_VALUE), busy (ERR_INVALID_OPERATION, which names a run that holds
 * the lease), what is needed beside the camera (ERR_INVALID_OPERATION): recorded frames are chosen by where the
 * camera's focuser stands. */
enum err_code camera_start_exposure(struct device *dev, double duration_s, bool light,
	struct err *err);

/* Aborts the exposure; fine when idle. While a run holds the lease, an abort also aborts the run. */
enum err_code camera_abort(struct device *dev, struct err *err);
enum err_code camera_stop(struct device *dev, struct err *err);

/* Whether the picture is there: Alpaca's completion property, which tells of a failed exposure for 5 s, then false. */
enum err_code camera_image_ready(struct device *dev, bool *out, struct err *err);

/* The clients' picture with a reference of its own, given back by frame_unref(); ERR_INVALID_OPERATION when there is
 * none. */
enum err_code camera_frame(struct device *dev, struct frame **out, struct err *err);

/* The newest frame of all, a run's included, for the page, with a reference of its own; NULL when there is none. */
struct frame *camera_preview_frame(struct device *dev, uint64_t *serial);

/* Exposes for the holder of the lease, which is a job. It blocks until the frame is there (*out, with a reference of
 * its own), *cancel becomes true (the exposure is aborted), or the exposure failed. ImageReady, LastExposure* and the
 * clients' picture and settings do not change. focuser_position is where the focuser stands. */
enum err_code camera_run_expose(struct device *dev, uint64_t run, double duration_s, int bin, int gain,
	double focuser_position, const _Atomic bool *cancel, struct frame **out, struct err *err);

/* ---- cameras that watch: other software exposes, and its frames come by themselves ---- */

/* Whether the camera watches.  Constant. */
bool camera_watches(const struct device *dev);

/* Copies the newest frame that came, with a reference of its own, and returns its number, which grows by one with each;
 * 0, and no frame, before the first. */
uint64_t camera_arrived(struct device *dev, struct camera_arrival *out);
/* Copies what is known of the file that was left out last, and returns how many were. */
uint64_t camera_left_out(struct device *dev, struct camera_arrival *out);

/* Which frame a job waits for. */
struct camera_await {
	uint64_t number;        /* one that came after the frame with this number; becomes the number of what was got */
	int64_t begun_after_ms; /* and whose light was collected after this moment, on clock_real(); INT64_MIN: any */
	bool at_once;           /* without waiting: ERR_INVALID_OPERATION when there is none */
};

/* Does for a camera that watches what camera_run_expose() does for others, for the holder of the lease: blocks until an
 * awaited frame is there (*out, with a reference of its own), *cancel becomes true (ERR_CANCELLED), or the link is not
 * up. */
enum err_code camera_run_await(struct device *dev, uint64_t run, struct camera_await *await,
	const _Atomic bool *cancel, struct frame **out, struct err *err);

#endif
