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
#include "moonlite_driver.h"
#include "moonlite_private.h"
#include "quirks.h"
#include "transport.h"

#define DEFAULT_BAUD 9600

/* Clones lose a command that follows another one too closely; their authors ask for 10 to 50 ms. */
#define COMMAND_GAP_MS 10

/* One try of identify() may take 1.2 s in all; the last question that matters ends at IDENTIFY_MS. */
#define IDENTIFY_VERSION_MS 450
#define IDENTIFY_POSITION_MS 450
#define IDENTIFY_MS 1180
/* The speed and the step mode are asked for only when there is so much time left. */
#define IDENTIFY_SETTINGS_MS 400

/* A conversion of the temperature takes up to 750 ms.  One more often than every 5 s warms some probes. */
#define CONVERSION_MS 800
#define CONVERSION_INTERVAL_MS 5000
#define TEMPERATURE_TRIES 3

/* A count at rest that differs by more than this from the last one, and was not on its way there, cannot come from
 * motion.  The allowance is some steps, and what a fast motor does in the time between. */
#define JUMP_STEPS 64
#define JUMP_STEPS_PER_MS 5

/* With the quirk lands-beside a motor this close to its target has arrived; up to 7 steps are known, of a clone's
 * own backlash. */
#define BESIDE_TOLERANCE_STEPS 10

#define QUIRK(member) offsetof(struct moonlite, quirks.member)

static const struct focuser_quirk quirk_words[] = {
	{"no-version", "does not know :GV#: is not asked for its version", QUIRK(no_version)},
	{"no-target", "does not know :GN#: targets are not read back", QUIRK(no_target)},
	{"sn-starts", ":SN starts the motor already (is found out by the first move)", QUIRK(sn_starts)},
	{"no-hash", "answers may lack the # at their end", QUIRK(no_hash)},
	{"extended", "knows positions above 65535", QUIRK(extended)},
	{"signed-positions", "four digits above 7FFF are below zero", QUIRK(signed_positions)},
	{"whole-degrees", "counts whole degrees (high resolution Ardufocus is known)", QUIRK(whole_degrees)},
	{"lands-beside", "stops up to 10 steps beside its target", QUIRK(lands_beside)},
	{NULL, NULL, 0},
};

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
	quirks_read(quirk_words, port, m);
	m->sn_tested = m->quirks.sn_starts;
	m->sn_moves = m->quirks.sn_starts;
	m->compensation_due = port->tempcomp_steps_per_c != 0;
	struct transport_settings settings = {
		.baud = port->baud > 0 ? port->baud : DEFAULT_BAUD,
	};
	enum err_code code = wire_open(&m->wire, port->port, &settings, COMMAND_GAP_MS, host, err);
	/* Every command begins with ':' and no answer does, so what begins like the command is the echo of an
	 * adapter or a loop. */
	m->wire.x.line_echoes = true;
	return code;
}

static void moonlite_close(void *ctx)
{
	struct moonlite *m = ctx;
	if (m->wire.pipe != NULL && m->compensating) {
		/* Once the port is closed nobody watches the motor, so it must not move by itself. */
		(void)moonlite_tell(m, MOONLITE_COMPENSATION_OFF, 0, NULL);
	}
	wire_close(&m->wire);
	memset(m, 0, sizeof *m);
}

/* The firmware's version, "" when it did not answer; 00 is what Ardufocus answers to whatever it does not
 * know.  Anything else is another device. */
static enum err_code ask_version(struct moonlite *m, int64_t deadline_ms, char version[3],
	struct err *err)
{
	struct span frame;
	version[0] = '\0';
	if (m->quirks.no_version) {
		return ERR_OK;
	}
	enum err_code code = moonlite_ask_once(m, MOONLITE_GET_VERSION, deadline_ms, &frame, err);
	if (code == ERR_OK) {
		(void)moonlite_decode_version(frame, version);
	} else if (code == ERR_PROTOCOL) {
		/* Some firmware forgets the terminator of this answer. */
		if (moonlite_decode_version(exchange_rest(&m->wire.x), version) != ERR_OK) {
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

/* A controller that keeps 16 bits would turn a target above 65535 into a low one and drive there.  So only one
 * that answers with eight digits, or whose user says so, gets such targets. */
static int32_t allowed_max_step(const struct moonlite *m, bool wide)
{
	int32_t wanted = m->port->max_step > 0 ? m->port->max_step : MOONLITE_MAX_16_BIT;
	if (wanted > MOONLITE_MAX_16_BIT && !wide && !m->quirks.extended) {
		log_warn(m->host->source,
			"max_step %d: this controller shows no positions above 65535; if it has them, add "
			"quirks = extended",
			(int)wanted);
		return MOONLITE_MAX_16_BIT;
	}
	return wanted;
}

static void fill_caps(struct moonlite *m, const char *version, bool wide, struct focuser_caps *caps)
{
	m->max_step = allowed_max_step(m, wide);
	m->whole_degrees = m->quirks.whole_degrees || (wide && strcmp(version, "00") == 0);
	memset(caps, 0, sizeof *caps);
	caps->max_step = m->max_step;
	caps->max_increment = m->max_step;
	caps->has_temperature = true;
	caps->has_tempcomp = m->port->tempcomp_steps_per_c != 0;
	caps->step_size_um = NAN;
	caps->tolerance_steps = m->quirks.lands_beside ? BESIDE_TOLERANCE_STEPS : 0;
	caps->identity_partial = version[0] == '\0';
	name_firmware(version, wide, caps->identity, sizeof caps->identity);
}

static enum err_code moonlite_identify(void *ctx, struct focuser_caps *caps, struct err *err)
{
	struct moonlite *m = ctx;
	enum err_code code = wire_require_open(&m->wire, err);
	if (code != ERR_OK) {
		return code;
	}
	int64_t begin_ms = real_ms();
	code = wire_hear_out(&m->wire, begin_ms + IDENTIFY_MS, err);
	if (code != ERR_OK) {
		return code;
	}
	/* Each try stands for itself: it begins with a quiet line, and asks three questions whose answers have
	 * three shapes. */
	m->wire.x.unsettled = false;
	char version[3];
	code = ask_version(m, real_ms() + IDENTIFY_VERSION_MS, version, err);
	if (code != ERR_OK) {
		return wire_not_found(&m->wire, code, "", err);
	}
	m->wire.x.unsettled = false;
	struct span frame;
	code = moonlite_ask_once(m, MOONLITE_GET_POSITION,
		sooner(real_ms() + IDENTIFY_POSITION_MS, begin_ms + IDENTIFY_MS), &frame, err);
	if (version[0] == '\0') {
		code = wire_not_found(&m->wire, code, "", err);
	}
	if (code == ERR_OK && version[0] == '\0' && !m->quirks.no_version) {
		/* Some mounts speak a similar language and answer this, too.  Whether the first question may be
		 * left out is for the user to say. */
		return err_set(err, ERR_TIMEOUT,
			"%s answers :GP#, but not :GV#. If it is a focuser whose firmware does not know :GV#, "
			"add quirks = no-version; some mounts speak like this, too",
			wire_name(&m->wire));
	}
	bool wide = code == ERR_OK && moonlite_digits(frame) == 8;
	if (code == ERR_OK) {
		code = moonlite_take_position(m, frame);
	}
	bool moving = false;
	if (code == ERR_OK) {
		code = moonlite_ask_once(m, MOONLITE_GET_MOVING, begin_ms + IDENTIFY_MS, &frame, err);
	}
	if (code == ERR_OK) {
		code = moonlite_decode_flag(frame, &moving);
	}
	if (code != ERR_OK) {
		return code;
	}
	m->out_of_step = false;
	m->may_move = moving;
	m->settings_due = moonlite_settings_wanted(m);
	fill_caps(m, version, wide, caps);
	int64_t end_ms = begin_ms + IDENTIFY_MS;
	if (end_ms - real_ms() < IDENTIFY_SETTINGS_MS) {
		return ERR_OK;
	}
	return m->settings_due && !moving ? moonlite_make_settings(m, end_ms, err)
					  : moonlite_read_settings(m, end_ms, err);
}

/* The controller was reset, and has forgotten what it was told. */
static void note_reset(struct moonlite *m, struct focuser_reading *out)
{
	out->reset_seen = true;
	m->target_known = false;
	m->retarget_due = false;
	m->compensating = false;
	m->settings_due = moonlite_settings_wanted(m);
}

static bool on_the_way(const struct moonlite *m, int32_t from, int64_t from_ms, int32_t position)
{
	int64_t low = from;
	int64_t high = from;
	if (m->may_move) {
		low = m->target < low ? m->target : low;
		high = m->target > high ? m->target : high;
	}
	int64_t allowed = JUMP_STEPS;
	/* A controller that has forgotten its count begins at zero, so a reading of zero gets no allowance for time. */
	if (position != 0 && !m->may_move) {
		allowed += JUMP_STEPS_PER_MS * (m->position_ms - from_ms);
	}
	return position >= low - allowed && position <= high + allowed;
}

/* The motor rests at a place that it cannot have reached from the last one.  Either a reading went wrong, or the
 * controller was reset and has forgotten its target, too: reading once more tells which. */
static enum err_code look_for_reset(struct moonlite *m, int32_t from, int64_t from_ms,
	int64_t deadline_ms, struct focuser_reading *out, struct err *err)
{
	if (on_the_way(m, from, from_ms, m->position) || (!m->target_known && m->position != 0)) {
		return ERR_OK;
	}
	struct err doubt;
	enum err_code code = moonlite_ask_position(m, deadline_ms, err);
	if (code != ERR_OK || on_the_way(m, from, from_ms, m->position)) {
		return code;
	}
	if (m->target_known) {
		struct span frame;
		int32_t kept = 0;
		code = moonlite_ask(m, MOONLITE_GET_TARGET, deadline_ms, &frame, &doubt);
		if (code == ERR_IO || code == ERR_CANCELLED) {
			return err_copy(err, &doubt);
		}
		if (code == ERR_OK && moonlite_decode_position(frame, &kept) == ERR_OK &&
			(kept == m->target || kept == m->target_before)) {
			return ERR_OK;
		}
	}
	note_reset(m, out);
	return ERR_OK;
}

/* Does what had to wait until the motor rests. */
static enum err_code at_rest(struct moonlite *m, int64_t deadline_ms, struct err *err)
{
	enum err_code code = ERR_OK;
	if (m->retarget_due) {
		/* Some controllers keep the old target after a halt, and a button on the box would then drive on
		 * to it. */
		m->retarget_due = false;
		m->target_before = m->target;
		/* A target below zero cannot be said. */
		m->target = m->position < 0 ? 0 : m->position;
		code = moonlite_tell(m, MOONLITE_SET_TARGET, m->target, err);
	}
	if (code == ERR_OK && m->compensation_due) {
		m->compensation_due = false;
		code = moonlite_tell(m, MOONLITE_COMPENSATION_OFF, 0, err);
	}
	if (code == ERR_OK && m->settings_due) {
		code = moonlite_make_settings(m, deadline_ms, err);
	}
	return code;
}

static enum err_code poll_motion(struct moonlite *m, int64_t deadline_ms,
	struct focuser_reading *out, struct err *err)
{
	bool known = m->position_known;
	int32_t from = m->position;
	int64_t from_ms = m->position_ms;
	/* Whether it moves is asked first, since a position that is read after "at rest" is the final one. */
	bool moving = false;
	enum err_code code = moonlite_ask_moving(m, deadline_ms, &moving, err);
	if (code == ERR_OK) {
		code = moonlite_ask_position(m, deadline_ms, err);
	}
	if (code == ERR_OK && known && !moving) {
		code = look_for_reset(m, from, from_ms, deadline_ms, out, err);
	}
	if (code != ERR_OK) {
		/* The next reading must not be compared with this one. */
		m->position = from;
		m->position_ms = from_ms;
		return code;
	}
	m->may_move = moving;
	out->moving_valid = true;
	out->moving = moving;
	out->position_valid = true;
	out->position = m->position;
	return moving ? ERR_OK : at_rest(m, deadline_ms, err);
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
		enum err_code code = moonlite_tell(m, MOONLITE_CONVERT, 0, err);
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
	enum err_code code = moonlite_ask(m, MOONLITE_GET_TEMPERATURE, deadline_ms, &frame, &missed);
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
	enum err_code code = wire_require_open(&m->wire, err);
	int64_t deadline_ms = real_ms() + MOONLITE_CALL_MS;
	if (code == ERR_OK && (want & FOCUSER_WANT_MOTION)) {
		code = poll_motion(m, deadline_ms, &reading, err);
	}
	/* This is not done while the motor moves, because some clones stop stepping during the conversion. */
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
	enum err_code code = wire_require_open(&m->wire, err);
	if (code != ERR_OK) {
		return code;
	}
	if (position < 0 || position > m->max_step) {
		return err_set(err, ERR_INVALID_VALUE, "position %d is outside 0..%d", (int)position,
			(int)m->max_step);
	}
	int64_t deadline_ms = real_ms() + MOONLITE_CALL_MS;
	bool moving = false;
	code = moonlite_ask_moving(m, deadline_ms, &moving, err);
	if (code == ERR_OK && moving) {
		code = err_set(err, ERR_INVALID_OPERATION,
			"the position cannot be set while the motor moves");
	}
	if (code == ERR_OK) {
		m->target_known = false;
		code = moonlite_tell(m, MOONLITE_SET_POSITION, position, err);
	}
	if (code == ERR_OK) {
		code = moonlite_ask_position(m, deadline_ms, err);
	}
	if (code == ERR_OK && m->position != position) {
		code = err_set(err, ERR_REFUSED, "the controller says %d after being told it is at %d",
			(int)m->position, (int)position);
	}
	return code;
}

/* These are bridges only: the FTDI of the original, and what the Arduino builds use. */
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
	.quirks = quirk_words,
	.sets_speed = true,
	.sets_step_mode = true,
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
	.set_tempcomp = moonlite_set_tempcomp,
	.set_position = moonlite_set_position,
};
