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

void image_transpose_u16(uint16_t *out, const uint16_t *in, size_t rows, size_t columns)
{
	/* A tile of 32 x 32 of both sides fits the first-level cache. */
	enum { TILE = 32 };
	for (size_t r0 = 0; r0 < rows; r0 += TILE) {
		size_t r1 = r0 + TILE < rows ? r0 + TILE : rows;
		for (size_t c0 = 0; c0 < columns; c0 += TILE) {
			size_t c1 = c0 + TILE < columns ? c0 + TILE : columns;
			for (size_t c = c0; c < c1; c++) {
				for (size_t r = r0; r < r1; r++) {
					out[c * rows + r] = in[r * columns + c];
				}
			}
		}
	}
}

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
