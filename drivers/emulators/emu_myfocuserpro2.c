/* SPDX-License-Identifier: MIT */
/*
 * A myFocuserPro2 controller: `:` two digits [argument] `#`, decimal, silent setters.  Written from
 * the firmware's list of commands alone; its faults are what builds and boards are known to do.
 */
#include "emu_myfocuserpro2.h"

#include <stdio.h>
#include <string.h>

#include "emulated_motor.h"

/* The firmware refuses a smaller highest position. */
#define LEAST_MAX_STEP 1024

#define SLOW_START_MS 400
/* After a reset the boot loader has the line for this time, on the device's clock. */
#define BOOT_MS 1500

struct emu {
	const struct emulator_settings *settings;
	struct clock *clock;
	struct emulated_line line;
	struct emulated_motor motor;
	int64_t max_step;
	int64_t saved;          /* what it finds after a reset: where it last rested */
	int64_t boot_until_ms;
	bool reset_done;
	bool told_on_way;       /* somebody has been told of a position beyond where its fault `reset` begins */
	/* Settings that it keeps: coil power, reverse, display, compensation, backlash. */
	int coil_power, reverse, display, compensation, coefficient, step_mode;
	int speed;              /* 0 slow .. 2 fast */
	int in_on, out_on;
	int64_t in_steps, out_steps;
	/* Faults; set by their table. */
	bool backwards, runs_past, misheard;
	bool stall, wrong_position, slow_start, reset, unasked, retargets, two_digits, old;
	bool no_probe, probe_lost, probe_nan, own_backlash, compensates;
};

#define FLAG(member) offsetof(struct emu, member)

static const struct emulator_fault faults[] = {
	{"stall", "the motor says it moves, but stands still after 100 steps", FLAG(stall)},
	{"wrong-position", "stops 7 steps beyond the target", FLAG(wrong_position)},
	{"slow-start", "says it rests for 400 ms before the motor begins", FLAG(slow_start)},
	{"reset", "resets itself once it has told of 100 steps of its first move: deaf for 1.5 s, back at an old count",
		FLAG(reset)},
	{"unasked-motion", "after 2 s at rest it moves 200 steps by itself, once", FLAG(unasked)},
	{"retargets", "takes a new target while moving (most firmware ignores it)", FLAG(retargets)},
	{"two-digit-moving", ":01# is answered I01# or I00#", FLAG(two_digits)},
	{"old-firmware", "knows nothing of probes and backlash", FLAG(old)},
	{"no-probe", "no temperature probe: c0, and always 20 degrees", FLAG(no_probe)},
	{"probe-lost", "a probe that reads -127", FLAG(probe_lost)},
	{"probe-nan", "a probe that reads nan", FLAG(probe_nan)},
	{"own-backlash", "takes up backlash by itself, 120 steps inward", FLAG(own_backlash)},
	{"compensates", "its own temperature compensation is on", FLAG(compensates)},
	{"backwards", "the motor turns the other way than it is told, and its count shows it", FLAG(backwards)},
	{"runs-past", "the motor does not stop at its target", FLAG(runs_past)},
	{"misheard", "the first target loses its last digit on the line", FLAG(misheard)},
	{NULL, NULL, 0},
};

static int64_t now_ms(const struct emu *e)
{
	return clock_now_ms(e->clock);
}

/* Each speed is half the next. */
static double speed(const struct emu *e)
{
	return e->settings->speed_steps_per_s / (double)(1 << (2 - e->speed));
}

static void rest_at(struct emu *e, int64_t position)
{
	emulated_motor_rest_at(&e->motor, position);
	e->saved = position;
}

/* The count of steps is in memory that a reset clears. */
static void lose_power(struct emu *e)
{
	e->reset_done = true;
	e->line.open = false;
	e->boot_until_ms = now_ms(e) + BOOT_MS;
	rest_at(e, e->saved);
}

/* Where the motor is now.  Where it comes to rest is what it finds again after a reset. */
static int64_t position(struct emu *e)
{
	if (e->reset && !e->reset_done && e->motor.running && e->told_on_way) {
		lose_power(e);
	}
	int64_t here = emulated_motor_position(&e->motor);
	if (!e->motor.running) {
		e->saved = here;
	}
	return here;
}

static void start(struct emu *e, int64_t goal)
{
	(void)position(e);
	int64_t heard = emulated_motor_heard(&e->motor, goal);
	emulated_motor_go(&e->motor, heard, speed(e), e->slow_start ? SLOW_START_MS : 0);
}

/* Whether it says that it moves.  Motion that nobody asked for begins here. */
static bool moving(void *ctx)
{
	struct emu *e = ctx;
	(void)position(e);
	emulated_motor_stray(&e->motor, speed(e));
	return emulated_motor_turns(&e->motor);
}

static int64_t clamp(const struct emu *e, int64_t target)
{
	return target < 0 ? 0 : target > e->max_step ? e->max_step : target;
}

static void say_number(struct emulator_reply *reply, char field, int64_t value)
{
	char text[32];
	snprintf(text, sizeof text, "%c%lld#", field, (long long)value);
	emulated_say(reply, text);
}

static void say_temperature(const struct emu *e, struct emulator_reply *reply)
{
	double celsius = e->no_probe ? 20 : e->probe_lost ? -127 : e->settings->temperature_c;
	char text[32];
	snprintf(text, sizeof text, "Z%.2f#", celsius);
	emulated_say(reply, e->probe_nan ? "Znan#" : text);
}

/* A question; false when it is none. */
static bool answer(struct emu *e, int number, struct emulator_reply *reply)
{
	bool yes;
	switch (number) {
	case 0:
		(void)moving(e);
		say_number(reply, 'P', position(e));
		e->told_on_way = e->motor.running && emulated_motor_way(&e->motor) > EMULATED_RESET_STEPS;
		return true;
	case 1:
		yes = moving(e);
		emulated_say(reply, e->two_digits ? (yes ? "I01#" : "I00#") : (yes ? "I1#" : "I0#"));
		return true;
	case 2:
		emulated_say(reply, "EOK#");
		return true;
	case 3:
		emulated_say(reply, "F291#");
		return true;
	case 4:
		emulated_say(reply, "FmyFP2 M_DRV8825\r\n291#");
		return true;
	case 6:
		say_temperature(e, reply);
		return true;
	case 8:
		say_number(reply, 'M', e->max_step);
		return true;
	case 11:
		say_number(reply, 'O', e->coil_power);
		return true;
	case 13:
		say_number(reply, 'R', e->reverse);
		return true;
	case 24:
		say_number(reply, '1', e->compensation);
		return true;
	case 26:
		say_number(reply, 'B', e->coefficient);
		return true;
	case 29:
		say_number(reply, 'S', e->step_mode);
		return true;
	case 37:
		say_number(reply, 'D', e->display);
		return true;
	case 43:
		say_number(reply, 'C', e->speed);
		return true;
	default:
		return false;
	}
}

/* Questions that came with later firmware; false when it is none. */
static bool answer_late(const struct emu *e, int number, struct emulator_reply *reply)
{
	switch (number) {
	case 74:
		say_number(reply, '4', e->in_on);
		return true;
	case 76:
		say_number(reply, '5', e->out_on);
		return true;
	case 78:
		say_number(reply, '6', e->in_steps);
		return true;
	case 80:
		say_number(reply, '7', e->out_steps);
		return true;
	case 83:
		say_number(reply, 'c', !e->no_probe);
		return true;
	default:
		return false;
	}
}

static void change_speed(struct emu *e, int64_t value)
{
	(void)position(e);
	e->speed = value < 0 ? 0 : value > 2 ? 2 : (int)value;
	emulated_motor_change_speed(&e->motor, speed(e));
}

static void move(struct emu *e, int64_t target)
{
	if (e->motor.running && !e->retargets) {
		return;
	}
	start(e, clamp(e, target) + (e->wrong_position ? EMULATED_BESIDE_STEPS : 0));
}

static void set(struct emu *e, int number, int64_t value)
{
	bool rests = !moving(e) && !e->motor.running;
	switch (number) {
	case 5:
		move(e, value);
		break;
	case 7:
		e->max_step = value < LEAST_MAX_STEP ? LEAST_MAX_STEP : value;
		e->max_step = e->max_step < position(e) ? position(e) : e->max_step;
		break;
	case 12:
		e->coil_power = value != 0;
		break;
	case 14:
		e->reverse = rests ? value != 0 : e->reverse;
		break;
	case 15:
		change_speed(e, value);
		break;
	case 22:
		e->coefficient = (int)(value & 0xFF);
		break;
	case 23:
		e->compensation = !e->no_probe && value != 0;
		break;
	case 27:
		rest_at(e, position(e));
		break;
	case 28:
		move(e, 0);
		break;
	case 30:
		e->step_mode = (int)(value & 0xFF);
		break;
	case 31:
		if (rests) {
			rest_at(e, clamp(e, value));
		}
		break;
	case 36:
		e->display = value != 0;
		break;
	case 73:
		e->in_on = value != 0;
		break;
	case 75:
		e->out_on = value != 0;
		break;
	case 77:
		e->in_steps = value & 0xFF;
		break;
	case 79:
		e->out_steps = value & 0xFF;
		break;
	default:
		break;
	}
}

/* The first digits of a text, as a controller reads them: 0 without. */
static int64_t number_in(const char *text, size_t most)
{
	int64_t value = 0;
	for (size_t i = 0; i < most && text[i] >= '0' && text[i] <= '9'; i++) {
		value = value * 10 + (text[i] - '0');
	}
	return value;
}

static void command(struct emu *e, const char *text, struct emulator_reply *reply)
{
	if (strlen(text) < 2 || text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9') {
		return;
	}
	int number = (int)number_in(text, 2);
	if (!answer(e, number, reply) && (e->old || !answer_late(e, number, reply))) {
		set(e, number, number_in(text + 2, 10));
	}
}

static void emu_byte(void *ctx, uint8_t byte, struct emulator_reply *reply)
{
	struct emu *e = ctx;
	(void)position(e);
	if (now_ms(e) < e->boot_until_ms) {
		return;
	}
	const char *text = emulated_line_take(&e->line, byte);
	if (text != NULL) {
		command(e, text, reply);
	}
}

static void emu_reset(void *ctx, struct emulator_reply *banner)
{
	struct emu *e = ctx;
	rest_at(e, e->saved);
	e->line.open = false;
	if (banner != NULL) {
		emulated_say(banner, "myFocuserPro2 291 ready\r\n");
	}
}

static void emu_init(void *ctx, const struct emulator_settings *settings, struct clock *clock)
{
	struct emu *e = ctx;
	e->settings = settings;
	e->clock = clock;
	e->max_step = settings->max_step;
	e->saved = settings->position;
	emulated_motor_init(&e->motor, clock, settings->position);
	e->motor.stalls = e->stall;
	e->motor.backwards = e->backwards;
	e->motor.runs_past = e->runs_past;
	e->motor.mishears = e->misheard;
	e->motor.strays = e->unasked;
	e->speed = 2;
	e->step_mode = 1;
	e->display = 1;
	e->coefficient = 2;
	e->compensation = e->compensates;
	e->in_on = e->own_backlash;
	e->in_steps = e->own_backlash ? 120 : 0;
	emu_reset(e, NULL);
}

const struct emulator_kind emu_myfocuserpro2 = {
	.name = "myfocuserpro2",
	.title = "myFocuserPro2 controller",
	.usual_max_step = 80000,
	.usual_speed_steps_per_s = 500,
	.faults = faults,
	.ctx_size = sizeof(struct emu),
	.init = emu_init,
	.byte = emu_byte,
	.reset = emu_reset,
	.moving = moving,
};
