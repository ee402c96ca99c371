/* SPDX-License-Identifier: MIT */
#include "http_turn.h"

#include <time.h>

int64_t turn_now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 + 1;
}

void turn_enter(struct turn *turn)
{
	atomic_store_explicit(&turn->entered_us, turn_now_us(), memory_order_relaxed);
}

int64_t turn_leave(struct turn *turn)
{
	int64_t now_us = turn_now_us();
	int64_t us = now_us - atomic_load_explicit(&turn->entered_us, memory_order_relaxed);
	if (us > TURN_HELD_MS * 1000) {
		/* This is stored before the mark of being inside goes, so that the caretaker sees one or the other. */
		atomic_store(&turn->held_until_us, now_us);
	}
	atomic_store_explicit(&turn->entered_us, 0, memory_order_release);
	return us;
}

bool turn_was_held(const struct turn *turn, int64_t since_us, int64_t now_us)
{
	int64_t entered_us = atomic_load(&turn->entered_us);
	if (entered_us != 0 && now_us - entered_us > TURN_HELD_MS * 1000) {
		return true;
	}
	int64_t held_until_us = atomic_load(&turn->held_until_us);
	return held_until_us != 0 && held_until_us >= since_us;
}
