/* SPDX-License-Identifier: MIT */
/* Builds everything in order and takes it down in reverse. */
#include "observatory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "camera.h"
#include "device_private.h"
#include "focuser.h"
#include "plug.h"
#include "shared.h"
#include "transcripts.h"

/* The kinds of devices that there are, in the order in which clients see them. */
static const struct device_kind *const kinds[] = {&focuser_kind, &camera_kind};

struct observatory {
	struct transcripts *transcripts;
	struct clock *fast; /* the clock of simulated devices */
	struct devices devices;
	struct served served;
	const struct config *config; /* the configuration at the start */
	struct plug *plug;

	struct shared *shared;
};

/* Tells a camera where its focuser stands. */
static bool where_focuser_stands(void *ctx, int number, double *steps)
{
	const struct observatory *obs = ctx;
	struct device *focuser = devices_find(&obs->devices, &focuser_kind, number);
	if (focuser == NULL) {
		return false;
	}
	struct focuser_state state;
	focuser_state(focuser, &state);
	*steps = state.measured_position;
	return state.position_valid;
}

static enum err_code build_devices(struct observatory *obs, const struct observatory_options *options,
	struct err *err)
{
	const struct device_needs needs = {
		.settings = obs->served.settings,
		.state_dir = options->state_dir,
		.seed = options->seed,
		.fast_clock = obs->fast,
		.events = obs->served.events,
		.transcripts = obs->transcripts,
		.store = obs->served.store,
		.siblings = &obs->devices,
		.patience = options->patience,
		.focuser_position = where_focuser_stands,
		.shared = obs->shared,
		.ctx = obs,
	};
	for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
		for (int i = 0; i < CONFIG_MAX_DEVICES; i++) {
			if (!kinds[k]->life->configured(obs->config, i)) {
				continue;
			}
			struct device **next = &obs->devices.device[obs->devices.count];
			enum err_code code = device_create(kinds[k], i, &needs, next, err);
			if (code != ERR_OK) {
				return code;
			}
			obs->devices.count++;
		}
	}
	return ERR_OK;
}

/* The jobs are made before the workers start, so that whoever is told of a change finds them. */
static enum err_code build_jobs(struct observatory *obs, const struct observatory_options *options, struct err *err)
{
	struct served *served = &obs->served;
	const struct job_needs needs = {
		.settings = served->settings,
		.events = served->events,
		.store = served->store,
		.devices = served->devices,
		.state_dir = options->state_dir,
	};
	for (int i = 0; i < CONFIG_MAX_DEVICES; i++) {
		struct device *focuser = devices_find(served->devices, &focuser_kind, i);
		if (focuser == NULL) {
			continue;
		}
		served->autofocus[i] = autofocus_create(&needs, focuser);
		if (served->autofocus[i] == NULL) {
			return err_set(err, ERR_NOMEM, "out of memory");
		}
		enum err_code code = autofocus_begin(served->autofocus[i], err);
		if (code != ERR_OK) {
			return code;
		}
	}
	served->arrivals = arrivals_measured_create(&needs);
	return served->arrivals != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
}

/* Wakes whoever waits for an answer of the store; called on the store's thread. */
static void store_answered(void *arg)
{
	events_publish(arg);
}

/* Wakes the workers after a setting has changed; they look at it between two operations. */
static void settings_changed(void *arg)
{
	struct observatory *obs = arg;
	for (int i = 0; i < obs->devices.count; i++) {
		struct device *dev = obs->devices.device[i];
		pthread_mutex_lock(&dev->lock);
		device_wake_worker(dev);
		pthread_mutex_unlock(&dev->lock);
	}
}

static enum err_code build(struct observatory *obs, const struct observatory_options *options,
	struct err *err)
{
	struct served *served = &obs->served;
	served->devices = &obs->devices;
	served->events = events_create();
	obs->transcripts = transcripts_create(options->state_dir);
	obs->shared = shared_create();
	obs->fast = clock_create_scaled(options->time_factor > 0 ? options->time_factor : 1.0);
	if (served->events == NULL || obs->fast == NULL || obs->shared == NULL || obs->transcripts == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	enum err_code code = store_open(options->state_dir, store_answered, served->events, &served->store, err);
	if (code == ERR_OK) {
		code = build_devices(obs, options, err);
	}
	if (code == ERR_OK) {
		code = build_jobs(obs, options, err);
	}
	if (code == ERR_OK && !settings_listen(served->settings, settings_changed, obs)) {
		code = err_set(err, ERR_INTERNAL, "no room for another listener to settings");
	}
	for (int i = 0; code == ERR_OK && i < obs->devices.count; i++) {
		code = device_start(obs->devices.device[i], err);
	}
	if (code == ERR_OK) {
		obs->plug = plug_create(obs->devices.device, obs->devices.count);
	}
	return code;
}

enum err_code observatory_create(struct settings *settings, const struct observatory_options *options,
	struct observatory **out, struct err *err)
{
	struct observatory *obs = calloc(1, sizeof *obs);
	if (obs == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	obs->served.settings = settings;
	obs->config = settings_get(settings);
	enum err_code code = build(obs, options, err);
	if (code != ERR_OK) {
		observatory_destroy(obs);
		return code;
	}
	*out = obs;
	return ERR_OK;
}

void observatory_destroy(struct observatory *obs)
{
	if (obs == NULL) {
		return;
	}
	settings_unlisten(obs->served.settings, settings_changed, obs);
	plug_destroy(obs->plug);
	for (int i = 0; i < CONFIG_MAX_DEVICES; i++) {
		autofocus_end(obs->served.autofocus[i]);
	}
	for (int i = 0; i < obs->devices.count; i++) {
		device_join(obs->devices.device[i]);
	}
	arrivals_measured_destroy(obs->served.arrivals);
	for (int i = 0; i < CONFIG_MAX_DEVICES; i++) {
		autofocus_destroy(obs->served.autofocus[i]);
	}
	for (int i = 0; i < obs->devices.count; i++) {
		device_destroy(obs->devices.device[i]);
	}
	shared_destroy(obs->shared);
	transcripts_destroy(obs->transcripts);
	store_close(obs->served.store);
	events_destroy(obs->served.events);
	clock_destroy(obs->fast);
	settings_release(obs->served.settings, obs->config);
	free(obs);
}

const struct served *observatory_served(const struct observatory *obs)
{
	return &obs->served;
}
