/* SPDX-License-Identifier: MIT */
/*
 * One star: centre, local sky, curve of growth, shape.  Private to the measurement; pure.  All
 * lengths are px of the level that is looked at.
 */
#ifndef FOCUSD_HFR_H
#define FOCUSD_HFR_H

#include <stdbool.h>
#include <stddef.h>

#include "pyramid.h"
#include "stamp.h"

/* Working memory of a probe; one per thread. */
struct probe_scratch {
	float *stamp;    /* (2*PROBE_REACH+1)^2 */
	float *samples;  /* STAMP_SAMPLES */
};

/* False when out of memory; the scratch is then empty. */
bool probe_scratch_init(struct probe_scratch *scratch);
void probe_scratch_fini(struct probe_scratch *scratch);

/* Where to look and how. */
struct probe_where {
	double x, y;           /* first guess of the centre */
	double hfr;            /* first guess of the half-flux radius */
	double factor;         /* aperture over HFR; NAN lets the star's own shape decide */
	double hfr_least;      /* the aperture follows the star's HFR between these two */
	double hfr_most;
	double common;         /* HFR of the frame's stars, which the aperture of a faint one follows; NAN: its own */
	double quantum;        /* step between pixel values */
	double sigma;          /* pixel noise of the frame */
};

/* What was found.  valid is false when there is no positive flux, the centre ran away, or the
 * size left the reach. */
struct probe {
	bool valid;
	double x, y;
	double flux, peak;
	double hfr, mean_radius, fwhm;
	double concentration;  /* radius of 80 % of the flux over that of 20 % */
	double aperture;       /* radius that was integrated */
	bool cut;              /* the frame's edge limited the aperture */
	double tail;           /* share of the flux beyond 0.8 (when cut 0.9) of the aperture */
	double tail_error;     /* its 1 sigma */
	double dip;            /* mean of the centre over the brightest ring; < 1 with a hole */
	double xx, yy, xy;     /* second moments inside twice the HFR */
	double neighbours;     /* sum of the four neighbours of the brightest pixel over that pixel */
	double neighbours_error;
	double missing;        /* share of NaN pixels inside 1.5 HFR */
	int at_maximum;        /* pixels equal to the brightest one inside 1.5 HFR */
	double flat;           /* their share of the pixels there */
	double brightest;      /* that value, sky included */
	double sky, sigma;     /* local */
	double snr;            /* in the aperture */
	double narrow_snr;     /* in an aperture of 2.3 HFR at most, however wide the other is */
};

/* Writes moments, peak, neighbours, missing and flat pixels of a probe whose centre, HFR, aperture, sky and sigma are
 * known (shape.c). */
void probe_shape(const struct stamp *s, struct probe *p);

/* Measures what is at one place.
 * Given: pyramid, level; where; scratch.
 * Returned: a probe by value; valid says whether the rest means anything.
 * Notes: 1) up to nine rounds of aperture, ring of sky, centre and curve of growth (growth.h), each from what the
 * last one found, until the size changes by less than 0.2 %.  2) the aperture is 4 HFR on a bright peaked star, 2.3
 * HFR on a ring and on a lone faint star, 2.9 HFR on faint ones that are many, between them by concentration and SNR;
 * cut at the edge of the frame.  Below SNR 18 it follows the frame's size and not the star's own, which is noise.
 * 3) 2.5 % at most of what a narrow aperture cuts off a peaked star is given back.  4) figures of accuracy are those
 * of measure_frame().  5) snr is the flux over the noise of aperture and sky; the gain is unknown, so the noise of the
 * sky stands for that of photons, which is an upper limit of what the light of the star adds. */
struct probe star_probe(const struct pyramid *pyramid, int level, const struct probe_where *where,
	struct probe_scratch *scratch);

/* The aperture, in HFR (2.3 to 4), that suits stars of this concentration.
 * Given: concentration; snr of the brightest; together, the root of the summed squares of the SNR of all, which tells
 * how well they show their profile. */
double star_probe_factor(double concentration, double snr, double together);

#endif
