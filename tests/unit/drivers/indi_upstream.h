/* SPDX-License-Identifier: MIT */
/*
 * An INDI server with one camera, in a thread of the test: what the camera contract wants of a device.  Written from
 * the protocol's description (INDI, E. C. Downey, 2007) and what indi_simulator_ccd 1.9.9 was seen to say; it shares no
 * code with the driver.
 */
#ifndef FOCUSD_TEST_INDI_UPSTREAM_H
#define FOCUSD_TEST_INDI_UPSTREAM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { INDI_UPSTREAM_WIDE = 34, INDI_UPSTREAM_HIGH = 27, INDI_UPSTREAM_CLIENTS = 4 };

enum indi_upstream_fault {
	INDI_UPSTREAM_SOUND,
	INDI_UPSTREAM_DEAF,       /* to exposures */
	INDI_UPSTREAM_HANGS,      /* exposes and stays Busy */
	INDI_UPSTREAM_NO_PICTURE, /* Ok, and nothing comes */
};

struct indi_upstream {
	int bits;                /* of a pixel: 8 or 16 */
	_Atomic bool spoilt;     /* pictures are cut off */
	_Atomic int fault;       /* enum indi_upstream_fault */
	int port;                /* where it listens, after indi_upstream_start() */
	/* The rest is the thread's. */
	pthread_t thread;
	int listener, stop[2];
	struct {
		int fd;          /* -1 none */
		char said[8192]; /* not understood yet */
		size_t len;
		bool pictures;   /* enabled here */
		bool only;       /* asked for the camera's picture alone */
	} client[INDI_UPSTREAM_CLIENTS];
	bool connected;
	int frame[4], bin;
	double exposure_s;
	long long ends_ms;       /* of CLOCK_MONOTONIC; 0 nothing goes on */
};

/* Starts the thread; bits and spoilt are set. */
void indi_upstream_start(struct indi_upstream *u);
void indi_upstream_stop(struct indi_upstream *u);

/* ---- for other servers that a test writes ---- */

/* The last character of the element that text begins with; NULL when it is not whole yet. */
char *indi_element_end(char *text);
/* The number of that member of a vector; 0 when there is none. */
double indi_number_behind(const char *text, const char *member);

#endif
