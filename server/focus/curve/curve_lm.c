/* SPDX-License-Identifier: MIT */
/* The hyperbola by Levenberg-Marquardt; see curve_lm.h for method and sources. */
#include "curve_lm.h"

#include <cminpack.h>
#include <math.h>

/* Vertices of the grid, evenly over GRID_REACH. */
#define GRID_STARTS 81
/* The grid covers the sampled range and half its length beyond each end, in half ranges about the middle.
 * Estimate: 2.8 moves no figure of tests/unit/focus/test_curve.c interval_covers. */
#define GRID_REACH 2.0
/* A determinant below this share of the product it is the difference of has lost its digits.  Choice: 1e-12 leaves
 * four digits of a double. */
#define GRID_SINGULAR 1e-12
/* Least a^2 of a start, in squares of the least sample: a start at a = 0 would sit on the corner.  Estimate: 0.014
 * moves no figure of tests/unit/focus/test_curve.c interval_covers. */
#define GRID_LEAST_SQUARED 0.01
/* Least a of a start that leaves room for an offset, in least samples.  Estimate: 0.07 moves no figure of
 * tests/unit/focus/test_curve.c interval_covers. */
#define START_LEAST 0.05
/* Values of the fourth parameter that a search begins from, in bounds: y0 trades against a, and e against x0, and from
 * 0 alone the wrong end is found.  Choice: both signs and none, half way to the bound. */
static const double fourth_starts[] = {-0.5, 0, 0.5};
/* A start this near the bound would have no slope of tanh left, in bounds.  Estimate: 1.33 moves no figure of
 * tests/unit/focus/test_curve.c interval_covers. */
#define START_SHARE 0.95
/* a below this share of the least sample is no longer told from zero.  Estimate: 0.0014 moves no figure of
 * tests/unit/focus/test_curve.c interval_covers. */
#define LEAST_SIZE 1e-3
/* s of a corner, so that 0/s is 0.  Choice: any number that is small against a size and no subnormal. */
#define CORNER 1e-30
/* Bound of e.  Choice: arms of 2.3 : 1, which no telescope has. */
#define UNEVEN_MOST 0.8
/* What lmder is given: changes of chi2 and of the parameters that end it, calls that are too many, first step.
 * Choice: four digits above the precision of a double, six for the parameters, and the first step of 10 that is the
 * least the MINPACK user guide (ANL-80-74) recommends for sure starts (0.1 to 100). */
#define CHI2_TOLERANCE 1e-12
#define STEP_TOLERANCE 1e-10
#define CALLS_MOST 200
#define FIRST_STEP 10.0
/* Added to the diagonal: a vanishing a, which no point can feel, must not make the matrix singular.  Choice: the
 * root of the precision of a double is 1e-8; this is far below it and far above rounding. */
#define RIDGE 1e-12

/* Slope of the arm on which t lies. */
static double slope_at(const struct curve *curve, double t)
{
	return curve->k * (1 + (t > 0 ? curve->e : -curve->e) / 2);
}

double curve_lm_model(const struct curve *curve, double x)
{
	double t = x - curve->x0;
	return curve->y0 + hypot(curve->a, slope_at(curve, t) * t);
}

void curve_lm_gradient(const struct curve *curve, double x, double gradient[CURVE_PARAMETERS])
{
	double t = x - curve->x0, q = slope_at(curve, t);
	double s = hypot(curve->a, q * t);
	s = s > 0 ? s : CORNER;
	gradient[CURVE_A] = curve->a / s;
	gradient[CURVE_K] = curve->k > 0 ? q * q * t * t / (curve->k * s) : 0;
	gradient[CURVE_X0] = -q * q * t / s;
	gradient[CURVE_Y0] = 1;
	gradient[CURVE_E] = q * curve->k * t * fabs(t) / (2 * s);
}

/* The problem in scaled units: t = (x - middle) / half, sizes over the least. */
struct scaled {
	int n;
	enum curve_parameter fourth; /* the one that is varied besides the first three, if any: y0 or e */
	double bound;                /* of it, absolute */
	double middle, half, least;
	double t[CURVE_MAX_POINTS], h[CURVE_MAX_POINTS], sigma[CURVE_MAX_POINTS];
};

/* Parameters of the plain hyperbola, and with the fourth. */
#define PLAIN 3
#define FULL 4

/* From what the solver varies: the fourth is bound * tanh(q), so that the solver never sees a wall. */
static struct curve unpack(const struct scaled *s, int count, const double *q)
{
	struct curve curve = {.a = q[0], .k = q[1], .x0 = q[2]};
	if (count == FULL) {
		*(s->fourth == CURVE_E ? &curve.e : &curve.y0) = s->bound * tanh(q[3]);
	}
	return curve;
}

/* What lmder calls: residuals (flag 1) or their derivatives, column by column. */
static int residuals(void *arg, int m, int n, const double *q, double *values, double *jacobian,
	int lead, int flag)
{
	const struct scaled *s = arg;
	struct curve curve = unpack(s, n, q);
	for (int i = 0; i < m; i++) {
		if (flag == 1) {
			values[i] = (curve_lm_model(&curve, s->t[i]) - s->h[i]) / s->sigma[i];
			continue;
		}
		double gradient[CURVE_PARAMETERS];
		curve_lm_gradient(&curve, s->t[i], gradient);
		for (int j = 0; j < PLAIN; j++) {
			jacobian[i + j * lead] = gradient[j] / s->sigma[i];
		}
		if (n == FULL) {
			double th = tanh(q[3]);
			jacobian[i + PLAIN * lead] = gradient[s->fourth] * s->bound * (1 - th * th) / s->sigma[i];
		}
	}
	return 0;
}

static double chi2_of(const struct scaled *s, const struct curve *curve)
{
	double sum = 0;
	for (int i = 0; i < s->n; i++) {
		double r = (curve_lm_model(curve, s->t[i]) - s->h[i]) / s->sigma[i];
		sum += r * r;
	}
	return sum;
}

/* Weighted least squares of h^2 = P + Q (t - x0)^2 with the vertex given.  False when it is not convex. */
static bool squares_at(const struct scaled *s, double x0, struct curve *out)
{
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
	if (!(det > GRID_SINGULAR * sw * sxx)) {
		return false;
	}
	double q = (sw * sxy - sx * sy) / det;
	double p = (sy - q * sx) / sw;
	if (!(q > 0)) {
		return false;
	}
	*out = (struct curve){.a = sqrt(fmax(p, GRID_LEAST_SQUARED)), .k = sqrt(q), .x0 = x0};
	return true;
}

/* Best start over the grid; false when the points are convex nowhere. */
static bool grid_start(const struct scaled *s, struct curve *out)
{
	double best = INFINITY;
	for (int g = 0; g < GRID_STARTS; g++) {
		struct curve try;
		if (!squares_at(s, -GRID_REACH + 2 * GRID_REACH * g / (GRID_STARTS - 1), &try)) {
			continue;
		}
		double chi2 = chi2_of(s, &try);
		if (chi2 < best) {
			best = chi2;
			*out = try;
		}
	}
	return isfinite(best);
}

/* One descent from a curve; false when the solver gave up. */
static bool descend(struct scaled *s, int count, struct curve *curve)
{
	double q[FULL] = {curve->a, curve->k, curve->x0, 0};
	if (count == FULL) {
		double fourth = s->fourth == CURVE_E ? curve->e : curve->y0;
		q[3] = atanh(fmax(-START_SHARE, fmin(START_SHARE, fourth / s->bound)));
	}
	double values[CURVE_MAX_POINTS], jacobian[CURVE_MAX_POINTS * FULL];
	double scratch[CURVE_MAX_POINTS];
	double diag[FULL], qtf[FULL];
	double wa1[FULL], wa2[FULL], wa3[FULL];
	int pivot[FULL], values_calls, jacobian_calls;
	int info = lmder(residuals, s, s->n, count, q, values, jacobian, s->n, CHI2_TOLERANCE,
		STEP_TOLERANCE, 0, CALLS_MOST, diag, 1, FIRST_STEP, 0, &values_calls, &jacobian_calls, pivot,
		qtf, wa1, wa2, wa3, scratch);
	*curve = unpack(s, count, q);
	curve->a = fmax(fabs(curve->a), LEAST_SIZE);
	curve->k = fabs(curve->k);
	return info >= 1 && isfinite(curve->a + curve->k + curve->x0 + curve->y0 + curve->e);
}

/* The best of several descents with the fourth parameter, from a curve without it.  False when all gave up. */
static bool descend_with_fourth(struct scaled *s, struct curve *curve)
{
	struct curve winner = {0};
	double least = INFINITY;
	for (size_t i = 0; i < sizeof fourth_starts / sizeof fourth_starts[0]; i++) {
		struct curve try = *curve;
		if (s->fourth == CURVE_E) {
			try.e = fourth_starts[i] * s->bound;
		} else {
			try.y0 = fourth_starts[i] * s->bound;
			try.a = fmax(START_LEAST, try.a - try.y0);
		}
		if (descend(s, FULL, &try) && chi2_of(s, &try) < least) {
			least = chi2_of(s, &try);
			winner = try;
		}
	}
	if (!isfinite(least)) {
		return false;
	}
	*curve = winner;
	return true;
}

static void swap_rows(double *a, double *b, int n)
{
	for (int c = 0; c < n; c++) {
		double t = a[c];
		a[c] = b[c];
		b[c] = t;
	}
}

/* Gauss-Jordan elimination of count rows of [M | 1] with row pivoting; false when M is singular. */
static bool eliminate(double m[FULL][2 * FULL], int count)
{
	for (int p = 0; p < count; p++) {
		int best = p;
		for (int r = p + 1; r < count; r++) {
			best = fabs(m[r][p]) > fabs(m[best][p]) ? r : best;
		}
		if (!(fabs(m[best][p]) > 0)) {
			return false;
		}
		swap_rows(m[p], m[best], 2 * count);
		double pivot = m[p][p];
		for (int c = 0; c < 2 * count; c++) {
			m[p][c] /= pivot;
		}
		for (int r = 0; r < count; r++) {
			double factor = m[r][p];
			for (int c = 0; c < 2 * count && r != p && factor != 0; c++) {
				m[r][c] -= factor * m[p][c];
			}
		}
	}
	return true;
}

/* Inverts the normal matrix of the parameters that are varied; false when it is singular. */
static bool covariance_of(const struct scaled *s, int count, const struct curve *curve,
	double out[CURVE_PARAMETERS][CURVE_PARAMETERS])
{
	const enum curve_parameter at[FULL] = {CURVE_A, CURVE_K, CURVE_X0, s->fourth};
	double m[FULL][2 * FULL] = {{0}};
	for (int i = 0; i < s->n; i++) {
		double g[CURVE_PARAMETERS];
		curve_lm_gradient(curve, s->t[i], g);
		for (int r = 0; r < count; r++) {
			for (int c = 0; c < count; c++) {
				m[r][c] += g[at[r]] * g[at[c]] / (s->sigma[i] * s->sigma[i]);
			}
		}
	}
	for (int r = 0; r < count; r++) {
		m[r][r] = m[r][r] * (1 + RIDGE) + RIDGE;
		m[r][count + r] = 1;
	}
	if (!eliminate(m, count)) {
		return false;
	}
	for (int r = 0; r < count; r++) {
		for (int c = 0; c < count; c++) {
			out[at[r]][at[c]] = m[r][count + c];
		}
		double variance = m[r][count + r];
		if (!(variance >= 0) || !isfinite(variance)) {
			return false;
		}
	}
	return true;
}

/* Fills the scaled problem; false when positions are all alike or a size is not positive. */
static bool scale_problem(const struct curve_lm_problem *problem, struct scaled *s)
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
	s->n = (int)problem->n;
	s->fourth = problem->model == CURVE_HYPERBOLA_UNEVEN ? CURVE_E : CURVE_Y0;
	s->bound = s->fourth == CURVE_E ? UNEVEN_MOST : problem->offset_bound / least;
	s->middle = (low + high) / 2;
	s->half = (high - low) / 2;
	s->least = least;
	for (int i = 0; i < s->n; i++) {
		s->t[i] = (problem->x[i] - s->middle) / s->half;
		s->h[i] = problem->h[i] / least;
		s->sigma[i] = problem->sigma[i] / least;
	}
	return true;
}

/* Solves in scaled units; *count says how many parameters were fitted. */
static bool solve_scaled(struct scaled *s, const struct curve_lm_problem *problem, struct curve *best,
	int *count)
{
	if (problem->start != NULL) {
		const struct curve *p = problem->start;
		*best = (struct curve){.a = p->a / s->least, .k = p->k * s->half / s->least,
			.x0 = (p->x0 - s->middle) / s->half, .y0 = p->y0 / s->least, .e = p->e};
		*count = problem->model != CURVE_HYPERBOLA ? FULL : PLAIN;
		return descend(s, *count, best);
	}
	*count = PLAIN;
	if (!grid_start(s, best) || !descend(s, *count, best)) {
		return false;
	}
	if (problem->model != CURVE_HYPERBOLA && problem->n > FULL && s->bound > 0) {
		*count = FULL;
		return descend_with_fourth(s, best);
	}
	return true;
}

bool curve_lm_solve(const struct curve_lm_problem *problem, struct curve_lm_solution *out)
{
	struct scaled s;
	struct curve best;
	int count;
	double covariance[CURVE_PARAMETERS][CURVE_PARAMETERS] = {{0}};
	if (!scale_problem(problem, &s) || !solve_scaled(&s, problem, &best, &count) || !(best.k > 0) ||
		!covariance_of(&s, count, &best, covariance)) {
		return false;
	}
	out->chi2 = chi2_of(&s, &best);
	const double unit[CURVE_PARAMETERS] = {s.least, s.least / s.half, s.half, s.least, 1};
	out->curve = (struct curve){.a = best.a * unit[CURVE_A], .k = best.k * unit[CURVE_K],
		.x0 = best.x0 * unit[CURVE_X0] + s.middle, .y0 = best.y0 * unit[CURVE_Y0], .e = best.e};
	for (int r = 0; r < CURVE_PARAMETERS; r++) {
		for (int c = 0; c < CURVE_PARAMETERS; c++) {
			out->covariance[r][c] = covariance[r][c] * unit[r] * unit[c];
		}
	}
	return true;
}
