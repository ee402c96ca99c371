/* SPDX-License-Identifier: MIT */
/*
 * The addresses on which a server is to listen, out of the text of `bind`: IP literals separated by commas or blanks,
 * IPv6 with or without brackets and with a zone where it is link-local ("fe80::1%wlan0"), "localhost" for 127.0.0.1;
 * "", "all" and "*" for every address.  Pure values; any thread.
 */
#ifndef FOCUSD_BIND_LIST_H
#define FOCUSD_BIND_LIST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "err.h"

enum { BIND_MAX = 8 };

struct bind_address {
	int family;        /* AF_INET or AF_INET6 */
	uint8_t bytes[16]; /* network order; the first 4 for AF_INET */
	char zone[16];     /* name or number of the interface; "" none */
	char text[64];     /* the literal with its zone, without brackets */
};

struct bind_list {
	int count;         /* 0: every address, IPv4 and IPv6 */
	struct bind_address at[BIND_MAX];
};

/* Reads the list.  ERR_INVALID_VALUE with a sentence that says what would be right: something is no IP literal, stands
 * twice, stands beside an address that means all of them (0.0.0.0, ::), or there are more than BIND_MAX. */
enum err_code bind_list_parse(const char *text, struct bind_list *out, struct err *err);

/* The address with a port as the system wants it; returns its length, 0 when its zone is no interface just now. */
socklen_t bind_address_of(const struct bind_address *address, int port, struct sockaddr_storage *out);

/* Whether it means every address of its family. */
bool bind_address_is_any(const struct bind_address *address);
bool bind_address_is_loopback(const struct bind_address *address);

/* Whether the list has nothing but addresses of loopback. */
bool bind_list_is_loopback(const struct bind_list *list);

#endif
