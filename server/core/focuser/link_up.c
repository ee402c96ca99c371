/* SPDX-License-Identifier: MIT */
#include "link_up.h"

#include "focuser_private.h"
#include "identify.h"
#include "link_stop.h"
#include "port.h"

/* On disconnect the motor is halted in so many rounds, and looked at so often in each until it rests. */
#define STOP_ROUNDS 3
#define STOP_LOOKS 4

enum err_code link_up_open(struct device *dev, struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	memory_open(dev);
	pthread_mutex_lock(&dev->lock);
	stop_kept_lapse(dev);
	pthread_mutex_unlock(&dev->lock);
	f->identified = false;
	f->first_read = false;
	f->fresh = (struct focuser_reading){0};
	temperature_opened(&f->temperature);
	enum err_code code = port_choose(dev, dev->was_up, &f->port, err);
	return code == ERR_OK ? drive_open(dev, err) : code;
}

enum err_code link_up_read_all(struct device *dev, bool *all, struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	pthread_mutex_lock(&dev->lock);
	enum err_code code = link_stop_pay(dev, err);
	bool halt_owed = f->stop.owed;
	pthread_mutex_unlock(&dev->lock);
	if (code == ERR_IO) {
		return code;
	}
	/* A motor that runs may have to be stopped at any moment, and that needs the link. */
	bool moves = (f->fresh.moving_valid && f->fresh.moving) || f->fresh_caps.calibrating;
	*all = halt_owed || moves || !temperature_missing(dev);
	if (*all) {
		return code;
	}
	struct focuser_reading reading;
	code = drive_ask_temperature(dev, &reading, err);
	if (code != ERR_IO) {
		temperature_heard(dev, &reading);
		*all = !temperature_missing(dev);
	}
	return code;
}

enum err_code link_up_identify(struct device *dev, struct err *err)
{
	enum err_code code = identify_device(dev, err);
	if (code == ERR_OK) {
		pthread_mutex_lock(&dev->lock);
		code = link_stop_pay(dev, err);
		pthread_mutex_unlock(&dev->lock);
	}
	return code;
}

void link_up_came(struct device *dev, bool again)
{
	struct focuser_core *f = focuser_of(dev);
	identify_take_caps(dev);
	focuser_set_phase(dev, MOVE_NONE);
	halt_forget(&f->halt);
	motion_forget(&f->motion);
	temperature_came_up(dev);
	f->poll_failures = 0;
	f->next_poll_ms = 0;
	f->tempcomp.on = f->caps.tempcomp_on;
	f->tempcomp.wanted = f->caps.tempcomp_on;
	if (!again) {
		arrival_forget(f);
		f->move_told.until_ms = 0;
	}
	focuser_take_reading(dev, &f->fresh);
	memory_renumber(dev);
	memory_judge(dev);
	transcript_say(dev->transcript, TRANSCRIPT_RESULT, "identity=%s", f->caps.identity);
	if (!dev->quiet_return && f->motion.known) {
		log_info(dev->info.source, "%s position=%d max_step=%d", f->caps.identity, (int)f->motion.position,
			(int)f->caps.max_step);
	} else if (!dev->quiet_return) {
		log_info(dev->info.source, "%s position=unknown max_step=%d", f->caps.identity, (int)f->caps.max_step);
	}
	/* That a person has to turn the knob is no fault. */
	if (f->caps.move_refusal[0] != '\0' && !f->driver->by_hand && !dev->quiet_return) {
		log_warn(dev->info.source, "%s", f->caps.move_refusal);
	}
	calibration_came_up(dev);
	link_stop_came(dev);
}

void link_up_went(struct device *dev, const struct err *why)
{
	struct focuser_core *f = focuser_of(dev);
	link_stop_went(dev, dev->link == LINK_LOST, why);
	halt_forget(&f->halt);
	motion_lost_sight(&f->motion);
	temperature_forget(&f->temperature);
	calibration_went_down(dev, dev->link == LINK_CLOSING);
	set_position_went_down(dev, why);
	if (f->phase == MOVE_HALTING) {
		focuser_set_phase(dev, MOVE_NONE);
	} else if (f->phase != MOVE_NONE) {
		leg_end_move(dev, why);
	}
}

/* Whether the motor rests by the device's own word, looked for a little while.  ERR_IO when the device is
 * gone. */
static enum err_code comes_to_rest(struct device *dev, bool *rests, struct err *err)
{
	struct focuser_core *f = focuser_of(dev);
	for (int look = 0; look < STOP_LOOKS; look++) {
		enum err_code code = drive_poll(dev, FOCUSER_WANT_MOTION, err);
		if (code != ERR_OK) {
			return code;
		}
		/* What is read here goes into the journal, so an odd position has to be said twice here, too. */
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
void link_up_stop(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	bool rests = f->phase == MOVE_NONE && !f->motion.moving;
	/* A calibration is ended by its own command, until that is heard. */
	bool calibrating = f->phase == MOVE_CALIBRATING;
	struct err err = {0};
	enum err_code code = ERR_OK;
	for (int round = 0; !rests && code != ERR_IO && round < STOP_ROUNDS; round++) {
		/* Nothing is more urgent than this halt, so no call of it gives up for something urgent. */
		device_seen_urgent(dev);
		code = calibrating ? drive_calibrate(dev, false, &err) : drive_halt(dev, &err);
		if (code == ERR_OK) {
			calibrating = false;
			code = comes_to_rest(dev, &rests, &err);
		}
	}
	if (rests && f->motion.known && f->memory.has_last && f->memory.last.moving) {
		memory_rest(dev);
	}
	if (!rests) {
		log_error(dev->info.source, "the motor may still be moving: %s",
			code != ERR_OK ? err.text : "it does not stop");
	}
}

int link_up_open_wait_ms(struct device *dev)
{
	const struct focuser_core *f = focuser_of(dev);
	if (f->cfg->open_wait_ms >= 0) {
		return f->cfg->open_wait_ms;
	}
	return f->driver->open_wait_for != NULL ? f->driver->open_wait_for(&f->port)
						: f->driver->open_wait_ms;
}
