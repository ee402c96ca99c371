/* SPDX-License-Identifier: MIT */
/* The solver by itself: exact hyperbolas come back, derivatives are those of the model, rounds are enough. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "curve_choose.h"
#include "curve_lm.h"
#include "curve_weigh.h"
#include "sky.h"

/* Central differences of the model are the independent source. */
static void gradient(void **state)
{
	(void)state;
	uint64_t seed = 3;
	double worst = 0;
	for (int trial = 0; trial < 500; trial++) {
		struct curve c = {.a = 0.5 + 4 * sky_uniform(&seed), .k = 0.01 + sky_uniform(&seed),
			.x0 = 100 * sky_uniform(&seed), .y0 = sky_uniform(&seed) - 0.5,
			.e = trial % 2 == 0 ? 0 : 2 * sky_uniform(&seed) - 1};
		double x = 100 * sky_uniform(&seed), g[CURVE_PARAMETERS];
		curve_lm_gradient(&c, x, g);
		double *member[CURVE_PARAMETERS] = {&c.a, &c.k, &c.x0, &c.y0, &c.e};
		for (int i = 0; i < CURVE_PARAMETERS; i++) {
			double was = *member[i], step = 1e-5;
			*member[i] = was + step;
			double above = curve_lm_model(&c, x);
			*member[i] = was - step;
			double below = curve_lm_model(&c, x);
			*member[i] = was;
			worst = fmax(worst, fabs((above - below) / (2 * step) - g[i]) / fmax(1, fabs(g[i])));
		}
	}
	print_message("gradient: largest difference %.1e\n", worst);
	assert_true(worst < 1e-6);
	/* A corner has no derivative, and makes no NAN either. */
	struct curve corner = {.a = 0, .k = 1, .x0 = 5};
	double g[CURVE_PARAMETERS];
	curve_lm_gradient(&corner, 5, g);
	assert_true(g[CURVE_A] == 0 && g[CURVE_K] == 0 && g[CURVE_X0] == 0 && g[CURVE_Y0] == 1);
}

/* Samples of a known curve, without noise: it is the answer, whatever the units. */
static void exact_curves_return(void **state)
{
	(void)state;
	uint64_t seed = 17;
	double worst_x0 = 0, worst_a = 0, worst_k = 0;
	for (int trial = 0; trial < 2000; trial++) {
		struct curve truth = {.k = pow(10, -4 + 5 * sky_uniform(&seed)), .a = 1 + 4 * sky_uniform(&seed),
			.x0 = 1e6 * sky_uniform(&seed)};
		/* The vertex lies up to 0.9 half widths beyond an end. */
		double half = truth.a / truth.k * (1 + 5 * sky_uniform(&seed));
		double middle = truth.x0 + half * 1.9 * (2 * sky_uniform(&seed) - 1);
		double x[9], h[9], sigma[9];
		for (int i = 0; i < 9; i++) {
			x[i] = middle + half * (i / 4.0 - 1);
			h[i] = curve_lm_model(&truth, x[i]);
			sigma[i] = 0.03 * h[i];
		}
		struct curve_lm_problem problem = {.n = 9, .x = x, .h = h, .sigma = sigma};
		struct curve_lm_solution found;
		assert_true(curve_lm_solve(&problem, &found));
		worst_x0 = fmax(worst_x0, fabs(found.curve.x0 - truth.x0) / half);
		worst_a = fmax(worst_a, fabs(found.curve.a / truth.a - 1));
		worst_k = fmax(worst_k, fabs(found.curve.k / truth.k - 1));
	}
	print_message("exact curves: x0 within %.1e half widths, a %.1e, k %.1e\n", worst_x0, worst_a, worst_k);
	assert_true(worst_x0 < 1e-12 && worst_a < 1e-12 && worst_k < 1e-12);
}

/* What no curve describes is refused, and the result is left alone. */
static void refused_leaves_the_result(void **state)
{
	(void)state;
	static const double x[4] = {1, 2, 3, 4}, same[4] = {7, 7, 7, 7}, sigma[4] = {1, 1, 1, 1};
	static const double hill[4] = {1, 3, 3, 1}, vee[4] = {3, 1.5, 1.5, 3}, zero[4] = {3, 0, 1, 3};
	static const struct {
		const double *x, *h;
	} rows[] = {{x, hill}, {same, vee}, {x, zero}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct curve_lm_problem problem = {.n = 4, .x = rows[i].x, .h = rows[i].h, .sigma = sigma};
		struct curve_lm_solution out = {.curve = {.a = 11, .k = 12, .x0 = 13, .y0 = 14}, .chi2 = 15};
		assert_false(curve_lm_solve(&problem, &out));
		assert_true(out.curve.a == 11 && out.curve.k == 12 && out.curve.x0 == 13 && out.curve.y0 == 14);
		assert_true(out.chi2 == 15 && out.covariance[0][0] == 0);
	}
}

/* Twice as many rounds as are made change the answer by nothing that could be seen. */
static void six_rounds_are_enough(void **state)
{
	(void)state;
	uint64_t seed = 29;
	double worst = 0;
	for (int trial = 0; trial < 400; trial++) {
		struct curve_point points[9] = {{0}};
		double truth = 100 * (sky_uniform(&seed) - 0.5);
		for (int i = 0; i < 9; i++) {
			double x = 450 * (i / 4.0 - 1);
			double h = 3 * sky_sample((x - truth) / 100, 0.05, 0.01, &seed);
			points[i] = (struct curve_point){
				.position = x, .hfr_px = h, .error_px = 0.01 * h, .stars = 20, .used = true};
		}
		struct curve_work w;
		struct curve_attempt six, twelve;
		curve_work_fill(&w, points, 9);
		assert_true(curve_converge(&w, false, false, CURVE_ROUNDS, &six));
		assert_true(curve_converge(&w, false, false, 2 * CURVE_ROUNDS, &twelve));
		worst = fmax(worst, fabs(six.solution.curve.x0 - twelve.solution.curve.x0) / 100);
	}
	print_message("six rounds against twelve: %.1e u at most\n", worst);
	assert_true(worst < 1e-4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gradient),
		cmocka_unit_test(exact_curves_return),
		cmocka_unit_test(refused_leaves_the_result),
		cmocka_unit_test(six_rounds_are_enough),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
