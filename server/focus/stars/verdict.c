/* SPDX-License-Identifier: MIT */
/* What the objects of a frame say together: which of them are stars of one size, and one number
 * with an error for all. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "order.h"
#include "work.h"

/* SNR at which a star counts half of a bright one, whose size scatters by other things than noise.  Tuned on
 * tests/unit/fits/test_frames.c sizes_of_frames: 11.2 fails it. */
#define FULL_WEIGHT_SNR 8.0
/* Debris: so many refused objects agree, to this logarithm, on a size so many times larger, with so many times the
 * light.  Estimate: DEBRIS_SIZE of 2.8, DEBRIS_AGREE of 0.21, DEBRIS_FLUX of 7 moves no figure of
 * tests/unit/fits/test_frames.c sizes_of_frames. */
#define DEBRIS_SIZE 2.0
#define DEBRIS_AGREE 0.15
#define DEBRIS_COUNT 3
#define DEBRIS_FLUX 5.0
/* HFR in px below which an object is too fine for a trail, and SNR from which its direction is known.  Estimate:
 * TRAIL_HFR of 1.26, TRAIL_SNR of 28 moves no figure of tests/unit/fits/test_frames.c sizes_of_frames. */
#define TRAIL_HFR 0.9
#define TRAIL_SNR 20.0
/* Median length over width of a trailed frame, and length of the mean of unit vectors at twice the angles.  Source
 * for the second: Rayleigh test of uniformity, Mardia and Jupp, Directional Statistics (2000), section 6.3: 3
 * objects agree to 0.7 by chance with a probability of about 23 %, 10 of them with 0.7 % (exp(-n R^2)). */
#define TRAIL_ELONGATION 1.38
#define TRAIL_AGREE 0.7
/* Beside one to three bright stars those below this part of the SNR of the brightest add only doubt; never above
 * the last SNR, and above the middle one only where the brightest has twice it.  Estimate: FAINT_PART of 56,
 * FAINT_LEAST of 11.2, FAINT_MOST of 28 moves no figure of tests/unit/fits/test_frames.c sizes_of_frames. */
#define FAINT_PART 40.0
#define FAINT_LEAST 8.0
#define FAINT_MOST 20.0
/* Logarithm of the size within which stars agree: so many sigmas of the scatter within bounds, and four sigmas of
 * their own noise, 4 x 0.68/SNR.  Tuned on tests/unit/fits/test_frames.c sizes_of_frames: SIZE_SIGMAS of 5.6 moves
 * 1, SIZE_LEAST of 0.7 moves 5, SIZE_MOST of 0.98 moves 2, SIZE_NOISE of 3.78 moves 3 of 40 figures, none beyond its
 * limit. */
#define SIZE_SIGMAS 4.0
#define SIZE_LEAST 0.5
#define SIZE_MOST 0.7
#define SIZE_NOISE 2.7
/* Objects in one line are no stars when there are so many and chance would put them there this rarely.  Estimate:
 * 0.0014 moves no figure of tests/unit/fits/test_frames.c sizes_of_frames. */
#define LINE_CHANCE 1e-3
#define LINE_COUNT 5
/* HFR in px of four equal pixels: as sharp as that are defects.  Derived: half of a square of 2 px lies within
 * sqrt(2/pi) = 0.80 px of its centre. */
#define FINEST_HFR 0.8
/* A star whose HFR is more than this share of the shorter side fills the mesh of the sky.  Estimate:
 * tests/unit/fits/test_frames.c sizes_of_frames holds with it; not varied. */
#define LARGE_STAR 0.15
/* A centre below this share of the brightest ring makes a ring of a star.  Estimate: tests/unit/fits/test_frames.c
 * sizes_of_frames holds with it; not varied. */
#define RING_DIP 0.8
/* 1 sigma of the HFR of one star, relative, times its SNR.  Source: simulation of 200 stars each, SNR 10 to 286,
 * matched aperture; tests/unit/fits/test_measure.c faint_stars_are_unbiased: scatter times SNR 0.71 to 1.6 of
 * stars, 0.46 to 0.51 of rings, with apertures that are not matched. */
#define STAR_ERROR 0.68
#define RING_ERROR 0.38
/* Effective number of stars from which their median is a median, and its error in that of a mean.  Derived:
 * sqrt(pi/2), the efficiency of the median of normal values; a median of one or two is a mean. */
#define MEAN_COUNT 2.5
#define MEDIAN_ERROR 1.2533
/* Relative error of an HFR that stays whatever the SNR: the sky under a star is never known to better than a
 * thousandth of its light.  Estimate: tests/unit/fits/test_frames.c sizes_of_frames holds with it; not varied. */
#define SKY_ERROR 0.001

static int by_value(const void *a, const void *b)
{
	double p = *(const double *)a;
	double q = *(const double *)b;
	return p < q ? -1 : (p > q ? 1 : 0);
}

double work_median(double *value, size_t n)
{
	if (n == 0) {
		return NAN;
	}
	qsort(value, n, sizeof *value, by_value);
	return n % 2 == 1 ? value[n / 2] : 0.5 * (value[n / 2 - 1] + value[n / 2]);
}

/* Median of n weighted values, reordered; NAN of none.  Between two middle ones it is read off the
 * line that joins the middles of their weights, so that equal weights give the usual median. */
static double weighted_median(struct weighted *item, size_t n)
{
	double total = 0.0;
	for (size_t i = 0; i < n; i++) {
		total += item[i].weight;
	}
	if (!(total > 0.0)) {
		return NAN;
	}
	qsort(item, n, sizeof *item, by_value); /* value comes first */
	double below = 0.0;
	double last_at = 0.0;
	for (size_t i = 0; i < n; i++) {
		double at = below + 0.5 * item[i].weight;
		if (at >= 0.5 * total) {
			if (i == 0) {
				return item[0].value;
			}
			double part = (0.5 * total - last_at) / (at - last_at);
			return item[i - 1].value + part * (item[i].value - item[i - 1].value);
		}
		last_at = at;
		below += item[i].weight;
	}
	return item[n - 1].value;
}

/* Weight of the size of a star.  Bright stars count alike, because what scatters them is not noise. */
static double weight_of(double snr)
{
	return snr * snr / (snr * snr + FULL_WEIGHT_SNR * FULL_WEIGHT_SNR);
}

bool work_is_debris(const struct work *work, double size)
{
	double own = 0.0;
	double own_most = 0.0;
	for (size_t i = 0; i < work->objects; i++) {
		const struct object *o = &work->object[i];
		if (o->flags == 0 && fabs(log(o->p.hfr / size)) < SAME_SIZE) {
			own += o->p.flux;
			own_most = fmax(own_most, o->p.flux);
		}
	}
	for (size_t i = 0; i < work->objects; i++) {
		const struct object *a = &work->object[i];
		if (a->defect || a->flags == 0 || a->p.hfr < DEBRIS_SIZE * size) {
			continue;
		}
		double flux = 0.0;
		int agree = 0;
		for (size_t j = 0; j < work->objects; j++) {
			const struct object *b = &work->object[j];
			if (!b->defect && b->flags != 0 && b->p.flux > own_most &&
			    fabs(log(b->p.hfr / a->p.hfr)) < DEBRIS_AGREE) {
				flux += b->p.flux;
				agree++;
			}
		}
		if (agree >= DEBRIS_COUNT && flux > DEBRIS_FLUX * own) {
			return true;
		}
	}
	return false;
}

/* Whether most objects are drawn out the same way.  A lone one may be a blend, tracks of particles
 * are too fine, and what lies in one line along its own direction is one trail of something else or
 * a bad column. */
static bool is_trailed(const struct work *work)
{
	double c = 0.0;
	double s = 0.0;
	double *elongation = work->value;
	double *offset = work->value + MAX_OBJECTS;
	double widest = 0.0;
	size_t n = 0;
	for (int pass = 0; pass < 2; pass++) {
		double angle = 0.5 * atan2(s, c);
		n = 0;
		for (size_t i = 0; i < work->objects; i++) {
			const struct object *o = &work->object[i];
			unsigned other = (unsigned)(STAR_SHAPE | STAR_EDGE | STAR_SATURATED |
				STAR_CROWDED | STAR_FAINT);
			if (!o->p.valid || (o->flags & other) != 0 || !(o->p.snr > TRAIL_SNR) ||
			    !isfinite(o->elongation) || o->p.hfr < TRAIL_HFR) {
				continue;
			}
			if (pass == 0) {
				c += cos(2.0 * o->angle);
				s += sin(2.0 * o->angle);
				widest = fmax(widest, o->p.hfr);
			}
			elongation[n] = o->elongation;
			offset[n++] = o->p.y * cos(angle) - o->p.x * sin(angle);
		}
	}
	if (n < 3 || work_median(elongation, n) <= TRAIL_ELONGATION || hypot(c, s) <= TRAIL_AGREE * (double)n) {
		return false;
	}
	qsort(offset, n, sizeof *offset, by_value);
	return offset[n - 1] - offset[0] > 2.0 * widest;
}

/* Least SNR of the stars that make the number: the same bright ones in every frame of a sweep,
 * where faint ones come and go. */
static void rank(struct work *work)
{
	size_t n = 0;
	for (size_t i = 0; i < work->objects; i++) {
		if (work->object[i].flags == 0) {
			work->value[n++] = work->object[i].p.snr;
		}
	}
	qsort(work->value, n, sizeof *work->value, by_value);
	work->snr_from = n > COUNTED ? work->value[n - COUNTED] : 0.0;
}

/* Collects one double member of the brightest used objects with their weights. */
static size_t collect(struct work *work, size_t offset, struct weighted *item)
{
	size_t n = 0;
	for (size_t i = 0; i < work->objects; i++) {
		const struct object *o = &work->object[i];
		double v;
		memcpy(&v, (const char *)o + offset, sizeof v);
		if (o->flags == 0 && o->p.snr >= work->snr_from && isfinite(v)) {
			item[n++] = (struct weighted){v, weight_of(o->p.snr)};
		}
	}
	return n;
}

static double median_of(struct work *work, size_t offset)
{
	return weighted_median(work->weighted, collect(work, offset, work->weighted));
}

/* 1.4826 x weighted median of abs(HFR - middle). */
static double hfr_spread(struct work *work, double middle)
{
	size_t n = collect(work, offsetof(struct object, p.hfr), work->weighted);
	for (size_t i = 0; i < n; i++) {
		work->weighted[i].value = fabs(work->weighted[i].value - middle);
	}
	return n < 2 ? 0.0 : SIGMA_PER_MAD * weighted_median(work->weighted, n);
}

/* Drops those at the edge of detection beside one to three stars that say everything: they add only doubt. */
static void drop_faint(struct work *work)
{
	double most = 0.0;
	for (size_t i = 0; i < work->objects; i++) {
		const struct object *o = &work->object[i];
		most = o->flags == 0 && o->p.snr > most ? o->p.snr : most;
	}
	double limit = fmin(fmax(most / FAINT_PART, fmin(most / 2.0, FAINT_LEAST)), FAINT_MOST);
	int bright = 0;
	for (size_t i = 0; i < work->objects; i++) {
		bright += work->object[i].flags == 0 && work->object[i].p.snr >= limit ? 1 : 0;
	}
	for (size_t i = 0; i < work->objects && bright <= 3; i++) {
		if (work->object[i].p.valid && work->object[i].p.snr < limit) {
			work->object[i].flags |= STAR_FAINT;
		}
	}
}

/* Drops what disagrees with the frame's common size: galaxies, knots and blends above, defects
 * below. */
static void judge_sizes(struct work *work)
{
	for (int round = 0; round < 4; round++) {
		rank(work);
		double middle = median_of(work, offsetof(struct object, p.hfr));
		double spread = hfr_spread(work, middle) / middle;
		size_t n = 0;
		for (size_t i = 0; i < work->objects; i++) {
			n += work->object[i].flags == 0 ? 1 : 0;
		}
		if (n < 3) {
			return;
		}
		double limit = fmin(fmax(SIZE_SIGMAS * spread, SIZE_LEAST), SIZE_MOST);
		bool changed = false;
		for (size_t i = 0; i < work->objects; i++) {
			struct object *o = &work->object[i];
			if (o->flags == 0 &&
			    fabs(log(o->p.hfr / middle)) > hypot(limit, SIZE_NOISE / o->p.snr)) {
				o->flags |= STAR_SIZE;
				changed = true;
			}
		}
		if (!changed) {
			return;
		}
	}
}

/* The chance that some two of n objects that are strewn over the frame have that many in the strip between them, one
 * star wide. */
static double line_chance(const struct work *work, size_t n, size_t in_strip, double half_width)
{
	double w = work->pyramid.width[0];
	double h = work->pyramid.height[0];
	double expected = (double)(n - 2) * fmin(1.0, 2.0 * half_width * hypot(w, h) / (w * h));
	double chance = 0.5 * (double)n * (double)(n - 1) * exp(-expected);
	for (size_t k = 1; k + 2 <= in_strip; k++) {
		chance *= expected / (double)k;
	}
	return chance;
}

/* Drops objects that stand in one line: pieces of a satellite trail, of a star trail, of a bad row,
 * or letters written into the picture. */
static void judge_lines(struct work *work)
{
	struct object *o[64];
	size_t n = 0;
	for (size_t i = 0; i < work->objects && n < sizeof o / sizeof o[0]; i++) {
		if (work->object[i].flags == 0 && work->object[i].p.snr >= work->snr_from) {
			o[n++] = &work->object[i];
		}
	}
	double width = median_of(work, offsetof(struct object, p.hfr));
	size_t best = 0;
	double line[3] = {0};
	for (size_t i = 0; i < n; i++) {
		for (size_t j = i + 1; j < n; j++) {
			double dx = o[j]->p.x - o[i]->p.x;
			double dy = o[j]->p.y - o[i]->p.y;
			double length = hypot(dx, dy);
			double a = -dy / length;
			double b = dx / length;
			double c = -(a * o[i]->p.x + b * o[i]->p.y);
			size_t on = 0;
			for (size_t k = 0; k < n; k++) {
				on += fabs(a * o[k]->p.x + b * o[k]->p.y + c) < width ? 1 : 0;
			}
			if (length > 0.0 && on > best) {
				best = on;
				line[0] = a;
				line[1] = b;
				line[2] = c;
			}
		}
	}
	if (best < LINE_COUNT || line_chance(work, n, best, width) > LINE_CHANCE) {
		return;
	}
	for (size_t k = 0; k < work->objects; k++) {
		struct probe *p = &work->object[k].p;
		if (work->object[k].flags == 0 &&
		    fabs(line[0] * p->x + line[1] * p->y + line[2]) < 2.0 * p->hfr) {
			work->object[k].flags |= STAR_SHAPE;
		}
	}
}

/* Drops one or two objects that are as sharp as pixels, because a lens that draws so finely shows more stars. */
static void judge_lone_pixels(struct work *work)
{
	size_t used = 0;
	for (size_t i = 0; i < work->objects; i++) {
		used += work->object[i].flags == 0 ? 1 : 0;
	}
	for (size_t i = 0; i < work->objects && used < 3; i++) {
		if (work->object[i].flags == 0 && work->object[i].p.hfr < FINEST_HFR) {
			work->object[i].flags |= STAR_SHAPE;
		}
	}
}

void work_judge(struct work *work, struct measurement *out)
{
	out->trailed = is_trailed(work);
	if (out->trailed) {
		for (size_t i = 0; i < work->objects; i++) {
			work->object[i].flags &= ~(unsigned)STAR_ELONGATED;
		}
	}
	drop_faint(work);
	judge_sizes(work);
	judge_lines(work);
	judge_lone_pixels(work);
	if (work_is_debris(work, median_of(work, offsetof(struct object, p.hfr)))) {
		for (size_t i = 0; i < work->objects; i++) {
			work->object[i].flags |= STAR_SIZE;
		}
	}
}

/* Sky and noise around the stars, when one is so large that it fills the frame and the mesh. */
static void sky_under_stars(struct work *work, double scale, struct measurement *out)
{
	int32_t width = work->pyramid.width[0];
	int32_t height = work->pyramid.height[0];
	int32_t least = width < height ? width : height;
	if (median_of(work, offsetof(struct object, p.hfr)) > LARGE_STAR * least) {
		out->background_adu = median_of(work, offsetof(struct object, p.sky));
		out->noise_adu = scale * median_of(work, offsetof(struct object, p.sigma));
	}
}

void work_summarise(struct work *work, double scale, struct measurement *out)
{
	double weight_ring = 0.0;
	double weight = 0.0;
	double weight2 = 0.0;
	double variance = 0.0;
	int used = 0;
	rank(work);
	double hfr = median_of(work, offsetof(struct object, p.hfr));
	double scatter = hfr_spread(work, hfr);
	for (size_t i = 0; i < work->objects; i++) {
		const struct object *o = &work->object[i];
		if ((o->flags & STAR_SATURATED) != 0) {
			out->saturated++;
		}
		if (o->flags == 0) {
			/* 1 sigma of one star's HFR is 0.68 / SNR of itself, 0.38 / SNR on a ring. */
			bool ring = o->p.dip < RING_DIP;
			double w = o->p.snr >= work->snr_from ? weight_of(o->p.snr) : 0.0;
			double error = fmax((ring ? RING_ERROR : STAR_ERROR) / o->p.snr * hfr, scatter);
			weight += w;
			weight2 += w * w;
			variance += w * w * error * error;
			weight_ring += ring ? w : 0.0;
			out->flux_adu += o->p.flux;
			used++;
		}
	}
	if (used == 0) {
		return;
	}
	out->stars = used;
	out->donut = weight_ring > 0.5 * weight;
	out->hfr_px = scale * hfr;
	out->hfr_mad_px = scale * scatter;
	/* A median is 1.25 times as uncertain as a mean, which it is below three.  The sky under a
	 * star is never known to better than a thousandth of its light. */
	double shrink = weight * weight / weight2 < MEAN_COUNT ? 1.0 : MEDIAN_ERROR;
	out->hfr_error_px = scale * hypot(shrink * sqrt(variance) / weight, SKY_ERROR * hfr);
	out->mean_radius_px = scale * median_of(work, offsetof(struct object, p.mean_radius));
	out->fwhm_px = out->donut ? NAN : scale * median_of(work, offsetof(struct object, p.fwhm));
	out->eccentricity = median_of(work, offsetof(struct object, eccentricity));
	out->flux_adu *= scale * scale;
	sky_under_stars(work, scale, out);
}

static int by_flux(const void *a, const void *b)
{
	double p = ((const struct object *)a)->p.flux;
	double q = ((const struct object *)b)->p.flux;
	return p > q ? -1 : (p < q ? 1 : 0);
}

size_t work_list(struct work *work, bool all, double scale, struct star *list, size_t cap)
{
	bool transposed = work->transposed;
	size_t n = 0;
	qsort(work->object, work->objects, sizeof *work->object, by_flux);
	for (size_t i = 0; i < work->objects && n < cap; i++) {
		const struct object *o = &work->object[i];
		if (!o->p.valid || (o->flags != 0 && !all)) {
			continue;
		}
		double x = (o->p.x + 0.5) * scale - 0.5;
		double y = (o->p.y + 0.5) * scale - 0.5;
		list[n++] = (struct star){
			.x = transposed ? y : x,
			.y = transposed ? x : y,
			.flux_adu = o->p.flux * scale * scale,
			.peak_adu = o->p.peak,
			.hfr_px = o->p.hfr * scale,
			.mean_radius_px = o->p.mean_radius * scale,
			.fwhm_px = o->p.dip < RING_DIP ? NAN : o->p.fwhm * scale,
			.eccentricity = o->eccentricity,
			.snr = o->p.snr,
			.flags = o->flags,
		};
	}
	return n;
}
