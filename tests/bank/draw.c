/* SPDX-License-Identifier: MIT */
/* The truth of a run from its cell and its number. */
#include "bank.h"

#include <math.h>

#include "../unit/focus/sky.h"

/* HFR over FWHM of the seeing: autofocus of Kolmogorov seeing in an infinite aperture. */
#define HFR_OF_FWHM 0.5683
/* The range of the motor, and the middle of where focus lies, steps. */
#define MOST_STEP 120000
#define MIDDLE 60000
/* Arc seconds of a pixel of 1 um at a focal length of 1 mm. */
#define ARCSEC 206.2648
/* A star is at least so many pixels wide (FWHM): narrower ones are a matter of the measurement, not of the plan. */
#define LEAST_WIDTH_PX 1.8
/* 1 sigma of the logarithm of what is told of the instrument. */
#define SLOPE_ERROR 0.03
#define SIZE_ERROR 0.15
/* A jump comes at one of so many frames. */
#define JUMP_FRAMES 12

static double draw(struct bank_range r, double low, double high, uint64_t *seed)
{
	double share = sky_uniform(seed);
	return r.high > 0 ? r.low + (r.high - r.low) * share : low + (high - low) * share;
}

static double sign(uint64_t *seed)
{
	return sky_uniform(seed) < 0.5 ? -1 : 1;
}

/* Telescope, seeing and motor. */
static void draw_instrument(const struct bank_cell *c, struct bank_truth *t, uint64_t *seed)
{
	static const double obstructions[] = {0, 0.2, 0.34, 0.45};
	double any = obstructions[(int)(4 * sky_uniform(seed))];
	struct af_plan_setup *s = &t->setup;
	t->obstruction = c->obstruction < 0 ? any : c->obstruction;
	s->obstruction = t->obstruction;
	s->focal_ratio = draw(c->ratio, 4, 10, seed);
	s->aperture_mm = 100 + 180 * sky_uniform(seed);
	s->focal_length_mm = s->focal_ratio * s->aperture_mm;
	double width_um = draw(c->seeing, 1.8, 4, seed) * s->focal_length_mm / ARCSEC;
	s->pixel_um = fmin(3.76, width_um / LEAST_WIDTH_PX);
	t->width_px = width_um / s->pixel_um;
	s->step_size_um = 1;
	double zone_um = af_critical_focus_zone_steps(s, HFR_OF_FWHM * t->width_px);
	t->zone = 40 + 260 * sky_uniform(seed);
	s->step_size_um = zone_um / t->zone;
	t->steps_per_u = width_um * s->focal_ratio / s->step_size_um;
	t->focus = MIDDLE + 500 * sky_uniform(seed);
}

/* What the plan is told of the instrument, right and wrong. */
static void tell_knowledge(const struct bank_cell *c, struct bank_truth *t, uint64_t *seed)
{
	struct af_plan_setup *s = &t->setup;
	double slope = sqrt((1 + t->obstruction * t->obstruction) / 8) * t->width_px / t->steps_per_u;
	double slope_told = slope * exp(SLOPE_ERROR * sky_normal(seed));
	double size_told = HFR_OF_FWHM * t->width_px * exp(SIZE_ERROR * sky_normal(seed));
	s->step_size_um *= exp(SLOPE_ERROR * sky_normal(seed));
	s->known_slope_px_per_step = s->known_hfr_min_px = NAN;
	if (c->step_size_wrong > 0) {
		s->step_size_um *= c->step_size_wrong;
	}
	if (c->knows == BANK_CALIBRATED) {
		s->known_slope_px_per_step = slope_told * (c->slope_wrong > 0 ? c->slope_wrong : 1);
		s->known_hfr_min_px = size_told;
	}
	if (c->knows == BANK_BLIND) {
		s->focal_ratio = s->aperture_mm = s->obstruction = s->focal_length_mm = NAN;
		s->pixel_um = s->step_size_um = NAN;
	}
}

/* Where the run starts, and how far it may go. */
static void draw_range(const struct bank_cell *c, struct bank_truth *t, uint64_t *seed)
{
	struct af_plan_setup *s = &t->setup;
	double side = sign(seed);
	double away = draw(c->start, 0, 4, seed) * t->zone;
	if (c->start_blur.high > 0) {
		double slope = sqrt((1 + t->obstruction * t->obstruction) / 8) * t->width_px / t->steps_per_u;
		away = draw(c->start_blur, 0, 0, seed) / slope;
	}
	s->start_position = round(fmax(0, fmin(MOST_STEP, t->focus + side * away)));
	s->min_step = 0;
	s->max_step = MOST_STEP;
	double limit = t->focus - side * c->limit * t->zone;
	if (c->limit != 0 && side > 0) {
		s->min_step = (int32_t)lround(limit);
	} else if (c->limit != 0) {
		s->max_step = (int32_t)lround(limit);
	}
	s->max_radius_steps = c->radius * t->zone;
}

void bank_draw(const struct bank_cell *cell, int run, struct bank_truth *t)
{
	/* FNV-1a over the name: a cell keeps its skies when others come before it. */
	uint64_t seed = 14695981039346656037u;
	for (const char *p = cell->name; *p != '\0'; p++) {
		seed = (seed ^ (uint64_t)(unsigned char)*p) * 1099511628211u;
	}
	seed += (uint64_t)run * 7919;
	*t = (struct bank_truth){.cell = cell};
	draw_instrument(cell, t, &seed);
	draw_range(cell, t, &seed);
	t->scatter = draw(cell->scatter, 0.05, 0.05, &seed);
	t->duration_s = draw(cell->duration, 3, 3, &seed);
	t->stars = draw(cell->stars, 20, 80, &seed);
	t->uneven = draw(cell->uneven, 1, 1, &seed);
	t->drift = draw(cell->drift, 0, 0, &seed) * t->zone * sign(&seed);
	t->backlash = draw(cell->backlash, 0, 0, &seed) * t->zone;
	t->untaken = t->backlash * sky_uniform(&seed);
	t->slip = draw(cell->slip, 0, 0, &seed) * t->zone;
	t->jump = draw(cell->jump, 0, 0, &seed) * t->zone * sign(&seed);
	t->jump_frame = (int)(JUMP_FRAMES * sky_uniform(&seed));
	t->spoil_by = draw(cell->spoil_by, 1, 1, &seed);
	t->spoil_from = (int)draw(cell->spoil_frame, 0, 0, &seed);
	t->spoil_to = cell->spoil_count > 0 ? t->spoil_from + cell->spoil_count : BANK_MOST_EXPOSURES;
	tell_knowledge(cell, t, &seed);
	t->setup.points = 9;
	t->setup.approach = sign(&seed) > 0 ? MOVES_APPROACH_OUT : MOVES_APPROACH_IN;
	t->setup.backlash_steps = (int32_t)ceil(cell->configured * t->backlash);
	t->rules = (struct moves_rules){.min_step = t->setup.min_step, .max_step = t->setup.max_step,
		.backlash_steps = t->setup.backlash_steps, .approach = t->setup.approach};
	t->seed = seed;
}
