/* SPDX-License-Identifier: MIT */
/*
 * What the simulated focuser and the simulated camera have in common: the hidden best focus, where
 * the optics stand, the temperature, the telescope.  It lives in memory shared through the driver
 * host under "sky.N" (N: the focuser's number) and outlives connections, so that a reconnect finds
 * everything where it was.  The focuser's worker writes the mechanics, the camera's worker the rest;
 * each reads the other's.  Everything in it is atomic; there is no lock.
 */
#ifndef FOCUSD_SIM_SKY_H
#define FOCUSD_SIM_SKY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "driver_host.h"
#include "sim_defaults.h"

/* A double that another thread may read at any time; all bits zero is 0.0. */
typedef _Atomic uint64_t sim_atomic_double;
void sim_store(sim_atomic_double *to, double value);
double sim_load(sim_atomic_double *from);

/* The gears between motor and optics, in steps of the motor. The state of the backlash is an offset in 0..backlash; a
 * move changes the offset first, and only the rest of the move turns the optics. At offset = backlash, which is after
 * an arrival from smaller positions, motor and optics have the same position. */
struct sim_mechanics {
	double motor;
	double offset;    /* 0..backlash */
	double optics;
};

/* Moves the motor by delta steps; the first `slip` of them are lost altogether. */
void sim_mechanics_move(struct sim_mechanics *m, double delta, double backlash, double slip);

/* One move of the motor, from its beginning until the next one begins or it is halted. A move is described and not
 * stepped through, so that it can be told afterwards where the optics stood at any moment. */
struct sim_move {
	_Atomic int64_t start_ms, end_ms;  /* end: when it was halted or replaced; INT64_MAX until then */
	sim_atomic_double motor, offset, optics; /* where they stood when it began */
	sim_atomic_double target;
	sim_atomic_double speed;           /* steps per second */
	sim_atomic_double reach;           /* steps after which it jams; more than the move has when it does not */
};

/* So many moves are remembered; an exposure that saw more of them is blurred by the last ones only. */
#define SIM_MOVES 32

/* What focuser and camera share. */
struct sim_sky {
	_Atomic bool started;          /* origin_ms and best are set */
	_Atomic int64_t origin_ms;     /* when the night began, on the devices' clock */
	sim_atomic_double best;        /* hidden best position at the night's first temperature, steps */
	sim_atomic_double step_um;     /* of the focuser that feeds this sky */
	_Atomic bool fed;              /* a simulated focuser feeds it: the moves count */
	_Atomic uint64_t moves;        /* number of moves so far; the last is move[(moves - 1) % SIM_MOVES] */
	struct sim_move move[SIM_MOVES];
	_Atomic uint64_t frames;       /* exposures begun; numbers the noise of each */
	sim_atomic_double slow_seeing; /* slow part of the seeing at the last frame, in sigmas */
	sim_atomic_double sensor_c;    /* of the camera, when it was looked at last */
	_Atomic int64_t sensor_ms;     /* when sensor_c was looked at last; 0: not yet */
	sim_atomic_double guided_x, guided_y; /* where guide pulses have moved the sky, px */
};

/* The configuration with every default filled in. */
struct sim_settings {
	uint64_t seed;
	int focuser;                   /* number, names the sky */
	double focal_length_mm, aperture_mm, obstruction; /* obstruction as a fraction */
	double wavelength_um;
	double pixel_um, step_um;
	double seeing_arcsec, temperature_c, drift_um_per_c, cloud;
	double backlash_steps, slip_steps;
	double speed_steps_per_s;      /* NAN = from max_step */
	double best_position;          /* NAN = from the seed */
	int32_t stars, width, height;
	enum simulator_colour colour;
	int32_t hot_pixels;            /* -1 = one in 10,000 */
	double nebula;
	double tilt_x_um, tilt_y_um, curvature_um;
	double stall_chance, fail_chance;
	int32_t stall_after, fail_every;
	double readout_s;              /* of a whole frame in the normal mode */
};

/* Fills in the settings; focuser is the number of the focuser that moves these optics. */
void sim_settings_init(struct sim_settings *settings, const struct driver_host *host, int focuser);

/* FWHM of a star in focus without the pixel: seeing and diffraction, um in the focal plane. */
double sim_star_fwhm_um(const struct sim_settings *settings, double seeing_arcsec);

/* The steps that blur a star by one in-focus FWHM. */
double sim_unit_steps(const struct sim_settings *settings);

/* The hidden best position of a focuser with this range: as configured, or chosen by the seed in the middle half of the
 * range. A motor that comes from smaller positions is in focus there. */
double sim_hidden_best(const struct sim_settings *settings, int32_t max_step);

/* How far from the best position the night begins: 3 to 8 in-focus FWHM of blur, to the side that the seed chooses. */
double sim_start_offset_steps(const struct sim_settings *settings);

/* Where the motor stands at first: best + offset, or on the other side of the best position when that leaves the
 * range. */
int32_t sim_start_position(const struct sim_settings *settings, double best, int32_t max_step);

/* The shared memory of this sky, in which the night has begun; NULL when out of memory. */
struct sim_sky *sim_sky_get(const struct driver_host *host, int focuser);

/* Air at the focuser and the slower tube, degrees C, this long after the night began. */
double sim_air_c(const struct sim_settings *settings, double seconds);
double sim_tube_c(const struct sim_settings *settings, double seconds);

/* Begins a move of the motor to target; the move before it ends at this moment. Only the focuser's worker may call. */
void sim_sky_move(struct sim_sky *sky, const struct sim_mechanics *from, double target, double speed,
	double reach, int64_t now_ms);

/* Tells where everything stood at a moment, or will stand if no other move is begun; *moving (may be NULL) says whether
 * the motor was moving. Any thread; the sky has to be fed. */
void sim_sky_mechanics(struct sim_sky *sky, const struct sim_settings *settings, int64_t at_ms,
	struct sim_mechanics *out, bool *moving);

double sim_sky_seconds(struct sim_sky *sky, int64_t now_ms);

/* The best position at a moment: the hidden one, moved by the tube's change of temperature. */
double sim_sky_best_now(struct sim_sky *sky, const struct sim_settings *settings, int64_t now_ms);

/* The truth, for tests, as far as it is decided (false before focuser or camera were opened). Of the host it needs
 * clock, share and configuration only. */
struct sim_truth {
	double best_position;    /* now, steps */
	bool fed;                /* a simulated focuser is there */
	double optics_position;  /* now, steps; NAN unless fed */
	double unit_steps;       /* sim_unit_steps() */
	uint64_t frames;         /* exposures begun */
};
bool sim_truth(const struct driver_host *host, int focuser, struct sim_truth *out);

#endif
