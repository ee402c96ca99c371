/* SPDX-License-Identifier: MIT */
#include "seeing.h"

#include <math.h>
#include <stdlib.h>

#define PI 3.14159265358979323846
/* Frequencies of the integral, in cycles per FWHM: beyond the last one the seeing leaves 1e-7. */
#define FREQUENCIES 800
#define HIGHEST 2.8
/* Nodes of a table: blurs from 0 on by so much; beyond them the square of the size grows like that of the bare
 * annulus. */
#define NODES 130
#define SPACING 0.125
#define TABLES 16

struct table {
	int hundredths;        /* of the obstruction */
	double squares[NODES]; /* of g */
};

/* 2 J1(x)/x, which is 1 at 0. */
static double jinc(double x)
{
	return x > 1e-6 ? 2 * j1(x) / x : 1;
}

static double square_at(double u, double eps)
{
	static double kolmogorov[FREQUENCIES];
	double mtf[FREQUENCIES], step = HIGHEST / FREQUENCIES;
	for (int i = 0; i < FREQUENCIES; i++) {
		double f = (i + 0.5) * step;
		if (!(kolmogorov[i] > 0)) {
			kolmogorov[i] = exp(-3.44 * pow(f / 0.9759, 5.0 / 3));
		}
		double annulus = (jinc(PI * f * u) - eps * eps * jinc(PI * f * eps * u)) / (1 - eps * eps);
		mtf[i] = kolmogorov[i] * annulus;
	}
	double low = 0.2, high = 2 + u;
	for (int halving = 0; halving < 26; halving++) {
		double r = (low + high) / 2, inside = 0;
		for (int i = 0; i < FREQUENCIES; i++) {
			inside += mtf[i] * j1(2 * PI * (i + 0.5) * step * r);
		}
		*(2 * PI * r * step * inside < 0.5 ? &low : &high) = r;
	}
	return low * low;
}

static const struct table *table_of(int hundredths)
{
	static struct table tables[TABLES];
	static int count;
	for (int i = 0; i < count; i++) {
		if (tables[i].hundredths == hundredths) {
			return &tables[i];
		}
	}
	if (count == TABLES) {
		abort();
	}
	struct table *t = &tables[count++];
	t->hundredths = hundredths;
	for (int i = 0; i < NODES; i++) {
		t->squares[i] = square_at(i * SPACING, hundredths / 100.0);
	}
	return t;
}

double seeing_g(double u, double obstruction)
{
	int hundredths = (int)lround(100 * obstruction);
	const struct table *t = table_of(hundredths);
	double eps = hundredths / 100.0, last = (NODES - 1) * SPACING;
	u = fabs(u);
	if (u >= last) {
		return sqrt(t->squares[NODES - 1] + (1 + eps * eps) / 8 * (u * u - last * last));
	}
	/* The square of g is close to a parabola: Lagrange over three nodes. */
	int i = (int)(u / SPACING);
	i = i < 1 ? 1 : i > NODES - 2 ? NODES - 2 : i;
	double s = u / SPACING - i;
	return sqrt(t->squares[i - 1] * s * (s - 1) / 2 + t->squares[i] * (1 - s * s) +
		t->squares[i + 1] * s * (s + 1) / 2);
}
