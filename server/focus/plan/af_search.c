/* SPDX-License-Identifier: MIT */
/*
 * Finding the V from anywhere: with a known slope two samples give the vertex; without one, probes
 * grow until the HFR changes beyond doubt, the arm's secant points past the vertex, and the search
 * ends when the samples rise on both sides of it.
 */
#include <math.h>
#include <stdio.h>

#include "af_inside.h"

/* Length of a probe over that of the last.  Estimate: tests/unit/focus/test_af_plan.c unknown_optics holds with it;
 * not varied. */
#define PROBE_GROWTH 2.5
/* Looks by kind; after so many dead ends nothing comes from beyond. */
#define SEARCHES_MOST 24
#define VERTEX_LOOKS 3
#define INSIDE_LOOKS 2
#define DEAD_ENDS_MOST 3
/* Relative scatter of an in-focus frame of 3 s before any was seen.  Estimate: tests/unit/focus/test_af_plan.c
 * unknown_optics holds with it; not varied. */
#define TYPICAL_SEEING 0.05
/* From so many times the least HFR the first look does not jump to the vertex.  Estimate:
 * tests/unit/focus/test_af_plan.c unknown_optics holds with it; not varied. */
#define SCOUT_FAR 6.0
/* Sigmas of scatter, and at most what share of the least size, a sample has to stand above the least one to have
 * risen.  Estimate: tests/unit/focus/test_af_plan.c unknown_optics holds with them; not varied. */
#define RISEN_SIGMAS 3
#define DIFFERENCE 1.414
#define RISEN_MOST 0.6
/* Relative error of a size besides the seeing.  Estimate: tests/unit/focus/test_af_plan.c unknown_optics holds with
 * it; not varied. */
#define OTHER_ERROR 0.02
/* A pivot below it is 0.  Derived: near the least normal double. */
#define SINGULAR 1e-300
/* Two samples of a known slope have to lie apart by this share of the probe.  Estimate:
 * tests/unit/focus/test_af_plan.c unknown_optics holds with it; not varied. */
#define BASE_SHARE 0.3
/* The second look from far out goes this share of the way to the vertex.  Estimate: tests/unit/focus/test_af_plan.c
 * unknown_optics holds with it; not varied. */
#define FAR_SHARE 0.3
/* A slope this many times the known one contradicts it.  Estimate: tests/unit/focus/test_af_plan.c unknown_optics
 * holds with it; not varied. */
#define CONTRADICTION 1.3
/* Bounds of the least size in that of history or of usual seeing: from far out it is a small difference of large
 * numbers.  Estimate: tests/unit/focus/test_af_plan.c unknown_optics holds with them; not varied. */
#define GUESS_LEAST 0.7
#define GUESS_MOST 1.6
/* Room before a wall, as a share of the way that is wanted, below which it is none.  Estimate:
 * tests/unit/focus/test_af_plan.c unknown_optics holds with it; not varied. */
#define ROOM_SHARE 0.02
/* Least way past an end, in the way to the vertex by the secant and in the length of what was seen.  Estimate:
 * tests/unit/focus/test_af_plan.c unknown_optics holds with them; not varied. */
#define SECANT_SHARE 0.3
#define SPAN_SHARE 0.25
/* The bottom was seen when the least sample lies this near the vertex, in h/k, and its size is no more than 1 over
 * this of the fitted one.  Estimate: tests/unit/focus/test_af_plan.c unknown_optics holds with them; not varied. */
#define NEAR_VERTEX 0.7
#define BOTTOM_LEAST 0.5
/* Least size of a shape, in that of the least sample.  Estimate: tests/unit/focus/test_af_plan.c unknown_optics
 * holds with it; not varied. */
#define SHAPE_LEAST 0.6

/* The usable samples by position. */
struct view {
	size_t n;
	double x[CURVE_MAX_POINTS], h[CURVE_MAX_POINTS];
	size_t least;
	double scatter; /* relative, of an in-focus frame, expected from the exposure */
};

static void view_make(const struct af_plan *plan, struct view *v)
{
	size_t index[CURVE_MAX_POINTS];
	*v = (struct view){.n = af_sorted(plan, index)};
	double shortest = INFINITY;
	for (size_t i = 0; i < v->n; i++) {
		const struct curve_point *p = &plan->points[index[i]].curve;
		v->x[i] = p->position;
		v->h[i] = p->hfr_px;
		v->least = v->h[i] < v->h[v->least] ? i : v->least;
		shortest = p->duration_s > 0 ? fmin(shortest, p->duration_s) : shortest;
	}
	v->scatter = curve_seeing(TYPICAL_SEEING, isfinite(shortest) ? shortest : 0);
}

/* HFR from which a sample counts as risen above the least one. */
static double risen(const struct view *v)
{
	double share = fmin(RISEN_MOST, fmax(AF_RISEN, RISEN_SIGMAS * DIFFERENCE * v->scatter));
	return v->h[v->least] * (1 + share);
}

/* Weighted least squares of h^2 = A + B x + C x^2, which a hyperbola obeys exactly.  False when the
 * samples are not convex. */
static bool parabola_of_squares(const struct view *v, struct af_shape *out)
{
	double middle = v->x[v->least], unit = fmax(1, v->x[v->n - 1] - v->x[0]);
	double least = v->h[v->least], m[3][4] = {{0}};
	for (size_t i = 0; i < v->n; i++) {
		double t = (v->x[i] - middle) / unit, y = v->h[i] * v->h[i];
		double seeing = v->scatter * (least / v->h[i]) * (least / v->h[i]);
		double w = 1 / (2 * y * hypot(seeing, OTHER_ERROR));
		const double row[3] = {1, t, t * t};
		for (int r = 0; r < 3; r++) {
			for (int c = 0; c < 3; c++) {
				m[r][c] += w * w * row[r] * row[c];
			}
			m[r][3] += w * w * row[r] * y;
		}
	}
	for (int p = 0; p < 3; p++) {
		if (!(fabs(m[p][p]) > SINGULAR)) {
			return false;
		}
		for (int r = 0; r < 3; r++) {
			double factor = m[r][p] / m[p][p];
			for (int c = 0; r != p && c < 4; c++) {
				m[r][c] -= factor * m[p][c];
			}
		}
	}
	double a = m[0][3] / m[0][0], b = m[1][3] / m[1][1], c = m[2][3] / m[2][2];
	if (!(c > 0) || !isfinite(a + b + c)) {
		return false;
	}
	double least_squared = a - b * b / (4 * c);
	out->x0 = middle - unit * b / (2 * c);
	out->k = sqrt(c) / unit;
	out->a = least_squared > 0 ? sqrt(least_squared) : 0;
	return true;
}

/* Secant from the least to the largest sample, px/step: a lower bound of the slope, close to it on an arm.  The
 * steepest pair would be noise between neighbours near focus. */
static double secant(const struct view *v)
{
	size_t top = v->least == 0 ? v->n - 1 : 0;
	for (size_t i = 0; i < v->n; i++) {
		top = v->h[i] > v->h[top] && v->x[i] != v->x[v->least] ? i : top;
	}
	return (v->h[top] - v->h[v->least]) / fmax(1, fabs(v->x[top] - v->x[v->least]));
}

/* Whether the search left a sample that does for this place of the sweep. */
static bool is_sampled(const struct af_plan *plan, double position, double step)
{
	for (size_t i = 0; i < plan->point_count; i++) {
		if (af_usable(plan, i) && !af_loose(plan, i) && plan->p.recording[i] == 0 &&
			fabs(plan->points[i].curve.position - position) < step / 2) {
			return true;
		}
	}
	return false;
}

void af_start_sweep(struct af_plan *plan, const struct af_shape *shape)
{
	int points = plan->setup.points;
	double low, high;
	if (plan->setup.step > 0) {
		double half = plan->setup.step * (points - 1) / 2;
		low = shape->x0 - half;
		high = shape->x0 + half;
		plan->p.step = plan->setup.step;
	} else {
		/* Two motor steps between samples are the least that means anything. */
		double half = fmax(AF_SWEEP_REACH * shape->a / shape->k, points - 1);
		low = fmax(plan->p.low, shape->x0 - half);
		high = fmin(plan->p.high, shape->x0 + half);
		plan->p.step = (high - low) / (points - 1);
	}
	plan->p.preload = fmax(2, AF_SWEEP_REACH * shape->a / shape->k);
	plan->p.search_points = plan->point_count;
	plan->p.firm_travel = plan->p.preload / 2;
	double positions[AF_QUEUE_MAX];
	size_t count = 0;
	for (int i = 0; i < points; i++) {
		double position = low + (high - low) * i / (points - 1);
		/* The ends are the arms, where one sample too many is better than one too few. */
		bool end = i == 0 || i == points - 1;
		if (end || !is_sampled(plan, position, (high - low) / (points - 1))) {
			positions[count++] = position;
		}
	}
	if (!af_ask_many(plan, AF_PHASE_SWEEP, positions, count)) {
		af_fail(plan, ERR_NO_MINIMUM, "best focus is expected near %.0f, outside the range "
			"%.0f..%.0f", shape->x0, plan->p.low, plan->p.high);
	}
}

/* With a known slope two samples suffice.  False when they contradict the slope. */
static bool search_known(struct af_plan *plan, const struct view *v)
{
	double k = plan->p.slope;
	if (v->n < 2 || !(v->x[v->n - 1] - v->x[0] > BASE_SHARE * plan->p.probe)) {
		double h0 = v->h[v->least];
		double length = plan->p.probe;
		if (h0 > SCOUT_FAR * plan->p.hfr_min) {
			length = fmax(length, FAR_SHARE * h0 / k);
		} else if (h0 > plan->p.hfr_min) {
			/* The look goes to where the vertex is if it lies on this side; it is then a sample of the
			 * sweep already. */
			length = fmax(length, sqrt(h0 * h0 - plan->p.hfr_min * plan->p.hfr_min) / k);
		}
		double target = v->x[v->least] + plan->p.direction * length;
		if (target < plan->p.wall[0] || target > plan->p.wall[1]) {
			target = v->x[v->least] - plan->p.direction * length;
		}
		plan->p.direction = -plan->p.direction;
		plan->p.searches += 1;
		if (plan->p.searches > 3) {
			return false;
		}
		af_ask(plan, target);
		return true;
	}
	size_t last = v->n - 1;
	double span = v->x[last] - v->x[0];
	if (fabs(v->h[last] - v->h[0]) > CONTRADICTION * k * span) {
		return false;
	}
	double x0 = (v->x[0] + v->x[last]) / 2 -
		(v->h[last] * v->h[last] - v->h[0] * v->h[0]) / (2 * k * k * span);
	double far = k * (v->x[v->least] - x0);
	double squared = v->h[v->least] * v->h[v->least] - far * far;
	/* From far out the least size is a small difference of large numbers, so that it is held to what the sky
	 * usually gives. */
	double guess = plan->p.hfr_min > 0 ? plan->p.hfr_min : v->h[v->least] / 2;
	double a = squared > 0 ? sqrt(squared) : 0;
	a = fmin(fmax(a, GUESS_LEAST * guess), fmin(GUESS_MOST * guess, v->h[v->least]));
	double reach = AF_SWEEP_REACH * a / k;
	if (x0 < plan->p.low - reach || x0 > plan->p.high + reach) {
		return false;
	}
	af_start_sweep(plan, &(struct af_shape){.x0 = x0, .a = a, .k = k});
	return true;
}

static void fail_flat(struct af_plan *plan, const struct view *v)
{
	if (af_fail_rings(plan)) {
		/* Far out a short way changes the size by less than its scatter. */
		return;
	}
	if (v->n < 3 && plan->p.blanks + plan->p.clouds > 0) {
		/* Too little was seen to say anything of a curve. */
		af_fail_blank(plan);
		return;
	}
	if (v->n < 3) {
		af_fail(plan, ERR_NO_MINIMUM, "only %zu different frames come from between %.0f and %.0f: "
			"too few for a curve", v->n, plan->p.low, plan->p.high);
		return;
	}
	if (v->x[0] == v->x[v->n - 1]) {
		af_fail(plan, ERR_NO_MINIMUM, "all %zu frames come from one position, %.0f: a curve needs different "
			"ones", v->n, v->x[0]);
		return;
	}
	af_fail(plan, ERR_NO_MINIMUM, "the star size does not change between %.0f and %.0f: the motor "
		"turns but the optics do not follow (coupling, slip), or clouds hide the stars",
		v->x[0], v->x[v->n - 1]);
}

/* Asks for a look into the gap next to an end before the minimum is said to be out of reach, because a long jump may
 * have crossed it.  False when that was done enough. */
static bool look_inside(struct af_plan *plan, const struct view *v, int side)
{
	if (v->n < 2 || plan->p.inside_looks >= INSIDE_LOOKS) {
		return false;
	}
	double end = side < 0 ? v->x[0] : v->x[v->n - 1];
	double next = side < 0 ? v->x[1] : v->x[v->n - 2];
	if (fabs(end - next) < 2) {
		return false;
	}
	plan->p.inside_looks++;
	af_ask(plan, (end + next) / 2);
	return true;
}

/* Asks for a sample on the side of the V that still has to be found.  side is the end to go beyond, -1 or +1; beyond
 * is the wanted distance past that end, steps. */
static void go_beyond(struct af_plan *plan, const struct view *v, int side, double beyond)
{
	double end = side < 0 ? v->x[0] : v->x[v->n - 1];
	double wall = plan->p.wall[side > 0];
	beyond = fmax(1, beyond) * (1 << (plan->p.dead_ends < 3 ? plan->p.dead_ends : 3));
	double room = side * (wall - end);
	if (room < 0.5 || room < ROOM_SHARE * beyond) {
		if (look_inside(plan, v, side)) {
			return;
		}
		if (plan->p.blank_run > 0) {
			/* The place is within reach, but the stars went out of sight. */
			af_fail_blank(plan);
			return;
		}
		char where[120];
		bool told = af_where(plan, where, sizeof where);
		bool limit = fabs(wall - (side < 0 ? plan->p.low : plan->p.high)) < 1;
		if (!limit && af_fail_rings(plan)) {
			return;
		}
		const char *why = limit ? "the end of the allowed range: the minimum lies beyond the reach of this run"
			: plan->p.blanks > 0 ? "but beyond none are seen: the minimum is out of reach"
					     : "but no frame comes from beyond: the minimum is out of reach";
		af_fail(plan, ERR_NO_MINIMUM, "the stars still get smaller at %.0f, %s%s%s", end, why,
			told ? "; " : "", told ? where : "");
		return;
	}
	af_ask(plan, end + side * fmin(beyond, room));
}

/* Asks for a longer probe, because no sample differs from the others beyond doubt. */
static void probe_on(struct af_plan *plan, const struct view *v)
{
	for (int turn = 0; turn < 2; turn++) {
		int side = plan->p.direction;
		double end = side < 0 ? v->x[0] : v->x[v->n - 1];
		double room = side * (plan->p.wall[side > 0] - end);
		if (room >= 1) {
			plan->p.preload = plan->p.probe;
			af_ask(plan, end + side * fmin(plan->p.probe, room));
			plan->p.probe *= PROBE_GROWTH;
			return;
		}
		plan->p.direction = -side;
		plan->p.probe = fmax(plan->p.first_probe, (v->x[v->n - 1] - v->x[0]) / 2);
	}
	fail_flat(plan, v);
}

/* Learns from the last round of the search where walls are: frames are dark there, or the same as before. */
static void learn_walls(struct af_plan *plan, const struct view *v)
{
	if (plan->p.searches == 0 || v->n == 0) {
		return;
	}
	double asked = plan->p.queue[0];
	int side = asked > v->x[v->n - 1] ? 1 : asked < v->x[0] ? -1 : 0;
	bool fresh = plan->point_count > plan->p.round_start;
	const struct curve_point *last = fresh ? &plan->points[plan->point_count - 1].curve : NULL;
	if (side != 0 && fresh && last->stars == 0) {
		/* No star was seen there: the search goes no further than half way on that side. */
		double end = side < 0 ? v->x[0] : v->x[v->n - 1];
		plan->p.wall[side > 0] = (end + asked) / 2;
		plan->p.probe = fmax(1, fabs(asked - end) / 4);
		plan->p.direction = -side;
		return;
	}
	if (side != 0 && !fresh) {
		if (++plan->p.dead_ends >= DEAD_ENDS_MOST) {
			plan->p.wall[side > 0] = side < 0 ? v->x[0] : v->x[v->n - 1];
			plan->p.dead_ends = 0;
		}
		return;
	}
	plan->p.dead_ends = 0;
}

void af_search_next(struct af_plan *plan)
{
	struct view v;
	view_make(plan, &v);
	learn_walls(plan, &v);
	if (plan->p.slope > 0) {
		if (search_known(plan, &v)) {
			return;
		}
		plan->p.slope = NAN;
	}
	if (++plan->p.searches > SEARCHES_MOST) {
		af_fail(plan, ERR_NO_MINIMUM, "no minimum found in %d looks between %.0f and %.0f",
			SEARCHES_MOST, v.x[0], v.x[v.n - 1]);
		return;
	}
	double limit = risen(&v);
	bool left = false, right = false;
	for (size_t i = 0; i < v.n; i++) {
		left = left || (i < v.least && v.h[i] >= limit);
		right = right || (i > v.least && v.h[i] >= limit);
	}
	if (!left && !right) {
		probe_on(plan, &v);
		return;
	}
	double k = secant(&v);
	if (left != right) {
		/* The secant is flatter than the asymptote, so this points a little past the vertex. */
		int side = left ? 1 : -1;
		double end = side < 0 ? v.x[0] : v.x[v.n - 1];
		double target = v.x[v.least] + side * v.h[v.least] / k;
		double beyond = side * (target - end);
		beyond = fmax(beyond, SECANT_SHARE * v.h[v.least] / k);
		go_beyond(plan, &v, side, fmax(beyond, SPAN_SHARE * (v.x[v.n - 1] - v.x[0])));
		return;
	}
	struct af_shape shape;
	bool convex = parabola_of_squares(&v, &shape) && shape.x0 > v.x[0] && shape.x0 < v.x[v.n - 1];
	if (!convex) {
		shape = (struct af_shape){.x0 = v.x[v.least], .a = v.h[v.least], .k = k};
	}
	/* Two arms far out tell where the vertex is, but not how small the stars get there. */
	bool near = fabs(v.x[v.least] - shape.x0) < v.h[v.least] / shape.k * NEAR_VERTEX &&
		shape.a > BOTTOM_LEAST * v.h[v.least];
	if (!near && plan->p.vertex_looks < VERTEX_LOOKS) {
		plan->p.vertex_looks++;
		af_ask(plan, shape.x0);
		return;
	}
	shape.a = fmax(shape.a, SHAPE_LEAST * v.h[v.least]);
	af_start_sweep(plan, &shape);
}
