/* SPDX-License-Identifier: MIT */
#include "arrival.h"

#include "focuser_private.h"

void arrival_at(struct focuser_core *f, int32_t target)
{
	f->arrival = (struct arrival){.snapped = true, .target = target, .motor = f->motion.position};
}

void arrival_forget(struct focuser_core *f)
{
	f->arrival.snapped = false;
}

int32_t arrival_standing(const struct focuser_core *f)
{
	const struct arrival *a = &f->arrival;
	bool there = a->snapped && focuser_distance(f->motion.position, a->motor) <= f->caps.tolerance_steps;
	return there ? a->target : f->motion.position;
}

int32_t arrival_published(const struct focuser_core *f)
{
	int32_t position = arrival_standing(f);
	if (position < 0) {
		return 0;
	}
	return position > f->caps.max_step ? f->caps.max_step : position;
}
