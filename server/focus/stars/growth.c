/* SPDX-License-Identifier: MIT */
/* Light by squared radius; see growth.h. */
#include "growth.h"

#include <math.h>
#include <string.h>

/* Squared radii in px^2 within which a pixel is cut into so many pieces a side; 2 beyond.  Tuned on
 * tests/unit/fits/test_frames.c sizes_of_frames: CORE_R2 of 3.5 moves 9, NEAR_R2 of 12.6 moves 11, FAR_R2 of 68.6
 * moves 14 of 40 figures, none beyond its limit. */
#define CORE_R2 2.5
#define NEAR_R2 9.0
#define FAR_R2 49.0
#define CORE_PIECES 9
#define NEAR_PIECES 5
#define FAR_PIECES 3
/* A piece this part of the HFR is always fine enough.  Tuned on tests/unit/fits/test_frames.c sizes_of_frames: 28
 * moves 3 of 40 figures, none beyond its limit. */
#define PIECES_OF_HFR 20.0
/* Half the diagonal of a pixel, px: its corner may lie inside a circle that its centre is outside of.  Derived:
 * sqrt(2)/2, rounded up. */
#define HALF_DIAGONAL 0.71
/* Width of the rings of a profile, in HFR.  Estimate: 0.35 moves no figure of tests/unit/fits/test_frames.c
 * sizes_of_frames. */
#define PROFILE_STEP 0.25
/* Fewer rings are no profile.  Derived: an interpolated maximum needs two rings, a half a third one. */
#define PROFILE_LEAST 3
/* A centre below this share of the brightest ring is a hole, and such a star has no width at half maximum.
 * Estimate: 1.26 moves no figure of tests/unit/fits/test_frames.c sizes_of_frames. */
#define HOLLOW 0.9
/* A ring whose noise takes it below this share of the half counts as that in the logarithm.  Estimate: 0.07 moves
 * no figure of tests/unit/fits/test_frames.c sizes_of_frames. */
#define LEAST_VALUE 0.05

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
			if (ring < GROWTH_RINGS) {
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
	int pieces = r2 < CORE_R2 ? CORE_PIECES : (r2 < NEAR_R2 ? NEAR_PIECES : (r2 < FAR_R2 ? FAR_PIECES : 2));
	/* Pieces of a twentieth of the HFR are always fine enough. */
	int enough = (int)ceil(PIECES_OF_HFR / hfr);
	pieces = pieces < enough ? pieces : enough;
	return pieces < most ? pieces : most;
}

void growth_make(struct growth *g, const struct stamp *s, double x, double y, double radius,
	double sky, double hfr, int most)
{
	memset(g, 0, sizeof *g);
	g->radius = radius;
	double scale = GROWTH_RINGS / (radius * radius);
	double beyond = (radius + HALF_DIAGONAL) * (radius + HALF_DIAGONAL);
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
	for (int k = 0; k < GROWTH_RINGS; k++) {
		sum += g->flux[k];
		g->sum[k] = sum;
	}
	g->total = sum;
}

double growth_radius(const struct growth *g, double share)
{
	double level = share * g->total;
	double first = NAN;
	double last = NAN;
	double before = 0.0;
	for (int k = 0; k < GROWTH_RINGS; k++) {
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
	return g->radius * sqrt(ring / GROWTH_RINGS);
}

double growth_mean_radius(const struct growth *g)
{
	double sum = 0.0;
	for (int k = 0; k < GROWTH_RINGS; k++) {
		sum += g->flux[k] * g->radius * sqrt((k + 0.5) / GROWTH_RINGS);
	}
	return sum / g->total;
}

/* Rings of a profile: value per px and mean squared radius of each. */
enum { PROFILE_STEPS = 14 };
struct rings {
	double value[PROFILE_STEPS];
	double radius2[PROFILE_STEPS];
	int n;
};

static void rings_make(struct rings *rings, const struct growth *g, double hfr)
{
	double width = PROFILE_STEP * hfr;
	int k = 0;
	rings->n = 0;
	for (int i = 0; i < PROFILE_STEPS && k < GROWTH_RINGS; i++) {
		double edge = (i + 1) * width / g->radius;
		int end = (int)lround(edge * edge * GROWTH_RINGS);
		end = end > GROWTH_RINGS ? GROWTH_RINGS : end;
		double flux = 0.0;
		double area = 0.0;
		double r2 = 0.0;
		for (; k < end; k++) {
			flux += g->flux[k];
			area += g->area[k];
			r2 += g->area[k] * (k + 0.5) / GROWTH_RINGS * g->radius * g->radius;
		}
		if (area > 0.0) {
			rings->value[rings->n] = flux / area;
			rings->radius2[rings->n++] = r2 / area;
		}
	}
}

/* Squared radius at which the profile falls to half of its maximum beyond ring top; NAN when it does not. */
static double half_radius2(const struct rings *rings, int top)
{
	const double *value = rings->value;
	const double *radius2 = rings->radius2;
	/* The maximum lies inside the first ring: ln(value) against r^2, which is straight for a Gaussian, is
	 * followed to the centre. */
	double maximum = value[top];
	if (top == 0 && value[1] > 0.0 && value[1] < value[0]) {
		double slope = log(value[0] / value[1]) / (radius2[1] - radius2[0]);
		maximum = value[0] * exp(slope * radius2[0]);
	}
	for (int i = top + 1; i < rings->n; i++) {
		double half = 0.5 * maximum;
		if (value[i] < half && value[i - 1] >= half) {
			double low = value[i] > LEAST_VALUE * half ? value[i] : LEAST_VALUE * half;
			double part = log(value[i - 1] / half) / log(value[i - 1] / low);
			return radius2[i - 1] + part * (radius2[i] - radius2[i - 1]);
		}
	}
	/* The star is sharper than the first ring. */
	return value[0] < 0.5 * maximum ? radius2[0] : NAN;
}

struct growth_profile growth_profile(const struct growth *g, double hfr)
{
	struct growth_profile profile = {.fwhm = NAN, .dip = 1.0};
	struct rings rings;
	rings_make(&rings, g, hfr);
	if (rings.n < PROFILE_LEAST) {
		return profile;
	}
	int top = 0;
	for (int i = 1; i < rings.n; i++) {
		top = rings.value[i] > rings.value[top] ? i : top;
	}
	if (rings.value[top] <= 0.0) {
		return profile;
	}
	profile.dip = rings.value[0] / rings.value[top];
	if (top >= 2 && profile.dip < HOLLOW) {
		return profile;
	}
	profile.fwhm = 2.0 * sqrt(half_radius2(&rings, top));
	return profile;
}
