/* SPDX-License-Identifier: MIT */
/* Frames that are no FITS: grey PGM and DNG. The DNG files are written here after the specification (Adobe, Digital
 * Negative 1.4) as rpicam-still writes them: one uncompressed strip, a mosaic of 16 bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fits_frame.h"

static char folder[64];
static char path[128];

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/focusd-raw.XXXXXX");
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static int remove_file(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static void write_file(const char *name, const void *data, size_t len)
{
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "wbe");
	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void write_text(const char *name, const char *text)
{
	write_file(name, text, strlen(text));
}

/* ---- PGM ---- */

static void eight_bits_are_read(void **state)
{
	(void)state;
	write_text("c8_7350_0p5s.pgm", "P5\n# made by hand\n3 2 # wide, high\n200\nABCDEF");
	struct fits_frame frame;
	struct err err = {0};
	assert_int_equal(fits_frame_read(path, &frame, &err), ERR_OK);
	assert_int_equal(frame.width, 3);
	assert_int_equal(frame.height, 2);
	assert_int_equal(frame.type, IMAGE_U8);
	assert_int_equal(frame.mosaic, IMAGE_MONO);
	assert_true(frame.full_scale_adu == 200.0);
	for (int i = 0; i < 6; i++) {
		assert_true(frame.pixels[i] == (float)('A' + i));
	}
	assert_true(isnan(frame.pixel_um));
	fits_frame_free(&frame);
}

static void sixteen_bits_have_the_larger_byte_first(void **state)
{
	(void)state;
	static const unsigned char bytes[] = {'P', '5', ' ', '2', ' ', '1', ' ', '6', '5', '5', '3', '5', '\n',
		0x12, 0x34, 0xFF, 0xFE};
	write_file("a.pgm", bytes, sizeof bytes);
	struct fits_frame frame;
	assert_int_equal(fits_frame_read_exact(path, &frame, NULL), ERR_OK);
	assert_int_equal(frame.type, IMAGE_U16);
	assert_true(frame.exact[0] == 0x1234);
	assert_true(frame.exact[1] == 0xFFFE);
	fits_frame_free(&frame);
	assert_int_equal(fits_frame_stat(path, &frame, NULL), ERR_OK);
	assert_null(frame.pixels);
	assert_int_equal(frame.width, 2);
}

static void a_damaged_pgm_is_called_so(void **state)
{
	(void)state;
	static const struct {
		const char *text, *said;
	} rows[] = {
		{"P5\n3 2\n200\nABCDE", "it ends too early"},
		{"P5\n3 2", "does not say width, height"},
		{"P5\n0 2\n200\nABCDEF", "does not say width, height"},
		{"P5\n-3 2\n200\nABCDEF", "does not say width, height"},
		{"P5\n3 2\n70000\nABCDEF", "does not say width, height"},
		{"P5\n99999999999999999999 2\n200\nABCDEF", "does not say width, height"},
		{"P5\n2000000 2000000\n200\nABCDEF", "claims more pixels"},
		{"P5#", "does not say width, height"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct fits_frame frame;
		struct err err = {0};
		write_text("a.pgm", rows[i].text);
		assert_int_equal(fits_frame_read(path, &frame, &err), ERR_IO);
		assert_non_null(strstr(err.text, rows[i].said));
	}
}

/* ---- DNG ---- */

struct dng {
	unsigned char bytes[8192];
	size_t len;      /* of the head and what hangs on it */
	size_t entries;  /* where their number stands */
};

static void put16(struct dng *dng, size_t at, unsigned value)
{
	dng->bytes[at] = (unsigned char)value;
	dng->bytes[at + 1] = (unsigned char)(value >> 8);
}

static void put32(struct dng *dng, size_t at, uint32_t value)
{
	put16(dng, at, value & 0xFFFF);
	put16(dng, at + 2, value >> 16);
}

/* TIFF's types. */
enum { BYTE = 1, ASCII = 2, SHORT = 3, LONG = 4, RATIONAL = 5, SRATIONAL = 10 };

static void entry(struct dng *dng, unsigned tag, unsigned type, uint32_t count, uint32_t value)
{
	unsigned n = dng->bytes[dng->entries] + 1u;
	size_t at = dng->entries + 2 + 12 * (n - 1);
	put16(dng, dng->entries, n);
	put16(dng, at, tag);
	put16(dng, at + 2, type);
	put32(dng, at + 4, count);
	put32(dng, at + 8, value);
}

/* Values that do not fit an entry lie behind the head. */
static uint32_t hang_on(struct dng *dng, const void *data, size_t len)
{
	size_t at = dng->len;
	memcpy(dng->bytes + at, data, len);
	dng->len += (len + 1) / 2 * 2;
	return (uint32_t)at;
}

enum { WIDTH = 32, HEIGHT = 24 };

static unsigned pixel(int x, int y)
{
	return (unsigned)(256 + 7 * x + 100 * y);
}

/* The tags of a frame that begins with this cell: 0 red, 1 green, 2 blue. */
static void write_dng(const char *name, const unsigned char cells[4])
{
	static struct dng dng;
	memset(&dng, 0, sizeof dng);
	memcpy(dng.bytes, "II*\0", 4);
	put32(&dng, 4, 8);
	dng.entries = 8;
	dng.len = 8 + 2 + 12 * 32 + 4;
	const uint32_t one_to_ten[] = {1, 10};
	const int32_t matrix[18] = {1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1};
	const uint32_t neutral[6] = {1, 1, 1, 1, 1, 1};
	entry(&dng, 254, LONG, 1, 0);
	entry(&dng, 256, LONG, 1, WIDTH);
	entry(&dng, 257, LONG, 1, HEIGHT);
	entry(&dng, 258, SHORT, 1, 16);
	entry(&dng, 259, SHORT, 1, 1);
	entry(&dng, 262, SHORT, 1, 32803);
	entry(&dng, 271, ASCII, 12, hang_on(&dng, "Raspberry P", 12));
	entry(&dng, 272, ASCII, 8, hang_on(&dng, "imx477A", 8));
	entry(&dng, 273, LONG, 1, 4096);
	entry(&dng, 274, SHORT, 1, 1);
	entry(&dng, 277, SHORT, 1, 1);
	entry(&dng, 278, LONG, 1, HEIGHT);
	entry(&dng, 279, LONG, 1, WIDTH * HEIGHT * 2);
	entry(&dng, 284, SHORT, 1, 1);
	entry(&dng, 33421, SHORT, 2, 2 | 2 << 16);
	entry(&dng, 33422, BYTE, 4,
		cells[0] | (uint32_t)cells[1] << 8 | (uint32_t)cells[2] << 16 | (uint32_t)cells[3] << 24);
	entry(&dng, 33434, RATIONAL, 1, hang_on(&dng, one_to_ten, sizeof one_to_ten));
	entry(&dng, 50706, BYTE, 4, 0x00000401);
	entry(&dng, 50708, ASCII, 8, hang_on(&dng, "imx477A", 8));
	entry(&dng, 50714, SHORT, 1, 256);
	entry(&dng, 50717, LONG, 1, 4095);
	entry(&dng, 50721, SRATIONAL, 9, hang_on(&dng, matrix, sizeof matrix));
	entry(&dng, 50728, RATIONAL, 3, hang_on(&dng, neutral, sizeof neutral));
	assert_true(dng.len <= 4096);
	for (int y = 0; y < HEIGHT; y++) {
		for (int x = 0; x < WIDTH; x++) {
			put16(&dng, 4096 + 2 * (size_t)(y * WIDTH + x), pixel(x, y));
		}
	}
	write_file(name, dng.bytes, 4096 + 2 * WIDTH * HEIGHT);
}

static void a_dng_has_the_sensors_own_numbers(void **state)
{
	(void)state;
	static const struct {
		unsigned char cells[4];
		int x, y;
	} rows[] = {{{0, 1, 1, 2}, 0, 0}, {{1, 0, 2, 1}, 1, 0}, {{1, 2, 0, 1}, 0, 1}, {{2, 1, 1, 0}, 1, 1}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		write_dng("frame.dng", rows[i].cells);
		struct fits_frame frame;
		struct err err = {0};
		assert_int_equal(fits_frame_read(path, &frame, &err), ERR_OK);
		assert_int_equal(frame.width, WIDTH);
		assert_int_equal(frame.height, HEIGHT);
		assert_int_equal(frame.type, IMAGE_U16);
		assert_int_equal(frame.mosaic, IMAGE_BAYER);
		assert_int_equal(frame.bayer_x, rows[i].x);
		assert_int_equal(frame.bayer_y, rows[i].y);
		assert_true(frame.full_scale_adu == 4095.0);
		assert_true(fabs(frame.exposure_s - 0.1) < 1e-6);
		for (int y = 0; y < HEIGHT; y++) {
			for (int x = 0; x < WIDTH; x++) {
				assert_true(frame.pixels[y * WIDTH + x] == (float)pixel(x, y));
			}
		}
		fits_frame_free(&frame);
	}
}

static void a_dng_that_ends_too_early_is_refused(void **state)
{
	(void)state;
	static const unsigned char cells[] = {0, 1, 1, 2};
	write_dng("frame.dng", cells);
	static const long lengths[] = {9, 100, 400, 4096, 4096 + WIDTH * HEIGHT};
	for (size_t i = sizeof lengths / sizeof lengths[0]; i-- > 0;) {
		struct fits_frame frame;
		struct err err = {0};
		assert_int_equal(truncate(path, lengths[i]), 0);
		assert_int_equal(fits_frame_read(path, &frame, &err), ERR_IO);
		assert_non_null(strstr(err.text, "frame.dng"));
	}
}

static void what_no_camera_wrote_is_named(void **state)
{
	(void)state;
	static unsigned char zeros[400] = "II*\0";
	struct fits_frame frame;
	struct err err = {0};
	write_file("a.tif", zeros, sizeof zeros);
	assert_int_equal(fits_frame_read(path, &frame, &err), ERR_IO);
	assert_non_null(strstr(err.text, "TIFF, or a raw file of a camera, that cannot be read"));
	assert_non_null(strstr(err.text, "focusd reads FITS"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(eight_bits_are_read, remove_file),
		cmocka_unit_test_teardown(sixteen_bits_have_the_larger_byte_first, remove_file),
		cmocka_unit_test_teardown(a_damaged_pgm_is_called_so, remove_file),
		cmocka_unit_test_teardown(a_dng_has_the_sensors_own_numbers, remove_file),
		cmocka_unit_test_teardown(a_dng_that_ends_too_early_is_refused, remove_file),
		cmocka_unit_test_teardown(what_no_camera_wrote_is_named, remove_file),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
