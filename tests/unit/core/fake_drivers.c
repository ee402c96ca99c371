/* SPDX-License-Identifier: MIT */
#include "fake_drivers.h"

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "camera_driver.h"
#include "focuser_driver.h"

struct fake fake;

/* The motor belongs to the test and not to the driver's context, so it goes on existing when the link is closed. */
static struct {
	double from;
	double via;     /* the way goes from, via, to */
	double to;
	int64_t since_ms;
	bool moving;
	int64_t hand_ms;
	struct clock *clock; /* of the last open */
} motor;

void fake_reset(void)
{
	memset(&fake, 0, sizeof fake);
	atomic_store(&fake.speed, 1000);
	atomic_store(&fake.start_position, 5000);
	atomic_store(&fake.temperature_c, 11.5);
	memset(&motor, 0, sizeof motor);
	motor.from = motor.via = motor.to = -1;
}

void fake_put_motor(int32_t position)
{
	motor.moving = false;
	motor.from = motor.via = motor.to = position;
}

void fake_drive_motor(int32_t from, int32_t to)
{
	fake_put_motor(from);
	motor.to = motor.via = to;
	motor.since_ms = clock_now_ms(motor.clock);
	motor.moving = true;
}

struct fake_focuser {
	const struct driver_host *host;
};

/* A hand at the knob moves the motor as long as it is at rest. */
static void turn_by_hand(struct fake_focuser *f)
{
	int64_t now = clock_now_ms(f->host->clock);
	if (!motor.moving) {
		motor.from += (double)(now - motor.hand_ms) / 1000.0 * fake.hand;
		motor.from += atomic_exchange(&fake.shove, 0);
	}
	motor.hand_ms = now;
}

static double motor_now(struct fake_focuser *f)
{
	turn_by_hand(f);
	if (!motor.moving || atomic_load(&fake.stuck)) {
		return motor.from;
	}
	double first = fabs(motor.via - motor.from);
	double way = first + fabs(motor.to - motor.via);
	double gone = (double)(clock_now_ms(f->host->clock) - motor.since_ms) / 1000.0 * fake.speed;
	if (gone < 0) {
		return motor.from;
	}
	if (gone >= way) {
		motor.moving = false;
		motor.from = motor.to;
		atomic_fetch_add(&fake.shove, atomic_exchange(&fake.shove_after_move, 0));
		return motor.to;
	}
	if (gone < first) {
		return motor.from + (motor.via > motor.from ? gone : -gone);
	}
	return motor.via + (motor.to > motor.via ? gone - first : first - gone);
}

/* Where the motor will be a millisecond later, which shows its direction. */
static double motor_later(struct fake_focuser *f)
{
	motor.since_ms--;
	double later = motor_now(f);
	motor.since_ms++;
	return later;
}

static enum err_code trouble(struct err *err)
{
	if (atomic_load(&fake.gone)) {
		return err_set(err, ERR_IO, "the port is gone");
	}
	if (atomic_load(&fake.silent)) {
		return err_set(err, ERR_TIMEOUT, "no answer");
	}
	return ERR_OK;
}

static enum err_code focuser_open(void *ctx, const struct focuser_port *port,
	const struct driver_host *host, struct err *err)
{
	struct fake_focuser *f = ctx;
	f->host = host;
	atomic_fetch_add(&fake.open_count, 1);
	atomic_store(&fake.opening, true);
	while (atomic_load(&fake.open_waits)) {
		sched_yield();
	}
	atomic_store(&fake.opening, false);
	if (atomic_load(&fake.open_fails) || atomic_load(&fake.gone)) {
		return err_set(err, ERR_IO, "no such port");
	}
	if (motor.from < 0) {
		motor.from = motor.via = motor.to = atomic_load(&fake.start_position);
	}
	motor.clock = host->clock;
	snprintf(fake.device, sizeof fake.device, "%s", port->device);
	return ERR_OK;
}

static enum err_code focuser_identify(void *ctx, struct focuser_caps *caps, struct err *err)
{
	(void)ctx;
	caps->min_step = fake.lowest;
	caps->max_step = 10000;
	caps->max_increment = fake.max_increment > 0 ? fake.max_increment : 10000;
	caps->backlash_steps = fake.own_backlash;
	caps->backlash_untold = fake.backlash_untold;
	caps->has_temperature = true;
	caps->calibrating = fake.calibrating;
	snprintf(caps->identity, sizeof caps->identity, "fake focuser");
	return trouble(err);
}

static void focuser_close(void *ctx)
{
	(void)ctx;
}

static void begin_way(struct fake_focuser *f, int32_t target)
{
	double now = motor_now(f);
	double running = !motor.moving ? 0 : motor_later(f) > now ? 1 : -1;
	int32_t misheard = atomic_exchange(&fake.mishears, 0);
	double to = (misheard != 0 ? misheard : target) + atomic_load(&fake.stop_short);
	double sign = to < now ? -1 : 1;
	motor.from = motor.via = now;
	motor.to = to;
	if (fake.runs_off || fake.runs_past) {
		motor.to = now + (fake.runs_past ? sign : -sign) * 1e6;
		motor.via = now;
	} else if (fake.overshoot != 0) {
		motor.via = to + sign * fake.overshoot;
	}
	if (running * sign < 0) {
		motor.via = now + running * fake.coast;
	}
}

static enum err_code focuser_start_move(void *ctx, int32_t target, struct err *err)
{
	enum err_code code = trouble(err);
	if (code != ERR_OK) {
		return code;
	}
	struct fake_focuser *f = ctx;
	int n = atomic_load(&fake.move_count);
	if (n < FAKE_MAX_MOVES) {
		atomic_store(&fake.move[n], target);
	}
	begin_way(f, target);
	motor.since_ms = clock_now_ms(f->host->clock) + atomic_load(&fake.late_ms);
	motor.moving = true;
	atomic_fetch_add(&fake.move_count, 1);
	if (atomic_load(&fake.failing_starts) > 0) {
		atomic_fetch_sub(&fake.failing_starts, 1);
		return err_set(err, ERR_TIMEOUT, "no answer to the start");
	}
	return ERR_OK;
}

/* An order to stop is on its way for as long as the test wants. */
static void order(void)
{
	atomic_store(&fake.ordering, true);
	while (atomic_load(&fake.orders_wait)) {
		sched_yield();
	}
	atomic_store(&fake.ordering, false);
}

static enum err_code focuser_halt_now(void *ctx, struct err *err)
{
	order();
	enum err_code code = trouble(err);
	if (code != ERR_OK) {
		return code;
	}
	if (atomic_load(&fake.failing_halts) > 0) {
		atomic_fetch_sub(&fake.failing_halts, 1);
		return err_set(err, ERR_TIMEOUT, "no answer to the halt");
	}
	atomic_fetch_add(&fake.halt_count, 1);
	if (atomic_load(&fake.deaf_halts) > 0) {
		atomic_fetch_sub(&fake.deaf_halts, 1);
		return ERR_OK;
	}
	motor.from = motor_now(ctx);
	motor.to = motor.via = motor.from;
	motor.moving = false;
	atomic_store(&fake.moves_at_halt, atomic_load(&fake.move_count));
	return ERR_OK;
}

/* Takes one off what is still to happen; false when there was none. */
static bool use_up(_Atomic int *left)
{
	return atomic_load(left) > 0 && atomic_fetch_sub(left, 1) > 0;
}

static void say_temperature(unsigned want, struct focuser_reading *out)
{
	atomic_fetch_add(&fake.temperature_count, 1);
	if ((want & FOCUSER_WANT_MOTION) == 0) {
		atomic_fetch_add(&fake.temperature_alone, 1);
	}
	out->temperature_valid = !use_up(&fake.temperature_late);
	out->temperature_c = use_up(&fake.temperature_waking) ? 85.0 : atomic_load(&fake.temperature_c);
}

static enum err_code focuser_poll(void *ctx, unsigned want, struct focuser_reading *out, struct err *err)
{
	enum err_code code = trouble(err);
	if (code != ERR_OK) {
		return code;
	}
	if (atomic_load(&fake.garbled) > 0) {
		atomic_fetch_sub(&fake.garbled, 1);
		return err_set(err, ERR_PROTOCOL, "noise");
	}
	if (atomic_exchange(&fake.reset, false)) {
		fake_put_motor(0);
	}
	if (atomic_exchange(&fake.loses_count, false)) {
		fake_put_motor(2000);
		out->reset_seen = true;
	}
	double position = motor_now(ctx);
	out->position_valid = true;
	out->position = (int32_t)lround(position) + atomic_exchange(&fake.glitch, 0);
	int32_t backlash = atomic_exchange(&fake.tells_backlash, 0);
	out->backlash_valid = backlash != 0;
	out->backlash_steps = backlash;
	atomic_store(&fake.true_position, (int32_t)lround(position));
	atomic_fetch_add(&fake.poll_count, 1);
	out->moving_valid = true;
	/* A motor that begins late says until then that it rests. */
	out->moving = motor.moving &&
		clock_now_ms(((struct fake_focuser *)ctx)->host->clock) >= motor.since_ms;
	out->moving = out->moving || fake.says_moving;
	if ((want & FOCUSER_WANT_CALIBRATION) != 0) {
		out->calibration_valid = true;
		out->calibration = fake.calibrating ? FOCUSER_CALIBRATION_RUNS : FOCUSER_CALIBRATION_IDLE;
		out->calibration_step = 1;
	}
	if ((want & FOCUSER_WANT_TEMPERATURE) != 0) {
		say_temperature(want, out);
	}
	return ERR_OK;
}

static enum err_code focuser_set_count(void *ctx, int32_t position, struct err *err)
{
	(void)ctx;
	atomic_fetch_add(&fake.set_position_count, 1);
	while (atomic_load(&fake.set_position_waits)) {
		sched_yield();
	}
	if (atomic_load(&fake.sync_fails)) {
		return err_set(err, ERR_REFUSED, "the board says no");
	}
	fake_put_motor(position);
	if (atomic_load(&fake.mute_set_positions) > 0) {
		atomic_fetch_sub(&fake.mute_set_positions, 1);
		return err_set(err, ERR_TIMEOUT, "the answer got lost");
	}
	return trouble(err);
}

static enum err_code focuser_calibrate_now(void *ctx, bool begin, struct err *err)
{
	(void)ctx;
	if (!begin) {
		order();
	}
	enum err_code code = trouble(err);
	if (code != ERR_OK) {
		return code;
	}
	atomic_fetch_add(begin ? &fake.calibrate_starts : &fake.calibrate_aborts, 1);
	if (atomic_load(&fake.deaf_calibrates) > 0) {
		atomic_fetch_sub(&fake.deaf_calibrates, 1);
		return err_set(err, ERR_TIMEOUT, "the order got lost");
	}
	fake.calibrating = begin;
	fake.says_moving = begin;
	if (atomic_load(&fake.mute_calibrates) > 0) {
		atomic_fetch_sub(&fake.mute_calibrates, 1);
		return err_set(err, ERR_TIMEOUT, "the answer got lost");
	}
	return ERR_OK;
}

/* Drivers without memory of the position; with a count that may be lost and can be set; with a count that is kept and
 * cannot be set. */
static const struct focuser_driver fake_focuser_driver = {
	.name = "fake",
	.title = "Fake focuser",
	.ctx_size = sizeof(struct fake_focuser),
	.simulated = true,
	.count = FOCUSER_COUNT_SIMULATED,
	.poll_moving_ms = 100,
	.poll_idle_ms = 500,
	.poll_temperature_ms = 1000,
	.speed_floor_steps_per_s = 500,
	.open = focuser_open,
	.identify = focuser_identify,
	.close = focuser_close,
	.start_move = focuser_start_move,
	.halt = focuser_halt_now,
	.poll = focuser_poll,
};

static const struct focuser_driver fake_forgetful_driver = {
	.name = "fake-forgetful",
	.title = "Fake focuser that may forget",
	.ctx_size = sizeof(struct fake_focuser),
	.simulated = true,
	.poll_moving_ms = 100,
	.poll_idle_ms = 500,
	.poll_temperature_ms = 1000,
	.speed_floor_steps_per_s = 500,
	.open = focuser_open,
	.identify = focuser_identify,
	.close = focuser_close,
	.start_move = focuser_start_move,
	.halt = focuser_halt_now,
	.poll = focuser_poll,
	.set_position = focuser_set_count,
};

static const struct focuser_driver fake_keeper_driver = {
	.name = "fake-keeper",
	.title = "Fake focuser that keeps its count",
	.ctx_size = sizeof(struct fake_focuser),
	.simulated = true,
	.count = FOCUSER_COUNT_KEPT,
	.poll_moving_ms = 100,
	.poll_idle_ms = 500,
	.poll_temperature_ms = 1000,
	.speed_floor_steps_per_s = 500,
	.open = focuser_open,
	.identify = focuser_identify,
	.close = focuser_close,
	.start_move = focuser_start_move,
	.halt = focuser_halt_now,
	.poll = focuser_poll,
};

/* Like the last of these, and it calibrates itself. */
static const struct focuser_driver fake_calibrator_driver = {
	.name = "fake-calibrator",
	.title = "Fake focuser that calibrates itself",
	.ctx_size = sizeof(struct fake_focuser),
	.simulated = true,
	.count = FOCUSER_COUNT_KEPT,
	.poll_moving_ms = 100,
	.poll_idle_ms = 500,
	.poll_temperature_ms = 1000,
	.speed_floor_steps_per_s = 500,
	.calibration_steps = 12,
	.open = focuser_open,
	.identify = focuser_identify,
	.close = focuser_close,
	.start_move = focuser_start_move,
	.halt = focuser_halt_now,
	.poll = focuser_poll,
	.set_position = focuser_set_count,
	.calibrate = focuser_calibrate_now,
};

struct fake_camera {
	const struct driver_host *host;
	bool exposing;
	int64_t until_ms;
	int64_t guide_until_ms;
	struct exposure_request request;
	struct frame *frame; /* lent */
	enum image_type type;
};

static enum err_code camera_open(void *ctx, const struct camera_port *port,
	const struct driver_host *host, struct camera_caps *caps, struct err *err)
{
	(void)port;
	(void)err;
	static const char *const modes[] = {"Normal", NULL};
	struct fake_camera *c = ctx;
	c->host = host;
	caps->width = 64;
	caps->height = 48;
	caps->max_bin = 2;
	caps->can_abort = true;
	caps->can_stop = true;
	caps->pixel_um = 3.76;
	caps->exposure_max_s = 3600;
	caps->frame_type = (enum image_type)atomic_load(&fake.frame_type);
	c->type = caps->frame_type;
	caps->max_adu = c->type == IMAGE_U8 ? 255 : c->type == IMAGE_U16 ? 65535 : INT32_MAX;
	caps->has_gain = true;
	caps->gain_max = 100;
	caps->gain_default = 10;
	caps->readout_modes = modes;
	caps->can_fast_readout = true;
	caps->has_temperature = true;
	caps->has_cooler = true;
	caps->set_point_min_c = -40;
	caps->set_point_max_c = 30;
	caps->set_point_default_c = -10;
	caps->can_pulse_guide = true;
	caps->has_heatsink = true;
	snprintf(caps->identity, sizeof caps->identity, "fake camera");
	return ERR_OK;
}

static void camera_close(void *ctx)
{
	(void)ctx;
}

static enum err_code camera_start(void *ctx, const struct exposure_request *request, struct err *err)
{
	(void)err;
	struct fake_camera *c = ctx;
	c->request = *request;
	c->exposing = true;
	c->until_ms = clock_now_ms(c->host->clock) + (int64_t)(request->duration_s * 1000);
	atomic_fetch_add(&fake.expose_count, 1);
	return ERR_OK;
}

static enum err_code camera_poll(void *ctx, struct camera_reading *out, struct err *err)
{
	(void)err;
	struct fake_camera *c = ctx;
	bool over = clock_now_ms(c->host->clock) >= c->until_ms;
	out->state = !c->exposing ? CAMERA_DRIVER_IDLE
		     : over	  ? CAMERA_DRIVER_READY
				  : CAMERA_DRIVER_EXPOSING;
	out->next_poll_ms = 50;
	return ERR_OK;
}

static enum err_code camera_abort_now(void *ctx, struct err *err)
{
	(void)err;
	((struct fake_camera *)ctx)->exposing = false;
	atomic_fetch_add(&fake.abort_count, 1);
	return ERR_OK;
}

static enum err_code camera_stop_now(void *ctx, struct err *err)
{
	(void)err;
	struct fake_camera *c = ctx;
	c->until_ms = 0;
	return ERR_OK;
}

double fake_element(int type, size_t i)
{
	double n = (double)i;
	return type == IMAGE_U8 ? (double)(i % 251) : type == IMAGE_U16 ? n : type == IMAGE_I32 ? n * 100003 - 16777217
		: type == IMAGE_F32 ? n / 1024 - 1 : n / 1024 + 4294967296.0;
}

static void put_element(enum image_type type, void *out, size_t i)
{
	double value = fake_element((int)type, i);
	switch (type) {
	case IMAGE_U8:
		((uint8_t *)out)[i] = (uint8_t)value;
		break;
	case IMAGE_U16:
		((uint16_t *)out)[i] = (uint16_t)value;
		break;
	case IMAGE_I32:
		((int32_t *)out)[i] = (int32_t)value;
		break;
	case IMAGE_F32:
		((float *)out)[i] = (float)value;
		break;
	case IMAGE_F64:
		((double *)out)[i] = value;
		break;
	}
}

static enum err_code camera_read(void *ctx, void *out, size_t count, struct frame_info *info,
	struct err *err)
{
	struct fake_camera *c = ctx;
	c->exposing = false;
	bool torn = atomic_load(&fake.fail_next) > 0 && atomic_fetch_sub(&fake.fail_next, 1) > 0;
	if (atomic_load(&fake.expose_fails) || torn) {
		return err_set(err, ERR_PROTOCOL, "the frame was torn");
	}
	for (size_t i = 0; i < count; i++) {
		put_element(c->type, out, i);
	}
	info->width = c->request.num_x;
	info->height = c->request.num_y;
	info->planes = 1;
	info->bin = c->request.bin;
	info->full_scale_adu = 65535;
	info->exposure_s = c->request.duration_s;
	return ERR_OK;
}

static enum err_code camera_poll_climate(void *ctx, struct camera_climate *out, struct err *err)
{
	struct fake_camera *c = ctx;
	if (atomic_load(&fake.climate_fails)) {
		return err_set(err, ERR_TIMEOUT, "the sensor does not answer");
	}
	int64_t left = c->guide_until_ms - clock_now_ms(c->host->clock);
	out->sensor_c = atomic_load(&fake.sensor_c);
	atomic_fetch_add(&fake.climate_count, 1);
	if (!use_up(&fake.climate_late)) {
		out->heatsink_c = out->sensor_c + 1.0;
	}
	out->cooler_told = atomic_load(&fake.cooler_runs);
	out->cooler_on = true;
	out->set_point_c = -7.0;
	out->guiding = left > 0;
	out->next_poll_ms = left > 0 && left < 200 ? (int)left : 200;
	return ERR_OK;
}

static enum err_code camera_set_cooler(void *ctx, bool on, double set_point_c, struct err *err)
{
	(void)ctx;
	(void)err;
	atomic_store(&fake.cooler_on, on);
	atomic_store(&fake.set_point_c, set_point_c);
	atomic_fetch_add(&fake.cooler_count, 1);
	return ERR_OK;
}

static enum err_code camera_pulse_guide_now(void *ctx, enum camera_guide direction,
	int32_t duration_ms, struct err *err)
{
	struct fake_camera *c = ctx;
	atomic_fetch_add(&fake.pulse_count, 1);
	if (atomic_load(&fake.pulse_fails)) {
		return err_set(err, ERR_REFUSED, "the guide port is not plugged in");
	}
	atomic_store(&fake.pulse_direction, direction);
	atomic_store(&fake.pulse_ms, duration_ms);
	c->guide_until_ms = clock_now_ms(c->host->clock) + duration_ms;
	return ERR_OK;
}

static const struct camera_driver fake_camera_driver = {
	.name = "fake",
	.title = "Fake camera",
	.ctx_size = sizeof(struct fake_camera),
	.simulated = true,
	.open = camera_open,
	.close = camera_close,
	.start_exposure = camera_start,
	.poll = camera_poll,
	.abort = camera_abort_now,
	.stop = camera_stop_now,
	.read_frame = camera_read,
	.poll_climate = camera_poll_climate,
	.set_cooler = camera_set_cooler,
	.pulse_guide = camera_pulse_guide_now,
};

static void camera_lend(void *ctx, struct frame *frame)
{
	((struct fake_camera *)ctx)->frame = frame;
	atomic_fetch_add(&fake.lend_count, 1);
}

static enum err_code camera_read_lent(void *ctx, struct frame_info *info, struct err *err)
{
	struct fake_camera *c = ctx;
	atomic_store(&fake.reading, true);
	while (atomic_load(&fake.read_waits)) {
		if (c->host->urgent(c->host->urgent_ctx)) {
			atomic_store(&fake.reading, false);
			return err_set(err, ERR_CANCELLED, "something else came first");
		}
		sched_yield();
	}
	atomic_store(&fake.reading, false);
	static double rows[64 * 48];
	enum err_code code = camera_read(ctx, rows, c->frame->count, info, err);
	if (code == ERR_OK) {
		frame_fill(c->frame, 0, info->height, rows);
	}
	return code;
}

/* The same camera, which fills the frame that it is lent. */
static const struct camera_driver fake_painting_driver = {
	.name = "fake-painting",
	.title = "Fake camera",
	.ctx_size = sizeof(struct fake_camera),
	.simulated = true,
	.open = camera_open,
	.close = camera_close,
	.start_exposure = camera_start,
	.poll = camera_poll,
	.abort = camera_abort_now,
	.stop = camera_stop_now,
	.lend_frame = camera_lend,
	.read_lent = camera_read_lent,
};

/* Device clock; 0: no calibration runs. */
static int64_t calibrating_since_ms;

static enum err_code slow_calibrate(void *ctx, bool start, struct err *err)
{
	const struct fake_focuser *f = ctx;
	calibrating_since_ms = start ? clock_now_ms(f->host->clock) : 0;
	atomic_fetch_add(&fake.calibration_aborts, start ? 0 : 1);
	return trouble(err);
}

/* The calibration drives from end to end twice and tells as little of it as it may. */
static enum err_code slow_calibration_poll(void *ctx, unsigned want, struct focuser_reading *out, struct err *err)
{
	const struct fake_focuser *f = ctx;
	int64_t since_ms = clock_now_ms(f->host->clock) - calibrating_since_ms;
	bool runs = calibrating_since_ms != 0 && (since_ms < fake.calibration_ms || fake.calibration_hangs);
	if ((want & FOCUSER_WANT_CALIBRATION) != 0) {
		out->calibration_valid = true;
		out->calibration = runs && !fake.calibration_stale ? FOCUSER_CALIBRATION_RUNS
			: calibrating_since_ms != 0 ? FOCUSER_CALIBRATION_DONE : FOCUSER_CALIBRATION_IDLE;
		out->calibration_step = since_ms < fake.calibration_ms / 2 ? 1 : 2;
	}
	enum err_code code = focuser_poll(ctx, want & ~(unsigned)FOCUSER_WANT_CALIBRATION, out, err);
	out->moving |= runs;
	atomic_store(&fake.calibration_runs, runs);
	return code;
}

static const struct focuser_driver fake_slow_calibrator_driver = {
	.name = "fake-slow-calibrator",
	.title = "Fake focuser that calibrates itself",
	.ctx_size = sizeof(struct fake_focuser),
	.simulated = true,
	.count = FOCUSER_COUNT_SIMULATED,
	.calibration_steps = 2,
	.approach_up = true,
	.uses_device = true,
	.poll_moving_ms = 100,
	.poll_idle_ms = 500,
	.poll_temperature_ms = 1000,
	.speed_floor_steps_per_s = 500,
	.open = focuser_open,
	.identify = focuser_identify,
	.close = focuser_close,
	.start_move = focuser_start_move,
	.halt = focuser_halt_now,
	.poll = slow_calibration_poll,
	.calibrate = slow_calibrate,
};

/* These take the place of the program's own driver list. */
const struct focuser_driver *const focuser_drivers[] = {&fake_focuser_driver, NULL};
const struct camera_driver *const camera_drivers[] = {&fake_camera_driver, NULL};

const struct focuser_driver *focuser_driver_find(const char *name)
{
	if (strcmp(name, "fake-slow-calibrator") == 0) {
		return &fake_slow_calibrator_driver;
	}
	return strcmp(name, "fake") == 0 ? &fake_focuser_driver
		: strcmp(name, "fake-forgetful") == 0 ? &fake_forgetful_driver
		: strcmp(name, "fake-keeper") == 0 ? &fake_keeper_driver
		: strcmp(name, "fake-calibrator") == 0 ? &fake_calibrator_driver : NULL;
}

const struct camera_driver *camera_driver_find(const char *name)
{
	if (strcmp(name, fake_painting_driver.name) == 0) {
		return &fake_painting_driver;
	}
	return strcmp(name, "fake") == 0 ? &fake_camera_driver : NULL;
}
