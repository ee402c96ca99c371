/* SPDX-License-Identifier: MIT */
/*
 * How the positions of a focuser are numbered: the motor's own number on one side, the published number that clients
 * see on the other.  This is the one place that knows the shift between them.  Pure; the table of cases is
 * tests/unit/store/test_numbering.c.
 *
 *   motor's limits low..high      published 0..high - low
 *   not reversed                  published = motor - low
 *   reversed                      published = high - motor
 *
 * Every published number in that range can be reached, as clients and the official checker expect (they move to 0 and
 * to MaxStep), while a motor has a lower limit of its own: a Celestron focuser gets one from its calibration.  Whatever
 * lasts (the journal, runs) holds the motor's own numbers and the numbering that they were published by, since another
 * calibration makes other limits and moves the motor's zero.
 */
#ifndef FOCUSD_NUMBERING_H
#define FOCUSD_NUMBERING_H

#include <stdbool.h>
#include <stdint.h>

/* All zero is a numbering that is not known yet; it leaves every number as it is. */
struct numbering {
	bool known;      /* the device has told its limits */
	bool reversed;   /* published positions are counted from the motor's upper limit */
	bool calibrated; /* a calibration made the limits, so others belong to another count of the motor */
	int32_t low;     /* the motor's limits, the motor's steps, low <= high */
	int32_t high;
};

/* The highest published position, steps: the length of the motor's range. */
int32_t numbering_highest(const struct numbering *n);

/* The published number of a motor's number, steps, and back; also outside the limits.  A number that does not fit
 * becomes INT32_MIN or INT32_MAX. */
int32_t numbering_published(const struct numbering *n, int64_t motor);
int32_t numbering_motor(const struct numbering *n, int64_t published);

/* The same for fractions of steps; NAN stays NAN. */
double numbering_published_part(const struct numbering *n, double motor);
double numbering_motor_part(const struct numbering *n, double published);

/* Whether the motor may be sent there: a motor's number that its limits hold, or any while they are not known. */
bool numbering_holds(const struct numbering *n, int32_t motor);

/* Whether a motor's number means the same place under both: both are known, and no calibration lies between them. */
bool numbering_same_count(const struct numbering *a, const struct numbering *b);

/* Whether nothing at all is different. */
bool numbering_same(const struct numbering *a, const struct numbering *b);

/* Whether both publish every position under the same number. */
bool numbering_equal(const struct numbering *a, const struct numbering *b);

#endif
