/* SPDX-License-Identifier: MIT */
/*
 * Makes load and takes times; one line of JSON on standard output.  Answers must carry a
 * Content-Length and status 200, anything else ends the program with an error: a server that
 * refuses quickly is not fast.
 *
 * load rate PORT CONNECTIONS SECONDS METHOD PATH [BODY]   closed loop on kept connections
 * load fresh PORT CONNECTIONS SECONDS METHOD PATH         the same, a connection for each request
 * load poll PORT PAUSE_US SECONDS METHOD PATH             one connection, a pause between requests
 * load hold PORT CONNECTIONS PATH                         opens them, asks once on each, says
 *                                                         "ready", keeps them to the end of stdin
 * load fetch PORT TIMES ACCEPT PATH                       downloads one after the other
 * load raw BYTES                                          answers each request with so many bytes
 *                                                         by write(); prints its port
 * load start PORT PATH PROGRAM [ARGUMENT...]              starts it, asks until it answers, ends it
 *
 * {n} in a path or body becomes a number of eight digits that counts up, {p} one of five digits
 * from 10000 to 29999, {x} one of four digits from 1000 to 5999.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { ROOM = 8192, CHUNK = 1024 * 1024, SAMPLES_MAX = 4 * 1024 * 1024 };

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "load: %s (%s)\n", what, strerror(errno));
	exit(1);
}

static int dial(int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;
	if (fd < 0) {
		die("socket");
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, (const struct sockaddr *)&to, sizeof to) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int must_dial(int port)
{
	int fd = dial(port);
	if (fd < 0) {
		die("connect");
	}
	return fd;
}

static int number(const char *text)
{
	return (int)strtol(text, NULL, 10);
}

/* ---- requests ---- */

struct request {
	char text[ROOM];
	size_t len;
	char *counter[2], *position[2], *pixel[2];
	uint32_t n;
};

static void put_number(char *at, uint32_t value, int digits)
{
	while (digits-- > 0) {
		at[digits] = (char)('0' + value % 10);
		value /= 10;
	}
}

static void find_marks(struct request *r, const char *mark, const char *filler, char *found[2])
{
	for (int i = 0; i < 2; i++) {
		char *at = strstr(r->text, mark);
		found[i] = at;
		if (at != NULL) {
			memcpy(at, filler, strlen(filler));
		}
	}
}

/* Marks have the length of what takes their place, so that Content-Length is right. */
static void expand(char *out, size_t cap, const char *text)
{
	size_t n = 0;
	while (*text != '\0' && n + 9 < cap) {
		if (strncmp(text, "{n}", 3) == 0) {
			memcpy(out + n, "{nnnnnn}", 8);
			n += 8;
			text += 3;
		} else if (strncmp(text, "{p}", 3) == 0) {
			memcpy(out + n, "{ppp}", 5);
			n += 5;
			text += 3;
		} else if (strncmp(text, "{x}", 3) == 0) {
			memcpy(out + n, "{xx}", 4);
			n += 4;
			text += 3;
		} else {
			out[n++] = *text++;
		}
	}
	out[n] = '\0';
}

static void prepare(struct request *r, const char *method, const char *raw_path,
	const char *raw_body, const char *more, bool keep)
{
	char path[1024];
	char body[1024] = "";
	char length[128] = "";
	expand(path, sizeof path, raw_path);
	if (raw_body != NULL) {
		expand(body, sizeof body, raw_body);
		snprintf(length, sizeof length,
			"Content-Type: application/x-www-form-urlencoded\r\n"
			"Content-Length: %zu\r\n",
			strlen(body));
	}
	memset(r, 0, sizeof *r);
	r->len = (size_t)snprintf(r->text, sizeof r->text,
		"%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s%s%s\r\n%s", method, path, length, more,
		keep ? "" : "Connection: close\r\n", body);
	find_marks(r, "{nnnnnn}", "00000000", r->counter);
	find_marks(r, "{ppp}", "10000", r->position);
	find_marks(r, "{xx}", "1000", r->pixel);
}

static void next(struct request *r)
{
	r->n++;
	for (int i = 0; i < 2; i++) {
		if (r->counter[i] != NULL) {
			put_number(r->counter[i], r->n, 8);
		}
		if (r->position[i] != NULL) {
			put_number(r->position[i], 10000 + r->n * 7 % 20000, 5);
		}
		if (r->pixel[i] != NULL) {
			put_number(r->pixel[i], 1000 + r->n * 37 % 5000, 4);
		}
	}
}

static void send_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			die("send");
		}
		data += n;
		len -= (size_t)n;
	}
}

/* The whole length of an answer whose headers are in text, 0 when they are not complete. */
static size_t answer_length(const char *text, size_t len, bool alpaca)
{
	const char *end = memmem(text, len, "\r\n\r\n", 4);
	if (end == NULL) {
		return 0;
	}
	if (len < 12 || memcmp(text + 8, " 200", 4) != 0) {
		fprintf(stderr, "load: answer %.*s\n", (int)(len < 400 ? len : 400), text);
		exit(1);
	}
	const char *field = strcasestr(text, "\r\nContent-Length:");
	if (field == NULL || field > end) {
		die("an answer without Content-Length");
	}
	size_t whole = (size_t)(end + 4 - text) + strtoull(field + 17, NULL, 10);
	if (alpaca && len >= whole && memmem(text, len, "\"ErrorNumber\":0,", 16) == NULL) {
		fprintf(stderr, "load: answer %.*s\n", (int)len, text);
		exit(1);
	}
	return whole;
}

/* ---- small answers ---- */

struct peer {
	int fd;
	size_t have;
	int64_t sent_ns;
	char in[ROOM + 1];
};

static uint32_t *samples; /* ns */
static size_t sample_count;

static void note(int64_t ns)
{
	if (sample_count < SAMPLES_MAX) {
		samples[sample_count++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
	}
}

static int by_value(const void *a, const void *b)
{
	const uint32_t *left = a;
	const uint32_t *right = b;
	return *left < *right ? -1 : *left > *right;
}

static double percentile_us(double share)
{
	size_t at = (size_t)(share * (double)sample_count);
	return sample_count == 0 ? 0 : samples[at < sample_count ? at : sample_count - 1] / 1e3;
}

static void report(uint64_t count, int64_t ns)
{
	qsort(samples, sample_count, sizeof samples[0], by_value);
	printf("{\"requests\":%" PRIu64 ",\"rate\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,"
	       "\"max_us\":%.1f}\n",
		count, (double)count / ((double)ns / 1e9), percentile_us(0.5), percentile_us(0.99),
		percentile_us(1));
}

static void ask(struct peer *peer, struct request *request)
{
	next(request);
	peer->have = 0;
	peer->sent_ns = now_ns();
	send_all(peer->fd, request->text, request->len);
}

/* True when the answer is whole. */
static bool take(struct peer *peer)
{
	ssize_t n = recv(peer->fd, peer->in + peer->have, ROOM - peer->have, 0);
	if (n <= 0) {
		die("the server closed the connection");
	}
	peer->have += (size_t)n;
	peer->in[peer->have] = '\0';
	size_t whole = answer_length(peer->in, peer->have, true);
	return whole > 0 && peer->have >= whole;
}

static void watch(int poller, int operation, struct peer *peer)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
	if (epoll_ctl(poller, operation, peer->fd, &event) != 0) {
		die("epoll");
	}
}

static int run_rate(int port, int connections, double seconds, struct request *request, bool fresh)
{
	struct peer *peers = calloc((size_t)connections, sizeof *peers);
	samples = malloc(SAMPLES_MAX * sizeof *samples);
	int poller = epoll_create1(EPOLL_CLOEXEC);
	if (peers == NULL || samples == NULL || poller < 0) {
		die("no memory");
	}
	int64_t begin = now_ns();
	int64_t end = begin + (int64_t)(seconds * 1e9);
	for (int i = 0; i < connections; i++) {
		peers[i].fd = must_dial(port);
		watch(poller, EPOLL_CTL_ADD, &peers[i]);
		ask(&peers[i], request);
	}
	uint64_t count = 0;
	int64_t now = begin;
	struct epoll_event events[64];
	while (now < end) {
		int n = epoll_wait(poller, events, 64, 10000);
		if (n <= 0) {
			die("no answer for ten seconds");
		}
		for (int i = 0; i < n; i++) {
			struct peer *peer = events[i].data.ptr;
			if (!take(peer)) {
				continue;
			}
			now = now_ns();
			note(now - peer->sent_ns);
			count++;
			if (fresh) {
				close(peer->fd);
				peer->fd = must_dial(port);
				watch(poller, EPOLL_CTL_ADD, peer);
			}
			ask(peer, request);
		}
	}
	report(count, now - begin);
	return 0;
}

static int run_poll(int port, int pause_us, double seconds, struct request *request)
{
	struct peer *peer = calloc(1, sizeof *peer);
	samples = malloc(SAMPLES_MAX * sizeof *samples);
	if (peer == NULL || samples == NULL) {
		die("no memory");
	}
	peer->fd = must_dial(port);
	int64_t begin = now_ns();
	int64_t end = begin + (int64_t)(seconds * 1e9);
	uint64_t count = 0;
	while (now_ns() < end) {
		ask(peer, request);
		while (!take(peer)) {
		}
		note(now_ns() - peer->sent_ns);
		count++;
		struct timespec pause = {.tv_nsec = pause_us * 1000L};
		if (pause_us > 0) {
			nanosleep(&pause, NULL);
		}
	}
	report(count, now_ns() - begin);
	return 0;
}

static int run_hold(int port, int connections, struct request *request)
{
	struct peer *peer = calloc(1, sizeof *peer);
	if (peer == NULL) {
		die("no memory");
	}
	for (int i = 0; i < connections; i++) {
		peer->fd = must_dial(port); /* closed by the end of the program */
		ask(peer, request);
		while (!take(peer)) {
		}
	}
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF) {
	}
	return 0;
}

/* ---- large answers ---- */

static int run_fetch(int port, int times, const char *accept, const char *path)
{
	char more[200];
	struct request *request = malloc(sizeof *request);
	char *in = malloc(CHUNK + 1);
	if (request == NULL || in == NULL) {
		die("no memory");
	}
	snprintf(more, sizeof more, "Accept: %s\r\n", accept);
	prepare(request, "GET", path, NULL, more, true);
	int fd = must_dial(port);
	for (int i = 0; i < times; i++) {
		next(request);
		int64_t begin = now_ns();
		int64_t first = 0;
		send_all(fd, request->text, request->len);
		size_t have = 0;
		size_t whole = 0;
		while (whole == 0 || have < whole) {
			size_t at = whole == 0 ? have : 0;
			ssize_t n = recv(fd, in + at, CHUNK - at, 0);
			if (n <= 0) {
				die("the server closed the connection");
			}
			first = first == 0 ? now_ns() : first;
			have += (size_t)n;
			if (whole == 0) {
				in[have] = '\0';
				whole = answer_length(in, have, false);
			}
		}
		double s = (double)(now_ns() - begin) / 1e9;
		printf("{\"bytes\":%zu,\"seconds\":%.6f,\"rate\":%.0f,\"first_ms\":%.3f}\n", have, s,
			(double)have / s, (double)(first - begin) / 1e6);
		fflush(stdout);
	}
	return 0;
}

static int run_raw(size_t bytes)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	socklen_t len = sizeof at;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char *data = malloc(bytes);
	if (data == NULL || listener < 0 ||
		bind(listener, (const struct sockaddr *)&at, sizeof at) != 0 ||
		listen(listener, 16) != 0 ||
		getsockname(listener, (struct sockaddr *)&at, &len) != 0) {
		die("raw");
	}
	memset(data, 'x', bytes);
	signal(SIGPIPE, SIG_IGN);
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	char head[100];
	int head_len = snprintf(
		head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", bytes);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		char in[4096];
		while (fd >= 0 && recv(fd, in, sizeof in, 0) > 0) {
			size_t done = 0;
			ssize_t n = write(fd, head, (size_t)head_len);
			while (n > 0 && done < bytes) {
				n = write(fd, data + done, bytes - done);
				done += n > 0 ? (size_t)n : 0;
			}
		}
		close(fd);
	}
}

/* ---- starting ---- */

static int run_start(int port, const char *path, char **program)
{
	struct request *request = malloc(sizeof *request);
	struct peer *peer = calloc(1, sizeof *peer);
	if (request == NULL || peer == NULL) {
		die("no memory");
	}
	prepare(request, "GET", path, NULL, "", true);
	pid_t pid;
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", 1, 0);
	int64_t begin = now_ns();
	if (posix_spawn(&pid, program[0], &actions, NULL, program, environ) != 0) {
		die(program[0]);
	}
	/* Asks again after a short rest: a loop without one would take the CPU that both share. */
	struct timespec rest = {.tv_nsec = 50000};
	while ((peer->fd = dial(port)) < 0) {
		nanosleep(&rest, NULL);
		if (waitpid(pid, NULL, WNOHANG) != 0) {
			die("the program ended by itself");
		}
	}
	next(request);
	send_all(peer->fd, request->text, request->len);
	while (peer->have == 0) {
		ssize_t n = recv(peer->fd, peer->in, ROOM, 0);
		if (n <= 0) {
			die("no answer");
		}
		peer->have = (size_t)n;
	}
	double ms = (double)(now_ns() - begin) / 1e6;
	close(peer->fd);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	printf("{\"start_ms\":%.3f}\n", ms);
	return 0;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[1] : "";
	struct request *request = malloc(sizeof *request);
	if (request == NULL) {
		die("no memory");
	}
	bool fresh = strcmp(mode, "fresh") == 0;
	if ((fresh || strcmp(mode, "rate") == 0) && argc >= 7) {
		prepare(request, argv[5], argv[6], argc > 7 ? argv[7] : NULL, "", !fresh);
		return run_rate(number(argv[2]), number(argv[3]), strtod(argv[4], NULL), request, fresh);
	}
	if (strcmp(mode, "poll") == 0 && argc == 7) {
		prepare(request, argv[5], argv[6], NULL, "", true);
		return run_poll(number(argv[2]), number(argv[3]), strtod(argv[4], NULL), request);
	}
	if (strcmp(mode, "hold") == 0 && argc == 5) {
		prepare(request, "GET", argv[4], NULL, "", true);
		return run_hold(number(argv[2]), number(argv[3]), request);
	}
	if (strcmp(mode, "fetch") == 0 && argc == 6) {
		return run_fetch(number(argv[2]), number(argv[3]), argv[4], argv[5]);
	}
	if (strcmp(mode, "raw") == 0 && argc == 3) {
		return run_raw(strtoull(argv[2], NULL, 10));
	}
	if (strcmp(mode, "start") == 0 && argc >= 5) {
		return run_start(number(argv[2]), argv[3], argv + 4);
	}
	fprintf(stderr, "load: see the top of load.c\n");
	return 2;
}
