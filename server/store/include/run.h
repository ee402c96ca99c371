/* SPDX-License-Identifier: MIT */
/*
 * A run as everybody sees it: the record and its JSON, CSV, text and N.I.N.A. shapes.  Pure: no call here waits
 * or touches a file, so any thread may make it.  store.h keeps runs across restarts.
 */
#ifndef FOCUSD_RUN_H
#define FOCUSD_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "field_train.h"
#include "numbering.h"
#include "text.h"

enum run_state { RUN_RUNNING, RUN_SUCCEEDED, RUN_FAILED, RUN_ABORTED };
const char *run_state_name(enum run_state state); /* "running", "succeeded", "failed", "aborted" */

/* What a run is doing, for people who watch.  The page has words for each (web/page/words.js). */
enum run_phase {
	RUN_PHASE_START,     /* first look where the run begins */
	RUN_PHASE_SEARCH,    /* looking for the direction and size of the V */
	RUN_PHASE_SWEEP,
	RUN_PHASE_EXTEND,    /* more samples on the short side */
	RUN_PHASE_VALIDATE,
	RUN_PHASE_RETURNING, /* it failed or was aborted; the focuser goes back to where the run began */
	RUN_PHASE_STOPPING,  /* it was halted; the focuser comes to rest where it is */
	RUN_PHASE_OVER,
};
/* The enum's word in lower case: "start". */
const char *run_phase_name(enum run_phase phase);

/* One sample.  NAN is unknown. */
struct run_point {
	double position, hfr_px, error_px;
	int stars;
	double flux_ratio;
	bool used;
	bool validation;
	char why[32];            /* "" when used */
};

/* The fitted curve y0 + sqrt(a^2 + q^2 (x - x0)^2), q = k (1 + e/2) above x0 and k (1 - e/2) below, for drawing: px, px
 * per step, steps, px; NAN without a fit, and e where the run is older than it. */
struct run_curve {
	double a, k, x0, y0, e;
};

/* What the stars of a run have taught of the field (field_train.h): all steps by the count of the run's positions. */
struct run_field {
	bool known;         /* else the rest is nothing */
	double um_per_step; /* of the focal plane; NAN unknown */
	struct field_train train;
};

/* What a run taught: each NAN when it taught nothing of the kind. */
struct run_taught {
	double slope_px_per_step, slope_sigma;     /* of both arms, > 0; 1 sigma */
	double hfr_min_px, hfr_min_sigma_px;       /* at best focus, > 0; 1 sigma without the change of the seeing */
	double asymmetry, asymmetry_sigma;         /* slope of the arm above focus less that below, over their mean */
	double backlash_steps;                     /* seen beyond what is configured, >= 0 */
};

/* Whose numbers the positions of a run are, once run_renumber() was told today's. */
enum run_numbers {
	RUN_NUMBERS_UNTOLD, /* today's are not known, or the run does not say by which it was published */
	RUN_NUMBERS_TODAY,
	RUN_NUMBERS_OTHER,  /* of another calibration, or of 0.1.0: the same number is another place today */
};

/* Sizes in px, positions in steps, NAN is unknown and becomes null in JSON. */
struct run {
	uint64_t id;
	enum run_state state;
	char phase[16];          /* a run_phase_name() */
	double progress;         /* 0..1 */
	enum err_code code;      /* ERR_OK while running and on success */
	char reason[240];        /* a sentence when not succeeded */
	int64_t started_utc_ms;
	double duration_s;       /* on the monotonic clock of the run */
	double overhead_s;       /* of real time: neither exposure, read-out nor motor */
	struct numbering numbering; /* positions are published by this; not known in runs of 0.1.0 */
	enum run_numbers numbers;
	int focuser, camera;     /* device numbers */
	char focuser_name[64], camera_name[64];
	char filter[64];
	char mode[8];            /* "full", "quick", "check"; "" unknown */
	char note[160];          /* a sentence beside the outcome, such as that the optics section is wrong; "" none */
	double focal_length_mm, aperture_mm; /* of the telescope, as told; NAN */
	double temperature_c;
	double start_position, best_position, final_position;
	double uncertainty_steps, interval95_steps[2], critical_focus_zone_steps;
	double hfr_start_px, hfr_predicted_px, hfr_final_px, r_squared;
	char model[24];          /* "" unknown */
	struct run_curve curve;
	struct run_taught taught;
	struct run_field field;
	int exposures;
	int binning;
	double exposure_s;
	int32_t backlash_steps;
	struct run_point *points;
	size_t point_count;
};

/* A copy, points included; NULL when out of memory. */
struct run *run_copy(const struct run *run);
void run_free(struct run *run);

/* Turns published positions, by run->numbering, into the motor's own numbers, and back; what is kept on the disk are
 * the motor's own.  All places are turned: those of the record, of its curve and of its points. */
void run_to_motor(struct run *run);
void run_to_published(struct run *run);

/* Shows the run in today's published numbers where its places can be found again: always by the same count of the
 * motor, however it is published (reverse, other limits).  A run of another calibration keeps its numbers.  Either way
 * run->numbers says so. */
void run_renumber(struct run *run, const struct numbering *today);

/* Appends the run object of the contract, plus "fit": {"a","k","x0","y0","e"} or null, "calibration": {"low","high",
 * "reversed"} (the motor's limits that its positions were published by) or null, "numbers": "today", "other" or null
 * (enum run_numbers), "mode", "overhead_s", "note" (null: none), "taught" (struct run_taught, or null) and "field":
 * that of run_field_json() or null. */
void run_json(const struct run *run, struct buf *out);
/* Appends the same object without "points" and without "train" in "field". */
void run_json_summary(const struct run *run, struct buf *out);
/* Appends {"tilt_x_um", "tilt_x_sigma_um", "tilt_x_steps", the same of tilt_y and curvature (struct field_shape),
 * "best_middle", "best_whole" (positions), "um_per_step", "frames", "stars"}; what the sweep does not show is null;
 * with with_train also "train": the numbers of struct field_train, covariance as the rows of its lower triangle. */
void run_field_json(const struct run_field *field, bool with_train, struct buf *out);

/* Reads back what run_field_json() wrote with its train, from that object or from a run object with it as "field".
 * ERR_INVALID_VALUE with a sentence: no JSON, no train in it, or numbers that no sweep has taught; *out is then
 * untouched. */
enum err_code run_field_parse(struct span text, struct run_field *out, struct err *err);

/* Appends a header line and one line per point. */
void run_csv(const struct run *run, struct buf *out);
/* Appends lines for a person (UTF-8, ending in \n): the outcome, the conditions that are known, and a table of the
 * samples in the order in which they were taken, sizes in px, positions in steps, "-" for an unknown number. */
void run_text(const struct run *run, struct buf *out);
/* Appends the report shape that N.I.N.A. writes and reads. */
void run_nina(const struct run *run, struct buf *out);

#endif
