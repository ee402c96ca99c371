/* SPDX-License-Identifier: MIT */
/*
 * Stars of one frame: how many, how large, how sure.  Pure: borrowed pixels in, numbers out; no
 * thread, lock, log, device or clock.  Called by the autofocus thread and by `focusd measure`.
 */
#ifndef FOCUSD_MEASURE_H
#define FOCUSD_MEASURE_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "image.h"

/* What to look at. */
struct measure_options {
	double region;       /* share of width and height about the centre that is searched, 0 < r <= 1 */
	bool dense_list;     /* fill the star list with rejected objects too, flagged */
};

/* The options everybody starts from: the whole frame, used stars only. */
struct measure_options measure_defaults(void);

enum star_flag {
	STAR_SATURATED = 1 << 0, /* touches full scale: not used */
	STAR_EDGE = 1 << 1,      /* its aperture leaves the frame: not used */
	STAR_CROWDED = 1 << 2,   /* a neighbour inside its aperture: not used */
	STAR_ELONGATED = 1 << 3, /* trail or blend: not used */
	STAR_SIZE = 1 << 4,      /* far from the frame's common size: not used */
	STAR_SHAPE = 1 << 5,     /* no star: hot pixel, line, noise structure, open growth curve */
	STAR_FAINT = 1 << 6,     /* too faint to tell, alone or beside the frame's bright ones */
};

/* One object.  Positions are 0-based pixel centres in sensor orientation (x along a sensor row).
 * Sizes in pixels of the frame as delivered. */
struct star {
	double x, y;
	double flux_adu;       /* background-subtracted, inside the aperture */
	double peak_adu;       /* above background */
	double hfr_px;         /* half-flux radius: curve of growth of signed pixels */
	double mean_radius_px; /* flux-weighted mean radius, same aperture */
	double fwhm_px;        /* full width at half maximum of the profile; NAN on a ring */
	double eccentricity;   /* sqrt(1 - b^2/a^2) from second moments, 0..1 */
	double snr;            /* flux over its noise in the aperture */
	unsigned flags;        /* enum star_flag; 0 = used */
};

/* One frame in numbers.  With stars == 0 every size is NAN. */
struct measurement {
	int stars;             /* used */
	int saturated;         /* rejected because they touch full scale */
	double hfr_px;         /* median over the 40 brightest used stars, the faint counting less */
	double hfr_mad_px;     /* 1.4826 x median absolute deviation of those; 0 for one */
	double hfr_error_px;   /* 1 sigma of hfr_px from photon and sky noise and star scatter; it does
	                        * not contain the seeing of the moment */
	double mean_radius_px; /* median */
	double fwhm_px;        /* median; NAN on rings */
	double eccentricity;   /* median */
	double background_adu; /* median sky level */
	double noise_adu;      /* 1 sigma per pixel of the background */
	double flux_adu;       /* summed flux of the used stars */
	bool donut;            /* the stars are rings */
	bool trailed;          /* most objects share one elongation: no star size means anything */
};

/* Finds and measures.  img is borrowed (one plane; a colour mosaic is measured in 2x2 means and
 * sizes are doubled, so they are pixels of the frame).  list may be NULL; at most cap stars are
 * stored, brightest first, and *listed (may be NULL) says how many.  ERR_OK; ERR_NOMEM; ERR_INVALID_VALUE when
 * the view is smaller than 16x16 px, 32x32 px on a colour mosaic; on an error nothing else is written.
 * Background: mesh of clipped medians; noise: 1.4826 MAD.  Detection: a bank of
 * disks from sharp stars to rings.  HFR: no pixel is clipped or thresholded. */
enum err_code measure_frame(const struct image *img, const struct measure_options *options,
	struct star *list, size_t cap, size_t *listed, struct measurement *out, struct err *err);

#endif
