/* SPDX-License-Identifier: MIT */
/*
 * A simulated focuser: motion takes time, the gears have play, and what the optics really do goes
 * to the shared sky and is told to nobody else.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "focuser_driver.h"
#include "log.h"
#include "sim_sky.h"

struct sim_focuser {
	const struct driver_host *host;
	struct sim_settings settings;
	struct sim_sky *sky;
	int32_t max_step;
	double speed_steps_per_s;
};

extern const struct focuser_driver sim_focuser_driver;

/* Range crossed in this many seconds unless a speed is configured. */
static const double crossing_s = 25.0;

static enum err_code sim_open(void *ctx, const struct focuser_port *port,
	const struct driver_host *host, struct err *err)
{
	struct sim_focuser *f = ctx;
	sim_settings_init(&f->settings, host, host->number);
	struct sim_sky *sky = sim_sky_get(host, host->number);
	if (sky == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory for the simulated sky");
	}
	f->host = host;
	f->max_step = port->max_step > 0 ? port->max_step : SIM_MAX_STEP;
	f->speed_steps_per_s = isfinite(f->settings.speed_steps_per_s)
		? f->settings.speed_steps_per_s : f->max_step / crossing_s;
	f->sky = sky;
	if (!atomic_load(&sky->fed)) {
		double best = sim_hidden_best(&f->settings, f->max_step);
		double start = sim_start_position(&f->settings, best, f->max_step);
		sim_store(&sky->best, best);
		sim_store(&sky->step_um, f->settings.step_um);
		/* The gears rest fully slack for a move outwards: nobody knows from where they came. */
		sim_store(&sky->from_motor, start);
		sim_store(&sky->from_offset, 0.0);
		sim_store(&sky->from_optics, start + f->settings.backlash_steps);
		sim_store(&sky->optics, start + f->settings.backlash_steps);
		sim_store(&sky->target, start);
		atomic_store(&sky->started, true);
		atomic_store(&sky->fed, true);
	}
	log_debug(host->source, "hidden best focus best=%.2f motor=%.0f unit_steps=%.1f",
		sim_load(&sky->best), sim_load(&sky->from_motor), sim_unit_steps(&f->settings));
	return ERR_OK;
}

static enum err_code sim_identify(void *ctx, struct focuser_caps *caps, struct err *err)
{
	(void)err;
	const struct sim_focuser *f = ctx;
	memset(caps, 0, sizeof *caps);
	caps->max_step = f->max_step;
	caps->max_increment = f->max_step;
	caps->has_temperature = true;
	caps->step_size_um = f->settings.step_um;
	snprintf(caps->identity, sizeof caps->identity, "simulated focuser");
	return ERR_OK;
}

static void sim_close(void *ctx)
{
	/* A move goes on without us, as a real motor's does; the shared sky describes it. */
	struct sim_focuser *f = ctx;
	f->sky = NULL;
}

/* Where everything stands now; publishes the optics and ends a move whose time has come. */
static void look(struct sim_focuser *f, struct sim_mechanics *m, bool *moving)
{
	struct sim_sky *sky = f->sky;
	m->motor = sim_load(&sky->from_motor);
	m->offset = sim_load(&sky->from_offset);
	m->optics = sim_load(&sky->from_optics);
	*moving = false;
	if (atomic_load(&sky->moving)) {
		double way = sim_load(&sky->target) - m->motor;
		int64_t now = clock_now_ms(f->host->clock);
		double seconds = (double)(now - atomic_load(&sky->move_start_ms)) / 1000.0;
		double done = floor(seconds * f->speed_steps_per_s);
		*moving = done < fabs(way);
		double delta = *moving ? copysign(done, way) : way;
		sim_mechanics_move(m, delta, f->settings.backlash_steps, f->settings.slip_steps);
	}
	sim_store(&sky->optics, m->optics);
}

/* Makes the present the start of whatever comes next. */
static void rest(struct sim_focuser *f, const struct sim_mechanics *m)
{
	struct sim_sky *sky = f->sky;
	atomic_store(&sky->moving, false);
	sim_store(&sky->from_motor, m->motor);
	sim_store(&sky->from_offset, m->offset);
	sim_store(&sky->from_optics, m->optics);
	sim_store(&sky->target, m->motor);
}

static enum err_code sim_start_move(void *ctx, int32_t target, struct err *err)
{
	struct sim_focuser *f = ctx;
	if (target < 0 || target > f->max_step) {
		return err_set(err, ERR_REFUSED, "position %d is outside 0..%d", target, f->max_step);
	}
	struct sim_mechanics m;
	bool moving;
	look(f, &m, &moving);
	rest(f, &m);
	sim_store(&f->sky->target, target);
	atomic_store(&f->sky->move_start_ms, clock_now_ms(f->host->clock));
	atomic_store(&f->sky->moving, target != (int32_t)m.motor);
	return ERR_OK;
}

static enum err_code sim_halt(void *ctx, struct err *err)
{
	(void)err;
	struct sim_focuser *f = ctx;
	struct sim_mechanics m;
	bool moving;
	look(f, &m, &moving);
	rest(f, &m);
	return ERR_OK;
}

static enum err_code sim_poll(void *ctx, unsigned want, struct focuser_reading *out,
	struct err *err)
{
	(void)want;
	(void)err;
	struct sim_focuser *f = ctx;
	struct sim_mechanics m;
	bool moving;
	look(f, &m, &moving);
	if (!moving && atomic_load(&f->sky->moving)) {
		rest(f, &m);
	}
	double seconds = sim_sky_seconds(f->sky, clock_now_ms(f->host->clock));
	memset(out, 0, sizeof *out);
	out->position_valid = true;
	out->position = (int32_t)m.motor;
	out->moving_valid = true;
	out->moving = moving;
	out->temperature_valid = true;
	/* A digital sensor: 1/16 degree. */
	out->temperature_c = round(sim_air_c(&f->settings, seconds) * 16.0) / 16.0;
	return ERR_OK;
}

const struct focuser_driver sim_focuser_driver = {
	.name = "simulator",
	.title = "Simulated focuser",
	.ctx_size = sizeof(struct sim_focuser),
	.simulated = true,
	.poll_moving_ms = 100,
	.poll_idle_ms = 1000,
	.poll_temperature_ms = 5000,
	.speed_floor_steps_per_s = 50.0,
	.open = sim_open,
	.identify = sim_identify,
	.close = sim_close,
	.start_move = sim_start_move,
	.halt = sim_halt,
	.poll = sim_poll,
};
