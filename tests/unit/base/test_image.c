/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "image.h"

static void transposes_odd_sizes(void **state)
{
	(void)state;
	static const size_t sizes[][2] = {{1, 1}, {1, 70}, {33, 31}, {64, 64}, {100, 7}, {7, 100},
		{71, 101}, {97, 64}, {513, 65}, {1030, 40}};
	for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
		size_t rows = sizes[k][0];
		size_t columns = sizes[k][1];
		uint16_t *in = malloc(rows * columns * sizeof *in);
		uint16_t *out = malloc(rows * columns * sizeof *out);
		for (size_t i = 0; i < rows * columns; i++) {
			in[i] = (uint16_t)(i * 7);
		}
		image_transpose_u16(out, in, rows, columns);
		for (size_t r = 0; r < rows; r++) {
			for (size_t c = 0; c < columns; c++) {
				assert_int_equal(out[c * rows + r], in[r * columns + c]);
			}
		}
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
		image_transpose_into(out + first, ROWS, in + first * COLUMNS, rows, COLUMNS);
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
	assert_int_equal(again->pixels[5], 6);
	frame_unref(again);
	frame_unref(NULL);

	const uint16_t colour[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}; /* 2x2, RGB */
	info = (struct frame_info){.width = 2, .height = 2, .planes = 3, .bin = 1};
	frame = frame_create(&info, colour);
	const uint16_t planes[] = {1, 2, 3, 7, 8, 9, 4, 5, 6, 10, 11, 12};
	assert_memory_equal(frame->pixels, planes, sizeof planes);
	frame_unref(frame);
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
			assert_int_equal(one->pixels[5 * HEIGHT + 7], rows[(7 * WIDTH + 5) * planes + p]);
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
	assert_int_equal(more[0]->pixels[1], 4);
	frame_unref(more[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transposes_odd_sizes),
		cmocka_unit_test(transposes_strips),
		cmocka_unit_test(frame_is_in_alpaca_order),
		cmocka_unit_test(frames_grow_in_strips),
		cmocka_unit_test(buffers_are_used_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
