/* SPDX-License-Identifier: MIT */
/* The core's side of struct driver_host. */
#ifndef FOCUSD_DEVICE_HOST_H
#define FOCUSD_DEVICE_HOST_H

#include <stdbool.h>

#include "err.h"
#include "step.h"

struct device;

/* Fills in what every driver may ask of its host, before the kind adds what only its drivers need; ERR_NOMEM. */
enum err_code host_prepare(struct device *dev, struct err *err);
void host_end(struct device *dev);

/* The worker calls these around the driver's open and close; posts are kept only between them. */
void host_opens(struct device *dev);
void host_closes(struct device *dev);

/* Hands over what was posted until this moment; a loss as soon as one of the posts says so. The worker calls this with
 * the lock held, which is free during the calls. */
struct step host_hand_over(struct device *dev);

#endif
