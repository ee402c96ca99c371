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
	float *samples;
};

/* 0, or -1 when out of memory. */
int probe_scratch_init(struct probe_scratch *scratch);
void probe_scratch_fini(struct probe_scratch *scratch);

/* Where to look and how. */
struct probe_where {
	double x, y;           /* first guess of the centre */
	double hfr;            /* first guess of the half-flux radius */
	double factor;         /* aperture over HFR; NAN lets the star's own shape decide */
	double hfr_least;      /* the aperture follows the star's HFR between these two */
	double hfr_most;
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
	double brightest;      /* that value, sky included */
	double sky, sigma;     /* local */
	double snr;
};

/* Writes moments, peak, neighbours, missing and flat pixels of a probe whose centre, HFR, aperture, sky and sigma are
 * known (shape.c). */
void probe_shape(const struct stamp *s, struct probe *p);

/* Measures what is at where.  Returns it by value; valid says whether the rest means anything.
 * Notes: 1) the curve of growth adds signed, sky-subtracted pixels, each cut into small squares so
 * that a circle through a pixel takes its share; nothing is clipped.  2) lone hot pixels are
 * replaced by their neighbours' mean when the star is so large that none of it can be that sharp.
 * 3) the aperture is 4 HFR on a bright peaked star, 2.3 on a faint one and on a ring, in
 * between by concentration and SNR; cut at the frame's edge. */
struct probe star_probe(const struct pyramid *pyramid, int level, const struct probe_where *where,
	struct probe_scratch *scratch);

/* The aperture, in HFR, that suits stars of this concentration and SNR. */
double star_probe_factor(double concentration, double snr);

#endif
