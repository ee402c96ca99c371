/* SPDX-License-Identifier: MIT */
/*
 * The inside of a device, for core only. Each device has one worker thread, which makes all driver calls. There is no
 * queue of messages: clients write what they want under the device's lock (a link, a move, a halt, an exposure) and
 * wake the worker, which compares that with what is and does the next thing, the urgent ones first, one driver call
 * at a time. So a newer wish replaces an older one by itself, nothing is allocated, and a halt is at most one
 * exchange away from the wire.
 *
 * What a kind of device has to be: a constant struct device_kind (device.h), whose device_life makes and ends devices,
 * and a struct device_class, which create puts into dev->class and which the worker calls. Its own state is one
 * allocation in dev->core, which only the kind's files know the type of; they read it by a function of their own, as
 * camera_of() and focuser_of(). CONTRIBUTING tells which tables of other rooms need a row.
 *
 * What a kind is given: everything in struct device_needs, borrowed; dev->config, the settings by which it works;
 * dev->clock, on which all times in struct step and all waits for hardware are; dev->host, for its drivers. It reads
 * dev->link, lease and want_link under the lock and writes none of them: the link belongs to link.c, the clients to
 * clients.c, the lease to lease.c, but that a halt sets lease.blocked.
 *
 * Threads and the lock: the kind's public functions run on any thread, take dev->lock, wish or copy, call
 * device_changed() and device_wake_worker(), and give the lock back; they never wait for hardware and never call a
 * driver. The worker runs one driver call at a time, without the lock. After such a call the wishes may have changed,
 * and the link may be wished away: what was read before the call is looked at again. One file of a kind crosses to its
 * drivers (drive.c of cameras and of focusers).
 *
 * Errors: a function returns a code of err.h with a sentence for people. Any failure of open ends that try of the link.
 * Otherwise ERR_IO means that the hardware is gone: the link ends when identify returns it, or when step or posted
 * comes to step_lost(); every other code leaves the link up. The kind counts its driver calls that failed with
 * device_count_error(), link.c those of open and identify. What ends an operation is remembered by device_failed(), for
 * people and for the completion property.
 *
 * Lock order: a device's lock, then the events' lock. Nobody holds two device locks.
 */
#ifndef FOCUSD_DEVICE_PRIVATE_H
#define FOCUSD_DEVICE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "borrowers.h"
#include "clock.h"
#include "config.h"
#include "device.h"
#include "devices.h"
#include "driver_host.h"
#include "events.h"
#include "log.h"
#include "settings.h"
#include "step.h"
#include "store.h"
#include "transcripts.h"

struct mailbox;
struct shared;

/* What a device is made with.  What is pointed to is borrowed and outlives the device. */
struct device_needs {
	struct settings *settings;
	const char *state_dir;      /* where files may be written */
	uint64_t seed;              /* of simulated devices; the same seed gives the same night */
	struct clock *fast_clock;   /* of simulated devices */
	struct events *events;      /* they are told of each change */
	struct transcripts *transcripts;
	struct store *store;        /* writes small files for those who must not wait for the disk */
	const struct devices *siblings; /* all devices; complete before the first worker starts */
	const struct device_patience *patience; /* NULL: what clients are promised */
	/* Where the motor of focuser `number` stands, in its steps; false when that is not known or there is
	 * no such focuser.  Called without any lock. */
	bool (*focuser_position)(void *ctx, int number, double *steps);
	void *ctx; /* of that function */
	struct shared *shared; /* what sibling drivers share; see struct driver_host */
};

/* How devices of a kind are made and ended. The thread that starts and ends the server calls configured, create and
 * destroy, while the device has no worker. */
struct device_life {
	/* Whether the configuration has such a device with this number, 0..CONFIG_MAX_DEVICES-1. */
	bool (*configured)(const struct config *config, int number);
	/* Fills in what the kind adds: class, core, device_describe(), what its drivers ask of the host, keep_trying.
	 * info.kind, .number and .source, needs, host and a real clock are there already. It opens nothing. After a
	 * failure destroy is called. */
	enum err_code (*create)(struct device *dev, struct err *err);
	/* Frees the core, after the worker has ended, and also a core that was never made. */
	void (*destroy)(struct device *dev);
	/* Makes the device stop what it does, so that nothing starts again by itself. Any thread, without the lock. */
	void (*quiet)(struct device *dev);
};

/* What differs between the kinds while a device works. The worker makes all these calls but unfit; "locked" ones are
 * made with the device's lock held, "unlocked" ones without. None may be NULL unless it says so. */
struct device_class {
	/* Unlocked. Opens the driver. After a failure nothing is open, close is not called, and the worker tries again
	 * later if that is wished. */
	enum err_code (*open)(struct device *dev, struct err *err);
	/* Unlocked, driver open. Asks the device what it is and reads what has to be known before the link is up.
	 * Failures other than ERR_IO are tried again a few times before the driver is closed. NULL: open did all. */
	enum err_code (*identify)(struct device *dev, struct err *err);
	/* Unlocked, driver open and identified, before the link is up. Reads what the device tells beside that and has
	 * not told since it was opened, since clients ask once, right after connecting, and believe the answer all
	 * night. *all is true: everything was read, is known to be absent, or something is more urgent than reading.
	 * False: it is called again soon, until clients may wait no longer; came_up then finds what there is, and says
	 * in the log what is missing. A failure is counted; *all means nothing beside ERR_IO, which ends this try of
	 * the link. NULL: there is nothing to read. */
	enum err_code (*read_all)(struct device *dev, bool *all, struct err *err);
	/* Unlocked. Closes the driver, after each open that succeeded. */
	void (*close)(struct device *dev);
	/* Locked, driver open. How long the device has to be left alone before identify, ms on its clock. */
	int (*open_wait_ms)(struct device *dev);
	/* Locked. The link is up; `again` says that it was lost and is back. */
	void (*came_up)(struct device *dev, bool again);
	/* Locked. The link is gone, so running operations fail with `why`. */
	void (*went_down)(struct device *dev, const struct err *why);
	/* Locked, link up. Does at most one thing, the most urgent, and gives the lock back around driver calls; says
	 * when it wants to be called again (step.h). It is also called again after every wish. */
	struct step (*step)(struct device *dev);
	/* Locked, driver open; the lock is free during the driver's call. The driver is told what was posted, or of a
	 * gap (NULL, 0), and what depends on it is looked at soon. A loss counts only while the link is up. NULL:
	 * drivers of this kind post nothing. */
	struct step (*posted)(struct device *dev, const void *data, size_t size);
	/* Locked, when the link is about to be closed. Stops whatever runs. */
	void (*stop)(struct device *dev);
	/* Locked, link up, lease free, on the thread of whoever starts a job. True, with a sentence, when a job may not
	 * have the device at this moment. */
	bool (*unfit)(struct device *dev, struct err *err);
	/* Locked. True when nothing goes on that has to keep the settings it began with; jobs that hold the lease are
	 * looked at elsewhere. */
	bool (*between)(const struct device *dev);
	/* Locked, with the link in any state. dev->config has become another snapshot. */
	void (*configure)(struct device *dev);
	/* The loss of the link ends the job that holds the lease: it may not go on when the link is back. */
	bool loss_ends_lease;
};

/* Why a job was interrupted from outside; a later one is stronger and is never taken back. */
enum lease_interrupt {
	LEASE_RUNNING,
	LEASE_ABORT,        /* the job ends in good order */
	LEASE_LEFT,         /* the same, because a client disconnected a device whose loss does not end the lease */
	LEASE_DISCONNECTED, /* a client disconnected a device whose loss ends the lease: nothing moves any more */
	LEASE_LINK_LOST,    /* the link of such a device was lost, or it cannot be trusted: nothing moves any more */
	LEASE_HALTED,       /* nothing moves any more */
};

/* Exclusive use by a job. interrupt is called under the device's lock and only sets atomics; poke is called afterwards
 * without any lock and wakes the holder. */
struct lease {
	uint64_t run;   /* 0: nobody */
	char what[40];  /* for people: "autofocus run 12" */
	bool blocked;   /* the job was halted, or the link went: the job may not move any more */
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
	int64_t tell_ms;           /* its completion property tells of a failure for this long */
	int64_t lost_grace_ms;     /* `connected` stays true while a lost link is being reopened */
	int64_t temperature_told_ms; /* a temperature that a client told counts for this long */
	int64_t client_quiet_ms;   /* a client not heard of for this long does not keep the link open */
};

#define DEVICE_MAX_CLIENTS 128

struct device_client {
	bool present;
	bool said_false; /* the client has said False since the link opened */
	struct client who;
	int64_t heard_ms; /* on clock_real() */
	uint64_t back_since; /* device version when it connected again while the link was up; 0 never */
};

struct device {
	struct device_info info;
	const struct device_class *class;
	struct device_needs needs;
	/* Snapshots of the settings. The device was made by the first, which host points into; it works by the second,
	 * which only the worker replaces, under the lock, between operations. So the worker may read the second without
	 * the lock; others take the lock, or a snapshot of their own. */
	const struct config *made_by, *config;
	struct clock *clock;
	struct driver_host host;
	struct transcript *transcript; /* of the line; NULL where there is none */
	struct mailbox *mailbox;       /* what the driver's threads posted */
	void *core;                    /* the kind's own, made by its create; NULL before and after its destroy */

	pthread_mutex_t lock;
	pthread_cond_t mail;    /* wakes the worker */
	pthread_cond_t changed; /* broadcast with every published change */
	pthread_t thread;
	bool has_thread;
	bool woken; /* somebody wished something since the worker last looked */
	_Atomic bool urgent; /* and the wish should not wait for a device that does not answer */
	int urgent_fd;       /* an eventfd that becomes readable then; -1 without */
	struct device_patience patience;
	bool quit;
	uint64_t version;

	enum device_link link;
	bool want_link;
	bool keep_trying;       /* connect = start: goes on after a failed connect */
	bool keen;              /* a client waits to hear how the next try to reopen goes */
	bool opened;            /* the driver's open has succeeded, and close was not called since */
	bool usable;            /* opened and identified: driver calls may be made */
	bool was_up;            /* the link was up since it was wished: its next failure is a loss */
	int identify_tries;
	bool identified;        /* since the driver was opened */
	int64_t wished_ms;      /* clock_real(); when the link that is being opened was wished */
	int64_t read_until_ms;  /* clock_real(); the link comes up by then, whatever has not been read */
	int64_t next_try_ms;    /* device clock */
	int relink_backoff_ms;
	int64_t lost_since_ms;  /* clock_real(); valid while LINK_LOST */
	bool lost_told;         /* the bus knows that `connected` has turned false */
	int64_t try_failed_ms;  /* clock_real(); when an attempt to open last failed */
	struct err connect_error;      /* why the last attempt failed */
	struct told_failure connect_told;
	char last_failure[240];
	uint64_t errors[ERR_CODE_COUNT]; /* failed exchanges since the start */
	struct log_lasting link_failures; /* the link cannot be opened */
	struct log_lasting link_losses;   /* the link is lost again and again */
	int64_t up_since_ms;    /* clock_real(); valid while LINK_UP */
	bool quiet_return;      /* the log was not told that the link was lost, and is not told that it is back */
	char tty[32];           /* name of the open serial port, "ttyUSB0"; "" when there is none or it is not known */
	bool pulled;            /* that port was unplugged, and the loss was not yet noticed by reading */
	struct lease lease;
	struct device_client clients[DEVICE_MAX_CLIENTS];
	char borrowers[BORROWERS_ROOM]; /* UniqueIDs of devices that borrow this one, with commas */
};

/* Makes one device of the kind from its section of the configuration; opens nothing and starts nothing. ERR_NOMEM;
 * ERR_INVALID_VALUE for a driver that does not exist; or the reason why its identity could not be kept. */
enum err_code device_create(const struct device_kind *kind, int number, const struct device_needs *needs,
	struct device **out, struct err *err);
/* Frees the device, after device_join(). */
void device_destroy(struct device *dev);

/* Names the device, from the create of its kind: name, driver, title, and where (a port or path, "" none) are for
 * people; a device without a name is called by its driver's title. Texts are copied. */
void device_describe(struct device *dev, const char *name, const char *driver, const char *title, const char *where);
/* Makes the device live on the fast clock. */
void device_set_simulated(struct device *dev);
/* Begins a transcript of what is said on the device's line; file is as in struct transcript_about, and port is borrowed
 * for good. Without memory for a transcript the device works all the same. */
void device_listen_to(struct device *dev, const struct focuser_port *port, const char *file);

/* Prepares locks and whatever starts as something else than zero; device_fini() undoes it. */
void device_init(struct device *dev);
void device_fini(struct device *dev);
/* Starts the worker.  ERR_INTERNAL when no thread can be had. */
enum err_code device_start(struct device *dev, struct err *err);
/* Ends the worker: stops motion or exposure, closes the link, joins. Fine when the worker was never started. */
void device_join(struct device *dev);

/* Counts a change, wakes waiters, tells the bus. The caller holds the lock. */
void device_changed(struct device *dev);
/* Wakes the worker, because there is something for it to look at. The caller holds the lock. */
void device_wake_worker(struct device *dev);
/* Wakes the worker and makes a driver call give up that waits for its device. The caller holds the lock. */
void device_wake_urgent(struct device *dev);
/* On the worker: what was urgent is taken up, so driver calls from here on need not give up. */
void device_seen_urgent(struct device *dev);
/* Wakes threads blocked on the device's `changed` so that they look at their cancel flag. */
void device_poke(struct device *dev);
/* Remembers a failure for people, and for the completion property if told is not NULL. The caller holds the lock. */
void device_failed(struct device *dev, struct told_failure *told, const struct err *err);
/* Counts a driver call that failed (ERR_OK and ERR_CANCELLED count nothing). The caller holds the lock. */
void device_count_error(struct device *dev, enum err_code code);
/* Copies a failure that is still to be told and returns its code; ERR_OK when there is none. */
enum err_code told_failure_get(const struct told_failure *told, struct err *err);

/* The device's version when this client connected again after its own False while others kept the link up; 0 when it
 * never did. The caller holds the lock. */
uint64_t device_back_since(struct device *dev, const struct client *who);

/* ERR_NOT_CONNECTED or ERR_IO with a sentence unless the link is up. The caller holds the lock. */
enum err_code device_need_link(struct device *dev, struct err *err);
/* ERR_INVALID_OPERATION, which names the run, when somebody holds the lease. The caller holds the lock. */
enum err_code device_need_free(struct device *dev, struct err *err);

/* Takes the lease for a job: ERR_NOT_CONNECTED, or ERR_INVALID_OPERATION with a sentence when the lease is taken or the
 * kind says that the device is unfit at this moment. */
enum err_code device_lease_take(struct device *dev, const struct lease *lease, struct err *err);
void device_lease_drop(struct device *dev, uint64_t run);
/* Ends the job that holds the lease of a focuser, because the link is gone; the job moves nothing any more, even if the
 * link returns before the job has noticed. The caller holds the lock. */
void device_lease_lost(struct device *dev);
/* Ends the job that holds the lease, because a client disconnects the device; where the loss of the link ends the
 * lease, the job moves nothing any more. The caller holds the lock and pokes the holder when it has given it back. */
void device_lease_disconnected(struct device *dev);

#endif
