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

#endif
