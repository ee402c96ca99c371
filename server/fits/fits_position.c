/* SPDX-License-Identifier: MIT */
/* Which of two claims about the focuser's position counts, decided for a list of frames as a whole. */
#include <math.h>
#include <stdlib.h>

#include "fits_frame.h"

/* A name lies near its header when they differ by less than the headers' own range and this share of the header: a
 * program that writes the position before a move, or counts from another end of the backlash, stays within it. The
 * values that tests/unit/fits/test_position.c lists were the measure. */
#define NEAR_SHARE 0.1

/* Programs write whole steps; half of one is rounding. */
#define SAME_STEPS 0.5

static int ascending(const void *a, const void *b)
{
	double p = *(const double *)a;
	double q = *(const double *)b;
	return (p > q) - (p < q);
}

/* Whether sorted numbers are those of a counter: whole, each there once, and most of them one after the other (some
 * frames of a night are deleted). */
static bool merely_count(const double *sorted, size_t n)
{
	size_t next = 0;
	for (size_t i = 0; i < n; i++) {
		double gap = i > 0 ? sorted[i] - sorted[i - 1] : 1.0;
		if (sorted[i] != floor(sorted[i]) || gap == 0.0) {
			return false;
		}
		next += i > 0 && gap == 1.0 ? 1 : 0;
	}
	return n >= 2 && 2 * next > n - 1;
}

/* Whether most of the names that stand beside a header are far from it; room holds n numbers. */
static bool mostly_far(const struct fits_position *list, size_t n, double *room)
{
	double least = INFINITY;
	double most = -INFINITY;
	for (size_t i = 0; i < n; i++) {
		if (list[i].in_header) {
			least = fmin(least, list[i].header_steps);
			most = fmax(most, list[i].header_steps);
		}
	}
	size_t both = 0;
	for (size_t i = 0; i < n; i++) {
		if (list[i].in_name && list[i].in_header) {
			room[both++] = fabs(list[i].name_steps - list[i].header_steps) -
				NEAR_SHARE * fabs(list[i].header_steps);
		}
	}
	if (both == 0) {
		return false;
	}
	qsort(room, both, sizeof *room, ascending);
	return room[both / 2] > fmax(most - least, SAME_STEPS);
}

enum err_code fits_names_judge(const struct fits_position *list, size_t n, enum fits_names *out, struct err *err)
{
	*out = FITS_NAMES_STAND;
	double *room = malloc((n > 0 ? n : 1) * sizeof *room);
	if (room == NULL) {
		return err_set(err, ERR_NOMEM, "no memory for the positions of %zu frames", n);
	}
	size_t named = 0;
	for (size_t i = 0; i < n; i++) {
		if (list[i].in_name) {
			room[named++] = list[i].name_steps;
		}
	}
	qsort(room, named, sizeof *room, ascending);
	if (merely_count(room, named)) {
		*out = FITS_NAMES_COUNT;
	} else if (named >= 2 && room[0] == room[named - 1]) {
		*out = FITS_NAMES_CONSTANT;
	} else if (mostly_far(list, n, room)) {
		*out = FITS_NAMES_FAR;
	}
	free(room);
	return ERR_OK;
}

const char *fits_names_reason(enum fits_names names)
{
	switch (names) {
	case FITS_NAMES_COUNT:
		return "the numbers in the names merely count the frames and are no positions";
	case FITS_NAMES_CONSTANT:
		return "the number in the names is always the same and is no position";
	case FITS_NAMES_FAR:
		return "the numbers in the names lie nowhere near the positions in the headers and are no positions";
	case FITS_NAMES_STAND:
		break;
	}
	return "";
}

bool fits_position_choose(const struct fits_position *frame, enum fits_names names, double *position_steps)
{
	if (frame->in_name && names == FITS_NAMES_STAND) {
		*position_steps = frame->name_steps;
		return true;
	}
	if (frame->in_header) {
		*position_steps = frame->header_steps;
	}
	return frame->in_header;
}

bool fits_position_differs(const struct fits_position *frame)
{
	return frame->in_name && frame->in_header && fabs(frame->name_steps - frame->header_steps) > SAME_STEPS;
}
