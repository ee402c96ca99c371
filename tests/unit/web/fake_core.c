/* SPDX-License-Identifier: MIT */
#include "fake_core.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

struct fake fake;

void fake_setup(void)
{
	fake = (struct fake){.news = 1, .run_version = 1, .runs_text = "[]"};
	struct config *c = &fake.config;
	snprintf(c->server.name, sizeof c->server.name, "Pier");
	c->server.port = 11111;
	c->server.discovery_port = 32227;
	c->focuser[0] = (struct config_focuser){.present = true, .camera = 0, .step_size_um = NAN};
	c->camera[0] = (struct config_camera){.present = true, .pixel_size_um = NAN};
	c->telescope[0] = (struct optics_config){2032, 203.2, 68, 0.55};
	fake.focuser = (struct device){.version = 1, .info = {&focuser_kind, 0, "focuser.0",
		"C8 <motor>", "8a6e0804-2bd0-4672-b79d-d97027f9071a", "moonlite", "Moonlite compatible",
		"/dev/serial/by-id/x"}};
	fake.focuser.focuser = (struct focuser_state){.link = LINK_DOWN, .max_step = 0,
		.step_size_um = NAN, .temperature_c = NAN, .approach = MOVES_APPROACH_OUT};
	fake.camera = (struct device){.version = 1, .info = {&camera_kind, 0, "camera.0", "Camera",
		"f81d4fae-7dec-41d0-a765-00a0c91e6bf6", "simulator", "Simulated camera", ""}};
	fake.devices = (struct devices){.device = {&fake.focuser, &fake.camera}, .count = 2};
	fake.served = (struct served){.settings = (struct settings *)&fake, .devices = &fake.devices,
		.autofocus = {&fake.autofocus}};
}

void fake_teardown(void)
{
	run_free(fake.run);
	frame_unref(fake.camera.frame);
	fake.run = NULL;
	fake.camera.frame = NULL;
}

struct run *fake_run(uint64_t id)
{
	struct run *run = calloc(1, sizeof *run);
	run->id = id;
	run->state = RUN_SUCCEEDED;
	run->hfr_final_px = 2.5;
	run->duration_s = 61;
	return run;
}

const struct device_kind focuser_kind = {.name = "focuser", .alpaca_type = "Focuser"};
const struct device_kind camera_kind = {.name = "camera", .alpaca_type = "Camera"};

uint64_t events_now(struct events *events)
{
	(void)events;
	return fake.news;
}

const struct device_info *device_info(const struct device *dev)
{
	return &dev->info;
}

uint64_t device_version(struct device *dev)
{
	return dev->version;
}

enum device_link device_link(struct device *dev)
{
	return dev == &fake.focuser ? dev->focuser.link : dev->camera.link;
}

const char *device_link_name(enum device_link link)
{
	static const char *const names[] = {"down", "opening", "up", "lost", "closing"};
	return names[link];
}

void device_last_failure(struct device *dev, char *out, int cap)
{
	snprintf(out, (size_t)cap, "%s", dev->failure);
}

void device_error_counts(struct device *dev, uint64_t by_code[ERR_CODE_COUNT])
{
	memcpy(by_code, dev->errors, sizeof dev->errors);
}

const char *focuser_trust_name(enum focuser_trust trust)
{
	static const char *const names[] = {"unknown", "known", "shifted"};
	return names[trust];
}

void focuser_state(struct device *dev, struct focuser_state *out)
{
	*out = dev->focuser;
}

void focuser_calibration(struct device *dev, struct focuser_calibration *out)
{
	*out = dev->calibration;
}

const char *focuser_calibration_name(enum focuser_calibration_state state)
{
	return state == CALIBRATION_RUNNING ? "running" : "other";
}

void focuser_calibration_json(const struct focuser_calibration *c, struct json_writer *w)
{
	json_object(w);
	json_key_int(w, "step", c->step);
	json_end_object(w);
}

void camera_state(struct device *dev, struct camera_state *out)
{
	*out = dev->camera;
}

/* None of the cameras here watches. */
bool arrivals_measured_state(struct arrivals_measured *arrivals, const struct device *dev, struct arrivals_state *out)
{
	(void)arrivals;
	(void)dev;
	(void)out;
	return false;
}

struct frame *camera_preview_frame(struct device *dev, uint64_t *serial)
{
	if (dev->frame == NULL) {
		return NULL;
	}
	*serial = dev->camera.preview_serial;
	return frame_ref(dev->frame);
}

uint64_t autofocus_running(struct autofocus *af)
{
	(void)af;
	return fake.running;
}

uint64_t autofocus_version(struct autofocus *af)
{
	(void)af;
	return fake.run_version;
}

void autofocus_counts(struct autofocus *af, uint64_t by_state[4])
{
	(void)af;
	memcpy(by_state, fake.run_counts, sizeof fake.run_counts);
}

struct run *autofocus_run(struct autofocus *af, uint64_t id)
{
	(void)af;
	return fake.run != NULL && (id == 0 || id == fake.run->id) ? run_copy(fake.run) : NULL;
}

const char *run_state_name(enum run_state state)
{
	static const char *const names[] = {"running", "succeeded", "failed", "aborted"};
	return names[state];
}

struct run *run_copy(const struct run *run)
{
	struct run *copy = malloc(sizeof *copy);
	*copy = *run;
	return copy;
}

void run_free(struct run *run)
{
	free(run);
}

void run_json(const struct run *run, struct buf *out)
{
	buf_printf(out, "{\"run\":%d}", (int)run->id);
}

void run_csv(const struct run *run, struct buf *out)
{
	buf_printf(out, "csv of %d\n", (int)run->id);
}

void run_text(const struct run *run, struct buf *out)
{
	buf_printf(out, "text of %d\n", (int)run->id);
}

void run_nina(const struct run *run, struct buf *out)
{
	buf_printf(out, "{\"nina\":%d}", (int)run->id);
}

/* The ticket of a list is its limit and of a run its id plus a thousand; the first look comes too early. */
uint64_t store_ask_list(struct store *store, int limit, const struct numbering *today, int count)
{
	(void)today;
	(void)count;
	(void)store;
	fake.runs_limit = limit;
	fake.store_looks = 0;
	http_server_wake(fake_server());
	return (uint64_t)limit;
}

uint64_t store_ask_run(struct store *store, uint64_t id)
{
	(void)store;
	fake.store_looks = 0;
	http_server_wake(fake_server());
	return STORE_LIST_MAX + id;
}

bool store_take(struct store *store, uint64_t ticket, struct store_answer *out)
{
	(void)store;
	if (fake.store_looks++ == 0) {
		http_server_wake(fake_server());
		return false;
	}
	*out = (struct store_answer){.run = NULL};
	if (fake.store_broken) {
		err_set(&out->err, ERR_IO, "the disk is full");
	} else if (ticket <= STORE_LIST_MAX) {
		buf_init(&out->text, 4096);
		buf_puts(&out->text, fake.runs_text);
	} else if (ticket == STORE_LIST_MAX + 7) {
		out->run = fake_run(7);
	} else {
		err_set(&out->err, ERR_INVALID_VALUE, "there is no such run");
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
	(void)settings;
	return &fake.config;
}

void settings_release(struct settings *settings, const struct config *config)
{
	(void)settings;
	(void)config;
}
