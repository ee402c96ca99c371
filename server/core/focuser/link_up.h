/* SPDX-License-Identifier: MIT */
/* The life of a focuser's link, as the device's class has it; docs/link.md tells it in order.  Worker. */
#ifndef FOCUSD_FOCUSER_LINK_UP_H
#define FOCUSD_FOCUSER_LINK_UP_H

#include <stdbool.h>

#include "err.h"

struct device;

/* Each as in struct device_class. */
enum err_code link_up_open(struct device *dev, struct err *err);
enum err_code link_up_identify(struct device *dev, struct err *err); /* and sends a STOP that is owed */
int link_up_open_wait_ms(struct device *dev);
enum err_code link_up_read_all(struct device *dev, bool *all, struct err *err);
void link_up_came(struct device *dev, bool again);
void link_up_went(struct device *dev, const struct err *why);
void link_up_stop(struct device *dev);

#endif
