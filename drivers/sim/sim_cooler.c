/* SPDX-License-Identifier: MIT */
#include "sim_cooler.h"

#include <math.h>

/* The leak to the air has this time constant. */
static const double leak_tau_s = 120.0;
/* The controller adds so much power for each degree above the set point to what keeps the sensor there. */
static const double controller_gain = 0.15;
/* The heat sink gets so much warmer at full power. */
static const double heatsink_rise_c = 9.0;
/* The controller takes no longer steps than this, and no longer time is followed step by step. */
static const double step_s = 2.0;
static const double followed_s = 3600.0;

static double wanted_power(const struct sim_cooler *c, double air_c)
{
	if (!c->on) {
		return 0.0;
	}
	double power = (air_c - c->set_point_c) / SIM_COOLER_DEPTH_C
		+ controller_gain * (c->sensor_c - c->set_point_c);
	return fmin(1.0, fmax(0.0, power));
}

/* Lets `left` seconds pass, the last of which ends at night_s; returns the temperature of the air in the last step. */
static double follow(struct sim_cooler *c, const struct sim_settings *settings, double night_s, double left)
{
	double air_c = sim_air_c(settings, night_s);
	while (left > 0.0) {
		double step = fmin(left, step_s);
		air_c = sim_air_c(settings, night_s - left);
		c->power = wanted_power(c, air_c);
		double goal = air_c - c->power * SIM_COOLER_DEPTH_C;
		c->sensor_c = goal + (c->sensor_c - goal) * exp(-step / leak_tau_s);
		left -= step;
	}
	return air_c;
}

void sim_cooler_run(struct sim_cooler *c, struct sim_sky *sky, const struct sim_settings *settings,
	int64_t now_ms)
{
	double night_s = sim_sky_seconds(sky, now_ms);
	int64_t last_ms = atomic_load(&sky->sensor_ms);
	c->sensor_c = last_ms != 0 ? sim_load(&sky->sensor_c) : sim_air_c(settings, night_s);
	double left = last_ms != 0 ? (double)(now_ms - last_ms) / 1000.0 : 0.0;
	/* After an hour the temperature has settled, whatever it was before. */
	double air_c = follow(c, settings, night_s, fmin(left, followed_s));
	c->power = wanted_power(c, air_c);
	c->heatsink_c = air_c + heatsink_rise_c * c->power;
	sim_store(&sky->sensor_c, c->sensor_c);
	atomic_store(&sky->sensor_ms, now_ms != 0 ? now_ms : 1);
}

double sim_cooler_later(const struct sim_cooler *c, struct sim_sky *sky, const struct sim_settings *settings,
	int64_t now_ms, double after_s)
{
	struct sim_cooler later = *c;
	double left = fmin(after_s, followed_s);
	follow(&later, settings, sim_sky_seconds(sky, now_ms) + left, left);
	return later.sensor_c;
}

double sim_dark_factor(double sensor_c)
{
	/* The temperature counts in whole degrees, so that eddies of the air do not make every dark frame a different
	 * one. */
	return exp2((round(sensor_c) - 10.0) / 6.0);
}
