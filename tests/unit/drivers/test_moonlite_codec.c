/* SPDX-License-Identifier: MIT */
/*
 * Expected bytes are those of the Moonlite serial command set (commands, and 20000 = 4E20,
 * 23000 = 59D8, 10.5 C = 0015, -2.5 C = FFFB as its examples of numbers) and of what clones are
 * documented to send.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "moonlite_codec.h"

static void test_encode(void **state)
{
	(void)state;
	static const struct {
		enum moonlite_command command;
		int32_t value;
		const char *bytes; /* NULL: refused */
	} rows[] = {
		{MOONLITE_GET_POSITION, 0, ":GP#"},
		{MOONLITE_GET_TARGET, 0, ":GN#"},
		{MOONLITE_SET_TARGET, 0, ":SN0000#"},
		{MOONLITE_SET_TARGET, 20000, ":SN4E20#"},
		{MOONLITE_SET_TARGET, 23000, ":SN59D8#"},
		{MOONLITE_SET_TARGET, 65535, ":SNFFFF#"},
		{MOONLITE_SET_TARGET, 70000, ":SN11170#"},
		{MOONLITE_SET_TARGET, INT32_MAX, ":SN7FFFFFFF#"},
		{MOONLITE_SET_TARGET, -1, NULL},
		{MOONLITE_SET_TARGET, INT32_MIN, NULL},
		{MOONLITE_SET_POSITION, 20000, ":SP4E20#"},
		{MOONLITE_SET_POSITION, -5, NULL},
		{MOONLITE_GO, 0, ":FG#"},
		{MOONLITE_STOP, 0, ":FQ#"},
		{MOONLITE_GET_MOVING, 0, ":GI#"},
		{MOONLITE_GET_TEMPERATURE, 0, ":GT#"},
		{MOONLITE_CONVERT, 0, ":C#"},
		{MOONLITE_SET_OFFSET, 2, ":PO02#"},
		{MOONLITE_SET_OFFSET, -4, ":POFC#"},
		{MOONLITE_SET_OFFSET, -5, ":POFB#"},
		{MOONLITE_SET_OFFSET, -128, ":PO80#"},
		{MOONLITE_SET_OFFSET, 127, ":PO7F#"},
		{MOONLITE_SET_OFFSET, 128, NULL},
		{MOONLITE_SET_OFFSET, -129, NULL},
		{MOONLITE_GET_COEFFICIENT, 0, ":GC#"},
		{MOONLITE_SET_COEFFICIENT, -2, ":SCFE#"},
		{MOONLITE_COMPENSATION_ON, 0, ":+#"},
		{MOONLITE_COMPENSATION_OFF, 0, ":-#"},
		{MOONLITE_GET_DELAY, 0, ":GD#"},
		{MOONLITE_SET_DELAY, 0x20, ":SD20#"},
		{MOONLITE_SET_DELAY, 256, NULL},
		{MOONLITE_SET_DELAY, -1, NULL},
		{MOONLITE_GET_HALF_STEP, 0, ":GH#"},
		{MOONLITE_FULL_STEP, 0, ":SF#"},
		{MOONLITE_HALF_STEP, 0, ":SH#"},
		{MOONLITE_GET_VERSION, 0, ":GV#"},
		{MOONLITE_GET_BACKLIGHT, 0, ":GB#"},
	};
	bool seen[MOONLITE_COMMAND_COUNT] = {false};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char out[MOONLITE_MAX_COMMAND];
		size_t n = moonlite_encode(out, rows[i].command, rows[i].value);
		size_t want = rows[i].bytes == NULL ? 0 : strlen(rows[i].bytes);
		seen[rows[i].command] = true;
		if (n != want || memcmp(out, rows[i].bytes == NULL ? "" : rows[i].bytes, n) != 0) {
			fail_msg("row %zu: %.*s", i, (int)n, out);
		}
	}
	for (int i = 0; i < MOONLITE_COMMAND_COUNT; i++) {
		assert_true(seen[i]);
	}
}

/* Runs the scanner over all of text; the frames are joined with '|'. */
static void scan_all(scan_fn scan, const char *text, size_t n, char *out, size_t cap)
{
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
		{"a position", "4E20#", "4E20#"},
		{"lower case", "4e20#", "4e20#"},
		{"eight digits", "00004E20#", "00004E20#"},
		{"two at once", "01#4E20#", "01#|4E20#"},
		{"Ardufocus: two hashes", "00##", "00#"},
		{"the second hash is not the next reply", "00##4E20#", "00#|4E20#"},
		{"echo of the colon", ":4E20#", "4E20#"},
		{"CR LF after it", "4E20#\r\n01#", "4E20#|01#"},
		{"CR LF before it", "\r\n4E20#", "4E20#"},
		{"a blank inside the frame is the decoder's business", "4E 20#", "4E 20#"},
		{"boot text of Ardufocus", "Ardufocus v3.0 ready.\r\nup\r\n10#", "10#"},
		{"noise spoils its own frame only", "4\xF0" "E20#01#", "01#"},
		{"noise in front spoils the frame too", "\xFE\x80" "4E20#", ""},
		{"a letter that is no digit", "4E2G#0000#", "0000#"},
		{"endless digits", "000000000000000000000000000001#02#", "02#"},
		{"no terminator", "4E20", ""},
		{"hashes only", "####", ""},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char out[200];
		scan_all(moonlite_scan, rows[i].in, strlen(rows[i].in), out, sizeof out);
		if (strcmp(out, rows[i].frames) != 0) {
			fail_msg("%s: %s", rows[i].legend, out);
		}
	}
}

static void test_every_prefix_needs_more(void **state)
{
	(void)state;
	static const char *const good[] = {"4E20#", "FFFF#", "00004E20#", "01#", "0#", "FFFB#", "10#"};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		size_t whole = strlen(good[i]);
		for (size_t n = 0; n <= whole; n++) {
			struct span frame = {NULL, 0};
			size_t skip = 0;
			enum scan want = n == whole ? SCAN_FRAME : SCAN_MORE;
			assert_int_equal(moonlite_scan(good[i], n, &frame, &skip), want);
			assert_int_equal(moonlite_scan_version(good[i], n, &frame, &skip), want);
		}
	}
}

static void test_decode_position(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		bool good;
		int32_t value;
	} rows[] = {
		{"4E20#", true, 20000},
		{"59D8#", true, 23000},
		{"59d8#", true, 23000},
		{"0000#", true, 0},
		{"FFFF#", true, 65535},    /* never a negative number with four digits */
		{"11170#", true, 70000},
		{"00004E20#", true, 20000},
		{"FFFFFFFB#", true, -5},   /* 32-bit boards */
		{"7FFFFFFF#", true, INT32_MAX},
		{"4E20 #", true, 20000},
		{"\r\n4E20#", true, 20000},
		{"4E20", false, 0},
		{"#", false, 0},
		{"", false, 0},
		{"E20#", false, 0},
		{"01#", false, 0},
		{"4E 20#", false, 0},
		{"4E2G#", false, 0},
		{"4E20#0", false, 0},
		{"4E20##", false, 0},
		{"-4E20#", false, 0},
		{"0x4E20#", false, 0},
		{"000004E20#", false, 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int32_t value = 77;
		enum err_code code = moonlite_decode_position(span_of(rows[i].in), &value);
		if ((code == ERR_OK) != rows[i].good || value != (rows[i].good ? rows[i].value : 77)) {
			fail_msg("%s: %d", rows[i].in, (int)value);
		}
	}
}

static void test_decode_temperature(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		bool whole;
		enum err_code code;
		double celsius;
	} rows[] = {
		{"0015#", false, ERR_OK, 10.5},
		{"0029#", false, ERR_OK, 20.5},
		{"FFFB#", false, ERR_OK, -2.5},
		{"FFFF#", false, ERR_OK, -0.5},
		{"fffb#", false, ERR_OK, -2.5},
		{"0000#", false, ERR_OK, 0},
		{"20#", false, ERR_OK, 16.0},
		{"FF#", false, ERR_VALUE_NOT_SET, 0}, /* short ones are positive: 127.5 */
		{"FFFFFFFB#", false, ERR_OK, -2.5},
		{"00000015#", false, ERR_OK, 10.5},
		{"0000000A#", true, ERR_OK, 10.0},
		{"FFFFFFF6#", true, ERR_OK, -10.0},
		{"FF92#", false, ERR_OK, -55.0},
		{"FF91#", false, ERR_VALUE_NOT_SET, 0},
		{"FF02#", false, ERR_VALUE_NOT_SET, 0}, /* -127: no probe */
		{"FF00#", false, ERR_VALUE_NOT_SET, 0}, /* -128 */
		{"00FA#", false, ERR_OK, 125.0},
		{"7FFF#", false, ERR_VALUE_NOT_SET, 0},
		{"0015", false, ERR_PROTOCOL, 0},
		{"#", false, ERR_PROTOCOL, 0},
		{"1.5#", false, ERR_PROTOCOL, 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		double celsius = 77;
		enum err_code code = moonlite_decode_temperature(span_of(rows[i].in), rows[i].whole,
			&celsius);
		double want = rows[i].code == ERR_OK ? rows[i].celsius : 77;
		if (code != rows[i].code || celsius < want || celsius > want) {
			fail_msg("%s: %d %g", rows[i].in, (int)code, celsius);
		}
	}
}

static void test_decode_flag_and_version(void **state)
{
	(void)state;
	bool flag = false;
	assert_int_equal(moonlite_decode_flag(span_of("01#"), &flag), ERR_OK);
	assert_true(flag);
	assert_int_equal(moonlite_decode_flag(span_of("00#"), &flag), ERR_OK);
	assert_false(flag);
	assert_int_equal(moonlite_decode_flag(span_of("1#"), &flag), ERR_OK);
	assert_true(flag);
	assert_int_equal(moonlite_decode_flag(span_of("FF#"), &flag), ERR_OK);
	assert_true(flag);
	assert_int_equal(moonlite_decode_flag(span_of("#"), &flag), ERR_PROTOCOL);
	assert_int_equal(moonlite_decode_flag(span_of("no#"), &flag), ERR_PROTOCOL);
	assert_int_equal(moonlite_decode_flag(span_of("00"), &flag), ERR_PROTOCOL);

	char version[3] = "??";
	assert_int_equal(moonlite_decode_version(span_of("10#"), version), ERR_OK);
	assert_string_equal(version, "10");
	assert_int_equal(moonlite_decode_version(span_of("20"), version), ERR_OK);
	assert_string_equal(version, "20");
	static const char *const bad[] = {"", "#", "1#", "1", "100#", "1.0#", "10##", "4E20#", "1 #"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (moonlite_decode_version(span_of(bad[i]), version) != ERR_PROTOCOL) {
			fail_msg("%s", bad[i]);
		}
	}
	assert_string_equal(version, "20");
}

/* Which frames can be the answer to which question: positions and bytes never mix. */
static void test_fits(void **state)
{
	(void)state;
	static const struct {
		const char *frame;
		bool position, byte, temperature, version;
	} rows[] = {
		{"4E20#", true, false, true, false},
		{"00004E20#", true, false, true, false},
		{"01#", false, true, true, true},
		{"1#", false, true, true, false},
		{"123#", false, false, true, false},
		{"V1#", false, false, false, true},
		{"4E 20#", false, false, false, false},
		{"#", false, false, false, false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct span frame = span_of(rows[i].frame);
		assert_int_equal(moonlite_fits(MOONLITE_REPLY_POSITION, frame), rows[i].position);
		assert_int_equal(moonlite_fits(MOONLITE_REPLY_BYTE, frame), rows[i].byte);
		assert_int_equal(moonlite_fits(MOONLITE_REPLY_TEMPERATURE, frame),
			rows[i].temperature);
		assert_int_equal(moonlite_fits(MOONLITE_REPLY_VERSION, frame), rows[i].version);
		assert_false(moonlite_fits(MOONLITE_REPLY_NONE, frame));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_every_prefix_needs_more),
		cmocka_unit_test(test_decode_position),
		cmocka_unit_test(test_decode_temperature),
		cmocka_unit_test(test_decode_flag_and_version),
		cmocka_unit_test(test_fits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
