/* SPDX-License-Identifier: MIT */
/* The HTTP server over loopback sockets: requests and replies, whole, odd and hostile. */
#include "http_rig.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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
	assert_int_equal(http_server_start(&options, rig_handle, NULL, &other, &err), ERR_IO);
	assert_non_null(strstr(err.text, "another"));
	options.bind = "pier";
	assert_int_equal(http_server_start(&options, rig_handle, NULL, &other, &err), ERR_INVALID_VALUE);
	assert_non_null(strstr(err.text, "IP address"));
	/* One that is taken among others that are free: nothing is left open. */
	options.bind = "127.0.0.2, 127.0.0.1, 127.0.0.3";
	assert_int_equal(http_server_start(&options, rig_handle, NULL, &other, &err), ERR_IO);
	assert_non_null(strstr(err.text, "of 127.0.0.1:"));
	options.bind = "127.0.0.2, 127.0.0.3";
	assert_int_equal(http_server_start(&options, rig_handle, NULL, &other, &err), ERR_OK);
	assert_int_equal(http_server_port(other), http_server_port(server));
	assert_true(http_server_is_open(other) && http_server_is_loopback(other));
	http_server_stop(other);
	options = (struct http_options){.bind = ""};
	assert_int_equal(http_server_start(&options, rig_handle, NULL, &other, &err), ERR_OK);
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
	assert_int_equal(http_server_start(&options, rig_handle, NULL, &other, &err), ERR_OK);
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
	assert_int_equal(http_server_start(&options, rig_handle, NULL, &other, &err), ERR_OK);
	assert_false(http_server_is_open(other));
	assert_int_equal(http_server_port(other), 0);
	http_server_stop(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(plain_requests),
		RIG_TEST(bodies),
		RIG_TEST(framing_that_contradicts_itself),
		RIG_TEST(browsers_of_strangers),
		RIG_TEST_IMPATIENT(junk_requests),
		RIG_TEST(images_travel_whole),
		RIG_TEST(ports_and_addresses),
		RIG_TEST(several_addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
