/* SPDX-License-Identifier: MIT */
/*
 * Jobs of one focuser: work that takes minutes, needs devices for itself and may be interrupted at any moment.  One
 * thread does one job at a time.  What a job is stands in its row, struct job_kind; a new one (a wizard) is a row and
 * its functions, and nothing here changes.
 *
 * The lease: a job takes every device that it uses before it starts.  Until it is over nobody else moves or exposes
 * with them, and a halt, an abort, a disconnect or a lost link interrupts the job.
 */
#ifndef FOCUSD_JOBS_H
#define FOCUSD_JOBS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "device_private.h"

enum { JOBS_MAX_DEVICES = 2, JOBS_MAX_WHAT = 40 };

/* One kind of job. */
struct job_kind {
	const char *name;      /* for people: "autofocus run" */
	bool numbered;         /* clients call it by its number, "autofocus run 12" */
	bool takes_focuser;    /* it leases the focuser; other jobs lease only the devices that jobs_start() is given */
	/* Does the whole of the work, on the thread of the jobs and without a lock. It looks at jobs->cancel now and
	 * then and ends early when that is set; jobs->interrupt says why. */
	void (*run)(void *owner);
	/* Makes the result known, after run, with jobs->lock held and the devices free again. Whoever sees the result
	 * may use the devices and start another job at once. */
	void (*over)(void *owner);
};

struct jobs {
	struct device *focuser;
	struct events *events; /* they are told of each change */
	void *owner;           /* for the functions of the rows */

	/* The lock guards what is below and what the owner puts under it. It is taken before a device's lock, never
	 * after. */
	pthread_mutex_t lock;
	const struct job_kind *kind; /* of the job that is not over; NULL: idle */
	uint64_t id;                 /* its number, and that of its lease */
	struct device *device[JOBS_MAX_DEVICES]; /* the devices that it leases */
	int device_count;
	char what[JOBS_MAX_WHAT];    /* its name, with the number where it has one */
	uint64_t version;            /* grows with each change */
	bool quit;

	_Atomic bool cancel;   /* the job is to end; set together with interrupt */
	_Atomic int interrupt; /* enum lease_interrupt, the strongest so far */

	pthread_cond_t work;
	pthread_t thread;
	bool has_thread;
};

/* Prepares the jobs of a focuser; focuser and events are borrowed. */
void jobs_init(struct jobs *jobs, struct device *focuser, struct events *events, void *owner);
void jobs_fini(struct jobs *jobs);

/* Starts the thread; ERR_INTERNAL when no thread can be had. */
enum err_code jobs_begin(struct jobs *jobs, struct err *err);
/* Interrupts a job as a halt does, so that nothing moves any more, and joins the thread. It may be called when the
 * thread was never started. */
void jobs_end(struct jobs *jobs);

/* ERR_OK when a job may start; else ERR_INVALID_OPERATION, which names the job that is going on. The caller holds the
 * lock. */
enum err_code jobs_need_idle(const struct jobs *jobs, struct err *err);

/* Leases the focuser, where the row says so, and `other` (NULL: nothing else), and starts the job with this number,
 * which is not 0. After an error nothing is leased: that of jobs_need_idle(), ERR_NOT_CONNECTED, or
 * ERR_INVALID_OPERATION for a device in use. The caller holds the lock. */
enum err_code jobs_start(struct jobs *jobs, const struct job_kind *kind, uint64_t id, struct device *other,
	struct err *err);

/* Asks the job to end by itself, in good order, if it is of this kind (NULL: of any); fine when idle. Any thread,
 * without locks. */
void jobs_abort(struct jobs *jobs, const struct job_kind *kind);

/* Says that something that clients see has changed. The caller holds the lock. */
void jobs_changed(struct jobs *jobs);

#endif
