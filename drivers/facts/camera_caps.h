/* SPDX-License-Identifier: MIT */
/*
 * What a camera is and can do, as plain values: filled by its driver, told to clients by the Alpaca members
 * and the page.
 */
#ifndef FOCUSD_CAMERA_CAPS_H
#define FOCUSD_CAMERA_CAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "device_settings.h"
#include "image.h"

/* Whose the camera is; camera_modes.h has the words for people. */
enum camera_mode {
	CAMERA_SERVED,   /* focusd exposes with it and serves it to others */
	CAMERA_BORROWED, /* another program owns it; focusd exposes through that program */
	CAMERA_WATCHED,  /* another program owns it and exposes; focusd measures the frames that come */
	CAMERA_MODES,
};

/* Facts of the camera, as the Alpaca camera members want them.  NAN or 0 where unknown. */
struct camera_caps {
	int32_t width, height;          /* px, unbinned */
	int max_bin;                    /* symmetric binning 1..max_bin, every factor works */
	bool can_abort, can_stop;
	double pixel_um;
	int sensor_type;                /* Alpaca: 0 monochrome, 1 three colours in each pixel, 2 RGGB, 3 CMYG, 4 CMYG2,
					 * 5 LRGB */
	int bayer_offset_x, bayer_offset_y;
	char sensor_name[64];           /* "" unknown */
	char identity[64];              /* Alpaca description, at most 64 characters */
	double exposure_min_s, exposure_max_s, exposure_resolution_s;
	enum image_type frame_type;     /* of the elements of every frame; core allocates by it */
	int32_t max_adu;                /* highest value that an element can have: at most 255 for IMAGE_U8, 65535 for
					 * IMAGE_U16; of floats what the sensor saturates at; 0 unknown */
	double electrons_per_adu, full_well_e; /* NAN unknown */
	bool has_gain;                  /* value mode */
	int gain_min, gain_max;
	int gain_default;               /* what clients that connect find; of a device that tells its gain, that one */
	bool has_offset;
	int32_t offset_min, offset_max;
	int32_t offset_default;         /* as gain_default */
	bool has_shutter;
	bool optics_known;              /* the driver knows its telescope (a simulated one) */
	struct optics_config optics;    /* used where no [telescope.N] is configured */
	const char *const *readout_modes; /* NULL-terminated, at least one; one when can_fast_readout */
	bool can_fast_readout;
	bool has_temperature;           /* of the sensor; poll_climate tells it */
	bool has_heatsink;              /* temperature of the warm side */
	bool has_cooler;                /* on and off, and a set point: set_cooler */
	bool has_cooler_power;
	double set_point_min_c, set_point_max_c, set_point_default_c; /* with has_cooler */
	bool cooler_on;                 /* it cools already, towards set_point_default_c */
	bool can_pulse_guide;
	/* Why no exposure can be made, so that core refuses each with "NAME " and these words; "": it can.  The size of
	 * the sensor may be 0 then, unknown. */
	char expose_refusal[120];
};

/* Elements of one pixel in a frame of this camera. */
static inline int32_t camera_planes(const struct camera_caps *caps)
{
	return caps->sensor_type == 1 ? 3 : 1;
}

/* As Alpaca numbers them. */
enum camera_guide { CAMERA_NORTH = 0, CAMERA_SOUTH = 1, CAMERA_EAST = 2, CAMERA_WEST = 3 };

#endif
