/* SPDX-License-Identifier: MIT */
#include "discovery_limit.h"

#include <string.h>

/* Gives an allowance back what has come back since it was last looked at. */
static void refill(struct discovery_allowance *a, int64_t now_ms, double burst, double rate)
{
	a->left += (double)(now_ms - a->seen_ms) * rate / 1000.0;
	a->seen_ms = now_ms;
	if (a->left > burst) {
		a->left = burst;
	}
}

/* Finds the entry of a source, or makes one. */
static struct discovery_allowance *find(struct discovery_source *table, const uint8_t host[16], uint16_t port,
	int64_t now_ms, double burst)
{
	struct discovery_source *oldest = &table[0];
	for (size_t i = 0; i < DISCOVERY_LIMIT_SOURCES; i++) {
		struct discovery_source *at = &table[i];
		if (at->used && at->port == port && memcmp(at->host, host, 16) == 0) {
			return &at->allowance;
		}
		if (oldest->used && (!at->used || at->allowance.seen_ms < oldest->allowance.seen_ms)) {
			oldest = at;
		}
	}
	oldest->used = true;
	oldest->port = port;
	memcpy(oldest->host, host, 16);
	oldest->allowance = (struct discovery_allowance){.left = burst, .seen_ms = now_ms};
	return &oldest->allowance;
}

bool discovery_limit_take(struct discovery_limit *limit, const uint8_t host[16], uint16_t port, int64_t now_ms)
{
	if (!limit->begun) {
		limit->begun = true;
		limit->all = (struct discovery_allowance){.left = DISCOVERY_ALL_BURST, .seen_ms = now_ms};
	}
	struct discovery_allowance *mine = find(limit->socket, host, port, now_ms, DISCOVERY_SOCKET_BURST);
	struct discovery_allowance *hosts = find(limit->host, host, 0, now_ms, DISCOVERY_HOST_BURST);
	refill(mine, now_ms, DISCOVERY_SOCKET_BURST, DISCOVERY_SOCKET_RATE);
	refill(hosts, now_ms, DISCOVERY_HOST_BURST, DISCOVERY_HOST_RATE);
	refill(&limit->all, now_ms, DISCOVERY_ALL_BURST, DISCOVERY_ALL_RATE);
	if (mine->left < 1 || hosts->left < 1 || limit->all.left < 1) {
		return false;
	}
	mine->left -= 1;
	hosts->left -= 1;
	limit->all.left -= 1;
	return true;
}
