/* SPDX-License-Identifier: MIT */
/* What a person at the knob is told to do.  Pure; the table of cases is tests/unit/core/test_guided_words.c. */
#ifndef FOCUSD_GUIDED_WORDS_H
#define FOCUSD_GUIDED_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The room for a sentence. */
#define GUIDED_SAY 320

/* The way from a place to the next one, in steps as clients see them; out is towards larger positions. */
struct guided_way {
	int32_t from;
	int32_t via;            /* turn back here; == to: there is nothing to turn back for */
	int32_t to;
	int32_t steps_per_turn; /* of the knob; 0: unknown, and turns are not told */
};

/* Fills the way.
 * Given: from, to, wished_via: the plan's (== to: none wished); sign, +1 or -1: the direction of last legs;
 * backlash_steps >= 0; low <= high, the range; steps_per_turn.
 * Returned: the way, whose last leg goes in the direction of sign wherever there is backlash to take up.  A place to
 * turn back that lies on the straight way is left out, since the way through it is the same. */
struct guided_way guided_way_of(int32_t from, int32_t to, int32_t wished_via, int sign, int32_t backlash_steps,
	int32_t low, int32_t high, int32_t steps_per_turn);

/* Whether the focuser stands near enough to its target that a frame there is as good: within a twentieth of the whole
 * way, since nobody hits a division exactly, and the frame counts where it was taken.  way_steps is the length of
 * the way that was told first. */
bool guided_is_there(int32_t position, int32_t to, int64_t way_steps);

/* The length of the way, steps. */
int64_t guided_way_steps(const struct guided_way *way);

/* Prints what to do: "Turn in by 60 steps (0.60 turns) to 440, then out by 20 steps (0.20 turns) to 460. Then say where
 * it stands."; cap GUIDED_SAY is always enough. */
void guided_say_way(const struct guided_way *way, char *out, size_t cap);

#endif
