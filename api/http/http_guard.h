/* SPDX-License-Identifier: MIT */
/*
 * Who may talk to us through a browser: the Host header must name this machine (a page elsewhere
 * cannot point a name of its own at us), and what changes something must not come from a foreign
 * page.  Pure; any thread.  Used by http_mhd*.c.
 */
#ifndef FOCUSD_HTTP_GUARD_H
#define FOCUSD_HTTP_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

/* Names beside IP literals and localhost that this machine answers to. */
struct http_guard {
	char host_name[128];  /* of the machine, without domain; NAME.local is accepted as well */
	char host_full[256];  /* as the machine calls itself */
	char server_name[64]; /* configured; NAME.local as well */
	char allowed[512];    /* configured; separated by commas or blanks */
};

/* Fills the names in; the machine's own are asked of the system.  server_name and allowed may be NULL; they are
 * copied. */
void http_guard_init(struct http_guard *guard, const char *server_name, const char *allowed);

/* The host of "name", "name:port", "1.2.3.4:80" or "[::1]:80", without brackets and final dot.
 * The span is borrowed from header; it is empty when the text names no host. */
struct span http_guard_host(const char *header);

/* Whether a Host header (NULL: none was sent, as HTTP/1.0 may) names this machine. */
bool http_guard_host_ok(const struct http_guard *guard, const char *header);

/* What the headers say of where the request goes and how long its body is.  The library takes the first
 * of contradicting ones, or none; a proxy before us may take another, and then what is the body for one
 * is the next request for the other.  It is zeroed, then every header is added. */
struct http_framing {
	int hosts;
	int lengths;
	int codings;
	bool bad_length; /* a length is no number */
	bool bad_coding; /* a coding is not "chunked" */
	bool bad_header; /* a name has blanks in it */
	uint64_t length;
};
void http_framing_add(struct http_framing *framing, struct span name, struct span value);

/* NULL when the request can be read to its end, else why not.  An HTTP/1.1 request has a Host; HTTP/1.0 knows no
 * Transfer-Encoding (RFC 9112 section 6.1: its framing is faulty then). */
const char *http_framing_fault(const struct http_framing *framing, bool is_http_1_0);

/* Whether a request that changes something may pass: origin and site are the headers Origin and
 * Sec-Fetch-Site, NULL when absent. */
bool http_guard_origin_ok(
	const struct http_guard *guard, const char *host, const char *origin, const char *site);

#endif
