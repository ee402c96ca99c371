/* SPDX-License-Identifier: MIT */
/*
 * Expected bytes are the worked examples of the AUX protocol for the focus motor (version 7.15.8240,
 * positions 20000, 0 and -1000, target 23000, limits 2000..40000) and of the pass-through of the hand
 * controllers in "NexStar communication protocol".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "celestron_codec.h"

/* "3B 03 20" to bytes. */
static size_t bytes_of(const char *hex, char *out, size_t cap)
{
	size_t n = 0;
	unsigned value = 0;
	int taken = 0;
	while (sscanf(hex, "%2x%n", &value, &taken) == 1) {
		assert_true(n < cap);
		out[n++] = (char)value;
		hex += taken;
	}
	return n;
}

static void assert_bytes(const char *got, size_t n, const char *hex, const char *legend)
{
	char want[64];
	size_t len = bytes_of(hex, want, sizeof want);
	if (n != len || memcmp(got, want, n) != 0) {
		char text[200] = "";
		for (size_t i = 0; i < n && i < 60; i++) {
			snprintf(text + 3 * i, 4, "%02X ", (unsigned)(uint8_t)got[i]);
		}
		fail_msg("%s: %s instead of %s", legend, text, hex);
	}
}

static const struct request_row {
	const char *legend;
	uint8_t command;
	int count;
	uint8_t data[3];
	const char *bytes;
} requests[] = {
	{"version", CELESTRON_GET_VERSION, 0, {0}, "3B 03 20 12 FE CD"},
	{"position", CELESTRON_GET_POSITION, 0, {0}, "3B 03 20 12 01 CA"},
	{"goto fast 23000", CELESTRON_GOTO_FAST, 3, {0x00, 0x59, 0xD8}, "3B 06 20 12 02 00 59 D8 95"},
	{"goto slow 23000", CELESTRON_GOTO_SLOW, 3, {0x00, 0x59, 0xD8}, "3B 06 20 12 17 00 59 D8 80"},
	{"slew done?", CELESTRON_SLEW_DONE, 0, {0}, "3B 03 20 12 13 B8"},
	{"move + rate 3", CELESTRON_MOVE_POSITIVE, 1, {3}, "3B 04 20 12 24 03 A3"},
	{"move - rate 3", CELESTRON_MOVE_NEGATIVE, 1, {3}, "3B 04 20 12 25 03 A2"},
	{"move + rate 9", CELESTRON_MOVE_POSITIVE, 1, {9}, "3B 04 20 12 24 09 9D"},
	{"move - rate 9", CELESTRON_MOVE_NEGATIVE, 1, {9}, "3B 04 20 12 25 09 9C"},
	{"stop", CELESTRON_MOVE_POSITIVE, 1, {0}, "3B 04 20 12 24 00 A6"},
	{"stop, the other way", CELESTRON_MOVE_NEGATIVE, 1, {0}, "3B 04 20 12 25 00 A5"},
	{"calibrate", CELESTRON_CALIBRATE, 1, {1}, "3B 04 20 12 2A 01 9F"},
	{"abort calibration", CELESTRON_CALIBRATE, 1, {0}, "3B 04 20 12 2A 00 A0"},
	{"calibration state", CELESTRON_CALIBRATION_STATE, 0, {0}, "3B 03 20 12 2B A0"},
	{"limits", CELESTRON_GET_LIMITS, 0, {0}, "3B 03 20 12 2C 9F"},
	{"model", 0x05, 0, {0}, "3B 03 20 12 05 C6"},
};
#define REQUESTS (sizeof requests / sizeof requests[0])

static struct celestron_packet packet_of(const struct request_row *row)
{
	struct celestron_packet packet = {.src = CELESTRON_APP, .dst = CELESTRON_FOCUSER,
		.command = row->command, .count = row->count};
	memcpy(packet.data, row->data, sizeof row->data);
	return packet;
}

static void test_encode(void **state)
{
	(void)state;
	for (size_t i = 0; i < REQUESTS; i++) {
		char out[CELESTRON_MAX_PACKET];
		struct celestron_packet packet = packet_of(&requests[i]);
		size_t n = celestron_encode(out, &packet);
		assert_bytes(out, n, requests[i].bytes, requests[i].legend);
		struct celestron_packet back;
		assert_int_equal(
			celestron_decode((struct span){.data = out, .len = n}, &back), ERR_OK);
		assert_int_equal(back.command, packet.command);
		assert_int_equal(back.count, packet.count);
		assert_memory_equal(back.data, packet.data, (size_t)packet.count);
	}
	char out[CELESTRON_MAX_PACKET];
	struct celestron_packet packet = {.count = CELESTRON_MAX_DATA};
	assert_int_equal(celestron_encode(out, &packet), CELESTRON_MAX_PACKET);
	packet.count = CELESTRON_MAX_DATA + 1;
	assert_int_equal(celestron_encode(out, &packet), 0);
	packet.count = -1;
	assert_int_equal(celestron_encode(out, &packet), 0);
}

/* Everything a motor answers, with what it means in words. */
static const struct reply_row {
	const char *legend, *bytes;
	uint8_t command;
	const char *means;
} replies[] = {
	{"version 7.15.8240", "3B 07 12 20 FE 07 0F 20 30 63", 0xFE, "version 7.15.8240"},
	{"EFA 1.7", "3B 05 12 20 FE 01 07 C3", 0xFE, "version 1.7.-1"},
	{"position 20000", "3B 06 12 20 01 00 4E 20 59", 0x01, "position 20000"},
	{"position 0", "3B 06 12 20 01 00 00 00 C7", 0x01, "position 0"},
	{"position -1000", "3B 06 12 20 01 FF FC 18 B4", 0x01, "position -1000"},
	{"goto fast, with data", "3B 04 12 20 02 01 C7", 0x02, "ack"},
	{"goto fast, without", "3B 03 12 20 02 C9", 0x02, "ack"},
	{"goto slow", "3B 04 12 20 17 01 B2", 0x17, "ack"},
	{"goto refused", "3B 04 12 20 02 00 C8", 0x02, "refused"},
	{"moving", "3B 04 12 20 13 00 B7", 0x13, "moving"},
	{"at rest", "3B 04 12 20 13 FF B8", 0x13, "at rest"},
	{"given up", "3B 04 12 20 13 FE B9", 0x13, "at rest"},
	{"stop, with data", "3B 04 12 20 24 01 A5", 0x24, "ack"},
	{"stop, without", "3B 03 12 20 24 A7", 0x24, "ack"},
	{"calibrate", "3B 04 12 20 2A 01 9F", 0x2A, "ack"},
	{"step 4", "3B 05 12 20 2B 00 04 9A", 0x2B, "step 4"},
	{"done", "3B 05 12 20 2B 01 00 9D", 0x2B, "complete"},
	{"idle or failed", "3B 05 12 20 2B 00 00 9E", 0x2B, "step 0"},
	{"limits 2000..40000", "3B 0B 12 20 2C 00 00 07 D0 00 00 9C 40 E4", 0x2C,
		"limits 2000 40000 valid"},
	{"uncalibrated", "3B 0B 12 20 2C 00 00 00 00 00 00 00 00 97", 0x2C, "limits 0 0"},
	{"not understood", "3B 03 12 20 F0 DB", 0xF0, "not understood"},
};
#define REPLIES (sizeof replies / sizeof replies[0])

/* What a reply means, "wrong" when it has not the shape of its command's. */
static void explain(const struct celestron_packet *p, char *out, size_t cap)
{
	int32_t position = 0;
	bool moving = false;
	struct celestron_calibration calibration = {false, 0};
	struct celestron_limits limits = {0, 0};
	struct celestron_version version = {0, 0, 0};
	enum err_code code = ERR_OK;
	switch (p->command) {
	case CELESTRON_GET_VERSION:
		code = celestron_version(p, &version);
		snprintf(out, cap, "version %d.%d.%d", version.major, version.minor, version.build);
		break;
	case CELESTRON_GET_POSITION:
		code = celestron_position(p, &position);
		snprintf(out, cap, "position %d", (int)position);
		break;
	case CELESTRON_SLEW_DONE:
		code = celestron_slew_done(p, &moving);
		snprintf(out, cap, "%s", moving ? "moving" : "at rest");
		break;
	case CELESTRON_CALIBRATION_STATE:
		code = celestron_calibration_state(p, &calibration);
		if (calibration.complete) {
			snprintf(out, cap, "complete");
		} else {
			snprintf(out, cap, "step %d", calibration.step);
		}
		break;
	case CELESTRON_GET_LIMITS:
		code = celestron_limits(p, &limits);
		snprintf(out, cap, "limits %d %d%s", (int)limits.low, (int)limits.high,
			celestron_limits_valid(&limits) ? " valid" : "");
		break;
	case CELESTRON_NOT_UNDERSTOOD:
		snprintf(out, cap, "not understood");
		break;
	default:
		code = celestron_ack(p);
		snprintf(out, cap, "%s", code == ERR_REFUSED ? "refused" : "ack");
		code = code == ERR_REFUSED ? ERR_OK : code;
		break;
	}
	if (code != ERR_OK) {
		snprintf(out, cap, "wrong");
	}
}

static void test_replies(void **state)
{
	(void)state;
	for (size_t i = 0; i < REPLIES; i++) {
		char in[32];
		char means[64];
		size_t n = bytes_of(replies[i].bytes, in, sizeof in);
		struct span frame;
		size_t skip = 0;
		struct celestron_packet packet;
		assert_int_equal(celestron_scan(in, n, &frame, &skip), SCAN_FRAME);
		assert_int_equal(skip, n);
		assert_ptr_equal(frame.data, in);
		assert_int_equal(frame.len, n);
		assert_int_equal(celestron_decode(frame, &packet), ERR_OK);
		assert_int_equal(packet.src, 0x12);
		assert_int_equal(packet.dst, 0x20);
		assert_int_equal(packet.command, replies[i].command);
		explain(&packet, means, sizeof means);
		if (strcmp(means, replies[i].means) != 0) {
			fail_msg("%s: %s", replies[i].legend, means);
		}
	}
}

/* Whether the scanner finds a frame of the bytes in [0, n), however it gets there. */
static bool finds_frame(const char *in, size_t n, size_t *where)
{
	size_t at = 0;
	while (at < n) {
		struct span frame;
		size_t skip = 0;
		enum scan found = celestron_scan(in + at, n - at, &frame, &skip);
		if (found == SCAN_MORE) {
			return false;
		}
		assert_true(skip > 0 && skip <= n - at);
		if (found == SCAN_FRAME) {
			*where = at;
			return true;
		}
		at += skip;
	}
	return false;
}

static void test_every_prefix_needs_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < REPLIES; i++) {
		char in[32];
		size_t whole = bytes_of(replies[i].bytes, in, sizeof in);
		for (size_t n = 0; n < whole; n++) {
			struct span frame = {NULL, 0};
			size_t skip = 0;
			struct celestron_packet packet;
			assert_int_equal(celestron_scan(in, n, &frame, &skip), SCAN_MORE);
			assert_int_equal(celestron_decode((struct span){in, n}, &packet),
				ERR_PROTOCOL);
		}
		/* A byte too many is no packet either. */
		struct celestron_packet packet;
		assert_int_equal(
			celestron_decode((struct span){in, whole + 1}, &packet), ERR_PROTOCOL);
	}
}

/* Any single byte changed, to any value: never the packet at its place, save where the document makes
 * two forms of it (a changed byte in the sum cannot cancel itself). */
static void test_every_wrong_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < REPLIES; i++) {
		char good[32];
		size_t n = bytes_of(replies[i].bytes, good, sizeof good);
		for (size_t k = 0; k < n; k++) {
			for (int value = 0; value < 256; value++) {
				char bad[32];
				size_t where = 0;
				memcpy(bad, good, n);
				bad[k] = (char)value;
				if (bad[k] == good[k]) {
					continue;
				}
				if (finds_frame(bad, n, &where)) {
					fail_msg("%s: byte %zu as %02X is a packet at %zu",
						replies[i].legend, k, (unsigned)value, where);
				}
			}
		}
	}
}

static void test_scan(void **state)
{
	(void)state;
	/* Where a packet is found in a stream, in bytes from its beginning; -1 nowhere (yet). */
	static const struct {
		const char *legend, *in;
		int at;
	} rows[] = {
		{"noise in front", "00 FF 12 3B 03 12 20 02 C9", 3},
		{"a false preamble in front", "3B 3B 03 12 20 02 C9", 1},
		{"a false beginning inside the real packet's reach", "3B 06 3B 03 12 20 02 C9 00", 2},
		{"3B as position's data", "3B 06 12 20 01 00 3B 03 89", 0},
		{"the tail of such a packet", "3B 03 89 3B 03 12 20 02 C9", 3},
		{"length below 3", "3B 02 12 20 02 CA", -1},
		{"length too long", "3B 15 12 20 02 CA 3B 03 12 20 02 C9", 6},
		{"length FF", "3B FF 3B 03 12 20 02 C9", 2},
		{"checksum off by one", "3B 03 12 20 02 CA", -1},
		{"bad, then good", "3B 03 12 20 02 CA 3B 03 12 20 02 C9", 6},
		{"the larger packets of StarSense are passed over",
			"3C 05 00 B4 20 3F 01 3B 03 12 20 02 C9", 7},
		{"text", "3A 47 56 23", -1},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char in[64];
		size_t where = 0;
		size_t n = bytes_of(rows[i].in, in, sizeof in);
		int at = finds_frame(in, n, &where) ? (int)where : -1;
		if (at != rows[i].at) {
			fail_msg("%s: %d", rows[i].legend, at);
		}
	}
}

/* 3B inside data: a reader that begins in the middle is right again one byte after the false start. */
static void test_resync_after_false_preamble(void **state)
{
	(void)state;
	struct celestron_packet packet = {.src = CELESTRON_FOCUSER, .dst = CELESTRON_APP,
		.command = CELESTRON_GET_POSITION, .count = 3};
	int tries = 0, misled = 0;
	for (int32_t position = 0x3B0000; position < 0x3C0000; position += 0x3B) {
		char stream[4 * CELESTRON_MAX_PACKET];
		size_t n = 0;
		celestron_put_position(packet.data, position);
		size_t one = celestron_encode(stream, &packet);
		/* As many as the longest false length reaches over. */
		for (int i = 0; i < 4; i++) {
			n += celestron_encode(stream + n, &packet);
		}
		/* From every byte of the first on, the second is found at its place. */
		for (size_t from = 1; from <= one; from++) {
			size_t where = 0;
			assert_true(finds_frame(stream + from, n - from, &where));
			misled += where != one - from;
			tries++;
		}
	}
	/* A sum of one byte is right by chance now and then, where the length could be one. */
	assert_true(tries > 9000);
	assert_true(misled * 200 < tries);
}

static void test_answers(void **state)
{
	(void)state;
	/* The start of a calibration and its answer: equal length, data and checksum. */
	static const struct {
		const char *legend, *request, *reply;
		bool answers;
	} rows[] = {
		{"calibrate", "3B 04 20 12 2A 01 9F", "3B 04 12 20 2A 01 9F", true},
		{"its echo", "3B 04 20 12 2A 01 9F", "3B 04 20 12 2A 01 9F", false},
		{"another command", "3B 03 20 12 13 B8", "3B 06 12 20 01 00 4E 20 59", false},
		{"not understood", "3B 03 20 12 13 B8", "3B 03 12 20 F0 DB", true},
		{"the mount to the hand controller", "3B 03 20 12 13 B8", "3B 04 10 04 13 FF D6", false},
		{"the motor to the hand controller", "3B 03 20 12 13 B8", "3B 04 12 04 13 FF D4", false},
		{"the mount to us", "3B 03 20 12 13 B8", "3B 04 10 20 13 FF BA", false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char in[32];
		struct celestron_packet request, reply;
		size_t n = bytes_of(rows[i].request, in, sizeof in);
		assert_int_equal(celestron_decode((struct span){in, n}, &request), ERR_OK);
		n = bytes_of(rows[i].reply, in, sizeof in);
		assert_int_equal(celestron_decode((struct span){in, n}, &reply), ERR_OK);
		if (celestron_answers(&request, &reply) != rows[i].answers) {
			fail_msg("%s", rows[i].legend);
		}
	}
}

/* Data of the wrong length or value. */
static void test_wrong_data(void **state)
{
	(void)state;
	static const struct {
		uint8_t command;
		int right[3]; /* lengths that are right */
	} rows[] = {
		{CELESTRON_GET_VERSION, {4, 2, 4}},
		{CELESTRON_GET_POSITION, {3, 3, 3}},
		{CELESTRON_SLEW_DONE, {1, 1, 1}},
		{CELESTRON_CALIBRATION_STATE, {2, 2, 2}},
		{CELESTRON_GET_LIMITS, {8, 8, 8}},
		{CELESTRON_GOTO_FAST, {0, 1, 1}},
		{CELESTRON_CALIBRATE, {0, 1, 1}},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (int count = 0; count <= CELESTRON_MAX_DATA; count++) {
			struct celestron_packet packet = {.command = rows[i].command, .count = count};
			char means[64];
			bool right = count == rows[i].right[0] || count == rows[i].right[1];
			explain(&packet, means, sizeof means);
			assert_int_equal(strcmp(means, "wrong") != 0, right);
		}
	}
	for (int value = 0; value < 256; value++) {
		struct celestron_packet packet = {.count = 1, .data = {(uint8_t)value}};
		bool moving;
		assert_int_equal(celestron_ack(&packet), value == 1 ? ERR_OK
							 : value == 0 ? ERR_REFUSED : ERR_PROTOCOL);
		assert_int_equal(celestron_slew_done(&packet, &moving),
			value == 0 || value >= 0xFE ? ERR_OK : ERR_PROTOCOL);
	}
}

static void test_limits_valid(void **state)
{
	(void)state;
	static const struct {
		int32_t low, high;
		bool valid;
	} rows[] = {
		{2000, 40000, true}, {0, 0, false}, {0, 40000, true}, {0, 60000, true}, {0, 60001, false},
		{40000, 2000, false}, {0, 2000, false}, {0, 2001, true}, {49999, 60000, true},
		{50000, 60000, false}, {2000, 2000, false}, {2000, INT32_MAX, false}, {-1, 40000, false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct celestron_limits limits = {rows[i].low, rows[i].high};
		assert_int_equal(celestron_limits_valid(&limits), rows[i].valid);
	}
	/* Four bytes that no int32_t holds. */
	struct celestron_packet packet = {.count = 8, .data = {0xFF, 0xFF, 0xFF, 0xFF, 0x80}};
	struct celestron_limits limits;
	assert_int_equal(celestron_limits(&packet, &limits), ERR_OK);
	assert_int_equal(limits.low, INT32_MAX);
	assert_int_equal(limits.high, INT32_MAX);
	assert_false(celestron_limits_valid(&limits));
}

static void test_position_bytes(void **state)
{
	(void)state;
	static const struct {
		int32_t position;
		uint8_t bytes[3];
		int32_t back; /* as read */
	} rows[] = {
		{0, {0x00, 0x00, 0x00}, 0},
		{20000, {0x00, 0x4E, 0x20}, 20000},
		{23000, {0x00, 0x59, 0xD8}, 23000},
		{0x7FFFFF, {0x7F, 0xFF, 0xFF}, 0x7FFFFF},
		{0x800000, {0x80, 0x00, 0x00}, -0x800000},
		{0xFFFC18, {0xFF, 0xFC, 0x18}, -1000},
		{0xFFFFFF, {0xFF, 0xFF, 0xFF}, -1},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct celestron_packet packet = {.count = 3};
		int32_t back = 0;
		celestron_put_position(packet.data, rows[i].position);
		assert_memory_equal(packet.data, rows[i].bytes, 3);
		assert_int_equal(celestron_position(&packet, &back), ERR_OK);
		assert_int_equal(back, rows[i].back);
	}
}

/* ---- through a hand controller ---- */

static const struct hc_row {
	const char *legend;
	uint8_t command;
	int count;
	uint8_t data[3];
	int wanted;
	const char *request;
} hc_rows[] = {
	{"version", CELESTRON_GET_VERSION, 0, {0}, 4, "50 01 12 FE 00 00 00 04"},
	{"position", CELESTRON_GET_POSITION, 0, {0}, 3, "50 01 12 01 00 00 00 03"},
	{"limits", CELESTRON_GET_LIMITS, 0, {0}, 8, "50 01 12 2C 00 00 00 08"},
	{"goto 23000", CELESTRON_GOTO_FAST, 3, {0x00, 0x59, 0xD8}, 0, "50 04 12 02 00 59 D8 00"},
	{"slew done", CELESTRON_SLEW_DONE, 0, {0}, 1, "50 01 12 13 00 00 00 01"},
	{"stop", CELESTRON_MOVE_POSITIVE, 1, {0}, 0, "50 02 12 24 00 00 00 00"},
	{"calibrate", CELESTRON_CALIBRATE, 1, {1}, 0, "50 02 12 2A 01 00 00 00"},
	{"calibration state", CELESTRON_CALIBRATION_STATE, 0, {0}, 2, "50 01 12 2B 00 00 00 02"},
};

static void test_hc(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof hc_rows / sizeof hc_rows[0]; i++) {
		const struct hc_row *row = &hc_rows[i];
		struct celestron_packet packet = {.src = CELESTRON_APP, .dst = CELESTRON_FOCUSER,
			.command = row->command, .count = row->count};
		memcpy(packet.data, row->data, sizeof row->data);
		char out[CELESTRON_HC_REQUEST];
		size_t n = celestron_hc_encode(out, &packet, row->wanted);
		assert_bytes(out, n, row->request, row->legend);

		/* The answer, every byte of its data a '#'. */
		scan_fn scan = celestron_hc_scan(row->wanted);
		size_t wanted = (size_t)row->wanted;
		char in[16];
		memset(in, '#', sizeof in);
		for (size_t len = 0; len <= wanted; len++) {
			struct span frame;
			size_t skip;
			assert_int_equal(scan(in, len, &frame, &skip), SCAN_MORE);
		}
		struct span frame;
		size_t skip = 0;
		assert_int_equal(scan(in, sizeof in, &frame, &skip), SCAN_FRAME);
		assert_int_equal(frame.len, wanted + 1);
		assert_int_equal(skip, wanted + 1);
		struct celestron_packet back;
		assert_int_equal(celestron_hc_decode(frame, &packet, row->wanted, &back), ERR_OK);
		assert_int_equal(back.count, row->wanted);
		assert_true(celestron_answers(&packet, &back));

		/* The motor did not answer the controller: one byte more, then '#'. */
		memset(in, 0, sizeof in);
		in[wanted + 1] = '#';
		assert_int_equal(scan(in, wanted + 1, &frame, &skip), SCAN_MORE);
		assert_int_equal(scan(in, wanted + 2, &frame, &skip), SCAN_FRAME);
		assert_int_equal(frame.len, wanted + 2);
		assert_int_equal(celestron_hc_decode(frame, &packet, row->wanted, &back), ERR_TIMEOUT);

		/* Neither: all of it is dropped. */
		memset(in, 'x', sizeof in);
		assert_int_equal(scan(in, sizeof in, &frame, &skip), SCAN_GARBAGE);
		assert_int_equal(skip, sizeof in);
		assert_int_equal(celestron_hc_decode((struct span){in, wanted + 1}, &packet,
					 row->wanted, &back), ERR_PROTOCOL);
	}
	struct celestron_packet packet = {.count = 4};
	char out[CELESTRON_HC_REQUEST];
	assert_int_equal(celestron_hc_encode(out, &packet, 0), 0);
	packet.count = 0;
	assert_int_equal(celestron_hc_encode(out, &packet, 5), 0);
	assert_null(celestron_hc_scan(-1));
	assert_null(celestron_hc_scan(9));
}

static void test_hc_echo(void **state)
{
	(void)state;
	struct span frame;
	size_t skip = 0;
	assert_int_equal(celestron_hc_scan_echo("f", 1, &frame, &skip), SCAN_MORE);
	assert_int_equal(celestron_hc_scan_echo("f#", 2, &frame, &skip), SCAN_FRAME);
	assert_int_equal(frame.len, 2);
	assert_int_equal(celestron_hc_scan_echo("xf#", 3, &frame, &skip), SCAN_GARBAGE);
	assert_int_equal(skip, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_every_prefix_needs_more),
		cmocka_unit_test(test_every_wrong_byte),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_resync_after_false_preamble),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_wrong_data),
		cmocka_unit_test(test_limits_valid),
		cmocka_unit_test(test_position_bytes),
		cmocka_unit_test(test_hc),
		cmocka_unit_test(test_hc_echo),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
