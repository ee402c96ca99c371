/* SPDX-License-Identifier: MIT */
/*
 * An Alpaca server with one focuser and one camera, on a thread of its own, for what every driver has to keep.  Written
 * from the Alpaca API reference; it shares nothing with the driver.  Its devices live on the clock that it is given, so
 * that with a fake clock an exposure takes as long as the test says.
 */
#ifndef FOCUSD_ALPACA_UPSTREAM_H
#define FOCUSD_ALPACA_UPSTREAM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "clock.h"

#define UPSTREAM_HOME 20000
#define UPSTREAM_MAX_STEP 60000

/* Set before it is started, or at any time where they are atomic. */
struct upstream {
	struct clock *clock;
	/* the focuser */
	double steps_per_s;
	_Atomic int beside;        /* it stops so many steps beside its target */
	_Atomic int stalls_after;  /* it stops after so many steps and says that it moves; 0 never */
	_Atomic bool silent;       /* takes requests and answers none */
	_Atomic int moves, halts;  /* that it was told */
	_Atomic int requests;
	/* the camera */
	int planes, sensor_type, max_adu;
	int element;               /* of ImageBytes; 0: pictures come as text (JSON) */
	_Atomic bool spoilt;       /* its pictures have a column too much */

	int port;
	int listener, stop_fd;
	pthread_t thread;
	/* The server's own. */
	bool connected, exists, cooler;
	int stall;                 /* stalls_after when the motion began */
	double start, target, set_point_c, sensor_c;
	int64_t began_ms, exposure_ms, exposure_end_ms, cooled_ms;
	int frame[6];              /* BinX BinY StartX StartY NumX NumY */
	int gain;
	uint32_t transaction;
};

/* Starts it on a free port of 127.0.0.1; aborts the program when it cannot. */
void upstream_start(struct upstream *u);
void upstream_stop(struct upstream *u);

#endif
