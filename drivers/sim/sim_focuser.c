/* SPDX-License-Identifier: MIT */
/*
 * A simulated focuser: a move takes time, the gears have backlash, and what the optics really do is known to the
 * shared sky alone.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "focuser_driver.h"
#include "log.h"
#include "sim_random.h"
#include "sim_sky.h"

enum { STREAM_STALL = 7 };

struct sim_focuser {
	const struct driver_host *host;
	struct sim_settings settings;
	struct sim_sky *sky;
	int32_t max_step;
	double speed_steps_per_s;
};

extern const struct focuser_driver sim_focuser_driver;

/* Unless a speed is configured, the motor crosses its range in so many seconds. */
static const double crossing_s = 25.0;

static struct sim_mechanics position_now(struct sim_focuser *f)
{
	struct sim_mechanics m;
	sim_sky_mechanics(f->sky, &f->settings, clock_now_ms(f->host->clock), &m, NULL);
	return m;
}

/* How many steps the next move gets before the motor stalls; INFINITY when it does not stall. */
static double reach_of(struct sim_focuser *f, double way)
{
	/* The first entry says where the night began; it is no move. */
	uint64_t number = atomic_load(&f->sky->moves);
	struct sim_random random;
	sim_random_init(&random, f->settings.seed, STREAM_STALL + 16u * (number + 1));
	double jam = fabs(way) * sim_random_uniform(&random);
	bool late = f->settings.stall_after > 0 && number > (uint64_t)f->settings.stall_after;
	return late || sim_random_uniform(&random) < f->settings.stall_chance ? jam : INFINITY;
}

/* Puts motor and optics where the night finds them: where they stood when the server ended, else where a first night
 * begins. */
static void feed(struct sim_focuser *f)
{
	struct sim_sky *sky = f->sky;
	double best = sim_hidden_best(&f->settings, f->max_step);
	struct sim_mechanics rest;
	if (f->host->stood_known) {
		/* Moves usually end with a leg out, after which the whole backlash lies before a move in. */
		double stood = fmin(fmax(f->host->stood, 0.0), f->max_step);
		rest = (struct sim_mechanics){
			.motor = stood, .offset = f->settings.backlash_steps, .optics = stood};
	} else {
		/* Nobody knows from which side the motor came, so the whole backlash lies before a move out. */
		double start = sim_start_position(&f->settings, best, f->max_step);
		rest = (struct sim_mechanics){.motor = start, .optics = start + f->settings.backlash_steps};
	}
	sim_store(&sky->best, best);
	sim_store(&sky->step_um, f->settings.step_um);
	sim_sky_move(sky, &rest, rest.motor, 0.0, INFINITY, atomic_load(&sky->origin_ms));
	atomic_store(&sky->started, true);
	atomic_store(&sky->fed, true);
}

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
		feed(f);
	}
	log_debug(host->source, "hidden best focus best=%.2f motor=%.0f unit_steps=%.1f",
		sim_load(&sky->best), position_now(f).motor, sim_unit_steps(&f->settings));
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
	/* A move goes on after the link is closed, as a real motor's does; the shared sky describes it. */
	struct sim_focuser *f = ctx;
	f->sky = NULL;
}

static enum err_code sim_start_move(void *ctx, int32_t target, struct err *err)
{
	struct sim_focuser *f = ctx;
	if (target < 0 || target > f->max_step) {
		return err_set(err, ERR_REFUSED, "position %d is outside 0..%d", target, f->max_step);
	}
	struct sim_mechanics m = position_now(f);
	sim_sky_move(f->sky, &m, target, f->speed_steps_per_s, reach_of(f, target - m.motor),
		clock_now_ms(f->host->clock));
	return ERR_OK;
}

static enum err_code sim_halt(void *ctx, struct err *err)
{
	(void)err;
	struct sim_focuser *f = ctx;
	uint64_t moves = atomic_load(&f->sky->moves);
	struct sim_move *last = &f->sky->move[(moves - 1) % SIM_MOVES];
	int64_t now = clock_now_ms(f->host->clock);
	if (atomic_load(&last->end_ms) > now) {
		atomic_store(&last->end_ms, now);
	}
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
	sim_sky_mechanics(f->sky, &f->settings, clock_now_ms(f->host->clock), &m, &moving);
	double seconds = sim_sky_seconds(f->sky, clock_now_ms(f->host->clock));
	memset(out, 0, sizeof *out);
	out->position_valid = true;
	out->position = (int32_t)m.motor;
	out->moving_valid = true;
	out->moving = moving;
	out->temperature_valid = true;
	/* A digital sensor tells sixteenths of a degree. */
	out->temperature_c = round(sim_air_c(&f->settings, seconds) * 16.0) / 16.0;
	return ERR_OK;
}

const struct focuser_driver sim_focuser_driver = {
	.name = "simulator",
	.title = "Simulated focuser",
	.ctx_size = sizeof(struct sim_focuser),
	.simulated = true,
	.count = FOCUSER_COUNT_SIMULATED,
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
