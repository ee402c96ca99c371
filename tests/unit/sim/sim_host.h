/* SPDX-License-Identifier: MIT */
/*
 * A driver host for tests: a fake clock, a small shared memory, and a configuration that says
 * nothing until a test says it.
 */
#ifndef FOCUSD_TEST_SIM_HOST_H
#define FOCUSD_TEST_SIM_HOST_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "driver_host.h"

struct test_host {
	struct driver_host focuser, camera;
	struct simulator_config simulator;
	struct optics_config optics;
	char keys[4][32];
	void *memory[4];
	int count;
};

static void *test_share(void *share_ctx, const char *key, size_t size)
{
	struct test_host *t = share_ctx;
	for (int i = 0; i < t->count; i++) {
		if (strcmp(t->keys[i], key) == 0) {
			return t->memory[i];
		}
	}
	if (t->count == 4 || strlen(key) >= sizeof t->keys[0]) {
		return NULL;
	}
	memcpy(t->keys[t->count], key, strlen(key) + 1);
	t->memory[t->count] = calloc(1, size);
	return t->memory[t->count++];
}

static struct driver_host test_host_of(struct test_host *t, const char *source, uint64_t seed)
{
	struct driver_host host = {
		.clock = t->focuser.clock, .source = source, .seed = seed,
		.simulator = &t->simulator, .optics = &t->optics,
		.pixel_size_um = NAN, .step_size_um = NAN,
		.share = test_share, .share_ctx = t,
	};
	return host;
}

static inline void test_host_init(struct test_host *t, uint64_t seed)
{
	memset(t, 0, sizeof *t);
	t->simulator = (struct simulator_config){
		.best_position = NAN, .seeing_arcsec = NAN, .temperature_c = NAN,
		.drift_um_per_c = NAN, .speed_steps_per_s = NAN, .stars = -1, .width = -1,
		.height = -1, .obstruction = NAN, .hot_pixels = -1,
	};
	t->optics = (struct optics_config){
		.focal_length_mm = NAN, .aperture_mm = NAN, .obstruction_mm = 0.0,
		.wavelength_um = 0.55,
	};
	t->focuser.clock = clock_create_fake();
	t->focuser = test_host_of(t, "focuser.0", seed);
	t->camera = test_host_of(t, "camera.0", seed);
}

static inline void test_host_fini(struct test_host *t)
{
	for (int i = 0; i < t->count; i++) {
		free(t->memory[i]);
	}
	clock_destroy(t->focuser.clock);
}

#endif
