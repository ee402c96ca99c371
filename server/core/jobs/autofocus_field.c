/* SPDX-License-Identifier: MIT */
/* What the stars of a run teach of the field, and what a frame then says of the focus error. */
#include "autofocus_private.h"

#include <stdlib.h>

void autofocus_field_begin(struct autofocus *af)
{
	/* A run without this memory goes on and teaches no field. */
	af->field = malloc(sizeof *af->field);
	if (af->field != NULL) {
		field_begin(af->field, 0, 0);
	}
}

void autofocus_field_tell(struct autofocus *af, double position, const struct seen *seen)
{
	if (af->field == NULL || seen->measurement.trailed) {
		return;
	}
	if (af->field->frames == 0) {
		field_begin(af->field, seen->info.width, seen->info.height);
	}
	if (seen->info.width == af->field->width && seen->info.height == af->field->height) {
		field_tell(af->field, position, af->stars, seen->listed);
	}
}

/* Takes out what the plan found to be no sample of its position. */
static void leave_out_doubtful(struct autofocus *af)
{
	for (size_t i = 0; i < af->plan.point_count; i++) {
		const struct curve_point *p = &af->plan.points[i].curve;
		if (p->why == CURVE_OUTLIER || p->why == CURVE_BACKLASH) {
			field_leave_out(af->field, p->position);
		}
	}
}

void autofocus_field_end(struct autofocus *af, const struct af_plan_setup *setup)
{
	const struct curve_result *fit = &af->plan.fit;
	struct run_field field = {.um_per_step = af_um_per_step(setup, fit->slope_px_per_step)};
	if (af->field != NULL && af->plan.have_fit && fit->accepted) {
		leave_out_doubtful(af);
		struct field_start start = {
			.best = fit->best_position,
			.slope_px_per_step = fit->slope_px_per_step,
			.size_px = fit->hfr_min_px,
		};
		struct err why = {0};
		field.known = field_fit(af->field, &start, &field.train, &why) == ERR_OK;
		if (!field.known) {
			log_info(af->focuser->info.source, "no field was learned: %s", why.text);
		}
	}
	free(af->field);
	af->field = NULL;
	if (field.known) {
		pthread_mutex_lock(&af->jobs.lock);
		af->run->field = field;
		pthread_mutex_unlock(&af->jobs.lock);
	}
}

bool autofocus_field_sense(struct autofocus *af, int bin, const struct seen *seen, struct measurement_focus *out)
{
	struct camera_state camera;
	camera_state(af->camera, &camera);
	struct store_history history;
	if (!autofocus_history(af, bin, &camera.caps, &history) || !history.field.known) {
		return false;
	}
	out->um_per_step = history.field.um_per_step;
	field_sense(&history.field.train, af->stars, seen->listed, seen->info.width, seen->info.height, &out->sense);
	return true;
}

void autofocus_field_first(struct autofocus *af, int bin, const struct seen *seen, struct af_observation *out)
{
	struct measurement_focus focus;
	if (!seen->measurement.trailed && autofocus_field_sense(af, bin, seen, &focus) && focus.sense.tells) {
		out->focus_error_steps = focus.sense.error;
		out->focus_error_sigma_steps = focus.sense.sigma;
		log_info(af->focuser->info.source, "the first frame says by its field: %.0f +- %.0f steps beyond focus",
			focus.sense.error, focus.sense.sigma);
	}
}
