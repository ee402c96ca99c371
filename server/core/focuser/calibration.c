/* SPDX-License-Identifier: MIT */
/*
 * A calibration that the device does by itself: it is started, looked at once a second, judged, and aborted if need
 * be.  The device goes on with it when the link is lost, so it is found again after that.  What is called by clients
 * only writes wishes; the rest runs on the worker, with the lock held but for driver calls.
 */
#include "calibration.h"

#include <stdio.h>
#include <string.h>

#include "focuser_private.h"
#include "identify.h"
#include "snapshot.h"

/* The pause before the first look after the start, and between looks; ms of the device's clock. */
#define FIRST_LOOK_MS 500
#define LOOK_MS 1000
/* A device may say "done" of the last calibration for a moment after the next has begun. */
#define STALE_DONE_MS 10000
/* Neither the step nor the position changes for this long: it is stuck.  Longer than one way from end to end,
 * since nobody has written down that steps or positions change on it: 60000 counts at 300 a second. */
#define STUCK_MS 240000
/* No calibration takes longer, ms: three or four minutes are usual, and two ways from end to end at that speed
 * take under seven. */
#define TOTAL_MS 600000
/* A driver call that brings no answer is tried so often. */
#define TRIES 3

const char *focuser_calibration_name(enum focuser_calibration_state state)
{
	switch (state) {
	case CALIBRATION_RUNNING:
		return "running";
	case CALIBRATION_DONE:
		return "done";
	case CALIBRATION_FAILED:
		return "failed";
	case CALIBRATION_ABORTED:
		return "aborted";
	case CALIBRATION_NONE:
		break;
	}
	return "none";
}

void focuser_calibration(struct device *dev, struct focuser_calibration *out)
{
	struct focuser_core *f = focuser_of(dev);
	pthread_mutex_lock(&dev->lock);
	const struct calibration *c = &f->calibration;
	*out = (struct focuser_calibration){
		.possible = f->driver->calibrate != NULL,
		/* A calibration is over when the device has been identified again, and not before. */
		.state = f->phase == MOVE_CALIBRATING ? CALIBRATION_RUNNING : c->state,
		.of = f->driver->calibration_steps,
		.step = c->step,
		.started_utc_ms = c->began_utc_ms,
		.limits_known = f->caps_known && (f->driver->by_hand || f->caps.move_refusal[0] == '\0'),
		.low = f->numbering.low,
		.high = f->numbering.high,
	};
	if (f->phase == MOVE_CALIBRATING && !c->abort_due) {
		out->ongoing = c->number;
	}
	if (out->state == CALIBRATION_DONE) {
		out->step = out->of;
	} else if (out->state == CALIBRATION_RUNNING) {
		out->limits_known = false;
	}
	out->progress = out->of > 0 ? (double)out->step / out->of : 0;
	out->progress = out->progress > 1 ? 1 : out->progress;
	snprintf(out->reason, sizeof out->reason, "%s",
		out->state == CALIBRATION_RUNNING ? "" : c->reason);
	snprintf(out->refusal, sizeof out->refusal, "%s",
		f->caps.move_refusal[0] != '\0' ? f->caps.move_refusal : f->renumbered.refusal);
	pthread_mutex_unlock(&dev->lock);
}

/* ---- wishes ---- */

enum err_code focuser_calibrate(struct device *dev, struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	pthread_mutex_lock(&dev->lock);
	enum err_code code = device_need_free(dev, err);
	if (code == ERR_OK) {
		code = device_need_link(dev, err);
	}
	if (code == ERR_OK && f->driver->calibrate == NULL) {
		code = err_set(err, ERR_NOT_IMPLEMENTED, "%s cannot calibrate itself", dev->info.name);
	}
	if (code == ERR_OK && f->phase == MOVE_CALIBRATING) {
		code = calibration_refuses_move(dev, err);
	} else if (code == ERR_OK && (f->phase != MOVE_NONE || f->motion.moving)) {
		code = err_set(err, ERR_INVALID_OPERATION, "%s is moving: halt it first", dev->info.name);
	} else if (code == ERR_OK && focuser_busy(dev, err)) {
		code = ERR_INVALID_OPERATION;
	}
	if (code == ERR_OK) {
		f->op++;
		f->calibration = (struct calibration){
			.state = CALIBRATION_RUNNING,
			.number = f->op,
			.start_due = true,
			.began_ms = clock_now_ms(dev->clock),
			.began_utc_ms = clock_utc_ms(),
		};
		f->done_op = f->op;
		focuser_set_phase(dev, MOVE_CALIBRATING);
		arrival_forget(f);
		stop_kept_end_news(&f->stop);
		f->move_told.until_ms = 0;
		log_info(dev->info.source, "calibration: drives to both ends");
		device_wake_worker(dev);
		device_changed(dev);
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}

void calibration_wish_abort(struct focuser_core *f)
{
	f->calibration.abort_due = true;
	f->calibration.start_due = false;
	f->calibration.next_look_ms = 0;
}

enum err_code focuser_calibrate_abort(struct device *dev, struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	pthread_mutex_lock(&dev->lock);
	enum err_code code = device_need_link(dev, err);
	/* The calibration goes on in the device, and is aborted when the link is back. */
	if (dev->link == LINK_LOST && f->calibration.state == CALIBRATION_RUNNING) {
		code = stop_kept_wish(dev, err);
		device_changed(dev);
	}
	if (code == ERR_OK && f->driver->calibrate == NULL) {
		code = err_set(err, ERR_NOT_IMPLEMENTED, "%s cannot calibrate itself", dev->info.name);
	}
	if (code == ERR_OK && f->phase == MOVE_CALIBRATING) {
		calibration_wish_abort(f);
		device_wake_urgent(dev);
		device_changed(dev);
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}

enum err_code calibration_refuses_move(struct device *dev, struct err *err)
{
	const struct focuser_core *f = focuser_of(dev);
	if (f->phase == MOVE_CALIBRATING) {
		return err_set(err, ERR_INVALID_OPERATION,
			"%s is calibrating (step %d of %d): wait, or abort it with Halt", dev->info.name,
			f->calibration.step, f->driver->calibration_steps);
	}
	if (f->caps.move_refusal[0] != '\0') {
		return err_set(err, ERR_INVALID_OPERATION, "%s is %s", dev->info.name,
			f->caps.move_refusal);
	}
	if (f->renumbered.refusal[0] != '\0') {
		return err_set(err, ERR_INVALID_OPERATION, "%s is %s", dev->info.name, f->renumbered.refusal);
	}
	return ERR_OK;
}

bool focuser_unfit(struct device *dev, struct err *err)
{
	if (calibration_refuses_move(dev, err) != ERR_OK || focuser_busy(dev, err)) {
		return true;
	}
	if (!focuser_of(dev)->motion.known) {
		err_set(err, ERR_INVALID_OPERATION, "%s does not know where it stands", dev->info.name);
		return true;
	}
	return false;
}

/* ---- the worker ---- */

/* The calibration is over; the device is identified again before anything else, since its limits may be new. */
static void end_calibration(struct device *dev, enum focuser_calibration_state state, const char *reason)
{
	struct calibration *c = &focuser_of(dev)->calibration;
	c->state = state;
	c->abort_due = false;
	c->identify_due = true;
	c->tries = 0;
	snprintf(c->reason, sizeof c->reason, "%s", reason);
	if (state == CALIBRATION_FAILED) {
		struct err err;
		err_set(&err, ERR_STALLED, "calibration failed: %s", reason);
		log_error(dev->info.source, "%s", err.text);
		device_failed(dev, &focuser_of(dev)->move_told, &err);
	} else {
		log_info(dev->info.source, "calibration %s%s%s", focuser_calibration_name(state),
			reason[0] != '\0' ? ": " : "", reason);
	}
	device_changed(dev);
}

/* Ends it as failed, with the driver's advice on what usually helps as far as that fits. */
static void fail_with_advice(struct device *dev, const char *what)
{
	char reason[sizeof focuser_of(dev)->calibration.reason];
	const char *advice = focuser_of(dev)->driver->calibration_advice;
	snprintf(reason, sizeof reason, "%s%s%s", what, advice != NULL ? ". " : "",
		advice != NULL ? advice : "");
	end_calibration(dev, CALIBRATION_FAILED, reason);
}

/* Tells the device to begin or to end.  False when nothing is to be concluded from it, or the link is lost
 * (ERR_IO). */
static bool tell(struct device *dev, bool start, enum err_code *code, struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	*code = drive_calibrate(dev, start, err);
	if (f->phase != MOVE_CALIBRATING || *code == ERR_CANCELLED || *code == ERR_IO) {
		return false;
	}
	if ((*code == ERR_TIMEOUT || *code == ERR_PROTOCOL) && ++f->calibration.tries < TRIES) {
		return false;
	}
	f->calibration.tries = 0;
	return true;
}

static struct step begin(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	struct err err = {0};
	struct calibration *c = &f->calibration;
	enum err_code code;
	motion_sent(&f->motion);
	/* The doubt is noted before the start for a server that is started later, should this one not see the end. */
	memory_doubt(dev, "A calibration was begun, which numbers positions anew");
	memory_rest(dev);
	if (!tell(dev, true, &code, &err) || !c->start_due) {
		return code == ERR_IO ? step_lost(&err) : step_again();
	}
	c->start_due = false;
	if (code == ERR_TIMEOUT || code == ERR_PROTOCOL) {
		/* The device may have heard it and be on its way. */
		snprintf(c->why_failed, sizeof c->why_failed, "%s", err.text);
		c->abort_due = true;
		return step_again();
	}
	if (code != ERR_OK) {
		end_calibration(dev, CALIBRATION_FAILED, err.text);
		return step_again();
	}
	int64_t now = clock_now_ms(dev->clock);
	c->began_ms = now;
	c->progress_ms = now;
	c->next_look_ms = now + FIRST_LOOK_MS;
	return step_at(c->next_look_ms);
}

static struct step abort_it(struct device *dev)
{
	struct calibration *c = &focuser_of(dev)->calibration;
	struct err err = {0};
	enum err_code code;
	if (!tell(dev, false, &code, &err)) {
		return code == ERR_IO ? step_lost(&err) : step_again();
	}
	if (code != ERR_OK) {
		log_error(dev->info.source, "the calibration may still run: %s", err.text);
	}
	if (c->why_failed[0] != '\0') {
		fail_with_advice(dev, c->why_failed);
	} else {
		end_calibration(dev, CALIBRATION_ABORTED,
			code == ERR_OK ? "" : "but the device has not confirmed it");
	}
	return step_again();
}

/* Judges by a reading whether the calibration goes on, is done, or has failed. */
static void judge(struct device *dev, const struct focuser_reading *r)
{
	struct focuser_core *f = focuser_of(dev);
	struct calibration *c = &f->calibration;
	int64_t now = clock_now_ms(dev->clock);
	if (f->motion.position != c->position || (r->calibration == FOCUSER_CALIBRATION_RUNS &&
						  r->calibration_step != c->step)) {
		c->progress_ms = now;
		c->position = f->motion.position;
	}
	if (r->calibration == FOCUSER_CALIBRATION_RUNS) {
		c->seen = true;
		if (c->step != r->calibration_step) {
			c->step = r->calibration_step;
			device_changed(dev);
		}
	} else if (r->calibration == FOCUSER_CALIBRATION_DONE) {
		/* A device that says "done" while its motor runs means its last calibration, or has not quite
		 * ended this one. */
		if ((c->seen || now - c->began_ms >= STALE_DONE_MS) && !f->motion.moving) {
			end_calibration(dev, CALIBRATION_DONE, "");
			return;
		}
	} else if (c->seen) {
		char what[80];
		snprintf(what, sizeof what, "it ended at step %d of %d without a result", c->step,
			f->driver->calibration_steps);
		fail_with_advice(dev, what);
		return;
	}
	if (now - c->progress_ms > STUCK_MS) {
		snprintf(c->why_failed, sizeof c->why_failed, "nothing moved for %d s at step %d of %d",
			STUCK_MS / 1000, c->step, f->driver->calibration_steps);
		c->abort_due = true;
	} else if (now - c->began_ms > TOTAL_MS) {
		snprintf(c->why_failed, sizeof c->why_failed, "not over after %d s, at step %d of %d",
			TOTAL_MS / 1000, c->step, f->driver->calibration_steps);
		c->abort_due = true;
	}
}

static struct step look(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	struct err err = {0};
	struct calibration *c = &f->calibration;
	enum err_code code = drive_poll(dev, FOCUSER_WANT_MOTION | FOCUSER_WANT_CALIBRATION, &err);
	if (f->phase != MOVE_CALIBRATING || c->abort_due || code == ERR_CANCELLED) {
		return step_again();
	}
	c->next_look_ms = clock_now_ms(dev->clock) + LOOK_MS;
	if (code != ERR_OK) {
		return drive_poll_failed(f, code) ? step_lost(&err) : step_at(c->next_look_ms);
	}
	f->poll_failures = 0;
	focuser_take_reading(dev, &f->fresh);
	if (f->fresh.calibration_valid) {
		judge(dev, &f->fresh);
	}
	return c->abort_due || c->identify_due ? step_again() : step_at(c->next_look_ms);
}

/* Reads limits and position anew; then the device is a focuser as any other again. */
static struct step limits_anew(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	struct err err = {0};
	struct calibration *c = &f->calibration;
	enum err_code code = identify_again(dev, &err);
	if (f->phase != MOVE_CALIBRATING) {
		return step_again();
	}
	if (code != ERR_OK) {
		return code == ERR_IO || ++c->tries >= TRIES ? step_lost(&err) : step_again();
	}
	c->identify_due = false;
	identify_renew(dev);
	if (c->state == CALIBRATION_DONE && f->caps.move_refusal[0] != '\0') {
		fail_with_advice(dev, "it ended without limits that make sense");
		c->identify_due = false;
	}
	focuser_set_phase(dev, f->motion.moving ? MOVE_HALTING : MOVE_NONE);
	if (f->motion.moving) {
		halt_watch_from(&f->halt, clock_now_ms(dev->clock));
	}
	f->next_poll_ms = 0;
	log_info(dev->info.source, "%s position=%d min_step=%d max_step=%d", f->caps.identity,
		(int)f->motion.position, (int)f->rules.min_step, (int)f->caps.max_step);
	device_changed(dev);
	return step_again();
}

int64_t calibration_must_end_ms(const struct focuser_core *f)
{
	return f->calibration.began_ms + TOTAL_MS;
}

void calibration_was_ended(struct device *dev)
{
	if (focuser_of(dev)->phase == MOVE_CALIBRATING) {
		end_calibration(dev, CALIBRATION_ABORTED, "");
	}
}

struct step calibration_step(struct device *dev)
{
	struct calibration *c = &focuser_of(dev)->calibration;
	if (c->identify_due) {
		return limits_anew(dev);
	}
	if (c->abort_due) {
		return abort_it(dev);
	}
	if (c->start_due) {
		return begin(dev);
	}
	return clock_now_ms(dev->clock) < c->next_look_ms ? step_at(c->next_look_ms) : look(dev);
}

void calibration_came_up(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	struct calibration *c = &f->calibration;
	int64_t now = clock_now_ms(dev->clock);
	if (c->state != CALIBRATION_RUNNING) {
		if (!f->caps.calibrating) {
			return;
		}
		*c = (struct calibration){.state = CALIBRATION_RUNNING, .seen = true, .began_ms = now,
			.began_utc_ms = clock_utc_ms()};
		log_info(dev->info.source, "a calibration is running already");
	}
	c->progress_ms = now;
	c->position = f->motion.position;
	c->next_look_ms = now;
	c->start_due = false;
	focuser_set_phase(dev, MOVE_CALIBRATING);
}

void calibration_went_down(struct device *dev, bool wished)
{
	struct calibration *c = &focuser_of(dev)->calibration;
	if (focuser_of(dev)->phase == MOVE_CALIBRATING) {
		focuser_set_phase(dev, MOVE_NONE);
		if (c->state == CALIBRATION_RUNNING && !wished) {
			log_warn(dev->info.source, "the calibration goes on in the device");
		}
	}
	c->identify_due = false;
	if (c->state == CALIBRATION_RUNNING && (wished || c->abort_due)) {
		c->state = CALIBRATION_ABORTED;
		snprintf(c->reason, sizeof c->reason, "%s",
			wished ? "it was disconnected" : "the link was lost meanwhile");
	}
	c->abort_due = false;
}
