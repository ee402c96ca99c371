/* SPDX-License-Identifier: MIT */
/* What a plan is told at its start: settings, optics, and what earlier runs taught. */
#include <stdio.h>

#include "autofocus_private.h"
#include "focuser.h"

/* A run waits no longer for the disk (real milliseconds); it then begins without knowing what the last one learned. */
#define HISTORY_PATIENCE_MS 1000
/* Samples of a quick run's sweep.  Measured with focusd --simulate, starts 300, 900 and -1500 steps from focus, zone of
 * 50: 7 samples end after 10 exposures and 9 after 12; 5 are too few for a curve and end after 8 to 15. */
#define QUICK_POINTS 7

const char *autofocus_filter(const struct autofocus *af)
{
	return af->params.filter[0] != '\0' ? af->params.filter : af->config->autofocus.filter;
}

const struct optics_config *autofocus_optics(const struct autofocus *af, int camera, const struct camera_caps *caps)
{
	const struct optics_config *optics = &af->config->telescope[camera];
	return !isfinite(optics->focal_length_mm) && caps->optics_known ? &caps->optics : optics;
}

bool autofocus_history(struct autofocus *af, int bin, const struct camera_caps *caps, struct store_history *out)
{
	const struct optics_config *optics = autofocus_optics(af, af->camera->info.number, caps);
	struct focuser_state f;
	focuser_state(af->focuser, &f);
	struct run like = {.focuser = af->number, .camera = af->camera->info.number, .binning = bin,
		.focal_length_mm = optics->focal_length_mm, .aperture_mm = optics->aperture_mm,
		.numbering = f.numbering};
	snprintf(like.focuser_name, sizeof like.focuser_name, "%s", af->focuser->info.name);
	snprintf(like.camera_name, sizeof like.camera_name, "%s", af->camera->info.name);
	snprintf(like.filter, sizeof like.filter, "%s", autofocus_filter(af));
	return store_history(af->needs.store, &like, HISTORY_PATIENCE_MS, out);
}

void autofocus_fill_setup(struct autofocus *af, struct af_plan_setup *setup, int bin, const struct camera_caps *caps)
{
	const struct config_autofocus *cfg = &af->config->autofocus;
	const struct optics_config *optics = autofocus_optics(af, af->camera->info.number, caps);
	struct focuser_state f;
	focuser_state(af->focuser, &f);
	*setup = (struct af_plan_setup){
		.start_position = (double)f.measured_position,
		.min_step = f.min_step,
		.max_step = f.max_step,
		.max_radius_steps = cfg->max_radius_steps,
		.points = af->params.points > 0 ? af->params.points : cfg->points,
		.step = finite_or(af->params.step, cfg->step),
		.approach = f.approach,
		.backlash_steps = f.backlash_steps,
		.focal_ratio = optics->focal_length_mm / optics->aperture_mm,
		.aperture_mm = optics->aperture_mm,
		.obstruction = finite_or(optics->obstruction_mm, 0.0) / optics->aperture_mm,
		.focal_length_mm = optics->focal_length_mm,
		.pixel_um = caps->pixel_um > 0 ? caps->pixel_um * bin : NAN,
		.step_size_um = f.step_size_um,
		.known_slope_px_per_step = NAN,
		.known_hfr_min_px = NAN,
	};
	struct store_history history;
	if (!autofocus_history(af, bin, caps, &history)) {
		return;
	}
	setup->known_slope_px_per_step = history.slope_px_per_step;
	setup->known_slope_sigma = history.slope_sigma;
	setup->known_hfr_min_px = history.hfr_min_px;
	setup->known_hfr_min_sigma_px = history.hfr_min_sigma_px;
	setup->known_asymmetry = history.asymmetry;
	setup->known_asymmetry_sigma = history.asymmetry_sigma;
	setup->known_backlash_steps = history.backlash_steps;
	setup->known_best_position = history.best_position;
	setup->known_best_sigma_steps = history.best_sigma_steps;
	if (af->params.mode == AUTOFOCUS_QUICK && af->params.points == 0 && setup->points > QUICK_POINTS) {
		setup->points = QUICK_POINTS;
	}
}
