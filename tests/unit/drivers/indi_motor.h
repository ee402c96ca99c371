/* SPDX-License-Identifier: MIT */
/*
 * An INDI server with one focuser, on a thread of its own, for what every driver has to keep.  Written from the
 * protocol's description (INDI, E. C. Downey, 2007) and what libindi 1.9.9's focusers were seen to say.  It is told
 * what to do by the focuser's part of struct upstream, and counts orders (new values) as its requests; `silent` means
 * nothing to it.
 */
#ifndef FOCUSD_TEST_INDI_MOTOR_H
#define FOCUSD_TEST_INDI_MOTOR_H

#include "alpaca_upstream.h"

/* Starts it on a free port of 127.0.0.1; aborts the program when it cannot.  One at a time. */
void indi_motor_start(struct upstream *u);
void indi_motor_stop(struct upstream *u);

#endif
