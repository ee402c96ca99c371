/* SPDX-License-Identifier: MIT */
/* The stars of a sweep are followed from frame to frame. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "field_inside.h"
#include "match.h"

/* A star is looked for within so many half-flux radii of its place, and at least so many pixels.  Choice: the same
 * star's centroid moves by less, also where it is a ring, and neighbours within are flagged as crowded. */
#define SEARCH_HFR 3.0
#define SEARCH_LEAST_PX 5.0
/* The field may have moved so far since the first frame, px.  Choice: mirror shift and drift within one run. */
#define SHIFT_MOST_PX 100.0

void field_begin(struct field_sweep *sweep, int width, int height)
{
	sweep->width = width;
	sweep->height = height;
	sweep->frames = 0;
	sweep->stars = 0;
}

static int brighter(const void *a, const void *b)
{
	double x = ((const struct star *)a)->flux_adu;
	double y = ((const struct star *)b)->flux_adu;
	return (x < y) - (x > y);
}

/* How far the field has moved since the first frame; false when this is another field. */
static bool find_shift(const struct field_sweep *sweep, const struct star *stars, size_t count, double radius,
	double *dx, double *dy)
{
	*dx = 0;
	*dy = 0;
	if (sweep->stars == 0) {
		return true;
	}
	struct star known[FIELD_STARS];
	for (int i = 0; i < sweep->stars; i++) {
		known[i] = sweep->track[i];
	}
	qsort(known, (size_t)sweep->stars, sizeof known[0], brighter);
	struct match_result match;
	match_stars(known, (size_t)sweep->stars, stars, count, radius, SHIFT_MOST_PX, &match);
	*dx = match.shift_x_px;
	*dy = match.shift_y_px;
	return match.matched > 0;
}

/* The known star at this place that the frame has not shown yet, or -1. */
static int track_at(const struct field_sweep *sweep, const double *size, double x, double y, double radius)
{
	int best = -1;
	double least = radius * radius;
	for (int i = 0; i < sweep->stars; i++) {
		double ex = sweep->track[i].x - x;
		double ey = sweep->track[i].y - y;
		if (isnan(size[i]) && ex * ex + ey * ey <= least) {
			least = ex * ex + ey * ey;
			best = i;
		}
	}
	return best;
}

void field_tell(struct field_sweep *sweep, double position, const struct star *stars, size_t count)
{
	if (sweep->frames == FIELD_FRAMES || count == 0 || !isfinite(position)) {
		return;
	}
	double radius = fmax(SEARCH_LEAST_PX, SEARCH_HFR * stars[0].hfr_px);
	double dx, dy;
	if (!find_shift(sweep, stars, count, radius, &dx, &dy)) {
		return;
	}
	double *size = sweep->size[sweep->frames];
	double *noise = sweep->noise[sweep->frames];
	for (int i = 0; i < FIELD_STARS; i++) {
		size[i] = NAN;
	}
	int shown = 0;
	for (size_t i = 0; i < count; i++) {
		const struct star *star = &stars[i];
		if (star->flags != 0 || !(star->hfr_px > 0) || !(star->snr > 0)) {
			continue;
		}
		int at = track_at(sweep, size, star->x - dx, star->y - dy, radius);
		if (at < 0 && sweep->stars < FIELD_STARS) {
			at = sweep->stars++;
			sweep->track[at] = *star;
			sweep->track[at].x -= dx;
			sweep->track[at].y -= dy;
			for (int j = 0; j < sweep->frames; j++) {
				sweep->size[j][at] = NAN;
			}
		}
		if (at >= 0) {
			size[at] = log(star->hfr_px);
			noise[at] = FIELD_PHOTON / star->snr;
			shown++;
		}
	}
	if (shown > 0) {
		sweep->position[sweep->frames++] = position;
	}
}

void field_leave_out(struct field_sweep *sweep, double position)
{
	int kept = 0;
	for (int j = 0; j < sweep->frames; j++) {
		if (sweep->position[j] != position) {
			sweep->position[kept] = sweep->position[j];
			memmove(sweep->size[kept], sweep->size[j], sizeof sweep->size[j]);
			memmove(sweep->noise[kept], sweep->noise[j], sizeof sweep->noise[j]);
			kept++;
		}
	}
	sweep->frames = kept;
}
