/* SPDX-License-Identifier: MIT */
/*
 * SetPosition on its way from a client to the device.  struct set_position is written by set_position.c alone,
 * with the device's lock held.
 */
#ifndef FOCUSD_FOCUSER_SET_POSITION_H
#define FOCUSD_FOCUSER_SET_POSITION_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "step.h"

struct device;

struct set_position {
	bool wanted;                /* one waits for the worker */
	bool unsure;                /* one failed that the device may have taken all the same */
	bool to_device;             /* the device is to be given the position; else its own word is taken */
	bool restores;              /* to where it was last seen */
	int32_t position;           /* motor's steps */
	uint64_t ticket, done;      /* the newest asked for, and the newest that is over */
	struct err result;
	bool noting;                /* over, but its entry is still on its way to the disk */
	int64_t patience_real_ms;   /* and is not waited for any longer than this */
};

/* Any thread: one is on its way, or nobody knows whether the device has taken it. */
bool set_position_pending(const struct set_position *s);

/* What the device says shows which count it has: an unsure one is settled. */
void set_position_settled(struct set_position *s);

/* The entry in the journal of the newest one is on the disk or given up: true when that is news. */
bool set_position_noted(struct set_position *s);

/* Worker: carries out a wished SetPosition; gives the lock back around the driver's call. */
struct step set_position_step(struct device *dev);

/* Worker: the link is gone, and with it a wished SetPosition. */
void set_position_went_down(struct device *dev, const struct err *why);

#endif
