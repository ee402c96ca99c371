/* SPDX-License-Identifier: MIT */
#include "http_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 256 };

void http_address_text(const struct sockaddr *address, char *out, size_t cap)
{
	snprintf(out, cap, "?");
	if (address == NULL) {
		return;
	}
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
		inet_ntop(AF_INET, &v4->sin_addr, out, (socklen_t)cap);
	} else if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
		if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
			inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], out, (socklen_t)cap);
		} else {
			inet_ntop(AF_INET6, &v6->sin6_addr, out, (socklen_t)cap);
		}
	}
}

static int try_listen(const struct sockaddr *address, socklen_t len)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return -1;
	}
	int on = 1;
	int off = 0;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (address->sa_family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	}
	if (bind(fd, address, len) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
		int why = errno;
		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

static int try_address(const struct bind_address *where, int port)
{
	struct sockaddr_storage address;
	socklen_t len = bind_address_of(where, port, &address);
	if (len == 0) {
		errno = ENODEV;
		return -1;
	}
	return try_listen((const struct sockaddr *)&address, len);
}

static int try_everywhere(int port)
{
	struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = try_listen((const struct sockaddr *)&any6, sizeof any6);
	/* A kernel without IPv6 says EAFNOSUPPORT, and one that has it switched off EADDRNOTAVAIL. */
	if (fd < 0 && errno != EADDRINUSE && errno != EACCES) {
		fd = try_listen((const struct sockaddr *)&any4, sizeof any4);
	}
	return fd;
}

enum listen_result http_listen(const struct bind_address *where, int port, int *fd, int *bound_port, struct err *err)
{
	*fd = where != NULL ? try_address(where, port) : try_everywhere(port);
	if (*fd < 0) {
		int why = errno;
		err_set(err, ERR_IO, "cannot listen on port %d of %s: %s%s", port,
			where != NULL ? where->text : "all addresses", strerror(why),
			why == EADDRINUSE ? " (by another Alpaca server or another focusd; choose a different port or "
					    "stop that one)" : "");
		return why == EADDRNOTAVAIL || why == ENODEV ? LISTEN_LATER : LISTEN_FAILED;
	}
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} bound = {.v6 = {0}};
	socklen_t len = sizeof bound;
	getsockname(*fd, &bound.any, &len);
	*bound_port = ntohs(bound.any.sa_family == AF_INET ? bound.v4.sin_port : bound.v6.sin6_port);
	return LISTEN_OK;
}

void http_raise_file_limit(void)
{
	struct rlimit limit;
	rlim_t want = 4096;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < want) {
		limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}
