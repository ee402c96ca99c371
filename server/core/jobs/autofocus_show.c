/* SPDX-License-Identifier: MIT */
/* Copies what the plan knows into the run object that everybody sees. */
#include <stdio.h>
#include <stdlib.h>

#include "autofocus_private.h"

static struct run_point point_of(const struct af_plan_point *p)
{
	struct run_point out = {
		.position = p->curve.position,
		.hfr_px = p->curve.stars > 0 ? p->curve.hfr_px : NAN,
		.error_px = p->curve.stars > 0 ? p->curve.error_px : NAN,
		.stars = p->curve.stars,
		.flux_ratio = p->flux_ratio,
		.used = p->curve.used && !p->validation,
		.validation = p->validation,
	};
	snprintf(out.why, sizeof out.why, "%s",
		p->validation ? "validation" : out.used ? "" : curve_why_name(p->curve.why));
	return out;
}

/* Shows a fit (NULL: there is none). One that was not accepted is drawn, but names no best position. */
static void show_fit(struct run *run, const struct curve_result *fit)
{
	bool drawn = fit != NULL && isfinite(fit->curve.a);
	bool known = drawn && fit->accepted;
	run->best_position = known ? fit->best_position : NAN;
	run->uncertainty_steps = known ? fit->uncertainty_steps : NAN;
	run->interval95_steps[0] = known ? fit->interval95_steps[0] : NAN;
	run->interval95_steps[1] = known ? fit->interval95_steps[1] : NAN;
	run->r_squared = drawn ? fit->r_squared : NAN;
	snprintf(run->model, sizeof run->model, "%s", drawn ? curve_model_name(fit->model) : "");
	run->curve = (struct run_curve){NAN, NAN, NAN, NAN, NAN};
	if (drawn) {
		const struct curve *c = &fit->curve;
		run->curve = (struct run_curve){c->a, c->k, c->x0, c->y0, c->e};
	}
}

/* What people who watch are told of the plan's phase. */
static enum run_phase phase_of(enum af_phase phase)
{
	switch (phase) {
	case AF_PHASE_START:
		return RUN_PHASE_START;
	case AF_PHASE_SEARCH:
		return RUN_PHASE_SEARCH;
	case AF_PHASE_SWEEP:
		return RUN_PHASE_SWEEP;
	case AF_PHASE_EXTEND:
		return RUN_PHASE_EXTEND;
	case AF_PHASE_VALIDATE:
		return RUN_PHASE_VALIDATE;
	case AF_PHASE_OVER:
		break;
	}
	return RUN_PHASE_OVER;
}

/* Shows what the plan taught, and whether the optics contradict it. */
static void show_taught(struct run *run, const struct af_plan *plan, const struct af_plan_setup *told)
{
	struct af_taught taught;
	af_plan_taught(plan, told, &taught);
	run->taught = (struct run_taught){taught.slope_px_per_step, taught.slope_sigma, taught.hfr_min_px,
		taught.hfr_min_sigma_px, taught.asymmetry, taught.asymmetry_sigma, taught.backlash_steps};
	run->focal_length_mm = told->focal_length_mm;
	run->aperture_mm = told->aperture_mm;
	af_optics_disagree(&taught, run->note, sizeof run->note);
}

void autofocus_publish_plan(struct autofocus *af, int exposures, double elapsed_s, double overhead_s)
{
	const struct af_plan *plan = &af->plan;
	struct run_point *points =
		plan->point_count > 0 ? calloc(plan->point_count, sizeof *points) : NULL;
	for (size_t i = 0; points != NULL && i < plan->point_count; i++) {
		points[i] = point_of(&plan->points[i]);
	}
	/* The curve grows with the samples that come in; at the end the plan's own fit counts. */
	struct curve_result live;
	const struct curve_result *fit = NULL;
	if (plan->phase == AF_PHASE_VALIDATE || plan->phase == AF_PHASE_OVER) {
		fit = plan->have_fit ? &plan->fit : NULL;
	} else if (af_plan_live_fit(plan, &live)) {
		fit = &live;
	}
	pthread_mutex_lock(&af->jobs.lock);
	struct run *run = af->run;
	free(run->points);
	run->points = points;
	run->point_count = points != NULL ? plan->point_count : 0;
	run->exposures = exposures;
	run->duration_s = elapsed_s;
	run->overhead_s = overhead_s;
	/* A second plan begins anew, and the bar does not go back. */
	run->progress = fmax(run->progress, af_plan_progress(plan));
	snprintf(run->phase, sizeof run->phase, "%s", run_phase_name(phase_of(plan->phase)));
	run->hfr_start_px = plan->hfr_start_px;
	run->hfr_predicted_px = plan->hfr_predicted_px;
	run->hfr_final_px = plan->hfr_final_px;
	run->critical_focus_zone_steps = plan->critical_focus_zone_steps;
	show_fit(run, fit);
	show_taught(run, plan, &af->told);
	jobs_changed(&af->jobs);
	pthread_mutex_unlock(&af->jobs.lock);
}
