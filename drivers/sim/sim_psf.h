/* SPDX-License-Identifier: MIT */
/*
 * The image of one star: the geometric blur of an annular pupil (outer diameter |defocus| / N)
 * convolved with long-exposure seeing as a Moffat profile of exponent 4.765, integrated over pixels.
 * Pure; memory is the caller's through init and fini.  Source: Moffat, A Theoretical Investigation of
 * Focal Stellar Images (1969); the exponent is that of Trujillo et al. (2001) for turbulence.
 */
#ifndef FOCUSD_SIM_PSF_H
#define FOCUSD_SIM_PSF_H

#include <stddef.h>

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

/* Blur beyond this is rendered as if it were this, so that a frame stays cheap; no star is visible
 * there. */
#define SIM_PSF_MAX_BLUR_PX 600.0

/* Surface brightness at r px from the centre, for a total flux of 1 over the infinite plane, before
 * pixel integration. */
double sim_psf_profile(const struct sim_psf_shape *shape, double r_px);

/* Builds the stamps.  0, or -1 when out of memory. */
int sim_psf_init(struct sim_psf *psf, const struct sim_psf_shape *shape);
void sim_psf_fini(struct sim_psf *psf);

/* Splits a coordinate (px, centre of pixel 0 is 0.0) into its pixel and phase. */
void sim_psf_split(const struct sim_psf *psf, double x_px, int *pixel, int *phase);

/* The stamp of a pair of phases. */
const float *sim_psf_stamp(const struct sim_psf *psf, int phase_x, int phase_y);

#endif
