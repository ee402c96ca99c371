/* SPDX-License-Identifier: MIT */
/*
 * One requested move into legs: clamp, and overshoot so that the last leg always comes from the
 * same side.  Pure.
 */
#ifndef FOCUSD_MOVES_H
#define FOCUSD_MOVES_H

#include <stdbool.h>
#include <stdint.h>

/* Direction of every final leg.  in is towards smaller positions, out towards larger. */
enum moves_approach { MOVES_APPROACH_IN, MOVES_APPROACH_OUT };

struct moves_rules {
	int32_t min_step;       /* lowest allowed position, steps */
	int32_t max_step;       /* highest */
	int32_t backlash_steps; /* >= 0; 0 = go direct */
	enum moves_approach approach;
	int32_t max_increment;  /* longest single leg; 0 = as long as the way */
};

/* The points to be reached in order: the turning point of the overshoot, if any, and the target.
 * overshoot_skipped says that a limit left less than half of the overshoot, so the move goes direct. */
struct moves_plan {
	int32_t point[2];
	int count;
	bool overshoot_skipped;
};

/* target clamped into min_step..max_step. */
int32_t moves_clamp(const struct moves_rules *rules, int32_t target);

/* Plans from -> target (clamped first).  slack_steps (0..backlash_steps) is the play that a motion in the
 * approach direction would meet first, because it was not taken up yet.  A move in the approach
 * direction goes direct when it is longer than that; any other goes past the target by backlash_steps
 * (as much of it as the limit leaves) and comes back.  from == target gives no points. */
void moves_make(const struct moves_rules *rules, int32_t from, int32_t slack_steps, int32_t target,
	struct moves_plan *out);

/* Where the next leg from `from` to a point of a plan ends: at the point, or max_increment nearer to it.
 * A leg never ends outside the limits, however far outside them it begins. */
int32_t moves_leg(const struct moves_rules *rules, int32_t from, int32_t point);

#endif
