/* SPDX-License-Identifier: MIT */
#include "http_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "alpaca.h"
#include "clock.h"
#include "events.h"

struct fake *fake;
static struct alpaca *alpaca;
struct http_server *server;
static struct http_server *_Atomic woken; /* for the listener, also before the server is there */

_Atomic int stream_lines, stream_over, stream_releases, stream_sleeps;

static ssize_t read_stream(void *arg, uint64_t pos, char *out, size_t max)
{
	(void)arg;
	(void)max;
	if (pos < (uint64_t)stream_lines * 5) {
		memcpy(out, "line\n", 5);
		return 5;
	}
	if (stream_over) {
		return HTTP_STREAM_END;
	}
	stream_sleeps++;
	return HTTP_STREAM_LATER;
}

static void release_stream(void *arg)
{
	(void)arg;
	stream_releases++;
}

_Atomic int blocked;

/* What no handler should do: holds its thread for several times the patience of rig_setup_impatient(). */
static void block(void)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t cond;
	clock_cond_init(&cond);
	int64_t end_ms = clock_now_ms(clock_real()) + BLOCK_MS;
	blocked++;
	pthread_mutex_lock(&lock);
	while (clock_now_ms(clock_real()) < end_ms) {
		clock_wait(clock_real(), &cond, &lock, end_ms);
	}
	pthread_mutex_unlock(&lock);
	pthread_cond_destroy(&cond);
}

enum http_result rig_handle(void *arg, const struct http_request *req, struct http_response *res)
{
	(void)arg;
	if (alpaca_owns(req->path)) {
		return alpaca_handle(alpaca, req, res);
	}
	if (strcmp(req->path, "/stream") == 0) {
		res->content_type = "text/plain";
		res->stream = (struct http_stream){
			.read = read_stream, .release = release_stream, .size = -1, .block = 4096};
		return HTTP_DONE;
	}
	if (strcmp(req->path, "/blocks") == 0) {
		block();
		http_text(res, 200, "over");
		return HTTP_DONE;
	}
	if (strcmp(req->path, "/static") == 0) {
		res->static_body = "fixed";
		res->static_len = 5;
		http_add_header(res, "X-Test", "a\r\nb");
		return HTTP_DONE;
	}
	if (strcmp(req->path, "/echo") == 0) {
		http_text(res, 200, "%s|%.*s|%.*s|%s", req->path, (int)req->query.len,
			req->query.data, (int)req->body.len, req->body.data, req->peer);
		return HTTP_DONE;
	}
	http_text(res, 404, "Nothing here.");
	return HTTP_DONE;
}

static void on_event(void *arg)
{
	(void)arg;
	struct http_server *target = woken;
	if (target != NULL) {
		http_server_wake(target);
	}
}

static int start(int request_timeout_ms)
{
	struct err err;
	fake = fake_create();
	alpaca = alpaca_create(&fake->served);
	events_listen(fake->events, on_event, NULL);
	stream_lines = stream_over = stream_releases = stream_sleeps = 0;
	struct http_options options = {.bind = "127.0.0.1",
		.server_name = "focusd",
		.allowed_hosts = "pier.lan",
		.request_timeout_ms = request_timeout_ms};
	if (http_server_start(&options, rig_handle, NULL, &server, &err) != ERR_OK) {
		print_error("%s\n", err.text);
		return -1;
	}
	woken = server;
	return 0;
}

int rig_setup(void **state)
{
	(void)state;
	return start(0);
}

int rig_setup_impatient(void **state)
{
	(void)state;
	return start(IMPATIENT_MS);
}

void rig_stop(void)
{
	woken = NULL;
	http_server_stop(server);
	server = NULL;
}

int rig_teardown(void **state)
{
	(void)state;
	if (server != NULL) {
		rig_stop();
	}
	alpaca_destroy(alpaca);
	fake_free(fake);
	return 0;
}

/* ---- a client ---- */

int dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)http_server_port(server)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	/* A test that would hang fails instead. */
	struct timeval patience = {.tv_sec = 60};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

void say(int fd, const char *text)
{
	size_t len = strlen(text);
	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
		assert_true(n > 0);
		text += n;
		len -= (size_t)n;
	}
}

bool read_byte(int fd, char *out)
{
	ssize_t n;
	do {
		n = recv(fd, out, 1, 0);
	} while (n < 0 && errno == EINTR);
	/* Running out of patience is not an end. */
	assert_true(n >= 0 || errno == ECONNRESET);
	return n == 1;
}

struct reply *hear(int fd, bool has_body)
{
	static struct reply reply;
	memset(&reply, 0, sizeof reply);
	size_t n = 0;
	while (n < 4 || memcmp(reply.head + n - 4, "\r\n\r\n", 4) != 0) {
		assert_true(n + 1 < sizeof reply.head);
		if (!read_byte(fd, reply.head + n)) {
			reply.closed = true;
			return &reply;
		}
		n++;
	}
	reply.head[n] = '\0';
	assert_int_equal(sscanf(reply.head, "HTTP/1.%*d %d", &reply.status), 1);
	const char *length = strcasestr(reply.head, "\r\nContent-Length: ");
	size_t want = length != NULL && has_body ? strtoul(length + 18, NULL, 10) : 0;
	assert_true(want < sizeof reply.body);
	while (reply.len < want && read_byte(fd, reply.body + reply.len)) {
		reply.len++;
	}
	reply.closed = reply.len < want;
	return &reply;
}

bool is_closed(int fd)
{
	char c;
	return !read_byte(fd, &c);
}

struct reply *exchange(int fd, const char *text)
{
	say(fd, text);
	return hear(fd, strncmp(text, "HEAD", 4) != 0);
}

struct reply *once(const char *text)
{
	int fd = dial();
	struct reply *reply = exchange(fd, text);
	close(fd);
	return reply;
}

void put(int fd, const char *member, const char *form)
{
	char text[512];
	snprintf(text, sizeof text,
		"PUT /api/v1/focuser/0/%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
		"application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n\r\n%s",
		member, strlen(form), form);
	say(fd, text);
}
