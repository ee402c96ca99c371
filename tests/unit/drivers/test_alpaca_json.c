/* SPDX-License-Identifier: MIT */
/* Pictures as text, against numbers that stand in the text itself (Alpaca API Reference, chapter 8: Value[x][y], or
 * Value[x][y][colour]), whole and in pieces of every size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alpaca_json.h"

/* What came of a text: the code, the sentence, and the pixels. */
struct outcome {
	enum err_code code;
	struct err err;
	int32_t pixel[12];
	uint64_t cut;
	char envelope[300];
};

static struct outcome read_in_pieces(const char *text, int32_t width, int32_t height, int32_t planes, size_t piece)
{
	struct frame_info info = {.type = IMAGE_I32, .bin = 1, .width = width, .height = height, .planes = planes};
	struct outcome out = {.code = ERR_OK};
	size_t size = strlen(text);
	void *rows = calloc((size_t)(width * height * planes), 4);
	assert_non_null(rows);
	struct frame *frame = frame_create(&info, rows);
	free(rows);
	assert_non_null(frame);
	struct alpaca_bytes pixels;
	struct alpaca_json j;
	alpaca_bytes_begin(&pixels, frame);
	alpaca_json_begin(&j, &pixels);
	for (size_t at = 0; out.code == ERR_OK && at < size; at += piece) {
		out.code = alpaca_json_take(&j, text + at, size - at < piece ? size - at : piece, &out.err);
	}
	out.code = out.code == ERR_OK ? alpaca_json_end(&j, &out.err) : out.code;
	memcpy(out.pixel, frame->pixels, sizeof out.pixel[0] * (size_t)(width * height * planes));
	out.cut = pixels.cut;
	snprintf(out.envelope, sizeof out.envelope, "%s", buf_text(&j.envelope));
	alpaca_json_fini(&j);
	frame_unref(frame);
	return out;
}

static const struct good {
	const char *text;
	int32_t width, height, planes;
	int32_t pixel[12];
	uint64_t cut;
	const char *envelope;
} good[] = {
	{"{\"Type\":2,\"Rank\":2,\"Value\":[[1,2,3],[40,50,65535]],\"ErrorNumber\":0}", 2, 3, 1,
		{1, 2, 3, 40, 50, 65535}, 0,
		"{\"Type\":2,\"Rank\":2,\"Value\":[],\"ErrorNumber\":0}"},
	{"{\"Value\" : [ [ 7 ,\t8 ] ,\r\n[ 9 , 10 ] ] , \"Rank\" : 2 }", 2, 2, 1, {7, 8, 9, 10}, 0,
		"{\"Value\" : [] , \"Rank\" : 2 }"},
	{"{\"Rank\":3,\"Value\":[[[1,2,3],[4,5,6]],[[7,8,9],[10,11,12]]]}", 2, 2, 3,
		{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 0, "{\"Rank\":3,\"Value\":[]}"},
	{"{\"Rank\":3,\"Value\":[[[1],[2]],[[3],[4]]]}", 2, 2, 1, {1, 2, 3, 4}, 0, "{\"Rank\":3,\"Value\":[]}"},
	/* Doubles go to the nearest whole number, halves to the even one (IEEE 754); a missing pixel is 0. */
	{"{\"Type\":3,\"value\":[[1.5,2.5e1,-0.25E1,null]]}", 1, 4, 1, {2, 25, -2, 0}, 0, "{\"Type\":3,\"value\":[]}"},
	{"{\"Value\":[[3000000000,-3000000000,123456789012345678]]}", 1, 3, 1, {INT32_MAX, INT32_MIN, INT32_MAX}, 3,
		"{\"Value\":[]}"},
	/* Only the member of the outermost object counts, and what is written in strings does not. */
	{"{\"A\":{\"Value\":[[3]]},\"B\":\"\\\"Value\\\":[[4]]\",\"C\":[{\"Value\":[5]}],\"Value\":[[6]]}",
		1, 1, 1, {6},
		0,
		"{\"A\":{\"Value\":[[3]]},\"B\":\"\\\"Value\\\":[[4]]\",\"C\":[{\"Value\":[5]}],\"Value\":[]}"},
};

static void test_pixels_stand_where_the_text_has_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		const struct good *g = &good[i];
		for (size_t piece = 1; piece <= strlen(g->text); piece++) {
			struct outcome out = read_in_pieces(g->text, g->width, g->height, g->planes, piece);
			if (out.code != ERR_OK) {
				fail_msg("%s in pieces of %zu: %s", g->text, piece, out.err.text);
			}
			assert_memory_equal(out.pixel, g->pixel,
				sizeof g->pixel[0] * (size_t)(g->width * g->height * g->planes));
			assert_int_equal(out.cut, g->cut);
			assert_string_equal(out.envelope, g->envelope);
		}
	}
}

/* More numbers than are gathered at a time. */
static void test_many_pixels(void **state)
{
	(void)state;
	enum { WIDTH = 1, HEIGHT = 3 * ALPACA_JSON_BLOCK + 1 };
	struct frame_info info = {.type = IMAGE_U16, .bin = 1, .width = WIDTH, .height = HEIGHT, .planes = 1};
	uint16_t *rows = calloc(HEIGHT, sizeof *rows);
	assert_non_null(rows);
	struct frame *frame = frame_create(&info, rows);
	free(rows);
	assert_non_null(frame);
	struct alpaca_bytes pixels;
	struct alpaca_json j;
	struct err err;
	alpaca_bytes_begin(&pixels, frame);
	alpaca_json_begin(&j, &pixels);
	assert_int_equal(alpaca_json_take(&j, "{\"Value\":[[", 11, &err), ERR_OK);
	for (int i = 0; i < HEIGHT; i++) {
		char text[16];
		int n = snprintf(text, sizeof text, "%s%d", i > 0 ? "," : "", 10 + i);
		assert_int_equal(alpaca_json_take(&j, text, (size_t)n, &err), ERR_OK);
	}
	assert_int_equal(alpaca_json_take(&j, "]]}", 3, &err), ERR_OK);
	assert_int_equal(alpaca_json_end(&j, &err), ERR_OK);
	for (int i = 0; i < HEIGHT; i++) {
		assert_int_equal(((const uint16_t *)frame->pixels)[i], 10 + i);
	}
	alpaca_json_fini(&j);
	frame_unref(frame);
}

static const struct bad {
	const char *text, *says;
} bad[] = {
	{"{\"Value\":[[1,2],[3]]}", "less than the 2 rows"},
	{"{\"Value\":[[1,2]]}", "less than the 2 columns"},
	{"{\"Value\":[[1,2],[3,4,5]]}", "more than the 2 rows"},
	{"{\"Value\":[[1,2],[3,4],[5,6]]}", "more than the 2 columns"},
	{"{\"Value\":[[[1,2]]]}", "more than the 1 colours"},
	{"{\"Value\":[1,2]}", "numbers in its dimension 1"},
	{"{\"Value\":[[1,2],[[3],[4]]]}", "more than 2 dimensions"},
	{"{\"Value\":[[[1],2],[3,4]]}", "numbers in its dimension 2"},
	{"{\"Value\":[[[[1]]]]}", "more than 3 dimensions"},
	{"{\"Value\":[[1,,2],[3,4]]}", "before a comma"},
	{"{\"Value\":[[,1,2],[3,4]]}", "before a comma"},
	{"{\"Value\":[[1,2,],[3,4]]}", "behind a comma"},
	{"{\"Value\":[[1 2],[3,4]]}", "comma is missing"},
	{"{\"Value\":[[1,2][3,4]]}", "comma is missing"},
	{"{\"Value\":[[1,NaN],[3,4]]}", "no number"},
	{"{\"Value\":[[1,\"2\"],[3,4]]}", "no number"},
	{"{\"Value\":[[1,-],[3,4]]}", "no number"},
	{"{\"Value\":[[1,12345678901234567890123456789012345678901],[3,4]]}", "more than 40 digits"},
	{"{\"Value\":[[1,2],[3,4]],\"Value\":[[1,2],[3,4]]}", "two pictures"},
	{"{\"Value\":[[1,2],[3,", "ends after 0 of 4"},
	{"{\"Value\":[]}", "no picture"},
	{"{\"Value\":null}", "no picture"},
	{"{}", "no picture"},
	{"", "no picture"},
};

static void test_what_is_no_such_picture_is_said(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		size_t size = strlen(bad[i].text);
		for (size_t piece = 1; piece <= size + 1; piece += size > 0 ? size : 1) {
			struct outcome out = read_in_pieces(bad[i].text, 2, 2, 1, piece);
			assert_int_equal(out.code, ERR_PROTOCOL);
			if (strstr(out.err.text, bad[i].says) == NULL) {
				fail_msg("%s: %s", bad[i].text, out.err.text);
			}
		}
	}
}

/* An endless answer is not kept. */
static void test_an_envelope_has_a_limit(void **state)
{
	(void)state;
	struct frame_info info = {.type = IMAGE_U8, .bin = 1, .width = 1, .height = 1, .planes = 1};
	uint8_t row = 0;
	struct frame *frame = frame_create(&info, &row);
	assert_non_null(frame);
	struct alpaca_bytes pixels;
	struct alpaca_json j;
	struct err err = {.code = ERR_OK};
	alpaca_bytes_begin(&pixels, frame);
	alpaca_json_begin(&j, &pixels);
	enum err_code code = alpaca_json_take(&j, "{\"A\":\"", 6, &err);
	for (int i = 0; code == ERR_OK && i < 2 * ALPACA_JSON_ENVELOPE / 10; i++) {
		code = alpaca_json_take(&j, "0123456789", 10, &err);
	}
	assert_int_equal(code, ERR_PROTOCOL);
	assert_true(j.envelope.len <= ALPACA_JSON_ENVELOPE);
	alpaca_json_fini(&j);
	frame_unref(frame);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pixels_stand_where_the_text_has_them),
		cmocka_unit_test(test_many_pixels),
		cmocka_unit_test(test_what_is_no_such_picture_is_said),
		cmocka_unit_test(test_an_envelope_has_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
