/* SPDX-License-Identifier: MIT */
/*
 * One requested move into legs: clamp, and overshoot so that the last leg always comes from the
 * same side.  Pure.
 */
#ifndef FOCUSD_MOVES_H
#define FOCUSD_MOVES_H

#include <stdbool.h>
#include <stdint.h>

/* Direction of every last leg.  in is towards smaller positions, out towards larger. */
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

/* The nearest allowed position, steps: target held to min_step..max_step. */
int32_t moves_clamp(const struct moves_rules *rules, int32_t target);

/* The way to a target.
 * Given: rules, min_step <= max_step; from, steps, any; backlash_left, 0..backlash_steps, the part of the backlash
 * that a motion in the approach direction would meet first because it was not taken up yet; target, steps, clamped
 * first.
 * Returned: *out; no points when from is the target.
 * Notes: 1) a move in the approach direction goes direct when it is at least backlash_left long; any other goes past
 * the target by backlash_steps, as much of it as the limit leaves, and comes back.  2) where the limit leaves less
 * than half of it, it goes direct: less takes up too little to be worth a reversal.  3) exact, in 64 bits inside: no
 * range of int32_t overflows.  4) 200,000 moves on a mechanism with that much backlash: never outside the limits,
 * one reversal at most, the backlash taken up at the end wherever the limits leave room:
 * tests/unit/focus/test_moves.c random_moves. */
void moves_make(const struct moves_rules *rules, int32_t from, int32_t backlash_left, int32_t target,
	struct moves_plan *out);

/* Where the next leg towards a point of a plan ends, steps: at the point, or max_increment nearer to it.  A leg
 * never ends outside the limits, however far outside them it begins (tests/unit/focus/test_moves.c extremes). */
int32_t moves_leg(const struct moves_rules *rules, int32_t from, int32_t point);

#endif
