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
#define BESIDE_STEPS 7
#define SLOW_START_MS 400
#define RESET_AFTER_STEPS 100
/* So long the boot loader has the line after a reset, in real time. */
#define BANNER_MS 300
#define DEAF_MS 1500
#define LOST_TARGET 3
#define COOLING_C_PER_MIN 1.0

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
	double compensated_c;  /* the temperature that the position suits */
	int64_t rest_since_ms;
	bool unasked_done;
	bool reset_done;
	int64_t banner_ms;     /* real time, when it will talk; CLOCK_NEVER */
	int64_t deaf_until_ms; /* real time */
	int targets;           /* that were set, counted for the one that is lost */
	/* Faults, looked up once. */
	bool width8, no_gv, double_hash, sn_moves, ignore_moving, one_digit, constant_temperature;
	bool no_probe, no_temperature, missing_hash, wrap16, stall, unasked, slow_start, reset, forgets;
	bool lower_case, no_target, missing_hash_moving, below_zero, lost_target, fixed_coefficient;
	bool cooling;
	int stop_beside;
};

static const struct emulator_fault faults[] = {
	{"stall", "the motor says it moves, but stands still after 100 steps"},
	{"wrong-position", "stops 7 steps beyond the target"},
	{"offset-", "offset-K: stops K steps beyond the target"},
	{"slow-start", "says it rests for 400 ms before the motor begins"},
	{"reset", "resets itself 100 steps into the first move: boot text, deaf for 1.5 s, counts from 0"},
	{"forgets", "any reset sets the count to 0 (without it, it is kept)"},
	{"unasked-motion", "after 2 s at rest it moves 200 steps by itself, once"},
	{"sn-moves", ":SN starts the motion, :FG is not needed"},
	{"ignore-while-moving", ":SN and :FG are ignored while moving"},
	{"lost-target", "the third :SN# gets lost"},
	{"wrap16", "keeps only the low 16 bits of a target"},
	{"below-zero", "goes below zero when told to stop there; its count is then negative"},
	{"width8", "positions and temperature have eight digits"},
	{"lower-case", "writes numbers in lower case"},
	{"no-gv", "silent when asked for its version"},
	{"no-gn", "silent when asked for its target"},
	{"double-hash", "answers 00## to every question it does not know, the version included"},
	{"missing-hash", "the answer to :GV# has no #"},
	{"missing-hash-gi", "the answer to :GI# has no #"},
	{"one-digit-gi", ":GI# is answered with one digit"},
	{"fixed-coefficient", "the temperature coefficient is always 02"},
	{"cooling", "the night cools by one degree a minute"},
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
	int64_t ms = now_ms(e) - e->begun_ms - (e->slow_start ? SLOW_START_MS : 0);
	return ms < 0 ? 0 : (int64_t)floor((double)ms * speed(e) / 1000);
}

static double night_c(const struct emu *e)
{
	double minutes = (double)now_ms(e) / 60000.0;
	return e->settings->temperature_c - (e->cooling ? COOLING_C_PER_MIN * minutes : 0);
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
	e->goal = goal < 0 && !e->below_zero ? 0 : goal;
	e->begun_ms = now_ms(e);
	e->running = e->goal != e->begin;
}

static void stop(struct emu *e)
{
	e->begin = position(e);
	e->running = false;
	e->rest_since_ms = now_ms(e);
}

/* The processor begins anew. */
static void restart(struct emu *e, bool forget)
{
	stop(e);
	if (forget) {
		e->begin = 0;
	}
	e->in_command = false;
	e->target = e->begin;
	e->step_delay = 2;
	e->half_step = false;
	e->compensating = false;
}

/* Told to keep the focus, it goes along with the temperature. */
static void compensate(struct emu *e)
{
	long steps = lround((night_c(e) - e->compensated_c) * e->coefficient);
	if (e->compensating && !e->running && steps != 0) {
		e->compensated_c = night_c(e);
		start(e, position(e) + steps);
	}
}

/* Brings the motor up to date; motion that nobody asked for begins here: compensation, a hand on the
 * box. */
static bool moving(struct emu *e)
{
	if (e->reset && !e->reset_done && e->running && travelled(e) >= RESET_AFTER_STEPS) {
		e->reset_done = true;
		restart(e, true);
		e->banner_ms = clock_now_ms(clock_real()) + BANNER_MS;
		e->deaf_until_ms = clock_now_ms(clock_real()) + DEAF_MS;
	}
	(void)position(e);
	compensate(e);
	if (e->unasked && !e->unasked_done && !e->running &&
		now_ms(e) - e->rest_since_ms >= UNASKED_AFTER_MS) {
		e->unasked_done = true;
		start(e, position(e) + UNASKED_STEPS);
	}
	return e->running && !(e->slow_start && now_ms(e) - e->begun_ms < SLOW_START_MS);
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
	/* Small processors print the low half of a negative number. */
	uint32_t bits = e->width8 || value > 0 ? (uint32_t)value : (uint32_t)value & 0xFFFFu;
	int width = e->width8 ? 8 : 4;
	if (e->lower_case) {
		snprintf(text, sizeof text, "%0*x#", width, (unsigned)bits);
	} else {
		snprintf(text, sizeof text, "%0*X#", width, (unsigned)bits);
	}
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
		e->probe_c = night_c(e);
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
		say_word(e, reply, position(e));
	} else if (strcmp(what, "N") == 0) {
		if (!e->no_target) {
			say_word(e, reply, e->target);
		}
	} else if (strcmp(what, "I") == 0) {
		bool yes = moving(e);
		say(reply, e->one_digit ? (yes ? "1" : "0") : (yes ? "01" : "00"));
		say(reply, e->missing_hash_moving ? "" : "#");
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
		e->coefficient = e->fixed_coefficient ? e->coefficient : (int8_t)(uint8_t)value;
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

static const char banner_text[] = "Ardufocus v3.0 ready.\r\nbrought up in 0012 ms\r\n";

static void emu_reset(void *ctx, struct emulator_reply *banner)
{
	struct emu *e = ctx;
	restart(e, e->forgets);
	say(banner, banner_text);
}

static void emu_unasked(void *ctx, struct emulator_reply *words)
{
	struct emu *e = ctx;
	(void)moving(e);
	if (clock_now_ms(clock_real()) >= e->banner_ms) {
		e->banner_ms = CLOCK_NEVER;
		say(words, banner_text);
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
	e->banner_ms = CLOCK_NEVER;
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
		{"slow-start", &e->slow_start},
		{"reset", &e->reset},
		{"forgets", &e->forgets},
		{"lower-case", &e->lower_case},
		{"no-gn", &e->no_target},
		{"missing-hash-gi", &e->missing_hash_moving},
		{"below-zero", &e->below_zero},
		{"lost-target", &e->lost_target},
		{"fixed-coefficient", &e->fixed_coefficient},
		{"cooling", &e->cooling},
	};
	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
		*flags[i].flag = emulator_has_fault(settings, flags[i].name, NULL);
	}
	if (!emulator_has_fault(settings, "offset-", &e->stop_beside) &&
		emulator_has_fault(settings, "wrong-position", NULL)) {
		e->stop_beside = BESIDE_STEPS;
	}
	restart(e, false);
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
	.unasked = emu_unasked,
	.speaks_with = "reset",
};
