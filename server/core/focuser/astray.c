/* SPDX-License-Identifier: MIT */
#include "astray.h"

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t length(const struct astray *a)
{
	return ((int64_t)a->way.target - a->way.from) * a->sign;
}

void astray_begin(struct astray *a, const struct astray_way *way)
{
	*a = (struct astray){.way = *way, .sign = way->target >= way->from ? 1 : -1, .turned = !way->running};
	a->passed_from = length(a);
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t margin(const struct astray *a)
{
	double ramp = a->top_speed * ASTRAY_RAMP_MS;
	double most = ASTRAY_MARGIN_MOST - ASTRAY_MARGIN_STEPS;
	return a->way.tolerance + ASTRAY_MARGIN_STEPS + (int64_t)(ramp < most ? ramp : most);
}

/* A motor that was running goes on for a while.  False while that is not over and nothing can be judged. */
static bool has_turned(struct astray *a, int64_t x, bool late)
{
	if (a->way.running && !late) {
		a->passed_from = larger(x, length(a));
	}
	if (!a->turned) {
		a->turned = x > a->last || late;
		a->best = smaller(x, length(a));
		a->last = x;
		return false;
	}
	return true;
}

enum astray_word astray_take(struct astray *a, int32_t position, double speed, int64_t now_ms)
{
	int64_t x = ((int64_t)position - a->way.from) * a->sign;
	int64_t target = length(a);
	a->top_speed = speed > a->top_speed ? speed : a->top_speed;
	if (!has_turned(a, x, now_ms - a->way.now_ms >= ASTRAY_TURN_MS)) {
		return ASTRAY_NO;
	}
	a->near_once = a->near_once || x >= target - a->way.tolerance;
	if (x < a->last && x < target) {
		a->receding++;
	} else if (x > a->last || x >= target) {
		a->receding = 0;
		a->best = smaller(x, target);
	}
	a->passing = x <= a->passed_from || x < a->last ? 0 : a->passing + (x > a->last);
	a->last = x;
	int64_t forgiven = margin(a) + a->way.own_backlash;
	/* Where nobody knows how a device takes up its backlash, what it does about its target is its own affair. */
	bool own_affair = a->way.backlash_untold && a->near_once;
	if (a->receding >= ASTRAY_READINGS && a->best - x > forgiven && !own_affair) {
		return ASTRAY_RECEDES;
	}
	if (a->passing >= ASTRAY_READINGS && x - a->passed_from > forgiven && !a->way.backlash_untold) {
		return ASTRAY_PASSES;
	}
	return a->receding > 0 || a->passing > 0 ? ASTRAY_MAYBE : ASTRAY_NO;
}

int64_t astray_steps(const struct astray *a)
{
	return a->last > a->passed_from ? a->last - a->passed_from : a->best - a->last;
}
