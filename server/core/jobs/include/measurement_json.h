/* SPDX-License-Identifier: MIT */
/* A measurement as the one JSON object that `focusd measure --json` and MeasureStars share.  Pure. */
#ifndef FOCUSD_MEASUREMENT_JSON_H
#define FOCUSD_MEASUREMENT_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "measure.h"
#include "text.h"

/* Appends the object.  file: name or NULL (null); width, height in px; elapsed_ms what it took.  list
 * (may be NULL: no "list" member) holds count stars, brightest first; their flags become an array of
 * words. */
void measurement_json(const struct measurement *m, const char *file, int32_t width, int32_t height,
	double elapsed_ms, const struct star *list, size_t count, struct buf *out);

#endif
