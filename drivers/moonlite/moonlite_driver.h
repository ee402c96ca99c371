/* SPDX-License-Identifier: MIT */
/* The driver's table, for driver_list.c and tests. */
#ifndef FOCUSD_MOONLITE_DRIVER_H
#define FOCUSD_MOONLITE_DRIVER_H

#include "focuser_driver.h"

extern const struct focuser_driver moonlite_driver;

#endif
