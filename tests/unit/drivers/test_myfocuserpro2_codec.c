/* SPDX-License-Identifier: MIT */
/*
 * Expected bytes are those of the list of serial commands that comes with the myFocuserPro2 firmware;
 * :0523000# and :07080000# are spelled as INDI's driver for it was seen to send them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "myfocuserpro2_codec.h"

static void test_encode(void **state)
{
	(void)state;
	static const struct {
		enum mfp2_command command;
		int32_t value;
		const char *bytes; /* NULL: refused */
	} rows[] = {
		{MFP2_GET_POSITION, 0, ":00#"},
		{MFP2_GET_MOVING, 0, ":01#"},
		{MFP2_GREET, 0, ":02#"},
		{MFP2_GET_VERSION, 0, ":03#"},
		{MFP2_GET_NAME, 0, ":04#"},
		{MFP2_GOTO, 23000, ":0523000#"},
		{MFP2_GOTO, 0, ":050#"},
		{MFP2_GOTO, INT32_MAX, ":052147483647#"},
		{MFP2_GOTO, -1, NULL},
		{MFP2_GOTO, INT32_MIN, NULL},
		{MFP2_GET_TEMPERATURE, 0, ":06#"},
		{MFP2_SET_MAX, 80000, ":07080000#"},
		{MFP2_SET_MAX, 2000000, ":072000000#"},
		{MFP2_SET_MAX, -1, NULL},
		{MFP2_GET_MAX, 0, ":08#"},
		{MFP2_GET_COIL_POWER, 0, ":11#"},
		{MFP2_SET_COIL_POWER, 1, ":121#"},
		{MFP2_SET_COIL_POWER, 2, NULL},
		{MFP2_GET_REVERSE, 0, ":13#"},
		{MFP2_SET_REVERSE, 0, ":140#"},
		{MFP2_SET_REVERSE, -1, NULL},
		{MFP2_SET_SPEED, 0, ":150#"},
		{MFP2_SET_SPEED, 2, ":152#"},
		{MFP2_SET_SPEED, 3, NULL},
		{MFP2_SHOW_CELSIUS, 0, ":16#"},
		{MFP2_SET_COEFFICIENT, 12, ":2212#"},
		{MFP2_SET_COEFFICIENT, -12, NULL},
		{MFP2_SET_COMPENSATION, 1, ":231#"},
		{MFP2_SET_COMPENSATION, 0, ":230#"},
		{MFP2_GET_COMPENSATION, 0, ":24#"},
		{MFP2_GET_COEFFICIENT, 0, ":26#"},
		{MFP2_HALT, 0, ":27#"},
		{MFP2_HOME, 0, ":28#"},
		{MFP2_GET_STEP_MODE, 0, ":29#"},
		{MFP2_SET_STEP_MODE, 32, ":3032#"},
		{MFP2_SET_STEP_MODE, 0, NULL},
		{MFP2_SET_STEP_MODE, 257, NULL},
		{MFP2_SET_POSITION, 20000, ":3120000#"},
		{MFP2_SET_POSITION, -5, NULL},
		{MFP2_SET_DISPLAY, 0, ":360#"},
		{MFP2_GET_DISPLAY, 0, ":37#"},
		{MFP2_GET_SPEED, 0, ":43#"},
		{MFP2_SET_BACKLASH_IN_ON, 1, ":731#"},
		{MFP2_GET_BACKLASH_IN_ON, 0, ":74#"},
		{MFP2_SET_BACKLASH_OUT_ON, 0, ":750#"},
		{MFP2_GET_BACKLASH_OUT_ON, 0, ":76#"},
		{MFP2_SET_BACKLASH_IN, 120, ":77120#"},
		{MFP2_GET_BACKLASH_IN, 0, ":78#"},
		{MFP2_SET_BACKLASH_OUT, 120, ":79120#"},
		{MFP2_GET_BACKLASH_OUT, 0, ":80#"},
		{MFP2_GET_PROBE, 0, ":83#"},
	};
	bool seen[MFP2_COMMAND_COUNT] = {false};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char out[MFP2_MAX_COMMAND];
		size_t n = mfp2_encode(out, rows[i].command, rows[i].value);
		size_t want = rows[i].bytes == NULL ? 0 : strlen(rows[i].bytes);
		seen[rows[i].command] = true;
		if (n != want || memcmp(out, rows[i].bytes == NULL ? "" : rows[i].bytes, n) != 0) {
			fail_msg("row %zu: %.*s", i, (int)n, out);
		}
	}
	for (int i = 0; i < MFP2_COMMAND_COUNT; i++) {
		assert_true(seen[i]);
	}
}

/* Runs the scanner over all of text; the frames are joined with '|'. */
static void scan_all(scan_fn scan, const char *text, char *out, size_t cap)
{
	size_t n = strlen(text);
	size_t at = 0;
	size_t used = 0;
	out[0] = '\0';
	while (at < n) {
		struct span frame;
		size_t skip = 0;
		enum scan found = scan(text + at, n - at, &frame, &skip);
		if (found == SCAN_MORE) {
			break;
		}
		assert_true(skip > 0 && skip <= n - at);
		if (found == SCAN_FRAME) {
			used += (size_t)snprintf(out + used, cap - used, "%s%.*s",
				used > 0 ? "|" : "", (int)frame.len, frame.data);
		}
		at += skip;
	}
}

static void test_scan(void **state)
{
	(void)state;
	static const struct {
		const char *legend, *in, *frames;
	} rows[] = {
		{"a position", "P20000#", "P20000#"},
		{"a temperature", "Z-2.50#", "Z-2.50#"},
		{"two at once", "I0#P20000#", "I0#|P20000#"},
		{"every answer twice", "I0#I0#", "I0#|I0#"},
		{"two hashes", "EOK##P5#", "EOK#|P5#"},
		{"an echo is a frame, and fits nothing", ":00#P5#", "00#|P5#"},
		{"CR LF after it", "P5#\r\nI1#", "P5#|I1#"},
		{"boot text", "myFocuserPro2 v291\r\nready\r\nEOK#", "EOK#"},
		{"a line without a frame", "F291\r\nP5#", "P5#"},
		{"noise spoils its own frame only", "P20\xF0" "00#I1#", "I1#"},
		{"noise in front spoils the frame too", "\xFE\x80" "P20000#", ""},
		{"a blank is no part of a reply", "P 20000#I1#", "I1#"},
		{"half a reply and the next", "P200I1#", "P200I1#"}, /* the decoder's business */
		{"endless", "P0000000000000000000000000000000#I1#", "I1#"},
		{"no terminator", "P20000", ""},
		{"hashes only", "####", ""},
		{"the name is for the other scanner", "FmyFP2\r\n291#I1#", "291#|I1#"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char out[200];
		scan_all(mfp2_scan, rows[i].in, out, sizeof out);
		if (strcmp(out, rows[i].frames) != 0) {
			fail_msg("%s: %s", rows[i].legend, out);
		}
	}
	char out[200];
	scan_all(mfp2_scan_name, "\r\n#FmyFP2 M_DRV8825\r\n291#I1#", out, sizeof out);
	assert_string_equal(out, "FmyFP2 M_DRV8825\r\n291#|I1#");
	scan_all(mfp2_scan_name, "FmyFP2\xF0\r\n291#I1#", out, sizeof out);
	assert_string_equal(out, "291#|I1#");
}

/* Every reply of the document, with its command. */
static const struct {
	enum mfp2_command command;
	const char *frame;
	int32_t value;
} good[] = {
	{MFP2_GET_POSITION, "P20000#", 20000},
	{MFP2_GET_POSITION, "P0#", 0},
	{MFP2_GET_POSITION, "P-5#", -5},
	{MFP2_GET_POSITION, "P2147483647#", INT32_MAX},
	{MFP2_GET_MOVING, "I0#", 0},
	{MFP2_GET_MOVING, "I1#", 1},
	{MFP2_GET_MOVING, "I00#", 0},
	{MFP2_GET_MOVING, "I01#", 1},
	{MFP2_GET_MAX, "M80000#", 80000},
	{MFP2_GET_MAX, "M2000000000#", 2000000000},
	{MFP2_GET_COIL_POWER, "O0#", 0},
	{MFP2_GET_REVERSE, "R1#", 1},
	{MFP2_GET_COMPENSATION, "10#", 0},
	{MFP2_GET_COMPENSATION, "11#", 1},
	{MFP2_GET_COEFFICIENT, "B12#", 12},
	{MFP2_GET_STEP_MODE, "S32#", 32},
	{MFP2_GET_DISPLAY, "D1#", 1},
	{MFP2_GET_SPEED, "C2#", 2},
	{MFP2_GET_BACKLASH_IN_ON, "41#", 1},
	{MFP2_GET_BACKLASH_OUT_ON, "50#", 0},
	/* The first character is the name of the field: 120 steps, not 6120. */
	{MFP2_GET_BACKLASH_IN, "6120#", 120},
	{MFP2_GET_BACKLASH_OUT, "70#", 0},
	{MFP2_GET_PROBE, "c1#", 1},
};

#define GOOD (sizeof good / sizeof good[0])

static void test_decode_number(void **state)
{
	(void)state;
	for (size_t i = 0; i < GOOD; i++) {
		int32_t value = 77;
		assert_int_equal(mfp2_decode_number(good[i].command, span_of(good[i].frame), &value),
			ERR_OK);
		assert_int_equal(value, good[i].value);
		assert_true(mfp2_fits(good[i].command, span_of(good[i].frame)));
	}
	static const struct {
		enum mfp2_command command;
		const char *frame;
	} bad[] = {
		{MFP2_GET_POSITION, ""},
		{MFP2_GET_POSITION, "#"},
		{MFP2_GET_POSITION, "P"},
		{MFP2_GET_POSITION, "P#"},
		{MFP2_GET_POSITION, "P-#"},
		{MFP2_GET_POSITION, "P5"},
		{MFP2_GET_POSITION, "P5##"},
		{MFP2_GET_POSITION, "P5#0"},
		{MFP2_GET_POSITION, "P5#6#"},
		{MFP2_GET_POSITION, " P5#"},
		{MFP2_GET_POSITION, "P 5#"},
		{MFP2_GET_POSITION, "P+5#"},
		{MFP2_GET_POSITION, "P5.0#"},
		{MFP2_GET_POSITION, "P0x5#"},
		{MFP2_GET_POSITION, "P5A#"},
		{MFP2_GET_POSITION, "p5#"},
		{MFP2_GET_POSITION, "5#"},
		{MFP2_GET_POSITION, "PP5#"},
		{MFP2_GET_POSITION, "M5#"},
		{MFP2_GET_POSITION, "P2147483648#"},
		{MFP2_GET_POSITION, "P-2147483649#"},
		{MFP2_GET_POSITION, "P99999999999999999999#"},
		{MFP2_GET_MOVING, "I2#"},
		{MFP2_GET_MOVING, "I-1#"},
		{MFP2_GET_MOVING, "I-0#"},
		{MFP2_GET_MOVING, "I10#"},
		{MFP2_GET_MOVING, "I001#"},
		{MFP2_GET_MOVING, "I#"},
		{MFP2_GET_MOVING, "P1#"},
		{MFP2_GET_MAX, "M-1#"},
		{MFP2_GET_MAX, "M#"},
		{MFP2_GET_COMPENSATION, "1#"},
		{MFP2_GET_COMPENSATION, "12#"},
		{MFP2_GET_COMPENSATION, "41#"},
		{MFP2_GET_BACKLASH_IN_ON, "4#"},
		{MFP2_GET_BACKLASH_IN_ON, "6120#"},
		{MFP2_GET_BACKLASH_IN, "6#"},
		{MFP2_GET_BACKLASH_IN, "7120#"},
		{MFP2_GET_BACKLASH_IN, "6-120#"},
		{MFP2_GET_PROBE, "C1#"},
		/* These have no number. */
		{MFP2_GREET, "EOK#"},
		{MFP2_GET_VERSION, "F291#"},
		{MFP2_GET_TEMPERATURE, "Z20#"},
		{MFP2_HALT, "27#"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		int32_t value = 77;
		if (mfp2_decode_number(bad[i].command, span_of(bad[i].frame), &value) != ERR_PROTOCOL ||
			value != 77) {
			fail_msg("%s: %d", bad[i].frame, (int)value);
		}
	}
}

static void test_every_prefix_needs_more(void **state)
{
	(void)state;
	static const char *const others[] = {"EOK#", "F291#", "F3.0.1-2#", "Z20.50#", "Z-2.50#", "Znan#"};
	for (size_t i = 0; i < GOOD + sizeof others / sizeof others[0]; i++) {
		const char *text = i < GOOD ? good[i].frame : others[i - GOOD];
		size_t whole = strlen(text);
		for (size_t n = 0; n <= whole; n++) {
			struct span frame = {NULL, 0};
			size_t skip = 0;
			enum scan want = n == whole ? SCAN_FRAME : SCAN_MORE;
			assert_int_equal(mfp2_scan(text, n, &frame, &skip), want);
			assert_int_equal(mfp2_scan_name(text, n, &frame, &skip), want);
			/* No decoder is content with less than the whole. */
			struct span cut = {.data = text, .len = n};
			for (int c = 0; n < whole && c < MFP2_COMMAND_COUNT; c++) {
				assert_false(mfp2_fits((enum mfp2_command)c, cut));
			}
		}
	}
	static const char name[] = "FmyFP2 M_DRV8825\r\n291#";
	for (size_t n = 0; n < sizeof name; n++) {
		struct span frame = {NULL, 0};
		size_t skip = 0;
		assert_int_equal(mfp2_scan_name(name, n, &frame, &skip),
			n == sizeof name - 1 ? SCAN_FRAME : SCAN_MORE);
	}
}

/* Fields have names of their own, so a late answer fits no other question. */
static void test_no_answer_fits_two_questions(void **state)
{
	(void)state;
	for (size_t i = 0; i < GOOD; i++) {
		for (int c = 0; c < MFP2_COMMAND_COUNT; c++) {
			bool fits = mfp2_fits((enum mfp2_command)c, span_of(good[i].frame));
			if (fits != ((enum mfp2_command)c == good[i].command)) {
				fail_msg("%s and command %d", good[i].frame, c);
			}
		}
	}
}

static void test_decode_temperature(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		enum err_code code;
		double celsius;
	} rows[] = {
		{"Z20.50#", ERR_OK, 20.5},
		{"Z-2.50#", ERR_OK, -2.5},
		{"Z0.00#", ERR_OK, 0},
		{"Z-0.250#", ERR_OK, -0.25},
		{"Z20#", ERR_OK, 20},
		{"Z-55.00#", ERR_OK, -55},
		{"Z125.00#", ERR_OK, 125},
		{"Z85.00#", ERR_OK, 85}, /* core knows what that means */
		{"Z-127.00#", ERR_VALUE_NOT_SET, 0},
		{"Z-55.01#", ERR_VALUE_NOT_SET, 0},
		{"Z125.01#", ERR_VALUE_NOT_SET, 0},
		{"Z9999999999#", ERR_VALUE_NOT_SET, 0},
		{"Znan#", ERR_VALUE_NOT_SET, 0},
		{"ZNAN#", ERR_VALUE_NOT_SET, 0},
		{"Z#", ERR_PROTOCOL, 0},
		{"Z-#", ERR_PROTOCOL, 0},
		{"Z.#", ERR_PROTOCOL, 0},
		{"Z20.50", ERR_PROTOCOL, 0},
		{"Z20.50##", ERR_PROTOCOL, 0},
		{"Z20.5.0#", ERR_PROTOCOL, 0},
		{"Z20,50#", ERR_PROTOCOL, 0},
		{"Z+20.50#", ERR_PROTOCOL, 0},
		{"Z2e1#", ERR_PROTOCOL, 0},
		{"Z0x14#", ERR_PROTOCOL, 0},
		{"Zinf#", ERR_PROTOCOL, 0},
		{"Z2-0#", ERR_PROTOCOL, 0},
		{"20.50#", ERR_PROTOCOL, 0},
		{"P20#", ERR_PROTOCOL, 0},
		{"", ERR_PROTOCOL, 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		double celsius = 77;
		enum err_code code = mfp2_decode_temperature(span_of(rows[i].in), &celsius);
		double want = rows[i].code == ERR_OK ? rows[i].celsius : 77;
		if (code != rows[i].code || celsius < want || celsius > want) {
			fail_msg("%s: %d %g", rows[i].in, (int)code, celsius);
		}
		/* A broken probe is an answer, too. */
		assert_int_equal(mfp2_fits(MFP2_GET_TEMPERATURE, span_of(rows[i].in)),
			rows[i].code != ERR_PROTOCOL);
	}
}

static void test_greeting_version_and_name(void **state)
{
	(void)state;
	assert_true(mfp2_fits(MFP2_GREET, span_of("EOK#")));
	static const char *const no_greeting[] = {"EOK", "Eok#", "EOKAY#", "OK#", "E#", "EOK##", "#", ""};
	for (size_t i = 0; i < sizeof no_greeting / sizeof no_greeting[0]; i++) {
		assert_false(mfp2_fits(MFP2_GREET, span_of(no_greeting[i])));
	}
	char version[MFP2_MAX_VERSION] = "kept";
	static const char *const no_version[] = {"", "#", "F#", "F291", "291#", "F29 1#", "F291##",
		"F1234567890123456#", "F29\xF0#", "f291#", "FmyFP2\r\n291#"};
	for (size_t i = 0; i < sizeof no_version / sizeof no_version[0]; i++) {
		if (mfp2_decode_version(span_of(no_version[i]), version) != ERR_PROTOCOL) {
			fail_msg("%s", no_version[i]);
		}
	}
	assert_string_equal(version, "kept");
	assert_int_equal(mfp2_decode_version(span_of("F291#"), version), ERR_OK);
	assert_string_equal(version, "291");
	assert_int_equal(mfp2_decode_version(span_of("F123456789012345#"), version), ERR_OK);
	assert_string_equal(version, "123456789012345");

	char name[MFP2_MAX_NAME] = "kept";
	static const char *const no_name[] = {"", "#", "F#", "F\r\n291#", "FmyFP2\r\n291", "XmyFP2\r\n291#",
		"FmyFP2\r\n29 1#", "FmyFP2\r\n291\r\n292#", "FmyFP2\r\n1234567890123456#", "Fmy\001FP2\r\n291#",
		"F123456789012345678901234567890123456789012345678\r\n291#"};
	for (size_t i = 0; i < sizeof no_name / sizeof no_name[0]; i++) {
		if (mfp2_decode_name(span_of(no_name[i]), name, version) != ERR_PROTOCOL) {
			fail_msg("%s", no_name[i]);
		}
		assert_false(mfp2_fits(MFP2_GET_NAME, span_of(no_name[i])));
	}
	assert_string_equal(name, "kept");
	assert_string_equal(version, "123456789012345");
	static const char *const lines[] = {"FmyFP2 M_DRV8825\r\n291#", "FmyFP2 M_DRV8825\n291#"};
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(mfp2_decode_name(span_of(lines[i]), name, version), ERR_OK);
		assert_string_equal(name, "myFP2 M_DRV8825");
		assert_string_equal(version, "291");
	}
	assert_int_equal(mfp2_decode_name(span_of("FmyFP2#"), name, version), ERR_OK);
	assert_string_equal(name, "myFP2");
	assert_string_equal(version, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_decode_number),
		cmocka_unit_test(test_every_prefix_needs_more),
		cmocka_unit_test(test_no_answer_fits_two_questions),
		cmocka_unit_test(test_decode_temperature),
		cmocka_unit_test(test_greeting_version_and_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
