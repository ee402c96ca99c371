/* SPDX-License-Identifier: MIT */
#include "image.h"

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* The memory of one frame. While nobody refers to the frame, its box is in the pool's list of spare ones. */
struct frame_box {
	struct frame frame; /* it comes first, so that a pointer to it is a pointer to the box */
	atomic_uint refs;
	struct frame_pool *pool; /* NULL: the frame belongs to no pool */
	unsigned char *pixels;
	size_t capacity;         /* bytes */
	pthread_mutex_t max_lock; /* guards frame.max_value while several threads fill the frame */
};

/* A camera at work needs so many buffers: clients look at one while the other is filled. */
#define POOL_BUFFERS 2

struct frame_pool {
	pthread_mutex_t lock;
	unsigned users;          /* owner and frames */
	unsigned buffers;        /* frames in use and spare ones */
	struct frame_box *spare[POOL_BUFFERS];
	unsigned spares;
};

/* From this size on, large pages halve the time of a transposition. */
#define LARGE_PAGE ((size_t)2 << 20)

static struct frame_box *box_create(size_t bytes)
{
	struct frame_box *box = malloc(sizeof *box);
	if (box == NULL) {
		return NULL;
	}
	void *memory = NULL;
	if (bytes >= 2 * LARGE_PAGE) {
		if (posix_memalign(&memory, LARGE_PAGE, bytes) != 0) {
			memory = NULL;
		} else {
			madvise(memory, bytes, MADV_HUGEPAGE);
		}
	} else {
		memory = malloc(bytes > 0 ? bytes : 1);
	}
	if (memory == NULL) {
		free(box);
		return NULL;
	}
	*box = (struct frame_box){.pixels = memory, .capacity = bytes};
	pthread_mutex_init(&box->max_lock, NULL);
	return box;
}

static void box_free(struct frame_box *box)
{
	pthread_mutex_destroy(&box->max_lock);
	free(box->pixels);
	free(box);
}

static size_t element_count(const struct frame_info *info)
{
	return (size_t)info->width * (size_t)info->height * (size_t)info->planes;
}

static size_t byte_count(const struct frame_info *info)
{
	return element_count(info) * image_type_size(info->type);
}

static struct frame *box_start(struct frame_box *box, const struct frame_info *info)
{
	atomic_init(&box->refs, 1);
	box->frame = (struct frame){
		.info = *info, .pixels = box->pixels, .count = element_count(info), .max_value = -INFINITY};
	return &box->frame;
}

struct frame_pool *frame_pool_create(void)
{
	struct frame_pool *pool = calloc(1, sizeof *pool);
	if (pool != NULL) {
		pthread_mutex_init(&pool->lock, NULL);
		pool->users = 1;
	}
	return pool;
}

/* Counts one user less; the last one that leaves takes the pool with it. */
static void pool_leave(struct frame_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	bool last = --pool->users == 0;
	pthread_mutex_unlock(&pool->lock);
	if (last) {
		frame_pool_trim(pool);
		pthread_mutex_destroy(&pool->lock);
		free(pool);
	}
}

void frame_pool_release(struct frame_pool *pool)
{
	if (pool != NULL) {
		frame_pool_trim(pool);
		pool_leave(pool);
	}
}

/* Frees all spare buffers. The caller holds the lock. */
static void drop_spares(struct frame_pool *pool)
{
	pool->buffers -= pool->spares;
	for (unsigned i = 0; i < pool->spares; i++) {
		box_free(pool->spare[i]);
		pool->spare[i] = NULL;
	}
	pool->spares = 0;
}

void frame_pool_trim(struct frame_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	drop_spares(pool);
	pthread_mutex_unlock(&pool->lock);
}

/* Takes the smallest spare buffer that suffices out of the list; NULL when there is none. */
static struct frame_box *take_spare(struct frame_pool *pool, size_t bytes)
{
	unsigned best = POOL_BUFFERS;
	for (unsigned i = 0; i < pool->spares; i++) {
		size_t capacity = pool->spare[i]->capacity;
		if (capacity >= bytes
			&& (best == POOL_BUFFERS || capacity < pool->spare[best]->capacity)) {
			best = i;
		}
	}
	if (best == POOL_BUFFERS) {
		return NULL;
	}
	struct frame_box *box = pool->spare[best];
	pool->spare[best] = pool->spare[--pool->spares];
	return box;
}

struct frame *frame_pool_take(struct frame_pool *pool, const struct frame_info *info)
{
	size_t bytes = byte_count(info);
	pthread_mutex_lock(&pool->lock);
	struct frame_box *box = take_spare(pool, bytes);
	if (box == NULL) {
		/* The spare buffers are too small, and frames of this size are what is needed next: they make room. */
		drop_spares(pool);
		box = box_create(bytes);
		pool->buffers += box != NULL;
	}
	if (box != NULL) {
		pool->users++;
	}
	pthread_mutex_unlock(&pool->lock);
	if (box == NULL) {
		return NULL;
	}
	box->pool = pool;
	return box_start(box, info);
}

/* Each type of whole numbers has a loop of its own, so that the compiler makes vector instructions of it. */
#define LARGEST_WHOLE(name, type, least)                          \
	static double name(const type *values, size_t count)      \
	{                                                         \
		type max = (least);                               \
		for (size_t i = 0; i < count; i++) {              \
			max = values[i] > max ? values[i] : max;  \
		}                                                 \
		return max;                                       \
	}

LARGEST_WHOLE(largest_u8, uint8_t, 0)
LARGEST_WHOLE(largest_u16, uint16_t, 0)
LARGEST_WHOLE(largest_i32, int32_t, INT32_MIN)

static double largest(const void *values, enum image_type type, size_t count)
{
	double max = -INFINITY;
	if (count == 0) {
		return max;
	}
	switch (type) {
	case IMAGE_U8:
		return largest_u8(values, count);
	case IMAGE_U16:
		return largest_u16(values, count);
	case IMAGE_I32:
		return largest_i32(values, count);
	case IMAGE_F32:
	case IMAGE_F64:
		break;
	}
	for (size_t i = 0; i < count; i++) {
		double v = image_element(values, type, i);
		max = v > max && v <= DBL_MAX ? v : max;
	}
	return max;
}

/* Writes pixels of three planes, one tile after another, each small enough to stay in the cache. */
static inline __attribute__((always_inline)) void fill_colours(
	size_t size, unsigned char *out, size_t height, const unsigned char *in, size_t rows, size_t width)
{
	enum { TILE = 32 };
	size_t pixel = 3 * size;
	for (size_t y0 = 0; y0 < rows; y0 += TILE) {
		size_t y1 = y0 + TILE < rows ? y0 + TILE : rows;
		for (size_t x = 0; x < width; x++) {
			unsigned char *to = out + (x * height + y0) * pixel;
			for (size_t y = y0; y < y1; y++) {
				memcpy(to, in + (y * width + x) * pixel, pixel);
				to += pixel;
			}
		}
	}
}

/* The size is a constant in each call, so that a pixel is copied without a loop over its bytes. */
static void fill_colours_of(
	size_t size, unsigned char *out, size_t height, const unsigned char *in, size_t rows, size_t width)
{
	switch (size) {
	case 1:
		fill_colours(1, out, height, in, rows, width);
		break;
	case 2:
		fill_colours(2, out, height, in, rows, width);
		break;
	case 4:
		fill_colours(4, out, height, in, rows, width);
		break;
	default:
		fill_colours(8, out, height, in, rows, width);
		break;
	}
}

static void note_largest(struct frame *frame, const void *values, size_t count)
{
	struct frame_box *box = (struct frame_box *)(void *)frame;
	double max = largest(values, frame->info.type, count);
	pthread_mutex_lock(&box->max_lock);
	frame->max_value = fmax(frame->max_value, max);
	pthread_mutex_unlock(&box->max_lock);
}

void frame_fill(struct frame *frame, int32_t first, int32_t rows, const void *row_major)
{
	struct frame_box *box = (struct frame_box *)(void *)frame;
	size_t width = (size_t)frame->info.width;
	size_t height = (size_t)frame->info.height;
	size_t planes = (size_t)frame->info.planes;
	size_t size = image_type_size(frame->info.type);
	unsigned char *out = box->pixels + (size_t)first * planes * size;
	if (planes == 1) {
		image_transpose(size, out, height, row_major, (size_t)rows, width);
	} else {
		fill_colours_of(size, out, height, row_major, (size_t)rows, width);
	}
	note_largest(frame, row_major, (size_t)rows * width * planes);
}

void frame_put(struct frame *frame, size_t first, size_t count, const void *elements)
{
	struct frame_box *box = (struct frame_box *)(void *)frame;
	size_t size = image_type_size(frame->info.type);
	memcpy(box->pixels + first * size, elements, count * size);
	/* What was copied is still in the cache, and is aligned there. */
	note_largest(frame, box->pixels + first * size, count);
}

struct frame *frame_create(const struct frame_info *info, const void *row_major)
{
	struct frame_box *box = box_create(byte_count(info));
	if (box == NULL) {
		return NULL;
	}
	struct frame *frame = box_start(box, info);
	frame_fill(frame, 0, info->height, row_major);
	return frame;
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
	if (atomic_fetch_sub(&box->refs, 1) != 1) {
		return;
	}
	struct frame_pool *pool = box->pool;
	if (pool == NULL) {
		box_free(box);
		return;
	}
	pthread_mutex_lock(&pool->lock);
	bool keep = pool->buffers <= POOL_BUFFERS && pool->users > 1;
	if (keep) {
		pool->spare[pool->spares++] = box;
	} else {
		pool->buffers--;
	}
	pthread_mutex_unlock(&pool->lock);
	if (!keep) {
		box_free(box);
	}
	pool_leave(pool);
}

/* Copies every planes-th element, beginning with number `plane`. */
static void take_plane(unsigned char *out, const void *pixels, size_t size, size_t planes, size_t plane,
	size_t count)
{
	const unsigned char *in = (const unsigned char *)pixels + plane * size;
	for (size_t i = 0; i < count; i++, out += size, in += planes * size) {
		/* A copy of constant size is one instruction, one of variable size a call. */
		switch (size) {
		case 1:
			*out = *in;
			break;
		case 2:
			memcpy(out, in, 2);
			break;
		case 4:
			memcpy(out, in, 4);
			break;
		default:
			memcpy(out, in, 8);
			break;
		}
	}
}

struct frame *frame_plane(const struct frame *frame, int32_t plane)
{
	struct frame_info info = frame->info;
	size_t planes = (size_t)info.planes;
	info.planes = 1;
	struct frame_box *box = box_create(byte_count(&info));
	if (box == NULL) {
		return NULL;
	}
	struct frame *out = box_start(box, &info);
	take_plane(box->pixels, frame->pixels, image_type_size(info.type), planes, (size_t)plane, out->count);
	out->max_value = largest(box->pixels, info.type, out->count);
	return out;
}

struct image frame_image(const struct frame *frame)
{
	return (struct image){
		.data = frame->pixels,
		.type = frame->info.type,
		.mosaic = frame->info.mosaic,
		.width = frame->info.height,
		.height = frame->info.width,
		.stride = (size_t)frame->info.height,
		.transposed = true,
		.full_scale_adu = frame->info.full_scale_adu,
	};
}
