/* SPDX-License-Identifier: MIT */
/*
 * What the air does to one exposure: seeing, clouds, the jitter of the pointing.  Seeing and pointing
 * are drawn by the number of the frame, so frame n of a seed is always the same; clouds are a function
 * of the time of night, so that two cameras and two frames close together see the same ones.
 */
#ifndef FOCUSD_SIM_WEATHER_H
#define FOCUSD_SIM_WEATHER_H

#include "sim_sky.h"

struct sim_weather {
	double seeing_arcsec;
	double transparency;     /* in the middle of the frame, averaged over the exposure, 0..1 */
	double slope;            /* its change across the width, as a share of that in the middle */
	double shift_x_px, shift_y_px;
};

/* The share of light that passes at this time of night, 0..1. Its mean is 1 - cloud. */
double sim_transparency(const struct sim_settings *settings, double seconds);

/* Draws the weather of frame `number`, which began so many seconds into the night, and remembers the slow part of the
 * seeing in the sky. */
void sim_weather_draw(struct sim_sky *sky, const struct sim_settings *settings, uint64_t number,
	double seconds, double duration_s, struct sim_weather *out);

/* Averages the clouds over what was really exposed. */
void sim_weather_average(const struct sim_settings *settings, double seconds, double duration_s,
	struct sim_weather *out);

#endif
