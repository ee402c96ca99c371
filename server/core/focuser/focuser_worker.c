/* SPDX-License-Identifier: MIT */
/*
 * The worker's part of a focuser: the link's life, polling, what comes next.  Every function here runs
 * on the device's worker with its lock held and gives it back only around a driver call.
 */
#include "focuser_port.h"
#include "focuser_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* At connect: looks until two of them agree, within so many steps. */
#define FIRST_LOOKS 3
#define FIRST_NEAR 2
/* On disconnect: rounds of halting, and looks in each whether the motor rests. */
#define STOP_ROUNDS 3
#define STOP_LOOKS 4

static struct step poll_device(struct device *dev)
{
	struct focuser_core *f = dev->focuser;
	struct err err = {0};
	int64_t now = clock_now_ms(dev->clock);
	unsigned want = FOCUSER_WANT_MOTION;
	if (f->caps.has_temperature && f->probe_wanted && now >= f->next_temperature_ms) {
		want |= FOCUSER_WANT_TEMPERATURE;
		f->next_temperature_ms = now + f->driver->poll_temperature_ms;
	}
	uint64_t op = f->op;
	enum move_phase phase = f->phase;
	f->fresh = (struct focuser_reading){0};
	pthread_mutex_unlock(&dev->lock);
	transcript_say(dev->transcript, TRANSCRIPT_CALL, "poll %u", want);
	enum err_code code = f->driver->poll(f->ctx, want, &f->fresh, &err);
	pthread_mutex_lock(&dev->lock);
	device_count_error(dev, code);
	bool busy = f->phase != MOVE_NONE || (f->motor_moving && !f->stuck) || f->drifting;
	f->next_poll_ms = clock_now_ms(dev->clock) +
			  (busy ? f->driver->poll_moving_ms : f->driver->poll_idle_ms);
	if (code == ERR_CANCELLED) {
		f->next_poll_ms = 0;
		return step_again();
	}
	if (code != ERR_OK) {
		if (focuser_poll_failed(f, code)) {
			return step_lost(&err);
		}
		log_debug(dev->info.source, "poll failed: %s", err.text);
		return step_at(f->next_poll_ms);
	}
	f->poll_failures = 0;
	bool drifting = f->drifting;
	if (!f->fresh.reset_seen && focuser_reading_is_odd(f, &f->fresh)) {
		log_debug(dev->info.source, "says %d out of the blue: asked again", (int)f->fresh.position);
		if (focuser_take_aside(dev, &f->fresh)) {
			device_changed(dev);
		}
		f->next_poll_ms = 0;
		return step_again();
	}
	if (f->drifting != drifting) {
		f->next_poll_ms = clock_now_ms(dev->clock) + f->driver->poll_moving_ms;
		device_changed(dev);
	}
	focuser_take_reading(dev, &f->fresh);
	focuser_watch_halt(dev);
	if (focuser_memory_forgot(dev)) {
		return step_again();
	}
	if (f->op != op || f->phase != phase) {
		/* The wish changed while we asked: what was read says nothing about the new one. */
		return step_again();
	}
	return focuser_follow(dev);
}

static struct step set_tempcomp(struct device *dev)
{
	struct focuser_core *f = dev->focuser;
	struct err err = {0};
	bool on = f->tempcomp_wanted;
	pthread_mutex_unlock(&dev->lock);
	transcript_say(dev->transcript, TRANSCRIPT_CALL, "tempcomp %d", on);
	enum err_code code = f->driver->set_tempcomp(f->ctx, on, &err);
	pthread_mutex_lock(&dev->lock);
	device_count_error(dev, code);
	if (code == ERR_IO) {
		return step_lost(&err);
	}
	if (code != ERR_OK) {
		device_failed(dev, NULL, &err);
		log_warn(dev->info.source, "temperature compensation: %s", err.text);
		f->tempcomp_wanted = f->tempcomp;
		device_changed(dev);
	} else {
		f->tempcomp = on;
	}
	return step_again();
}

static struct step next_thing(struct device *dev)
{
	struct focuser_core *f = dev->focuser;
	if (f->phase == MOVE_CALIBRATING) {
		return focuser_calibrate_step(dev);
	}
	if (f->halt_wanted) {
		return focuser_do_halt(dev);
	}
	if (f->phase == MOVE_ACCEPTED) {
		int64_t now = clock_now_ms(dev->clock);
		if (now < f->gather_until_ms) {
			return step_at(f->gather_until_ms);
		}
		/* A hand at the knob since the last look: the play may lie on the other side. */
		bool look = f->rules.backlash_steps > 0 && f->looked_op != f->op;
		return look ? poll_device(dev) : focuser_begin_move(dev);
	}
	if (f->sync.wanted) {
		return focuser_memory_sync(dev);
	}
	if (f->tempcomp_wanted != f->tempcomp) {
		return set_tempcomp(dev);
	}
	int64_t now = clock_now_ms(dev->clock);
	if (f->phase == MOVE_SETTLE && now >= f->settle_until_ms) {
		focuser_end_move(dev, NULL);
		return step_again();
	}
	if (now >= f->next_poll_ms) {
		return poll_device(dev);
	}
	return step_at(f->phase == MOVE_SETTLE && f->settle_until_ms < f->next_poll_ms ? f->settle_until_ms
										 : f->next_poll_ms);
}

static struct step focuser_step(struct device *dev)
{
	struct focuser_core *f = dev->focuser;
	struct step next = next_thing(dev);
	/* A target that comes before this time does not wake the worker, so it has to look by itself then. */
	if (next.what == STEP_AT && next.at_ms > f->gather_until_ms &&
		clock_now_ms(dev->clock) < f->gather_until_ms) {
		next.at_ms = f->gather_until_ms;
	}
	return next;
}

static enum err_code focuser_open(struct device *dev, struct err *err)
{
	struct focuser_core *f = dev->focuser;
	focuser_memory_open(dev);
	memset(f->ctx, 0, f->driver->ctx_size);
	f->identified = false;
	f->first_read = false;
	f->fresh = (struct focuser_reading){0};
	enum err_code code = focuser_port_choose(dev, dev->was_up, &f->port, err);
	if (code != ERR_OK) {
		return code;
	}
	transcript_say(dev->transcript, TRANSCRIPT_CALL, "open");
	code = f->driver->open(f->ctx, &f->port, &dev->host, err);
	if (code != ERR_OK) {
		f->driver->close(f->ctx);
	}
	return code;
}

/* What a device tells once, and perhaps in a reading whose position is asked for again. */
static void keep_what_was_told(struct focuser_reading *r, const struct focuser_reading *before)
{
	r->reset_seen |= before->reset_seen;
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
	struct focuser_core *f = dev->focuser;
	for (int look = 0; look < FIRST_LOOKS; look++) {
		struct focuser_reading before = f->fresh;
		f->fresh = (struct focuser_reading){0};
		transcript_say(dev->transcript, TRANSCRIPT_CALL, "poll %u", FOCUSER_WANT_MOTION);
		enum err_code code = f->driver->poll(f->ctx, FOCUSER_WANT_MOTION, &f->fresh, err);
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

/* Identifies and reads, so that a link that is up always has a position.  When only the reading failed
 * the next try repeats only that: on a noisy line few answers in a row come through. */
static enum err_code focuser_identify(struct device *dev, struct err *err)
{
	struct focuser_core *f = dev->focuser;
	enum err_code code = ERR_OK;
	if (!f->identified) {
		f->fresh_caps = (struct focuser_caps){.step_size_um = NAN};
		transcript_say(dev->transcript, TRANSCRIPT_CALL, "identify");
		code = f->driver->identify(f->ctx, &f->fresh_caps, err);
		if (code == ERR_OK) {
			code = focuser_port_verify(dev, dev->was_up, &f->fresh_caps, err);
		}
		f->identified = code == ERR_OK;
	}
	if (code == ERR_OK) {
		code = read_first(dev, err);
	}
	return code;
}

/* What the device said it can, with the configuration applied: limits as clients see them. */
static void take_caps(struct focuser_core *f)
{
	int32_t low = f->fresh_caps.min_step > f->cfg->min_step ? f->fresh_caps.min_step
								  : f->cfg->min_step;
	f->caps = f->fresh_caps;
	f->mirror = f->caps.max_step;
	f->motor_low = f->caps.min_step;
	if (f->cfg->reverse) {
		f->caps.max_step -= f->caps.min_step;
		low = f->cfg->min_step;
	}
	if (f->cfg->port.max_step > 0 && f->cfg->port.max_step < f->caps.max_step) {
		f->caps.max_step = f->cfg->port.max_step;
	}
	if (isfinite(f->cfg->step_size_um)) {
		f->caps.step_size_um = f->cfg->step_size_um;
	}
	f->caps_known = true;
	f->rules = (struct moves_rules){
		.min_step = low < f->caps.max_step ? low : f->caps.max_step,
		.max_step = f->caps.max_step,
		.backlash_steps = f->cfg->backlash_steps,
		.approach = f->approach,
		.max_increment = f->caps.max_increment,
	};
}

void focuser_renew(struct device *dev)
{
	struct focuser_core *f = dev->focuser;
	take_caps(f);
	focuser_own_backlash(dev, f->caps.backlash_steps);
	f->position_known = false;
	f->drifting = false;
	f->stuck = false;
	f->odd = false;
	f->preload = 0;
	f->snapped = false;
	f->halt_wanted = false;
	focuser_take_reading(dev, &f->fresh);
	if (f->calibration.state == CALIBRATION_DONE) {
		focuser_memory_afresh(dev);
	} else {
		focuser_memory_rest(dev);
	}
}

/* Somebody wished it to stop before the link was back, and it still moves. */
static void pay_halt(struct device *dev)
{
	struct focuser_core *f = dev->focuser;
	if (f->halt_owed && (f->motor_moving || f->caps.calibrating)) {
		log_warn(dev->info.source, "still moves after the link was lost; halting");
		if (f->phase == MOVE_CALIBRATING) {
			focuser_wish_calibration_abort(f);
		} else {
			focuser_wish_halt(f);
		}
	}
	f->halt_owed = false;
}

static void focuser_came_up(struct device *dev, bool again)
{
	struct focuser_core *f = dev->focuser;
	take_caps(f);
	focuser_own_backlash(dev, f->caps.backlash_steps);
	f->phase = MOVE_NONE;
	f->halt_wanted = false;
	f->halt_watched = false;
	f->motor_moving = false;
	f->drifting = false;
	f->stuck = false;
	f->odd = false;
	f->poll_failures = 0;
	f->preload = 0;
	f->ours = false;
	f->position_known = false;
	f->probe = (struct thermometer){0};
	f->probe_word = THERMOMETER_BELIEVED;
	f->next_poll_ms = 0;
	f->next_temperature_ms = 0;
	f->tempcomp = f->caps.tempcomp_on;
	f->tempcomp_wanted = f->caps.tempcomp_on;
	if (!again) {
		f->snapped = false;
		f->move_told.until_ms = 0;
	}
	focuser_take_reading(dev, &f->fresh);
	focuser_memory_judge(dev);
	transcript_say(dev->transcript, TRANSCRIPT_RESULT, "identity=%s", f->caps.identity);
	log_info(dev->info.source, "%s position=%d max_step=%d", f->caps.identity, (int)f->position,
		(int)f->caps.max_step);
	if (f->caps.move_refusal[0] != '\0') {
		log_warn(dev->info.source, "%s", f->caps.move_refusal);
	}
	focuser_calibration_came_up(dev);
	pay_halt(dev);
}

static void focuser_went_down(struct device *dev, const struct err *why)
{
	struct focuser_core *f = dev->focuser;
	f->halt_owed = dev->link == LINK_LOST &&
		       (f->halt_wanted || f->halt_watched || f->phase == MOVE_HALTING ||
			       (f->phase == MOVE_CALIBRATING && f->calibration.abort_due));
	f->motor_moving = false;
	f->drifting = false;
	f->halt_wanted = false;
	f->halt_watched = false;
	f->probe = (struct thermometer){0};
	focuser_calibration_went_down(dev, dev->link == LINK_CLOSING);
	focuser_memory_went_down(dev, why);
	if (f->phase == MOVE_HALTING) {
		f->phase = MOVE_NONE;
	} else if (f->phase != MOVE_NONE) {
		focuser_end_move(dev, why);
	}
}

static void focuser_close(struct device *dev)
{
	transcript_say(dev->transcript, TRANSCRIPT_CALL, "close");
	dev->focuser->driver->close(dev->focuser->ctx);
}

/* Whether the motor rests by the device's own word, looked for a little while.  ERR_IO when the device is
 * gone. */
static enum err_code comes_to_rest(struct device *dev, bool *rests, struct err *err)
{
	struct focuser_core *f = dev->focuser;
	for (int look = 0; look < STOP_LOOKS; look++) {
		f->fresh = (struct focuser_reading){0};
		pthread_mutex_unlock(&dev->lock);
		transcript_say(dev->transcript, TRANSCRIPT_CALL, "poll %u", FOCUSER_WANT_MOTION);
		enum err_code code = f->driver->poll(f->ctx, FOCUSER_WANT_MOTION, &f->fresh, err);
		pthread_mutex_lock(&dev->lock);
		device_count_error(dev, code);
		if (code != ERR_OK) {
			return code;
		}
		/* What is read here goes into the journal, so it has to be said twice, too. */
		bool odd = focuser_reading_is_odd(f, &f->fresh);
		if (!odd) {
			focuser_take_reading(dev, &f->fresh);
			*rests = f->fresh.moving_valid && !f->fresh.moving;
		}
		if (*rests) {
			return ERR_OK;
		}
		int64_t until = clock_now_ms(dev->clock) + f->driver->poll_moving_ms;
		while (!clock_wait(dev->clock, &dev->mail, &dev->lock, until)) {
		}
	}
	return ERR_OK;
}

/* No motor is left running without anybody watching it. */
static void focuser_stop(struct device *dev)
{
	struct focuser_core *f = dev->focuser;
	bool rests = f->phase == MOVE_NONE && !f->motor_moving;
	/* A calibration is ended by its own command, until that is heard. */
	bool calibrating = f->phase == MOVE_CALIBRATING;
	struct err err = {0};
	enum err_code code = ERR_OK;
	for (int round = 0; !rests && code != ERR_IO && round < STOP_ROUNDS; round++) {
		/* There is nothing more urgent than this. */
		atomic_store(&dev->urgent, false);
		pthread_mutex_unlock(&dev->lock);
		transcript_say(dev->transcript, TRANSCRIPT_CALL, calibrating ? "calibrate abort" : "halt");
		code = calibrating ? f->driver->calibrate(f->ctx, false, &err)
				   : f->driver->halt(f->ctx, &err);
		pthread_mutex_lock(&dev->lock);
		device_count_error(dev, code);
		if (code == ERR_OK) {
			calibrating = false;
			code = comes_to_rest(dev, &rests, &err);
		}
	}
	if (rests && f->position_known && f->memory.has_last && f->memory.last.moving) {
		focuser_memory_rest(dev);
	}
	if (!rests) {
		log_error(dev->info.source, "the motor may still be moving: %s",
			code != ERR_OK ? err.text : "it does not stop");
	}
}

static int focuser_open_wait(struct device *dev)
{
	const struct focuser_core *f = dev->focuser;
	if (f->cfg->open_wait_ms >= 0) {
		return f->cfg->open_wait_ms;
	}
	return f->driver->open_wait_for != NULL ? f->driver->open_wait_for(&f->port)
						: f->driver->open_wait_ms;
}

const struct device_class focuser_class = {
	.open = focuser_open,
	.identify = focuser_identify,
	.close = focuser_close,
	.open_wait_ms = focuser_open_wait,
	.came_up = focuser_came_up,
	.went_down = focuser_went_down,
	.step = focuser_step,
	.stop = focuser_stop,
	.unfit = focuser_unfit,
	.loss_ends_lease = true,
};
