/* SPDX-License-Identifier: MIT */
/*
 * What core gives to every driver: its clock, its name in the log, a seed, the optics, and memory
 * shared with sibling drivers.  For implementers of drivers.
 */
#ifndef FOCUSD_DRIVER_HOST_H
#define FOCUSD_DRIVER_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"

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

struct driver_host {
	struct clock *clock;      /* the device's clock: real, or faster than life for simulations */
	const char *source;       /* name for log lines: "focuser.0" */
	const char *state_dir;    /* where files may be written; NULL = nowhere */
	uint64_t seed;            /* of --seed; the same seed gives the same night */
	const struct simulator_config *simulator;
	const struct optics_config *optics;
	double pixel_size_um;     /* configured; NAN = the device's own */
	double step_size_um;      /* of the focuser concerned (for a camera: the one that focuses it); NAN */
	int number;               /* device number */
	int partner;              /* number of the sibling: a camera's focuser, a focuser's camera; -1 */
	/* Memory shared by every driver that asks for the same key, zeroed when first asked for, kept
	 * until the server ends.  What is in it must be atomic.  NULL when out of memory. */
	void *(*share)(void *share_ctx, const char *key, size_t size);
	void *share_ctx;
	/* Whether something urgent waits for the call that is running to end: a halt, an abort, a
	 * disconnect.  A driver that waits for its device asks now and then, and when true may give up and
	 * return ERR_CANCELLED, unless the call is itself a halt or an abort.  NULL: never. */
	bool (*urgent)(void *urgent_ctx);
	void *urgent_ctx;
	/* Takes down what is said on the line: '>' sent, '<' received; see transport/transcript.h.  Drivers
	 * leave that to trace_host().  Never waits.  NULL: nobody listens. */
	void (*note)(void *note_ctx, char kind, const void *data, size_t len);
	void *note_ctx;
};

#endif
