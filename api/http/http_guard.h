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
	char domains[512];    /* in which the machine's name is looked up; separated by blanks; "" none */
};

/* Fills the names in; the machine's own are asked of the system.  server_name and allowed may be NULL; they are
 * copied. */
void http_guard_init(struct http_guard *guard, const char *server_name, const char *allowed);

/* Adds the search domains of the system's resolver (resolv.conf(5), LOCALDOMAIN): home routers give each machine the
 * name HOSTNAME.DOMAIN with one of them.  Reads a small file. */
void http_guard_add_domains(struct http_guard *guard);

/* The host of "name", "name:port", "1.2.3.4:80" or "[::1]:80", without brackets and final dot.
 * The span is borrowed from header; it is empty when the text names no host. */
struct span http_guard_host(const char *header);

/* Whether a Host header (NULL: none was sent, as HTTP/1.0 may) names this machine. */
bool http_guard_host_ok(const struct http_guard *guard, const char *header);

/* Host names that were seen already, so that each is told once; the first of more are kept, so that a stranger who
 * makes them up does not fill the log.  Zeroed at first; under a lock of its owner's. */
enum { HTTP_NAMES_MAX = 16 };
struct http_names {
	int count;
	char name[HTTP_NAMES_MAX][128];
};

/* True when the name is to be told: it is made of the characters of host names, was not seen before (letters count
 * alike in both cases) and is among the first HTTP_NAMES_MAX.  out then is the name, NUL-terminated, small letters. */
bool http_names_note(struct http_names *names, struct span host, char out[128]);

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

/* Whether origin (NULL: none) is a page under a host of the configured list: such a page may read what it asks for. */
bool http_guard_origin_is_allowed(const struct http_guard *guard, const char *origin);

/* What a browser says of a request of its own accord; no script of a page can set these.  NULL when absent. */
struct http_fetch {
	const char *host;
	const char *origin;
	const char *referer;
	const char *site;     /* Sec-Fetch-Site; the four of these come on loopback and https alone */
	const char *mode;     /* Sec-Fetch-Mode */
	const char *dest;     /* Sec-Fetch-Dest */
	const char *upgrade;  /* Upgrade-Insecure-Requests: "1" with what a person follows or types */
};

/* Whether a request that only reads may pass.  Those that pages of other sites make are refused, for they cost time
 * where a halt may wait, unless a person goes to a page (is_page: the path is one).  A page that hides where it comes
 * from cannot be told from a program where the browser sends no Sec-Fetch-Site. */
bool http_guard_read_ok(const struct http_guard *guard, const struct http_fetch *fetch, bool is_page);

#endif
