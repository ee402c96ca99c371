/* SPDX-License-Identifier: MIT */
/* Values that need no fit, or a finished one: quantiles, the scatter of an exposure, sizes on a curve. */
#include "curve.h"

#include <math.h>

#include "curve_lm.h"

/* Student's t exceeded with 2.5 % for 1..10 degrees of freedom, where the expansion is worse than four digits.
 * Source: Abramowitz and Stegun (1964), table 26.10. */
static const double student_small[] = {12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622,
	2.2281};
#define STUDENT_SMALL ((int)(sizeof student_small / sizeof student_small[0]))
/* The same of the normal distribution.  Derived: the 97.5 % quantile of the normal distribution. */
#define NORMAL_975 1.959964
/* Bounds of how much worse or better an exposure averages the seeing than the reference exposure does.  Estimate:
 * 0.7 moves no figure of tests/unit/focus/test_curve.c interval_covers. */
#define EXPOSURE_GAIN_LEAST 0.5
#define EXPOSURE_GAIN_MOST 4
/* sqrt(1.1^2 - 1): distance from the vertex at which the size is a tenth above its minimum, in a/k.  Derived:
 * rounded up; tests/unit/focus/test_curve.c widths. */
#define TENTH_WIDTH 0.4583

double curve_student975(int dof)
{
	if (dof < 1) {
		return INFINITY;
	}
	if (dof <= STUDENT_SMALL) {
		return student_small[dof - 1];
	}
	double z = NORMAL_975, v = dof;
	double z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;
	return z + (z3 + z) / (4 * v) + (5 * z5 + 16 * z3 + 3 * z) / (96 * v * v) +
		(3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * v * v * v);
}

double curve_seeing(double relative, double duration_s)
{
	if (!(duration_s > 0)) {
		return relative;
	}
	return relative *
		fmax(EXPOSURE_GAIN_LEAST, fmin(EXPOSURE_GAIN_MOST, sqrt(CURVE_REFERENCE_EXPOSURE_S / duration_s)));
}

double curve_at(const struct curve_result *fit, double position, double *sigma_px)
{
	if (sigma_px != NULL) {
		double g[CURVE_PARAMETERS], variance = 0;
		curve_lm_gradient(&fit->curve, position, g);
		for (int r = 0; r < CURVE_PARAMETERS; r++) {
			for (int c = 0; c < CURVE_PARAMETERS; c++) {
				variance += g[r] * fit->covariance[r][c] * g[c];
			}
		}
		*sigma_px = sqrt(fmax(0, variance));
	}
	return curve_lm_model(&fit->curve, position);
}

double curve_tenth_width(const struct curve *curve)
{
	return TENTH_WIDTH * curve->a / curve->k;
}
