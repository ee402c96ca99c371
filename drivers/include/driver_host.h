/* SPDX-License-Identifier: MIT */
/*
 * What core gives to every driver: its clock, its name in the log, a seed, the optics, and memory
 * shared with sibling drivers.  For implementers of drivers.
 */
#ifndef FOCUSD_DRIVER_HOST_H
#define FOCUSD_DRIVER_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "device_settings.h"

struct driver_host {
	struct clock *clock;      /* the device's clock: real, or faster than life for simulations */
	const char *source;       /* name for log lines: "focuser.0" */
	const char *state_dir;    /* where files may be written; NULL = nowhere */
	uint64_t seed;            /* of --seed; the same seed gives the same night */
	const struct simulator_config *simulator;
	const struct optics_config *optics;
	double pixel_size_um;     /* configured; NAN = the device's own */
	double step_size_um;      /* of the focuser concerned (for a camera: the one that focuses it); NAN */
	int number;               /* device number */
	int partner;              /* number of the sibling: a camera's focuser, a focuser's camera; -1 */
	/* Memory shared by every driver that asks for the same key, zeroed when first asked for, kept
	 * until the server ends.  What is in it must be atomic.  NULL when out of memory. */
	void *(*share)(void *share_ctx, const char *key, size_t size);
	void *share_ctx;
	/* Whether something urgent waits for the call that is running to end: a halt, an abort, a
	 * disconnect.  A driver that waits for its device asks now and then, and when true may give up and
	 * return ERR_CANCELLED, unless the call is itself a halt or an abort.  NULL: never. */
	bool (*urgent)(void *urgent_ctx);
	void *urgent_ctx;
	/* Takes down what is said on the line: '>' sent, '<' received; see transport/transcript.h.  Drivers
	 * leave that to trace_host().  Never waits.  NULL: nobody listens. */
	void (*note)(void *note_ctx, char kind, const void *data, size_t len);
	void *note_ctx;
};

#endif
