/* SPDX-License-Identifier: MIT */
/* The inside of autofocus, shared by autofocus.c (what clients call), autofocus_run.c (the run) and
 * autofocus_frame.c (one exposure, measured). */
#ifndef FOCUSD_AUTOFOCUS_PRIVATE_H
#define FOCUSD_AUTOFOCUS_PRIVATE_H

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "af_plan.h"
#include "autofocus.h"
#include "device_private.h"
#include "measure.h"

#define AUTOFOCUS_MAX_STARS 512

enum job { JOB_NONE, JOB_RUN, JOB_MEASURE };

struct autofocus {
	struct job_needs needs;
	/* The settings of the running or last job, taken when it was accepted.  Replaced under the lock while no job
	 * runs, so the thread reads it without. */
	const struct config *config;
	int number;
	struct device *focuser;
	struct device *camera; /* of the running job */

	pthread_mutex_t lock;
	pthread_cond_t work;
	pthread_t thread;
	bool has_thread;
	bool quit;
	enum job job;
	struct autofocus_params params;
	struct run *run;       /* the newest; NULL before the first */
	uint64_t version;
	uint64_t ended[4];     /* runs that ended since the start, by enum run_state */

	_Atomic bool cancel;   /* set together with interrupt */
	_Atomic int interrupt; /* enum lease_interrupt */

	/* MeasureStars. */
	uint64_t measure_job;  /* the newest */
	uint64_t measure_done; /* the newest that is over */
	double measure_exposure_s;
	int measure_binning, measure_gain;
	struct err measure_error;
	struct buf measure_text;

	/* The thread's own. */
	struct af_plan plan;
	struct star stars[AUTOFOCUS_MAX_STARS];
	struct star reference[AUTOFOCUS_MAX_STARS];
	size_t reference_count;
	double reference_exposure_s;
};

/* What one exposure showed; the stars are in af->stars. */
struct seen {
	struct measurement measurement;
	struct frame_info info;
	size_t listed;
};

/* Exposes for the holder of the lease and measures; blocks; on the autofocus thread.  ERR_CANCELLED,
 * the camera's error, ERR_NOMEM, or ERR_CAMERA for a frame that cannot be measured. */
enum err_code autofocus_expose(struct autofocus *af, uint64_t lease, double exposure_s, int bin, int gain,
	double focuser_position, struct seen *out, struct err *err);

/* Light of the stars common with the run's first frame, per second, against that frame; NAN unknown. */
double autofocus_flux_ratio(struct autofocus *af, const struct seen *seen);

/* One whole run, from the leases taken to the leases dropped; on the autofocus thread. */
void autofocus_do_run(struct autofocus *af);

/* With af->lock held: the newest run changed, everybody is told. */
void autofocus_changed(struct autofocus *af);

/* Where the motor says it stands, steps; NAN when unknown. */
double autofocus_where(struct autofocus *af);

static inline double finite_or(double value, double otherwise)
{
	return isfinite(value) ? value : otherwise;
}

#endif
