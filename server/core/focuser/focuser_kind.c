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
	const struct config *config = dev->made_by;
	dev->host.partner = cfg->camera;
	dev->host.step_size_um = cfg->step_size_um;
	if (cfg->camera >= 0 && cfg->camera < CONFIG_MAX_DEVICES) {
		dev->host.optics = &config->telescope[cfg->camera];
	}
}

/* The configured approach, the direction of last legs, or what the driver's devices want. */
static enum moves_approach approach_of(const struct config_focuser *cfg, const struct focuser_driver *driver)
{
	if (cfg->approach != CONFIG_APPROACH_UNSET) {
		return cfg->approach == CONFIG_APPROACH_IN ? MOVES_APPROACH_IN : MOVES_APPROACH_OUT;
	}
	return driver->approach_up && cfg->reverse ? MOVES_APPROACH_IN : MOVES_APPROACH_OUT;
}

static enum err_code create(struct device *dev, struct err *err)
{
	const struct config_focuser *cfg = &dev->config->focuser[dev->info.number];
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
	temperature_configure(dev);
	dev->class = &focuser_class;
	dev->keep_trying = cfg->connect_at_start;
	device_describe(dev, cfg->name, cfg->driver, driver->title, cfg->port.port);
	dev->info.announced = cfg->announce == CONFIG_UNSET ? !driver->by_hand : cfg->announce != 0;
	fill_host(dev, cfg);
	if (driver->simulated) {
		device_set_simulated(dev);
	}
	if (driver->uses_port) {
		device_listen_to(dev, &cfg->port, cfg->transcript);
	}
	return ERR_OK;
}

bool focuser_between(const struct device *dev)
{
	const struct focuser_core *f = focuser_of(dev);
	return f->phase == MOVE_NONE || f->phase == MOVE_ACCEPTED;
}

void focuser_configure(struct device *dev)
{
	struct focuser_core *f = focuser_of(dev);
	const struct config_focuser *cfg = &dev->config->focuser[dev->info.number];
	enum moves_approach approach = approach_of(cfg, f->driver);
	int32_t backlash_steps = f->caps.backlash_steps > 0 ? 0 : cfg->backlash_steps;
	if (approach != f->approach || backlash_steps != f->rules.backlash_steps) {
		/* How much of another backlash is taken up, or from another side, is not known. */
		f->motion.taken_up = 0;
	}
	f->cfg = cfg;
	f->approach = approach;
	if (f->caps_known) {
		f->rules.approach = approach;
		f->rules.backlash_steps = backlash_steps;
		f->caps.step_size_um = isfinite(cfg->step_size_um) ? cfg->step_size_um : f->fresh_caps.step_size_um;
	}
	temperature_configure(dev);
}

static void destroy(struct device *dev)
{
	if (dev->core != NULL) {
		memory_close(dev);
		free(focuser_of(dev)->ctx);
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
