/* SPDX-License-Identifier: MIT */
/*
 * The requests of `focusd af` to a server: one at a time, over a connection of its own that the server closes.  HTTP
 * 1.0, so that no reply comes in chunks (RFC 1945 and RFC 9112, section 6.1); no TLS, which focusd does not serve.
 * One thread; a call waits for the network, at most for the time that it is given, and for the look-up of a name.
 */
#ifndef FOCUSD_AF_HTTP_H
#define FOCUSD_AF_HTTP_H

#include <signal.h>

#include "err.h"
#include "text.h"

/* Where the server is. */
struct af_server {
	char host[256]; /* a name or an address, without brackets */
	char port[8];
};

/* Reads http://HOST[:PORT][/]; the port is 11111 where none is said, as everywhere in Alpaca, and an IPv6 address
 * stands in brackets.  ERR_INVALID_VALUE with a sentence. */
enum err_code af_server_parse(const char *url, struct af_server *out, struct err *err);

/* Sends one request and reads its reply.
 * method: "GET" or "PUT"; path begins with '/' and is encoded; body: a form, "" for none.
 * timeout_ms: real milliseconds for the connection, and again for the whole of the reply.
 * stop: not 0 once a signal has come; the call then ends early with ERR_CANCELLED.  NULL: nothing ends it.
 * reply is cleared and gets the body; *status is that of HTTP.
 * ERR_IO or ERR_TIMEOUT with a sentence when no whole reply came, which says nothing of what the server did. */
enum err_code af_http(const struct af_server *server, const char *method, const char *path, const char *body,
	int timeout_ms, const volatile sig_atomic_t *stop, int *status, struct buf *reply, struct err *err);

/* Appends the text as the value of a form's field (RFC 3986, section 2.1: all but unreserved characters encoded). */
void af_http_encode(struct buf *out, const char *text);

#endif
