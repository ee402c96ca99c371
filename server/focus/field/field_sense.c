/* SPDX-License-Identifier: MIT */
/* The signed focus error of a single frame; see field.h. */
#include <math.h>
#include <string.h>

#include "field_inside.h"

/* Size in focus of another moment than the sweep's, 1 sigma of its logarithm.  Estimate: seeing of the hours and
 * nights after, and guiding. */
#define NIGHT_SIGMA 0.25
/* Stars that are looked at, the brightest.  Choice: beyond it seeing that differs over the field rules. */
#define STARS_MOST 100
/* Focus errors that are tried: steps of a coarse pass on each side, and how many each is divided into where it counts;
 * a step counts within NEAR_LOSS of the least loss, which leaves out 1 in 10^6.  Choice. */
#define COARSE 80
#define FINE 8
#define NEAR_LOSS 30.0
/* The search goes so far beyond the distance that the largest star asks for.  Choice. */
#define BEYOND 1.3
/* Improvements of the other unknowns at each focus error, each begun where the last error's ended.  Choice. */
#define IMPROVEMENTS 2
/* A frame tells when sigma is below this share of the zone, or of its own error.  Source: flat fields leave more than
 * 10 um of a zone of 52 um; a quarter is four sigma of the side. */
#define TELLS_OF_ZONE 0.2
#define TELLS_OF_ERROR 0.25
/* From so much chi2 per degree of freedom on, and this many sigmas of it, the field is another.  Choice: the extra
 * scatter of one frame is known to a tenth. */
#define CHANGED_CHI2 2.0
#define CHANGED_SIGMAS 2.0

/* The unknowns beside the focus error: all that a train knows but best focus, and the size in focus of the moment. */
enum { UNKNOWNS = FIELD_PARAMETERS - 1 };

struct look {
	const struct field_train *train;
	int stars;
	double size[STARS_MOST], noise2[STARS_MOST], place[STARS_MOST][3];
	double precision[UNKNOWNS][UNKNOWNS]; /* of what the train knows, and of the moment */
	double widened;                       /* factor of all variances */
	double value[FIELD_PARAMETERS];       /* where the last improvement ended */
};

static void take_stars(struct look *look, const struct star *stars, size_t count)
{
	const struct field_train *train = look->train;
	for (size_t i = 0; i < count && look->stars < STARS_MOST; i++) {
		const struct star *star = &stars[i];
		if (star->flags != 0 || !(star->hfr_px > 0) || !(star->snr > 0)) {
			continue;
		}
		int n = look->stars++;
		field_place(train->width, train->height, star->x, star->y, train->centre, look->place[n]);
		look->size[n] = log(star->hfr_px);
		look->noise2[n] = FIELD_PHOTON * FIELD_PHOTON / (star->snr * star->snr) +
			train->extra_scatter * train->extra_scatter;
	}
}

/* What is known before the frame; false for a train that is none. */
static bool know(struct look *look)
{
	const struct field_train *train = look->train;
	for (int i = 0; i < UNKNOWNS; i++) {
		for (int k = 0; k < UNKNOWNS; k++) {
			look->precision[i][k] = train->covariance[i + 1][k + 1];
		}
	}
	int width = FIELD_WIDTH - 1;
	for (int i = 0; i < UNKNOWNS; i++) {
		/* The width of this moment has little to do with how well that of the sweep is known. */
		look->precision[i][width] = look->precision[width][i] = 0;
	}
	look->precision[width][width] = NIGHT_SIGMA * NIGHT_SIGMA;
	memcpy(look->value, train->value, sizeof look->value);
	look->widened = 1;
	return field_invert(&look->precision[0][0], UNKNOWNS, UNKNOWNS);
}

/* The residual of one star and its variance at a focus error; slope[] after the unknowns. */
static double residual(const struct look *look, double error, int star, double slope[UNKNOWNS], double *variance)
{
	struct field_point point = {
		.place = look->place[star],
		.position = error + look->value[FIELD_BEST],
		.width = look->value[FIELD_WIDTH],
	};
	double all[FIELD_PARAMETERS], width_slope;
	double left = look->size[star] - field_model(look->value, &point, all, &width_slope);
	memcpy(slope, all + 1, UNKNOWNS * sizeof slope[0]);
	slope[FIELD_WIDTH - 1] = width_slope;
	double own = width_slope * look->train->star_scatter;
	*variance = look->widened * (look->noise2[star] + own * own);
	return left;
}

/* Minus twice the logarithm of the probability at a focus error and the present unknowns; *chi2 the weighted squares of
 * the sizes. */
static double loss(const struct look *look, double error, double *chi2)
{
	double sum = 0, slope[UNKNOWNS], variance;
	*chi2 = 0;
	for (int i = 0; i < look->stars; i++) {
		double left = residual(look, error, i, slope, &variance);
		double r2 = left * left / variance;
		sum += field_loss(r2) + log(variance);
		*chi2 += field_weight(r2) * r2;
	}
	for (int i = 0; i < UNKNOWNS; i++) {
		for (int k = 0; k < UNKNOWNS; k++) {
			sum += look->precision[i][k] * (look->value[i + 1] - look->train->value[i + 1]) *
				(look->value[k + 1] - look->train->value[k + 1]);
		}
	}
	return sum;
}

/* One step of the unknowns towards the best at this focus error. */
static void improve(struct look *look, double error)
{
	double matrix[UNKNOWNS][UNKNOWNS], gradient[UNKNOWNS] = {0};
	memcpy(matrix, look->precision, sizeof matrix);
	for (int i = 0; i < UNKNOWNS; i++) {
		for (int k = 0; k < UNKNOWNS; k++) {
			gradient[i] -= look->precision[i][k] * (look->value[k + 1] - look->train->value[k + 1]);
		}
	}
	for (int s = 0; s < look->stars; s++) {
		double slope[UNKNOWNS], variance;
		double left = residual(look, error, s, slope, &variance);
		double weight = field_weight(left * left / variance) / variance;
		for (int i = 0; i < UNKNOWNS; i++) {
			gradient[i] += weight * slope[i] * left;
			for (int k = 0; k <= i; k++) {
				matrix[i][k] += weight * slope[i] * slope[k];
			}
		}
	}
	if (!field_invert(&matrix[0][0], UNKNOWNS, UNKNOWNS)) {
		return;
	}
	for (int i = 0; i < UNKNOWNS; i++) {
		for (int k = 0; k < UNKNOWNS; k++) {
			look->value[i + 1] += matrix[i][k] * gradient[k];
		}
	}
}

static double least_loss(struct look *look, double error, double *chi2)
{
	for (int i = 0; i < IMPROVEMENTS; i++) {
		improve(look, error);
	}
	return loss(look, error, chi2);
}

/* How far from focus the frame may be, steps. */
static double reach(const struct look *look)
{
	double largest = 0, spread = 0;
	const double *value = look->train->value;
	for (int i = 0; i < look->stars; i++) {
		const double *at = look->place[i];
		largest = fmax(largest, look->size[i]);
		spread = fmax(spread, fabs(value[FIELD_TILT_X] * at[0] + value[FIELD_TILT_Y] * at[1] +
				value[FIELD_CURVATURE] * at[2]));
	}
	return BEYOND * (exp(largest - value[FIELD_SLOPE]) + spread) + field_zone(look->train);
}

/* Sums over what is possible. */
struct sums {
	double least, chi2_least; /* the least loss, and chi2 there */
	double all, above, mean, square, distance;
};

/* Adds the piece about a focus error of this width. */
static void add(struct sums *sums, double error, double width, double at_loss)
{
	double p = width * exp(-0.5 * (at_loss - sums->least));
	sums->all += p;
	sums->above += error > 0 ? p : 0;
	sums->mean += p * error;
	sums->square += p * error * error;
	sums->distance += p * fabs(error);
}

/* Tries all focus errors: coarsely, then finely where the coarse pass leaves something possible. */
static void try_all(struct look *look, struct sums *sums)
{
	double coarse[2 * COARSE + 1], chi2;
	double width = reach(look) / COARSE;
	*sums = (struct sums){.least = INFINITY};
	for (int i = 0; i <= 2 * COARSE; i++) {
		coarse[i] = least_loss(look, (i - COARSE) * width, &chi2);
		if (coarse[i] < sums->least) {
			sums->least = coarse[i];
			sums->chi2_least = chi2;
		}
	}
	for (int i = 0; i <= 2 * COARSE; i++) {
		bool dip = (i == 0 || coarse[i - 1] >= coarse[i]) && (i == 2 * COARSE || coarse[i + 1] >= coarse[i]);
		bool by_dip = i > 0 && i < 2 * COARSE && fmin(coarse[i - 1], coarse[i + 1]) < sums->least + NEAR_LOSS;
		if (!dip && !by_dip && coarse[i] > sums->least + NEAR_LOSS) {
			continue;
		}
		for (int k = 0; k < FINE; k++) {
			double error = (i - COARSE - 0.5 + (k + 0.5) / FINE) * width;
			double here = least_loss(look, error, &chi2);
			if (here < sums->least) {
				/* What was summed so far was measured by another least. */
				double smaller = exp(-0.5 * (sums->least - here));
				sums->all *= smaller;
				sums->above *= smaller;
				sums->mean *= smaller;
				sums->square *= smaller;
				sums->distance *= smaller;
				sums->least = here;
				sums->chi2_least = chi2;
			}
			add(sums, error, width / FINE, here);
		}
	}
}

/* Judges whether the answer can be acted on. */
static void judge(const struct field_train *train, bool changed, struct field_sense *out)
{
	out->tells = false;
	if (changed) {
		out->why = "the pattern of star sizes is not that of the train: the field has changed";
	} else if (out->sigma < TELLS_OF_ZONE * field_zone(train) || out->sigma < TELLS_OF_ERROR * fabs(out->error)) {
		out->tells = true;
		out->why = "";
	} else {
		out->why = "cannot tell: the stars differ too little in focus over the field, or are too few";
	}
}

void field_sense(const struct field_train *train, const struct star *stars, size_t count, int width, int height,
	struct field_sense *out)
{
	*out = (struct field_sense){.error = NAN, .sigma = NAN, .sign_probability = NAN, .distance = NAN,
		.distance_sigma = NAN, .chi2_dof = NAN};
	if (width != train->width || height != train->height) {
		out->why = "the train belongs to frames of another size";
		return;
	}
	struct look look = {.train = train};
	take_stars(&look, stars, count);
	if (look.stars == 0) {
		out->why = "no star to tell from";
		return;
	}
	if (!know(&look)) {
		out->why = "the train's covariance is none";
		return;
	}
	struct sums sums;
	try_all(&look, &sums);
	int dof = look.stars - 2;
	double chi2_dof = dof > 0 ? sums.chi2_least / dof : NAN;
	if (chi2_dof > 1) {
		look.widened = chi2_dof;
		try_all(&look, &sums);
	}
	out->stars = look.stars;
	out->chi2_dof = chi2_dof;
	out->error = sums.mean / sums.all;
	out->sigma = sqrt(fmax(0, sums.square / sums.all - out->error * out->error));
	out->distance = sums.distance / sums.all;
	out->distance_sigma = sqrt(fmax(0, sums.square / sums.all - out->distance * out->distance));
	double above = sums.above / sums.all;
	out->sign_probability = out->error > 0 ? above : 1 - above;
	judge(train, chi2_dof > CHANGED_CHI2 + CHANGED_SIGMAS * sqrt(2.0 / fmax(dof, 1)), out);
}
