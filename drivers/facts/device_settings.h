/* SPDX-License-Identifier: MIT */
/*
 * What the configuration says of one device, as plain values: read by the configuration's tables and by
 * the drivers that heed it.  No functions; constant while a driver holds them.
 */
#ifndef FOCUSD_DEVICE_SETTINGS_H
#define FOCUSD_DEVICE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

/* The [simulator] section, for the simulator and replay drivers.  NAN or -1: the driver's default. */
struct simulator_config {
	double best_position;     /* steps; NAN = from the seed */
	double seeing_arcsec;     /* FWHM, NAN = 2.5 */
	int32_t backlash_steps;   /* of the simulated mechanics, default 0 */
	double temperature_c;     /* NAN = 10 */
	double drift_um_per_c;    /* NAN = 0 */
	double cloud;             /* share of light lost, 0..1; default 0 */
	int32_t slip_steps;       /* lost per move; default 0 */
	double speed_steps_per_s; /* NAN = crosses the range in under 30 s */
	int32_t stars;            /* -1 = the driver's */
	int32_t width, height;    /* px, -1 = the driver's */
	double obstruction;       /* NAN = from the telescope */
	int colour;               /* enum simulator_colour */
	int32_t hot_pixels;       /* -1 = one in 10,000 */
	double nebula;            /* brightness of a nebula's centre, in skies; default 0 */
	double tilt_x_um, tilt_y_um; /* focal plane, right minus left and bottom minus top; default 0 */
	double curvature_um;      /* of the focal surface at the corners, default 0 */
	double stall_chance;      /* share of moves that jam on their way; default 0 */
	int32_t stall_after;      /* every move after so many jams; default 0 = none */
	double fail_chance;       /* share of exposures that fail in read-out; default 0 */
	int32_t fail_every;       /* every Nth exposure fails; default 0 = none */
	double readout_s;         /* of a whole frame in the normal mode; default 0 */
	bool truth;               /* simulator-truth.jsonl is written; default no */
};

enum simulator_colour { SIMULATOR_MONO, SIMULATOR_BAYER, SIMULATOR_RGB };

/* The [telescope.N] section that belongs to a device; NAN where unknown. */
struct optics_config {
	double focal_length_mm;
	double aperture_mm;
	double obstruction_mm;    /* 0 without */
	double wavelength_um;     /* 0.55 */
};

/* Step mode, where a device lets it be chosen. */
enum focuser_step_mode { FOCUSER_STEP_AS_IS, FOCUSER_STEP_FULL, FOCUSER_STEP_HALF };

/* The driver's part of [focuser.N]. */
struct focuser_port {
	char port[256];       /* as configured */
	char device[96];      /* which device behind the port; "" the only one.  Given only where the driver uses it */
	int baud;             /* 0 = the driver's */
	int32_t max_step;     /* configured; 0 = the device's */
	/* How this very device differs: words of the driver's quirks, separated by commas or blanks. */
	char quirks[128];
	int32_t speed_steps_per_s; /* the device is set to this, or the next slower one; 0 = as it is */
	int step_mode;        /* enum focuser_step_mode */
	int32_t steps_per_turn; /* divisions on the knob of a focuser that is turned by hand; 0 = unknown */
	int32_t tempcomp_steps_per_c; /* for the device's own temperature compensation; 0 = not used */
};

/* The driver's part of [camera.N]. */
struct camera_port {
	char port[256];
	char device[96];         /* as of a focuser */
	char path[512];          /* folder of frames (replay, folder) */
	char command[1024];      /* which writes one frame (exec): words with places, see drivers/exec/exec_words.h */
	char frame[256];         /* where it is then, with {out}; "" = {out}.fits */
};

#endif
