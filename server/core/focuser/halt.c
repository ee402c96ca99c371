/* SPDX-License-Identifier: MIT */
#include "halt.h"

#include <stdio.h>
#include <string.h>

#include "focuser_private.h"

/* Calls of the driver that fail before the wish is given up; the motor is watched then, and told again. */
#define HALT_TRIES 3
/* A motor that goes on for this long after a halt is told again, ms of the device's clock: setters are silent on
 * many lines, and nothing else shows that a command was lost there. */
#define HALT_AGAIN_MS 1000
/* It is told again so often. */
#define HALT_REPEATS 5
/* Steps beside its way at which a motion is still taken for the one that was to stop, beyond what the device itself
 * forgives: as much as a motor may be off its way before it counts as astray. */
#define OFF_THE_WAY_STEPS ASTRAY_MARGIN_STEPS

void halt_wish(struct halt *h)
{
	h->wanted = true;
	h->tries = 0;
	h->repeats = 0;
}

void halt_forget(struct halt *h)
{
	h->wanted = false;
	h->watched = false;
}

void halt_drop_wish(struct halt *h)
{
	h->wanted = false;
}

void halt_forgive(struct halt *h)
{
	h->watched = false;
}

void halt_watch_from(struct halt *h, int64_t now_ms)
{
	h->watched = true;
	h->told_ms = now_ms;
}

void focuser_watch_halt(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	struct halt *h = &f->halt;
	if (!f->motion.moving) {
		h->watched = false;
	}
	if (h->outcome == stop_owed_outcome(STOP_VOID_OTHER) || h->outcome == stop_owed_outcome(STOP_VOID_RESET)) {
		/* They advise to stop what moves. */
		if (!f->motion.moving && !f->motion.drifting) {
			halt_end_news(h);
			device_changed(dev);
		}
	}
	if (!h->watched || clock_now_ms(dev->clock) - h->told_ms < HALT_AGAIN_MS) {
		return;
	}
	if (++h->repeats <= HALT_REPEATS) {
		log_warn(dev->info.source, "still moves after a halt; halting again");
		h->wanted = true;
		h->tries = 0;
		return;
	}
	h->watched = false;
	struct err why;
	err_set(&why, ERR_STALLED, "%s does not stop: it says it moves after %d halts", dev->info.name,
		HALT_REPEATS + 1);
	log_error(dev->info.source, "%s", why.text);
	device_failed(dev, &f->move_told, &why);
	if (f->phase == MOVE_HALTING) {
		focuser_set_phase(dev, MOVE_NONE);
	}
	device_changed(dev);
}

struct step focuser_do_halt(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	struct halt *h = &f->halt;
	struct err err = {0};
	h->wanted = false;
	enum err_code code = drive_halt(dev, &err);
	if (code == ERR_IO) {
		return step_lost(&err);
	}
	if (code != ERR_OK) {
		if (++h->tries < HALT_TRIES) {
			h->wanted = true;
			return step_again();
		}
		log_error(dev->info.source, "halt failed: %s", err.text);
		device_failed(dev, &f->move_told, &err);
	}
	halt_watch_from(h, clock_now_ms(dev->clock));
	f->next_poll_ms = 0;
	return step_again();
}

/* ---- a STOP without a link ---- */

/* What hinders a STOP, by the error that ended the link. */
static enum stop_hindrance hindrance(const struct device *dev, const struct err *why)
{
	if (why->code != ERR_IO) {
		return STOP_SILENCE;
	}
	return strstr(dev->info.where, "://") != NULL ? STOP_CONNECTION : STOP_CABLE;
}

static enum stop_hindrance hindrance_now(const struct device *dev)
{
	return dev->link == LINK_LOST ? focuser_of(dev)->halt.why : STOP_CLOSED;
}

/* Whether the motor was seen to come nearer to where it was sent, and to be nowhere else. */
static bool kept_its_way(const struct focuser_core *f)
{
	int32_t done = f->motion.position - f->leg.from;
	bool on = f->leg.target > f->leg.from ? done > 0 && f->motion.position <= f->leg.target
					      : done < 0 && f->motion.position >= f->leg.target;
	return f->ours && on && !f->leg.receded && focuser_distance(f->motion.position, f->leg.from) > focuser_tolerance(f);
}

/* The motion that nobody will hear of now. */
static struct stopped_motion motion_now(const struct device *dev)
{
	const struct focuser_core *f = focuser_of(dev);
	bool calibrating = f->phase == MOVE_CALIBRATING;
	bool ours = f->phase == MOVE_LEG || f->phase == MOVE_STOPPING || f->phase == MOVE_HALTING;
	struct stopped_motion m = {
		.under_way = calibrating || ours || f->motion.drifting || (f->motion.moving && !f->motion.stuck),
		.calibrating = calibrating,
		.calibration_said = calibrating && f->calibration.seen,
		.kept_way = !calibrating && kept_its_way(f),
		.passes = f->caps.backlash_untold,
		.position = focuser_to_motor(f, f->motion.position),
		.target = focuser_to_motor(f, f->leg.target),
		.margin = focuser_tolerance(f) + f->caps.backlash_steps + OFF_THE_WAY_STEPS,
	};
	int64_t left = f->ours ? focuser_distance(f->motion.position, f->leg.target) : f->caps.max_step;
	m.until_ms = calibrating ? calibration_must_end_ms(f)
				 : clock_now_ms(dev->clock) + leg_time_ms(f, left);
	return m;
}

void halt_went_down(struct device *dev, bool lost, bool ending, const struct err *why)
{
	struct focuser_core *f = focuser_of(dev);
	struct halt *h = &f->halt;
	if (lost) {
		h->motion = motion_now(dev);
		h->why = hindrance(dev, why);
		h->owed = h->motion.under_way && (h->wanted || h->watched || ending);
		h->unsure = h->owed && !h->wanted;
		h->pay_tries = 0;
		h->paid = false;
		h->outcome = NULL;
	}
	if (h->owed) {
		log_error(dev->info.source, "%s", stop_owed_words(hindrance_now(dev), h->unsure));
	}
	halt_forget(h);
}

enum err_code halt_without_link(struct device *dev, struct err *err)
{
	struct halt *h = &focuser_of(dev)->halt;
	bool late = clock_now_ms(dev->clock) > h->motion.until_ms;
	if (h->paid) {
		return ERR_OK; /* it is sent, and the link comes up */
	}
	h->outcome = NULL;
	if (!h->motion.under_way || late) {
		return dev->link != LINK_LOST ? ERR_OK
			: err_set(err, ERR_IO, "%s: %s", dev->info.name,
				late && h->motion.under_way ? stop_owed_lapsed : stop_needless_words(h->why));
	}
	if (!h->owed || h->unsure) {
		h->owed = true;
		h->unsure = false;
		log_error(dev->info.source, "%s", stop_owed_words(hindrance_now(dev), false));
	}
	return err_set(err, ERR_IO, "%s: %s", dev->info.name, stop_owed_words(hindrance_now(dev), false));
}

void halt_end_news(struct halt *h)
{
	h->outcome = NULL;
}

void halt_state(const struct device *dev, struct focuser_state *out)
{
	const struct halt *h = &focuser_of(dev)->halt;
	out->stop_owed = h->owed;
	const char *words = h->owed ? stop_owed_words(hindrance_now(dev), h->unsure) : h->outcome;
	snprintf(out->stop_words, sizeof out->stop_words, "%s", words != NULL ? words : "");
}

void halt_lapse(struct device *dev)
{
	struct halt *h = &focuser_of(dev)->halt;
	if (h->owed && clock_now_ms(dev->clock) > h->motion.until_ms) {
		h->owed = false;
		h->outcome = stop_owed_lapsed;
		log_error(dev->info.source, "%s", h->outcome);
		device_changed(dev);
	}
}

/* What the device has just said of itself, as far as it concerns a STOP. */
static struct stop_seen seen_now(const struct device *dev)
{
	const struct focuser_core *f = focuser_of(dev);
	bool whole = !f->caps.identity_partial && !f->fresh_caps.identity_partial;
	return (struct stop_seen){
		.same_device = !whole || strcmp(f->caps.identity, f->fresh_caps.identity) == 0,
		.calibrating = f->fresh_caps.calibrating,
		.rests = f->fresh.moving_valid && !f->fresh.moving,
		.reset = f->fresh.reset_seen,
		.position_known = f->fresh.position_valid,
		.position = f->fresh.position,
		.now_ms = clock_now_ms(dev->clock),
	};
}

static void settle(struct device *dev, enum stop_verdict verdict)
{
	struct halt *h = &focuser_of(dev)->halt;
	h->owed = false;
	h->verdict = verdict;
	h->outcome = stop_owed_outcome(verdict);
	log_warn(dev->info.source, "%s", h->outcome);
}

enum err_code halt_pay(struct device *dev, struct err *err)
{
	struct halt *h = &focuser_of(dev)->halt;
	if (!h->owed) {
		return ERR_OK;
	}
	struct stop_seen seen = seen_now(dev);
	enum stop_verdict verdict = stop_owed_judge(&h->motion, &seen);
	enum err_code code = ERR_OK;
	if (verdict == STOP_HALT || verdict == STOP_END_CALIBRATION) {
		code = verdict == STOP_HALT ? drive_halt(dev, err) : drive_calibrate(dev, false, err);
		h->paid = code == ERR_OK;
	}
	if (code != ERR_OK && (code == ERR_IO || ++h->pay_tries < HALT_TRIES)) {
		return code;
	}
	if (code == ERR_OK) {
		settle(dev, verdict);
	}
	return ERR_OK;
}

void halt_came_up(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	struct halt *h = &f->halt;
	if (h->paid && h->verdict == STOP_END_CALIBRATION) {
		calibration_was_ended(dev);
	} else if (h->paid) {
		halt_watch_from(h, clock_now_ms(dev->clock));
	} else if (h->owed) {
		struct stop_seen seen = seen_now(dev);
		enum stop_verdict verdict = stop_owed_judge(&h->motion, &seen);
		if (verdict == STOP_END_CALIBRATION) {
			calibration_wish_abort(f);
		} else if (verdict == STOP_HALT) {
			halt_wish(h);
		}
		settle(dev, verdict);
	}
	h->owed = false;
	h->paid = false;
	h->motion.under_way = false;
}
