/* SPDX-License-Identifier: MIT */
/*
 * Where in the field which part of the frame is in focus, and what a single frame then says of the focus error.
 *
 * No sensor stands quite square to the light: each star has a best focus of its own.  The stars of one ordinary sweep
 * tell tilt and curvature; with these known, the pattern of sizes in a single frame tells how far and on which side
 * the focuser stands, since half of a tilted field gets sharper where the other half gets softer, and seeing does not.
 *
 * Pure: borrowed stars in, numbers out; no allocation, thread, lock, log, device or clock.  Any thread may call; a
 * field_sweep belongs to one thread at a time.
 *
 * Units: positions and all that is measured along the focuser's travel in steps, in the numbers of whoever told them;
 * sizes in px of the frame; places in the frame as X = (x - (width - 1) / 2) / R and Y alike, R half the diagonal, so
 * that X^2 + Y^2 is 1 in the corners.
 */
#ifndef FOCUSD_FIELD_H
#define FOCUSD_FIELD_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "field_train.h"
#include "measure.h"

/* Most frames and stars of one sweep; what is told beyond them is left out. */
#define FIELD_FRAMES 48
#define FIELD_STARS 64

/* One sweep while it is collected.  Caller-owned (some 180 KiB), begun by field_begin(), not to be touched. */
struct field_sweep {
	int width, height;
	int frames, stars;
	double position[FIELD_FRAMES];
	double size[FIELD_FRAMES][FIELD_STARS];  /* ln px; NAN where the star was not measured */
	double noise[FIELD_FRAMES][FIELD_STARS]; /* 1 sigma of it from photons */
	struct star track[FIELD_STARS];          /* the stars as first seen, at the places of the first frame */
	struct field_fit_work {
		double matrix[FIELD_PARAMETERS + FIELD_FRAMES + FIELD_STARS]
			[FIELD_PARAMETERS + FIELD_FRAMES + FIELD_STARS];
		double value[FIELD_PARAMETERS + FIELD_FRAMES + FIELD_STARS];
		double trial[FIELD_PARAMETERS + FIELD_FRAMES + FIELD_STARS];
		double gradient[FIELD_PARAMETERS + FIELD_FRAMES + FIELD_STARS];
		double place[FIELD_STARS][3];
	} work;
};

/* Begins a sweep of frames of width x height px. */
void field_begin(struct field_sweep *sweep, int width, int height);

/* Adds the stars of one frame.
 * Given: position, steps, finite, where the frame was exposed; stars[count], brightest first, as measure_frame()
 * leaves them; flagged ones take no part.
 * Notes: 1) stars are matched with those of earlier frames by match_stars(); a star that was not seen before becomes
 * one more while there is room.  2) a frame that does not show the same field, or that comes when FIELD_FRAMES are
 * full, is left out. */
void field_tell(struct field_sweep *sweep, double position, const struct star *stars, size_t count);

/* Takes out the frames that were exposed at this position: it is not where the focuser stood. */
void field_leave_out(struct field_sweep *sweep, double position);

/* A curve near the answer, from whoever has fitted the frames' common sizes. */
struct field_start {
	double best;              /* steps */
	double slope_px_per_step; /* > 0 */
	double size_px;           /* in focus, > 0 */
};

/* Fits all stars of a sweep together: one slope, one size in focus for each frame, one factor for each star.
 * Given: sweep, whose workspace is used; start.
 * Returned: *out.
 * Status: ERR_OK; ERR_INVALID_VALUE with a sentence in err (may be NULL) and *out untouched: a start that is no curve,
 * fewer than 5 frames, none of them on one side of the start, or equations without a solution.
 * Notes: 1) least squares of ln size under Student's t with 4 degrees of freedom, so that a star gone wrong counts
 * little; the seeing of frames, the differences between stars and the scatter beyond photon noise are estimated with
 * the rest from priors that few stars leave as they are.  2) one star is enough for BEST and SLOPE; tilt and curvature
 * then keep their prior.  3) accuracy, 40 fields with tilt of 6 to 22 and curvature of +-30 um, sizes by the exact
 * curve of Kolmogorov seeing: 9 frames of 45 stars leave errors of 0.7 um rms in tilt along the half diagonal and in
 * curvature, and two stated sigmas hold 94 % of them (tests/unit/focus/test_field.c fields_come_back).
 * Sources: the model: field_inside.h; the estimate of scatters:
 * Dempster, Laird and Rubin, Journal of the Royal Statistical Society B 39 (1977) 1; Student's t by weights: Lange,
 * Little and Taylor, Journal of the American Statistical Association 84 (1989) 881. */
enum err_code field_fit(struct field_sweep *sweep, const struct field_start *start, struct field_train *out,
	struct err *err);

/* What one frame says. */
struct field_sense {
	bool tells;              /* the focus error is known well enough to act on: see note 2 */
	const char *why;         /* a sentence when it does not; static; "" when it does */
	double error;            /* steps: position less best focus at the train's mean place: mean of the possible */
	double sigma;            /* steps: 1 sigma of all that is possible, the other side of focus included */
	double sign_probability; /* of the sign of error, 0.5..1 */
	double distance;         /* steps, >= 0: how far focus is, on whichever side */
	double distance_sigma;   /* steps, 1 sigma */
	double chi2_dof;         /* of the pattern of sizes; NAN with fewer than 3 stars */
	int stars;               /* that took part */
};

/* The signed focus error of a single frame.
 * Given: train; stars[count] as in field_tell(), of a frame of width x height px.
 * Returned: *out; without a usable star, or for another size of frame, tells is false and the numbers are NAN.
 * Notes: 1) unknown are the focus error and the size in focus of the moment; what the train does not know well counts
 * through its covariance; all focus errors are tried, so both sides of focus are.  2) it tells when sigma is below a
 * fifth of field_zone() or below a quarter of the error; a flat field never tells the side.  3) a pattern that
 * does not fit (chi2_dof far above 1) widens sigma, and from 2 on the field has changed and it does not tell.
 * Accuracy, 40 stars of SNR 25 to 250 with 2 % of scatter beyond photon noise, f/5, fields as in field_fit(): within
 * 40 um of focus the median error is 2.1 um and 95 % are below 7 um, from 40 to 150 um 2.3 and 9 um; no side of 292 is
 * wrong, and sigma is a quarter too wide (tests/unit/focus/test_field.c one_frame_tells).  Flat fields: none of 280
 * frames tells, and two sigmas hold 95 % (flat_fields_cannot_tell, there).  17 recorded frames of one star, each told
 * by the others: the distance is within two sigmas of the truth in all, and no side is told
 * (tests/unit/focus/test_real_frames.c one_frame_is_told_by_the_others). */
void field_sense(const struct field_train *train, const struct star *stars, size_t count, int width, int height,
	struct field_sense *out);

#endif
