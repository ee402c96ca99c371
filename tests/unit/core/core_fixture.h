/* SPDX-License-Identifier: MIT */
/*
 * An observatory of one focuser and one camera, both with the fake driver, for one test, and functions that wait for
 * what tests need. A test fills in the configuration, calls start(), and makes the devices misbehave through `fake`.
 */
#ifndef FOCUSD_TEST_CORE_FIXTURE_H
#define FOCUSD_TEST_CORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "camera.h"
#include "clock.h"
#include "device_private.h"
#include "fake_drivers.h"
#include "focuser.h"
#include "log.h"
#include "observatory.h"
#include "settings_fixture.h"
#include "phase.h"

static const struct client alice = {"10.0.0.1", 1};

/* Each event signals this, so that a test waits for a condition without polling. */
static pthread_mutex_t news_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news;
static unsigned news_count;

static void on_news(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&news_lock);
	news_count++;
	pthread_cond_broadcast(&news);
	pthread_mutex_unlock(&news_lock);
}

/* A worker calls this, and cmocka cannot fail a test there, so the program ends. */
static void unlawful_phase(enum move_phase from, enum move_phase to)
{
	fprintf(stderr, "a move goes from phase %s to %s\n", focuser_phase_name(from), focuser_phase_name(to));
	abort();
}

struct fixture {
	struct config config;
	struct settings *settings; /* of the last start */
	struct observatory *obs;
	struct device *focuser;
	struct device *camera;
	const struct device_patience *patience;
	double time_factor;
	char dir[64];
};

/* Calls ready each time something was published or 20 ms have passed, until it is true. Fails after 20 s. */
static void wait_for(struct fixture *f, bool (*ready)(struct fixture *f))
{
	int64_t give_up = clock_now_ms(clock_real()) + 20000;
	while (!ready(f)) {
		pthread_mutex_lock(&news_lock);
		clock_wait(clock_real(), &news, &news_lock, clock_now_ms(clock_real()) + 20);
		pthread_mutex_unlock(&news_lock);
		if (clock_now_ms(clock_real()) > give_up) {
			fail_msg("the condition never came true");
		}
	}
}

static inline bool focuser_up(struct fixture *f)
{
	return device_link(f->focuser) == LINK_UP;
}

static inline bool focuser_down(struct fixture *f)
{
	return device_link(f->focuser) == LINK_DOWN;
}

static inline bool camera_up(struct fixture *f)
{
	return device_link(f->camera) == LINK_UP;
}

static inline bool at_rest(struct fixture *f)
{
	struct focuser_state state;
	focuser_state(f->focuser, &state);
	return !state.is_moving;
}

static inline bool leg_started(struct fixture *f)
{
	(void)f;
	return fake.move_count > 0;
}

static inline bool lost(struct fixture *f)
{
	return device_link(f->focuser) == LINK_LOST;
}

static inline bool image_ready(struct fixture *f)
{
	bool ready = false;
	camera_image_ready(f->camera, &ready, NULL);
	return ready;
}

static void start(struct fixture *f)
{
	struct err err;
	uint64_t ticket;
	struct observatory_options options = {.state_dir = f->dir, .seed = 1,
		.time_factor = f->time_factor, .patience = f->patience};
	struct settings *settings = settings_anew(&f->settings, &f->config);
	assert_int_equal(observatory_create(settings, &options, &f->obs, &err), ERR_OK);
	assert_int_equal(events_listen(observatory_served(f->obs)->events, on_news, NULL), 0);
	f->focuser = devices_find(observatory_served(f->obs)->devices, &focuser_kind, 0);
	f->camera = devices_find(observatory_served(f->obs)->devices, &camera_kind, 0);
	assert_non_null(f->focuser);
	assert_non_null(f->camera);
	assert_int_equal(device_connect(f->focuser, &alice, &ticket, &err), ERR_OK);
	assert_int_equal(device_connect(f->camera, &alice, &ticket, &err), ERR_OK);
	wait_for(f, focuser_up);
	wait_for(f, camera_up);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	fake_reset();
	focuser_phase_bug = unlawful_phase;
	atomic_store(&fake.sensor_c, 11.0);
	f->time_factor = 20;
	snprintf(f->dir, sizeof f->dir, "/tmp/focusd-test-XXXXXX");
	if (mkdtemp(f->dir) == NULL) {
		return -1;
	}
	config_defaults(&f->config);
	f->config.focuser[0].present = true;
	snprintf(f->config.focuser[0].driver, sizeof f->config.focuser[0].driver, "fake");
	f->config.camera[0].present = true;
	snprintf(f->config.camera[0].driver, sizeof f->config.camera[0].driver, "fake");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	observatory_destroy(f->obs);
	settings_destroy(f->settings);
	char path[128];
	static const char *const names[] = {"focusd.db", "focusd.db-wal", "focusd.db-shm",
		"focusd.db-journal", "devices.json"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
		unlink(path);
	}
	rmdir(f->dir);
	free(f);
	return 0;
}

#endif
