/* SPDX-License-Identifier: MIT */
/*
 * The Moonlite serial language, as spoken by the original controller and its clones: `:` command
 * `#`, numbers in upper-case hexadecimal; commands that set or do something send nothing back.
 * Source: "Moonlite high resolution stepper motor focuser, serial command set", and what clones
 * are known to send instead.  Pure: no I/O, no allocation, no state.
 */
#ifndef FOCUSD_MOONLITE_CODEC_H
#define FOCUSD_MOONLITE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "scan.h"

enum moonlite_command {
	MOONLITE_GET_POSITION,    /* :GP# -> YYYY# */
	MOONLITE_GET_TARGET,      /* :GN# -> YYYY# */
	MOONLITE_SET_TARGET,      /* :SNYYYY#, no motion on the original; some clones start at once */
	MOONLITE_SET_POSITION,    /* :SPYYYY#, without motion */
	MOONLITE_GO,              /* :FG# */
	MOONLITE_STOP,            /* :FQ# */
	MOONLITE_GET_MOVING,      /* :GI# -> 01# or 00# */
	MOONLITE_GET_TEMPERATURE, /* :GT# -> YYYY#, half degrees */
	MOONLITE_CONVERT,         /* :C#, starts a temperature conversion of up to 750 ms */
	MOONLITE_SET_OFFSET,      /* :POXX#, of the temperature, half degrees, -128..127 */
	MOONLITE_GET_COEFFICIENT, /* :GC# -> XX#, signed */
	MOONLITE_SET_COEFFICIENT, /* :SCXX#, steps per degree, -128..127 */
	MOONLITE_COMPENSATION_ON, /* :+# */
	MOONLITE_COMPENSATION_OFF,/* :-# */
	MOONLITE_GET_DELAY,       /* :GD# -> XX#: 02 04 08 10 20 = 250 125 63 32 16 steps/s */
	MOONLITE_SET_DELAY,       /* :SDXX# */
	MOONLITE_GET_HALF_STEP,   /* :GH# -> FF# half, 00# full */
	MOONLITE_FULL_STEP,       /* :SF# */
	MOONLITE_HALF_STEP,       /* :SH# */
	MOONLITE_GET_VERSION,     /* :GV# -> DD#, 10 = 1.0 */
	MOONLITE_GET_BACKLIGHT,   /* :GB# -> XX# */
	MOONLITE_COMMAND_COUNT    /* number of commands, not a command */
};

/* What a command is answered with; decides which frames can be its answer. */
enum moonlite_reply {
	MOONLITE_REPLY_NONE,
	MOONLITE_REPLY_POSITION,    /* 4..8 hexadecimal digits */
	MOONLITE_REPLY_BYTE,        /* 1..2 digits */
	MOONLITE_REPLY_TEMPERATURE, /* 1..8 digits */
	MOONLITE_REPLY_VERSION,     /* 2 letters or digits */
};

/* Room for any command. */
#define MOONLITE_MAX_COMMAND 12

/* Writes the command (not NUL-terminated) and returns its length; 0 when value is out of range:
 * positions 0..INT32_MAX (four digits, more above 65535), signed bytes -128..127, delays 0..255.
 * value does not matter where the command carries none. */
size_t moonlite_encode(char out[MOONLITE_MAX_COMMAND], enum moonlite_command command,
	int32_t value);

enum moonlite_reply moonlite_reply_kind(enum moonlite_command command);

/* Finds frames of hexadecimal digits, and for the version of letters and digits.  Blanks, CR, LF
 * and stray ':' and '#' before a frame are dropped, as is everything up to the next '#' or line
 * end when a byte is there that no reply may hold: half a reply is worse than none. */
enum scan moonlite_scan(const char *in, size_t n, struct span *frame, size_t *skip);
enum scan moonlite_scan_version(const char *in, size_t n, struct span *frame, size_t *skip);

/* Whether a frame has the shape of this reply. */
bool moonlite_fits(enum moonlite_reply reply, struct span frame);

/* Decoders take a whole frame with its '#' or reject it with ERR_PROTOCOL. */

/* Steps.  Eight digits with the top bit are negative (32-bit boards); four are never. */
enum err_code moonlite_decode_position(struct span frame, int32_t *position);

/* How many digits a frame has; 0 when it has anything but digits. */
int moonlite_digits(struct span frame);

/* 0..255, one or two digits; clones leave out a leading zero. */
enum err_code moonlite_decode_byte(struct span frame, int *value);

/* Any value but zero is true. */
enum err_code moonlite_decode_flag(struct span frame, bool *flag);

/* Degrees Celsius.  Four digits are 16-bit, eight 32-bit two's complement, fewer are positive;
 * counted in half degrees, or in whole ones where the firmware is known to (Ardufocus, high
 * resolution).  ERR_VALUE_NOT_SET when it is what a controller without a probe sends (below -55 or
 * above 125). */
enum err_code moonlite_decode_temperature(struct span frame, bool whole_degrees, double *celsius);

/* Two characters and NUL.  The terminator may be missing. */
enum err_code moonlite_decode_version(struct span frame, char version[3]);

#endif
