/* SPDX-License-Identifier: MIT */
/* From a frame to one number.  All stars of a frame are blurred alike, so the frame is read twice:
 * the brightest things at every scale vote for the common size, then only that scale is searched.
 * That keeps a donut from falling to pieces and a nebula from swallowing stars. */
#include "measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "background.h"
#include "detect.h"
#include "hfr.h"

enum {
	VOTERS = 150,       /* objects probed to find the common size */
	MAX_OBJECTS = 3000, /* objects probed at the common size */
	COUNTED = 40,       /* brightest used stars that make the frame's number */
};

/* Least signal over noise of a star whose size counts: in the disk that found it, which says that
 * it is there, and in its own wider aperture, where at 5 its HFR is good to 10 %. */
static const double least_disk_snr = 8.0;
static const double least_snr = 5.0;
/* Elongation above which a lone star is a trail or a blend. */
static const double most_elongation = 1.6;
/* Disk radius over HFR of what it finds best: 1.35 for a Gaussian as for a ring. */
static const double disk_over_hfr = 1.35;

struct object {
	struct probe p;       /* in px of the working image, whatever level it was measured on */
	struct candidate c;
	int level;            /* of the pyramid, on which it was measured */
	double elongation;
	double eccentricity;
	double angle;         /* of the long axis, radians */
	unsigned flags;
	int next;             /* in its grid cell, -1 ends */
};

struct work {
	const struct image *img;   /* mono working image */
	struct pyramid pyramid;
	struct candidates found;
	struct probe_scratch scratch;
	struct object *object;
	size_t objects;
	double *value;             /* for medians; 2 x MAX_OBJECTS */
	struct weighted *weighted; /* MAX_OBJECTS */
	double full_scale;
	double snr_from;           /* of the stars that count in medians */
};

struct measure_options measure_defaults(void)
{
	return (struct measure_options){.region = 1.0, .dense_list = false};
}

static int by_value(const void *a, const void *b)
{
	double p = *(const double *)a;
	double q = *(const double *)b;
	return p < q ? -1 : (p > q ? 1 : 0);
}

/* Median of n values, reordered; NAN of none. */
static double median(double *value, size_t n)
{
	if (n == 0) {
		return NAN;
	}
	qsort(value, n, sizeof *value, by_value);
	return n % 2 == 1 ? value[n / 2] : 0.5 * (value[n / 2 - 1] + value[n / 2]);
}

/* A value and how much it counts. */
struct weighted {
	double value;
	double weight;
};

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

/* Weight of a star's size: bright stars count alike, because what scatters them is not noise. */
static double weight_of(double snr)
{
	const double full = 8.0;
	return snr * snr / (snr * snr + full * full);
}

static void set_shape(struct object *o)
{
	double half = 0.5 * (o->p.xx + o->p.yy);
	double diff = 0.5 * (o->p.xx - o->p.yy);
	double root = sqrt(diff * diff + o->p.xy * o->p.xy);
	double a2 = half + root;
	double b2 = half - root;
	o->angle = 0.5 * atan2(2.0 * o->p.xy, o->p.xx - o->p.yy);
	if (!(a2 > 0.0)) {
		o->elongation = INFINITY;
		o->eccentricity = NAN;
		return;
	}
	o->elongation = b2 > 0.0 ? sqrt(a2 / b2) : INFINITY;
	o->eccentricity = sqrt(fmin(1.0, fmax(0.0, 1.0 - b2 / a2)));
}

/* A defect of the sensor: light in one pixel and none beside it.  The sharpest star, FWHM 1.2 px
 * and centred on a pixel, puts 0.58 of its peak into the four neighbours together; a Gaussian of
 * this HFR puts 4 exp(-0.693 / HFR^2).  Hot pixels that stand together have a size, but fail that. */
static bool is_hot_pixel(const struct object *o)
{
	if (o->p.hfr < 0.5) {
		return true;
	}
	double expected = 4.0 * exp(-0.693 / (o->p.hfr * o->p.hfr));
	bool clear = o->p.neighbours_error < 0.2; /* a peak of ten sigma, not one of noise */
	if (o->level == 0 && clear && o->p.neighbours + 3.0 * o->p.neighbours_error < 0.35 * expected) {
		return true;
	}
	return o->p.hfr < 1.3 && (o->p.neighbours < 0.4 ||
		o->p.neighbours < 3.0 * o->p.neighbours_error);
}

static unsigned judge(const struct work *work, const struct object *o)
{
	const struct probe *p = &o->p;
	if (!p->valid || p->missing > 0.02 || is_hot_pixel(o)) {
		return STAR_SHAPE;
	}
	bool faint = p->snr < least_snr || (double)o->c.snr < least_disk_snr;
	unsigned flags = faint ? STAR_FAINT : 0;
	/* A ring ends; the wings of a sharp star go on, and lenses add to them. */
	double open = (p->concentration > 2.3 ? 0.12 : 0.05) + 3.0 * p->tail_error;
	bool is_open = p->tail > open || p->tail < -open;
	if (p->cut && (p->aperture < 1.5 * p->hfr || is_open)) {
		flags |= STAR_EDGE;
	} else if (is_open) {
		flags |= STAR_SHAPE;
	}
	if (o->elongation > most_elongation * (1.0 + 2.0 / p->snr)) {
		flags |= STAR_ELONGATED;
	}
	if (p->brightest >= 0.9 * work->full_scale) {
		flags |= STAR_SATURATED;
	}
	return flags;
}

/* Probes one candidate on the level where it is some ten pixels large. */
static void probe_object(struct work *work, struct object *o, double hfr, double factor,
	double hfr_least, double hfr_most)
{
	int level = 0;
	double radius = disk_over_hfr * hfr;
	while (radius > 24.0 && level + 1 < work->pyramid.levels) {
		radius /= 2.0;
		level++;
	}
	double bin = (double)(1 << level);
	struct probe_where where = {
		.x = ((double)o->c.x + 0.5) / bin - 0.5,
		.y = ((double)o->c.y + 0.5) / bin - 0.5,
		.hfr = hfr / bin,
		.factor = factor,
		.hfr_least = hfr_least / bin,
		.hfr_most = hfr_most / bin,
		.quantum = work->pyramid.quantum[level],
		.sigma = work->pyramid.sigma[level],
	};
	struct probe p = star_probe(&work->pyramid.image[level], &where, &work->scratch);
	p.x = (p.x + 0.5) * bin - 0.5;
	p.y = (p.y + 0.5) * bin - 0.5;
	p.hfr *= bin;
	p.mean_radius *= bin;
	p.fwhm *= bin;
	p.aperture *= bin;
	p.sigma *= bin;
	p.flux *= bin * bin;
	p.xx *= bin * bin;
	p.yy *= bin * bin;
	p.xy *= bin * bin;
	o->p = p;
	o->level = level;
	set_shape(o);
	o->flags = judge(work, o);
}

static bool in_region(const struct work *work, const struct candidate *c, double region)
{
	double w = work->img->width;
	double h = work->img->height;
	return fabs((double)c->x + 0.5 - 0.5 * w) <= 0.5 * region * w &&
	       fabs((double)c->y + 0.5 - 0.5 * h) <= 0.5 * region * h;
}

/* How far an object claims what is around it. */
static double claim(const struct object *o)
{
	double disk = (double)o->c.radius;
	return o->p.valid ? fmax(1.4 * o->p.hfr, disk) : disk;
}

/* First reading: the brightest objects of any size. */
static void find_voters(struct work *work, double region)
{
	work->objects = 0;
	for (size_t i = 0; i < work->found.count && work->objects < VOTERS; i++) {
		const struct candidate *c = &work->found.item[i];
		if (!in_region(work, c, region)) {
			continue;
		}
		double explained = 0.0;
		bool taken = false;
		for (size_t j = 0; j < work->objects && !taken; j++) {
			const struct object *a = &work->object[j];
			double d = hypot((double)(c->x - a->c.x), (double)(c->y - a->c.y));
			taken = d < claim(a) + 0.5 * fmin((double)c->radius, claim(a));
			if (d < claim(a) + (double)c->radius) {
				explained += fmax((double)a->c.flux, a->p.valid ? a->p.flux : 0.0);
			}
		}
		/* A large disk that only gathers stars which are already known is no object. */
		if (taken || explained > 0.5 * (double)c->flux) {
			continue;
		}
		struct object *o = &work->object[work->objects++];
		*o = (struct object){.c = *c};
		probe_object(work, o, (double)c->radius / disk_over_hfr, NAN, 0.0, INFINITY);
	}
}

/* The HFR that most of the light agrees on; NAN without any star.  factor is the aperture that
 * suits the voters. */
static double common_size(struct work *work, double *factor)
{
	unsigned forgive = 0;
	double best = 0.0;
	double size = NAN;
	/* When everything is elongated or saturated, the size is still theirs. */
	for (int attempt = 0; attempt < 2 && isnan(size); attempt++) {
		forgive = attempt == 0 ? 0 : (unsigned)(STAR_ELONGATED | STAR_SATURATED);
		for (size_t i = 0; i < work->objects; i++) {
			if ((work->object[i].flags & ~forgive) != 0) {
				continue;
			}
			double score = 0.0;
			for (size_t j = 0; j < work->objects; j++) {
				if ((work->object[j].flags & ~forgive) == 0) {
					double d = log(work->object[j].p.hfr / work->object[i].p.hfr) / 0.15;
					score += work->object[j].p.snr * exp(-0.5 * d * d);
				}
			}
			if (score > best) {
				best = score;
				size = work->object[i].p.hfr;
			}
		}
	}
	double *hfr = work->value;
	double *ratio = work->value + MAX_OBJECTS;
	size_t n = 0;
	double brightest = 0.0;
	for (size_t i = 0; i < work->objects && !isnan(size); i++) {
		const struct object *o = &work->object[i];
		if ((o->flags & ~forgive) == 0 && fabs(log(o->p.hfr / size)) < 0.3) {
			hfr[n] = o->p.hfr;
			ratio[n++] = o->p.concentration;
			brightest = fmax(brightest, o->p.snr);
		}
	}
	double concentration = median(ratio, n);
	*factor = star_probe_factor(concentration, brightest);
	return median(hfr, n);
}

/* Whether what was refused knows better: three or more bright objects that may not be used (cut,
 * saturated, spiked) but agree on a far larger size.  Then the small ones are debris, for example
 * warm pixels beside the spikes of a focusing mask. */
static bool is_debris(const struct work *work, double size)
{
	double own = 0.0;
	for (size_t i = 0; i < work->objects; i++) {
		const struct object *o = &work->object[i];
		own += o->flags == 0 && fabs(log(o->p.hfr / size)) < 0.3 ? o->p.flux : 0.0;
	}
	for (size_t i = 0; i < work->objects; i++) {
		const struct object *a = &work->object[i];
		if (!a->p.valid || a->flags == 0 || a->p.hfr < 2.0 * size) {
			continue;
		}
		double flux = 0.0;
		int agree = 0;
		for (size_t j = 0; j < work->objects; j++) {
			const struct object *b = &work->object[j];
			if (b->p.valid && b->flags != 0 && b->p.flux > 0.2 * a->p.flux &&
			    fabs(log(b->p.hfr / a->p.hfr)) < 0.15) {
				flux += b->p.flux;
				agree++;
			}
		}
		if (agree >= 3 && flux > 5.0 * own) {
			return true;
		}
	}
	return false;
}

/* A grid over the frame, so that neighbours are found without asking everybody. */
struct grid {
	int columns, rows;
	double cell;
	int *head;
};

static int grid_init(struct grid *grid, const struct image *img, double cell)
{
	grid->cell = cell;
	grid->columns = (int)(img->width / cell) + 1;
	grid->rows = (int)(img->height / cell) + 1;
	size_t count = (size_t)grid->columns * (size_t)grid->rows;
	grid->head = malloc(count * sizeof *grid->head);
	if (grid->head == NULL) {
		return -1;
	}
	for (size_t i = 0; i < count; i++) {
		grid->head[i] = -1;
	}
	return 0;
}

static int grid_index(int at, int count)
{
	return at < 0 ? 0 : (at >= count ? count - 1 : at);
}

static int *grid_cell(const struct grid *grid, double x, double y)
{
	int c = grid_index((int)floor(x / grid->cell), grid->columns);
	int r = grid_index((int)floor(y / grid->cell), grid->rows);
	return &grid->head[r * grid->columns + c];
}

/* Calls see for every object in the cell of (x, y) and the eight around it, until it returns
 * true; returns whether it did. */
static bool grid_any(const struct grid *grid, const struct object *object, double x, double y,
	bool (*see)(const struct object *other, const void *arg), const void *arg)
{
	int c = grid_index((int)floor(x / grid->cell), grid->columns);
	int r = grid_index((int)floor(y / grid->cell), grid->rows);
	for (int j = r - 1; j <= r + 1; j++) {
		for (int i = c - 1; i <= c + 1; i++) {
			if (j < 0 || i < 0 || j >= grid->rows || i >= grid->columns) {
				continue;
			}
			for (int k = grid->head[j * grid->columns + i]; k >= 0; k = object[k].next) {
				if (see(&object[k], arg)) {
					return true;
				}
			}
		}
	}
	return false;
}

static bool claims(const struct object *other, const void *arg)
{
	const struct candidate *c = arg;
	double d = hypot((double)c->x - other->p.x, (double)c->y - other->p.y);
	return d < claim(other);
}

static bool crowds(const struct object *other, const void *arg)
{
	const struct object *o = arg;
	if (other == o || !other->p.valid || other->p.flux < 0.05 * o->p.flux) {
		return false;
	}
	double d = hypot(o->p.x - other->p.x, o->p.y - other->p.y);
	return d < o->p.aperture + o->p.hfr;
}

/* Second reading: everything of about the common size. */
static int find_stars(struct work *work, double region, double size, double factor)
{
	struct grid grid;
	if (grid_init(&grid, work->img, fmax(16.0, 7.0 * size)) != 0) {
		return -1;
	}
	double low = disk_over_hfr * size / 2.0;
	double high = fmax(disk_over_hfr * size * 2.0, 2.0);
	work->objects = 0;
	for (size_t i = 0; i < work->found.count && work->objects < MAX_OBJECTS; i++) {
		const struct candidate *c = &work->found.item[i];
		if ((double)c->radius < low || (double)c->radius > high ||
		    !in_region(work, c, region) ||
		    grid_any(&grid, work->object, (double)c->x, (double)c->y, claims, c)) {
			continue;
		}
		struct object *o = &work->object[work->objects];
		*o = (struct object){.c = *c};
		probe_object(work, o, size, factor, 0.8 * size, 1.3 * size);
		if (!o->p.valid) {
			o->p.x = (double)c->x;
			o->p.y = (double)c->y;
		} else {
			/* The probe may have walked onto a neighbour that is known already. */
			struct candidate moved = *c;
			moved.x = (float)o->p.x;
			moved.y = (float)o->p.y;
			if (grid_any(&grid, work->object, o->p.x, o->p.y, claims, &moved)) {
				continue;
			}
		}
		int *cell = grid_cell(&grid, o->p.x, o->p.y);
		o->next = *cell;
		*cell = (int)work->objects++;
	}
	for (size_t i = 0; i < work->objects; i++) {
		struct object *o = &work->object[i];
		if (o->p.valid && grid_any(&grid, work->object, o->p.x, o->p.y, crowds, o)) {
			o->flags |= STAR_CROWDED;
		}
	}
	free(grid.head);
	return 0;
}

/* Whether most objects are drawn out the same way.  A lone one may be a blend. */
static bool is_trailed(const struct work *work)
{
	double c = 0.0;
	double s = 0.0;
	double *elongation = work->value;
	size_t n = 0;
	for (size_t i = 0; i < work->objects; i++) {
		const struct object *o = &work->object[i];
		unsigned other = (unsigned)(STAR_SHAPE | STAR_EDGE | STAR_SATURATED | STAR_CROWDED |
			STAR_FAINT);
		if (o->p.valid && (o->flags & other) == 0 && o->p.snr > 20.0 && isfinite(o->elongation)) {
			c += cos(2.0 * o->angle);
			s += sin(2.0 * o->angle);
			elongation[n++] = o->elongation;
		}
	}
	return n >= 3 && median(elongation, n) > 1.38 && hypot(c, s) > 0.7 * (double)n;
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
	return n < 2 ? 0.0 : 1.4826 * weighted_median(work->weighted, n);
}

/* Beside one to three stars that say everything, those at the edge of detection add only doubt. */
static void drop_faint(struct work *work)
{
	double most = 0.0;
	for (size_t i = 0; i < work->objects; i++) {
		const struct object *o = &work->object[i];
		most = o->flags == 0 && o->p.snr > most ? o->p.snr : most;
	}
	double limit = fmin(most / 40.0, 20.0);
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
		double limit = fmin(fmax(4.0 * spread, 0.5), 0.7);
		bool changed = false;
		for (size_t i = 0; i < work->objects; i++) {
			struct object *o = &work->object[i];
			if (o->flags == 0 &&
			    fabs(log(o->p.hfr / middle)) > hypot(limit, 2.7 / o->p.snr)) {
				o->flags |= STAR_SIZE;
				changed = true;
			}
		}
		if (!changed) {
			return;
		}
	}
}

/* Drops objects that stand in one line: pieces of a satellite trail, of a star trail, of a bad row,
 * or letters written into the picture.  Five in a strip one star wide that are half of all are no
 * chance. */
static void judge_lines(struct work *work)
{
	struct object *o[64];
	size_t n = 0;
	size_t used = 0;
	for (size_t i = 0; i < work->objects; i++) {
		if (work->object[i].flags == 0) {
			used++;
			if (n < sizeof o / sizeof o[0]) {
				o[n++] = &work->object[i];
			}
		}
	}
	if (used < 5 || used > n) {
		return;
	}
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
				on += fabs(a * o[k]->p.x + b * o[k]->p.y + c) < o[k]->p.hfr ? 1 : 0;
			}
			if (length > 0.0 && on > best) {
				best = on;
				line[0] = a;
				line[1] = b;
				line[2] = c;
			}
		}
	}
	if (best < 5 || 2 * best < n + 1) {
		return;
	}
	for (size_t k = 0; k < n; k++) {
		if (fabs(line[0] * o[k]->p.x + line[1] * o[k]->p.y + line[2]) < 2.0 * o[k]->p.hfr) {
			o[k]->flags |= STAR_SHAPE;
		}
	}
}

/* Sky and noise around the stars, when one is so large that it fills the frame and the mesh. */
static void sky_under_stars(struct work *work, double scale, struct measurement *out)
{
	int32_t least = work->img->width < work->img->height ? work->img->width : work->img->height;
	if (median_of(work, offsetof(struct object, p.hfr)) > 0.15 * least) {
		out->background_adu = median_of(work, offsetof(struct object, p.sky));
		out->noise_adu = scale * median_of(work, offsetof(struct object, p.sigma));
	}
}

static void summarise(struct work *work, double scale, struct measurement *out)
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
			bool ring = o->p.dip < 0.8;
			double w = o->p.snr >= work->snr_from ? weight_of(o->p.snr) : 0.0;
			double error = fmax((ring ? 0.38 : 0.68) / o->p.snr * hfr, scatter);
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
	double shrink = weight * weight / weight2 < 2.5 ? 1.0 : 1.2533;
	out->hfr_error_px = scale * hypot(shrink * sqrt(variance) / weight, 0.001 * hfr);
	out->mean_radius_px = scale * median_of(work, offsetof(struct object, p.mean_radius));
	out->fwhm_px = out->donut ? NAN : scale * median_of(work, offsetof(struct object, p.fwhm));
	out->eccentricity = median_of(work, offsetof(struct object, eccentricity));
	sky_under_stars(work, scale, out);
}

static int by_flux(const void *a, const void *b)
{
	double p = ((const struct object *)a)->p.flux;
	double q = ((const struct object *)b)->p.flux;
	return p > q ? -1 : (p < q ? 1 : 0);
}

static size_t fill_list(struct work *work, const struct measure_options *options, double scale,
	bool transposed, struct star *list, size_t cap)
{
	size_t n = 0;
	qsort(work->object, work->objects, sizeof *work->object, by_flux);
	for (size_t i = 0; i < work->objects && n < cap; i++) {
		const struct object *o = &work->object[i];
		if (!o->p.valid || (o->flags != 0 && !options->dense_list)) {
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
			.fwhm_px = o->p.dip < 0.8 ? NAN : o->p.fwhm * scale,
			.eccentricity = o->eccentricity,
			.snr = o->p.snr,
			.flags = o->flags,
		};
	}
	return n;
}

static int measure_mono(struct work *work, const struct measure_options *options, double scale,
	struct star *list, size_t cap, size_t *listed, struct measurement *out)
{
	if (pyramid_init(&work->pyramid, work->img) != 0 ||
	    detect(&work->pyramid, &work->found) != 0) {
		return -1;
	}
	out->background_adu = work->pyramid.sky;
	out->noise_adu = work->pyramid.sigma[0] * scale;
	find_voters(work, options->region);
	double factor;
	double size = common_size(work, &factor);
	if (isnan(size) || is_debris(work, size)) {
		return 0;
	}
	if (find_stars(work, options->region, size, factor) != 0) {
		return -1;
	}
	out->trailed = is_trailed(work);
	if (out->trailed) {
		for (size_t i = 0; i < work->objects; i++) {
			work->object[i].flags &= ~(unsigned)STAR_ELONGATED;
		}
	}
	drop_faint(work);
	judge_sizes(work);
	judge_lines(work);
	if (is_debris(work, median_of(work, offsetof(struct object, p.hfr)))) {
		for (size_t i = 0; i < work->objects; i++) {
			work->object[i].flags |= STAR_SIZE;
		}
	}
	summarise(work, scale, out);
	out->flux_adu *= scale * scale;
	if (list != NULL && listed != NULL) {
		*listed = fill_list(work, options, scale, work->img->transposed, list, cap);
	}
	return 0;
}

int measure_frame(const struct image *img, const struct measure_options *options,
	struct star *list, size_t cap, size_t *listed, struct measurement *out)
{
	*out = (struct measurement){.hfr_px = NAN, .hfr_mad_px = NAN, .hfr_error_px = NAN,
		.mean_radius_px = NAN, .fwhm_px = NAN, .eccentricity = NAN,
		.background_adu = NAN, .noise_adu = NAN};
	if (listed != NULL) {
		*listed = 0;
	}
	bool mosaic = img->mosaic != IMAGE_MONO;
	int32_t least = mosaic ? 32 : 16;
	if (img->width < least || img->height < least) {
		return -2;
	}
	struct image half = *img;
	float *owned = NULL;
	if (mosaic && image_halve(img, &half, &owned) != 0) {
		free(owned);
		return -1;
	}
	struct work work = {.img = mosaic ? &half : img};
	work.full_scale = isfinite(img->full_scale_adu) ? img->full_scale_adu : INFINITY;
	work.object = malloc(MAX_OBJECTS * sizeof *work.object);
	work.value = malloc(2 * MAX_OBJECTS * sizeof *work.value);
	work.weighted = malloc(MAX_OBJECTS * sizeof *work.weighted);
	int status = -1;
	if (probe_scratch_init(&work.scratch) == 0 && work.object != NULL && work.value != NULL &&
	    work.weighted != NULL) {
		status = measure_mono(&work, options, mosaic ? 2.0 : 1.0, list, cap, listed, out);
	}
	probe_scratch_fini(&work.scratch);
	pyramid_fini(&work.pyramid);
	free(work.found.item);
	free(work.object);
	free(work.value);
	free(work.weighted);
	free(owned);
	return status;
}
