/* SPDX-License-Identifier: MIT */
/*
 * Who answers in the network to "is there an Alpaca server?" (Alpaca API Reference, chapter 4), over IPv4 and
 * IPv6.  On the device's worker only.
 */
#ifndef FOCUSD_ALPACA_SEARCH_H
#define FOCUSD_ALPACA_SEARCH_H

#include <stdint.h>

#include "driver_host.h"
#include "err.h"
#include "text.h"

/* So many servers at most are told apart. */
#define ALPACA_SEARCH_SERVERS 32

struct alpaca_found {
	char server[80]; /* its address, in numbers; a link-local one of IPv6 with its interface, fe80::1%eth0 */
	int port;        /* of its HTTP; 0: nobody more answers */
};

struct alpaca_search;

/* Asks every network that this machine is in, itself included.  host must outlive the search.  ERR_IO, ERR_NOMEM. */
enum err_code alpaca_search_begin(int discovery_port, const struct driver_host *host, struct alpaca_search **out,
	struct err *err);
/* The next server that answers, each once; port 0 when until_ms of clock_real() has come.  ERR_CANCELLED. */
enum err_code alpaca_search_next(struct alpaca_search *search, int64_t until_ms, struct alpaca_found *out,
	struct err *err);
/* NULL is fine. */
void alpaca_search_end(struct alpaca_search *search);

/* The HTTP port in the answer to a search, 0 when it is no such answer.  Pure. */
int alpaca_search_port(struct span datagram);

#endif
