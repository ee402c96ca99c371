/* SPDX-License-Identifier: MIT */
/* Shape of one star: second moments, peak and its neighbours, missing and flat pixels. */
#include <math.h>

#include "hfr.h"
#include "stamp.h"

/* Radius in HFR, and at least in px, in which the brightest, missing and flat pixels are looked for. */
#define CORE 1.5
#define CORE_LEAST 1.5
/* Noise of the sum of four neighbours, in that of one pixel.  Derived: sqrt(4). */
#define NEIGHBOURS 2

/* Second moments, peak and its neighbours, missing and flat pixels. */
void probe_shape(const struct stamp *s, struct probe *p)
{
	double radius = fmin(2.0 * p->hfr, p->aperture);
	double core = CORE * p->hfr > CORE_LEAST ? CORE * p->hfr : CORE_LEAST;
	double flux = 0.0;
	double xx = 0.0;
	double yy = 0.0;
	double xy = 0.0;
	double best = -INFINITY;
	int32_t bx = 0;
	int32_t by = 0;
	int missing = 0;
	int inside = 0;
	int32_t reach = (int32_t)ceil(fmax(radius, core));
	int32_t cx = (int32_t)lround(p->x);
	int32_t cy = (int32_t)lround(p->y);
	p->at_maximum = 0;
	for (int32_t j = cy - reach; j <= cy + reach; j++) {
		for (int32_t i = cx - reach; i <= cx + reach; i++) {
			double dx = i - p->x;
			double dy = j - p->y;
			double r = sqrt(dx * dx + dy * dy);
			double raw = stamp_at(s, i, j);
			if (r <= core) {
				inside++;
				if (!isfinite(raw)) {
					missing++;
				} else if (raw > best) {
					best = raw;
					bx = i;
					by = j;
					p->at_maximum = 1;
				} else if (raw >= best) {
					p->at_maximum++;
				}
			}
			double weight = radius + 0.5 - r;
			if (weight > 0.0 && isfinite(raw)) {
				double v = (raw - p->sky) * (weight < 1.0 ? weight : 1.0);
				flux += v;
				xx += v * dx * dx;
				yy += v * dy * dy;
				xy += v * dx * dy;
			}
		}
	}
	p->missing = inside > 0 ? (double)missing / inside : 1.0;
	p->brightest = best;
	p->peak = best - p->sky;
	p->xx = xx / flux;
	p->yy = yy / flux;
	p->xy = xy / flux;
	double sum = 0.0;
	const int32_t step[4][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}};
	for (int k = 0; k < 4; k++) {
		double v = stamp_at(s, bx + step[k][0], by + step[k][1]) - p->sky;
		sum += isfinite(v) ? v : 0.0;
	}
	p->neighbours = sum / p->peak;
	p->neighbours_error = 2.0 * p->sigma / p->peak;
}
