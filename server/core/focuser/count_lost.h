/* SPDX-License-Identifier: MIT */
#ifndef FOCUSD_FOCUSER_COUNT_LOST_H
#define FOCUSD_FOCUSER_COUNT_LOST_H

#include <stdbool.h>

struct device;

/* Worker, locked, after a reading: whether the device has lost its count under us, as a board does whose power
 * failed while its adapter's did not: the driver says so, or the motor rests at 0, which is nowhere near where it
 * was.  Then whatever runs has ended, a run moves nothing more, and the position is judged as after a lost link:
 * to go on would mean to count the way from 0, into the stop. */
bool count_lost(struct device *dev);

#endif
