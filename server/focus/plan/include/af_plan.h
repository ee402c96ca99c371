/* SPDX-License-Identifier: MIT */
/*
 * Autofocus as a state machine: tell it what was seen, ask it what it wants next.  Pure: it knows
 * neither focuser nor camera nor time, so it is tested against a formula for the sky.  The
 * orchestrator in core/autofocus.c does what it wishes and contains no arithmetic.
 */
#ifndef FOCUSD_AF_PLAN_H
#define FOCUSD_AF_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "curve.h"
#include "err.h"
#include "moves.h"

/* A plan that needs more frames than this has failed. */
#define AF_MAX_OBSERVATIONS 80

/* Longest list of positions of one round. */
#define AF_QUEUE_MAX 64

/* What the run knows at its start.  NAN or 0 where unknown. */
struct af_plan_setup {
	double start_position;         /* where the focuser stands, steps */
	int32_t min_step, max_step;    /* range the plan may use */
	double max_radius_steps;       /* never further than this from the start; 0 = the range */
	int points;                    /* samples wanted in the sweep, 5..31 */
	double step;                   /* steps between samples; 0 = find out */
	enum moves_approach approach;  /* the sweep walks in this direction */
	int32_t backlash_steps;        /* preload before the first sample, as moves.h does it */
	/* Optics, for the step and for the zone; each NAN when unknown. */
	double focal_ratio;            /* N */
	double aperture_mm;
	double obstruction;            /* diameter fraction, 0..<1 */
	double focal_length_mm;
	double pixel_um;               /* of a delivered pixel: binning included */
	double step_size_um;           /* of focal plane per step */
	double known_slope_px_per_step;/* from history, same binning; NAN */
	double known_hfr_min_px;       /* from history, same binning; NAN */
};

enum af_want {
	AF_WANT_SAMPLE,   /* go to position, expose, measure, tell */
	AF_WANT_FINAL,    /* go to position (the best one), expose, measure, tell: validation */
	AF_WANT_SUCCESS,  /* over: stand at position */
	AF_WANT_FAILURE,  /* over: go back to where the run began; code and reason say why */
};

struct af_wish {
	enum af_want want;
	int32_t position;     /* steps, inside the range */
	int32_t via;          /* go there first, then to position; == position: go direct.  So a sample
	                       * is reached in the approach direction after a way that takes up play
	                       * which nobody configured */
	double exposure_factor; /* 1 = the run's exposure; 2 after a frame with too little to see */
	enum err_code code;   /* failure: ERR_NO_STARS, ERR_BAD_FIT, ERR_NO_MINIMUM, ERR_VALIDATION */
	char reason[200];     /* failure: a sentence */
};

/* What one exposure showed. */
struct af_observation {
	double position;       /* what the motor (or the recording) said, steps */
	int stars;             /* 0: nothing measurable */
	double hfr_px;         /* NAN when stars == 0 */
	double error_px;       /* 1 sigma without seeing */
	double flux_ratio;     /* flux per second of common stars against the run's reference, both by
	                        * the exposure the pixels really had; NAN unknown */
	double duration_s;     /* exposure the pixels really had: a recording's own; 0 unknown */
	bool trailed;          /* the frame shows trails, not stars */
	uint64_t recording_id; /* non-zero: the same number means the very same pixels again */
};

/* One sample as the run object shows it. */
struct af_plan_point {
	struct curve_point curve;
	double flux_ratio;
	bool validation;
};

enum af_phase {
	AF_PHASE_START,    /* first look where the run begins */
	AF_PHASE_SEARCH,   /* looking for the direction and size of the V */
	AF_PHASE_SWEEP,
	AF_PHASE_EXTEND,   /* more samples on the short side */
	AF_PHASE_VALIDATE,
	AF_PHASE_OVER,
};

/* All state of a plan; the caller owns the memory, fields are read-only to it. */
struct af_plan {
	struct af_plan_setup setup;
	struct af_plan_point points[CURVE_MAX_POINTS];
	size_t point_count;
	enum af_phase phase;
	struct af_wish wish;
	struct curve_result fit;        /* valid when have_fit */
	bool have_fit;
	double hfr_start_px;            /* NAN until measured */
	double hfr_predicted_px;        /* at the final position; NAN until known */
	double hfr_final_px;            /* measured there; NAN until known */
	double critical_focus_zone_steps; /* NAN when the optics are unknown */
	/* Private to the af_*.c files from here on. */
	struct {
		double raw_error_px[CURVE_MAX_POINTS];  /* as told; points show the fit's */
		uint64_t recording[CURVE_MAX_POINTS];
		double taken[CURVE_MAX_POINTS];         /* way in the approach direction before it */
		bool turned[CURVE_MAX_POINTS];          /* the first after a reversal */
		bool loose[CURVE_MAX_POINTS];           /* the optics did not follow yet */
		int32_t queue[AF_QUEUE_MAX];            /* positions of this round, in walking order */
		int queue_count, queue_index;
		double low, high;      /* allowed positions */
		double wall[2];        /* where nothing new or measurable comes beyond: inner, outer */
		double slope;          /* px/step, from optics or history; NAN */
		double hfr_min;        /* guess of the least HFR, px; NAN */
		double step;           /* spacing of the sweep, steps */
		double probe;          /* length of the next probe, steps */
		double preload;        /* way in the approach direction before a sample, steps */
		double backlash;       /* at least so much backlash was seen, steps */
		bool reversed;         /* the way to this sample was against the approach direction */
		double stand, travel;  /* where it was sent last; way in the approach direction so far */
		size_t search_points;  /* points measured before the first sweep */
		double firm_travel;    /* of those, what counts as play taken up, steps */
		double first_probe;
		int direction;         /* of the probes: -1, +1 */
		int observations, retries, cloud_repeats, clouds, blanks, blank_run, trails;
		int scouts, searches, vertex_looks, inside_looks, rounds, refinements, widenings;
		int dead_ends;         /* asked beyond the samples, got nothing new */
		size_t round_start;    /* point_count when the round began */
		int validations;
		double validation_sum, validation_variance;
		uint64_t validation_recording;
		double progress;
	} p;
};

/* Starts a plan; plan->wish is the first wish. */
void af_plan_init(struct af_plan *plan, const struct af_plan_setup *setup);

/* Takes what the current wish (SAMPLE or FINAL) showed; plan->wish is the next one afterwards.
 * Every plan ends, after at most AF_MAX_OBSERVATIONS of them.  An observation whose recording_id
 * was seen before adds no point: the same pixels know nothing new. */
void af_plan_tell(struct af_plan *plan, const struct af_observation *seen);

/* 0..1, never falling; an estimate for a progress bar. */
double af_plan_progress(const struct af_plan *plan);

/* The curve through what is there so far, for showing while the run goes on (plan->fit is written
 * only between rounds).  False when it makes no V yet. */
bool af_plan_live_fit(const struct af_plan *plan, struct curve_result *out);

/* Full width of the critical focus zone in steps at 10 % growth of FWHM:
 * coefficient * theta * sqrt(10) * D * N^2 / q with coefficient 0.0021, or 0.00195 when the
 * obstruction exceeds a quarter of the aperture; theta = FWHM at best focus in arcsec, taken as
 * 1.76 x hfr_min_px x plate scale.  NAN when anything is unknown. */
double af_critical_focus_zone_steps(const struct af_plan_setup *setup, double hfr_min_px);

#endif
