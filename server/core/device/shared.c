/* SPDX-License-Identifier: MIT */
#include "shared.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver_host.h"

#define KEY_ROOM 64
/* Each device of a simulation asks for one sky. */
#define MEMORIES 32

/* While an object is made or ended the lock is free, and whoever wants the same key waits. */
enum state { FREE, MADE, READY, ENDED };

struct object {
	enum state state;
	char key[KEY_ROOM];
	const struct driver_shared *kind;
	void *memory;
	int users;
	bool retired; /* it was found unusable, and nobody new joins it */
};

struct shared {
	pthread_mutex_t lock;
	pthread_cond_t settled; /* broadcast when an object has been made or ended */
	struct object object[DRIVER_SHARED_OBJECTS];
	struct {
		char key[KEY_ROOM];
		size_t size;
		void *memory;
	} memory[MEMORIES];
	int memory_count;
};

struct shared *shared_create(void)
{
	struct shared *shared = calloc(1, sizeof *shared);
	if (shared != NULL) {
		pthread_mutex_init(&shared->lock, NULL);
		pthread_cond_init(&shared->settled, NULL);
	}
	return shared;
}

void shared_destroy(struct shared *shared)
{
	if (shared == NULL) {
		return;
	}
	for (int i = 0; i < shared->memory_count; i++) {
		free(shared->memory[i].memory);
	}
	pthread_cond_destroy(&shared->settled);
	pthread_mutex_destroy(&shared->lock);
	free(shared);
}

void *shared_memory(void *ctx, const char *key, size_t size)
{
	struct shared *shared = ctx;
	void *memory = NULL;
	pthread_mutex_lock(&shared->lock);
	for (int i = 0; i < shared->memory_count; i++) {
		if (strcmp(shared->memory[i].key, key) == 0 && shared->memory[i].size == size) {
			memory = shared->memory[i].memory;
		}
	}
	if (memory == NULL && shared->memory_count < MEMORIES && strlen(key) < KEY_ROOM) {
		memory = calloc(1, size);
		if (memory != NULL) {
			int i = shared->memory_count++;
			memcpy(shared->memory[i].key, key, strlen(key) + 1);
			shared->memory[i].size = size;
			shared->memory[i].memory = memory;
		}
	}
	pthread_mutex_unlock(&shared->lock);
	return memory;
}

static bool is_it(const struct object *object, const char *key, const struct driver_shared *kind)
{
	return object->state != FREE && !object->retired && object->kind == kind && strcmp(object->key, key) == 0;
}

/* Finds the object with this key that can be used, or is being made or ended; one that is found unusable is retired. */
static struct object *find(struct shared *shared, const char *key, const struct driver_shared *kind)
{
	for (int i = 0; i < DRIVER_SHARED_OBJECTS; i++) {
		struct object *object = &shared->object[i];
		if (!is_it(object, key, kind)) {
			continue;
		}
		if (object->state == READY && kind->usable != NULL && !kind->usable(object->memory)) {
			object->retired = true;
			continue;
		}
		return object;
	}
	return NULL;
}

static struct object *find_free(struct shared *shared)
{
	for (int i = 0; i < DRIVER_SHARED_OBJECTS; i++) {
		if (shared->object[i].state == FREE) {
			return &shared->object[i];
		}
	}
	return NULL;
}

/* Makes an object. The caller holds the lock, which is free meanwhile. */
static enum err_code make(struct shared *shared, struct object *object, const char *key,
	const struct driver_shared *kind, const void *arg, struct err *err)
{
	*object = (struct object){.state = MADE, .kind = kind, .memory = calloc(1, kind->size)};
	memcpy(object->key, key, strlen(key) + 1);
	enum err_code code = ERR_OK;
	if (object->memory == NULL) {
		code = err_set(err, ERR_NOMEM, "out of memory");
	} else {
		pthread_mutex_unlock(&shared->lock);
		code = kind->create(object->memory, object->key, arg, err);
		pthread_mutex_lock(&shared->lock);
	}
	if (code != ERR_OK) {
		free(object->memory);
	}
	object->state = code == ERR_OK ? READY : FREE;
	pthread_cond_broadcast(&shared->settled);
	return code;
}

enum err_code shared_join(void *ctx, const char *key, const struct driver_shared *kind, const void *arg, void **out,
	struct err *err)
{
	struct shared *shared = ctx;
	if (strlen(key) >= KEY_ROOM) {
		return err_set(err, ERR_INVALID_VALUE, "%s: the name of a connection has at most %d characters", key,
			KEY_ROOM - 1);
	}
	enum err_code code = ERR_OK;
	pthread_mutex_lock(&shared->lock);
	struct object *object = find(shared, key, kind);
	while (object != NULL && object->state != READY) {
		pthread_cond_wait(&shared->settled, &shared->lock);
		object = find(shared, key, kind);
	}
	if (object == NULL) {
		object = find_free(shared);
		code = object == NULL
			? err_set(err, ERR_INVALID_OPERATION, "%s: more than %d connections that devices share", key,
				  DRIVER_SHARED_OBJECTS)
			: make(shared, object, key, kind, arg, err);
	}
	if (code == ERR_OK && object->users == DRIVER_SHARED_USERS) {
		code = err_set(err, ERR_INVALID_OPERATION, "%s: more than %d devices share this connection", key,
			DRIVER_SHARED_USERS);
	}
	if (code == ERR_OK) {
		object->users++;
		*out = object->memory;
	}
	pthread_mutex_unlock(&shared->lock);
	return code;
}

void shared_leave(void *ctx, void *memory)
{
	struct shared *shared = ctx;
	pthread_mutex_lock(&shared->lock);
	struct object *object = NULL;
	for (int i = 0; i < DRIVER_SHARED_OBJECTS; i++) {
		if (shared->object[i].state == READY && shared->object[i].memory == memory) {
			object = &shared->object[i];
		}
	}
	if (object != NULL && --object->users == 0) {
		object->state = ENDED;
		pthread_mutex_unlock(&shared->lock);
		object->kind->destroy(memory);
		free(memory);
		pthread_mutex_lock(&shared->lock);
		object->state = FREE;
		pthread_cond_broadcast(&shared->settled);
	}
	pthread_mutex_unlock(&shared->lock);
}
