/* SPDX-License-Identifier: MIT */
/* Discovery over the loopback interface, on a port of the moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "discovery.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int free_udp_port(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof any;
	assert_int_equal(bind(fd, (const struct sockaddr *)&any, sizeof any), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &len), 0);
	close(fd);
	return ntohs(any.sin_port);
}

static void discovery_answers(void **state)
{
	(void)state;
	int port = free_udp_port();
	struct discovery *first = NULL;
	struct discovery *second = NULL;
	struct discovery *elsewhere = NULL;
	struct err err;
	assert_int_equal(discovery_start(port, 11111, true, &first, &err), ERR_OK);
	/* Another Alpaca server of this host shares the port, and broadcasts reach both. */
	assert_int_equal(discovery_start(port, 22222, true, &second, &err), ERR_OK);
	/* This one's HTTP server listens where the request does not arrive. */
	assert_int_equal(
		discovery_start_for("127.0.0.2", port, 33333, true, &elsewhere, &err), ERR_OK);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int on = 1;
	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
	struct timeval patience = {.tv_sec = 60};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	inet_pton(AF_INET, "127.255.255.255", &to.sin_addr);
	static char rubbish[2000];
	memset(rubbish, 'a', sizeof rubbish);
	const struct {
		const char *data;
		size_t len;
	} sent[] = {{"alpacadiscovery", 15}, {"hello", 5}, {rubbish, sizeof rubbish}, {"", 0},
		{"alpacadiscovery1", 16}};
	for (size_t i = 0; i < COUNT(sent); i++) {
		assert_true(sendto(fd, sent[i].data, sent[i].len, 0, (const struct sockaddr *)&to,
				    sizeof to) == (ssize_t)sent[i].len);
	}
	/* Datagrams of one sender stay in order, so the first answers are to the last request. */
	int seen = 0;
	for (int i = 0; i < 2; i++) {
		char reply[64] = "";
		struct sockaddr_in from;
		socklen_t len = sizeof from;
		assert_true(recvfrom(fd, reply, sizeof reply - 1, 0, (struct sockaddr *)&from,
				    &len) > 0);
		assert_int_equal(ntohl(from.sin_addr.s_addr), INADDR_LOOPBACK);
		assert_int_equal(ntohs(from.sin_port), port);
		seen += strcmp(reply, "{\"AlpacaPort\":11111}") == 0 ? 1 : 0;
		seen += strcmp(reply, "{\"AlpacaPort\":22222}") == 0 ? 10 : 0;
	}
	assert_int_equal(seen, 11);
	discovery_stop(first);
	discovery_stop(second);
	discovery_stop(elsewhere);
	char c;
	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
	close(fd);
	/* A port held by somebody who does not share is no reason to fail. */
	int holder = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	assert_int_equal(bind(holder, (const struct sockaddr *)&any, sizeof any), 0);
	assert_int_equal(discovery_start(port, 11111, true, &first, &err), ERR_OK);
	discovery_stop(first);
	close(holder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(discovery_answers)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
