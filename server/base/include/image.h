/* SPDX-License-Identifier: MIT */
/*
 * Pixels: a borrowed view for the maths, and a reference-counted frame for everyone who keeps one.
 */
#ifndef FOCUSD_IMAGE_H
#define FOCUSD_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one element is, in the machine's own byte order.  Whatever a sensor gives fits exactly into one of these
 * (unsigned numbers of 32 bits, which only sums of frames need, into IMAGE_F64). */
enum image_type {
	IMAGE_U16, /* 0..65535: nearly every camera; what a structure says that says nothing */
	IMAGE_U8,  /* 0..255 */
	IMAGE_I32, /* whole numbers of 32 bits with a sign */
	IMAGE_F32, /* IEEE 754; a value that is not finite (NaN, infinity) is a missing pixel */
	IMAGE_F64, /* the same, double */
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

/* Element number `index` of an array of this type, exactly.  Pure. */
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
	int32_t bin;           /* 1.. */
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

/* The pixels of a frame of 16 bits; of another type the caller must not ask. */
static inline const uint16_t *frame_u16(const struct frame *frame)
{
	return frame->pixels;
}

/* Makes a frame with one reference.  row_major holds width*height*planes elements of info->type, y outer, x
 * inner, planes innermost; they are transposed into the frame's own memory.  NULL when out of
 * memory. */
struct frame *frame_create(const struct frame_info *info, const void *row_major);

/* One reference more; the frame itself.  Any thread. */
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
void frame_fill(struct frame *frame, int32_t first, int32_t rows, const void *row_major);

/* Drops one reference; NULL is fine. */
void frame_unref(struct frame *frame);

/* One plane of a frame as a frame of its own, with one reference; NULL when out of memory. */
struct frame *frame_plane(const struct frame *frame, int32_t plane);

/* The view of a one-plane frame (transposed set).  Borrowed from the frame. */
struct image frame_image(const struct frame *frame);

/* Transposes rows x columns elements of `size` bytes (1, 2, 4 or 8) into a part of a larger picture:
 * element c * stride + r of `out` becomes element r * columns + c of `in`; stride >= rows.  The two do not
 * overlap.  Elements are moved, never looked at. */
void image_transpose(size_t size, void *out, size_t stride, const void *in, size_t rows, size_t columns);

#endif
