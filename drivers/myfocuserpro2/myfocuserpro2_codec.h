/* SPDX-License-Identifier: MIT */
/*
 * The serial language of myFocuserPro2, the do-it-yourself controller: `:` two digits [argument]
 * `#`, all numbers decimal; commands that set or do something send nothing back.  The first
 * character of a reply names the field and may itself be a digit: `6120#` is 120 steps of backlash,
 * not 6120.  Source: the list of serial commands that comes with the firmware.  Pure: no I/O, no
 * allocation, no state.
 */
#ifndef FOCUSD_MYFOCUSERPRO2_CODEC_H
#define FOCUSD_MYFOCUSERPRO2_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "scan.h"

enum mfp2_command {
	MFP2_GET_POSITION,         /* :00# -> Pn#, steps */
	MFP2_GET_MOVING,           /* :01# -> I0# or I1#, also with two digits */
	MFP2_GREET,                /* :02# -> EOK# */
	MFP2_GET_VERSION,          /* :03# -> F291# */
	MFP2_GET_NAME,             /* :04# -> F name, line end, version # */
	MFP2_GOTO,                 /* :05n#, starts at once; most firmware ignores it while moving */
	MFP2_GET_TEMPERATURE,      /* :06# -> Z20.50#, degrees Celsius whatever the display shows */
	MFP2_SET_MAX,              /* :07n# */
	MFP2_GET_MAX,              /* :08# -> Mn#, highest position */
	MFP2_GET_COIL_POWER,       /* :11# -> O0# or O1#, held after a move */
	MFP2_SET_COIL_POWER,       /* :12n# */
	MFP2_GET_REVERSE,          /* :13# -> R0# or R1# */
	MFP2_SET_REVERSE,          /* :14n# */
	MFP2_SET_SPEED,            /* :15n#, 0 slow, 1 medium, 2 fast */
	MFP2_SHOW_CELSIUS,         /* :16#, on its display */
	MFP2_SET_COEFFICIENT,      /* :22n#, steps per degree */
	MFP2_SET_COMPENSATION,     /* :23n# */
	MFP2_GET_COMPENSATION,     /* :24# -> 10# or 11# */
	MFP2_GET_COEFFICIENT,      /* :26# -> Bn# */
	MFP2_HALT,                 /* :27# */
	MFP2_HOME,                 /* :28#, moves to 0 */
	MFP2_GET_STEP_MODE,        /* :29# -> Sn# */
	MFP2_SET_STEP_MODE,        /* :30n#, 1 full, 2 half, 4, 8, ... */
	MFP2_SET_POSITION,         /* :31n#, without motion; ignored while moving */
	MFP2_SET_DISPLAY,          /* :36n# */
	MFP2_GET_DISPLAY,          /* :37# -> D0# or D1# */
	MFP2_GET_SPEED,            /* :43# -> Cn# */
	MFP2_SET_BACKLASH_IN_ON,   /* :73n# */
	MFP2_GET_BACKLASH_IN_ON,   /* :74# -> 40# or 41# */
	MFP2_SET_BACKLASH_OUT_ON,  /* :75n# */
	MFP2_GET_BACKLASH_OUT_ON,  /* :76# -> 50# or 51# */
	MFP2_SET_BACKLASH_IN,      /* :77n#, steps */
	MFP2_GET_BACKLASH_IN,      /* :78# -> 6n# */
	MFP2_SET_BACKLASH_OUT,     /* :79n#, steps */
	MFP2_GET_BACKLASH_OUT,     /* :80# -> 7n# */
	MFP2_GET_PROBE,            /* :83# -> c0# or c1#: a temperature probe was found */
	MFP2_COMMAND_COUNT         /* number of commands, not a command */
};

/* Room for any command. */
#define MFP2_MAX_COMMAND 16

/* Room for a version or a name, with NUL. */
#define MFP2_MAX_VERSION 16
#define MFP2_MAX_NAME 48

/* Writes the command (not NUL-terminated) and returns its length; 0 when value is out of range:
 * positions and numbers of steps 0..INT32_MAX, switches 0..1, speed 0..2, step mode 1..256.  value
 * does not matter where the command carries none. */
size_t mfp2_encode(char out[MFP2_MAX_COMMAND], enum mfp2_command command, int32_t value);

/* Finds frames of letters, digits, sign and point; for MFP2_GET_NAME of anything printable, over two
 * lines.  Blanks, CR, LF and stray ':' and '#' before a frame are dropped, as is everything up to
 * the next '#' or line end when a byte is there that no reply may hold: half a reply is worse than
 * none. */
enum scan mfp2_scan(const char *in, size_t n, struct span *frame, size_t *skip);
enum scan mfp2_scan_name(const char *in, size_t n, struct span *frame, size_t *skip);

/* Whether a frame can be the answer to this command: right name of the field, right shape. */
bool mfp2_fits(enum mfp2_command command, struct span frame);

/* Decoders take a whole frame with its '#' or reject it with ERR_PROTOCOL. */

/* Any number but temperature and version; switches are 0 or 1, only a position may be negative. */
enum err_code mfp2_decode_number(enum mfp2_command command, struct span frame, int32_t *value);

/* Degrees Celsius.  ERR_VALUE_NOT_SET when it is what a probe that fails reads (below -55, above
 * 125, nan). */
enum err_code mfp2_decode_temperature(struct span frame, double *celsius);

enum err_code mfp2_decode_version(struct span frame, char version[MFP2_MAX_VERSION]);

/* Name and version of the answer to MFP2_GET_NAME; the version is "" where there is only one line. */
enum err_code mfp2_decode_name(struct span frame, char name[MFP2_MAX_NAME],
	char version[MFP2_MAX_VERSION]);

#endif
