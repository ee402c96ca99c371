/* SPDX-License-Identifier: MIT */
/*
 * Pixels: a borrowed view for the maths, and a reference-counted frame for everyone who keeps one.
 */
#ifndef FOCUSD_IMAGE_H
#define FOCUSD_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum image_type { IMAGE_U16, IMAGE_F32 };

/* Colour mosaic of a sensor; which colour sits where does not matter to the maths. */
enum image_mosaic { IMAGE_MONO, IMAGE_BAYER };

/* A borrowed view of one plane.  Element (i, j) of the view, i along a row, is data[j*stride + i].
 * transposed says that the view's rows are columns of the sensor: whoever reports positions swaps
 * x and y.  full_scale_adu is the saturation value; NAN when unknown. */
struct image {
	const void *data;
	enum image_type type;
	enum image_mosaic mosaic;
	int32_t width;
	int32_t height;
	size_t stride; /* elements from one row to the next */
	bool transposed;
	double full_scale_adu;
};

/* What is true of one delivered frame besides its pixels. */
struct frame_info {
	int32_t width;         /* px as delivered (binned) */
	int32_t height;
	int32_t planes;        /* 1, or 3 for colour planes */
	int32_t bin;           /* 1.. */
	enum image_mosaic mosaic;
	double full_scale_adu; /* saturation value, ADU */
	double exposure_s;
	int64_t start_utc_ms;  /* when the exposure began */
	bool position_known;   /* true only for recorded frames that own a position */
	double position_steps; /* the focuser position it was recorded at */
	uint64_t recording_id; /* non-zero: the same number is the very same recorded pixels */
	char label[96];        /* file name of a recorded frame, else "" */
};

/* An immutable frame.  pixels are in Alpaca's order: x outer, y inner, plane innermost, so pixel
 * (x, y) of a one-plane frame is pixels[x * height + y]. */
struct frame {
	struct frame_info info;
	const uint16_t *pixels;
	size_t count;          /* elements: width * height * planes */
	uint16_t max_value;    /* largest element */
};

/* Makes a frame with one reference.  row_major holds width*height*planes elements, y outer, x
 * inner, planes innermost; they are transposed into the frame's own memory.  NULL when out of
 * memory. */
struct frame *frame_create(const struct frame_info *info, const uint16_t *row_major);

struct frame *frame_ref(struct frame *frame);

/* Frames that share memory in turn: a buffer that nobody refers to any more is kept for the next frame,
 * so that a camera at work needs two, neither allocated nor cleared again.  Any thread. */
struct frame_pool;

/* NULL when out of memory. */
struct frame_pool *frame_pool_create(void);
/* The owner leaves; frames still referred to stay good, and NULL is fine. */
void frame_pool_release(struct frame_pool *pool);
/* Gives memory that is kept for later back to the system. */
void frame_pool_trim(struct frame_pool *pool);

/* A frame with one reference and no pixels yet; NULL when out of memory.  Until frame_fill() has seen
 * every row, nobody else may know it. */
struct frame *frame_pool_take(struct frame_pool *pool, const struct frame_info *info);

/* Transposes `rows` rows of a taken frame from row `first` on; row_major is theirs, as for
 * frame_create().  Any order, each row once; several threads may do so at once. */
void frame_fill(struct frame *frame, int32_t first, int32_t rows, const uint16_t *row_major);

/* Drops one reference; NULL is fine. */
void frame_unref(struct frame *frame);

/* One plane of a frame as a frame of its own, with one reference; NULL when out of memory. */
struct frame *frame_plane(const struct frame *frame, int32_t plane);

/* The view of a one-plane frame (transposed set).  Borrowed from the frame. */
struct image frame_image(const struct frame *frame);

/* Transposes rows x columns elements: out[c * rows + r] = in[r * columns + c], in tiles. */
void image_transpose_u16(uint16_t *out, const uint16_t *in, size_t rows, size_t columns);

/* The same into a part of a larger picture: out[c * stride + r] = in[r * columns + c], stride >= rows. */
void image_transpose_into(uint16_t *out, size_t stride, const uint16_t *in, size_t rows,
	size_t columns);

#endif
