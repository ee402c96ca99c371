/* SPDX-License-Identifier: MIT */
#include "alpaca_search.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
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

/* The group that servers hear over IPv6, on each link by itself. */
#define GROUP "ff12::a1:9aca"
/* Most servers have both; the group is asked so much later, ms, that these are known by their IPv4 address, which is
 * the one that people write. */
#define GROUP_LATER_MS 250
/* So many interfaces at most are asked over IPv6. */
#define LINKS_MAX 32

struct alpaca_search {
	const struct driver_host *host;
	int fd[2];               /* IPv4, IPv6; -1 */
	int port;                /* of discovery */
	int64_t group_ms;        /* when the group is asked; CLOCK_NEVER once it was */
	struct alpaca_found seen[ALPACA_SEARCH_SERVERS];
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
static bool send_to(const struct alpaca_search *search, struct in_addr address)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)search->port), .sin_addr = address};
	return sendto(search->fd[0], question, sizeof question - 1, 0, (struct sockaddr *)&to, sizeof to) > 0;
}

/* Asks the broadcast address of each network; that of the loopback network has none of its own. */
static bool ask_networks(const struct alpaca_search *search, const struct ifaddrs *all)
{
	struct in_addr loopback;
	inet_pton(AF_INET, LOOPBACK_BROADCAST, &loopback);
	bool sent = send_to(search, loopback);
	for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
		bool usable = one->ifa_addr != NULL && one->ifa_addr->sa_family == AF_INET &&
			      (one->ifa_flags & IFF_UP) && (one->ifa_flags & IFF_BROADCAST) &&
			      one->ifa_broadaddr != NULL;
		if (usable) {
			struct sockaddr_in address;
			memcpy(&address, one->ifa_broadaddr, sizeof address);
			sent |= send_to(search, address.sin_addr);
		}
	}
	return sent;
}

/* Asks the group once on each link that has IPv6.  A machine without it is no reason for a message. */
static void ask_group(struct alpaca_search *search)
{
	struct ifaddrs *all = NULL;
	unsigned asked[LINKS_MAX];
	int count = 0;
	search->group_ms = CLOCK_NEVER;
	if (search->fd[1] < 0 || getifaddrs(&all) != 0) {
		return;
	}
	for (const struct ifaddrs *one = all; one != NULL && count < LINKS_MAX; one = one->ifa_next) {
		if (one->ifa_addr == NULL || one->ifa_addr->sa_family != AF_INET6 || !(one->ifa_flags & IFF_UP) ||
			!(one->ifa_flags & IFF_MULTICAST)) {
			continue;
		}
		struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)search->port),
			.sin6_scope_id = if_nametoindex(one->ifa_name)};
		inet_pton(AF_INET6, GROUP, &to.sin6_addr);
		int i = 0;
		while (i < count && asked[i] != to.sin6_scope_id) {
			i++;
		}
		if (i == count) {
			asked[count++] = to.sin6_scope_id;
			(void)sendto(search->fd[1], question, sizeof question - 1, 0, (struct sockaddr *)&to,
				sizeof to);
		}
	}
	freeifaddrs(all);
}

enum err_code alpaca_search_begin(int discovery_port, const struct driver_host *host, struct alpaca_search **out,
	struct err *err)
{
	struct alpaca_search *search = calloc(1, sizeof *search);
	if (search == NULL) {
		return err_set(err, ERR_NOMEM, "no memory for a search");
	}
	search->host = host;
	search->port = discovery_port;
	search->group_ms = real_ms() + GROUP_LATER_MS;
	search->fd[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	search->fd[1] = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;
	struct ifaddrs *all = NULL;
	(void)getifaddrs(&all);
	bool asked = search->fd[0] >= 0 &&
		     setsockopt(search->fd[0], SOL_SOCKET, SO_BROADCAST, &on, sizeof on) == 0 &&
		     ask_networks(search, all);
	int why = errno;
	freeifaddrs(all);
	if (!asked && search->fd[1] < 0) {
		alpaca_search_end(search);
		return err_set(err, ERR_IO, "cannot search the network for Alpaca servers: %s", strerror(why));
	}
	*out = search;
	return ERR_OK;
}

/* Whether this answer is news. */
static bool note_seen(struct alpaca_search *search, const struct alpaca_found *found)
{
	for (int i = 0; i < search->seen_count; i++) {
		const struct alpaca_found *seen = &search->seen[i];
		if (seen->port == found->port && strcmp(seen->server, found->server) == 0) {
			return false;
		}
	}
	if (search->seen_count == ALPACA_SEARCH_SERVERS) {
		return false;
	}
	search->seen[search->seen_count++] = *found;
	return true;
}

/* The address in numbers; one that is good on one link only names its interface, as in fe80::1%eth0. */
static void name_address(const struct sockaddr_storage *from, socklen_t len, struct alpaca_found *out)
{
	if (getnameinfo((const struct sockaddr *)from, len, out->server, sizeof out->server, NULL, 0,
		NI_NUMERICHOST) != 0) {
		out->server[0] = '\0';
	}
}

/* Takes what has arrived; false when there is nothing more at this moment. */
static bool receive(struct alpaca_search *search, struct alpaca_found *out)
{
	for (int i = 0; i < 2; i++) {
		char datagram[ANSWER_MAX + 1];
		struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
		socklen_t from_len = sizeof from;
		ssize_t got;
		while (search->fd[i] >= 0 && (got = recvfrom(search->fd[i], datagram, sizeof datagram, 0,
			(struct sockaddr *)&from, &from_len)) >= 0) {
			out->port = alpaca_search_port((struct span){datagram, (size_t)got});
			name_address(&from, from_len, out);
			from_len = sizeof from;
			if (out->port > 0 && out->server[0] != '\0' && note_seen(search, out)) {
				return true;
			}
		}
	}
	*out = (struct alpaca_found){.port = 0};
	return false;
}

enum err_code alpaca_search_next(struct alpaca_search *search, int64_t until_ms, struct alpaca_found *out,
	struct err *err)
{
	const struct driver_host *host = search->host;
	while (!receive(search, out)) {
		int64_t now = real_ms();
		if (host->urgent != NULL && host->urgent(host->urgent_ctx)) {
			return err_set(err, ERR_CANCELLED, "the search was given up: something urgent came up");
		}
		if (now >= until_ms) {
			return ERR_OK;
		}
		if (now >= search->group_ms) {
			ask_group(search);
		}
		int64_t left = sooner(until_ms, search->group_ms) - now;
		bool by_fd = host->urgent != NULL && host->urgent_fd >= 0;
		struct pollfd fds[3] = {
			{.fd = search->fd[0], .events = POLLIN},
			{.fd = search->fd[1], .events = POLLIN},
			{.fd = by_fd ? host->urgent_fd : -1, .events = POLLIN},
		};
		bool sliced = host->urgent != NULL && !by_fd && left > SLICE_MS;
		(void)poll(fds, 3, (int)(sliced ? SLICE_MS : left));
	}
	return ERR_OK;
}

void alpaca_search_end(struct alpaca_search *search)
{
	if (search == NULL) {
		return;
	}
	for (int i = 0; i < 2; i++) {
		if (search->fd[i] >= 0) {
			close(search->fd[i]);
		}
	}
	free(search);
}
