/* SPDX-License-Identifier: MIT */
/* Asking a device what it is and where it stands: when a link comes up, and after a calibration.  Worker. */
#ifndef FOCUSD_FOCUSER_IDENTIFY_H
#define FOCUSD_FOCUSER_IDENTIFY_H

#include "err.h"

struct device;

/* Without the lock: identifies and reads, so that a link that is up always has a position.  When only the reading
 * failed the next try repeats only that: on a noisy line few answers in a row come through. */
enum err_code identify_device(struct device *dev, struct err *err);

/* Locked: the same from the beginning, with the lock given back meanwhile; failures are counted. */
enum err_code identify_again(struct device *dev, struct err *err);

/* Locked: makes what identify said the limits that clients see, with the configuration applied. */
void identify_take_caps(struct device *dev);

/* Locked: the device was identified and read again without a loss of the link: its limits and position as they
 * are now. */
void identify_renew(struct device *dev);

#endif
