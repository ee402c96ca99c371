/* SPDX-License-Identifier: MIT */
/*
 * A motor whose position is a function of time: begin + speed * (time since it began), up to its goal.
 * Nothing runs between two calls.  Times are on the device's clock.
 */
#ifndef FOCUSD_EMULATED_MOTOR_H
#define FOCUSD_EMULATED_MOTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"

/* What the faults of several devices mean. */
#define EMULATED_STALL_STEPS 100     /* "stall": it stands still after so many steps of a way */
#define EMULATED_RESET_STEPS 100     /* "reset": so far into a way the controller begins anew */
#define EMULATED_STRAY_MS 2000       /* "unasked-motion": after so long at rest it moves by itself */
#define EMULATED_STRAY_STEPS 200     /* so far */
#define EMULATED_AWAY_STEPS 1000000  /* "backwards", "runs-past": it would run so far if nobody halted it */
#define EMULATED_BESIDE_STEPS 7      /* "wrong-position": it stops so far beyond its target */

struct emulated_motor {
	struct clock *clock;
	int64_t begin, goal;    /* steps */
	double speed;           /* steps per second of this motion, > 0 */
	int64_t begun_ms;       /* may lie ahead: until then it rests and says so */
	bool running;
	int64_t rest_since_ms;  /* when it last came to rest */
	/* Faults; set after init. */
	bool stalls;            /* stands still after EMULATED_STALL_STEPS of a way that is longer, and runs on */
	bool strays;            /* moves once by itself, see emulated_motor_stray() */
	bool backwards;         /* turns the other way than it is told, and counts so; the three see
	                         * emulated_motor_heard() */
	bool runs_past;         /* goes on at its goal */
	bool mishears;          /* the next goal loses its last digit */
};

/* At rest at a position since the clock's zero. */
void emulated_motor_init(struct emulated_motor *m, struct clock *clock, int64_t position);

/* Where it is now, in whole steps; a motion that has come to its goal is over from here on. */
int64_t emulated_motor_position(struct emulated_motor *m);

/* Steps that the time has brought since it began, whether there was so much way or not; 0 before. */
int64_t emulated_motor_way(const struct emulated_motor *m);

/* Goes from where it is; the motion begins late_ms from now. */
void emulated_motor_go(struct emulated_motor *m, int64_t goal, double speed, int64_t late_ms);

/* Where a motor with such faults goes when it is told to go to goal; goal itself without. */
int64_t emulated_motor_heard(struct emulated_motor *m, int64_t goal);

/* From here on at rest at this position; emulated_motor_stop() where it is. */
void emulated_motor_rest_at(struct emulated_motor *m, int64_t position);
void emulated_motor_stop(struct emulated_motor *m);

/* Another speed for the rest of the way; what is behind it was gone at the old one. */
void emulated_motor_change_speed(struct emulated_motor *m, double speed);

/* Whether it turns, a late start not counted; brings it up to date. */
bool emulated_motor_turns(struct emulated_motor *m);

/* Where strays is set and it has rested for EMULATED_STRAY_MS: begins to move by itself, this once. */
void emulated_motor_stray(struct emulated_motor *m, double speed);

#endif
