/* SPDX-License-Identifier: MIT */
/*
 * A STOP that could not be sent because the link was lost: which motion it is meant for, and what becomes of it when
 * the device answers again.  Pure; the table of cases is tests/unit/core/test_stop_owed.c.
 *
 * Positions are the motor's own steps, times are on the device's clock.  Rows are tried from above:
 *
 *   another device answers                                     void
 *   it calibrates, and did so before, or somebody else
 *      had set the motor off before                            the calibration is ended: no halt is sent to it
 *   it calibrates, but had been sent to a target before        void: somebody else has begun that
 *   it calibrated, and moves within the time of that           the calibration is ended: it does not say in its first
 *                                                              step that it calibrates
 *   it had not said yet that it calibrates                     the same, also at rest
 *   it rests                                                   nothing is sent
 *   it moves, and began anew meanwhile (by the driver's word)  void: no motion outlives the power
 *   it moves, but the motion must have ended by now            void: somebody else moves it
 *   it moves off the way that the motion leads along           void: somebody else moves it
 *   otherwise, also when it does not say whether it moves      halted
 *
 * Off the way is judged only where the motion had been seen to keep to it: a STOP is meant above all for a motor that
 * goes somewhere else.
 */
#ifndef FOCUSD_FOCUSER_STOP_OWED_H
#define FOCUSD_FOCUSER_STOP_OWED_H

#include <stdbool.h>
#include <stdint.h>

/* The motion that was under way when the link went. */
struct stopped_motion {
	bool under_way;   /* there was one; else nothing below counts */
	bool calibrating; /* the device drove to its ends by itself */
	bool calibration_said; /* and had said so */
	bool kept_way;    /* focusd had sent it to target, and saw it come nearer */
	bool passes;      /* it may go past its target, nobody knows how far, and come back */
	int32_t position; /* where it was last seen */
	int32_t target;
	int32_t margin;   /* steps, >= 0; so far off its way it may be found */
	int64_t until_ms; /* by then it has ended, at the slowest speed that is to be believed */
};

/* What the device says when it answers again. */
struct stop_seen {
	bool same_device;
	bool calibrating;
	bool rests;          /* by its own word */
	bool reset;          /* the driver says that it began anew */
	bool position_known;
	int32_t position;
	int64_t now_ms;
};

enum stop_verdict {
	STOP_HALT,
	STOP_END_CALIBRATION,
	STOP_RESTS,
	STOP_VOID_DEVICE,
	STOP_VOID_RESET,
	STOP_VOID_OTHER,
};

/* What becomes of the STOP; `of` has a motion under way. */
enum stop_verdict stop_owed_judge(const struct stopped_motion *of, const struct stop_seen *seen);

/* What became of it, a sentence for people; static storage. */
const char *stop_owed_outcome(enum stop_verdict verdict);

/* Why a STOP cannot be sent at this moment. */
enum stop_hindrance {
	STOP_CABLE,      /* the port is gone */
	STOP_CONNECTION, /* the network connection is gone */
	STOP_SILENCE,    /* the device does not answer */
	STOP_CLOSED,     /* a client has closed the link */
	STOP_HINDRANCES
};

/* What people are told meanwhile, a sentence; static storage.  unsure: it was sent, but nobody knows whether it was
 * heard; else it was not sent. */
const char *stop_owed_words(enum stop_hindrance why, bool unsure);

/* What they are told when there was no motion to stop. */
const char *stop_needless_words(enum stop_hindrance why);

/* The motion must have ended, and the STOP was never sent. */
extern const char stop_owed_lapsed[];

#endif
