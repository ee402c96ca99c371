/* SPDX-License-Identifier: MIT */
/* What the files of the room share: the model of a star's size, its noise, and small linear algebra. */
#ifndef FOCUSD_FIELD_INSIDE_H
#define FOCUSD_FIELD_INSIDE_H

#include "field.h"

/* Degrees of freedom of Student's t, the law of single sizes.  Choice: heavy enough for blends, and near to normal. */
#define FIELD_STUDENT 4

/* What a measurement tells of a value, as share of its weight.  Derived: Fisher's information of Student's t is
 * (nu + 1) / (nu + 3), where its mean weight is 1. */
#define FIELD_INFORMATION ((FIELD_STUDENT + 1.0) / (FIELD_STUDENT + 3.0))

/* Photon noise of the size of one star: FIELD_PHOTON / SNR, relative.  Source: faint stars of measure.h show a scatter
 * of 0.7 to 0.95 over their SNR. */
#define FIELD_PHOTON 0.9

/* One star at one moment. */
struct field_point {
	const double *place; /* X, Y, Q less the train's centre */
	double position;     /* in the units of value[FIELD_BEST] */
	double width;        /* ln of the size in focus of the moment */
	double star;         /* ln of the star's own factor */
};

/* The natural logarithm of a star's size.
 * Given: value, in any one unit of length along the travel; point.
 * Returned: ln of px; slope[] its derivatives after each value; FIELD_WIDTH's is 0 there, and *width_slope is that
 * after point->width, which is the one after point->star, too.
 * Notes: 1) G(q) = 1 + q - q / (A + B q) with q = (k dz / (W s))^2 follows the exact convolution of Kolmogorov seeing
 * with a disk (A 6.2, B 1.85) or an annulus of obstruction 0.34 (A 6.9, B 2.2) within 0.4 % of the size; the constants
 * between both are used, within 0.5 % of either: tests/unit/focus/test_field.c curve_follows_the_exact_one.
 * Source: the table of the exact curve is that of tests/unit/focus/sky.c. */
double field_model(const double value[FIELD_PARAMETERS], const struct field_point *point,
	double slope[FIELD_PARAMETERS], double *width_slope);

/* The place of a pixel, less a centre. */
void field_place(int width, int height, double x, double y, const double centre[3], double out[3]);

/* The weight of a squared residual over its variance, by Student's t; and minus twice its logarithm of probability,
 * a constant apart. */
double field_weight(double r2);
double field_loss(double r2);

/* Inverts a symmetric positive definite matrix of n rows, `stride` apart, of which the lower triangle is read, by
 * Cholesky's factors; the whole inverse is left in its place.  False where it is not positive definite; the matrix is
 * then spoiled. */
bool field_invert(double *matrix, int n, int stride);

#endif
