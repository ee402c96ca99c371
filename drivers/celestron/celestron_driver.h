/* SPDX-License-Identifier: MIT */
/* The driver's table, for driver_list.c and tests. */
#ifndef FOCUSD_CELESTRON_DRIVER_H
#define FOCUSD_CELESTRON_DRIVER_H

#include "focuser_driver.h"

extern const struct focuser_driver celestron_driver;

#endif
