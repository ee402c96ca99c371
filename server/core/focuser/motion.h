/* SPDX-License-Identifier: MIT */
/*
 * What the motor was last seen to do, and what a reading means.  struct motion is written by motion.c alone.
 * Everything here is for the device's worker with the lock held; reading the fields needs the lock only.
 */
#ifndef FOCUSD_FOCUSER_MOTION_H
#define FOCUSD_FOCUSER_MOTION_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

struct device;
struct focuser_core;
struct focuser_reading;

/* The last reading, in steps as clients see them (numbering.h). */
struct motion {
	bool known;           /* there is a position of this link */
	int32_t position;
	int64_t read_real_ms; /* clock_real(); when the position was last read */
	bool moving;          /* the device says that the motor moves, or it was sent and has not said that it rests */
	bool drifting;        /* the device does not say so, but its position changes without our doing */
	bool stuck;           /* the device says that it moves without our doing, but its position does not change */
	int64_t changed_ms;   /* device clock; when the position was last seen to change */
	bool odd;             /* the last reading was not to be expected */
	/* Steps travelled in the approach direction since the last reversal, at most backlash_steps: less means
	 * that the backlash is not taken up. */
	int32_t taken_up;
};

/* A motor that says it moves but does not change its position for this long is stuck, ms of the device's
 * clock.  Longer than any pause seen between a command and the motion, or at a reversal. */
#define FOCUSER_STALL_MS 8000

/* Steps between two positions, whatever a driver calls a position. */
int64_t focuser_distance(int32_t a, int32_t b);

/* Tolerance of arrival, steps. */
int32_t focuser_tolerance(const struct focuser_core *f);

/* +1 or -1: the direction of last legs. */
int focuser_approach_sign(const struct focuser_core *f);

/* Nothing that was read counts: a link came up, or the device numbers its positions anew. */
void motion_forget(struct motion *m);

/* Nobody hears of the motor any more, so nothing is said of its moving. */
void motion_lost_sight(struct motion *m);

/* The motor is told to go.  It counts as moving until a reading says that it rests, also when the call fails:
 * the command may have got through. */
void motion_sent(struct motion *m);

/* SetPosition was obeyed: the count has changed, the motor has not moved and no backlash was taken up. */
void motion_count_set(struct motion *m, int32_t position);

/* The controller has lost its count: nothing is known of the backlash. */
void motion_count_lost(struct motion *m);

/* Whether a reading is nothing the motor can be expected to have done.  Such a reading is asked for again
 * before it is believed, since what a bad line makes of a number may look like one. */
bool focuser_reading_is_odd(struct focuser_core *f, const struct focuser_reading *r);

/* Takes what a reading says beside the motion (temperature, backlash); true when that is news. */
bool focuser_take_aside(struct device *dev, const struct focuser_reading *r);

/* Whether the motor stands outside 0..max_step by more than the tolerance of arrival: by a hand, by another program's
 * limits.  Clients are told the nearer end. */
bool focuser_outside(const struct focuser_core *f);

/* Makes a reading the state that clients see. */
void focuser_take_reading(struct device *dev, const struct focuser_reading *r);

/* Says in the log that the motor is moved by somebody else: a hand controller, another program, compensation in the
 * device.  Nobody halts that. */
void motion_say_others_move_it(struct device *dev);

/* The device says how many steps of backlash it takes up itself: backlash has exactly one owner. */
void focuser_own_backlash(struct device *dev, int32_t steps);

#endif
