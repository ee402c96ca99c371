/* SPDX-License-Identifier: MIT */
/* A device known by its UniqueID whose server is not where the configuration says: it is searched for, over a real
 * socket in the loopback network.  Searches through the whole server are in tests/http/test_alpaca.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "alpaca_client.h"
#include "alpaca_find.h"
#include "alpaca_search.h"
#include "alpaca_upstream.h"

struct answerer {
	int fd, port;
	char text[64];
	pthread_t thread;
};

/* Answers one search, as a server does; garbage first, which is to be passed over. */
static void *answer(void *arg)
{
	struct answerer *a = arg;
	char heard[64];
	struct sockaddr_storage from;
	socklen_t len = sizeof from;
	ssize_t n = recvfrom(a->fd, heard, sizeof heard, 0, (struct sockaddr *)&from, &len);
	/* Alpaca API reference, chapter 4: these are the words. */
	if (n >= 16 && memcmp(heard, "alpacadiscovery1", 16) == 0) {
		sendto(a->fd, "{}", 2, 0, (struct sockaddr *)&from, len);
		sendto(a->fd, a->text, strlen(a->text), 0, (struct sockaddr *)&from, len);
	}
	return NULL;
}

static void answerer_start(struct answerer *a, int http_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
	socklen_t len = sizeof address;
	a->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(a->fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(getsockname(a->fd, (struct sockaddr *)&address, &len), 0);
	a->port = ntohs(address.sin_port);
	snprintf(a->text, sizeof a->text, "{\"AlpacaPort\":%d}", http_port);
	assert_int_equal(pthread_create(&a->thread, NULL, answer, a), 0);
}

static void test_found_where_it_is_and_not_where_it_was(void **state)
{
	(void)state;
	struct upstream server = {.clock = clock_real()};
	upstream_start(&server);
	struct answerer a;
	answerer_start(&a, server.port);
	struct driver_host host = {.clock = clock_real(), .source = "camera.0", .urgent_fd = -1};
	struct alpaca_client client;
	struct err err = {.text = ""};
	/* Port 1 (tcpmux) has no server on a machine of these days; "c-1" is the camera of alpaca_upstream.c. */
	assert_int_equal(alpaca_client_open(&client, "camera", "127.0.0.1:1/7", "C-1", &host, &err), ERR_OK);
	client.place.discovery_port = a.port;
	if (alpaca_find(&client, clock_now_ms(clock_real()) + 5000, &err) != ERR_OK) {
		fail_msg("%s", err.text);
	}
	assert_int_equal(client.number, 0);
	assert_string_equal(client.unique_id, "c-1");
	char name[64];
	snprintf(name, sizeof name, "127.0.0.1:%d", server.port);
	assert_string_equal(alpaca_http_name(client.http), name);
	alpaca_client_close(&client);
	pthread_join(a.thread, NULL);
	close(a.fd);
	upstream_stop(&server);
}

/* The server is where it was, and has lost the device: nobody answers the search either, and the sentence says what was
 * looked for. */
static void test_nowhere(void **state)
{
	(void)state;
	struct upstream server = {.clock = clock_real()};
	upstream_start(&server);
	struct answerer a;
	answerer_start(&a, 1);
	struct driver_host host = {.clock = clock_real(), .source = "camera.0", .urgent_fd = -1};
	struct alpaca_client client;
	struct err err = {.text = ""};
	char port[64];
	snprintf(port, sizeof port, "127.0.0.1:%d", server.port);
	assert_int_equal(alpaca_client_open(&client, "camera", port, "gone-4711", &host, &err), ERR_OK);
	client.place.discovery_port = a.port;
	assert_int_equal(alpaca_find(&client, clock_now_ms(clock_real()) + 600, &err), ERR_TIMEOUT);
	assert_non_null(strstr(err.text, "gone-4711"));
	assert_null(client.http);
	alpaca_client_close(&client);
	pthread_join(a.thread, NULL);
	close(a.fd);
	upstream_stop(&server);
}

/* An interface that hears a group of IPv6, its number; 0 when this machine has none. */
static unsigned find_link(void)
{
	struct ifaddrs *all = NULL;
	unsigned link = 0;
	assert_int_equal(getifaddrs(&all), 0);
	for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
		bool usable = one->ifa_addr != NULL && one->ifa_addr->sa_family == AF_INET6 &&
			      (one->ifa_flags & IFF_UP) && (one->ifa_flags & IFF_MULTICAST);
		link = usable && link == 0 ? if_nametoindex(one->ifa_name) : link;
	}
	freeifaddrs(all);
	return link;
}

/* A server that hears the group of IPv6 only (Alpaca API reference, chapter 4: ff12::a1:9aca) is found, under an
 * address that names the link. */
static void test_a_server_with_ipv6_alone(void **state)
{
	(void)state;
	struct ipv6_mreq group = {.ipv6mr_interface = find_link()};
	if (group.ipv6mr_interface == 0) {
		skip();
	}
	struct sockaddr_in6 address = {.sin6_family = AF_INET6};
	socklen_t len = sizeof address;
	int on = 1;
	struct answerer a = {.fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), .text = "{\"AlpacaPort\":4711}"};
	inet_pton(AF_INET6, "ff12::a1:9aca", &group.ipv6mr_multiaddr);
	assert_int_equal(setsockopt(a.fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on), 0);
	assert_int_equal(setsockopt(a.fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof group), 0);
	assert_int_equal(bind(a.fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(getsockname(a.fd, (struct sockaddr *)&address, &len), 0);
	assert_int_equal(pthread_create(&a.thread, NULL, answer, &a), 0);
	struct driver_host host = {.clock = clock_real(), .source = "camera.0", .urgent_fd = -1};
	struct alpaca_search *search = NULL;
	struct alpaca_found found;
	struct err err = {.text = ""};
	int64_t until_ms = clock_now_ms(clock_real()) + 5000;
	assert_int_equal(alpaca_search_begin(ntohs(address.sin6_port), &host, &search, &err), ERR_OK);
	assert_int_equal(alpaca_search_next(search, until_ms, &found, &err), ERR_OK);
	assert_int_equal(found.port, 4711);
	char *at = strchr(found.server, '%');
	assert_non_null(at);
	assert_int_equal(if_nametoindex(at + 1), group.ipv6mr_interface);
	assert_memory_equal(found.server, "fe80:", 5);
	/* The library behind the requests understands such an address: it gets as far as the port, where nobody is. */
	struct alpaca_http *http = NULL;
	assert_int_equal(alpaca_http_create(found.server, 1, &host, &http, &err), ERR_OK);
	struct alpaca_request request = {
		.path = "/", .fields = "", .deadline_ms = clock_now_ms(clock_real()) + 5000};
	struct alpaca_response response;
	assert_int_equal(alpaca_http_call(http, &request, &response, &err), ERR_IO);
	assert_non_null(strstr(err.text, "port 1"));
	alpaca_http_destroy(http);
	alpaca_search_end(search);
	pthread_join(a.thread, NULL);
	close(a.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found_where_it_is_and_not_where_it_was),
		cmocka_unit_test(test_nowhere),
		cmocka_unit_test(test_a_server_with_ipv6_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
