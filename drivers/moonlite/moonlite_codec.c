/* SPDX-License-Identifier: MIT */
#include "moonlite_codec.h"

#include <stdio.h>
#include <string.h>

#include "hash_frame.h"

enum argument { ARG_NONE, ARG_POSITION, ARG_SIGNED_BYTE, ARG_BYTE };

static const struct {
	const char *text; /* between ':' and the argument */
	enum argument argument;
	enum moonlite_reply reply;
} commands[MOONLITE_COMMAND_COUNT] = {
	[MOONLITE_GET_POSITION] = {"GP", ARG_NONE, MOONLITE_REPLY_POSITION},
	[MOONLITE_GET_TARGET] = {"GN", ARG_NONE, MOONLITE_REPLY_POSITION},
	[MOONLITE_SET_TARGET] = {"SN", ARG_POSITION, MOONLITE_REPLY_NONE},
	[MOONLITE_SET_POSITION] = {"SP", ARG_POSITION, MOONLITE_REPLY_NONE},
	[MOONLITE_GO] = {"FG", ARG_NONE, MOONLITE_REPLY_NONE},
	[MOONLITE_STOP] = {"FQ", ARG_NONE, MOONLITE_REPLY_NONE},
	[MOONLITE_GET_MOVING] = {"GI", ARG_NONE, MOONLITE_REPLY_BYTE},
	[MOONLITE_GET_TEMPERATURE] = {"GT", ARG_NONE, MOONLITE_REPLY_TEMPERATURE},
	[MOONLITE_CONVERT] = {"C", ARG_NONE, MOONLITE_REPLY_NONE},
	[MOONLITE_SET_OFFSET] = {"PO", ARG_SIGNED_BYTE, MOONLITE_REPLY_NONE},
	[MOONLITE_GET_COEFFICIENT] = {"GC", ARG_NONE, MOONLITE_REPLY_BYTE},
	[MOONLITE_SET_COEFFICIENT] = {"SC", ARG_SIGNED_BYTE, MOONLITE_REPLY_NONE},
	[MOONLITE_COMPENSATION_ON] = {"+", ARG_NONE, MOONLITE_REPLY_NONE},
	[MOONLITE_COMPENSATION_OFF] = {"-", ARG_NONE, MOONLITE_REPLY_NONE},
	[MOONLITE_GET_DELAY] = {"GD", ARG_NONE, MOONLITE_REPLY_BYTE},
	[MOONLITE_SET_DELAY] = {"SD", ARG_BYTE, MOONLITE_REPLY_NONE},
	[MOONLITE_GET_HALF_STEP] = {"GH", ARG_NONE, MOONLITE_REPLY_BYTE},
	[MOONLITE_FULL_STEP] = {"SF", ARG_NONE, MOONLITE_REPLY_NONE},
	[MOONLITE_HALF_STEP] = {"SH", ARG_NONE, MOONLITE_REPLY_NONE},
	[MOONLITE_GET_VERSION] = {"GV", ARG_NONE, MOONLITE_REPLY_VERSION},
	[MOONLITE_GET_BACKLIGHT] = {"GB", ARG_NONE, MOONLITE_REPLY_BYTE},
};

/* Digits, filler and terminator of the longest reply; more is noise. */
#define MAX_FRAME 16

size_t moonlite_encode(char out[MOONLITE_MAX_COMMAND], enum moonlite_command command, int32_t value)
{
	char text[MOONLITE_MAX_COMMAND + 1];
	int n = 0;
	switch (commands[command].argument) {
	case ARG_NONE:
		n = snprintf(text, sizeof text, ":%s#", commands[command].text);
		break;
	case ARG_POSITION:
		if (value < 0) {
			return 0;
		}
		n = snprintf(text, sizeof text, ":%s%04X#", commands[command].text, (unsigned)value);
		break;
	case ARG_SIGNED_BYTE:
		if (value < -128 || value > 127) {
			return 0;
		}
		n = snprintf(text, sizeof text, ":%s%02X#", commands[command].text,
			(unsigned)value & 0xFFu);
		break;
	case ARG_BYTE:
		if (value < 0 || value > 255) {
			return 0;
		}
		n = snprintf(text, sizeof text, ":%s%02X#", commands[command].text, (unsigned)value);
		break;
	}
	memcpy(out, text, (size_t)n);
	return (size_t)n;
}

enum moonlite_reply moonlite_reply_kind(enum moonlite_command command)
{
	return commands[command].reply;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	if (c >= 'A' && c <= 'F') {
		return c - 'A' + 10;
	}
	if (c >= 'a' && c <= 'f') {
		return c - 'a' + 10;
	}
	return -1;
}

static bool is_digit(char c)
{
	return hex_value(c) >= 0;
}

static bool is_alphanumeric(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_filler(char c)
{
	return c == ' ' || hash_frame_line_end(c);
}

static bool is_digit_or_filler(char c)
{
	return is_digit(c) || is_filler(c);
}

static bool is_alphanumeric_or_filler(char c)
{
	return is_alphanumeric(c) || is_filler(c);
}

enum scan moonlite_scan(const char *in, size_t n, struct span *frame, size_t *skip)
{
	return hash_frame_scan(in, n, is_digit_or_filler, MAX_FRAME, frame, skip);
}

enum scan moonlite_scan_version(const char *in, size_t n, struct span *frame, size_t *skip)
{
	return hash_frame_scan(in, n, is_alphanumeric_or_filler, MAX_FRAME, frame, skip);
}

/* The number in a frame of 1..8 digits with filler around them and '#' at the end.  Returns the
 * count of digits, 0 when it is anything else. */
static int parse(struct span frame, uint32_t *value)
{
	if (frame.len < 2 || frame.data[frame.len - 1] != '#') {
		return 0;
	}
	size_t begin = 0;
	size_t end = frame.len - 1;
	while (begin < end && is_filler(frame.data[begin])) {
		begin++;
	}
	while (end > begin && is_filler(frame.data[end - 1])) {
		end--;
	}
	if (begin == end || end - begin > 8) {
		return 0;
	}
	uint32_t sum = 0;
	for (size_t i = begin; i < end; i++) {
		int digit = hex_value(frame.data[i]);
		if (digit < 0) {
			return 0;
		}
		sum = sum << 4 | (uint32_t)digit;
	}
	*value = sum;
	return (int)(end - begin);
}

int moonlite_digits(struct span frame)
{
	uint32_t value;
	return parse(frame, &value);
}

bool moonlite_fits(enum moonlite_reply reply, struct span frame)
{
	int digits = moonlite_digits(frame);
	char version[3];
	switch (reply) {
	case MOONLITE_REPLY_NONE:
		return false;
	case MOONLITE_REPLY_POSITION:
		return digits >= 4;
	case MOONLITE_REPLY_BYTE:
		return digits == 1 || digits == 2;
	case MOONLITE_REPLY_TEMPERATURE:
		return digits >= 1;
	case MOONLITE_REPLY_VERSION:
		return moonlite_decode_version(frame, version) == ERR_OK;
	}
	return false;
}

enum err_code moonlite_decode_position(struct span frame, int32_t *position)
{
	uint32_t value = 0;
	if (parse(frame, &value) < 4) {
		return ERR_PROTOCOL;
	}
	*position = (int32_t)value;
	return ERR_OK;
}

enum err_code moonlite_decode_byte(struct span frame, int *value)
{
	uint32_t byte = 0;
	int digits = parse(frame, &byte);
	if (digits < 1 || digits > 2) {
		return ERR_PROTOCOL;
	}
	*value = (int)byte;
	return ERR_OK;
}

enum err_code moonlite_decode_flag(struct span frame, bool *flag)
{
	uint32_t value = 0;
	if (parse(frame, &value) == 0) {
		return ERR_PROTOCOL;
	}
	*flag = value != 0;
	return ERR_OK;
}

enum err_code moonlite_decode_temperature(struct span frame, bool whole_degrees, double *celsius)
{
	uint32_t value = 0;
	int digits = parse(frame, &value);
	if (digits == 0) {
		return ERR_PROTOCOL;
	}
	double count = digits == 4 ? (int16_t)value : (double)(int32_t)value;
	double degrees = whole_degrees ? count : count / 2;
	/* The range of the digital probes that these controllers use. */
	if (degrees < -55 || degrees > 125) {
		return ERR_VALUE_NOT_SET;
	}
	*celsius = degrees;
	return ERR_OK;
}

enum err_code moonlite_decode_version(struct span frame, char version[3])
{
	bool terminated = frame.len == 3 && frame.data[2] == '#';
	if ((frame.len != 2 && !terminated) || !is_alphanumeric(frame.data[0]) ||
		!is_alphanumeric(frame.data[1])) {
		return ERR_PROTOCOL;
	}
	version[0] = frame.data[0];
	version[1] = frame.data[1];
	version[2] = '\0';
	return ERR_OK;
}
