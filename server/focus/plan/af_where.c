/* SPDX-License-Identifier: MIT */
/* What samples of one arm say of where focus lies, for the reason of a run that did not get there. */
#include <math.h>
#include <stdio.h>

#include "af_inside.h"

/* Relative error of the size of a large ring: frames of the same place differ by so much (seeing, tilt, overlaps).
 * Estimate: tests/unit/focus/test_af_where.c. */
#define SIZE_ERROR 0.05
/* The trend has to be so many of its sigmas before a side is named: 1 in 370 is wrong.  By definition. */
#define TREND_SIGMAS 3
/* Below this relative error two digits are told, else one.  By definition: a tenth. */
#define TWO_DIGITS 0.1

/* The trend of the sizes over the positions. */
struct trend {
	int n;
	double mean_x, mean_h;
	double least, most;   /* sizes, px */
	double slope, sigma;  /* px/step; sigma is infinite where nothing can be said */
};

static bool is_measured(const struct af_plan *plan, size_t i)
{
	const struct af_plan_point *p = &plan->points[i];
	return p->curve.stars > 0 && p->curve.hfr_px > 0 && !p->validation;
}

static struct trend trend_of(const struct af_plan *plan)
{
	struct trend t = {.least = INFINITY, .sigma = INFINITY};
	for (size_t i = 0; i < plan->point_count; i++) {
		if (is_measured(plan, i)) {
			const struct curve_point *p = &plan->points[i].curve;
			t.n++;
			t.mean_x += (p->position - t.mean_x) / t.n;
			t.mean_h += (p->hfr_px - t.mean_h) / t.n;
			t.least = fmin(t.least, p->hfr_px);
			t.most = fmax(t.most, p->hfr_px);
		}
	}
	double xx = 0, xh = 0, rest = 0;
	for (size_t i = 0; i < plan->point_count; i++) {
		if (is_measured(plan, i)) {
			double dx = plan->points[i].curve.position - t.mean_x;
			xx += dx * dx;
			xh += dx * (plan->points[i].curve.hfr_px - t.mean_h);
		}
	}
	if (!(xx > 0)) {
		return t;
	}
	t.slope = xh / xx;
	for (size_t i = 0; i < plan->point_count; i++) {
		if (is_measured(plan, i)) {
			double r = plan->points[i].curve.hfr_px - t.mean_h -
				t.slope * (plan->points[i].curve.position - t.mean_x);
			rest += r * r;
		}
	}
	double scatter = t.n > 2 ? sqrt(rest / (t.n - 2)) : 0;
	t.sigma = fmax(scatter, SIZE_ERROR * t.mean_h) / sqrt(xx);
	return t;
}

/* A number of steps with as many digits as are known. */
static double rounded(double steps, double relative_error)
{
	double unit = pow(10, floor(log10(fmax(1, steps))) - (relative_error < TWO_DIGITS ? 1 : 0));
	return unit > 1 ? round(steps / unit) * unit : round(steps);
}

bool af_where(const struct af_plan *plan, char *out, size_t cap)
{
	struct trend t = trend_of(plan);
	double known = af_optics_slope(&plan->setup);
	if (plan->setup.known_slope_px_per_step > 0) {
		known = plan->setup.known_slope_px_per_step;
	}
	if (fabs(t.slope) > TREND_SIGMAS * t.sigma) {
		double away = t.mean_x - t.mean_h / t.slope - plan->setup.start_position;
		snprintf(out, cap, "focus lies about %.0f steps %s from the start",
			rounded(fabs(away), t.sigma / fabs(t.slope)), away < 0 ? "in" : "out");
		return true;
	}
	if (known > 0 && t.n > 0) {
		snprintf(out, cap, "focus lies about %.0f steps away, and the frames do not tell on which side",
			rounded(t.mean_h / known, 1));
	} else {
		snprintf(out, cap, "focus is far, on a side that the frames do not tell, or the optics do not follow "
			"the motor");
	}
	return false;
}

bool af_only_rings(const struct af_plan *plan, char *out, size_t cap)
{
	int measured = 0, rings = 0;
	for (size_t i = 0; i < plan->point_count; i++) {
		measured += is_measured(plan, i);
		rings += is_measured(plan, i) && plan->p.rings[i];
	}
	if (rings < AF_LEAST_RINGS || rings < measured) {
		return false;
	}
	struct trend t = trend_of(plan);
	char where[120];
	af_where(plan, where, sizeof where);
	snprintf(out, cap, "only large rings, HFR %.0f to %.0f px in %d frames: %s%s", t.least, t.most, rings, where,
		plan->p.clouds > 0 ? "; they lose light, too: clouds?" : "");
	return true;
}
