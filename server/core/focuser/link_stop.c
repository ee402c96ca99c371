/* SPDX-License-Identifier: MIT */
#include "link_stop.h"

#include "focuser_private.h"

/* Calls of the driver that fail before the link comes up without them; then the motor is told as usual. */
#define PAY_TRIES 3
/* Steps beside its way at which a motion is still taken for the one that was to stop, beyond what the device itself
 * forgives: as much as a motor may be off its way before it counts as astray. */
#define OFF_THE_WAY_STEPS ASTRAY_MARGIN_STEPS

/* Whether the motor was seen to come nearer to where it was sent, and to be nowhere else. */
static bool kept_its_way(const struct focuser_core *f)
{
	int32_t here = f->motion.position;
	bool near_enough = f->leg.target > f->leg.from ? here > f->leg.from && here <= f->leg.target
						       : here < f->leg.from && here >= f->leg.target;
	return f->ours && near_enough && !f->leg.receded &&
	       focuser_distance(here, f->leg.from) > focuser_tolerance(f);
}

/* Describes what the motor does at this moment, when the link has gone and nobody will hear how it ends. */
static struct stopped_motion motion_now(const struct device *dev)
{
	const struct focuser_core *f = focuser_of(dev);
	bool calibrating = f->phase == MOVE_CALIBRATING;
	bool ours = f->phase == MOVE_LEG || f->phase == MOVE_STOPPING || f->phase == MOVE_HALTING;
	int64_t left = f->ours ? focuser_distance(f->motion.position, f->leg.target) : f->caps.max_step;
	return (struct stopped_motion){
		.under_way = calibrating || ours || f->motion.drifting || (f->motion.moving && !f->motion.stuck),
		.calibrating = calibrating,
		.calibration_said = calibrating && f->calibration.seen,
		.kept_way = !calibrating && kept_its_way(f),
		.passes = f->caps.backlash_untold,
		.position = numbering_motor(&f->numbering, f->motion.position),
		.target = numbering_motor(&f->numbering, f->leg.target),
		.margin = focuser_tolerance(f) + f->caps.backlash_steps + OFF_THE_WAY_STEPS,
		.until_ms = calibrating ? calibration_must_end_ms(f)
					: clock_now_ms(dev->clock) + leg_time_ms(f, left),
	};
}

void link_stop_went(struct device *dev, bool lost, const struct err *why)
{
	const struct focuser_core *f = focuser_of(dev);
	bool ending = f->phase == MOVE_HALTING || (f->phase == MOVE_CALIBRATING && f->calibration.abort_due);
	if (lost) {
		struct stopped_motion motion = motion_now(dev);
		stop_kept_lost(dev, &motion, f->halt.wanted || f->halt.watched || ending, !f->halt.wanted, why);
	} else {
		stop_kept_closed(dev);
	}
}

enum err_code link_stop_pay(struct device *dev, struct err *err)
{
	struct stop_kept *k = &focuser_of(dev)->stop;
	if (!k->owed) {
		return ERR_OK;
	}
	enum stop_verdict verdict = stop_kept_judge(dev);
	bool orders = verdict == STOP_HALT || verdict == STOP_END_CALIBRATION;
	enum err_code code = verdict == STOP_HALT ? drive_halt(dev, err)
			     : orders		  ? drive_calibrate(dev, false, err)
						  : ERR_OK;
	if (code == ERR_OK) {
		stop_kept_settle(dev, verdict, orders);
		return ERR_OK;
	}
	return code == ERR_IO || stop_kept_failed(k) < PAY_TRIES ? code : ERR_OK;
}

void link_stop_came(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	struct stop_kept *k = &f->stop;
	if (k->sent && k->verdict == STOP_END_CALIBRATION) {
		calibration_was_ended(dev);
	} else if (k->sent) {
		halt_watch_from(&f->halt, clock_now_ms(dev->clock));
	} else if (k->owed) {
		enum stop_verdict verdict = stop_kept_judge(dev);
		if (verdict == STOP_END_CALIBRATION) {
			calibration_wish_abort(f);
		} else if (verdict == STOP_HALT) {
			halt_wish(&f->halt);
		}
		stop_kept_settle(dev, verdict, false);
	}
	stop_kept_over(k);
}
