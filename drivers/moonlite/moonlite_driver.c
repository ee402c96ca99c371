/* SPDX-License-Identifier: MIT */
/*
 * Focusers that speak the Moonlite serial language: the original and the many Arduino builds.
 * Setters are silent, so whatever matters is read back; replies carry no name, so their shape and a
 * resynchronisation after each missed one keep them apart.  Called on one worker thread.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "moonlite_codec.h"
#include "moonlite_driver.h"
#include "transport.h"
#include "transport/exchange.h"
#include "transport/talker.h"
#include "transport/trace.h"

#define DEFAULT_BAUD 9600
#define DEFAULT_MAX_STEP 65535

/* Clones lose a command that follows another one too closely: leave 10 to 50 ms. */
#define COMMAND_GAP_MS 10

/* Listened to before the first byte is sent: who talks unasked is no focuser. */
#define LISTEN_MS 200

/* One try of identify() may take 1.2 s in all; the last question ends at IDENTIFY_MS. */
#define IDENTIFY_VERSION_MS 450
#define IDENTIFY_POSITION_MS 450
#define IDENTIFY_MS 1180

#define OPEN_MS 1800
#define CALL_MS 1900
#define ANSWER_MS 500
#define RESYNC_MS 500
#define WRITE_MS 300

/* Superseding a move waits this long for the motor to stop. */
#define STOP_MS 1000

/* How long SN alone is given to show that it starts the motor. */
#define SN_TEST_MS 100

/* A conversion takes up to 750 ms; more often than every 5 s warms some probes. */
#define CONVERSION_MS 800
#define CONVERSION_INTERVAL_MS 5000
#define TEMPERATURE_TRIES 3

struct moonlite {
	const struct focuser_port *port;
	const struct driver_host *host;
	struct transport *pipe;
	struct exchange x;
	int64_t opened_ms;       /* real clock */
	int32_t max_step;
	bool heard_silence;      /* the line was listened to since it was opened */
	bool out_of_step;        /* a reply may be missing: resynchronise before the next question */
	bool may_move;           /* not seen at rest since the last reason to move */
	bool position_known;
	int32_t position;        /* last one read */
	bool sn_tested;          /* sn_moves is known */
	bool sn_moves;           /* this clone starts at SN already */
	bool retarget_due;       /* after a halt: the old target must be forgotten, once at rest */
	bool whole_degrees;
	bool wide_known;         /* a target above FFFF was read back whole */
	bool converting;
	bool temperature_off;    /* this controller does not answer :GT# */
	int temperature_misses;
	int64_t conversion_ms;   /* device clock; when the last conversion was begun */
	bool conversion_begun;
};

static int64_t real_ms(void)
{
	return clock_now_ms(clock_real());
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static enum err_code tell(struct moonlite *m, enum moonlite_command command, int32_t value,
	struct err *err)
{
	char text[MOONLITE_MAX_COMMAND];
	struct span bytes = {.data = text, .len = moonlite_encode(text, command, value)};
	if (bytes.len == 0) {
		return err_set(err, ERR_INVALID_VALUE, "%d is no number for this controller",
			(int)value);
	}
	return exchange_tell(&m->x, bytes, real_ms() + WRITE_MS, err);
}

/* One question; frames of another shape are late answers to earlier ones and are passed over. */
static enum err_code ask_once(struct moonlite *m, enum moonlite_command command,
	int64_t deadline_ms, struct span *frame, struct err *err)
{
	char text[MOONLITE_MAX_COMMAND];
	struct span bytes = {.data = text, .len = moonlite_encode(text, command, 0)};
	enum moonlite_reply reply = moonlite_reply_kind(command);
	scan_fn scan = reply == MOONLITE_REPLY_VERSION ? moonlite_scan_version : moonlite_scan;
	enum err_code code = exchange_ask(&m->x, bytes, scan, frame, deadline_ms, err);
	while (code == ERR_OK && !moonlite_fits(reply, *frame)) {
		code = exchange_next(&m->x, scan, frame, deadline_ms, err);
	}
	if (code == ERR_TIMEOUT || code == ERR_PROTOCOL || code == ERR_CANCELLED) {
		m->out_of_step = true;
	}
	return code;
}

/* After a missed answer: two questions whose answers differ in shape.  A late reply can pass for at
 * most one of them, so when both are answered everything older is used up. */
static enum err_code resync(struct moonlite *m, int64_t deadline_ms, struct err *err)
{
	struct span frame;
	enum err_code code = ask_once(m, MOONLITE_GET_MOVING,
		sooner(deadline_ms, real_ms() + RESYNC_MS), &frame, err);
	if (code == ERR_OK) {
		code = ask_once(m, MOONLITE_GET_POSITION,
			sooner(deadline_ms, real_ms() + RESYNC_MS), &frame, err);
	}
	if (code == ERR_OK) {
		m->out_of_step = false;
	}
	return code;
}

static enum err_code ask(struct moonlite *m, enum moonlite_command command, int64_t deadline_ms,
	struct span *frame, struct err *err)
{
	if (m->out_of_step) {
		enum err_code code = resync(m, deadline_ms, err);
		if (code != ERR_OK) {
			return code;
		}
	}
	return ask_once(m, command, sooner(deadline_ms, real_ms() + ANSWER_MS), frame, err);
}

/* For the start of a move, which should not fail for one lost reply.  Polls do not repeat: a halt
 * waits for them. */
static enum err_code ask_again(struct moonlite *m, enum moonlite_command command,
	int64_t deadline_ms, struct span *frame, struct err *err)
{
	enum err_code code = ask(m, command, deadline_ms, frame, err);
	if (code == ERR_TIMEOUT || code == ERR_PROTOCOL) {
		code = ask(m, command, deadline_ms, frame, err);
	}
	return code;
}

static enum err_code ask_moving(struct moonlite *m, int64_t deadline_ms, bool *moving,
	struct err *err)
{
	struct span frame;
	enum err_code code = ask(m, MOONLITE_GET_MOVING, deadline_ms, &frame, err);
	return code != ERR_OK ? code : moonlite_decode_flag(frame, moving);
}

/* Boards that print a negative position mean a motor a little below its zero. */
static enum err_code take_position(struct moonlite *m, struct span frame)
{
	int32_t position = 0;
	enum err_code code = moonlite_decode_position(frame, &position);
	if (code == ERR_OK) {
		m->position = position < 0 ? 0 : position;
		m->position_known = true;
	}
	return code;
}

static enum err_code ask_position(struct moonlite *m, int64_t deadline_ms, struct err *err)
{
	struct span frame;
	enum err_code code = ask(m, MOONLITE_GET_POSITION, deadline_ms, &frame, err);
	return code != ERR_OK ? code : take_position(m, frame);
}

static int moonlite_open_wait_for(const struct focuser_port *port)
{
	return transport_can_reset(port->port) ? 2000 : 0;
}

static enum err_code moonlite_open(void *ctx, const struct focuser_port *port,
	const struct driver_host *host, struct err *err)
{
	struct moonlite *m = ctx;
	m->port = port;
	m->host = host;
	m->max_step = port->max_step > 0 ? port->max_step : DEFAULT_MAX_STEP;
	struct transport_settings settings = {
		.baud = port->baud > 0 ? port->baud : DEFAULT_BAUD,
	};
	struct transport *pipe = NULL;
	enum err_code code = transport_open(port->port, &settings, real_ms() + OPEN_MS, &pipe, err);
	if (code != ERR_OK) {
		return code;
	}
	m->pipe = trace_host(pipe, host);
	m->opened_ms = real_ms();
	exchange_init(&m->x, m->pipe, settings.baud, COMMAND_GAP_MS);
	m->x.urgent = host->urgent;
	m->x.urgent_ctx = host->urgent_ctx;
	return ERR_OK;
}

static void moonlite_close(void *ctx)
{
	struct moonlite *m = ctx;
	if (m->pipe != NULL) {
		m->pipe->ops->destroy(m->pipe);
	}
	memset(m, 0, sizeof *m);
}

static enum err_code require_open(const struct moonlite *m, struct err *err)
{
	return m->pipe != NULL ? ERR_OK : err_set(err, ERR_NOT_CONNECTED, "the port is not open");
}

/* The firmware's version, "" when it has none to tell: silence, or 00 as Ardufocus answers what it
 * does not know.  Anything else is another device. */
static enum err_code ask_version(struct moonlite *m, int64_t deadline_ms, char version[3],
	struct err *err)
{
	struct span frame;
	version[0] = '\0';
	enum err_code code = ask_once(m, MOONLITE_GET_VERSION, deadline_ms, &frame, err);
	if (code == ERR_OK) {
		(void)moonlite_decode_version(frame, version);
	} else if (code == ERR_PROTOCOL) {
		/* Some forget the terminator. */
		if (moonlite_decode_version(exchange_rest(&m->x), version) != ERR_OK) {
			return code;
		}
	} else if (code != ERR_TIMEOUT) {
		return code;
	}
	return ERR_OK;
}

static void name_firmware(const char *version, bool wide, char *out, size_t cap)
{
	if (version[0] == '\0') {
		snprintf(out, cap, "Moonlite compatible, does not tell its version");
	} else if (strcmp(version, "00") == 0) {
		snprintf(out, cap, "Moonlite compatible, answers 00 for its version%s",
			wide ? " (high resolution)" : "");
	} else if (version[0] >= '0' && version[0] <= '9' && version[1] >= '0' && version[1] <= '9') {
		snprintf(out, cap, "Moonlite compatible, firmware %c.%c", version[0], version[1]);
	} else {
		snprintf(out, cap, "Moonlite compatible, firmware %s", version);
	}
}

static enum err_code moonlite_identify(void *ctx, struct focuser_caps *caps, struct err *err)
{
	struct moonlite *m = ctx;
	enum err_code code = require_open(m, err);
	if (code != ERR_OK) {
		return code;
	}
	int64_t begin_ms = real_ms();
	if (!m->heard_silence &&
		(code = talker_refuse(&m->x, m->opened_ms + LISTEN_MS, err)) != ERR_OK) {
		return code;
	}
	m->heard_silence = true;
	/* Each try stands for itself: a quiet line, then three questions of three shapes. */
	m->x.unsettled = false;
	char version[3];
	code = ask_version(m, real_ms() + IDENTIFY_VERSION_MS, version, err);
	if (code != ERR_OK) {
		return code;
	}
	m->x.unsettled = false;
	struct span frame;
	code = ask_once(m, MOONLITE_GET_POSITION,
		sooner(real_ms() + IDENTIFY_POSITION_MS, begin_ms + IDENTIFY_MS), &frame, err);
	if (code == ERR_TIMEOUT && version[0] == '\0') {
		return err_set(err, ERR_TIMEOUT,
			"nothing answers on %s: check power, cable, and that this is the right port",
			m->pipe->ops->describe(m->pipe));
	}
	bool wide = code == ERR_OK && moonlite_digits(frame) == 8;
	if (code == ERR_OK) {
		code = take_position(m, frame);
	}
	bool moving = false;
	if (code == ERR_OK) {
		code = ask_once(m, MOONLITE_GET_MOVING, begin_ms + IDENTIFY_MS, &frame, err);
	}
	if (code == ERR_OK) {
		code = moonlite_decode_flag(frame, &moving);
	}
	if (code != ERR_OK) {
		return code;
	}
	m->out_of_step = false;
	m->may_move = moving;
	m->whole_degrees = wide && strcmp(version, "00") == 0;
	memset(caps, 0, sizeof *caps);
	caps->max_step = m->max_step;
	caps->max_increment = m->max_step;
	caps->has_temperature = true;
	caps->step_size_um = NAN;
	caps->identity_partial = version[0] == '\0';
	name_firmware(version, wide, caps->identity, sizeof caps->identity);
	return ERR_OK;
}

/* Some clones ignore a new target while they move, so a running move is stopped first. */
static enum err_code stop_first(struct moonlite *m, int64_t deadline_ms, struct err *err)
{
	bool moving = true;
	struct span frame;
	enum err_code code = ask_again(m, MOONLITE_GET_MOVING, deadline_ms, &frame, err);
	if (code == ERR_OK) {
		code = moonlite_decode_flag(frame, &moving);
	}
	if (code != ERR_OK || !moving) {
		return code;
	}
	code = tell(m, MOONLITE_STOP, 0, err);
	int64_t until_ms = sooner(deadline_ms, real_ms() + STOP_MS);
	while (code == ERR_OK && moving) {
		if (real_ms() >= until_ms) {
			return err_set(err, ERR_STALLED,
				"the motor did not stop to take a new target");
		}
		code = ask_moving(m, deadline_ms, &moving, err);
	}
	return code != ERR_OK ? code : ask_position(m, deadline_ms, err);
}

/* Whether SN alone has started the motor.  Only asked when it was at rest elsewhere; without an
 * answer it stays unknown and the move goes on. */
static enum err_code test_sn(struct moonlite *m, int64_t deadline_ms, struct err *err)
{
	struct span heard;
	int32_t before = m->position;
	enum err_code code = exchange_listen(&m->x, real_ms() + SN_TEST_MS, &heard, err);
	bool moving = false;
	if (code == ERR_OK) {
		code = ask_moving(m, deadline_ms, &moving, err);
	}
	if (code == ERR_OK) {
		code = ask_position(m, deadline_ms, err);
	}
	if (code == ERR_OK) {
		m->sn_tested = true;
		m->sn_moves = moving || m->position != before;
	}
	return code == ERR_TIMEOUT || code == ERR_PROTOCOL ? ERR_OK : code;
}

/* A controller that keeps 16 bits would turn 70000 into 4464 and drive there. */
static enum err_code test_wide(struct moonlite *m, int32_t target, int64_t deadline_ms,
	struct err *err)
{
	struct span frame;
	int32_t kept = 0;
	enum err_code code = ask_again(m, MOONLITE_GET_TARGET, deadline_ms, &frame, err);
	if (code == ERR_OK) {
		code = moonlite_decode_position(frame, &kept);
	}
	if (code != ERR_OK || kept == target) {
		m->wide_known = code == ERR_OK;
		return code;
	}
	(void)tell(m, MOONLITE_STOP, 0, NULL);
	return err_set(err, ERR_REFUSED,
		"the controller turned target %d into %d: it has no positions above 65535, set max_step",
		(int)target, (int)kept);
}

static enum err_code moonlite_start_move(void *ctx, int32_t target, struct err *err)
{
	struct moonlite *m = ctx;
	enum err_code code = require_open(m, err);
	if (code != ERR_OK) {
		return code;
	}
	if (target < 0 || target > m->max_step) {
		return err_set(err, ERR_INVALID_VALUE, "position %d is outside 0..%d", (int)target,
			(int)m->max_step);
	}
	int64_t deadline_ms = real_ms() + CALL_MS;
	m->retarget_due = false;
	if (m->may_move && (code = stop_first(m, deadline_ms, err)) != ERR_OK) {
		return code;
	}
	bool sn_test_due = !m->sn_tested && m->position_known && target != m->position;
	m->may_move = true;
	code = tell(m, MOONLITE_SET_TARGET, target, err);
	if (code == ERR_OK && target > DEFAULT_MAX_STEP && !m->wide_known) {
		code = test_wide(m, target, deadline_ms, err);
	}
	if (code == ERR_OK && sn_test_due) {
		code = test_sn(m, deadline_ms, err);
	}
	if (code == ERR_OK && !m->sn_moves && m->x.urgent != NULL && m->x.urgent(m->x.urgent_ctx)) {
		/* A halt that came meanwhile must not be answered with a start. */
		return err_set(err, ERR_CANCELLED, "the move was not begun");
	}
	if (code == ERR_OK && !m->sn_moves) {
		code = tell(m, MOONLITE_GO, 0, err);
	}
	return code;
}

static enum err_code moonlite_halt(void *ctx, struct err *err)
{
	struct moonlite *m = ctx;
	enum err_code code = require_open(m, err);
	if (code == ERR_OK) {
		code = tell(m, MOONLITE_STOP, 0, err);
	}
	if (code == ERR_OK) {
		/* Not where SN moves by itself, nor where that is unknown. */
		m->retarget_due = m->sn_tested && !m->sn_moves;
	}
	return code;
}

static enum err_code poll_motion(struct moonlite *m, int64_t deadline_ms,
	struct focuser_reading *out, struct err *err)
{
	/* Moving first: a position read after "at rest" is the final one. */
	bool moving = false;
	enum err_code code = ask_moving(m, deadline_ms, &moving, err);
	if (code == ERR_OK) {
		code = ask_position(m, deadline_ms, err);
	}
	if (code != ERR_OK) {
		return code;
	}
	m->may_move = moving;
	out->moving_valid = true;
	out->moving = moving;
	out->position_valid = true;
	out->position = m->position;
	if (!moving && m->retarget_due) {
		/* Some keep the old target after a halt; then a button on the box would go on. */
		m->retarget_due = false;
		return tell(m, MOONLITE_SET_TARGET, m->position, err);
	}
	return ERR_OK;
}

/* Begins a conversion or fetches its result.  A probe that fails does not fail the motion: only a
 * vanished port is an error here. */
static enum err_code poll_temperature(struct moonlite *m, bool wanted, int64_t deadline_ms,
	struct focuser_reading *out, struct err *err)
{
	int64_t now_ms = clock_now_ms(m->host->clock);
	if (!m->converting) {
		bool rested = !m->conversion_begun ||
			now_ms - m->conversion_ms >= CONVERSION_INTERVAL_MS;
		if (!wanted || !rested) {
			return ERR_OK;
		}
		enum err_code code = tell(m, MOONLITE_CONVERT, 0, err);
		m->converting = code == ERR_OK;
		m->conversion_begun = true;
		m->conversion_ms = now_ms;
		return code;
	}
	if (now_ms - m->conversion_ms < CONVERSION_MS) {
		return ERR_OK;
	}
	m->converting = false;
	struct span frame;
	struct err missed;
	enum err_code code = ask(m, MOONLITE_GET_TEMPERATURE, deadline_ms, &frame, &missed);
	if (code == ERR_TIMEOUT || code == ERR_PROTOCOL) {
		if (++m->temperature_misses == TEMPERATURE_TRIES) {
			m->temperature_off = true;
			log_info(m->host->source,
				"no temperature from this controller; not asked again until reconnected");
		}
		return ERR_OK;
	}
	if (code != ERR_OK) {
		return err_copy(err, &missed);
	}
	m->temperature_misses = 0;
	double celsius = 0;
	if (moonlite_decode_temperature(frame, m->whole_degrees, &celsius) == ERR_OK) {
		out->temperature_valid = true;
		out->temperature_c = celsius;
	}
	return ERR_OK;
}

static enum err_code moonlite_poll(void *ctx, unsigned want, struct focuser_reading *out,
	struct err *err)
{
	struct moonlite *m = ctx;
	struct focuser_reading reading = {0};
	enum err_code code = require_open(m, err);
	int64_t deadline_ms = real_ms() + CALL_MS;
	if (code == ERR_OK && (want & FOCUSER_WANT_MOTION)) {
		code = poll_motion(m, deadline_ms, &reading, err);
	}
	/* Not while moving: some clones stop stepping for the conversion. */
	if (code == ERR_OK && !m->may_move && !m->temperature_off) {
		code = poll_temperature(m, (want & FOCUSER_WANT_TEMPERATURE) != 0, deadline_ms,
			&reading, err);
	}
	if (code == ERR_OK) {
		*out = reading;
	}
	return code;
}

static enum err_code moonlite_set_position(void *ctx, int32_t position, struct err *err)
{
	struct moonlite *m = ctx;
	enum err_code code = require_open(m, err);
	if (code != ERR_OK) {
		return code;
	}
	if (position < 0 || position > m->max_step) {
		return err_set(err, ERR_INVALID_VALUE, "position %d is outside 0..%d", (int)position,
			(int)m->max_step);
	}
	int64_t deadline_ms = real_ms() + CALL_MS;
	bool moving = false;
	code = ask_moving(m, deadline_ms, &moving, err);
	if (code == ERR_OK && moving) {
		code = err_set(err, ERR_INVALID_OPERATION,
			"the position cannot be set while the motor moves");
	}
	if (code == ERR_OK) {
		code = tell(m, MOONLITE_SET_POSITION, position, err);
	}
	if (code == ERR_OK) {
		code = ask_position(m, deadline_ms, err);
	}
	if (code == ERR_OK && m->position != position) {
		code = err_set(err, ERR_REFUSED, "the controller says %d after being told it is at %d",
			(int)m->position, (int)position);
	}
	return code;
}

/* Bridges only: the original's FTDI and what the Arduino builds use. */
static const struct focuser_usb_id moonlite_usb_ids[] = {
	{.vid = 0x0403, .pid = 0x6001},
	{.vid = 0x0403, .pid = 0x6015},
	{.vid = 0x1a86, .pid = 0x7523},
	{.vid = 0x10c4, .pid = 0xea60},
	{.vid = 0x067b, .pid = 0x2303},
	{.vid = 0x2341},
	{.vid = 0},
};

const struct focuser_driver moonlite_driver = {
	.name = "moonlite",
	.title = "Moonlite compatible stepper",
	.ctx_size = sizeof(struct moonlite),
	.uses_port = true,
	.usb_ids = moonlite_usb_ids,
	.open_wait_ms = 2000,
	.poll_moving_ms = 200,
	.poll_idle_ms = 1000,
	.poll_temperature_ms = 5000,
	.first_poll_ms = 100,
	.speed_floor_steps_per_s = 16, /* the slowest of the five step delays, 20 */
	.open_wait_for = moonlite_open_wait_for,
	.open = moonlite_open,
	.identify = moonlite_identify,
	.close = moonlite_close,
	.start_move = moonlite_start_move,
	.halt = moonlite_halt,
	.poll = moonlite_poll,
	.set_position = moonlite_set_position,
};
