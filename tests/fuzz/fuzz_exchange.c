/* SPDX-License-Identifier: MIT */
/*
 * A line that does what the input says: the first byte picks the device's habits, then each read takes
 * one byte (0..31 silence, 255 the device is gone, else so many bytes follow).  Whatever happens, an
 * answer consists of bytes that came after the question, an error is one of those that the header
 * promises, and everything ends.
 */
#include "clock.h"
#include "exchange.h"
#include "fuzz.h"
#include "moonlite_codec.h"

struct line {
	struct transport base;
	const uint8_t *data;
	size_t size;
	bool gone;
	char since[4096]; /* came since the last question */
	size_t since_len;
};

static enum err_code read_some(struct transport *t, void *out, size_t cap, size_t *got,
	int64_t deadline_ms, struct err *err)
{
	struct line *line = (struct line *)t;
	(void)deadline_ms;
	*got = 0;
	FUZZ_CHECK(cap > 0);
	if (line->size == 0 && !line->gone) {
		return err_set(err, ERR_TIMEOUT, "silence");
	}
	uint8_t what = line->gone ? 255 : *line->data;
	if (!line->gone) {
		line->data++;
		line->size--;
	}
	if (what == 255) {
		line->gone = true;
		return err_set(err, ERR_IO, "gone");
	}
	size_t n = what < 32 ? 0 : (size_t)what - 31;
	n = n < line->size ? n : line->size;
	n = n < cap ? n : cap;
	if (n == 0) {
		return err_set(err, ERR_TIMEOUT, "silence");
	}
	memcpy(out, line->data, n);
	if (n <= sizeof line->since - line->since_len) {
		memcpy(line->since + line->since_len, line->data, n);
		line->since_len += n;
	}
	line->data += n;
	line->size -= n;
	*got = n;
	return ERR_OK;
}

static enum err_code write_all(struct transport *t, const void *data, size_t len,
	int64_t deadline_ms, struct err *err)
{
	struct line *line = (struct line *)t;
	(void)data;
	(void)deadline_ms;
	FUZZ_CHECK(len > 0);
	line->since_len = 0;
	return line->gone ? err_set(err, ERR_IO, "gone") : ERR_OK;
}

static enum err_code discard_input(struct transport *t, struct err *err)
{
	char scrap[16];
	size_t got = 1;
	enum err_code code = ERR_OK;
	for (int i = 0; i < 8 && code == ERR_OK; i++) {
		code = read_some(t, scrap, sizeof scrap, &got, 0, err);
	}
	return code == ERR_TIMEOUT ? ERR_OK : code;
}

static enum err_code set_lines(struct transport *t, bool dtr, bool rts, struct err *err)
{
	(void)t;
	(void)dtr;
	(void)rts;
	(void)err;
	return ERR_OK;
}

static const char *describe(struct transport *t)
{
	(void)t;
	return "line";
}

static const struct transport_ops ops = {
	.name = "fuzz",
	.write_all = write_all,
	.read_some = read_some,
	.discard_input = discard_input,
	.set_lines = set_lines,
	.describe = describe,
};

static void check_frame(const struct line *line, struct span frame)
{
	FUZZ_CHECK(frame.len > 0 && frame.len <= line->since_len);
	bool found = false;
	for (size_t i = 0; i + frame.len <= line->since_len && !found; i++) {
		found = memcmp(line->since + i, frame.data, frame.len) == 0;
	}
	FUZZ_CHECK(found);
}

static bool urgent_sometimes(void *ctx)
{
	unsigned *calls = ctx;
	return ++*calls % 7 == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > 4000) {
		return 0;
	}
	struct line line = {.base.ops = &ops, .data = data + 1, .size = size - 1};
	struct exchange x;
	exchange_init(&x, &line.base, 115200, 0);
	unsigned calls = 0;
	if (data[0] & 1) {
		x.urgent = urgent_sometimes;
		x.urgent_ctx = &calls;
	}
	x.turn = data[0] & 2 ? TRANSPORT_TURN_RTS : TRANSPORT_TURN_NONE;
	scan_fn scan = data[0] & 4 ? moonlite_scan_version : moonlite_scan;
	while (line.size > 0 && !line.gone) {
		struct span frame = {.data = NULL, .len = 0};
		struct err err;
		size_t before = line.size;
		int64_t deadline_ms = clock_now_ms(clock_real()) + 2;
		enum err_code code = exchange_ask(&x, span_of(":GP#"), scan, &frame, deadline_ms, &err);
		FUZZ_CHECK(code == ERR_OK || code == ERR_TIMEOUT || code == ERR_PROTOCOL ||
			   code == ERR_IO || code == ERR_CANCELLED);
		FUZZ_CHECK(code == ERR_OK || err.code == code);
		while (code == ERR_OK) {
			check_frame(&line, frame);
			struct span rest = exchange_rest(&x);
			FUZZ_CHECK(rest.len <= EXCHANGE_ROOM);
			code = exchange_next(&x, scan, &frame, deadline_ms, &err);
		}
		if (code == ERR_PROTOCOL) {
			FUZZ_CHECK(line.since_len > 0);
		}
		if (line.size == before && code != ERR_CANCELLED) {
			break;
		}
	}
	return 0;
}
