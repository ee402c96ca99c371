/* SPDX-License-Identifier: MIT */
/*
 * Base64 (RFC 4648, section 4) as INDI servers send it: in lines of 72 characters, in pieces that end anywhere.  Pure.
 */
#ifndef FOCUSD_INDI_BASE64_H
#define FOCUSD_INDI_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed at first. */
struct indi_base64 {
	uint32_t bits; /* of the group of four that is not whole yet */
	int have;      /* characters of it, 0..3 */
	bool ended;    /* '=' was seen: nothing but '=' and blanks may follow */
	bool bad;      /* a character was there that base64 does not have, and nothing is decoded any more */
};

/* Decodes len characters into out, which has room for (len + 3) / 4 * 3 bytes; returns how many bytes it made. */
size_t indi_base64_decode(struct indi_base64 *b, const char *text, size_t len, unsigned char *out);

/* Whether the text was whole: it ended at a group of four. */
bool indi_base64_whole(const struct indi_base64 *b);

#endif
