/* SPDX-License-Identifier: MIT */
#include "http_peers.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
/* For the count of received bytes, which the C library's struct tcp_info does not have. */
#include <linux/tcp.h>

#include "log.h"

void peers_add(struct peer **list, struct peer *peer)
{
	peer->prev = NULL;
	peer->next = *list;
	if (peer->next != NULL) {
		peer->next->prev = peer;
	}
	*list = peer;
}

void peers_remove(struct peer **list, struct peer *peer)
{
	*(peer->prev != NULL ? &peer->prev->next : list) = peer->next;
	if (peer->next != NULL) {
		peer->next->prev = peer->prev;
	}
}

static uint64_t bytes_received(int fd)
{
	struct tcp_info info;
	memset(&info, 0, sizeof info);
	socklen_t len = sizeof info;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0) {
		return 0;
	}
	return info.tcpi_bytes_received;
}

static bool has_unread(int fd)
{
	int unread = 0;
	return ioctl(fd, FIONREAD, &unread) == 0 && unread > 0;
}

/* Whether the time since the last sweep was the client's. */
static bool is_clients_time(const struct peer *peer, int64_t since_us, int64_t now_us)
{
	return !turn_was_held(peer->turn, since_us, now_us) && !has_unread(peer->fd);
}

/* Counts the client's time and shuts the connection when it has used up the limit; 1 then. */
static int shut_after(struct peer *peer, int64_t passed_us, int64_t limit_us)
{
	peer->spent_us += passed_us;
	if (peer->spent_us < limit_us) {
		return 0;
	}
	log_debug("http", "%s of %s did not end in time: connection closed", peer->begun ? "request" : "silence",
		peer->address);
	shutdown(peer->fd, SHUT_RDWR);
	return 1;
}

void peers_sweep(struct peer *peers, int64_t timeout_us, int64_t period_us, int64_t since_us, int64_t now_us,
	int crowd)
{
	int64_t passed_us = now_us - since_us < period_us ? now_us - since_us : period_us;
	int open = 0;
	for (struct peer *peer = peers; peer != NULL; peer = peer->next) {
		open++;
	}
	int64_t silence_us = open > crowd ? period_us : timeout_us;
	int silent = 0;
	for (struct peer *peer = peers; peer != NULL; peer = peer->next) {
		/* The two are read in this order, so that a request that ends in between is seen as finished. */
		bool answering = atomic_load(&peer->answering);
		unsigned finished = atomic_load(&peer->finished);
		if (answering) {
			peer->begun = false;
			continue;
		}
		uint64_t bytes = bytes_received(peer->fd);
		if (finished != peer->seen_finished) {
			peer->seen_finished = finished;
			peer->base_bytes = bytes;
			peer->begun = false;
		} else if (bytes == 0) {
			if (is_clients_time(peer, since_us, now_us)) {
				silent += shut_after(peer, passed_us, silence_us);
			}
		} else if (bytes <= peer->base_bytes) {
			continue;
		} else if (!peer->begun) {
			peer->begun = true;
			peer->spent_us = 0;
		} else if (is_clients_time(peer, since_us, now_us)) {
			shut_after(peer, passed_us, timeout_us);
		}
	}
	if (silent > 0 && open > crowd) {
		log_warn("http", "%d connections are open; %d on which nothing was ever said are closed", open, silent);
	}
}
