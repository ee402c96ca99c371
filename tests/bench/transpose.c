/* SPDX-License-Identifier: MIT */
/* Transposition of a full frame against memcpy() of the same bytes, in turns; one line of JSON. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "image.h"

enum { ROWS = 6388, COLUMNS = 9576, PAIRS = 9 };

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
	const double *left = a;
	const double *right = b;
	return *left < *right ? -1 : *left > *right;
}

static double median(double *values)
{
	qsort(values, PAIRS, sizeof *values, by_value);
	return values[PAIRS / 2];
}

int main(void)
{
	size_t count = (size_t)ROWS * COLUMNS;
	uint16_t *in = malloc(count * sizeof *in);
	uint16_t *out = malloc(count * sizeof *out);
	if (in == NULL || out == NULL) {
		fprintf(stderr, "transpose: no memory\n");
		return 1;
	}
	for (size_t i = 0; i < count; i++) {
		in[i] = (uint16_t)(i * 2654435761u >> 7);
	}
	memset(out, 0, count * sizeof *out);
	double copy_ms[PAIRS];
	double turn_ms[PAIRS];
	double ratio[PAIRS];
	double create_ms[PAIRS];
	for (int i = 0; i < PAIRS; i++) {
		double t0 = now_ms();
		memcpy(out, in, count * sizeof *in);
		/* Keeps the compiler from leaving the copy out. */
		__asm__ volatile("" : : "r"(out) : "memory");
		double t1 = now_ms();
		image_transpose(sizeof *in, out, ROWS, in, ROWS, COLUMNS);
		double t2 = now_ms();
		struct frame_info info = {.width = COLUMNS, .height = ROWS, .planes = 1, .bin = 1};
		struct frame *frame = frame_create(&info, in);
		double t3 = now_ms();
		frame_unref(frame);
		copy_ms[i] = t1 - t0;
		turn_ms[i] = t2 - t1;
		create_ms[i] = t3 - t2;
		ratio[i] = copy_ms[i] / turn_ms[i];
	}
	printf("{\"ratio\":%.4f,\"copy_ms\":%.2f,\"transpose_ms\":%.2f,\"create_ms\":%.2f}\n",
		median(ratio), median(copy_ms), median(turn_ms), median(create_ms));
	free(in);
	free(out);
	return 0;
}
