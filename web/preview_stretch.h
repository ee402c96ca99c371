/* SPDX-License-Identifier: MIT */
/*
 * From pixels of any type to the brightness on a screen, so that faint stars show: the sky stands a little above
 * black, and the brightest star is white.  Takes a tenth of a second for a frame of 60 Mpx that is looked at
 * whole; pure but for its memory; one frame per thread.
 */
#ifndef FOCUSD_PREVIEW_STRETCH_H
#define FOCUSD_PREVIEW_STRETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "image.h"

/* How one frame is stretched. */
struct stretch {
	const struct frame *frame; /* borrowed */
	double black, white;       /* values that become 0 and 255 */
	double middle;             /* what becomes half as bright as white, as a share of the way from black to it */
	uint8_t *table;            /* of a frame of 16 bits: the brightness of each value; NULL otherwise */
};

/* Samples the frame for its sky and noise.  False when out of memory; nothing to fini then. */
bool stretch_init(struct stretch *stretch, const struct frame *frame);
void stretch_fini(struct stretch *stretch);

/* How many pixels across are averaged where the picture is smaller by this factor: a mosaic needs whole cells of
 * 2 x 2, or its pattern shows. */
int32_t stretch_box(const struct frame *frame, int32_t factor);

/* Brightness, 0..255, of the mean of box x box pixels from (x, y) on in one plane; the box is pushed inside at the
 * frame's edges.  Missing pixels do not count; where all are missing it is black. */
uint8_t stretch_brightness(const struct stretch *stretch, int32_t x, int32_t y, int32_t box, int32_t plane);

#endif
