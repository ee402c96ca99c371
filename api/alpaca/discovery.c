/* SPDX-License-Identifier: MIT */
/*
 * Alpaca discovery.  Requests come as broadcasts (IPv4) or to a link-local multicast group (IPv6);
 * the reply goes back unicast from the interface that heard the request, because clients take its
 * source as our address.
 */
#include "discovery.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bind_list.h"
#include "clock.h"
#include "discovery_limit.h"
#include "log.h"

enum {
	RETRY_MS = 30000,
	IN_A_ROW = 100, /* so many datagrams are answered before the thread looks whether it is to stop */
};

struct discovery {
	pthread_t thread;
	int stop_fd;
	int port;
	bool loopback_only;
	bool skip4, skip6;    /* the HTTP server does not listen in this family */
	struct bind_list only; /* the addresses that answer; none: all */
	int fd4, fd6;         /* -1 = not open */
	bool complained;
	char reply[32];
	size_t reply_len;
	struct discovery_limit limit;
};

bool discovery_is_request(const void *data, size_t len)
{
	/* The bytes after the sixteenth are reserved and ignored. */
	return len >= 16 && memcmp(data, "alpacadiscovery1", 16) == 0;
}

/* ---- sockets ---- */

static int open_socket(int family, int port)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return -1;
	}
	int on = 1;
	/* Both options are needed for every Alpaca server of this host to share the port. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	int bound;
	if (family == AF_INET) {
		setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
		struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
		bound = bind(fd, (const struct sockaddr *)&any, sizeof any);
	} else {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
		struct sockaddr_in6 any = {
			.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
		bound = bind(fd, (const struct sockaddr *)&any, sizeof any);
	}
	if (bound != 0) {
		int why = errno;
		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

/* Joins the group on every interface that is up. This is done again from time to time, because a wireless interface may
 * come late; joining twice gives an error that does not matter. */
static void join_group(int fd)
{
	struct ifaddrs *list = NULL;
	if (fd < 0 || getifaddrs(&list) != 0) {
		return;
	}
	for (const struct ifaddrs *at = list; at != NULL; at = at->ifa_next) {
		if (at->ifa_addr == NULL || at->ifa_addr->sa_family != AF_INET6 ||
			(at->ifa_flags & IFF_UP) == 0 || (at->ifa_flags & IFF_MULTICAST) == 0) {
			continue;
		}
		struct ipv6_mreq group = {.ipv6mr_interface = if_nametoindex(at->ifa_name)};
		inet_pton(AF_INET6, "ff12::a1:9aca", &group.ipv6mr_multiaddr);
		setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof group);
	}
	freeifaddrs(list);
}

static void open_sockets(struct discovery *d)
{
	if (d->fd4 < 0 && !d->skip4) {
		d->fd4 = open_socket(AF_INET, d->port);
		if (d->fd4 < 0 && !d->complained) {
			d->complained = true;
			log_warn("discovery",
				"cannot listen on UDP port %d: %s; trying again every %d s",
				d->port, strerror(errno), RETRY_MS / 1000);
		} else if (d->fd4 >= 0 && d->complained) {
			d->complained = false;
			log_info("discovery", "listening on UDP port %d", d->port);
		}
	}
	/* A machine without IPv6 is no reason for a message. */
	if (d->fd6 < 0 && !d->skip6) {
		d->fd6 = open_socket(AF_INET6, d->port);
	}
	join_group(d->fd6);
}

/* ---- who asks ---- */

/* Whether the address is on one of our own networks, whatever their numbers. */
static bool is_on_link(uint32_t address)
{
	struct ifaddrs *list = NULL;
	bool found = false;
	if (getifaddrs(&list) != 0) {
		return false;
	}
	for (const struct ifaddrs *at = list; at != NULL && !found; at = at->ifa_next) {
		if (at->ifa_addr == NULL || at->ifa_netmask == NULL ||
			at->ifa_addr->sa_family != AF_INET) {
			continue;
		}
		const struct sockaddr_in *own =
			(const struct sockaddr_in *)(const void *)at->ifa_addr;
		const struct sockaddr_in *mask =
			(const struct sockaddr_in *)(const void *)at->ifa_netmask;
		found = ((own->sin_addr.s_addr ^ htonl(address)) & mask->sin_addr.s_addr) == 0;
	}
	freeifaddrs(list);
	return found;
}

/* Whether the source is on a local network. No other gets an answer, because the source of a datagram can be forged. */
static bool may_answer4(const struct discovery *d, const struct sockaddr_in *from)
{
	uint32_t a = ntohl(from->sin_addr.s_addr);
	if (from->sin_port == 0 || a == 0 || (a >> 28) >= 0xE) {
		return false;
	}
	bool is_loopback = (a >> 24) == 127;
	if (d->loopback_only || is_loopback) {
		return is_loopback;
	}
	bool is_private = (a >> 24) == 10 || (a >> 20) == 0xAC1 || (a >> 16) == 0xC0A8 ||
			  (a >> 16) == 0xA9FE || (a >> 22) == 0x191;
	return is_private || is_on_link(a);
}

static bool may_answer6(const struct sockaddr_in6 *from)
{
	const struct in6_addr *a = &from->sin6_addr;
	return from->sin6_port != 0 && (IN6_IS_ADDR_LINKLOCAL(a) || IN6_IS_ADDR_LOOPBACK(a) ||
					       (a->s6_addr[0] & 0xFE) == 0xFC);
}

/* Takes one answer out of the source's allowance; false when nothing is left of it. */
static bool take_allowance(struct discovery *d, const struct sockaddr_storage *from)
{
	uint8_t host[16] = {0};
	uint16_t port;
	if (from->ss_family == AF_INET) {
		const struct sockaddr_in *from4 = (const struct sockaddr_in *)from;
		memcpy(host, &from4->sin_addr, sizeof from4->sin_addr);
		port = ntohs(from4->sin_port);
	} else {
		const struct sockaddr_in6 *from6 = (const struct sockaddr_in6 *)from;
		memcpy(host, &from6->sin6_addr, sizeof from6->sin6_addr);
		port = ntohs(from6->sin6_port);
	}
	return discovery_limit_take(&d->limit, host, port, clock_now_ms(clock_real()));
}

/* ---- one datagram ---- */

/* Whether the HTTP server listens on the IPv4 address that heard a request. */
static bool may_hear4(const struct discovery *d, const struct in_addr *heard)
{
	bool may = d->only.count == 0;
	for (int i = 0; i < d->only.count; i++) {
		const struct bind_address *own = &d->only.at[i];
		may = may || bind_address_is_any(own) ||
			(own->family == AF_INET && memcmp(own->bytes, heard, sizeof *heard) == 0);
	}
	return may;
}

/* Keeps the part of the control data that makes the reply leave where the request came in; returns its length, 0 when
 * the request was heard where the HTTP server does not listen. */
static size_t reply_control(const struct discovery *d, struct msghdr *in, void *out, size_t cap)
{
	memset(out, 0, cap);
	struct msghdr reply = {.msg_control = out, .msg_controllen = cap};
	struct cmsghdr *to = CMSG_FIRSTHDR(&reply);
	for (struct cmsghdr *at = CMSG_FIRSTHDR(in); at != NULL; at = CMSG_NXTHDR(in, at)) {
		if (at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;
			memcpy(&info, CMSG_DATA(at), sizeof info);
			if (!may_hear4(d, &info.ipi_spec_dst)) {
				return 0;
			}
			info.ipi_addr.s_addr = 0;
			*to = (struct cmsghdr){.cmsg_level = IPPROTO_IP,
				.cmsg_type = IP_PKTINFO,
				.cmsg_len = CMSG_LEN(sizeof info)};
			memcpy(CMSG_DATA(to), &info, sizeof info);
			return CMSG_SPACE(sizeof info);
		}
		if (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;
			memcpy(&info, CMSG_DATA(at), sizeof info);
			/* The request went to a group, so the kernel chooses our address. */
			memset(&info.ipi6_addr, 0, sizeof info.ipi6_addr);
			*to = (struct cmsghdr){.cmsg_level = IPPROTO_IPV6,
				.cmsg_type = IPV6_PKTINFO,
				.cmsg_len = CMSG_LEN(sizeof info)};
			memcpy(CMSG_DATA(to), &info, sizeof info);
			return CMSG_SPACE(sizeof info);
		}
	}
	return 0;
}

union control {
	struct cmsghdr align;
	char bytes[256];
};

/* Reads one datagram and answers it; false when there is nothing more to read. */
static bool answer_one(struct discovery *d, int fd)
{
	char data[128];
	union control control;
	union control control_out;
	struct sockaddr_storage from;
	struct iovec in = {.iov_base = data, .iov_len = sizeof data};
	struct msghdr message = {.msg_name = &from,
		.msg_namelen = sizeof from,
		.msg_iov = &in,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control};
	ssize_t n = recvmsg(fd, &message, 0);
	if (n < 0) {
		return errno == EINTR;
	}
	bool wanted = from.ss_family == AF_INET ? may_answer4(d, (const struct sockaddr_in *)&from)
						: may_answer6((const struct sockaddr_in6 *)&from);
	size_t control_len = reply_control(d, &message, &control_out, sizeof control_out);
	if (!discovery_is_request(data, (size_t)n) || !wanted || control_len == 0 ||
		!take_allowance(d, &from)) {
		return true;
	}
	struct iovec out = {.iov_base = d->reply, .iov_len = d->reply_len};
	struct msghdr reply = {.msg_name = &from,
		.msg_namelen = message.msg_namelen,
		.msg_iov = &out,
		.msg_iovlen = 1,
		.msg_control = &control_out,
		.msg_controllen = control_len};
	if (sendmsg(fd, &reply, MSG_DONTWAIT) < 0) {
		log_debug("discovery", "reply not sent: %s", strerror(errno));
	}
	return true;
}

static void *listen_thread(void *arg)
{
	struct discovery *d = arg;
	for (;;) {
		struct pollfd fds[3] = {{.fd = d->stop_fd, .events = POLLIN},
			{.fd = d->fd4, .events = POLLIN}, {.fd = d->fd6, .events = POLLIN}};
		int64_t again_ms = clock_now_ms(clock_real()) + RETRY_MS;
		bool reopen = false;
		while (!reopen) {
			int n = poll(fds, 3, clock_poll_timeout(clock_real(), again_ms));
			if (fds[0].revents != 0) {
				return NULL;
			}
			for (int i = 1; n > 0 && i < 3; i++) {
				for (int k = 0; (fds[i].revents & POLLIN) != 0 && k < IN_A_ROW;
					k++) {
					if (!answer_one(d, fds[i].fd)) {
						break;
					}
				}
			}
			reopen = clock_now_ms(clock_real()) >= again_ms;
		}
		open_sockets(d);
	}
}

/* Decides which families answer: "::" means IPv4, too. */
static void choose_families(struct discovery *d)
{
	bool v4 = d->only.count == 0;
	bool v6 = d->only.count == 0;
	for (int i = 0; i < d->only.count; i++) {
		const struct bind_address *own = &d->only.at[i];
		v6 = v6 || own->family == AF_INET6;
		v4 = v4 || own->family == AF_INET || bind_address_is_any(own);
	}
	d->skip4 = !v4;
	d->skip6 = !v6 || d->loopback_only;
}

enum err_code discovery_start(
	int port, int alpaca_port, bool loopback_only, struct discovery **out, struct err *err)
{
	return discovery_start_for("", port, alpaca_port, loopback_only, out, err);
}

enum err_code discovery_start_for(const char *bind_to, int port, int alpaca_port,
	bool loopback_only, struct discovery **out, struct err *err)
{
	struct discovery *d = calloc(1, sizeof *d);
	if (d == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	d->port = port;
	d->loopback_only = loopback_only;
	if (bind_list_parse(bind_to, &d->only, err) != ERR_OK) {
		free(d);
		return ERR_INVALID_VALUE;
	}
	choose_families(d);
	d->fd4 = -1;
	d->fd6 = -1;
	d->reply_len =
		(size_t)snprintf(d->reply, sizeof d->reply, "{\"AlpacaPort\":%d}", alpaca_port);
	d->stop_fd = eventfd(0, EFD_CLOEXEC);
	int why = d->stop_fd < 0 ? errno : 0;
	if (why == 0) {
		/* The sockets are opened here and not on the thread, so that a request is heard that is sent right
		 * after this returns. */
		open_sockets(d);
		why = pthread_create(&d->thread, NULL, listen_thread, d);
	}
	if (why != 0) {
		err_set(err, ERR_IO, "cannot start discovery: %s", strerror(why));
		for (int i = 0; i < 3; i++) {
			int fd = i == 0 ? d->stop_fd : i == 1 ? d->fd4 : d->fd6;
			if (fd >= 0) {
				close(fd);
			}
		}
		free(d);
		return ERR_IO;
	}
	*out = d;
	return ERR_OK;
}

void discovery_stop(struct discovery *d)
{
	if (d == NULL) {
		return;
	}
	uint64_t one = 1;
	ssize_t n = write(d->stop_fd, &one, sizeof one);
	(void)n;
	pthread_join(d->thread, NULL);
	if (d->fd4 >= 0) {
		close(d->fd4);
	}
	if (d->fd6 >= 0) {
		close(d->fd6);
	}
	close(d->stop_fd);
	free(d);
}
