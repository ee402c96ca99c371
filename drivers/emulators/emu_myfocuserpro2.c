/* SPDX-License-Identifier: MIT */
/*
 * A myFocuserPro2 controller: `:` two digits [argument] `#`, decimal, silent setters.  Written from
 * the firmware's list of commands alone; its faults are what builds and boards are known to do.
 */
#include "emu_myfocuserpro2.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Longest command between ':' and '#'; the rest of a longer one is lost. */
#define LINE 16

/* The firmware refuses a smaller highest position. */
#define LEAST_MAX_STEP 1024

#define STALL_AFTER_STEPS 100
#define UNASKED_AFTER_MS 2000
#define UNASKED_STEPS 200
#define BESIDE_STEPS 7
#define SLOW_START_MS 400
#define RESET_AFTER_STEPS 100
/* After a reset the boot loader has the line. */
#define BOOT_MS 1500

struct emu {
	const struct emulator_settings *settings;
	struct clock *clock;
	char line[LINE];
	size_t line_len;
	bool in_command;
	/* Motion: the position is begin + what the time since begun_ms has brought. */
	int64_t begin;
	int64_t goal;
	int64_t begun_ms;
	bool running;
	int64_t max_step;
	int64_t saved;          /* what it finds after a reset: where it last rested */
	int64_t boot_until_ms;
	int64_t rest_since_ms;
	bool unasked_done, reset_done;
	/* Settings that it keeps: coil power, reverse, display, compensation, play. */
	int coil_power, reverse, display, compensation, coefficient, step_mode;
	int speed;              /* 0 slow .. 2 fast */
	int in_on, out_on;
	int64_t in_steps, out_steps;
	/* Faults, looked up once. */
	bool stall, wrong_position, slow_start, reset, unasked, retargets, two_digits, old;
	bool no_probe, probe_lost, probe_nan, own_backlash, compensates;
};

static const struct emulator_fault faults[] = {
	{"stall", "the motor says it moves, but stands still after 100 steps"},
	{"wrong-position", "stops 7 steps beyond the target"},
	{"slow-start", "says it rests for 400 ms before the motor begins"},
	{"reset", "resets itself 100 steps into the first move: deaf for 1.5 s, back at the old count"},
	{"unasked-motion", "after 2 s at rest it moves 200 steps by itself, once"},
	{"retargets", "takes a new target while moving (most firmware ignores it)"},
	{"two-digit-moving", ":01# is answered I01# or I00#"},
	{"old-firmware", "knows nothing of probes and backlash"},
	{"no-probe", "no temperature probe: c0, and always 20 degrees"},
	{"probe-lost", "a probe that reads -127"},
	{"probe-nan", "a probe that reads nan"},
	{"own-backlash", "takes up play by itself, 120 steps inward"},
	{"compensates", "its own temperature compensation is on"},
	{NULL, NULL},
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

static int64_t travelled(const struct emu *e)
{
	int64_t since = now_ms(e) - e->begun_ms;
	return since <= 0 ? 0 : (int64_t)floor((double)since * speed(e) / 1000);
}

static void rest_at(struct emu *e, int64_t position)
{
	e->begin = position;
	e->running = false;
	e->rest_since_ms = now_ms(e);
	e->saved = position;
}

/* The count of steps is in memory that a reset clears. */
static void lose_power(struct emu *e)
{
	e->reset_done = true;
	e->in_command = false;
	e->boot_until_ms = now_ms(e) + BOOT_MS;
	rest_at(e, e->saved);
}

/* Where the motor is now; ends the motion when it is over. */
static int64_t position(struct emu *e)
{
	if (!e->running) {
		return e->begin;
	}
	int64_t way = e->goal - e->begin;
	int64_t length = way < 0 ? -way : way;
	int64_t done = travelled(e);
	if (e->stall && length > STALL_AFTER_STEPS && done > STALL_AFTER_STEPS) {
		done = STALL_AFTER_STEPS;
	}
	if (e->reset && !e->reset_done && done > RESET_AFTER_STEPS) {
		lose_power(e);
		return e->begin;
	}
	if (done >= length) {
		rest_at(e, e->goal);
		return e->begin;
	}
	return e->begin + (way < 0 ? -done : done);
}

static void start(struct emu *e, int64_t goal)
{
	e->begin = position(e);
	e->goal = goal;
	e->begun_ms = now_ms(e) + (e->slow_start ? SLOW_START_MS : 0);
	e->running = e->goal != e->begin;
}

/* The motion that it tells of; also that which nobody asked for. */
static bool moving(struct emu *e)
{
	(void)position(e);
	if (e->unasked && !e->unasked_done && !e->running &&
		now_ms(e) - e->rest_since_ms >= UNASKED_AFTER_MS) {
		e->unasked_done = true;
		start(e, position(e) + UNASKED_STEPS);
	}
	return e->running && now_ms(e) >= e->begun_ms;
}

static int64_t clamp(const struct emu *e, int64_t target)
{
	return target < 0 ? 0 : target > e->max_step ? e->max_step : target;
}

static void say(struct emulator_reply *reply, const char *text)
{
	size_t len = strlen(text);
	if (len > sizeof reply->data - reply->len) {
		len = sizeof reply->data - reply->len;
	}
	memcpy(reply->data + reply->len, text, len);
	reply->len += len;
}

static void say_number(struct emulator_reply *reply, char field, int64_t value)
{
	char text[32];
	snprintf(text, sizeof text, "%c%lld#", field, (long long)value);
	say(reply, text);
}

static void say_temperature(const struct emu *e, struct emulator_reply *reply)
{
	double celsius = e->no_probe ? 20 : e->probe_lost ? -127 : e->settings->temperature_c;
	char text[32];
	snprintf(text, sizeof text, "Z%.2f#", celsius);
	say(reply, e->probe_nan ? "Znan#" : text);
}

/* A question; false when it is none. */
static bool answer(struct emu *e, int number, struct emulator_reply *reply)
{
	bool yes;
	switch (number) {
	case 0:
		(void)moving(e);
		say_number(reply, 'P', position(e));
		return true;
	case 1:
		yes = moving(e);
		say(reply, e->two_digits ? (yes ? "I01#" : "I00#") : (yes ? "I1#" : "I0#"));
		return true;
	case 2:
		say(reply, "EOK#");
		return true;
	case 3:
		say(reply, "F291#");
		return true;
	case 4:
		say(reply, "FmyFP2 M_DRV8825\r\n291#");
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

/* The way so far was made at the old speed. */
static void change_speed(struct emu *e, int64_t value)
{
	int64_t at = position(e);
	int64_t now = now_ms(e);
	if (e->running && now > e->begun_ms) {
		e->begin = at;
		e->begun_ms = now;
	}
	e->speed = value < 0 ? 0 : value > 2 ? 2 : (int)value;
}

static void move(struct emu *e, int64_t target)
{
	if (e->running && !e->retargets) {
		return;
	}
	start(e, clamp(e, target) + (e->wrong_position ? BESIDE_STEPS : 0));
}

static void set(struct emu *e, int number, int64_t value)
{
	bool rests = !moving(e) && !e->running;
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
	if (byte == ':') {
		e->in_command = true;
		e->line_len = 0;
		return;
	}
	if (!e->in_command) {
		return;
	}
	if (byte != '#') {
		if (e->line_len + 1 < sizeof e->line) {
			e->line[e->line_len++] = (char)byte;
		}
		return;
	}
	e->in_command = false;
	e->line[e->line_len] = '\0';
	command(e, e->line, reply);
}

static void emu_reset(void *ctx, struct emulator_reply *banner)
{
	struct emu *e = ctx;
	rest_at(e, e->saved);
	e->in_command = false;
	if (banner != NULL) {
		say(banner, "myFocuserPro2 291 ready\r\n");
	}
}

static void emu_init(void *ctx, const struct emulator_settings *settings, struct clock *clock)
{
	struct emu *e = ctx;
	e->settings = settings;
	e->clock = clock;
	e->max_step = settings->max_step;
	e->saved = settings->position;
	e->speed = 2;
	e->step_mode = 1;
	e->display = 1;
	e->coefficient = 2;
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{"stall", &e->stall},
		{"wrong-position", &e->wrong_position},
		{"slow-start", &e->slow_start},
		{"reset", &e->reset},
		{"unasked-motion", &e->unasked},
		{"retargets", &e->retargets},
		{"two-digit-moving", &e->two_digits},
		{"old-firmware", &e->old},
		{"no-probe", &e->no_probe},
		{"probe-lost", &e->probe_lost},
		{"probe-nan", &e->probe_nan},
		{"own-backlash", &e->own_backlash},
		{"compensates", &e->compensates},
	};
	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
		*flags[i].flag = emulator_has_fault(settings, flags[i].name, NULL);
	}
	e->compensation = e->compensates;
	e->in_on = e->own_backlash;
	e->in_steps = e->own_backlash ? 120 : 0;
	emu_reset(e, NULL);
}

static bool emu_moving(void *ctx)
{
	return moving(ctx);
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
	.moving = emu_moving,
};
