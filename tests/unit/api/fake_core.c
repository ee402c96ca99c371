/* SPDX-License-Identifier: MIT */
#include "fake_core.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

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

/* ---- focuser ---- */

void focuser_state(struct device *dev, struct focuser_state *out)
{
	fake_lock();
	*out = dev->focuser;
	fake_unlock();
}

void focuser_calibration(struct device *dev, struct focuser_calibration *out)
{
	fake_lock();
	*out = dev->calibration;
	fake_unlock();
}

enum err_code focuser_calibrate(struct device *dev, struct err *err)
{
	enum err_code code = ERR_OK;
	fake_lock();
	if (dev->calibration.ongoing != 0) {
		code = err_set(err, ERR_INVALID_OPERATION, "It calibrates.");
	} else {
		dev->calibration.ongoing = (uint64_t)++dev->calibrations;
	}
	fake_unlock();
	return code;
}

enum err_code focuser_calibrate_abort(struct device *dev, struct err *err)
{
	(void)err;
	fake_lock();
	dev->calibration.ongoing = 0;
	dev->calibration_aborts++;
	fake_unlock();
	return ERR_OK;
}

void focuser_calibration_json(const struct focuser_calibration *c, struct json_writer *w)
{
	json_object(w);
	json_key_int(w, "step", c->step);
	json_end_object(w);
}

enum err_code focuser_move(struct device *dev, int32_t target, struct err *err)
{
	(void)err;
	fake_lock();
	dev->moves++;
	dev->target = target;
	fake_unlock();
	return ERR_OK;
}

enum err_code focuser_halt(struct device *dev, struct err *err)
{
	(void)err;
	fake_lock();
	dev->halts++;
	fake_unlock();
	return ERR_OK;
}

enum err_code focuser_is_moving(struct device *dev, bool *out, struct err *err)
{
	(void)err;
	fake_lock();
	*out = dev->focuser.is_moving;
	fake_unlock();
	return ERR_OK;
}

enum err_code focuser_position(struct device *dev, int32_t *out, struct err *err)
{
	(void)err;
	fake_lock();
	*out = dev->focuser.position;
	fake_unlock();
	return ERR_OK;
}

enum err_code focuser_tell_temperature(struct device *dev, double celsius, struct err *err)
{
	(void)err;
	fake_lock();
	dev->focuser.temperature_valid = true;
	dev->focuser.temperature_c = celsius;
	fake_unlock();
	return ERR_OK;
}

enum err_code focuser_temperature(struct device *dev, double *out, struct err *err)
{
	struct focuser_state state;
	focuser_state(dev, &state);
	if (!state.temperature_valid) {
		return err_set(err, ERR_VALUE_NOT_SET, "There is no reading just now.");
	}
	*out = state.temperature_c;
	return ERR_OK;
}

enum err_code focuser_set_tempcomp(struct device *dev, bool on, struct err *err)
{
	(void)err;
	fake_lock();
	dev->focuser.tempcomp = on;
	fake_unlock();
	return ERR_OK;
}

/* Over at once; what it was told stands in the state. */
enum err_code focuser_set_position(struct device *dev, enum focuser_set_how how, int32_t position,
	uint64_t *ticket, struct err *err)
{
	if (position < 0) {
		return err_set(err, ERR_INVALID_VALUE, "%d is outside the range.", (int)position);
	}
	fake_lock();
	if (how == FOCUSER_SET_RESTORE) {
		position = dev->focuser.remembered;
	}
	dev->focuser.position = how == FOCUSER_SET_KEEP ? dev->focuser.position : position;
	dev->focuser.trust = POSITION_KNOWN;
	fake_unlock();
	*ticket = 1;
	return ERR_OK;
}

bool focuser_set_position_done(struct device *dev, uint64_t ticket, enum err_code *result,
	struct err *err)
{
	(void)dev;
	(void)err;
	*result = ERR_OK;
	return ticket == 1;
}

const char *focuser_trust_name(enum focuser_trust trust)
{
	static const char *const names[] = {"unknown", "known", "shifted"};
	return names[trust];
}

/* ---- camera ---- */

void camera_state(struct device *dev, struct camera_state *out)
{
	fake_lock();
	*out = dev->camera;
	fake_unlock();
}

enum err_code camera_set(
	struct device *dev, enum camera_setting what, int32_t value, struct err *err)
{
	if (what == CAMERA_SET_BIN && (value < 1 || value > 2)) {
		return err_set(err, ERR_INVALID_VALUE, "BinX must be 1 or 2, not %d.", value);
	}
	fake_lock();
	switch (what) {
	case CAMERA_SET_BIN:
		dev->camera.setup.bin = value;
		break;
	case CAMERA_SET_START_X:
		dev->camera.setup.start_x = value;
		break;
	case CAMERA_SET_START_Y:
		dev->camera.setup.start_y = value;
		break;
	case CAMERA_SET_NUM_X:
		dev->camera.setup.num_x = value;
		break;
	case CAMERA_SET_NUM_Y:
		dev->camera.setup.num_y = value;
		break;
	case CAMERA_SET_GAIN:
		dev->camera.setup.gain = value;
		break;
	case CAMERA_SET_OFFSET:
		dev->camera.setup.offset = value;
		break;
	case CAMERA_SET_READOUT_MODE:
		dev->camera.setup.readout_mode = value;
		break;
	case CAMERA_SET_FAST_READOUT:
		dev->camera.setup.fast_readout = value != 0;
		break;
	case CAMERA_SET_COOLER:
		dev->camera.cooler_on = value != 0;
		break;
	}
	fake_unlock();
	return ERR_OK;
}

enum err_code camera_set_point(struct device *dev, double celsius, struct err *err)
{
	if (!(celsius >= -40 && celsius <= 30)) {
		return err_set(err, ERR_INVALID_VALUE, "The set point must be -40 to 30 C.");
	}
	fake_lock();
	dev->camera.set_point_c = celsius;
	fake_unlock();
	return ERR_OK;
}

enum err_code camera_pulse_guide(
	struct device *dev, int32_t direction, int32_t duration_ms, struct err *err)
{
	if (direction < 0 || direction > 3 || duration_ms < 0) {
		return err_set(err, ERR_INVALID_VALUE, "No such pulse.");
	}
	fake_lock();
	dev->camera.guiding = duration_ms > 0;
	fake_unlock();
	return ERR_OK;
}

enum err_code camera_guiding(struct device *dev, bool *out, struct err *err)
{
	(void)err;
	fake_lock();
	*out = dev->camera.guiding;
	fake_unlock();
	return ERR_OK;
}

enum err_code camera_start_exposure(
	struct device *dev, double duration_s, bool light, struct err *err)
{
	(void)light;
	if (duration_s < 0) {
		return err_set(err, ERR_INVALID_VALUE, "Duration must not be negative.");
	}
	enum err_code code = ERR_OK;
	fake_lock();
	if (dev->camera.ongoing_exposure != 0) {
		code = err_set(err, ERR_INVALID_OPERATION, "It exposes.");
	} else {
		dev->camera.ongoing_exposure = (uint64_t)++dev->starts;
	}
	fake_unlock();
	return code;
}

enum err_code camera_abort(struct device *dev, struct err *err)
{
	(void)dev;
	(void)err;
	return ERR_OK;
}

enum err_code camera_stop(struct device *dev, struct err *err)
{
	(void)dev;
	(void)err;
	return ERR_OK;
}

bool camera_is_new_to(struct device *dev, const struct client *client)
{
	(void)dev;
	(void)client;
	return false;
}

enum err_code camera_image_ready(struct device *dev, bool *out, struct err *err)
{
	(void)err;
	fake_lock();
	*out = dev->camera.image_ready;
	fake_unlock();
	return ERR_OK;
}

enum err_code camera_frame(struct device *dev, struct frame **out, struct err *err)
{
	fake_lock();
	struct frame *frame = dev->frame != NULL ? frame_ref(dev->frame) : NULL;
	fake_unlock();
	if (frame == NULL) {
		return err_set(err, ERR_INVALID_OPERATION, "There is no picture.");
	}
	*out = frame;
	return ERR_OK;
}

/* ---- runs ---- */

const char *run_state_name(enum run_state state)
{
	static const char *const names[] = {"running", "succeeded", "failed", "aborted"};
	return names[state];
}

void run_free(struct run *run)
{
	free(run);
}

struct run *run_copy(const struct run *run)
{
	struct run *copy = malloc(sizeof *copy);
	if (copy != NULL) {
		*copy = *run;
	}
	return copy;
}

void run_json(const struct run *run, struct buf *out)
{
	buf_printf(out, "{\"run\":%d,\"state\":\"%s\"}", (int)run->id, run_state_name(run->state));
}

void autofocus_params_init(struct autofocus_params *params)
{
	*params = (struct autofocus_params){
		.exposure_s = NAN, .step = NAN, .binning = -1, .gain = -1, .camera = -1};
}

enum err_code autofocus_start(struct autofocus *af,
	const struct autofocus_params *params, uint64_t *run, struct err *err)
{
	enum err_code code = ERR_OK;
	fake_lock();
	if (af->run != NULL && af->run->state == RUN_RUNNING) {
		code = err_set(err, ERR_INVALID_OPERATION, "Run 41 is going on.");
	} else {
		run_free(af->run);
		af->run = calloc(1, sizeof *af->run);
		if (af->run == NULL) {
			code = err_set(err, ERR_NOMEM, "out of memory");
		} else {
			af->run_starts++;
			af->run->id = 40 + (uint64_t)af->run_starts;
			af->run_params = *params;
			*run = 41;
		}
	}
	fake_unlock();
	return code;
}

void autofocus_abort(struct autofocus *af)
{
	fake_lock();
	if (af->run != NULL && af->run->state == RUN_RUNNING) {
		af->run->state = RUN_ABORTED;
	}
	fake_unlock();
}

struct run *autofocus_run(struct autofocus *af, uint64_t id)
{
	fake_lock();
	struct run *run =
		af->run != NULL && (id == 0 || id == af->run->id) ? run_copy(af->run) : NULL;
	fake_unlock();
	return run;
}

uint64_t autofocus_ongoing(struct autofocus *af)
{
	return autofocus_running(af);
}

uint64_t autofocus_running(struct autofocus *af)
{
	fake_lock();
	uint64_t id = af->run != NULL && af->run->state == RUN_RUNNING ? af->run->id : 0;
	fake_unlock();
	return id;
}

enum err_code autofocus_measure_start(struct autofocus *af, int camera, double exposure_s,
	int binning, int gain, uint64_t *job, struct err *err)
{
	(void)exposure_s;
	(void)binning;
	(void)gain;
	(void)err;
	fake_lock();
	af->measurements++;
	af->measured_camera = camera;
	fake_unlock();
	*job = 5;
	return ERR_OK;
}

bool autofocus_measure_done(struct autofocus *af, uint64_t job, struct buf *out,
	enum err_code *result, struct err *err)
{
	(void)err;
	fake_lock();
	bool done = af->measured && job == 5;
	*result = af->measure_result;
	fake_unlock();
	if (done) {
		buf_puts(out, "{\"stars\":12}");
	}
	return done;
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

void fake_finish_run(struct fake *fake, enum run_state state, enum err_code code)
{
	fake_lock();
	fake->autofocus.run->state = state;
	fake->autofocus.run->code = code;
	snprintf(fake->autofocus.run->reason, sizeof fake->autofocus.run->reason, "the sky fell down");
	fake_unlock();
	events_publish(fake->events);
}

void fake_finish_measure(struct fake *fake)
{
	fake_lock();
	fake->autofocus.measured = true;
	fake_unlock();
	events_publish(fake->events);
}

void fake_forget_run(struct fake *fake)
{
	fake_lock();
	fake->autofocus.run->id = 99;
	fake_unlock();
}

uint64_t store_ask_run(struct store *store, uint64_t id)
{
	(void)store;
	return id;
}

bool store_take(struct store *store, uint64_t ticket, struct store_answer *out)
{
	if (!store->ready) {
		return false;
	}
	*out = (struct store_answer){.run = NULL};
	if (store->fails != ERR_OK) {
		err_set(&out->err, store->fails, "the disk sleeps");
	} else if (ticket == 5 || ticket == 6 || ticket == 41) {
		out->run = calloc(1, sizeof *out->run);
		out->run->id = ticket;
		out->run->state = ticket == 6 ? RUN_FAILED : RUN_SUCCEEDED;
		out->run->code = ticket == 6 ? ERR_NO_MINIMUM : ERR_OK;
	} else {
		err_set(&out->err, ERR_INVALID_VALUE, "there is no run %d", (int)ticket);
	}
	return true;
}

void store_answer_fini(struct store_answer *answer)
{
	run_free(answer->run);
	buf_fini(&answer->text);
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
