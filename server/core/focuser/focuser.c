/* SPDX-License-Identifier: MIT */
/* What clients and runs may wish of a focuser: checks and wishes.  worker.c does the moving; snapshot.c tells the
 * state. */
#include "focuser_private.h"
#include "snapshot.h"

/* With the lock held and every check but the target's done.  *wake says that the worker has to be woken
 * (when the lock is free, or it would wake just to wait for that). */
static enum err_code accept_move(struct device *dev, int32_t target, bool *wake, struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	enum err_code code = device_need_link(dev, err);
	if (code != ERR_OK) {
		return code;
	}
	code = calibration_refuses_move(dev, err);
	if (code != ERR_OK) {
		return code;
	}
	if (!f->motion.known) {
		return err_set(err, ERR_VALUE_NOT_SET, "%s does not know where it stands", dev->info.name);
	}
	if (set_position_pending(&f->set_position)) {
		return err_set(err, ERR_INVALID_OPERATION, "%s has a SetPosition under way", dev->info.name);
	}
	int32_t clamped = moves_clamp(&f->rules, target);
	code = memory_allows(dev, clamped, err);
	if (code != ERR_OK) {
		return code;
	}
	f->clamped = clamped != target;
	f->asked = target;
	if (f->clamped) {
		log_info(dev->info.source, "move clamped wanted=%d to=%d", (int)target, (int)clamped);
	}
	f->move_told.until_ms = 0;
	bool under_way = f->phase != MOVE_NONE && f->phase != MOVE_HALTING;
	bool there = f->phase == MOVE_NONE && !f->motion.moving && arrival_standing(f) == clamped;
	if (there || (under_way && f->target == clamped)) {
		/* The motor is there already, or a client repeats itself: nothing changes. */
		if (there) {
			f->done_op = ++f->op;
			f->done = (struct err){0};
			f->target = clamped;
		}
		device_changed(dev);
		return ERR_OK;
	}
	f->op++;
	f->target = clamped;
	stop_kept_end_news(&f->stop);
	focuser_set_phase(dev, MOVE_ACCEPTED);
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
		*op = focuser_of(dev)->op;
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
	struct focuser_core *f = focuser_of(dev);
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
	while ((dev->link == LINK_CLOSING || (dev->link == LINK_UP && focuser_busy(dev, NULL))) &&
		!clock_wait(clock_real(), &dev->changed, &dev->lock, deadline_ms)) {
	}
	pthread_mutex_unlock(&dev->lock);
}

enum err_code focuser_halt(struct device *dev, struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	pthread_mutex_lock(&dev->lock);
	struct lease lease = dev->lease;
	if (lease.run != 0) {
		dev->lease.blocked = true;
		lease.interrupt(lease.arg, LEASE_HALTED);
	}
	enum err_code code = ERR_OK;
	if (dev->link != LINK_UP) {
		code = stop_kept_wish(dev, err);
	} else if (f->phase == MOVE_CALIBRATING) {
		stop_kept_end_news(&f->stop);
		calibration_wish_abort(f);
		device_wake_urgent(dev);
	} else {
		stop_kept_end_news(&f->stop);
		if (f->phase != MOVE_NONE && f->phase != MOVE_HALTING) {
			/* Remaining legs are dropped here and now, before the worker gets to the wire. */
			f->done_op = f->op;
			err_set(&f->done, ERR_CANCELLED, "%s was halted", dev->info.name);
			focuser_set_phase(dev, MOVE_HALTING);
			arrival_forget(f);
		}
		halt_wish(&f->halt);
		device_wake_urgent(dev);
	}
	device_changed(dev);
	pthread_mutex_unlock(&dev->lock);
	if (lease.run != 0) {
		lease.poke(lease.arg);
	}
	return code;
}

enum err_code focuser_set_tempcomp(struct device *dev, bool on, struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	pthread_mutex_lock(&dev->lock);
	enum err_code code = device_need_link(dev, err);
	if (code == ERR_OK && (!f->caps.has_tempcomp || f->driver->set_tempcomp == NULL)) {
		code = err_set(err, ERR_NOT_IMPLEMENTED, "%s has no temperature compensation of its own",
			dev->info.name);
	}
	if (code == ERR_OK) {
		f->tempcomp.wanted = on;
		device_wake_worker(dev);
		device_changed(dev);
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}
