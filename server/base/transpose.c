/* SPDX-License-Identifier: MIT */
/*
 * Rows to columns for frames of any size.  Eight by eight elements change places in vector registers;
 * the compiler makes SSE2 or NEON of it.  They are gathered in a tile that stays in the cache, tall and
 * as wide as a cache line, and leave it in long runs: past the cache where the processor can do that,
 * since nobody reads a large frame at once and memory written over whole need not be fetched first.
 */
#include "image.h"

#include <stdbool.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define HAVE_SHUFFLE 1
#endif
#endif

enum {
	TILE_COLUMNS = 32, /* elements of a cache line */
	TILE_ROWS = 512,
	TILE_STRIDE = TILE_ROWS + 8, /* no two lines of a tile fall on the same place of the cache */
	AHEAD_ROWS = 32,   /* what is fetched while these are at work */
	PAST_CACHE_ROWS = 256, /* shorter runs are faster through the cache */
};

#ifdef HAVE_SHUFFLE
typedef uint16_t vec8 __attribute__((vector_size(16)));

static inline vec8 load(const uint16_t *from)
{
	vec8 v;
	memcpy(&v, from, sizeof v);
	return v;
}

static inline void store(uint16_t *to, vec8 v)
{
	memcpy(to, &v, sizeof v);
}

#define LOW16(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH16(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define LOW32(a, b) __builtin_shufflevector(a, b, 0, 1, 8, 9, 2, 3, 10, 11)
#define HIGH32(a, b) __builtin_shufflevector(a, b, 4, 5, 12, 13, 6, 7, 14, 15)
#define LOW64(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#define HIGH64(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15)

/* Three rounds of interleaving: elements, pairs, quadruples. */
static inline void transpose_8x8(uint16_t *out, size_t stride, const uint16_t *in, size_t in_stride)
{
	vec8 a0 = load(in), a1 = load(in + in_stride);
	vec8 a2 = load(in + 2 * in_stride), a3 = load(in + 3 * in_stride);
	vec8 a4 = load(in + 4 * in_stride), a5 = load(in + 5 * in_stride);
	vec8 a6 = load(in + 6 * in_stride), a7 = load(in + 7 * in_stride);
	vec8 b0 = LOW16(a0, a1), b1 = HIGH16(a0, a1), b2 = LOW16(a2, a3), b3 = HIGH16(a2, a3);
	vec8 b4 = LOW16(a4, a5), b5 = HIGH16(a4, a5), b6 = LOW16(a6, a7), b7 = HIGH16(a6, a7);
	vec8 c0 = LOW32(b0, b2), c1 = HIGH32(b0, b2), c2 = LOW32(b1, b3), c3 = HIGH32(b1, b3);
	vec8 c4 = LOW32(b4, b6), c5 = HIGH32(b4, b6), c6 = LOW32(b5, b7), c7 = HIGH32(b5, b7);
	store(out, LOW64(c0, c4));
	store(out + stride, HIGH64(c0, c4));
	store(out + 2 * stride, LOW64(c1, c5));
	store(out + 3 * stride, HIGH64(c1, c5));
	store(out + 4 * stride, LOW64(c2, c6));
	store(out + 5 * stride, HIGH64(c2, c6));
	store(out + 6 * stride, LOW64(c3, c7));
	store(out + 7 * stride, HIGH64(c3, c7));
}

#else
static inline void transpose_8x8(uint16_t *out, size_t stride, const uint16_t *in, size_t in_stride)
{
	for (size_t c = 0; c < 8; c++) {
		for (size_t r = 0; r < 8; r++) {
			out[c * stride + r] = in[r * in_stride + c];
		}
	}
}
#endif

/* Fills the tile with columns x rows elements; `behind` rows of the picture follow these. */
static void gather(uint16_t tile[TILE_COLUMNS][TILE_STRIDE], const uint16_t *in, size_t in_stride,
	size_t rows, size_t columns, size_t behind)
{
	size_t rows8 = rows / 8 * 8;
	size_t columns8 = columns / 8 * 8;
	for (size_t r = 0; r < rows8; r += 8) {
		for (size_t k = r; k < r + 8 && k + AHEAD_ROWS < rows + behind; k++) {
			__builtin_prefetch(in + (k + AHEAD_ROWS) * in_stride);
		}
		for (size_t c = 0; c < columns8; c += 8) {
			transpose_8x8(&tile[c][r], TILE_STRIDE, in + r * in_stride + c, in_stride);
		}
	}
	for (size_t c = 0; c < columns; c++) {
		for (size_t r = c < columns8 ? rows8 : 0; r < rows; r++) {
			tile[c][r] = in[r * in_stride + c];
		}
	}
}

static void copy_run(uint16_t *to, const uint16_t *from, size_t count, bool past_cache)
{
#ifdef __SSE2__
	if (past_cache) {
		while (count > 0 && ((uintptr_t)to & 15) != 0) {
			*to++ = *from++;
			count--;
		}
		for (; count >= 8; count -= 8, to += 8, from += 8) {
			_mm_stream_si128((__m128i *)(void *)to,
				_mm_loadu_si128((const __m128i *)(const void *)from));
		}
	}
#else
	(void)past_cache;
#endif
	memcpy(to, from, count * sizeof *to);
}

void image_transpose_into(uint16_t *out, size_t stride, const uint16_t *in, size_t rows,
	size_t columns)
{
	uint16_t tile[TILE_COLUMNS][TILE_STRIDE];
	bool past_cache = rows >= PAST_CACHE_ROWS;
	for (size_t r = 0; r < rows; r += TILE_ROWS) {
		size_t high = rows - r < TILE_ROWS ? rows - r : TILE_ROWS;
		for (size_t c = 0; c < columns; c += TILE_COLUMNS) {
			size_t wide = columns - c < TILE_COLUMNS ? columns - c : TILE_COLUMNS;
			gather(tile, in + r * columns + c, columns, high, wide, rows - r - high);
			for (size_t k = 0; k < wide; k++) {
				copy_run(out + (c + k) * stride + r, tile[k], high, past_cache);
			}
		}
	}
#ifdef __SSE2__
	_mm_sfence();
#endif
}

void image_transpose_u16(uint16_t *out, const uint16_t *in, size_t rows, size_t columns)
{
	image_transpose_into(out, rows, in, rows, columns);
}
