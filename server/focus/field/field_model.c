/* SPDX-License-Identifier: MIT */
/* How large a star is; see field_inside.h. */
#include "field_inside.h"

#include <math.h>

/* The shape of the curve between focus and the cone.  Derived: fitted by hand to the exact curve of Kolmogorov seeing
 * with a disk and with an annulus of 0.34; tests/unit/focus/test_field.c curve_follows_the_exact_one. */
#define SHAPE_A 6.5
#define SHAPE_B 2.0

double field_model(const double value[FIELD_PARAMETERS], const struct field_point *point,
	double slope[FIELD_PARAMETERS], double *width_slope)
{
	const double *at = point->place;
	double dz = point->position - value[FIELD_BEST] - value[FIELD_TILT_X] * at[0] -
		value[FIELD_TILT_Y] * at[1] - value[FIELD_CURVATURE] * at[2];
	double side = dz < 0 ? -1 : 1;
	double size = point->width + point->star + value[FIELD_SIZE_X] * at[0] + value[FIELD_SIZE_Y] * at[1] +
		value[FIELD_SIZE_Q] * at[2];
	double per = exp(value[FIELD_SLOPE] + value[FIELD_ASYMMETRY] * side - size);
	double q = per * per * dz * dz;
	double den = SHAPE_A + SHAPE_B * q;
	double g = 1 + q - q / den;
	double g_slope = 1 - SHAPE_A / (den * den);
	double by_log = q * g_slope / g;               /* d ln size / d ln k */
	double by_dz = per * per * dz * g_slope / g;   /* d ln size / d dz */
	slope[FIELD_BEST] = -by_dz;
	slope[FIELD_TILT_X] = -by_dz * at[0];
	slope[FIELD_TILT_Y] = -by_dz * at[1];
	slope[FIELD_CURVATURE] = -by_dz * at[2];
	slope[FIELD_SLOPE] = by_log;
	slope[FIELD_ASYMMETRY] = by_log * side;
	*width_slope = 1 - by_log;
	slope[FIELD_SIZE_X] = *width_slope * at[0];
	slope[FIELD_SIZE_Y] = *width_slope * at[1];
	slope[FIELD_SIZE_Q] = *width_slope * at[2];
	slope[FIELD_WIDTH] = 0;
	return size + 0.5 * log(g);
}

void field_place(int width, int height, double x, double y, const double centre[3], double out[3])
{
	double half = 0.5 * hypot(width, height);
	double at_x = (x - 0.5 * (width - 1)) / half;
	double at_y = (y - 0.5 * (height - 1)) / half;
	out[0] = at_x - centre[0];
	out[1] = at_y - centre[1];
	out[2] = at_x * at_x + at_y * at_y - centre[2];
}

double field_weight(double r2)
{
	return (FIELD_STUDENT + 1) / (FIELD_STUDENT + r2);
}

double field_loss(double r2)
{
	return (FIELD_STUDENT + 1) * log1p(r2 / FIELD_STUDENT);
}

/* Replaces the lower triangle by Cholesky's factor. */
static bool factor(double *a, int n, int stride)
{
	for (int i = 0; i < n; i++) {
		for (int j = 0; j <= i; j++) {
			double sum = a[i * stride + j];
			for (int k = 0; k < j; k++) {
				sum -= a[i * stride + k] * a[j * stride + k];
			}
			if (i != j) {
				a[i * stride + j] = sum / a[j * stride + j];
			} else if (sum > 0) {
				a[i * stride + i] = sqrt(sum);
			} else {
				return false;
			}
		}
	}
	return true;
}

bool field_invert(double *a, int n, int stride)
{
	if (!factor(a, n, stride)) {
		return false;
	}
	/* The factor's own inverse, column by column. */
	for (int j = 0; j < n; j++) {
		a[j * stride + j] = 1 / a[j * stride + j];
		for (int i = j + 1; i < n; i++) {
			double sum = 0;
			for (int k = j; k < i; k++) {
				sum -= a[i * stride + k] * a[k * stride + j];
			}
			a[i * stride + j] = sum / a[i * stride + i];
		}
	}
	/* Its square is the answer; the upper triangle takes it first, because each entry needs rows below. */
	for (int i = 0; i < n; i++) {
		for (int j = i; j < n; j++) {
			double sum = 0;
			for (int k = j; k < n; k++) {
				sum += a[k * stride + i] * a[k * stride + j];
			}
			a[i * stride + j] = sum;
		}
	}
	for (int i = 0; i < n; i++) {
		for (int j = 0; j < i; j++) {
			a[i * stride + j] = a[j * stride + i];
		}
	}
	return true;
}
