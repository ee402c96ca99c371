/* SPDX-License-Identifier: MIT */
#include "match.h"

#include <math.h>
#include <stdlib.h>

/* The brightest of each list vote for the common shift: enough for a secure majority, few enough that
 * all pairs can be tried. */
#define VOTERS 30
#define MAX_MATCHES 512

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

void match_stars(const struct star *reference, size_t reference_count, const struct star *seen,
	size_t seen_count, double radius_px, double max_shift_px, struct match_result *out)
{
	*out = (struct match_result){.shift_x_px = NAN, .shift_y_px = NAN, .flux_ratio = NAN};
	size_t ref[MAX_MATCHES];
	size_t now[MAX_MATCHES];
	size_t nref = first_used(reference, reference_count, ref, MAX_MATCHES);
	size_t nnow = first_used(seen, seen_count, now, MAX_MATCHES);
	if (nref == 0 || nnow == 0) {
		return;
	}
	size_t ref_voters = nref < VOTERS ? nref : VOTERS;
	size_t now_voters = nnow < VOTERS ? nnow : VOTERS;
	int best_votes = 0;
	double best_dx = 0;
	double best_dy = 0;
	double best_length = INFINITY;
	for (size_t i = 0; i < ref_voters; i++) {
		for (size_t j = 0; j < now_voters; j++) {
			double dx = seen[now[j]].x - reference[ref[i]].x;
			double dy = seen[now[j]].y - reference[ref[i]].y;
			if (fabs(dx) > max_shift_px || fabs(dy) > max_shift_px) {
				continue;
			}
			int votes = 0;
			for (size_t k = 0; k < ref_voters; k++) {
				votes += nearest(seen, now, now_voters, reference[ref[k]].x + dx,
						 reference[ref[k]].y + dy, radius_px) >= 0;
			}
			double length = dx * dx + dy * dy;
			if (votes > best_votes || (votes == best_votes && length < best_length)) {
				best_votes = votes;
				best_dx = dx;
				best_dy = dy;
				best_length = length;
			}
		}
	}
	/* Two lists with many stars that agree in one pair only do not show the same field. */
	size_t smaller = ref_voters < now_voters ? ref_voters : now_voters;
	if (best_votes == 0 || (smaller >= 6 && best_votes < 3)) {
		return;
	}
	double ratio[MAX_MATCHES];
	int n = 0;
	for (size_t i = 0; i < nref; i++) {
		const struct star *a = &reference[ref[i]];
		long j = nearest(seen, now, nnow, a->x + best_dx, a->y + best_dy, radius_px);
		if (j >= 0 && a->flux_adu > 0 && seen[j].flux_adu > 0) {
			ratio[n++] = seen[j].flux_adu / a->flux_adu;
		}
	}
	if (n == 0) {
		return;
	}
	qsort(ratio, (size_t)n, sizeof ratio[0], compare_doubles);
	out->matched = n;
	out->shift_x_px = best_dx;
	out->shift_y_px = best_dy;
	out->flux_ratio = n % 2 != 0 ? ratio[n / 2] : 0.5 * (ratio[n / 2 - 1] + ratio[n / 2]);
}
