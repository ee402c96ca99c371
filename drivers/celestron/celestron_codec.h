/* SPDX-License-Identifier: MIT */
/*
 * The AUX bus of Celestron telescopes as its focus motor speaks it, and the pass-through of the hand
 * controllers.  A packet is 3B, a length that counts source, destination, command and data, these, and
 * a checksum that makes the sum of everything after 3B zero.  Numbers are big-endian.
 * Source: the AUX protocol as published by users of the bus, and Celestron's "NexStar communication
 * protocol" for the pass-through.  Pure: no I/O, no allocation, no state.
 */
#ifndef FOCUSD_CELESTRON_CODEC_H
#define FOCUSD_CELESTRON_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "scan.h"

/* Who is on the bus. */
enum celestron_id {
	CELESTRON_AZIMUTH = 0x10,
	CELESTRON_FOCUSER = 0x12,
	CELESTRON_APP = 0x20, /* us */
};

enum celestron_command {
	CELESTRON_GET_POSITION = 0x01,      /* -> 3 bytes */
	CELESTRON_GOTO_FAST = 0x02,         /* 3 bytes; starts at once, replaces a running one */
	CELESTRON_SLEW_DONE = 0x13,         /* -> FF at rest, 00 moving */
	CELESTRON_GOTO_SLOW = 0x17,         /* 3 bytes */
	CELESTRON_MOVE_POSITIVE = 0x24,     /* rate 0..9; 0 stops */
	CELESTRON_MOVE_NEGATIVE = 0x25,
	CELESTRON_CALIBRATE = 0x2A,         /* 01 starts, 00 aborts */
	CELESTRON_CALIBRATION_STATE = 0x2B, /* -> not 0 when complete, step 0..12 */
	CELESTRON_GET_LIMITS = 0x2C,        /* -> low, high, 4 bytes each */
	CELESTRON_NOT_UNDERSTOOD = 0xF0,    /* as the command of a reply */
	CELESTRON_GET_VERSION = 0xFE,       /* -> major, minor, build in 2 bytes */
};

/* The shortest packet has length 3; longer ones than this are not sent by anything known. */
#define CELESTRON_MIN_LENGTH 3
#define CELESTRON_MAX_LENGTH 20
#define CELESTRON_MAX_DATA (CELESTRON_MAX_LENGTH - CELESTRON_MIN_LENGTH)
#define CELESTRON_MAX_PACKET (CELESTRON_MAX_LENGTH + 3)

struct celestron_packet {
	uint8_t src, dst, command;
	int count; /* bytes in data, 0..CELESTRON_MAX_DATA */
	uint8_t data[CELESTRON_MAX_DATA];
};

/* Writes a packet and returns its length, count + 6; 0 when count is out of range. */
size_t celestron_encode(char out[CELESTRON_MAX_PACKET], const struct celestron_packet *packet);

/* Finds whole packets with a right checksum, from and to anybody.  After a false beginning the search
 * goes on one byte later, since 3B may stand inside data. */
enum scan celestron_scan(const char *in, size_t n, struct span *frame, size_t *skip);

/* Takes a whole packet, nothing less or more; ERR_PROTOCOL otherwise. */
enum err_code celestron_decode(struct span frame, struct celestron_packet *out);

/* Whether reply answers request: same command (or F0), source and destination exchanged.  An echo of
 * the request does not, nor does a packet between others. */
bool celestron_answers(
	const struct celestron_packet *request, const struct celestron_packet *reply);

/* ---- through a hand controller ---- */

/* Every request has eight bytes and carries at most three of data. */
#define CELESTRON_HC_REQUEST 8
#define CELESTRON_HC_MAX_DATA 3
#define CELESTRON_HC_MAX_REPLY 8

/* Writes the pass-through of a packet that is answered with `wanted` bytes and returns 8; 0 when it
 * carries more than three bytes or is not answered with 0..4 or 8. */
size_t celestron_hc_encode(
	char out[CELESTRON_HC_REQUEST], const struct celestron_packet *packet, int wanted);

/* The scanner for a reply of that many bytes; NULL for others than 0..4 and 8.  Its frames are those
 * bytes and '#', or when the focuser did not answer the controller: one byte more before the '#'.
 * '#' is never searched for, it may be data; whatever has neither shape is dropped whole. */
scan_fn celestron_hc_scan(int wanted);

/* The bytes of a pass-through's reply to packet.  ERR_TIMEOUT when it says that the focuser did not
 * answer, ERR_PROTOCOL when it is no reply of this length. */
enum err_code celestron_hc_decode(struct span frame, const struct celestron_packet *request,
	int wanted, struct celestron_packet *out);

/* Whether an answer to 'K' and a byte is that byte and '#'. */
enum scan celestron_hc_scan_echo(const char *in, size_t n, struct span *frame, size_t *skip);

/* ---- what the data mean; ERR_PROTOCOL when they have another shape ---- */

/* Three bytes of a goto; position is 0..FFFFFF. */
void celestron_put_position(uint8_t out[3], int32_t position);

/* Counts; 800000 and above are negative. */
enum err_code celestron_position(const struct celestron_packet *reply, int32_t *position);

/* An acknowledgement without data or with 01.  ERR_REFUSED when it is 00. */
enum err_code celestron_ack(const struct celestron_packet *reply);

/* FF at rest, 00 moving, FE given up (then *moving is false). */
enum err_code celestron_slew_done(const struct celestron_packet *reply, bool *moving);

struct celestron_calibration {
	bool complete;
	int step; /* 0..12 seen */
};
enum err_code celestron_calibration_state(
	const struct celestron_packet *reply, struct celestron_calibration *out);

struct celestron_limits {
	int32_t low, high; /* counts; INT32_MAX where the motor says more */
};
enum err_code celestron_limits(const struct celestron_packet *reply, struct celestron_limits *out);

/* Whether limits come from a calibration: an uncalibrated motor tells nonsense, mostly zeros. */
bool celestron_limits_valid(const struct celestron_limits *limits);

struct celestron_version {
	int major, minor, build; /* build is -1 for a device that tells none: a PlaneWave EFA */
};
enum err_code celestron_version(const struct celestron_packet *reply, struct celestron_version *out);

#endif
