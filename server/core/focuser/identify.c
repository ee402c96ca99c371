/* SPDX-License-Identifier: MIT */
#include "identify.h"

#include <math.h>

#include "focuser_private.h"
#include "port.h"

/* At connect the position is read until two readings agree within FIRST_NEAR steps, at most FIRST_LOOKS times. */
#define FIRST_LOOKS 3
#define FIRST_NEAR 2

/* Keeps what a device tells only once, perhaps in a reading whose position is asked for again. */
static void keep_what_was_told(struct focuser_reading *r, const struct focuser_reading *before)
{
	r->reset_seen |= before->reset_seen;
	if (before->temperature_valid && !r->temperature_valid) {
		r->temperature_valid = true;
		r->temperature_c = before->temperature_c;
	}
	if (before->backlash_valid && !r->backlash_valid) {
		r->backlash_valid = true;
		r->backlash_steps = before->backlash_steps;
	}
}

/* Reads until the position has been said twice: what comes of it is compared with what is remembered, and
 * one number that a bad line has made would put everything in doubt.  One reading is enough of a motor
 * that moves. */
static enum err_code read_first(struct device *dev, struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	for (int look = 0; look < FIRST_LOOKS; look++) {
		struct focuser_reading before = f->fresh;
		enum err_code code = drive_first_poll(dev, err);
		keep_what_was_told(&f->fresh, &before);
		if (code != ERR_OK) {
			return code;
		}
		bool moves = f->fresh.moving_valid && f->fresh.moving;
		bool again = f->first_read && focuser_distance(f->first_position, f->fresh.position) <=
						      f->fresh_caps.tolerance_steps + FIRST_NEAR;
		if (!f->fresh.position_valid || moves || again) {
			return ERR_OK;
		}
		f->first_read = true;
		f->first_position = f->fresh.position;
	}
	return err_set(err, ERR_PROTOCOL, "%s says something else each time it is asked where it is",
		dev->info.name);
}

enum err_code identify_device(struct device *dev, struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	enum err_code code = ERR_OK;
	if (!f->identified) {
		code = drive_identify(dev, err);
		if (code == ERR_OK) {
			code = port_verify(dev, dev->was_up, &f->fresh_caps, err);
		}
		f->identified = code == ERR_OK;
	}
	if (code == ERR_OK) {
		code = read_first(dev, err);
	}
	return code;
}

enum err_code identify_again(struct device *dev, struct err *err)
{
	pthread_mutex_unlock(&dev->lock);
	focuser_of(dev)->identified = false;
	enum err_code code = identify_device(dev, err);
	pthread_mutex_lock(&dev->lock);
	device_count_error(dev, code);
	return code;
}

void identify_take_caps(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	f->caps = f->fresh_caps;
	struct numbering numbering = {
		.known = true,
		.reversed = f->cfg->reverse,
		.calibrated = f->driver->calibrate != NULL,
		.low = f->caps.min_step,
		.high = f->caps.max_step,
	};
	if (!numbering_equal(&numbering, &f->numbering)) {
		/* Where the last move arrived, and what it was asked for, are numbers of the old numbering. */
		arrival_forget(f);
		f->clamped = false;
	}
	f->numbering = numbering;
	f->caps.min_step = 0;
	f->caps.max_step = numbering_highest(&numbering);
	if (f->caps.max_increment > f->caps.max_step) {
		f->caps.max_increment = f->caps.max_step;
	}
	if (f->cfg->port.max_step > 0 && f->cfg->port.max_step < f->caps.max_step) {
		f->caps.max_step = f->cfg->port.max_step;
	}
	if (isfinite(f->cfg->step_size_um)) {
		f->caps.step_size_um = f->cfg->step_size_um;
	}
	f->caps_known = true;
	f->rules = (struct moves_rules){
		.min_step = f->cfg->min_step < f->caps.max_step ? f->cfg->min_step : f->caps.max_step,
		.max_step = f->caps.max_step,
		.backlash_steps = f->cfg->backlash_steps,
		.approach = f->approach,
		.max_increment = f->caps.max_increment,
	};
	focuser_own_backlash(dev, f->caps.backlash_steps);
}

void identify_renew(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	identify_take_caps(dev);
	motion_forget(&f->motion);
	arrival_forget(f);
	halt_drop_wish(&f->halt);
	focuser_take_reading(dev, &f->fresh);
	memory_renumber(dev);
	if (f->calibration.state == CALIBRATION_DONE) {
		memory_afresh(dev);
	} else {
		memory_rest(dev);
	}
}
