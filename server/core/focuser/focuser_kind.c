/* SPDX-License-Identifier: MIT */
/* Focusers as a kind of device: how one is made from its section of the configuration, and its end. */
#include "focuser_private.h"

#include <math.h>
#include <stdlib.h>

static bool configured(const struct config *config, int number)
{
	return config->focuser[number].present;
}

/* Fills what a focuser's driver may ask of its host. */
static void fill_host(struct device *dev, const struct config_focuser *cfg)
{
	const struct config *config = dev->needs.config;
	dev->host.partner = cfg->camera;
	dev->host.step_size_um = cfg->step_size_um;
	if (cfg->camera >= 0 && cfg->camera < CONFIG_MAX_DEVICES) {
		dev->host.optics = &config->telescope[cfg->camera];
	}
}

/* The configured direction of final legs, or what the driver's devices want. */
static enum moves_approach approach_of(const struct config_focuser *cfg, const struct focuser_driver *driver)
{
	if (cfg->approach != CONFIG_APPROACH_UNSET) {
		return cfg->approach == CONFIG_APPROACH_IN ? MOVES_APPROACH_IN : MOVES_APPROACH_OUT;
	}
	return driver->approach_up && cfg->reverse ? MOVES_APPROACH_IN : MOVES_APPROACH_OUT;
}

static enum err_code create(struct device *dev, struct err *err)
{
	const struct config_focuser *cfg = &dev->needs.config->focuser[dev->info.number];
	const struct focuser_driver *driver = focuser_driver_find(cfg->driver);
	if (driver == NULL) {
		return err_set(err, ERR_INVALID_VALUE, "there is no focuser driver '%s'", cfg->driver);
	}
	struct focuser_core *f = calloc(1, sizeof *f);
	void *ctx = calloc(1, driver->ctx_size > 0 ? driver->ctx_size : 1);
	if (f == NULL || ctx == NULL) {
		free(f);
		free(ctx);
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	f->driver = driver;
	f->cfg = cfg;
	f->ctx = ctx;
	f->caps.step_size_um = NAN;
	f->memory.trust = POSITION_UNKNOWN;
	f->rules.min_step = cfg->min_step;
	f->approach = approach_of(cfg, driver);
	dev->core = f;
	temperature_create(dev);
	dev->class = &focuser_class;
	dev->keep_trying = cfg->connect_at_start;
	device_describe(dev, cfg->name, cfg->driver, driver->title, cfg->port.port);
	fill_host(dev, cfg);
	if (driver->simulated) {
		device_set_simulated(dev);
	}
	if (driver->uses_port) {
		device_listen_to(dev, &cfg->port, cfg->transcript);
	}
	return ERR_OK;
}

static void destroy(struct device *dev)
{
	if (dev->core != NULL) {
		memory_close(dev);
		free(dev->focuser->ctx);
		free(dev->core);
		dev->core = NULL;
	}
}

static void quiet(struct device *dev)
{
	focuser_halt(dev, NULL);
}

static const struct device_life life = {
	.configured = configured,
	.create = create,
	.destroy = destroy,
	.quiet = quiet,
};

const struct device_kind focuser_kind = {
	.name = "focuser",
	.alpaca_type = "Focuser",
	.life = &life,
};
