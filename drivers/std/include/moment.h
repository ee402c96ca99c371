/* SPDX-License-Identifier: MIT */
/* Deadlines of drivers: milliseconds of the real clock, whatever the clock of the device says. */
#ifndef FOCUSD_MOMENT_H
#define FOCUSD_MOMENT_H

#include <stdint.h>

#include "clock.h"

static inline int64_t real_ms(void)
{
	return clock_now_ms(clock_real());
}

/* The earlier of two moments. */
static inline int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

#endif
