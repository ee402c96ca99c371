/* SPDX-License-Identifier: MIT */
#include "fit_odd.h"

#include <math.h>
#include <stdio.h>

/* Further away than so many times what the rest spans a position cannot be.  By definition; a first look from far out
 * lies some spans away. */
#define SPANS_AWAY 10
/* Odd is at most one of so many. */
#define ONE_OF 4
/* Frames are binned by so much at most where their headers do not say it. */
#define MOST_BINNED 4

/* Marks the group of positions that is furthest off the rest, and returns how many it has; 0 when none is odd. */
static size_t mark_group(const double *steps, size_t n, size_t left, bool *odd)
{
	for (size_t i = 0; i < n; i++) {
		if (odd[i]) {
			continue;
		}
		/* The group that ends with this position, seen from either side. */
		for (int side = -1; side <= 1; side += 2) {
			size_t count = 0;
			double nearest = INFINITY, furthest = -INFINITY;
			for (size_t k = 0; k < n; k++) {
				double beyond = side * (steps[k] - steps[i]);
				if (odd[k] || beyond >= 0) {
					count += !odd[k];
				} else {
					nearest = fmin(nearest, -beyond);
					furthest = fmax(furthest, -beyond);
				}
			}
			double span = furthest - nearest;
			if (count * ONE_OF > left || !(span > 0) || !(nearest > SPANS_AWAY * span)) {
				continue;
			}
			for (size_t k = 0; k < n; k++) {
				odd[k] = odd[k] || side * (steps[k] - steps[i]) >= 0;
			}
			return count;
		}
	}
	return 0;
}

size_t fit_odd_positions(const double *steps, size_t n, bool *odd)
{
	size_t found = 0, more;
	for (size_t i = 0; i < n; i++) {
		odd[i] = false;
	}
	while ((more = mark_group(steps, n, n - found, odd)) > 0) {
		found += more;
	}
	return found;
}

/* Whether b is a with every so many pixels in one. */
static bool is_binned(const struct fit_scale *a, const struct fit_scale *b)
{
	for (int32_t by = 2; by <= MOST_BINNED; by++) {
		if (a->width / by == b->width && a->height / by == b->height) {
			return true;
		}
	}
	return false;
}

bool fit_same_scale(const struct fit_scale *scales, size_t n, char *why, size_t cap)
{
	for (size_t i = 1; i < n; i++) {
		const struct fit_scale *a = &scales[0], *b = &scales[i];
		bool said = a->bin != b->bin;
		if (!said && !is_binned(a, b) && !is_binned(b, a)) {
			continue;
		}
		size_t alike = 0;
		for (size_t k = 0; k < n; k++) {
			alike += said ? scales[k].bin == a->bin
				      : scales[k].width == a->width && scales[k].height == a->height;
		}
		static const char advice[] = "their sizes in pixels do not compare; fit them apart";
		if (said) {
			snprintf(why, cap, "%zu of %zu frames are binned %d x %d, others %d x %d: %s", alike, n,
				(int)a->bin, (int)a->bin, (int)b->bin, (int)b->bin, advice);
		} else {
			snprintf(why, cap, "%zu of %zu frames have %d x %d px, others %d x %d, as if binned: %s", alike,
				n, (int)a->width, (int)a->height, (int)b->width, (int)b->height, advice);
		}
		return false;
	}
	return true;
}
