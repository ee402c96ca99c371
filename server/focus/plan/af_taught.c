/* SPDX-License-Identifier: MIT */
/* What a run teaches the next one, and what one frame says in the light of it. */
#include <math.h>
#include <stdio.h>

#include "af_inside.h"

/* One sigma of the relative difference of two arms before a curve was seen.  Estimate: arms of 1.15 : 1 are usual,
 * 1.3 : 1 occur (spherical aberration, a tilted mirror). */
#define ASYMMETRY_PRIOR 0.2
/* Fewest points that tell the arms apart: the four parameters and one.  By definition. */
#define TAUGHT_POINTS 5
/* Factor by which slopes of optics and curve may differ.  Source: af_inside.h, af_optics_slope(), notes 2 and 3: 3 to 6
 * % by diffraction; half an obstruction that nobody told of is 12 %, asymmetric arms are the rest. */
#define OPTICS_AGREE 1.3
/* From the least of the samples to one this much larger the mean slope is 0.58 of that of the arms or more.  Derived:
 * 1 / sqrt(3) on a hyperbola whose vertex is the least sample; more where it is not. */
#define TELLING_SIZE 2
/* Such a slope is that of other optics than those that the plan was told, not of backlash or slip, which shift samples
 * by less than their distance.  Choice: 0.58 less a third, and 2. */
#define MUCH_FLATTER 0.4
#define MUCH_STEEPER 2
/* The HFR has grown so much at the edge of the critical focus zone.  By definition of the zone (af_plan.h). */
#define ZONE_GROWTH 1.1
/* Relative change of the least size from night to night where nobody knows better.  Estimate. */
#define SEEING_CHANGE 0.15

/* Parameters of the curve with two slopes. */
enum { P_A, P_K, P_X0, P_E, P_COUNT };

/* Solves the symmetric system in place by elimination without pivots (it is positive definite), and returns the last
 * unknown with its variance, 1 over its last pivot. */
static void last_unknown(double m[P_COUNT][P_COUNT + 1], double *value, double *variance)
{
	for (int i = 0; i < P_COUNT; i++) {
		for (int j = i + 1; j < P_COUNT; j++) {
			double factor = m[j][i] / m[i][i];
			for (int k = i; k <= P_COUNT; k++) {
				m[j][k] -= factor * m[i][k];
			}
		}
	}
	*value = m[P_E][P_COUNT] / m[P_E][P_E];
	*variance = 1 / m[P_E][P_E];
}

/* One step of least squares for the difference of the arms. */
static void asymmetry(const struct af_plan *plan, struct af_taught *out)
{
	const struct curve *c = &plan->fit.curve;
	double unit[P_COUNT] = {c->a, c->k, c->a / c->k, 1};
	double m[P_COUNT][P_COUNT + 1] = {{0}};
	for (size_t i = 0; i < plan->point_count; i++) {
		const struct curve_point *p = &plan->points[i].curve;
		if (!p->used || plan->points[i].validation || !(p->error_px > 0)) {
			continue;
		}
		double t = p->position - c->x0;
		double q = c->k * (1 + (t > 0 ? c->e : -c->e) / 2);
		double s = sqrt(c->a * c->a + q * q * t * t);
		double g[P_COUNT] = {c->a / s, q * q * t * t / (c->k * s), -q * q * t / s,
			copysign(q * c->k * t * t / (2 * s), t)};
		double weight = 1 / (p->error_px * p->error_px);
		double rest = p->hfr_px - curve_at(&plan->fit, p->position, NULL);
		for (int j = 0; j < P_COUNT; j++) {
			for (int k = 0; k < P_COUNT; k++) {
				m[j][k] += weight * g[j] * unit[j] * g[k] * unit[k];
			}
			m[j][P_COUNT] += weight * g[j] * unit[j] * rest;
		}
	}
	/* The prior is about 0, the step from what the curve has already. */
	m[P_E][P_E] += 1 / (ASYMMETRY_PRIOR * ASYMMETRY_PRIOR);
	m[P_E][P_COUNT] -= c->e / (ASYMMETRY_PRIOR * ASYMMETRY_PRIOR);
	double e, variance;
	last_unknown(m, &e, &variance);
	e += c->e;
	if (isfinite(e) && fabs(e) < 1 && variance > 0) {
		out->asymmetry = e;
		out->asymmetry_sigma = sqrt(variance);
	}
}

bool af_setup_from_samples(const struct af_plan *failed, struct af_plan_setup *setup)
{
	const struct curve_point *least = NULL, *most = NULL;
	for (size_t i = 0; i < failed->point_count; i++) {
		const struct curve_point *p = &failed->points[i].curve;
		if (p->stars > 0 && p->hfr_px > 0) {
			least = least == NULL || p->hfr_px < least->hfr_px ? p : least;
			most = most == NULL || p->hfr_px > most->hfr_px ? p : most;
		}
	}
	if (least == NULL || !(most->hfr_px > TELLING_SIZE * least->hfr_px)) {
		return false;
	}
	double slope = (most->hfr_px - least->hfr_px) / fabs(most->position - least->position);
	double told = setup->known_slope_px_per_step > 0 ? setup->known_slope_px_per_step : af_optics_slope(setup);
	if (!(slope > MUCH_STEEPER * told || slope < MUCH_FLATTER * told)) {
		return false;
	}
	setup->step_size_um = NAN;
	setup->known_asymmetry = setup->known_best_position = NAN;
	setup->known_slope_sigma = setup->known_hfr_min_sigma_px = setup->known_asymmetry_sigma = 0;
	setup->known_best_sigma_steps = 0;
	setup->known_slope_px_per_step = slope;
	setup->known_hfr_min_px = least->hfr_px;
	return true;
}

void af_plan_taught(const struct af_plan *plan, const struct af_plan_setup *told, struct af_taught *out)
{
	*out = (struct af_taught){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
	const struct curve_result *fit = &plan->fit;
	if (plan->wish.want != AF_WANT_SUCCESS || !plan->have_fit || fit->points_used < TAUGHT_POINTS) {
		return;
	}
	out->slope_px_per_step = fit->slope_px_per_step;
	out->slope_sigma = sqrt(fit->covariance[CURVE_K][CURVE_K]);
	out->hfr_min_px = fit->hfr_min_px;
	out->hfr_min_sigma_px = sqrt(fit->covariance[CURVE_A][CURVE_A] + fit->covariance[CURVE_Y0][CURVE_Y0] +
		2 * fit->covariance[CURVE_A][CURVE_Y0]);
	out->backlash_steps = plan->p.backlash;
	double optics = af_optics_slope(told);
	out->optics_ratio = optics > 0 ? fit->slope_px_per_step / optics : NAN;
	asymmetry(plan, out);
}

bool af_optics_disagree(const struct af_taught *taught, char *out, size_t cap)
{
	double ratio = taught->optics_ratio;
	out[0] = '\0';
	if (!(ratio > OPTICS_AGREE || ratio < 1 / OPTICS_AGREE)) {
		return false;
	}
	bool steep = ratio > 1;
	snprintf(out, cap,
		"the curve is %.2g times as %s as the telescope section and step_size_um say: one of them is wrong, "
		"and the curve counts", steep ? ratio : 1 / ratio, steep ? "steep" : "flat");
	return true;
}

enum err_code af_check(const struct af_plan *plan, char *reason, size_t cap)
{
	const struct af_plan_setup *setup = &plan->setup;
	const struct curve_point *p = plan->point_count > 0 ? &plan->points[plan->point_count - 1].curve : NULL;
	double least = setup->known_hfr_min_px;
	reason[0] = '\0';
	if (p == NULL || p->stars == 0) {
		snprintf(reason, cap,
			"no measurable stars: far from focus, clouds, a closed cover, or too short an exposure");
		return ERR_NO_STARS;
	}
	if (!(least > 0)) {
		snprintf(reason, cap,
			"HFR %.2f px, and no earlier run says how small the stars get: run a full one first",
			p->hfr_px);
		return ERR_BAD_FIT;
	}
	double change = setup->known_hfr_min_sigma_px > 0 ? setup->known_hfr_min_sigma_px : SEEING_CHANGE * least;
	double sigma = hypot(ZONE_GROWTH * change, plan->p.raw_error_px[plan->point_count - 1]);
	if (p->hfr_px - ZONE_GROWTH * least <= sigma) {
		return ERR_OK;
	}
	double away = sqrt(p->hfr_px * p->hfr_px - least * least) / setup->known_slope_px_per_step;
	char where[60] = "";
	if (away > 0 && isfinite(away)) {
		snprintf(where, sizeof where, ", about %.0f steps from focus", away);
	}
	snprintf(reason, cap, "out of focus: HFR %.2f px where %.2f px was the least%s", p->hfr_px, least, where);
	return ERR_VALIDATION;
}
