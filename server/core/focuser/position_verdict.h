/* SPDX-License-Identifier: MIT */
/*
 * What a journal and a device that has just answered say together about where the motor is.  Pure; the
 * table of cases is tests/unit/core/test_position_verdict.c.
 *
 * Steps are the motor's own.  "Near" is within the tolerance of arrival.  "Keeps" is a device whose
 * count outlives its power; the others may forget, and then say 0 or something older.
 *
 *   nothing remembered, or by another driver or USB adapter    known: the device's word, without fuss
 *   the journal is damaged                                     unknown
 *   calibrated meanwhile, which numbers positions anew         as it was; the device's word counts
 *   remembered at rest, device near it                         as it was: mostly known
 *   at rest, elsewhere, keeps                                  known: moved by hand or another program
 *   at rest, elsewhere, may forget                             shifted
 *   moving, device on the way or near the target, keeps        known
 *   moving, elsewhere, keeps                                   known: moved by hand or another program
 *   moving, device on the way, may forget                      known, but:
 *      says 0 after a way that leads through 0                 unknown: it may just have forgotten
 *      rests where the way began, which is not its end         unknown: boards that save their count at
 *                                                              rest fall back to that without power
 *      began anew meanwhile, by the driver's word              unknown
 *      rests elsewhere than at the target or where it turns    unknown: nobody here stopped it, so it was
 *                                                              somebody, or the power failed and the board
 *                                                              fell back to a number from the way
 *   moving, device not on the way, may forget                  unknown
 *
 * A motor that lost its count on the way is within the way, by the count of before: the span says so in terms of what
 * the device says.
 *
 * A shift that nobody has settled yet goes on, with the offset as it is now; it ends by itself when the
 * device says again what was remembered.  An unknown position stays unknown until SetPosition.
 */
#ifndef FOCUSD_POSITION_VERDICT_H
#define FOCUSD_POSITION_VERDICT_H

#include "position_journal.h"

/* Room on both sides of a way for firmware that takes up backlash by itself. */
#define POSITION_WAY_MARGIN 10

/* What the device says now, and what is known of it. */
struct position_seen {
	int32_t position;
	bool moving;
	bool keeps;             /* see above */
	bool reset;             /* the driver says that it began anew since the last reading */
	bool halted;            /* it was told to stop on its way, as far as anybody knows */
	int32_t tolerance;      /* steps */
	struct numbering numbering; /* of today; sentences tell every number by it */
	const char *driver, *device, *port_serial;
};

struct position_verdict {
	enum focuser_trust trust;
	bool offset_known;      /* never when known */
	int32_t offset;
	bool span_known;        /* only when unknown: it is known how wrong the device's count can be */
	int32_t span_low, span_high; /* what may have to be added to the device's count, from low to high */
	char why[FOCUSER_WHY];  /* a sentence; "" when known */
	char note[FOCUSER_WHY]; /* known, but worth a line in the log; "" otherwise */
};

/* last is NULL unless found is POSITION_READ or POSITION_MENDED. */
void position_judge(enum position_found found, const struct position_entry *last,
	const struct position_seen *seen, struct position_verdict *out);

#endif
