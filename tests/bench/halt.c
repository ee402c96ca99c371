/* SPDX-License-Identifier: MIT */
/*
 * How long PUT halt needs to the serial line.  Emulates a Moonlite controller on a pseudo terminal, notes
 * when each command arrives there, and is at the same time the client who sends a motor on its way and stops
 * it.  Prints the terminal's path; then, for each line "measure PORT COUNT" on standard input, one line of JSON.
 *
 * The time runs from before the request is written to when the emulator has read ":FQ#": one wake-up of the
 * emulator's thread is in it, which goes before all others where that is permitted.  Each second halt comes on a new
 * connection, the others in turn on connections that are kept, as browsers and imaging programs keep theirs, so that
 * both threads of the server are asked.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "emulator.h"

enum {
	KEPT = 4,                /* connections that stay */
	COUNT_MAX = 2000,
	NEAR = 10000,            /* steps; the motor goes between these two and never gets there */
	FAR = 60000,
	PAUSE_MS = 20,           /* from the start of the motor to its halt, and as much again spread over */
	PAUSE_SPREAD_MS = 41,    /* the halts, so that they meet every part of the server's polling */
	PATIENCE_MS = 120000,
};

/* What the emulator's thread has read. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static char tail[4];
static unsigned starts, halts;
static int64_t halt_ns;

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "halt: %s (%s)\n", what, strerror(errno));
	exit(1);
}

static void pause_ms(int64_t ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	nanosleep(&t, NULL);
}

static void on_bytes(void *ctx, char direction, const void *data, size_t len)
{
	(void)ctx;
	const char *bytes = data;
	int64_t now = now_ns();
	if (direction != '>') {
		return;
	}
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < len; i++) {
		memmove(tail, tail + 1, sizeof tail - 1);
		tail[sizeof tail - 1] = bytes[i];
		starts += memcmp(tail, ":FG#", sizeof tail) == 0;
		if (memcmp(tail, ":FQ#", sizeof tail) == 0) {
			halts++;
			halt_ns = now;
		}
	}
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&lock);
}

static void *emulate(void *arg)
{
	struct err err;
	/* The bytes are noted when they come, not when the crowd lets this thread in; without the right to do so it
	 * waits its turn like others, and the figure has that in it. */
	const struct sched_param first = {.sched_priority = 1};
	pthread_setschedparam(pthread_self(), SCHED_FIFO, &first);
	if (emulator_run(arg, -1, &err) != ERR_OK) {
		fprintf(stderr, "halt: %s\n", err.text);
		exit(1);
	}
	return NULL;
}

/* Waits until more commands came than before. */
static void await(const unsigned *count, unsigned before, const char *what)
{
	struct timespec end;
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PATIENCE_MS / 1000;
	pthread_mutex_lock(&lock);
	while (*count == before) {
		if (pthread_cond_timedwait(&cond, &lock, &end) != 0) {
			die(what);
		}
	}
	pthread_mutex_unlock(&lock);
}

static unsigned seen(const unsigned *count)
{
	pthread_mutex_lock(&lock);
	unsigned value = *count;
	pthread_mutex_unlock(&lock);
	return value;
}

/* ---- the client ---- */

static int dial(int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;
	struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) != 0) {
		die("connect");
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	return fd;
}

static void ask(int fd, const char *method, const char *member, const char *body)
{
	char text[512];
	int n = snprintf(text, sizeof text,
		"%s /api/v1/focuser/0/%s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n\r\n%s",
		method, member, strlen(body), body);
	if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n) {
		die("send");
	}
}

/* Reads one answer and returns its body; it must be a success. */
static const char *hear(int fd)
{
	static char text[8192];
	size_t len = 0;
	for (;;) {
		ssize_t n = recv(fd, text + len, sizeof text - 1 - len, 0);
		if (n <= 0) {
			die("the server closed the connection or was silent");
		}
		len += (size_t)n;
		text[len] = '\0';
		const char *body = strstr(text, "\r\n\r\n");
		const char *length = strcasestr(text, "Content-Length:");
		if (body != NULL && length != NULL &&
			strlen(body + 4) >= (size_t)strtol(length + 15, NULL, 10)) {
			if (strstr(text, " 200 ") == NULL || strstr(body, "\"ErrorNumber\":0") == NULL) {
				fprintf(stderr, "halt: %s\n", text);
				exit(1);
			}
			return body + 4;
		}
	}
}

static void await_rest(int fd)
{
	do {
		pause_ms(5);
		ask(fd, "GET", "ismoving", "");
	} while (strstr(hear(fd), "\"Value\":false") == NULL);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;
	return (x > y) - (x < y);
}

static void measure(int port, int count)
{
	static double us[COUNT_MAX];
	int kept[KEPT];
	int control = dial(port);
	for (int i = 0; i < KEPT; i++) {
		kept[i] = dial(port);
		ask(kept[i], "GET", "position", "");
		hear(kept[i]);
	}
	for (int i = 0; i < count; i++) {
		char where[32];
		unsigned before = seen(&starts);
		snprintf(where, sizeof where, "Position=%d", i % 2 == 0 ? FAR : NEAR);
		ask(control, "PUT", "move", where);
		hear(control);
		await(&starts, before, "the motor was not started");
		pause_ms(PAUSE_MS + i * 7 % PAUSE_SPREAD_MS);
		before = seen(&halts);
		bool fresh = i % 2 == 1;
		int64_t begin = now_ns();
		int fd = fresh ? dial(port) : kept[i / 2 % KEPT];
		ask(fd, "PUT", "halt", "");
		await(&halts, before, "the halt did not reach the line");
		us[i] = (double)(halt_ns - begin) / 1e3;
		hear(fd);
		if (fresh) {
			close(fd);
		}
		await_rest(control);
	}
	for (int i = 0; i < KEPT; i++) {
		close(kept[i]);
	}
	close(control);
	qsort(us, (size_t)count, sizeof us[0], by_value);
	printf("{\"count\":%d,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}\n", count, us[count / 2],
		us[(count * 99 + 99) / 100 - 1], us[count - 1]);
}

int main(void)
{
	const struct emulator_kind *const *kind = emulator_kinds;
	struct emulator_settings settings;
	struct emulator *emulator;
	struct err err;
	pthread_t thread;
	while (*kind != NULL && strcmp((*kind)->name, "moonlite") != 0) {
		kind++;
	}
	if (*kind == NULL) {
		die("there is no emulated moonlite");
	}
	emulator_defaults(*kind, &settings);
	settings.position = NEAR;
	if (emulator_create(*kind, &settings, NULL, on_bytes, NULL, &emulator, &err) != ERR_OK) {
		fprintf(stderr, "halt: %s\n", err.text);
		return 1;
	}
	if (pthread_create(&thread, NULL, emulate, emulator) != 0) {
		die("pthread_create");
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("%s\n", emulator_path(emulator));
	char line[80];
	while (fgets(line, sizeof line, stdin) != NULL) {
		char *end;
		if (strncmp(line, "measure ", 8) != 0) {
			die("what is asked is not understood");
		}
		long port = strtol(line + 8, &end, 10);
		long count = strtol(end, NULL, 10);
		measure((int)port, count < 1 ? 1 : count > COUNT_MAX ? COUNT_MAX : (int)count);
	}
	_exit(0); /* the emulator's thread waits for bytes for ever */
}
