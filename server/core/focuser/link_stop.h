/* SPDX-License-Identifier: MIT */
/* STOP in the life of a link: what is kept when it goes, and how that is sent when it comes back.  Worker, locked. */
#ifndef FOCUSD_FOCUSER_LINK_STOP_H
#define FOCUSD_FOCUSER_LINK_STOP_H

#include <stdbool.h>

#include "err.h"

struct device;

/* Keeps what the motor did when the link went, and whether it is owed a STOP; to be called before anything else forgets
 * that.  lost is true when `why` ended the link, false when a client's wish did. */
void link_stop_went(struct device *dev, bool lost, const struct err *why);

/* The device has been identified and read, and the link is not up yet: sends a STOP that is owed, in the form that
 * suits what the device does, or finds that it is void.  An error says that the link cannot be opened yet, because
 * the driver's call failed; after some of these it is left to link_stop_came(). */
enum err_code link_stop_pay(struct device *dev, struct err *err);

/* The link is up and the device's state is taken over: goes on with what link_stop_pay() began, and wishes a halt that
 * was asked for too late for it. */
void link_stop_came(struct device *dev);

#endif
