/* SPDX-License-Identifier: MIT */
#include "replay_pipe.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "focuser_driver.h"
#include "trace.h"
#include "transcript.h"
#include "transport.h"

struct line {
	struct transcript_entry entry;
	int number; /* in the file */
};

struct replay {
	struct transport base;
	struct line *lines;
	size_t count;
	size_t at;
	size_t used;        /* bytes of the entry at hand that are used up */
	int64_t now_ms;     /* on the transcript's clock, which is all the time there is */
	bool failed;
	char *why;
	size_t why_cap;
	const char *path;

	/* From the head. */
	struct focuser_port port;
	char driver[32];

	struct focuser_caps caps;
	struct focuser_reading reading;
};

static struct replay *playing;

/* In place of clock_now_ms(), by the linker: time passes where the transcript says so, and where somebody
 * waits. */
int64_t __wrap_clock_now_ms(struct clock *clock);
int64_t __wrap_clock_now_ms(struct clock *clock)
{
	(void)clock;
	return playing != NULL ? playing->now_ms : 0;
}

static void strayed(struct replay *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void strayed(struct replay *r, const char *fmt, ...)
{
	if (r->failed) {
		return;
	}
	r->failed = true;
	int number = r->count == 0 ? 0 : r->lines[r->at < r->count ? r->at : r->count - 1].number;
	int n = snprintf(r->why, r->why_cap, "%s:%d: ", r->path, number);
	va_list list;
	va_start(list, fmt);
	vsnprintf(r->why + n, r->why_cap - (size_t)n, fmt, list);
	va_end(list);
}

static const struct transcript_entry *next(const struct replay *r, char kind)
{
	return r->at < r->count && r->lines[r->at].entry.kind == kind ? &r->lines[r->at].entry : NULL;
}

static void use(struct replay *r, size_t n)
{
	r->used += n;
	if (r->used == r->lines[r->at].entry.len) {
		r->at++;
		r->used = 0;
	}
}

static enum err_code write_all(struct transport *t, const void *data, size_t len,
	int64_t deadline_ms, struct err *err)
{
	struct replay *r = (struct replay *)t;
	(void)deadline_ms;
	const char *bytes = data;
	while (len > 0) {
		const struct transcript_entry *sent = next(r, TRANSCRIPT_SENT);
		size_t n = sent == NULL ? 0 : sent->len - r->used;
		n = n < len ? n : len;
		if (n == 0 || memcmp(sent->data + r->used, bytes, n) != 0) {
			char text[80];
			trace_escape(text, sizeof text, bytes, len);
			strayed(r, "the driver sends %s", text);
			return err_set(err, ERR_IO, "the replay strayed");
		}
		if (sent->ms > r->now_ms) {
			r->now_ms = sent->ms;
		}
		use(r, n);
		bytes += n;
		len -= n;
	}
	return ERR_OK;
}

static enum err_code read_some(struct transport *t, void *out, size_t cap, size_t *got,
	int64_t deadline_ms, struct err *err)
{
	struct replay *r = (struct replay *)t;
	*got = 0;
	const struct transcript_entry *received = next(r, TRANSCRIPT_RECEIVED);
	/* Who only looks what is there takes all that came before the next word. */
	if (received != NULL && (deadline_ms <= r->now_ms || received->ms <= deadline_ms)) {
		size_t n = received->len - r->used;
		n = n < cap ? n : cap;
		memcpy(out, received->data + r->used, n);
		if (received->ms > r->now_ms && received->ms <= deadline_ms) {
			r->now_ms = received->ms;
		}
		use(r, n);
		*got = n;
		return ERR_OK;
	}
	const struct transcript_entry *failed = next(r, TRANSCRIPT_FAILED);
	if (failed != NULL && failed->len == 2 && memcmp(failed->data, "io", 2) == 0) {
		return err_set(err, ERR_IO, "gone");
	}
	if (deadline_ms > r->now_ms) {
		r->now_ms = deadline_ms;
	}
	return err_set(err, ERR_TIMEOUT, "silence");
}

static enum err_code discard_input(struct transport *t, struct err *err)
{
	struct replay *r = (struct replay *)t;
	(void)err;
	while (next(r, TRANSCRIPT_RECEIVED) != NULL) {
		use(r, next(r, TRANSCRIPT_RECEIVED)->len - r->used);
	}
	return ERR_OK;
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
	return "replay";
}

static void destroy(struct transport *t)
{
	(void)t;
}

static const struct transport_ops ops = {
	.name = "replay",
	.write_all = write_all,
	.read_some = read_some,
	.discard_input = discard_input,
	.set_lines = set_lines,
	.describe = describe,
	.destroy = destroy,
};

/* In place of transport.c. */
bool transport_can_reset(const char *where)
{
	return where[0] == '/';
}

bool transport_rate_matters(const char *where)
{
	return strncmp(where, "/dev/ttyACM", 11) != 0;
}

enum err_code transport_open(const char *where, const struct transport_settings *settings,
	int64_t deadline_ms, struct transport **out, struct err *err)
{
	(void)where;
	(void)settings;
	(void)deadline_ms;
	if (next(playing, TRANSCRIPT_FAILED) != NULL) {
		return err_set(err, ERR_IO, "it did not open then");
	}
	*out = &playing->base;
	return ERR_OK;
}

static void take_text(struct span line, const char *key, char *out, size_t cap)
{
	struct span value;
	if (transcript_fact(line, key, &value) && value.len < cap) {
		memcpy(out, value.data, value.len);
		out[value.len] = '\0';
	}
}

static void take_number(struct span line, const char *key, int32_t *out)
{
	struct span value;
	if (transcript_fact(line, key, &value)) {
		(void)text_parse_i32(value, out);
	}
}

static bool take_line(struct replay *r, struct span line, int number)
{
	take_text(line, "driver", r->driver, sizeof r->driver);
	take_text(line, "port", r->port.port, sizeof r->port.port);
	take_text(line, "quirks", r->port.quirks, sizeof r->port.quirks);
	take_number(line, "baud", &r->port.baud);
	take_number(line, "max_step", &r->port.max_step);
	take_number(line, "speed_steps_per_s", &r->port.speed_steps_per_s);
	take_number(line, "step_mode", &r->port.step_mode);
	take_number(line, "tempcomp_steps_per_c", &r->port.tempcomp_steps_per_c);
	struct transcript_entry entry;
	enum transcript_line what = transcript_read(line, &entry);
	if (what == TRANSCRIPT_BAD) {
		snprintf(r->why, r->why_cap, "%s:%d: is no line of a transcript", r->path, number);
		return false;
	}
	if (what == TRANSCRIPT_ENTRY) {
		struct line *more = realloc(r->lines, (r->count + 1) * sizeof *more);
		if (more == NULL) {
			abort();
		}
		r->lines = more;
		r->lines[r->count++] = (struct line){.entry = entry, .number = number};
	}
	return true;
}

static bool load(struct replay *r)
{
	FILE *file = fopen(r->path, "rb");
	if (file == NULL) {
		snprintf(r->why, r->why_cap, "%s cannot be opened", r->path);
		return false;
	}
	struct buf all;
	buf_init(&all, 64 << 20);
	char piece[65536];
	size_t n;
	while ((n = fread(piece, 1, sizeof piece, file)) > 0) {
		buf_add(&all, piece, n);
	}
	fclose(file);
	struct span text = {.data = buf_text(&all), .len = all.len};
	struct span line;
	bool good = true;
	for (int number = 1; good && transcript_next_line(&text, &line); number++) {
		good = take_line(r, line, number);
	}
	buf_fini(&all);
	return good;
}

static bool is_call(const struct transcript_entry *entry, const char *text)
{
	return entry->len == strlen(text) && memcmp(entry->data, text, entry->len) == 0;
}

/* "move 5000": the number behind the word. */
static bool is_call_with(const struct transcript_entry *entry, const char *word, int32_t *number)
{
	size_t n = strlen(word);
	return entry->len > n + 1 && memcmp(entry->data, word, n) == 0 && entry->data[n] == ' ' &&
		text_parse_i32((struct span){.data = entry->data + n + 1, .len = entry->len - n - 1},
			number);
}

static enum err_code call(struct replay *r, const struct focuser_driver *driver, void *ctx,
	const struct driver_host *host, const struct transcript_entry *what, struct err *err)
{
	int32_t number = 0;
	if (is_call(what, "open")) {
		memset(ctx, 0, driver->ctx_size);
		enum err_code code = driver->open(ctx, &r->port, host, err);
		if (code != ERR_OK) {
			driver->close(ctx);
		}
		return code;
	}
	if (is_call(what, "identify")) {
		r->caps = (struct focuser_caps){.step_size_um = NAN};
		return driver->identify(ctx, &r->caps, err);
	}
	if (is_call(what, "close")) {
		driver->close(ctx);
		return ERR_OK;
	}
	if (is_call(what, "halt")) {
		return driver->halt(ctx, err);
	}
	if ((is_call(what, "calibrate start") || is_call(what, "calibrate abort")) && driver->calibrate != NULL) {
		return driver->calibrate(ctx, is_call(what, "calibrate start"), err);
	}
	if (is_call_with(what, "poll", &number)) {
		r->reading = (struct focuser_reading){0};
		return driver->poll(ctx, (unsigned)number, &r->reading, err);
	}
	if (is_call_with(what, "move", &number)) {
		return driver->start_move(ctx, number, err);
	}
	if (is_call_with(what, "tempcomp", &number) && driver->set_tempcomp != NULL) {
		return driver->set_tempcomp(ctx, number != 0, err);
	}
	if (is_call_with(what, "set_position", &number) && driver->set_position != NULL) {
		return driver->set_position(ctx, number, err);
	}
	return err_set(err, ERR_NOT_IMPLEMENTED, "there is no such call");
}

/* What a "." line says, word for word. */
static void check_result(struct replay *r, const struct transcript_entry *result)
{
	char text[TRANSCRIPT_ROOM + 1];
	memcpy(text, result->data, result->len);
	text[result->len] = '\0';
	if (strncmp(text, "identity=", 9) == 0) {
		if (strcmp(text + 9, r->caps.identity) != 0) {
			strayed(r, "the identity is \"%s\"", r->caps.identity);
		}
		return;
	}
	char *rest = NULL;
	for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
		char now[64] = "";
		char number[32];
		if (strncmp(word, "position=", 9) == 0) {
			snprintf(now, sizeof now, "position=%d", (int)r->reading.position);
		} else if (strncmp(word, "moving=", 7) == 0) {
			snprintf(now, sizeof now, "moving=%d", r->reading.moving);
		} else if (strncmp(word, "temperature=", 12) == 0) {
			text_print_double(number, r->reading.temperature_valid ? r->reading.temperature_c : 0);
			snprintf(now, sizeof now, "temperature=%s",
				r->reading.temperature_valid ? number : "none");
		} else if (strncmp(word, "calibration=", 12) == 0) {
			snprintf(now, sizeof now, "calibration=%d",
				r->reading.calibration_valid ? (int)r->reading.calibration : -1);
		} else if (strncmp(word, "max_step=", 9) == 0) {
			snprintf(now, sizeof now, "max_step=%d", (int)r->caps.max_step);
		}
		if (strcmp(word, now) != 0) {
			strayed(r, "%s, not %s", now, word);
		}
	}
}

/* One call and what must follow it.  False when nothing more can be played. */
static bool play_call(struct replay *r, const struct focuser_driver *driver, void *ctx,
	const struct driver_host *host)
{
	const struct transcript_entry what = r->lines[r->at].entry;
	r->now_ms = what.ms;
	r->at++;
	struct err err = {0};
	enum err_code code = call(r, driver, ctx, host, &what, &err);
	if (!r->failed) {
		(void)discard_input(&r->base, NULL);
	}
	const struct transcript_entry *failed = next(r, TRANSCRIPT_FAILED);
	if (failed != NULL && is_call(failed, "cancelled")) {
		return false;
	}
	if (next(r, TRANSCRIPT_SENT) != NULL) {
		strayed(r, "the driver does not send this (%s)", code != ERR_OK ? err.text : "no error");
	} else if (failed == NULL && code != ERR_OK) {
		strayed(r, "before this the driver failed: %s", err.text);
	} else if (failed != NULL && code == ERR_OK && is_call(&what, "identify")) {
		/* Somebody above the driver did not want this device. */
		r->at++;
	} else if (failed != NULL && !is_call(failed, err_name(code))) {
		strayed(r, "the driver ended with %s, not %.*s", err_name(code), (int)failed->len,
			failed->data);
	} else if (failed != NULL) {
		r->at++;
	}
	const struct transcript_entry *result;
	while (!r->failed && (result = next(r, TRANSCRIPT_RESULT)) != NULL) {
		check_result(r, result);
		r->at++;
	}
	return !r->failed;
}

bool replay_file(const char *path, int *calls, char *why, size_t cap)
{
	struct replay r = {.base.ops = &ops, .why = why, .why_cap = cap, .path = path};
	*calls = 0;
	why[0] = '\0';
	bool good = load(&r);
	const struct focuser_driver *driver = good ? focuser_driver_find(r.driver) : NULL;
	if (good && driver == NULL) {
		snprintf(why, cap, "%s: there is no driver '%s'", path, r.driver);
		good = false;
	}
	if (good) {
		struct driver_host host = {.clock = clock_real(), .source = "replay"};
		void *ctx = calloc(1, driver->ctx_size);
		playing = &r;
		bool opened = false;
		bool more = true;
		while (more && r.at < r.count) {
			const struct transcript_entry *entry = next(&r, TRANSCRIPT_CALL);
			opened = opened || (entry != NULL && is_call(entry, "open"));
			/* A failure without a call is of somebody above the driver. */
			if (!opened || next(&r, TRANSCRIPT_FAILED) != NULL) {
				r.at++;
			} else if (entry == NULL) {
				strayed(&r, "no call leads to this");
				more = false;
			} else {
				++*calls;
				more = play_call(&r, driver, ctx, &host);
			}
		}
		if (opened) {
			driver->close(ctx);
		}
		free(ctx);
		playing = NULL;
		good = !r.failed;
	}
	free(r.lines);
	return good;
}
