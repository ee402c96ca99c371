/* SPDX-License-Identifier: MIT */
#include "starts.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "devices.h"

/* Answers to starts are a few hundred bytes long. */
enum { ANSWER_MAX = 1024 * 1024 };

/* The newest start of one device. A slot keeps its device; one without device is free. */
struct start {
	const void *device;
	uint64_t ongoing; /* number of what it started; 0: nothing is remembered */
	char peer[64];
	uint32_t client, transaction;
	const char *member;
	struct buf body;
	struct buf answer;
};

struct starts {
	pthread_mutex_t lock;
	struct start start[DEVICES_MAX];
};

struct starts *starts_create(void)
{
	struct starts *starts = calloc(1, sizeof *starts);
	if (starts != NULL) {
		pthread_mutex_init(&starts->lock, NULL);
	}
	return starts;
}

static void forget(struct start *start)
{
	buf_fini(&start->body);
	buf_fini(&start->answer);
	start->ongoing = 0;
}

void starts_destroy(struct starts *starts)
{
	if (starts == NULL) {
		return;
	}
	for (int i = 0; i < DEVICES_MAX; i++) {
		forget(&starts->start[i]);
	}
	pthread_mutex_destroy(&starts->lock);
	free(starts);
}

void starts_begin(struct starts *starts)
{
	pthread_mutex_lock(&starts->lock);
}

void starts_end(struct starts *starts)
{
	pthread_mutex_unlock(&starts->lock);
}

/* Finds the slot of the device, or else a free one; NULL when there is neither. */
static struct start *slot_of(struct starts *starts, const void *device)
{
	for (int i = 0; i < DEVICES_MAX; i++) {
		struct start *start = &starts->start[i];
		if (start->device == device || start->device == NULL) {
			return start;
		}
	}
	return NULL;
}

static bool has_ids(const struct start_key *key)
{
	return key->client != 0 && key->transaction != 0;
}

static bool is_equal(const struct start *start, const struct start_key *key)
{
	return start->client == key->client && start->transaction == key->transaction &&
	       start->member == key->member && strcmp(start->peer, key->peer) == 0 &&
	       start->body.len == key->body.len &&
	       (key->body.len == 0 || memcmp(start->body.data, key->body.data, key->body.len) == 0);
}

struct span starts_first_answer(struct starts *starts, const struct start_key *key, uint64_t ongoing)
{
	const struct start *start = slot_of(starts, key->device);
	if (start == NULL || ongoing == 0 || start->ongoing != ongoing || !is_equal(start, key)) {
		return (struct span){.data = NULL, .len = 0};
	}
	return (struct span){.data = start->answer.data, .len = start->answer.len};
}

void starts_remember(struct starts *starts, const struct start_key *key, uint64_t ongoing, struct span answer)
{
	struct start *start = slot_of(starts, key->device);
	if (start == NULL) {
		return;
	}
	forget(start);
	start->device = key->device;
	size_t peer_len = strlen(key->peer);
	if (ongoing == 0 || !has_ids(key) || peer_len >= sizeof start->peer) {
		return;
	}
	buf_init(&start->body, key->body.len);
	buf_init(&start->answer, ANSWER_MAX);
	buf_add(&start->body, key->body.data, key->body.len);
	buf_add(&start->answer, answer.data, answer.len);
	if (start->body.failed || start->answer.failed) {
		forget(start);
		return;
	}
	start->ongoing = ongoing;
	memcpy(start->peer, key->peer, peer_len + 1);
	start->client = key->client;
	start->transaction = key->transaction;
	start->member = key->member;
}
