/* SPDX-License-Identifier: MIT */
/* An observatory of one focuser that remembers its position; the test spoils its disk and its motor. */
#ifndef FOCUSD_TEST_POSITION_FIXTURE_H
#define FOCUSD_TEST_POSITION_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "device_private.h"
#include "fake_disk.h"
#include "fake_drivers.h"
#include "focuser.h"
#include "focuser_private.h"
#include "log.h"
#include "observatory.h"
#include "settings_fixture.h"
#include "position_journal.h"

static const struct client alice = {"10.0.0.1", 1};

struct fixture {
	struct config config;
	struct settings *settings; /* of the last start */
	struct observatory *obs;
	struct device *dev;
	char dir[64];
	char path[96];
};

static inline void wait_for(struct fixture *f, bool (*ready)(struct fixture *f))
{
	int64_t give_up = clock_now_ms(clock_real()) + 20000;
	while (!ready(f)) {
		pthread_mutex_lock(&f->dev->lock);
		clock_wait(clock_real(), &f->dev->changed, &f->dev->lock, clock_now_ms(clock_real()) + 2);
		pthread_mutex_unlock(&f->dev->lock);
		if (clock_now_ms(clock_real()) > give_up) {
			fail_msg("the condition never came true");
		}
	}
}

static inline struct focuser_state look(struct fixture *f)
{
	struct focuser_state state;
	focuser_state(f->dev, &state);
	return state;
}

static inline bool up(struct fixture *f)
{
	return device_link(f->dev) == LINK_UP;
}

static inline bool lost(struct fixture *f)
{
	return device_link(f->dev) == LINK_LOST;
}

static inline bool at_rest(struct fixture *f)
{
	return !look(f).is_moving;
}

static inline bool started(struct fixture *f)
{
	(void)f;
	return fake.move_count > 0;
}

static inline bool disk_is_syncing(struct fixture *f)
{
	(void)f;
	return disk.syncing;
}

/* Whether everything that was noted is on the disk. */
static inline bool settled(struct fixture *f)
{
	pthread_mutex_lock(&f->dev->lock);
	struct focuser_memory *m = &focuser_of(f->dev)->memory;
	bool failed = false;
	bool done = position_journal_settled(m->journal, m->ticket, &failed) && !failed;
	pthread_mutex_unlock(&f->dev->lock);
	return done;
}

static inline struct position_entry on_disk(struct fixture *f)
{
	struct position_entry entry = {0};
	wait_for(f, settled);
	assert_int_equal(position_journal_read(f->path, &entry, NULL), POSITION_READ);
	return entry;
}

static inline void start(struct fixture *f)
{
	struct err err;
	uint64_t ticket;
	struct observatory_options options = {.state_dir = f->dir, .seed = 1, .time_factor = 20};
	struct settings *settings = settings_anew(&f->settings, &f->config);
	assert_int_equal(observatory_create(settings, &options, &f->obs, &err), ERR_OK);
	f->dev = devices_find(observatory_served(f->obs)->devices, &focuser_kind, 0);
	assert_int_equal(device_connect(f->dev, &alice, &ticket, &err), ERR_OK);
	wait_for(f, up);
}

static inline void stop(struct fixture *f)
{
	observatory_destroy(f->obs);
	f->obs = NULL;
}

/* Does what a power cut does: the disk is as it was at the moment of `when`, and the motor stands at `motor`. */
static inline void power_cut(struct fixture *f, const struct position_entry *when, int32_t motor)
{
	stop(f);
	assert_int_equal(unlink(f->path), 0);
	struct position_journal *j = position_journal_create(f->path, "test", NULL, NULL, NULL);
	position_journal_note(j, when);
	position_journal_destroy(j);
	fake_put_motor(motor);
	start(f);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	fake_reset();
	memset(&disk, 0, sizeof disk);
	snprintf(f->dir, sizeof f->dir, "/tmp/focusd-test-XXXXXX");
	if (mkdtemp(f->dir) == NULL) {
		return -1;
	}
	snprintf(f->path, sizeof f->path, "%s/position-0", f->dir);
	config_defaults(&f->config);
	f->config.focuser[0].present = true;
	snprintf(f->config.focuser[0].driver, sizeof f->config.focuser[0].driver, "fake-forgetful");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = {"focusd.db", "focusd.db-wal", "focusd.db-shm", "devices.json",
		"position-0"};
	disk.sync_waits = false;
	stop(f);
	settings_destroy(f->settings);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char path[128];
		snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
		unlink(path);
	}
	int result = rmdir(f->dir);
	free(f);
	return result;
}

static inline void move(struct fixture *f, int32_t target)
{
	struct err err = {0};
	assert_int_equal(focuser_move(f->dev, target, &err), ERR_OK);
}

static inline enum err_code set_position(struct fixture *f, enum focuser_set_how how, int32_t position)
{
	struct err err = {0};
	uint64_t ticket = 0;
	enum err_code code = focuser_set_position(f->dev, how, position, &ticket, &err);
	int64_t give_up = clock_now_ms(clock_real()) + 20000;
	while (code == ERR_OK && !focuser_set_position_done(f->dev, ticket, &code, &err)) {
		assert_true(clock_now_ms(clock_real()) < give_up);
		pthread_mutex_lock(&f->dev->lock);
		clock_wait(clock_real(), &f->dev->changed, &f->dev->lock, clock_now_ms(clock_real()) + 2);
		pthread_mutex_unlock(&f->dev->lock);
	}
	assert_true(code == ERR_OK || err.text[0] != '\0');
	return code;
}

static inline bool unknown(struct fixture *f)
{
	return look(f).trust == POSITION_UNKNOWN;
}

#endif
