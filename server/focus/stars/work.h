/* SPDX-License-Identifier: MIT */
/*
 * What one measurement works on, shared by finding (stars.c) and judging (verdict.c).  Private to
 * the measurement; one per call, no globals.
 */
#ifndef FOCUSD_WORK_H
#define FOCUSD_WORK_H

#include <stddef.h>

#include "detect.h"
#include "hfr.h"
#include "measure.h"

struct work;

enum {
	MAX_OBJECTS = 3000, /* objects probed at the common size */
	COUNTED = 40,       /* brightest used stars that make the frame's number */
};

/* Disk radius over HFR of what it finds best.  Derived: 1.35 for a Gaussian (a disk of 1.59 sigma has the largest
 * signal over noise) as for a ring, whose HFR is 0.75 of its radius. */
#define DISK_OVER_HFR 1.35
/* Logarithm of the size within which an object is of about the common one.  Estimate: tests/unit/fits/test_frames.c
 * sizes_of_frames holds with it; not varied. */
#define SAME_SIZE 0.3

struct object {
	struct probe p;       /* in px of the working image, whatever level it was measured on */
	struct candidate c;
	int level;            /* of the pyramid, on which it was measured */
	double elongation;
	double eccentricity;
	double angle;         /* of the long axis, radians */
	double width2;        /* second moment along the short axis, px^2 */
	unsigned flags;       /* enum star_flag */
	bool defect;          /* of the sensor: hot or missing pixels, or nothing at all */
	int next;             /* in its grid cell, -1 ends */
};

/* Measures one candidate and judges it by itself; sizes in px of the working image.
 * Given: o->c; hfr, a guess; factor, aperture over HFR, NAN where the star decides; the bounds between which the
 * aperture follows its HFR (0 and INFINITY: none).
 * Returned: p, level, elongation, eccentricity, angle, width2, flags and defect of *o.
 * Notes: 1) it is measured on the coarsest level on which its disk is still 12 px and more in radius. */
void object_probe(struct work *work, struct object *o, double hfr, double factor, double hfr_least, double hfr_most);

/* A value and how much it counts. */
struct weighted {
	double value;
	double weight;
};

struct work {
	bool transposed;           /* rows of the image are columns of the sensor */
	struct pyramid pyramid;
	struct candidates found;
	struct probe_scratch scratch;
	struct object *object;
	size_t objects;
	double *value;             /* for medians; 2 x MAX_OBJECTS */
	struct weighted *weighted; /* MAX_OBJECTS */
	double full_scale;         /* ADU, infinite when unknown */
	double snr_from;           /* of the stars that count in medians */
};

/* Median of n values, reordered; NAN of none. */
double work_median(double *value, size_t n);

/* Whether what was refused knows better: three or more objects, brighter than all that may be used,
 * that may not (cut, saturated, spiked) but agree on a far larger size than this.  Then the small
 * ones are debris, for example warm pixels beside the spikes of a focusing mask. */
bool work_is_debris(const struct work *work, double size);

/* Flags what the frame as a whole disagrees with: the faint beside the bright, other sizes, rows
 * of objects, debris.  Fills out's trailed, and takes back STAR_ELONGATED when all are. */
void work_judge(struct work *work, struct measurement *out);

/* Writes the frame's numbers into out; scale is frame px per working px. */
void work_summarise(struct work *work, double scale, struct measurement *out);

/* Sorts the objects by flux and lists those that are used, or with all of them every valid one, in
 * frame px and sensor orientation.  Returns how many. */
size_t work_list(struct work *work, bool all, double scale, struct star *list, size_t cap);

#endif
