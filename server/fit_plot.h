/* SPDX-License-Identifier: MIT */
/* The picture of a focus curve in a terminal, in plain ASCII. */
#ifndef FOCUSD_FIT_PLOT_H
#define FOCUSD_FIT_PLOT_H

#include <stddef.h>

#include "curve.h"
#include "text.h"

/* Draws samples and their curve.
 * Given: fit, a result of curve_fit(); points[n], as curve_fit() returned them; columns, the width of the terminal,
 * held to 40..120.
 * Returned: appended to out: lines of at most columns characters, each ending in \n: half-flux radius in px upwards
 * from 0, position in steps to the right; "o" a sample that was used, "x" one that was left out, "|" its error bar,
 * "." the curve, "^" best focus below the axis.  Samples without stars have no size and are not drawn; with none
 * that has, nothing is appended. */
void fit_plot(const struct curve_result *fit, const struct curve_point *points, size_t n, int columns, struct buf *out);

#endif
