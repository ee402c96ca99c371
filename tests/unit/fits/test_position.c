/* SPDX-License-Identifier: MIT */
/* The rule by which a list of frames tells positions from other numbers in names. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "fits_frame.h"

#define NO NAN
enum { MOST = 6 };

/* A list of frames; a row ends at the first frame where name and header are both 0, NO is a claim that is absent.
 * The expected values are the rule of the manual, worked out by hand for each row. */
struct row {
	const char *what;
	struct {
		double name, header;
	} frames[MOST];
	enum fits_names names;
	double first; /* the position of the first frame, NO for none */
};

static const struct row rows[] = {
	{"m42_0007_2s: a counter beside headers", {{7, 11500}, {8, 11750}, {9, 12000}, {10, 12250}, {11, 12500}},
		FITS_NAMES_COUNT, 11500},
	{"a counter in any order", {{9, 12000}, {7, 11500}, {8, 11750}}, FITS_NAMES_COUNT, 12000},
	{"a counter from which frames are gone", {{7, 11500}, {9, 11750}, {10, 12000}, {11, 12250}},
		FITS_NAMES_COUNT, 11500},
	{"a counter within the headers' range", {{101, 80}, {102, 100}, {103, 120}}, FITS_NAMES_COUNT, 80},
	{"a counter without headers", {{1, NO}, {2, NO}, {3, NO}}, FITS_NAMES_COUNT, NO},
	{"a galaxy's number", {{7000, 6900}, {7000, 7000}, {7000, 7100}}, FITS_NAMES_CONSTANT, 6900},
	{"a galaxy's number without headers", {{7000, NO}, {7000, NO}}, FITS_NAMES_CONSTANT, NO},
	{"times of day", {{213045, 11500}, {213112, 11750}, {213140, 12000}}, FITS_NAMES_FAR, 11500},
	{"a single counter beside a header", {{7, 11500}}, FITS_NAMES_FAR, 11500},
	{"a single frame of 11500 named after ISO 800", {{800, 11500}}, FITS_NAMES_FAR, 11500},
	{"positions, headers before the move", {{7350, 7150}, {7550, 7350}, {7750, 7550}}, FITS_NAMES_STAND, 7350},
	{"positions that agree", {{7350, 7350}, {7550, 7550}}, FITS_NAMES_STAND, 7350},
	{"positions without headers", {{7350, NO}, {7550, NO}, {7750, NO}}, FITS_NAMES_STAND, 7350},
	{"positions one step apart, each taken twice", {{50, NO}, {50, NO}, {51, NO}, {51, NO}, {52, NO}, {52, NO}},
		FITS_NAMES_STAND, 50},
	{"positions two steps apart", {{50, NO}, {52, NO}, {54, NO}}, FITS_NAMES_STAND, 50},
	{"one stray header among good ones", {{7350, 1}, {7550, 7550}, {7750, 7750}}, FITS_NAMES_STAND, 7350},
	{"headers alone", {{NO, 7350}, {NO, 7351}, {NO, 7352}}, FITS_NAMES_STAND, 7350},
	{"a single position", {{7350, NO}}, FITS_NAMES_STAND, 7350},
	{"a single position near its header", {{8000, 8025}}, FITS_NAMES_STAND, 8000},
	{"neither", {{NO, NO}}, FITS_NAMES_STAND, NO},
};

static void lists_are_judged_as_a_whole(void **state)
{
	(void)state;
	unsigned wrong = 0;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct fits_position list[MOST] = {0};
		size_t n = 0;
		while (n < MOST && (rows[i].frames[n].name != 0.0 || rows[i].frames[n].header != 0.0)) {
			double name = rows[i].frames[n].name;
			double header = rows[i].frames[n].header;
			list[n++] = (struct fits_position){.in_name = !isnan(name), .in_header = !isnan(header),
				.name_steps = isnan(name) ? 0.0 : name, .header_steps = isnan(header) ? 0.0 : header};
		}
		enum fits_names names = FITS_NAMES_STAND;
		struct err err = {0};
		assert_int_equal(fits_names_judge(list, n, &names, &err), ERR_OK);
		double first = NO;
		bool known = fits_position_choose(&list[0], names, &first);
		if (names != rows[i].names || known == isnan(rows[i].first) || (known && first != rows[i].first)) {
			print_error("%s: verdict %d, first position %g\n", rows[i].what, (int)names, first);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

static void an_empty_list_has_no_verdict_against_names(void **state)
{
	(void)state;
	enum fits_names names = FITS_NAMES_FAR;
	struct err err = {0};
	assert_int_equal(fits_names_judge(NULL, 0, &names, &err), ERR_OK);
	assert_int_equal(names, FITS_NAMES_STAND);
}

static void claims_differ_beyond_rounding(void **state)
{
	(void)state;
	struct fits_position p = {.in_name = true, .in_header = true, .name_steps = 8000, .header_steps = 8025};
	assert_true(fits_position_differs(&p));
	p.header_steps = 8000.4;
	assert_false(fits_position_differs(&p));
	p.header_steps = 8025;
	p.in_header = false;
	assert_false(fits_position_differs(&p));
}

/* The numbers are those of date(1): date -u -d TEXT +%s. */
static void dates_of_headers(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t utc_ms; /* -1: no date */
	} dates[] = {
		{"2000-01-01T00:00:00", INT64_C(946684800000)},
		{"2026-11-28T21:05:07.25", INT64_C(1795899907250)},
		{"2024-02-29T23:59:59.999Z", INT64_C(1709251199999)},
		{"9999-12-31T23:59:59", INT64_C(253402300799000)},
		{"2026-11-28", -1}, {"28/11/26", -1}, {"2026-13-01T00:00:00", -1}, {"2026-11-28T25:00:00", -1},
		{"2026-11-28T21:05:07.", -1}, {"2026-11-28T21:05:07,5", -1}, {"2026-11-28T21:05:07.5e9", -1},
		{"2026-11-28T21:05:07+01:00", -1}, {"1969-12-31T23:59:59", -1}, {"", -1},
	};
	for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
		int64_t utc_ms = -1;
		bool is_date = fits_date_parse(dates[i].text, &utc_ms);
		if (utc_ms != dates[i].utc_ms || is_date != (utc_ms >= 0)) {
			fail_msg("%s: %lld", dates[i].text, (long long)utc_ms);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_judged_as_a_whole),
		cmocka_unit_test(an_empty_list_has_no_verdict_against_names),
		cmocka_unit_test(dates_of_headers),
		cmocka_unit_test(claims_differ_beyond_rounding),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
