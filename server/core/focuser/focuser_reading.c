/* SPDX-License-Identifier: MIT */
/* What a reading of the motor means: steps as clients see them and taken-up play.
 * On the worker, with the device's lock held. */
#include "focuser_private.h"

int32_t focuser_from_motor(const struct focuser_core *f, int32_t motor)
{
	if (!f->cfg->reverse) {
		return motor;
	}
	int64_t mirrored = (int64_t)f->mirror - motor;
	return mirrored > INT32_MAX ? INT32_MAX : (int32_t)mirrored;
}

int32_t focuser_to_motor(const struct focuser_core *f, int32_t position)
{
	return focuser_from_motor(f, position); /* its own inverse */
}

int focuser_approach_sign(const struct focuser_core *f)
{
	return f->rules.approach == MOVES_APPROACH_OUT ? 1 : -1;
}

/* Keeps the book of how much play is taken up.  Only the way that we sent the motor counts for it, as far
 * as it goes where it was sent: whatever else was seen, by hand or by a number that a bad line has
 * made, leaves the play unknown. */
static void note_motion(struct focuser_core *f, int32_t from, int32_t to)
{
	bool sent = f->ours && !f->odd && (to > from) == (f->leg_target > f->leg_from);
	int64_t travelled = ((int64_t)to - from) * focuser_approach_sign(f);
	if (!f->ours && focuser_distance(from, to) <= focuser_tolerance(f)) {
		return;
	}
	if (!sent || travelled < 0) {
		f->preload = 0;
	} else if (travelled < f->rules.backlash_steps - f->preload) {
		f->preload += (int32_t)travelled;
	} else {
		f->preload = f->rules.backlash_steps;
	}
}

/* Whether it lies on the way of the leg, or as far beside it as arrivals may. */
static bool on_the_way(const struct focuser_core *f, int32_t position)
{
	int32_t low = f->position < f->leg_target ? f->position : f->leg_target;
	int32_t high = f->position < f->leg_target ? f->leg_target : f->position;
	int32_t margin = focuser_tolerance(f) + f->caps.backlash_steps;
	return (int64_t)position >= (int64_t)low - margin && (int64_t)position <= (int64_t)high + margin;
}

bool focuser_reading_is_odd(struct focuser_core *f, const struct focuser_reading *r)
{
	if (!r->position_valid || !f->position_known) {
		return false;
	}
	int32_t position = focuser_from_motor(f, r->position);
	bool odd = false;
	if (f->phase == MOVE_LEG || f->phase == MOVE_STOPPING || f->phase == MOVE_HALTING) {
		odd = !on_the_way(f, position);
	} else if (!f->motor_moving && !(r->moving_valid && r->moving)) {
		odd = focuser_distance(position, f->position) > focuser_tolerance(f);
	}
	bool confirmed = f->odd;
	/* By hand, by a knob: told to be at rest, yet elsewhere; until it is seen to stay. */
	f->drifting = odd && f->phase == MOVE_NONE && (confirmed || f->drifting);
	f->odd = odd;
	return odd && !confirmed;
}

bool focuser_poll_failed(struct focuser_core *f, enum err_code code)
{
	f->poll_failures++;
	return code == ERR_IO ||
	       f->poll_failures >= (code == ERR_PROTOCOL ? FOCUSER_POLL_GARBLED : FOCUSER_POLL_FAILURES);
}

void focuser_own_backlash(struct device *dev, int32_t steps)
{
	struct focuser_core *f = dev->focuser;
	f->caps.backlash_steps = steps > 0 ? steps : 0;
	f->rules.backlash_steps = steps > 0 ? 0 : f->cfg->backlash_steps;
	if (steps > 0 && f->cfg->backlash_steps > 0) {
		log_warn(dev->info.source, "the device takes up %d steps of backlash itself, so "
			"backlash_steps = %d is not used: one of them must be 0", (int)steps,
			(int)f->cfg->backlash_steps);
	}
}

bool focuser_take_aside(struct device *dev, const struct focuser_reading *r)
{
	struct focuser_core *f = dev->focuser;
	bool changed = r->temperature_valid && focuser_take_temperature(dev, r->temperature_c);
	if (r->backlash_valid && r->backlash_steps != f->caps.backlash_steps) {
		focuser_own_backlash(dev, r->backlash_steps);
		f->preload = 0;
		changed = true;
	}
	return changed;
}

void focuser_take_reading(struct device *dev, const struct focuser_reading *r)
{
	struct focuser_core *f = dev->focuser;
	bool changed = false;
	int64_t now = clock_now_ms(dev->clock);
	if (r->position_valid) {
		int32_t position = focuser_from_motor(f, r->position);
		if (!f->position_known || position != f->position) {
			if (f->position_known) {
				note_motion(f, f->position, position);
			}
			f->position = position;
			f->changed_ms = now;
			changed = true;
		}
		f->position_known = true;
		f->read_real_ms = clock_now_ms(clock_real());
	}
	if (r->moving_valid && r->moving != f->motor_moving) {
		f->motor_moving = r->moving;
		f->changed_ms = now;
		changed = true;
	}
	bool stuck = f->motor_moving && f->phase == MOVE_NONE && now - f->changed_ms > FOCUSER_STALL_MS;
	if (stuck != f->stuck) {
		f->stuck = stuck;
		changed = true;
		if (stuck) {
			log_warn(dev->info.source, "says it moves but stands at %d", (int)f->position);
		}
	}
	changed |= focuser_take_aside(dev, r);
	if (changed) {
		device_changed(dev);
	}
}
