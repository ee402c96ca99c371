/* SPDX-License-Identifier: MIT */
#include "image.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

struct frame_box {
	struct frame frame; /* first, so that the two pointers are the same */
	atomic_uint refs;
	uint16_t pixels[];
};

struct frame *frame_create(const struct frame_info *info, const uint16_t *row_major)
{
	size_t width = (size_t)info->width;
	size_t height = (size_t)info->height;
	size_t planes = (size_t)info->planes;
	size_t count = width * height * planes;
	struct frame_box *box = malloc(sizeof *box + count * sizeof box->pixels[0]);
	if (box == NULL) {
		return NULL;
	}
	atomic_init(&box->refs, 1);
	box->frame = (struct frame){.info = *info, .pixels = box->pixels, .count = count};
	if (planes == 1) {
		image_transpose_u16(box->pixels, row_major, height, width);
	} else {
		for (size_t x = 0; x < width; x++) {
			for (size_t y = 0; y < height; y++) {
				for (size_t p = 0; p < planes; p++) {
					box->pixels[(x * height + y) * planes + p] =
						row_major[(y * width + x) * planes + p];
				}
			}
		}
	}
	uint16_t max = 0;
	for (size_t i = 0; i < count; i++) {
		max = box->pixels[i] > max ? box->pixels[i] : max;
	}
	box->frame.max_value = max;
	return &box->frame;
}

struct frame *frame_ref(struct frame *frame)
{
	atomic_fetch_add(&((struct frame_box *)(void *)frame)->refs, 1);
	return frame;
}

void frame_unref(struct frame *frame)
{
	if (frame == NULL) {
		return;
	}
	struct frame_box *box = (struct frame_box *)(void *)frame;
	if (atomic_fetch_sub(&box->refs, 1) == 1) {
		free(box);
	}
}

struct image frame_image(const struct frame *frame)
{
	return (struct image){
		.data = frame->pixels,
		.type = IMAGE_U16,
		.mosaic = frame->info.mosaic,
		.width = frame->info.height,
		.height = frame->info.width,
		.stride = (size_t)frame->info.height,
		.transposed = true,
		.full_scale_adu = frame->info.full_scale_adu,
	};
}
