/* SPDX-License-Identifier: MIT */
#include "http_peers.h"

#include <netinet/in.h>
#include <string.h>
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

void peers_sweep(struct peer *peers, int64_t timeout_ms, int64_t now_ms)
{
	for (struct peer *peer = peers; peer != NULL; peer = peer->next) {
		/* In this order: a request that ends in between is then seen as finished. */
		bool answering = atomic_load(&peer->answering);
		unsigned finished = atomic_load(&peer->finished);
		if (answering) {
			peer->begun_ms = 0;
			continue;
		}
		uint64_t bytes = bytes_received(peer->fd);
		if (finished != peer->seen_finished) {
			peer->seen_finished = finished;
			peer->base_bytes = bytes;
			peer->begun_ms = 0;
		} else if (bytes <= peer->base_bytes) {
			continue;
		} else if (peer->begun_ms == 0) {
			peer->begun_ms = now_ms;
		} else if (now_ms - peer->begun_ms >= timeout_ms) {
			log_debug("http", "request of %s did not end in time: connection closed",
				peer->address);
			shutdown(peer->fd, SHUT_RDWR);
		}
	}
}
