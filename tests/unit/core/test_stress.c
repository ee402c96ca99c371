/* SPDX-License-Identifier: MIT */
/*
 * Many hands at once on devices that fail at random, on a fast clock; what must hold holds at every
 * driver call and every answer.  The drivers here bring their own motor, line and luck.  Rounds are
 * counted, never timed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "autofocus.h"
#include "camera.h"
#include "camera_driver.h"
#include "clock.h"
#include "device_private.h"
#include "focuser.h"
#include "focuser_driver.h"
#include "log.h"
#include "observatory.h"
#include "settings_fixture.h"

enum { MIN_STEP = 200, MAX_STEP = 9000, DEVICE_MAX = 10000, BACKLASH = 150, COMMANDERS = 3,
	ROUNDS = 250, TIME_FACTOR = 400 };

/* The motor and its line; only the focuser's worker touches them, except for the atomics. */
static struct {
	double from, to;
	int64_t since_ms;
	bool moving;
	uint32_t luck;
	int gone_for;           /* so many calls more say that the port is gone */
	int32_t move_target;    /* of the last start */
	/* The test's knobs. */
	_Atomic int fault_share; /* of 1000 calls, so many fail */
	_Atomic int gone_share;  /* of 1000 calls, so many lose the link */
	/* What was found. */
	_Atomic int outside;     /* starts outside the limits */
	_Atomic int after_halt;  /* starts after the halt's own driver call, without a new wish */
	_Atomic int starts;
	/* Set with the command lock held when a halt has returned; cleared before anything is wished.  A
	 * start may be on its way into the driver just then; a second one, or one after the driver was
	 * told to halt, may not. */
	_Atomic bool halted;
	_Atomic bool halt_seen;
	_Atomic bool start_seen;
} motor;

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static int64_t device_now(const struct driver_host *host)
{
	return clock_now_ms(host->clock);
}

static double motor_at(const struct driver_host *host)
{
	if (!motor.moving) {
		return motor.from;
	}
	double gone = (double)(device_now(host) - motor.since_ms) * 4.0; /* 4000 steps/s */
	double way = fabs(motor.to - motor.from);
	if (gone >= way) {
		motor.moving = false;
		motor.from = motor.to;
		return motor.to;
	}
	return motor.from + (motor.to > motor.from ? gone : -gone);
}

static enum err_code fate(struct err *err)
{
	uint32_t dice = next_random(&motor.luck) % 1000;
	if (motor.gone_for > 0) {
		motor.gone_for--;
		return err_set(err, ERR_IO, "the port is gone");
	}
	if ((int)dice < atomic_load(&motor.gone_share)) {
		motor.gone_for = (int)(next_random(&motor.luck) % 4);
		return err_set(err, ERR_IO, "the port went away");
	}
	if ((int)(next_random(&motor.luck) % 1000) < atomic_load(&motor.fault_share)) {
		return err_set(err, dice % 2 == 0 ? ERR_TIMEOUT : ERR_PROTOCOL, "bad luck");
	}
	return ERR_OK;
}

struct focuser_ctx {
	const struct driver_host *host;
};

static enum err_code focuser_open(void *ctx, const struct focuser_port *port,
	const struct driver_host *host, struct err *err)
{
	(void)port;
	((struct focuser_ctx *)ctx)->host = host;
	sched_yield();
	return fate(err);
}

static enum err_code focuser_identify(void *ctx, struct focuser_caps *caps, struct err *err)
{
	(void)ctx;
	*caps = (struct focuser_caps){.max_step = DEVICE_MAX, .max_increment = DEVICE_MAX / 3,
		.has_temperature = true, .step_size_um = NAN};
	return fate(err);
}

static void focuser_close(void *ctx)
{
	(void)ctx;
}

static enum err_code focuser_start(void *ctx, int32_t target, struct err *err)
{
	struct focuser_ctx *f = ctx;
	if (atomic_load(&motor.halted) &&
		(atomic_load(&motor.halt_seen) || atomic_exchange(&motor.start_seen, true))) {
		atomic_fetch_add(&motor.after_halt, 1);
	}
	if (target < MIN_STEP || target > MAX_STEP) {
		atomic_fetch_add(&motor.outside, 1);
	}
	sched_yield();
	if (f->host->urgent(f->host->urgent_ctx)) {
		return err_set(err, ERR_CANCELLED, "something urgent");
	}
	/* A call that fails may have worked or not. */
	enum err_code code = fate(err);
	if (code == ERR_OK || next_random(&motor.luck) % 2 == 0) {
		motor.from = motor_at(f->host);
		motor.to = target;
		motor.since_ms = device_now(f->host);
		motor.moving = true;
		atomic_fetch_add(&motor.starts, 1);
	}
	return code;
}

static enum err_code focuser_halt_now(void *ctx, struct err *err)
{
	struct focuser_ctx *f = ctx;
	enum err_code code = fate(err);
	if (code == ERR_OK) {
		motor.from = motor_at(f->host);
		motor.moving = false;
		atomic_store(&motor.halt_seen, atomic_load(&motor.halted));
	}
	return code;
}

static enum err_code focuser_poll(void *ctx, unsigned want, struct focuser_reading *out,
	struct err *err)
{
	struct focuser_ctx *f = ctx;
	sched_yield();
	if (f->host->urgent(f->host->urgent_ctx)) {
		return err_set(err, ERR_CANCELLED, "something urgent");
	}
	enum err_code code = fate(err);
	if (code != ERR_OK) {
		return code;
	}
	out->position = (int32_t)lround(motor_at(f->host));
	out->position_valid = true;
	out->moving = motor.moving;
	out->moving_valid = true;
	out->temperature_valid = (want & FOCUSER_WANT_TEMPERATURE) != 0;
	out->temperature_c = 7;
	return ERR_OK;
}

static const struct focuser_driver rough_focuser = {
	.name = "rough", .title = "Rough focuser", .ctx_size = sizeof(struct focuser_ctx),
	.simulated = true, .poll_moving_ms = 100, .poll_idle_ms = 500, .poll_temperature_ms = 1000,
	.speed_floor_steps_per_s = 500, .open = focuser_open, .identify = focuser_identify,
	.close = focuser_close, .start_move = focuser_start, .halt = focuser_halt_now,
	.poll = focuser_poll,
};

struct camera_ctx {
	const struct driver_host *host;
	int64_t until_ms;
	bool exposing;
	uint32_t luck;
	struct exposure_request request;
};

static enum err_code camera_fate(struct camera_ctx *c, struct err *err)
{
	int dice = (int)(next_random(&c->luck) % 1000);
	if (dice < atomic_load(&motor.gone_share)) {
		return err_set(err, ERR_IO, "the camera went away");
	}
	return dice < 20 ? err_set(err, ERR_TIMEOUT, "the camera is slow") : ERR_OK;
}

static enum err_code camera_open(void *ctx, const struct camera_port *port,
	const struct driver_host *host, struct camera_caps *caps, struct err *err)
{
	(void)port;
	struct camera_ctx *c = ctx;
	c->host = host;
	c->luck = (uint32_t)device_now(host);
	caps->width = caps->height = 32;
	caps->max_bin = 1;
	caps->can_abort = true;
	caps->exposure_max_s = 3600;
	caps->max_adu = 65535;
	return camera_fate(c, err);
}

static void camera_close(void *ctx)
{
	(void)ctx;
}

static enum err_code camera_start(void *ctx, const struct exposure_request *request, struct err *err)
{
	struct camera_ctx *c = ctx;
	c->request = *request;
	c->exposing = true;
	c->until_ms = device_now(c->host) + (int64_t)(request->duration_s * 1000);
	return camera_fate(c, err);
}

static enum err_code camera_poll(void *ctx, struct camera_reading *out, struct err *err)
{
	struct camera_ctx *c = ctx;
	out->next_poll_ms = 50;
	out->state = !c->exposing ? CAMERA_DRIVER_IDLE
		: device_now(c->host) >= c->until_ms ? CAMERA_DRIVER_READY : CAMERA_DRIVER_EXPOSING;
	return camera_fate(c, err);
}

static enum err_code camera_abort_now(void *ctx, struct err *err)
{
	struct camera_ctx *c = ctx;
	c->exposing = false;
	return camera_fate(c, err);
}

static enum err_code camera_read(void *ctx, void *out, size_t count, struct frame_info *info,
	struct err *err)
{
	struct camera_ctx *c = ctx;
	c->exposing = false;
	memset(out, 0, count * sizeof(uint16_t));
	info->width = c->request.num_x;
	info->height = c->request.num_y;
	info->planes = 1;
	info->bin = 1;
	info->full_scale_adu = 65535;
	info->exposure_s = c->request.duration_s;
	return camera_fate(c, err);
}

static const struct camera_driver rough_camera = {
	.name = "rough", .title = "Rough camera", .ctx_size = sizeof(struct camera_ctx),
	.simulated = true, .open = camera_open, .close = camera_close,
	.start_exposure = camera_start, .poll = camera_poll, .abort = camera_abort_now,
	.read_frame = camera_read,
};

/* These take the place of the program's own driver list. */
const struct focuser_driver *const focuser_drivers[] = {&rough_focuser, NULL};
const struct camera_driver *const camera_drivers[] = {&rough_camera, NULL};

const struct focuser_driver *focuser_driver_find(const char *name)
{
	return strcmp(name, "rough") == 0 ? &rough_focuser : NULL;
}

const struct camera_driver *camera_driver_find(const char *name)
{
	return strcmp(name, "rough") == 0 ? &rough_camera : NULL;
}

struct night {
	struct config config;
	struct settings *settings;
	struct observatory *obs;
	struct device *focuser;
	struct device *camera;
	char dir[64];
	pthread_mutex_t command; /* orders wishes and halts for the book-keeping above */
	_Atomic bool over;       /* the onlookers may go home */
	_Atomic int wrong;
};

static const struct client me = {"10.0.0.1", 1};

/* Waits for a change of the device, 5 ms at most; true while there is hope. */
static bool look_again(struct device *dev, int64_t give_up_ms)
{
	pthread_mutex_lock(&dev->lock);
	clock_wait(clock_real(), &dev->changed, &dev->lock, clock_now_ms(clock_real()) + 5);
	pthread_mutex_unlock(&dev->lock);
	return clock_now_ms(clock_real()) < give_up_ms;
}

static void connect_until_up(struct night *n)
{
	int64_t give_up_ms = clock_now_ms(clock_real()) + 60000;
	uint64_t ticket;
	do {
		device_connect(n->focuser, &me, &ticket, NULL);
		device_connect(n->camera, &me, &ticket, NULL);
		if (device_link(n->focuser) == LINK_UP && device_link(n->camera) == LINK_UP) {
			return;
		}
	} while (look_again(n->focuser, give_up_ms));
	fail_msg("never connected");
}

static int setup(void **state)
{
	struct night *n = calloc(1, sizeof *n);
	snprintf(n->dir, sizeof n->dir, "/tmp/focusd-test-XXXXXX");
	if (n == NULL || mkdtemp(n->dir) == NULL) {
		return -1;
	}
	memset(&motor, 0, sizeof motor);
	motor.from = 5000;
	motor.luck = 4711;
	pthread_mutex_init(&n->command, NULL);
	config_defaults(&n->config);
	struct config_focuser *f = &n->config.focuser[0];
	f->present = true;
	snprintf(f->driver, sizeof f->driver, "rough");
	f->min_step = MIN_STEP;
	f->port.max_step = MAX_STEP;
	f->backlash_steps = BACKLASH;
	n->config.camera[0].present = true;
	snprintf(n->config.camera[0].driver, sizeof n->config.camera[0].driver, "rough");
	n->config.autofocus.exposure_s = 0.05;
	struct observatory_options options = {.state_dir = n->dir, .seed = 1,
		.time_factor = TIME_FACTOR};
	struct err err;
	if (observatory_create(settings_anew(&n->settings, &n->config), &options, &n->obs, &err) != ERR_OK) {
		return -1;
	}
	n->focuser = devices_find(observatory_served(n->obs)->devices, &focuser_kind, 0);
	n->camera = devices_find(observatory_served(n->obs)->devices, &camera_kind, 0);
	connect_until_up(n);
	*state = n;
	return 0;
}

static int teardown(void **state)
{
	struct night *n = *state;
	observatory_destroy(n->obs);
	settings_destroy(n->settings);
	static const char *const names[] = {"focusd.db", "focusd.db-wal", "focusd.db-shm",
		"focusd.db-journal", "devices.json"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char path[128];
		snprintf(path, sizeof path, "%s/%s", n->dir, names[i]);
		unlink(path);
	}
	rmdir(n->dir);
	pthread_mutex_destroy(&n->command);
	free(n);
	return 0;
}

/* Asks for everything, all the time. */
static void *onlooker(void *arg)
{
	struct night *n = arg;
	const struct client other = {"10.0.0.2", 7};
	while (!atomic_load(&n->over)) {
		struct focuser_state f;
		struct camera_state c;
		int32_t position;
		bool flag;
		double t;
		uint64_t serial;
		device_touch(n->focuser, &other);
		focuser_state(n->focuser, &f);
		camera_state(n->camera, &c);
		if (f.position_valid && (f.position < 0 || f.position > MAX_STEP)) {
			atomic_fetch_add(&n->wrong, 1);
		}
		if (f.is_moving && f.link != LINK_UP) {
			atomic_fetch_add(&n->wrong, 1);
		}
		focuser_position(n->focuser, &position, NULL);
		focuser_is_moving(n->focuser, &flag, NULL);
		focuser_temperature(n->focuser, &t, NULL);
		camera_image_ready(n->camera, &flag, NULL);
		frame_unref(camera_preview_frame(n->camera, &serial));
		run_free(autofocus_run(observatory_served(n->obs)->autofocus[0], 0));
		device_connecting(n->focuser, &flag, NULL);
		sched_yield();
	}
	return NULL;
}

/* One hand, alone with onlookers and bad luck: a move that was accepted is moving until it has
 * arrived exactly, or failed and says so. */
static void moving_never_flickers(void **state)
{
	struct night *n = *state;
	pthread_t looks;
	uint32_t luck = 99;
	int arrived = 0;
	int failed = 0;
	atomic_store(&motor.fault_share, 20);
	assert_int_equal(pthread_create(&looks, NULL, onlooker, n), 0);
	for (int i = 0; i < ROUNDS; i++) {
		int32_t target = MIN_STEP + (int32_t)(next_random(&luck) % (MAX_STEP - MIN_STEP + 1));
		atomic_store(&motor.gone_share, i % 10 == 9 ? 20 : 0);
		if (focuser_move(n->focuser, target, NULL) != ERR_OK) {
			connect_until_up(n);
			continue;
		}
		if (next_random(&luck) % 4 == 0) {
			target = MIN_STEP + (int32_t)(next_random(&luck) % 1000);
			if (focuser_move(n->focuser, target, NULL) != ERR_OK) {
				connect_until_up(n);
				continue;
			}
		}
		bool moving = true;
		enum err_code code;
		int64_t give_up_ms = clock_now_ms(clock_real()) + 60000;
		while ((code = focuser_is_moving(n->focuser, &moving, NULL)) == ERR_OK && moving) {
			assert_true(look_again(n->focuser, give_up_ms));
		}
		if (code != ERR_OK) {
			failed++;
			continue;
		}
		int32_t position = -1;
		if (focuser_position(n->focuser, &position, NULL) == ERR_OK) {
			assert_int_equal(position, target);
			arrived++;
		}
	}
	atomic_store(&n->over, true);
	pthread_join(looks, NULL);
	assert_int_equal(n->wrong, 0);
	assert_int_equal(motor.outside, 0);
	assert_true(arrived > ROUNDS / 2);
	assert_true(failed > 0);
}

static void wish(struct night *n, uint32_t *luck)
{
	struct err err;
	bool closing;
	uint64_t number;
	struct autofocus_params params;
	autofocus_params_init(&params);
	int what = (int)(next_random(luck) % 16);
	int32_t target = (int32_t)(next_random(luck) % 12000) - 1000;
	pthread_mutex_lock(&n->command);
	if (what < 6) {
		atomic_store(&motor.halted, false);
		focuser_move(n->focuser, target, &err);
	} else if (what < 10) {
		/* A lost link gives an error; in that case nothing is promised. */
		bool up = focuser_halt(n->focuser, &err) == ERR_OK;
		atomic_store(&motor.halt_seen, false);
		atomic_store(&motor.start_seen, false);
		atomic_store(&motor.halted, up);
	} else if (what == 10) {
		atomic_store(&motor.halted, false);
		autofocus_start(observatory_served(n->obs)->autofocus[0], &params, &number, &err);
	}
	pthread_mutex_unlock(&n->command);
	switch (what) {
	case 11:
		autofocus_abort(observatory_served(n->obs)->autofocus[0]);
		break;
	case 12:
		camera_start_exposure(n->camera, 0.02, true, &err);
		break;
	case 13:
		camera_abort(n->camera, &err);
		break;
	case 14:
		device_disconnect(n->focuser, &me, &closing, &err);
		device_connect(n->focuser, &me, &number, &err);
		break;
	case 15:
		device_disconnect(n->camera, &me, &closing, &err);
		device_connect(n->camera, &me, &number, &err);
		device_connect(n->focuser, &me, &number, &err);
		break;
	default:
		break;
	}
}

struct hand {
	struct night *night;
	uint32_t luck;
};

static void *commander(void *arg)
{
	struct hand *hand = arg;
	for (int i = 0; i < ROUNDS; i++) {
		wish(hand->night, &hand->luck);
		for (uint32_t k = next_random(&hand->luck) % 6; k > 0; k--) {
			look_again(hand->night->focuser, INT64_MAX);
		}
	}
	return NULL;
}

static bool everything_rests(struct night *n)
{
	struct focuser_state f;
	struct camera_state c;
	focuser_state(n->focuser, &f);
	camera_state(n->camera, &c);
	return autofocus_running(observatory_served(n->obs)->autofocus[0]) == 0 && f.link == LINK_UP && !f.is_moving &&
	       c.activity != CAMERA_EXPOSING && c.activity != CAMERA_WAITING &&
	       c.activity != CAMERA_READING;
}

/* Whether the motor stood still while the cable was out cannot always be known; then a person says that it did. */
static void settle(struct night *n, int64_t give_up_ms)
{
	struct focuser_state f;
	struct err err;
	uint64_t ticket;
	enum err_code result;
	focuser_state(n->focuser, &f);
	if (f.trust == POSITION_KNOWN) {
		return;
	}
	if (focuser_set_position(n->focuser, FOCUSER_SET_KEEP, 0, &ticket, &err) != ERR_OK) {
		fail_msg("SetPosition: %s", err.text);
	}
	while (!focuser_set_position_done(n->focuser, ticket, &result, &err)) {
		assert_true(look_again(n->focuser, give_up_ms));
	}
	assert_int_equal(result, ERR_OK);
}

/* Many threads give orders: after a halt nothing starts until something new is wished, whatever else goes on; and when
 * all is over everything still works. */
static void nothing_starts_after_a_halt(void **state)
{
	struct night *n = *state;
	pthread_t threads[COMMANDERS];
	pthread_t looks;
	struct hand hands[COMMANDERS];
	atomic_store(&motor.fault_share, 20);
	atomic_store(&motor.gone_share, 3);
	assert_int_equal(pthread_create(&looks, NULL, onlooker, n), 0);
	for (int i = 0; i < COMMANDERS; i++) {
		hands[i] = (struct hand){n, 1000u + (uint32_t)i};
		assert_int_equal(pthread_create(&threads[i], NULL, commander, &hands[i]), 0);
	}
	for (int i = 0; i < COMMANDERS; i++) {
		pthread_join(threads[i], NULL);
	}
	atomic_store(&n->over, true);
	pthread_join(looks, NULL);
	assert_int_equal(n->wrong, 0);
	assert_int_equal(motor.outside, 0);
	assert_int_equal(motor.after_halt, 0);
	assert_true(motor.starts > 20);

	atomic_store(&motor.fault_share, 0);
	atomic_store(&motor.gone_share, 0);
	connect_until_up(n);
	struct err err;
	int64_t give_up_ms = clock_now_ms(clock_real()) + 60000;
	focuser_halt(n->focuser, &err);
	camera_abort(n->camera, &err);
	while (!everything_rests(n)) {
		assert_true(look_again(n->focuser, give_up_ms));
	}
	int starts = motor.starts;
	static const int32_t targets[] = {3000, 8000};
	for (size_t i = 0; i < 2; i++) {
		struct focuser_state f;
		settle(n, give_up_ms);
		if (focuser_move(n->focuser, targets[i], &err) != ERR_OK) {
			fail_msg("move: %s", err.text);
		}
		while (!everything_rests(n)) {
			assert_true(look_again(n->focuser, give_up_ms));
		}
		focuser_state(n->focuser, &f);
		assert_int_equal(f.motor_position, targets[i]);
	}
	assert_true(motor.starts > starts);
}

/* Everything is taken down while it is in use. */
static void ends_cleanly_amid_everything(void **state)
{
	struct night *n = *state;
	struct hand hand = {n, 5};
	atomic_store(&motor.fault_share, 50);
	atomic_store(&motor.gone_share, 10);
	for (int i = 0; i < 50; i++) {
		wish(n, &hand.luck);
	}
	struct err err;
	atomic_store(&motor.fault_share, 0);
	atomic_store(&motor.gone_share, 0);
	connect_until_up(n);
	focuser_move(n->focuser, MAX_STEP, &err);
	observatory_destroy(n->obs);
	n->obs = NULL;
	assert_false(motor.moving);
}

int main(void)
{
	log_set_level(LOG_ERROR);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(moving_never_flickers),
		TEST(nothing_starts_after_a_halt),
		TEST(ends_cleanly_amid_everything),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
