/* SPDX-License-Identifier: MIT */
/* The half-flux radius of one star.  It works in r^2: rings of equal area make the profile, the
 * curve of growth and its half a matter of one array. */
#include "hfr.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "background.h"

enum {
	SIDE = 2 * PROBE_REACH + 1,
	RINGS = 512,
	ROUNDS = 9,
	SAMPLES = 4096,
	COARSE = 3, /* squares a side that the innermost pixels are cut into, on the way */
	FINE = 9,   /* and in the end */
};

struct stamp {
	const float *data;     /* NaN where missing */
	int32_t x0, y0;        /* image position of its first pixel */
	int32_t width, height;
};

int probe_scratch_init(struct probe_scratch *scratch)
{
	scratch->stamp = malloc((size_t)SIDE * SIDE * sizeof *scratch->stamp);
	scratch->samples = malloc(SAMPLES * sizeof *scratch->samples);
	if (scratch->stamp == NULL || scratch->samples == NULL) {
		probe_scratch_fini(scratch);
		return -1;
	}
	return 0;
}

void probe_scratch_fini(struct probe_scratch *scratch)
{
	free(scratch->stamp);
	free(scratch->samples);
	*scratch = (struct probe_scratch){0};
}

static double at(const struct stamp *s, int32_t x, int32_t y)
{
	if (x < s->x0 || y < s->y0 || x >= s->x0 + s->width || y >= s->y0 + s->height) {
		return NAN;
	}
	return (double)s->data[(size_t)(y - s->y0) * (size_t)s->width + (size_t)(x - s->x0)];
}

static int32_t clamp_i32(double v, int32_t low, int32_t high)
{
	return v < low ? low : (v > high ? high : (int32_t)v);
}

/* Copies the surroundings of (x, y). */
static struct stamp cut_stamp(const struct pyramid *pyramid, int level, double x, double y, double reach,
	float *memory)
{
	reach = reach < PROBE_REACH - 1 ? reach : PROBE_REACH - 1;
	int32_t x0 = clamp_i32(floor(x - reach), 0, pyramid->width[level] - 1);
	int32_t y0 = clamp_i32(floor(y - reach), 0, pyramid->height[level] - 1);
	int32_t x1 = clamp_i32(ceil(x + reach), 0, pyramid->width[level] - 1);
	int32_t y1 = clamp_i32(ceil(y + reach), 0, pyramid->height[level] - 1);
	struct stamp s = {memory, x0, y0, x1 - x0 + 1, y1 - y0 + 1};
	for (int32_t j = 0; j < s.height; j++) {
		pyramid_row(pyramid, level, y0 + j, x0, s.width, memory + (size_t)j * (size_t)s.width);
	}
	return s;
}

/* Replaces lone spikes that no large star can have. */
static void mend_spikes(const struct stamp *s, float *memory, double sky, double sigma)
{
	for (int32_t j = 1; j < s->height - 1; j++) {
		float *row = memory + (size_t)j * (size_t)s->width;
		for (int32_t i = 1; i < s->width - 1; i++) {
			double v = (double)row[i] - sky;
			if (!(v > 8.0 * sigma)) {
				continue;
			}
			double most = 0.0;
			double sum = 0.0;
			int n = 0;
			for (int dj = -1; dj <= 1; dj++) {
				for (int di = -1; di <= 1; di++) {
					double near = (double)row[dj * s->width + i + di] - sky;
					if ((di != 0 || dj != 0) && isfinite(near)) {
						most = near > most ? near : most;
						sum += near;
						n++;
					}
				}
			}
			if (n > 0 && v > 2.0 * most + 8.0 * sigma) {
				row[i] = (float)(sky + sum / n);
			}
		}
	}
}

/* Mean of block x block pixels from (x, y) on; NaN when one is missing. */
static float block_mean(const struct stamp *s, int32_t x, int32_t y, int block)
{
	float sum = 0.0F;
	for (int j = 0; j < block; j++) {
		const float *row = s->data + (size_t)(y + j - s->y0) * (size_t)s->width + (x - s->x0);
		for (int i = 0; i < block; i++) {
			sum += row[i];
		}
	}
	return sum / (float)(block * block);
}

/* Collects the means of the blocks that lie in the ring between two radii. */
static size_t ring_samples(const struct stamp *s, double x, double y, double inner, double outer,
	int block, float *samples)
{
	int32_t step = (int32_t)(M_PI * (outer * outer - inner * inner) / (2000.0 * block * block));
	step = (step < 1 ? 1 : step) * block;
	size_t n = 0;
	int32_t start = 0;
	double middle = 0.5 * (block - 1);
	int32_t y0 = clamp_i32(ceil(y - outer), s->y0, s->y0 + s->height - 1);
	int32_t y1 = clamp_i32(floor(y + outer), s->y0, s->y0 + s->height - 1);
	for (int32_t j = y0; j + block - 1 <= y1; j += block) {
		double dy = j + middle - y;
		double half = sqrt(fmax(outer * outer - dy * dy, 0.0));
		double hole = sqrt(fmax(inner * inner - dy * dy, 0.0));
		int32_t x0 = clamp_i32(ceil(x - half), s->x0, s->x0 + s->width - 1);
		int32_t x1 = clamp_i32(floor(x + half), s->x0, s->x0 + s->width - 1);
		start = (start + step / 2 + 1) % step;
		for (int32_t i = x0 + start; i + block - 1 <= x1; i += step) {
			if (fabs(i + middle - x) < hole + 0.7 * (block - 1) || n >= SAMPLES) {
				continue;
			}
			float v = block_mean(s, i, j, block);
			if (isfinite(v)) {
				samples[n++] = v;
			}
		}
	}
	return n;
}

/* Sky in the ring between two radii; count says how many pixels it saw.  Under a large star it is
 * the sky of blocks: clipping single pixels of a lopsided noise would take their mean, which the
 * star stands on, too low. */
static struct sky ring_sky(const struct stamp *s, double x, double y, double inner, double outer,
	double hfr, double quantum, float *samples, size_t *count)
{
	int block = hfr > 2.5 ? (hfr < 5.0 ? 3 : 4) : 1;
	size_t n = ring_samples(s, x, y, inner, outer, block, samples);
	if (n < 24 && block > 1) {
		block = 1;
		n = ring_samples(s, x, y, inner, outer, block, samples);
	}
	*count = n * (size_t)(block * block);
	if (n < 12) {
		return (struct sky){NAN, NAN};
	}
	struct sky sky = sky_of_annulus(samples, n, quantum / (block * block));
	sky.sigma *= block;
	return sky;
}

/* Flux-weighted centre inside radius; false when there is no positive flux. */
static bool centre(const struct stamp *s, double sky, double radius, double *x, double *y)
{
	double flux = 0.0;
	double mx = 0.0;
	double my = 0.0;
	int32_t reach = (int32_t)ceil(radius);
	int32_t cx = (int32_t)lround(*x);
	int32_t cy = (int32_t)lround(*y);
	for (int32_t j = cy - reach; j <= cy + reach; j++) {
		for (int32_t i = cx - reach; i <= cx + reach; i++) {
			double dx = i - *x;
			double dy = j - *y;
			/* A soft rim a pixel wide, so that the centre does not jump with the pixels. */
			double weight = radius + 0.5 - sqrt(dx * dx + dy * dy);
			double v = at(s, i, j) - sky;
			if (weight > 0.0 && isfinite(v)) {
				v *= weight < 1.0 ? weight : 1.0;
				flux += v;
				mx += v * dx;
				my += v * dy;
			}
		}
	}
	if (!(flux > 0.0)) {
		return false;
	}
	*x += mx / flux;
	*y += my / flux;
	return isfinite(*x) && isfinite(*y);
}

/* Light by squared radius: rings of equal area out to an aperture. */
struct growth {
	double radius;
	double area[RINGS];  /* px that were not missing */
	double flux[RINGS];
	double sum[RINGS];   /* cumulated flux */
	double total;
};

/* Adds a pixel in pieces x pieces squares. */
static void grow_pixel(struct growth *g, double dx, double dy, double v, int pieces, double scale)
{
	double share = 1.0 / (pieces * pieces);
	double step = 1.0 / pieces;
	double flux = v * share;
	double start = dx - 0.5 + 0.5 * step;
	double py = dy - 0.5 + 0.5 * step;
	for (int b = 0; b < pieces; b++, py += step) {
		double px = start;
		for (int a = 0; a < pieces; a++, px += step) {
			double ring = (px * px + py * py) * scale;
			if (ring < RINGS) {
				g->flux[(int)ring] += flux;
				g->area[(int)ring] += share;
			}
		}
	}
}

/* Into how many pieces a side a pixel is cut.  Whole pixels come in groups of equal radius about a
 * centred star, and the curve would have steps; but far out a circle runs through so many pixels
 * that few pieces of each will do.  most caps it. */
static int pieces_at(double r2, double hfr, int most)
{
	int pieces = r2 < 2.5 ? 9 : (r2 < 9.0 ? 5 : (r2 < 49.0 ? 3 : 2));
	/* A twentieth of the HFR is always fine enough. */
	int enough = (int)ceil(20.0 / hfr);
	pieces = pieces < enough ? pieces : enough;
	return pieces < most ? pieces : most;
}

static void grow(struct growth *g, const struct stamp *s, double x, double y, double radius,
	double sky, double hfr, int most)
{
	memset(g, 0, sizeof *g);
	g->radius = radius;
	double scale = RINGS / (radius * radius);
	double beyond = (radius + 0.71) * (radius + 0.71);
	int32_t y0 = clamp_i32(floor(y - radius), s->y0, s->y0 + s->height - 1);
	int32_t y1 = clamp_i32(ceil(y + radius), s->y0, s->y0 + s->height - 1);
	int32_t x0 = clamp_i32(floor(x - radius), s->x0, s->x0 + s->width - 1);
	int32_t x1 = clamp_i32(ceil(x + radius), s->x0, s->x0 + s->width - 1);
	for (int32_t j = y0; j <= y1; j++) {
		const float *row = s->data + (size_t)(j - s->y0) * (size_t)s->width;
		for (int32_t i = x0; i <= x1; i++) {
			double dx = i - x;
			double dy = j - y;
			double r2 = dx * dx + dy * dy;
			double v = (double)row[i - s->x0] - sky;
			if (r2 < beyond && isfinite(v)) {
				grow_pixel(g, dx, dy, v, pieces_at(r2, hfr, most), scale);
			}
		}
	}
	double sum = 0.0;
	for (int k = 0; k < RINGS; k++) {
		sum += g->flux[k];
		g->sum[k] = sum;
	}
	g->total = sum;
}

/* Radius that holds a share of the flux.  Noise can make the curve cross the level more than
 * once: the middle of the first and the last crossing is taken, so that it leans to no side. */
static double radius_of(const struct growth *g, double share)
{
	double level = share * g->total;
	double first = NAN;
	double last = NAN;
	double before = 0.0;
	for (int k = 0; k < RINGS; k++) {
		if (before < level && g->sum[k] >= level) {
			double part = (level - before) / (g->sum[k] - before);
			last = k + part;
			if (isnan(first)) {
				first = last;
			}
		}
		before = g->sum[k];
	}
	double ring = 0.5 * (first + last);
	return g->radius * sqrt(ring / RINGS);
}

static double mean_radius(const struct growth *g)
{
	double sum = 0.0;
	for (int k = 0; k < RINGS; k++) {
		sum += g->flux[k] * g->radius * sqrt((k + 0.5) / RINGS);
	}
	return sum / g->total;
}

/* The radial profile in rings a quarter of the HFR wide: depth of the hole and width at half of
 * the maximum. */
static void profile(const struct growth *g, struct probe *p)
{
	enum { STEPS = 14 };
	double value[STEPS];
	double radius2[STEPS];
	int n = 0;
	double width = 0.25 * p->hfr;
	int k = 0;
	for (int i = 0; i < STEPS && k < RINGS; i++) {
		double edge = (i + 1) * width / g->radius;
		int end = (int)lround(edge * edge * RINGS);
		end = end > RINGS ? RINGS : end;
		double flux = 0.0;
		double area = 0.0;
		double r2 = 0.0;
		for (; k < end; k++) {
			flux += g->flux[k];
			area += g->area[k];
			r2 += g->area[k] * (k + 0.5) / RINGS * g->radius * g->radius;
		}
		if (area > 0.0) {
			value[n] = flux / area;
			radius2[n++] = r2 / area;
		}
	}
	p->fwhm = NAN;
	p->dip = 1.0;
	if (n < 3) {
		return;
	}
	int top = 0;
	for (int i = 1; i < n; i++) {
		top = value[i] > value[top] ? i : top;
	}
	if (value[top] <= 0.0) {
		return;
	}
	p->dip = value[0] / value[top];
	if (top >= 2 && p->dip < 0.9) {
		return; /* a ring has no such width */
	}
	/* The maximum lies inside the first ring: follow ln(value) against r^2 to the centre, which
	 * is straight for a Gaussian. */
	double maximum = value[top];
	if (top == 0 && value[1] > 0.0 && value[1] < value[0]) {
		double slope = log(value[0] / value[1]) / (radius2[1] - radius2[0]);
		maximum = value[0] * exp(slope * radius2[0]);
	}
	for (int i = top + 1; i < n; i++) {
		double half = 0.5 * maximum;
		if (value[i] < half && value[i - 1] >= half) {
			double low = value[i] > 0.05 * half ? value[i] : 0.05 * half;
			double part = log(value[i - 1] / half) / log(value[i - 1] / low);
			double r2 = radius2[i - 1] + part * (radius2[i] - radius2[i - 1]);
			p->fwhm = 2.0 * sqrt(r2);
			return;
		}
	}
	/* Sharper than the first ring. */
	if (n > 1 && value[0] < 0.5 * maximum) {
		p->fwhm = 2.0 * sqrt(radius2[0]);
	}
}

/* Second moments, peak and its neighbours, missing and flat pixels. */
static void shape(const struct stamp *s, struct probe *p)
{
	double radius = fmin(2.0 * p->hfr, p->aperture);
	double core = 1.5 * p->hfr > 1.5 ? 1.5 * p->hfr : 1.5;
	double flux = 0.0;
	double xx = 0.0;
	double yy = 0.0;
	double xy = 0.0;
	double best = -INFINITY;
	int32_t bx = 0;
	int32_t by = 0;
	int missing = 0;
	int inside = 0;
	int32_t reach = (int32_t)ceil(fmax(radius, core));
	int32_t cx = (int32_t)lround(p->x);
	int32_t cy = (int32_t)lround(p->y);
	p->at_maximum = 0;
	for (int32_t j = cy - reach; j <= cy + reach; j++) {
		for (int32_t i = cx - reach; i <= cx + reach; i++) {
			double dx = i - p->x;
			double dy = j - p->y;
			double r = sqrt(dx * dx + dy * dy);
			double raw = at(s, i, j);
			if (r <= core) {
				inside++;
				if (!isfinite(raw)) {
					missing++;
				} else if (raw > best) {
					best = raw;
					bx = i;
					by = j;
					p->at_maximum = 1;
				} else if (raw >= best) {
					p->at_maximum++;
				}
			}
			double weight = radius + 0.5 - r;
			if (weight > 0.0 && isfinite(raw)) {
				double v = (raw - p->sky) * (weight < 1.0 ? weight : 1.0);
				flux += v;
				xx += v * dx * dx;
				yy += v * dy * dy;
				xy += v * dx * dy;
			}
		}
	}
	p->missing = inside > 0 ? (double)missing / inside : 1.0;
	p->brightest = best;
	p->peak = best - p->sky;
	p->xx = xx / flux;
	p->yy = yy / flux;
	p->xy = xy / flux;
	double sum = 0.0;
	const int32_t step[4][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}};
	for (int k = 0; k < 4; k++) {
		double v = at(s, bx + step[k][0], by + step[k][1]) - p->sky;
		sum += isfinite(v) ? v : 0.0;
	}
	p->neighbours = sum / p->peak;
	p->neighbours_error = 2.0 * p->sigma / p->peak;
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

/* 0 below low, 1 above high, smooth between. */
static double ramp(double v, double low, double high)
{
	double t = (v - low) / (high - low);
	t = t < 0.0 ? 0.0 : (t > 1.0 ? 1.0 : t);
	return t * t * (3.0 - 2.0 * t);
}

/* Aperture over HFR: of a ring or a faint star, and of a bright peaked one. */
static const double narrow_factor = 2.3;
static const double bright_factor = 4.0;

/* 0 for a disk or ring, 1 for a peaked star: a Gaussian has a concentration of 2.7, a disk 2.0, a
 * ring 1.7. */
static double peakedness(double concentration)
{
	return ramp(concentration, 1.9, 2.5);
}

/* The wings of a peaked star are worth their sky noise only when it is bright. */
double star_probe_factor(double concentration, double snr)
{
	double bright = ramp(snr, 18.0, 50.0) * peakedness(concentration);
	return narrow_factor + (bright_factor - narrow_factor) * bright;
}

/* HFR in the aperture of a bright star over that in a smaller one.  In 2.3 HFR a Gaussian
 * seems 2 % smaller, a Kolmogorov or Moffat 4 profile 6 %, a Moffat 3 10 %.  Nearly half of the common case
 * is given back: all of it would magnify correlated noise. */
static double outer_wings(double factor, double concentration)
{
	double short_of = (bright_factor - factor) / (bright_factor - narrow_factor);
	short_of = short_of < 0.0 ? 0.0 : (short_of > 1.0 ? 1.0 : short_of);
	return 1.0 + 0.025 * peakedness(concentration) * short_of * short_of;
}

struct probe star_probe(const struct pyramid *pyramid, int level, const struct probe_where *where,
	struct probe_scratch *scratch)
{
	struct probe p = {.x = where->x, .y = where->y, .hfr = where->hfr};
	struct growth g;
	struct stamp s = {0};
	double factor = isnan(where->factor) ? 3.0 : where->factor;
	double have = 0.0;
	struct sky sky = {where->sigma, where->sigma};
	size_t ring_pixels = 0;
	double ring_inner = NAN; /* where the sky was taken */
	double ring_x = NAN;
	double ring_y = NAN;
	int most = COARSE;
	for (int round = 0; round < ROUNDS; round++) {
		double size = fmin(fmax(p.hfr, where->hfr_least), where->hfr_most);
		double aperture = fmax(factor * size, 2.5);
		double edge = fmin(fmin(p.x + 0.5, pyramid->width[level] - 0.5 - p.x),
			fmin(p.y + 0.5, pyramid->height[level] - 0.5 - p.y));
		p.cut = edge < aperture;
		p.aperture = p.cut ? edge : aperture;
		double inner = p.aperture + (p.cut ? 0.0 : 2.0);
		double outer = aperture + 2.0 + fmax(7.0, 0.5 * aperture);
		if (p.aperture < 1.5 || outer > PROBE_REACH - 4) {
			return p;
		}
		if (s.data == NULL || fabs(p.x - where->x) + outer > have
			|| fabs(p.y - where->y) + outer > have) {
			have = fmin(1.3 * outer + 6.0, PROBE_REACH - 1);
			s = cut_stamp(pyramid, level, where->x, where->y, have, scratch->stamp);
			if (where->hfr > 2.5) {
				sky = ring_sky(&s, p.x, p.y, inner, outer, size, where->quantum,
					scratch->samples, &ring_pixels);
				mend_spikes(&s, scratch->stamp, sky.level, sky.sigma);
			}
		}
		/* The ring is wide: small steps of the star leave its sky what it was. */
		if (!(fabs(inner - ring_inner) < 0.02 * inner && hypot(p.x - ring_x, p.y - ring_y) < 0.3)) {
			sky = ring_sky(&s, p.x, p.y, inner, outer, size, where->quantum,
				scratch->samples, &ring_pixels);
			ring_inner = inner;
			ring_x = p.x;
			ring_y = p.y;
		}
		if (!isfinite(sky.level)) {
			return p;
		}
		p.sky = sky.level;
		p.sigma = sky.sigma;
		double x = p.x;
		double y = p.y;
		for (int i = 0; i < 3; i++) {
			if (!centre(&s, sky.level, fmin(fmax(2.0 * size, 1.5), p.aperture), &p.x, &p.y)) {
				return p;
			}
		}
		double drift = hypot(p.x - where->x, p.y - where->y);
		if (drift > 1.5 * where->hfr + 1.0) {
			return p;
		}
		grow(&g, &s, p.x, p.y, p.aperture, sky.level, p.hfr, most);
		if (!(g.total > 0.0)) {
			return p;
		}
		double before = p.hfr;
		double hfr = radius_of(&g, 0.5);
		p.concentration = radius_of(&g, 0.8) / radius_of(&g, 0.2);
		if (!isfinite(hfr) || !(hfr > 0.0) || !isfinite(p.concentration)) {
			return p;
		}
		bool settled = fabs(hfr - p.hfr) < 0.002 * hfr && hypot(p.x - x, p.y - y) < 0.01 * hfr;
		p.hfr = hfr;
		if (isnan(where->factor)) {
			/* Half way each round, or a border case would swing. */
			p.snr = snr_of(g.total, M_PI * p.aperture * p.aperture, (double)ring_pixels, sky);
			factor += 0.6 * (star_probe_factor(p.concentration, p.snr) - factor);
		}
		if (settled && most == FINE && round >= 2) {
			break;
		}
		if (fabs(hfr - before) < 0.03 * hfr || round == ROUNDS - 2) {
			most = FINE;
		}
	}
	p.flux = g.total;
	p.mean_radius = mean_radius(&g);
	double pixels = M_PI * p.aperture * p.aperture;
	/* A frame that cuts the aperture cuts it close to the star: look at less of the curve's end. */
	double within = p.cut ? 0.9 * 0.9 : 0.8 * 0.8;
	double outside = (1.0 - within) * pixels;
	p.tail = 1.0 - g.sum[(int)(within * RINGS) - 1] / g.total;
	p.tail_error = sky.sigma * sqrt(outside * (1.0 + outside / (double)ring_pixels)) / g.total;
	p.snr = snr_of(p.flux, pixels, (double)ring_pixels, sky);
	shape(&s, &p);
	profile(&g, &p);
	double wings = outer_wings(factor, p.concentration);
	p.hfr *= wings;
	p.mean_radius *= wings;
	p.valid = true;
	return p;
}
