/* SPDX-License-Identifier: MIT */
/*
 * V-curve fits.  Error model of a frame: sigma^2 = (e_s h0^2/h)^2 + e_phot^2 + (2 % h)^2.  The
 * first term is seeing, which fades as the blur grows; e_s is estimated from the residuals around a
 * prior of 5 %; the last keeps the arms, where the true curve is no exact hyperbola, from ruling.
 */
#include "curve.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "curve_lm.h"

#define ARM_RATIO 1.3         /* a sample that high above the minimum belongs to an arm */
#define ARM_SAMPLES 2         /* wanted on each side */
#define LEAST_POINTS 5
#define SEEING_PRIOR 0.05     /* of a 3 s frame */
#define SEEING_LEAST 0.006    /* and this many are tried, each an eighth above the last: up to 0.6 */
#define SEEING_TRIED 41
#define SEEING_PRIOR_WIDTH 0.6 /* of its logarithm: a factor of 1.8 either way */
#define MODEL_ERROR 0.02      /* relative: what aberrations and the model make of an arm */
#define SOFT_SIGMA 1.5        /* soft-L1 loss turns linear here */
#define REJECT_SIGMA 3.5
#define TRUST_DOF 4.0         /* weight of the expected errors against the residuals seen */
#define ITERATIONS 6
#define FEW_ITERATIONS 3      /* to look at one point */
#define MANY_POINTS 40
#define OFFSET_POINTS 9       /* a fourth parameter needs that many */
#define OFFSET_SHARE 0.6      /* of the least sample: largest offset */
#define OFFSET_GAIN 15.0      /* and must lower -2 log likelihood by that much */
#define TENTH_WIDTH 0.4583    /* sqrt(1.1^2 - 1): half width of 10 % growth in units of a/k */

const char *curve_model_name(enum curve_model model)
{
	return model == CURVE_HYPERBOLA_OFFSET ? "hyperbola+offset" : "hyperbola";
}

const char *curve_why_name(enum curve_why why)
{
	switch (why) {
	case CURVE_USED:
		break;
	case CURVE_NO_STARS:
		return "no stars";
	case CURVE_OUTLIER:
		return "outlier";
	case CURVE_CLOUD:
		return "cloud";
	case CURVE_WINDOW:
		return "outside the window";
	case CURVE_TRAILED:
		return "trailed";
	case CURVE_PLAY:
		return "play not taken up";
	}
	return "";
}

double curve_student975(int dof)
{
	/* Exact to four digits where the expansion is not. */
	static const double small[] = {12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646,
		2.3060, 2.2622, 2.2281};
	if (dof < 1) {
		return INFINITY;
	}
	if (dof <= 10) {
		return small[dof - 1];
	}
	/* Cornish-Fisher expansion in 1/dof (Abramowitz and Stegun, 26.7.5). */
	double z = 1.959964, v = dof;
	double z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;
	return z + (z3 + z) / (4 * v) + (5 * z5 + 16 * z3 + 3 * z) / (96 * v * v) +
		(3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * v * v * v);
}

double curve_seeing(double relative, double duration_s)
{
	if (!(duration_s > 0)) {
		return relative;
	}
	return relative * fmax(0.5, fmin(4, sqrt(CURVE_REFERENCE_EXPOSURE_S / duration_s)));
}

double curve_at(const struct curve_result *fit, double position, double *sigma_px)
{
	if (sigma_px != NULL) {
		double g[4], variance = 0;
		curve_lm_gradient(fit->params, position, g);
		for (int r = 0; r < 4; r++) {
			for (int c = 0; c < 4; c++) {
				variance += g[r] * fit->covariance[r][c] * g[c];
			}
		}
		*sigma_px = sqrt(fmax(0, variance));
	}
	return curve_lm_model(fit->params, position);
}

/* The points that take part, as arrays for the solver. */
struct work {
	size_t n;
	size_t index[CURVE_MAX_POINTS]; /* into the caller's points */
	double x[CURVE_MAX_POINTS], h[CURVE_MAX_POINTS], photon[CURVE_MAX_POINTS];
	double duration[CURVE_MAX_POINTS], sigma[CURVE_MAX_POINTS], loss[CURVE_MAX_POINTS];
};

/* One converged fit of a set of points. */
struct attempt {
	struct curve_lm_solution solution;
	double seeing;
	double chi2;    /* without the robust loss */
	double cost;    /* -2 log likelihood with the seeing prior, for comparing models */
	int parameters;
};

static void work_fill(struct work *w, const struct curve_point *points, size_t n)
{
	w->n = 0;
	for (size_t i = 0; i < n; i++) {
		if (!points[i].used) {
			continue;
		}
		size_t k = w->n++;
		w->index[k] = i;
		w->x[k] = points[i].position;
		w->h[k] = points[i].hfr_px;
		w->photon[k] = points[i].error_px > 0 ? points[i].error_px : 0;
		w->duration[k] = points[i].duration_s;
		w->loss[k] = 1;
	}
}

static double seeing_gain(const struct work *w, size_t i, double h0, double h)
{
	return curve_seeing(1, w->duration[i]) * h0 * h0 / fmax(h, h0);
}

static double steady_variance(const struct work *w, size_t i, double h)
{
	return w->photon[i] * w->photon[i] + MODEL_ERROR * h * MODEL_ERROR * h;
}

/* Sets sigma of each point from the curve so far (NULL: from the samples themselves). */
static void set_sigma(struct work *w, const double *params, double h0, double seeing)
{
	for (size_t i = 0; i < w->n; i++) {
		double h = params != NULL ? fmax(curve_lm_model(params, w->x[i]), h0) : w->h[i];
		double s = seeing * seeing_gain(w, i, h0, h);
		w->sigma[i] = sqrt(s * s + steady_variance(w, i, h));
	}
}

/* The seeing scatter that makes the residuals most likely, with a wide prior around 5 %. */
static double estimate_seeing(const struct work *w, const double params[4], double h0,
	int parameters)
{
	double best = SEEING_PRIOR, least = INFINITY;
	double inflate = (double)w->n / (double)(w->n > (size_t)parameters ? w->n - parameters : 1);
	double gain[CURVE_MAX_POINTS], steady[CURVE_MAX_POINTS], square[CURVE_MAX_POINTS];
	for (size_t i = 0; i < w->n; i++) {
		double h = curve_lm_model(params, w->x[i]);
		double r = w->h[i] - h;
		h = fmax(h, h0);
		gain[i] = seeing_gain(w, i, h0, h);
		steady[i] = steady_variance(w, i, h);
		square[i] = w->loss[i] * inflate * r * r;
	}
	double seeing = SEEING_LEAST;
	for (int k = 0; k < SEEING_TRIED; k++, seeing *= 1.12) {
		double prior = log(seeing / SEEING_PRIOR) / SEEING_PRIOR_WIDTH;
		double sum = prior * prior;
		for (size_t i = 0; i < w->n; i++) {
			double variance = seeing * seeing * gain[i] * gain[i] + steady[i];
			sum += log(variance) + square[i] / variance;
		}
		if (sum < least) {
			least = sum;
			best = seeing;
		}
	}
	return best;
}

static double least_of(const struct work *w)
{
	double least = w->h[0];
	for (size_t i = 1; i < w->n; i++) {
		least = fmin(least, w->h[i]);
	}
	return least;
}

/* Iterates fit and errors until they agree.  robust: soft-L1 loss, so that one wrong frame bends
 * neither the curve nor the scatter. */
static bool converge(struct work *w, bool robust, bool offset, int iterations,
	struct attempt *out)
{
	double least = least_of(w);
	struct attempt a = {.seeing = SEEING_PRIOR, .parameters = offset ? 4 : 3};
	for (size_t i = 0; i < w->n; i++) {
		w->loss[i] = 1;
	}
	set_sigma(w, NULL, least, a.seeing);
	for (int iteration = 0; iteration < iterations; iteration++) {
		double weighted[CURVE_MAX_POINTS];
		for (size_t i = 0; i < w->n; i++) {
			weighted[i] = w->sigma[i] / sqrt(w->loss[i]);
		}
		struct curve_lm_problem problem = {.n = w->n, .x = w->x, .h = w->h, .sigma = weighted,
			.offset = offset, .offset_bound = OFFSET_SHARE * least,
			.start = iteration > 0 ? a.solution.params : NULL};
		if (!curve_lm_solve(&problem, &a.solution)) {
			return false;
		}
		const double *p = a.solution.params;
		/* Outside the sampled range the fitted minimum is a guess; the least sample is not. */
		double h0 = fmax(0.3 * least, fmin(p[3] + p[0], 1.5 * least));
		a.seeing = estimate_seeing(w, p, h0, a.parameters);
		set_sigma(w, p, h0, a.seeing);
		a.chi2 = 0;
		for (size_t i = 0; i < w->n; i++) {
			double z = (w->h[i] - curve_lm_model(p, w->x[i])) / w->sigma[i];
			a.chi2 += z * z;
			w->loss[i] = robust ? 1 / sqrt(1 + z * z / (SOFT_SIGMA * SOFT_SIGMA)) : 1;
		}
	}
	double prior = log(a.seeing / SEEING_PRIOR) / SEEING_PRIOR_WIDTH;
	a.cost = a.chi2 + prior * prior;
	for (size_t i = 0; i < w->n; i++) {
		a.cost += 2 * log(w->sigma[i]);
	}
	*out = a;
	return true;
}

/* Used samples on each side of x0 that are at least ratio times the minimum. */
static void count_arms(const struct curve_point *points, size_t n, double x0, double limit,
	int count[2])
{
	count[0] = count[1] = 0;
	for (size_t i = 0; i < n; i++) {
		if (points[i].used && points[i].hfr_px >= limit) {
			count[points[i].position > x0]++;
		}
	}
}

static int count_used(const struct curve_point *points, size_t n)
{
	int used = 0;
	for (size_t i = 0; i < n; i++) {
		used += points[i].used;
	}
	return used;
}

/* Whether point i may go without leaving fewer than 5 points or 2 on its side of the vertex. */
static bool may_drop(const struct curve_point *points, size_t n, size_t i, double x0)
{
	int side = 0;
	for (size_t j = 0; j < n; j++) {
		side += points[j].used && (points[j].position > x0) == (points[i].position > x0);
	}
	return count_used(points, n) > LEAST_POINTS && side > ARM_SAMPLES;
}

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median_of(double *values, size_t n)
{
	qsort(values, n, sizeof values[0], compare_double);
	return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* The fit of all points but one.  False when there is none. */
static bool fit_without(const struct work *w, size_t left_out, struct work *rest,
	struct attempt *fit)
{
	rest->n = 0;
	for (size_t i = 0; i < w->n; i++) {
		if (i == left_out) {
			continue;
		}
		size_t k = rest->n++;
		rest->index[k] = w->index[i];
		rest->x[k] = w->x[i];
		rest->h[k] = w->h[i];
		rest->photon[k] = w->photon[i];
		rest->duration[k] = w->duration[i];
	}
	return converge(rest, true, false, FEW_ITERATIONS, fit);
}

/* How far point i lies, in sigma, from the curve that the others make: their scatter does not know
 * about it, so that one wrong frame cannot excuse itself as bad seeing. */
static double deleted_residual(const struct work *w, size_t i, double *limit)
{
	struct work rest;
	struct attempt fit;
	if (!fit_without(w, i, &rest, &fit)) {
		return 0;
	}
	const double *p = fit.solution.params;
	double least = least_of(&rest);
	double h = curve_lm_model(p, w->x[i]);
	double h0 = fmax(0.3 * least, fmin(p[3] + p[0], 1.5 * least));
	double s = fmax(fit.seeing, SEEING_PRIOR) * seeing_gain(w, i, h0, h);
	double variance = s * s + steady_variance(w, i, h), g[4];
	int dof = (int)rest.n - 3;
	double scale = fmax(1, fit.chi2 / dof);
	curve_lm_gradient(p, w->x[i], g);
	for (int r = 0; r < 3; r++) {
		for (int c = 0; c < 3; c++) {
			variance += g[r] * fit.solution.covariance[r][c] * g[c];
		}
	}
	*limit = REJECT_SIGMA * curve_student975(dof) / curve_student975(1000);
	return fabs(w->h[i] - h) / sqrt(variance * scale);
}

/* Drops the point that disagrees most with the others, one at a time. */
static bool reject_outliers(struct work *w, struct curve_point *points, size_t n,
	struct attempt *fit)
{
	for (size_t dropped = 0; dropped < n / 4; dropped++) {
		size_t worst = w->n;
		double most = 1;
		for (size_t i = 0; i < w->n && w->n > LEAST_POINTS; i++) {
			/* With many points one cannot bend the curve: only the suspicious ones are tried. */
			double z = fabs(w->h[i] - curve_lm_model(fit->solution.params, w->x[i])) / w->sigma[i];
			if (w->n > MANY_POINTS && z < 2) {
				continue;
			}
			double limit = INFINITY;
			double share = deleted_residual(w, i, &limit) / limit;
			if (share > most && may_drop(points, n, w->index[i], fit->solution.params[2])) {
				most = share;
				worst = i;
			}
		}
		if (worst == w->n) {
			break;
		}
		points[w->index[worst]].used = false;
		points[w->index[worst]].why = CURVE_OUTLIER;
		work_fill(w, points, n);
		if (!converge(w, true, false, ITERATIONS, fit)) {
			return false;
		}
	}
	return true;
}

/* Where one arm reaches much further than the other, its end is left out: the hyperbola is exact
 * nowhere, and a lopsided window turns that into a shifted vertex. */
static void trim_window(struct curve_point *points, size_t n, const double params[4])
{
	double x0 = params[2], reach[2] = {0, 0};
	for (size_t i = 0; i < n; i++) {
		if (points[i].used) {
			double d = points[i].position - x0;
			reach[d > 0] = fmax(reach[d > 0], fabs(d));
		}
	}
	double ratio3 = 2.83 * params[0] / params[1];
	double window = fmax(1.3 * fmin(reach[0], reach[1]), 1.05 * ratio3);
	struct curve_point trial[CURVE_MAX_POINTS];
	for (size_t i = 0; i < n; i++) {
		trial[i] = points[i];
		if (trial[i].used && fabs(trial[i].position - x0) > window) {
			trial[i].used = false;
			trial[i].why = CURVE_WINDOW;
		}
	}
	int arms[2];
	count_arms(trial, n, x0, ARM_RATIO * (params[0] + params[3]), arms);
	if (count_used(trial, n) >= 7 && arms[0] >= 3 && arms[1] >= 3) {
		for (size_t i = 0; i < n; i++) {
			points[i] = trial[i];
		}
	}
}

/* The least-squares fit of what is left, with the offset where it clearly earns its place. */
static bool final_fit(struct work *w, const struct curve_point *points, size_t n,
	struct attempt *fit)
{
	if (!converge(w, false, false, ITERATIONS, fit)) {
		return false;
	}
	const double *p = fit->solution.params;
	int arms[2];
	count_arms(points, n, p[2], ARM_RATIO * p[0], arms);
	if (w->n < OFFSET_POINTS || arms[0] < 3 || arms[1] < 3) {
		return true;
	}
	struct attempt with_offset;
	double bound = 0.97 * OFFSET_SHARE * least_of(w);
	if (converge(w, false, true, ITERATIONS, &with_offset) &&
		fabs(with_offset.solution.params[3]) < bound &&
		with_offset.cost < fit->cost - OFFSET_GAIN) {
		*fit = with_offset;
		return true;
	}
	return converge(w, false, false, ITERATIONS, fit);
}

static double r_squared_of(const struct work *w, const double params[4])
{
	double mean = 0, rest = 0, total = 0;
	for (size_t i = 0; i < w->n; i++) {
		mean += w->h[i] / (double)w->n;
	}
	for (size_t i = 0; i < w->n; i++) {
		double r = w->h[i] - curve_lm_model(params, w->x[i]);
		rest += r * r;
		total += (w->h[i] - mean) * (w->h[i] - mean);
	}
	return total > 0 ? 1 - rest / total : NAN;
}

/* Median distance between neighbouring used samples; 0 when all are at one place. */
static double spacing_of(const struct work *w, double *low, double *high)
{
	double sorted[CURVE_MAX_POINTS], gaps[CURVE_MAX_POINTS];
	size_t count = 0;
	for (size_t i = 0; i < w->n; i++) {
		sorted[i] = w->x[i];
	}
	qsort(sorted, w->n, sizeof sorted[0], compare_double);
	*low = sorted[0];
	*high = sorted[w->n - 1];
	for (size_t i = 1; i < w->n; i++) {
		if (sorted[i] > sorted[i - 1]) {
			gaps[count++] = sorted[i] - sorted[i - 1];
		}
	}
	return count > 0 ? median_of(gaps, count) : 0;
}

static void refuse(struct curve_result *out, const char *reason)
{
	out->accepted = false;
	snprintf(out->reason, sizeof out->reason, "%s", reason);
}

/* Towards which end the sizes fall, for data without a usable fit: the least sample lies in the
 * outer quarter there. */
static int falling_side(const struct work *w, double low, double high)
{
	size_t least = 0;
	for (size_t i = 1; i < w->n; i++) {
		least = w->h[i] < w->h[least] ? i : least;
	}
	double quarter = (high - low) / 4;
	if (high > low && w->x[least] <= low + quarter) {
		return -1;
	}
	return high > low && w->x[least] >= high - quarter ? 1 : 0;
}

/* Says what the fit is worth: sides, vertex, interval. */
static void judge(struct curve_result *out, const struct curve_point *points, size_t n,
	const struct work *w, double limit)
{
	double low, high;
	double spacing = spacing_of(w, &low, &high);
	double x0 = out->best_position;
	int arms[2], rising[2];
	count_arms(points, n, x0, ARM_RATIO * out->hfr_min_px, arms);
	count_arms(points, n, x0, 1.1 * out->hfr_min_px, rising);
	bool inside = x0 >= low + spacing / 2 && x0 <= high - spacing / 2;
	out->minimum_bracketed = inside && rising[0] > 0 && rising[1] > 0;
	if (arms[0] < ARM_SAMPLES || arms[1] < ARM_SAMPLES) {
		out->short_side = arms[0] < arms[1] ? -1 : 1;
		if (arms[0] == arms[1]) {
			out->short_side = x0 - low < high - x0 ? -1 : 1;
		}
	}
	double half_width = (out->interval95_steps[1] - out->interval95_steps[0]) / 2;
	double tenth = TENTH_WIDTH * out->params[0] / out->params[1];
	double most = limit > 0 ? limit : fmax(spacing, tenth);
	char text[sizeof out->reason];
	if (w->n < LEAST_POINTS) {
		snprintf(text, sizeof text, "only %zu usable samples; a curve needs at least %d", w->n,
			LEAST_POINTS);
		refuse(out, text);
	} else if (!inside) {
		/* Tested before the arms: it says more. */
		out->short_side = x0 - low < high - x0 ? -1 : 1;
		snprintf(text, sizeof text, "the minimum lies outside the samples: the HFR still falls "
			"towards %s positions at %.0f", out->short_side < 0 ? "smaller" : "larger",
			out->short_side < 0 ? low : high);
		refuse(out, text);
	} else if (out->short_side != 0) {
		snprintf(text, sizeof text, "the curve has too few samples on its arm at %s positions",
			out->short_side < 0 ? "smaller" : "larger");
		refuse(out, text);
	} else if (!(half_width <= most)) {
		snprintf(text, sizeof text, "the best position is only known to within %.1f steps; "
			"%.1f are needed", half_width, most);
		refuse(out, text);
	} else {
		out->accepted = true;
	}
}

static void fill_result(struct curve_result *out, const struct work *w,
	const struct attempt *fit)
{
	const struct curve_lm_solution *s = &fit->solution;
	int dof = (int)w->n - fit->parameters;
	double chi2_dof = dof > 0 ? fit->chi2 / dof : NAN;
	/* Residuals larger than expected count in full; smaller ones only as far as so few can tell. */
	double scale = 1;
	if (dof > 0) {
		scale = chi2_dof > 1 ? chi2_dof
			: (TRUST_DOF + dof * chi2_dof) / (TRUST_DOF + dof);
	}
	out->model = fit->parameters == 4 ? CURVE_HYPERBOLA_OFFSET : CURVE_HYPERBOLA;
	for (int r = 0; r < 4; r++) {
		out->params[r] = s->params[r];
		for (int c = 0; c < 4; c++) {
			out->covariance[r][c] = s->covariance[r][c] * scale;
		}
	}
	out->best_position = s->params[2];
	out->uncertainty_steps = dof > 0 ? sqrt(out->covariance[2][2]) : NAN;
	double half_width = dof > 0 ? curve_student975(dof) * out->uncertainty_steps : NAN;
	out->interval95_steps[0] = out->best_position - half_width;
	out->interval95_steps[1] = out->best_position + half_width;
	out->hfr_min_px = s->params[0] + s->params[3];
	out->slope_px_per_step = s->params[1];
	out->r_squared = r_squared_of(w, s->params);
	out->chi2_dof = chi2_dof;
	out->seeing_scatter = fit->seeing;
}

int curve_fit(struct curve_point *points, size_t n, double half_width_limit_steps,
	struct curve_result *out)
{
	if (n > CURVE_MAX_POINTS) {
		return -1;
	}
	*out = (struct curve_result){.best_position = NAN, .uncertainty_steps = NAN,
		.interval95_steps = {NAN, NAN}, .hfr_min_px = NAN, .slope_px_per_step = NAN,
		.r_squared = NAN, .chi2_dof = NAN, .seeing_scatter = NAN,
		.params = {NAN, NAN, NAN, NAN}};
	for (size_t i = 0; i < n; i++) {
		struct curve_point *p = &points[i];
		p->used = p->stars > 0 && isfinite(p->hfr_px) && p->hfr_px > 0 && isfinite(p->position);
		p->why = p->used ? CURVE_USED : CURVE_NO_STARS;
	}
	struct work w;
	work_fill(&w, points, n);
	out->points_used = (int)w.n;
	if (w.n == 0) {
		refuse(out, n > 0 ? "no sample shows a measurable star" : "there are no samples");
		return 0;
	}
	double low, high;
	spacing_of(&w, &low, &high);
	struct attempt fit;
	bool solved = w.n >= 3 && converge(&w, true, false, ITERATIONS, &fit) &&
		reject_outliers(&w, points, n, &fit);
	if (solved) {
		trim_window(points, n, fit.solution.params);
		work_fill(&w, points, n);
		solved = final_fit(&w, points, n, &fit);
	}
	out->points_used = (int)w.n;
	if (!solved) {
		out->short_side = falling_side(&w, low, high);
		if (w.n < LEAST_POINTS) {
			snprintf(out->reason, sizeof out->reason,
				"only %zu usable samples; a curve needs at least %d", w.n, LEAST_POINTS);
		} else {
			refuse(out, "the samples show no minimum: the HFR does not rise on both sides");
		}
		return 0;
	}
	fill_result(out, &w, &fit);
	for (size_t i = 0; i < w.n; i++) {
		points[w.index[i]].error_px = w.sigma[i];
	}
	judge(out, points, n, &w, half_width_limit_steps);
	return 0;
}
