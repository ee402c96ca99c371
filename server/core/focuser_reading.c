/* SPDX-License-Identifier: MIT */
/* What a reading of the motor means: steps as clients see them, taken-up play, a temperature to be
 * believed.  On the worker, with the device's lock held. */
#include "focuser_private.h"

#include <math.h>

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

/* Keeps the book of how much play is taken up, from any motion, ours or not. */
static void note_motion(struct focuser_core *f, int32_t from, int32_t to)
{
	int64_t travelled = ((int64_t)to - from) * focuser_approach_sign(f);
	if (travelled < 0) {
		f->preload = 0;
	} else if (travelled < f->rules.backlash_steps - f->preload) {
		f->preload += (int32_t)travelled;
	} else {
		f->preload = f->rules.backlash_steps;
	}
}

/* Broken sensors answer -127, 85, or something no night has. */
static bool believable_temperature(double t)
{
	return isfinite(t) && t > -50.0 && t < 60.0 && t != 85.0;
}

void focuser_take_reading(struct device *dev, const struct focuser_reading *r)
{
	struct focuser_core *f = dev->focuser;
	bool changed = false;
	if (r->position_valid) {
		int32_t position = focuser_from_motor(f, r->position);
		if (!f->position_known || position != f->position) {
			if (f->position_known) {
				note_motion(f, f->position, position);
			}
			f->position = position;
			changed = true;
		}
		f->position_known = true;
		f->read_real_ms = clock_now_ms(clock_real());
	}
	if (r->moving_valid && r->moving != f->motor_moving) {
		f->motor_moving = r->moving;
		changed = true;
	}
	if (r->temperature_valid) {
		bool good = believable_temperature(r->temperature_c);
		changed |= good != f->temperature_known || (good && r->temperature_c != f->temperature_c);
		f->temperature_known = good;
		f->temperature_c = good ? r->temperature_c : NAN;
		f->temperature_real_ms = clock_now_ms(clock_real());
	}
	if (changed) {
		device_changed(dev);
	}
}
