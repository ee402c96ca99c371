/* SPDX-License-Identifier: MIT */
/* What clients and pages see of a focuser. */
#include "snapshot.h"

#include <math.h>
#include <stdio.h>

#include "focuser_private.h"

/* A reading older than three idle polls is stale; never less than this, so that a busy machine with
 * a fast clock is not taken for a silent device. */
#define STALE_FLOOR_MS 3000

static int64_t reading_age_ms(const struct focuser_core *f)
{
	return clock_now_ms(clock_real()) - f->motion.read_real_ms;
}

static bool reading_stale(const struct device *dev)
{
	const struct focuser_core *f = focuser_of(dev);
	int64_t limit = (int64_t)(3 * f->driver->poll_idle_ms / clock_factor(dev->clock));
	limit = limit < STALE_FLOOR_MS ? STALE_FLOOR_MS : limit;
	return dev->link != LINK_UP || reading_age_ms(f) > limit;
}

bool focuser_moving(const struct device *dev)
{
	const struct focuser_core *f = focuser_of(dev);
	/* Motion that nobody here wished counts too (a hand controller, compensation in the device), but not the
	 * device's word alone. */
	return dev->link == LINK_UP &&
	       (f->phase != MOVE_NONE || (f->motion.moving && !f->motion.stuck) || f->motion.drifting);
}

bool focuser_busy(struct device *dev, struct err *err)
{
	if (focuser_moving(dev)) {
		err_set(err, ERR_INVALID_OPERATION, "%s is moving", dev->info.name);
		return true;
	}
	if (set_position_pending(&focuser_of(dev)->set_position)) {
		err_set(err, ERR_INVALID_OPERATION, "%s has a SetPosition under way", dev->info.name);
		return true;
	}
	return false;
}

void focuser_state(struct device *dev, struct focuser_state *out)
{
	struct focuser_core *f = focuser_of(dev);
	double temperature = NAN;
	enum err_code temperature_code = focuser_temperature(dev, &temperature, NULL);

	pthread_mutex_lock(&dev->lock);
	*out = (struct focuser_state){
		.link = dev->link,
		.is_moving = focuser_moving(dev),
		.position_valid = f->motion.known,
		.position_stale = f->motion.known && reading_stale(dev),
		.position_age_ms = f->motion.known ? reading_age_ms(f) : 0,
		.position = f->motion.known ? arrival_published(f) : 0,
		.measured_position = f->motion.position,
		.motor_position = numbering_motor(&f->numbering, f->motion.position),
		.numbering = f->numbering,
		.outside = focuser_outside(f),
		.target = f->target,
		.clamped = f->clamped,
		.asked = f->asked,
		.temperature_supported = temperature_code != ERR_NOT_IMPLEMENTED,
		.temperature_valid = temperature_code == ERR_OK,
		.temperature_c = temperature,
		.min_step = f->rules.min_step,
		.steps_per_turn = f->caps.steps_per_turn,
		.set_positions = f->set_position.done,
		.by_hand = f->driver->by_hand,
		.max_step = f->caps.max_step,
		.max_increment = f->caps.max_step,
		.step_size_um = f->caps.step_size_um,
		.tempcomp_available = f->caps.has_tempcomp && f->driver->set_tempcomp != NULL,
		.tempcomp = f->tempcomp.wanted,
		.backlash_steps = f->caps.backlash_steps > 0 ? 0 : f->cfg->backlash_steps,
		.device_backlash_steps = f->caps.backlash_steps,
		.approach = f->approach,
		.leased_to_run = dev->lease.run,
	};
	memory_state(dev, out);
	stop_kept_state(dev, out);
	snprintf(out->identity, sizeof out->identity, "%s", f->caps.identity);
	pthread_mutex_unlock(&dev->lock);
}

enum err_code focuser_is_moving(struct device *dev, bool *out, struct err *err)
{
	pthread_mutex_lock(&dev->lock);
	enum err_code code = ERR_OK;
	if (focuser_of(dev)->phase == MOVE_NONE) {
		code = told_failure_get(&focuser_of(dev)->move_told, err);
	}
	if (code == ERR_OK) {
		*out = focuser_moving(dev);
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}

enum err_code focuser_position(struct device *dev, int32_t *out, struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	enum err_code code = ERR_OK;
	pthread_mutex_lock(&dev->lock);
	if (!f->motion.known) {
		code = err_set(err, ERR_VALUE_NOT_SET, "the position of %s is not known yet", dev->info.name);
	} else if (reading_stale(dev)) {
		code = err_set(err, ERR_IO, "%s: the last reading, %d, is %.1f s old; %s", dev->info.name,
			(int)f->motion.position, (double)reading_age_ms(f) / 1000.0,
			dev->link == LINK_LOST ? "the link is being reopened" : "it does not answer");
	} else {
		*out = arrival_published(f);
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}
