/* SPDX-License-Identifier: MIT */
/*
 * Where clients see the focuser: after an arrival within tolerance exactly at the target, as long as the motor
 * stays there, since many clients repeat a move for ever that ends a step beside it.  struct arrival is written
 * here alone.  With the device's lock held.
 */
#ifndef FOCUSD_FOCUSER_ARRIVAL_H
#define FOCUSD_FOCUSER_ARRIVAL_H

#include <stdbool.h>
#include <stdint.h>

struct focuser_core;

struct arrival {
	bool snapped;   /* the last move has arrived and nothing has moved since */
	int32_t target; /* what clients asked for */
	int32_t motor;  /* what the motor said then */
};

/* The motor has arrived at the target of the move. */
void arrival_at(struct focuser_core *f, int32_t target);

/* The motor is sent elsewhere, or its count has changed. */
void arrival_forget(struct focuser_core *f);

/* Where it stands: the target after an arrival, else the motor's word; may lie outside the range. */
int32_t arrival_standing(const struct focuser_core *f);

/* What clients see of that, inside 0..max_step. */
int32_t arrival_published(const struct focuser_core *f);

#endif
