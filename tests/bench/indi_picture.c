/* SPDX-License-Identifier: MIT */
/*
 * P26: a 16 Mpx picture of 16 bits from an INDI server, socket to the frame that is published, against a plain reader
 * that decodes the same base64 from the same socket into memory and does nothing else.  A thread of this program is the
 * server, for both alike.  Pairs alternate; the median counts.  The driver is looked at every millisecond.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "image.h"
#include "indi_blob.h"

enum { WIDE = 4656, HIGH = 3520, PAIRS = 7, LINE_BYTES = 54, READ_BYTES = 128 << 10 };

static char *text;          /* what the server sends */
static size_t text_len;
static int listener;
static int port;
static _Atomic bool go;     /* a client is ready for the picture */

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void make_picture(void)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t len = (2880 + (size_t)WIDE * HIGH * 2 + 2879) / 2880 * 2880;
	unsigned char *file = calloc(1, len);
	char card[81];
	memset(file, ' ', 2880);
	const char *const cards[] = {"SIMPLE  =                    T", "BITPIX  =                   16",
		"NAXIS   =                    2", NULL, NULL, "BZERO   =                32768", "END"};
	for (size_t i = 0; i < sizeof cards / sizeof cards[0]; i++) {
		int n = i == 3 || i == 4 ? snprintf(card, sizeof card, "NAXIS%zu  = %20d", i - 2, i == 3 ? WIDE : HIGH)
					 : snprintf(card, sizeof card, "%s", cards[i]);
		memcpy(file + i * 80, card, (size_t)n);
	}
	unsigned noise = 1;
	for (size_t i = 2880; i < 2880 + (size_t)WIDE * HIGH * 2; i++) {
		noise = noise * 1664525 + 1013904223;
		file[i] = (unsigned char)(noise >> 24);
	}
	text = malloc(len / 3 * 4 + len / LINE_BYTES + 1000);
	text_len = (size_t)snprintf(text, 500, "<setBLOBVector device=\"C\" name=\"CCD1\"><oneBLOB name=\"CCD1\" "
		"size=\"%zu\" format=\".fits\">\n", len);
	for (size_t i = 0; i + 2 < len; i += 3) {
		unsigned group = (unsigned)file[i] << 16 | (unsigned)file[i + 1] << 8 | file[i + 2];
		for (int k = 3; k >= 0; k--) {
			text[text_len++] = letters[group >> (6 * k) & 63];
		}
		if (i % LINE_BYTES == LINE_BYTES - 3) {
			text[text_len++] = '\n';
		}
	}
	memcpy(text + text_len, "</oneBLOB></setBLOBVector>\n", 27);
	text_len += 27;
	free(file);
}

static void *serve(void *arg)
{
	(void)arg;
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		while (!go) {
			poll(NULL, 0, 1);
		}
		go = false;
		for (size_t at = 0; at < text_len;) {
			ssize_t n = send(fd, text + at, text_len - at, MSG_NOSIGNAL);
			if (n <= 0) {
				break;
			}
			at += (size_t)n;
		}
		char word[4096];
		while (recv(fd, word, sizeof word, 0) > 0) {
		}
		close(fd);
	}
	return NULL;
}

/* ---- the yardstick ---- */

static double plain_s(unsigned char *out, char *data)
{
	static signed char value[256];
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	memset(value, -1, sizeof value);
	for (int i = 0; i < 64; i++) {
		value[(unsigned char)letters[i]] = (signed char)i;
	}
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
		abort();
	}
	double begin = now_s();
	go = true;
	size_t got = 0, at = 0;
	unsigned bits = 0, have = 0;
	while (got < text_len) {
		ssize_t n = recv(fd, data, READ_BYTES, 0);
		if (n <= 0) {
			abort();
		}
		got += (size_t)n;
		for (ssize_t i = 0; i < n; i++) {
			int v = value[(unsigned char)data[i]];
			if (v >= 0) {
				bits = bits << 6 | (unsigned)v;
				if (++have == 4) {
					out[at] = (unsigned char)(bits >> 16);
					out[at + 1] = (unsigned char)(bits >> 8);
					out[at + 2] = (unsigned char)bits;
					at += 3;
					have = 0;
				}
			}
		}
	}
	double took = now_s() - begin;
	close(fd);
	return took;
}

/* ---- the driver's ---- */

static bool post(void *ctx, const void *data, size_t size)
{
	(void)ctx;
	(void)data;
	(void)size;
	return true;
}

static double driver_s(struct frame_pool *pool)
{
	struct driver_host host = {.clock = clock_real(), .source = "camera.0", .post = post};
	struct indi_blob *blob = NULL;
	struct err err;
	char address[40];
	struct frame_info info = {.width = WIDE, .height = HIGH, .planes = 1, .bin = 1, .type = IMAGE_U16};
	struct frame *frame = frame_pool_take(pool, &info);
	snprintf(address, sizeof address, "127.0.0.1:%d", port);
	struct indi_wanted wanted = {.width = WIDE, .height = HIGH,
		.part = {.cut_width = WIDE, .cut_height = HIGH, .planes = 1, .type = IMAGE_U16}};
	if (indi_blob_open(address, "C", "CCD1", &host, clock_now_ms(clock_real()) + 2000, &blob, &err) != ERR_OK
		|| indi_blob_expect(blob, &wanted, &err) != ERR_OK) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	indi_blob_lend(blob, frame);
	double begin = now_s();
	go = true;
	while (indi_blob_look(blob).state < INDI_BLOB_WHOLE) {
		poll(NULL, 0, 1);
	}
	double took = now_s() - begin;
	if (indi_blob_look(blob).state != INDI_BLOB_WHOLE) {
		fprintf(stderr, "%s\n", indi_blob_look(blob).why.text);
		abort();
	}
	indi_blob_close(blob);
	frame_unref(frame);
	return took;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(void)
{
	struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof where;
	pthread_t server;
	make_picture();
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&where, size) != 0 || listen(listener, 4) != 0
		|| getsockname(listener, (struct sockaddr *)&where, &size) != 0
		|| pthread_create(&server, NULL, serve, NULL) != 0) {
		perror("indi_picture");
		return 1;
	}
	port = ntohs(where.sin_port);
	unsigned char *out = malloc(text_len);
	char *data = malloc(READ_BYTES);
	struct frame_pool *pool = frame_pool_create();
	double ratio[PAIRS];
	for (int i = -1; i < PAIRS; i++) {
		double plain = plain_s(out, data);
		double driver = driver_s(pool);
		if (i >= 0) {
			ratio[i] = plain / driver;
			printf("plain %.0f ms, to the frame %.0f ms\n", 1e3 * plain, 1e3 * driver);
		}
	}
	qsort(ratio, PAIRS, sizeof ratio[0], compare);
	printf("P26 %.2f (must 0.5, goal 0.8)\n", ratio[PAIRS / 2]);
	frame_pool_release(pool);
	return 0;
}
