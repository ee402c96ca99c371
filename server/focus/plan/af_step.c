/* SPDX-License-Identifier: MIT */
/* What the optics say beforehand: slope of the V, star size, critical focus zone. */
#include <math.h>

#include "af_inside.h"

/* Arc seconds in a radian.  Derived: 648000/pi. */
#define ARCSEC_PER_RAD 206264.806
/* FWHM of a star where nothing is known.  Choice: a usual night at low altitude; wrong by a factor of 5 either way
 * it costs exposures, no focus: tests/unit/focus/test_af_plan.c wrong_knowledge. */
#define TYPICAL_SEEING_ARCSEC 2.5
/* HFR over FWHM of long-exposure seeing, and its inverse.  Source: the profile of Fried, Journal of the Optical
 * Society of America 56 (1966) 1372, integrated. */
#define KOLMOGOROV_HFR 0.5683
#define FWHM_PER_HFR 1.76
/* Growth of the FWHM in percent at the ends of the critical focus zone.  By definition of this zone. */
#define TAU_PERCENT 10.0
/* Obstruction from which the second coefficient is used, and the coefficients for theta in arcsec, tau in percent,
 * D in mm, the zone in um.  Source: the form is the New Critical Focus Zone of Gold Astro, whose 0.00225 is for
 * Gaussian seeing; these come from convolving Kolmogorov seeing with the annulus: 0.00209 at eps 0, 0.00196 at eps
 * 0.34 for tau 10 %. */
#define OBSTRUCTED 0.25
#define ZONE_CLEAR 0.0021
#define ZONE_OBSTRUCTED 0.00195

/* Of aperture, focal length and focal ratio the third follows from two. */
static double ratio_of(const struct af_plan_setup *s)
{
	return s->focal_ratio > 0 ? s->focal_ratio : s->focal_length_mm / s->aperture_mm;
}

static double length_of(const struct af_plan_setup *s)
{
	return s->focal_length_mm > 0 ? s->focal_length_mm : s->focal_ratio * s->aperture_mm;
}

static double aperture_of(const struct af_plan_setup *s)
{
	return s->aperture_mm > 0 ? s->aperture_mm : s->focal_length_mm / s->focal_ratio;
}

static double obstruction_of(const struct af_plan_setup *s)
{
	return s->obstruction > 0 && s->obstruction < 1 ? s->obstruction : 0;
}

static double positive(double value)
{
	return isfinite(value) && value > 0 ? value : NAN;
}

/* HFR per um of focus error, far from focus, px; see af_um_per_step(). */
static double slope_per_um(const struct af_plan_setup *setup)
{
	double eps = obstruction_of(setup);
	return sqrt((1 + eps * eps) / 2) / (2 * ratio_of(setup) * setup->pixel_um);
}

double af_optics_slope(const struct af_plan_setup *setup)
{
	return positive(slope_per_um(setup) * setup->step_size_um);
}

double af_um_per_step(const struct af_plan_setup *setup, double slope_px_per_step)
{
	double told = positive(setup->step_size_um);
	return isfinite(told) ? told : positive(slope_px_per_step / slope_per_um(setup));
}

double af_optics_hfr(const struct af_plan_setup *setup)
{
	double scale = ARCSEC_PER_RAD * setup->pixel_um / 1000 / length_of(setup);
	return positive(KOLMOGOROV_HFR * TYPICAL_SEEING_ARCSEC / scale);
}

double af_critical_focus_zone_steps(const struct af_plan_setup *setup, double hfr_min_px)
{
	double scale = ARCSEC_PER_RAD * setup->pixel_um / 1000 / length_of(setup);
	double theta = FWHM_PER_HFR * hfr_min_px * scale;
	double coefficient = obstruction_of(setup) > OBSTRUCTED ? ZONE_OBSTRUCTED : ZONE_CLEAR;
	double ratio = ratio_of(setup);
	return positive(coefficient * theta * sqrt(TAU_PERCENT) * aperture_of(setup) * ratio * ratio /
		setup->step_size_um);
}
