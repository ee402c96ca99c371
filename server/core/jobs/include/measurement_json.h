/* SPDX-License-Identifier: MIT */
/* A measurement as the one JSON object that `focusd measure --json` and MeasureStars share.  Pure. */
#ifndef FOCUSD_MEASUREMENT_JSON_H
#define FOCUSD_MEASUREMENT_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "field.h"
#include "measure.h"
#include "text.h"

/* What a frame says of the focus error. */
struct measurement_focus {
	struct field_sense sense;
	double um_per_step; /* of the focal plane; NAN unknown */
};

/* Appends the object. file is a name, or NULL, which becomes null; width and height are in px; elapsed_ms is the time
 * that measuring took. focus (NULL: its members are left out) becomes "focus_error_um" (position less best focus; null
 * where the frame cannot tell), "focus_error_sigma_um" (of all that is possible, the other side of focus included),
 * "focus_error_steps", "focus_distance_steps" (on whichever side), "sign_probability" and "focus_note" (why it cannot
 * tell, or null). list (NULL: no "list" member) holds count stars, brightest first; their flags become an array of
 * words. */
void measurement_json(const struct measurement *m, const char *file, int32_t width, int32_t height,
	double elapsed_ms, const struct measurement_focus *focus, const struct star *list, size_t count,
	struct buf *out);

#endif
