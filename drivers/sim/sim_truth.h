/* SPDX-License-Identifier: MIT */
/*
 * What a simulated frame really shows, one line of JSON each, for whoever tests a measurement against
 * it.  Sizes are those of the noise-free image, by the rule of the measurement: half of the light
 * within an aperture of 4 half-flux radii, 2.3 for rings, in between by r80/r20.
 */
#ifndef FOCUSD_SIM_TRUTH_H
#define FOCUSD_SIM_TRUTH_H

#include "err.h"
#include "sim_render.h"
#include "sim_sky.h"
#include "sim_weather.h"

/* The most stars that are listed. */
#define SIM_TRUTH_STARS 20

struct sim_truth_frame {
	uint64_t number;             /* of this sky, from 0 */
	int64_t utc_ms;              /* when the exposure began */
	double night_s;
	double exposure_s;
	bool light;
	bool failed;                 /* the read-out failed, so nobody has seen the frame */
	int bin;
	int32_t start_x, start_y, num_x, num_y; /* binned px */
	double best_position;        /* in the middle of the exposure, steps */
	double optics_position;      /* mean over the exposure, steps; NAN: not of a simulated focuser */
	double optics_first, optics_last;
	double air_c, tube_c, sensor_c;
	double electrons_per_adu, bias_adu;
	const struct sim_weather *weather;
	const struct sim_scene *scene;
};

/* The half-flux radius of a star of this frame in unbinned pixels; 0 without light. */
double sim_truth_hfr_px(const struct sim_scene *scene, const struct sim_star *star);

/* Appends the line to simulator-truth.jsonl in that folder. */
enum err_code sim_truth_write(const char *folder, const struct sim_truth_frame *frame, struct err *err);

#endif
