/* SPDX-License-Identifier: MIT */
#include "guided_words.h"

#include <stdio.h>
#include <stdlib.h>

/* A place within this share of the way counts as reached.  Choice: a twentieth of a step of the sweep moves the size by
 * less than the seeing does. */
#define NEAR_SHARE 20

static bool between(int32_t a, int32_t x, int32_t b)
{
	return (a <= x && x <= b) || (b <= x && x <= a);
}

struct guided_way guided_way_of(int32_t from, int32_t to, int32_t wished_via, int sign, int32_t backlash_steps,
	int32_t low, int32_t high, int32_t steps_per_turn)
{
	int64_t via = wished_via;
	bool against = ((int64_t)to - from) * sign < 0;
	if (wished_via == to && against && backlash_steps > 0) {
		via = (int64_t)to - (int64_t)sign * backlash_steps;
		via = via < low ? low : via > high ? high : via;
	}
	if (between(from, (int32_t)via, to)) {
		via = to;
	}
	return (struct guided_way){.from = from, .via = (int32_t)via, .to = to, .steps_per_turn = steps_per_turn};
}

int64_t guided_way_steps(const struct guided_way *way)
{
	return llabs((long long)way->via - way->from) + llabs((long long)way->to - way->via);
}

bool guided_is_there(int32_t position, int32_t to, int64_t way_steps)
{
	return llabs((long long)position - to) <= way_steps / NEAR_SHARE;
}

/* Prints one leg: "out by 20 steps (0.20 turns) to 460". */
static void leg(char *out, size_t cap, int32_t from, int32_t to, int32_t steps_per_turn)
{
	long long steps = llabs((long long)to - from);
	char turns[48] = "";
	if (steps_per_turn > 0) {
		snprintf(turns, sizeof turns, " (%.2f turns)", (double)steps / steps_per_turn);
	}
	snprintf(out, cap, "%s by %lld step%s%s to %d", to > from ? "out" : "in", steps, steps == 1 ? "" : "s", turns,
		(int)to);
}

void guided_say_way(const struct guided_way *way, char *out, size_t cap)
{
	char first[96];
	char second[96];
	if (way->via == way->to) {
		leg(first, sizeof first, way->from, way->to, way->steps_per_turn);
		snprintf(out, cap, "Turn %s. Then say where it stands.", first);
		return;
	}
	leg(first, sizeof first, way->from, way->via, way->steps_per_turn);
	leg(second, sizeof second, way->via, way->to, way->steps_per_turn);
	snprintf(out, cap, "Turn %s, then %s. Then say where it stands.", first, second);
}
