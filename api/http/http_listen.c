/* SPDX-License-Identifier: MIT */
#include "http_listen.h"

#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
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

/* Says what is wrong with an address to listen on that is none. */
static enum err_code no_address(const char *where, struct err *err)
{
	const char *colon = strchr(where, ':');
	if (strpbrk(where, "\"'") != NULL) {
		return err_set(err, ERR_INVALID_VALUE, "%s: the address to listen on is written without quotes", where);
	}
	if (strpbrk(where, ", \t;") != NULL) {
		return err_set(err, ERR_INVALID_VALUE,
			"\"%s\": it can listen on one address only, or on all with bind = all", where);
	}
	if (strstr(where, "://") != NULL || strchr(where, '/') != NULL) {
		return err_set(err, ERR_INVALID_VALUE,
			"\"%s\" is no address to listen on: write the IP address alone, such as 192.168.1.20, or all",
			where);
	}
	if (colon != NULL && (where[0] == '[' || strchr(colon + 1, ':') == NULL)) {
		return err_set(err, ERR_INVALID_VALUE,
			"\"%s\": bind takes the address alone, the port number stands in a line of its own, port = ...",
			where);
	}
	return err_set(err, ERR_INVALID_VALUE,
		"\"%s\" is no IP address: write one that this machine has, such as 192.168.1.20, or all", where);
}

/* Reads an IP literal with a port; the caller gives *out back with freeaddrinfo(). */
static enum err_code read_address(const char *where, int port, struct addrinfo **out, struct err *err)
{
	char host[64];
	char service[8];
	bool bracket = where[0] == '[';
	snprintf(host, sizeof host, "%s", bracket ? where + 1 : where);
	size_t end = strcspn(host, "]");
	if (bracket && (host[end] == '\0' || host[end + 1] != '\0')) {
		return no_address(where, err);
	}
	host[end] = '\0';
	if (strcmp(host, "localhost") == 0) {
		snprintf(host, sizeof host, "127.0.0.1");
	}
	snprintf(service, sizeof service, "%d", port);
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
	return getaddrinfo(host, service, &hints, out) == 0 ? ERR_OK : no_address(where, err);
}

static bool is_everywhere(const char *where)
{
	return where[0] == '\0' || strcmp(where, "all") == 0;
}

enum err_code http_bind_read(const char *bind_to, struct err *err)
{
	struct addrinfo *found = NULL;
	enum err_code code = is_everywhere(bind_to) ? ERR_OK : read_address(bind_to, 0, &found, err);
	if (found != NULL) {
		freeaddrinfo(found);
	}
	return code;
}

enum err_code http_bind_look(const char *bind_to, struct err *err)
{
	struct addrinfo *found = NULL;
	enum err_code code = is_everywhere(bind_to) ? ERR_OK : read_address(bind_to, 0, &found, err);
	if (found != NULL) {
		int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && bind(fd, found->ai_addr, found->ai_addrlen) != 0) {
			code = err_set(err, ERR_IO, "%s is no address of this machine just now: %s%s", bind_to,
				strerror(errno), errno == EINVAL
					? " (a link-local address stands with its interface, as in fe80::1%eth0)" : "");
		}
		if (fd >= 0) {
			close(fd);
		}
		freeaddrinfo(found);
	}
	return code;
}

int http_listen(const char *bind_to, int port, int *bound_port, bool *loopback, struct err *err)
{
	const char *where = bind_to != NULL ? bind_to : "";
	struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = -1;
	if (is_everywhere(where)) {
		where = "all addresses";
		fd = try_listen((const struct sockaddr *)&any6, sizeof any6);
		/* A kernel without IPv6 says EAFNOSUPPORT, and one that has it switched off EADDRNOTAVAIL. */
		if (fd < 0 && errno != EADDRINUSE && errno != EACCES) {
			fd = try_listen((const struct sockaddr *)&any4, sizeof any4);
		}
	} else {
		struct addrinfo *found = NULL;
		if (read_address(where, port, &found, err) != ERR_OK) {
			return -1;
		}
		fd = try_listen(found->ai_addr, found->ai_addrlen);
		int why = errno;
		freeaddrinfo(found);
		errno = why;
	}
	if (fd < 0) {
		err_set(err, ERR_IO, "cannot listen on port %d of %s: %s%s", port, where,
			strerror(errno),
			errno == EADDRINUSE
				? " (by another Alpaca server or another focusd; choose a "
				  "different port or stop that one)"
				: "");
		return -1;
	}
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} bound = {.v6 = {0}};
	socklen_t len = sizeof bound;
	if (getsockname(fd, &bound.any, &len) == 0) {
		bool is_v4 = bound.any.sa_family == AF_INET;
		*bound_port = ntohs(is_v4 ? bound.v4.sin_port : bound.v6.sin6_port);
		*loopback = is_v4 ? (ntohl(bound.v4.sin_addr.s_addr) >> 24) == 127
				  : IN6_IS_ADDR_LOOPBACK(&bound.v6.sin6_addr);
	}
	return fd;
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
