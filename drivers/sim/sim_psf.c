/* SPDX-License-Identifier: MIT */
#include "sim_psf.h"

#include <math.h>
#include <stdlib.h>

/* The radial profile has so many samples in one FWHM. */
static const double radial_per_fwhm = 20.0;

/* The transfer function is integrated at so many frequencies, given in cycles per FWHM; beyond the last it is below
 * 1e-7. */
#define FREQUENCIES 800
static const double frequency_max = 2.6;

struct transfer {
	double value[FREQUENCIES];
};

static void transfer_init(struct transfer *transfer)
{
	for (int i = 0; i < FREQUENCIES; i++) {
		double k = i * frequency_max / FREQUENCIES;
		transfer->value[i] = exp(-3.44 * pow(k / 0.976, 5.0 / 3.0));
	}
}

/* The light within r: 2 pi r times the integral of transfer(k) J1(2 pi k r). */
static double encircled(const struct transfer *transfer, double r)
{
	double sum = 0.0;
	double dk = frequency_max / FREQUENCIES;
	for (int i = 1; i < FREQUENCIES; i++) {
		sum += transfer->value[i] * j1(2.0 * M_PI * i * dk * r);
	}
	return 2.0 * M_PI * r * sum * dk;
}

/* The brightness at r: 2 pi times the integral of k transfer(k) J0(2 pi k r). */
static double brightness(const struct transfer *transfer, double r)
{
	double sum = 0.0;
	double dk = frequency_max / FREQUENCIES;
	for (int i = 1; i < FREQUENCIES; i++) {
		sum += i * dk * transfer->value[i] * j0(2.0 * M_PI * i * dk * r);
	}
	return 2.0 * M_PI * sum * dk;
}

void sim_seeing_init(struct sim_seeing *seeing)
{
	struct transfer transfer;
	transfer_init(&transfer);
	double inner = 0.0;
	double inner_light = 0.0;
	double all = encircled(&transfer, SIM_SEEING_REACH);
	for (int i = 0; i < SIM_SEEING_RINGS; i++) {
		double t = (double)(i + 1) / SIM_SEEING_RINGS;
		double outer = SIM_SEEING_REACH * t * t;
		double light = encircled(&transfer, outer) / all;
		seeing->radius[i] = sqrt(0.5 * (inner * inner + outer * outer));
		seeing->weight[i] = light - inner_light;
		inner = outer;
		inner_light = light;
	}
	for (int i = 0; i < SIM_SEEING_SAMPLES; i++) {
		double r = SIM_SEEING_REACH * i / (SIM_SEEING_SAMPLES - 1);
		seeing->surface[i] = brightness(&transfer, r) / all;
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

/* The image that seeing alone makes of a star, for this FWHM. */
static double point_image(const struct sim_seeing *seeing, double fwhm, double r)
{
	double at = r / fwhm / SIM_SEEING_REACH * (SIM_SEEING_SAMPLES - 1);
	int i = (int)at;
	if (i + 1 >= SIM_SEEING_SAMPLES) {
		return 0.0;
	}
	double t = at - i;
	return (seeing->surface[i] + t * (seeing->surface[i + 1] - seeing->surface[i]))
		/ (fwhm * fwhm);
}

/* Below this blur, in FWHM, the annulus is too fine for the rings of the seeing.  There a blur only
 * widens the image: its HFR grows as that of a seeing of FWHM^2 + 0.3265 (1 + eps^2) blur^2, which
 * joins the convolution within 0.1 %. */
static const double smallest_blur = 0.3;

double sim_psf_profile(const struct sim_seeing *seeing, const struct sim_psf_shape *shape,
	double r_px)
{
	double eps = shape->obstruction;
	if (shape->blur_px < smallest_blur * shape->fwhm_px) {
		double wide = sqrt(shape->fwhm_px * shape->fwhm_px
			+ 0.3265 * (1.0 + eps * eps) * shape->blur_px * shape->blur_px);
		return point_image(seeing, wide, r_px);
	}
	double outer = 0.5 * shape->blur_px;
	double inner = outer * eps;
	double sum = 0.0;
	for (int i = 0; i < SIM_SEEING_RINGS; i++) {
		double s = seeing->radius[i] * shape->fwhm_px;
		sum += seeing->weight[i] * (circle_inside(outer, r_px, s) - circle_inside(inner, r_px, s));
	}
	return sum / (M_PI * (outer * outer - inner * inner));
}

/* A table of the radial profile: value at r = i * step. */
struct radial {
	double step;
	int count;
	float *value;
};

static int radial_init(struct radial *radial, const struct sim_seeing *seeing,
	const struct sim_psf_shape *shape, double reach)
{
	radial->step = fmin(shape->fwhm_px / radial_per_fwhm, 0.5);
	radial->count = (int)(reach / radial->step) + 3;
	radial->value = malloc((size_t)radial->count * sizeof *radial->value);
	if (radial->value == NULL) {
		return -1;
	}
	for (int i = 0; i < radial->count; i++) {
		radial->value[i] = (float)sim_psf_profile(seeing, shape, i * radial->step);
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

/* Fills the fine grid with samples of the profile; one octant is computed, and the others mirror it. */
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

/* Adds up `width` neighbours with half weight at both ends: the trapezoid rule over one pixel. */
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

/* Takes one phase out of the fine grid, scaled to a sum of 1 so that no flux is lost at any defocus. */
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

int sim_psf_init(struct sim_psf *psf, const struct sim_seeing *seeing,
	const struct sim_psf_shape *wanted)
{
	struct sim_psf_shape shape = *wanted;
	shape.blur_px = fmin(shape.blur_px, SIM_PSF_MAX_BLUR_PX);
	double reach = 0.5 * shape.blur_px + SIM_SEEING_REACH * shape.fwhm_px;
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
		&& radial_init(&radial, seeing, &shape, 1.5 * (half + 2)) == 0) {
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
