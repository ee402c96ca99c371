/* SPDX-License-Identifier: MIT */
#include "motion.h"

#include "focuser_private.h"

int64_t focuser_distance(int32_t a, int32_t b)
{
	return a > b ? (int64_t)a - b : (int64_t)b - a;
}

int32_t focuser_tolerance(const struct focuser_core *f)
{
	/* Clients repeat a move for ever that ends a step beside its target, so two steps are always
	 * forgiven; the fit uses what the motor said. */
	return f->caps.tolerance_steps > 2 ? f->caps.tolerance_steps : 2;
}

int focuser_approach_sign(const struct focuser_core *f)
{
	return f->rules.approach == MOVES_APPROACH_OUT ? 1 : -1;
}

void motion_forget(struct motion *m)
{
	*m = (struct motion){.position = m->position, .read_real_ms = m->read_real_ms, .changed_ms = m->changed_ms};
}

void motion_lost_sight(struct motion *m)
{
	m->moving = false;
	m->drifting = false;
}

void motion_sent(struct motion *m)
{
	m->moving = true;
	m->stuck = false;
}

void motion_count_set(struct motion *m, int32_t position)
{
	m->known = true;
	m->position = position;
	m->read_real_ms = clock_now_ms(clock_real());
}

void motion_count_lost(struct motion *m)
{
	m->drifting = false;
	m->taken_up = 0;
}

/* Keeps the book of how much backlash is taken up.  Only the way that we sent the motor counts for it, as far as
 * it goes where it was sent: whatever else was seen, be it a turn by hand or a number that a bad line has made,
 * leaves the backlash unknown. */
static void note_motion(struct focuser_core *f, int32_t from, int32_t to)
{
	bool sent = f->ours && !f->motion.odd && (to > from) == (f->leg.target > f->leg.from);
	int64_t travelled = ((int64_t)to - from) * focuser_approach_sign(f);
	if (!f->ours && focuser_distance(from, to) <= focuser_tolerance(f)) {
		return;
	}
	if (!sent || travelled < 0) {
		f->motion.taken_up = 0;
	} else if (travelled < f->rules.backlash_steps - f->motion.taken_up) {
		f->motion.taken_up += (int32_t)travelled;
	} else {
		f->motion.taken_up = f->rules.backlash_steps;
	}
}

/* Whether a position lies on the way of the leg, or as far beside it as arrivals may. */
static bool on_the_way(const struct focuser_core *f, int32_t position)
{
	int32_t low = f->motion.position < f->leg.target ? f->motion.position : f->leg.target;
	int32_t high = f->motion.position < f->leg.target ? f->leg.target : f->motion.position;
	int32_t margin = focuser_tolerance(f) + f->caps.backlash_steps;
	return (int64_t)position >= (int64_t)low - margin && (int64_t)position <= (int64_t)high + margin;
}

bool focuser_reading_is_odd(struct focuser_core *f, const struct focuser_reading *r)
{
	if (!r->position_valid || !f->motion.known) {
		return false;
	}
	int32_t position = numbering_published(&f->numbering, r->position);
	bool odd = false;
	if (f->phase == MOVE_LEG || f->phase == MOVE_STOPPING || f->phase == MOVE_HALTING) {
		odd = !on_the_way(f, position);
	} else if (!f->motion.moving && !(r->moving_valid && r->moving)) {
		odd = focuser_distance(position, f->motion.position) > focuser_tolerance(f);
	}
	bool confirmed = f->motion.odd;
	/* A motor that the device says rests and that is found elsewhere twice is turned by hand, until it is seen
	 * to stay. */
	f->motion.drifting = odd && f->phase == MOVE_NONE && (confirmed || f->motion.drifting);
	f->motion.odd = odd;
	return odd && !confirmed;
}

void focuser_own_backlash(struct device *dev, int32_t steps)
{
	struct focuser_core *f = focuser_of(dev);
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
	struct focuser_core *f = focuser_of(dev);
	bool changed = r->temperature_valid && temperature_take(dev, r->temperature_c);
	if (r->backlash_valid) {
		f->caps.backlash_untold = false;
	}
	if (r->backlash_valid && r->backlash_steps != f->caps.backlash_steps) {
		focuser_own_backlash(dev, r->backlash_steps);
		f->motion.taken_up = 0;
		changed = true;
	}
	return changed;
}

void motion_say_others_move_it(struct device *dev)
{
	log_info(dev->info.source, "is moved by somebody else, from %d on", (int)focuser_of(dev)->motion.position);
}

bool focuser_outside(const struct focuser_core *f)
{
	int32_t tolerance = focuser_tolerance(f);
	return f->motion.known && !f->motion.moving && f->caps_known &&
	       (f->motion.position < -tolerance || f->motion.position > (int64_t)f->caps.max_step + tolerance);
}

/* Tells the log when the motor comes to stand outside its range, and when it is back. */
static void tell_outside(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	if (focuser_outside(f)) {
		if (log_lasting_news(&f->outside, f->motion.position < 0 ? "below" : "above")) {
			log_warn(dev->info.source,
				"stands at %d (motor's own number %d), outside 0..%d; clients are told %d",
				(int)f->motion.position, (int)numbering_motor(&f->numbering, f->motion.position),
				(int)f->caps.max_step, (int)arrival_published(f));
		}
	} else if (f->motion.known && !f->motion.moving && log_lasting_over(&f->outside) > 0) {
		log_info(dev->info.source, "is inside its range again, at %d", (int)f->motion.position);
	}
}

void focuser_take_reading(struct device *dev, const struct focuser_reading *r)
{
	struct focuser_core *f = focuser_of(dev);
	bool changed = false;
	bool was_known = f->motion.known;
	int64_t now = clock_now_ms(dev->clock);
	if (r->position_valid) {
		int32_t position = numbering_published(&f->numbering, r->position);
		if (!f->motion.known || position != f->motion.position) {
			if (f->motion.known) {
				note_motion(f, f->motion.position, position);
			}
			f->motion.position = position;
			f->motion.changed_ms = now;
			changed = true;
		}
		f->motion.known = true;
		f->motion.read_real_ms = clock_now_ms(clock_real());
	}
	bool began = r->moving_valid && r->moving && !f->motion.moving && !f->motion.drifting;
	if (began && was_known && f->phase == MOVE_NONE && !f->halt.watched) {
		motion_say_others_move_it(dev);
	}
	if (r->moving_valid && r->moving != f->motion.moving) {
		f->motion.moving = r->moving;
		f->motion.changed_ms = now;
		changed = true;
	}
	bool stuck = f->motion.moving && f->phase == MOVE_NONE && now - f->motion.changed_ms > FOCUSER_STALL_MS;
	if (stuck != f->motion.stuck) {
		f->motion.stuck = stuck;
		changed = true;
		if (stuck) {
			log_warn(dev->info.source, "says it moves but stands at %d", (int)f->motion.position);
		}
	}
	tell_outside(dev);
	changed |= focuser_take_aside(dev, r);
	if (changed) {
		device_changed(dev);
	}
}
