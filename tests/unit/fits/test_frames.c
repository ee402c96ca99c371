/* SPDX-License-Identifier: MIT */
/* Recorded frames, measured by other programs: truth.csv and stars.csv beside the frames.  Skipped
 * aloud where the folder is absent; FOCUSD_SHARED says where it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fits_frame.h"
#include "measure.h"

enum { FIELDS = 40, MOST_STARS = 3000 };

static char folder[400];

static bool frames_here(void)
{
	const char *shared = getenv("FOCUSD_SHARED");
	snprintf(folder, sizeof folder, "%s/data/frames", shared == NULL ? SHARED_DEFAULT : shared);
	char path[450];
	snprintf(path, sizeof path, "%s/truth.csv", folder);
	FILE *file = fopen(path, "r");
	if (file == NULL) {
		print_message("skipped: no recorded frames at %s (set FOCUSD_SHARED)\n", folder);
		return false;
	}
	fclose(file);
	return true;
}

/* Cuts a CSV line in place; quotes are honoured. */
static int cut(char *line, char *field[FIELDS])
{
	int n = 0;
	bool quoted = false;
	field[n++] = line;
	for (char *c = line; *c != '\0'; c++) {
		if (*c == '"') {
			quoted = !quoted;
		} else if ((*c == ',' && !quoted) || *c == '\n') {
			*c = '\0';
			if (n < FIELDS) {
				field[n++] = c + 1;
			}
		}
	}
	return n;
}

static double number(const char *text)
{
	return *text == '\0' ? NAN : strtod(text, NULL);
}

static FILE *open_table(const char *name, int *column, const char *const *wanted, int count)
{
	char path[450];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	char line[2000];
	char *field[FIELDS];
	assert_non_null(fgets(line, sizeof line, file));
	int n = cut(line, field);
	for (int k = 0; k < count; k++) {
		column[k] = -1;
		for (int i = 0; i < n; i++) {
			if (strcmp(field[i], wanted[k]) == 0) {
				column[k] = i;
			}
		}
		assert_true(column[k] >= 0);
	}
	return file;
}

static struct measurement measure(const char *name, struct star *list, size_t *listed)
{
	char path[500];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	struct fits_frame frame;
	struct err err;
	if (fits_frame_read(path, &frame, &err) != ERR_OK) {
		fail_msg("%s", err.text);
	}
	struct image img = fits_frame_image(&frame);
	struct measure_options options = measure_defaults();
	struct measurement m;
	assert_int_equal(measure_frame(&img, &options, list, list == NULL ? 0 : MOST_STARS, listed, &m, NULL),
		0);
	fits_frame_free(&frame);
	return m;
}

static bool is_mosaic(const char *name)
{
	return strcmp(name, "als_m27_1069.fits.gz") == 0 || strcmp(name, "pocs_dslr.fits.fz") == 0 ||
	       strcmp(name, "pocs_trail.fits") == 0;
}

/* Every frame's HFR inside the range that the other programs span; the sweep and the single
 * donuts within 3 % of one of the two half-flux radii, with one star each. */
static void sizes_of_frames(void **state)
{
	(void)state;
	enum { NAME, VERDICT, LOW, HIGH, SEX, GROWTH, VARIANT, COLUMNS };
	static const char *const wanted[COLUMNS] = {"file", "verdict", "hfr_lo", "hfr_hi",
		"hfr_px_sextractor", "hfr_px_growth", "variant"};
	int at[COLUMNS];
	FILE *file = open_table("truth.csv", at, wanted, COLUMNS);
	char line[2000];
	int frames = 0;
	int wrong = 0;
	while (fgets(line, sizeof line, file) != NULL) {
		char *field[FIELDS];
		cut(line, field);
		const char *name = field[at[NAME]];
		bool super = strcmp(field[at[VARIANT]], "super2x2") == 0;
		if (is_mosaic(name) != super) {
			continue;
		}
		double scale = super ? 2.0 : 1.0;
		double low = scale * number(field[at[LOW]]);
		double high = scale * number(field[at[HIGH]]);
		double sextractor = scale * number(field[at[SEX]]);
		double growth = scale * number(field[at[GROWTH]]);
		struct measurement m = measure(name, NULL, NULL);
		frames++;
		bool good;
		if (isnan(low)) {
			good = m.stars == 0 && isnan(m.hfr_px);
		} else {
			good = m.stars > 0 && m.hfr_px >= low && m.hfr_px <= high;
			double off = fmin(fabs(m.hfr_px / growth - 1.0), fabs(m.hfr_px / sextractor - 1.0));
			if (strncmp(name, "c8-sweep/", 9) == 0 || strcmp(field[at[VERDICT]], "donut") == 0) {
				good = good && m.stars == 1 && off < 0.03;
			}
			good = good && m.hfr_error_px > 0.0 && m.hfr_error_px < 0.15 * m.hfr_px;
		}
		print_message("%-38s %-9s %3d %8.3f +- %.3f (%.3f .. %.3f) %s\n", name,
			field[at[VERDICT]], m.stars, m.hfr_px, m.hfr_error_px, low, high,
			good ? "" : "WRONG");
		wrong += good ? 0 : 1;
		if (strcmp(name, "fram_trailed.fits.gz") == 0) {
			assert_true(m.trailed);
		}
		if (strcmp(field[at[VERDICT]], "donut") == 0 || strcmp(field[at[VERDICT]], "donuts") == 0) {
			assert_true(m.donut);
		}
		if (strcmp(field[at[VERDICT]], "focused") == 0) {
			assert_false(m.donut);
		}
	}
	fclose(file);
	assert_int_equal(frames, 39);
	assert_int_equal(wrong, 0);
}

/* Star by star, where another program's curve of growth calls a star isolated: half of those are
 * used, nine of ten of these within 5 %. */
static void sizes_of_stars(void **state)
{
	(void)state;
	enum { NAME, VARIANT, X, Y, GROWTH, COLUMNS };
	static const char *const wanted[COLUMNS] = {"file", "variant", "x", "y", "hfr_px_growth"};
	int at[COLUMNS];
	FILE *file = open_table("stars.csv", at, wanted, COLUMNS);
	struct star *list = malloc(MOST_STARS * sizeof *list);
	assert_non_null(list);
	size_t listed = 0;
	char last[200] = "";
	char line[2000];
	int all = 0;
	int matched = 0;
	int close = 0;
	while (fgets(line, sizeof line, file) != NULL) {
		char *field[FIELDS];
		cut(line, field);
		const char *name = field[at[NAME]];
		double growth = number(field[at[GROWTH]]);
		bool super = strcmp(field[at[VARIANT]], "super2x2") == 0;
		if (isnan(growth) || is_mosaic(name) != super) {
			continue;
		}
		if (strcmp(name, last) != 0) {
			measure(name, list, &listed);
			snprintf(last, sizeof last, "%s", name);
		}
		double scale = super ? 2.0 : 1.0;
		double x = (number(field[at[X]]) + 0.5) * scale - 0.5;
		double y = (number(field[at[Y]]) + 0.5) * scale - 0.5;
		growth *= scale;
		all++;
		for (size_t i = 0; i < listed; i++) {
			if (hypot(list[i].x - x, list[i].y - y) < fmax(1.0, 0.5 * growth)) {
				matched++;
				close += fabs(list[i].hfr_px / growth - 1.0) < 0.05 ? 1 : 0;
				break;
			}
		}
	}
	fclose(file);
	free(list);
	print_message("%d isolated stars, %d used here too, %d of them within 5 %%\n", all, matched,
		close);
	assert_true(matched >= all / 2);
	assert_true(close >= matched * 9 / 10);
}

static void low_snr_star_is_the_one(void **state)
{
	(void)state;
	static struct star list[MOST_STARS];
	size_t listed = 0;
	struct measurement m = measure("phd2_lowsnr.fits.gz", list, &listed);
	assert_int_equal(m.stars, 1);
	assert_true(hypot(list[0].x - 730.127, list[0].y - 368.318) < 2.0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_of_frames),
		cmocka_unit_test(sizes_of_stars),
		cmocka_unit_test(low_snr_star_is_the_one),
	};
	if (!frames_here()) {
		return 77; /* skipped, to the build system */
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
