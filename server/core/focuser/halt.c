/* SPDX-License-Identifier: MIT */
#include "halt.h"

#include "focuser_private.h"

/* Calls of the driver that fail before the wish is given up; the motor is watched then, and told again. */
#define HALT_TRIES 3
/* A motor that goes on for this long after a halt is told again, ms of the device's clock: setters are silent on
 * many lines, and nothing else shows that a command was lost there. */
#define HALT_AGAIN_MS 1000
/* It is told again so often. */
#define HALT_REPEATS 5

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
	if (!f->motion.moving && !f->motion.drifting) {
		stop_kept_at_rest(dev);
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
