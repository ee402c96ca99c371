/* SPDX-License-Identifier: MIT */
#include "fake_core.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void fake_lock(void)
{
	pthread_mutex_lock(&lock);
}

void fake_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

/* ---- events ---- */

struct events {
	pthread_mutex_t lock;
	uint64_t now;
	struct {
		void (*fn)(void *arg);
		void *arg;
	} listener[8];
	int count;
};

struct events *events_create(void)
{
	struct events *events = calloc(1, sizeof *events);
	pthread_mutex_init(&events->lock, NULL);
	events->now = 1;
	return events;
}

void events_destroy(struct events *events)
{
	pthread_mutex_destroy(&events->lock);
	free(events);
}

uint64_t events_now(struct events *events)
{
	pthread_mutex_lock(&events->lock);
	uint64_t now = events->now;
	pthread_mutex_unlock(&events->lock);
	return now;
}

void events_publish(struct events *events)
{
	pthread_mutex_lock(&events->lock);
	events->now++;
	for (int i = 0; i < events->count; i++) {
		events->listener[i].fn(events->listener[i].arg);
	}
	pthread_mutex_unlock(&events->lock);
}

int events_listen(struct events *events, void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&events->lock);
	events->listener[events->count].fn = fn;
	events->listener[events->count++].arg = arg;
	pthread_mutex_unlock(&events->lock);
	return 0;
}

/* ---- what is served ---- */

const struct device_kind focuser_kind = {.name = "focuser", .alpaca_type = "Focuser"};
const struct device_kind camera_kind = {.name = "camera", .alpaca_type = "Camera"};

static const char *const modes[] = {"Normal", NULL};

static void fill_device(struct device *dev, const struct device_kind *kind)
{
	bool focuser = kind == &focuser_kind;
	dev->info.kind = kind;
	snprintf(dev->info.source, sizeof dev->info.source, "%s.0", focuser ? "focuser" : "camera");
	snprintf(dev->info.name, sizeof dev->info.name, "%s",
		focuser ? "Fake focuser" : "Fake camera");
	snprintf(dev->info.unique_id, sizeof dev->info.unique_id, "%s-0000",
		focuser ? "aaaa" : "bbbb");
	snprintf(dev->info.driver, sizeof dev->info.driver, "fake");
	snprintf(dev->info.driver_title, sizeof dev->info.driver_title, "Fake \"quoted\" device");
	dev->info.announced = true;
	dev->connected = true;
	dev->link = LINK_UP;
	dev->focuser = (struct focuser_state){.link = LINK_UP,
		.position_valid = true,
		.position = 12500,
		.max_step = 50000,
		.max_increment = 50000,
		.step_size_um = NAN,
		.temperature_supported = true,
		.temperature_valid = true,
		.temperature_c = 3.76};
	dev->camera = (struct camera_state){.link = LINK_UP,
		.caps = {.width = 3,
			.height = 2,
			.max_bin = 2,
			.can_abort = true,
			.pixel_um = 3.76,
			.exposure_max_s = 3600,
			.max_adu = 65535,
			.electrons_per_adu = NAN,
			.full_well_e = NAN,
			.has_gain = true,
			.gain_max = 100,
			.readout_modes = modes},
		.setup = {.bin = 1, .num_x = 3, .num_y = 2, .gain = 10}};
}

struct fake *fake_create(void)
{
	struct fake *fake = calloc(1, sizeof *fake);
	snprintf(fake->config.server.name, sizeof fake->config.server.name, "focusd");
	snprintf(fake->config.server.location, sizeof fake->config.server.location, "Pier 1");
	fake->events = events_create();
	fill_device(&fake->device[0], &focuser_kind);
	fill_device(&fake->device[1], &camera_kind);
	fake->devices = (struct devices){.device = {&fake->device[0], &fake->device[1]}, .count = 2};
	fake->served = (struct served){.settings = (struct settings *)fake,
		.events = fake->events,
		.store = &fake->store,
		.devices = &fake->devices,
		.autofocus = {&fake->autofocus}};
	return fake;
}

void fake_free(struct fake *fake)
{
	events_destroy(fake->events);
	frame_unref(fake->device[1].frame);
	run_free(fake->autofocus.run);
	free(fake);
}

/* ---- device ---- */

const struct device_info *device_info(const struct device *dev)
{
	return &dev->info;
}

enum device_link device_link(struct device *dev)
{
	fake_lock();
	enum device_link link = dev->link;
	fake_unlock();
	return link;
}

void device_touch(struct device *dev, const struct client *client)
{
	(void)client;
	fake_lock();
	dev->touched++;
	fake_unlock();
}

bool device_connected(struct device *dev, const struct client *client)
{
	(void)client;
	fake_lock();
	bool connected = dev->connected;
	fake_unlock();
	return connected;
}

enum err_code device_connecting(struct device *dev, bool *connecting, struct err *err)
{
	(void)err;
	*connecting = device_link(dev) == LINK_OPENING;
	return ERR_OK;
}

void device_borrowed_by(struct device *dev, const char *unique_ids)
{
	(void)dev;
	(void)unique_ids;
}

enum err_code device_connect(
	struct device *dev, const struct client *client, uint64_t *ticket, struct err *err)
{
	(void)client;
	(void)err;
	fake_lock();
	*ticket = 7;
	dev->connect_over = !dev->hold_connect;
	dev->connect_result = ERR_OK;
	dev->connected = dev->connected || dev->connect_over;
	dev->link = dev->connect_over ? LINK_UP : LINK_OPENING;
	fake_unlock();
	return ERR_OK;
}

bool device_connect_done(
	struct device *dev, uint64_t ticket, enum err_code *result, struct err *err)
{
	fake_lock();
	bool over = ticket == 7 && dev->connect_over;
	*result = dev->connect_result;
	if (over && *result != ERR_OK) {
		err_set(err, *result, "The port is gone.");
	}
	fake_unlock();
	return over;
}

enum err_code device_disconnect(
	struct device *dev, const struct client *client, bool *closing, struct err *err)
{
	(void)client;
	(void)err;
	fake_lock();
	dev->connected = false;
	dev->link = LINK_DOWN;
	*closing = true;
	fake_unlock();
	return ERR_OK;
}

enum err_code device_require(struct device *dev, const struct client *client, struct err *err)
{
	return device_connected(dev, client)
		       ? ERR_OK
		       : err_set(err, ERR_NOT_CONNECTED, "%s is not connected.", dev->info.name);
}

/* ---- what tests do ---- */

void fake_finish_connect(struct fake *fake, struct device *dev, enum err_code result)
{
	fake_lock();
	dev->connect_over = true;
	dev->connect_result = result;
	dev->connected = result == ERR_OK;
	dev->link = result == ERR_OK ? LINK_UP : LINK_DOWN;
	fake_unlock();
	events_publish(fake->events);
}

/* ---- settings: the fake's configuration, for good ---- */

const struct config *settings_get(struct settings *settings)
{
	return &((struct fake *)settings)->config;
}

void settings_release(struct settings *settings, const struct config *config)
{
	(void)settings;
	(void)config;
}
