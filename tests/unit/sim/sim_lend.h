/* SPDX-License-Identifier: MIT */
/*
 * What core does with a camera driver that fills the frame itself: lends it one, takes it back.  Tests
 * look at the pixels row by row.
 */
#ifndef FOCUSD_TEST_SIM_LEND_H
#define FOCUSD_TEST_SIM_LEND_H

#include <stdint.h>
#include <string.h>

#include "camera_driver.h"

struct test_lend {
	struct frame_pool *pool;
	struct frame *frame;
};

static void test_lend_fini(struct test_lend *lend)
{
	frame_unref(lend->frame);
	frame_pool_release(lend->pool);
	*lend = (struct test_lend){0};
}

static enum err_code test_begin(struct test_lend *lend, const struct camera_driver *camera, void *ctx,
	const struct camera_caps *caps, const struct exposure_request *request)
{
	struct err err;
	enum err_code code = camera->start_exposure(ctx, request, &err);
	if (code != ERR_OK) {
		return code;
	}
	struct frame_info info = {.width = request->num_x, .height = request->num_y,
		.planes = camera_planes(caps), .bin = request->bin, .type = caps->frame_type};
	lend->pool = lend->pool != NULL ? lend->pool : frame_pool_create();
	frame_unref(lend->frame);
	lend->frame = frame_pool_take(lend->pool, &info);
	camera->lend_frame(ctx, lend->frame);
	return ERR_OK;
}

/* Polls until the read-out is over; a whole frame says READY, whatever was missing of it when light ended. */
static inline void test_until_ready(const struct camera_driver *camera, void *ctx)
{
	struct err err;
	struct camera_reading reading = {.state = CAMERA_DRIVER_READING};
	while (reading.state == CAMERA_DRIVER_READING) {
		assert_int_equal(camera->poll(ctx, &reading, &err), ERR_OK);
	}
	assert_int_equal(reading.state, CAMERA_DRIVER_READY);
}

/* Reads out, and copies the elements of the frame, of whatever type, row by row. */
static inline enum err_code test_read(struct test_lend *lend, const struct camera_driver *camera, void *ctx,
	void *row_major, struct frame_info *info)
{
	struct err err;
	enum err_code code = camera->read_lent(ctx, info, &err);
	size_t size = image_type_size(lend->frame->info.type);
	unsigned char *out = row_major;
	for (int32_t y = 0; code == ERR_OK && y < info->height; y++) {
		for (int32_t x = 0; x < info->width; x++) {
			for (int32_t p = 0; p < info->planes; p++, out += size) {
				size_t at = ((size_t)x * (size_t)info->height + (size_t)y) * (size_t)info->planes
					+ (size_t)p;
				memcpy(out, (const unsigned char *)lend->frame->pixels + at * size, size);
			}
		}
	}
	return code;
}

#endif
