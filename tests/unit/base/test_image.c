/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "image.h"

static void transposes_odd_sizes(void **state)
{
	(void)state;
	static const size_t sizes[][2] = {{1, 1}, {1, 70}, {33, 31}, {64, 64}, {100, 7}, {7, 100},
		{71, 101}, {97, 64}, {513, 65}, {1030, 40}};
	static const size_t element[] = {1, 2, 4, 8};
	for (size_t k = 0; k < sizeof sizes / sizeof sizes[0] * 4; k++) {
		size_t rows = sizes[k / 4][0];
		size_t columns = sizes[k / 4][1];
		size_t size = element[k % 4];
		unsigned char *in = malloc(rows * columns * size);
		unsigned char *out = malloc(rows * columns * size + 1);
		for (size_t i = 0; i < rows * columns * size; i++) {
			in[i] = (unsigned char)(i * 2654435761u >> 13);
		}
		out[rows * columns * size] = 47;
		image_transpose(size, out, rows, in, rows, columns);
		for (size_t r = 0; r < rows; r++) {
			for (size_t c = 0; c < columns; c++) {
				assert_memory_equal(out + (c * rows + r) * size, in + (r * columns + c) * size, size);
			}
		}
		assert_int_equal(out[rows * columns * size], 47);
		free(in);
		free(out);
	}
}

/* Strips of rows side by side make the whole, and nothing beside them is touched. */
static void transposes_strips(void **state)
{
	(void)state;
	enum { ROWS = 103, COLUMNS = 75 };
	static uint16_t in[ROWS * COLUMNS];
	static uint16_t out[ROWS * COLUMNS + 1];
	for (size_t i = 0; i < ROWS * COLUMNS; i++) {
		in[i] = (uint16_t)(i * 31);
	}
	out[ROWS * COLUMNS] = 4711;
	for (size_t first = 0, rows; first < ROWS; first += rows) {
		rows = first + 40 < ROWS ? 40 : ROWS - first;
		image_transpose(sizeof *in, out + first, ROWS, in + first * COLUMNS, rows, COLUMNS);
	}
	for (size_t r = 0; r < ROWS; r++) {
		for (size_t c = 0; c < COLUMNS; c++) {
			assert_int_equal(out[c * ROWS + r], in[r * COLUMNS + c]);
		}
	}
	assert_int_equal(out[ROWS * COLUMNS], 4711);
}

/* Alpaca: Value[x][y], y runs fastest. */
static void frame_is_in_alpaca_order(void **state)
{
	(void)state;
	const uint16_t rows[] = {1, 2, 3, 4, 5, 6}; /* 3 wide, 2 high */
	struct frame_info info = {.width = 3, .height = 2, .planes = 1, .bin = 1};
	struct frame *frame = frame_create(&info, rows);
	const uint16_t expected[] = {1, 4, 2, 5, 3, 6};
	assert_memory_equal(frame->pixels, expected, sizeof expected);
	assert_int_equal(frame->max_value, 6);
	struct image view = frame_image(frame);
	assert_true(view.transposed);
	assert_int_equal(view.width, 2);
	assert_int_equal(view.height, 3);
	struct frame *again = frame_ref(frame);
	frame_unref(frame);
	assert_int_equal(frame_u16(again)[5], 6);
	frame_unref(again);
	frame_unref(NULL);

	const uint16_t colour[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}; /* 2x2, RGB */
	info = (struct frame_info){.width = 2, .height = 2, .planes = 3, .bin = 1};
	frame = frame_create(&info, colour);
	const uint16_t planes[] = {1, 2, 3, 7, 8, 9, 4, 5, 6, 10, 11, 12};
	assert_memory_equal(frame->pixels, planes, sizeof planes);
	frame_unref(frame);
}

/* Every type of element stands in the same order and keeps its value; what is missing is never the largest. */
static void frames_of_every_type(void **state)
{
	(void)state;
	static const uint8_t u8[] = {1, 2, 3, 4, 5, 255};
	static const int32_t i32[] = {INT32_MIN, -2, -3, -4, -5, -1};
	static const float f32[] = {0.1F, NAN, -3.5F, INFINITY, 1e30F, -INFINITY};
	static const double f64[] = {0.1, NAN, 4294967295.0, INFINITY, -5, -INFINITY};
	static const float nothing[] = {NAN, NAN, NAN, INFINITY, NAN, NAN};
	static const struct {
		enum image_type type;
		const void *rows;
		size_t size;
		double largest;
	} row[] = {
		{IMAGE_U8, u8, 1, 255}, {IMAGE_I32, i32, 4, -1}, {IMAGE_F32, f32, 4, (double)1e30F},
		{IMAGE_F64, f64, 8, 4294967295.0}, {IMAGE_F32, nothing, 4, -INFINITY},
	};
	static const size_t from[] = {0, 3, 1, 4, 2, 5}; /* 3 wide, 2 high, by columns */
	for (size_t k = 0; k < sizeof row / sizeof row[0]; k++) {
		assert_int_equal(image_type_size(row[k].type), row[k].size);
		struct frame_info info = {.width = 3, .height = 2, .planes = 1, .bin = 1, .type = row[k].type};
		struct frame *frame = frame_create(&info, row[k].rows);
		assert_int_equal(frame->count, 6);
		assert_true(frame->max_value == row[k].largest);
		struct image view = frame_image(frame);
		assert_int_equal(view.type, row[k].type);
		for (size_t i = 0; i < 6; i++) {
			double want = image_element(row[k].rows, row[k].type, from[i]);
			double value = image_element(frame->pixels, row[k].type, i);
			assert_true(value == want || (isnan(value) && isnan(want)));
		}
		frame_unref(frame);
		/* The same six as two pixels of three colours. */
		info = (struct frame_info){.width = 1, .height = 2, .planes = 3, .bin = 1, .type = row[k].type};
		frame = frame_create(&info, row[k].rows);
		struct frame *blue = frame_plane(frame, 2);
		assert_memory_equal((const char *)blue->pixels + row[k].size,
			(const char *)row[k].rows + 5 * row[k].size, row[k].size);
		frame_unref(blue);
		frame_unref(frame);
	}
}

/* A buffer is as large as its elements need: one of bytes is not handed out for doubles. */
static void buffers_are_counted_in_bytes(void **state)
{
	(void)state;
	struct frame_info info = {.width = 300, .height = 200, .planes = 1, .bin = 1, .type = IMAGE_U8};
	struct frame_pool *pool = frame_pool_create();
	struct frame *frame = frame_pool_take(pool, &info);
	frame_unref(frame);
	info.type = IMAGE_F64;
	frame = frame_pool_take(pool, &info);
	double *rows = calloc(300 * 200, sizeof *rows);
	rows[300 * 200 - 1] = 7.5;
	frame_fill(frame, 0, 200, rows); /* the address sanitizer sees a buffer that is too small */
	assert_true(image_element(frame->pixels, IMAGE_F64, 300 * 200 - 1) == 7.5);
	free(rows);
	frame_unref(frame);
	frame_pool_release(pool);
}

/* A part of a frame at a time gives the same frame as the whole at once, whatever the parts. */
static void frames_grow_in_strips(void **state)
{
	(void)state;
	enum { WIDTH = 77, HEIGHT = 301 };
	static uint16_t rows[WIDTH * HEIGHT * 3];
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		rows[i] = (uint16_t)(i * 2654435761u >> 12);
	}
	struct frame_pool *pool = frame_pool_create();
	assert_non_null(pool);
	for (int32_t planes = 1; planes <= 3; planes += 2) {
		struct frame_info info = {.width = WIDTH, .height = HEIGHT, .planes = planes, .bin = 1};
		struct frame *whole = frame_create(&info, rows);
		struct frame *parts = frame_pool_take(pool, &info);
		assert_true(whole != NULL && parts != NULL);
		for (int32_t y = 0; y < HEIGHT; y += 64) {
			int32_t more = HEIGHT - y < 64 ? HEIGHT - y : 64;
			frame_fill(parts, y, more, rows + (size_t)(y * WIDTH * planes));
		}
		assert_int_equal(parts->count, (size_t)(WIDTH * HEIGHT * planes));
		assert_memory_equal(parts->pixels, whole->pixels, whole->count * 2);
		assert_int_equal(parts->max_value, whole->max_value);
		for (int32_t p = 0; p < planes; p++) {
			struct frame *one = frame_plane(whole, p);
			assert_non_null(one);
			assert_int_equal(one->info.planes, 1);
			assert_int_equal(frame_u16(one)[5 * HEIGHT + 7], rows[(7 * WIDTH + 5) * planes + p]);
			frame_unref(one);
		}
		frame_unref(whole);
		frame_unref(parts);
	}
	frame_pool_release(pool);
}

/* Two buffers serve a camera for ever; a frame that somebody keeps longer is safe. */
static void buffers_are_used_again(void **state)
{
	(void)state;
	const uint16_t rows[6] = {1, 2, 3, 4, 5, 6};
	struct frame_info info = {.width = 3, .height = 2, .planes = 1, .bin = 1};
	struct frame_pool *pool = frame_pool_create();
	const uint16_t *seen[2] = {NULL, NULL};
	struct frame *last = NULL;
	for (int i = 0; i < 10; i++) {
		struct frame *fresh = frame_pool_take(pool, &info);
		assert_non_null(fresh);
		frame_fill(fresh, 0, 2, rows);
		if (i < 2) {
			seen[i] = fresh->pixels;
		} else {
			assert_true(fresh->pixels == seen[0] || fresh->pixels == seen[1]);
		}
		frame_unref(last);
		last = fresh;
	}
	/* Three at once; the surplus one is given back to the system, the others are kept. */
	struct frame *more[2] = {frame_pool_take(pool, &info), frame_pool_take(pool, &info)};
	assert_true(more[0] != NULL && more[1] != NULL);
	frame_fill(more[0], 0, 2, rows);
	frame_unref(more[1]);
	frame_unref(last);
	/* A smaller frame fits into a larger buffer, a larger one does not. */
	frame_pool_trim(pool);
	info.width = 300;
	struct frame *large = frame_pool_take(pool, &info);
	assert_non_null(large);
	frame_unref(large);
	/* The pool goes, what is referred to stays. */
	frame_pool_release(pool);
	frame_pool_release(NULL);
	assert_int_equal(frame_u16(more[0])[1], 4);
	frame_unref(more[0]);
}

/* A frame that is put together from pieces in its own order is the one that is filled by rows. */
static void puts_pieces_in_any_order(void **state)
{
	(void)state;
	static const struct frame_info info = {.width = 7, .height = 5, .planes = 3, .type = IMAGE_U16};
	uint16_t rows[7 * 5 * 3];
	for (size_t i = 0; i < 105; i++) {
		rows[i] = (uint16_t)(i * 601 % 997);
	}
	struct frame *filled = frame_create(&info, rows);
	struct frame_pool *pool = frame_pool_create();
	struct frame *put = frame_pool_take(pool, &info);
	static const size_t ends[] = {40, 105, 0, 1, 1, 40};
	for (size_t i = 0; i < 6; i += 2) {
		frame_put(put, ends[i], ends[i + 1] - ends[i], frame_u16(filled) + ends[i]);
	}
	assert_memory_equal(put->pixels, filled->pixels, sizeof rows);
	assert_true(put->max_value == filled->max_value);
	frame_unref(put);
	frame_unref(filled);
	frame_pool_release(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transposes_odd_sizes),
		cmocka_unit_test(puts_pieces_in_any_order),
		cmocka_unit_test(transposes_strips),
		cmocka_unit_test(frame_is_in_alpaca_order),
		cmocka_unit_test(frames_of_every_type),
		cmocka_unit_test(buffers_are_counted_in_bytes),
		cmocka_unit_test(frames_grow_in_strips),
		cmocka_unit_test(buffers_are_used_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
