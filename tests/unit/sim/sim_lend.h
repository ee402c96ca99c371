/* SPDX-License-Identifier: MIT */
/*
 * What core does with a camera driver that fills the frame itself: lends it one, takes it back.  Tests
 * look at the pixels row by row.
 */
#ifndef FOCUSD_TEST_SIM_LEND_H
#define FOCUSD_TEST_SIM_LEND_H

#include <stdint.h>

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
		.planes = camera_planes(caps), .bin = request->bin};
	lend->pool = lend->pool != NULL ? lend->pool : frame_pool_create();
	frame_unref(lend->frame);
	lend->frame = frame_pool_take(lend->pool, &info);
	camera->lend_frame(ctx, lend->frame);
	return ERR_OK;
}

static enum err_code test_read(struct test_lend *lend, const struct camera_driver *camera, void *ctx,
	uint16_t *row_major, struct frame_info *info)
{
	struct err err;
	enum err_code code = camera->read_lent(ctx, info, &err);
	for (int32_t y = 0; code == ERR_OK && y < info->height; y++) {
		for (int32_t x = 0; x < info->width; x++) {
			for (int32_t p = 0; p < info->planes; p++) {
				*row_major++ = frame_u16(lend->frame)[((size_t)x * (size_t)info->height
					+ (size_t)y) * (size_t)info->planes + (size_t)p];
			}
		}
	}
	return code;
}

#endif
