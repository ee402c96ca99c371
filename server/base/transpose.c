/* SPDX-License-Identifier: MIT */
/*
 * A full frame is far larger than the caches, so what counts is the way of the bytes: tiles of
 * 32 x 32, one cache line wide on both sides, turned inside the first-level cache in squares of
 * 8 x 8 and written straight to memory where the processor can do that; the lines that are written
 * need not be read first.
 */
#include <string.h>

#include "image.h"

#if defined __x86_64__
#include <emmintrin.h>
#endif

enum { TILE = 32, SQUARE = 8 };

typedef uint16_t lane __attribute__((vector_size(16)));

static inline lane load(const uint16_t *from)
{
	lane value;
	memcpy(&value, from, sizeof value);
	return value;
}

static inline void store(uint16_t *to, lane value)
{
	memcpy(to, &value, sizeof value);
}

/* The elements of two rows in turns: the first halves, the second halves. */
#define LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)

/* Interleaving each row with the one four below, three times, turns the square.  Written out,
 * because the rows must stay in registers whatever the compiler thinks of loops. */
static inline void turn_square(uint16_t *out, const uint16_t *in, size_t columns)
{
	lane a0 = load(in);
	lane a1 = load(in + columns);
	lane a2 = load(in + 2 * columns);
	lane a3 = load(in + 3 * columns);
	lane a4 = load(in + 4 * columns);
	lane a5 = load(in + 5 * columns);
	lane a6 = load(in + 6 * columns);
	lane a7 = load(in + 7 * columns);
	lane b0 = LOW(a0, a4);
	lane b1 = HIGH(a0, a4);
	lane b2 = LOW(a1, a5);
	lane b3 = HIGH(a1, a5);
	lane b4 = LOW(a2, a6);
	lane b5 = HIGH(a2, a6);
	lane b6 = LOW(a3, a7);
	lane b7 = HIGH(a3, a7);
	a0 = LOW(b0, b4);
	a1 = HIGH(b0, b4);
	a2 = LOW(b1, b5);
	a3 = HIGH(b1, b5);
	a4 = LOW(b2, b6);
	a5 = HIGH(b2, b6);
	a6 = LOW(b3, b7);
	a7 = HIGH(b3, b7);
	store(out, LOW(a0, a4));
	store(out + TILE, HIGH(a0, a4));
	store(out + 2 * TILE, LOW(a1, a5));
	store(out + 3 * TILE, HIGH(a1, a5));
	store(out + 4 * TILE, LOW(a2, a6));
	store(out + 5 * TILE, HIGH(a2, a6));
	store(out + 6 * TILE, LOW(a3, a7));
	store(out + 7 * TILE, HIGH(a3, a7));
}

/* One column of a tile, past the caches where possible. */
static inline void put_line(uint16_t *out, const uint16_t *line)
{
#if defined __x86_64__
	for (size_t i = 0; i < TILE; i += 4) {
		long long four;
		memcpy(&four, line + i, sizeof four);
		/* Needs no alignment: it is a plain store of eight bytes in all but its way. */
		_mm_stream_si64((long long *)(void *)(out + i), four);
	}
#else
	memcpy(out, line, TILE * sizeof *line);
#endif
}

static void turn_tile(uint16_t *out, size_t stride, const uint16_t *in, size_t columns)
{
	uint16_t tile[TILE * TILE] __attribute__((aligned(64)));
	for (size_t r = 0; r < TILE; r += SQUARE) {
		for (size_t c = 0; c < TILE; c += SQUARE) {
			turn_square(tile + c * TILE + r, in + r * columns + c, columns);
		}
	}
	for (size_t c = 0; c < TILE; c++) {
		put_line(out + c * stride, tile + c * TILE);
	}
}

/* What does not fill a tile, element by element: rows x count of a picture that is columns wide. */
static void turn_rest(uint16_t *out, size_t stride, const uint16_t *in, size_t rows, size_t count,
	size_t columns)
{
	for (size_t c = 0; c < count; c++) {
		for (size_t r = 0; r < rows; r++) {
			out[c * stride + r] = in[r * columns + c];
		}
	}
}

void image_transpose_into(uint16_t *out, size_t stride, const uint16_t *in, size_t rows,
	size_t columns)
{
	size_t whole_rows = rows - rows % TILE;
	size_t whole_columns = columns - columns % TILE;
	/* Down the rows first: then the lines that are written follow one another. */
	for (size_t c = 0; c < whole_columns; c += TILE) {
		for (size_t r = 0; r < whole_rows; r += TILE) {
			turn_tile(out + c * stride + r, stride, in + r * columns + c, columns);
		}
		turn_rest(out + c * stride + whole_rows, stride, in + whole_rows * columns + c,
			rows - whole_rows, TILE, columns);
	}
	turn_rest(out + whole_columns * stride, stride, in + whole_columns, rows,
		columns - whole_columns, columns);
#if defined __x86_64__
	/* Streamed stores are ordered against nothing until here; the frame is shared next. */
	_mm_sfence();
#endif
}

void image_transpose_u16(uint16_t *out, const uint16_t *in, size_t rows, size_t columns)
{
	image_transpose_into(out, rows, in, rows, columns);
}
