/* SPDX-License-Identifier: MIT */
/* The listening socket of the HTTP server, and addresses as text.  Used by http_mhd*.c. */
#ifndef FOCUSD_HTTP_LISTEN_H
#define FOCUSD_HTTP_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "err.h"

/* Listens on an IP literal ("" or "all": every address, IPv6 and IPv4) and returns the socket,
 * non-blocking; -1 with err filled.  port 0 takes a free one. */
int http_listen(const char *bind_to, int port, int *bound_port, bool *loopback, struct err *err);

/* Writes the address without its port; IPv4 inside IPv6 is written as IPv4, and what is neither as "?". */
void http_address_text(const struct sockaddr *address, char *out, size_t cap);

/* Raises the soft limit of open files, usually 1024, so that there is room for all connections that are allowed. */
void http_raise_file_limit(void);

#endif
