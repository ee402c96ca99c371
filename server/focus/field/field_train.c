/* SPDX-License-Identifier: MIT */
/* What a train says of the field; see field_train.h. */
#include "field_train.h"

#include <math.h>

/* Half a zone in units of size over slope: sqrt(1.1^2 - 1).  By definition: a tenth above the least size. */
#define HALF_ZONE 0.4583

double field_zone(const struct field_train *train)
{
	return 2 * HALF_ZONE * exp(train->value[FIELD_WIDTH] - train->value[FIELD_SLOPE]);
}

/* The value and sigma of a sum of best focus, tilt and curvature with these shares. */
static struct field_value combine(const struct field_train *train, const double share[FIELD_CURVATURE + 1])
{
	double value = 0, variance = 0;
	for (int i = 0; i <= FIELD_CURVATURE; i++) {
		value += share[i] * train->value[i];
		for (int k = 0; k <= FIELD_CURVATURE; k++) {
			variance += share[i] * share[k] * train->covariance[i][k];
		}
	}
	double sigma = sqrt(variance);
	return (struct field_value){sigma < field_zone(train) ? value : NAN, sigma};
}

void field_shape(const struct field_train *train, struct field_shape *out)
{
	double half = 0.5 * hypot(train->width, train->height);
	const double *c = train->centre;
	/* Over a frame of any proportions the mean of X^2 + Y^2 is a third. */
	double whole = 1.0 / 3;
	out->tilt_x = combine(train, (const double[]){0, (train->width - 1) / half, 0, 0});
	out->tilt_y = combine(train, (const double[]){0, 0, (train->height - 1) / half, 0});
	out->curvature = combine(train, (const double[]){0, 0, 0, 1});
	out->best_middle = combine(train, (const double[]){1, -c[0], -c[1], -c[2]});
	out->best_whole = combine(train, (const double[]){1, -c[0], -c[1], whole - c[2]});
}

void field_mirror(struct field_train *train, double best)
{
	static const double turn[FIELD_PARAMETERS] = {-1, -1, -1, -1, 1, -1, 1, 1, 1, 1};
	for (int i = 0; i < FIELD_PARAMETERS; i++) {
		train->value[i] *= turn[i];
		for (int k = 0; k < FIELD_PARAMETERS; k++) {
			train->covariance[i][k] *= turn[i] * turn[k];
		}
	}
	train->value[FIELD_BEST] = best;
}
