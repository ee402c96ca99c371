/* SPDX-License-Identifier: MIT */
#include "transcript_ring.h"

#include <stdlib.h>
#include <string.h>

/* This stands before the bytes of each entry. */
struct head {
	int64_t ms;
	uint16_t len;
	char kind;
};
#define HEAD_BYTES (sizeof(int64_t) + sizeof(uint16_t) + 1)
#define PIECE_BYTES TRANSCRIPT_ROOM

bool transcript_ring_init(struct transcript_ring *ring, size_t size)
{
	*ring = (struct transcript_ring){.room = malloc(size), .size = size};
	return ring->room != NULL;
}

void transcript_ring_fini(struct transcript_ring *ring)
{
	free(ring->room);
	*ring = (struct transcript_ring){0};
}

void transcript_ring_clear(struct transcript_ring *ring)
{
	ring->head = 0;
	ring->used = 0;
}

bool transcript_ring_copy(struct transcript_ring *to, const struct transcript_ring *from)
{
	uint8_t *room = malloc(from->size);
	if (room == NULL) {
		return false;
	}
	memcpy(room, from->room, from->size);
	*to = *from;
	to->room = room;
	return true;
}

static void put(struct transcript_ring *ring, const void *data, size_t len)
{
	size_t at = (ring->head + ring->used) % ring->size;
	size_t first = len < ring->size - at ? len : ring->size - at;
	memcpy(ring->room + at, data, first);
	if (len > first) {
		memcpy(ring->room, (const uint8_t *)data + first, len - first);
	}
	ring->used += len;
}

/* Copies len bytes out of the ring; `at` counts from the beginning of the oldest entry. */
static void get(const struct transcript_ring *ring, size_t at, void *out, size_t len)
{
	at = (ring->head + at) % ring->size;
	size_t first = len < ring->size - at ? len : ring->size - at;
	memcpy(out, ring->room + at, first);
	if (len > first) {
		memcpy((uint8_t *)out + first, ring->room, len - first);
	}
}

static struct head head_at(const struct transcript_ring *ring, size_t at)
{
	uint8_t bytes[HEAD_BYTES];
	struct head head;
	get(ring, at, bytes, sizeof bytes);
	memcpy(&head.ms, bytes, sizeof head.ms);
	memcpy(&head.len, bytes + sizeof head.ms, sizeof head.len);
	head.kind = (char)bytes[HEAD_BYTES - 1];
	return head;
}

static void drop_oldest(struct transcript_ring *ring)
{
	size_t whole = HEAD_BYTES + head_at(ring, 0).len;
	ring->head = (ring->head + whole) % ring->size;
	ring->used -= whole;
}

static void add_piece(struct transcript_ring *ring, int64_t ms, char kind, const uint8_t *data,
	size_t len)
{
	while (ring->size - ring->used < HEAD_BYTES + len) {
		drop_oldest(ring);
	}
	uint8_t bytes[HEAD_BYTES];
	uint16_t short_len = (uint16_t)len;
	memcpy(bytes, &ms, sizeof ms);
	memcpy(bytes + sizeof ms, &short_len, sizeof short_len);
	bytes[HEAD_BYTES - 1] = (uint8_t)kind;
	put(ring, bytes, sizeof bytes);
	put(ring, data, len);
}

bool transcript_ring_add(struct transcript_ring *ring, int64_t ms, char kind, const void *data,
	size_t len, bool may_drop)
{
	const uint8_t *bytes = len > 0 ? data : (const void *)"";
	size_t pieces = (len + PIECE_BYTES - 1) / PIECE_BYTES;
	if (!may_drop && ring->size - ring->used < len + (pieces > 0 ? pieces : 1) * HEAD_BYTES) {
		return false;
	}
	do {
		size_t n = len < PIECE_BYTES ? len : PIECE_BYTES;
		add_piece(ring, ms, kind, bytes, n);
		bytes += n;
		len -= n;
	} while (len > 0);
	return true;
}

struct transcript_ring_walk transcript_ring_walk(const struct transcript_ring *ring)
{
	return (struct transcript_ring_walk){.ring = ring, .at = 0};
}

bool transcript_ring_next(struct transcript_ring_walk *walk, struct transcript_entry *out)
{
	if (walk->at >= walk->ring->used) {
		return false;
	}
	struct head head = head_at(walk->ring, walk->at);
	out->ms = head.ms;
	out->kind = head.kind;
	out->len = head.len;
	get(walk->ring, walk->at + HEAD_BYTES, out->data, head.len);
	walk->at += HEAD_BYTES + head.len;
	return true;
}
