/* SPDX-License-Identifier: MIT */
/* What clients and runs may ask of a camera: checks, wishes and copies. camera_worker.c makes the exposures. */
#include "camera_private.h"

#include <math.h>
#include <string.h>

/* The thread that waits for a private exposure looks at its cancel flag at least this often, in case it misses being
 * woken. */
#define RECHECK_MS 200

static enum camera_activity activity_locked(const struct device *dev)
{
	const struct camera_core *c = camera_of(dev);
	if (dev->link != LINK_UP) {
		return CAMERA_IDLE;
	}
	switch (c->exposure.phase) {
	case EXPOSE_NONE:
		break;
	case EXPOSE_ACCEPTED:
		return CAMERA_WAITING;
	case EXPOSE_RUNNING:
		return c->exposure.reading ? CAMERA_READING : CAMERA_EXPOSING;
	case EXPOSE_READING:
		return CAMERA_DOWNLOAD;
	}
	return c->exposure.failed ? CAMERA_ERROR : CAMERA_IDLE;
}

bool camera_busy(struct device *dev, struct err *err)
{
	if (camera_of(dev)->exposure.phase != EXPOSE_NONE) {
		err_set(err, ERR_INVALID_OPERATION,
			"%s is busy with an exposure: wait for its end, or abort it", dev->info.name);
		return true;
	}
	return false;
}

void camera_state(struct device *dev, struct camera_state *out)
{
	const struct camera_core *c = camera_of(dev);
	pthread_mutex_lock(&dev->lock);
	*out = (struct camera_state){
		.link = dev->link,
		.mode = c->driver->mode,
		.caps = c->caps,
		.setup = c->setup,
		.activity = activity_locked(dev),
		.image_ready = c->picture.ready,
		.has_last_exposure = c->picture.has_last,
		.last_duration_s = c->picture.last_duration_s,
		.last_start_utc_ms = c->picture.last_start_utc_ms,
		.leased_to_run = dev->lease.run,
		.preview_serial = c->picture.preview_serial,
		.cooler_on = c->cooler.on,
		.set_point_c = c->cooler.set_point_c,
		.sensor_c = c->climate.read.sensor_c,
		.heatsink_c = c->climate.read.heatsink_c,
		.cooler_power_percent = c->climate.read.power_percent,
		.guiding = camera_guiding_locked(c),
	};
	if (c->exposure.phase != EXPOSE_NONE && !c->exposure.private && !c->exposure.abort_wanted &&
		!c->exposure.stop_wanted) {
		out->ongoing_exposure = c->exposure.op;
	}
	if (c->exposure.phase == EXPOSE_NONE) {
		out->percent = c->picture.ready ? 100 : 0;
	} else {
		out->exposure_duration_s = c->exposure.request.duration_s;
		double share = exposure_share(&c->exposure, clock_now_ms(dev->clock));
		out->exposure_elapsed_s = share * c->exposure.request.duration_s;
		out->percent = (int)(100.0 * share);
	}
	pthread_mutex_unlock(&dev->lock);
}

void camera_reset(struct device *dev)
{
	struct camera_core *c = camera_of(dev);
	c->setup = (struct camera_setup){
		.bin = 1,
		.num_x = c->caps.width,
		.num_y = c->caps.height,
		.gain = c->caps.gain_default,
		.offset = c->caps.offset_default,
	};
	picture_reset(&c->picture);
	c->exposure.failed = false;
	c->exposure.told.until_ms = 0;
	camera_climate_reset(dev);
}

/* ERR_INVALID_OPERATION, with the reason, of a camera that makes no exposure at all. The caller holds the lock. */
static enum err_code can_expose(const struct device *dev, struct err *err)
{
	const char *refusal = camera_of(dev)->caps.expose_refusal;
	return refusal[0] == '\0' ? ERR_OK : err_set(err, ERR_INVALID_OPERATION, "%s %s", dev->info.name, refusal);
}

static enum err_code check_axis(const char *axis, int32_t start, int32_t num, int32_t sensor, int bin,
	struct err *err)
{
	int32_t limit = sensor / bin;
	if (num < 1 || start < 0 || num > limit || start > limit - num) {
		return err_set(err, ERR_INVALID_VALUE,
			"the frame leaves the sensor: Start%s %d + Num%s %d must lie within 0 to %d at binning %d",
			axis, (int)start, axis, (int)num, (int)limit, bin);
	}
	return ERR_OK;
}

/* The focuser with this number; NULL when there is none. */
static struct device *find_focuser(const struct device *dev, int number)
{
	const struct devices *all = dev->needs.siblings;
	for (int i = 0; i < all->count; i++) {
		const struct device_info *info = device_info(all->device[i]);
		if (info->number == number && strcmp(info->kind->name, "focuser") == 0) {
			return all->device[i];
		}
	}
	return NULL;
}

/* ERR_INVALID_OPERATION, with a sentence that says what is missing, when an exposure needs something beside the camera
 * that is not there. Called without the lock, because it looks at another device. */
static enum err_code need_others(struct device *dev, struct err *err)
{
	double steps;
	if (!camera_of(dev)->driver->needs_focuser) {
		return ERR_OK;
	}
	int number = dev->host.partner;
	struct device *focuser = number >= 0 ? find_focuser(dev, number) : NULL;
	if (focuser == NULL) {
		return err_set(err, ERR_INVALID_OPERATION, "%s chooses its frames by where a focuser stands, and no "
			"focuser has this camera: write camera = %d under a [focuser.N]", dev->info.name,
			dev->info.number);
	}
	if (dev->needs.focuser_position(dev->needs.ctx, number, &steps)) {
		return ERR_OK;
	}
	return err_set(err, ERR_INVALID_OPERATION, "%s chooses its frames by where %s stands, and that is not known: "
		"%s", dev->info.name, device_info(focuser)->name, device_link(focuser) == LINK_UP
		? "the focuser has not said it" : "connect the focuser first");
}

static enum err_code start_locked(struct device *dev, double duration_s, bool light, const struct err *lacks,
	struct err *err)
{
	struct camera_core *c = camera_of(dev);
	enum err_code code = device_need_link(dev, err);
	if (code != ERR_OK) {
		return code;
	}
	code = can_expose(dev, err);
	if (code != ERR_OK) {
		return code;
	}
	/* A bias or dark may be requested shorter than the sensor can do; the driver then takes its shortest. */
	double shortest = light ? c->caps.exposure_min_s : 0.0;
	if (!(duration_s >= shortest) || duration_s > c->caps.exposure_max_s) {
		return err_set(err, ERR_INVALID_VALUE, "the exposure must be %g to %g s, not %g", shortest,
			c->caps.exposure_max_s, duration_s);
	}
	const struct camera_setup *s = &c->setup;
	code = check_axis("X", s->start_x, s->num_x, c->caps.width, s->bin, err);
	if (code == ERR_OK) {
		code = check_axis("Y", s->start_y, s->num_y, c->caps.height, s->bin, err);
	}
	if (code == ERR_OK) {
		code = device_need_free(dev, err);
	}
	if (code == ERR_OK && camera_busy(dev, err)) {
		code = ERR_INVALID_OPERATION;
	}
	if (code == ERR_OK && lacks->code != ERR_OK) {
		code = err_copy(err, lacks);
	}
	if (code != ERR_OK) {
		return code;
	}
	struct exposure_request request = {
		.duration_s = duration_s,
		.light = light,
		.bin = s->bin,
		.start_x = s->start_x,
		.start_y = s->start_y,
		.num_x = s->num_x,
		.num_y = s->num_y,
		.gain = s->gain,
		.offset = s->offset,
		.readout_mode = s->readout_mode,
		.fast_readout = s->fast_readout,
	};
	exposure_accept(&c->exposure, &request, false);
	picture_begin(&c->picture, dev->version);
	device_wake_worker(dev);
	device_changed(dev);
	return ERR_OK;
}

enum err_code camera_start_exposure(struct device *dev, double duration_s, bool light,
	struct err *err)
{
	struct err lacks = {.code = ERR_OK};
	(void)need_others(dev, &lacks);
	pthread_mutex_lock(&dev->lock);
	enum err_code code = start_locked(dev, duration_s, light, &lacks, err);
	pthread_mutex_unlock(&dev->lock);
	return code;
}

enum err_code camera_abort(struct device *dev, struct err *err)
{
	struct camera_core *c = camera_of(dev);
	struct lease lease = {0};
	pthread_mutex_lock(&dev->lock);
	enum err_code code = device_need_link(dev, err);
	if (code == ERR_OK && !c->caps.can_abort) {
		code = err_set(err, ERR_NOT_IMPLEMENTED, "%s cannot abort an exposure", dev->info.name);
	}
	if (code == ERR_OK) {
		lease = dev->lease;
		if (lease.run != 0) {
			lease.interrupt(lease.arg, LEASE_ABORT);
		}
		/* After an abort the camera is idle, whatever the last exposure came to. */
		c->exposure.failed = false;
		if (c->exposure.phase != EXPOSE_NONE) {
			c->exposure.abort_wanted = true;
			device_wake_urgent(dev);
		}
		device_changed(dev);
	}
	pthread_mutex_unlock(&dev->lock);
	if (lease.run != 0) {
		lease.poke(lease.arg);
	}
	return code;
}

enum err_code camera_stop(struct device *dev, struct err *err)
{
	struct camera_core *c = camera_of(dev);
	pthread_mutex_lock(&dev->lock);
	enum err_code code = device_need_link(dev, err);
	if (code == ERR_OK && (!c->caps.can_stop || c->driver->stop == NULL)) {
		code = err_set(err, ERR_NOT_IMPLEMENTED, "%s cannot stop an exposure early", dev->info.name);
	}
	if (code == ERR_OK && c->exposure.phase != EXPOSE_NONE) {
		code = device_need_free(dev, err);
	}
	if (code == ERR_OK && c->exposure.phase != EXPOSE_NONE) {
		c->exposure.stop_wanted = true;
		device_wake_worker(dev);
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}

bool camera_is_new_to(struct device *dev, const struct client *client)
{
	pthread_mutex_lock(&dev->lock);
	bool is_new = camera_of(dev)->picture.started_version < device_back_since(dev, client);
	pthread_mutex_unlock(&dev->lock);
	return is_new;
}

enum err_code camera_image_ready(struct device *dev, bool *out, struct err *err)
{
	pthread_mutex_lock(&dev->lock);
	enum err_code code = told_failure_get(&camera_of(dev)->exposure.told, err);
	if (code == ERR_OK) {
		*out = camera_of(dev)->picture.ready;
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}

enum err_code camera_frame(struct device *dev, struct frame **out, struct err *err)
{
	struct camera_core *c = camera_of(dev);
	pthread_mutex_lock(&dev->lock);
	enum err_code code = told_failure_get(&c->exposure.told, err);
	if (code == ERR_OK && !c->picture.ready) {
		code = err_set(err, ERR_INVALID_OPERATION, "%s has no image: start an exposure and wait for ImageReady",
			dev->info.name);
	}
	if (code == ERR_OK) {
		*out = frame_ref(c->picture.frame);
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}

struct frame *camera_preview_frame(struct device *dev, uint64_t *serial)
{
	struct camera_core *c = camera_of(dev);
	pthread_mutex_lock(&dev->lock);
	struct frame *frame = c->picture.preview != NULL ? frame_ref(c->picture.preview) : NULL;
	*serial = c->picture.preview_serial;
	pthread_mutex_unlock(&dev->lock);
	return frame;
}

enum err_code camera_run_expose(struct device *dev, uint64_t run, double duration_s, int bin, int gain,
	double focuser_position, const _Atomic bool *cancel, struct frame **out, struct err *err)
{
	struct camera_core *c = camera_of(dev);
	pthread_mutex_lock(&dev->lock);
	enum err_code code = device_need_link(dev, err);
	if (code == ERR_OK) {
		code = can_expose(dev, err);
	}
	if (code == ERR_OK && dev->lease.run != run) {
		code = err_set(err, ERR_CANCELLED, "%s is not held by run %llu any more", dev->info.name,
			(unsigned long long)run);
	}
	if (code == ERR_OK && camera_busy(dev, err)) {
		code = ERR_INVALID_OPERATION;
	}
	if (code != ERR_OK) {
		pthread_mutex_unlock(&dev->lock);
		return code;
	}
	double longest = c->caps.exposure_max_s;
	double shortest = c->caps.exposure_min_s;
	struct exposure_request request = {
		.duration_s = duration_s > longest ? longest : duration_s < shortest ? shortest : duration_s,
		.light = true,
		.bin = bin,
		.num_x = c->caps.width / bin,
		.num_y = c->caps.height / bin,
		.gain = gain >= 0 ? gain : c->setup.gain,
		.offset = c->setup.offset,
		.readout_mode = c->setup.readout_mode,
		.fast_readout = c->setup.fast_readout,
		.focuser_known = isfinite(focuser_position),
		.focuser_position = focuser_position,
	};
	exposure_accept(&c->exposure, &request, true);
	uint64_t op = c->exposure.op;
	device_wake_worker(dev);
	device_changed(dev);
	while (c->exposure.done_op != op && c->exposure.op == op) {
		if (cancel != NULL && atomic_load(cancel) && c->exposure.phase != EXPOSE_NONE
			&& !c->exposure.abort_wanted) {
			c->exposure.abort_wanted = true;
			device_wake_urgent(dev);
		}
		clock_wait(clock_real(), &dev->changed, &dev->lock, clock_now_ms(clock_real()) + RECHECK_MS);
	}
	if (c->exposure.done_op == op && c->exposure.done.code == ERR_OK && c->picture.run_frame != NULL) {
		*out = c->picture.run_frame;
		c->picture.run_frame = NULL;
	} else if (c->exposure.done_op == op && c->exposure.done.code != ERR_OK) {
		code = err_copy(err, &c->exposure.done);
	} else {
		code = err_set(err, ERR_CANCELLED, "the exposure of %s was replaced", dev->info.name);
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}
