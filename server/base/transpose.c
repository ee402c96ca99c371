/* SPDX-License-Identifier: MIT */
/*
 * Turns rows into columns for frames of any size and type of element. Blocks of eight by eight elements change
 * places; those of 8 and 16 bits do so in vector registers, for which the compiler uses SSE2 or NEON. The blocks are
 * gathered in a tile that stays in the cache, tall and as wide as a cache line. From there they are written in long
 * runs, past the cache where the processor can do that: nobody reads a large frame at once, and memory that is
 * written over whole need not be fetched first.
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
	LINE_BYTES = 64,   /* bytes of a cache line; a tile is as wide */
	TILE_ROWS = 512,
	TILE_STRIDE = TILE_ROWS + 8, /* elements; no two lines of a tile fall on the same place of the cache */
	TILE_BYTES = LINE_BYTES * TILE_STRIDE, /* the same for every size of element */
	AHEAD_ROWS = 32,   /* rows that are fetched ahead while the ones before are transposed */
	PAST_CACHE_BYTES = 512, /* shorter runs are faster through the cache */
};

/* Wherever one of these functions is put in, the size of an element is a constant, so that moving an element is an
 * instruction and not a call. */
#define IN_PLACE static inline __attribute__((always_inline))

#ifdef HAVE_SHUFFLE
typedef uint16_t vec8 __attribute__((vector_size(16)));

static inline vec8 load(const unsigned char *from)
{
	vec8 v;
	memcpy(&v, from, sizeof v);
	return v;
}

static inline void store(unsigned char *to, vec8 v)
{
	memcpy(to, &v, sizeof v);
}

#define LOW16(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH16(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define LOW32(a, b) __builtin_shufflevector(a, b, 0, 1, 8, 9, 2, 3, 10, 11)
#define HIGH32(a, b) __builtin_shufflevector(a, b, 4, 5, 12, 13, 6, 7, 14, 15)
#define LOW64(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#define HIGH64(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15)

/* Transposes eight by eight elements of 16 bits in three rounds: the first interleaves elements, the second pairs, the
 * third quadruples. Strides are in bytes. */
static inline void transpose_vectors(unsigned char *out, size_t stride, const unsigned char *in, size_t in_stride)
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

typedef uint8_t bytes8 __attribute__((vector_size(8)));
typedef uint8_t bytes16 __attribute__((vector_size(16)));

/* Interleaves the bytes of two rows and returns them as pairs. */
static inline vec8 load_pairs(const unsigned char *above, const unsigned char *below)
{
	bytes8 a, b;
	memcpy(&a, above, sizeof a);
	memcpy(&b, below, sizeof b);
	return (vec8)__builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
}

static inline void store_two(unsigned char *out, size_t stride, vec8 v)
{
	bytes16 both = (bytes16)v;
	bytes8 first = __builtin_shufflevector(both, both, 0, 1, 2, 3, 4, 5, 6, 7);
	bytes8 second = __builtin_shufflevector(both, both, 8, 9, 10, 11, 12, 13, 14, 15);
	memcpy(out, &first, sizeof first);
	memcpy(out + stride, &second, sizeof second);
}

/* Transposes eight by eight bytes in the same way. */
static inline void transpose_bytes(unsigned char *out, size_t stride, const unsigned char *in, size_t in_stride)
{
	vec8 a0 = load_pairs(in, in + in_stride);
	vec8 a1 = load_pairs(in + 2 * in_stride, in + 3 * in_stride);
	vec8 a2 = load_pairs(in + 4 * in_stride, in + 5 * in_stride);
	vec8 a3 = load_pairs(in + 6 * in_stride, in + 7 * in_stride);
	vec8 b0 = LOW16(a0, a1), b1 = HIGH16(a0, a1), b2 = LOW16(a2, a3), b3 = HIGH16(a2, a3);
	store_two(out, stride, LOW32(b0, b2));
	store_two(out + 2 * stride, stride, HIGH32(b0, b2));
	store_two(out + 4 * stride, stride, LOW32(b1, b3));
	store_two(out + 6 * stride, stride, HIGH32(b1, b3));
}
#endif

/* Transposes eight by eight elements of any size; strides are in bytes. */
IN_PLACE void transpose_8x8(size_t size, unsigned char *out, size_t stride, const unsigned char *in, size_t in_stride)
{
#ifdef HAVE_SHUFFLE
	if (size == 1) {
		transpose_bytes(out, stride, in, in_stride);
		return;
	}
	if (size == 2) {
		transpose_vectors(out, stride, in, in_stride);
		return;
	}
#endif
	for (size_t c = 0; c < 8; c++) {
		for (size_t r = 0; r < 8; r++) {
			memcpy(out + c * stride + r * size, in + r * in_stride + c * size, size);
		}
	}
}

/* Fills the tile with columns x rows elements, which are in_stride bytes apart; `behind` is how many rows of the
 * picture follow these. */
IN_PLACE void gather(size_t size, unsigned char *tile, const unsigned char *in, size_t in_stride, size_t rows,
	size_t columns, size_t behind)
{
	size_t stride = TILE_STRIDE * size;
	size_t rows8 = rows / 8 * 8;
	size_t columns8 = columns / 8 * 8;
	for (size_t r = 0; r < rows8; r += 8) {
		for (size_t k = r; k < r + 8 && k + AHEAD_ROWS < rows + behind; k++) {
			__builtin_prefetch(in + (k + AHEAD_ROWS) * in_stride);
		}
		for (size_t c = 0; c < columns8; c += 8) {
			transpose_8x8(size, tile + c * stride + r * size, stride, in + r * in_stride + c * size,
				in_stride);
		}
	}
	for (size_t c = 0; c < columns; c++) {
		for (size_t r = c < columns8 ? rows8 : 0; r < rows; r++) {
			memcpy(tile + c * stride + r * size, in + r * in_stride + c * size, size);
		}
	}
}

/* Copies a run of elements. Sizes are in bytes, and `to` is aligned for elements of `size`. */
IN_PLACE void copy_run(size_t size, unsigned char *to, const unsigned char *from, size_t bytes, bool past_cache)
{
#ifdef __SSE2__
	if (past_cache) {
		while (bytes > 0 && ((uintptr_t)to & 15) != 0) {
			memcpy(to, from, size);
			to += size;
			from += size;
			bytes -= size;
		}
		for (; bytes >= 16; bytes -= 16, to += 16, from += 16) {
			_mm_stream_si128((__m128i *)(void *)to,
				_mm_loadu_si128((const __m128i *)(const void *)from));
		}
	}
#else
	(void)size;
	(void)past_cache;
#endif
	memcpy(to, from, bytes);
}

IN_PLACE void transpose(size_t size, unsigned char *out, size_t stride, const unsigned char *in, size_t rows,
	size_t columns)
{
	unsigned char tile[TILE_BYTES];
	size_t tile_columns = LINE_BYTES / size;
	bool past_cache = rows * size >= PAST_CACHE_BYTES;
	for (size_t r = 0; r < rows; r += TILE_ROWS) {
		size_t high = rows - r < TILE_ROWS ? rows - r : TILE_ROWS;
		for (size_t c = 0; c < columns; c += tile_columns) {
			size_t wide = columns - c < tile_columns ? columns - c : tile_columns;
			gather(size, tile, in + (r * columns + c) * size, columns * size, high, wide, rows - r - high);
			for (size_t k = 0; k < wide; k++) {
				copy_run(size, out + ((c + k) * stride + r) * size, tile + k * TILE_STRIDE * size,
					high * size, past_cache);
			}
		}
	}
#ifdef __SSE2__
	_mm_sfence();
#endif
}

void image_transpose(size_t size, void *out, size_t stride, const void *in, size_t rows, size_t columns)
{
	switch (size) {
	case 1:
		transpose(1, out, stride, in, rows, columns);
		break;
	case 2:
		transpose(2, out, stride, in, rows, columns);
		break;
	case 4:
		transpose(4, out, stride, in, rows, columns);
		break;
	default:
		transpose(8, out, stride, in, rows, columns);
		break;
	}
}
