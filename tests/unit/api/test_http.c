/* SPDX-License-Identifier: MIT */
/* The HTTP server over loopback sockets, with Alpaca behind it and a core in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "alpaca.h"
#include "clock.h"
#include "events.h"
#include "fake_core.h"

#define IMPATIENT_MS 200
#define BLOCK_MS (5 * IMPATIENT_MS)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct fake *fake;
static struct alpaca *alpaca;
static struct http_server *server;
static struct http_server *_Atomic woken; /* for the listener, also before the server is there */

/* Streams under /stream: one line per publication, until stream_over. */
static _Atomic int stream_lines, stream_over, stream_releases, stream_sleeps;

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

/* What no handler should do: holds its thread for several times the request timeout of setup_impatient(). */
static _Atomic int blocked;

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

static enum http_result handle(void *arg, const struct http_request *req, struct http_response *res)
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
	if (http_server_start(&options, handle, NULL, &server, &err) != ERR_OK) {
		print_error("%s\n", err.text);
		return -1;
	}
	woken = server;
	return 0;
}

static int setup(void **state)
{
	(void)state;
	return start(0);
}

static int setup_impatient(void **state)
{
	(void)state;
	return start(IMPATIENT_MS);
}

static void stop(void)
{
	woken = NULL;
	http_server_stop(server);
	server = NULL;
}

static int teardown(void **state)
{
	(void)state;
	if (server != NULL) {
		stop();
	}
	alpaca_destroy(alpaca);
	fake_free(fake);
	return 0;
}

/* ---- a client ---- */

static int dial(void)
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

static void say(int fd, const char *text)
{
	size_t len = strlen(text);
	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
		assert_true(n > 0);
		text += n;
		len -= (size_t)n;
	}
}

struct reply {
	int status;
	char head[2048];
	char body[70000];
	size_t len;
	bool closed; /* the server closed before a whole reply came */
};

static bool read_byte(int fd, char *out)
{
	ssize_t n;
	do {
		n = recv(fd, out, 1, 0);
	} while (n < 0 && errno == EINTR);
	/* Running out of patience is not an end. */
	assert_true(n >= 0 || errno == ECONNRESET);
	return n == 1;
}

/* Reads one reply; has_body false after HEAD. */
static struct reply *hear(int fd, bool has_body)
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

static bool is_closed(int fd)
{
	char c;
	return !read_byte(fd, &c);
}

static struct reply *exchange(int fd, const char *text)
{
	say(fd, text);
	return hear(fd, strncmp(text, "HEAD", 4) != 0);
}

static struct reply *once(const char *text)
{
	int fd = dial();
	struct reply *reply = exchange(fd, text);
	close(fd);
	return reply;
}

#define GET_POSITION "GET /api/v1/focuser/0/position HTTP/1.1\r\nHost: localhost\r\n\r\n"

static void put(int fd, const char *member, const char *form)
{
	char text[512];
	snprintf(text, sizeof text,
		"PUT /api/v1/focuser/0/%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
		"application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n\r\n%s",
		member, strlen(form), form);
	say(fd, text);
}

/* ---- tests ---- */

static void plain_requests(void **state)
{
	(void)state;
	int fd = dial();
	for (int i = 0; i < 3; i++) { /* kept alive */
		struct reply *reply = exchange(fd, GET_POSITION);
		assert_int_equal(reply->status, 200);
		assert_non_null(strstr(reply->head, "Content-Type: application/json\r\n"));
		assert_non_null(strstr(reply->body, "{\"Value\":12500,"));
	}
	struct reply *reply =
		exchange(fd, "HEAD /api/v1/focuser/0/position HTTP/1.1\r\nHost: x.local\r\n\r\n");
	assert_int_equal(reply->status, 403);
	reply = exchange(fd, "HEAD /api/v1/focuser/0/position HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_int_equal(reply->status, 200);
	/* Two in one packet. */
	say(fd, GET_POSITION GET_POSITION);
	assert_int_equal(hear(fd, true)->status, 200);
	assert_int_equal(hear(fd, true)->status, 200);
	reply = exchange(fd, "GET /echo??ClientID=5&x=%20 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n");
	assert_string_equal(reply->body, "/echo|ClientID=5&x=%20||127.0.0.1\n");
	reply = exchange(fd, "GET /%65cho HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
	assert_string_equal(reply->body, "/echo|||127.0.0.1\n");
	reply = exchange(fd, "GET /echo%00x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
	assert_int_equal(reply->status, 400);
	reply = exchange(fd, "GET /static HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
	assert_string_equal(reply->body, "fixed");
	assert_non_null(strstr(reply->head, "X-Test: a??b\r\n"));
	reply = exchange(fd, "GET /none HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
	assert_int_equal(reply->status, 404);
	assert_null(strcasestr(reply->head, "Access-Control"));
	close(fd);
	/* HTTP/1.0 without Host, as some clients speak it. */
	fd = dial();
	reply = exchange(
		fd, "GET /api/v1/focuser/0/position HTTP/1.0\r\nConnection: close\r\n\r\n");
	assert_int_equal(reply->status, 200);
	assert_non_null(strstr(reply->head, "Content-Length: "));
	assert_true(is_closed(fd));
	close(fd);
	uint64_t counts[6];
	http_server_counts(server, counts);
	assert_int_equal(counts[2], 10);
	assert_int_equal(counts[4], 3);
}

static void bodies(void **state)
{
	(void)state;
	int fd = dial();
	put(fd, "move", "ClientTransactionID=7&ClientID=1&Position=5");
	struct reply *reply = hear(fd, true);
	assert_non_null(strstr(reply->body, "{\"ClientTransactionID\":7,"));
	/* Errors are answered after the body was read: the connection goes on. */
	put(fd, "nonsense", "Position=5");
	assert_int_equal(hear(fd, true)->status, 400);
	put(fd, "position", "Position=5");
	reply = hear(fd, true);
	assert_int_equal(reply->status, 405);
	assert_non_null(strstr(reply->head, "Allow: GET\r\n"));
	/* Expect with the body held back. */
	say(fd, "PUT /api/v1/focuser/0/move HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
		"Content-Length: 10\r\n\r\n");
	assert_int_equal(hear(fd, false)->status, 100);
	say(fd, "Position=6");
	assert_int_equal(hear(fd, true)->status, 200);
	/* Chunked. */
	say(fd, "PUT /api/v1/focuser/0/move HTTP/1.1\r\nHost: localhost\r\n"
		"Transfer-Encoding: chunked\r\n\r\n5\r\nPosit\r\n5\r\nion=7\r\n0\r\n\r\n");
	assert_int_equal(hear(fd, true)->status, 200);
	fake_lock();
	assert_int_equal(fake->device[0].target, 7);
	assert_int_equal(fake->device[0].moves, 3);
	fake_unlock();
	/* 200 kB of parameters: read to the end and refused, and the connection lives. */
	say(fd, "PUT /api/v1/focuser/0/action HTTP/1.1\r\nHost: localhost\r\n"
		"Content-Length: 200000\r\n\r\n");
	static char kilobyte[1001];
	memset(kilobyte, 'a', 1000);
	for (int i = 0; i < 200; i++) {
		say(fd, kilobyte);
	}
	reply = hear(fd, true);
	assert_int_equal(reply->status, 413);
	assert_non_null(strstr(reply->head, "text/plain"));
	assert_int_equal(exchange(fd, GET_POSITION)->status, 200);
	close(fd);
	reply = once("PUT /api/v1/focuser/0/action HTTP/1.1\r\nHost: localhost\r\n"
		     "Content-Length: 99999999999\r\n\r\n");
	assert_int_equal(reply->status, 413);
}

static void framing_that_contradicts_itself(void **state)
{
	(void)state;
	static const char *const bad[] = {"Content-Length: 5\r\nContent-Length: 6\r\n",
		"Content-Length: 5\r\nContent-Length: 5\r\n",
		"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
		"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "Content-Length: -1\r\n",
		"Content-Length: 5x\r\n", "Content-Length: 99999999999999999999999\r\n"};
	for (size_t i = 0; i < COUNT(bad); i++) {
		char text[256];
		snprintf(text, sizeof text,
			"PUT /api/v1/focuser/0/halt HTTP/1.1\r\nHost: localhost\r\n%s\r\n", bad[i]);
		int fd = dial();
		struct reply *reply = exchange(fd, text);
		assert_true(reply->status == 400 || reply->status == 413);
		close(fd);
	}
	fake_lock();
	assert_int_equal(fake->device[0].halts, 0);
	fake_unlock();
}

static void browsers_of_strangers(void **state)
{
	(void)state;
	static const struct {
		const char *verb, *headers;
		int status;
	} cases[] = {
		{"GET", "Host: evil.example\r\n", 403},
		{"GET", "Host: pier.lan:11111\r\n", 200},
		{"GET", "Host: localhost\r\nOrigin: http://evil.example\r\n", 403},
		{"PUT", "Host: localhost\r\n", 200},
		{"PUT", "Host: localhost:5\r\nOrigin: http://localhost:5\r\n", 200},
		{"PUT", "Host: localhost\r\nOrigin: http://evil.example\r\n", 403},
		{"PUT", "Host: localhost\r\nOrigin: null\r\n", 403},
		{"PUT", "Host: localhost\r\nSec-Fetch-Site: cross-site\r\n", 403},
		{"POST", "Host: localhost\r\nOrigin: http://evil.example\r\n", 403},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[256];
		bool is_get = strcmp(cases[i].verb, "GET") == 0;
		snprintf(text, sizeof text,
			"%s /api/v1/focuser/0/%s HTTP/1.1\r\n%sContent-Length: 0\r\n\r\n",
			cases[i].verb, is_get ? "position" : "halt", cases[i].headers);
		assert_int_equal(once(text)->status, cases[i].status);
	}
	fake_lock();
	assert_int_equal(fake->device[0].halts, 2);
	fake_unlock();
}

static void junk_requests(void **state)
{
	(void)state;
	static const char *const junk[] = {"\r\n\r\n\r\n", "GET\r\n\r\n",
		"\x16\x03\x01\x02\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
		"GET  HTTP/1.1\r\nHost: a\r\n\r\n", "FOO BAR BAZ QUX\r\n\r\n",
		"GET /%%%%%2e%2e/%ff%fe?%ff=%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET /api/v1/focuser/0/\x01\x02 HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"PUT /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET http://evil/ HTTP/1.1\r\nHost: localhost\r\n\r\n"};
	for (size_t i = 0; i < COUNT(junk); i++) {
		int fd = dial();
		say(fd, junk[i]);
		shutdown(fd, SHUT_WR);
		struct reply *reply = hear(fd, true);
		assert_true(reply->closed || reply->status >= 400);
		close(fd);
	}
	/* A header larger than the connection's memory. */
	int fd = dial();
	say(fd, "GET / HTTP/1.1\r\nHost: localhost\r\nX: ");
	static char many[20001];
	memset(many, 'x', 20000);
	send(fd, many, 20000, MSG_NOSIGNAL);
	struct reply *reply = hear(fd, true);
	assert_true(reply->closed || reply->status >= 400);
	close(fd);
	assert_int_equal(once(GET_POSITION)->status, 200);
}

static void waiting_holds_no_thread(void **state)
{
	(void)state;
	struct device *dev = &fake->device[0];
	dev->connected = false;
	dev->hold_connect = true;
	int fds[8];
	/* More waiting calls than threads. */
	for (size_t i = 0; i < COUNT(fds); i++) {
		fds[i] = dial();
		put(fds[i], "connected", "Connected=True");
	}
	for (int i = 0; i < 20; i++) {
		struct reply *reply =
			once("GET /api/v1/focuser/0/connected HTTP/1.1\r\nHost: localhost\r\n\r\n");
		assert_non_null(strstr(reply->body, "{\"Value\":false,"));
		events_publish(fake->events); /* news that is not for them */
	}
	fake_finish_connect(fake, dev, ERR_OK);
	for (size_t i = 0; i < COUNT(fds); i++) {
		/* A PUT that came only now starts over and is over at once. */
		fake_lock();
		dev->hold_connect = false;
		fake_unlock();
		struct reply *reply = hear(fds[i], true);
		assert_int_equal(reply->status, 200);
		close(fds[i]);
	}
	/* A deadline resumes as well. */
	int fd = dial();
	put(fd, "action", "Action=Autofocus");
	assert_int_equal(hear(fd, true)->status, 200);
	put(fd, "action", "Action=AutofocusWait&Parameters=0.05");
	assert_non_null(strstr(hear(fd, true)->body, "still running"));
	close(fd);
}

static void stopping_ends_what_waits(void **state)
{
	(void)state;
	fake->device[0].hold_connect = true;
	fake->device[0].connected = false;
	int waiting = dial();
	put(waiting, "connected", "Connected=True");
	int stream = dial();
	say(stream, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_int_equal(hear(stream, false)->status, 200);
	int idle = dial();
	assert_int_equal(exchange(idle, GET_POSITION)->status, 200);
	int half = dial();
	say(half, "GET /api");
	/* The waiting one is surely inside: its device was asked to connect. */
	for (bool asked = false; !asked;) {
		assert_int_equal(exchange(idle, GET_POSITION)->status, 200);
		fake_lock();
		asked = fake->device[0].link == LINK_OPENING;
		fake_unlock();
	}
	stop();
	struct reply *reply = hear(waiting, true);
	assert_true(reply->closed || reply->status == 503);
	close(waiting);
	close(stream);
	close(idle);
	close(half);
	assert_int_equal(stream_releases, 1);
}

static void streams_are_woken(void **state)
{
	(void)state;
	int fd = dial();
	say(fd, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
	struct reply *reply = hear(fd, false);
	assert_int_equal(reply->status, 200);
	assert_non_null(strstr(reply->head, "chunked"));
	for (int i = 0; i < 50; i++) {
		stream_lines++;
		events_publish(fake->events);
		char c = '\0';
		/* One chunk: "5\r\nline\n\r\n". */
		while (c != 'e') {
			assert_true(read_byte(fd, &c));
		}
		for (int k = 0; k < 3; k++) {
			assert_true(read_byte(fd, &c));
		}
	}
	/* Asleep in between: not asked again and again. */
	assert_true(stream_sleeps <= 110);
	stream_over = 1;
	events_publish(fake->events);
	char tail[5];
	for (int k = 0; k < 5; k++) {
		assert_true(read_byte(fd, tail + k));
	}
	assert_memory_equal(tail, "0\r\n\r\n", 5);
	/* The connection is kept: the next request runs on it. */
	assert_int_equal(exchange(fd, GET_POSITION)->status, 200);
	assert_int_equal(stream_releases, 1);
	close(fd);
}

static void slow_senders_starve_nobody(void **state)
{
	(void)state;
	int fds[60];
	for (size_t i = 0; i < COUNT(fds); i++) {
		fds[i] = dial();
		say(fds[i], i % 2 == 0
				    ? "G"
				    : "PUT /api/v1/focuser/0/move HTTP/1.1\r\nHost: localhost\r\n"
				      "Content-Length: 100\r\n\r\nPos");
	}
	int fd = dial();
	for (int i = 0; i < 200; i++) {
		assert_int_equal(exchange(fd, GET_POSITION)->status, 200);
	}
	close(fd);
	for (size_t i = 0; i < COUNT(fds); i++) {
		close(fds[i]);
	}
}

/* With a request timeout of 0.2 s: whoever dribbles is closed, whoever is idle is not. */
static void dribblers_are_closed(void **state)
{
	(void)state;
	int idle = dial();
	assert_int_equal(exchange(idle, GET_POSITION)->status, 200);
	int fresh = dial();
	int header = dial();
	int body = dial();
	int second = dial();
	assert_int_equal(exchange(second, GET_POSITION)->status, 200);
	say(header, "GET /echo HTTP/1.1\r\nX: ");
	say(body, "PUT /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n");
	int *const dribblers[] = {&header, &body, &second};
	int open = 3;
	while (open > 0) {
		/* The idle connection's round trips pace the loop. */
		assert_int_equal(exchange(idle, GET_POSITION)->status, 200);
		for (size_t i = 0; i < COUNT(dribblers); i++) {
			char c;
			int fd = *dribblers[i];
			if (fd < 0) {
				continue;
			}
			send(fd, "x", 1, MSG_NOSIGNAL);
			ssize_t n = recv(fd, &c, 1, MSG_DONTWAIT);
			if (n == 0 || (n < 0 && errno != EAGAIN) || n > 0) {
				close(fd);
				*dribblers[i] = -1;
				open--;
			}
		}
	}
	assert_int_equal(exchange(idle, GET_POSITION)->status, 200);
	/* Who never said a word goes, too; who has asked once may be silent. */
	char c;
	assert_int_equal(recv(fresh, &c, 1, 0), 0);
	assert_int_equal(exchange(idle, GET_POSITION)->status, 200);
	close(idle);
	close(fresh);
}

/* Requests that came whole while every thread of the server was held are answered afterwards, however long that
 * was, and nobody is cut. */
static void requests_behind_a_held_thread_are_answered(void **state)
{
	(void)state;
	int holders[4];
	int fd[8];
	blocked = 0;
	for (size_t i = 0; i < COUNT(holders); i++) {
		holders[i] = dial();
	}
	for (size_t i = 0; i < COUNT(fd); i++) {
		fd[i] = dial();
		assert_int_equal(exchange(fd[i], GET_POSITION)->status, 200);
	}
	for (size_t i = 0; i < COUNT(holders); i++) {
		say(holders[i], "GET /blocks HTTP/1.1\r\nHost: localhost\r\n\r\n");
	}
	for (size_t i = 0; i < COUNT(fd); i++) {
		say(fd[i], GET_POSITION);
	}
	for (size_t i = 0; i < COUNT(fd); i++) {
		struct reply *reply = hear(fd[i], true);
		assert_false(reply->closed);
		assert_int_equal(reply->status, 200);
		close(fd[i]);
	}
	for (size_t i = 0; i < COUNT(holders); i++) {
		struct reply *reply = hear(holders[i], true);
		assert_false(reply->closed);
		close(holders[i]);
	}
	assert_int_equal(blocked, COUNT(holders));
}

static void *poll_position(void *arg)
{
	int *failures = arg;
	int fd = dial();
	for (int i = 0; i < 200; i++) {
		struct reply reply_head = {.status = 0};
		say(fd, GET_POSITION);
		char text[600];
		size_t n = 0;
		while (n + 1 < sizeof text && (n == 0 || text[n - 1] != '}')) {
			if (!read_byte(fd, text + n)) {
				break;
			}
			n++;
		}
		text[n] = '\0';
		*failures += strstr(text, "{\"Value\":12500,") == NULL;
		(void)reply_head;
	}
	close(fd);
	return NULL;
}

static void many_clients(void **state)
{
	(void)state;
	pthread_t threads[8];
	int failures[8] = {0};
	for (size_t i = 0; i < COUNT(threads); i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, poll_position, &failures[i]), 0);
	}
	for (int i = 0; i < 200; i++) {
		events_publish(fake->events);
	}
	for (size_t i = 0; i < COUNT(threads); i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(failures[i], 0);
	}
}

static void images_travel_whole(void **state)
{
	(void)state;
	enum { W = 150, H = 100 };
	static uint16_t pixels[W * H];
	for (int i = 0; i < W * H; i++) {
		pixels[i] = (uint16_t)(i * 7);
	}
	struct frame_info info = {.width = W, .height = H, .planes = 1, .bin = 1};
	fake->device[1].frame = frame_create(&info, pixels);
	struct reply *reply = once("GET /api/v1/camera/0/imagearray HTTP/1.1\r\nHost: localhost\r\n"
				   "Accept: application/imagebytes\r\n\r\n");
	assert_int_equal(reply->len, 44 + 2 * W * H);
	for (int x = 0; x < W; x++) {
		for (int y = 0; y < H; y++) {
			const unsigned char *at =
				(const unsigned char *)reply->body + 44 + 2 * (x * H + y);
			assert_int_equal(at[0] | at[1] << 8, pixels[y * W + x]);
		}
	}
}

static void ports_and_addresses(void **state)
{
	(void)state;
	struct err err;
	struct http_server *other = NULL;
	assert_true(http_server_is_loopback(server));
	struct http_options options = {.bind = "127.0.0.1", .port = http_server_port(server)};
	assert_int_equal(http_server_start(&options, handle, NULL, &other, &err), ERR_IO);
	assert_non_null(strstr(err.text, "another"));
	options.bind = "pier";
	assert_int_equal(http_server_start(&options, handle, NULL, &other, &err), ERR_INVALID_VALUE);
	assert_non_null(strstr(err.text, "IP address"));
	/* One that is taken among others that are free: nothing is left open. */
	options.bind = "127.0.0.2, 127.0.0.1, 127.0.0.3";
	assert_int_equal(http_server_start(&options, handle, NULL, &other, &err), ERR_IO);
	assert_non_null(strstr(err.text, "of 127.0.0.1:"));
	options.bind = "127.0.0.2, 127.0.0.3";
	assert_int_equal(http_server_start(&options, handle, NULL, &other, &err), ERR_OK);
	assert_int_equal(http_server_port(other), http_server_port(server));
	assert_true(http_server_is_open(other) && http_server_is_loopback(other));
	http_server_stop(other);
	options = (struct http_options){.bind = ""};
	assert_int_equal(http_server_start(&options, handle, NULL, &other, &err), ERR_OK);
	assert_false(http_server_is_loopback(other));
	assert_true(http_server_port(other) > 0);
	char url[128];
	char wanted[128];
	http_server_url(other, url, sizeof url);
	snprintf(wanted, sizeof wanted, "http://127.0.0.1:%d/", http_server_port(other));
	assert_string_equal(url, wanted);
	http_server_stop(other);
}

/* Every address of a list is served, those that the library does not listen on itself, too; and an address that nobody
 * has (TEST-NET-1, RFC 5737) keeps nobody from the others. */
static void several_addresses(void **state)
{
	(void)state;
	static const char *const hosts[] = {"127.0.0.2", "127.0.0.3", "127.0.0.4"};
	struct err err;
	struct http_server *other = NULL;
	struct http_options options = {.bind = "192.0.2.7 127.0.0.2 127.0.0.3, 127.0.0.4"};
	assert_int_equal(http_server_start(&options, handle, NULL, &other, &err), ERR_OK);
	assert_true(http_server_is_open(other));
	assert_false(http_server_is_loopback(other));
	for (int round = 0; round < 100; round++) {
		for (size_t i = 0; i < COUNT(hosts); i++) {
			int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
			struct sockaddr_in to = {
				.sin_family = AF_INET, .sin_port = htons((uint16_t)http_server_port(other))};
			assert_int_equal(inet_pton(AF_INET, hosts[i], &to.sin_addr), 1);
			assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
			struct reply *reply = exchange(fd, "GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n");
			assert_string_equal(reply->body, "/echo|||127.0.0.1\n");
			close(fd);
		}
	}
	http_server_stop(other);
	/* With nothing to listen on it starts, too, and stops. */
	options.bind = "192.0.2.7";
	assert_int_equal(http_server_start(&options, handle, NULL, &other, &err), ERR_OK);
	assert_false(http_server_is_open(other));
	assert_int_equal(http_server_port(other), 0);
	http_server_stop(other);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(plain_requests),
		TEST(bodies),
		TEST(framing_that_contradicts_itself),
		TEST(browsers_of_strangers),
		cmocka_unit_test_setup_teardown(junk_requests, setup_impatient, teardown),
		TEST(waiting_holds_no_thread),
		TEST(stopping_ends_what_waits),
		TEST(streams_are_woken),
		TEST(slow_senders_starve_nobody),
		cmocka_unit_test_setup_teardown(dribblers_are_closed, setup_impatient, teardown),
		cmocka_unit_test_setup_teardown(
			requests_behind_a_held_thread_are_answered, setup_impatient, teardown),
		TEST(many_clients),
		TEST(images_travel_whole),
		TEST(ports_and_addresses),
		TEST(several_addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
