/* SPDX-License-Identifier: MIT */
/*
 * Real frames of a C8 through measurement, fit and plan.  The frames are other people's and not in
 * the tree: FOCUSD_SHARED names the folder (default ../shared); without it this is skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "af_plan.h"
#include "fits_frame.h"
#include "measure.h"
#include "sky.h"

static struct measurement measured[17];
static bool have_frames;

static int measure_all(void **state)
{
	(void)state;
	const char *shared = getenv("FOCUSD_SHARED");
	for (int i = 0; i < 17; i++) {
		char path[512], exposure[16];
		snprintf(exposure, sizeof exposure, sky_c8[i].exposure_s < 1 ? "0p3s" : "%.0fs",
			sky_c8[i].exposure_s);
		snprintf(path, sizeof path, "%s/data/frames/c8-sweep/c8_%d_%s.fits.gz",
			shared != NULL ? shared : "../shared", sky_c8[i].position, exposure);
		if (access(path, R_OK) != 0) {
			print_message("skipped: no frame %s (FOCUSD_SHARED names the folder)\n", path);
			return 0;
		}
		struct fits_frame frame;
		struct err err = {0};
		if (fits_frame_read(path, &frame, &err) != ERR_OK) {
			print_message("%s\n", err.text);
			return -1;
		}
		struct image img = fits_frame_image(&frame);
		struct measure_options options = measure_defaults();
		size_t listed;
		int status = measure_frame(&img, &options, NULL, 0, &listed, &measured[i], NULL);
		bool right = frame.position.in_name && (int)frame.position.name_steps == sky_c8[i].position;
		fits_frame_free(&frame);
		if (status != 0 || !right) {
			return -1;
		}
	}
	have_frames = true;
	return 0;
}

static void sizes_agree(void **state)
{
	(void)state;
	if (!have_frames) {
		skip();
	}
	for (int i = 0; i < 17; i++) {
		assert_true(measured[i].stars >= 1);
		assert_true(fabs(measured[i].hfr_px / sky_c8[i].growth_px - 1) < 0.03);
	}
}

static void fit_finds_7990(void **state)
{
	(void)state;
	if (!have_frames) {
		skip();
	}
	struct curve_point points[17];
	for (int i = 0; i < 17; i++) {
		points[i] = (struct curve_point){.position = sky_c8[i].position,
			.hfr_px = measured[i].hfr_px, .error_px = measured[i].hfr_error_px,
			.duration_s = sky_c8[i].exposure_s, .stars = measured[i].stars};
	}
	struct curve_result fit;
	assert_int_equal(curve_fit(points, 17, 0, &fit, NULL), 0);
	assert_true(fit.accepted);
	assert_float_equal(fit.best_position, 7990, 5);
	assert_true(fit.interval95_steps[0] < 7990 && fit.interval95_steps[1] > 7990);
}

/* The recorded frame nearest to the wish; of two equally near the outer. */
static int nearest(int position, unsigned *turn)
{
	int best = 0;
	for (int i = 1; i < 17; i++) {
		int d = abs(sky_c8[i].position - position) - abs(sky_c8[best].position - position);
		best = d < 0 || (d == 0 && (*turn)++ % 2 != 0) ? i : best;
	}
	return best;
}

static void plan_finds_7990(void **state)
{
	(void)state;
	if (!have_frames) {
		skip();
	}
	static const double starts[] = {7400, 7600, 7800, 8000, 8300, 8500};
	static const double steps[] = {0, 50, 100};
	for (int run = 0; run < 72; run++) {
		struct af_plan_setup setup = {.start_position = starts[run % 6], .max_step = 65535,
			.points = run / 18 % 2 != 0 ? 11 : 9, .step = steps[run / 6 % 3],
			.approach = run < 36 ? MOVES_APPROACH_OUT : MOVES_APPROACH_IN, .focal_ratio = NAN,
			.aperture_mm = NAN, .focal_length_mm = NAN, .pixel_um = NAN, .step_size_um = NAN,
			.known_slope_px_per_step = NAN, .known_hfr_min_px = NAN};
		struct af_plan plan;
		af_plan_init(&plan, &setup);
		unsigned turn = 0;
		int frames = 0;
		while (plan.wish.want == AF_WANT_SAMPLE || plan.wish.want == AF_WANT_FINAL) {
			int i = nearest(plan.wish.position, &turn);
			struct af_observation seen = {.position = sky_c8[i].position,
				.stars = measured[i].stars, .hfr_px = measured[i].hfr_px,
				.error_px = measured[i].hfr_error_px, .flux_ratio = NAN, .duration_s = 3,
				.recording_id = (uint64_t)i + 1};
			af_plan_tell(&plan, &seen);
			frames++;
		}
		bool good = plan.wish.want == AF_WANT_SUCCESS &&
			fabs(plan.fit.best_position - 7990) <= 10 &&
			plan.fit.interval95_steps[0] <= 7990 && plan.fit.interval95_steps[1] >= 7990;
		if (!good || run < 6) {
			print_message("start %.0f step %.0f: %d frames, best %.1f (%.1f %.1f), final %.2f for "
				"%.2f px %s\n", setup.start_position, setup.step, frames, plan.fit.best_position,
				plan.fit.interval95_steps[0], plan.fit.interval95_steps[1], plan.hfr_final_px,
				plan.hfr_predicted_px, plan.wish.reason);
		}
		assert_true(good);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_agree),
		cmocka_unit_test(fit_finds_7990),
		cmocka_unit_test(plan_finds_7990),
	};
	return cmocka_run_group_tests(tests, measure_all, NULL);
}
