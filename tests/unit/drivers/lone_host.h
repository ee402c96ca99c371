/* SPDX-License-Identifier: MIT */
/*
 * The part of core that a driver alone with its device needs: what is joined is made for whoever joins it and ended
 * when it is left, and posts go to nobody, because the test asks by itself.
 */
#ifndef FOCUSD_TEST_LONE_HOST_H
#define FOCUSD_TEST_LONE_HOST_H

#include "driver_host.h"

/* Sets join, leave and post of the host; the rest is the caller's. */
void lone_host_fill(struct driver_host *host);

#endif
