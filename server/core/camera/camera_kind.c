/* SPDX-License-Identifier: MIT */
/* Cameras as a kind of device: how one is made from its section of the configuration, and how it ends. */
#include "camera_private.h"

#include <math.h>
#include <stdlib.h>

static bool configured(const struct config *config, int number)
{
	return config->camera[number].present;
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

/* Fills in what the drivers of cameras may ask of their host, beside what every driver may. */
static void fill_host(struct device *dev, const struct config_camera *cfg)
{
	const struct config *config = dev->made_by;
	dev->host.optics = &config->telescope[dev->info.number];
	dev->host.pixel_size_um = cfg->pixel_size_um;
	dev->host.partner = focuser_of_camera(config, dev->info.number);
	if (dev->host.partner >= 0) {
		dev->host.step_size_um = config->focuser[dev->host.partner].step_size_um;
	}
}

static enum err_code create(struct device *dev, struct err *err)
{
	const struct config_camera *cfg = &dev->config->camera[dev->info.number];
	const struct camera_driver *driver = camera_driver_find(cfg->driver);
	if (driver == NULL) {
		return err_set(err, ERR_INVALID_VALUE, "there is no camera driver '%s'", cfg->driver);
	}
	struct camera_core *c = calloc(1, sizeof *c);
	void *ctx = calloc(1, driver->ctx_size > 0 ? driver->ctx_size : 1);
	struct frame_pool *pool = frame_pool_create();
	if (c == NULL || ctx == NULL || pool == NULL) {
		free(c);
		free(ctx);
		frame_pool_release(pool);
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	c->driver = driver;
	c->cfg = cfg;
	c->ctx = ctx;
	c->pool = pool;
	c->climate.read = (struct camera_climate){.sensor_c = NAN, .heatsink_c = NAN, .power_percent = NAN};
	c->setup.bin = 1;
	dev->core = c;
	dev->class = &camera_class;
	dev->keep_trying = cfg->connect_at_start;
	device_describe(dev, cfg->name, cfg->driver, driver->title,
		driver->uses_path ? cfg->port.path : cfg->port.port);
	dev->info.announced = cfg->announce == CONFIG_UNSET ? driver->mode != CAMERA_WATCHED : cfg->announce != 0;
	fill_host(dev, cfg);
	if (driver->simulated) {
		device_set_simulated(dev);
	}
	return ERR_OK;
}

static void destroy(struct device *dev)
{
	struct camera_core *c = camera_of(dev);
	if (c == NULL) {
		return;
	}
	picture_free(&c->picture);
	arrivals_free(&c->arrivals);
	frame_pool_release(c->pool);
	free(c->rows);
	free(c->ctx);
	free(c);
	dev->core = NULL;
}

/* A run's frame is left alone: it ends with the run, which the focuser's halt ends. Aborting the frame would send the
 * focuser back to where the run began. */
static void quiet(struct device *dev)
{
	struct camera_state state;
	camera_state(dev, &state);
	if (state.leased_to_run == 0) {
		camera_abort(dev, NULL);
	}
}

static const struct device_life life = {
	.configured = configured,
	.create = create,
	.destroy = destroy,
	.quiet = quiet,
};

const struct device_kind camera_kind = {
	.name = "camera",
	.alpaca_type = "Camera",
	.life = &life,
};
