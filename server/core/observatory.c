/* SPDX-License-Identifier: MIT */
/* Builds everything in order and takes it down in reverse. */
#include "observatory_private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "camera_driver.h"
#include "device_private.h"
#include "focuser.h"
#include "focuser_driver.h"
#include "plug.h"
#include "state.h"
#include "store.h"
#include "transcripts.h"

#define MAX_DEVICES (2 * CONFIG_MAX_DEVICES)
#define MAX_SHARES 32

struct observatory {
	const struct config *config;
	struct events *events;
	struct store *store;
	struct transcripts *transcripts;
	struct clock *fast; /* for simulated devices */
	struct device *all[MAX_DEVICES];
	int count;
	struct autofocus *autofocus[CONFIG_MAX_DEVICES];
	struct plug *plug;

	pthread_mutex_t share_lock;
	struct {
		char key[32];
		size_t size;
		void *memory;
	} share[MAX_SHARES];
	int share_count;
};

/* Memory that sibling drivers share; lives until the observatory ends. */
static void *share(void *ctx, const char *key, size_t size)
{
	struct observatory *obs = ctx;
	void *memory = NULL;
	pthread_mutex_lock(&obs->share_lock);
	for (int i = 0; i < obs->share_count; i++) {
		if (strcmp(obs->share[i].key, key) == 0 && obs->share[i].size == size) {
			memory = obs->share[i].memory;
		}
	}
	if (memory == NULL && obs->share_count < MAX_SHARES) {
		memory = calloc(1, size);
		if (memory != NULL) {
			int i = obs->share_count++;
			snprintf(obs->share[i].key, sizeof obs->share[i].key, "%s", key);
			obs->share[i].size = size;
			obs->share[i].memory = memory;
		}
	}
	pthread_mutex_unlock(&obs->share_lock);
	return memory;
}

/* The lowest focuser that focuses this camera; -1 when none does. */
static int focuser_of_camera(const struct config *config, int camera)
{
	for (int i = 0; i < CONFIG_MAX_DEVICES; i++) {
		if (config->focuser[i].present && config->focuser[i].camera == camera) {
			return i;
		}
	}
	return -1;
}

static void fill_info(struct device_info *info, enum device_type type, int number, const char *name,
	const char *driver, const char *title, const char *where)
{
	info->type = type;
	info->number = number;
	snprintf(info->source, sizeof info->source, "%s.%u",
		type == DEVICE_FOCUSER ? "focuser" : "camera", (unsigned)number % 1000u);
	text_copy_clean(info->name, sizeof info->name, name[0] != '\0' ? name : title);
	text_copy_clean(info->driver, sizeof info->driver, driver);
	text_copy_clean(info->driver_title, sizeof info->driver_title, title);
	text_copy_clean(info->where, sizeof info->where, where);
}

static void note_line(void *ctx, char kind, const void *data, size_t len)
{
	transcript_note(ctx, kind, data, len);
}

/* What is said on the line of a device; without memory for that it works all the same. */
static void listen_to(struct observatory *obs, struct device *dev, const struct config_focuser *cfg)
{
	dev->transcript = transcript_create(obs->transcripts, &(struct transcript_about){
		.source = dev->info.source,
		.driver = cfg->driver,
		.port = &cfg->port,
		.file = cfg->transcript,
	});
	if (dev->transcript != NULL) {
		dev->host.note = note_line;
		dev->host.note_ctx = dev->transcript;
	}
}

/* Makes one device without starting it. */
static enum err_code add_device(struct observatory *obs, const struct observatory_options *options,
	enum device_type type, int number, struct err *err)
{
	const struct config *config = obs->config;
	struct device *dev = calloc(1, sizeof *dev);
	if (dev == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	dev->obs = obs;
	dev->events = obs->events;
	device_init(dev);
	if (options->patience != NULL) {
		dev->patience = *options->patience;
	}
	obs->all[obs->count++] = dev;

	bool simulated = false;
	enum err_code code;
	int telescope = number;
	double step_size_um = NAN;
	if (type == DEVICE_FOCUSER) {
		const struct config_focuser *cfg = &config->focuser[number];
		code = focuser_core_create(dev, cfg, err);
		if (code != ERR_OK) {
			return code;
		}
		const struct focuser_driver *driver = focuser_driver_find(cfg->driver);
		simulated = driver->simulated;
		fill_info(&dev->info, type, number, cfg->name, cfg->driver, driver->title, cfg->port.port);
		dev->keep_trying = cfg->connect_at_start;
		if (driver->uses_port) {
			listen_to(obs, dev, cfg);
		}
		dev->host.partner = cfg->camera;
		telescope = cfg->camera;
		step_size_um = cfg->step_size_um;
	} else {
		const struct config_camera *cfg = &config->camera[number];
		code = camera_core_create(dev, cfg, err);
		if (code != ERR_OK) {
			return code;
		}
		const struct camera_driver *driver = camera_driver_find(cfg->driver);
		simulated = driver->simulated;
		fill_info(&dev->info, type, number, cfg->name, cfg->driver, driver->title,
			driver->uses_path ? cfg->port.path : cfg->port.port);
		dev->keep_trying = cfg->connect_at_start;
		dev->host.partner = focuser_of_camera(config, number);
		dev->host.pixel_size_um = cfg->pixel_size_um;
		if (dev->host.partner >= 0) {
			step_size_um = config->focuser[dev->host.partner].step_size_um;
		}
	}
	dev->clock = simulated ? obs->fast : clock_real();
	dev->host.clock = dev->clock;
	dev->host.source = dev->info.source;
	dev->host.seed = options->seed;
	dev->host.state_dir = options->state_dir;
	dev->host.simulator = &config->simulator;
	dev->host.optics = telescope >= 0 && telescope < CONFIG_MAX_DEVICES
				   ? &config->telescope[telescope]
				   : &config->telescope[0];
	dev->host.step_size_um = step_size_um;
	if (type == DEVICE_FOCUSER) {
		dev->host.pixel_size_um = NAN;
	}
	dev->host.number = number;
	dev->host.share = share;
	dev->host.share_ctx = obs;
	/* A rehearsal with the simulator must not carry the identity of the real device. */
	char key[48];
	snprintf(key, sizeof key, "%s%s", strcmp(dev->info.driver, "simulator") == 0 ? "simulator." : "",
		dev->info.source);
	return state_unique_id(options->state_dir, key, dev->info.unique_id, err);
}

/* On the store's thread: whoever waits for an answer looks again. */
static void store_answered(void *arg)
{
	events_publish(arg);
}

static enum err_code build(struct observatory *obs, const struct observatory_options *options,
	struct err *err)
{
	obs->events = events_create();
	obs->transcripts = transcripts_create(options->state_dir);
	obs->fast = clock_create_scaled(options->time_factor > 0 ? options->time_factor : 1.0);
	if (obs->events == NULL || obs->fast == NULL || obs->transcripts == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	enum err_code code = store_open(options->state_dir, store_answered, obs->events, &obs->store, err);
	for (int i = 0; code == ERR_OK && i < CONFIG_MAX_DEVICES; i++) {
		if (obs->config->focuser[i].present) {
			code = add_device(obs, options, DEVICE_FOCUSER, i, err);
		}
	}
	for (int i = 0; code == ERR_OK && i < CONFIG_MAX_DEVICES; i++) {
		if (obs->config->camera[i].present) {
			code = add_device(obs, options, DEVICE_CAMERA, i, err);
		}
	}
	for (int i = 0; code == ERR_OK && i < CONFIG_MAX_DEVICES; i++) {
		if (obs->config->focuser[i].present) {
			obs->autofocus[i] = autofocus_create(obs, i);
			code = obs->autofocus[i] == NULL ? err_set(err, ERR_NOMEM, "out of memory")
							 : autofocus_begin(obs->autofocus[i], err);
		}
	}
	for (int i = 0; code == ERR_OK && i < obs->count; i++) {
		code = device_start(obs->all[i], err);
	}
	if (code == ERR_OK) {
		obs->plug = plug_create(obs->all, obs->count);
	}
	return code;
}

enum err_code observatory_create(const struct config *config, const struct observatory_options *options,
	struct observatory **out, struct err *err)
{
	struct observatory *obs = calloc(1, sizeof *obs);
	if (obs == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	obs->config = config;
	pthread_mutex_init(&obs->share_lock, NULL);
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
	plug_destroy(obs->plug);
	for (int i = 0; i < CONFIG_MAX_DEVICES; i++) {
		autofocus_end(obs->autofocus[i]);
	}
	for (int i = 0; i < obs->count; i++) {
		device_join(obs->all[i]);
	}
	for (int i = 0; i < CONFIG_MAX_DEVICES; i++) {
		autofocus_destroy(obs->autofocus[i]);
	}
	for (int i = 0; i < obs->count; i++) {
		struct device *dev = obs->all[i];
		focuser_core_destroy(dev);
		camera_core_destroy(dev);
		device_fini(dev);
		free(dev);
	}
	for (int i = 0; i < obs->share_count; i++) {
		free(obs->share[i].memory);
	}
	transcripts_destroy(obs->transcripts);
	store_close(obs->store);
	events_destroy(obs->events);
	clock_destroy(obs->fast);
	pthread_mutex_destroy(&obs->share_lock);
	free(obs);
}

const struct config *observatory_config(const struct observatory *obs)
{
	return obs->config;
}

struct events *observatory_events(const struct observatory *obs)
{
	return obs->events;
}

struct store *observatory_store(const struct observatory *obs)
{
	return obs->store;
}

struct device *observatory_device(const struct observatory *obs, enum device_type type, int number)
{
	for (int i = 0; i < obs->count; i++) {
		if (obs->all[i]->info.type == type && obs->all[i]->info.number == number) {
			return obs->all[i];
		}
	}
	return NULL;
}

struct device *observatory_at(const struct observatory *obs, int i)
{
	return i >= 0 && i < obs->count ? obs->all[i] : NULL;
}

struct autofocus *observatory_autofocus(const struct observatory *obs, int focuser)
{
	return focuser >= 0 && focuser < CONFIG_MAX_DEVICES ? obs->autofocus[focuser] : NULL;
}
