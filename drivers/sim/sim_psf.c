/* SPDX-License-Identifier: MIT */
#include "sim_psf.h"

#include <math.h>
#include <stdlib.h>

/* Exponent of the seeing profile. */
static const double moffat_beta = 4.765;
/* Seeing is followed out to this many FWHM; 2e-5 of the light lies beyond. */
static const double seeing_reach_fwhm = 5.0;

/* Samples of the seeing profile over its reach, and of the radial profile per FWHM. */
#define SEEING_SAMPLES 160
#define RADIAL_PER_FWHM 20

struct seeing {
	double radius[SEEING_SAMPLES];
	double weight[SEEING_SAMPLES];  /* share of the light in the ring, over the full circle */
};

/* Rings grow with the square of their index: the core, where the profile bends, gets most. */
static void seeing_init(struct seeing *seeing, double fwhm)
{
	double alpha = fwhm / (2.0 * sqrt(pow(2.0, 1.0 / moffat_beta) - 1.0));
	double inner = 0.0;
	double inner_outside = 1.0;
	for (int i = 0; i < SEEING_SAMPLES; i++) {
		double t = (double)(i + 1) / SEEING_SAMPLES;
		double outer = seeing_reach_fwhm * fwhm * t * t;
		double outside = pow(1.0 + outer * outer / (alpha * alpha), 1.0 - moffat_beta);
		seeing->radius[i] = sqrt(0.5 * (inner * inner + outer * outer));
		seeing->weight[i] = inner_outside - outside;
		inner = outer;
		inner_outside = outside;
	}
}

/* Share of the circle of radius s about a point r from the centre that lies inside a disk of this
 * radius, 0..1. */
static double circle_inside(double disk, double r, double s)
{
	if (s + r <= disk) {
		return 1.0;
	}
	if (disk <= 0.0 || fabs(r - s) >= disk) {
		return 0.0;
	}
	double c = (r * r + s * s - disk * disk) / (2.0 * r * s);
	return acos(fmin(1.0, fmax(-1.0, c))) / M_PI;
}

static double moffat(double fwhm, double r)
{
	double alpha = fwhm / (2.0 * sqrt(pow(2.0, 1.0 / moffat_beta) - 1.0));
	return (moffat_beta - 1.0) / (M_PI * alpha * alpha)
		* pow(1.0 + r * r / (alpha * alpha), -moffat_beta);
}

/* Below this blur the annulus is finer than the rings of the seeing: the point image is exact enough
 * (its HFR differs by less than 0.01 %). */
static int blur_matters(const struct sim_psf_shape *shape)
{
	return shape->blur_px > 0.02 * shape->fwhm_px;
}

static double profile_at(const struct sim_psf_shape *shape, const struct seeing *seeing, double r)
{
	if (!blur_matters(shape)) {
		return moffat(shape->fwhm_px, r);
	}
	double outer = 0.5 * shape->blur_px;
	double inner = outer * shape->obstruction;
	double sum = 0.0;
	for (int i = 0; i < SEEING_SAMPLES; i++) {
		double s = seeing->radius[i];
		sum += seeing->weight[i] * (circle_inside(outer, r, s) - circle_inside(inner, r, s));
	}
	return sum / (M_PI * (outer * outer - inner * inner));
}

double sim_psf_profile(const struct sim_psf_shape *shape, double r_px)
{
	struct seeing seeing;
	seeing_init(&seeing, shape->fwhm_px);
	return profile_at(shape, &seeing, r_px);
}

/* A table of the radial profile: value at r = i * step. */
struct radial {
	double step;
	int count;
	float *value;
};

static int radial_init(struct radial *radial, const struct sim_psf_shape *shape, double reach)
{
	struct seeing seeing;
	seeing_init(&seeing, shape->fwhm_px);
	radial->step = shape->fwhm_px / RADIAL_PER_FWHM;
	/* A small annulus has edges finer than the seeing never shows: the step follows the seeing
	 * alone, but is never coarser than half a pixel. */
	radial->step = fmin(radial->step, 0.5);
	radial->count = (int)(reach / radial->step) + 3;
	radial->value = malloc((size_t)radial->count * sizeof *radial->value);
	if (radial->value == NULL) {
		return -1;
	}
	for (int i = 0; i < radial->count; i++) {
		radial->value[i] = (float)profile_at(shape, &seeing, i * radial->step);
	}
	return 0;
}

static float radial_at(const struct radial *radial, double r)
{
	double at = r / radial->step;
	int i = (int)at;
	if (i + 1 >= radial->count) {
		return 0.0f;
	}
	float t = (float)(at - i);
	return radial->value[i] + t * (radial->value[i + 1] - radial->value[i]);
}

static int oversampling_for(const struct sim_psf_shape *shape)
{
	double width = shape->fwhm_px + 0.5 * shape->blur_px;
	if (width < 6.0) {
		return 8;
	}
	return width < 40.0 ? 4 : 2;
}

/* The point samples on the fine grid, one octant computed, the rest mirrored. */
static void fill_fine(float *fine, int n, int oversampling, const struct radial *radial)
{
	int half = n / 2;
	for (int y = 0; y <= half; y++) {
		for (int x = 0; x <= y; x++) {
			double r = sqrt((double)x * x + (double)y * y) / oversampling;
			float v = radial_at(radial, r);
			const int at[8][2] = {
				{x, y}, {-x, y}, {x, -y}, {-x, -y}, {y, x}, {-y, x}, {y, -x}, {-y, -x}};
			for (int i = 0; i < 8; i++) {
				fine[(size_t)(half + at[i][1]) * (size_t)n + (size_t)(half + at[i][0])] = v;
			}
		}
	}
}

/* Sums of `width` neighbours with half weight at both ends: the trapezoid over one pixel. */
static void box_rows(float *to, const float *from, int n, int width)
{
	int half = width / 2;
	for (int y = 0; y < n; y++) {
		const float *row = from + (size_t)y * (size_t)n;
		float *out = to + (size_t)y * (size_t)n;
		for (int x = 0; x < n; x++) {
			float sum = 0.0f;
			for (int k = -half; k <= half; k++) {
				if (x + k >= 0 && x + k < n) {
					sum += (k == -half || k == half ? 0.5f : 1.0f) * row[x + k];
				}
			}
			out[x] = sum;
		}
	}
}

static void transpose(float *to, const float *from, int n)
{
	for (int y = 0; y < n; y++) {
		for (int x = 0; x < n; x++) {
			to[(size_t)x * (size_t)n + (size_t)y] = from[(size_t)y * (size_t)n + (size_t)x];
		}
	}
}

/* One phase out of the fine grid, scaled to a sum of 1 so that no flux is lost at any defocus. */
static void take_phase(struct sim_psf *psf, const float *fine, int n, int phase_x, int phase_y)
{
	int os = psf->oversampling;
	int half = psf->size / 2;
	float *out = psf->stamps
		+ (size_t)(phase_y * os + phase_x) * (size_t)psf->size * (size_t)psf->size;
	double sum = 0.0;
	size_t i = 0;
	for (int y = -half; y <= half; y++) {
		for (int x = -half; x <= half; x++) {
			int fx = n / 2 + x * os - phase_x;
			int fy = n / 2 + y * os - phase_y;
			float v = fine[(size_t)fy * (size_t)n + (size_t)fx];
			out[i++] = v;
			sum += (double)v;
		}
	}
	float scale = sum > 0.0 ? (float)(1.0 / sum) : 0.0f;
	for (size_t k = 0; k < i; k++) {
		out[k] *= scale;
	}
}

int sim_psf_init(struct sim_psf *psf, const struct sim_psf_shape *wanted)
{
	struct sim_psf_shape shape = *wanted;
	shape.blur_px = fmin(shape.blur_px, SIM_PSF_MAX_BLUR_PX);
	double reach = 0.5 * shape.blur_px + seeing_reach_fwhm * shape.fwhm_px;
	int os = oversampling_for(&shape);
	int half = (int)ceil(reach) + 1;
	psf->oversampling = os;
	psf->size = 2 * half + 1;
	psf->stamps = NULL;
	int n = 2 * (half + 1) * os + 1;
	size_t fine_count = (size_t)n * (size_t)n;
	struct radial radial = {.value = NULL};
	float *a = calloc(fine_count, sizeof *a);
	float *b = malloc(fine_count * sizeof *b);
	psf->stamps = malloc((size_t)os * (size_t)os * (size_t)psf->size * (size_t)psf->size
		* sizeof *psf->stamps);
	int status = -1;
	if (a != NULL && b != NULL && psf->stamps != NULL
		&& radial_init(&radial, &shape, 1.5 * (half + 2)) == 0) {
		fill_fine(a, n, os, &radial);
		box_rows(b, a, n, os);
		transpose(a, b, n);
		box_rows(b, a, n, os);
		for (int py = 0; py < os; py++) {
			for (int px = 0; px < os; px++) {
				take_phase(psf, b, n, px, py);
			}
		}
		psf->peak = 0.0;
		for (int i = 0; i < psf->size * psf->size; i++) {
			psf->peak = fmax(psf->peak, (double)psf->stamps[i]);
		}
		status = 0;
	}
	free(radial.value);
	free(a);
	free(b);
	if (status != 0) {
		sim_psf_fini(psf);
	}
	return status;
}

void sim_psf_fini(struct sim_psf *psf)
{
	free(psf->stamps);
	psf->stamps = NULL;
}

void sim_psf_split(const struct sim_psf *psf, double x_px, int *pixel, int *phase)
{
	int os = psf->oversampling;
	int fine = (int)lrint(x_px * os);
	int whole = fine / os;
	int rest = fine % os;
	if (rest < 0) {
		rest += os;
		whole--;
	}
	*pixel = whole;
	*phase = rest;
}

const float *sim_psf_stamp(const struct sim_psf *psf, int phase_x, int phase_y)
{
	return psf->stamps + (size_t)(phase_y * psf->oversampling + phase_x)
		* (size_t)psf->size * (size_t)psf->size;
}
