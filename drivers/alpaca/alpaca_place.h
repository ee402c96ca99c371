/* SPDX-License-Identifier: MIT */
/*
 * Where a device of another Alpaca server is, as the configuration says it.  Pure.
 */
#ifndef FOCUSD_ALPACA_PLACE_H
#define FOCUSD_ALPACA_PLACE_H

#include <stdbool.h>

#include "err.h"

/* The TCP port that Alpaca servers have by habit; the UDP port of discovery (Alpaca API Reference, chapter 4). */
#define ALPACA_PORT 11111
#define ALPACA_DISCOVERY_PORT 32227

struct alpaca_place {
	bool search;         /* port = auto: the server is looked for in the network */
	int discovery_port;  /* where searches are heard, 1..65535 */
	char host[200];      /* name or address, an IPv6 one without brackets; "" with search */
	int port;            /* 1..65535 */
	int number;          /* of the device, 0..; -1 when it was not given */
	char unique_id[96];  /* the device's, which stands above number and host; "" when it was not given */
};

/* Reads `port` (auto, auto:UDPPORT, or [http://|alpaca://|tcp://]HOST[:PORT][/NUMBER]; an IPv6 address stands in
 * brackets) and `device` ("", a number, or a UniqueID).  ERR_INVALID_VALUE with a sentence that shows what is
 * understood; *out is then undefined. */
enum err_code alpaca_place_read(const char *port, const char *device, struct alpaca_place *out, struct err *err);

/* The same of a `port` alone: what `focusd --check` asks. */
enum err_code alpaca_place_check(const char *port, struct err *err);

#endif
