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

/* What to look at.  Caller-owned; read during the call only. */
struct measure_options {
	double region;       /* share of width and height about the centre that is searched, 0 < r <= 1 */
	bool dense_list;     /* fill the star list with rejected objects too, flagged */
};

/* The options everybody starts from: the whole frame, used stars only. */
struct measure_options measure_defaults(void);

enum star_flag {
	STAR_SATURATED = 1 << 0, /* touches full scale, or its top is cut off flat: not used */
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

/* Finds and measures the stars of one frame.
 * Given: img, one plane, borrowed, 16 x 16 px and more; a colour mosaic 32 x 32 px and more, measured in 2 x 2 means
 * with sizes doubled, so that they are pixels of the frame; NaN and infinite pixels count as missing.  options.
 * list, room for cap stars, or NULL.  listed and err may be NULL.
 * Returned: *out; list[0 .. *listed - 1], brightest first.
 * Status: ERR_OK, also without any star; ERR_INVALID_VALUE when the view is smaller than that, ERR_NOMEM: a sentence
 * is then in err, and nothing else was written.
 * Notes: 1) background: a mesh of clipped levels under the detection, a clipped ring about each star; noise: clipped
 * patches.  2) detection: a bank of disks from 1.3 px to half the shorter side, above 5.5 sigma of what each filter
 * shows.  3) HFR: the curve of growth of signed pixels; none is clipped or thresholded.  4) the frame's number is
 * the weighted median of the 40 brightest used stars; hfr_error_px holds photon noise and the scatter of the stars,
 * not the seeing of the moment.  5) no gain is needed; snr takes the noise of the sky for that of photons, and is a
 * lower bound.
 * Accuracy of hfr_px (each in tests/unit/fits/test_measure.c: where no other file is named):
 *	Gaussian, sigma 1 px, SNR 800         3 %       sizes_of_bright_stars
 *	Gaussian, sigma 2 to 8 px             1.5 to 2 %  there
 *	Moffat, beta 4.765 and 3              3, 7 %    there: the wings beyond the aperture
 *	disk and rings, radius 6 to 100 px    1 to 2 %  there
 *	lone faint Gaussian, SNR 14, 20, 56   bias -0.1, +1.5, +0.4 %, scatter of a star 5.3, 3.5, 1.8 %
 *	                                                faint_stars_are_unbiased
 *	lone faint ring, SNR 14, 34           bias -0.6, -0.6 %, scatter 3.8, 1.4 %  there
 *	lone faint Moffat 4, SNR 14, 22, 40, 90
 *	                                      bias -4.1, -3.5, -1.1, +0.4 %
 *	                                                a_star_does_not_shrink_when_it_gets_fainter
 *	36 Moffat 4.765 a frame, SNR 10, 20, 50
 *	                                      bias -1.6 +- 0.8, -1.0 +- 0.5, +0.2 +- 0.2 %
 *	                                                faint_stars_tell_the_profile
 *	a sweep from ring to focus            2 %       a_sweep_has_no_jumps
 *	39 recorded frames                    all within what other programs span: tests/unit/fits/test_frames.c
 *	                                      sizes_of_frames; star by star 243 of 255 within 5 %: sizes_of_stars, there
 *	hfr_error_px                          57 of 60 within two sigma: error_bar_covers_the_scatter
 * Found: 165 of 165 isolated stars and rings of SNR 18 to 180, radius 1.5 to 40 px, none wrong: donut_fields; 98 % of
 * those of SNR 10, all of SNR 15, none wrong: faint_stars_are_found; no
 * star in 60 frames of noise, slopes, hot pixels and bad lines: noise_has_no_stars.
 * Sources: half-flux radius as FLUX_RADIUS of Bertin and Arnouts, Astronomy and Astrophysics Supplement 117 (1996)
 * 393; the Gaussian's HFR = 1.1774 sigma and the disk's 0.7071 R by integration. */
enum err_code measure_frame(const struct image *img, const struct measure_options *options,
	struct star *list, size_t cap, size_t *listed, struct measurement *out, struct err *err);

#endif
