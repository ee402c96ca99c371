/* SPDX-License-Identifier: MIT */
/*
 * The worker's part of a focuser: legs, arrival, watchdog, polling.  Every function here runs on the
 * device's worker with its lock held and gives it back only around a driver call.  After each such
 * call the wishes may have changed, so nothing is concluded about an operation that is not current
 * any more.
 */
#include "focuser_port.h"
#include "focuser_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A leg that ends elsewhere is started again this often. */
#define LEG_TRIES 3
/* So many polls in a row must say "at rest" before a motor counts as stopped beside its target: some
 * motors start late. */
#define REST_POLLS 3
#define REST_MS 1500
/* A motor that says it moves but does not change its position for this long is stuck. */
#define STALL_MS 8000
/* Allowance on top of the time that the slowest believable speed needs. */
#define LEG_ALLOWANCE_MS 15000
/* Polls in a row without a good answer before the link counts as lost. */
#define POLL_FAILURES 3
/* A target that is replaced sooner than this after the motor was sent off waits for the rest of it, and
 * newer ones take its place: a client that floods us does not flood the controller. */
#define GATHER_MS 3
#define HALT_TRIES 3
/* A motor that goes on for this long after a halt is told again, so often: setters are silent on many
 * lines, and a command that was lost there is known by nothing else. */
#define HALT_AGAIN_MS 1000
#define HALT_REPEATS 5
/* A motion that is to be replaced must end within this. */
#define STOPPING_MS 10000
/* This long before a leg's end the motor is looked at more often, so that arrival is told in time. */
#define NEARLY_THERE_MS 1000
/* On disconnect: rounds of halting, and looks in each whether the motor rests. */
#define STOP_ROUNDS 3
#define STOP_LOOKS 4

static int32_t from_motor(const struct focuser_core *f, int32_t motor)
{
	if (!f->cfg->reverse) {
		return motor;
	}
	int64_t mirrored = (int64_t)f->caps.max_step - motor;
	return mirrored > INT32_MAX ? INT32_MAX : (int32_t)mirrored;
}

static int32_t to_motor(const struct focuser_core *f, int32_t position)
{
	return from_motor(f, position); /* its own inverse */
}

static int approach_sign(const struct focuser_core *f)
{
	return f->rules.approach == MOVES_APPROACH_OUT ? 1 : -1;
}

/* Keeps the book of how much play is taken up, from any motion, ours or not. */
static void note_motion(struct focuser_core *f, int32_t from, int32_t to)
{
	int64_t travelled = ((int64_t)to - from) * approach_sign(f);
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

static void take_reading(struct device *dev, const struct focuser_reading *r)
{
	struct focuser_core *f = dev->focuser;
	bool changed = false;
	if (r->position_valid) {
		int32_t position = from_motor(f, r->position);
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

static void end_move(struct device *dev, const struct err *err)
{
	struct focuser_core *f = dev->focuser;
	f->phase = MOVE_NONE;
	f->done_op = f->op;
	f->done = err != NULL ? *err : (struct err){0};
	if (err != NULL) {
		log_error(dev->info.source, "move to %d failed: %s", (int)f->target, err->text);
		device_failed(dev, &f->move_told, err);
	} else {
		f->snapped = true;
		f->snap_target = f->target;
		f->snap_motor = f->position;
		dev->last_failure[0] = '\0';
		log_debug(dev->info.source, "arrived position=%d motor=%d", (int)f->target,
			(int)f->position);
	}
	device_changed(dev);
}

/* A stuck motor: stop it, say so, and do not trust the count any more. */
static void stalled(struct device *dev, const struct err *err)
{
	dev->focuser->trust = POSITION_UNKNOWN;
	focuser_wish_halt(dev->focuser);
	end_move(dev, err);
}

static int64_t start_leg(struct device *dev, bool *alive, struct err *err)
{
	struct focuser_core *f = dev->focuser;
	uint64_t op = f->op;
	int32_t target = f->plan.leg[f->leg];
	f->phase = MOVE_LEG;
	f->leg_from = f->position;
	f->snapped = false;
	/* Until a poll says that it rests, also when the start fails: the command may have got through. */
	f->motor_moving = true;
	f->halt_watched = false;
	pthread_mutex_unlock(&dev->lock);
	enum err_code code = f->driver->start_move(f->ctx, to_motor(f, target), err);
	pthread_mutex_lock(&dev->lock);
	device_count_error(dev, code);
	if (code == ERR_IO) {
		*alive = false;
		return 0;
	}
	if (f->op != op || f->phase != MOVE_LEG) {
		return 0;
	}
	if (code == ERR_CANCELLED) {
		f->phase = MOVE_ACCEPTED;
		return 0;
	}
	int64_t now = clock_now_ms(dev->clock);
	if (code != ERR_OK) {
		if ((code == ERR_TIMEOUT || code == ERR_PROTOCOL) && ++f->leg_tries < LEG_TRIES) {
			return start_leg(dev, alive, err);
		}
		focuser_wish_halt(f);
		end_move(dev, err);
		return 0;
	}
	double speed = f->driver->speed_floor_steps_per_s > 0 ? f->driver->speed_floor_steps_per_s : 10.0;
	f->leg_deadline_ms =
		now + LEG_ALLOWANCE_MS + (int64_t)(1000.0 * fabs((double)target - f->position) / speed);
	f->speed_steps_per_ms = 0;
	f->progress_ms = now;
	f->progress_position = f->position;
	f->rest_polls = 0;
	f->next_poll_ms = now + f->driver->first_poll_ms;
	f->gather_until_ms = now + GATHER_MS;
	return f->next_poll_ms;
}

static int64_t begin_move(struct device *dev, bool *alive, struct err *err)
{
	struct focuser_core *f = dev->focuser;
	if (f->rules.backlash_steps > 0 && f->motor_moving) {
		/* By the time of a new command it is past where it was last seen, perhaps past the target:
		 * the last leg might come from the wrong side. */
		f->phase = MOVE_STOPPING;
		f->leg_deadline_ms = clock_now_ms(dev->clock) + STOPPING_MS;
		focuser_wish_halt(f);
		return 0;
	}
	int32_t from = f->position;
	/* A short move in the approach direction arrives without backlash only when the play is taken up
	 * on the way; otherwise plan as if coming from the far side, which goes past and comes back. */
	int64_t ahead = ((int64_t)f->target - from) * approach_sign(f);
	if (f->rules.backlash_steps > 0 && ahead > 0 && f->preload < f->rules.backlash_steps &&
		ahead < f->rules.backlash_steps - f->preload) {
		from = f->target + approach_sign(f);
	}
	moves_make(&f->rules, from, f->target, &f->plan);
	if (f->plan.count == 0) {
		if (f->motor_moving) {
			/* Retargeted to where it is just passing: it still has to stop there. */
			f->plan.leg[0] = f->target;
			f->plan.count = 1;
		} else {
			end_move(dev, NULL);
			return 0;
		}
	}
	if (f->plan.overshoot_skipped) {
		log_info(dev->info.source, "no room for the overshoot target=%d", (int)f->target);
	}
	f->leg = 0;
	f->leg_tries = 0;
	return start_leg(dev, alive, err);
}

/* The motor rests: on target, or not. */
static int64_t leg_at_rest(struct device *dev, bool *alive, struct err *err)
{
	struct focuser_core *f = dev->focuser;
	int64_t now = clock_now_ms(dev->clock);
	int32_t target = f->plan.leg[f->leg];
	bool close = focuser_distance(f->position, target) <= focuser_tolerance(f);
	/* A way as short as the tolerance looks like an arrival before the motor has even begun. */
	bool untouched = f->position == f->leg_from && f->position != target;
	bool rested = ++f->rest_polls >= REST_POLLS && now - f->progress_ms >= REST_MS;
	if (close && (!untouched || (rested && f->leg_tries + 1 >= LEG_TRIES))) {
		if (++f->leg < f->plan.count) {
			f->leg_tries = 0;
			return start_leg(dev, alive, err);
		}
		f->phase = MOVE_SETTLE;
		f->settle_until_ms = now + f->cfg->settle_ms;
		return 0;
	}
	if (!rested) {
		return f->next_poll_ms;
	}
	if (++f->leg_tries < LEG_TRIES) {
		log_warn(dev->info.source, "stopped at %d instead of %d; trying again", (int)f->position,
			(int)target);
		return start_leg(dev, alive, err);
	}
	struct err why;
	err_set(&why, ERR_STALLED, "%s stopped at %d and does not reach %d", dev->info.name,
		(int)f->position, (int)target);
	stalled(dev, &why);
	return 0;
}

/* When to look again at a motor on its way. */
static int64_t next_look(struct focuser_core *f, int64_t now)
{
	if (f->speed_steps_per_ms > 0) {
		double left_ms = (double)focuser_distance(f->position, f->plan.leg[f->leg]) /
				 f->speed_steps_per_ms;
		int32_t usual_ms = f->driver->poll_moving_ms;
		if (left_ms < usual_ms / 4.0) {
			f->next_poll_ms = now + usual_ms / 4;
		} else if (left_ms < NEARLY_THERE_MS) {
			f->next_poll_ms = now + usual_ms / 2;
		}
	}
	return f->next_poll_ms;
}

static int64_t watch_leg(struct device *dev, bool *alive, struct err *err)
{
	struct focuser_core *f = dev->focuser;
	int64_t now = clock_now_ms(dev->clock);
	if (f->position != f->progress_position) {
		int64_t took_ms = now - f->progress_ms;
		f->speed_steps_per_ms = took_ms <= 0 ? 0
			: (double)focuser_distance(f->position, f->progress_position) / (double)took_ms;
		f->progress_position = f->position;
		f->progress_ms = now;
		f->rest_polls = 0;
	}
	if (!f->motor_moving) {
		return leg_at_rest(dev, alive, err);
	}
	f->rest_polls = 0;
	struct err why;
	if (now - f->progress_ms > STALL_MS) {
		err_set(&why, ERR_STALLED, "%s says it moves but stands at %d on the way to %d",
			dev->info.name, (int)f->position, (int)f->plan.leg[f->leg]);
		stalled(dev, &why);
		return 0;
	}
	if (now > f->leg_deadline_ms) {
		err_set(&why, ERR_STALLED, "%s is still not at %d after the time the way should take",
			dev->info.name, (int)f->plan.leg[f->leg]);
		stalled(dev, &why);
		return 0;
	}
	return next_look(f, now);
}

/* Told to stop, it has to: otherwise it is told again, and in the end somebody else. */
static void watch_halt(struct device *dev)
{
	struct focuser_core *f = dev->focuser;
	if (!f->motor_moving) {
		f->halt_watched = false;
	}
	if (!f->halt_watched || clock_now_ms(dev->clock) - f->halted_ms < HALT_AGAIN_MS) {
		return;
	}
	if (++f->halt_repeats <= HALT_REPEATS) {
		log_warn(dev->info.source, "still moves after a halt; halting again");
		f->halt_wanted = true;
		f->halt_tries = 0;
		return;
	}
	f->halt_watched = false;
	struct err why;
	err_set(&why, ERR_STALLED, "%s does not stop: it says it moves after %d halts", dev->info.name,
		HALT_REPEATS + 1);
	log_error(dev->info.source, "%s", why.text);
	device_failed(dev, &f->move_told, &why);
	if (f->phase == MOVE_HALTING) {
		f->phase = MOVE_NONE;
	}
	device_changed(dev);
}

static int64_t do_halt(struct device *dev, bool *alive, struct err *err)
{
	struct focuser_core *f = dev->focuser;
	f->halt_wanted = false;
	pthread_mutex_unlock(&dev->lock);
	enum err_code code = f->driver->halt(f->ctx, err);
	pthread_mutex_lock(&dev->lock);
	device_count_error(dev, code);
	if (code == ERR_IO) {
		*alive = false;
		return 0;
	}
	if (code != ERR_OK) {
		if (++f->halt_tries < HALT_TRIES) {
			f->halt_wanted = true;
			return 0;
		}
		log_error(dev->info.source, "halt failed: %s", err->text);
		device_failed(dev, &f->move_told, err);
	}
	f->halted_ms = clock_now_ms(dev->clock);
	f->halt_watched = true;
	f->next_poll_ms = 0;
	return 0;
}

static int64_t poll_device(struct device *dev, bool *alive, struct err *err)
{
	struct focuser_core *f = dev->focuser;
	int64_t now = clock_now_ms(dev->clock);
	unsigned want = FOCUSER_WANT_MOTION;
	if (f->caps.has_temperature && now >= f->next_temperature_ms) {
		want |= FOCUSER_WANT_TEMPERATURE;
		f->next_temperature_ms = now + f->driver->poll_temperature_ms;
	}
	uint64_t op = f->op;
	enum move_phase phase = f->phase;
	f->fresh = (struct focuser_reading){0};
	pthread_mutex_unlock(&dev->lock);
	enum err_code code = f->driver->poll(f->ctx, want, &f->fresh, err);
	pthread_mutex_lock(&dev->lock);
	device_count_error(dev, code);
	bool busy = f->phase != MOVE_NONE || f->motor_moving;
	f->next_poll_ms = clock_now_ms(dev->clock) +
			  (busy ? f->driver->poll_moving_ms : f->driver->poll_idle_ms);
	if (code == ERR_CANCELLED) {
		f->next_poll_ms = 0;
		return 0;
	}
	if (code != ERR_OK) {
		if (code == ERR_IO || ++f->poll_failures >= POLL_FAILURES) {
			*alive = false;
			return 0;
		}
		log_debug(dev->info.source, "poll failed: %s", err->text);
		return f->next_poll_ms;
	}
	f->poll_failures = 0;
	take_reading(dev, &f->fresh);
	watch_halt(dev);
	if (f->op != op || f->phase != phase) {
		/* The wish changed while we asked: what was read says nothing about the new one. */
		return 0;
	}
	int64_t read_ms = clock_now_ms(dev->clock);
	switch (f->phase) {
	case MOVE_LEG:
		return watch_leg(dev, alive, err);
	case MOVE_STOPPING:
		if (!f->motor_moving) {
			f->phase = MOVE_ACCEPTED;
			return 0;
		}
		if (read_ms > f->leg_deadline_ms) {
			struct err why;
			err_set(&why, ERR_STALLED, "%s did not stop to take a new target", dev->info.name);
			end_move(dev, &why);
		}
		break;
	case MOVE_SETTLE:
		if (f->motor_moving || focuser_distance(f->position, f->plan.leg[f->leg - 1]) >
					       focuser_tolerance(f)) {
			/* It went on after all. */
			f->phase = MOVE_LEG;
			f->leg--;
			f->progress_ms = read_ms;
			f->rest_polls = 0;
		}
		break;
	case MOVE_HALTING:
		if (!f->motor_moving) {
			log_info(dev->info.source, "halted position=%d", (int)f->position);
			f->phase = MOVE_NONE;
			device_changed(dev);
		}
		break;
	case MOVE_NONE:
	case MOVE_ACCEPTED:
		break;
	}
	return f->next_poll_ms;
}

static int64_t set_tempcomp(struct device *dev, bool *alive, struct err *err)
{
	struct focuser_core *f = dev->focuser;
	bool on = f->tempcomp_wanted;
	pthread_mutex_unlock(&dev->lock);
	enum err_code code = f->driver->set_tempcomp(f->ctx, on, err);
	pthread_mutex_lock(&dev->lock);
	device_count_error(dev, code);
	if (code == ERR_IO) {
		*alive = false;
		return 0;
	}
	if (code != ERR_OK) {
		device_failed(dev, NULL, err);
		log_warn(dev->info.source, "temperature compensation: %s", err->text);
		f->tempcomp_wanted = f->tempcomp;
		device_changed(dev);
	} else {
		f->tempcomp = on;
	}
	return 0;
}

static int64_t next_thing(struct device *dev, bool *alive, struct err *err)
{
	struct focuser_core *f = dev->focuser;
	if (f->halt_wanted) {
		return do_halt(dev, alive, err);
	}
	if (f->phase == MOVE_ACCEPTED) {
		return clock_now_ms(dev->clock) < f->gather_until_ms ? f->gather_until_ms
								      : begin_move(dev, alive, err);
	}
	if (f->tempcomp_wanted != f->tempcomp) {
		return set_tempcomp(dev, alive, err);
	}
	int64_t now = clock_now_ms(dev->clock);
	if (f->phase == MOVE_SETTLE && now >= f->settle_until_ms) {
		end_move(dev, NULL);
		return 0;
	}
	if (now >= f->next_poll_ms) {
		return poll_device(dev, alive, err);
	}
	return f->phase == MOVE_SETTLE && f->settle_until_ms < f->next_poll_ms ? f->settle_until_ms
										 : f->next_poll_ms;
}

static int64_t focuser_step(struct device *dev, bool *alive, struct err *err)
{
	struct focuser_core *f = dev->focuser;
	int64_t next = next_thing(dev, alive, err);
	/* Targets that come until then do not wake us. */
	return next > f->gather_until_ms && clock_now_ms(dev->clock) < f->gather_until_ms
		       ? f->gather_until_ms
		       : next;
}

static enum err_code focuser_open(struct device *dev, struct err *err)
{
	struct focuser_core *f = dev->focuser;
	memset(f->ctx, 0, f->driver->ctx_size);
	f->identified = false;
	enum err_code code = focuser_port_choose(dev, dev->was_up, &f->port, err);
	if (code != ERR_OK) {
		return code;
	}
	code = f->driver->open(f->ctx, &f->port, &dev->host, err);
	if (code != ERR_OK) {
		f->driver->close(f->ctx);
	}
	return code;
}

/* Identifies and reads once, so that a link that is up always has a position.  When only the reading
 * failed the next try repeats only that: on a noisy line few answers in a row come through. */
static enum err_code focuser_identify(struct device *dev, struct err *err)
{
	struct focuser_core *f = dev->focuser;
	enum err_code code = ERR_OK;
	if (!f->identified) {
		f->fresh_caps = (struct focuser_caps){.step_size_um = NAN};
		code = f->driver->identify(f->ctx, &f->fresh_caps, err);
		if (code == ERR_OK) {
			code = focuser_port_verify(dev, dev->was_up, &f->fresh_caps, err);
		}
		f->identified = code == ERR_OK;
	}
	if (code == ERR_OK) {
		f->fresh = (struct focuser_reading){0};
		code = f->driver->poll(f->ctx, FOCUSER_WANT_MOTION, &f->fresh, err);
	}
	return code;
}

static void focuser_came_up(struct device *dev, bool again)
{
	struct focuser_core *f = dev->focuser;
	bool had_position = again && f->position_known;
	int32_t before = f->position;

	f->caps = f->fresh_caps;
	if (f->cfg->port.max_step > 0 && f->cfg->port.max_step < f->caps.max_step) {
		f->caps.max_step = f->cfg->port.max_step;
	}
	if (isfinite(f->cfg->step_size_um)) {
		f->caps.step_size_um = f->cfg->step_size_um;
	}
	f->caps_known = true;
	f->rules = (struct moves_rules){
		.min_step = f->cfg->min_step,
		.max_step = f->caps.max_step,
		.backlash_steps = f->cfg->backlash_steps,
		.approach = f->cfg->approach,
		.max_increment = f->caps.max_increment,
	};
	f->phase = MOVE_NONE;
	f->halt_wanted = false;
	f->halt_watched = false;
	f->motor_moving = false;
	f->poll_failures = 0;
	f->preload = 0;
	f->position_known = false;
	f->temperature_known = false;
	f->next_poll_ms = 0;
	f->next_temperature_ms = 0;
	f->tempcomp = false;
	f->tempcomp_wanted = false;
	if (!again) {
		f->snapped = false;
		f->move_told.until_ms = 0;
	}
	take_reading(dev, &f->fresh);
	f->trust = f->position_known ? POSITION_KNOWN : POSITION_UNKNOWN;
	if (had_position && f->position_known && f->position != before) {
		/* Moved while nobody looked, or the controller forgot: say so, do not guess which. */
		f->trust = POSITION_SHIFTED;
		log_warn(dev->info.source, "position after the loss is %d, before it was %d",
			(int)f->position, (int)before);
	}
	log_info(dev->info.source, "%s position=%d max_step=%d", f->caps.identity, (int)f->position,
		(int)f->caps.max_step);
}

static void focuser_went_down(struct device *dev, const struct err *why)
{
	struct focuser_core *f = dev->focuser;
	f->motor_moving = false;
	f->halt_wanted = false;
	f->halt_watched = false;
	f->temperature_known = false;
	if (f->phase == MOVE_HALTING) {
		f->phase = MOVE_NONE;
	} else if (f->phase != MOVE_NONE) {
		end_move(dev, why);
	}
}

static void focuser_close(struct device *dev)
{
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
		enum err_code code = f->driver->poll(f->ctx, FOCUSER_WANT_MOTION, &f->fresh, err);
		pthread_mutex_lock(&dev->lock);
		device_count_error(dev, code);
		if (code != ERR_OK) {
			return code;
		}
		take_reading(dev, &f->fresh);
		*rests = f->fresh.moving_valid && !f->fresh.moving;
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
	struct err err = {0};
	enum err_code code = ERR_OK;
	for (int round = 0; !rests && code != ERR_IO && round < STOP_ROUNDS; round++) {
		/* There is nothing more urgent than this. */
		atomic_store(&dev->urgent, false);
		pthread_mutex_unlock(&dev->lock);
		code = f->driver->halt(f->ctx, &err);
		pthread_mutex_lock(&dev->lock);
		device_count_error(dev, code);
		if (code == ERR_OK) {
			code = comes_to_rest(dev, &rests, &err);
		}
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
};
