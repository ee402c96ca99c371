/* SPDX-License-Identifier: MIT */
#include "sim_sky.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sim_random.h"

/* The seed has a stream for each use, so that a change in one use leaves the others alone. */
enum { STREAM_BEST = 1, STREAM_START = 2, STREAM_WEATHER = 3 };

const struct optics_config *sim_default_optics(void)
{
	static const struct optics_config optics = {
		.focal_length_mm = 1422.0,
		.aperture_mm = 203.2,
		.obstruction_mm = 69.0,
		.wavelength_um = 0.55,
	};
	return &optics;
}

void sim_store(sim_atomic_double *to, double value)
{
	uint64_t bits;
	memcpy(&bits, &value, sizeof bits);
	atomic_store(to, bits);
}

double sim_load(sim_atomic_double *from)
{
	uint64_t bits = atomic_load(from);
	double value;
	memcpy(&value, &bits, sizeof value);
	return value;
}

void sim_mechanics_move(struct sim_mechanics *m, double delta, double backlash, double slip)
{
	double lost = copysign(fmin(fabs(delta), slip), delta);
	double driven = delta - lost;
	double offset = fmin(fmax(m->offset + driven, 0.0), backlash);
	m->optics += driven - (offset - m->offset);
	m->offset = offset;
	m->motor += delta;
}

static double known_or(double value, double fallback)
{
	return isfinite(value) ? value : fallback;
}

static void optics_init(struct sim_settings *s, const struct optics_config *optics)
{
	const struct optics_config *fallback = sim_default_optics();
	double focal = optics != NULL ? optics->focal_length_mm : NAN;
	double aperture = optics != NULL ? optics->aperture_mm : NAN;
	double hole = optics != NULL ? optics->obstruction_mm : NAN;
	double ratio = fallback->focal_length_mm / fallback->aperture_mm;
	bool any = focal > 0.0 || aperture > 0.0;
	if (!any) {
		focal = fallback->focal_length_mm;
		aperture = fallback->aperture_mm;
		/* 0 is the default of the configuration and says nothing about a telescope that nobody described. */
		hole = hole > 0.0 ? hole : fallback->obstruction_mm;
	} else if (!(focal > 0.0)) {
		focal = aperture * ratio;
	} else if (!(aperture > 0.0)) {
		aperture = focal / ratio;
	}
	s->focal_length_mm = focal;
	s->aperture_mm = aperture;
	s->obstruction = hole > 0.0 ? fmin(hole / aperture, 0.95) : 0.0;
	double wavelength = optics != NULL ? optics->wavelength_um : NAN;
	s->wavelength_um = wavelength > 0.0 ? wavelength : fallback->wavelength_um;
}

void sim_settings_init(struct sim_settings *s, const struct driver_host *host, int focuser)
{
	static const struct simulator_config nothing = {
		.best_position = NAN, .seeing_arcsec = NAN, .temperature_c = NAN,
		.drift_um_per_c = NAN, .speed_steps_per_s = NAN, .stars = -1, .width = -1, .height = -1,
		.obstruction = NAN, .hot_pixels = -1,
	};
	const struct simulator_config *sim = host->simulator != NULL ? host->simulator : &nothing;
	memset(s, 0, sizeof *s);
	s->seed = host->seed;
	s->focuser = focuser;
	optics_init(s, host->optics);
	if (isfinite(sim->obstruction)) {
		s->obstruction = fmin(fmax(sim->obstruction, 0.0), 0.95);
	}
	s->pixel_um = host->pixel_size_um > 0.0 ? host->pixel_size_um : SIM_PIXEL_UM;
	s->step_um = host->step_size_um > 0.0 ? host->step_size_um : SIM_STEP_SIZE_UM;
	s->seeing_arcsec = sim->seeing_arcsec > 0.0 ? sim->seeing_arcsec : SIM_SEEING_ARCSEC;
	s->temperature_c = known_or(sim->temperature_c, SIM_TEMPERATURE_C);
	s->drift_um_per_c = known_or(sim->drift_um_per_c, 0.0);
	s->cloud = fmin(fmax(known_or(sim->cloud, 0.0), 0.0), 1.0);
	s->backlash_steps = fmax(0.0, sim->backlash_steps);
	s->slip_steps = fmax(0.0, sim->slip_steps);
	s->speed_steps_per_s = sim->speed_steps_per_s > 0.0 ? sim->speed_steps_per_s : NAN;
	s->best_position = sim->best_position;
	s->stars = sim->stars;
	s->width = sim->width > 0 ? sim->width : SIM_WIDTH_PX;
	s->height = sim->height > 0 ? sim->height : SIM_HEIGHT_PX;
	s->colour = (enum simulator_colour)sim->colour;
	s->hot_pixels = sim->hot_pixels;
	s->nebula = fmax(0.0, sim->nebula);
	s->tilt_x_um = sim->tilt_x_um;
	s->tilt_y_um = sim->tilt_y_um;
	s->curvature_um = sim->curvature_um;
	s->stall_chance = sim->stall_chance;
	s->stall_after = sim->stall_after;
	s->fail_chance = sim->fail_chance;
	s->fail_every = sim->fail_every;
	s->readout_s = fmax(0.0, sim->readout_s);
}

double sim_star_fwhm_um(const struct sim_settings *s, double seeing_arcsec)
{
	/* Diffraction of a circular aperture is 1.029 lambda/D, and a little narrower with a hole: 0.972 at 0.33 (Airy
	 * pattern of an annulus). */
	double diffraction_rad = (1.029 - 0.53 * s->obstruction * s->obstruction)
		* s->wavelength_um * 1e-3 / s->aperture_mm;
	double seeing_rad = seeing_arcsec / 206264.806;
	return hypot(seeing_rad, diffraction_rad) * s->focal_length_mm * 1000.0;
}

double sim_unit_steps(const struct sim_settings *s)
{
	double ratio = s->focal_length_mm / s->aperture_mm;
	return sim_star_fwhm_um(s, s->seeing_arcsec) * ratio / s->step_um;
}

double sim_hidden_best(const struct sim_settings *s, int32_t max_step)
{
	if (isfinite(s->best_position)) {
		return s->best_position;
	}
	struct sim_random random;
	sim_random_init(&random, s->seed, STREAM_BEST + 16u * (unsigned)(s->focuser + 1));
	/* The best position need not be a whole number of steps, since nature does not know the motor. */
	return max_step * (0.25 + 0.5 * sim_random_uniform(&random));
}

double sim_start_offset_steps(const struct sim_settings *s)
{
	struct sim_random random;
	sim_random_init(&random, s->seed, STREAM_START + 16u * (unsigned)(s->focuser + 1));
	double units = 3.0 + 5.0 * sim_random_uniform(&random);
	double sign = sim_random_uniform(&random) < 0.5 ? -1.0 : 1.0;
	return sign * units * sim_unit_steps(s);
}

int32_t sim_start_position(const struct sim_settings *s, double best, int32_t max_step)
{
	double offset = sim_start_offset_steps(s);
	double at = best + offset;
	if (at < 0.0 || at > max_step) {
		at = best - offset;
	}
	return (int32_t)lrint(fmin(fmax(at, 0.0), max_step));
}

struct sim_sky *sim_sky_get(const struct driver_host *host, int focuser)
{
	char key[32];
	if (focuser >= 0) {
		snprintf(key, sizeof key, "sky.%d", focuser);
	} else {
		snprintf(key, sizeof key, "sky.camera.%d", host->number);
	}
	struct sim_sky *sky = host->share(host->share_ctx, key, sizeof *sky);
	if (sky == NULL) {
		return NULL;
	}
	/* Two devices may open at once; both read the same clock, so whoever comes second is right
	 * with either value. */
	int64_t unset = 0;
	int64_t now = clock_now_ms(host->clock);
	atomic_compare_exchange_strong(&sky->origin_ms, &unset, now != 0 ? now : 1);
	return sky;
}

/* The night cools by this much in the end, with this time constant; the tube follows later. */
static const double cooling_c = 3.0;
static const double cooling_tau_s = 7200.0;
static const double tube_tau_s = 1200.0;

double sim_air_c(const struct sim_settings *s, double seconds)
{
	double t = fmax(0.0, seconds);
	double air = s->temperature_c - cooling_c * (1.0 - exp(-t / cooling_tau_s));
	/* Eddies of a few minutes; they start at zero and are too quick for the tube. */
	struct sim_random random;
	sim_random_init(&random, s->seed, STREAM_WEATHER);
	static const double period_s[3] = {137.0, 331.0, 907.0};
	for (int i = 0; i < 3; i++) {
		double amplitude = 0.08 * (0.5 + sim_random_uniform(&random));
		air += amplitude * sin(2.0 * M_PI * t / period_s[i]);
	}
	return air;
}

double sim_tube_c(const struct sim_settings *s, double seconds)
{
	/* This is the answer of a first-order lag to the exponential of the air. */
	double t = fmax(0.0, seconds);
	double lagged = (cooling_tau_s * exp(-t / cooling_tau_s) - tube_tau_s * exp(-t / tube_tau_s))
		/ (cooling_tau_s - tube_tau_s);
	return s->temperature_c - cooling_c * (1.0 - lagged);
}

void sim_sky_move(struct sim_sky *sky, const struct sim_mechanics *from, double target, double speed,
	double reach, int64_t now_ms)
{
	uint64_t n = atomic_load(&sky->moves);
	if (n > 0) {
		struct sim_move *before = &sky->move[(n - 1) % SIM_MOVES];
		if (atomic_load(&before->end_ms) > now_ms) {
			atomic_store(&before->end_ms, now_ms);
		}
	}
	struct sim_move *move = &sky->move[n % SIM_MOVES];
	atomic_store(&move->start_ms, now_ms);
	atomic_store(&move->end_ms, INT64_MAX);
	sim_store(&move->motor, from->motor);
	sim_store(&move->offset, from->offset);
	sim_store(&move->optics, from->optics);
	sim_store(&move->target, target);
	sim_store(&move->speed, speed);
	sim_store(&move->reach, reach);
	atomic_store(&sky->moves, n + 1);
}

/* Finds where a move had brought motor and optics at a moment; false when the move began later. */
static bool follow(struct sim_move *move, const struct sim_settings *s, int64_t at_ms,
	struct sim_mechanics *m, bool *moving)
{
	int64_t start = atomic_load(&move->start_ms);
	int64_t end = atomic_load(&move->end_ms);
	m->motor = sim_load(&move->motor);
	m->offset = sim_load(&move->offset);
	m->optics = sim_load(&move->optics);
	double way = sim_load(&move->target) - m->motor;
	double until = (double)((at_ms < end ? at_ms : end) - start) / 1000.0;
	double done = floor(fmax(0.0, until) * sim_load(&move->speed));
	/* A motor that jams counts on as if it turned. */
	done = fmin(done, floor(sim_load(&move->reach)));
	*moving = done < fabs(way) && at_ms < end;
	sim_mechanics_move(m, done < fabs(way) ? copysign(done, way) : way, s->backlash_steps,
		s->slip_steps);
	return start <= at_ms;
}

void sim_sky_mechanics(struct sim_sky *sky, const struct sim_settings *settings, int64_t at_ms,
	struct sim_mechanics *out, bool *moving)
{
	bool on_its_way = false;
	uint64_t n;
	uint64_t oldest;
	do {
		n = atomic_load(&sky->moves);
		oldest = n > SIM_MOVES - 2 ? n - (SIM_MOVES - 2) : 0;
		for (uint64_t i = n; i > oldest; i--) {
			if (follow(&sky->move[(i - 1) % SIM_MOVES], settings, at_ms, out, &on_its_way)) {
				break;
			}
		}
		/* A reader that the writer has overtaken reads again. */
	} while (atomic_load(&sky->moves) > n + 1);
	if (moving != NULL) {
		*moving = on_its_way;
	}
}

double sim_sky_seconds(struct sim_sky *sky, int64_t now_ms)
{
	return (double)(now_ms - atomic_load(&sky->origin_ms)) / 1000.0;
}

double sim_sky_best_now(struct sim_sky *sky, const struct sim_settings *s, int64_t now_ms)
{
	double change_c = sim_tube_c(s, sim_sky_seconds(sky, now_ms)) - s->temperature_c;
	return sim_load(&sky->best) + s->drift_um_per_c * change_c / sim_load(&sky->step_um);
}

bool sim_truth(const struct driver_host *host, int focuser, struct sim_truth *out)
{
	struct sim_settings settings;
	sim_settings_init(&settings, host, focuser);
	struct sim_sky *sky = sim_sky_get(host, focuser);
	if (sky == NULL || !atomic_load(&sky->started)) {
		return false;
	}
	out->fed = atomic_load(&sky->fed);
	settings.step_um = sim_load(&sky->step_um);
	out->best_position = sim_sky_best_now(sky, &settings, clock_now_ms(host->clock));
	struct sim_mechanics m = {.optics = NAN};
	if (out->fed) {
		sim_sky_mechanics(sky, &settings, clock_now_ms(host->clock), &m, NULL);
	}
	out->optics_position = m.optics;
	out->unit_steps = sim_unit_steps(&settings);
	out->frames = atomic_load(&sky->frames);
	return true;
}
