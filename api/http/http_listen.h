/* SPDX-License-Identifier: MIT */
/* One listening socket of the HTTP server, and addresses as text.  Used by http_doors.c and http_mhd*.c. */
#ifndef FOCUSD_HTTP_LISTEN_H
#define FOCUSD_HTTP_LISTEN_H

#include <stddef.h>
#include <sys/socket.h>

#include "bind_list.h"
#include "err.h"

enum listen_result {
	LISTEN_OK,
	LISTEN_LATER,  /* the machine has no such address, or no such interface, at this moment */
	LISTEN_FAILED, /* the port is taken or forbidden */
};

/* Listens on one address; NULL is every address, IPv6 and IPv4.  *fd is the socket, non-blocking, and *bound_port its
 * port: port itself, or a free one when that is 0.  Otherwise err says why not. */
enum listen_result http_listen(const struct bind_address *where, int port, int *fd, int *bound_port, struct err *err);

/* Writes the address without its port; IPv4 inside IPv6 is written as IPv4, and what is neither as "?". */
void http_address_text(const struct sockaddr *address, char *out, size_t cap);

/* Raises the soft limit of open files, usually 1024, so that there is room for all connections that are allowed. */
void http_raise_file_limit(void);

#endif
