/* SPDX-License-Identifier: MIT */
/*
 * A thermoelectric cooler on a sensor: a heat capacity that leaks to the air, a controller that aims at
 * the set point with what power it has.  The temperature lives in the shared sky, so that it is where
 * physics left it when a link comes back.  Used by the camera's worker.
 */
#ifndef FOCUSD_SIM_COOLER_H
#define FOCUSD_SIM_COOLER_H

#include "sim_sky.h"

/* What full power reaches below the air, degrees. */
#define SIM_COOLER_DEPTH_C 40.0
#define SIM_SET_POINT_MIN_C (-50.0)
#define SIM_SET_POINT_MAX_C 30.0
#define SIM_SET_POINT_DEFAULT_C (-10.0)

struct sim_cooler {
	bool on;
	double set_point_c;
	double power;        /* 0..1 */
	double sensor_c;
	double heatsink_c;
};

/* Lets the time since the last call pass. */
void sim_cooler_run(struct sim_cooler *cooler, struct sim_sky *sky, const struct sim_settings *settings,
	int64_t now_ms);

/* The temperature that the sensor will have after_s seconds after now_ms when nobody switches anything, C. */
double sim_cooler_later(const struct sim_cooler *cooler, struct sim_sky *sky,
	const struct sim_settings *settings, int64_t now_ms, double after_s);

/* How many times as fast as at 10 C dark current flows: it doubles every 6 degrees. */
double sim_dark_factor(double sensor_c);

#endif
