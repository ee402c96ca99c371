/* SPDX-License-Identifier: MIT */
/*
 * Autofocus: carries a plan (af_plan.h) out with a focuser and its camera, on a thread of its own. It decides
 * who moves, who exposes and who may interrupt, and leaves arithmetic to the plan. A focuser has one run at a time.
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

/* What jobs need; the jobs borrow it, and it outlives them. */
struct job_needs {
	struct settings *settings;
	struct events *events;         /* they are told of each change */
	struct store *store;           /* where runs are kept; with a lock held only store_next_run_id() and
					* store_return_run_id() are called, which touch memory alone */
	const struct devices *devices; /* to find the camera in */
	const char *state_dir;         /* where frames are kept; borrowed */
};

/* Makes the jobs of one focuser; NULL when out of memory. They are made after all devices and begun before the workers
 * of the devices start; autofocus_begin() starts the thread, ERR_INTERNAL when none can be had. */
struct autofocus *autofocus_create(const struct job_needs *needs, struct device *focuser);
enum err_code autofocus_begin(struct autofocus *af, struct err *err);
/* Interrupts a job as a halt does, so that nothing moves any more, and joins the thread; it is called before the
 * workers of the devices end. Both functions accept NULL. */
void autofocus_end(struct autofocus *af);
void autofocus_destroy(struct autofocus *af);

/* How thorough a run is. */
enum autofocus_mode {
	AUTOFOCUS_FULL,
	AUTOFOCUS_QUICK, /* the fewest samples of a sweep, where earlier runs taught the slope; else like a full one */
	AUTOFOCUS_CHECK, /* one frame where the focuser stands, compared with what earlier runs taught; nothing moves:
			  * it succeeds when the focuser is in focus, and fails with ERR_VALIDATION when it is not,
			  * ERR_BAD_FIT when nothing is known to compare with */
};
/* "full", "quick", "check"; static storage. */
const char *autofocus_mode_name(enum autofocus_mode mode);

/* Parameters of the Autofocus action; the value behind each member means "as configured". */
struct autofocus_params {
	double exposure_s;   /* NAN */
	int points;          /* 0 */
	double step;         /* NAN; 0 = find out */
	char filter[64];     /* "" */
	int binning;         /* -1; 0 = what suits */
	int gain;            /* -1 */
	int camera;          /* -1 */
	enum autofocus_mode mode;
};
void autofocus_params_init(struct autofocus_params *params);

/* Starts a run for this focuser and returns its id.  ERR_NOT_CONNECTED when focuser or camera is
 * not, ERR_INVALID_OPERATION when a run is going on (naming it) or a device is busy,
 * ERR_INVALID_VALUE for a parameter out of range. */
enum err_code autofocus_start(struct autofocus *af,
	const struct autofocus_params *params, uint64_t *run, struct err *err);

/* Asks the focuser's run to end; the focuser goes back to where the run began. A measurement or a guided session ends,
 * too. Fine when nothing is going on. */
void autofocus_abort(struct autofocus *af);

/* The focuser's newest run, whether it is going on or over: a copy that the caller frees with run_free(). NULL when
 * there was no run yet, or when id is neither 0 nor the id of that run: the store knows older ones
 * (store_ask_run()). */
struct run *autofocus_run(struct autofocus *af, uint64_t id);

/* The id of the run that is going on with this focuser; 0 when there is none. */
uint64_t autofocus_running(struct autofocus *af);

/* The same, but 0 as well when the run has been asked to end, by anybody and for whatever reason. */
uint64_t autofocus_ongoing(struct autofocus *af);

/* A number that grows with each change of the focuser's newest run. */
uint64_t autofocus_version(struct autofocus *af);

/* How many of the focuser's runs ended since the server started; the index is enum run_state. */
void autofocus_counts(struct autofocus *af, uint64_t by_state[4]);

/* Starts MeasureStars, one exposure with the camera of this number (-1: the focuser's own) where the focuser stands,
 * and returns a job number. exposure_s NAN, binning and gain -1: as configured. ERR_INVALID_OPERATION while another job
 * goes on or the camera is in use, ERR_NOT_CONNECTED when the camera's link is not up; the focuser's need not be.
 * autofocus_measure_done() turns true with the JSON text (the fields of `focusd measure --json`) appended to out, or
 * with an error. */
enum err_code autofocus_measure_start(struct autofocus *af, int camera, double exposure_s,
	int binning, int gain, uint64_t *job, struct err *err);
bool autofocus_measure_done(struct autofocus *af, uint64_t job, struct buf *out,
	enum err_code *result, struct err *err);

#endif
