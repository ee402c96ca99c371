/* SPDX-License-Identifier: MIT */
/*
 * Celestron's focus motor for Schmidt-Cassegrains.  It moves the mirror, knows its limits only after
 * a calibration, which it does by itself, and can be harmed by driving into a stop: without limits
 * nothing moves.  It finishes a motion or a calibration also when nobody is there to see it.  Core
 * calls it on one worker thread.
 */
#include "celestron_driver.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "celestron_codec.h"
#include "celestron_link.h"
#include "moment.h"
#include "transport.h"

/* One try of identify() may take 1.2 s in all; a motor that does not tell its version within IDENTIFY_VERSION_MS
 * is not there. */
#define IDENTIFY_MS 1180
#define IDENTIFY_VERSION_MS 900
#define CALL_MS 1900
#define ANSWER_MS 800
#define ORDER_MS 1200

#define STEPS_PER_TURN 1000
#define CALIBRATION_STEPS 12
/* The motor comes to rest this close to its target or closer. */
#define ARRIVED_STEPS 2
/* The highest position that is published until the limits are known; no motor of this kind can have more. */
#define UNCALIBRATED_MAX 60000
/* A way that turns back and is no longer than this is the last approach, which the motor goes slowly. */
#define LAST_APPROACH_STEPS 500
/* The motor goes a second try slowly only over a turn of the knob or less: nobody has written down how slow that is,
 * and over half the range it would be taken for a motor that is stuck. */
#define SLOW_RETRY_STEPS 1000

struct celestron {
	struct celestron_link link;
	struct celestron_limits limits;
	bool calibrated;
	bool calibrating;
	/* These were answered in an earlier try of this identify(), since a slow line has no time for all in one. */
	bool version_known, state_known;
	struct celestron_version version;
	bool position_known;
	int32_t position;   /* last one read; below 0 before some calibrations */
	bool bound;         /* target is where the motor was sent last, and it has not been halted since */
	int32_t target;
	int way;            /* of that leg: +1, -1; 0 none yet */
};

static enum err_code wrong_shape(uint8_t command, int count, struct err *err)
{
	return err_set(err, ERR_PROTOCOL, "the focus motor's answer to %02X has a wrong shape (%d bytes)",
		(unsigned)command, count);
}

/* A hand controller answers when it is ready, which may use up all the time there is. */
static enum err_code ask(struct celestron *m, uint8_t command, int wanted,
	struct celestron_packet *reply, int64_t deadline_ms, struct err *err)
{
	int64_t until_ms = m->link.hand_controller ? deadline_ms
						   : sooner(deadline_ms, real_ms() + ANSWER_MS);
	return celestron_link_ask(&m->link, command, NULL, 0, wanted, reply, until_ms, err);
}

static enum err_code ask_position(struct celestron *m, int64_t deadline_ms, struct err *err)
{
	struct celestron_packet reply;
	int32_t position = 0;
	enum err_code code = ask(m, CELESTRON_GET_POSITION, 3, &reply, deadline_ms, err);
	if (code != ERR_OK) {
		return code;
	}
	if (celestron_position(&reply, &position) != ERR_OK) {
		return wrong_shape(CELESTRON_GET_POSITION, reply.count, err);
	}
	m->position = position;
	m->position_known = true;
	return ERR_OK;
}

static enum err_code ask_moving(struct celestron *m, int64_t deadline_ms, bool *moving,
	struct err *err)
{
	struct celestron_packet reply;
	enum err_code code = ask(m, CELESTRON_SLEW_DONE, 1, &reply, deadline_ms, err);
	if (code == ERR_OK && celestron_slew_done(&reply, moving) != ERR_OK) {
		code = wrong_shape(CELESTRON_SLEW_DONE, reply.count, err);
	}
	return code;
}

static enum err_code ask_calibration(struct celestron *m, int64_t deadline_ms,
	struct celestron_calibration *out, struct err *err)
{
	struct celestron_packet reply;
	enum err_code code = ask(m, CELESTRON_CALIBRATION_STATE, 2, &reply, deadline_ms, err);
	if (code == ERR_OK && celestron_calibration_state(&reply, out) != ERR_OK) {
		code = wrong_shape(CELESTRON_CALIBRATION_STATE, reply.count, err);
	}
	return code;
}

static enum err_code ask_limits(struct celestron *m, int64_t deadline_ms, struct err *err)
{
	struct celestron_packet reply;
	enum err_code code = ask(m, CELESTRON_GET_LIMITS, 8, &reply, deadline_ms, err);
	if (code == ERR_OK && celestron_limits(&reply, &m->limits) != ERR_OK) {
		code = wrong_shape(CELESTRON_GET_LIMITS, reply.count, err);
	}
	m->calibrated = code == ERR_OK && celestron_limits_valid(&m->limits);
	return code;
}

static int celestron_open_wait_for(const struct focuser_port *port)
{
	if (strncmp(port->port, "tcp://", 6) == 0) {
		return 500;
	}
	return transport_can_reset(port->port) ? 1000 : 0;
}

static enum err_code celestron_open(void *ctx, const struct focuser_port *port,
	const struct driver_host *host, struct err *err)
{
	struct celestron *m = ctx;
	return celestron_link_open(&m->link, port, host, err);
}

static void celestron_close(void *ctx)
{
	struct celestron *m = ctx;
	celestron_link_close(&m->link);
	memset(m, 0, sizeof *m);
}

static enum err_code ask_version(struct celestron *m, int64_t deadline_ms,
	struct celestron_version *version, struct err *err)
{
	struct celestron_packet reply;
	int64_t until_ms = m->link.hand_controller
				   ? deadline_ms
				   : sooner(deadline_ms, real_ms() + IDENTIFY_VERSION_MS);
	enum err_code code = celestron_link_ask(
		&m->link, CELESTRON_GET_VERSION, NULL, 0, 4, &reply, until_ms, err);
	if (code != ERR_OK) {
		return code;
	}
	if (celestron_version(&reply, version) != ERR_OK) {
		return wrong_shape(CELESTRON_GET_VERSION, reply.count, err);
	}
	if (version->build < 0) {
		return err_set(err, ERR_PROTOCOL,
			"a PlaneWave EFA (version %d.%d) answers, which needs a driver of its own: this one "
			"is for Celestron's focus motor", version->major, version->minor);
	}
	if (m->link.hand_controller && version->major == 0 && version->minor == 0 &&
		version->build == 0) {
		return err_set(err, ERR_TIMEOUT,
			"the hand controller finds no focus motor: is it plugged into the mount?");
	}
	return ERR_OK;
}

static void describe(const struct celestron *m, const struct celestron_version *version,
	struct focuser_caps *caps)
{
	memset(caps, 0, sizeof *caps);
	caps->min_step = m->calibrated ? m->limits.low : 0;
	caps->max_step = m->calibrated ? m->limits.high : UNCALIBRATED_MAX;
	caps->max_increment = caps->max_step;
	caps->steps_per_turn = STEPS_PER_TURN;
	caps->step_size_um = NAN;
	caps->tolerance_steps = ARRIVED_STEPS;
	caps->calibrating = m->calibrating;
	snprintf(caps->identity, sizeof caps->identity, "Celestron focus motor, firmware %d.%d.%d",
		version->major, version->minor, version->build);
	if (!m->calibrated) {
		snprintf(caps->move_refusal, sizeof caps->move_refusal,
			"not calibrated: it does not know its ends, and running into one can damage it. "
			"Calibrate first (action Calibrate, or the status page): it drives to both ends, "
			"about four minutes");
	}
}

static enum err_code celestron_identify(void *ctx, struct focuser_caps *caps, struct err *err)
{
	struct celestron *m = ctx;
	int64_t deadline_ms = real_ms() + IDENTIFY_MS;
	struct celestron_calibration calibration = {false, 0};
	enum err_code code = wire_require_open(&m->link.wire, err);
	if (code == ERR_OK && !m->version_known) {
		code = celestron_link_greet(&m->link, deadline_ms, err);
		if (code == ERR_OK) {
			code = ask_version(m, deadline_ms, &m->version, err);
		}
		m->version_known = code == ERR_OK;
	}
	/* This is asked before anything else, since the motor may be in the middle of a calibration. */
	if (code == ERR_OK && !m->state_known) {
		code = ask_calibration(m, deadline_ms, &calibration, err);
		m->state_known = code == ERR_OK;
		m->calibrating = m->state_known && !calibration.complete && calibration.step > 0;
	}
	if (code == ERR_OK) {
		code = ask_limits(m, deadline_ms, err);
	}
	if (code == ERR_OK) {
		m->version_known = false;
		m->state_known = false;
		describe(m, &m->version, caps);
	}
	return code;
}

/* The motor goes slowly on retries, and on the short way back that takes up the backlash. */
static bool goes_slowly(const struct celestron *m, int32_t target)
{
	if (!m->bound || !m->position_known) {
		return false;
	}
	int32_t off = m->position > m->target ? m->position - m->target : m->target - m->position;
	bool arrived = off <= ARRIVED_STEPS;
	if (target == m->target) {
		return !arrived && off <= SLOW_RETRY_STEPS;
	}
	int32_t way = target - m->position;
	return arrived && (way > 0 ? way : -way) <= LAST_APPROACH_STEPS && way * m->way < 0;
}

/* After a calibration whose end nobody saw (the answer to an abort was lost, or the abort took a moment) the
 * limits may be new, and targets are compared with them: so both are asked for. */
static enum err_code look_at_calibration(struct celestron *m, int64_t deadline_ms, struct err *err)
{
	struct celestron_calibration state;
	enum err_code code = ask_calibration(m, deadline_ms, &state, err);
	if (code == ERR_OK && (state.complete || state.step == 0)) {
		code = ask_limits(m, deadline_ms, err);
		m->calibrating = code != ERR_OK;
	}
	return code;
}

static enum err_code celestron_start_move(void *ctx, int32_t target, struct err *err)
{
	struct celestron *m = ctx;
	enum err_code code = wire_require_open(&m->link.wire, err);
	if (code != ERR_OK) {
		return code;
	}
	if (m->calibrating && (code = look_at_calibration(m, real_ms() + ANSWER_MS, err)) != ERR_OK) {
		return code;
	}
	if (!m->calibrated || m->calibrating) {
		return err_set(err, ERR_INVALID_OPERATION,
			m->calibrating ? "the focus motor is calibrating" : "the focus motor is not calibrated");
	}
	if (target < m->limits.low || target > m->limits.high) {
		return err_set(err, ERR_INVALID_VALUE, "position %d is outside the motor's limits %d..%d",
			(int)target, (int)m->limits.low, (int)m->limits.high);
	}
	uint8_t command = goes_slowly(m, target) ? CELESTRON_GOTO_SLOW : CELESTRON_GOTO_FAST;
	uint8_t data[3];
	celestron_put_position(data, target);
	struct celestron_packet reply;
	code = celestron_link_ask(&m->link, command, data, 3, 0, &reply, real_ms() + ORDER_MS, err);
	/* From here on the motor may be on its way, whether it answered or not. */
	int32_t way = target - m->position;
	m->way = way > 0 ? 1 : way < 0 ? -1 : m->way;
	m->target = target;
	m->bound = true;
	if (code == ERR_OK && celestron_ack(&reply) != ERR_OK) {
		m->bound = false;
		code = err_set(err, ERR_REFUSED, "the focus motor refuses to go to %d", (int)target);
	}
	return code;
}

static enum err_code celestron_halt(void *ctx, struct err *err)
{
	struct celestron *m = ctx;
	static const uint8_t rate_0[1] = {0};
	enum err_code code = wire_require_open(&m->link.wire, err);
	m->bound = false;
	if (code == ERR_OK) {
		code = celestron_link_order(&m->link, CELESTRON_MOVE_POSITIVE, rate_0, 1,
			real_ms() + CALL_MS, err);
	}
	return code;
}

static enum err_code celestron_calibrate(void *ctx, bool start, struct err *err)
{
	struct celestron *m = ctx;
	const uint8_t data[1] = {start ? 1 : 0};
	enum err_code code = wire_require_open(&m->link.wire, err);
	m->bound = false;
	if (code == ERR_OK && start) {
		/* The late acknowledgement of an abort would look like that of the start. */
		code = exchange_settle(&m->link.wire.x, err);
	}
	if (code == ERR_OK) {
		code = celestron_link_order(&m->link, CELESTRON_CALIBRATE, data, 1, real_ms() + CALL_MS,
			err);
	}
	if (code == ERR_OK) {
		m->calibrating = start;
	}
	return code;
}

static enum err_code celestron_poll(void *ctx, unsigned want, struct focuser_reading *out,
	struct err *err)
{
	struct celestron *m = ctx;
	struct focuser_reading reading = {0};
	int64_t deadline_ms = real_ms() + CALL_MS;
	enum err_code code = wire_require_open(&m->link.wire, err);
	if (code == ERR_OK) {
		code = celestron_link_keep_alive(&m->link, err);
	}
	if (code == ERR_OK && (want & FOCUSER_WANT_CALIBRATION)) {
		struct celestron_calibration state;
		code = ask_calibration(m, deadline_ms, &state, err);
		if (code == ERR_OK) {
			reading.calibration_valid = true;
			reading.calibration = state.complete ? FOCUSER_CALIBRATION_DONE
				: state.step > 0 ? FOCUSER_CALIBRATION_RUNS : FOCUSER_CALIBRATION_IDLE;
			reading.calibration_step = state.step;
			m->calibrating = reading.calibration == FOCUSER_CALIBRATION_RUNS;
		}
	}
	if (code == ERR_OK && (want & FOCUSER_WANT_MOTION)) {
		/* The motion is asked for first, because a position that is read after "at rest" is the final one. */
		code = ask_moving(m, deadline_ms, &reading.moving, err);
		if (code == ERR_OK) {
			code = ask_position(m, deadline_ms, err);
		}
		reading.moving_valid = true;
		reading.position_valid = true;
		reading.position = m->position;
	}
	if (code == ERR_OK) {
		*out = reading;
	}
	return code;
}

static const struct focuser_usb_id usb_ids[] = {
	{.vid = 0x15a2, .pid = 0xa50f, .product = "Celestron Focuser", .one_maker = true},
	{.vid = 0},
};

const struct focuser_driver celestron_driver = {
	.name = "celestron",
	.title = "Celestron focus motor",
	.ctx_size = sizeof(struct celestron),
	.uses_port = true,
	.usb_ids = usb_ids,
	.open_wait_ms = 1000,
	.poll_moving_ms = 200,
	.poll_idle_ms = 1000,
	.poll_temperature_ms = 5000, /* it has no sensor */
	.first_poll_ms = 250, /* earlier it may still say that it rests */
	.late_start_ms = 3000,
	.leg_retries = 3,
	.count = FOCUSER_COUNT_KEPT,
	.approach_up = true, /* pushes the mirror up against gravity */
	.calibration_steps = CALIBRATION_STEPS,
	.calibration_advice = "Usually the knob rubs on the mounting plate, screws are too tight, or the mirror "
		"is at its stop: loosen the plate, turn about 10 turns away from the stop, try again",
	.quirks = celestron_quirks,
	.speed_floor_steps_per_s = 150, /* half of what goto fast does */
	.open_wait_for = celestron_open_wait_for,
	.open = celestron_open,
	.identify = celestron_identify,
	.close = celestron_close,
	.start_move = celestron_start_move,
	.halt = celestron_halt,
	.poll = celestron_poll,
	.calibrate = celestron_calibrate,
};
