/* SPDX-License-Identifier: MIT */
/* Clients that take an answer slowly or not at all, over loopback sockets: who is cut, who is not, and what is given
 * back. Here they may fall behind the least rate by a fraction of a second. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "http.h"

enum {
	REQUEST_MS = 200,      /* sweeps come every fifth of it */
	BEHIND_MS = 400,
	LARGE = 16 << 20,      /* more than the sockets of both sides take: net.ipv4.tcp_wmem has 4 MiB at most */
	BODY = 12 << 20,       /* two of these may wait, three may not: HTTP_ANSWERS_MAX */
};

static struct http_server *server;
static _Atomic int releases;
static char fixed[LARGE];

static ssize_t read_large(void *arg, uint64_t pos, char *out, size_t max)
{
	const uint64_t *size = arg;
	size_t n = *size - pos < max ? (size_t)(*size - pos) : max;
	memset(out, 'x', n);
	return n > 0 ? (ssize_t)n : HTTP_STREAM_END;
}

static void release(void *arg)
{
	(void)arg;
	releases++;
}

static uint64_t large = LARGE;

static ssize_t read_events(void *arg, uint64_t pos, char *out, size_t max)
{
	(void)arg;
	if (pos > 0) {
		return HTTP_STREAM_LATER;
	}
	size_t n = 6 < max ? 6 : max;
	memcpy(out, "event\n", n);
	return (ssize_t)n;
}

static enum http_result handle(void *arg, const struct http_request *req, struct http_response *res)
{
	(void)arg;
	res->status = 200;
	res->content_type = "text/plain";
	if (strcmp(req->path, "/stream") == 0) {
		res->stream = (struct http_stream){
			.read = read_large, .release = release, .arg = &large, .size = LARGE, .block = 65536};
	} else if (strcmp(req->path, "/events") == 0) {
		res->stream = (struct http_stream){.read = read_events, .release = release, .size = -1, .block = 4096};
	} else if (strcmp(req->path, "/body") == 0) {
		buf_init(&res->body, BODY);
		buf_add(&res->body, fixed, BODY);
	} else if (strcmp(req->path, "/fixed") == 0) {
		res->static_body = fixed;
		res->static_len = LARGE;
	} else {
		http_text(res, 200, "here");
	}
	return HTTP_DONE;
}

static int setup(void **state)
{
	(void)state;
	struct err err;
	releases = 0;
	struct http_options options = {
		.bind = "127.0.0.1", .server_name = "focusd", .request_timeout_ms = REQUEST_MS, .behind_ms = BEHIND_MS};
	return http_server_start(&options, handle, NULL, &server, &err) == ERR_OK ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	http_server_stop(server);
	return 0;
}

/* A connection on which one path was asked for. */
static int ask(const char *path)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)http_server_port(server)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval patience = {.tv_sec = 60};
	int small = 4096;
	char text[128];
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
	int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
	assert_int_equal(send(fd, text, (size_t)n, MSG_NOSIGNAL), n);
	return fd;
}

/* Takes what comes until `want` bytes are there, or the end; *reset says whether that was a reset. */
static size_t take(int fd, size_t want, bool *reset)
{
	static char in[65536];
	size_t taken = 0;
	*reset = false;
	while (taken < want) {
		ssize_t n = recv(fd, in, want - taken < sizeof in ? want - taken : sizeof in, 0);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		/* Running out of patience is not an end. */
		assert_true(n >= 0 || errno == ECONNRESET);
		*reset = n < 0;
		if (n <= 0) {
			break;
		}
		taken += (size_t)n;
	}
	return taken;
}

/* The status of the answer; its headers and body may follow. */
static int status_of(int fd)
{
	char head[13] = "";
	assert_int_equal(recv(fd, head, 12, MSG_WAITALL), 12);
	return (int)strtol(head + sizeof "HTTP/1.1 " - 1, NULL, 10);
}

/* Serves other requests until the condition holds: each answer is a turn of the server, so nothing sleeps. */
#define UNTIL(condition)                                              \
	do {                                                          \
		bool reset_;                                          \
		int fd_ = ask("/small");                              \
		take(fd_, 12, &reset_);                               \
		close(fd_);                                           \
	} while (!(condition))

static void who_takes_nothing_is_reset(void **state)
{
	(void)state;
	static const char *const paths[] = {"/stream", "/body"};
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		int fd = ask(paths[i]);
		bool reset;
		assert_int_equal(take(fd, 100, &reset), 100);
		/* Waits for the end without taking anything: an error is pending as soon as the reset has come. */
		int error = 0;
		UNTIL(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof error}) == 0 && error != 0);
		assert_int_equal(error, ECONNRESET);
		close(fd);
	}
	assert_int_equal(releases, 1);
}

static void a_few_bytes_do_not_help(void **state)
{
	(void)state;
	int fd = ask("/stream");
	bool reset = false;
	/* One byte for each answer to somebody else is far less than the least rate. */
	UNTIL(take(fd, 1, &reset) == 0);
	assert_true(reset);
	close(fd);
	assert_int_equal(releases, 1);
}

static void what_keeps_nothing_may_be_slow(void **state)
{
	(void)state;
	bool reset;
	int page = ask("/fixed");
	int events = ask("/events");
	who_takes_nothing_is_reset(NULL);
	/* Both were open for as long as those that were reset, and took as little. */
	assert_true(take(page, LARGE, &reset) == LARGE && !reset);
	assert_int_equal(status_of(events), 200);
	close(page);
	close(events);
}

static void bodies_that_wait_are_few(void **state)
{
	(void)state;
	bool reset;
	int first = ask("/body");
	int second = ask("/body");
	assert_int_equal(status_of(first), 200);
	assert_int_equal(status_of(second), 200);
	int third = ask("/body");
	assert_int_equal(status_of(third), 503);
	/* As soon as one is gone there is room again. */
	close(first);
	int status = 503;
	while (status == 503) {
		close(third);
		third = ask("/body");
		status = status_of(third);
	}
	assert_int_equal(status, 200);
	assert_true(take(third, BODY, &reset) == BODY);
	close(second);
	close(third);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_takes_nothing_is_reset),
		TEST(a_few_bytes_do_not_help),
		TEST(what_keeps_nothing_may_be_slow),
		TEST(bodies_that_wait_are_few),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
