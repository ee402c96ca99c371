/* SPDX-License-Identifier: MIT */
/*
 * The do-it-yourself controller myFocuserPro2, on a serial line or, in its Ethernet and WiFi builds,
 * over TCP.  Setters are silent, so whatever matters is read back; replies begin with the name of
 * their field, so a late one is told from the answer to another question.  Called on one worker
 * thread.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "myfocuserpro2_codec.h"
#include "myfocuserpro2_driver.h"
#include "transport.h"
#include "moment.h"
#include "wire.h"

#define DEFAULT_BAUD 9600

/* The controller wants a pause between commands. */
#define COMMAND_GAP_MS 50

/* One try of identify() may take 1.2 s in all; questions that are left are asked by the next try. */
#define IDENTIFY_MS 1150

#define CALL_MS 1900
#define ANSWER_MS 500
#define WRITE_MS 300

/* Superseding a move waits this long for the motor to stop. */
#define STOP_MS 1000

struct mfp2;

/* One question of identify(); what it learns stays in the context. */
typedef enum err_code (*learn_fn)(struct mfp2 *m, int64_t deadline_ms, struct err *err);

struct mfp2 {
	const struct focuser_port *port;
	const struct driver_host *host;
	struct wire wire;
	size_t learnt;           /* questions of identify() that were answered */
	bool out_of_step;        /* a reply may be missing: resynchronise before the next question */
	bool may_move;           /* not seen at rest since the last reason to move */
	bool backlash_told;          /* what the controller does about backlash was looked up */
	int32_t max_step;
	bool probe;
	bool compensation;       /* it knows the command */
	bool compensating;
	char version[MFP2_MAX_VERSION];
};

static enum err_code tell(struct mfp2 *m, enum mfp2_command command, int32_t value, struct err *err)
{
	char text[MFP2_MAX_COMMAND];
	struct span bytes = {.data = text, .len = mfp2_encode(text, command, value)};
	if (bytes.len == 0) {
		return err_set(err, ERR_INVALID_VALUE, "%d is no number for this controller",
			(int)value);
	}
	return exchange_tell(&m->wire.x, bytes, real_ms() + WRITE_MS, err);
}

/* One question; frames that do not fit are late answers to earlier ones and are passed over. */
static enum err_code ask_once(struct mfp2 *m, enum mfp2_command command, int64_t deadline_ms,
	struct span *frame, struct err *err)
{
	char text[MFP2_MAX_COMMAND];
	struct span bytes = {.data = text, .len = mfp2_encode(text, command, 0)};
	deadline_ms = sooner(deadline_ms, real_ms() + ANSWER_MS);
	enum err_code code = exchange_ask(&m->wire.x, bytes, mfp2_scan, frame, deadline_ms, err);
	while (code == ERR_OK && !mfp2_fits(command, *frame)) {
		code = exchange_next(&m->wire.x, mfp2_scan, frame, deadline_ms, err);
	}
	if (code == ERR_TIMEOUT || code == ERR_PROTOCOL || code == ERR_CANCELLED) {
		m->out_of_step = true;
	}
	return code;
}

/* After a missed answer the greeting is asked for first, whose answer looks like no other.  The controller answers
 * in turn, so everything older is used up with it. */
static enum err_code ask(struct mfp2 *m, enum mfp2_command command, int64_t deadline_ms,
	struct span *frame, struct err *err)
{
	if (m->out_of_step) {
		enum err_code code = ask_once(m, MFP2_GREET, deadline_ms, frame, err);
		if (code != ERR_OK) {
			return code;
		}
		m->out_of_step = false;
	}
	return ask_once(m, command, deadline_ms, frame, err);
}

static enum err_code ask_number(struct mfp2 *m, enum mfp2_command command, int64_t deadline_ms,
	int32_t *value, struct err *err)
{
	struct span frame;
	enum err_code code = ask(m, command, deadline_ms, &frame, err);
	return code != ERR_OK ? code : mfp2_decode_number(command, frame, value);
}

/* This one is repeated, because the start of a move should not fail for one lost reply.  Polls do not repeat: a
 * halt waits until a poll has ended. */
static enum err_code ask_moving_again(struct mfp2 *m, int64_t deadline_ms, bool *moving,
	struct err *err)
{
	int32_t value = 0;
	enum err_code code = ask_number(m, MFP2_GET_MOVING, deadline_ms, &value, err);
	if (code == ERR_TIMEOUT || code == ERR_PROTOCOL) {
		code = ask_number(m, MFP2_GET_MOVING, deadline_ms, &value, err);
	}
	*moving = value != 0;
	return code;
}

static int mfp2_open_wait_for(const struct focuser_port *port)
{
	return transport_can_reset(port->port) ? 2000 : 0;
}

static enum err_code mfp2_open(void *ctx, const struct focuser_port *port,
	const struct driver_host *host, struct err *err)
{
	struct mfp2 *m = ctx;
	m->port = port;
	m->host = host;
	struct transport_settings settings = {
		.baud = port->baud > 0 ? port->baud : DEFAULT_BAUD,
	};
	enum err_code code = wire_open(&m->wire, port->port, &settings, COMMAND_GAP_MS, host, err);
	/* Every command begins with ':' and no answer does, so what begins like the command is the echo of an
	 * adapter or a loop. */
	m->wire.x.line_echoes = true;
	return code;
}

static void mfp2_close(void *ctx)
{
	struct mfp2 *m = ctx;
	wire_close(&m->wire);
	memset(m, 0, sizeof *m);
}

static enum err_code learn_silence(struct mfp2 *m, int64_t deadline_ms, struct err *err)
{
	return wire_hear_out(&m->wire, deadline_ms, err);
}

static enum err_code learn_greeting(struct mfp2 *m, int64_t deadline_ms, struct err *err)
{
	struct span frame;
	enum err_code code = ask_once(m, MFP2_GREET, deadline_ms, &frame, err);
	return wire_not_found(&m->wire, code, "", err);
}

static enum err_code learn_version(struct mfp2 *m, int64_t deadline_ms, struct err *err)
{
	struct span frame;
	enum err_code code = ask_once(m, MFP2_GET_VERSION, deadline_ms, &frame, err);
	return code != ERR_OK ? code : mfp2_decode_version(frame, m->version);
}

static enum err_code learn_max(struct mfp2 *m, int64_t deadline_ms, struct err *err)
{
	int32_t value = 0;
	struct span frame;
	enum err_code code = ask_once(m, MFP2_GET_MAX, deadline_ms, &frame, err);
	if (code == ERR_OK) {
		code = mfp2_decode_number(MFP2_GET_MAX, frame, &value);
	}
	if (code == ERR_OK && value == 0) {
		return err_set(err, ERR_REFUSED,
			"the controller's highest position is 0: set it with the controller's own program");
	}
	m->max_step = value;
	return code;
}

/* Old firmware does not know this question; then a probe is assumed, and reading it shows whether there is one. */
static enum err_code learn_probe(struct mfp2 *m, int64_t deadline_ms, struct err *err)
{
	int32_t value = 1;
	struct span frame;
	enum err_code code = ask_once(m, MFP2_GET_PROBE, deadline_ms, &frame, err);
	if (code == ERR_OK) {
		code = mfp2_decode_number(MFP2_GET_PROBE, frame, &value);
	}
	m->probe = value != 0;
	return code == ERR_TIMEOUT || code == ERR_PROTOCOL ? ERR_OK : code;
}

static enum err_code learn_compensation(struct mfp2 *m, int64_t deadline_ms, struct err *err)
{
	int32_t value = 0;
	struct span frame;
	enum err_code code = ask_once(m, MFP2_GET_COMPENSATION, deadline_ms, &frame, err);
	if (code == ERR_OK) {
		code = mfp2_decode_number(MFP2_GET_COMPENSATION, frame, &value);
	}
	m->compensation = code == ERR_OK;
	m->compensating = value != 0;
	return code == ERR_TIMEOUT || code == ERR_PROTOCOL ? ERR_OK : code;
}

static const learn_fn questions[] = {learn_silence, learn_greeting, learn_version, learn_max,
	learn_probe, learn_compensation};

#define QUESTIONS (sizeof questions / sizeof questions[0])

/* Over a network all the questions may take longer than one try may, so what was answered is not asked again. */
static enum err_code mfp2_identify(void *ctx, struct focuser_caps *caps, struct err *err)
{
	struct mfp2 *m = ctx;
	enum err_code code = wire_require_open(&m->wire, err);
	int64_t deadline_ms = real_ms() + IDENTIFY_MS;
	while (code == ERR_OK && m->learnt < QUESTIONS) {
		if (real_ms() >= deadline_ms) {
			return err_set(err, ERR_TIMEOUT, "the controller on %s answers too slowly",
				wire_name(&m->wire));
		}
		code = questions[m->learnt](m, deadline_ms, err);
		m->learnt += code == ERR_OK;
	}
	if (code != ERR_OK) {
		return code;
	}
	m->learnt = 1;
	m->may_move = true;
	if (m->port->max_step > m->max_step) {
		log_warn(m->host->source,
			"max_step = %d is configured, but the controller ends at %d; that counts",
			(int)m->port->max_step, (int)m->max_step);
	}
	memset(caps, 0, sizeof *caps);
	caps->max_step = m->max_step;
	caps->max_increment = m->max_step;
	caps->has_temperature = m->probe;
	caps->has_tempcomp = m->probe && m->compensation;
	caps->tempcomp_on = caps->has_tempcomp && m->compensating;
	caps->step_size_um = NAN;
	snprintf(caps->identity, sizeof caps->identity, "myFocuserPro2, firmware %s", m->version);
	return ERR_OK;
}

/* Most firmware ignores a new target while it moves, so a running move is stopped first. */
static enum err_code stop_first(struct mfp2 *m, int64_t deadline_ms, struct err *err)
{
	bool moving = true;
	enum err_code code = ask_moving_again(m, deadline_ms, &moving, err);
	if (code != ERR_OK || !moving) {
		return code;
	}
	code = tell(m, MFP2_HALT, 0, err);
	int64_t until_ms = sooner(deadline_ms, real_ms() + STOP_MS);
	while (code == ERR_OK && moving) {
		if (real_ms() >= until_ms) {
			return err_set(err, ERR_STALLED,
				"the motor did not stop to take a new target");
		}
		code = ask_moving_again(m, deadline_ms, &moving, err);
	}
	return code;
}

static enum err_code check_position(const struct mfp2 *m, int32_t position, struct err *err)
{
	return position >= 0 && position <= m->max_step ? ERR_OK
		: err_set(err, ERR_INVALID_VALUE, "position %d is outside 0..%d", (int)position,
			  (int)m->max_step);
}

static enum err_code mfp2_start_move(void *ctx, int32_t target, struct err *err)
{
	struct mfp2 *m = ctx;
	enum err_code code = wire_require_open(&m->wire, err);
	if (code == ERR_OK) {
		code = check_position(m, target, err);
	}
	if (code == ERR_OK && m->may_move) {
		code = stop_first(m, real_ms() + CALL_MS, err);
	}
	if (code == ERR_OK && wire_urgent(&m->wire)) {
		/* A halt that came meanwhile must not be answered with a start. */
		return err_set(err, ERR_CANCELLED, "the move was not begun");
	}
	if (code == ERR_OK) {
		m->may_move = true;
		code = tell(m, MFP2_GOTO, target, err);
	}
	return code;
}

static enum err_code mfp2_halt(void *ctx, struct err *err)
{
	struct mfp2 *m = ctx;
	enum err_code code = wire_require_open(&m->wire, err);
	return code != ERR_OK ? code : tell(m, MFP2_HALT, 0, err);
}

static enum err_code poll_motion(struct mfp2 *m, int64_t deadline_ms, struct focuser_reading *out,
	struct err *err)
{
	/* Whether it moves is asked first, since a position that is read after "at rest" is the final one. */
	int32_t moving = 0;
	int32_t position = 0;
	enum err_code code = ask_number(m, MFP2_GET_MOVING, deadline_ms, &moving, err);
	if (code == ERR_OK) {
		code = ask_number(m, MFP2_GET_POSITION, deadline_ms, &position, err);
	}
	if (code != ERR_OK) {
		return code;
	}
	m->may_move = moving != 0;
	out->moving_valid = true;
	out->moving = moving != 0;
	out->position_valid = true;
	out->position = position;
	return ERR_OK;
}

/* A probe that fails does not fail the motion: only a vanished port and urgency are errors here. */
static enum err_code poll_temperature(struct mfp2 *m, int64_t deadline_ms,
	struct focuser_reading *out, struct err *err)
{
	struct span frame;
	struct err missed;
	enum err_code code = ask(m, MFP2_GET_TEMPERATURE, deadline_ms, &frame, &missed);
	if (code == ERR_OK) {
		double celsius = 0;
		if (mfp2_decode_temperature(frame, &celsius) == ERR_OK) {
			out->temperature_valid = true;
			out->temperature_c = celsius;
		}
		return ERR_OK;
	}
	return code == ERR_TIMEOUT || code == ERR_PROTOCOL ? ERR_OK : err_copy(err, &missed);
}

/* How much backlash the controller takes up by itself in one direction, in steps; 0 when it does not. */
static enum err_code ask_backlash(struct mfp2 *m, enum mfp2_command on, enum mfp2_command steps,
	int64_t deadline_ms, int32_t *out, struct err *err)
{
	int32_t is_on = 0;
	*out = 0;
	enum err_code code = ask_number(m, on, deadline_ms, &is_on, err);
	return code == ERR_OK && is_on != 0 ? ask_number(m, steps, deadline_ms, out, err) : code;
}

/* The controller can take up backlash by itself, which its position does not show.  Either the controller or core
 * may do it, never both, so the controller is asked once, at rest, when there is time.  Old firmware does not know
 * these questions, and is then taken for one that does not do it. */
static enum err_code tell_backlash(struct mfp2 *m, int64_t deadline_ms, struct focuser_reading *reading,
	struct err *err)
{
	m->backlash_told = true;
	int32_t in = 0;
	int32_t out = 0;
	struct err missed;
	enum err_code code = ask_backlash(m, MFP2_GET_BACKLASH_IN_ON, MFP2_GET_BACKLASH_IN, deadline_ms, &in,
		&missed);
	if (code == ERR_OK) {
		code = ask_backlash(m, MFP2_GET_BACKLASH_OUT_ON, MFP2_GET_BACKLASH_OUT, deadline_ms, &out,
			&missed);
	}
	if (code == ERR_OK) {
		reading->backlash_valid = true;
		reading->backlash_steps = in > out ? in : out;
	}
	return code == ERR_IO || code == ERR_CANCELLED ? err_copy(err, &missed) : ERR_OK;
}

static enum err_code mfp2_poll(void *ctx, unsigned want, struct focuser_reading *out,
	struct err *err)
{
	struct mfp2 *m = ctx;
	struct focuser_reading reading = {0};
	enum err_code code = wire_require_open(&m->wire, err);
	int64_t deadline_ms = real_ms() + CALL_MS;
	if (code == ERR_OK && (want & FOCUSER_WANT_MOTION)) {
		code = poll_motion(m, deadline_ms, &reading, err);
	}
	/* What is not about motion waits until the motor rests, so that a halt never waits for a thermometer. */
	if (code == ERR_OK && !m->may_move && (want & FOCUSER_WANT_TEMPERATURE) && m->probe) {
		code = poll_temperature(m, deadline_ms, &reading, err);
	} else if (code == ERR_OK && !m->may_move && !m->backlash_told) {
		code = tell_backlash(m, deadline_ms, &reading, err);
	}
	if (code == ERR_OK) {
		*out = reading;
	}
	return code;
}

static enum err_code mfp2_set_tempcomp(void *ctx, bool on, struct err *err)
{
	struct mfp2 *m = ctx;
	int32_t now_on = 0;
	enum err_code code = wire_require_open(&m->wire, err);
	if (code == ERR_OK) {
		code = tell(m, MFP2_SET_COMPENSATION, on, err);
	}
	if (code == ERR_OK) {
		code = ask_number(m, MFP2_GET_COMPENSATION, real_ms() + CALL_MS, &now_on, err);
	}
	if (code == ERR_OK && (now_on != 0) != on) {
		return err_set(err, ERR_REFUSED,
			"the controller does not switch its temperature compensation %s",
			on ? "on" : "off");
	}
	return code;
}

static enum err_code mfp2_set_position(void *ctx, int32_t position, struct err *err)
{
	struct mfp2 *m = ctx;
	int64_t deadline_ms = real_ms() + CALL_MS;
	int32_t moving = 0;
	int32_t kept = 0;
	enum err_code code = wire_require_open(&m->wire, err);
	if (code == ERR_OK) {
		code = check_position(m, position, err);
	}
	if (code == ERR_OK) {
		code = ask_number(m, MFP2_GET_MOVING, deadline_ms, &moving, err);
	}
	if (code == ERR_OK && moving != 0) {
		return err_set(err, ERR_INVALID_OPERATION,
			"the position cannot be set while the motor moves");
	}
	if (code == ERR_OK) {
		code = tell(m, MFP2_SET_POSITION, position, err);
	}
	if (code == ERR_OK) {
		code = ask_number(m, MFP2_GET_POSITION, deadline_ms, &kept, err);
	}
	if (code == ERR_OK && kept != position) {
		return err_set(err, ERR_REFUSED, "the controller says %d after being told it is at %d",
			(int)kept, (int)position);
	}
	return code;
}

/* Boards that people build this controller with: Arduinos, their bridges, and the bridges of ESP boards. */
static const struct focuser_usb_id mfp2_usb_ids[] = {
	{.vid = 0x1a86, .pid = 0x7523},
	{.vid = 0x10c4, .pid = 0xea60},
	{.vid = 0x0403, .pid = 0x6001},
	{.vid = 0x2341},
	{.vid = 0},
};

const struct focuser_driver myfocuserpro2_driver = {
	.name = "myfocuserpro2",
	.title = "myFocuserPro2",
	.ctx_size = sizeof(struct mfp2),
	.uses_port = true,
	.usb_ids = mfp2_usb_ids,
	.open_wait_ms = 2000,
	.poll_moving_ms = 250,
	.poll_idle_ms = 1000,
	.poll_temperature_ms = 5000,
	.first_poll_ms = 100,
	.speed_floor_steps_per_s = 20, /* small geared motors in slow speed */
	.open_wait_for = mfp2_open_wait_for,
	.open = mfp2_open,
	.identify = mfp2_identify,
	.close = mfp2_close,
	.start_move = mfp2_start_move,
	.halt = mfp2_halt,
	.poll = mfp2_poll,
	.set_tempcomp = mfp2_set_tempcomp,
	.set_position = mfp2_set_position,
};
