/* SPDX-License-Identifier: MIT */
#include "numbering.h"

static int32_t narrow(int64_t steps)
{
	return steps > INT32_MAX ? INT32_MAX : steps < INT32_MIN ? INT32_MIN : (int32_t)steps;
}

int32_t numbering_highest(const struct numbering *n)
{
	return narrow((int64_t)n->high - n->low);
}

int32_t numbering_published(const struct numbering *n, int64_t motor)
{
	if (!n->known) {
		return narrow(motor);
	}
	return narrow(n->reversed ? n->high - motor : motor - n->low);
}

int32_t numbering_motor(const struct numbering *n, int64_t published)
{
	if (!n->known) {
		return narrow(published);
	}
	return narrow(n->reversed ? n->high - published : published + n->low);
}

double numbering_published_part(const struct numbering *n, double motor)
{
	if (!n->known) {
		return motor;
	}
	return n->reversed ? n->high - motor : motor - n->low;
}

double numbering_motor_part(const struct numbering *n, double published)
{
	if (!n->known) {
		return published;
	}
	return n->reversed ? n->high - published : published + n->low;
}

bool numbering_holds(const struct numbering *n, int32_t motor)
{
	return !n->known || (motor >= n->low && motor <= n->high);
}

bool numbering_same_count(const struct numbering *a, const struct numbering *b)
{
	if (!a->known || !b->known) {
		return false;
	}
	return (!a->calibrated && !b->calibrated) || (a->low == b->low && a->high == b->high);
}

bool numbering_same(const struct numbering *a, const struct numbering *b)
{
	return a->known == b->known && a->reversed == b->reversed && a->calibrated == b->calibrated &&
	       a->low == b->low && a->high == b->high;
}

bool numbering_equal(const struct numbering *a, const struct numbering *b)
{
	if (!a->known || !b->known || a->reversed != b->reversed) {
		return a->known == b->known && a->reversed == b->reversed;
	}
	return a->reversed ? a->high == b->high : a->low == b->low;
}
