/* SPDX-License-Identifier: MIT */
/*
 * A bank of autofocus runs: plans decide against a formula for the sky and a model of the mechanics; no threads, no
 * frames, no clock.  The truth is drawn from a cell and a seed, so that every plan meets the same skies.  Z is the full
 * width of the critical focus zone: the FWHM has grown by 10 % at its ends.
 */
#ifndef FOCUSD_BANK_H
#define FOCUSD_BANK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "af_plan.h"
#include "moves.h"

/* What a plan says in the end. */
struct bank_answer {
	double interval95_steps[2]; /* of the best position, in steps of the motor; NAN when there is none */
	double seeing_scatter;      /* relative; NAN when unknown */
};

/* A plan under test; a new one is one more row of bank_plans. */
struct bank_plan {
	const char *name;
	size_t size; /* of its state, bytes */
	void (*init)(void *state, const struct af_plan_setup *setup);
	void (*tell)(void *state, const struct af_observation *seen);
	const struct af_wish *(*wish)(const void *state);
	void (*answer)(const void *state, struct bank_answer *out);
};
extern const struct bank_plan bank_plans[];
extern const size_t bank_plan_count;

/* Evenly drawn; low = high = 0 means the usual value that the field's comment names. */
struct bank_range {
	double low, high;
};

/* What the run is told of its instrument. */
enum bank_knowledge {
	BANK_OPTICS,     /* the optics of the configuration: slope and zone */
	BANK_BLIND,      /* nothing, so that no zone is known either */
	BANK_CALIBRATED, /* optics, and slope (within 3 %) and least size (within 15 %) from earlier runs */
};

/* How a single frame or a stretch of them is spoiled. */
enum bank_spoil {
	BANK_CLEAR,
	BANK_CLOUD,        /* light times spoil_by */
	BANK_GUST,         /* size times spoil_by */
	BANK_CLIPPED,      /* stars near focus saturate: light times spoil_by there, size 5 % up */
	BANK_CONFUSED,     /* light of frames with a very different blur is compared with the wrong stars */
	BANK_NOISE,        /* no star at all: noise of the same small size is taken for stars everywhere */
	BANK_DARK,         /* nothing is seen anywhere */
	BANK_STUCK,        /* the optics do not follow the motor */
};

/* What the truth of the runs of a cell is drawn from. */
struct bank_cell {
	const char *name;
	bool impossible;         /* a success here is false: focus is out of reach, or there is none */
	bool nasty;              /* not a usual night: left out of the figures for good skies */
	enum bank_knowledge knows;
	struct bank_range ratio;        /* focal ratio; usual 4..10 */
	double obstruction;             /* diameter fraction; -1: one of 0, 0.2, 0.34, 0.45 */
	struct bank_range seeing;       /* FWHM in arcsec; usual 1.8..4 */
	struct bank_range scatter;      /* of the seeing between frames, relative; usual 0.05 */
	struct bank_range duration;     /* exposure, s; usual 3 */
	struct bank_range stars;        /* in focus; usual 20..80 */
	struct bank_range start;        /* distance of the start from focus, Z, either side; usual 0..4 */
	struct bank_range start_blur;   /* or this blur at the start, HFR in px; usual none */
	struct bank_range backlash;     /* Z; usual 0 */
	double configured;              /* overshoot that is configured, in backlashes; usual 0 */
	struct bank_range slip;         /* lost by the optics with every leg, Z; usual 0 */
	struct bank_range jump;         /* lost by them once, at one of the first 12 frames, Z; usual 0 */
	struct bank_range uneven;       /* slope beyond focus over that before it; usual 1 */
	struct bank_range drift;        /* of the focus in each frame, Z, either way; usual 0 */
	enum bank_spoil spoil;
	struct bank_range spoil_by;
	struct bank_range spoil_frame;  /* number of the first spoiled frame */
	int spoil_count;                /* frames; 0: all from there on */
	double step_size_wrong;         /* what the run is told over the truth; usual 1 */
	double slope_wrong;             /* the same of the known slope; usual 1 */
	double limit;                   /* the range ends that far beyond focus on one side, Z (negative: before
	                                 * it); usual 0: no limit near */
	double radius;                  /* max_radius_steps, Z; usual 0: none */
};
extern const struct bank_cell bank_cells[];
extern const size_t bank_cell_count;

/* The truth of one run.  Positions in steps of the motor with its backlash taken up and nothing slipped. */
struct bank_truth {
	const struct bank_cell *cell;
	struct af_plan_setup setup;     /* what the plan is told */
	struct moves_rules rules;       /* how the mover drives */
	double obstruction, width_px, steps_per_u, zone;
	double focus, drift;            /* best position at the first frame, steps; its way in each frame */
	double scatter, duration_s, stars, uneven;
	double backlash, slip, jump;    /* steps */
	int jump_frame;
	double spoil_by;
	int spoil_from, spoil_to;
	double untaken;                 /* of the backlash at the start, 0..backlash */
	uint64_t seed;                  /* of what happens in the run */
};

/* Draws the truth of run number `run` of a cell. */
void bank_draw(const struct bank_cell *cell, int run, struct bank_truth *out);

/* How a run ended. */
struct bank_outcome {
	enum af_want end;         /* AF_WANT_SUCCESS or AF_WANT_FAILURE */
	enum err_code code;       /* of a failure */
	char reason[200];
	int exposures;
	double error;             /* of a success: where the optics stand from focus, Z, absolute */
	bool covered;             /* the interval holds where the motor should be */
	double width;             /* half width of the interval, Z; NAN without one */
	bool broke_rules;         /* a wish outside the range, or no end */
};

/* Runs one plan against one truth.
 * Given: plan; truth; trace, told every frame, or NULL.
 * Returned: *out.
 * Notes: 1) no more than BANK_MOST_EXPOSURES are made. */
#define BANK_MOST_EXPOSURES 200
void bank_run(const struct bank_plan *plan, const struct bank_truth *truth, FILE *trace, struct bank_outcome *out);

/* Figures of many runs. */
struct bank_figures {
	int runs, succeeded, failed, wrong;   /* wrong: successes beyond half a zone, or where none was possible */
	int impossible;                       /* runs in which focus could not be found */
	int covered, broke_rules;
	double *errors;                       /* of the successes where one was possible, Z */
	double *exposures;                    /* of all runs */
	size_t error_count;
	double worst_error;
	int worst_run, failed_run, wrong_run; /* their numbers; -1 when there is none */
};

/* Beyond this error a success is wrong, Z: the end of the zone.  By definition. */
#define BANK_WRONG 0.5

void bank_figures_init(struct bank_figures *f, size_t room);
void bank_figures_add(struct bank_figures *f, const struct bank_truth *truth, const struct bank_outcome *o, int run);
void bank_figures_join(struct bank_figures *all, const struct bank_figures *part);
void bank_figures_free(struct bank_figures *f);
/* The value below which this share of n values lies; sorts them.  NAN when n is 0. */
double bank_quantile(double *values, size_t n, double share);

#endif
