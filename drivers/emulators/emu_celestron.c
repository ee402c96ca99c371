/* SPDX-License-Identifier: MIT */
/*
 * Celestron's focus motor: 3B, length, source, destination, command, data, sum.  Written from the
 * description of the AUX bus alone.  It obeys whoever asks, calibrated or not, as the real one does.
 */
#include "emu_celestron.h"

#include <math.h>
#include <string.h>

#define ME 0x12
#define HAND_CONTROLLER 0x04
#define MOUNT 0x10

/* Where a calibration finds the lower end, counts. */
#define FOUND_LOW 2000
/* Targets this far beyond a limit are still taken. */
#define BEYOND 500
/* After a goto "slew done?" goes on saying yes for a moment. */
#define SLEEPY_MS 150
/* A motor told to stop needs this long. */
#define BRAKE_MS 100
#define LATE_START_MS 2000
#define CALIBRATION_MS 200000
#define CALIBRATION_STEPS 12
#define STALL_AFTER 100
#define WRONG_BY 40
#define RESET_AFTER 100
/* So long it boots, in real time. */
#define DEAF_MS 1500

struct emu {
	const struct emulator_settings *settings;
	struct clock *clock;
	uint8_t in[64];        /* received, not used up */
	size_t have;
	/* Motion: begin plus what the time since begun_ms has brought, up to goal. */
	double begin;
	double goal;
	double speed;          /* counts per second of this motion */
	int64_t begun_ms;
	bool running;
	int64_t told_ms;       /* when the last goto came */
	bool lost;             /* the last goto ended elsewhere */
	int64_t low, high;
	int64_t calibration_ms; /* when the running one began; -1 without */
	bool complete;
	bool reset_done;
	int64_t deaf_until_ms; /* real time */
	/* Faults, looked up once. */
	bool bare_ack, echo, foreign, efa, hand_controller, no_motor, refuse, negative, gives_up;
	bool stall, slow_start, reset, wrong, calibration_fails, calibration_sticks;
};

static const struct emulator_fault faults[] = {
	{"uncalibrated", "it has no limits yet, and says so"},
	{"negative", "uncalibrated, and stands at -1000"},
	{"bare-ack", "acknowledges without a data byte"},
	{"echo", "everything sent comes back first, as on a bus"},
	{"foreign", "a mount and its hand controller talk on the same bus"},
	{"efa", "answers as a PlaneWave EFA does"},
	{"hand-controller", "the line is a hand controller's, 8-byte requests"},
	{"no-motor", "with hand-controller: no motor is on the bus"},
	{"refuse", "refuses to go anywhere"},
	{"gives-up", "says FE, given up, at the end of a way"},
	{"stall", "says it moves, but stands still after 100 steps"},
	{"slow-start", "begins to move 2 s after it was told"},
	{"reset", "its power fails for a moment 100 steps into the first move: stands there, deaf for 1.5 s"},
	{"wrong-position", "the first goto to a place ends 40 steps beside it"},
	{"calibration-fails", "a calibration ends at step 5 without result"},
	{"calibration-sticks", "a calibration never gets past step 5"},
	{NULL, NULL},
};

static int64_t now_ms(const struct emu *e)
{
	return clock_now_ms(e->clock);
}

/* ---- motion ---- */

static double length(const struct emu *e)
{
	return fabs(e->goal - e->begin);
}

static double travelled(const struct emu *e)
{
	int64_t since_ms = now_ms(e) - e->begun_ms;
	double way = since_ms > 0 ? (double)since_ms * e->speed / 1000 : 0;
	return e->stall && way > STALL_AFTER ? STALL_AFTER : way;
}

static int64_t position(struct emu *e)
{
	if (e->running) {
		double way = travelled(e);
		if (way < length(e)) {
			return llround(e->begin + (e->goal < e->begin ? -way : way));
		}
		e->begin = e->goal;
		e->running = false;
	}
	return llround(e->begin);
}

static void start(struct emu *e, double goal, double speed)
{
	e->begin = (double)position(e);
	e->goal = goal;
	e->speed = speed;
	e->begun_ms = now_ms(e) + (e->slow_start ? LATE_START_MS : 0);
	e->running = goal != e->begin;
}

static void brake(struct emu *e)
{
	double here = (double)position(e);
	if (!e->running) {
		return;
	}
	double rest = fabs(e->goal - here);
	double slide = now_ms(e) < e->begun_ms ? 0 : e->speed * BRAKE_MS / 1000;
	slide = slide < rest ? slide : rest;
	slide = e->stall ? 0 : slide;
	double goal = here + (e->goal < here ? -slide : slide);
	e->begin = here;
	e->goal = goal;
	e->begun_ms = now_ms(e);
	e->running = goal != here;
}

/* ---- calibration ---- */

static int calibration_step(struct emu *e)
{
	int64_t since_ms = now_ms(e) - e->calibration_ms;
	return (int)(since_ms * (CALIBRATION_STEPS + 1) / CALIBRATION_MS);
}

/* To the lower end, to the upper one, and into the middle. */
static void calibration_motion(struct emu *e, int step)
{
	double since_ms = (double)(now_ms(e) - e->calibration_ms);
	double third = CALIBRATION_MS / 3.0;
	double part = fmod(since_ms, third) / third;
	double high = e->settings->max_step;
	double at = since_ms < third ? high / 2 * (1 - part)
		: since_ms < 2 * third ? high * part : high - high / 2 * part;
	if (e->calibration_sticks && step >= 5) {
		at = high / 3;
	}
	e->begin = at;
	e->running = false;
}

/* What a running calibration has come to. */
static void calibrate_on(struct emu *e)
{
	if (e->calibration_ms < 0) {
		return;
	}
	int step = calibration_step(e);
	calibration_motion(e, step);
	if (e->calibration_fails && step >= 5) {
		e->calibration_ms = -1;
	} else if (!e->calibration_sticks && step > CALIBRATION_STEPS) {
		e->calibration_ms = -1;
		e->complete = true;
		e->low = FOUND_LOW;
		e->high = e->settings->max_step;
		e->begin = floor((double)(e->low + e->high) / 2);
	}
}

/* Power went and came back: position and limits stay, motion does not. */
static void restart(struct emu *e)
{
	calibrate_on(e);
	e->begin = (double)position(e);
	e->running = false;
	e->calibration_ms = -1;
	e->have = 0;
}

static void fail_on_the_way(struct emu *e)
{
	if (e->reset && !e->reset_done && e->running && travelled(e) >= RESET_AFTER) {
		e->reset_done = true;
		restart(e);
		e->deaf_until_ms = clock_now_ms(clock_real()) + DEAF_MS;
	}
}

static bool moving(struct emu *e)
{
	fail_on_the_way(e);
	calibrate_on(e);
	(void)position(e);
	return e->running || e->calibration_ms >= 0;
}

/* ---- what it is told ---- */

/* Data of an answer; n < 0: not understood. */
struct answer {
	uint8_t data[16];
	int n;
};

static void put(struct answer *a, int64_t value, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--) {
		a->data[a->n++] = (uint8_t)((uint64_t)value >> (8 * i));
	}
}

static void acknowledge(const struct emu *e, struct answer *a, bool yes)
{
	if (!yes) {
		put(a, 0, 1);
	} else if (!e->bare_ack) {
		put(a, 1, 1);
	}
}

static void go(struct emu *e, const uint8_t *data, double speed, struct answer *a)
{
	double target = data[0] * 65536.0 + data[1] * 256.0 + data[2];
	bool knows = e->high > 0;
	if (e->refuse || (knows && (target < (double)(e->low - BEYOND) ||
					   target > (double)(e->high + BEYOND)))) {
		acknowledge(e, a, false);
		return;
	}
	if (e->wrong && !e->lost) {
		target -= WRONG_BY;
		e->lost = true;
	} else {
		e->lost = false;
	}
	e->told_ms = now_ms(e);
	start(e, target, speed);
	acknowledge(e, a, true);
}

static void say_rest(struct emu *e, struct answer *a)
{
	bool busy = moving(e);
	bool sleepy = now_ms(e) - e->told_ms < SLEEPY_MS || now_ms(e) < e->begun_ms;
	put(a, busy && !sleepy ? 0x00 : e->gives_up && !busy && e->told_ms > 0 ? 0xFE : 0xFF, 1);
}

static void roll(struct emu *e, int rate, bool up, struct answer *a)
{
	if (rate == 0) {
		brake(e);
	} else {
		double far = up ? 1e6 : -1e6;
		start(e, far, e->settings->speed_steps_per_s * (rate > 9 ? 9 : rate) / 9);
	}
	acknowledge(e, a, true);
}

static void obey(struct emu *e, uint8_t command, const uint8_t *data, int n, struct answer *a)
{
	double fast = e->settings->speed_steps_per_s;
	a->n = 0;
	calibrate_on(e);
	if (command == 0x01 && n == 0) {
		put(a, position(e), 3);
	} else if (command == 0x02 && n == 3) {
		go(e, data, fast, a);
	} else if (command == 0x17 && n == 3) {
		go(e, data, fast / 3, a);
	} else if (command == 0x05 && n == 0) {
		put(a, 0x1001, 2);
	} else if (command == 0x13 && n == 0) {
		say_rest(e, a);
	} else if ((command == 0x24 || command == 0x25) && n == 1) {
		roll(e, data[0], command == 0x24, a);
	} else if (command == 0x2A && n == 1) {
		e->calibration_ms = data[0] != 0 ? now_ms(e) : -1;
		if (data[0] != 0) {
			e->complete = false;
			e->running = false;
		}
		acknowledge(e, a, true);
	} else if (command == 0x2B && n == 0) {
		put(a, e->complete, 1);
		put(a, e->calibration_ms >= 0 ? calibration_step(e) : 0, 1);
		if (e->calibration_sticks && a->data[1] > 5) {
			a->data[1] = 5;
		}
	} else if (command == 0x2C && n == 0) {
		put(a, e->low, 4);
		put(a, e->high, 4);
	} else if (command == 0xFE && n == 0) {
		/* 7.15.8240, and 1.7 as the EFA has no build. */
		put(a, e->efa ? 0x0107 : 0x070F2030, e->efa ? 2 : 4);
	} else {
		a->n = -1;
	}
}

/* ---- the line ---- */

static void say(struct emulator_reply *reply, const void *bytes, size_t n)
{
	if (n > sizeof reply->data - reply->len) {
		n = sizeof reply->data - reply->len;
	}
	memcpy(reply->data + reply->len, bytes, n);
	reply->len += n;
}

static void say_packet(struct emulator_reply *reply, uint8_t src, uint8_t dst, uint8_t command,
	const uint8_t *data, int n)
{
	uint8_t packet[24] = {0x3B, (uint8_t)(n + 3), src, dst, command};
	unsigned sum = 0;
	if (n > 0) {
		memcpy(packet + 5, data, (size_t)n);
	}
	for (int i = 1; i < n + 5; i++) {
		sum += packet[i];
	}
	packet[n + 5] = (uint8_t)(0 - sum);
	say(reply, packet, (size_t)n + 6);
}

/* What a mount and its hand controller say to each other meanwhile, one of it about the motor. */
static void chatter(struct emulator_reply *reply)
{
	static const uint8_t azimuth[3] = {0x12, 0x3B, 0x56};
	static const uint8_t rest[1] = {0xFF};
	say_packet(reply, HAND_CONTROLLER, MOUNT, 0x01, NULL, 0);
	say_packet(reply, MOUNT, HAND_CONTROLLER, 0x01, azimuth, 3);
	say_packet(reply, ME, HAND_CONTROLLER, 0x13, rest, 1);
}

static void take_packet(struct emu *e, const uint8_t *packet, struct emulator_reply *reply)
{
	int n = packet[1] - 3;
	uint8_t src = packet[2];
	if (e->echo) {
		say(reply, packet, (size_t)n + 6);
	}
	if (e->foreign) {
		chatter(reply);
	}
	if (packet[3] == ME && !e->no_motor) {
		struct answer a;
		obey(e, packet[4], packet + 5, n, &a);
		say_packet(reply, ME, src, a.n < 0 ? 0xF0 : packet[4], a.data, a.n < 0 ? 0 : a.n);
	} else if (packet[3] == MOUNT && e->foreign && packet[4] == 0xFE) {
		static const uint8_t version[4] = {7, 11, 0x13, 0xD8};
		say_packet(reply, MOUNT, src, 0xFE, version, 4);
	}
}

static void drop(struct emu *e, size_t n)
{
	memmove(e->in, e->in + n, e->have - n);
	e->have -= n;
}

static void listen_bus(struct emu *e, struct emulator_reply *reply)
{
	while (e->have > 0) {
		size_t whole = e->have > 1 ? e->in[1] + 3u : 2;
		if (e->in[0] != 0x3B || (e->have > 1 && (e->in[1] < 3 || e->in[1] > 16))) {
			drop(e, 1);
			continue;
		}
		if (e->have < whole) {
			return;
		}
		unsigned sum = 0;
		for (size_t i = 1; i < whole; i++) {
			sum += e->in[i];
		}
		if ((sum & 0xFF) != 0) {
			drop(e, 1);
			continue;
		}
		take_packet(e, e->in, reply);
		drop(e, whole);
	}
}

/* P n id command d1 d2 d3 r. */
static void pass_through(struct emu *e, struct emulator_reply *reply)
{
	struct answer a = {.n = -1};
	int n = e->in[1] - 1;
	size_t wanted = e->in[7];
	if (e->in[2] == ME && !e->no_motor && n >= 0 && n <= 3) {
		obey(e, e->in[3], e->in + 4, n, &a);
	}
	/* Its own word for no answer: as many bytes as wanted, one more, and the end. */
	uint8_t out[20] = {0};
	size_t len = a.n < 0 ? wanted + 1 : wanted;
	if (a.n > 0 && wanted <= sizeof a.data) {
		memcpy(out, a.data, wanted);
	}
	len = len < sizeof out ? len : sizeof out - 1;
	out[len] = '#';
	say(reply, out, len + 1);
}

static void listen_hand_controller(struct emu *e, struct emulator_reply *reply)
{
	static const uint8_t version[3] = {5, 31, '#'};
	while (e->have > 0) {
		size_t whole = e->in[0] == 'P' ? 8 : e->in[0] == 'K' ? 2 : 1;
		if (e->have < whole) {
			return;
		}
		if (e->in[0] == 'P') {
			pass_through(e, reply);
		} else if (e->in[0] == 'K') {
			say(reply, e->in + 1, 1);
			say(reply, "#", 1);
		} else if (e->in[0] == 'V') {
			say(reply, version, sizeof version);
		}
		drop(e, whole);
	}
}

static void emu_byte(void *ctx, uint8_t byte, struct emulator_reply *reply)
{
	struct emu *e = ctx;
	fail_on_the_way(e);
	if (clock_now_ms(clock_real()) < e->deaf_until_ms) {
		return;
	}
	if (e->have == sizeof e->in) {
		e->have = 0;
	}
	e->in[e->have++] = byte;
	if (e->hand_controller) {
		listen_hand_controller(e, reply);
	} else {
		listen_bus(e, reply);
	}
}

static void emu_reset(void *ctx, struct emulator_reply *banner)
{
	(void)banner;
	restart(ctx);
}

static void emu_init(void *ctx, const struct emulator_settings *settings, struct clock *clock)
{
	struct emu *e = ctx;
	e->settings = settings;
	e->clock = clock;
	e->begin = settings->position;
	e->calibration_ms = -1;
	e->low = FOUND_LOW;
	e->high = settings->max_step;
	e->complete = true;
	e->told_ms = -SLEEPY_MS;
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{"negative", &e->negative},
		{"bare-ack", &e->bare_ack},
		{"echo", &e->echo},
		{"foreign", &e->foreign},
		{"efa", &e->efa},
		{"hand-controller", &e->hand_controller},
		{"no-motor", &e->no_motor},
		{"refuse", &e->refuse},
		{"gives-up", &e->gives_up},
		{"stall", &e->stall},
		{"slow-start", &e->slow_start},
		{"reset", &e->reset},
		{"wrong-position", &e->wrong},
		{"calibration-fails", &e->calibration_fails},
		{"calibration-sticks", &e->calibration_sticks},
	};
	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
		*flags[i].flag = emulator_has_fault(settings, flags[i].name, NULL);
	}
	if (e->negative || emulator_has_fault(settings, "uncalibrated", NULL)) {
		e->low = 0;
		e->high = 0;
		e->complete = false;
	}
	if (e->negative) {
		e->begin = -1000;
	}
}

static bool emu_moving(void *ctx)
{
	return moving(ctx);
}

const struct emulator_kind emu_celestron = {
	.name = "celestron",
	.title = "Celestron focus motor",
	.usual_max_step = 40000,
	.usual_position = 20000,
	.usual_speed_steps_per_s = 300,
	.faults = faults,
	.ctx_size = sizeof(struct emu),
	.init = emu_init,
	.byte = emu_byte,
	.reset = emu_reset,
	.moving = emu_moving,
};
