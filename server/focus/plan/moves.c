/* SPDX-License-Identifier: MIT */
#include "moves.h"

int32_t moves_clamp(const struct moves_rules *rules, int32_t target)
{
	if (target < rules->min_step) {
		return rules->min_step;
	}
	return target > rules->max_step ? rules->max_step : target;
}

void moves_make(const struct moves_rules *rules, int32_t from, int32_t backlash_left, int32_t target,
	struct moves_plan *out)
{
	*out = (struct moves_plan){.count = 0};
	target = moves_clamp(rules, target);
	if (from == target) {
		return;
	}
	/* In the approach direction everything is counted as if it were outwards. */
	int64_t sign = rules->approach == MOVES_APPROACH_OUT ? 1 : -1;
	int64_t ahead = sign * ((int64_t)target - from);
	if (rules->backlash_steps > 0 && (ahead < 0 || ahead < backlash_left)) {
		int64_t beyond = (int64_t)target - sign * rules->backlash_steps;
		int64_t limit = sign > 0 ? rules->min_step : rules->max_step;
		if (sign * (limit - beyond) > 0) {
			beyond = limit;
		}
		/* Half of the overshoot still takes up some of the backlash; less is not worth a reversal. */
		if (2 * sign * (target - beyond) >= rules->backlash_steps) {
			out->point[out->count++] = (int32_t)beyond;
		} else {
			out->overshoot_skipped = true;
		}
	}
	out->point[out->count++] = target;
}

int32_t moves_leg(const struct moves_rules *rules, int32_t from, int32_t point)
{
	int64_t way = (int64_t)point - from;
	int64_t increment = rules->max_increment;
	if (increment <= 0 || (way <= increment && -way <= increment)) {
		return point;
	}
	int64_t end = way > 0 ? from + increment : from - increment;
	int64_t low = rules->min_step < point ? rules->min_step : point;
	int64_t high = rules->max_step > point ? rules->max_step : point;
	if (end < low) {
		end = low;
	}
	return (int32_t)(end > high ? high : end);
}
