/* SPDX-License-Identifier: MIT */
/*
 * Autofocus: runs a plan (focus/af_plan.h) against a focuser and its camera on a thread of its own.
 * No arithmetic here: who moves, who exposes, who may interrupt.  One run per focuser at a time.
 */
#ifndef FOCUSD_AUTOFOCUS_H
#define FOCUSD_AUTOFOCUS_H

#include <stdbool.h>
#include <stdint.h>

#include "device.h"
#include "run.h"

struct observatory;

/* Parameters of the Autofocus action; NAN, 0 or -1 = as configured. */
struct autofocus_params {
	double exposure_s;   /* NAN */
	int points;          /* 0 */
	double step;         /* NAN; 0 = find out */
	char filter[64];     /* "" */
	int binning;         /* -1; 0 = what suits */
	int gain;            /* -1 */
	int camera;          /* -1 */
};
void autofocus_params_init(struct autofocus_params *params);

/* Starts a run for this focuser and returns its id.  ERR_NOT_CONNECTED when focuser or camera is
 * not, ERR_INVALID_OPERATION when a run is going on (naming it) or a device is busy,
 * ERR_INVALID_VALUE for a parameter out of range. */
enum err_code autofocus_start(struct observatory *obs, int focuser,
	const struct autofocus_params *params, uint64_t *run, struct err *err);

/* Asks the focuser's running run to end; the focuser returns to where it began.  ERR_OK also when none
 * is running. */
enum err_code autofocus_abort(struct observatory *obs, int focuser, struct err *err);

/* The focuser's newest run, running or last: a copy the caller frees with run_free().  NULL when there has been
 * none, or when id is not 0 and not that run's: older runs are asked of the store (store_ask_run()). */
struct run *autofocus_run(struct observatory *obs, int focuser, uint64_t id);

/* The id of the run going on for this focuser, 0 when none. */
uint64_t autofocus_running(struct observatory *obs, int focuser);

/* Grows with each change of the focuser's newest run. */
uint64_t autofocus_version(struct observatory *obs, int focuser);

/* How many of the focuser's runs ended since the server started; the index is enum run_state. */
void autofocus_counts(struct observatory *obs, int focuser, uint64_t by_state[4]);

/* MeasureStars: one exposure where the focuser stands, measured.  Starts and returns a job number;
 * autofocus_measure_done() turns true with the JSON text (fields of `focusd measure --json`) appended
 * to out or an error. */
struct buf;
enum err_code autofocus_measure_start(struct observatory *obs, int focuser, double exposure_s,
	int binning, int gain, uint64_t *job, struct err *err);
bool autofocus_measure_done(struct observatory *obs, int focuser, uint64_t job, struct buf *out,
	enum err_code *result, struct err *err);

#endif
