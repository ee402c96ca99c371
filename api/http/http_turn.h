/* SPDX-License-Identifier: MIT */
/*
 * Whether a thread of the server turns: it is inside a handler or a stream for a moment only, then back in the
 * library, where it reads what came.  A thread that is held inside cannot read, and the clients whose bytes lie
 * unread meanwhile are not to blame.  turn_enter() and turn_leave() belong to the thread itself, turn_was_held() to
 * the caretaker.
 */
#ifndef FOCUSD_HTTP_TURN_H
#define FOCUSD_HTTP_TURN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A thread that was inside for longer is held.  One callback should last well under a millisecond; this is for
 * what goes wrong. */
#define TURN_HELD_MS 50

/* Zeroed before use.  Times are those of turn_now_us(). */
struct turn {
	_Atomic int64_t entered_us;   /* 0 = the thread is not inside */
	_Atomic int64_t held_until_us; /* the end of the last time that it was held; 0 = never */
};

/* Monotonic microseconds, never 0. */
int64_t turn_now_us(void);

/* Around every call of a handler or stream.  turn_leave() returns how long it lasted, us. */
void turn_enter(struct turn *turn);
int64_t turn_leave(struct turn *turn);

/* Whether the thread was held at any moment from since_us to now_us. */
bool turn_was_held(const struct turn *turn, int64_t since_us, int64_t now_us);

#endif
