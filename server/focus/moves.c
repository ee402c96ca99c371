/* SPDX-License-Identifier: MIT */
#include "moves.h"

int32_t moves_clamp(const struct moves_rules *rules, int32_t target)
{
	if (target < rules->min_step) {
		return rules->min_step;
	}
	return target > rules->max_step ? rules->max_step : target;
}

/* Appends the legs from -> to, none longer than the increment allows.  Were the increment so short
 * that the table overflows, the last legs grow: arriving matters more. */
static void add_legs(struct moves_plan *out, int64_t from, int64_t to, int64_t increment,
	int room)
{
	int64_t distance = to > from ? to - from : from - to;
	if (distance == 0) {
		return;
	}
	increment = increment > 0 ? increment : distance;
	int64_t count = (distance + increment - 1) / increment;
	if (count > room) {
		count = room;
		increment = (distance + count - 1) / count;
	}
	for (int64_t i = 1; i <= count && out->count < MOVES_MAX_LEGS; i++) {
		int64_t gone = i == count ? distance : i * increment;
		gone = gone < distance ? gone : distance;
		int64_t leg = to > from ? from + gone : from - gone;
		if (out->count > 0 && out->leg[out->count - 1] == leg) {
			break;
		}
		out->leg[out->count++] = (int32_t)leg;
	}
}

void moves_make(const struct moves_rules *rules, int32_t from, int32_t target,
	struct moves_plan *out)
{
	*out = (struct moves_plan){.count = 0};
	target = moves_clamp(rules, target);
	if (from == target) {
		return;
	}
	bool outwards = target > from;
	bool against = outwards != (rules->approach == MOVES_APPROACH_OUT);
	if (against && rules->backlash_steps > 0) {
		int64_t sign = outwards ? 1 : -1;
		int64_t beyond = (int64_t)target + sign * rules->backlash_steps;
		int64_t limit = outwards ? rules->max_step : rules->min_step;
		if (sign * (beyond - limit) > 0) {
			beyond = limit;
		}
		int64_t overshoot = sign * (beyond - target);
		/* Half of the overshoot still takes up some of the play; less is not worth a reversal. */
		if (2 * overshoot < rules->backlash_steps) {
			out->overshoot_skipped = true;
		} else {
			add_legs(out, from, beyond, rules->max_increment, MOVES_MAX_LEGS / 2);
			add_legs(out, beyond, target, rules->max_increment, MOVES_MAX_LEGS / 2);
			return;
		}
	}
	add_legs(out, from, target, rules->max_increment, MOVES_MAX_LEGS);
}
