/* SPDX-License-Identifier: MIT */
/*
 * The curve of growth of one star: light inside a circle against its squared radius, in rings of equal area, which
 * makes the profile, the curve and its half a matter of one array.  Private to the stars; pure.
 * Lengths are px of the level.
 */
#ifndef FOCUSD_GROWTH_H
#define FOCUSD_GROWTH_H

#include "stamp.h"

/* Rings out to the aperture: at 4 HFR the half lies in ring 16, and a ring there is 3 % of the HFR wide. */
#define GROWTH_RINGS 256

struct growth {
	double radius;              /* aperture, px */
	double flux[GROWTH_RINGS + 2]; /* ADU above the sky, signed; the last two are room to work in */
	double sum[GROWTH_RINGS];   /* cumulated flux */
	double total;               /* ADU */
};

/* Fills the curve.
 * Given: stamp; (x, y), centre, px; radius, aperture, 1.5 px and more; sky, ADU.
 * Returned: *g.
 * Notes: 1) pixels are signed and sky-subtracted, and none is clipped: clipping makes the size depend on brightness.
 * 2) each pixel is an even square; its light is spread evenly over the squared radii r^2 + 1/6 - r to r^2 + 1/6 + r,
 * which have the mean of that square and, but for terms of 1/180, its variance: the curve has no steps where whole
 * pixels come in groups of equal radius, and costs the same however finely its rings are.  Within 1.6 px the square is
 * cut into pieces of which the same is true.  Missing pixels add no light.  3) the half of Gaussians of sigma 0.7 to
 * 4 px and of disks and rings of 4 to 12 px on any place of a pixel is that of squares cut into 1000 pieces within
 * 0.6 %, of sigma 0.5 px within 2.5 %, in the mean of all places within 0.3 %:
 * tests/unit/fits/test_growth.c pixels_are_shared_as_they_lie.
 * Source: the curve of growth is that of aperture photometry; Howell, PASP 101 (1989) 616. */
void growth_make(struct growth *g, const struct stamp *s, double x, double y, double radius, double sky);

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
