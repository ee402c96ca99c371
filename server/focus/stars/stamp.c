/* SPDX-License-Identifier: MIT */
/* The surroundings of one star; see stamp.h. */
#include "stamp.h"

#include <math.h>

/* Sigmas that a lone hot pixel exceeds the sky, and twice its neighbours, by.  Estimate: 11.2 moves no figure of
 * tests/unit/fits/test_frames.c sizes_of_frames. */
#define SPIKE_SIGMAS 8.0
/* Samples that are taken of a ring: more tell the sky no better than its slope does.  Estimate: 2.8e+03 moves no
 * figure of tests/unit/fits/test_frames.c sizes_of_frames. */
#define RING_SAMPLES 2000.0
/* Half the diagonal of a block a pixel wide: a block whose middle is nearer lies partly in the hole.  Derived:
 * sqrt(2)/2, rounded. */
#define BLOCK_REACH 0.7
/* HFR in px above which the sky is that of blocks, and of larger ones.  Tuned on tests/unit/fits/test_frames.c
 * sizes_of_frames: LARGE_HFR of 3.5 moves 4, VERY_LARGE_HFR of 7 moves 8 of 40 figures, none beyond its limit. */
#define LARGE_HFR 2.5
#define VERY_LARGE_HFR 5.0
/* Sides of those blocks in px, and how many of them or of single pixels make a sky. */
#define LARGE_BLOCK 3
#define VERY_LARGE_BLOCK 4
#define BLOCKS_LEAST 24
#define SAMPLES_LEAST 12

struct stamp stamp_cut(const struct pyramid *pyramid, int level, double x, double y, double reach,
	float *memory)
{
	reach = reach < PROBE_REACH - 1 ? reach : PROBE_REACH - 1;
	int32_t x0 = clamp_i32(floor(x - reach), 0, pyramid->width[level] - 1);
	int32_t y0 = clamp_i32(floor(y - reach), 0, pyramid->height[level] - 1);
	int32_t x1 = clamp_i32(ceil(x + reach), 0, pyramid->width[level] - 1);
	int32_t y1 = clamp_i32(ceil(y + reach), 0, pyramid->height[level] - 1);
	struct stamp s = {memory, x0, y0, x1 - x0 + 1, y1 - y0 + 1};
	for (int32_t j = 0; j < s.height; j++) {
		pyramid_row(pyramid, level, y0 + j, x0, s.width, memory + (size_t)j * (size_t)s.width);
	}
	return s;
}

void stamp_mend_spikes(const struct stamp *s, float *memory, double sky, double sigma)
{
	for (int32_t j = 1; j < s->height - 1; j++) {
		float *row = memory + (size_t)j * (size_t)s->width;
		for (int32_t i = 1; i < s->width - 1; i++) {
			double v = (double)row[i] - sky;
			if (!(v > SPIKE_SIGMAS * sigma)) {
				continue;
			}
			double most = 0.0;
			double sum = 0.0;
			int n = 0;
			for (int dj = -1; dj <= 1; dj++) {
				for (int di = -1; di <= 1; di++) {
					double near = (double)row[dj * s->width + i + di] - sky;
					if ((di != 0 || dj != 0) && isfinite(near)) {
						most = near > most ? near : most;
						sum += near;
						n++;
					}
				}
			}
			if (n > 0 && v > 2.0 * most + SPIKE_SIGMAS * sigma) {
				row[i] = (float)(sky + sum / n);
			}
		}
	}
}

/* Mean of block x block pixels from (x, y) on; NaN when one is missing. */
static float block_mean(const struct stamp *s, int32_t x, int32_t y, int block)
{
	float sum = 0.0F;
	for (int j = 0; j < block; j++) {
		const float *row = s->data + (size_t)(y + j - s->y0) * (size_t)s->width + (x - s->x0);
		for (int i = 0; i < block; i++) {
			sum += row[i];
		}
	}
	return sum / (float)(block * block);
}

/* Collects the means of the blocks that lie in the ring between two radii. */
static size_t ring_samples(const struct stamp *s, double x, double y, double inner, double outer,
	int block, float *samples)
{
	int32_t step = (int32_t)(M_PI * (outer * outer - inner * inner) / (RING_SAMPLES * block * block));
	step = (step < 1 ? 1 : step) * block;
	size_t n = 0;
	int32_t start = 0;
	double middle = 0.5 * (block - 1);
	int32_t y0 = clamp_i32(ceil(y - outer), s->y0, s->y0 + s->height - 1);
	int32_t y1 = clamp_i32(floor(y + outer), s->y0, s->y0 + s->height - 1);
	for (int32_t j = y0; j + block - 1 <= y1; j += block) {
		double dy = j + middle - y;
		double half = sqrt(fmax(outer * outer - dy * dy, 0.0));
		double hole = sqrt(fmax(inner * inner - dy * dy, 0.0));
		int32_t x0 = clamp_i32(ceil(x - half), s->x0, s->x0 + s->width - 1);
		int32_t x1 = clamp_i32(floor(x + half), s->x0, s->x0 + s->width - 1);
		start = (start + step / 2 + 1) % step;
		for (int32_t i = x0 + start; i + block - 1 <= x1; i += step) {
			if (fabs(i + middle - x) < hole + BLOCK_REACH * (block - 1) || n >= STAMP_SAMPLES) {
				continue;
			}
			float v = block_mean(s, i, j, block);
			if (isfinite(v)) {
				samples[n++] = v;
			}
		}
	}
	return n;
}

struct sky stamp_ring_sky(const struct stamp *s, double x, double y, double inner, double outer,
	double hfr, double quantum, float *samples, size_t *count)
{
	int block = hfr > LARGE_HFR ? (hfr < VERY_LARGE_HFR ? LARGE_BLOCK : VERY_LARGE_BLOCK) : 1;
	size_t n = ring_samples(s, x, y, inner, outer, block, samples);
	if (n < BLOCKS_LEAST && block > 1) {
		block = 1;
		n = ring_samples(s, x, y, inner, outer, block, samples);
	}
	*count = n * (size_t)(block * block);
	if (n < SAMPLES_LEAST) {
		return (struct sky){NAN, NAN};
	}
	struct sky sky = sky_of_annulus(samples, n, quantum / (block * block));
	sky.sigma *= block;
	return sky;
}

bool stamp_centre(const struct stamp *s, double sky, double radius, double *x, double *y)
{
	double flux = 0.0;
	double mx = 0.0;
	double my = 0.0;
	/* The rim is soft over a pixel, so that the centre does not jump with the pixels. */
	double rim = radius + 0.5;
	double core2 = radius > 0.5 ? (radius - 0.5) * (radius - 0.5) : 0.0;
	int32_t y0 = clamp_i32(ceil(*y - rim), s->y0, s->y0 + s->height - 1);
	int32_t y1 = clamp_i32(floor(*y + rim), s->y0, s->y0 + s->height - 1);
	for (int32_t j = y0; j <= y1; j++) {
		const float *row = s->data + (size_t)(j - s->y0) * (size_t)s->width;
		double dy = j - *y;
		double half = sqrt(fmax(rim * rim - dy * dy, 0.0));
		int32_t x0 = clamp_i32(ceil(*x - half), s->x0, s->x0 + s->width - 1);
		int32_t x1 = clamp_i32(floor(*x + half), s->x0, s->x0 + s->width - 1);
		double sum = 0.0;
		for (int32_t i = x0; i <= x1; i++) {
			double dx = i - *x;
			double r2 = dx * dx + dy * dy;
			double v = (double)row[i - s->x0] - sky;
			if (r2 > core2) {
				double weight = rim - sqrt(r2);
				v *= weight > 0.0 ? weight : 0.0;
			}
			if (isfinite(v)) {
				sum += v;
				mx += v * dx;
			}
		}
		flux += sum;
		my += sum * dy;
	}
	if (!(flux > 0.0)) {
		return false;
	}
	*x += mx / flux;
	*y += my / flux;
	return isfinite(*x) && isfinite(*y);
}
