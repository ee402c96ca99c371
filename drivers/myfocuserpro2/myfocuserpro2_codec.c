/* SPDX-License-Identifier: MIT */
#include "myfocuserpro2_codec.h"

#include <stdio.h>
#include <string.h>

#include "hash_frame.h"

enum argument { ARG_NONE, ARG_STEPS, ARG_MAX, ARG_SWITCH, ARG_SPEED, ARG_STEP_MODE };

enum reply { REPLY_NONE, REPLY_OK, REPLY_VERSION, REPLY_NAME, REPLY_TEMPERATURE, REPLY_POSITION,
	REPLY_SWITCH, REPLY_COUNT };

static const struct {
	unsigned number; /* the two digits after ':' */
	enum argument argument;
	enum reply reply;
	char field;      /* first character of the reply */
} commands[MFP2_COMMAND_COUNT] = {
	[MFP2_GET_POSITION] = {0, ARG_NONE, REPLY_POSITION, 'P'},
	[MFP2_GET_MOVING] = {1, ARG_NONE, REPLY_SWITCH, 'I'},
	[MFP2_GREET] = {2, ARG_NONE, REPLY_OK, 'E'},
	[MFP2_GET_VERSION] = {3, ARG_NONE, REPLY_VERSION, 'F'},
	[MFP2_GET_NAME] = {4, ARG_NONE, REPLY_NAME, 'F'},
	[MFP2_GOTO] = {5, ARG_STEPS, REPLY_NONE, 0},
	[MFP2_GET_TEMPERATURE] = {6, ARG_NONE, REPLY_TEMPERATURE, 'Z'},
	[MFP2_SET_MAX] = {7, ARG_MAX, REPLY_NONE, 0},
	[MFP2_GET_MAX] = {8, ARG_NONE, REPLY_COUNT, 'M'},
	[MFP2_GET_COIL_POWER] = {11, ARG_NONE, REPLY_SWITCH, 'O'},
	[MFP2_SET_COIL_POWER] = {12, ARG_SWITCH, REPLY_NONE, 0},
	[MFP2_GET_REVERSE] = {13, ARG_NONE, REPLY_SWITCH, 'R'},
	[MFP2_SET_REVERSE] = {14, ARG_SWITCH, REPLY_NONE, 0},
	[MFP2_SET_SPEED] = {15, ARG_SPEED, REPLY_NONE, 0},
	[MFP2_SHOW_CELSIUS] = {16, ARG_NONE, REPLY_NONE, 0},
	[MFP2_SET_COEFFICIENT] = {22, ARG_STEPS, REPLY_NONE, 0},
	[MFP2_SET_COMPENSATION] = {23, ARG_SWITCH, REPLY_NONE, 0},
	[MFP2_GET_COMPENSATION] = {24, ARG_NONE, REPLY_SWITCH, '1'},
	[MFP2_GET_COEFFICIENT] = {26, ARG_NONE, REPLY_COUNT, 'B'},
	[MFP2_HALT] = {27, ARG_NONE, REPLY_NONE, 0},
	[MFP2_HOME] = {28, ARG_NONE, REPLY_NONE, 0},
	[MFP2_GET_STEP_MODE] = {29, ARG_NONE, REPLY_COUNT, 'S'},
	[MFP2_SET_STEP_MODE] = {30, ARG_STEP_MODE, REPLY_NONE, 0},
	[MFP2_SET_POSITION] = {31, ARG_STEPS, REPLY_NONE, 0},
	[MFP2_SET_DISPLAY] = {36, ARG_SWITCH, REPLY_NONE, 0},
	[MFP2_GET_DISPLAY] = {37, ARG_NONE, REPLY_SWITCH, 'D'},
	[MFP2_GET_SPEED] = {43, ARG_NONE, REPLY_COUNT, 'C'},
	[MFP2_SET_BACKLASH_IN_ON] = {73, ARG_SWITCH, REPLY_NONE, 0},
	[MFP2_GET_BACKLASH_IN_ON] = {74, ARG_NONE, REPLY_SWITCH, '4'},
	[MFP2_SET_BACKLASH_OUT_ON] = {75, ARG_SWITCH, REPLY_NONE, 0},
	[MFP2_GET_BACKLASH_OUT_ON] = {76, ARG_NONE, REPLY_SWITCH, '5'},
	[MFP2_SET_BACKLASH_IN] = {77, ARG_STEPS, REPLY_NONE, 0},
	[MFP2_GET_BACKLASH_IN] = {78, ARG_NONE, REPLY_COUNT, '6'},
	[MFP2_SET_BACKLASH_OUT] = {79, ARG_STEPS, REPLY_NONE, 0},
	[MFP2_GET_BACKLASH_OUT] = {80, ARG_NONE, REPLY_COUNT, '7'},
	[MFP2_GET_PROBE] = {83, ARG_NONE, REPLY_SWITCH, 'c'},
};

/* The longest reply but that of the name is Z or P with twelve characters; more is noise. */
#define MAX_FRAME 24
#define MAX_NAME_FRAME 96

/* The range of the digital probes that these controllers use, degrees. */
#define PROBE_MIN_C (-55.0)
#define PROBE_MAX_C 125.0

static bool in_range(enum argument argument, int32_t value)
{
	switch (argument) {
	case ARG_NONE:
		return true;
	case ARG_STEPS:
	case ARG_MAX:
		return value >= 0;
	case ARG_SWITCH:
		return value == 0 || value == 1;
	case ARG_SPEED:
		return value >= 0 && value <= 2;
	case ARG_STEP_MODE:
		return value >= 1 && value <= 256;
	}
	return false;
}

size_t mfp2_encode(char out[MFP2_MAX_COMMAND], enum mfp2_command command, int32_t value)
{
	enum argument argument = commands[command].argument;
	if (!in_range(argument, value)) {
		return 0;
	}
	char text[MFP2_MAX_COMMAND + 1];
	unsigned number = commands[command].number;
	int n = argument == ARG_NONE ? snprintf(text, sizeof text, ":%02u#", number)
		/* Padded to six digits by every other program that sends it. */
		: argument == ARG_MAX ? snprintf(text, sizeof text, ":%02u%06d#", number, (int)value)
				      : snprintf(text, sizeof text, ":%02u%d#", number, (int)value);
	memcpy(out, text, (size_t)n);
	return (size_t)n;
}

static bool is_decimal(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* What an ordinary reply is made of. */
static bool is_plain(char c)
{
	return is_decimal(c) || is_letter(c) || c == '.' || c == '-' || c == '+';
}

static bool is_printable_or_line_end(char c)
{
	return (c >= ' ' && c <= '~') || hash_frame_line_end(c);
}

enum scan mfp2_scan(const char *in, size_t n, struct span *frame, size_t *skip)
{
	return hash_frame_scan(in, n, is_plain, MAX_FRAME, frame, skip);
}

enum scan mfp2_scan_name(const char *in, size_t n, struct span *frame, size_t *skip)
{
	return hash_frame_scan(in, n, is_printable_or_line_end, MAX_NAME_FRAME, frame, skip);
}

/* What stands between the name of the field and '#'.  False when it is no such frame. */
static bool content(struct span frame, char field, struct span *out)
{
	if (field == 0 || frame.len < 3 || frame.data[0] != field ||
		frame.data[frame.len - 1] != '#') {
		return false;
	}
	*out = (struct span){.data = frame.data + 1, .len = frame.len - 2};
	return memchr(out->data, '#', out->len) == NULL;
}

enum err_code mfp2_decode_number(enum mfp2_command command, struct span frame, int32_t *value)
{
	enum reply reply = commands[command].reply;
	struct span digits;
	int32_t number = 0;
	if ((reply != REPLY_POSITION && reply != REPLY_SWITCH && reply != REPLY_COUNT) ||
		!content(frame, commands[command].field, &digits) || digits.data[0] == '+' ||
		(digits.data[0] == '-' && reply != REPLY_POSITION) ||
		!text_parse_i32(digits, &number)) {
		return ERR_PROTOCOL;
	}
	if (reply == REPLY_SWITCH && (number > 1 || digits.len > 2)) {
		return ERR_PROTOCOL;
	}
	*value = number;
	return ERR_OK;
}

enum err_code mfp2_decode_temperature(struct span frame, double *celsius)
{
	struct span text;
	double degrees = 0;
	if (!content(frame, commands[MFP2_GET_TEMPERATURE].field, &text)) {
		return ERR_PROTOCOL;
	}
	if (span_equal_nocase(text, "nan")) {
		return ERR_VALUE_NOT_SET;
	}
	/* Sign, digits, point: what a controller prints, not all that is a number. */
	for (size_t i = 0; i < text.len; i++) {
		if (!is_decimal(text.data[i]) && text.data[i] != '.' &&
			!(i == 0 && text.data[i] == '-')) {
			return ERR_PROTOCOL;
		}
	}
	if (!text_parse_double(text, &degrees)) {
		return ERR_PROTOCOL;
	}
	if (degrees < PROBE_MIN_C || degrees > PROBE_MAX_C) {
		return ERR_VALUE_NOT_SET;
	}
	*celsius = degrees;
	return ERR_OK;
}

/* Copies what is neither empty nor too long. */
static bool copy(struct span from, char *out, size_t cap)
{
	if (from.len == 0 || from.len >= cap) {
		return false;
	}
	memcpy(out, from.data, from.len);
	out[from.len] = '\0';
	return true;
}

static bool all(struct span text, bool (*allowed)(char c))
{
	for (size_t i = 0; i < text.len; i++) {
		if (!allowed(text.data[i])) {
			return false;
		}
	}
	return true;
}

enum err_code mfp2_decode_version(struct span frame, char version[MFP2_MAX_VERSION])
{
	struct span text;
	bool good = content(frame, commands[MFP2_GET_VERSION].field, &text) && all(text, is_plain) &&
		copy(text, version, MFP2_MAX_VERSION);
	return good ? ERR_OK : ERR_PROTOCOL;
}

enum err_code mfp2_decode_name(struct span frame, char name[MFP2_MAX_NAME],
	char version[MFP2_MAX_VERSION])
{
	struct span text;
	if (!content(frame, commands[MFP2_GET_NAME].field, &text) ||
		!all(text, is_printable_or_line_end)) {
		return ERR_PROTOCOL;
	}
	size_t end = 0;
	while (end < text.len && !hash_frame_line_end(text.data[end])) {
		end++;
	}
	size_t next = end;
	while (next < text.len && hash_frame_line_end(text.data[next])) {
		next++;
	}
	struct span first = {.data = text.data, .len = end};
	struct span second = {.data = text.data + next, .len = text.len - next};
	char kept[MFP2_MAX_VERSION] = "";
	if ((second.len > 0 && (!all(second, is_plain) || !copy(second, kept, sizeof kept))) ||
		!copy(first, name, MFP2_MAX_NAME)) {
		return ERR_PROTOCOL;
	}
	memcpy(version, kept, sizeof kept);
	return ERR_OK;
}

bool mfp2_fits(enum mfp2_command command, struct span frame)
{
	int32_t number;
	double celsius;
	char name[MFP2_MAX_NAME];
	char version[MFP2_MAX_VERSION];
	switch (commands[command].reply) {
	case REPLY_NONE:
		return false;
	case REPLY_OK:
		return span_equal(frame, "EOK#");
	case REPLY_VERSION:
		return mfp2_decode_version(frame, version) == ERR_OK;
	case REPLY_NAME:
		return mfp2_decode_name(frame, name, version) == ERR_OK;
	case REPLY_TEMPERATURE:
		return mfp2_decode_temperature(frame, &celsius) != ERR_PROTOCOL;
	case REPLY_POSITION:
	case REPLY_SWITCH:
	case REPLY_COUNT:
		return mfp2_decode_number(command, frame, &number) == ERR_OK;
	}
	return false;
}
