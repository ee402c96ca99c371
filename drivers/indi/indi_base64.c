/* SPDX-License-Identifier: MIT */
/*
 * Whole groups of four are looked up in four tables of 256 numbers, one for each place, which are joined by three
 * "or"s: one cycle or two for a character.  A number with BAD in it says that the group needs a closer look.
 */
#include "indi_base64.h"

#include <pthread.h>
#include <string.h>

#define BAD 0xFF000000u

static uint32_t table[4][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void make_table(void)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (int place = 0; place < 4; place++) {
		for (int c = 0; c < 256; c++) {
			table[place][c] = BAD;
		}
		for (uint32_t value = 0; value < 64; value++) {
			table[place][(unsigned char)letters[value]] = value << (6 * (3 - place));
		}
	}
}

static bool is_blank(char c)
{
	return c == '\n' || c == ' ' || c == '\r' || c == '\t';
}

/* One character that is not in the middle of a whole group. */
static size_t take(struct indi_base64 *b, char c, unsigned char *out)
{
	if (is_blank(c)) {
		return 0;
	}
	if (c == '=') {
		/* The group's last one or two bytes; a second '=' adds nothing. */
		size_t made = b->ended ? 0 : b->have == 2 ? 1 : b->have == 3 ? 2 : 0;
		b->bad = b->bad || (!b->ended && made == 0);
		uint32_t bits = b->bits << (6 * (4 - b->have));
		for (size_t i = 0; i < made; i++) {
			out[i] = (unsigned char)(bits >> (16 - 8 * i));
		}
		b->ended = true;
		b->have = 0;
		return made;
	}
	uint32_t value = table[3][(unsigned char)c];
	if (b->ended || (value & BAD) != 0) {
		b->bad = true;
		return 0;
	}
	b->bits = b->bits << 6 | value;
	if (++b->have < 4) {
		return 0;
	}
	out[0] = (unsigned char)(b->bits >> 16);
	out[1] = (unsigned char)(b->bits >> 8);
	out[2] = (unsigned char)b->bits;
	b->bits = 0;
	b->have = 0;
	return 3;
}

size_t indi_base64_decode(struct indi_base64 *b, const char *text, size_t len, unsigned char *out)
{
	pthread_once(&table_once, make_table);
	const unsigned char *in = (const unsigned char *)text;
	const unsigned char *end = in + len;
	unsigned char *to = out;
	while (in < end && !b->bad) {
		if (b->have == 0 && !b->ended) {
			while (end - in >= 4) {
				uint32_t group = table[0][in[0]] | table[1][in[1]] | table[2][in[2]] | table[3][in[3]];
				if ((group & BAD) != 0) {
					break;
				}
				to[0] = (unsigned char)(group >> 16);
				to[1] = (unsigned char)(group >> 8);
				to[2] = (unsigned char)group;
				to += 3;
				in += 4;
			}
		}
		if (in < end) {
			to += take(b, (char)*in++, to);
		}
	}
	return (size_t)(to - out);
}

bool indi_base64_whole(const struct indi_base64 *b)
{
	return !b->bad && b->have == 0;
}
