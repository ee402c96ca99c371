/* SPDX-License-Identifier: MIT */
/*
 * The way of a move: which points it leads through, and the leg that the motor was sent along.  struct leg is
 * written by leg.c alone, on the device's worker with the lock held.
 */
#ifndef FOCUSD_FOCUSER_LEG_H
#define FOCUSD_FOCUSER_LEG_H

#include <stdbool.h>
#include <stdint.h>

#include "astray.h"
#include "err.h"
#include "moves.h"
#include "step.h"

struct device;
struct focuser_core;

/* Positions in steps as clients see them; times on the device's clock. */
struct leg {
	struct moves_plan plan;
	int point;               /* of the plan: the one under way */
	int32_t target;          /* where this leg ends */
	int32_t from;            /* where the motor stood when it was told to go */
	int tries, way_tries;    /* starts of this leg, and new plans of this move, that ended elsewhere */
	int64_t deadline_ms;     /* the leg, or the stop before it, must be over */
	int64_t progress_ms;     /* when the position last changed */
	int32_t progress_position;
	int64_t nearest;         /* steps; the least that was left of the leg */
	int64_t nearer_ms;       /* when that was seen */
	bool receded;            /* the motor was seen moving further off than that */
	double speed_steps_per_ms; /* seen between the last two polls; 0 unknown */
	struct astray astray;    /* whether the motor goes somewhere else */
	bool arrived;            /* this leg had ended where the move ends, and the motor went on */
	int rest_polls;          /* polls in a row that say: at rest, elsewhere */
	int64_t settle_until_ms;
};

/* A move was accepted: plans its way and sends the motor off, once the journal knows of it. */
struct step leg_begin_move(struct device *dev);

/* After a reading that belongs to the present operation and phase: what it means for them. */
struct step leg_follow(struct device *dev);

/* The time within which a motor has gone so many steps (>= 0) at the slowest speed that is to be believed, and has come
 * to rest; ms of the device's clock. */
int64_t leg_time_ms(const struct focuser_core *f, int64_t steps);

/* The operation is over: at its target (err NULL), or not. */
void leg_end_move(struct device *dev, const struct err *err);

#endif
