/* SPDX-License-Identifier: MIT */
/* The camera driver's own state, and what it learns of its camera. */
#ifndef FOCUSD_ALPACA_CAMERA_H
#define FOCUSD_ALPACA_CAMERA_H

#include <stdbool.h>
#include <stdint.h>

#include "alpaca_client.h"
#include "camera_driver.h"

#define ALPACA_MODES_MAX 16

/* What the camera's members said, as far as they were asked; zeroed means nothing yet. */
struct alpaca_camera_facts {
	int next;                  /* which is asked next */
	int32_t x_size, y_size, max_bin_x, max_bin_y, sensor_type, bayer_x, bayer_y, max_adu;
	int32_t gain, gain_min, gain_max, offset, offset_min, offset_max;
	int32_t gain_names, offset_names; /* how many names in place of limits; 0 none */
	bool can_abort, can_stop, can_set_temperature, can_power, can_guide, can_fast, has_shutter;
	bool has_sensor_type, has_gain, has_offset, has_temperature, has_heatsink, has_cooler, cooler_on;
	double pixel_um, exposure_min_s, exposure_max_s, exposure_step_s, electrons_per_adu, full_well_e;
	double set_point_c, celsius;
	char sensor_name[64];
	char mode_name[ALPACA_MODES_MAX][40];
	const char *mode[ALPACA_MODES_MAX + 1];
};

/* Asks what was not asked yet, until deadline_ms of clock_real(); to be repeated after a failure.  What the camera does
 * not have is no failure, what it must have and does not is.  Errors of alpaca_get(). */
enum err_code alpaca_camera_ask(struct alpaca_client *c, struct alpaca_camera_facts *facts, int64_t deadline_ms,
	struct err *err);

/* What core is told of such a camera.  facts must outlive the caps, which point to its modes. */
void alpaca_camera_caps(const struct alpaca_client *c, const struct alpaca_camera_facts *facts,
	struct camera_caps *caps);

/* The driver's context; zeroed means closed. */
struct alpaca_camera {
	struct alpaca_client client;
	struct alpaca_camera_facts facts;
	struct exposure_request request;
	bool exposing;             /* since our start, until the picture is here or was thrown away */
	bool ready;                /* the last poll said so */
	bool stopped;              /* it was ended early, with its picture */
	bool abort_owed;           /* an abort overtook a start that is still out */
	int64_t start_ms;          /* on the device's clock */
	struct frame *frame;       /* lent */
	double longest_s;          /* exposure */
	bool warned_cut;           /* pixels that did not fit were told of */
};

/* A call but an attempt to identify, an abort and a read-out ends within this. */
#define ALPACA_CAMERA_CALL_MS 1800

/* ERR_NOT_CONNECTED with a sentence while the other server's device is not connected for us. */
enum err_code alpaca_camera_require_link(const struct alpaca_camera *a, struct err *err);

/* Functions of the driver's table; ctx is a struct alpaca_camera. */
enum err_code alpaca_camera_climate(void *ctx, struct camera_climate *out, struct err *err);
enum err_code alpaca_camera_cooler(void *ctx, bool on, double set_point_c, struct err *err);
enum err_code alpaca_camera_pulse(void *ctx, enum camera_guide direction, int32_t duration_ms, struct err *err);

#endif
