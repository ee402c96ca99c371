/* SPDX-License-Identifier: MIT */
/*
 * What is peculiar to the INDI camera and can be tried without a server: its table, plain FITS in pieces, and where
 * families of cameras keep things.  Expected pixels are written by hand, big-endian, as the FITS standard 4.0 has them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "camera_driver.h"
#include "indi_fits.h"
#include "indi_setup.h"
#include "indi_variants.h"
#include "text.h"

static void the_table(void **state)
{
	(void)state;
	const struct camera_driver *driver = camera_driver_find("indi");
	assert_non_null(driver);
	assert_true(driver->uses_port && driver->uses_device);
	assert_true(indi_postures_count <= INDI_POSTURES_MAX);
}

/* ---- FITS ---- */

struct taken {
	struct indi_fits_facts facts;
	bool refuse;
	int headers;
	double pixel[64];
	int count;
};

static bool on_header(void *ctx, const struct indi_fits_facts *facts)
{
	struct taken *t = ctx;
	t->headers++;
	t->facts = *facts;
	return !t->refuse;
}

static void on_rows(void *ctx, const struct indi_fits_facts *facts, int32_t plane, int32_t first, int32_t rows,
	const void *data)
{
	struct taken *t = ctx;
	assert_int_equal(t->count, (plane * facts->height + first) * facts->width);
	for (int32_t i = 0; i < rows * facts->width; i++) {
		t->pixel[t->count++] = image_element(data, facts->type, (size_t)i);
	}
}

static const struct indi_fits_handlers handlers = {.header = on_header, .rows = on_rows};

struct file {
	unsigned char bytes[3 * 2880];
	size_t len;
};

static void card(struct file *f, const char *text)
{
	size_t n = strlen(text);
	memcpy(f->bytes + f->len, text, n);
	memset(f->bytes + f->len + n, ' ', 80 - n);
	f->len += 80;
}

/* A file with these cards and pixels, two wide and two high. */
static void make(struct file *f, int bitpix, const char *const *cards, const unsigned char *pixels, size_t len)
{
	char line[81];
	f->len = 0;
	card(f, "SIMPLE  =                    T / conforms");
	snprintf(line, sizeof line, "BITPIX  = %20d / bits", bitpix);
	card(f, line);
	card(f, "NAXIS   =                    2");
	card(f, "NAXIS1  =                    2");
	card(f, "NAXIS2  =                    2");
	for (; *cards != NULL; cards++) {
		card(f, *cards);
	}
	card(f, "END");
	memset(f->bytes + f->len, ' ', 2880 - f->len);
	f->len = 2880;
	memset(f->bytes + f->len, 0, 2880);
	memcpy(f->bytes + f->len, pixels, len);
	f->len += 2880;
}

static enum err_code take(struct taken *t, const struct file *f, size_t len, size_t piece, bool *whole)
{
	struct indi_fits *fits = NULL;
	struct err err;
	bool refuse = t->refuse;
	*t = (struct taken){.refuse = refuse};
	assert_int_equal(indi_fits_create(&handlers, t, &fits, &err), ERR_OK);
	enum err_code code = ERR_OK;
	for (size_t at = 0; at < len && code == ERR_OK; at += piece) {
		code = indi_fits_feed(fits, f->bytes + at, len - at < piece ? len - at : piece, &err);
	}
	*whole = indi_fits_whole(fits);
	indi_fits_destroy(fits);
	return code;
}

static const char *const unsigned_16[] = {"BZERO   =                32768 / offset", "BSCALE  =                    1",
	"EXPTIME =                  1.5", "DATE-OBS= '2026-11-28T18:12:49.250'", NULL};
/* 0, 1, 32768 and 65535 less 32768. */
static const unsigned char pixels_16[] = {0x80, 0x00, 0x80, 0x01, 0x00, 0x00, 0x7F, 0xFF};

static void pixels_in_pieces_of_any_size(void **state)
{
	(void)state;
	struct file f;
	struct taken t = {.refuse = false};
	bool whole;
	make(&f, 16, unsigned_16, pixels_16, sizeof pixels_16);
	for (size_t piece = 1; piece <= f.len; piece = piece < 100 ? piece + 1 : 2 * piece) {
		assert_int_equal(take(&t, &f, f.len, piece, &whole), ERR_OK);
		assert_true(whole);
		assert_int_equal(t.headers, 1);
		assert_int_equal(t.facts.type, IMAGE_U16);
		assert_int_equal(t.count, 4);
		assert_true(t.pixel[0] == 0 && t.pixel[1] == 1 && t.pixel[2] == 32768 && t.pixel[3] == 65535);
		assert_true(t.facts.exposure_s == 1.5);
		/* date -u -d 2026-11-28T18:12:49 +%s */
		assert_true(t.facts.start_utc_ms == 1795889569250);
	}
	/* A byte less is not whole, and what follows the pixels does not matter. */
	assert_int_equal(take(&t, &f, 2880 + sizeof pixels_16 - 1, 100, &whole), ERR_OK);
	assert_false(whole);
	assert_int_equal(take(&t, &f, 2880 + sizeof pixels_16, 100, &whole), ERR_OK);
	assert_true(whole);
	t.refuse = true;
	assert_int_equal(take(&t, &f, f.len, 100, &whole), ERR_OK);
	assert_false(whole);
	assert_int_equal(t.count, 0);
}

static void all_kinds_of_pixels(void **state)
{
	(void)state;
	static const char *const none[] = {NULL};
	static const char *const scaled[] = {"BZERO   =                  0.5", "BSCALE  =                   2.", NULL};
	static const char *const unsigned_32[] = {"BZERO   =           2147483648", NULL};
	static const struct {
		int bitpix;
		const char *const *cards;
		unsigned char pixels[32];
		enum image_type type;
		double value[4];
	} rows[] = {
		{8, none, {0, 1, 128, 255}, IMAGE_U8, {0, 1, 128, 255}},
		{8, scaled, {0, 1, 128, 255}, IMAGE_F64, {0.5, 2.5, 256.5, 510.5}},
		{16, none, {0x80, 0, 0xFF, 0xFF, 0, 1, 0x7F, 0xFF}, IMAGE_I32, {-32768, -1, 1, 32767}},
		{32, none, {0x80, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 1, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF}, IMAGE_I32,
			{-2147483648.0, -1, 65536, 2147483647}},
		{32, unsigned_32, {0x80, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF},
			IMAGE_F64, {0, 2147483647, 2147483648.0, 4294967295.0}},
		/* IEEE 754: 1.0, -2.0, 0.5, 0. */
		{-32, none, {0x3F, 0x80, 0, 0, 0xC0, 0, 0, 0, 0x3F, 0, 0, 0, 0, 0, 0, 0}, IMAGE_F32, {1, -2, 0.5, 0}},
		{-64, none, {0x3F, 0xF0, 0, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0, 0x3F, 0xE0, 0, 0, 0, 0, 0, 0},
			IMAGE_F64, {1, -2, 0.5, 0}},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct file f;
		struct taken t = {.refuse = false};
		bool whole;
		make(&f, rows[i].bitpix, rows[i].cards, rows[i].pixels, sizeof rows[i].pixels);
		assert_int_equal(take(&t, &f, f.len, 1000, &whole), ERR_OK);
		assert_true(whole);
		assert_int_equal(t.facts.type, rows[i].type);
		for (int k = 0; k < 4; k++) {
			assert_true(t.pixel[k] == rows[i].value[k]);
		}
	}
}

static void what_is_no_picture(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{"SIMPLE  =", "XTENSION="}, {"BITPIX  =                   16", "BITPIX  =                   12"},
		{"NAXIS   =                    2", "NAXIS   =                    4"},
		{"NAXIS1  =                    2", "NAXIS1  =                    0"},
		{"NAXIS1  =                    2", "NAXIS1  =              2000000"},
		{"NAXIS1  =                    2", "NAXIS1  =                  2.5"},
		{"BZERO   =                32768", "BZERO   =                  abc"},
		{"END     ", "ENDE    "},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct file f;
		struct taken t = {.refuse = false};
		bool whole;
		make(&f, 16, unsigned_16, pixels_16, sizeof pixels_16);
		unsigned char *at = memmem(f.bytes, f.len, rows[i][0], strlen(rows[i][0]));
		assert_non_null(at);
		memcpy(at, rows[i][1], strlen(rows[i][1]));
		enum err_code code = take(&t, &f, f.len, 500, &whole);
		/* A header without an end is waited for. */
		assert_true(code == ERR_PROTOCOL || i + 1 == sizeof rows / sizeof rows[0]);
		assert_false(whole);
		assert_int_equal(t.count, 0);
	}
}

/* ---- families ---- */

static void on_element(void *ctx, const struct indi_element *e)
{
	struct indi_news news;
	assert_true(indi_store_take(ctx, e, &news));
}

static void tell(struct indi_store *store, const char *text)
{
	static const struct indi_xml_handlers store_handlers = {.element = on_element};
	struct indi_xml *x = NULL;
	struct err err;
	assert_int_equal(indi_xml_create(&store_handlers, store, &x, &err), ERR_OK);
	assert_int_equal(indi_xml_feed(x, text, strlen(text), &err), ERR_OK);
	indi_xml_destroy(x);
}

#define NUMBER(name, member, value)                                                                                    \
	"<defNumberVector device=\"C\" name=\"" name "\" perm=\"rw\"><defNumber name=\"other\">1</defNumber>"         \
	"<defNumber name=\"" member "\">" value "</defNumber></defNumberVector>"

static void gain_where_each_family_keeps_it(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum indi_thing thing;
		double value;
	} rows[] = {
		{NUMBER("CCD_GAIN", "GAIN", "7"), INDI_GAIN, 7},
		{NUMBER("CCD_CONTROLS", "Gain", "8"), INDI_GAIN, 8},
		{NUMBER("CCD_GAIN", "Verstaerkung", "9"), INDI_GAIN, 1}, /* the first */
		{NUMBER("CCD_OFFSET", "OFFSET", "10"), INDI_OFFSET, 10},
		{NUMBER("CCD_CONTROLS", "Offset", "11"), INDI_OFFSET, 11},
		{NUMBER("CCD_COOLER_POWER", "CCD_COOLER_VALUE", "12"), INDI_COOLER_POWER, 12},
		{NUMBER("CCD_CONTROLS", "Gamma", "13"), INDI_GAIN, NAN},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct indi_store store = {.devices = 0};
		tell(&store, rows[i].text);
		struct indi_place place = indi_place_of(&store, "C", rows[i].thing);
		assert_true(isnan(rows[i].value) ? place.member == NULL : place.member->value == rows[i].value);
		indi_store_fini(&store);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table),
		cmocka_unit_test(pixels_in_pieces_of_any_size),
		cmocka_unit_test(all_kinds_of_pixels),
		cmocka_unit_test(what_is_no_picture),
		cmocka_unit_test(gain_where_each_family_keeps_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
