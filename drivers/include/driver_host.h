/* SPDX-License-Identifier: MIT */
/*
 * What core gives to every driver: its clock, its name in the log, a seed, the optics, what it shares with
 * sibling drivers, and a way for a thread of its own to say what it saw.  For implementers of drivers.
 *
 * Most drivers need no thread: they are asked, and ask their device.  One whose device speaks by itself (an
 * INDI server, an Alpaca upstream) may have a reader thread, which posts what it read:
 *
 *     reader thread:  host->post(host->post_ctx, &news, sizeof news)
 *     worker:         driver->posted(ctx, &news, sizeof news), then driver->poll(...)
 *
 * Where one connection serves two devices, the connection is joined: the first user makes it, the last one ends
 * it, and its reader thread posts to each of them.
 */
#ifndef FOCUSD_DRIVER_HOST_H
#define FOCUSD_DRIVER_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "device_settings.h"
#include "err.h"

/* The most bytes that one post may carry, and the most posts that wait for a worker. */
#define DRIVER_POST_BYTES 128
#define DRIVER_POST_ROOM 32

/* The most users of one shared object, and of objects at a time, in the whole server. */
#define DRIVER_SHARED_USERS 8
#define DRIVER_SHARED_OBJECTS 16

/* What an object is that several devices share; one const table a kind. */
struct driver_shared {
	size_t size;              /* of the object, which is zeroed before create */
	/* Makes it from arg, which is the driver's own; at most two seconds.  On the worker of the first user,
	 * without any lock of core's; other users of the same key wait.  After a failure destroy is not
	 * called. */
	enum err_code (*create)(void *shared, const char *key, const void *arg, struct err *err);
	/* Ends it, its threads included; at most two seconds.  On the worker of the last user, who has left;
	 * whoever joins the key meanwhile waits. */
	void (*destroy)(void *shared);
	/* Whether somebody new may still use it: false once the connection is lost.  Then a new object is made
	 * beside it, and it ends with the users that it has.  Any thread, under a lock of core's: it must take
	 * no lock that is held while post() or join() is called.  NULL: always. */
	bool (*usable)(void *shared);
};

struct driver_host {
	struct clock *clock;      /* the device's clock: real, or faster than life for simulations */
	const char *source;       /* name for log lines: "focuser.0" */
	const char *state_dir;    /* where files may be written; NULL = nowhere */
	uint64_t seed;            /* of --seed; the same seed gives the same night */
	const struct simulator_config *simulator;
	const struct optics_config *optics;
	double pixel_size_um;     /* configured; NAN = the device's own */
	double step_size_um;      /* of the focuser concerned (for a camera: the one that focuses it); NAN */
	int number;               /* the device's own number, that of its section */
	int partner;              /* number of the sibling: a camera's focuser, a focuser's camera; -1 */
	/* Where this focuser stood when the server before this one last saw it, in the motor's own steps: for
	 * simulations and for focusers that are turned by hand, whose position nothing else keeps.  Of the latter it
	 * is known only when a person had said it, and of other devices never. */
	bool stood_known;
	int32_t stood;
	/* Memory shared by every driver that asks for the same key, zeroed when first asked for, kept
	 * until the server ends.  What is in it must be atomic.  NULL when out of memory.  For simulations, whose
	 * sky outlives every link; what belongs to a connection is joined. */
	void *(*share)(void *share_ctx, const char *key, size_t size);
	void *share_ctx;
	/* Whether something urgent waits for the call that is running to end: a halt, an abort, a
	 * disconnect.  A driver that waits for its device asks now and then, and when true may give up and
	 * return ERR_CANCELLED, unless the call is itself a halt or an abort.  NULL: never. */
	bool (*urgent)(void *urgent_ctx);
	void *urgent_ctx;
	/* Becomes readable when something urgent comes up, so that a driver that waits in poll(2) need not look now and
	 * then.  It may be readable although urgent() says no: then the call that is running polls it no more.  Drivers
	 * do not read from it.  Counts only where urgent is not NULL; -1: there is none. */
	int urgent_fd;
	/* Whether a device of this very server has this Alpaca UniqueID: a driver that speaks to other servers must not
	 * come back to its own.  Any thread.  NULL: none has. */
	bool (*is_ours)(void *ours_ctx, const char *unique_id);
	/* The UniqueIDs of this device and of those on other servers that borrow it (borrowers.h), for a driver that
	 * borrows itself; is_ours() knows them, too.  Any thread.  NULL: nothing is told. */
	void (*borrowers)(void *ours_ctx, char *out, size_t cap);
	void *ours_ctx;
	/* Hands size bytes, 1..DRIVER_POST_BYTES, to the driver's posted() on the device's worker, in the order in
	 * which they came.  Any thread, also several at once; it copies and never waits longer than for a mutex
	 * that is held for some instructions.  The driver may hold locks of its own, as long as no call of the
	 * driver's table takes them and then waits for the poster.  False, and nothing is kept: the device is not open
	 * (before open() is called, and from the moment close() is about to be), size is out of range, or
	 * DRIVER_POST_ROOM posts wait already; after the latter posted() is told of a gap by (NULL, 0).
	 * A driver's threads end before its close() returns, so that none posts to a device that is gone. */
	bool (*post)(void *post_ctx, const void *data, size_t size);
	void *post_ctx;
	/* The object with this key (at most 63 characters; "indi://host:7624") and of this kind, made with arg when
	 * there is none that is usable.  On the worker, in open() usually; waits while another device makes or
	 * ends it.  Its users call it at the same time from their workers, beside its own threads: its locks are
	 * its own business.  Returns what create returned; ERR_NOMEM, ERR_INVALID_OPERATION when there are too
	 * many.  *out is the object; each join is undone by one leave(). */
	enum err_code (*join)(void *shared_ctx, const char *key, const struct driver_shared *kind, const void *arg,
		void **out, struct err *err);
	/* Undoes a join; the last one destroys the object.  On the worker, in close() usually; nothing that was
	 * joined may be used afterwards. */
	void (*leave)(void *shared_ctx, void *shared);
	void *shared_ctx;
	/* Takes down what is said on the line: '>' sent, '<' received; see transcript.h.  Drivers
	 * leave that to trace_host().  Never waits.  NULL: nobody listens. */
	void (*note)(void *note_ctx, char kind, const void *data, size_t len);
	void *note_ctx;
};

#endif
