/* SPDX-License-Identifier: MIT */
/*
 * A Moonlite focus controller: `:` command `#`, upper-case hexadecimal, silent setters.  Written
 * from the command set's description alone; its faults are what clones are known to do otherwise.
 */
#include "emu_moonlite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "emulated_motor.h"

/* A conversion of the temperature takes this long. */
#define CONVERSION_MS 750

#define SLOW_START_MS 400
/* After a reset the boot loader has the line for this time, real milliseconds. */
#define BANNER_MS 300
#define DEAF_MS 1500
#define LOST_TARGET 3
#define COOLING_C_PER_MIN 1.0

struct emu {
	const struct emulator_settings *settings;
	struct clock *clock;
	struct emulated_line line;
	struct emulated_motor motor;
	int64_t target;
	int step_delay;        /* 2 is the fastest */
	bool half_step;
	int64_t conversion_ms; /* when the running conversion began; -1 without */
	double probe_c;        /* result of the last conversion */
	int offset;            /* half degrees */
	int coefficient;
	bool compensating;
	double compensated_c;  /* the temperature that the position suits */
	bool reset_done;
	int64_t banner_ms;     /* real time, when it will talk; CLOCK_NEVER */
	int64_t deaf_until_ms; /* real time */
	int targets;           /* how many were set; one of them gets lost */
	/* Faults; set by their table. */
	bool backwards, runs_past, misheard;
	bool width8, no_gv, double_hash, sn_moves, ignore_moving, one_digit, constant_temperature;
	bool no_probe, no_temperature, missing_hash, wrap16, stall, unasked, slow_start, reset, forgets;
	bool lower_case, no_target, missing_hash_moving, below_zero, lost_target, fixed_coefficient;
	bool cooling;
	int stop_beside;
};

#define FLAG(member) offsetof(struct emu, member)

static const struct emulator_fault faults[] = {
	{"stall", "the motor says it moves, but stands still after 100 steps", FLAG(stall)},
	{"wrong-position", "stops 7 steps beyond the target", 0},
	{"offset-", "offset-K: stops K steps beyond the target", 0},
	{"slow-start", "says it rests for 400 ms before the motor begins", FLAG(slow_start)},
	{"reset", "resets itself 100 steps into the first move: boot text, deaf for 1.5 s, counts from 0", FLAG(reset)},
	{"forgets", "any reset sets the count to 0 (without it, it is kept)", FLAG(forgets)},
	{"unasked-motion", "after 2 s at rest it moves 200 steps by itself, once", FLAG(unasked)},
	{"sn-moves", ":SN starts the motion, :FG is not needed", FLAG(sn_moves)},
	{"ignore-while-moving", ":SN and :FG are ignored while moving", FLAG(ignore_moving)},
	{"lost-target", "the third :SN# gets lost", FLAG(lost_target)},
	{"wrap16", "keeps only the low 16 bits of a target", FLAG(wrap16)},
	{"below-zero", "goes below zero when told to stop there; its count is then negative", FLAG(below_zero)},
	{"width8", "positions and temperature have eight digits", FLAG(width8)},
	{"lower-case", "writes numbers in lower case", FLAG(lower_case)},
	{"no-gv", "silent when asked for its version", FLAG(no_gv)},
	{"no-gn", "silent when asked for its target", FLAG(no_target)},
	{"double-hash", "answers 00## to every question it does not know, the version included", FLAG(double_hash)},
	{"missing-hash", "the answer to :GV# has no #", FLAG(missing_hash)},
	{"missing-hash-gi", "the answer to :GI# has no #", FLAG(missing_hash_moving)},
	{"one-digit-gi", ":GI# is answered with one digit", FLAG(one_digit)},
	{"fixed-coefficient", "the temperature coefficient is always 02", FLAG(fixed_coefficient)},
	{"cooling", "the night cools by one degree a minute", FLAG(cooling)},
	{"constant-temperature", ":GT# is always answered 20#", FLAG(constant_temperature)},
	{"no-probe", "the temperature reads -127", FLAG(no_probe)},
	{"no-temperature", ":GT# is not answered", FLAG(no_temperature)},
	{"backwards", "the motor turns the other way than it is told, and its count shows it", FLAG(backwards)},
	{"runs-past", "the motor does not stop at its target", FLAG(runs_past)},
	{"misheard", "the first target loses its last digit on the line", FLAG(misheard)},
	{NULL, NULL, 0},
};

static double speed(const struct emu *e)
{
	double v = e->settings->speed_steps_per_s * 2 / e->step_delay;
	return e->half_step ? v / 2 : v;
}

static int64_t now_ms(const struct emu *e)
{
	return clock_now_ms(e->clock);
}

static double night_c(const struct emu *e)
{
	double minutes = (double)now_ms(e) / 60000.0;
	return e->settings->temperature_c - (e->cooling ? COOLING_C_PER_MIN * minutes : 0);
}

static void start(struct emu *e, int64_t goal)
{
	int64_t heard = emulated_motor_heard(&e->motor, goal < 0 && !e->below_zero ? 0 : goal);
	emulated_motor_go(&e->motor, heard, speed(e),
		e->slow_start ? SLOW_START_MS : 0);
}

/* The processor begins anew. */
static void restart(struct emu *e, bool forget)
{
	emulated_motor_rest_at(&e->motor, forget ? 0 : emulated_motor_position(&e->motor));
	e->line.open = false;
	e->target = e->motor.begin;
	e->step_delay = 2;
	e->half_step = false;
	e->compensating = false;
}

/* With its compensation on the motor follows the temperature. */
static void compensate(struct emu *e)
{
	long steps = lround((night_c(e) - e->compensated_c) * e->coefficient);
	if (e->compensating && !e->motor.running && steps != 0) {
		e->compensated_c = night_c(e);
		start(e, e->motor.begin + steps);
	}
}

/* Brings the motor up to date.  Motion that nobody asked for begins here: by its compensation, or by a hand on the
 * box. */
static bool moving(void *ctx)
{
	struct emu *e = ctx;
	if (e->reset && !e->reset_done && e->motor.running &&
		emulated_motor_way(&e->motor) >= EMULATED_RESET_STEPS) {
		e->reset_done = true;
		restart(e, true);
		e->banner_ms = clock_now_ms(clock_real()) + BANNER_MS;
		e->deaf_until_ms = clock_now_ms(clock_real()) + DEAF_MS;
	}
	(void)emulated_motor_position(&e->motor);
	compensate(e);
	emulated_motor_stray(&e->motor, speed(e));
	return emulated_motor_turns(&e->motor);
}

static void say_word(const struct emu *e, struct emulator_reply *reply, int64_t value)
{
	char text[24];
	/* Small processors print the low half of a negative number. */
	uint32_t bits = e->width8 || value > 0 ? (uint32_t)value : (uint32_t)value & 0xFFFFu;
	int width = e->width8 ? 8 : 4;
	if (e->lower_case) {
		snprintf(text, sizeof text, "%0*x#", width, (unsigned)bits);
	} else {
		snprintf(text, sizeof text, "%0*X#", width, (unsigned)bits);
	}
	emulated_say(reply, text);
}

static void say_byte(struct emulator_reply *reply, int value)
{
	char text[8];
	snprintf(text, sizeof text, "%02X#", (unsigned)value & 0xFFu);
	emulated_say(reply, text);
}

static void say_temperature(struct emu *e, struct emulator_reply *reply)
{
	if (e->conversion_ms >= 0 && now_ms(e) - e->conversion_ms >= CONVERSION_MS) {
		e->probe_c = night_c(e);
		e->conversion_ms = -1;
	}
	if (e->no_temperature) {
		return;
	}
	if (e->constant_temperature) {
		emulated_say(reply, "20#");
		return;
	}
	double celsius = e->no_probe ? -127 : e->probe_c + e->offset / 2.0;
	/* Ardufocus in high resolution, which is both of these, counts whole degrees. */
	bool whole = e->width8 && e->double_hash;
	int64_t count = (int64_t)lround(whole ? celsius : celsius * 2);
	say_word(e, reply, e->width8 ? count : (int64_t)((uint64_t)count & 0xFFFFu));
}

static bool hex_argument(const char *text, int64_t *out)
{
	int64_t value = 0;
	size_t n = strlen(text);
	if (n == 0 || n > 8) {
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		static const char digits[] = "0123456789ABCDEF0123456789abcdef";
		const char *at = strchr(digits, text[i]);
		if (at == NULL) {
			return false;
		}
		value = value * 16 + (at - digits) % 16;
	}
	*out = value;
	return true;
}

static void set_target(struct emu *e, int64_t value)
{
	if ((e->ignore_moving && moving(e)) || (++e->targets == LOST_TARGET && e->lost_target)) {
		return;
	}
	if (e->wrap16) {
		value &= 0xFFFF;
	}
	e->target = value > e->settings->max_step ? e->settings->max_step : value;
	if (e->sn_moves) {
		start(e, e->target + e->stop_beside);
	}
}

static void go(struct emu *e)
{
	if (!(e->ignore_moving && moving(e))) {
		start(e, e->target + e->stop_beside);
	}
}

static void get(struct emu *e, const char *what, struct emulator_reply *reply)
{
	if (strcmp(what, "P") == 0) {
		(void)moving(e);
		say_word(e, reply, emulated_motor_position(&e->motor));
	} else if (strcmp(what, "N") == 0) {
		if (!e->no_target) {
			say_word(e, reply, e->target);
		}
	} else if (strcmp(what, "I") == 0) {
		bool yes = moving(e);
		emulated_say(reply, e->one_digit ? (yes ? "1" : "0") : (yes ? "01" : "00"));
		emulated_say(reply, e->missing_hash_moving ? "" : "#");
	} else if (strcmp(what, "T") == 0) {
		say_temperature(e, reply);
	} else if (strcmp(what, "D") == 0) {
		say_byte(reply, e->step_delay);
	} else if (strcmp(what, "H") == 0) {
		emulated_say(reply, e->half_step ? "FF#" : "00#");
	} else if (strcmp(what, "B") == 0) {
		emulated_say(reply, "00#");
	} else if (e->double_hash) {
		emulated_say(reply, "00##");
	} else if (strcmp(what, "C") == 0) {
		say_byte(reply, e->coefficient);
	} else if (strcmp(what, "V") == 0 && !e->no_gv) {
		emulated_say(reply, e->missing_hash ? "10" : "10#");
	}
}

static void set(struct emu *e, char what, const char *argument)
{
	int64_t value = 0;
	if (what == 'F' && argument[0] == '\0') {
		e->half_step = false;
		return;
	}
	if (what == 'H' && argument[0] == '\0') {
		e->half_step = true;
		return;
	}
	if (!hex_argument(argument, &value)) {
		return;
	}
	switch (what) {
	case 'N':
		set_target(e, value);
		break;
	case 'P':
		emulated_motor_rest_at(&e->motor,
			value > e->settings->max_step ? e->settings->max_step : value);
		break;
	case 'C':
		e->coefficient = e->fixed_coefficient ? e->coefficient : (int8_t)(uint8_t)value;
		break;
	case 'D':
		if (value == 0x02 || value == 0x04 || value == 0x08 || value == 0x10 ||
			value == 0x20) {
			e->step_delay = (int)value;
			emulated_motor_change_speed(&e->motor, speed(e));
		}
		break;
	default:
		break;
	}
}

static void command(struct emu *e, const char *text, struct emulator_reply *reply)
{
	int64_t value = 0;
	if (text[0] == 'G') {
		get(e, text + 1, reply);
	} else if (text[0] == 'S' && text[1] != '\0') {
		set(e, text[1], text + 2);
	} else if (strcmp(text, "FG") == 0) {
		go(e);
	} else if (strcmp(text, "FQ") == 0) {
		emulated_motor_stop(&e->motor);
	} else if (strcmp(text, "C") == 0) {
		e->conversion_ms = now_ms(e);
	} else if (strcmp(text, "+") == 0 || strcmp(text, "-") == 0) {
		e->compensating = text[0] == '+';
		e->compensated_c = night_c(e);
	} else if (strncmp(text, "PO", 2) == 0 && hex_argument(text + 2, &value)) {
		/* Two's complement of one byte. */
		e->offset = (int)(value & 0xFF) - ((value & 0x80) != 0 ? 256 : 0);
	}
}

static void emu_byte(void *ctx, uint8_t byte, struct emulator_reply *reply)
{
	struct emu *e = ctx;
	(void)moving(e);
	if (clock_now_ms(clock_real()) < e->deaf_until_ms) {
		return;
	}
	const char *text = emulated_line_take(&e->line, byte);
	if (text != NULL) {
		command(e, text, reply);
	}
}

static const char banner_text[] = "Ardufocus v3.0 ready.\r\nbrought up in 0012 ms\r\n";

static void emu_reset(void *ctx, struct emulator_reply *banner)
{
	struct emu *e = ctx;
	restart(e, e->forgets);
	emulated_say(banner, banner_text);
}

static void emu_unasked(void *ctx, struct emulator_reply *words)
{
	struct emu *e = ctx;
	(void)moving(e);
	if (clock_now_ms(clock_real()) >= e->banner_ms) {
		e->banner_ms = CLOCK_NEVER;
		emulated_say(words, banner_text);
	}
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
	e->motor.strays = e->unasked;
	e->probe_c = settings->temperature_c;
	e->conversion_ms = -1;
	e->coefficient = 2;
	e->banner_ms = CLOCK_NEVER;
	if (!emulator_has_fault(settings, "offset-", &e->stop_beside) &&
		emulator_has_fault(settings, "wrong-position", NULL)) {
		e->stop_beside = EMULATED_BESIDE_STEPS;
	}
	restart(e, false);
}

const struct emulator_kind emu_moonlite = {
	.name = "moonlite",
	.title = "Moonlite controller and its clones",
	.usual_max_step = 65535,
	.usual_speed_steps_per_s = 500,
	.faults = faults,
	.ctx_size = sizeof(struct emu),
	.init = emu_init,
	.byte = emu_byte,
	.reset = emu_reset,
	.moving = moving,
	.unasked = emu_unasked,
	.speaks_with = "reset",
};
