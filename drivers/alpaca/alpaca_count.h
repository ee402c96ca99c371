/* SPDX-License-Identifier: MIT */
/*
 * The count of a focuser that does not know where it stands (Absolute is false): it is told how far to go, and we add
 * that up.  The count outlives the link, and with it whether it can be believed: a motor that was sent on its way is
 * where it was sent only when it has been seen to rest there, and a halted one is somewhere on that way.  On the
 * device's worker only.
 */
#ifndef FOCUSD_ALPACA_COUNT_H
#define FOCUSD_ALPACA_COUNT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "driver_host.h"
#include "focuser_driver.h"

struct alpaca_count {
	_Atomic bool begun;
	_Atomic bool doubtful;     /* since an order was given: the motor may stand elsewhere, and core does not know */
	_Atomic bool moved;        /* by somebody else, so that it may stand anywhere; with doubtful */
	_Atomic int32_t position;  /* steps; 0..max_step as configured */
	_Atomic int32_t middle;    /* of its way */
};

/* The count of this device; it begins in the middle of its way of max_step > 0 steps.  NULL when out of memory. */
struct alpaca_count *alpaca_count_of(const struct driver_host *host, int32_t max_step);

/* What a reading says, of which moving and motion_failed are filled in.  *sent says that the last order, to `target`,
 * was ours, and no rest was seen since; it is cleared at rest.  `arrives` says that a rest is the end of that order's
 * way: no halt was sent after it, and the order was taken. */
void alpaca_count_read(struct alpaca_count *count, bool *sent, bool arrives, int32_t target,
	struct focuser_reading *out);

#endif
