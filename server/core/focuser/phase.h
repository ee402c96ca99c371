/* SPDX-License-Identifier: MIT */
/*
 * The phases of a move, from acceptance to its end, and the lawful steps between them.  Every change of phase
 * goes through focuser_set_phase(); docs/move.md tells the life of a move with this table.
 */
#ifndef FOCUSD_FOCUSER_PHASE_H
#define FOCUSD_FOCUSER_PHASE_H

#include <stdbool.h>

struct device;

enum move_phase {
	MOVE_NONE,        /* no operation of ours is under way */
	MOVE_ACCEPTED,    /* a client's target waits for the worker */
	MOVE_STOPPING,    /* a motion must end before the next way can be planned from a known place */
	MOVE_LEG,         /* the motor was sent along a leg of the planned way */
	MOVE_SETTLE,      /* the motor rests at the target; settle_ms passes */
	MOVE_HALTING,     /* a halt was wished and the motor is not at rest yet */
	MOVE_CALIBRATING, /* the device drives to both ends by itself */
};

/* How many phases there are. */
#define MOVE_PHASES (MOVE_CALIBRATING + 1)

/* For the log: "none", "accepted", ...; static storage. */
const char *focuser_phase_name(enum move_phase phase);

/* Whether a move may go from one phase to the other.  Staying where it is is always lawful. */
bool focuser_phase_lawful(enum move_phase from, enum move_phase to);

/* Locked.  Changes the phase.  An unlawful step is a bug: the log says so, focuser_phase_bug is called, and the
 * phase changes all the same, since a worker in a phase that nobody wished would be worse. */
void focuser_set_phase(struct device *dev, enum move_phase to);

/* What a test wants to be told of unlawful steps; NULL in the program.  Set it before any device exists. */
extern void (*focuser_phase_bug)(enum move_phase from, enum move_phase to);

#endif
