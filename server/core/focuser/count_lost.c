/* SPDX-License-Identifier: MIT */
#include "count_lost.h"

#include "focuser_private.h"
#include "position_verdict.h"

/* Whether the motor rests at 0, far from where it was, where the driver does not tell of a reset. */
static bool looks_forgotten(const struct focuser_core *f)
{
	const struct focuser_memory *m = &f->memory;
	if (f->driver->count != FOCUSER_COUNT_MAY_BE_LOST || !f->motion.known || !m->has_last ||
		f->motion.moving || numbering_motor(&f->numbering, f->motion.position) != 0) {
		return false;
	}
	int32_t nearest = m->last.moving ? m->last.low : m->last.position;
	return nearest > POSITION_WAY_MARGIN + f->caps.backlash_steps;
}

bool count_lost(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	if (!f->fresh.reset_seen && !looks_forgotten(f)) {
		return false;
	}
	struct err why;
	err_set(&why, ERR_STALLED, "%s has lost its count: it was reset, and says %d", dev->info.name,
		(int)f->motion.position);
	device_lease_lost(dev);
	if (f->phase == MOVE_HALTING) {
		focuser_set_phase(dev, MOVE_NONE);
	} else if (f->phase != MOVE_NONE) {
		leg_end_move(dev, &why);
	} else {
		log_error(dev->info.source, "%s", why.text);
		device_failed(dev, NULL, &why);
	}
	arrival_forget(f);
	motion_count_lost(&f->motion);
	f->tempcomp.on = false;
	f->tempcomp.wanted = false;
	memory_judge(dev);
	memory_rest(dev);
	device_changed(dev);
	return true;
}
