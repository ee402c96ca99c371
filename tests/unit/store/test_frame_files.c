/* SPDX-License-Identifier: MIT */
/* Frames that are kept: every element type as the FITS standard wants it (section 5: big-endian, 16 bit less 32768),
 * words, and the quota.  What other readers make of them: tests/http/test_af.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frame_files.h"
#include "text.h"

static char folder[200];
static _Atomic bool cancel;
static uint8_t data[1 << 16];
static size_t size;

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/focusd-frames-XXXXXX");
	atomic_store(&cancel, false);
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct frame_note note_of(uint64_t run, int number)
{
	return (struct frame_note){.run = run, .number = number, .position_steps = 12345, .step_size_um = NAN,
		.focuser_c = 7.5, .focal_length_mm = 800, .pixel_um = 3.76, .sensor_c = NAN, .has_gain = true,
		.gain = 120, .focuser = "Pier's EAF", .camera = "C", .filter = "", .pattern = "RGGB", .pattern_x = 1};
}

static enum err_code keep(const struct frame_info *info, const void *row_major, const struct frame_note *note,
	int64_t quota, struct err *err)
{
	struct frame *frame = frame_create(info, row_major);
	assert_non_null(frame);
	enum err_code code = frame_files_keep(folder, frame, note, quota, &cancel, err);
	frame_unref(frame);
	return code;
}

static bool there(uint64_t run, int number)
{
	char path[300];
	snprintf(path, sizeof path, "%s/frames/run-%06d/%03d.fits", folder, (int)run, number);
	FILE *f = fopen(path, "rb");
	if (f == NULL) {
		return false;
	}
	size = fread(data, 1, sizeof data, f);
	fclose(f);
	return true;
}

/* The value of a card, without blanks about it; "" when there is none. */
static const char *word(const char *key)
{
	static char value[81];
	for (size_t at = 0; at + 80 <= 2880; at += 80) {
		const char *line = (const char *)data + at;
		if (strncmp(line, key, strlen(key)) == 0 && (line[strlen(key)] == ' ' || strlen(key) == 8)) {
			const char *from = line + 10;
			size_t length = 70;
			for (; length > 0 && *from == ' '; from++) {
				length--;
			}
			while (length > 0 && from[length - 1] == ' ') {
				length--;
			}
			snprintf(value, sizeof value, "%.*s", (int)length, from);
			return value;
		}
	}
	return "";
}

static void every_type(void **state)
{
	(void)state;
	/* Two rows of three, row by row; the bytes by hand. */
	static const uint8_t u8[] = {1, 2, 3, 4, 5, 255};
	static const uint16_t u16[] = {0, 1, 32768, 65535, 256, 32767};
	static const int32_t i32[] = {0, 1, -1, 65536, INT32_MIN, INT32_MAX};
	static const float f32[] = {0, 1, -2, 0.5F, 1e10F, 3};
	static const double f64[] = {0, 1, -2, 0.5, 1e10, 3};
	static const uint8_t as_u16[] = {0x80, 0, 0x80, 1, 0, 0, 0x7f, 0xff, 0x81, 0, 0xff, 0xff};
	static const uint8_t as_i32[] = {0, 0, 0, 0, 0, 0, 0, 1, 255, 255, 255, 255, 0, 1, 0, 0, 128, 0, 0, 0,
		127, 255, 255, 255};
	static const uint8_t as_f32[] = {0, 0, 0, 0, 0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0, 0x3f, 0, 0, 0};
	static const uint8_t as_f64[] = {0, 0, 0, 0, 0, 0, 0, 0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0,
		0xc0, 0, 0, 0, 0, 0, 0, 0};
	static const struct {
		enum image_type type;
		const void *pixels;
		const char *bitpix, *bzero;
		const uint8_t *bytes;
		size_t count;
	} cases[] = {
		{IMAGE_U8, u8, "8", "", u8, sizeof u8},
		{IMAGE_U16, u16, "16", "32768", as_u16, sizeof as_u16},
		{IMAGE_I32, i32, "32", "", as_i32, sizeof as_i32},
		{IMAGE_F32, f32, "-32", "", as_f32, sizeof as_f32},
		{IMAGE_F64, f64, "-64", "", as_f64, sizeof as_f64},
	};
	for (int i = 0; i < 5; i++) {
		struct frame_info info = {.width = 3, .height = 2, .planes = 1, .bin = 2, .type = cases[i].type,
			.mosaic = IMAGE_BAYER, .full_scale_adu = NAN, .exposure_s = 2.5,
			.start_utc_ms = 1773526111250};
		struct frame_note note = note_of(7, i + 1);
		assert_int_equal(keep(&info, cases[i].pixels, &note, FRAME_FILES_QUOTA, NULL), ERR_OK);
		assert_true(there(7, i + 1));
		assert_int_equal(size, 2 * 2880);
		assert_string_equal(word("SIMPLE"), "T");
		assert_string_equal(word("BITPIX"), cases[i].bitpix);
		assert_string_equal(word("BZERO"), cases[i].bzero);
		assert_string_equal(word("NAXIS1"), "3");
		assert_memory_equal(data + 2880, cases[i].bytes, cases[i].count);
	}
	assert_string_equal(word("DATE-OBS"), "'2026-03-14T22:08:31.250'");
	assert_string_equal(word("FOCNAME"), "'Pier''s EAF'");
	assert_string_equal(word("INSTRUME"), "'C       '");
	assert_string_equal(word("XPIXSZ"), "7.52");
	assert_string_equal(word("BAYERPAT"), "'RGGB    '");
	assert_string_equal(word("XBAYROFF"), "1");
	assert_string_equal(word("FOCUSTEM"), "7.5");
	/* What nobody knows is left out. */
	assert_string_equal(word("FILTER"), "");
	assert_string_equal(word("FOCUSSZ"), "");
	assert_string_equal(word("CCD-TEMP"), "");
	assert_string_equal(word("OFFSET"), "");
}

static void three_planes(void **state)
{
	(void)state;
	/* Two pixels of three colours, as frame_create() takes them: the colours of a pixel side by side. */
	static const uint8_t pixels[] = {1, 2, 3, 11, 12, 13};
	static const uint8_t planes[] = {1, 11, 2, 12, 3, 13};
	struct frame_info info = {.width = 2, .height = 1, .planes = 3, .bin = 1, .type = IMAGE_U8};
	struct frame_note note = note_of(1, 1);
	assert_int_equal(keep(&info, pixels, &note, FRAME_FILES_QUOTA, NULL), ERR_OK);
	assert_true(there(1, 1));
	assert_string_equal(word("NAXIS"), "3");
	assert_string_equal(word("NAXIS3"), "3");
	assert_memory_equal(data + 2880, planes, sizeof planes);
}

/* Old runs give way, the newest never to itself; what does not fit is refused, and what is cancelled leaves nothing. */
static void quota(void **state)
{
	(void)state;
	static const uint8_t pixels[2000] = {0};
	struct frame_info info = {.width = 100, .height = 20, .planes = 1, .bin = 1, .type = IMAGE_U8};
	/* A file has two blocks, and a third is reckoned. */
	const int64_t room = 5 * 5760 + 2880;
	struct err err = {0};
	for (uint64_t run = 98; run <= 100; run++) {
		for (int n = 1; n <= 2; n++) {
			struct frame_note note = note_of(run, n);
			assert_int_equal(keep(&info, pixels, &note, room, &err), ERR_OK);
		}
	}
	assert_false(there(98, 1));
	assert_true(there(99, 1) && there(99, 2) && there(100, 1) && there(100, 2));
	struct frame_note note = note_of(100, 3);
	assert_int_equal(keep(&info, pixels, &note, 2 * 5760, &err), ERR_IO);
	assert_non_null(strstr(err.text, "no room"));
	assert_true(there(100, 1) && there(100, 2) && !there(99, 1));
	atomic_store(&cancel, true);
	assert_int_equal(keep(&info, pixels, &note, FRAME_FILES_QUOTA, &err), ERR_CANCELLED);
	assert_false(there(100, 3));
	char part[300];
	snprintf(part, sizeof part, "%s/frames/run-000100/.part", folder);
	assert_int_not_equal(access(part, F_OK), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_type),
		TEST(three_planes),
		TEST(quota),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
