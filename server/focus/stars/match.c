/* SPDX-License-Identifier: MIT */
/* The same stars in two frames; see match.h. */
#include "match.h"

#include <math.h>
#include <stdlib.h>

/* The brightest of each list vote for the common shift: enough for a secure majority, few enough that
 * all pairs can be tried. */
#define VOTERS 30
/* Stars of each list that take part at all. */
#define MAX_MATCHES 512
/* Lists with so many voters or more have to agree in so many. */
#define MANY_VOTERS 6
#define VOTES_WANTED 3

static size_t first_used(const struct star *list, size_t count, size_t *index, size_t cap)
{
	size_t n = 0;
	for (size_t i = 0; i < count && n < cap; i++) {
		if (list[i].flags == 0) {
			index[n++] = i;
		}
	}
	return n;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;
	return (x > y) - (x < y);
}

/* The seen star nearest to a place, or -1. */
static long nearest(const struct star *seen, const size_t *index, size_t count, double x, double y,
	double radius)
{
	long best = -1;
	double least = radius * radius;
	for (size_t i = 0; i < count; i++) {
		double dx = seen[index[i]].x - x;
		double dy = seen[index[i]].y - y;
		double d = dx * dx + dy * dy;
		if (d <= least) {
			least = d;
			best = (long)index[i];
		}
	}
	return best;
}

/* The used stars of one list. */
struct used {
	const struct star *list;
	size_t index[MAX_MATCHES];
	size_t count;
	size_t voters;
};

static void used_make(struct used *used, const struct star *list, size_t count)
{
	used->list = list;
	used->count = first_used(list, count, used->index, MAX_MATCHES);
	used->voters = used->count < VOTERS ? used->count : VOTERS;
}

/* The shift that most voters agree on, of equal ones the shortest; returns its votes. */
static int common_shift(const struct used *ref, const struct used *now, double radius_px, double max_shift_px,
	double *best_dx, double *best_dy)
{
	int best_votes = 0;
	double best_length = INFINITY;
	for (size_t i = 0; i < ref->voters; i++) {
		for (size_t j = 0; j < now->voters; j++) {
			double dx = now->list[now->index[j]].x - ref->list[ref->index[i]].x;
			double dy = now->list[now->index[j]].y - ref->list[ref->index[i]].y;
			if (fabs(dx) > max_shift_px || fabs(dy) > max_shift_px) {
				continue;
			}
			int votes = 0;
			for (size_t k = 0; k < ref->voters; k++) {
				const struct star *a = &ref->list[ref->index[k]];
				votes += nearest(now->list, now->index, now->voters, a->x + dx, a->y + dy,
						 radius_px) >= 0;
			}
			double length = dx * dx + dy * dy;
			if (votes > best_votes || (votes == best_votes && length < best_length)) {
				best_votes = votes;
				*best_dx = dx;
				*best_dy = dy;
				best_length = length;
			}
		}
	}
	return best_votes;
}

void match_stars(const struct star *reference, size_t reference_count, const struct star *seen,
	size_t seen_count, double radius_px, double max_shift_px, struct match_result *out)
{
	*out = (struct match_result){.shift_x_px = NAN, .shift_y_px = NAN, .flux_ratio = NAN};
	struct used ref, now;
	used_make(&ref, reference, reference_count);
	used_make(&now, seen, seen_count);
	double dx = 0, dy = 0;
	int votes = common_shift(&ref, &now, radius_px, max_shift_px, &dx, &dy);
	/* Two lists with many stars that agree in one pair only do not show the same field. */
	size_t smaller = ref.voters < now.voters ? ref.voters : now.voters;
	if (votes == 0 || (smaller >= MANY_VOTERS && votes < VOTES_WANTED)) {
		return;
	}
	double ratio[MAX_MATCHES];
	size_t n = 0;
	for (size_t i = 0; i < ref.count; i++) {
		const struct star *a = &reference[ref.index[i]];
		long j = nearest(seen, now.index, now.count, a->x + dx, a->y + dy, radius_px);
		if (j >= 0 && a->flux_adu > 0 && seen[j].flux_adu > 0) {
			ratio[n++] = seen[j].flux_adu / a->flux_adu;
		}
	}
	if (n == 0) {
		return;
	}
	qsort(ratio, n, sizeof ratio[0], compare_doubles);
	out->matched = (int)n;
	out->shift_x_px = dx;
	out->shift_y_px = dy;
	out->flux_ratio = n % 2 != 0 ? ratio[n / 2] : 0.5 * (ratio[n / 2 - 1] + ratio[n / 2]);
}
