/* SPDX-License-Identifier: MIT */
/* An emulated device served by a thread of its own, with a record of what the client sent. */
#ifndef FOCUSD_EMULATOR_THREAD_H
#define FOCUSD_EMULATOR_THREAD_H

#include <pthread.h>

#include "emulator.h"

struct emulator_thread {
	struct emulator *emulator;
	pthread_t thread;
	int stop_fd;
	pthread_mutex_t lock;
	char sent[4096]; /* by the client */
	size_t sent_len;
};

/* Starts a device of this kind; link as for emulator_create().  Fails the test when it cannot. */
void emulator_thread_start(struct emulator_thread *t, const struct emulator_kind *kind,
	const struct emulator_settings *settings, const char *link);
void emulator_thread_stop(struct emulator_thread *t);

/* The device hangs: its terminal stays, what is sent to it waits there.  And goes on. */
void emulator_thread_pause(struct emulator_thread *t);
void emulator_thread_resume(struct emulator_thread *t);

/* Copies what the client has sent so far as a string, and forgets it; returns its bytes, zeros counted. */
size_t emulator_thread_take(struct emulator_thread *t, char *out, size_t cap);

#endif
