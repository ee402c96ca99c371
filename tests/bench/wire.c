/* SPDX-License-Identifier: MIT */
/*
 * A serial exchange as the drivers make it (deadlines, scanner, transcript) against write() and read()
 * alone, in turns on the same pseudo terminal, with a device behind it that answers at once.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "transcripts.h"
#include "exchange.h"
#include "trace.h"

#define ROUNDS 15
#define EXCHANGES 2000

static int master;

static void *device(void *arg)
{
	(void)arg;
	char in[64];
	ssize_t n;
	while ((n = read(master, in, sizeof in)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (in[i] == '#' && write(master, "4E20#", 5) != 5) {
				return NULL;
			}
		}
	}
	return NULL;
}

static enum scan scan_reply(const char *in, size_t n, struct span *frame, size_t *skip)
{
	const char *end = memchr(in, '#', n);
	if (end == NULL) {
		return SCAN_MORE;
	}
	*skip = (size_t)(end - in) + 1;
	*frame = (struct span){.data = in, .len = *skip};
	return SCAN_FRAME;
}

static double now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double ours(struct exchange *x)
{
	double begin = now_us();
	for (int i = 0; i < EXCHANGES; i++) {
		struct span frame;
		int64_t deadline_ms = clock_now_ms(clock_real()) + 1000;
		if (exchange_ask(x, span_of(":GP#"), scan_reply, &frame, deadline_ms, NULL) != ERR_OK) {
			exit(1);
		}
	}
	return (now_us() - begin) / EXCHANGES;
}

static double bare(int fd)
{
	double begin = now_us();
	for (int i = 0; i < EXCHANGES; i++) {
		char in[64];
		ssize_t n = write(fd, ":GP#", 4) == 4 ? 0 : -1;
		while (n >= 0 && (n = read(fd, in, sizeof in)) > 0 && in[n - 1] != '#') {
		}
		if (n <= 0) {
			exit(1);
		}
	}
	return (now_us() - begin) / EXCHANGES;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;
	return (x > y) - (x < y);
}

static void note(void *ctx, char kind, const void *data, size_t len)
{
	transcript_note(ctx, kind, data, len);
}

int main(void)
{
	char path[64];
	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0 ||
		ptsname_r(master, path, sizeof path) != 0) {
		return 1;
	}
	int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct transport_settings settings = {.baud = 115200};
	struct transport *pipe = NULL;
	if (fd < 0 || transport_open(path, &settings, clock_now_ms(clock_real()) + 1000, &pipe, NULL) != ERR_OK) {
		return 1;
	}
	struct transcripts *all = transcripts_create(NULL);
	const struct focuser_port port = {.port = "bench"};
	struct transcript *transcript =
		transcript_create(all, &(struct transcript_about){.source = "bench", .port = &port});
	struct driver_host host = {.source = "bench", .note = note, .note_ctx = transcript};
	pipe = trace_host(pipe, &host);
	struct exchange x;
	exchange_init(&x, pipe, settings.baud, 0);
	pthread_t thread;
	if (pthread_create(&thread, NULL, device, NULL) != 0) {
		return 1;
	}
	double ratio[ROUNDS];
	double own[ROUNDS];
	double other[ROUNDS];
	for (int i = 0; i < ROUNDS; i++) {
		own[i] = ours(&x);
		other[i] = bare(fd);
		ratio[i] = own[i] / other[i];
	}
	qsort(ratio, ROUNDS, sizeof ratio[0], by_size);
	qsort(own, ROUNDS, sizeof own[0], by_size);
	qsort(other, ROUNDS, sizeof other[0], by_size);
	printf("{\"ratio\": %.3f, \"own_us\": %.2f, \"bare_us\": %.2f}\n", ratio[ROUNDS / 2],
		own[ROUNDS / 2], other[ROUNDS / 2]);
	return 0;
}
