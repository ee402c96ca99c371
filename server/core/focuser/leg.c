/* SPDX-License-Identifier: MIT */
/*
 * The way of a move: its plan, its legs, and what a reading means for the leg under way.  Every function here runs on
 * the device's worker with its lock held, which is given back only around a driver call.  After each such call the
 * wishes may have changed, so nothing is concluded about an operation that is not current any more.
 */
#include "leg.h"

#include "focuser_private.h"

/* The motor is sent along a leg so often in all before a leg that ends elsewhere fails the move. */
#define LEG_TRIES 3
/* The way is planned anew so often in one move, whichever leg ended elsewhere. */
#define WAY_TRIES 8
/* A motor counts as stopped beside its target when so many polls in a row say that it rests and this long has
 * passed (ms of the device's clock): some motors start late. */
#define REST_POLLS 3
#define REST_MS 1500
/* A motor that moves without coming nearer for this long goes somewhere else, also where its device goes past its
 * targets against its backlash by an amount that it does not tell. */
#define ASTRAY_MS 12000
/* So far beyond a limit a device may go against its backlash where it does not tell how far. */
#define UNTOLD_BACKLASH_STEPS 200
/* A leg may take this much longer than the slowest believable speed needs, ms of the device's clock. */
#define LEG_ALLOWANCE_MS 15000
/* A target that is replaced sooner than this after the motor was sent off waits for the rest of this time (ms), and
 * newer ones take its place: a client that floods us does not flood the controller. */
#define GATHER_TARGETS_MS 3
/* What may have led a motor astray, for people. */
#define WHAT_TO_CHECK "Check wiring (reverse), lost digits, other programs"
/* A motion that is to be replaced must end within this, ms of the device's clock. */
#define STOPPING_MS 10000
/* This long before a leg's end the motor is looked at more often, so that its arrival is told in time; ms of the
 * device's clock. */
#define NEARLY_THERE_MS 1000
/* The pause between polls is divided by this then: 12 ms of 200 are little more than devices need between
 * commands, and leave more than half of a 9600 baud line unused. */
#define NEARLY_THERE_SHARE 16

void leg_end_move(struct device *dev, const struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	focuser_set_phase(dev, MOVE_NONE);
	f->done_op = f->op;
	f->done = err != NULL ? *err : (struct err){0};
	if (err != NULL) {
		log_error(dev->info.source, "move to %d failed: %s", (int)f->target, err->text);
		device_failed(dev, &f->move_told, err);
	} else {
		arrival_at(f, f->target);
		dev->last_failure[0] = '\0';
		log_debug(dev->info.source, "arrived position=%d motor=%d", (int)f->target,
			(int)numbering_motor(&f->numbering, f->motion.position));
		memory_seen(dev);
	}
	device_changed(dev);
}

/* The motor does not do what it was told: it is stopped, clients hear of it, and its count is not trusted any
 * more. */
static void stalled(struct device *dev, const struct err *err)
{
	memory_doubt(dev, err->text);
	halt_wish(&focuser_of(dev)->halt);
	leg_end_move(dev, err);
}

/* A motor that cannot be trusted: a run that holds it moves nothing more either, not even back. */
static struct step gone_astray(struct device *dev, const struct err *err)
{
	device_lease_lost(dev);
	stalled(dev, err);
	return step_again();
}

/* The time that a way takes at the slowest speed that is to be believed, ms of the device's clock. */
static int64_t way_ms(const struct focuser_core *f, int64_t steps)
{
	double speed = f->driver->speed_floor_steps_per_s > 0 ? f->driver->speed_floor_steps_per_s : 10.0;
	return (int64_t)(1000.0 * (double)steps / speed);
}

int64_t leg_time_ms(const struct focuser_core *f, int64_t steps)
{
	return LEG_ALLOWANCE_MS + way_ms(f, steps);
}

/* Sends the motor from where it stands towards the point under way, as far as one leg goes. */
static struct step start_leg(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	struct err err = {0};
	uint64_t op = f->op;
	f->leg.target = moves_leg(&f->rules, f->motion.position, f->leg.plan.point[f->leg.point]);
	focuser_set_phase(dev, MOVE_LEG);
	f->leg.from = f->motion.position;
	f->leg.arrived = false;
	bool running = f->motion.moving || f->motion.drifting;
	arrival_forget(f);
	motion_sent(&f->motion);
	halt_forgive(&f->halt);
	enum err_code code = drive_move(dev, numbering_motor(&f->numbering, f->leg.target), &err);
	if (code == ERR_IO) {
		return step_lost(&err);
	}
	if (f->op != op || f->phase != MOVE_LEG) {
		return step_again();
	}
	if (code == ERR_CANCELLED) {
		focuser_set_phase(dev, MOVE_ACCEPTED);
		return step_again();
	}
	int64_t now = clock_now_ms(dev->clock);
	if (code != ERR_OK) {
		if ((code == ERR_TIMEOUT || code == ERR_PROTOCOL) && ++f->leg.tries < LEG_TRIES) {
			return start_leg(dev);
		}
		halt_wish(&f->halt);
		leg_end_move(dev, &err);
		return step_again();
	}
	int64_t way = focuser_distance(f->leg.target, f->motion.position);
	f->leg.deadline_ms = now + leg_time_ms(f, way);
	f->leg.speed_steps_per_ms = 0;
	f->leg.progress_ms = now;
	f->leg.progress_position = f->motion.position;
	f->leg.nearest = way;
	f->leg.nearer_ms = now;
	f->leg.receded = false;
	f->leg.rest_polls = 0;
	astray_begin(&f->leg.astray, &(struct astray_way){
		.from = f->leg.from,
		.target = f->leg.target,
		.running = running,
		.tolerance = focuser_tolerance(f),
		.own_backlash = f->caps.backlash_steps,
		.backlash_untold = f->caps.backlash_untold,
		.now_ms = now,
	});
	f->next_poll_ms = now + f->driver->first_poll_ms;
	f->gather_until_ms = now + GATHER_TARGETS_MS;
	return step_at(f->next_poll_ms);
}

/* Plans the way from where the motor stands to the target. */
static void plan_way(struct focuser_core *f)
{
	moves_make(&f->rules, f->motion.position, f->rules.backlash_steps - f->motion.taken_up, f->target,
		&f->leg.plan);
	if (f->leg.plan.count == 0) {
		/* The new target is where the motor is just passing, and it still has to stop there. */
		f->leg.plan.point[0] = f->target;
		f->leg.plan.count = 1;
	}
	f->leg.point = 0;
}

/* Sends the motor along the first leg of a planned way. */
static struct step start_way(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	if (f->leg.plan.overshoot_skipped) {
		log_info(dev->info.source, "no room for the overshoot target=%d", (int)f->target);
	}
	return start_leg(dev);
}

struct step leg_begin_move(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	bool exact = f->rules.backlash_steps > 0 || f->rules.max_increment < f->rules.max_step;
	if (exact && f->motion.moving) {
		/* By the time of a new command the motor is past where it was last seen, perhaps past the target:
		 * the last leg might come from the wrong side, or be longer than the device allows. */
		focuser_set_phase(dev, MOVE_STOPPING);
		f->leg.deadline_ms = clock_now_ms(dev->clock) + STOPPING_MS;
		halt_wish(&f->halt);
		return step_again();
	}
	if (!f->motion.moving && f->motion.position == f->target) {
		leg_end_move(dev, NULL);
		return step_again();
	}
	plan_way(f);
	int64_t next_ms = 0;
	if (!memory_begin(dev, &next_ms)) {
		return step_at(next_ms < f->next_poll_ms ? next_ms : f->next_poll_ms);
	}
	f->leg.tries = 0;
	f->leg.way_tries = 0;
	return start_way(dev);
}

/* Whether the motor is further from the leg's end than it has been, by more than arrivals and backlash account for. */
static bool further_off(const struct focuser_core *f)
{
	return focuser_distance(f->motion.position, f->leg.target) >
	       f->leg.nearest + focuser_tolerance(f) + f->caps.backlash_steps;
}

/* Whether the motor rests where it was earlier on its way, or behind where it began, without having been seen
 * going there.  Then the count has jumped and not the motor, and to send it off again by that count would drive it
 * into its end. */
static bool count_jumped(const struct focuser_core *f)
{
	bool short_of_it = (f->motion.position < f->leg.target) == (f->leg.from < f->leg.target);
	return short_of_it && !f->leg.receded && further_off(f);
}

/* A motor that had arrived and goes away again is not one that was sent astray: it obeyed, and obeys somebody
 * else now, who may have a reason. */
static struct step moved_by_somebody_else(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	struct err why;
	err_set(&why, ERR_STALLED, "%s had arrived at %d and was moved away by somebody else, to %d: a hand "
		"controller, or another program", dev->info.name, (int)f->leg.target, (int)f->motion.position);
	leg_end_move(dev, &why);
	return step_again();
}

/* To send a motor again that ended further off would lead it further off still. */
static bool ended_further_off(const struct focuser_core *f)
{
	return focuser_distance(f->motion.position, f->leg.target) >
	       focuser_distance(f->leg.from, f->leg.target) + focuser_tolerance(f);
}

/* The motor rests: decides whether it has arrived, is waited for, is sent again, or has failed. */
static struct step leg_at_rest(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	int64_t now = clock_now_ms(dev->clock);
	int64_t rest_ms = f->driver->late_start_ms > 0 ? f->driver->late_start_ms : REST_MS;
	int tries = f->driver->leg_retries > 0 ? f->driver->leg_retries + 1 : LEG_TRIES;
	int32_t target = f->leg.target;
	bool close = focuser_distance(f->motion.position, target) <= focuser_tolerance(f);
	/* A way as short as the tolerance looks like an arrival before the motor has even begun. */
	bool untouched = f->motion.position == f->leg.from && f->motion.position != target;
	bool rested = ++f->leg.rest_polls >= REST_POLLS && now - f->leg.progress_ms >= rest_ms;
	if (close && (!untouched || (rested && f->leg.tries + 1 >= tries))) {
		f->leg.tries = 0;
		if (target != f->leg.plan.point[f->leg.point] || ++f->leg.point < f->leg.plan.count) {
			return start_leg(dev);
		}
		focuser_set_phase(dev, MOVE_SETTLE);
		f->leg.settle_until_ms = now + f->cfg->settle_ms;
		return step_again();
	}
	if (!rested) {
		return step_at(f->next_poll_ms);
	}
	struct err why;
	if (count_jumped(f)) {
		int64_t was = f->leg.from < target ? target - f->leg.nearest : target + f->leg.nearest;
		err_set(&why, ERR_STALLED, "%s was at %d and then says %d without having moved there: its "
			"controller has restarted or lost count, and nobody knows where the motor stands",
			dev->info.name, (int)was, (int)f->motion.position);
		stalled(dev, &why);
		return step_again();
	}
	if (ended_further_off(f) && f->leg.arrived) {
		return moved_by_somebody_else(dev);
	}
	if (ended_further_off(f)) {
		err_set(&why, ERR_STALLED, "%s was sent from %d to %d and ended further off, at %d: not sent "
			"again. " WHAT_TO_CHECK, dev->info.name, (int)f->leg.from, (int)target,
			(int)f->motion.position);
		return gone_astray(dev, &why);
	}
	if (++f->leg.tries < tries && ++f->leg.way_tries < WAY_TRIES) {
		log_warn(dev->info.source, "stopped at %d instead of %d; trying again", (int)f->motion.position,
			(int)target);
		/* A motor that stopped beyond the target has to come back from the right side, so the way is
		 * planned anew. */
		plan_way(f);
		return start_way(dev);
	}
	err_set(&why, ERR_STALLED, "%s stopped at %d and does not reach %d", dev->info.name,
		(int)f->motion.position, (int)target);
	stalled(dev, &why);
	return step_again();
}

/* When to look again at a motor on its way: soon when it may be going astray, or nearly there. */
static int64_t next_look(struct focuser_core *f, enum astray_word word, int64_t now)
{
	if (word == ASTRAY_MAYBE) {
		f->next_poll_ms = now + f->driver->poll_moving_ms / NEARLY_THERE_SHARE;
	} else if (f->leg.speed_steps_per_ms > 0) {
		double left_ms = (double)focuser_distance(f->motion.position, f->leg.target) /
				 f->leg.speed_steps_per_ms;
		if (left_ms < NEARLY_THERE_MS) {
			f->next_poll_ms = now + f->driver->poll_moving_ms / NEARLY_THERE_SHARE;
		}
	}
	return f->next_poll_ms;
}

/* Whether the motor is beyond a limit, and not because it began there: then its target is not the one that it was
 * given. */
static bool out_of_bounds(const struct focuser_core *f)
{
	int64_t margin = (int64_t)UNTOLD_BACKLASH_STEPS + f->caps.backlash_steps;
	int32_t low = f->leg.from < f->rules.min_step ? f->leg.from : f->rules.min_step;
	int32_t high = f->leg.from > f->rules.max_step ? f->leg.from : f->rules.max_step;
	return f->motion.position < low - margin || f->motion.position > high + margin;
}

/* What was seen, and what it may come from. */
static struct step told_astray(struct device *dev, enum astray_word word)
{
	struct focuser_core *f = focuser_of(dev);
	struct err why;
	if (f->leg.arrived) {
		return moved_by_somebody_else(dev);
	}
	err_set(&why, ERR_STALLED, "%s was sent from %d to %d and %s by %lld steps: halted. " WHAT_TO_CHECK,
		dev->info.name, (int)f->leg.from, (int)f->leg.target,
		word == ASTRAY_RECEDES ? "went the other way" : "ran past it",
		(long long)astray_steps(&f->leg.astray));
	return gone_astray(dev, &why);
}

/* Takes the last reading into what is known of the leg: speed, progress, and the nearest place to its target. */
static void note_progress(struct focuser_core *f, int64_t now)
{
	if (f->motion.position != f->leg.progress_position) {
		int64_t took_ms = now - f->leg.progress_ms;
		f->leg.speed_steps_per_ms = took_ms <= 0 ? 0
			: (double)focuser_distance(f->motion.position, f->leg.progress_position) / (double)took_ms;
		f->leg.progress_position = f->motion.position;
		f->leg.progress_ms = now;
		f->leg.rest_polls = 0;
	}
	int64_t left = focuser_distance(f->motion.position, f->leg.target);
	if (left < f->leg.nearest) {
		f->leg.nearest = left;
		f->leg.nearer_ms = now;
	}
}

/* Whether a motor that still moves has to be given up: it leaves its limits, stands still, comes no nearer, or takes
 * too long. *why is the sentence about it. */
static bool given_up(struct device *dev, int64_t now, struct err *why)
{
	struct focuser_core *f = focuser_of(dev);
	if (out_of_bounds(f)) {
		err_set(why, ERR_STALLED, "%s moves outside %d..%d, not towards %d: it is at %d",
			dev->info.name, (int)f->rules.min_step, (int)f->rules.max_step, (int)f->leg.target,
			(int)f->motion.position);
		return true;
	}
	bool watched = !f->caps.told_at_rest;
	if (watched && now - f->leg.progress_ms > FOCUSER_STALL_MS) {
		err_set(why, ERR_STALLED, "%s says it moves but stands at %d on the way to %d",
			dev->info.name, (int)f->motion.position, (int)f->leg.target);
		return true;
	}
	if (watched && now - f->leg.nearer_ms > ASTRAY_MS + way_ms(f, f->caps.backlash_steps)) {
		err_set(why, ERR_STALLED, "%s moves, but not towards %d: it is at %d", dev->info.name,
			(int)f->leg.target, (int)f->motion.position);
		return true;
	}
	if (now > f->leg.deadline_ms) {
		err_set(why, ERR_STALLED, "%s is still not at %d after the time the way should take",
			dev->info.name, (int)f->leg.target);
		return true;
	}
	return false;
}

static struct step watch_leg(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	int64_t now = clock_now_ms(dev->clock);
	if (f->fresh.motion_failed) {
		halt_wish(&f->halt);
		leg_end_move(dev, &f->fresh.failure);
		return step_again();
	}
	note_progress(f, now);
	if (!f->motion.moving) {
		return leg_at_rest(dev);
	}
	f->leg.receded = f->leg.receded || further_off(f);
	f->leg.rest_polls = 0;
	enum astray_word word =
		astray_take(&f->leg.astray, f->motion.position, f->leg.speed_steps_per_ms, now);
	if (word == ASTRAY_RECEDES || word == ASTRAY_PASSES) {
		return told_astray(dev, word);
	}
	struct err why;
	if (given_up(dev, now, &why)) {
		stalled(dev, &why);
		return step_again();
	}
	return step_at(next_look(f, word, now));
}

struct step leg_follow(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	int64_t read_ms = clock_now_ms(dev->clock);
	switch (f->phase) {
	case MOVE_LEG:
		memory_seen(dev);
		return watch_leg(dev);
	case MOVE_STOPPING:
		if (!f->motion.moving) {
			focuser_set_phase(dev, MOVE_ACCEPTED);
			return step_again();
		}
		if (read_ms > f->leg.deadline_ms) {
			struct err why;
			err_set(&why, ERR_STALLED, "%s did not stop to take a new target", dev->info.name);
			leg_end_move(dev, &why);
		}
		break;
	case MOVE_SETTLE:
		if (f->motion.moving ||
			focuser_distance(f->motion.position, f->leg.target) > focuser_tolerance(f)) {
			/* The motor went on after all. */
			focuser_set_phase(dev, MOVE_LEG);
			f->leg.arrived = true;
			f->leg.point = f->leg.plan.count - 1;
			f->leg.progress_ms = read_ms;
			f->leg.nearer_ms = read_ms;
			f->leg.deadline_ms =
				read_ms + leg_time_ms(f, focuser_distance(f->motion.position, f->leg.target));
			f->leg.rest_polls = 0;
		} else if (read_ms >= f->leg.settle_until_ms) {
			leg_end_move(dev, NULL);
			return step_again();
		}
		break;
	case MOVE_HALTING:
		if (!f->motion.moving) {
			log_info(dev->info.source, "halted position=%d", (int)f->motion.position);
			focuser_set_phase(dev, MOVE_NONE);
			device_changed(dev);
			memory_seen(dev);
		}
		break;
	case MOVE_ACCEPTED:
		f->looked_op = f->op;
		return step_again();
	case MOVE_NONE:
		memory_seen(dev);
		break;
	case MOVE_CALIBRATING:
		break;
	}
	return step_at(f->next_poll_ms);
}
