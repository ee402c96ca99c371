/* SPDX-License-Identifier: MIT */
#include "retry.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 32 };

/* One remembered PUT. A slot with serial 0 is free. */
struct slot {
	uint64_t serial;
	const void *device;
	char peer[64];
	uint32_t client, transaction;
	const char *member;
	struct buf body;
	struct buf answer;
	int64_t came_ms;
	bool answered;
	bool awaited;
	bool superseded; /* the client has sent another PUT to the device since */
};

struct retry_table {
	pthread_mutex_t lock;
	uint64_t serial;
	struct slot slot[SLOTS];
};

struct retry_table *retry_create(void)
{
	struct retry_table *table = calloc(1, sizeof *table);
	if (table != NULL) {
		pthread_mutex_init(&table->lock, NULL);
	}
	return table;
}

static void slot_free(struct slot *slot)
{
	if (slot->serial != 0) {
		buf_fini(&slot->body);
		buf_fini(&slot->answer);
		slot->serial = 0;
	}
}

void retry_destroy(struct retry_table *table)
{
	if (table == NULL) {
		return;
	}
	for (int i = 0; i < SLOTS; i++) {
		slot_free(&table->slot[i]);
	}
	pthread_mutex_destroy(&table->lock);
	free(table);
}

static bool is_client(const struct slot *slot, const struct retry_key *key)
{
	return slot->serial != 0 && slot->device == key->device && slot->client == key->client &&
	       strcmp(slot->peer, key->peer) == 0;
}

/* Finds a free slot, or else the oldest one that was answered; NULL when there is neither. */
static struct slot *slot_for_new(struct retry_table *table)
{
	struct slot *oldest = NULL;
	for (int i = 0; i < SLOTS; i++) {
		struct slot *slot = &table->slot[i];
		if (slot->serial == 0) {
			return slot;
		}
		if (slot->answered && (oldest == NULL || slot->serial < oldest->serial)) {
			oldest = slot;
		}
	}
	return oldest;
}

static struct retry_ticket ticket_of(const struct retry_table *table, const struct slot *slot)
{
	return (struct retry_ticket){
		.slot = (uint32_t)(slot - table->slot), .serial = slot->serial};
}

enum retry_result retry_note(struct retry_table *table, const struct retry_key *key,
	int64_t window_ms, int64_t now_ms, struct retry_ticket *ticket)
{
	*ticket = (struct retry_ticket){.slot = 0, .serial = 0};
	bool has_ids = key->client != 0 && key->transaction != 0;
	pthread_mutex_lock(&table->lock);
	for (int i = 0; i < SLOTS; i++) {
		struct slot *slot = &table->slot[i];
		if (!is_client(slot, key) || slot->superseded) {
			continue;
		}
		if (window_ms > 0 && has_ids && slot->transaction == key->transaction &&
			slot->member == key->member && now_ms - slot->came_ms <= window_ms &&
			slot->body.len == key->body.len &&
			(key->body.len == 0 ||
				memcmp(slot->body.data, key->body.data, key->body.len) == 0)) {
			*ticket = ticket_of(table, slot);
			pthread_mutex_unlock(&table->lock);
			return RETRY_AGAIN;
		}
		slot->superseded = true;
	}
	struct slot *slot = window_ms > 0 && has_ids ? slot_for_new(table) : NULL;
	if (slot != NULL) {
		slot_free(slot);
		memset(slot, 0, sizeof *slot);
		slot->device = key->device;
		size_t len = strnlen(key->peer, sizeof slot->peer - 1);
		memcpy(slot->peer, key->peer, len);
		slot->client = key->client;
		slot->transaction = key->transaction;
		slot->member = key->member;
		slot->came_ms = now_ms;
		buf_init(&slot->body, key->body.len);
		buf_init(&slot->answer, 1024 * 1024);
		buf_add(&slot->body, key->body.data, key->body.len);
		if (!slot->body.failed) {
			slot->serial = ++table->serial;
			*ticket = ticket_of(table, slot);
		} else {
			buf_fini(&slot->body);
		}
	}
	pthread_mutex_unlock(&table->lock);
	return RETRY_NEW;
}

bool retry_answered(struct retry_table *table, struct retry_ticket ticket, struct span answer)
{
	if (ticket.serial == 0) {
		return false;
	}
	bool awaited = false;
	pthread_mutex_lock(&table->lock);
	struct slot *slot = &table->slot[ticket.slot];
	if (slot->serial == ticket.serial) {
		buf_add(&slot->answer, answer.data, answer.len);
		slot->answered = true;
		awaited = slot->awaited;
	}
	pthread_mutex_unlock(&table->lock);
	return awaited;
}

enum retry_state retry_fetch(struct retry_table *table, struct retry_ticket ticket, struct buf *out)
{
	enum retry_state state = RETRY_GONE;
	pthread_mutex_lock(&table->lock);
	struct slot *slot = &table->slot[ticket.slot];
	if (slot->serial == ticket.serial && !slot->answered) {
		slot->awaited = true;
		state = RETRY_PENDING;
	} else if (slot->serial == ticket.serial && !slot->answer.failed) {
		buf_add(out, slot->answer.data, slot->answer.len);
		state = RETRY_READY;
	}
	pthread_mutex_unlock(&table->lock);
	return state;
}
