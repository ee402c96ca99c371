/* SPDX-License-Identifier: MIT */
/*
 * The curve of growth of one star: light inside a circle against its squared radius, in rings of equal area, which
 * makes the profile, the curve and its half a matter of one array.  Private to the stars; pure.
 * Lengths are px of the level.
 */
#ifndef FOCUSD_GROWTH_H
#define FOCUSD_GROWTH_H

#include "stamp.h"

/* Rings out to the aperture: at 4 HFR the half lies in ring 32, and a ring there is 1.6 % of the HFR wide. */
#define GROWTH_RINGS 512

struct growth {
	double radius;              /* aperture, px */
	double area[GROWTH_RINGS];  /* px that were not missing */
	double flux[GROWTH_RINGS];  /* ADU above the sky, signed */
	double sum[GROWTH_RINGS];   /* cumulated flux */
	double total;               /* ADU */
};

/* Fills the curve.
 * Given: stamp; (x, y), centre, px; radius, aperture, 1.5 px and more; sky, ADU; hfr, a guess, px; most, cap on the
 * pieces a side that a pixel is cut into, 2..9.
 * Returned: *g.
 * Notes: 1) pixels are signed and sky-subtracted, and none is clipped: clipping makes the size depend on brightness.
 * 2) a pixel is cut into small squares so that a circle through it takes its share; missing pixels add no light.
 * 3) whole pixels come in groups of equal radius about a centred star, and the curve would have steps; far out a circle
 * runs through so many pixels that few pieces of each will do.  4) with 9 pieces a Gaussian of sigma 1 px is measured
 * within 3 % of its exact value, sigma 2 px within 1.5 %, a disk of 10 px within 1 %:
 * tests/unit/fits/test_measure.c sizes_of_bright_stars.
 * Source: the curve of growth is that of aperture photometry; Howell, PASP 101 (1989) 616. */
void growth_make(struct growth *g, const struct stamp *s, double x, double y, double radius, double sky, double hfr,
	int most);

/* Radius that holds a share of the flux.
 * Given: g, total > 0; share, 0 < share < 1.
 * Returned: radius, px, 0..g->radius; NAN when the curve never crosses the share.
 * Notes: 1) noise can make the curve cross the level more than once: the middle of the first and the last crossing is
 * taken, so that it leans to no side.  2) share 0.5 is the half-flux radius: FLUX_RADIUS of Bertin and Arnouts,
 * SExtractor, Astronomy and Astrophysics Supplement 117 (1996) 393. */
double growth_radius(const struct growth *g, double share);

/* Flux-weighted mean radius, px: sum of flux times radius over the flux; g->total > 0.
 * Notes: 1) a Gaussian has 1.064 HFR, a disk 0.943: tests/unit/fits/test_measure.c sizes_of_bright_stars holds it to
 * 5 % and 2 %. */
double growth_mean_radius(const struct growth *g);

struct growth_profile {
	double fwhm; /* px; NAN on a ring, which has none, and where the profile is too short to tell */
	double dip;  /* mean of the centre over the brightest ring; below 1 with a hole */
};

/* The radial profile in rings a quarter of the HFR wide.
 * Given: g, total > 0; hfr, px.
 * Notes: 1) between two rings ln(value) is interpolated linearly in r^2, which is exact for a Gaussian.  2) the FWHM of
 * Gaussians with sigma 1 to 8 px is within 10 %: tests/unit/fits/test_measure.c sizes_of_bright_stars. */
struct growth_profile growth_profile(const struct growth *g, double hfr);

#endif
