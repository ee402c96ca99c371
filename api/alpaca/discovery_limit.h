/* SPDX-License-Identifier: MIT */
/*
 * How many discovery requests are answered, and whose. Each socket that asks has an allowance of its own, each host
 * has one for all its sockets, and there is one for everybody together. What a socket asks beyond its own allowance
 * costs the host's nothing, and what a host asks beyond its own costs the others nothing, so a noisy program does not
 * silence its neighbours. The source of a datagram can be forged, so the allowance for everybody bounds what this
 * server can be made to send to others. Pure: the caller tells the time. One thread.
 */
#ifndef FOCUSD_DISCOVERY_LIMIT_H
#define FOCUSD_DISCOVERY_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So many sources of each kind are remembered. The one that has been silent for longest makes room for a new one. */
#define DISCOVERY_LIMIT_SOURCES 128

/* An allowance has two numbers: BURST, answers that may be given at once, and RATE, answers that come back in a
 * second. */
#define DISCOVERY_SOCKET_BURST 20 /* a client asks two or three times on each of its network adapters */
#define DISCOVERY_SOCKET_RATE 10
#define DISCOVERY_HOST_BURST 100 /* several programs of one host at the same time */
#define DISCOVERY_HOST_RATE 50
#define DISCOVERY_ALL_BURST 1000
#define DISCOVERY_ALL_RATE 500

struct discovery_allowance {
	double left;     /* answers that may still be given */
	int64_t seen_ms; /* when the allowance was last looked at */
};

struct discovery_source {
	bool used;
	uint8_t host[16];
	uint16_t port; /* 0 in the table of hosts */
	struct discovery_allowance allowance;
};

/* Zeroed memory is a valid start: everybody's allowance is full. */
struct discovery_limit {
	struct discovery_source socket[DISCOVERY_LIMIT_SOURCES];
	struct discovery_source host[DISCOVERY_LIMIT_SOURCES];
	bool begun;
	struct discovery_allowance all;
};

/* Whether a request of this source is answered. host is 16 bytes that name the host (an IPv4 address in the first four,
 * the rest 0); port is that of the socket that asked, not 0; now_ms is monotonic, never less than before. */
bool discovery_limit_take(struct discovery_limit *limit, const uint8_t host[16], uint16_t port, int64_t now_ms);

#endif
