/* SPDX-License-Identifier: MIT */
/* From a frame to one number.  All stars of a frame are blurred alike, so the frame is read twice:
 * the brightest things at every scale vote for the common size, then only that scale is searched.
 * That keeps a donut from falling to pieces and a nebula from swallowing stars. */
#include "measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "work.h"

enum {
	VOTERS = 150,        /* objects that tell the common size */
	MOST_DEFECTS = 1000, /* hot pixels and the like that are looked at on the way to them */
};

/* How far an object claims what is around it, in HFR.  Tuned on tests/unit/fits/test_frames.c sizes_of_frames: 1.96
 * moves 6 of 40 figures, none beyond its limit. */
#define CLAIM 1.4
/* A disk whose light comes for more than this share from stars that are already known is no object.  Tuned on
 * tests/unit/fits/test_frames.c sizes_of_frames: 0.7 moves 5 of 40 figures, none beyond its limit. */
#define EXPLAINED 0.5
/* 1 sigma of the logarithm of the size within which two objects support each other.  Tuned on
 * tests/unit/fits/test_frames.c sizes_of_frames: 0.21 moves 3 of 40 figures, none beyond its limit. */
#define VOTE_WIDTH 0.15
/* A neighbour inside the aperture with this share of the light, or more, spoils the size.  Derived: a neighbour
 * with a share f at distance r moves the mean radius by f (r - h)/(1 + f), which for 0.05 at 3 h is a tenth of h. */
#define CROWD_FLUX 0.05
/* Side of a cell of the grid in px, and in HFR: the eight cells around one hold whatever can crowd it or be
 * claimed by it.  Derived: the largest aperture is 4 HFR of at most 1.3 times the common one, and one HFR of the
 * neighbour is added. */
#define GRID_LEAST 16.0
#define GRID_HFR 7.0
/* The aperture follows the HFR of a star between these parts of the common one.  Tuned on
 * tests/unit/fits/test_frames.c sizes_of_frames: HFR_LEAST of 1.12 fails it.  Tuned on
 * tests/unit/fits/test_frames.c sizes_of_frames: HFR_MOST of 1.82 fails it. */
#define HFR_LEAST 0.8
#define HFR_MOST 1.3

struct measure_options measure_defaults(void)
{
	return (struct measure_options){.region = 1.0, .dense_list = false};
}

static bool in_region(const struct work *work, const struct candidate *c, double region)
{
	double w = work->pyramid.width[0];
	double h = work->pyramid.height[0];
	return fabs((double)c->x + 0.5 - 0.5 * w) <= 0.5 * region * w &&
	       fabs((double)c->y + 0.5 - 0.5 * h) <= 0.5 * region * h;
}

/* How far an object claims what is around it. */
static double claim(const struct object *o)
{
	double disk = (double)o->c.radius;
	return o->p.valid ? fmax(CLAIM * o->p.hfr, disk) : disk;
}

/* Whether the light about a voter is known to be its own.  One that could not be measured, whose curve of growth is
 * open or that the edge cuts may be a piece of something larger that is yet to come. */
static bool is_whole(const struct object *o)
{
	return o->p.valid && (o->defect || (o->flags & (unsigned)(STAR_SHAPE | STAR_EDGE)) == 0);
}

/* The first reading: finds the brightest objects of any size. */
static void find_voters(struct work *work, double region)
{
	work->objects = 0;
	size_t defects = 0;
	for (size_t i = 0; i < work->found.count && defects < MOST_DEFECTS &&
	     work->objects < VOTERS + defects; i++) {
		const struct candidate *c = &work->found.item[i];
		if (!in_region(work, c, region)) {
			continue;
		}
		double explained = 0.0;
		bool taken = false;
		for (size_t j = 0; j < work->objects && !taken; j++) {
			const struct object *a = &work->object[j];
			double d = hypot((double)(c->x - a->c.x), (double)(c->y - a->c.y));
			double own = is_whole(a) ? claim(a) : (double)a->c.radius;
			taken = d < own + 0.5 * fmin((double)c->radius, own);
			if (is_whole(a) && d < own + (double)c->radius) {
				explained += fmax((double)a->c.flux, a->p.flux);
			}
		}
		/* A large disk that only gathers stars which are already known is no object. */
		if (taken || explained > EXPLAINED * (double)c->flux) {
			continue;
		}
		struct object *o = &work->object[work->objects++];
		*o = (struct object){.c = *c};
		object_probe(work, o, (double)c->radius / DISK_OVER_HFR, NAN, 0.0, INFINITY);
		defects += o->defect ? 1 : 0;
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
					double d = log(work->object[j].p.hfr / work->object[i].p.hfr) / VOTE_WIDTH;
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
	double together = 0.0;
	for (size_t i = 0; i < work->objects && !isnan(size); i++) {
		const struct object *o = &work->object[i];
		if ((o->flags & ~forgive) == 0 && fabs(log(o->p.hfr / size)) < SAME_SIZE) {
			hfr[n] = o->p.hfr;
			ratio[n++] = o->p.concentration;
			brightest = fmax(brightest, o->p.snr);
			together = hypot(together, o->p.snr);
		}
	}
	double concentration = work_median(ratio, n);
	*factor = star_probe_factor(concentration, brightest, together);
	return work_median(hfr, n);
}

/* A grid over the frame, so that neighbours are found without asking everybody. */
struct grid {
	int columns, rows;
	double cell;
	int *head;
};

static bool grid_init(struct grid *grid, const struct pyramid *pyramid, double cell)
{
	grid->cell = cell;
	grid->columns = (int)(pyramid->width[0] / cell) + 1;
	grid->rows = (int)(pyramid->height[0] / cell) + 1;
	size_t count = (size_t)grid->columns * (size_t)grid->rows;
	grid->head = malloc(count * sizeof *grid->head);
	if (grid->head == NULL) {
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		grid->head[i] = -1;
	}
	return true;
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
	if (other == o || !other->p.valid || other->p.flux < CROWD_FLUX * o->p.flux) {
		return false;
	}
	double d = hypot(o->p.x - other->p.x, o->p.y - other->p.y);
	return d < o->p.aperture + o->p.hfr;
}

/* The second reading: finds everything of about the common size.  False when out of memory. */
static bool find_stars(struct work *work, double region, double size, double factor)
{
	struct grid grid;
	if (!grid_init(&grid, &work->pyramid, fmax(GRID_LEAST, GRID_HFR * size))) {
		return false;
	}
	double low = DISK_OVER_HFR * size / 2.0;
	double high = fmax(DISK_OVER_HFR * size * 2.0, 2.0);
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
		object_probe(work, o, size, factor, HFR_LEAST * size, HFR_MOST * size);
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
	return true;
}

/* Least sides of a view, px: a star and the sky about it.  A colour mosaic is halved first. */
enum { LEAST_SIDE_PX = 16, LEAST_MOSAIC_SIDE_PX = 32 };

static const struct measurement nothing = {.hfr_px = NAN, .hfr_mad_px = NAN, .hfr_error_px = NAN,
	.mean_radius_px = NAN, .fwhm_px = NAN, .eccentricity = NAN, .background_adu = NAN, .noise_adu = NAN};

/* Where the list of stars goes. */
struct listing {
	struct star *list; /* NULL: nobody asked */
	size_t cap;
	size_t count;      /* returned */
	bool dense;
};

/* Finds and judges the stars of the pyramid; false when out of memory. */
static bool measure_mono(struct work *work, double region, double scale, struct listing *listing,
	struct measurement *out)
{
	if (!detect(&work->pyramid, &work->found)) {
		return false;
	}
	out->background_adu = work->pyramid.sky;
	out->noise_adu = work->pyramid.sigma[0] * scale;
	find_voters(work, region);
	double factor;
	double size = common_size(work, &factor);
	if (isnan(size) || work_is_debris(work, size)) {
		return true;
	}
	if (!find_stars(work, region, size, factor)) {
		return false;
	}
	work_judge(work, out);
	work_summarise(work, scale, out);
	if (listing->list != NULL) {
		listing->count = work_list(work, listing->dense, scale, listing->list, listing->cap);
	}
	return true;
}

/* Memory of one measurement; false when there is not enough, work is then half made and work_fini() frees it. */
static bool work_init(struct work *work, const struct image *img)
{
	*work = (struct work){.transposed = img->transposed};
	work->full_scale = isfinite(img->full_scale_adu) ? img->full_scale_adu : INFINITY;
	work->object = malloc(MAX_OBJECTS * sizeof *work->object);
	work->value = malloc(2 * MAX_OBJECTS * sizeof *work->value);
	work->weighted = malloc(MAX_OBJECTS * sizeof *work->weighted);
	return pyramid_init(&work->pyramid, img) && probe_scratch_init(&work->scratch) &&
		work->object != NULL && work->value != NULL && work->weighted != NULL;
}

static void work_fini(struct work *work)
{
	probe_scratch_fini(&work->scratch);
	pyramid_fini(&work->pyramid);
	free(work->found.item);
	free(work->object);
	free(work->value);
	free(work->weighted);
}

enum err_code measure_frame(const struct image *img, const struct measure_options *options,
	struct star *list, size_t cap, size_t *listed, struct measurement *out, struct err *err)
{
	bool mosaic = img->mosaic != IMAGE_MONO;
	int32_t least = mosaic ? LEAST_MOSAIC_SIDE_PX : LEAST_SIDE_PX;
	if (img->width < least || img->height < least) {
		return err_set(err, ERR_INVALID_VALUE, "the frame is only %d x %d pixels, too small to measure",
			(int)img->width, (int)img->height);
	}
	struct measurement m = nothing;
	struct listing listing = {.list = list, .cap = cap, .dense = options->dense_list};
	struct work work;
	bool done = work_init(&work, img) &&
		measure_mono(&work, options->region, mosaic ? 2.0 : 1.0, &listing, &m);
	work_fini(&work);
	if (!done) {
		return err_set(err, ERR_NOMEM, "no memory to measure the frame");
	}
	*out = m;
	if (listed != NULL) {
		*listed = listing.count;
	}
	return ERR_OK;
}
