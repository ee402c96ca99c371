/* SPDX-License-Identifier: MIT */
/* One candidate becomes an object: measured where it is some ten pixels large, and judged by itself. */
#include <math.h>

#include "work.h"

/* A Gaussian of some HFR falls to exp(-ln 2 / HFR^2) in a pixel.  Derived: HFR = sigma sqrt(2 ln 2), so that 1/(2
 * sigma^2) = ln 2 / HFR^2. */
#define LN_2 0.693
/* Light in one pixel, HFR in px: no lens draws that.  Derived: half the light of one even pixel lies within 0.40
 * px of its centre, and seeing, diffraction and a second pixel add to a star. */
#define HOT_HFR 0.5
/* A peak whose neighbours hold less than this part of what a Gaussian of its HFR puts there is a hot pixel, where
 * their noise is below that share of the peak: a peak of ten sigma, not one of noise.  Tuned on
 * tests/unit/fits/test_frames.c sizes_of_frames: HOT_SHARE of 0.49 moves 4, CLEAR_ERROR of 0.28 moves 1 of 40
 * figures, none beyond its limit. */
#define HOT_SHARE 0.35
#define CLEAR_ERROR 0.2
/* HFR in px below which the four neighbours together have to hold that share of the peak: the sharpest star, FWHM
 * 1.2 px and centred on a pixel, puts 0.58 there.  Tuned on tests/unit/fits/test_frames.c sizes_of_frames:
 * SHARP_HFR of 1.82 moves 1, SHARP_NEIGHBOURS of 0.56 moves 1 of 40 figures, none beyond its limit. */
#define SHARP_HFR 1.3
#define SHARP_NEIGHBOURS 0.4
/* Sigmas of noise that are granted before something is held against an object.  Tuned on
 * tests/unit/fits/test_frames.c sizes_of_frames: 4.2 moves 4 of 40 figures, none beyond its limit. */
#define SURE_SIGMAS 3.0
/* A row of pixels, a pair of hot ones or the track of a particle: second moment across in px^2, which for a star
 * is 0.25 and more, and length over width.  Derived: the moment of an even pixel is 1/12 = 0.083; a star has a
 * sigma of half a pixel or more. */
#define ROW_WIDTH2 0.12
#define ROW_ELONGATION 2.0
/* Noise of a second moment in a circle, in r^3 sigma / flux.  Derived: sqrt(pi/8), the integral of x^4 over the
 * circle under white noise. */
#define MOMENT_ERROR 0.63
/* SNR and length over width from which a track is one although its width is not known well.  Estimate: TRACK_SNR of
 * 70, TRACK_ELONGATION of 8.4 moves no figure of tests/unit/fits/test_frames.c sizes_of_frames. */
#define TRACK_SNR 50.0
#define TRACK_ELONGATION 6.0
/* Cloud, nebula, galaxy or the glow of an amplifier: as large as this HFR in px and as peaked. What defocus makes
 * so large has a rim; what seeing makes so soft is not so large.  Estimate: CLOUD_HFR of 28, CLOUD_CONCENTRATION of
 * 3.29 moves no figure of tests/unit/fits/test_frames.c sizes_of_frames. */
#define CLOUD_HFR 20.0
#define CLOUD_CONCENTRATION 2.35
/* Share of the pixels inside 1.5 HFR that may be missing.  Estimate: 0.028 moves no figure of
 * tests/unit/fits/test_frames.c sizes_of_frames. */
#define MISSING_MOST 0.02
/* Concentration from which an object counts as peaked, and shares of the light that may lie beyond 0.8 of the
 * aperture of a peaked star, whose wings go on and are added to by lenses, and of a ring, which ends.  Tuned on
 * tests/unit/fits/test_frames.c sizes_of_frames: PEAKED of 3.22 moves 3, OPEN_PEAKED of 0.168 moves 2, OPEN_RING of
 * 0.07 moves 1 of 40 figures, none beyond its limit. */
#define PEAKED 2.3
#define OPEN_PEAKED 0.12
#define OPEN_RING 0.05
/* An aperture that the edge of the frame leaves smaller than so many HFR says nothing of the size.  Tuned on
 * tests/unit/fits/test_frames.c sizes_of_frames: 2.1 fails it. */
#define EDGE_APERTURE 1.5
/* Length over width above which a lone star is a trail or a blend.  Tuned on tests/unit/fits/test_frames.c
 * sizes_of_frames: 2.24 moves 6 of 40 figures, none beyond its limit. */
#define MOST_ELONGATION 1.6
/* Share of full scale from which a pixel may not be linear.  Tuned on tests/unit/fits/test_frames.c
 * sizes_of_frames: 1.26 moves 3 of 40 figures, none beyond its limit. */
#define SATURATION 0.9
/* Least signal over noise of a star whose size counts: in its own aperture, where at 5 its HFR is good to 14 %
 * (0.68/SNR), and in the disk that found it, which says that it is there.  Tuned on tests/unit/fits/test_frames.c
 * sizes_of_frames: LEAST_SNR of 7 moves 9, LEAST_DISK_SNR of 11.2 moves 11 of 40 figures, none beyond its limit. */
#define LEAST_SNR 5.0
#define LEAST_DISK_SNR 8.0
/* The same in its own aperture of what is larger than this HFR in px, as no defect of the sensor is.  Tuned on
 * tests/unit/fits/test_measure.c faint_stars_are_found: 5 loses a quarter of the rings of 10 px there.  A ring's HFR is
 * good to 10 % at 4 (0.38/SNR). */
#define LEAST_LARGE_SNR 4.0
#define LARGE_HFR 2.5
/* Part of the pixels inside 1.5 HFR that are as bright as the brightest one, and their least number, above which the
 * sensor or a program has clipped them.  Derived: a star of 1 px HFR has 7 pixels there and a clipped one 4 and more;
 * of a plateau of 1000 pixels that scatter by one step the brightest value has a few.  The sigmas that they stand above
 * the sky keep coarse steps between values out, of which the sigma is 0.3 and more. */
#define CLIPPED_SHARE 0.1
#define CLIPPED_SIGMAS 50.0
enum { CLIPPED_PIXELS = 4 };
/* Radius in px of a level above which a coarser one does: at 12 px and more a size is measured as well as pixels let
 * it.  Tuned on tests/unit/fits/test_frames.c sizes_of_frames: 33.6 moves 9 of 40 figures, none beyond its limit. */
#define LARGE_RADIUS 24.0

static void set_shape(struct object *o)
{
	double half = 0.5 * (o->p.xx + o->p.yy);
	double diff = 0.5 * (o->p.xx - o->p.yy);
	double root = sqrt(diff * diff + o->p.xy * o->p.xy);
	double a2 = half + root;
	double b2 = half - root;
	o->width2 = b2;
	o->angle = 0.5 * atan2(2.0 * o->p.xy, o->p.xx - o->p.yy);
	if (!(a2 > 0.0)) {
		o->elongation = INFINITY;
		o->eccentricity = NAN;
		return;
	}
	o->elongation = b2 > 0.0 ? sqrt(a2 / b2) : INFINITY;
	o->eccentricity = sqrt(fmin(1.0, fmax(0.0, 1.0 - b2 / a2)));
}

/* A defect of the sensor: light in one pixel and none beside it.  The sharpest star, FWHM 1.2 px
 * and centred on a pixel, puts 0.58 of its peak into the four neighbours together; a Gaussian of
 * this HFR puts 4 exp(-0.693 / HFR^2).  Hot pixels that stand together have a size, but fail
 * that. */
static bool is_hot_pixel(const struct object *o)
{
	if (o->p.hfr < HOT_HFR) {
		return true;
	}
	double expected = 4 * exp(-LN_2 / (o->p.hfr * o->p.hfr));
	bool clear = o->p.neighbours_error < CLEAR_ERROR; /* a peak of ten sigma, not one of noise */
	if (o->level == 0 && clear && o->p.neighbours + SURE_SIGMAS * o->p.neighbours_error < HOT_SHARE * expected) {
		return true;
	}
	return o->p.hfr < SHARP_HFR && (o->p.neighbours < SHARP_NEIGHBOURS ||
		o->p.neighbours < SURE_SIGMAS * o->p.neighbours_error);
}

/* Part of a row or column of pixels, a pair of hot ones or the track of a particle: longer than wide
 * and narrower than any star, whose sigma is half a pixel or more.  The width is known as well as
 * noise in the circle of the moments lets it. */
static bool is_pixel_row(const struct object *o)
{
	double bin = (double)(1 << o->level);
	double narrow = ROW_WIDTH2 * bin * bin;
	double radius = fmin(2.0 * o->p.hfr, o->p.aperture);
	double error = MOMENT_ERROR * radius * radius * radius * o->p.sigma / o->p.flux;
	return (o->elongation > ROW_ELONGATION && o->width2 + 2.0 * error < narrow) ||
	       (o->p.snr > TRACK_SNR && o->elongation > TRACK_ELONGATION && o->width2 < narrow + 2.0 * error);
}

/* Cloud, nebula, galaxy or the glow of an amplifier.  What defocus makes so large has a rim; what
 * seeing makes so soft is not so large. */
static bool is_cloud(const struct probe *p)
{
	return p->hfr > CLOUD_HFR && p->concentration > CLOUD_CONCENTRATION;
}

static unsigned judge(const struct work *work, struct object *o)
{
	const struct probe *p = &o->p;
	o->defect = !p->valid || p->missing > MISSING_MOST || is_hot_pixel(o) || is_pixel_row(o);
	if (o->defect) {
		return STAR_SHAPE;
	}
	double least = p->hfr > LARGE_HFR ? LEAST_LARGE_SNR : LEAST_SNR;
	bool faint = p->narrow_snr < least || (double)o->c.snr < LEAST_DISK_SNR;
	unsigned flags = faint ? STAR_FAINT : 0;
	/* A ring ends, but the wings of a sharp star go on, and lenses add to them. */
	double open = (p->concentration > PEAKED ? OPEN_PEAKED : OPEN_RING) + SURE_SIGMAS * p->tail_error;
	bool is_open = p->tail > open || p->tail < -open || is_cloud(p);
	/* Half a band of noise that the edge of the frame cuts looks like half a star. */
	if (p->cut && (p->aperture < EDGE_APERTURE * p->hfr || is_open || p->snr < 2.0 * LEAST_SNR)) {
		flags |= STAR_EDGE;
	} else if (is_open) {
		flags |= STAR_SHAPE;
	}
	if (o->elongation > MOST_ELONGATION * (1.0 + 2.0 / p->snr)) {
		flags |= STAR_ELONGATED;
	}
	bool clipped = p->at_maximum >= CLIPPED_PIXELS && p->flat > CLIPPED_SHARE &&
		p->peak > CLIPPED_SIGMAS * p->sigma;
	if (clipped || p->brightest >= SATURATION * work->full_scale) {
		flags |= STAR_SATURATED;
	}
	return flags;
}

void object_probe(struct work *work, struct object *o, double hfr, double factor,
	double hfr_least, double hfr_most)
{
	int level = 0;
	double radius = DISK_OVER_HFR * hfr;
	while (radius > LARGE_RADIUS && level + 1 < work->pyramid.levels) {
		radius /= 2.0;
		level++;
	}
	double bin = (double)(1 << level);
	struct probe_where where = {
		.x = ((double)o->c.x + 0.5) / bin - 0.5,
		.y = ((double)o->c.y + 0.5) / bin - 0.5,
		.hfr = hfr / bin,
		.factor = factor,
		.hfr_least = hfr_least / bin,
		.hfr_most = hfr_most / bin,
		.common = isnan(factor) ? NAN : hfr / bin,
		.quantum = work->pyramid.quantum[level],
		.sigma = work->pyramid.sigma[level],
	};
	struct probe p = star_probe(&work->pyramid, level, &where, &work->scratch);
	p.x = (p.x + 0.5) * bin - 0.5;
	p.y = (p.y + 0.5) * bin - 0.5;
	p.hfr *= bin;
	p.mean_radius *= bin;
	p.fwhm *= bin;
	p.aperture *= bin;
	p.sigma *= bin;
	p.flux *= bin * bin;
	p.xx *= bin * bin;
	p.yy *= bin * bin;
	p.xy *= bin * bin;
	o->p = p;
	o->level = level;
	set_shape(o);
	o->flags = judge(work, o);
}
