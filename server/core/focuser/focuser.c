/* SPDX-License-Identifier: MIT */
/* What clients and runs may ask of a focuser: checks, wishes and copies.  The moving is done by
 * focuser_worker.c. */
#include "focuser_private.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A reading older than three idle polls is stale; never less than this, so that a busy machine with
 * a fast clock is not taken for a silent device. */
#define STALE_FLOOR_MS 3000

int32_t focuser_tolerance(const struct focuser_core *f)
{
	/* Clients repeat a move for ever that ends a step beside its target, so two steps are always
	 * forgiven; the fit uses what the motor said. */
	return f->caps.tolerance_steps > 2 ? f->caps.tolerance_steps : 2;
}

void focuser_wish_halt(struct focuser_core *f)
{
	f->halt_wanted = true;
	f->halt_tries = 0;
	f->halt_repeats = 0;
}

int64_t focuser_distance(int32_t a, int32_t b)
{
	return a > b ? (int64_t)a - b : (int64_t)b - a;
}

static int64_t reading_age_ms(const struct focuser_core *f)
{
	return clock_now_ms(clock_real()) - f->read_real_ms;
}

static bool reading_stale(const struct device *dev)
{
	const struct focuser_core *f = dev->focuser;
	int64_t limit = (int64_t)(3 * f->driver->poll_idle_ms / clock_factor(dev->clock));
	limit = limit < STALE_FLOOR_MS ? STALE_FLOOR_MS : limit;
	return dev->link != LINK_UP || reading_age_ms(f) > limit;
}

/* Where it stands: the target after an arrival, else the motor's word. */
static int32_t standing(const struct focuser_core *f)
{
	bool snapped = f->snapped && focuser_distance(f->position, f->snap_motor) <= f->caps.tolerance_steps;
	return snapped ? f->snap_target : f->position;
}

/* What clients see of that: inside the range. */
static int32_t published_position(const struct focuser_core *f)
{
	int32_t position = standing(f);
	if (position < 0) {
		return 0;
	}
	return position > f->caps.max_step ? f->caps.max_step : position;
}

static bool moving_locked(const struct device *dev)
{
	const struct focuser_core *f = dev->focuser;
	/* By itself, too: a hand controller, compensation in the device; but not by its word alone. */
	return dev->link == LINK_UP &&
	       (f->phase != MOVE_NONE || (f->motor_moving && !f->stuck) || f->drifting);
}

bool focuser_busy(struct device *dev, struct err *err)
{
	if (moving_locked(dev)) {
		err_set(err, ERR_INVALID_OPERATION, "%s is moving", dev->info.name);
		return true;
	}
	if (dev->focuser->sync.wanted || dev->focuser->sync.unsure) {
		err_set(err, ERR_INVALID_OPERATION, "%s is being told where it stands", dev->info.name);
		return true;
	}
	return false;
}

void focuser_state(struct device *dev, struct focuser_state *out)
{
	struct focuser_core *f = dev->focuser;
	double temperature = NAN;
	enum err_code temperature_code = focuser_temperature(dev, &temperature, NULL);

	pthread_mutex_lock(&dev->lock);
	*out = (struct focuser_state){
		.link = dev->link,
		.is_moving = moving_locked(dev),
		.position_valid = f->position_known,
		.position_stale = f->position_known && reading_stale(dev),
		.position_age_ms = f->position_known ? reading_age_ms(f) : 0,
		.position = f->position_known ? published_position(f) : 0,
		.motor_position = f->position,
		.target = f->target,
		.temperature_supported = temperature_code != ERR_NOT_IMPLEMENTED,
		.temperature_valid = temperature_code == ERR_OK,
		.temperature_c = temperature,
		.min_step = f->rules.min_step,
		.steps_per_turn = f->caps.steps_per_turn,
		.max_step = f->caps.max_step,
		.max_increment = f->caps.max_step,
		.step_size_um = f->caps.step_size_um,
		.tempcomp_available = f->caps.has_tempcomp && f->driver->set_tempcomp != NULL,
		.tempcomp = f->tempcomp_wanted,
		.backlash_steps = f->caps.backlash_steps > 0 ? 0 : f->cfg->backlash_steps,
		.device_backlash_steps = f->caps.backlash_steps,
		.approach = f->approach,
		.leased_to_run = dev->lease.run,
	};
	focuser_memory_state(dev, out);
	snprintf(out->identity, sizeof out->identity, "%s", f->caps.identity);
	pthread_mutex_unlock(&dev->lock);
}

/* With the lock held and every check but the target's done.  *wake says that the worker has to be woken
 * (when the lock is free, or it would wake just to wait for that). */
static enum err_code accept_move(struct device *dev, int32_t target, bool *wake, struct err *err)
{
	struct focuser_core *f = dev->focuser;
	enum err_code code = device_need_link(dev, err);
	if (code != ERR_OK) {
		return code;
	}
	code = focuser_refuse_move(dev, err);
	if (code != ERR_OK) {
		return code;
	}
	if (target >= 0 && target <= f->caps.max_step && target < f->rules.min_step) {
		return err_set(err, ERR_INVALID_VALUE, "position %d is below min_step %d of %s", (int)target,
			(int)f->rules.min_step, dev->info.name);
	}
	if (!f->position_known) {
		return err_set(err, ERR_VALUE_NOT_SET, "%s does not know where it stands", dev->info.name);
	}
	if (f->sync.wanted || f->sync.unsure) {
		return err_set(err, ERR_INVALID_OPERATION, "%s is being told where it stands", dev->info.name);
	}
	int32_t clamped = moves_clamp(&f->rules, target);
	code = focuser_memory_allows(dev, clamped, err);
	if (code != ERR_OK) {
		return code;
	}
	if (clamped != target) {
		log_info(dev->info.source, "move clamped wanted=%d to=%d", (int)target, (int)clamped);
	}
	f->move_told.until_ms = 0;
	bool under_way = f->phase != MOVE_NONE && f->phase != MOVE_HALTING;
	bool there = f->phase == MOVE_NONE && !f->motor_moving && standing(f) == clamped;
	if (there || (under_way && f->target == clamped)) {
		/* Already there, or a client that repeats itself: nothing changes. */
		if (there) {
			f->done_op = ++f->op;
			f->done = (struct err){0};
			f->target = clamped;
		}
		return ERR_OK;
	}
	f->op++;
	f->target = clamped;
	f->phase = MOVE_ACCEPTED;
	*wake = !dev->woken && clock_now_ms(dev->clock) >= f->gather_until_ms;
	dev->woken = true;
	device_changed(dev);
	return ERR_OK;
}

enum err_code focuser_move(struct device *dev, int32_t target, struct err *err)
{
	pthread_mutex_lock(&dev->lock);
	bool wake = false;
	enum err_code code = device_need_free(dev, err);
	if (code == ERR_OK) {
		code = accept_move(dev, target, &wake, err);
	}
	pthread_mutex_unlock(&dev->lock);
	if (wake) {
		pthread_cond_signal(&dev->mail);
	}
	return code;
}

enum err_code focuser_run_move(struct device *dev, uint64_t run, int32_t target, uint64_t *op,
	struct err *err)
{
	enum err_code code;
	pthread_mutex_lock(&dev->lock);
	bool wake = false;
	if (dev->lease.run != run || dev->lease.blocked) {
		code = err_set(err, ERR_CANCELLED, "%s was halted or lost", dev->info.name);
	} else {
		code = accept_move(dev, target, &wake, err);
		*op = dev->focuser->op;
	}
	pthread_mutex_unlock(&dev->lock);
	if (wake) {
		pthread_cond_signal(&dev->mail);
	}
	return code;
}

enum err_code focuser_run_wait(struct device *dev, uint64_t op, const _Atomic bool *cancel,
	int64_t deadline_ms, struct err *err)
{
	struct focuser_core *f = dev->focuser;
	enum err_code code = ERR_OK;
	pthread_mutex_lock(&dev->lock);
	for (;;) {
		if (f->done_op == op) {
			code = f->done.code != ERR_OK ? err_copy(err, &f->done) : ERR_OK;
			break;
		}
		if (f->op != op || f->phase == MOVE_NONE) {
			code = err_set(err, ERR_CANCELLED, "the move of %s was replaced", dev->info.name);
			break;
		}
		if (cancel != NULL && atomic_load(cancel)) {
			code = err_set(err, ERR_CANCELLED, "cancelled");
			break;
		}
		if (clock_wait(dev->clock, &dev->changed, &dev->lock, deadline_ms)) {
			code = err_set(err, ERR_TIMEOUT, "%s did not end its move in time", dev->info.name);
			break;
		}
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}

void focuser_wait_rest(struct device *dev, int64_t deadline_ms)
{
	pthread_mutex_lock(&dev->lock);
	while (dev->link == LINK_UP && focuser_busy(dev, NULL) &&
		!clock_wait(clock_real(), &dev->changed, &dev->lock, deadline_ms)) {
	}
	pthread_mutex_unlock(&dev->lock);
}

enum err_code focuser_halt(struct device *dev, struct err *err)
{
	struct focuser_core *f = dev->focuser;
	pthread_mutex_lock(&dev->lock);
	struct lease lease = dev->lease;
	if (lease.run != 0) {
		dev->lease.blocked = true;
		lease.interrupt(lease.arg, LEASE_HALTED);
	}
	enum err_code code = ERR_OK;
	if (dev->link != LINK_UP) {
		/* Nothing of ours moves without a link; a lost one is worth an error, and a motor that
		 * still moves when it is back is stopped then. */
		f->halt_owed = dev->link == LINK_LOST;
		code = dev->link == LINK_LOST ? device_need_link(dev, err) : ERR_OK;
	} else if (f->phase == MOVE_CALIBRATING) {
		focuser_wish_calibration_abort(f);
		device_wake_urgent(dev);
	} else {
		if (f->phase != MOVE_NONE && f->phase != MOVE_HALTING) {
			/* Remaining legs are dropped here and now, before the worker gets to the wire. */
			f->done_op = f->op;
			err_set(&f->done, ERR_CANCELLED, "%s was halted", dev->info.name);
			f->phase = MOVE_HALTING;
			f->snapped = false;
		}
		focuser_wish_halt(f);
		device_wake_urgent(dev);
	}
	device_changed(dev);
	pthread_mutex_unlock(&dev->lock);
	if (lease.run != 0) {
		lease.poke(lease.arg);
	}
	return code;
}

enum err_code focuser_is_moving(struct device *dev, bool *out, struct err *err)
{
	pthread_mutex_lock(&dev->lock);
	enum err_code code = ERR_OK;
	if (dev->focuser->phase == MOVE_NONE) {
		code = told_failure_get(&dev->focuser->move_told, err);
	}
	if (code == ERR_OK) {
		*out = moving_locked(dev);
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}

enum err_code focuser_position(struct device *dev, int32_t *out, struct err *err)
{
	struct focuser_core *f = dev->focuser;
	enum err_code code = ERR_OK;
	pthread_mutex_lock(&dev->lock);
	if (!f->position_known) {
		code = err_set(err, ERR_VALUE_NOT_SET, "the position of %s is not known yet", dev->info.name);
	} else if (reading_stale(dev)) {
		code = err_set(err, ERR_IO, "%s: the last reading, %d, is %.1f s old; %s", dev->info.name,
			(int)f->position, (double)reading_age_ms(f) / 1000.0,
			dev->link == LINK_LOST ? "the link is being reopened" : "it does not answer");
	} else {
		*out = published_position(f);
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}

enum err_code focuser_set_tempcomp(struct device *dev, bool on, struct err *err)
{
	struct focuser_core *f = dev->focuser;
	pthread_mutex_lock(&dev->lock);
	enum err_code code = device_need_link(dev, err);
	if (code == ERR_OK && (!f->caps.has_tempcomp || f->driver->set_tempcomp == NULL)) {
		code = err_set(err, ERR_NOT_IMPLEMENTED, "%s has no temperature compensation of its own",
			dev->info.name);
	}
	if (code == ERR_OK) {
		f->tempcomp_wanted = on;
		device_wake_worker(dev);
		device_changed(dev);
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}
