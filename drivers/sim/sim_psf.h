/* SPDX-License-Identifier: MIT */
/*
 * The image of one star: the geometric blur of an annular pupil (outer diameter |defocus| / N)
 * convolved with long-exposure seeing, integrated over pixels.  Pure; memory is the caller's
 * through init and fini.  Source: Fried, Optical Resolution Through a Randomly Inhomogeneous Medium
 * for Very Long and Very Short Exposures (1966): transfer function exp(-3.44 (f lambda/r0)^(5/3)),
 * whose image has a FWHM of 0.976 lambda/r0.
 */
#ifndef FOCUSD_SIM_PSF_H
#define FOCUSD_SIM_PSF_H

#include <stddef.h>

/* Seeing is followed out to this many FWHM; the half percent of light that lies beyond is added inside. */
#define SIM_SEEING_REACH 6.0
#define SIM_SEEING_RINGS 400
#define SIM_SEEING_SAMPLES 301

/* The seeing profile for a FWHM of 1 and a flux of 1; made once, read-only afterwards. */
struct sim_seeing {
	double radius[SIM_SEEING_RINGS];    /* of rings, growing with the square of their index */
	double weight[SIM_SEEING_RINGS];    /* light in each ring; the sum is 1 */
	double surface[SIM_SEEING_SAMPLES]; /* brightness at i / (SAMPLES - 1) of the reach */
};

void sim_seeing_init(struct sim_seeing *seeing);

struct sim_psf_shape {
	double fwhm_px;      /* of the in-focus star before pixel integration, > 0 */
	double blur_px;      /* outer diameter of the geometric blur, >= 0 */
	double obstruction;  /* diameter fraction, 0..0.95 */
};

/* Stamps of size x size pixels, one for each sub-pixel phase; each sums to 1. */
struct sim_psf {
	int oversampling;    /* phases per pixel and axis, 2..8 */
	int size;            /* odd; the star's pixel is in the middle */
	double peak;         /* highest value of the stamp centred on a pixel */
	float *stamps;       /* oversampling^2 stamps, phase y outer, phase x inner */
};

/* A larger blur is rendered as if it were this one, so that a frame stays cheap; no star is visible at such a blur. */
#define SIM_PSF_MAX_BLUR_PX 600.0

/* Surface brightness at r px from the centre, for a total flux of 1 over the infinite plane, before
 * pixel integration. */
double sim_psf_profile(const struct sim_seeing *seeing, const struct sim_psf_shape *shape,
	double r_px);

/* Builds the stamps; returns 0, or -1 when out of memory. */
int sim_psf_init(struct sim_psf *psf, const struct sim_seeing *seeing,
	const struct sim_psf_shape *shape);
void sim_psf_fini(struct sim_psf *psf);

/* Splits a coordinate (px, centre of pixel 0 is 0.0) into its pixel and phase. */
void sim_psf_split(const struct sim_psf *psf, double x_px, int *pixel, int *phase);

/* The stamp of a pair of phases. */
const float *sim_psf_stamp(const struct sim_psf *psf, int phase_x, int phase_y);

#endif
