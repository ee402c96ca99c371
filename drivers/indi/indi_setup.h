/* SPDX-License-Identifier: MIT */
/*
 * Settings of a camera behind an INDI server, as one exposure wants them: what stands right already is not sent, what
 * is sent is waited for, and what a person had set before is put back when the link is closed.  On the worker.
 *
 * A camera may take longer than a call may last.  What timed out is called again then, and goes on where it was: what
 * was sent is not sent once more, its answer is waited for.
 */
#ifndef FOCUSD_INDI_SETUP_H
#define FOCUSD_INDI_SETUP_H

#include "camera_driver.h"
#include "indi_peer.h"
#include "indi_variants.h"

#define INDI_POSTURES_MAX 8

/* What stood before focusd took its first picture; zeroed at first. */
struct indi_before {
	bool known;
	char on[INDI_POSTURES_MAX][INDI_NAME]; /* the switch of each posture that was changed; "" was not */
	bool has_frame, has_binning;
	double frame[4], binning[2];
};

/* The part of the sensor that the camera delivers, as it took it, in unbinned px. */
struct indi_region {
	int32_t x, y, width, height;
};

/* Makes everything as the request wants it, at most until deadline_ms of the real clock.  *region contains what was
 * asked for.  ERR_REFUSED in the camera's words, ERR_TIMEOUT when it has not answered yet, ERR_IO. */
enum err_code indi_setup(struct indi_peer *peer, const struct exposure_request *request,
	const struct camera_caps *caps, const struct indi_modes *modes, struct indi_before *before,
	struct indi_region *region, int64_t deadline_ms, struct err *err);

/* Gives up what was called and not answered: what comes next sends anew. */
void indi_setup_give_up(struct indi_peer *peer);

/* Puts back what stood before; waits for no answer. */
void indi_setup_restore(struct indi_peer *peer, const struct indi_before *before);

/* Sets one member of a number property, with the others as they are, and waits until the camera has taken it. */
enum err_code indi_adjust(struct indi_peer *peer, const char *property, const struct indi_set *set, size_t count,
	int64_t deadline_ms, struct err *err);
/* Turns one switch on, unless it is, and waits. */
enum err_code indi_choose(struct indi_peer *peer, const char *property, const char *member, int64_t deadline_ms,
	struct err *err);

#endif
