/* SPDX-License-Identifier: MIT */
/*
 * Pixels: a borrowed view for the maths, and a reference-counted frame for everyone who keeps one.
 */
#ifndef FOCUSD_IMAGE_H
#define FOCUSD_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one element is, in the byte order of the machine. Whatever a sensor gives fits exactly into one of these types;
 * unsigned numbers of 32 bits, which come only from sums of frames, need IMAGE_F64. */
enum image_type {
	IMAGE_U16, /* 0..65535: nearly every camera; 0, so that a zeroed structure means this type */
	IMAGE_U8,  /* 0..255 */
	IMAGE_I32, /* whole numbers of 32 bits with a sign */
	IMAGE_F32, /* IEEE 754; a value that is not finite (NaN, infinity) is a missing pixel */
	IMAGE_F64, /* the same in double precision */
};

/* Bytes of one element: 1, 2, 4 or 8. */
static inline size_t image_type_size(enum image_type type)
{
	switch (type) {
	case IMAGE_U8:
		return 1;
	case IMAGE_U16:
		return 2;
	case IMAGE_I32:
	case IMAGE_F32:
		return 4;
	case IMAGE_F64:
		break;
	}
	return 8;
}

/* Whether elements may be missing. */
static inline bool image_type_is_float(enum image_type type)
{
	return type == IMAGE_F32 || type == IMAGE_F64;
}

/* Element number `index` of an array of this type; the conversion is exact. Pure. */
static inline double image_element(const void *data, enum image_type type, size_t index)
{
	switch (type) {
	case IMAGE_U8:
		return ((const uint8_t *)data)[index];
	case IMAGE_U16:
		return ((const uint16_t *)data)[index];
	case IMAGE_I32:
		return ((const int32_t *)data)[index];
	case IMAGE_F32:
		return (double)((const float *)data)[index];
	case IMAGE_F64:
		break;
	}
	return ((const double *)data)[index];
}

/* Colour mosaic of a sensor; which colour sits where does not matter to the maths. */
enum image_mosaic { IMAGE_MONO, IMAGE_BAYER };

/* A borrowed view of one plane.  Element (i, j) of the view, i along a row, is data[j*stride + i].
 * transposed says that the view's rows are columns of the sensor: whoever reports positions swaps
 * x and y.  full_scale_adu is the saturation value; NAN when unknown. */
struct image {
	const void *data;      /* elements of `type` */
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
	int32_t bin;           /* binning factor, from 1 on */
	enum image_type type;  /* of the elements */
	enum image_mosaic mosaic;
	double full_scale_adu; /* saturation value, ADU; NAN when unknown */
	double exposure_s;
	int64_t start_utc_ms;  /* when the exposure began */
	bool position_known;   /* true only for recorded frames that own a position */
	double position_steps; /* the focuser position it was recorded at */
	uint64_t recording_id; /* non-zero: the same number is the very same recorded pixels */
	char label[96];        /* file name of a recorded frame, else "" */
};

/* An immutable frame.  pixels are in Alpaca's order: x outer, y inner, plane innermost, so element
 * (x, y) of a one-plane frame is number x * height + y. */
struct frame {
	struct frame_info info;
	const void *pixels;    /* elements of info.type */
	size_t count;          /* elements: width * height * planes */
	double max_value;      /* the largest finite element; -INFINITY when there is none */
};

/* The pixels of a frame whose type is IMAGE_U16; the caller has to know that it is. */
static inline const uint16_t *frame_u16(const struct frame *frame)
{
	return frame->pixels;
}

/* Makes a frame with one reference.  row_major holds width*height*planes elements of info->type, y outer, x
 * inner, planes innermost; they are transposed into the frame's own memory.  NULL when out of
 * memory. */
struct frame *frame_create(const struct frame_info *info, const void *row_major);

/* Adds a reference and returns the same frame. Any thread. */
struct frame *frame_ref(struct frame *frame);

/* A pool of frames that share memory in turn: a buffer that nobody refers to any more is kept for the next frame, so
 * that a camera at work needs two buffers, which are neither allocated nor cleared again. Any thread. */
struct frame_pool;

/* Makes an empty pool; NULL when out of memory. */
struct frame_pool *frame_pool_create(void);
/* The owner gives the pool up; frames that somebody still refers to stay good, and NULL is fine. */
void frame_pool_release(struct frame_pool *pool);
/* Gives the memory of spare buffers back to the system. */
void frame_pool_trim(struct frame_pool *pool);

/* Makes a frame with one reference and without pixels; NULL when out of memory. Until frame_fill() has been called for
 * every row, nobody but the caller may know the frame. */
struct frame *frame_pool_take(struct frame_pool *pool, const struct frame_info *info);

/* Transposes `rows` rows, from row `first` on, into a frame from frame_pool_take(); row_major holds these rows as in
 * frame_create(). The rows may come in any order, each once, and from several threads at the same time. */
void frame_fill(struct frame *frame, int32_t first, int32_t rows, const void *row_major);

/* Copies `count` elements of the frame's type, which are in the frame's own order already, to its elements from number
 * `first` on; for frames that come in Alpaca's order. Otherwise as frame_fill(). */
void frame_put(struct frame *frame, size_t first, size_t count, const void *elements);

/* Drops one reference; NULL is fine. */
void frame_unref(struct frame *frame);

/* Copies one plane of a frame into a frame of its own with one reference; NULL when out of memory. */
struct frame *frame_plane(const struct frame *frame, int32_t plane);

/* The view of a one-plane frame, with `transposed` set. It is borrowed from the frame. */
struct image frame_image(const struct frame *frame);

/* Transposes rows x columns elements of `size` bytes (1, 2, 4 or 8) into a part of a larger picture: element r *
 * columns + c of `in` becomes element c * stride + r of `out`; stride >= rows. The two arrays must not overlap. The
 * elements may be of any type, because they are only moved. */
void image_transpose(size_t size, void *out, size_t stride, const void *in, size_t rows, size_t columns);

#endif
