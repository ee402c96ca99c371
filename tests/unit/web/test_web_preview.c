/* SPDX-License-Identifier: MIT */
/* The preview: geometry and stretch, looked at through the decoder of libjpeg. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "fake_core.h"

static struct web *web;

static int setup(void **state)
{
	(void)state;
	fake_setup();
	web = web_create(&fake.served);
	web_set_server(web, fake_server());
	return web == NULL;
}

static int teardown(void **state)
{
	(void)state;
	web_set_server(web, NULL);
	web_destroy(web);
	fake_teardown();
	return 0;
}

struct picture {
	int width, height, channels;
	uint8_t *rows;
};

static struct picture decode(const struct reply *reply)
{
	struct jpeg_decompress_struct d;
	struct jpeg_error_mgr err;
	struct picture p;
	assert_int_equal(reply->res.status, 200);
	assert_string_equal(reply->res.content_type, "image/jpeg");
	d.err = jpeg_std_error(&err);
	jpeg_create_decompress(&d);
	jpeg_mem_src(&d, (const unsigned char *)reply->res.body.data, reply->res.body.len);
	jpeg_read_header(&d, TRUE);
	jpeg_start_decompress(&d);
	p.width = (int)d.output_width;
	p.height = (int)d.output_height;
	p.channels = d.output_components;
	p.rows = malloc((size_t)p.width * (size_t)p.height * (size_t)p.channels);
	while (d.output_scanline < d.output_height) {
		JSAMPROW row = p.rows + (size_t)d.output_scanline * (size_t)p.width * (size_t)p.channels;
		jpeg_read_scanlines(&d, &row, 1);
	}
	jpeg_finish_decompress(&d);
	jpeg_destroy_decompress(&d);
	return p;
}

static int at(const struct picture *p, int x, int y)
{
	return p->rows[((size_t)y * (size_t)p->width + (size_t)x) * (size_t)p->channels];
}

/* A sky of 1000 +- 20 ADU (a fixed sequence, not random) with one star of 5 x 5 px. */
static void put_frame(int width, int height, int planes, enum image_mosaic mosaic, int star_x,
	int star_y)
{
	size_t count = (size_t)width * (size_t)height * (size_t)planes;
	uint16_t *rows = malloc(count * sizeof *rows);
	unsigned noise = 1;
	for (size_t i = 0; i < count; i++) {
		noise = noise * 1103515245u + 12345u;
		rows[i] = (uint16_t)(980 + (noise >> 16) % 41);
	}
	for (int y = star_y - 2; y <= star_y + 2; y++) {
		for (int x = star_x - 2; x <= star_x + 2; x++) {
			for (int c = 0; c < planes; c++) {
				rows[((size_t)y * (size_t)width + (size_t)x) * (size_t)planes + (size_t)c] = 60000;
			}
		}
	}
	struct frame_info info = {.width = width, .height = height, .planes = planes, .bin = 1,
		.mosaic = mosaic};
	frame_unref(fake.camera.frame);
	fake.camera.frame = frame_create(&info, rows);
	fake.camera.camera.preview_serial++;
	free(rows);
}

static void whole_frame(void **state)
{
	(void)state;
	put_frame(120, 80, 1, IMAGE_MONO, 90, 20);
	struct reply reply = fake_get(web, "/focusd/v1/camera/0/preview.jpg?serial=1");
	struct picture p = decode(&reply);
	assert_int_equal(p.width, 120);
	assert_int_equal(p.height, 80);
	assert_int_equal(p.channels, 1);
	/* Right place (x and y not exchanged, not mirrored), white star on a dark but visible sky. */
	assert_true(at(&p, 90, 20) > 240);
	assert_true(at(&p, 29, 20) < 120 && at(&p, 90, 59) < 120);
	long sum = 0;
	for (int y = 40; y < 80; y++) {
		for (int x = 0; x < 80; x++) {
			sum += at(&p, x, y);
		}
	}
	assert_in_range(sum / (40 * 80), 15, 60);
	free(p.rows);
	fake_reply_free(&reply);
}

/* The same scene in every type, at scales that differ by much, shows the same sky and the same star; a hole is
 * black. */
static void every_type_shows_the_scene(void **state)
{
	(void)state;
	enum { W = 96, H = 64, COUNT = W * H };
	static const struct {
		enum image_type type;
		double scale, zero;
	} row[] = {{IMAGE_U8, 1.0 / 256, 0}, {IMAGE_I32, 1024, -500000}, {IMAGE_F32, 1.0 / 65536, 0},
		{IMAGE_F64, 1.0e6, -1.0e8}};
	for (size_t k = 0; k < sizeof row / sizeof row[0]; k++) {
		union {
			uint8_t u8[COUNT];
			int32_t i32[COUNT];
			float f32[COUNT];
			double f64[COUNT];
		} rows;
		bool missing = image_type_is_float(row[k].type);
		unsigned noise = 1;
		for (int i = 0; i < COUNT; i++) {
			noise = noise * 1103515245u + 12345u;
			bool star = abs(i % W - 70) <= 2 && abs(i / W - 20) <= 2;
			double value = star ? 60000 : 5000 + (noise >> 16) % 1025;
			value = value * row[k].scale + row[k].zero;
			if (missing && i / W == 50 && (i % W) / 8 == 1) {
				value = i % 2 == 0 ? NAN : INFINITY;
			}
			switch (row[k].type) {
			case IMAGE_U8:
				rows.u8[i] = (uint8_t)value;
				break;
			case IMAGE_I32:
				rows.i32[i] = (int32_t)value;
				break;
			case IMAGE_F32:
				rows.f32[i] = (float)value;
				break;
			default:
				rows.f64[i] = value;
			}
		}
		struct frame_info info = {.width = W, .height = H, .planes = 1, .bin = 1, .type = row[k].type};
		frame_unref(fake.camera.frame);
		fake.camera.frame = frame_create(&info, &rows);
		fake.camera.camera.preview_serial++;
		struct reply reply = fake_get(web, "/focusd/v1/camera/0/preview.jpg");
		struct picture p = decode(&reply);
		assert_true(at(&p, 70, 20) > 240);
		assert_true(at(&p, 25, 20) < 120 && at(&p, 70, 43) < 120);
		long sum = 0;
		for (int y = 30; y < 46; y++) {
			for (int x = 0; x < W; x++) {
				sum += at(&p, x, y);
			}
		}
		assert_in_range(sum / (16 * W), 15, 60);
		free(p.rows);
		fake_reply_free(&reply);
		/* The hole as a part at full resolution: nothing else is in the picture. */
		reply = fake_get(web, "/focusd/v1/camera/0/preview.jpg?x=8&y=50&w=8&h=1");
		p = decode(&reply);
		for (int x = 0; missing && x < 8; x++) {
			assert_int_equal(at(&p, x, 0), 0);
		}
		free(p.rows);
		fake_reply_free(&reply);
	}
}

static void wide_frames_shrink(void **state)
{
	(void)state;
	static const struct {
		int width, height, out_width, out_height;
	} rows[] = {{1600, 40, 1600, 40}, {1601, 41, 801, 21}, {3300, 45, 1100, 15}, {9576, 64, 1596, 11}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		put_frame(rows[i].width, rows[i].height, 1, IMAGE_MONO, 30, 30);
		struct reply reply = fake_get(web, "/focusd/v1/camera/0/preview.jpg");
		struct picture p = decode(&reply);
		assert_int_equal(p.width, rows[i].out_width);
		assert_int_equal(p.height, rows[i].out_height);
		free(p.rows);
		fake_reply_free(&reply);
	}
}

/* A mosaic whose colours differ much is an even grey, at every scale. */
static void mosaic_is_grey(void **state)
{
	(void)state;
	static const int widths[] = {64, 4000};
	for (size_t i = 0; i < 2; i++) {
		int width = widths[i];
		uint16_t *rows = malloc((size_t)width * 64 * sizeof *rows);
		for (int y = 0; y < 64; y++) {
			for (int x = 0; x < width; x++) {
				rows[y * width + x] = (uint16_t)((x + y) % 2 == 0 ? 1000 : 9000);
			}
		}
		struct frame_info info = {.width = width, .height = 64, .planes = 1, .bin = 1,
			.mosaic = IMAGE_BAYER};
		frame_unref(fake.camera.frame);
		fake.camera.frame = frame_create(&info, rows);
		fake.camera.camera.preview_serial++;
		free(rows);
		struct reply reply = fake_get(web, "/focusd/v1/camera/0/preview.jpg");
		struct picture p = decode(&reply);
		int middle = at(&p, 10, 10);
		for (int y = 0; y < p.height; y++) {
			for (int x = 0; x < p.width; x++) {
				assert_in_range(at(&p, x, y), middle - 3, middle + 3);
			}
		}
		free(p.rows);
		fake_reply_free(&reply);
	}
}

static void colour_frame(void **state)
{
	(void)state;
	put_frame(60, 40, 3, IMAGE_MONO, 30, 10);
	struct reply reply = fake_get(web, "/focusd/v1/camera/0/preview.jpg");
	struct picture p = decode(&reply);
	assert_int_equal(p.channels, 3);
	assert_true(at(&p, 30, 10) > 220);
	assert_true(at(&p, 5, 30) < 120);
	free(p.rows);
	fake_reply_free(&reply);
}

static void part_at_full_resolution(void **state)
{
	(void)state;
	put_frame(4000, 100, 1, IMAGE_MONO, 3000, 50);
	struct reply reply = fake_get(web, "/focusd/v1/camera/0/preview.jpg?x=2980&y=40&w=40&h=30");
	struct picture p = decode(&reply);
	assert_int_equal(p.width, 40);
	assert_int_equal(p.height, 30);
	assert_true(at(&p, 20, 10) > 240);
	assert_true(at(&p, 35, 25) < 120);
	free(p.rows);
	fake_reply_free(&reply);
	/* Clipped at the frame's edge. */
	reply = fake_get(web, "/focusd/v1/camera/0/preview.jpg?x=3990&y=90&w=40&h=30");
	p = decode(&reply);
	assert_int_equal(p.width, 10);
	assert_int_equal(p.height, 10);
	free(p.rows);
	fake_reply_free(&reply);
}

static void wrong_parts(void **state)
{
	(void)state;
	put_frame(120, 80, 1, IMAGE_MONO, 60, 40);
	static const char *const bad[] = {"x=1", "x=1&y=1&w=1", "x=-1&y=0&w=5&h=5", "x=0&y=0&w=0&h=5",
		"x=120&y=0&w=5&h=5", "x=0&y=80&w=5&h=5", "x=0&y=0&w=4097&h=5", "x=a&y=0&w=5&h=5",
		"x=1.5&y=0&w=5&h=5", "x=2147483647&y=0&w=5&h=5", "x=99999999999999999&y=0&w=1&h=1",
		"x=0&y=0&w=2147483648&h=1"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char target[128];
		snprintf(target, sizeof target, "/focusd/v1/camera/0/preview.jpg?%s", bad[i]);
		struct reply reply = fake_get(web, target);
		if (reply.res.status != 400) {
			fail_msg("%s: %d", bad[i], reply.res.status);
		}
		fake_reply_free(&reply);
	}
}

/* Frames without any contrast have no scale to stretch by. */
static void flat_frames(void **state)
{
	(void)state;
	static const uint16_t levels[] = {0, 500, 65535};
	for (size_t i = 0; i < 3; i++) {
		uint16_t rows[32 * 32];
		for (size_t k = 0; k < 32 * 32; k++) {
			rows[k] = levels[i];
		}
		struct frame_info info = {.width = 32, .height = 32, .planes = 1, .bin = 1};
		frame_unref(fake.camera.frame);
		fake.camera.frame = frame_create(&info, rows);
		fake.camera.camera.preview_serial++;
		struct reply reply = fake_get(web, "/focusd/v1/camera/0/preview.jpg");
		struct picture p = decode(&reply);
		assert_int_equal(at(&p, 3, 3), at(&p, 28, 28));
		assert_true(at(&p, 3, 3) < 100);
		free(p.rows);
		fake_reply_free(&reply);
	}
}

/* One picture is rendered once; a browser that has it gets none; a new frame is a new picture. */
static void rendered_once(void **state)
{
	(void)state;
	put_frame(120, 80, 1, IMAGE_MONO, 60, 40);
	struct reply reply = fake_get(web, "/focusd/v1/camera/0/preview.jpg");
	char etag[128];
	snprintf(etag, sizeof etag, "%s", fake_header(&reply, "ETag"));
	assert_string_equal(fake_header(&reply, "Cache-Control"), "no-store");
	assert_true(reply.waits >= 1);
	fake_reply_free(&reply);
	reply = fake_get(web, "/focusd/v1/camera/0/preview.jpg");
	assert_int_equal(reply.waits, 0);
	fake_reply_free(&reply);
	reply = fake_ask(web, (struct fake_request){.target = "/focusd/v1/camera/0/preview.jpg",
		.if_none_match = etag});
	assert_int_equal(reply.res.status, 304);
	fake_reply_free(&reply);
	put_frame(120, 80, 1, IMAGE_MONO, 30, 30);
	reply = fake_ask(web, (struct fake_request){.target = "/focusd/v1/camera/0/preview.jpg",
		.if_none_match = etag});
	assert_int_equal(reply.res.status, 200);
	assert_string_not_equal(fake_header(&reply, "ETag"), etag);
	fake_reply_free(&reply);
}

/* More different pictures than are kept: each is still answered, the oldest make room. */
static void many_parts(void **state)
{
	(void)state;
	put_frame(120, 80, 1, IMAGE_MONO, 60, 40);
	for (int i = 0; i < 30; i++) {
		char target[128];
		snprintf(target, sizeof target, "/focusd/v1/camera/0/preview.jpg?x=%d&y=0&w=8&h=8", i);
		struct reply reply = fake_get(web, target);
		assert_int_equal(reply.res.status, 200);
		fake_reply_free(&reply);
	}
}

/* As many as may read pictures at a time do, and none of them ends; when one does, there is room again. */
static void readers_are_counted(void **state)
{
	(void)state;
	enum { READERS = 64 };
	static const char target[] = "/focusd/v1/camera/0/preview.jpg";
	struct reply readers[READERS];
	put_frame(120, 80, 1, IMAGE_MONO, 60, 40);
	for (int i = 0; i < READERS; i++) {
		readers[i] = fake_get(web, target);
		assert_int_equal(readers[i].res.status, 200);
	}
	struct reply reply = fake_get(web, target);
	assert_int_equal(reply.res.status, 503);
	assert_non_null(strstr(fake_text(&reply), "slow clients"));
	fake_reply_free(&reply);
	fake_reply_free(&readers[0]);
	readers[0] = fake_get(web, target);
	assert_int_equal(readers[0].res.status, 200);
	for (int i = 0; i < READERS; i++) {
		fake_reply_free(&readers[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(whole_frame, setup, teardown),
		cmocka_unit_test_setup_teardown(every_type_shows_the_scene, setup, teardown),
		cmocka_unit_test_setup_teardown(wide_frames_shrink, setup, teardown),
		cmocka_unit_test_setup_teardown(mosaic_is_grey, setup, teardown),
		cmocka_unit_test_setup_teardown(colour_frame, setup, teardown),
		cmocka_unit_test_setup_teardown(part_at_full_resolution, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_parts, setup, teardown),
		cmocka_unit_test_setup_teardown(flat_frames, setup, teardown),
		cmocka_unit_test_setup_teardown(rendered_once, setup, teardown),
		cmocka_unit_test_setup_teardown(many_parts, setup, teardown),
		cmocka_unit_test_setup_teardown(readers_are_counted, setup, teardown),
	};
	return cmocka_run_group_tests_name("web preview", tests, NULL, NULL);
}
