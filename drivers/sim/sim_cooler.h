/* SPDX-License-Identifier: MIT */
/*
 * A thermoelectric cooler on a sensor: a heat capacity that leaks to the air, and a controller that aims at the set
 * point with what power it has. The temperature is kept in the shared sky, so that a camera that is connected again
 * finds the temperature that its sensor would have. Used by the camera's worker.
 */
#ifndef FOCUSD_SIM_COOLER_H
#define FOCUSD_SIM_COOLER_H

#include "sim_sky.h"

/* At full power the sensor gets so many degrees below the air. */
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

/* Lets the time pass that went by since the last call. */
void sim_cooler_run(struct sim_cooler *cooler, struct sim_sky *sky, const struct sim_settings *settings,
	int64_t now_ms);

/* The temperature (C) that the sensor will have after_s seconds after now_ms if nobody switches anything. */
double sim_cooler_later(const struct sim_cooler *cooler, struct sim_sky *sky,
	const struct sim_settings *settings, int64_t now_ms, double after_s);

/* How many times stronger dark current is than at 10 C: it doubles every 6 degrees. */
double sim_dark_factor(double sensor_c);

#endif
