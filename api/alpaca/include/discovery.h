/* SPDX-License-Identifier: MIT */
/* Alpaca discovery: answers UDP datagrams with the port of the HTTP server. It has a thread of its own, which sleeps
 * unless a datagram comes. */
#ifndef FOCUSD_DISCOVERY_H
#define FOCUSD_DISCOVERY_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

struct discovery;

/* Listens on UDP port `port` (shared with other servers of the host) and answers with alpaca_port; with loopback_only
 * it answers only requests from loopback. When the port is taken, it logs that once and tries again every 30 s. ERR_IO
 * only when no thread or socket can be had. */
enum err_code discovery_start(
	int port, int alpaca_port, bool loopback_only, struct discovery **out, struct err *err);
/* Starts discovery for an HTTP server that listens on these addresses (bind_list.h; "" is everywhere). Only what one of
 * them hears is answered, because clients take the reply's source as ours; an address may come later.
 * ERR_INVALID_VALUE when bind_to is no list of addresses. */
enum err_code discovery_start_for(const char *bind_to, int port, int alpaca_port,
	bool loopback_only, struct discovery **out, struct err *err);

void discovery_stop(struct discovery *discovery);

/* Whether a datagram is a discovery request that we answer.  Pure. */
bool discovery_is_request(const void *data, size_t len);

#endif
