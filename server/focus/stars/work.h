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

enum {
	MAX_OBJECTS = 3000, /* objects probed at the common size */
	COUNTED = 40,       /* brightest used stars that make the frame's number */
};

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
