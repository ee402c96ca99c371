/* SPDX-License-Identifier: MIT */
/* One finished run for the tests of its shapes and of the store. */
#ifndef FOCUSD_SAMPLE_RUN_H
#define FOCUSD_SAMPLE_RUN_H

#include <math.h>
#include <string.h>

#include "run.h"

static inline struct run sample_run(uint64_t id, struct run_point points[3])
{
	points[0] = (struct run_point){.position = 8100, .hfr_px = 4.5, .error_px = 0.05, .stars = 1,
		.flux_ratio = 1, .used = true};
	points[1] = (struct run_point){.position = 7900.5, .hfr_px = NAN, .error_px = NAN,
		.flux_ratio = NAN, .why = "no stars"};
	points[2] = (struct run_point){.position = 7990, .hfr_px = 2.1, .error_px = 0.1, .stars = 1,
		.flux_ratio = 0.98, .used = true, .validation = true};
	struct field_train train = {
		.width = 4144, .height = 2822, .frames = 9, .stars = 45, .centre = {0.01, -0.02, 0.35},
		.value = {7990.5, 16.5, -11.25, 20.75, -3.2, 0.01, 0.02, 0.012, -0.005, 1.1},
		.star_scatter = 0.0125, .extra_scatter = 0.02,
	};
	for (int i = 0; i < FIELD_PARAMETERS; i++) {
		for (int k = 0; k < FIELD_PARAMETERS; k++) {
			train.covariance[i][k] = i == k ? 0.5 / (i + 1) : 0.03125 / (i + k);
		}
	}
	struct run run = {
		.id = id, .state = RUN_SUCCEEDED, .phase = "over", .progress = 1,
		.started_utc_ms = 1773526111250, /* 2026-03-14T22:08:31.250Z */
		.duration_s = 65.25, .overhead_s = 1.5, .focuser = 0, .camera = 1, .focuser_name = "Pier \"east\"",
		.camera_name = "C8", .temperature_c = NAN, .start_position = 7600,
		.best_position = 7990.25, .final_position = 7990, .uncertainty_steps = 1.5,
		.interval95_steps = {7987, 7993.5}, .critical_focus_zone_steps = NAN,
		.hfr_start_px = 14.5, .hfr_predicted_px = 2.25, .hfr_final_px = 2.1, .r_squared = 0.999,
		.mode = "quick", .note = "", .focal_length_mm = 2030, .aperture_mm = 203,
		.taught = {0.0375, 0.0005, 2.25, 0.03, 0.06, 0.02, 12},
		.model = "hyperbola", .curve = {-2.25, 0.0375, 7990.25, 0, 0.0625}, .exposures = 11, .binning = 1,
		.exposure_s = 3, .backlash_steps = 40,
		.field = {.known = true, .um_per_step = 2.5, .train = train}, .points = points, .point_count = 3,
	};
	return run;
}

#endif
