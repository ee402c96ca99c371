/* SPDX-License-Identifier: MIT */
/*
 * Celestron's focus motor: 3B, length, source, destination, command, data, sum.  Written from the
 * description of the AUX bus alone.  It obeys whoever asks, calibrated or not, as the real one does.
 */
#include "emu_celestron.h"

#include <math.h>
#include <string.h>

#include "emulated_motor.h"

#define ME 0x12
#define HAND_CONTROLLER 0x04
#define MOUNT 0x10

/* Where a calibration finds the lower end, counts. */
#define FOUND_LOW 2000
/* Targets this far beyond a limit are still taken. */
#define BEYOND 500
/* For a moment after a goto "slew done?" is still answered with yes. */
#define SLEEPY_MS 150
/* A motor that is told to stop needs this long to come to rest. */
#define BRAKE_MS 100
#define LATE_START_MS 2000
#define CALIBRATION_MS 200000
#define CALIBRATION_STEPS 12
/* Where a calibration with a fault stays or ends. */
#define STICKS_AT_STEP 5
/* Where a motor goes that is told a rate and no target. */
#define FAR 1000000
#define WRONG_BY 40
/* The time that it needs to boot, real milliseconds. */
#define DEAF_MS 1500

struct emu {
	const struct emulator_settings *settings;
	struct clock *clock;
	uint8_t in[64];        /* received, not used up */
	size_t have;
	struct emulated_motor motor;
	int64_t told_ms;       /* when the last goto came */
	bool lost;             /* the last goto ended elsewhere */
	int64_t low, high;
	int64_t calibration_ms; /* when the running one began; -1 without */
	bool complete;
	bool reset_done;
	int64_t deaf_until_ms; /* real time */
	/* Faults; set by their table. */
	bool bare_ack, echo, foreign, efa, hand_controller, no_motor, refuse, negative, gives_up;
	bool backwards, runs_past, misheard;
	bool stall, slow_start, reset, wrong, calibration_fails, calibration_sticks;
};

#define FLAG(member) offsetof(struct emu, member)

static const struct emulator_fault faults[] = {
	{"uncalibrated", "it has no limits yet, and says so", 0},
	{"negative", "uncalibrated, and stands at -1000", FLAG(negative)},
	{"bare-ack", "acknowledges without a data byte", FLAG(bare_ack)},
	{"echo", "everything sent comes back first, as on a bus", FLAG(echo)},
	{"foreign", "a mount and its hand controller talk on the same bus", FLAG(foreign)},
	{"efa", "answers as a PlaneWave EFA does", FLAG(efa)},
	{"hand-controller", "the line is a hand controller's, 8-byte requests", FLAG(hand_controller)},
	{"no-motor", "with hand-controller: no motor is on the bus", FLAG(no_motor)},
	{"refuse", "refuses to go anywhere", FLAG(refuse)},
	{"gives-up", "says FE, given up, at the end of a way", FLAG(gives_up)},
	{"stall", "says it moves, but stands still after 100 steps", FLAG(stall)},
	{"slow-start", "begins to move 2 s after it was told", FLAG(slow_start)},
	{"reset", "its power fails for a moment 100 steps into the first move: stands there, deaf for 1.5 s",
		FLAG(reset)},
	{"wrong-position", "the first goto to a place ends 40 steps beside it", FLAG(wrong)},
	{"calibration-fails", "a calibration ends at step 5 without result", FLAG(calibration_fails)},
	{"calibration-sticks", "a calibration never gets past step 5", FLAG(calibration_sticks)},
	{"backwards", "the motor turns the other way than it is told, and its count shows it", FLAG(backwards)},
	{"runs-past", "the motor does not stop at its target", FLAG(runs_past)},
	{"misheard", "the first target loses its last digit on the line", FLAG(misheard)},
	{NULL, NULL, 0},
};

static int64_t now_ms(const struct emu *e)
{
	return clock_now_ms(e->clock);
}

/* ---- motion ---- */

static int64_t position(struct emu *e)
{
	return emulated_motor_position(&e->motor);
}

static void start(struct emu *e, int64_t goal, double speed)
{
	emulated_motor_go(&e->motor, emulated_motor_heard(&e->motor, goal), speed, e->slow_start ? LATE_START_MS : 0);
}

static void brake(struct emu *e)
{
	int64_t here = position(e);
	if (!e->motor.running) {
		return;
	}
	int64_t way = e->motor.goal - here;
	int64_t rest = way < 0 ? -way : way;
	bool slides = !e->stall && now_ms(e) >= e->motor.begun_ms;
	int64_t slide = slides ? (int64_t)(e->motor.speed * BRAKE_MS / 1000) : 0;
	slide = slide < rest ? slide : rest;
	emulated_motor_rest_at(&e->motor, here);
	emulated_motor_go(&e->motor, here + (way < 0 ? -slide : slide), e->motor.speed, 0);
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
	if (e->calibration_sticks && step >= STICKS_AT_STEP) {
		at = high / 3;
	}
	emulated_motor_rest_at(&e->motor, llround(at));
}

/* Brings a running calibration up to date. */
static void calibrate_on(struct emu *e)
{
	if (e->calibration_ms < 0) {
		return;
	}
	int step = calibration_step(e);
	calibration_motion(e, step);
	if (e->calibration_fails && step >= STICKS_AT_STEP) {
		e->calibration_ms = -1;
	} else if (!e->calibration_sticks && step > CALIBRATION_STEPS) {
		e->calibration_ms = -1;
		e->complete = true;
		e->low = FOUND_LOW;
		e->high = e->settings->max_step;
		emulated_motor_rest_at(&e->motor, (e->low + e->high) / 2);
	}
}

/* Power went and came back: position and limits stay, motion does not. */
static void restart(struct emu *e)
{
	calibrate_on(e);
	emulated_motor_stop(&e->motor);
	e->calibration_ms = -1;
	e->have = 0;
}

static void fail_on_the_way(struct emu *e)
{
	if (e->reset && !e->reset_done && e->motor.running &&
		emulated_motor_way(&e->motor) >= EMULATED_RESET_STEPS) {
		e->reset_done = true;
		restart(e);
		e->deaf_until_ms = clock_now_ms(clock_real()) + DEAF_MS;
	}
}

static bool moving(void *ctx)
{
	struct emu *e = ctx;
	fail_on_the_way(e);
	calibrate_on(e);
	(void)position(e);
	return e->motor.running || e->calibration_ms >= 0;
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
	int64_t target = data[0] << 16 | data[1] << 8 | data[2];
	bool knows = e->high > 0;
	if (e->refuse || (knows && (target < e->low - BEYOND || target > e->high + BEYOND))) {
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
	bool sleepy = now_ms(e) - e->told_ms < SLEEPY_MS || now_ms(e) < e->motor.begun_ms;
	put(a, busy && !sleepy ? 0x00 : e->gives_up && !busy && e->told_ms > 0 ? 0xFE : 0xFF, 1);
}

static void roll(struct emu *e, int rate, bool up, struct answer *a)
{
	if (rate == 0) {
		brake(e);
	} else {
		start(e, up ? FAR : -FAR, e->settings->speed_steps_per_s * (rate > 9 ? 9 : rate) / 9);
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
			emulated_motor_stop(&e->motor);
		}
		acknowledge(e, a, true);
	} else if (command == 0x2B && n == 0) {
		put(a, e->complete, 1);
		/* Time goes on while it answers: the last step counts until the end was noticed. */
		int last = e->calibration_sticks ? STICKS_AT_STEP : CALIBRATION_STEPS;
		int step = e->calibration_ms >= 0 ? calibration_step(e) : 0;
		put(a, step < last ? step : last, 1);
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
	emulated_say_bytes(reply, packet, (size_t)n + 6);
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
		emulated_say_bytes(reply, packet, (size_t)n + 6);
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
	/* The hand controller's own word for no answer: as many bytes as wanted, one more, and the end. */
	uint8_t out[20] = {0};
	size_t len = a.n < 0 ? wanted + 1 : wanted;
	if (a.n > 0 && wanted <= sizeof a.data) {
		memcpy(out, a.data, wanted);
	}
	len = len < sizeof out ? len : sizeof out - 1;
	out[len] = '#';
	emulated_say_bytes(reply, out, len + 1);
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
			emulated_say_bytes(reply, e->in + 1, 1);
			emulated_say_bytes(reply, "#", 1);
		} else if (e->in[0] == 'V') {
			emulated_say_bytes(reply, version, sizeof version);
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
	emulated_motor_init(&e->motor, clock, settings->position);
	e->motor.stalls = e->stall;
	e->motor.backwards = e->backwards;
	e->motor.runs_past = e->runs_past;
	e->motor.mishears = e->misheard;
	e->calibration_ms = -1;
	e->low = FOUND_LOW;
	e->high = settings->max_step;
	e->complete = true;
	e->told_ms = -SLEEPY_MS;
	if (e->negative || emulator_has_fault(settings, "uncalibrated", NULL)) {
		e->low = 0;
		e->high = 0;
		e->complete = false;
	}
	if (e->negative) {
		emulated_motor_rest_at(&e->motor, -1000);
	}
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
	.moving = moving,
};
