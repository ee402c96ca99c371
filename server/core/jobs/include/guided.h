/* SPDX-License-Identifier: MIT */
/*
 * Guided focusing: a run whose moves a person makes.  The plan of an autofocus run (af_plan.h) decides where the next
 * frame is wanted; this tells the person which way to turn and how far, exposes when the focuser stands there, and says
 * when to stop.  It commands no motor: the place is what SetPosition says, or what a motor says that somebody else
 * moved.  One session of a focuser at a time; it is a job of that focuser (autofocus.h), so that no run and no
 * measurement goes on beside it, and it leases the camera alone.
 */
#ifndef FOCUSD_GUIDED_H
#define FOCUSD_GUIDED_H

#include <stdint.h>

#include "autofocus.h"
#include "text.h"

/* Begins a session with the camera that is configured for the focuser, and the first exposure where the focuser stands;
 * returns at once with *session, a number from 1 on.  ERR_NOT_CONNECTED when one of the two is not, ERR_VALUE_NOT_SET
 * while nobody knows where the focuser stands, ERR_INVALID_OPERATION while another job goes on or the camera is in
 * use, ERR_INVALID_VALUE for settings that the camera cannot do.  Any thread. */
enum err_code guided_start(struct autofocus *af, uint64_t *session, struct err *err);

/* Asks the session to end; fine when none goes on, and no other job is touched.  Any thread. */
void guided_end(struct autofocus *af);

/* The number of the session that goes on and was not asked to end; 0 when there is none.  Any thread. */
uint64_t guided_ongoing(struct autofocus *af);

/* Appends the newest session as a JSON object; {"session":0,"state":"none"} before the first one.  Members: session;
 * state (running, succeeded, failed, ended); phase (measure, turn, over); say, a sentence or two for the person; turn
 * (in, out), steps and turns, the next thing to do, null when nothing is to be turned; target, where to say that the
 * focuser stands; via, where to turn back on the way, null when the way is straight; position; exposures; hfr_px of the
 * newest frame; hfr_predicted_px at the best position; best_position, uncertainty_steps; reason of a failure; points,
 * as in a run object.  Positions in steps as clients see them, sizes in px; what is not known is null.  Any thread. */
void guided_json(struct autofocus *af, struct buf *out);

#endif
