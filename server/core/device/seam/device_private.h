/* SPDX-License-Identifier: MIT */
/*
 * The inside of a device, for core only.  One worker thread per device makes all driver calls.
 * There is no queue of messages: clients write what they want under the device's lock (a link, a
 * move, a halt, an exposure) and wake the worker, which compares that with what is and does the
 * next thing, the urgent ones first, one driver call at a time.  So a newer wish replaces an older
 * one by itself, nothing is allocated, and a halt is at most one exchange away from the wire.
 *
 * Lock order: a device's lock, then the events' lock.  Nobody holds two device locks.
 */
#ifndef FOCUSD_DEVICE_PRIVATE_H
#define FOCUSD_DEVICE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "config.h"
#include "device.h"
#include "driver_host.h"
#include "events.h"
#include "log.h"
#include "step.h"
#include "transcripts.h"

struct observatory;
struct focuser_core;
struct camera_core;

/* What differs between the types.  "unlocked" calls run on the worker without the lock. */
struct device_class {
	enum err_code (*open)(struct device *dev, struct err *err);     /* unlocked */
	enum err_code (*identify)(struct device *dev, struct err *err); /* unlocked; may be NULL */
	void (*close)(struct device *dev);                              /* unlocked */
	int (*open_wait_ms)(struct device *dev);                        /* after open, device clock */
	/* Locked.  The link is up; again says that it was lost and is back. */
	void (*came_up)(struct device *dev, bool again);
	/* Locked.  The link is gone: running operations fail with why. */
	void (*went_down)(struct device *dev, const struct err *why);
	/* Locked, link up: does at most one thing, releasing the lock around driver calls. */
	struct step (*step)(struct device *dev);
	/* Locked, on the way to closing: stops whatever runs. */
	void (*stop)(struct device *dev);
};

/* Why a run was interrupted from outside; a later one is stronger and is never taken back. */
enum lease_interrupt { LEASE_RUNNING, LEASE_ABORT, LEASE_LINK_LOST, LEASE_HALTED };

/* Exclusive use by a run or a measurement.  interrupt is called under the device's lock and only sets
 * atomics; poke is called afterwards without any lock and wakes the holder. */
struct lease {
	uint64_t run;   /* 0: nobody */
	char what[40];  /* for people: "autofocus run 12" */
	bool blocked;   /* halted, or the link went: no move of this run any more */
	void (*interrupt)(void *arg, enum lease_interrupt why);
	void (*poke)(void *arg);
	void *arg;
};

/* A failure that a completion property tells for five seconds. */
struct told_failure {
	struct err err;
	int64_t until_ms; /* on clock_real(); 0 = nothing to tell */
};

/* How patient a device is, real milliseconds. */
struct device_patience {
	int64_t connect_answer_ms; /* a connect is answered within this */
	int64_t tell_ms;           /* a failure is told by its completion property for this long */
	int64_t lost_grace_ms;     /* `connected` stays true while a lost link is being reopened */
	int64_t temperature_told_ms; /* a temperature that a client told counts for this long */
	int64_t client_quiet_ms;   /* a client not heard of for this long does not keep the link open */
};

#define DEVICE_MAX_CLIENTS 128

struct device_client {
	bool present;
	bool said_false; /* since the link opened */
	struct client who;
	int64_t heard_ms; /* on clock_real() */
	uint64_t back_since; /* device version when it connected again while the link was up; 0 never */
};

struct device {
	struct device_info info;
	const struct device_class *class;
	struct observatory *obs;
	struct events *events;
	struct clock *clock;
	struct driver_host host;
	struct transcript *transcript; /* of the line; NULL where there is none */
	struct focuser_core *focuser; /* exactly one of these two */
	struct camera_core *camera;

	pthread_mutex_t lock;
	pthread_cond_t mail;    /* wakes the worker */
	pthread_cond_t changed; /* broadcast with every published change */
	pthread_t thread;
	bool has_thread;
	bool woken; /* something was wished since the worker last looked */
	_Atomic bool urgent; /* and it should not wait for a device that does not answer */
	struct device_patience patience;
	bool quit;
	uint64_t version;

	enum device_link link;
	bool want_link;
	bool keep_trying;       /* connect = start: goes on after a failed connect */
	bool keen;              /* a client waits for how the next try to reopen goes */
	bool opened;            /* the driver's open has succeeded and close not been called */
	bool usable;            /* opened and identified: driver calls may be made */
	bool was_up;            /* of this wish for a link: the next failure is a loss */
	int identify_tries;
	int64_t next_try_ms;    /* device clock */
	int relink_backoff_ms;
	int64_t lost_since_ms;  /* clock_real(); valid while LINK_LOST */
	bool lost_told;         /* the bus knows that `connected` has turned false */
	int64_t try_failed_ms;  /* clock_real(); when an attempt to open last failed */
	struct err connect_error;      /* of the last failed attempt */
	struct told_failure connect_told;
	char last_failure[240];
	uint64_t errors[ERR_CODE_COUNT]; /* failed exchanges since the start */
	struct log_repeat link_failures;
	char tty[32];           /* the serial port that was opened, "ttyUSB0"; "" none, or not known as one */
	bool pulled;            /* it was unplugged; nothing was read of it yet */
	struct lease lease;
	struct device_client clients[DEVICE_MAX_CLIENTS];
};

/* Prepares the common part; the caller has set info, class, obs, events, clock and host. */
void device_init(struct device *dev);
/* Starts the worker.  ERR_INTERNAL when no thread can be had. */
enum err_code device_start(struct device *dev, struct err *err);
/* Ends the worker: stops motion or exposure, closes the link, joins.  Fine when never started. */
void device_join(struct device *dev);
void device_fini(struct device *dev);

/* With the lock held: counts a change, wakes waiters, tells the bus. */
void device_changed(struct device *dev);
/* With the lock held: there is something for the worker to look at. */
void device_wake_worker(struct device *dev);
/* The same, and a driver call that waits for its device should give up. */
void device_wake_urgent(struct device *dev);
/* Wakes threads blocked on the device's `changed` so that they look at their cancel flag. */
void device_poke(struct device *dev);
/* With the lock held: remembers a failure for people, and for the completion property if told is not
 * NULL. */
void device_failed(struct device *dev, struct told_failure *told, const struct err *err);
/* With the lock held: counts a driver call that failed (ERR_OK and ERR_CANCELLED count nothing). */
void device_count_error(struct device *dev, enum err_code code);
/* Copies a failure still to be told: its code, or ERR_OK. */
enum err_code told_failure_get(const struct told_failure *told, struct err *err);

/* With the lock held: the device's version when this client connected again after its own False while
 * others kept the link up; 0 when it never did. */
uint64_t device_back_since(struct device *dev, const struct client *who);

/* With the lock held: ERR_NOT_CONNECTED or ERR_IO with a sentence unless the link is up. */
enum err_code device_need_link(struct device *dev, struct err *err);
/* With the lock held: ERR_INVALID_OPERATION naming the run when someone holds the lease. */
enum err_code device_need_free(struct device *dev, struct err *err);

/* Takes the lease for a run: ERR_NOT_CONNECTED, or ERR_INVALID_OPERATION when taken.  busy (may be
 * NULL) is asked under the lock. */
enum err_code device_lease_take(struct device *dev, const struct lease *lease,
	bool (*busy)(struct device *dev, struct err *err), struct err *err);
void device_lease_drop(struct device *dev, uint64_t run);
/* With the lock held: the link is gone, so the run that holds the lease of a focuser ends and moves
 * nothing more, also when the link returns before it has noticed. */
void device_lease_lost(struct device *dev);

/* The two types. */
bool focuser_busy(struct device *dev, struct err *err);
/* The same, or it may not move at all. */
bool focuser_unfit(struct device *dev, struct err *err);
enum err_code camera_core_create(struct device *dev, const struct config_camera *cfg, struct err *err);
void camera_core_destroy(struct device *dev);
bool camera_busy(struct device *dev, struct err *err);

#endif
