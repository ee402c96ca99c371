/* SPDX-License-Identifier: MIT */
/* A measurement as the one JSON object that `focusd measure --json` and MeasureStars share.  Pure. */
#ifndef FOCUSD_MEASUREMENT_JSON_H
#define FOCUSD_MEASUREMENT_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "measure.h"
#include "text.h"

/* Appends the object. file is a name, or NULL, which becomes null; width and height are in px; elapsed_ms is the time
 * that measuring took. list (NULL: no "list" member) holds count stars, brightest first; their flags become an array of
 * words. */
void measurement_json(const struct measurement *m, const char *file, int32_t width, int32_t height,
	double elapsed_ms, const struct star *list, size_t count, struct buf *out);

#endif
