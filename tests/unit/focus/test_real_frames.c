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
#include "field.h"
#include "fits_frame.h"
#include "measure.h"
#include "sky.h"

#define MOST_STARS 64

static struct measurement measured[17];
static struct star stars[17][MOST_STARS];
static size_t star_count[17];
static int width, height;
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
		int status = measure_frame(&img, &options, stars[i], MOST_STARS, &star_count[i], &measured[i], NULL);
		width = frame.width;
		height = frame.height;
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

/* Each frame is told from by what the others have taught.  All show one star, whose size says how far focus is and, as
 * nothing else stands beside it, not on which side: the distance has to agree with the truth within its own sigma, and
 * no side may be told where two are possible.  Truth: 7989.0 +- 1.5, the best focus of the whole sweep of 34. */
static void one_frame_is_told_by_the_others(void **state)
{
	(void)state;
	if (!have_frames) {
		skip();
	}
	static struct field_sweep sweep;
	int covered = 0, near = 0;
	for (int left_out = 0; left_out < 17; left_out++) {
		field_begin(&sweep, width, height);
		for (int i = 0; i < 17; i++) {
			if (i != left_out) {
				field_tell(&sweep, sky_c8[i].position, stars[i], star_count[i]);
			}
		}
		struct field_start start = {.best = 7990, .slope_px_per_step = 0.0365, .size_px = 1.88};
		struct field_train train;
		struct err err = {0};
		assert_int_equal(field_fit(&sweep, &start, &train, &err), ERR_OK);
		struct field_sense sense;
		field_sense(&train, stars[left_out], star_count[left_out], width, height, &sense);
		double truth = sky_c8[left_out].position - 7989.0;
		print_message("%d: best %.1f +- %.1f; distance %.0f +- %.0f, truth %.0f, sign %.2f %s\n",
			sky_c8[left_out].position, train.value[FIELD_BEST],
			sqrt(train.covariance[FIELD_BEST][FIELD_BEST]), sense.distance, sense.distance_sigma, truth,
			sense.sign_probability, sense.why);
		assert_true(fabs(train.value[FIELD_BEST] - 7989.0) < 2 * hypot(1.5,
				sqrt(train.covariance[FIELD_BEST][FIELD_BEST])));
		covered += fabs(sense.error - truth) < 2 * sense.sigma;
		near += fabs(sense.distance - fabs(truth)) < 2 * sense.distance_sigma;
		assert_false(sense.tells && fabs(truth) > 0.5 * field_zone(&train));
	}
	print_message("error within 2 sigma %d, distance within 2 sigma %d of 17\n", covered, near);
	assert_true(covered >= 16);
	assert_true(near >= 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_agree),
		cmocka_unit_test(fit_finds_7990),
		cmocka_unit_test(one_frame_is_told_by_the_others),
		cmocka_unit_test(plan_finds_7990),
	};
	return cmocka_run_group_tests(tests, measure_all, NULL);
}
