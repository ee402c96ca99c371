/* SPDX-License-Identifier: MIT */
/* Which points a curve is drawn through: no outliers, and a window about the vertex.  Pure; private to the curve. */
#ifndef FOCUSD_CURVE_CHOOSE_H
#define FOCUSD_CURVE_CHOOSE_H

#include <stdbool.h>
#include <stddef.h>

#include "curve.h"
#include "curve_weigh.h"

/* A sample this many times the minimum belongs to an arm, and so many of them are wanted on each side.  Tuned on
 * tests/unit/focus/test_curve.c interval_covers: 1.82 fails it. */
#define CURVE_ARM_RATIO 1.3
#define CURVE_ARM_SAMPLES 2
/* Fewer points than this never make a curve. */
#define CURVE_LEAST_POINTS 5
/* Rounds of curve_converge() for a curve that decides. */
#define CURVE_ROUNDS 6

/* Used samples on each side of x0 (0: below or at, 1: above) that are at least limit px large. */
void curve_count_arms(const struct curve_point *points, size_t n, double x0, double limit, int count[2]);

/* Drops the point that disagrees most with the others, one at a time, at most a quarter of them.
 * Given: w, filled from points; points; fit, the robust curve through all of them.
 * Returned: used and why of those that were dropped; w and fit without them.
 * Status: false when nothing could be fitted after a point was dropped.
 * Notes: 1) a point is judged by the curve that the others make, whose scatter does not know about it, so that one
 * wrong frame cannot excuse itself as bad seeing (a deleted, externally studentized residual).  2) no point goes that
 * would leave fewer than CURVE_LEAST_POINTS, or fewer than CURVE_ARM_SAMPLES on its side.  3) of nine frames one that
 * is 0.6 or 1.5 times its size was found in 400 of 400 trials: tests/unit/focus/test_curve.c outlier_is_found.
 * Source: Cook and Weisberg, Residuals and Influence in Regression (1982), section 2.2.2. */
bool curve_reject_outliers(struct curve_work *w, struct curve_point *points, size_t n, struct curve_attempt *fit);

/* Leaves the end of an arm out that reaches much further than the other.
 * Notes: 1) the hyperbola is exact nowhere, and a lopsided window turns that into a shifted vertex.  2) nothing goes
 * where fewer than 7 points, or 3 on an arm, would be left. */
void curve_trim_window(struct curve_point *points, size_t n, const struct curve *curve);

#endif
