/* SPDX-License-Identifier: MIT */
/*
 * Whole groups of four are looked up in four tables of 256 numbers, one for each place, which are joined by three
 * "or"s: one cycle or two for a character.  Where a mark is missing, the group needs a closer look.
 */
#include "indi_base64.h"

#include <string.h>

/* A letter's number where it belongs in a group, and a mark that it is a letter in this place. */
#define WHOLE 0xF000000u
#define PLACE(letter, number, at) [letter] = (uint32_t)(number) << (6 * (3 - (at))) | (1u << (24 + (at))),
#define LETTERS(L, at) \
	L('A', 0, at) L('B', 1, at) L('C', 2, at) L('D', 3, at) L('E', 4, at) L('F', 5, at) \
	L('G', 6, at) L('H', 7, at) L('I', 8, at) L('J', 9, at) L('K', 10, at) L('L', 11, at) \
	L('M', 12, at) L('N', 13, at) L('O', 14, at) L('P', 15, at) L('Q', 16, at) L('R', 17, at) \
	L('S', 18, at) L('T', 19, at) L('U', 20, at) L('V', 21, at) L('W', 22, at) L('X', 23, at) \
	L('Y', 24, at) L('Z', 25, at) L('a', 26, at) L('b', 27, at) L('c', 28, at) L('d', 29, at) \
	L('e', 30, at) L('f', 31, at) L('g', 32, at) L('h', 33, at) L('i', 34, at) L('j', 35, at) \
	L('k', 36, at) L('l', 37, at) L('m', 38, at) L('n', 39, at) L('o', 40, at) L('p', 41, at) \
	L('q', 42, at) L('r', 43, at) L('s', 44, at) L('t', 45, at) L('u', 46, at) L('v', 47, at) \
	L('w', 48, at) L('x', 49, at) L('y', 50, at) L('z', 51, at) L('0', 52, at) L('1', 53, at) \
	L('2', 54, at) L('3', 55, at) L('4', 56, at) L('5', 57, at) L('6', 58, at) L('7', 59, at) \
	L('8', 60, at) L('9', 61, at) L('+', 62, at) L('/', 63, at)

static const uint32_t table[4][256] = {
	{LETTERS(PLACE, 0)}, {LETTERS(PLACE, 1)}, {LETTERS(PLACE, 2)}, {LETTERS(PLACE, 3)}};

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
	if (b->ended || value == 0) {
		b->bad = true;
		return 0;
	}
	b->bits = b->bits << 6 | (value & 0x3F);
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
	const unsigned char *in = (const unsigned char *)text;
	const unsigned char *end = in + len;
	unsigned char *to = out;
	while (in < end && !b->bad) {
		if (b->have == 0 && !b->ended) {
			while (end - in >= 4) {
				uint32_t group = table[0][in[0]] | table[1][in[1]] | table[2][in[2]] | table[3][in[3]];
				if ((group & WHOLE) != WHOLE) {
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
