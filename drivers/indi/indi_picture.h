/* SPDX-License-Identifier: MIT */
/*
 * From the rows of a file to the frame that core has lent: cuts out the part that is wanted, widens its elements and
 * puts three planes together.  No locks, no waiting.
 */
#ifndef FOCUSD_INDI_PICTURE_H
#define FOCUSD_INDI_PICTURE_H

#include "image.h"
#include "indi_fits.h"

/* The part of a delivered picture that is wanted, in px of that picture, and what the frame has. */
struct indi_part {
	int32_t cut_x, cut_y;     /* corner */
	int32_t cut_width, cut_height;
	int32_t planes;           /* 1 or 3 */
	enum image_type type;     /* of the frame's elements */
};

/* Zeroed at first. */
struct indi_picture {
	struct indi_part part;
	struct frame *frame;
	void *line;               /* one row of the part, as the frame has it; NULL where rows go as they come */
	unsigned char *planes;    /* of three planes: the whole part, until it can be put together */
};

/* Before the first row; the part lies within the picture.  The frame is borrowed until end or drop.  ERR_NOMEM. */
enum err_code indi_picture_begin(struct indi_picture *p, const struct indi_part *part, struct frame *frame,
	struct err *err);
/* Rows of one plane, as indi_fits_handlers.rows has them. */
void indi_picture_put(struct indi_picture *p, const struct indi_fits_facts *facts, int32_t plane, int32_t first,
	int32_t rows, const void *data);
/* After the last: the frame is whole.  Then, or in place of it: gives the memory back. */
void indi_picture_end(struct indi_picture *p);
void indi_picture_drop(struct indi_picture *p);

#endif
