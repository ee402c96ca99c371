/* SPDX-License-Identifier: MIT */
/*
 * A Moonlite focus controller: `:` command `#`, upper-case hexadecimal, silent setters.  Written
 * from the command set's description alone; its faults are what clones are known to do otherwise.
 */
#include "emu_moonlite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Longest command between ':' and '#'; the rest of a longer one is lost. */
#define LINE 16

/* A conversion of the temperature takes this long. */
#define CONVERSION_MS 750

#define STALL_AFTER_STEPS 100
#define UNASKED_AFTER_MS 2000
#define UNASKED_STEPS 200

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
	int64_t target;
	int step_delay;        /* 2 is the fastest */
	bool half_step;
	int64_t conversion_ms; /* when the running conversion began; -1 without */
	double probe_c;        /* result of the last conversion */
	int offset;            /* half degrees */
	int coefficient;
	bool compensating;
	int64_t rest_since_ms;
	bool unasked_done;
	/* Faults, looked up once. */
	bool width8, no_gv, double_hash, sn_moves, ignore_moving, one_digit, constant_temperature;
	bool no_probe, no_temperature, missing_hash, wrap16, stall, unasked;
	int stop_beside;
};

static const struct emulator_fault faults[] = {
	{"stall", "the motor says it moves, but stands still after 100 steps"},
	{"offset-", "offset-K: stops K steps beyond the target"},
	{"unasked-motion", "after 2 s at rest it moves 200 steps by itself, once"},
	{"sn-moves", ":SN starts the motion, :FG is not needed"},
	{"ignore-while-moving", ":SN and :FG are ignored while moving"},
	{"wrap16", "keeps only the low 16 bits of a target"},
	{"width8", "positions and temperature have eight digits"},
	{"no-gv", "silent when asked for its version"},
	{"double-hash", "answers 00## to every question it does not know, the version included"},
	{"missing-hash", "the answer to :GV# has no #"},
	{"one-digit-gi", ":GI# is answered with one digit"},
	{"constant-temperature", ":GT# is always answered 20#"},
	{"no-probe", "the temperature reads -127"},
	{"no-temperature", ":GT# is not answered"},
	{NULL, NULL},
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

static int64_t travelled(const struct emu *e)
{
	return (int64_t)floor((double)(now_ms(e) - e->begun_ms) * speed(e) / 1000);
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
		return e->begin + (way < 0 ? -STALL_AFTER_STEPS : STALL_AFTER_STEPS);
	}
	if (done >= length) {
		e->begin = e->goal;
		e->running = false;
		e->rest_since_ms = now_ms(e);
		return e->begin;
	}
	return e->begin + (way < 0 ? -done : done);
}

static void start(struct emu *e, int64_t goal)
{
	e->begin = position(e);
	e->goal = goal < 0 ? 0 : goal;
	e->begun_ms = now_ms(e);
	e->running = e->goal != e->begin;
}

static void stop(struct emu *e)
{
	e->begin = position(e);
	e->running = false;
	e->rest_since_ms = now_ms(e);
}

/* Motion that nobody asked for: compensation, a hand on the box. */
static bool moving(struct emu *e)
{
	(void)position(e);
	if (e->unasked && !e->unasked_done && !e->running &&
		now_ms(e) - e->rest_since_ms >= UNASKED_AFTER_MS) {
		e->unasked_done = true;
		start(e, position(e) + UNASKED_STEPS);
	}
	return e->running;
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

static void say_word(const struct emu *e, struct emulator_reply *reply, int64_t value)
{
	char text[24];
	snprintf(text, sizeof text, e->width8 ? "%08X#" : "%04X#", (unsigned)(uint32_t)value);
	say(reply, text);
}

static void say_byte(struct emulator_reply *reply, int value)
{
	char text[8];
	snprintf(text, sizeof text, "%02X#", (unsigned)value & 0xFFu);
	say(reply, text);
}

static void say_temperature(struct emu *e, struct emulator_reply *reply)
{
	if (e->conversion_ms >= 0 && now_ms(e) - e->conversion_ms >= CONVERSION_MS) {
		e->probe_c = e->settings->temperature_c;
		e->conversion_ms = -1;
	}
	if (e->no_temperature) {
		return;
	}
	if (e->constant_temperature) {
		say(reply, "20#");
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
	if (e->ignore_moving && moving(e)) {
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
		say_word(e, reply, position(e));
	} else if (strcmp(what, "N") == 0) {
		say_word(e, reply, e->target);
	} else if (strcmp(what, "I") == 0) {
		bool yes = moving(e);
		say(reply, e->one_digit ? (yes ? "1#" : "0#") : (yes ? "01#" : "00#"));
	} else if (strcmp(what, "T") == 0) {
		say_temperature(e, reply);
	} else if (strcmp(what, "D") == 0) {
		say_byte(reply, e->step_delay);
	} else if (strcmp(what, "H") == 0) {
		say(reply, e->half_step ? "FF#" : "00#");
	} else if (strcmp(what, "B") == 0) {
		say(reply, "00#");
	} else if (e->double_hash) {
		say(reply, "00##");
	} else if (strcmp(what, "C") == 0) {
		say_byte(reply, e->coefficient);
	} else if (strcmp(what, "V") == 0 && !e->no_gv) {
		say(reply, e->missing_hash ? "10" : "10#");
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
		stop(e);
		e->begin = value > e->settings->max_step ? e->settings->max_step : value;
		break;
	case 'C':
		e->coefficient = (int)(value & 0xFF);
		break;
	case 'D':
		if (value == 0x02 || value == 0x04 || value == 0x08 || value == 0x10 ||
			value == 0x20) {
			/* The way so far was made at the old speed. */
			bool on = moving(e);
			int64_t at = position(e);
			e->step_delay = (int)value;
			e->begin = at;
			e->begun_ms = now_ms(e);
			e->running = on;
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
		stop(e);
	} else if (strcmp(text, "C") == 0) {
		e->conversion_ms = now_ms(e);
	} else if (strcmp(text, "+") == 0 || strcmp(text, "-") == 0) {
		e->compensating = text[0] == '+';
	} else if (strncmp(text, "PO", 2) == 0 && hex_argument(text + 2, &value)) {
		/* Two's complement of one byte. */
		e->offset = (int)(value & 0xFF) - ((value & 0x80) != 0 ? 256 : 0);
	}
}

static void emu_byte(void *ctx, uint8_t byte, struct emulator_reply *reply)
{
	struct emu *e = ctx;
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
	stop(e);
	e->in_command = false;
	e->target = e->begin;
	e->step_delay = 2;
	e->half_step = false;
	e->compensating = false;
	if (banner != NULL) {
		say(banner, "Ardufocus v3.0 ready.\r\nbrought up in 0012 ms\r\n");
	}
}

static void emu_init(void *ctx, const struct emulator_settings *settings, struct clock *clock)
{
	struct emu *e = ctx;
	e->settings = settings;
	e->clock = clock;
	e->begin = settings->position;
	e->probe_c = settings->temperature_c;
	e->conversion_ms = -1;
	e->coefficient = 2;
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{"stall", &e->stall},
		{"unasked-motion", &e->unasked},
		{"sn-moves", &e->sn_moves},
		{"ignore-while-moving", &e->ignore_moving},
		{"wrap16", &e->wrap16},
		{"width8", &e->width8},
		{"no-gv", &e->no_gv},
		{"double-hash", &e->double_hash},
		{"missing-hash", &e->missing_hash},
		{"one-digit-gi", &e->one_digit},
		{"constant-temperature", &e->constant_temperature},
		{"no-probe", &e->no_probe},
		{"no-temperature", &e->no_temperature},
	};
	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
		*flags[i].flag = emulator_has_fault(settings, flags[i].name, NULL);
	}
	(void)emulator_has_fault(settings, "offset-", &e->stop_beside);
	emu_reset(e, NULL);
}

static bool emu_moving(void *ctx)
{
	return moving(ctx);
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
	.moving = emu_moving,
};
