/* SPDX-License-Identifier: MIT */
/*
 * An exposure of a camera, of a client or of a run, from its acceptance to its end.  exposure.c alone changes the phase
 * and what begins and ends with it; camera_worker.c notes between them what the driver says and when it is asked again,
 * and camera.c that a client wants an abort or a stop.  The device's lock guards all of it.
 */
#ifndef FOCUSD_EXPOSURE_H
#define FOCUSD_EXPOSURE_H

#include <stdbool.h>
#include <stdint.h>

#include "camera_driver.h"
#include "device_private.h"

enum expose_phase {
	EXPOSE_NONE,
	EXPOSE_ACCEPTED, /* the hardware has yet to be told */
	EXPOSE_RUNNING,
	EXPOSE_READING,  /* a driver that fills no lent frame fetches the picture */
};

struct exposure {
	enum expose_phase phase;
	bool private; /* the exposure is a run's: clients' picture and last-exposure facts stay as they are */
	uint64_t op;  /* the newest exposure that was accepted */
	struct exposure_request request;
	int64_t start_utc_ms;
	int64_t start_ms;     /* device clock */
	int64_t next_poll_ms; /* device clock */
	unsigned poll_failures; /* in a row */
	bool reading;         /* the driver has closed the shutter and reads the sensor */
	bool retried;         /* a failed read-out is not tried again: it was already, or a run does so itself */
	bool abort_wanted, stop_wanted;
	bool failed;          /* the last exposure failed: CameraState is Error */

	uint64_t done_op;     /* the newest exposure that is over, and how it ended */
	struct err done;      /* ERR_OK: with a picture */
	struct told_failure told; /* of a client's */
	struct log_lasting failures; /* what the log was told of exposures that fail one after the other */
	struct log_lasting torn;     /* and of read-outs that succeed at the second try only */
};

/* A new exposure, which replaces what is known of the last one.  None is going on. */
void exposure_accept(struct exposure *e, const struct exposure_request *request, bool private);
/* The hardware exposes since now_ms on the device's clock. */
void exposure_begun(struct exposure *e, int64_t now_ms);
/* Its picture is being fetched. */
void exposure_read_out(struct exposure *e);
/* The same exposure starts from its beginning, after its read-out failed. */
void exposure_again(struct exposure *e);
/* The exposure is over: how it ended, NULL with a picture. */
void exposure_over(struct exposure *e, const struct err *why);
/* Nothing is exposed by a camera whose link has just come up. */
void exposure_forget(struct exposure *e);

/* How much of it is done at now_ms on the device's clock, from 0 before it has begun to 1, from when on the light is
 * collected. */
double exposure_share(const struct exposure *e, int64_t now_ms);

#endif
