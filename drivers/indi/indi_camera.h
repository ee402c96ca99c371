/* SPDX-License-Identifier: MIT */
/*
 * A camera behind an INDI server as its driver keeps it, and its exposure: from the settings to the frame.  On the
 * worker; the functions are those of camera_driver.h.
 */
#ifndef FOCUSD_INDI_CAMERA_H
#define FOCUSD_INDI_CAMERA_H

#include "camera_driver.h"
#include "indi_blob.h"
#include "indi_camera_facts.h"
#include "indi_setup.h"

enum phase {
	PHASE_IDLE,
	PHASE_PREPARING, /* the camera has not taken all settings yet */
	PHASE_SENT,
	PHASE_EXPOSING,
	PHASE_WAITING,   /* for the picture */
	PHASE_FAILED,
};

struct indi_camera {
	struct indi_peer peer;
	struct camera_caps caps;
	struct indi_blob *blob;
	struct indi_before before;
	struct indi_shape *shape;
	/* The exposure. */
	enum phase phase;
	struct exposure_request request;
	struct frame *frame;         /* lent; NULL not yet */
	bool aborting;               /* an abort was sent, and the camera was not seen at rest since */
	uint64_t aborted_at;         /* count of the store's updates */
	int64_t aborted_ms;
	int64_t asked_ms;            /* when core asked for the exposure */
	int64_t guides_until_ms[2];  /* the last pulse along north and south, and along west and east */
	double duration_s;           /* that the camera was told */
	uint64_t sent_at;            /* count of the store's updates */
	int64_t sent_ms;
	int64_t ends_ms;             /* when the light should be collected */
	int64_t idle_ms;             /* since when it is idle without a picture; 0 it is not */
	double left_s;               /* as it was told last */
	struct err why;              /* of PHASE_FAILED */
	bool final;                  /* it makes no sense to expose again */
};

enum err_code indi_exposure_start(void *ctx, const struct exposure_request *request, struct err *err);
void indi_exposure_lend(void *ctx, struct frame *frame);
enum err_code indi_exposure_poll(void *ctx, struct camera_reading *out, struct err *err);
enum err_code indi_exposure_abort(void *ctx, struct err *err);
enum err_code indi_exposure_read(void *ctx, struct frame_info *info, struct err *err);

#endif
