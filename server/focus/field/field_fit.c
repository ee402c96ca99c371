/* SPDX-License-Identifier: MIT */
/* All stars of a sweep are fitted together; see field.h. */
#include <math.h>
#include <string.h>

#include "field_inside.h"

/* What is thought before the sweep: 1 sigma each.  Lengths are in units of the size in focus over the slope, of which
 * a zone has about one.  Tilt and curvature: field-flattened telescopes have up to one unit, bare ones several.
 * Slopes: the caller's curve is good to a tenth, and both sides differ by a few percent where there is spherical
 * aberration.  Sizes over the field: coma and the like.  Choice. */
static const double prior_sigma[FIELD_PARAMETERS] = {10.0, 3.0, 3.0, 3.0, 0.3, 0.03, 0.1, 0.1, 0.1, 0.5};
/* Scatter of the seeing between frames, of the stars' own factors, and beyond photon noise, relative; each counts as
 * much as PRIOR_COUNT measurements of it.  Estimate: recorded frames of 1 to 300 s. */
#define PRIOR_SEEING 0.07
#define PRIOR_STAR 0.03
#define PRIOR_EXTRA 0.02
#define PRIOR_COUNT 4.0
/* Fewest frames: two sides and a bottom, and something left over.  Choice. */
#define FEWEST_FRAMES 5
/* A star in fewer frames says nothing of its best focus.  Choice. */
#define FEWEST_SIGHTS 3
/* Damping of the steps: its first value, its factor, and beyond what it is given up.  Choice, as in MINPACK. */
#define DAMPING_FIRST 1e-3
#define DAMPING_FACTOR 10.0
#define DAMPING_MOST 1e6
/* Most steps, and the step (in sigmas of the values) that is none.  Choice: half of it settles on most fields. */
#define STEPS_MOST 40
#define STEP_LEAST 0.01

enum { MOST = FIELD_PARAMETERS + FIELD_FRAMES + FIELD_STARS };

/* A fit while it goes on.  The unknown values: the parameters, then ln of the size in focus of each frame, then ln of
 * the factor of each star. */
struct fit {
	struct field_sweep *sweep;
	struct field_fit_work *work;
	bool takes_part[FIELD_STARS];
	double unit, origin;           /* of the travel, steps */
	double seeing2, star2, extra2; /* variances */
	int n;                         /* unknown values */
};

static int frame_at(int frame)
{
	return FIELD_PARAMETERS + frame;
}

static int star_at(const struct fit *fit, int star)
{
	return FIELD_PARAMETERS + fit->sweep->frames + star;
}

/* One measured size: what is left over, its variance, and its derivatives after the values that it depends on. */
struct row {
	double residual, variance;
	double slope[FIELD_PARAMETERS + 2];
	int index[FIELD_PARAMETERS + 2];
};

static bool row_of(const struct fit *fit, const double *value, int frame, int star, struct row *row)
{
	const struct field_sweep *sweep = fit->sweep;
	if (!fit->takes_part[star] || isnan(sweep->size[frame][star])) {
		return false;
	}
	struct field_point point = {
		.place = fit->work->place[star],
		.position = (sweep->position[frame] - fit->origin) / fit->unit,
		.width = value[frame_at(frame)],
		.star = value[star_at(fit, star)],
	};
	double width_slope;
	row->residual = sweep->size[frame][star] - field_model(value, &point, row->slope, &width_slope);
	row->variance = sweep->noise[frame][star] * sweep->noise[frame][star] + fit->extra2;
	for (int i = 0; i < FIELD_PARAMETERS; i++) {
		row->index[i] = i;
	}
	row->slope[FIELD_PARAMETERS] = row->slope[FIELD_PARAMETERS + 1] = width_slope;
	row->index[FIELD_PARAMETERS] = frame_at(frame);
	row->index[FIELD_PARAMETERS + 1] = star_at(fit, star);
	return true;
}

/* The start of each value and its prior are the same. */
static double prior_value(const double *start, int i)
{
	return i < FIELD_PARAMETERS ? start[i] : 0;
}

/* Minus twice the logarithm of the probability. */
static double loss(const struct fit *fit, const double *start, const double *value)
{
	double sum = 0;
	struct row row;
	for (int j = 0; j < fit->sweep->frames; j++) {
		double off = value[frame_at(j)] - value[FIELD_WIDTH];
		sum += off * off / fit->seeing2;
		for (int i = 0; i < fit->sweep->stars; i++) {
			if (row_of(fit, value, j, i, &row)) {
				sum += field_loss(row.residual * row.residual / row.variance);
			}
		}
	}
	for (int i = 0; i < fit->sweep->stars; i++) {
		sum += field_loss(value[star_at(fit, i)] * value[star_at(fit, i)] / fit->star2);
	}
	for (int i = 0; i < FIELD_PARAMETERS; i++) {
		double off = (value[i] - prior_value(start, i)) / prior_sigma[i];
		sum += off * off;
	}
	return sum;
}

/* The normal equations at the present values: the matrix and the negative gradient. */
static void equations(const struct fit *fit, const double *start)
{
	struct field_fit_work *work = fit->work;
	const double *value = work->value;
	for (int i = 0; i < fit->n; i++) {
		memset(work->matrix[i], 0, (size_t)fit->n * sizeof work->matrix[i][0]);
		work->gradient[i] = 0;
	}
	struct row row;
	for (int j = 0; j < fit->sweep->frames; j++) {
		int at = frame_at(j);
		double off = value[at] - value[FIELD_WIDTH];
		work->matrix[at][at] += 1 / fit->seeing2;
		work->matrix[FIELD_WIDTH][FIELD_WIDTH] += 1 / fit->seeing2;
		work->matrix[at][FIELD_WIDTH] -= 1 / fit->seeing2;
		work->gradient[at] -= off / fit->seeing2;
		work->gradient[FIELD_WIDTH] += off / fit->seeing2;
		for (int i = 0; i < fit->sweep->stars; i++) {
			if (!row_of(fit, value, j, i, &row)) {
				continue;
			}
			double weight = field_weight(row.residual * row.residual / row.variance) / row.variance;
			for (int a = 0; a < FIELD_PARAMETERS + 2; a++) {
				work->gradient[row.index[a]] += weight * row.slope[a] * row.residual;
				for (int b = 0; b <= a; b++) {
					work->matrix[row.index[a]][row.index[b]] +=
						FIELD_INFORMATION * weight * row.slope[a] * row.slope[b];
				}
			}
		}
	}
	for (int i = 0; i < fit->sweep->stars; i++) {
		int at = star_at(fit, i);
		double weight = field_weight(value[at] * value[at] / fit->star2) / fit->star2;
		work->matrix[at][at] += FIELD_INFORMATION * weight;
		work->gradient[at] -= weight * value[at];
	}
	for (int i = 0; i < FIELD_PARAMETERS; i++) {
		double precision = 1 / (prior_sigma[i] * prior_sigma[i]);
		work->matrix[i][i] += precision;
		work->gradient[i] -= (value[i] - prior_value(start, i)) * precision;
	}
}

/* The scatters that the values and what is unsure of them show; work->matrix is the covariance. */
static void learn_scatters(struct fit *fit)
{
	const struct field_fit_work *work = fit->work;
	double seeing = 0, star = 0, extra = 0;
	int stars = 0, rows = 0;
	struct row row;
	for (int j = 0; j < fit->sweep->frames; j++) {
		int at = frame_at(j);
		double off = work->value[at] - work->value[FIELD_WIDTH];
		seeing += off * off + work->matrix[at][at] + work->matrix[FIELD_WIDTH][FIELD_WIDTH] -
			2 * work->matrix[at][FIELD_WIDTH];
		for (int i = 0; i < fit->sweep->stars; i++) {
			if (!row_of(fit, work->value, j, i, &row)) {
				continue;
			}
			double unsure = 0;
			for (int a = 0; a < FIELD_PARAMETERS + 2; a++) {
				for (int b = 0; b < FIELD_PARAMETERS + 2; b++) {
					unsure += row.slope[a] * row.slope[b] *
						work->matrix[row.index[a]][row.index[b]];
				}
			}
			double r2 = row.residual * row.residual;
			double share = fit->extra2 / row.variance;
			extra += share * share * (r2 * field_weight(r2 / row.variance) + unsure) +
				share * (row.variance - fit->extra2);
			rows++;
		}
	}
	for (int i = 0; i < fit->sweep->stars; i++) {
		if (fit->takes_part[i]) {
			int at = star_at(fit, i);
			double square = work->value[at] * work->value[at];
			star += square * field_weight(square / fit->star2) + work->matrix[at][at];
			stars++;
		}
	}
	fit->seeing2 = (PRIOR_COUNT * PRIOR_SEEING * PRIOR_SEEING + seeing) / (PRIOR_COUNT + fit->sweep->frames);
	fit->star2 = (PRIOR_COUNT * PRIOR_STAR * PRIOR_STAR + star) / (PRIOR_COUNT + stars);
	fit->extra2 = (PRIOR_COUNT * PRIOR_EXTRA * PRIOR_EXTRA + extra) / (PRIOR_COUNT + rows);
}

/* Solves for a step with this damping and puts it into work->trial; returns its length in sigmas, NAN when the
 * equations have no solution. */
static double step(const struct fit *fit, const double *start, double damping)
{
	struct field_fit_work *work = fit->work;
	equations(fit, start);
	for (int i = 0; i < fit->n; i++) {
		work->matrix[i][i] *= 1 + damping;
	}
	if (!field_invert(&work->matrix[0][0], fit->n, MOST)) {
		return NAN;
	}
	double longest = 0;
	for (int i = 0; i < fit->n; i++) {
		double sum = 0;
		for (int k = 0; k < fit->n; k++) {
			sum += work->matrix[i][k] * work->gradient[k];
		}
		work->trial[i] = work->value[i] + sum;
		longest = fmax(longest, fabs(sum) / sqrt(work->matrix[i][i]));
	}
	return longest;
}

/* Steps until nothing changes, the scatters along; then leaves the covariance in work->matrix. */
static bool solve(struct fit *fit, const double *start)
{
	struct field_fit_work *work = fit->work;
	double damping = DAMPING_FIRST;
	double now = loss(fit, start, work->value);
	for (int i = 0; i < STEPS_MOST && damping < DAMPING_MOST; i++) {
		double longest = step(fit, start, damping);
		double then = isfinite(longest) ? loss(fit, start, work->trial) : NAN;
		if (!(then <= now)) {
			damping *= DAMPING_FACTOR;
			continue;
		}
		memcpy(work->value, work->trial, (size_t)fit->n * sizeof work->value[0]);
		damping /= DAMPING_FACTOR;
		double before = fit->extra2 + fit->star2 + fit->seeing2;
		learn_scatters(fit);
		now = loss(fit, start, work->value);
		double change = (fit->extra2 + fit->star2 + fit->seeing2) / before - 1;
		if (longest < STEP_LEAST && fabs(change) < STEP_LEAST) {
			break;
		}
	}
	return isfinite(step(fit, start, 0));
}

/* Chooses the stars, their mean place, and where they stand beside it. */
static int choose_stars(struct fit *fit, double centre[3])
{
	static const double middle[3] = {0};
	const struct field_sweep *sweep = fit->sweep;
	int stars = 0;
	memset(centre, 0, 3 * sizeof centre[0]);
	for (int i = 0; i < sweep->stars; i++) {
		int sights = 0;
		for (int j = 0; j < sweep->frames; j++) {
			sights += !isnan(sweep->size[j][i]);
		}
		fit->takes_part[i] = sights >= FEWEST_SIGHTS;
		if (fit->takes_part[i]) {
			double place[3];
			field_place(sweep->width, sweep->height, sweep->track[i].x, sweep->track[i].y, middle, place);
			stars++;
			for (int k = 0; k < 3; k++) {
				centre[k] += (place[k] - centre[k]) / stars;
			}
		}
	}
	for (int i = 0; i < sweep->stars; i++) {
		field_place(sweep->width, sweep->height, sweep->track[i].x, sweep->track[i].y, centre,
			fit->work->place[i]);
	}
	return stars;
}

/* Whether frames lie on both sides of a position. */
static bool brackets(const struct field_sweep *sweep, double position)
{
	int above = 0;
	for (int j = 0; j < sweep->frames; j++) {
		above += sweep->position[j] > position;
	}
	return above > 0 && above < sweep->frames;
}

static void hand_over(const struct fit *fit, int stars, struct field_train *out)
{
	const struct field_fit_work *work = fit->work;
	out->width = fit->sweep->width;
	out->height = fit->sweep->height;
	out->frames = fit->sweep->frames;
	out->stars = stars;
	out->star_scatter = sqrt(fit->star2);
	out->extra_scatter = sqrt(fit->extra2);
	for (int i = 0; i < FIELD_PARAMETERS; i++) {
		double scale = i <= FIELD_CURVATURE ? fit->unit : 1;
		out->value[i] = work->value[i] * scale;
		for (int k = 0; k < FIELD_PARAMETERS; k++) {
			out->covariance[i][k] = work->matrix[i][k] * scale * (k <= FIELD_CURVATURE ? fit->unit : 1);
		}
	}
	out->value[FIELD_BEST] += fit->origin;
	out->value[FIELD_SLOPE] -= log(fit->unit);
}

enum err_code field_fit(struct field_sweep *sweep, const struct field_start *from, struct field_train *out,
	struct err *err)
{
	if (!isfinite(from->best) || !(from->slope_px_per_step > 0) || !(from->size_px > 0)) {
		return err_set(err, ERR_INVALID_VALUE, "there is no curve to begin with");
	}
	if (sweep->frames < FEWEST_FRAMES || !brackets(sweep, from->best)) {
		return err_set(err, ERR_INVALID_VALUE, "the field needs %d frames with stars, on both sides of focus",
			FEWEST_FRAMES);
	}
	struct fit fit = {
		.sweep = sweep,
		.work = &sweep->work,
		.unit = from->size_px / from->slope_px_per_step,
		.origin = from->best,
		.seeing2 = PRIOR_SEEING * PRIOR_SEEING,
		.star2 = PRIOR_STAR * PRIOR_STAR,
		.extra2 = PRIOR_EXTRA * PRIOR_EXTRA,
		.n = FIELD_PARAMETERS + sweep->frames + sweep->stars,
	};
	double centre[3];
	int stars = choose_stars(&fit, centre);
	/* In units of the travel the slope is that of one size in focus per unit. */
	double start[FIELD_PARAMETERS] = {[FIELD_SLOPE] = log(from->size_px), [FIELD_WIDTH] = log(from->size_px)};
	memset(sweep->work.value, 0, sizeof sweep->work.value);
	memcpy(sweep->work.value, start, sizeof start);
	for (int j = 0; j < sweep->frames; j++) {
		sweep->work.value[frame_at(j)] = start[FIELD_WIDTH];
	}
	if (stars == 0 || !solve(&fit, start)) {
		return err_set(err, ERR_INVALID_VALUE, "the stars of this sweep do not make a field");
	}
	memcpy(out->centre, centre, sizeof centre);
	hand_over(&fit, stars, out);
	return ERR_OK;
}
