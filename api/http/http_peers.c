/* SPDX-License-Identifier: MIT */
#include "http_peers.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
/* The kernel's headers have the length of the send queue, and counts of bytes that the C library's struct tcp_info
 * lacks. */
#include <linux/sockios.h>
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

/* The kernel's counts for this connection; false when it does not tell. */
static bool ask_counts(int fd, struct tcp_info *info)
{
	memset(info, 0, sizeof *info);
	socklen_t len = sizeof *info;
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len) == 0;
}

static bool has_unread(int fd)
{
	int unread = 0;
	return ioctl(fd, FIONREAD, &unread) == 0 && unread > 0;
}

/* Whether bytes wait in the socket for the client to take them. */
static bool has_untaken(int fd)
{
	int untaken = 0;
	return ioctl(fd, SIOCOUTQ, &untaken) == 0 && untaken > 0;
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

/* One sweep: its times, and what it found. */
struct sweep {
	const struct peer_rules *rules;
	int64_t since_us, now_us;
	int64_t passed_us;         /* since the last one, at most a period */
	int64_t silence_us;        /* for those that never spoke */
	int silent;                /* were shut */
	int slow;                  /* were reset */
	const struct peer *first_slow;
};

/* Looks at a client to whom an answer that keeps memory is sent. */
static void sweep_reader(struct sweep *sweep, struct peer *peer, unsigned answer)
{
	const struct peer_rules *rules = sweep->rules;
	struct tcp_info info;
	if (!ask_counts(peer->fd, &info)) {
		return;
	}
	if (!peer->is_measured || peer->measured_answer != answer) {
		peer->is_measured = true;
		peer->measured_answer = answer;
		peer->last_taken = info.tcpi_bytes_acked;
		peer->behind_us = 0;
		return;
	}
	uint64_t taken = info.tcpi_bytes_acked - peer->last_taken;
	peer->last_taken = info.tcpi_bytes_acked;
	if (!turn_was_held(peer->turn, sweep->since_us, sweep->now_us) && has_untaken(peer->fd)) {
		peer->behind_us += sweep->passed_us;
	}
	int64_t made_up_us = (int64_t)(taken * 1000000 / rules->least_rate);
	peer->behind_us = peer->behind_us > made_up_us ? peer->behind_us - made_up_us : 0;
	if (peer->behind_us < rules->behind_us) {
		return;
	}
	if (sweep->slow++ == 0) {
		sweep->first_slow = peer;
	}
	/* Without this the kernel would go on offering what is left in the socket, and keep it in memory. */
	struct linger now = {.l_onoff = 1, .l_linger = 0};
	setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	shutdown(peer->fd, SHUT_RDWR);
}

/* Looks at a client that is asking, or silent. */
static void sweep_asker(struct sweep *sweep, struct peer *peer, unsigned finished)
{
	struct tcp_info info;
	uint64_t bytes = ask_counts(peer->fd, &info) ? info.tcpi_bytes_received : 0;
	if (finished != peer->seen_finished) {
		peer->seen_finished = finished;
		peer->base_bytes = bytes;
		peer->begun = false;
	} else if (bytes == 0) {
		if (is_clients_time(peer, sweep->since_us, sweep->now_us)) {
			sweep->silent += shut_after(peer, sweep->passed_us, sweep->silence_us);
		}
	} else if (bytes <= peer->base_bytes) {
		return;
	} else if (!peer->begun) {
		peer->begun = true;
		peer->spent_us = 0;
	} else if (is_clients_time(peer, sweep->since_us, sweep->now_us)) {
		shut_after(peer, sweep->passed_us, sweep->rules->timeout_us);
	}
}

void peers_sweep(struct peer *peers, const struct peer_rules *rules, int64_t since_us, int64_t now_us)
{
	int64_t passed_us = now_us - since_us < rules->period_us ? now_us - since_us : rules->period_us;
	int open = 0;
	for (struct peer *peer = peers; peer != NULL; peer = peer->next) {
		open++;
	}
	bool crowded = open > rules->crowd;
	struct sweep sweep = {.rules = rules,
		.since_us = since_us,
		.now_us = now_us,
		.passed_us = passed_us,
		.silence_us = crowded ? rules->period_us : rules->timeout_us};
	for (struct peer *peer = peers; peer != NULL; peer = peer->next) {
		/* These are read in this order, so that a request that ends in between is seen as finished. */
		bool answering = atomic_load(&peer->answering);
		bool keeps = atomic_load(&peer->keeps);
		unsigned finished = atomic_load(&peer->finished);
		if (!answering) {
			sweep_asker(&sweep, peer, finished);
			continue;
		}
		peer->begun = false;
		if (keeps) {
			sweep_reader(&sweep, peer, finished);
		}
	}
	if (sweep.silent > 0 && crowded) {
		log_warn("http", "%d connections are open; %d on which nothing was ever said are closed", open,
			sweep.silent);
	}
	if (sweep.slow > 0) {
		char all[48] = "";
		if (sweep.slow > 1) {
			snprintf(all, sizeof all, "%d clients, among them ", sweep.slow);
		}
		const struct peer *peer = sweep.first_slow;
		log_warn("http", "cut %s%s: %s was taken at less than %llu bytes/s, and what is not taken stays in "
			"memory", all, peer->address, peer->asked, (unsigned long long)rules->least_rate);
	}
}
