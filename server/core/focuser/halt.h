/* SPDX-License-Identifier: MIT */
/*
 * A halt, from the wish to the motor's rest, while the link is up.  struct halt is written by halt.c alone.  All with
 * the device's lock held.
 */
#ifndef FOCUSD_FOCUSER_HALT_H
#define FOCUSD_FOCUSER_HALT_H

#include <stdbool.h>
#include <stdint.h>

#include "step.h"

struct device;

struct halt {
	bool wanted;      /* the driver is to be told to stop */
	int tries;        /* calls of the driver that failed */
	int repeats;      /* further halts, because the motor did not stop */
	int64_t told_ms;  /* device clock; when the driver was last told to stop */
	bool watched;     /* the motor must come to rest, or the driver is told again */
};

/* Any thread: the worker shall stop the motor. */
void halt_wish(struct halt *h);

/* Worker: the link went or came up; nothing is wished of it any more. */
void halt_forget(struct halt *h);

/* Worker: what was wished before the device was identified anew has been carried out. */
void halt_drop_wish(struct halt *h);

/* Worker: the motor was sent off again, so its motion is wished. */
void halt_forgive(struct halt *h);

/* Worker: the motor still runs out of a motion that was ended by other means than a halt: it must come to rest
 * from now_ms (device clock) on. */
void halt_watch_from(struct halt *h, int64_t now_ms);

/* Worker: carries out the wish. */
struct step focuser_do_halt(struct device *dev);

/* Worker, after each reading: a motor that was told to stop and goes on is told again; when that does not help
 * either, clients are told. */
void focuser_watch_halt(struct device *dev);

#endif
