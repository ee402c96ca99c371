/* SPDX-License-Identifier: MIT */
#include "celestron_link.h"

#include <string.h>

#include "moment.h"
#include "quirks.h"

#define BUS_BAUD 19200
#define HAND_CONTROLLER_BAUD 9600
/* The motor's own USB takes any rate.  A hub on a small ARM board has been seen to fall over when it was asked for
 * more than this. */
#define USB_BAUD 9600

#define WRITE_MS 300
/* How long a hand controller waits for the motor before it says that there is no answer. */
#define HAND_CONTROLLER_MS 3600
#define GREET_MS 400
#define KEEP_ALIVE_MS 10000

const struct focuser_quirk celestron_quirks[] = {
	{"hand-controller", "the port is a NexStar hand controller's, 9600 baud",
		offsetof(struct celestron_link, hand_controller)},
	{"aux-port", "the port leads to the AUX or PC port of a mount: half-duplex, RTS and CTS take turns",
		offsetof(struct celestron_link, aux_port)},
	{"no-cts", "with aux-port: the adapter has no CTS, nobody waits for it",
		offsetof(struct celestron_link, no_cts)},
	{NULL, NULL, 0},
};

static int baud_for(const struct focuser_port *port, bool hand_controller, bool aux_port)
{
	if (port->baud > 0) {
		return port->baud;
	}
	if (hand_controller) {
		return HAND_CONTROLLER_BAUD;
	}
	return aux_port || transport_rate_matters(port->port) ? BUS_BAUD : USB_BAUD;
}

/* The name of a command in error texts. */
static const char *command_name(uint8_t command)
{
	switch (command) {
	case CELESTRON_GET_POSITION:
		return "\"get position\"";
	case CELESTRON_GOTO_FAST:
	case CELESTRON_GOTO_SLOW:
		return "\"go to\"";
	case CELESTRON_SLEW_DONE:
		return "\"slew done?\"";
	case CELESTRON_MOVE_POSITIVE:
	case CELESTRON_MOVE_NEGATIVE:
		return "\"stop\"";
	case CELESTRON_CALIBRATE:
		return "\"calibrate\"";
	case CELESTRON_CALIBRATION_STATE:
		return "\"calibration state\"";
	case CELESTRON_GET_LIMITS:
		return "\"get limits\"";
	default:
		return "\"get version\"";
	}
}

enum err_code celestron_link_open(struct celestron_link *l, const struct focuser_port *port,
	const struct driver_host *host, struct err *err)
{
	memset(l, 0, sizeof *l);
	l->owed = -1;
	quirks_read(celestron_quirks, port, l);
	l->network = strncmp(port->port, "tcp://", 6) == 0;
	if (l->hand_controller && l->aux_port) {
		return err_set(err, ERR_INVALID_VALUE,
			"quirks says both hand-controller and aux-port: the cable is in one of them");
	}
	struct transport_settings settings = {
		.baud = baud_for(port, l->hand_controller, l->aux_port),
		/* With RTS up the hand controller on the same bus would be muted. */
		.rts_low = l->aux_port,
	};
	enum err_code code = wire_open(&l->wire, port->port, &settings, 0, host, err);
	l->keep_alive_ms = l->wire.opened_ms + KEEP_ALIVE_MS;
	/* On a bus of one wire everything that is sent comes back first. */
	l->wire.x.line_echoes = true;
	if (l->aux_port && !l->network) {
		l->wire.x.turn = l->no_cts ? TRANSPORT_TURN_RTS : TRANSPORT_TURN_RTS_CTS;
	}
	return code;
}

void celestron_link_close(struct celestron_link *l)
{
	wire_close(&l->wire);
}

enum err_code celestron_link_greet(struct celestron_link *l, int64_t deadline_ms, struct err *err)
{
	enum err_code code = wire_hear_out(&l->wire, deadline_ms, err);
	if (code != ERR_OK || !l->hand_controller || l->owed >= 0) {
		return code;
	}
	struct span frame;
	code = exchange_ask(&l->wire.x, span_of("Kf"), celestron_hc_scan_echo, &frame,
		sooner(deadline_ms, real_ms() + GREET_MS), err);
	while (code == ERR_OK && frame.data[0] != 'f') {
		code = exchange_next(&l->wire.x, celestron_hc_scan_echo, &frame, deadline_ms, err);
	}
	if (code == ERR_TIMEOUT || code == ERR_PROTOCOL) {
		return err_set(err, code,
			"%s: no hand controller answers: check power, cable, and that its serial or USB "
			"port is this one", wire_name(&l->wire));
	}
	return code;
}

/* ---- packets ---- */

/* Either exchange_ask(), for a question, or exchange_order(), for what nothing may cut short. */
typedef enum err_code (*send_fn)(struct exchange *x, struct span request, scan_fn scan, struct span *frame,
	int64_t deadline_ms, struct err *err);

/* What was heard while we waited for the answer, for the error text. */
struct passed {
	bool echo, others;
};

/* A port where nothing has answered yet may lead elsewhere than the quirks say. */
static const char *quirks_hint(const struct celestron_link *l)
{
	return l->hand_controller || l->aux_port || l->network ? ""
		: "; a hand controller needs quirks = hand-controller, a mount's AUX port quirks = aux-port";
}

static enum err_code no_answer(const struct celestron_link *l, enum err_code code, uint8_t command,
	struct passed passed, struct err *err)
{
	if (passed.echo && !passed.others) {
		return err_set(err, ERR_TIMEOUT,
			"%s: only the echo of %s came back: is the focus motor plugged into the mount, and "
			"has it power?", wire_name(&l->wire), command_name(command));
	}
	if (passed.others) {
		return err_set(err, ERR_TIMEOUT,
			"%s: there is a telescope's bus, but no focus motor answers %s on it", wire_name(&l->wire),
			command_name(command));
	}
	if (!l->found) {
		err_set(err, code, "%s: noise instead of a focus motor's answer", wire_name(&l->wire));
		return wire_not_found(&l->wire, code, quirks_hint(l), err);
	}
	return err_set(err, code,
		code == ERR_TIMEOUT ? "%s: the focus motor does not answer %s"
				    : "%s: noise instead of an answer to %s",
		wire_name(&l->wire), command_name(command));
}

/* The command did not get out: something is wrong with the adapter, not with the motor. */
static enum err_code not_sent(const struct celestron_link *l, enum err_code code, struct err *err)
{
	if (l->wire.x.turn != TRANSPORT_TURN_RTS_CTS || err == NULL) {
		return code;
	}
	struct err why = *err;
	return err_set(err, code, "%.150s; for an adapter without CTS: quirks = aux-port no-cts", why.text);
}

/* Sends a request over the bus and waits for the motor's answer.  `named` is the command that an error speaks of. */
static enum err_code ask_bus(struct celestron_link *l, send_fn send, const struct celestron_packet *request,
	uint8_t named, struct celestron_packet *reply, int64_t deadline_ms, struct err *err)
{
	char bytes[CELESTRON_MAX_PACKET];
	struct span out = {.data = bytes, .len = celestron_encode(bytes, request)};
	struct span frame;
	struct passed passed = {false, false};
	enum err_code code = send(&l->wire.x, out, celestron_scan, &frame, deadline_ms, err);
	while (code == ERR_OK) {
		code = celestron_decode(frame, reply);
		if (code == ERR_OK && celestron_answers(request, reply)) {
			l->doubt = false;
			l->found = true;
			if (reply->command == CELESTRON_NOT_UNDERSTOOD) {
				return err_set(err, ERR_REFUSED,
					"the focus motor does not understand %s",
					command_name(request->command));
			}
			return ERR_OK;
		}
		passed.others |= reply->src != CELESTRON_FOCUSER && reply->src != CELESTRON_APP;
		code = exchange_next(&l->wire.x, celestron_scan, &frame, deadline_ms, err);
	}
	if (code == ERR_TIMEOUT || code == ERR_PROTOCOL || code == ERR_CANCELLED) {
		l->doubt = true;
		l->doubted = request->command;
	}
	if (code == ERR_TIMEOUT && l->wire.x.unsent) {
		return not_sent(l, code, err);
	}
	if (code == ERR_TIMEOUT || code == ERR_PROTOCOL) {
		/* The exchange has stepped over the echo, so it stands at the beginning of what was received. */
		passed.echo = l->wire.x.have == out.len && memcmp(l->wire.x.in, out.data, out.len) == 0;
		return no_answer(l, code, named, passed, err);
	}
	return code;
}

/* A late answer to a command is used up once a later command of another kind is answered, because the motor
 * answers in order. */
static enum err_code clear_doubt(struct celestron_link *l, int64_t deadline_ms, struct err *err)
{
	const struct celestron_packet other = {
		.src = CELESTRON_APP,
		.dst = CELESTRON_FOCUSER,
		.command = l->doubted == CELESTRON_SLEW_DONE ? CELESTRON_GET_POSITION
							     : CELESTRON_SLEW_DONE,
	};
	struct celestron_packet reply;
	uint8_t doubted = l->doubted;
	/* What clients wait for is the answer that did not come, so that is the one to tell of. */
	enum err_code code = ask_bus(l, exchange_ask, &other, doubted, &reply, deadline_ms, err);
	if (code != ERR_OK) {
		/* The older answer may still come, as well as this one. */
		l->doubted = doubted;
	}
	return code;
}

/* ---- through a hand controller ---- */

/* The hand controller has said that the motor does not answer it. */
static enum err_code no_motor(struct celestron_link *l, struct err *err)
{
	l->motorless = true;
	return err_set(err, ERR_TIMEOUT,
		"%s: the hand controller answers, but no focus motor does: is it plugged into the mount?",
		wire_name(&l->wire));
}

static enum err_code not_ready(struct celestron_link *l, enum err_code code, struct err *err)
{
	/* A hand controller needs seconds to find that no motor answers; while it looks again, that is still what
	 * is wrong. */
	if (code == ERR_TIMEOUT && l->motorless) {
		return no_motor(l, err);
	}
	if (code == ERR_TIMEOUT || code == ERR_PROTOCOL) {
		return err_set(err, code, "%s: the hand controller does not answer", wire_name(&l->wire));
	}
	return code;
}

/* An answer that is still due is taken out of the way first, or it would be read as the next one.  When it says
 * that no motor answers, that is the error, and nothing is due any more. */
static enum err_code settle_debt(struct celestron_link *l, bool uncut, int64_t deadline_ms, struct err *err)
{
	if (l->owed < 0) {
		return ERR_OK;
	}
	enum err_code code = ERR_TIMEOUT;
	struct span frame = {NULL, 0};
	if (real_ms() < l->owed_until_ms) {
		exchange_insist(&l->wire.x, uncut);
		code = exchange_next(&l->wire.x, celestron_hc_scan(l->owed), &frame,
			sooner(deadline_ms, l->owed_until_ms), err);
	}
	if (code == ERR_OK || real_ms() >= l->owed_until_ms) {
		bool failed = code == ERR_OK && frame.len > (size_t)l->owed + 1;
		l->owed = -1;
		/* The hand controller has not said a word in all that time, so it is gone itself. */
		l->motorless = l->motorless && code == ERR_OK;
		return failed ? no_motor(l, err) : ERR_OK;
	}
	return not_ready(l, code, err);
}

static enum err_code read_hand_controller(struct celestron_link *l, enum err_code code,
	const struct celestron_packet *request, int wanted, struct span frame,
	struct celestron_packet *reply, struct err *err)
{
	if (code == ERR_TIMEOUT || code == ERR_PROTOCOL || code == ERR_CANCELLED) {
		l->owed = wanted;
		l->owed_until_ms = l->wire.x.asked_ms + HAND_CONTROLLER_MS;
	}
	if (code != ERR_OK) {
		return not_ready(l, code, err);
	}
	code = celestron_hc_decode(frame, request, wanted, reply);
	if (code == ERR_TIMEOUT) {
		return no_motor(l, err);
	}
	l->motorless = false;
	return code;
}

static enum err_code ask_hand_controller(struct celestron_link *l, send_fn send,
	const struct celestron_packet *request, int wanted, struct celestron_packet *reply,
	int64_t deadline_ms, struct err *err)
{
	char bytes[CELESTRON_HC_REQUEST];
	struct span out = {.data = bytes, .len = celestron_hc_encode(bytes, request, wanted)};
	struct span frame = {NULL, 0};
	enum err_code code = settle_debt(l, send == exchange_order, deadline_ms, err);
	if (code != ERR_OK) {
		return code;
	}
	int64_t before_ms = l->wire.x.asked_ms;
	code = send(&l->wire.x, out, celestron_hc_scan(wanted), &frame, deadline_ms, err);
	if (code == ERR_CANCELLED && l->wire.x.asked_ms == before_ms) {
		return code; /* nothing was sent */
	}
	return read_hand_controller(l, code, request, wanted, frame, reply, err);
}

/* ---- either ---- */

static struct celestron_packet make_request(uint8_t command, const uint8_t *data, int count)
{
	struct celestron_packet request = {
		.src = CELESTRON_APP,
		.dst = CELESTRON_FOCUSER,
		.command = command,
		.count = count,
	};
	if (count > 0) {
		memcpy(request.data, data, (size_t)count);
	}
	return request;
}

enum err_code celestron_link_ask(struct celestron_link *l, uint8_t command, const uint8_t *data,
	int count, int wanted, struct celestron_packet *reply, int64_t deadline_ms, struct err *err)
{
	struct celestron_packet request = make_request(command, data, count);
	if (l->hand_controller) {
		return ask_hand_controller(l, exchange_ask, &request, wanted, reply, deadline_ms, err);
	}
	if (l->doubt && l->doubted == command) {
		enum err_code code = clear_doubt(l, deadline_ms, err);
		if (code != ERR_OK) {
			return code;
		}
	}
	return ask_bus(l, exchange_ask, &request, command, reply, deadline_ms, err);
}

/* Sends the order also when an older answer is still due, because a stop must get out. */
static enum err_code order(struct celestron_link *l, const struct celestron_packet *request,
	struct celestron_packet *reply, int64_t deadline_ms, struct err *err)
{
	if (!l->hand_controller) {
		return ask_bus(l, exchange_order, request, request->command, reply, deadline_ms, err);
	}
	enum err_code code = settle_debt(l, true, deadline_ms - WRITE_MS, err);
	if (code == ERR_OK || (code == ERR_TIMEOUT && l->owed < 0)) {
		return ask_hand_controller(l, exchange_order, request, 0, reply, deadline_ms, err);
	}
	if (code == ERR_TIMEOUT || code == ERR_PROTOCOL) {
		char bytes[CELESTRON_HC_REQUEST];
		struct span out = {.data = bytes, .len = celestron_hc_encode(bytes, request, 0)};
		enum err_code sent = exchange_tell(&l->wire.x, out, deadline_ms, err);
		l->owed_until_ms = l->wire.x.asked_ms + HAND_CONTROLLER_MS;
		return sent != ERR_OK ? sent : not_ready(l, code, err);
	}
	return code;
}

enum err_code celestron_link_order(struct celestron_link *l, uint8_t command, const uint8_t *data,
	int count, int64_t deadline_ms, struct err *err)
{
	struct celestron_packet request = make_request(command, data, count);
	struct celestron_packet reply;
	enum err_code code = order(l, &request, &reply, deadline_ms, err);
	if (code == ERR_OK && celestron_ack(&reply) != ERR_OK) {
		return err_set(err, ERR_REFUSED, "the focus motor refuses %s", command_name(command));
	}
	return code;
}

enum err_code celestron_link_keep_alive(struct celestron_link *l, struct err *err)
{
	int64_t now = real_ms();
	if (!l->network || l->hand_controller || now < l->keep_alive_ms) {
		return ERR_OK;
	}
	l->keep_alive_ms = now + KEEP_ALIVE_MS;
	const struct celestron_packet hello = {
		.src = CELESTRON_APP,
		.dst = CELESTRON_AZIMUTH,
		.command = CELESTRON_GET_VERSION,
	};
	char bytes[CELESTRON_MAX_PACKET];
	struct span out = {.data = bytes, .len = celestron_encode(bytes, &hello)};
	/* The answer does not come from the focuser, so the next exchange passes it over. */
	return exchange_tell(&l->wire.x, out, now + WRITE_MS, err);
}
