/* SPDX-License-Identifier: MIT */
/*
 * The worker's part of a focuser: polling, and what comes next.  Every function here runs on the device's worker
 * with its lock held and gives it back only around a driver call.
 */
#include "count_lost.h"
#include "focuser_private.h"
#include "link_up.h"

static struct step poll_device(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	struct err err = {0};
	int64_t now = clock_now_ms(dev->clock);
	unsigned want = FOCUSER_WANT_MOTION;
	if (temperature_due(dev, now)) {
		want |= FOCUSER_WANT_TEMPERATURE;
	}
	uint64_t op = f->op;
	enum move_phase phase = f->phase;
	enum err_code code = drive_poll(dev, want, &err);
	bool busy = f->phase != MOVE_NONE || (f->motion.moving && !f->motion.stuck) || f->motion.drifting;
	f->next_poll_ms = clock_now_ms(dev->clock) +
			  (busy ? f->driver->poll_moving_ms : f->driver->poll_idle_ms);
	if (code == ERR_CANCELLED) {
		f->next_poll_ms = 0;
		return step_again();
	}
	if (code != ERR_OK) {
		if (drive_poll_failed(f, code)) {
			return step_lost(&err);
		}
		log_debug(dev->info.source, "poll failed: %s", err.text);
		return step_at(f->next_poll_ms);
	}
	f->poll_failures = 0;
	bool drifting = f->motion.drifting;
	if (!f->fresh.reset_seen && focuser_reading_is_odd(f, &f->fresh)) {
		log_debug(dev->info.source, "says %d out of the blue: asked again", (int)f->fresh.position);
		if (focuser_take_aside(dev, &f->fresh)) {
			device_changed(dev);
		}
		f->next_poll_ms = 0;
		return step_again();
	}
	if (f->motion.drifting && !drifting) {
		motion_say_others_move_it(dev);
	}
	if (f->motion.drifting != drifting) {
		f->next_poll_ms = clock_now_ms(dev->clock) + f->driver->poll_moving_ms;
		device_changed(dev);
	}
	focuser_take_reading(dev, &f->fresh);
	focuser_watch_halt(dev);
	if (count_lost(dev)) {
		return step_again();
	}
	if (f->op != op || f->phase != phase) {
		/* The wish changed during the call, and what was read says nothing about the new one. */
		return step_again();
	}
	return leg_follow(dev);
}

static struct step set_tempcomp(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	struct err err = {0};
	bool on = f->tempcomp.wanted;
	enum err_code code = drive_tempcomp(dev, on, &err);
	if (code == ERR_IO) {
		return step_lost(&err);
	}
	if (code != ERR_OK) {
		device_failed(dev, NULL, &err);
		log_warn(dev->info.source, "temperature compensation: %s", err.text);
		f->tempcomp.wanted = f->tempcomp.on;
		device_changed(dev);
	} else {
		f->tempcomp.on = on;
	}
	return step_again();
}

static struct step next_thing(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	if (f->phase == MOVE_CALIBRATING) {
		return calibration_step(dev);
	}
	if (f->halt.wanted) {
		return focuser_do_halt(dev);
	}
	if (f->phase == MOVE_ACCEPTED) {
		int64_t now = clock_now_ms(dev->clock);
		if (now < f->gather_until_ms) {
			return step_at(f->gather_until_ms);
		}
		/* A hand may have turned the knob since the last look, and then the backlash lies on the other side. */
		bool look = f->rules.backlash_steps > 0 && f->looked_op != f->op;
		/* While the disk is waited for, what clients see must not grow old. */
		bool waits = f->memory.noted_op == f->op && now >= f->next_poll_ms;
		return look || waits ? poll_device(dev) : leg_begin_move(dev);
	}
	if (f->set_position.wanted) {
		return set_position_step(dev);
	}
	if (f->tempcomp.wanted != f->tempcomp.on) {
		return set_tempcomp(dev);
	}
	int64_t now = clock_now_ms(dev->clock);
	if (f->phase == MOVE_SETTLE && now >= f->leg.settle_until_ms) {
		/* The motor may have been moved since the last look, so after a wait it is read once more. */
		if (f->cfg->settle_ms > 0) {
			return poll_device(dev);
		}
		leg_end_move(dev, NULL);
		return step_again();
	}
	if (now >= f->next_poll_ms) {
		return poll_device(dev);
	}
	return step_at(f->phase == MOVE_SETTLE && f->leg.settle_until_ms < f->next_poll_ms ? f->leg.settle_until_ms
										 : f->next_poll_ms);
}

static struct step focuser_step(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	struct step next = next_thing(dev);
	/* A target that comes before this time does not wake the worker, so it has to look by itself then. */
	if (next.what == STEP_AT && next.at_ms > f->gather_until_ms &&
		clock_now_ms(dev->clock) < f->gather_until_ms) {
		next.at_ms = f->gather_until_ms;
	}
	return next;
}

/* What the driver was told is read at once. */
static struct step focuser_posted(struct device *dev, const void *data, size_t size)
{
	struct err err = {0};
	enum err_code code = drive_posted(dev, data, size, &err);
	focuser_of(dev)->next_poll_ms = 0;
	return code == ERR_IO ? step_lost(&err) : step_again();
}

const struct device_class focuser_class = {
	.open = link_up_open,
	.identify = link_up_identify,
	.read_all = link_up_read_all,
	.close = drive_close,
	.open_wait_ms = link_up_open_wait_ms,
	.came_up = link_up_came,
	.went_down = link_up_went,
	.step = focuser_step,
	.posted = focuser_posted,
	.stop = link_up_stop,
	.unfit = focuser_unfit,
	.between = focuser_between,
	.configure = focuser_configure,
	.loss_ends_lease = true,
};
