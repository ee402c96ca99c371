/* SPDX-License-Identifier: MIT */
#include "image.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Memory of one frame; in a pool's spare list while nobody refers to it. */
struct frame_box {
	struct frame frame; /* first, so that the two pointers are the same */
	atomic_uint refs;
	struct frame_pool *pool; /* NULL: on its own */
	uint16_t *pixels;
	size_t capacity;         /* elements */
};

/* Buffers that a camera at work needs: one that clients look at, one that is being filled. */
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

static struct frame_box *box_create(size_t count)
{
	struct frame_box *box = malloc(sizeof *box);
	if (box == NULL) {
		return NULL;
	}
	size_t bytes = (count > 0 ? count : 1) * sizeof *box->pixels;
	void *memory = NULL;
	if (bytes >= 2 * LARGE_PAGE) {
		if (posix_memalign(&memory, LARGE_PAGE, bytes) != 0) {
			memory = NULL;
		} else {
			madvise(memory, bytes, MADV_HUGEPAGE);
		}
	} else {
		memory = malloc(bytes);
	}
	if (memory == NULL) {
		free(box);
		return NULL;
	}
	*box = (struct frame_box){.pixels = memory, .capacity = count};
	return box;
}

static void box_free(struct frame_box *box)
{
	free(box->pixels);
	free(box);
}

static size_t element_count(const struct frame_info *info)
{
	return (size_t)info->width * (size_t)info->height * (size_t)info->planes;
}

static struct frame *box_start(struct frame_box *box, const struct frame_info *info)
{
	atomic_init(&box->refs, 1);
	box->frame = (struct frame){
		.info = *info, .pixels = box->pixels, .count = element_count(info)};
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

/* One user less; the last one takes the pool with him. */
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

/* With the lock held. */
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

/* The smallest spare buffer that suffices, taken out of the list; NULL when there is none. */
static struct frame_box *take_spare(struct frame_pool *pool, size_t count)
{
	unsigned best = POOL_BUFFERS;
	for (unsigned i = 0; i < pool->spares; i++) {
		size_t capacity = pool->spare[i]->capacity;
		if (capacity >= count
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
	size_t count = element_count(info);
	pthread_mutex_lock(&pool->lock);
	struct frame_box *box = take_spare(pool, count);
	if (box == NULL) {
		/* What is too small now would only stay in the way of what is needed from now on. */
		drop_spares(pool);
		box = box_create(count);
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

static uint16_t largest(const uint16_t *values, size_t count)
{
	uint16_t max = 0;
	for (size_t i = 0; i < count; i++) {
		max = values[i] > max ? values[i] : max;
	}
	return max;
}

/* Pixels of three planes, a tile at a time that stays in the cache. */
static void fill_colours(uint16_t *out, size_t height, const uint16_t *in, size_t rows, size_t width)
{
	enum { TILE = 32 };
	for (size_t y0 = 0; y0 < rows; y0 += TILE) {
		size_t y1 = y0 + TILE < rows ? y0 + TILE : rows;
		for (size_t x = 0; x < width; x++) {
			uint16_t *to = out + (x * height + y0) * 3;
			for (size_t y = y0; y < y1; y++) {
				const uint16_t *from = in + (y * width + x) * 3;
				to[0] = from[0];
				to[1] = from[1];
				to[2] = from[2];
				to += 3;
			}
		}
	}
}

void frame_fill(struct frame *frame, int32_t first, int32_t rows, const uint16_t *row_major)
{
	struct frame_box *box = (struct frame_box *)(void *)frame;
	size_t width = (size_t)frame->info.width;
	size_t height = (size_t)frame->info.height;
	size_t planes = (size_t)frame->info.planes;
	if (planes == 1) {
		image_transpose_into(
			box->pixels + first, height, row_major, (size_t)rows, width);
	} else {
		fill_colours(box->pixels + (size_t)first * planes, height, row_major, (size_t)rows, width);
	}
	uint16_t max = largest(row_major, (size_t)rows * width * planes);
	uint16_t seen = __atomic_load_n(&frame->max_value, __ATOMIC_RELAXED);
	while (max > seen && !__atomic_compare_exchange_n(&frame->max_value, &seen, max, true,
			__ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
	}
}

struct frame *frame_create(const struct frame_info *info, const uint16_t *row_major)
{
	struct frame_box *box = box_create(element_count(info));
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

struct frame *frame_plane(const struct frame *frame, int32_t plane)
{
	struct frame_info info = frame->info;
	size_t planes = (size_t)info.planes;
	info.planes = 1;
	struct frame_box *box = box_create(element_count(&info));
	if (box == NULL) {
		return NULL;
	}
	struct frame *out = box_start(box, &info);
	for (size_t i = 0; i < out->count; i++) {
		box->pixels[i] = frame->pixels[i * planes + (size_t)plane];
	}
	out->max_value = largest(box->pixels, out->count);
	return out;
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
