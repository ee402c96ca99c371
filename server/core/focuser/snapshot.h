/* SPDX-License-Identifier: MIT */
/* What is seen of a focuser by those that do not move it; the answers to clients are in focuser.h. */
#ifndef FOCUSD_FOCUSER_SNAPSHOT_H
#define FOCUSD_FOCUSER_SNAPSHOT_H

#include <stdbool.h>

#include "err.h"

struct device;

/* Locked, any thread: whether clients are told that it moves: an operation of ours, a hand controller, or
 * compensation in the device; but not the device's word alone while the position does not change. */
bool focuser_moving(const struct device *dev);

/* Locked, any thread: whether a run may not have it just now, because it moves or a SetPosition is under way. */
bool focuser_busy(struct device *dev, struct err *err);

#endif
