/* SPDX-License-Identifier: MIT */
/* The half-flux radius of one star: aperture, sky, centre and size agree with one another after a few rounds. */
#include "hfr.h"

#include <math.h>
#include <stdlib.h>

#include "background.h"
#include "growth.h"
#include "stamp.h"

enum {
	SIDE = 2 * PROBE_REACH + 1,
	ROUNDS = 9,
	ROUNDS_LEAST = 2, /* before the size is believed to have settled */
	CENTRE_STEPS = 3,
};

/* Radius of 80 % of the light over that of 20 %: below the first it is a disk or ring, above the second a peaked
 * star.  Derived: sqrt(0.8/0.2) = 2.00 for a disk, 1.68 for an annulus with a hole of 0.34, 2.69 for a Gaussian:
 * the limits lie between them. */
#define FLAT_CONCENTRATION 1.9
#define PEAKED_CONCENTRATION 2.5
/* Aperture over HFR of a ring or a lone faint star, of faint stars that tell the profile together, and of a bright
 * peaked one, whose wings are worth their sky noise.  Tuned on tests/unit/fits/test_frames.c sizes_of_frames:
 * NARROW_FACTOR of 3.22 fails it.  Tuned on tests/unit/fits/test_frames.c sizes_of_stars: BRIGHT_FACTOR of 5.6 fails
 * it.  Derived: KNOWN_FACTOR cuts 2 % of the light of Kolmogorov's profile off and none of a Gaussian's; what WINGS
 * gives back is half way. */
#define NARROW_FACTOR 2.3
#define KNOWN_FACTOR 2.9
#define BRIGHT_FACTOR 4.0
/* SNR up to which a peaked star is measured in the narrow aperture, and from which in the wide one.  Tuned on
 * tests/unit/fits/test_frames.c sizes_of_frames: FAINT_SNR of 25.2 moves 6, BRIGHT_SNR of 70 moves 6 of 40 figures,
 * none beyond its limit. */
#define FAINT_SNR 18.0
#define BRIGHT_SNR 50.0
/* Part of the HFR that the narrow aperture cuts off and that is given back: a Gaussian seems 2 % smaller there,
 * Kolmogorov and Moffat 4 profiles 6 %, a Moffat 3 10 %; all of it would magnify correlated noise.  Tuned on
 * tests/unit/fits/test_frames.c sizes_of_frames: 0.035 fails it. */
#define WINGS 0.025
/* Aperture over HFR of the first round, and the share of its error that each round corrects.  Tuned on
 * tests/unit/fits/test_frames.c sizes_of_frames: FACTOR_START of 4.2 moves 27, FACTOR_PACE of 0.84 moves 25 of 40
 * figures, none beyond its limit. */
#define FACTOR_START 3.0
#define FACTOR_PACE 0.6
/* Least aperture in px, also where the edge of the frame cuts it.  Tuned on tests/unit/fits/test_frames.c
 * sizes_of_frames: APERTURE_LEAST of 3.5 moves 4, CUT_LEAST of 2.1 moves 2 of 40 figures, none beyond its limit. */
#define APERTURE_LEAST 2.5
#define CUT_LEAST 1.5
/* The ring of sky: its distance from the aperture in px, its width in apertures, and at least in px.  Tuned on
 * tests/unit/fits/test_frames.c sizes_of_frames: SKY_GAP of 2.8 fails it.  Tuned on tests/unit/fits/test_frames.c
 * sizes_of_frames: SKY_WIDTH_LEAST of 9.8 fails it.  Tuned on tests/unit/fits/test_frames.c sizes_of_frames:
 * SKY_WIDTH of 0.7 moves 21 of 40 figures, none beyond its limit. */
#define SKY_GAP 2.0
#define SKY_WIDTH 0.5
#define SKY_WIDTH_LEAST 7.0
/* What is copied about a star: so many outer radii and px more, so that it may grow, and the px that stay free at
 * its border.  Estimate: STAMP_MARGIN of 1.82, STAMP_EXTRA of 8.4 moves no figure of tests/unit/fits/test_frames.c
 * sizes_of_frames. */
#define STAMP_MARGIN 1.3
#define STAMP_EXTRA 6.0
#define STAMP_BORDER 4
/* HFR in px above which no part of a star is as sharp as a hot pixel.  Derived: exp(ln 2 / 2.5^2) = 1.12 is the
 * brightest pixel of such a Gaussian over its neighbour, far from the 2 that is asked for. */
#define SMOOTH_HFR 2.5
/* A change of the inner radius, and of the centre in inner radii and at least in px, that leaves the ring of sky what
 * it was.  Estimate: tests/unit/fits/test_frames.c sizes_of_frames holds with it; SAME_RING of 0.02 and SAME_PLACE of
 * 0.3 are no better, and sort twice as often. */
#define SAME_RING 0.1
#define SAME_PLACE 0.5
/* Radius in HFR, and at least in px, in which the centre is looked for.  Tuned on tests/unit/fits/test_frames.c
 * sizes_of_frames: CENTRE_FACTOR of 2.8 moves 32, CENTRE_LEAST of 2.1 moves 3 of 40 figures, none beyond its limit. */
#define CENTRE_FACTOR 2.0
#define CENTRE_LEAST 1.5
/* A step of the centre, in HFR, after which it is not looked for again before the next round.  Derived: half of
 * SETTLED_CENTRE. */
#define CENTRE_STEP 0.005
/* A centre that many HFR and px from the first guess is that of something else.  Tuned on
 * tests/unit/fits/test_frames.c sizes_of_frames: DRIFT_MOST of 2.1 moves 1, DRIFT_EXTRA of 1.4 moves 1 of 40 figures,
 * none beyond its limit. */
#define DRIFT_MOST 1.5
#define DRIFT_EXTRA 1.0
/* Shares of the light whose radii make the concentration.  Source: Bershady, Jangren and Conselice, Astronomical
 * Journal 119 (2000) 2645, C = 5 log(r80/r20). */
#define OUTER_SHARE 0.8
#define INNER_SHARE 0.2
/* Relative changes of the size and, in HFR, of the centre that end the rounds.  Tuned on
 * tests/unit/fits/test_frames.c sizes_of_frames: SETTLED_SIZE of 0.0028 moves 14, SETTLED_CENTRE of 0.014 moves 1 of
 * 40 figures, none beyond its limit. */
#define SETTLED_SIZE 0.002
#define SETTLED_CENTRE 0.01
/* The end of the curve of growth that has to be flat, from this share of the aperture on; less of it where the
 * frame cuts the aperture.  Tuned on tests/unit/fits/test_frames.c sizes_of_frames: TAIL_FROM_CUT of 1.26 fails
 * it.  Tuned on tests/unit/fits/test_frames.c sizes_of_frames: TAIL_FROM of 1.12 moves 3 of 40 figures, none beyond
 * its limit. */
#define TAIL_FROM 0.8
#define TAIL_FROM_CUT 0.9

bool probe_scratch_init(struct probe_scratch *scratch)
{
	scratch->stamp = malloc((size_t)SIDE * SIDE * sizeof *scratch->stamp);
	scratch->samples = malloc(STAMP_SAMPLES * sizeof *scratch->samples);
	if (scratch->stamp == NULL || scratch->samples == NULL) {
		probe_scratch_fini(scratch);
		return false;
	}
	return true;
}

void probe_scratch_fini(struct probe_scratch *scratch)
{
	free(scratch->stamp);
	free(scratch->samples);
	*scratch = (struct probe_scratch){0};
}

/* Signal over noise in the aperture.  The gain is unknown; taking the sky's own noise for photon
 * noise gives an upper limit of what the star's light adds. */
static double snr_of(double flux, double pixels, double sky_pixels, struct sky sky)
{
	double var = sky.sigma * sky.sigma;
	double noise2 = pixels * var * (1.0 + pixels / sky_pixels);
	if (sky.level > sky.sigma) {
		noise2 += flux * var / sky.level;
	}
	return flux / sqrt(noise2);
}

/* 0 below low, 1 above high, a cubic between. */
static double ramp(double v, double low, double high)
{
	double t = (v - low) / (high - low);
	t = t < 0.0 ? 0.0 : (t > 1.0 ? 1.0 : t);
	return t * t * (3 - 2 * t);
}

/* 0 for a disk or ring, 1 for a peaked star. */
static double peakedness(double concentration)
{
	return ramp(concentration, FLAT_CONCENTRATION, PEAKED_CONCENTRATION);
}

double star_probe_factor(double concentration, double snr, double together)
{
	double wide = (KNOWN_FACTOR - NARROW_FACTOR) * ramp(together, FAINT_SNR, BRIGHT_SNR) +
		(BRIGHT_FACTOR - KNOWN_FACTOR) * ramp(snr, FAINT_SNR, BRIGHT_SNR);
	return NARROW_FACTOR + wide * peakedness(concentration);
}

/* HFR in the aperture of a bright star over that in a smaller one. */
static double outer_wings(double factor, double concentration)
{
	double short_of = (BRIGHT_FACTOR - factor) / (BRIGHT_FACTOR - NARROW_FACTOR);
	short_of = short_of < 0.0 ? 0.0 : (short_of > 1.0 ? 1.0 : short_of);
	return 1.0 + WINGS * peakedness(concentration) * short_of * short_of;
}

/* One probe in the making. */
struct making {
	const struct pyramid *pyramid;
	int level;
	const struct probe_where *where;
	struct probe_scratch *scratch;
	struct probe p;
	struct growth growth;
	struct stamp stamp;
	double have;          /* reach of the stamp about the first guess, px */
	double factor;        /* aperture over HFR */
	struct sky sky;
	size_t sky_pixels;
	double sky_inner;     /* where the sky was taken; NAN before */
	double sky_x, sky_y;
};

/* Radii of one round, px. */
struct radii {
	double size;          /* the HFR that they follow */
	double inner, outer;  /* of the ring of sky */
};

/* Lays the aperture and the ring of sky about the star as it is known.  False when they do not fit. */
static bool lay_out(struct making *m, struct radii *r)
{
	struct probe *p = &m->p;
	r->size = fmin(fmax(p->hfr, m->where->hfr_least), m->where->hfr_most);
	if (isfinite(m->where->common)) {
		/* The size of a faint star is mostly noise, and an aperture that followed it would add to that. */
		r->size = m->where->common * pow(r->size / m->where->common, ramp(p->snr, FAINT_SNR, BRIGHT_SNR));
	}
	double aperture = fmax(m->factor * r->size, APERTURE_LEAST);
	double edge = fmin(fmin(p->x + 0.5, m->pyramid->width[m->level] - 0.5 - p->x),
		fmin(p->y + 0.5, m->pyramid->height[m->level] - 0.5 - p->y));
	p->cut = edge < aperture;
	p->aperture = p->cut ? edge : aperture;
	r->inner = p->aperture + (p->cut ? 0.0 : SKY_GAP);
	r->outer = aperture + SKY_GAP + fmax(SKY_WIDTH_LEAST, SKY_WIDTH * aperture);
	return p->aperture >= CUT_LEAST && r->outer <= PROBE_REACH - STAMP_BORDER;
}

static void take_sky(struct making *m, const struct radii *r)
{
	m->sky = stamp_ring_sky(&m->stamp, m->p.x, m->p.y, r->inner, r->outer, r->size, m->where->quantum,
		m->scratch->samples, &m->sky_pixels);
}

/* Sees to it that pixels and sky of this round are there. */
static void look(struct making *m, const struct radii *r)
{
	struct probe *p = &m->p;
	if (m->stamp.data == NULL || fabs(p->x - m->where->x) + r->outer > m->have ||
		fabs(p->y - m->where->y) + r->outer > m->have) {
		m->have = fmin(STAMP_MARGIN * r->outer + STAMP_EXTRA, PROBE_REACH - 1);
		m->stamp = stamp_cut(m->pyramid, m->level, m->where->x, m->where->y, m->have, m->scratch->stamp);
		if (m->where->hfr > SMOOTH_HFR) {
			take_sky(m, r);
			stamp_mend_spikes(&m->stamp, m->scratch->stamp, m->sky.level, m->sky.sigma);
		}
	}
	/* The ring is wide, so that small steps of the star leave its sky what it was. */
	double place = fmax(SAME_PLACE, SAME_RING * r->inner);
	if (!(fabs(r->inner - m->sky_inner) < SAME_RING * r->inner &&
		hypot(p->x - m->sky_x, p->y - m->sky_y) < place)) {
		take_sky(m, r);
		m->sky_inner = r->inner;
		m->sky_x = p->x;
		m->sky_y = p->y;
	}
}

/* Moves the centre; false when there is no light or it runs away from the first guess. */
static bool centre(struct making *m, double size)
{
	struct probe *p = &m->p;
	double radius = fmin(fmax(CENTRE_FACTOR * size, CENTRE_LEAST), p->aperture);
	double moved = INFINITY;
	for (int i = 0; i < CENTRE_STEPS && moved > CENTRE_STEP * size; i++) {
		double x = p->x, y = p->y;
		if (!stamp_centre(&m->stamp, m->sky.level, radius, &p->x, &p->y)) {
			return false;
		}
		moved = hypot(p->x - x, p->y - y);
	}
	double drift = hypot(p->x - m->where->x, p->y - m->where->y);
	return !(drift > DRIFT_MOST * m->where->hfr + DRIFT_EXTRA);
}

enum outcome { FAILED, CHANGED, SETTLED };

/* One round does everything again from what the last one found. */
static enum outcome refine(struct making *m, int round)
{
	struct probe *p = &m->p;
	struct radii r;
	if (!lay_out(m, &r)) {
		return FAILED;
	}
	look(m, &r);
	if (!isfinite(m->sky.level)) {
		return FAILED;
	}
	p->sky = m->sky.level;
	p->sigma = m->sky.sigma;
	double x = p->x, y = p->y, before = p->hfr;
	if (!centre(m, r.size)) {
		return FAILED;
	}
	growth_make(&m->growth, &m->stamp, p->x, p->y, p->aperture, m->sky.level);
	if (!(m->growth.total > 0.0)) {
		return FAILED;
	}
	double hfr = growth_radius(&m->growth, 0.5);
	p->concentration = growth_radius(&m->growth, OUTER_SHARE) / growth_radius(&m->growth, INNER_SHARE);
	if (!isfinite(hfr) || !(hfr > 0.0) || !isfinite(p->concentration)) {
		return FAILED;
	}
	p->hfr = hfr;
	p->snr = snr_of(m->growth.total, M_PI * p->aperture * p->aperture, (double)m->sky_pixels, m->sky);
	if (isnan(m->where->factor)) {
		/* The factor goes a part of the way each round, or a border case would swing. */
		m->factor += FACTOR_PACE * (star_probe_factor(p->concentration, p->snr, p->snr) - m->factor);
	}
	bool same = fabs(hfr - before) < SETTLED_SIZE * hfr && hypot(p->x - x, p->y - y) < SETTLED_CENTRE * hfr;
	return same && round >= ROUNDS_LEAST ? SETTLED : CHANGED;
}

/* Computes what follows from the last round. */
static void conclude(struct making *m)
{
	struct probe *p = &m->p;
	p->flux = m->growth.total;
	p->mean_radius = growth_mean_radius(&m->growth);
	double pixels = M_PI * p->aperture * p->aperture;
	/* A frame that cuts the aperture cuts it close to the star: less of the curve's end is looked at. */
	double within = p->cut ? TAIL_FROM_CUT * TAIL_FROM_CUT : TAIL_FROM * TAIL_FROM;
	double outside = (1.0 - within) * pixels;
	p->tail = 1.0 - m->growth.sum[(int)(within * GROWTH_RINGS) - 1] / m->growth.total;
	p->tail_error = m->sky.sigma * sqrt(outside * (1.0 + outside / (double)m->sky_pixels)) / m->growth.total;
	p->snr = snr_of(p->flux, pixels, (double)m->sky_pixels, m->sky);
	double narrow = fmin(NARROW_FACTOR / m->factor, 1.0);
	narrow *= narrow;
	p->narrow_snr = snr_of(m->growth.sum[(int)(narrow * (GROWTH_RINGS - 1))], narrow * pixels,
		(double)m->sky_pixels, m->sky);
	probe_shape(&m->stamp, p);
	struct growth_profile profile = growth_profile(&m->growth, p->hfr);
	p->fwhm = profile.fwhm;
	p->dip = profile.dip;
	double wings = outer_wings(m->factor, p->concentration);
	p->hfr *= wings;
	p->mean_radius *= wings;
	p->valid = true;
}

struct probe star_probe(const struct pyramid *pyramid, int level, const struct probe_where *where,
	struct probe_scratch *scratch)
{
	struct making m;
	m.pyramid = pyramid;
	m.level = level;
	m.where = where;
	m.scratch = scratch;
	m.p = (struct probe){.x = where->x, .y = where->y, .hfr = where->hfr};
	m.stamp = (struct stamp){0};
	m.have = 0.0;
	m.factor = isnan(where->factor) ? FACTOR_START : where->factor;
	m.sky = (struct sky){where->sigma, where->sigma};
	m.sky_pixels = 0;
	m.sky_inner = m.sky_x = m.sky_y = NAN;
	for (int round = 0; round < ROUNDS; round++) {
		enum outcome outcome = refine(&m, round);
		if (outcome == FAILED) {
			return m.p;
		}
		if (outcome == SETTLED) {
			break;
		}
	}
	conclude(&m);
	return m.p;
}
