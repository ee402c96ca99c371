/* SPDX-License-Identifier: MIT */
/* Files are written here card by card after the FITS standard 4.0, faults included, so that the
 * reader is not tested against its own library's writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fits_frame.h"

static char folder[] = "/tmp/focusd-fits-XXXXXX";

static const char *in_folder(const char *name)
{
	static char path[300];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

/* Writes header cards (NULL ends), END, and the data, each padded to 2880 bytes. */
static void write_hdu(FILE *file, const char *const *cards, char fill, const void *data, size_t len)
{
	size_t n = 0;
	for (; cards[n] != NULL; n++) {
		fprintf(file, "%-80s", cards[n]);
	}
	fprintf(file, "%-80s", "END");
	for (size_t at = (n + 1) * 80; at % 2880 != 0; at++) {
		fputc(fill, file);
	}
	if (len > 0) {
		assert_int_equal(fwrite(data, 1, len, file), len);
	}
	for (size_t at = len; at % 2880 != 0; at++) {
		fputc(0, file);
	}
}

static void write_file(const char *name, const char *const *cards, const void *data, size_t len)
{
	FILE *file = fopen(in_folder(name), "wb");
	assert_non_null(file);
	write_hdu(file, cards, ' ', data, len);
	fclose(file);
}

static void names(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		bool says;
		double position, exposure;
	} rows[] = {
		{"c8_7350_3s.fits.gz", true, 7350.0, 3.0},
		{"/some/where/c8_7950_0p3s.fits", true, 7950.0, 0.3},
		{"c8_7950_0.3s.FIT", true, 7950.0, 0.3},
		{"7950_12s.fits.fz", true, 7950.0, 12.0},
		{"run_1_12.5_2s.fts", true, 12.5, 2.0},
		{"m42_0812.fits", false, 0, 0},
		{"m42_0812_s.fits", false, 0, 0},
		{"m42_x12_3s.fits", false, 0, 0},
		{"3s.fits", false, 0, 0},
		{"_3s.fits", false, 0, 0},
		{"a_1_3m.fits", false, 0, 0},
		{"a_p1_3s.fits", false, 0, 0},
		{"a_1p_3s.fits", false, 0, 0},
		{"a_1..2_3s.fits", false, 0, 0},
		{"", false, 0, 0},
		{"dir_7350_3s.fits/plain.fits", false, 0, 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		double p = -1.0;
		double e = -1.0;
		bool says = fits_name_position(rows[i].name, &p, &e);
		if (says != rows[i].says || (says && (p != rows[i].position || e != rows[i].exposure))) {
			fail_msg("%s: %d %g %g", rows[i].name, says, p, e);
		}
		if (!says) {
			assert_true(p == -1.0 && e == -1.0);
		}
	}
	static const char *const frames[] = {"a.fits", "A.FIT", "b.fts.gz", "c.Fits.FZ", "x/y.fits"};
	static const char *const others[] = {"a.txt", "fits", ".fits", "a.gz", "a.fits.bak", "d.fits/x"};
	for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
		assert_true(fits_name_is_frame(frames[i]));
	}
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		assert_false(fits_name_is_frame(others[i]));
	}
}

static struct fits_frame read_ok(const char *name)
{
	struct fits_frame frame;
	struct err err = {0};
	if (fits_frame_read(in_folder(name), &frame, &err) != ERR_OK) {
		fail_msg("%s: %s", name, err.text);
	}
	return frame;
}

static void sixteen_bits_with_offset(void **state)
{
	(void)state;
	static const char *const cards[] = {"SIMPLE  =                    T",
		"BITPIX  =                   16", "NAXIS   =                    2",
		"NAXIS1  =                    3", "NAXIS2  =                    2",
		"BZERO   =                32768", "BSCALE  =                    1",
		"FOCUSPOS=                8025.", "EXPTIME = '0.30    '           / seconds, as text",
		"XPIXSZ  =                  3.8", "XBINNING=                    2",
		"EQUINOX = 'J2000.0 '", "BAYERPAT= 'RGGB    '", NULL};
	/* -32768, 0, 32767 big-endian, then 1, 2, 3: physical 0, 32768, 65535, 32769.. */
	static const uint8_t data[] = {0x80, 0, 0, 0, 0x7F, 0xFF, 0, 1, 0, 2, 0, 3};
	write_file("a_8000_2s.fits", cards, data, sizeof data);
	struct fits_frame frame = read_ok("a_8000_2s.fits");
	assert_int_equal(frame.width, 3);
	assert_int_equal(frame.height, 2);
	static const float want[] = {0.0F, 32768.0F, 65535.0F, 32769.0F, 32770.0F, 32771.0F};
	for (size_t i = 0; i < 6; i++) {
		assert_true(frame.pixels[i] == want[i]);
	}
	assert_true(frame.full_scale_adu == 65535.0);
	assert_true(frame.position.in_name && frame.position.name_steps == 8000.0);
	assert_true(frame.position.in_header && frame.position.header_steps == 8025.0);
	assert_true(frame.exposure_s == 0.3);
	assert_true(frame.pixel_um == 3.8);
	assert_int_equal(frame.bin, 2);
	assert_int_equal(frame.mosaic, IMAGE_BAYER);
	struct image img = fits_frame_image(&frame);
	assert_int_equal(img.width, 3);
	assert_int_equal(img.mosaic, IMAGE_BAYER);
	fits_frame_free(&frame);

	struct fits_frame facts;
	struct err err;
	assert_int_equal(fits_frame_stat(in_folder("a_8000_2s.fits"), &facts, &err), ERR_OK);
	assert_null(facts.pixels);
	assert_int_equal(facts.width, 3);
	assert_true(facts.position.name_steps == 8000.0 && facts.position.header_steps == 8025.0);
}

static void other_types(void **state)
{
	(void)state;
	static const struct {
		const char *bitpix;
		uint8_t data[32];
		size_t size;
		double full;
		enum image_type type;
	} rows[] = {
		/* 2x2: 1, 2, 3, 250 */
		{"BITPIX  =                    8", {1, 2, 3, 250}, 4, 255.0, IMAGE_U8},
		{"BITPIX  =                   32", {0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 250}, 16,
			NAN, IMAGE_I32},
		{"BITPIX  =                  -32", {0x3F, 0x80, 0, 0, 0x40, 0, 0, 0, 0x40, 0x40, 0, 0, 0x43,
			0x7A, 0, 0}, 16, NAN, IMAGE_F32},
		{"BITPIX  =                  -64", {0x3F, 0xF0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0,
			0x40, 0x08, 0, 0, 0, 0, 0, 0, 0x40, 0x6F, 0x40, 0, 0, 0, 0, 0}, 32, NAN, IMAGE_F64},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *const cards[] = {"SIMPLE  =                    T", rows[i].bitpix,
			"NAXIS   =                    2", "NAXIS1  =                    2",
			"NAXIS2  =                    2", NULL};
		write_file("types.fits", cards, rows[i].data, rows[i].size);
		struct fits_frame frame = read_ok("types.fits");
		assert_true(frame.pixels[0] == 1.0F && frame.pixels[1] == 2.0F);
		assert_true(frame.pixels[2] == 3.0F && frame.pixels[3] == 250.0F);
		assert_null(frame.exact);
		assert_int_equal(frame.type, rows[i].type);
		assert_true(frame.full_scale_adu == rows[i].full ||
			(isnan(frame.full_scale_adu) && isnan(rows[i].full)));
		assert_false(frame.position.in_name || frame.position.in_header);
		assert_true(isnan(frame.exposure_s) && isnan(frame.pixel_um));
		assert_int_equal(frame.bin, 1);
		fits_frame_free(&frame);
	}
}

/* Types of scaled files by the FITS standard 4.0, 4.4.2.5; numbers that a float cannot hold by two's complement and
 * IEEE 754. */
static void exact_values(void **state)
{
	(void)state;
	static const struct {
		const char *cards[2];
		uint8_t data[16];
		size_t size;
		enum image_type type;
		double want[2];
	} rows[] = {
		{{"BITPIX  =                   32", NULL}, {0x7F, 0xFF, 0xFF, 0xFF, 0x80, 0, 0, 1}, 8, IMAGE_I32,
			{2147483647.0, -2147483647.0}},
		{{"BITPIX  =                   32", "BZERO   =           2147483648"},
			{0x7F, 0xFF, 0xFF, 0xFF, 0x80, 0, 0, 1}, 8, IMAGE_F64, {4294967295.0, 1.0}},
		{{"BITPIX  =                   32", "BLANK   =                   -5"},
			{0xFF, 0xFF, 0xFF, 0xFB, 0, 0, 0, 9}, 8, IMAGE_I32, {NAN, 9.0}},
		{{"BITPIX  =                   16", NULL}, {0x80, 0, 0x7F, 0xFF}, 4, IMAGE_U16, {-32768.0, 32767.0}},
		{{"BITPIX  =                   16", "BSCALE  =                  0.5"}, {0, 1, 0, 4}, 4, IMAGE_F32,
			{0.5, 2.0}},
		{{"BITPIX  =                    8", "BZERO   =                 -128"}, {0, 255}, 2, IMAGE_U16,
			{-128.0, 127.0}},
		{{"BITPIX  =                   64", NULL}, {0, 0x10, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3}, 16,
			IMAGE_F64, {4503599627370497.0, 3.0}},
		/* 0.1 and NaN. */
		{{"BITPIX  =                  -64", NULL},
			{0x3F, 0xB9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9A, 0x7F, 0xF8, 0, 0, 0, 0, 0, 0}, 16,
			IMAGE_F64, {0.1, NAN}},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *const cards[] = {"SIMPLE  =                    T", rows[i].cards[0],
			"NAXIS   =                    2", "NAXIS1  =                    2",
			"NAXIS2  =                    2", rows[i].cards[1], NULL};
		uint8_t twice[32];
		memcpy(twice, rows[i].data, rows[i].size);
		memcpy(twice + rows[i].size, rows[i].data, rows[i].size);
		write_file("exact.fits", cards, twice, 2 * rows[i].size);
		struct fits_frame frame;
		struct err err = {0};
		assert_int_equal(fits_frame_read_exact(in_folder("exact.fits"), &frame, &err), ERR_OK);
		assert_int_equal(frame.type, rows[i].type);
		assert_null(frame.pixels);
		for (size_t k = 0; k < 4; k++) {
			double want = rows[i].want[k % 2];
			if (!(frame.exact[k] == want || (isnan(frame.exact[k]) && isnan(want)))) {
				fail_msg("row %zu: %.17g, not %.17g", i, frame.exact[k], want);
			}
		}
		fits_frame_free(&frame);
		assert_int_equal(fits_frame_stat(in_folder("exact.fits"), &frame, &err), ERR_OK);
		assert_int_equal(frame.type, rows[i].type);
	}
}

static void empty_primary_and_planes(void **state)
{
	(void)state;
	static const char *const primary[] = {"SIMPLE  =                    T",
		"BITPIX  =                    8", "NAXIS   =                    0",
		"EXTEND  =                    T", NULL};
	static const char *const image[] = {"XTENSION= 'IMAGE   '", "BITPIX  =                    8",
		"NAXIS   =                    3", "NAXIS1  =                    2",
		"NAXIS2  =                    2", "NAXIS3  =                    3",
		"PCOUNT  =                    0", "GCOUNT  =                    1",
		"FOCPOS  =                 1234", NULL};
	static const uint8_t data[] = {1, 1, 1, 1, 5, 6, 7, 8, 9, 9, 9, 9};
	FILE *file = fopen(in_folder("planes.fits"), "wb");
	assert_non_null(file);
	write_hdu(file, primary, ' ', NULL, 0);
	write_hdu(file, image, '\0', data, sizeof data); /* NUL bytes where blanks belong */
	fclose(file);
	struct fits_frame frame = read_ok("planes.fits");
	assert_true(frame.pixels[0] == 5.0F && frame.pixels[3] == 8.0F); /* green */
	assert_true(frame.position.in_header && frame.position.header_steps == 1234.0);
	assert_int_equal(frame.planes, 3);
	fits_frame_free(&frame);
	for (int32_t plane = 0; plane < 3; plane++) {
		static const float last[] = {1, 8, 9};
		assert_int_equal(fits_frame_read_plane(in_folder("planes.fits"), plane, -1, &frame, NULL), ERR_OK);
		assert_null(frame.exact);
		assert_true(frame.pixels[3] == last[plane]);
		fits_frame_free(&frame);
	}
	struct err err = {0};
	assert_int_equal(fits_frame_read_plane(in_folder("planes.fits"), 3, -1, &frame, &err), ERR_IO);
	assert_non_null(strstr(err.text, "no plane 4"));
}

static void failures_say_why(void **state)
{
	(void)state;
	struct fits_frame frame = {.width = 77};
	struct err err = {0};
	assert_int_equal(fits_frame_read(in_folder("absent.fits"), &frame, &err), ERR_IO);
	assert_non_null(strstr(err.text, "absent.fits"));
	assert_int_equal(frame.width, 77);

	FILE *file = fopen(in_folder("junk.fits"), "wb");
	fputs("this is no FITS file at all\n", file);
	fclose(file);
	assert_int_equal(fits_frame_read(in_folder("junk.fits"), &frame, &err), ERR_IO);
	assert_int_equal(fits_frame_stat(in_folder("junk.fits"), &frame, &err), ERR_IO);

	static const char *const none[] = {"SIMPLE  =                    T",
		"BITPIX  =                    8", "NAXIS   =                    0", NULL};
	write_file("none.fits", none, NULL, 0);
	assert_int_equal(fits_frame_read(in_folder("none.fits"), &frame, &err), ERR_IO);
	assert_non_null(strstr(err.text, "no image"));

	static const char *const cut[] = {"SIMPLE  =                    T",
		"BITPIX  =                   16", "NAXIS   =                    2",
		"NAXIS1  =                 4000", "NAXIS2  =                 3000", NULL};
	write_file("cut.fits", cut, "1234", 4);
	assert_int_equal(fits_frame_read(in_folder("cut.fits"), &frame, &err), ERR_IO);

	static const char *const huge[] = {"SIMPLE  =                    T",
		"BITPIX  =                   16", "NAXIS   =                    2",
		"NAXIS1  =           2000000000", "NAXIS2  =           2000000000", NULL};
	write_file("huge.fits", huge, "1234", 4);
	assert_int_equal(fits_frame_read(in_folder("huge.fits"), &frame, &err), ERR_IO);
	assert_int_equal(frame.width, 77);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
	(void)state;
	static const char *const files[] = {"a_8000_2s.fits", "types.fits", "exact.fits", "planes.fits", "junk.fits",
		"none.fits", "cut.fits", "huge.fits"};
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		unlink(in_folder(files[i]));
	}
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(sixteen_bits_with_offset),
		cmocka_unit_test(other_types),
		cmocka_unit_test(exact_values),
		cmocka_unit_test(empty_primary_and_planes),
		cmocka_unit_test(failures_say_why),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
