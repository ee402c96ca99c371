/* SPDX-License-Identifier: MIT */
/* The run object as the interface documents it (names, order free, unknown is null), and the report
 * fields that N.I.N.A.'s reader needs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "json.h"
#include "sample_run.h"

static struct json *parse(struct buf *text)
{
	struct err err = {0};
	struct json *json = json_parse((struct span){text->data, text->len}, &err);
	if (json == NULL) {
		fail_msg("%s in %s", err.text, buf_text(text));
	}
	return json;
}

static double number(const struct json *object, const char *key)
{
	double value = NAN;
	if (!json_as_double(json_get(object, key), &value)) {
		fail_msg("%s is no number", key);
	}
	return value;
}

static const char *text_of(const struct json *object, const char *key)
{
	const char *value = "";
	const struct json *member = json_get(object, key);
	if (member == NULL || !json_as_string(member, &value)) {
		fail_msg("%s is no text", key);
	}
	return value;
}

#define CALIBRATION(l, h) {.known = true, .calibrated = true, .low = (l), .high = (h)}

/* Today's numbering decides how an old run is shown; the run was published with limits 2000..40000 unless said
 * otherwise, its best position at 7990.25, which is the motor's 9990.25. */
static void test_renumbering(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		struct numbering then, today;
		enum run_numbers numbers;
		double best, low, first;
		const char *word;
	} rows[] = {
		{"the same", CALIBRATION(2000, 40000), CALIBRATION(2000, 40000), RUN_NUMBERS_TODAY, 7990.25, 7987, 8100,
			"today"},
		{"reversed since", CALIBRATION(2000, 40000),
			{.known = true, .calibrated = true, .reversed = true, .low = 2000, .high = 40000},
			RUN_NUMBERS_TODAY, 30009.75, 30006.5, 29900, "today"},
		{"calibrated anew", CALIBRATION(2000, 40000), CALIBRATION(1500, 40000), RUN_NUMBERS_OTHER, 7990.25,
			7987, 8100, "other"},
		{"a shorter range by configuration", {.known = true, .reversed = true, .high = 65535},
			{.known = true, .reversed = true, .high = 60000}, RUN_NUMBERS_TODAY, 2455.25, 2452, 2565,
			"today"},
		{"today's are not known", CALIBRATION(2000, 40000), {.known = false}, RUN_NUMBERS_UNTOLD, 7990.25, 7987,
			8100, NULL},
		{"of 0.1.0, and a motor that begins at 0", {.known = false}, {.known = true, .high = 65535},
			RUN_NUMBERS_UNTOLD, 7990.25, 7987, 8100, NULL},
		{"of 0.1.0, and positions are shifted today", {.known = false}, CALIBRATION(2000, 40000),
			RUN_NUMBERS_OTHER, 7990.25, 7987, 8100, "other"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct run_point points[3];
		struct run run = sample_run(7, points);
		run.numbering = rows[i].then;
		run_renumber(&run, &rows[i].today);
		if (run.numbers != rows[i].numbers || run.best_position != rows[i].best ||
			run.interval95_steps[0] != rows[i].low || run.points[0].position != rows[i].first ||
			run.curve.x0 != rows[i].best || run.uncertainty_steps != 1.5) {
			fail_msg("%s: %d %f %f %f", rows[i].what, (int)run.numbers, run.best_position,
				run.interval95_steps[0], run.points[0].position);
		}
		struct buf out;
		buf_init(&out, 65536);
		run_json(&run, &out);
		struct json *json = parse(&out);
		const char *word = NULL;
		(void)json_as_string(json_get(json, "numbers"), &word);
		assert_true(rows[i].word == NULL ? word == NULL : strcmp(word, rows[i].word) == 0);
		assert_true(json_is_null(json_get(json, "calibration")) == !rows[i].then.known);
		json_free(json);
		buf_clear(&out);
		run_text(&run, &out);
		assert_true((strstr(buf_text(&out), "of another calibration") != NULL) ==
			    (rows[i].numbers == RUN_NUMBERS_OTHER));
		buf_fini(&out);
	}
}

static void test_json(void **state)
{
	(void)state;
	struct run_point points[3];
	struct run run = sample_run(7, points);
	struct buf out;
	buf_init(&out, 65536);
	run_json(&run, &out);
	struct json *json = parse(&out);
	assert_true(number(json, "run") == 7);
	assert_string_equal(text_of(json, "state"), "succeeded");
	assert_string_equal(text_of(json, "started"), "2026-03-14T22:08:31.250Z");
	assert_string_equal(text_of(json, "focuser_name"), "Pier \"east\"");
	assert_true(number(json, "best_position") == 7990.25);
	assert_true(number(json, "duration_s") == 65.25);
	assert_true(number(json, "error_number") == 0);
	static const char *const names[] = {"phase", "progress", "focuser", "camera",
		"start_position", "final_position", "uncertainty_steps", "hfr_start_px",
		"hfr_predicted_px", "hfr_final_px", "r_squared", "model", "exposures", "points"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		assert_non_null(json_get(json, names[i]));
	}
	/* Unknown is null: neither absent nor 0. */
	static const char *const nulls[] = {"\"reason\":null", "\"filter\":null",
		"\"temperature_c\":null", "\"critical_focus_zone_steps\":null"};
	for (size_t i = 0; i < sizeof nulls / sizeof nulls[0]; i++) {
		assert_non_null(strstr(out.data, nulls[i]));
	}
	assert_non_null(strstr(out.data, "\"interval95_steps\":[7987,7993.5]"));
	assert_non_null(strstr(out.data, "{\"position\":7900.5,\"hfr_px\":null,\"error_px\":null,"
					 "\"stars\":0,\"flux_ratio\":null,\"used\":false,"
					 "\"why\":\"no stars\""));
	json_free(json);

	buf_clear(&out);
	run_json_summary(&run, &out);
	json = parse(&out);
	assert_null(json_get(json, "points"));
	assert_true(number(json, "run") == 7);
	json_free(json);

	run.state = RUN_FAILED;
	run.code = ERR_NO_STARS;
	run.curve.a = run.interval95_steps[0] = NAN;
	run.point_count = 0;
	memcpy(run.reason, "no stars", 9);
	buf_clear(&out);
	run_json(&run, &out);
	json = parse(&out);
	assert_string_equal(text_of(json, "state"), "failed");
	assert_string_equal(text_of(json, "reason"), "no stars");
	assert_true(number(json, "error_number") == 0x510);
	assert_non_null(strstr(out.data, "\"interval95_steps\":null"));
	assert_non_null(strstr(out.data, "\"fit\":null"));
	assert_non_null(strstr(out.data, "\"points\":[]"));
	json_free(json);
	buf_fini(&out);
}

/* What stars taught of the field: the shape by the formulas of field_train.h, calculated here once more. */
static void test_field(void **state)
{
	(void)state;
	struct run_point points[3];
	struct run run = sample_run(7, points);
	struct buf out;
	buf_init(&out, 65536);
	run_json(&run, &out);
	struct json *json = parse(&out);
	const struct json *field = json_get(json, "field");
	double half = 0.5 * hypot(4144, 2822);
	assert_true(fabs(number(field, "tilt_x_um") - (16.5 * 4143 / half * 2.5)) < 1e-9);
	assert_true(fabs(number(field, "tilt_y_steps") - (-11.25 * 2821 / half)) < 1e-9);
	assert_true(fabs(number(field, "curvature_um") - (20.75 * 2.5)) < 1e-9);
	assert_true(fabs(number(field, "curvature_sigma_um") - (sqrt(0.5 / 4) * 2.5)) < 1e-9);
	double middle = 7990.5 - 16.5 * 0.01 - 11.25 * 0.02 - 20.75 * 0.35;
	assert_true(fabs(number(field, "best_middle") - (middle)) < 1e-9);
	assert_true(fabs(number(field, "best_whole") - (middle + 20.75 / 3)) < 1e-9);
	json_free(json);
	/* The same numbers come back from the run object and from the field alone. */
	struct run_field read;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(run_field_parse(span_of(buf_text(&out)), &read, NULL), ERR_OK);
		assert_memory_equal(read.train.covariance, run.field.train.covariance, sizeof read.train.covariance);
		assert_memory_equal(read.train.value, run.field.train.value, sizeof read.train.value);
		assert_true(read.known && read.um_per_step == 2.5 && read.train.width == 4144);
		buf_clear(&out);
		run_field_json(&run.field, true, &out);
	}
	/* Without a train, as in lists, it is none to read. */
	buf_clear(&out);
	run_json_summary(&run, &out);
	struct err err = {0};
	assert_int_equal(run_field_parse(span_of(buf_text(&out)), &read, &err), ERR_INVALID_VALUE);
	assert_non_null(strstr(err.text, "no train"));
	/* What is not known is null, never 0. */
	run.field.um_per_step = NAN;
	run.field.train.covariance[FIELD_CURVATURE][FIELD_CURVATURE] = 1e6;
	buf_clear(&out);
	run_field_json(&run.field, false, &out);
	assert_non_null(strstr(out.data, "\"tilt_x_um\":null"));
	assert_non_null(strstr(out.data, "\"curvature_steps\":null"));
	assert_null(strstr(out.data, "\"tilt_x_steps\":null"));
	run.field.known = false;
	buf_clear(&out);
	run_field_json(&run.field, true, &out);
	assert_string_equal(out.data, "null");
	buf_fini(&out);
}

static void damaged_trains_are_refused(void **state)
{
	(void)state;
	struct run_point points[3];
	struct run run = sample_run(7, points);
	static const struct {
		const char *from, *to;
	} damages[] = {
		{"\"width\":4144", "\"width\":0"}, {"\"width\":4144", "\"width\":\"4144\""},
		{"\"star_scatter\":0.0125", "\"star_scatter\":0"}, {"\"value\":[7990.5,", "\"value\":["},
		{"\"covariance\":[0.5,", "\"covariance\":[-0.5,"}, {"\"covariance\":[", "\"covarianc\":["},
		{"{\"tilt", "[\"tilt"},
	};
	struct buf out, damaged;
	buf_init(&out, 65536);
	buf_init(&damaged, 65536);
	run_field_json(&run.field, true, &out);
	for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
		const char *at = strstr(out.data, damages[i].from);
		assert_non_null(at);
		buf_clear(&damaged);
		buf_add(&damaged, out.data, (size_t)(at - out.data));
		buf_puts(&damaged, damages[i].to);
		buf_puts(&damaged, at + strlen(damages[i].from));
		struct run_field read = {.known = false};
		struct err err = {0};
		assert_int_equal(run_field_parse(span_of(buf_text(&damaged)), &read, &err), ERR_INVALID_VALUE);
		assert_true(err.text[0] != '\0' && !read.known);
	}
	buf_fini(&out);
	buf_fini(&damaged);
}

static void test_csv(void **state)
{
	(void)state;
	struct run_point points[3];
	struct run run = sample_run(7, points);
	struct buf out;
	buf_init(&out, 4096);
	run_csv(&run, &out);
	assert_string_equal(buf_text(&out),
		"position,hfr_px,error_px,stars,flux_ratio,used,validation,why\r\n"
		"8100,4.5,0.05,1,1,true,false,\r\n"
		"7900.5,,,0,,false,false,no stars\r\n"
		"7990,2.1,0.1,1,0.98,true,true,\r\n");
	buf_fini(&out);
}

static void test_text(void **state)
{
	(void)state;
	struct run_point points[3];
	struct run run = sample_run(7, points);
	struct buf out;
	buf_init(&out, 4096);
	run_text(&run, &out);
	assert_string_equal(buf_text(&out),
		"Run 7 succeeded: best focus at 7990.2 +- 1.5 steps, 95 % interval 7987.0 to 7993.5\n"
		"  started     2026-03-14T22:08:31.250Z\n"
		"  took        65.2 s\n"
		"  focuser     Pier \"east\"\n"
		"  camera      C8\n"
		"  exposures   11 of 3.00 s, binning 1\n"
		"  position    from 7600 to 7990 steps, backlash 40\n"
		"  HFR         14.50 px before, 2.10 px after, 2.25 px by the curve\n"
		"  curve       hyperbola, R2 0.9990\n"
		"\n"
		"  position   hfr_px      +-  stars  sample\n"
		"      8100     4.50    0.05      1  used\n"
		"      7900        -       -      0  left out: no stars\n"
		"      7990     2.10    0.10      1  check at best focus\n");
	buf_fini(&out);
	run.state = RUN_FAILED;
	snprintf(run.reason, sizeof run.reason, "no stars at any position");
	run.point_count = 0;
	buf_init(&out, 4096);
	run_text(&run, &out);
	assert_non_null(strstr(buf_text(&out), "Run 7 failed: no stars at any position\n"));
	assert_null(strstr(buf_text(&out), "hfr_px"));
	buf_fini(&out);
}

static void test_nina(void **state)
{
	(void)state;
	setenv("TZ", "ONE-1", 1); /* one hour east of Greenwich */
	tzset();
	struct run_point points[3];
	struct run run = sample_run(7, points);
	/* Sorted by position, only what the fit used, no validation frame. */
	points[1] =
		(struct run_point){.position = 7700, .hfr_px = 11, .error_px = 0.2, .used = true};
	struct buf out;
	buf_init(&out, 65536);
	run_nina(&run, &out);
	struct json *json = parse(&out);
	assert_true(number(json, "Version") == 2);
	assert_string_equal(text_of(json, "Method"), "STARHFR");
	assert_string_equal(text_of(json, "Fitting"), "HYPERBOLIC");
	assert_string_equal(text_of(json, "Filter"), "");
	assert_string_equal(text_of(json, "Temperature"), "NaN");
	/* 22:08:31.250 UTC and 65.25 s later, an hour ahead */
	assert_string_equal(text_of(json, "Timestamp"), "2026-03-14T23:09:36.5000000+01:00");
	assert_string_equal(text_of(json, "Duration"), "00:01:05.2500000");
	const struct json *best = json_get(json, "CalculatedFocusPoint");
	assert_non_null(best);
	assert_true(number(best, "Position") == 7990.25);
	assert_true(number(best, "Value") == 2.25);
	assert_non_null(strstr(out.data,
		"\"MeasurePoints\":[{\"Position\":7700,\"Value\":11,\"Error\":0.2},"
		"{\"Position\":8100,\"Value\":4.5,\"Error\":0.05}]"));
	assert_non_null(json_get(json, "BacklashCompensation"));
	assert_true(number(json_get(json, "RSquares"), "Hyperbolic") == 0.999);
	json_free(json);
	buf_fini(&out);
}

static void test_copy(void **state)
{
	(void)state;
	struct run_point points[3];
	struct run run = sample_run(9, points);
	struct run *copy = run_copy(&run);
	assert_non_null(copy);
	points[0].position = 1;
	assert_true(copy->points[0].position == 8100);
	assert_int_equal(copy->point_count, 3);
	run_free(copy);
	run_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_renumbering),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_field),
		cmocka_unit_test(damaged_trains_are_refused),
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_nina),
		cmocka_unit_test(test_copy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
