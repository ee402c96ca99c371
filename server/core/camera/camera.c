/* SPDX-License-Identifier: MIT */
/* What clients and runs may ask of a camera: checks, wishes and copies. camera_worker.c makes the exposures. */
#include "camera_private.h"

#include <math.h>

/* The thread that waits for a private exposure looks at its cancel flag at least this often, in case it misses being
 * woken. */
#define RECHECK_MS 200

static enum camera_activity activity_locked(const struct device *dev)
{
	const struct camera_core *c = camera_of(dev);
	if (dev->link != LINK_UP) {
		return CAMERA_IDLE;
	}
	switch (c->phase) {
	case EXPOSE_NONE:
		break;
	case EXPOSE_ACCEPTED:
		return CAMERA_WAITING;
	case EXPOSE_RUNNING:
		return c->reading ? CAMERA_READING : CAMERA_EXPOSING;
	case EXPOSE_READING:
		return CAMERA_DOWNLOAD;
	}
	return c->failed ? CAMERA_ERROR : CAMERA_IDLE;
}

bool camera_busy(struct device *dev, struct err *err)
{
	if (camera_of(dev)->phase != EXPOSE_NONE) {
		err_set(err, ERR_INVALID_OPERATION, "%s is busy with an exposure", dev->info.name);
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
		.caps = c->caps,
		.setup = c->setup,
		.activity = activity_locked(dev),
		.image_ready = c->image_ready,
		.has_last_exposure = c->has_last,
		.last_duration_s = c->last_duration_s,
		.last_start_utc_ms = c->last_start_utc_ms,
		.leased_to_run = dev->lease.run,
		.preview_serial = c->preview_serial,
		.cooler_on = c->cooler_on,
		.set_point_c = c->set_point_c,
		.sensor_c = c->climate.sensor_c,
		.heatsink_c = c->climate.heatsink_c,
		.cooler_power_percent = c->climate.power_percent,
		.guiding = camera_guiding_locked(c),
	};
	if (c->phase == EXPOSE_NONE) {
		out->percent = c->image_ready ? 100 : 0;
	} else {
		out->exposure_duration_s = c->request.duration_s;
		if (c->phase == EXPOSE_READING || c->reading) {
			out->percent = 100;
			out->exposure_elapsed_s = c->request.duration_s;
		} else if (c->phase == EXPOSE_RUNNING) {
			double elapsed = (double)(clock_now_ms(dev->clock) - c->start_ms) / 1000.0;
			double share = c->request.duration_s > 0 ? elapsed / c->request.duration_s : 1.0;
			share = share > 1.0 ? 1.0 : share;
			out->exposure_elapsed_s = share * c->request.duration_s;
			out->percent = (int)(100.0 * share);
		}
	}
	pthread_mutex_unlock(&dev->lock);
}

static enum err_code set_locked(struct device *dev, enum camera_setting what, int32_t value,
	struct err *err)
{
	struct camera_core *c = camera_of(dev);
	const struct camera_caps *caps = &c->caps;
	int modes = 0;
	switch (what) {
	case CAMERA_SET_BIN:
		if (value < 1 || value > caps->max_bin) {
			return err_set(err, ERR_INVALID_VALUE, "binning must be 1 to %d, not %d",
				caps->max_bin, (int)value);
		}
		c->setup.bin = value;
		return ERR_OK;
	case CAMERA_SET_START_X:
		c->setup.start_x = value;
		return ERR_OK;
	case CAMERA_SET_START_Y:
		c->setup.start_y = value;
		return ERR_OK;
	case CAMERA_SET_NUM_X:
		c->setup.num_x = value;
		return ERR_OK;
	case CAMERA_SET_NUM_Y:
		c->setup.num_y = value;
		return ERR_OK;
	case CAMERA_SET_GAIN:
		if (!caps->has_gain) {
			return err_set(err, ERR_NOT_IMPLEMENTED, "%s has no gain setting", dev->info.name);
		}
		if (value < caps->gain_min || value > caps->gain_max) {
			return err_set(err, ERR_INVALID_VALUE, "gain must be %d to %d, not %d",
				caps->gain_min, caps->gain_max, (int)value);
		}
		c->setup.gain = value;
		return ERR_OK;
	case CAMERA_SET_OFFSET:
		if (!caps->has_offset) {
			return err_set(err, ERR_NOT_IMPLEMENTED, "%s has no offset setting",
				dev->info.name);
		}
		if (value < caps->offset_min || value > caps->offset_max) {
			return err_set(err, ERR_INVALID_VALUE, "offset must be %d to %d, not %d",
				(int)caps->offset_min, (int)caps->offset_max, (int)value);
		}
		c->setup.offset = value;
		return ERR_OK;
	case CAMERA_SET_READOUT_MODE:
		while (caps->readout_modes != NULL && caps->readout_modes[modes] != NULL) {
			modes++;
		}
		if (value < 0 || value >= modes) {
			return err_set(err, ERR_INVALID_VALUE, "readout mode must be 0 to %d, not %d",
				modes - 1, (int)value);
		}
		c->setup.readout_mode = value;
		return ERR_OK;
	case CAMERA_SET_FAST_READOUT:
		if (!caps->can_fast_readout) {
			return err_set(err, ERR_NOT_IMPLEMENTED, "%s has no fast readout", dev->info.name);
		}
		c->setup.fast_readout = value != 0;
		return ERR_OK;
	case CAMERA_SET_COOLER:
		if (!caps->has_cooler) {
			return err_set(err, ERR_NOT_IMPLEMENTED, "%s has no cooler", dev->info.name);
		}
		c->cooler_on = value != 0;
		c->cooler_wanted = true;
		device_wake_worker(dev);
		return ERR_OK;
	}
	return err_set(err, ERR_INTERNAL, "no such setting");
}

enum err_code camera_set(struct device *dev, enum camera_setting what, int32_t value,
	struct err *err)
{
	pthread_mutex_lock(&dev->lock);
	enum err_code code = device_need_link(dev, err);
	if (code == ERR_OK) {
		code = set_locked(dev, what, value, err);
	}
	if (code == ERR_OK) {
		device_changed(dev);
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
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
	frame_unref(c->frame);
	c->frame = NULL;
	c->image_ready = false;
	c->has_last = false;
	c->failed = false;
	c->expose_told.until_ms = 0;
	camera_climate_reset(dev);
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

static enum err_code start_locked(struct device *dev, double duration_s, bool light, struct err *err)
{
	struct camera_core *c = camera_of(dev);
	enum err_code code = device_need_link(dev, err);
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
	if (code != ERR_OK) {
		return code;
	}
	c->request = (struct exposure_request){
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
	c->op++;
	c->started_version = dev->version;
	c->private = false;
	c->retried = false;
	c->phase = EXPOSE_ACCEPTED;
	c->failed = false;
	c->abort_wanted = false;
	c->stop_wanted = false;
	c->expose_told.until_ms = 0;
	/* A client that asks from this moment on must not get the old picture. */
	c->image_ready = false;
	frame_unref(c->frame);
	c->frame = NULL;
	device_wake_worker(dev);
	device_changed(dev);
	return ERR_OK;
}

enum err_code camera_start_exposure(struct device *dev, double duration_s, bool light,
	struct err *err)
{
	pthread_mutex_lock(&dev->lock);
	enum err_code code = start_locked(dev, duration_s, light, err);
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
		if (c->phase != EXPOSE_NONE) {
			c->abort_wanted = true;
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
	if (code == ERR_OK && c->phase != EXPOSE_NONE) {
		code = device_need_free(dev, err);
	}
	if (code == ERR_OK && c->phase != EXPOSE_NONE) {
		c->stop_wanted = true;
		device_wake_worker(dev);
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}

bool camera_is_new_to(struct device *dev, const struct client *client)
{
	pthread_mutex_lock(&dev->lock);
	bool is_new = camera_of(dev)->started_version < device_back_since(dev, client);
	pthread_mutex_unlock(&dev->lock);
	return is_new;
}

enum err_code camera_image_ready(struct device *dev, bool *out, struct err *err)
{
	pthread_mutex_lock(&dev->lock);
	enum err_code code = told_failure_get(&camera_of(dev)->expose_told, err);
	if (code == ERR_OK) {
		*out = camera_of(dev)->image_ready;
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}

enum err_code camera_frame(struct device *dev, struct frame **out, struct err *err)
{
	struct camera_core *c = camera_of(dev);
	pthread_mutex_lock(&dev->lock);
	enum err_code code = told_failure_get(&c->expose_told, err);
	if (code == ERR_OK && !c->image_ready) {
		code = err_set(err, ERR_INVALID_OPERATION, "%s has no image: start an exposure and wait for ImageReady",
			dev->info.name);
	}
	if (code == ERR_OK) {
		*out = frame_ref(c->frame);
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}

struct frame *camera_preview_frame(struct device *dev, uint64_t *serial)
{
	struct camera_core *c = camera_of(dev);
	pthread_mutex_lock(&dev->lock);
	struct frame *frame = c->preview != NULL ? frame_ref(c->preview) : NULL;
	*serial = c->preview_serial;
	pthread_mutex_unlock(&dev->lock);
	return frame;
}

enum err_code camera_run_expose(struct device *dev, uint64_t run, double duration_s, int bin, int gain,
	double focuser_position, const _Atomic bool *cancel, struct frame **out, struct err *err)
{
	struct camera_core *c = camera_of(dev);
	pthread_mutex_lock(&dev->lock);
	enum err_code code = device_need_link(dev, err);
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
	c->request = (struct exposure_request){
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
	uint64_t op = ++c->op;
	c->private = true;
	c->retried = true; /* a run exposes again by itself */
	c->phase = EXPOSE_ACCEPTED;
	c->failed = false;
	c->abort_wanted = false;
	c->stop_wanted = false;
	device_wake_worker(dev);
	device_changed(dev);
	while (c->done_op != op && c->op == op) {
		if (cancel != NULL && atomic_load(cancel) && c->phase != EXPOSE_NONE && !c->abort_wanted) {
			c->abort_wanted = true;
			device_wake_urgent(dev);
		}
		clock_wait(clock_real(), &dev->changed, &dev->lock, clock_now_ms(clock_real()) + RECHECK_MS);
	}
	if (c->done_op == op && c->done.code == ERR_OK && c->run_frame != NULL) {
		*out = c->run_frame;
		c->run_frame = NULL;
	} else if (c->done_op == op && c->done.code != ERR_OK) {
		code = err_copy(err, &c->done);
	} else {
		code = err_set(err, ERR_CANCELLED, "the exposure of %s was replaced", dev->info.name);
	}
	pthread_mutex_unlock(&dev->lock);
	return code;
}
