/* SPDX-License-Identifier: MIT */
/*
 * The hyperbola h = y0 + sqrt(a^2 + k^2 (x-x0)^2) by Levenberg-Marquardt, started from a grid of
 * vertices on each of which h^2 = P + Q (x-x0)^2 is linear.  Positions are scaled by half the
 * sampled range and sizes by the least sample, so that one set of tolerances fits every focuser.
 */
#include "curve_lm.h"

#include <cminpack.h>
#include <math.h>

#include "curve.h"

#define GRID_STARTS 81
#define GRID_REACH 2.0 /* the grid covers the sampled range and half its length beyond each end */
#define LEAST_SIZE 1e-3 /* a below this share of the least sample is no longer told from zero */

double curve_lm_model(const double params[4], double x)
{
	double t = x - params[2];
	return params[3] + sqrt(params[0] * params[0] + params[1] * params[1] * t * t);
}

void curve_lm_gradient(const double params[4], double x, double gradient[4])
{
	double t = x - params[2];
	double s = sqrt(params[0] * params[0] + params[1] * params[1] * t * t);
	s = s > 0 ? s : 1e-30;
	gradient[0] = params[0] / s;
	gradient[1] = params[1] * t * t / s;
	gradient[2] = -params[1] * params[1] * t / s;
	gradient[3] = 1;
}

/* The problem in scaled units. */
struct scaled {
	int n;
	double bound;
	double t[CURVE_MAX_POINTS], h[CURVE_MAX_POINTS], sigma[CURVE_MAX_POINTS];
};

/* The offset is bound * tanh(q): the solver never sees a wall. */
static void unpack(const struct scaled *s, int count, const double *q, double params[4])
{
	params[0] = q[0];
	params[1] = q[1];
	params[2] = q[2];
	params[3] = count == 4 ? s->bound * tanh(q[3]) : 0;
}

static int residuals(void *arg, int m, int n, const double *q, double *values, double *jacobian,
	int lead, int flag)
{
	const struct scaled *s = arg;
	double params[4];
	unpack(s, n, q, params);
	for (int i = 0; i < m; i++) {
		if (flag == 1) {
			values[i] = (curve_lm_model(params, s->t[i]) - s->h[i]) / s->sigma[i];
			continue;
		}
		double gradient[4];
		curve_lm_gradient(params, s->t[i], gradient);
		if (n == 4) {
			double th = tanh(q[3]);
			gradient[3] = s->bound * (1 - th * th);
		}
		for (int j = 0; j < n; j++) {
			jacobian[i + j * lead] = gradient[j] / s->sigma[i];
		}
	}
	return 0;
}

static double chi2_of(const struct scaled *s, const double params[4])
{
	double sum = 0;
	for (int i = 0; i < s->n; i++) {
		double r = (curve_lm_model(params, s->t[i]) - s->h[i]) / s->sigma[i];
		sum += r * r;
	}
	return sum;
}

/* Best start over the grid; false when the points are convex nowhere. */
static bool grid_start(const struct scaled *s, double params[4])
{
	double best = INFINITY;
	for (int g = 0; g < GRID_STARTS; g++) {
		double x0 = -GRID_REACH + 2 * GRID_REACH * g / (GRID_STARTS - 1);
		double sw = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
		for (int i = 0; i < s->n; i++) {
			double u = (s->t[i] - x0) * (s->t[i] - x0);
			double y = s->h[i] * s->h[i];
			double w = 1 / (2 * s->h[i] * s->sigma[i]);
			w *= w;
			sw += w;
			sx += w * u;
			sy += w * y;
			sxx += w * u * u;
			sxy += w * u * y;
		}
		double det = sw * sxx - sx * sx;
		if (!(det > 1e-12 * sw * sxx)) {
			continue;
		}
		double q = (sw * sxy - sx * sy) / det;
		double p = (sy - q * sx) / sw;
		if (!(q > 0)) {
			continue;
		}
		double try[4] = {sqrt(fmax(p, 0.01)), sqrt(q), x0, 0};
		double chi2 = chi2_of(s, try);
		if (chi2 < best) {
			best = chi2;
			for (int j = 0; j < 4; j++) {
				params[j] = try[j];
			}
		}
	}
	return isfinite(best);
}

/* One descent from params; false when the solver gave up. */
static bool descend(struct scaled *s, int count, double params[4])
{
	double q[4] = {params[0], params[1], params[2], 0};
	if (count == 4) {
		q[3] = atanh(fmax(-0.95, fmin(0.95, params[3] / s->bound)));
	}
	double values[CURVE_MAX_POINTS], jacobian[CURVE_MAX_POINTS * 4], scratch[CURVE_MAX_POINTS];
	double diag[4], qtf[4], wa1[4], wa2[4], wa3[4];
	int pivot[4], values_calls, jacobian_calls;
	int info = lmder(residuals, s, s->n, count, q, values, jacobian, s->n, 1e-12, 1e-10, 0, 200,
		diag, 1, 10, 0, &values_calls, &jacobian_calls, pivot, qtf, wa1, wa2, wa3, scratch);
	unpack(s, count, q, params);
	params[0] = fmax(fabs(params[0]), LEAST_SIZE);
	params[1] = fabs(params[1]);
	return info >= 1 && isfinite(params[0] + params[1] + params[2] + params[3]);
}

/* Inverts the normal matrix of the first count parameters by Gauss-Jordan; false when singular. */
static bool covariance_of(const struct scaled *s, int count, const double params[4],
	double out[4][4])
{
	double m[4][8] = {{0}};
	for (int i = 0; i < s->n; i++) {
		double g[4];
		curve_lm_gradient(params, s->t[i], g);
		for (int r = 0; r < count; r++) {
			for (int c = 0; c < count; c++) {
				m[r][c] += g[r] * g[c] / (s->sigma[i] * s->sigma[i]);
			}
		}
	}
	for (int r = 0; r < count; r++) {
		/* Keeps a vanishing a, which no point can feel, from making the matrix singular. */
		m[r][r] = m[r][r] * (1 + 1e-12) + 1e-12;
		m[r][count + r] = 1;
	}
	for (int p = 0; p < count; p++) {
		int best = p;
		for (int r = p + 1; r < count; r++) {
			best = fabs(m[r][p]) > fabs(m[best][p]) ? r : best;
		}
		if (!(fabs(m[best][p]) > 0)) {
			return false;
		}
		for (int c = 0; c < 2 * count; c++) {
			double swap = m[p][c];
			m[p][c] = m[best][c];
			m[best][c] = swap;
		}
		double pivot = m[p][p];
		for (int c = 0; c < 2 * count; c++) {
			m[p][c] /= pivot;
		}
		for (int r = 0; r < count; r++) {
			double factor = m[r][p];
			if (r == p || factor == 0) {
				continue;
			}
			for (int c = 0; c < 2 * count; c++) {
				m[r][c] -= factor * m[p][c];
			}
		}
	}
	for (int r = 0; r < count; r++) {
		for (int c = 0; c < count; c++) {
			out[r][c] = m[r][count + c];
		}
		if (!(out[r][r] >= 0) || !isfinite(out[r][r])) {
			return false;
		}
	}
	return true;
}

bool curve_lm_solve(const struct curve_lm_problem *problem, struct curve_lm_solution *out)
{
	double low = problem->x[0], high = problem->x[0], least = problem->h[0];
	for (size_t i = 1; i < problem->n; i++) {
		low = fmin(low, problem->x[i]);
		high = fmax(high, problem->x[i]);
		least = fmin(least, problem->h[i]);
	}
	if (!(high > low) || !(least > 0)) {
		return false;
	}
	double middle = (low + high) / 2, half = (high - low) / 2;
	struct scaled s = {.n = (int)problem->n, .bound = problem->offset_bound / least};
	for (int i = 0; i < s.n; i++) {
		s.t[i] = (problem->x[i] - middle) / half;
		s.h[i] = problem->h[i] / least;
		s.sigma[i] = problem->sigma[i] / least;
	}
	double best[4];
	int count = 3;
	if (problem->start != NULL) {
		const double *p = problem->start;
		const double scaled_start[4] = {p[0] / least, p[1] * half / least, (p[2] - middle) / half,
			p[3] / least};
		for (int j = 0; j < 4; j++) {
			best[j] = scaled_start[j];
		}
		count = problem->offset ? 4 : 3;
		if (!descend(&s, count, best)) {
			return false;
		}
	} else if (!grid_start(&s, best) || !descend(&s, 3, best)) {
		return false;
	}
	if (problem->start == NULL && problem->offset && problem->n >= 5 && s.bound > 0) {
		/* The offset trades against a: start it from both signs and keep the better end. */
		static const double shares[] = {-0.5, 0, 0.5};
		double winner[4] = {0}, least_chi2 = INFINITY;
		for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
			double try[4] = {best[0], best[1], best[2], shares[i] * s.bound};
			try[0] = fmax(0.05, try[0] - try[3]);
			if (descend(&s, 4, try) && chi2_of(&s, try) < least_chi2) {
				least_chi2 = chi2_of(&s, try);
				for (int j = 0; j < 4; j++) {
					winner[j] = try[j];
				}
			}
		}
		if (!isfinite(least_chi2)) {
			return false;
		}
		for (int j = 0; j < 4; j++) {
			best[j] = winner[j];
		}
		count = 4;
	}
	if (!(best[1] > 0)) {
		return false;
	}
	struct curve_lm_solution result = {.chi2 = chi2_of(&s, best)};
	double scaled_covariance[4][4] = {{0}};
	if (!covariance_of(&s, count, best, scaled_covariance)) {
		return false;
	}
	const double unit[4] = {least, least / half, half, least};
	for (int r = 0; r < 4; r++) {
		result.params[r] = best[r] * unit[r] + (r == 2 ? middle : 0);
		for (int c = 0; c < 4; c++) {
			result.covariance[r][c] = scaled_covariance[r][c] * unit[r] * unit[c];
		}
	}
	*out = result;
	return true;
}
