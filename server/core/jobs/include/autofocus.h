/* SPDX-License-Identifier: MIT */
/*
 * Autofocus: runs a plan (focus/af_plan.h) against a focuser and its camera on a thread of its own.
 * No arithmetic here: who moves, who exposes, who may interrupt.  One run per focuser at a time.
 */
#ifndef FOCUSD_AUTOFOCUS_H
#define FOCUSD_AUTOFOCUS_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "devices.h"
#include "events.h"
#include "run.h"
#include "settings.h"
#include "store.h"

struct autofocus;
struct buf;

/* What jobs are made with; borrowed, and outlives them. */
struct job_needs {
	struct settings *settings;
	struct events *events;         /* told of each change */
	struct store *store;           /* where runs are kept; with a lock held only store_next_run_id() and
					* store_return_run_id() are called, which touch memory alone */
	const struct devices *devices; /* to find the camera in */
};

/* The jobs of one focuser.  NULL when out of memory.  Made after all devices and begun before their workers start;
 * autofocus_begin() starts the thread, ERR_INTERNAL when there is none to be had. */
struct autofocus *autofocus_create(const struct job_needs *needs, struct device *focuser);
enum err_code autofocus_begin(struct autofocus *af, struct err *err);
/* Before the workers of the devices end.  Interrupts a job as a halt does: nothing moves any more.  Joins the thread.
 * NULL is fine, for both. */
void autofocus_end(struct autofocus *af);
void autofocus_destroy(struct autofocus *af);

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
enum err_code autofocus_start(struct autofocus *af,
	const struct autofocus_params *params, uint64_t *run, struct err *err);

/* Asks the focuser's running run to end; the focuser returns to where it began.  Fine
 * when none is running. */
void autofocus_abort(struct autofocus *af);

/* The focuser's newest run, running or last: a copy the caller frees with run_free().  NULL when there has been
 * none, or when id is not 0 and not that run's: older runs are asked of the store (store_ask_run()). */
struct run *autofocus_run(struct autofocus *af, uint64_t id);

/* The id of the run going on for this focuser, 0 when none. */
uint64_t autofocus_running(struct autofocus *af);

/* Grows with each change of the focuser's newest run. */
uint64_t autofocus_version(struct autofocus *af);

/* How many of the focuser's runs ended since the server started; the index is enum run_state. */
void autofocus_counts(struct autofocus *af, uint64_t by_state[4]);

/* MeasureStars: one exposure where the focuser stands, measured.  Starts and returns a job number;
 * autofocus_measure_done() turns true with the JSON text (fields of `focusd measure --json`) appended
 * to out or an error. */
enum err_code autofocus_measure_start(struct autofocus *af, double exposure_s,
	int binning, int gain, uint64_t *job, struct err *err);
bool autofocus_measure_done(struct autofocus *af, uint64_t job, struct buf *out,
	enum err_code *result, struct err *err);

#endif
