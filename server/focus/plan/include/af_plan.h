/* SPDX-License-Identifier: MIT */
/*
 * Autofocus as a state machine: tell it what was seen, ask it what it wants next.  Pure: it knows
 * neither focuser nor camera nor time, so it is tested against a formula for the sky.  The
 * job in core/jobs/autofocus_run.c does what it wishes and contains no arithmetic.
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
	/* What earlier runs with the same instrument and binning taught; each NAN or 0 when unknown.  The sigmas are
	 * those of the next run's value, so they hold what changes from night to night; a value without one (0) is
	 * worth what its user makes of it. */
	double known_slope_px_per_step, known_slope_sigma;  /* of both arms, > 0; 1 sigma, px per step */
	double known_hfr_min_px, known_hfr_min_sigma_px;    /* at best focus, > 0; 1 sigma with the seeing, px */
	double known_asymmetry, known_asymmetry_sigma;      /* as asymmetry of struct af_taught; known: sigma > 0 */
	double known_backlash_steps;                        /* backlash that was seen beyond backlash_steps, >= 0 */
	double known_best_position, known_best_sigma_steps; /* the last good position; known where the sigma is > 0 */
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
	                       * is reached in the approach direction after a way that takes up backlash
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
	bool rings;            /* the stars are rings: far from focus */
	uint64_t recording_id; /* non-zero: the same number means the very same pixels again */
	/* What the pattern of sizes over the frame says by itself (field.h): position less best focus, steps, and 1
	 * sigma of it, > 0; 0 where it cannot tell. */
	double focus_error_steps, focus_error_sigma_steps;
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
		bool rings[CURVE_MAX_POINTS];
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
		double firm_travel;    /* of those, what counts as backlash taken up, steps */
		double first_probe;
		int direction;         /* of the probes: -1, +1 */
		int observations, retries, cloud_repeats, clouds, blanks, blank_run, trails;
		int scouts, searches, vertex_looks, inside_looks, bottom_looks, rounds, refinements, widenings;
		int dead_ends;         /* asked beyond the samples, got nothing new */
		size_t round_start;    /* point_count when the round began */
		int validations;
		double validation_sum, validation_squares; /* of their sizes */
		int checks, shifts;    /* looks at the arms since the curve was moved; how often it was */
		int sweeps;            /* made again */
		bool stale[CURVE_MAX_POINTS]; /* seen before the sweep was made again */
		double check_side;     /* of the arm asked for: -1 before the vertex in the approach direction */
		double miss[3], miss_sigma[3]; /* of each look, steps */
		uint64_t validation_recording;
		double progress;
	} p;
};

/* Starts a plan.
 * Given: setup, copied; min_step <= start_position <= max_step; points is held to 5..31.
 * Returned: *plan, whose wish is the first one.
 * Notes: 1) without optics and history probes grow until the sizes change; with them the second look may be the
 * sweep's end.  2) accuracy and cost over skies of Kolmogorov seeing with an obstruction of 0.34, scatter of 2 and 5
 * %, in runs of 300 (tests/unit/focus/test_af_plan.c): optics known, start up to 8 u off: all succeed within a
 * quarter of the zone, 13 exposures (known_optics); nothing known, slopes of 0.001 to 1 px/step, start up to 16 u
 * off: 0 to 1 of 300 fail, none is beyond a quarter of the zone, 16 exposures (unknown_optics); backlash that is
 * configured: none wrong (backlash_is_taken_up), and that nobody configured, up to 2 u: none wrong
 * (backlash_nobody_configured); slope or size wrong by a factor of 5: none fails (wrong_knowledge); frames of 0.3 s
 * with a scatter of 16 to 25 %: 1 to 3 of 150 fail, 0 to 2 are beyond a quarter of the zone (short_exposures);
 * recorded frames of an 8 inch Schmidt-Cassegrain: 1152 of 1152 runs end within 10 steps of 7990 +- 3
 * (c8_comes_to_focus); random junk is taken for a curve in 2 of 800 (junk_ends).  3) before an answer is a success a
 * frame on an arm has found the curve where the sweep saw it, after a way as long as the one behind the best sample,
 * and the last frame is no worse than the best one: what backlash, slip, drift and clouds do to a run stands in
 * tests/bank/test_bank.c promises_are_kept.
 * Sources: sampling to 3 to 5 times the least size: Weber and Brady (2001), and Monte Carlo with the exact curve. */
void af_plan_init(struct af_plan *plan, const struct af_plan_setup *setup);

/* Takes what one exposure showed.
 * Given: plan, whose wish is SAMPLE or FINAL (else nothing happens); seen, copied.
 * Returned: plan->wish is the next one, and points, fit and phase are what is known.
 * Notes: 1) every plan ends, after at most AF_MAX_OBSERVATIONS of them.  2) an observation whose recording_id was
 * seen before adds no point: the same pixels know nothing new.  3) no wish lies outside the range, whatever is told:
 * 800 runs of junk in tests/unit/focus/test_af_plan.c junk_ends. */
void af_plan_tell(struct af_plan *plan, const struct af_observation *seen);

/* What a plan that succeeded teaches the next one; NAN where it teaches nothing. */
struct af_taught {
	double slope_px_per_step, slope_sigma;        /* of both arms */
	double hfr_min_px, hfr_min_sigma_px;          /* without the change of the seeing */
	double asymmetry, asymmetry_sigma;            /* slope of the arm above focus less that of the arm below, over
	                                               * their mean: 0 for equal arms, -2..2 */
	double backlash_steps;                        /* seen beyond what is configured; 0 when none was seen */
	double optics_ratio;                          /* measured slope over the one that the optics say */
};

/* The setup of a second plan after one that failed because of what it was told (af_taught.c).
 * Given: failed; setup, that of the failed plan.
 * Returned: *setup without step size and what earlier runs taught; in their place the slope from the least to the
 * largest of the samples and the least size.  False (setup untouched) when the samples do not contradict what the plan
 * was told by more than a factor of 2: then the failure has another reason, and a second plan, which knows less, might
 * not see it.
 * Notes: 1) on 17 recorded frames of an 8 inch Schmidt-Cassegrain with a step_size_um of 0.12 and 3.6 times the truth
 * one plan alone fails from 8 of 10 starts 10 to 640 steps from focus, and with a second one from 2; the others end
 * within 6 steps of 7990 +- 3, after 14 to 55 exposures; tests/http/test_af.py has one of them. */
bool af_setup_from_samples(const struct af_plan *failed, struct af_plan_setup *setup);

/* What is learned from a plan (af_taught.c).
 * Given: plan, any; told, the setup whose optics are compared with the curve: its own, or that of the plan before it.
 * Returned: *out, all NAN unless the plan has succeeded with a curve of 5 and more points.
 * Notes: 1) slope and size are those of the fit, their sigmas from its covariance.  2) the asymmetry e is one step of
 * least squares from the fit, with k (1 + e/2) above the vertex and k (1 - e/2) below
 * and a prior of 0 +- 0.2 on e; on curves without noise e is within 0.04 up to arms of 1.3 : 1
 * (tests/unit/focus/test_af_taught.c asymmetry).  3) an optics_ratio outside 1/1.3 .. 1.3 is no matter of seeing or
 * obstruction: the optics section or step_size_um is wrong. */
void af_plan_taught(const struct af_plan *plan, const struct af_plan_setup *told, struct af_taught *out);

/* Says in a sentence that the optics disagree with the measured slope; false (out is "") when they agree or when one of
 * them is unknown.  The limit of agreement is a factor of 1.3 (af_taught.c). */
bool af_optics_disagree(const struct af_taught *taught, char *out, size_t cap);

/* Whether the last frame that the plan was told of is in focus, by what earlier runs taught (af_taught.c).
 * Given: plan with at least one observation, whose setup holds known_hfr_min_px.
 * Returned: reason, "" for ERR_OK, else a sentence.
 * Status: ERR_OK when the size is below 1.1 of the known least one (the edge of the critical focus zone) by no more
 * than one sigma of the comparison; ERR_VALIDATION when it is larger, with the distance where a slope is known;
 * ERR_BAD_FIT when nothing is known; ERR_NO_STARS. */
enum err_code af_check(const struct af_plan *plan, char *reason, size_t cap);

/* Where the next frame will be wished, when that does not depend on what the frame of this wish shows (af_ahead.c), so
 * that the focuser may go there while the frame is measured.
 * Returned: *position, beyond that of the wish in the direction of the approach; false (untouched) when the plan has to
 * see the frame first.
 * Notes: 1) a frame that shows nothing is wished again all the same. */
bool af_plan_ahead(const struct af_plan *plan, int32_t *position);

/* Tells the plan, after af_plan_tell(), that the focuser was sent ahead to this position; a wish that lies elsewhere
 * then gets the way from there. */
void af_plan_went(struct af_plan *plan, int32_t position);

/* 0..1, never falling; an estimate for a progress bar. */
double af_plan_progress(const struct af_plan *plan);

/* The curve through what is there so far, for showing while the run goes on (plan->fit is written
 * only between rounds).  False when it makes no V yet. */
bool af_plan_live_fit(const struct af_plan *plan, struct curve_result *out);

/* Full width of the critical focus zone: there the FWHM has grown by 10 %.
 * Given: setup, of which two of aperture, focal length and focal ratio suffice; hfr_min_px, HFR at best focus, px.
 * Returned: Z = c theta sqrt(tau) D N^2 / q, steps; theta = 1.76 hfr_min_px times the scale, arcsec; tau = 10; D mm;
 * q um/step; c = 0.0021, or 0.00195 when the obstruction exceeds a quarter of the aperture.  NAN when anything is
 * unknown.
 * Notes: 1) being inside means to be within half of it.  2) within 5 % of the zone by convolution for 203 mm f/10
 * with an obstruction of 0.34, 10 % for 106 mm f/5 without: tests/unit/focus/test_af_plan.c critical_focus_zone.
 * Source: the form is the New Critical Focus Zone of Gold Astro; the coefficients come from convolving Kolmogorov
 * seeing with the pupil, where that page has 0.00225 for Gaussian seeing. */
double af_critical_focus_zone_steps(const struct af_plan_setup *setup, double hfr_min_px);

/* Travel of the focal plane per step.
 * Given: setup; slope_px_per_step, far from focus, as measured.
 * Returned: um/step: the setup's own where it is known, else slope / (sqrt((1 + eps^2) / 2) / (2 N p)) with the focal
 * ratio N and the pixel p, um; NAN when neither is known.
 * Notes: 1) diffraction makes real slopes 3 to 6 % smaller than the geometry that is used here.
 * Source: the half-flux radius of a uniform annulus, by integration. */
double af_um_per_step(const struct af_plan_setup *setup, double slope_px_per_step);

#endif
