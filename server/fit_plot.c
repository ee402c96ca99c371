/* SPDX-License-Identifier: MIT */
/* Draws a focus curve into a grid of characters; a character stands for the middle of its cell. */
#include "fit_plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The picture fits beside the table in a terminal of 24 lines. */
enum { ROWS = 16, LABEL = 8, LEAST_COLUMNS = 40, MOST_COLUMNS = 120 };

/* Positions low..high lie on the columns 0..width - 1, sizes 0..top on the rows ROWS - 1..0. */
struct grid {
	double low, high, top;
	int width;
	char cell[ROWS][MOST_COLUMNS];
};

static int column_of(const struct grid *g, double position)
{
	return (int)lround((position - g->low) / (g->high - g->low) * (g->width - 1));
}

/* A size beyond the top lies above the grid, at a negative row. */
static int row_of(const struct grid *g, double hfr_px)
{
	return ROWS - 1 - (int)lround(fmin(hfr_px / g->top, 2) * (ROWS - 1));
}

static void put(struct grid *g, int row, int column, char c)
{
	if (row >= 0 && row < ROWS && column >= 0 && column < g->width) {
		g->cell[row][column] = c;
	}
}

/* The grid that holds all samples with stars; false when there are none. */
static bool grid_of(struct grid *g, const struct curve_point *points, size_t n, int width)
{
	*g = (struct grid){.low = INFINITY, .high = -INFINITY, .width = width};
	memset(g->cell, ' ', sizeof g->cell);
	for (size_t i = 0; i < n; i++) {
		if (isfinite(points[i].hfr_px)) {
			g->low = fmin(g->low, points[i].position);
			g->high = fmax(g->high, points[i].position);
			g->top = fmax(g->top, points[i].hfr_px + points[i].error_px);
		}
	}
	if (g->high == g->low) {
		/* A single position stands in the middle of a range of two steps. */
		g->low -= 1;
		g->high += 1;
	}
	return g->top > 0;
}

static void draw_curve(struct grid *g, const struct curve_result *fit)
{
	for (int column = 0; column < g->width; column++) {
		double position = g->low + (g->high - g->low) * column / (g->width - 1);
		put(g, row_of(g, curve_at(fit, position, NULL)), column, '.');
	}
}

static void draw_bars(struct grid *g, const struct curve_point *points, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!isfinite(points[i].hfr_px)) {
			continue;
		}
		int last = row_of(g, fmax(points[i].hfr_px - points[i].error_px, 0));
		for (int row = row_of(g, points[i].hfr_px + points[i].error_px); row <= last; row++) {
			put(g, row, column_of(g, points[i].position), '|');
		}
	}
}

static void draw_samples(struct grid *g, const struct curve_point *points, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (isfinite(points[i].hfr_px)) {
			put(g, row_of(g, points[i].hfr_px), column_of(g, points[i].position),
				points[i].used ? 'o' : 'x');
		}
	}
}

/* The line below the axis: "^" at best focus when it lies within the samples. */
static void print_best(const struct grid *g, const struct curve_result *fit, struct buf *out)
{
	double best = fit->best_position;
	if (!isfinite(best) || best < g->low || best > g->high) {
		return;
	}
	int column = column_of(g, best);
	char label[32];
	int length = snprintf(label, sizeof label, "%.0f", best);
	/* The number stands to the right of its mark, or to the left where the line ends before. */
	if (column + 2 + length <= g->width) {
		buf_printf(out, "%*s^ %s\n", LABEL + 2 + column, "", label);
	} else {
		buf_printf(out, "%*s%s ^\n", LABEL + 2 + column - length - 1, "", label);
	}
}

static void print_grid(const struct grid *g, struct buf *out)
{
	buf_printf(out, "%*s HFR, px\n", LABEL, "");
	for (int row = 0; row < ROWS; row++) {
		if (row % 5 == 0) {
			buf_printf(out, "%*.2f +%.*s\n", LABEL, g->top * (ROWS - 1 - row) / (ROWS - 1), g->width,
				g->cell[row]);
		} else {
			buf_printf(out, "%*s |%.*s\n", LABEL, "", g->width, g->cell[row]);
		}
	}
	char line[MOST_COLUMNS + 1];
	memset(line, '-', sizeof line);
	buf_printf(out, "%*s +%.*s\n", LABEL, "", g->width, line);
	char low[32], high[32];
	snprintf(low, sizeof low, "%.0f", g->low);
	int length = snprintf(high, sizeof high, "%.0f steps", g->high);
	buf_printf(out, "%*s%-*s%s\n", LABEL + 2, "", g->width - length, low, high);
}

void fit_plot(const struct curve_result *fit, const struct curve_point *points, size_t n, int columns, struct buf *out)
{
	columns = columns < LEAST_COLUMNS ? LEAST_COLUMNS : columns > MOST_COLUMNS ? MOST_COLUMNS : columns;
	struct grid g;
	if (!grid_of(&g, points, n, columns - LABEL - 2)) {
		return;
	}
	if (isfinite(fit->best_position)) {
		draw_curve(&g, fit);
	}
	draw_bars(&g, points, n);
	draw_samples(&g, points, n);
	print_grid(&g, out);
	print_best(&g, fit, out);
	buf_printf(out, "%*so used   x left out   | error bar   . curve   ^ best focus\n", LABEL + 2, "");
}
