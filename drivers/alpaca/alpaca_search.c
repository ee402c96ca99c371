/* SPDX-License-Identifier: MIT */
#include "alpaca_search.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "json.h"
#include "moment.h"

/* Alpaca API Reference, chapter 4: the words and the version of the protocol. */
static const char question[] = "alpacadiscovery1";
/* Where the loopback network hears a broadcast: Linux routes all of 127.0.0.0/8 there. */
#define LOOPBACK_BROADCAST "127.255.255.255"
/* An answer is one short object; anything longer is none. */
#define ANSWER_MAX 1024
/* How often a wait looks whether something is urgent, without a descriptor that says it. */
#define SLICE_MS 20

struct alpaca_search {
	const struct driver_host *host;
	int fd;
	struct sockaddr_in seen[ALPACA_SEARCH_SERVERS]; /* address, and HTTP port */
	int seen_count;
};

int alpaca_search_port(struct span datagram)
{
	struct json *json = datagram.len <= ANSWER_MAX ? json_parse(datagram, NULL) : NULL;
	const struct json *port_json = NULL;
	int32_t port = 0;
	if (json != NULL && json_is_object(json)) {
		port_json = json_get_nocase(json, "AlpacaPort");
	}
	if (port_json == NULL || !json_as_i32(port_json, &port) || port < 1 || port > 65535) {
		port = 0;
	}
	json_free(json);
	return port;
}

/* What cannot be sent to one network is no reason not to ask the others. */
static bool send_to(const struct alpaca_search *search, struct in_addr address, int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = address};
	return sendto(search->fd, question, sizeof question - 1, 0, (struct sockaddr *)&to, sizeof to) > 0;
}

/* The broadcast address of each network; that of the loopback network has none of its own. */
static bool send_everywhere(const struct alpaca_search *search, int port)
{
	struct in_addr loopback;
	inet_pton(AF_INET, LOOPBACK_BROADCAST, &loopback);
	bool sent = send_to(search, loopback, port);
	struct ifaddrs *all = NULL;
	if (getifaddrs(&all) != 0) {
		return sent;
	}
	for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
		bool usable = one->ifa_addr != NULL && one->ifa_addr->sa_family == AF_INET &&
			      (one->ifa_flags & IFF_UP) && (one->ifa_flags & IFF_BROADCAST) &&
			      one->ifa_broadaddr != NULL;
		if (usable) {
			struct sockaddr_in address;
			memcpy(&address, one->ifa_broadaddr, sizeof address);
			sent |= send_to(search, address.sin_addr, port);
		}
	}
	freeifaddrs(all);
	return sent;
}

enum err_code alpaca_search_begin(int discovery_port, const struct driver_host *host, struct alpaca_search **out,
	struct err *err)
{
	struct alpaca_search *search = calloc(1, sizeof *search);
	if (search == NULL) {
		return err_set(err, ERR_NOMEM, "no memory for a search");
	}
	search->host = host;
	search->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;
	if (search->fd < 0 || setsockopt(search->fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on) != 0 ||
		!send_everywhere(search, discovery_port)) {
		int why = errno;
		alpaca_search_end(search);
		return err_set(err, ERR_IO, "cannot search the network for Alpaca servers: %s", strerror(why));
	}
	*out = search;
	return ERR_OK;
}

/* Whether this answer is news. */
static bool note_seen(struct alpaca_search *search, const struct sockaddr_in *from, int port)
{
	for (int i = 0; i < search->seen_count; i++) {
		const struct sockaddr_in *seen = &search->seen[i];
		if (seen->sin_addr.s_addr == from->sin_addr.s_addr && ntohs(seen->sin_port) == port) {
			return false;
		}
	}
	if (search->seen_count == ALPACA_SEARCH_SERVERS) {
		return false;
	}
	struct sockaddr_in *next = &search->seen[search->seen_count++];
	*next = *from;
	next->sin_port = htons((uint16_t)port);
	return true;
}

/* Takes what has arrived; false when there is nothing more at this moment. */
static bool receive(struct alpaca_search *search, struct alpaca_found *out)
{
	char datagram[ANSWER_MAX + 1];
	struct sockaddr_in from = {.sin_family = AF_INET};
	socklen_t from_len = sizeof from;
	ssize_t got;
	while ((got = recvfrom(search->fd, datagram, sizeof datagram, 0, (struct sockaddr *)&from, &from_len)) >= 0) {
		int port = alpaca_search_port((struct span){datagram, (size_t)got});
		if (port > 0 && note_seen(search, &from, port)) {
			inet_ntop(AF_INET, &from.sin_addr, out->server, sizeof out->server);
			out->port = port;
			return true;
		}
	}
	return false;
}

enum err_code alpaca_search_next(struct alpaca_search *search, int64_t until_ms, struct alpaca_found *out,
	struct err *err)
{
	const struct driver_host *host = search->host;
	*out = (struct alpaca_found){.port = 0};
	while (!receive(search, out)) {
		int64_t left = until_ms - real_ms();
		if (host->urgent != NULL && host->urgent(host->urgent_ctx)) {
			return err_set(err, ERR_CANCELLED, "the search was given up: something urgent came up");
		}
		if (left <= 0) {
			return ERR_OK;
		}
		bool by_fd = host->urgent != NULL && host->urgent_fd >= 0;
		struct pollfd fds[2] = {
			{.fd = search->fd, .events = POLLIN},
			{.fd = by_fd ? host->urgent_fd : -1, .events = POLLIN},
		};
		bool sliced = host->urgent != NULL && !by_fd && left > SLICE_MS;
		(void)poll(fds, 2, (int)(sliced ? SLICE_MS : left));
	}
	return ERR_OK;
}

void alpaca_search_end(struct alpaca_search *search)
{
	if (search != NULL) {
		if (search->fd >= 0) {
			close(search->fd);
		}
		free(search);
	}
}
