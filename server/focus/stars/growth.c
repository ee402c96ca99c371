/* SPDX-License-Identifier: MIT */
/* Light by squared radius; see growth.h. */
#include "growth.h"

#include <math.h>
#include <string.h>

/* Squared radius in px^2 within which a pixel is cut into so many pieces a side.  Tuned on
 * tests/unit/fits/test_growth.c pixels_are_shared_as_they_lie: 1.2 px^2 fails it, 2 pieces do, 6 px^2 is no
 * better. */
#define CORE_R2 2.5
#define CORE_PIECES 3
/* Mean of the squared radius over an even square, less that of its centre, in squares of its side; and three times
 * its variance, less the squared radius of the centre, where half the width of an even distribution is the root of
 * three times the variance.  Derived: 2 / 12, and 3 x 2 / 180. */
#define SQUARE_MEAN (1.0 / 6.0)
#define SQUARE_SPREAD (1.0 / 30.0)
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

/* Adds a square of some side about a place with this squared radius, whose light is v, as differences from ring to
 * ring. */
static inline void add_square(struct growth *g, double r2, double side2, double v, double scale)
{
	/* The squared radius of its points has this mean, and the variance of an even distribution so wide. */
	double middle = (r2 + side2 * SQUARE_MEAN) * scale;
	double half = sqrt(side2 * (r2 + side2 * SQUARE_SPREAD)) * scale;
	double from = middle > half ? middle - half : 0.0;
	double to = middle + half;
	double density = v / (to - from);
	from = from < GROWTH_RINGS ? from : GROWTH_RINGS;
	to = to < GROWTH_RINGS ? to : GROWTH_RINGS;
	int first = (int)from;
	int last = (int)to;
	double started = density * (from - first);
	double ended = density * (to - last);
	g->flux[first] += density - started;
	g->flux[first + 1] += started;
	g->flux[last] -= density - ended;
	g->flux[last + 1] -= ended;
}

static void add_core(struct growth *g, double dx, double dy, double v, double scale)
{
	double side = 1.0 / CORE_PIECES;
	double side2 = side * side;
	for (int b = 0; b < CORE_PIECES; b++) {
		double y = dy + (b + 0.5) * side - 0.5;
		for (int a = 0; a < CORE_PIECES; a++) {
			double x = dx + (a + 0.5) * side - 0.5;
			add_square(g, x * x + y * y, side2, v * side2, scale);
		}
	}
}

/* Makes rings of the differences, and the curve. */
static void sum_up(struct growth *g)
{
	double flux = 0.0;
	double sum = 0.0;
	for (int k = 0; k < GROWTH_RINGS; k++) {
		flux += g->flux[k];
		sum += flux;
		g->flux[k] = flux;
		g->sum[k] = sum;
	}
	g->total = sum;
}

void growth_make(struct growth *g, const struct stamp *s, double x, double y, double radius, double sky)
{
	memset(g->flux, 0, sizeof g->flux);
	g->radius = radius;
	double scale = GROWTH_RINGS / (radius * radius);
	double beyond = (radius + HALF_DIAGONAL) * (radius + HALF_DIAGONAL);
	int32_t y0 = clamp_i32(floor(y - radius), s->y0, s->y0 + s->height - 1);
	int32_t y1 = clamp_i32(ceil(y + radius), s->y0, s->y0 + s->height - 1);
	for (int32_t j = y0; j <= y1; j++) {
		const float *row = s->data + (size_t)(j - s->y0) * (size_t)s->width;
		double dy = j - y;
		double half = sqrt(beyond > dy * dy ? beyond - dy * dy : 0.0);
		int32_t x0 = clamp_i32(ceil(x - half), s->x0, s->x0 + s->width - 1);
		int32_t x1 = clamp_i32(floor(x + half), s->x0, s->x0 + s->width - 1);
		for (int32_t i = x0; i <= x1; i++) {
			double dx = i - x;
			double r2 = dx * dx + dy * dy;
			double v = (double)row[i - s->x0] - sky;
			if (!isfinite(v)) {
				continue;
			}
			if (r2 < CORE_R2) {
				add_core(g, dx, dy, v, scale);
			} else {
				add_square(g, r2, 1.0, v, scale);
			}
		}
	}
	sum_up(g);
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
		int start = k;
		double flux = 0.0;
		for (; k < end; k++) {
			flux += g->flux[k];
		}
		if (k > start) {
			rings->value[rings->n] = flux / (k - start);
			rings->radius2[rings->n++] = 0.5 * (start + k) / GROWTH_RINGS * g->radius * g->radius;
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
