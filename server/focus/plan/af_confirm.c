/* SPDX-License-Identifier: MIT */
/*
 * From an accepted curve to an answer: frames on the arms say whether the curve still stands where the sweep saw it,
 * then the focuser goes to the best position, and its frame may not be worse than the best that was seen.  An arm
 * tells a miss with its sign, where the bottom of the curve tells almost nothing: 0.5 zones off the size has grown by
 * 6 %, and the seeing scatters by 5 %.
 */
#include <math.h>
#include <stdio.h>

#include "af_inside.h"

/* Where the arms are looked at, in a/k about the vertex: 3 in-focus diameters of blur.  Tuned on
 * tests/bank/test_bank.c promises_are_kept; the optimum of two arms is flat from 3 to 6. */
#define CHECK_REACH 2.0
/* A look is worth it where the range leaves so much of that.  Choice: at 1.8 diameters an arm still tells twice as much
 * as the bottom. */
#define CHECK_ROOM 0.6
/* A miss of so many of its sigmas calls for the other arm; two looks agree within so many.  Tuned on
 * tests/bank/test_bank.c promises_are_kept. */
#define MISS_SIGMAS 2.5
#define AGREE_SIGMAS 3.5
/* Times that a curve is moved, and how far at most, in a/k: the first time anything that backlash or drift can do, then
 * what drift does in some frames.  Beyond that the samples of the sweep were not on one curve.  Tuned on
 * tests/bank/test_bank.c promises_are_kept. */
#define SHIFTS_MOST 2
static const double shift_most[SHIFTS_MOST] = {1, 0.2};
/* What another shape than the expected one may be mistaken for, in a/k, and how uneven its arms may be, as a share of
 * that: the blur of INDI's simulated camera grows with the square of the distance and makes a miss of 0.28 on either
 * side.  Tuned on tests/strangers/test_indi_bridge.py, and on tests/bank/test_bank.c promises_are_kept: no more wrong
 * answers. */
#define SHAPE_MOST 0.35
#define SHAPE_UNEVEN 0.2
/* Sweeps of a run. */
#define SWEEPS_MOST 1
/* Relative scatter of the seeing that a judge believes: a curve that does not fit makes any scatter, so that what it
 * says is held between the usual one and that of a bad night.  Tuned on tests/bank/test_bank.c promises_are_kept. */
#define SCATTER_LEAST 0.05
#define SCATTER_MOST 0.12
/* Scatter and misfit (chi2 over its degrees of freedom) of a curve that is looked at on both arms.  Tuned on
 * tests/bank/test_bank.c promises_are_kept. */
#define DOUBTFUL_SCATTER 0.08
#define DOUBTFUL_MISFIT 2.0
/* Weight of that against the scatter of repeated frames, in degrees of freedom.  Choice: as much as three frames. */
#define SCATTER_DOF 2.0
/* The curve of a hyperbola lies that far off the true one, relative, on the arm and at the bottom.  Source: the exact
 * curve of Kolmogorov seeing against a hyperbola: 1 to 3 % at worst. */
#define ARM_ERROR 0.012
#define BOTTOM_ERROR 0.025
/* Relative error of a size besides seeing and noise.  Estimate: 1 %. */
#define SIZE_ERROR 0.01
/* With more frames at the best position the curve may move by this share of a/k.  By definition: about an eighth of a
 * zone. */
#define SAME_SHARE 0.1
/* Frames at the best position at most; sigmas within which the mean of so many agrees with the curve, and by which it
 * may exceed the best sample or the start: one that looks doubtful is not enough to believe.  Tuned on
 * tests/bank/test_bank.c promises_are_kept. */
#define VALIDATIONS 3
#define WORSE_SIGMAS 2.5
#define WORSE_START 1.15
static const double agree_sigmas[VALIDATIONS + 1] = {0, 1.5, 2.25, 3};

static double walk_sign(const struct af_plan *plan)
{
	return plan->setup.approach == MOVES_APPROACH_OUT ? 1 : -1;
}

/* Relative scatter of an in-focus frame of this exposure. */
static double scatter_of(const struct af_plan *plan, double duration_s)
{
	double fitted = fmax(SCATTER_LEAST, fmin(SCATTER_MOST, plan->fit.seeing_scatter));
	double e = curve_seeing(fitted, duration_s);
	int n = plan->p.validations;
	if (n < 2) {
		return e;
	}
	double mean = plan->p.validation_sum / n, rest = plan->p.validation_squares - n * mean * mean;
	double relative = fmax(0, rest) / (plan->fit.hfr_min_px * plan->fit.hfr_min_px);
	/* Two or three frames that happen to agree do not make the sky better than usual. */
	return fmax(e, sqrt((SCATTER_DOF * e * e + relative) / (SCATTER_DOF + n - 1)));
}

/* The way in the approach direction that lay behind the best sample, steps. */
static double way_behind_best(const struct af_plan *plan)
{
	double least = INFINITY, way = 0;
	for (size_t i = 0; i < plan->point_count; i++) {
		const struct curve_point *p = &plan->points[i].curve;
		if (p->used && p->hfr_px < least) {
			least = p->hfr_px;
			way = plan->p.taken[i];
		}
	}
	return way;
}

static void ask_final(struct af_plan *plan)
{
	plan->wish = (struct af_wish){.want = AF_WANT_FINAL, .exposure_factor = 1,
		.position = af_clamped(plan, plan->fit.best_position)};
	af_route(plan);
	plan->p.retries = plan->p.cloud_repeats = 0;
	plan->hfr_predicted_px = curve_at(&plan->fit, plan->wish.position, NULL);
}

/* Asks for a look at the arm on this side of the vertex, in the approach direction; false where the range ends. */
static bool ask_arm(struct af_plan *plan, double side)
{
	double width = plan->fit.curve.a / plan->fit.curve.k;
	double x0 = plan->fit.best_position, away = side * walk_sign(plan) * CHECK_REACH * width;
	double position = fmax(plan->p.low, fmin(plan->p.high, x0 + away));
	if (fabs(position - x0) < CHECK_ROOM * CHECK_REACH * width) {
		return false;
	}
	plan->p.check_side = side;
	af_ask(plan, position);
	return true;
}

static void begin_check(struct af_plan *plan)
{
	plan->phase = AF_PHASE_VALIDATE;
	plan->p.checks = 0;
	/* Whatever the way behind the best sample had taken up has to be taken up again. */
	plan->p.preload = fmax(plan->p.preload, way_behind_best(plan));
	if (!ask_arm(plan, -1) && !ask_arm(plan, 1)) {
		ask_final(plan);
	}
}

void af_finish(struct af_plan *plan)
{
	plan->p.shifts = 0;
	begin_check(plan);
}

/* How far the curve would have to be moved for the size that was seen on an arm, steps, and 1 sigma of it. */
static double miss_of(const struct af_plan *plan, const struct af_observation *seen, double *sigma)
{
	const struct curve *c = &plan->fit.curve;
	double sigma_fit, predicted = curve_at(&plan->fit, seen->position, &sigma_fit);
	double t = seen->position - c->x0;
	double k = c->k * (1 + (t > 0 ? c->e : -c->e) / 2);
	double slope = k * k * fabs(t) / fmax(c->a, predicted - c->y0);
	double seeing = scatter_of(plan, seen->duration_s) * c->a * c->a / predicted;
	double other = hypot(ARM_ERROR, SIZE_ERROR) * predicted;
	*sigma = sqrt(seeing * seeing + other * other + sigma_fit * sigma_fit +
		seen->error_px * seen->error_px) / slope;
	return (seen->hfr_px - predicted) / slope * (t < 0 ? 1 : -1);
}

static void fail_moved(struct af_plan *plan, double miss)
{
	af_fail(plan, ERR_VALIDATION, "the curve does not stand still: it was at %.0f, and another look says "
		"%.0f; slip, or more backlash than configured", plan->fit.best_position,
		plan->fit.best_position + miss);
}

/* Moves the curve to where the looks at its arms say that it is. */
static void shift_curve(struct af_plan *plan, double miss, double sigma)
{
	struct curve_result *fit = &plan->fit;
	double factor = (fit->interval95_steps[1] - fit->interval95_steps[0]) / 2 / fit->uncertainty_steps;
	fit->uncertainty_steps = hypot(fit->uncertainty_steps, sigma);
	fit->best_position += miss;
	fit->curve.x0 += miss;
	fit->interval95_steps[0] = fit->best_position - factor * fit->uncertainty_steps;
	fit->interval95_steps[1] = fit->best_position + factor * fit->uncertainty_steps;
	plan->p.shifts++;
}

/* The samples contradict what the arms show: the sweep is made again about where the arms say that focus is, and what
 * was seen before no longer counts. */
static void sweep_again(struct af_plan *plan, double miss)
{
	for (size_t i = 0; i < plan->point_count; i++) {
		if (plan->points[i].curve.stars > 0) {
			plan->points[i].curve.used = false;
			plan->points[i].curve.why = CURVE_BACKLASH;
			plan->p.stale[i] = true;
		}
	}
	plan->p.sweeps++;
	struct af_shape shape = {.x0 = plan->fit.best_position + miss, .a = plan->fit.curve.a, .k = plan->fit.curve.k};
	af_start_sweep(plan, &shape);
}

/* Arms that look uneven, and a scatter that is no usual night's, may be frames that were spoiled: then one arm that
 * agrees with a curve says little, and the other is looked at, too. */
static bool is_doubtful(const struct curve_result *fit)
{
	return fit->model == CURVE_HYPERBOLA_UNEVEN || fit->seeing_scatter > DOUBTFUL_SCATTER ||
		fit->chi2_dof > DOUBTFUL_MISFIT;
}

/* After a look at one arm, the other and the first again: whether both arms stand equally far outside or inside of the
 * curve, and the first one does so each time.  Then the curve stands still where the sweep saw it, and its shape is
 * another one than that of optics and seeing. */
static bool is_another_shape(const struct af_plan *plan)
{
	const double *miss = plan->p.miss, *sigma = plan->p.miss_sigma;
	double width = plan->fit.curve.a / plan->fit.curve.k;
	return plan->p.checks == 3 && fabs(miss[2] - miss[0]) < MISS_SIGMAS * hypot(sigma[2], sigma[0]) &&
		fabs(miss[0] + miss[1]) < SHAPE_UNEVEN * fabs(miss[0] - miss[1]) &&
		fabs(miss[0] - miss[1]) < 2 * SHAPE_MOST * width;
}

void af_take_arm(struct af_plan *plan, const struct af_observation *seen, bool usable)
{
	if (!usable) {
		af_fail_unusable(plan, seen);
		return;
	}
	int n = plan->p.checks++;
	double *miss = plan->p.miss, *sigma = plan->p.miss_sigma;
	miss[n] = miss_of(plan, seen, &sigma[n]);
	if (n == 0) {
		bool agrees = fabs(miss[0]) < fmax(MISS_SIGMAS * sigma[0], 1);
		if ((agrees && !is_doubtful(&plan->fit)) || !ask_arm(plan, -plan->p.check_side)) {
			ask_final(plan);
		}
		return;
	}
	/* The second look was at the other arm.  When it does not say the same, a third one at the first arm tells
	 * whether the first look was spoiled. */
	int with = n - 1;
	bool agree = fabs(miss[n] - miss[with]) < AGREE_SIGMAS * hypot(sigma[n], sigma[with]);
	if (!agree && n == 1 && ask_arm(plan, -plan->p.check_side)) {
		return;
	}
	double shift = (miss[n] + miss[with]) / 2, error = hypot(sigma[n], sigma[with]) / 2;
	double width = plan->fit.curve.a / plan->fit.curve.k;
	bool settled = (agree || is_another_shape(plan)) && fabs(shift) < MISS_SIGMAS * error;
	if (settled) {
		ask_final(plan);
	} else if (agree && plan->p.shifts < SHIFTS_MOST && fabs(shift) < shift_most[plan->p.shifts] * width) {
		shift_curve(plan, shift, error);
		begin_check(plan);
	} else if (plan->p.sweeps < SWEEPS_MOST && plan->p.shifts == 0) {
		sweep_again(plan, shift);
	} else {
		fail_moved(plan, shift);
	}
}

void af_fail_unusable(struct af_plan *plan, const struct af_observation *seen)
{
	const char *what = seen->trailed ? "trails instead of stars: is the mount tracking?"
		: seen->stars > 0 ? "stars that lost more than half of their light: clouds"
		: "no measurable stars where the curve promised small ones: clouds, or something in "
		"front of the telescope";
	af_fail(plan, ERR_VALIDATION, "the frame at the best position %d shows %s", (int)plan->wish.position, what);
}

/* Size of the best sample that the curve goes through, px. */
static double best_seen(const struct af_plan *plan)
{
	double least = INFINITY;
	for (size_t i = 0; i < plan->point_count; i++) {
		const struct curve_point *p = &plan->points[i].curve;
		least = p->used ? fmin(least, p->hfr_px) : least;
	}
	return least;
}

/* The arms have found the curve where it was, but its bottom is not as deep as the few samples there made it: frames at
 * the best position are samples, too.  Whether the curve through all of them is accepted and says the same position. */
static bool refit_with_finals(struct af_plan *plan)
{
	struct curve_result before = plan->fit;
	for (size_t i = 0; i < plan->point_count; i++) {
		struct af_plan_point *p = &plan->points[i];
		p->validation = p->validation && p->curve.position != plan->wish.position;
	}
	af_fit(plan);
	double moved = fabs(plan->fit.best_position - plan->wish.position);
	bool same = plan->fit.accepted && moved < fmax(1, SAME_SHARE * plan->fit.curve.a / plan->fit.curve.k);
	if (!same) {
		plan->fit = before;
	}
	return same;
}

static void fail_validation(struct af_plan *plan, double predicted, double best, bool worse_than_start)
{
	int at = (int)plan->wish.position;
	double h = plan->hfr_final_px;
	if (worse_than_start) {
		af_fail(plan, ERR_VALIDATION, "at the best position %d the HFR is %.2f px, worse than the %.2f px at "
			"the start", at, h, plan->hfr_start_px);
	} else if (h > predicted) {
		af_fail(plan, ERR_VALIDATION, "at the best position %d the HFR is %.2f px where the curve says %.2f px "
			"and %.2f px was seen: slip or more backlash than configured, or the seeing changed", at, h,
			predicted, best);
	} else {
		af_fail(plan, ERR_VALIDATION, "at the best position %d the HFR is %.2f px, far below the %.2f px of "
			"the curve: the curve does not describe these stars", at, h, predicted);
	}
}

void af_validate(struct af_plan *plan, const struct af_observation *seen, bool usable)
{
	if (!usable) {
		af_fail_unusable(plan, seen);
		return;
	}
	double sigma_fit, predicted = curve_at(&plan->fit, seen->position, &sigma_fit);
	bool again = seen->recording_id != 0 && seen->recording_id == plan->p.validation_recording;
	plan->p.validation_recording = seen->recording_id;
	if (!again) {
		plan->p.validation_sum += seen->hfr_px;
		plan->p.validation_squares += seen->hfr_px * seen->hfr_px;
		plan->p.validations++;
	}
	int n = plan->p.validations;
	double mean = plan->p.validation_sum / n, scatter = scatter_of(plan, seen->duration_s);
	double single = hypot(scatter, SIZE_ERROR) * fmax(predicted, plan->fit.hfr_min_px);
	single = hypot(single, seen->error_px);
	double sigma = sqrt(single * single / n + sigma_fit * sigma_fit +
		BOTTOM_ERROR * predicted * BOTTOM_ERROR * predicted);
	double best = best_seen(plan), most = again ? agree_sigmas[VALIDATIONS] : agree_sigmas[n];
	plan->hfr_predicted_px = predicted;
	plan->hfr_final_px = mean;
	bool worse_than_start = mean > WORSE_START * plan->hfr_start_px + agree_sigmas[VALIDATIONS] * sigma;
	/* The best of several samples lies about one sigma below what they scatter about. */
	bool worse_than_best = mean > best + single * (1 + WORSE_SIGMAS * sqrt(1 + 1.0 / n));
	if (fabs(mean - predicted) < most * sigma && !worse_than_start && !worse_than_best) {
		plan->phase = AF_PHASE_OVER;
		plan->wish.want = AF_WANT_SUCCESS;
	} else if (n < VALIDATIONS && !again) {
		plan->p.retries = plan->p.cloud_repeats = 0;
		plan->wish.exposure_factor = 1;
	} else if (!again && !worse_than_start && !worse_than_best && refit_with_finals(plan)) {
		plan->hfr_predicted_px = curve_at(&plan->fit, seen->position, NULL);
		plan->phase = AF_PHASE_OVER;
		plan->wish.want = AF_WANT_SUCCESS;
	} else {
		fail_validation(plan, predicted, best, worse_than_start);
	}
}
