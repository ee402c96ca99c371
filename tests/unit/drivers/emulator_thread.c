/* SPDX-License-Identifier: MIT */
#include "emulator_thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

static void note(void *ctx, char direction, const void *data, size_t len)
{
	struct emulator_thread *t = ctx;
	pthread_mutex_lock(&t->lock);
	if (direction == '>' && len < sizeof t->sent - t->sent_len) {
		memcpy(t->sent + t->sent_len, data, len);
		t->sent_len += len;
	}
	pthread_mutex_unlock(&t->lock);
}

static void *serve(void *arg)
{
	struct emulator_thread *t = arg;
	struct err err;
	return emulator_run(t->emulator, t->stop_fd, &err) == ERR_OK ? NULL : arg;
}

void emulator_thread_start(struct emulator_thread *t, const struct emulator_kind *kind,
	const struct emulator_settings *settings, const char *link)
{
	memset(t, 0, sizeof *t);
	pthread_mutex_init(&t->lock, NULL);
	t->stop_fd = eventfd(0, EFD_CLOEXEC);
	assert_true(t->stop_fd >= 0);
	struct err err;
	if (emulator_create(kind, settings, link, note, t, &t->emulator, &err) != ERR_OK) {
		fail_msg("%s", err.text);
	}
	emulator_thread_resume(t);
}

void emulator_thread_resume(struct emulator_thread *t)
{
	assert_int_equal(pthread_create(&t->thread, NULL, serve, t), 0);
}

void emulator_thread_pause(struct emulator_thread *t)
{
	uint64_t count = 1;
	assert_int_equal(write(t->stop_fd, &count, sizeof count), sizeof count);
	void *failed = t;
	pthread_join(t->thread, &failed);
	assert_null(failed);
	assert_int_equal(read(t->stop_fd, &count, sizeof count), sizeof count);
}

void emulator_thread_stop(struct emulator_thread *t)
{
	emulator_thread_pause(t);
	emulator_destroy(t->emulator);
	close(t->stop_fd);
	pthread_mutex_destroy(&t->lock);
}

size_t emulator_thread_take(struct emulator_thread *t, char *out, size_t cap)
{
	pthread_mutex_lock(&t->lock);
	size_t n = t->sent_len < cap ? t->sent_len : cap - 1;
	memcpy(out, t->sent, n);
	out[n] = '\0';
	t->sent_len = 0;
	pthread_mutex_unlock(&t->lock);
	return n;
}
