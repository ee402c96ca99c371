/* SPDX-License-Identifier: MIT */
#include "drive.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "camera_private.h"

/* Back on our side of a driver call. */
static enum err_code back(struct device *dev, enum err_code code)
{
	pthread_mutex_lock(&dev->lock);
	device_count_error(dev, code);
	return code;
}

/* Asks where the focuser of this camera stands, without the lock, because the focuser is another device. */
static void ask_focuser(struct device *dev, struct exposure_request *request)
{
	double steps;
	if (!request->focuser_known && dev->host.partner >= 0
		&& dev->needs.focuser_position(dev->needs.ctx, dev->host.partner, &steps)) {
		request->focuser_known = true;
		request->focuser_position = steps;
	}
}

static enum err_code new_frame(struct camera_core *c, const struct frame_info *info, struct frame **out,
	struct err *err)
{
	*out = frame_pool_take(c->pool, info);
	return *out != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "no memory for the frame");
}

/* Takes the frame that is going to be published and gives the driver its pixels to fill. */
static enum err_code lend_frame(struct camera_core *c, const struct exposure_request *request,
	struct err *err)
{
	struct frame_info info = {
		.width = request->num_x,
		.height = request->num_y,
		.planes = camera_planes(&c->caps),
		.bin = request->bin,
		.type = c->caps.frame_type,
	};
	enum err_code code = new_frame(c, &info, &c->lent, err);
	if (code == ERR_OK) {
		c->driver->lend_frame(c->ctx, c->lent);
	}
	return code;
}

/* Takes the frame back, once the driver has done with it. */
static void take_back(struct camera_core *c)
{
	frame_unref(c->lent);
	c->lent = NULL;
}

bool camera_drive_lends(struct device *dev)
{
	return camera_of(dev)->driver->lend_frame != NULL;
}

enum err_code camera_drive_start(struct device *dev, struct exposure_request *request, struct err *err)
{
	struct camera_core *c = camera_of(dev);
	pthread_mutex_unlock(&dev->lock);
	ask_focuser(dev, request);
	enum err_code code = c->driver->start_exposure(c->ctx, request, err);
	if (code == ERR_OK && c->driver->lend_frame != NULL) {
		code = lend_frame(c, request, err);
	}
	if (code != ERR_OK && code != ERR_IO && c->driver->lend_frame != NULL) {
		struct err ignored;
		c->driver->abort(c->ctx, &ignored);
	}
	return back(dev, code);
}

enum err_code camera_drive_poll(struct device *dev, struct camera_reading *out, struct err *err)
{
	const struct camera_core *c = camera_of(dev);
	*out = (struct camera_reading){0};
	pthread_mutex_unlock(&dev->lock);
	return back(dev, c->driver->poll(c->ctx, out, err));
}

enum err_code camera_drive_stop(struct device *dev, struct err *err)
{
	const struct camera_core *c = camera_of(dev);
	pthread_mutex_unlock(&dev->lock);
	return back(dev, c->driver->stop(c->ctx, err));
}

enum err_code camera_drive_abort(struct device *dev, struct err *err)
{
	struct camera_core *c = camera_of(dev);
	pthread_mutex_unlock(&dev->lock);
	enum err_code code = c->driver->abort(c->ctx, err);
	take_back(c);
	pthread_mutex_lock(&dev->lock);
	return code;
}

enum err_code camera_drive_halt(struct device *dev, struct err *err)
{
	const struct camera_core *c = camera_of(dev);
	pthread_mutex_unlock(&dev->lock);
	return back(dev, c->driver->abort(c->ctx, err));
}

static enum err_code need_rows(struct camera_core *c, size_t count, struct err *err)
{
	size_t bytes = count * image_type_size(c->caps.frame_type);
	if (bytes > c->rows_cap) {
		free(c->rows);
		c->rows = malloc(bytes);
		c->rows_cap = c->rows != NULL ? bytes : 0;
	}
	return c->rows != NULL ? ERR_OK
			       : err_set(err, ERR_NOMEM, "no memory for a frame of %zu pixels", count);
}

/* Checks that what the driver says of its frame fits the request. */
static enum err_code check_info(const struct camera_core *c, const struct exposure_request *request,
	const struct frame_info *info, struct err *err)
{
	if (info->width != request->num_x || info->height != request->num_y
		|| info->planes != camera_planes(&c->caps)) {
		return err_set(err, ERR_PROTOCOL, "the frame has %dx%dx%d elements, not %dx%dx%d",
			(int)info->width, (int)info->height, (int)info->planes, (int)request->num_x,
			(int)request->num_y, (int)camera_planes(&c->caps));
	}
	return ERR_OK;
}

static enum err_code read_lent(struct camera_core *c, const struct exposure_request *request,
	struct frame **out, struct err *err)
{
	struct frame_info info = {.exposure_s = request->duration_s};
	enum err_code code = c->driver->read_lent(c->ctx, &info, err);
	if (code == ERR_OK) {
		code = check_info(c, request, &info, err);
	}
	if (code == ERR_OK) {
		info.start_utc_ms = c->exposure.start_utc_ms;
		info.type = c->caps.frame_type;
		c->lent->info = info;
		*out = c->lent;
		c->lent = NULL;
	}
	return code;
}

static enum err_code read_whole(struct camera_core *c, const struct exposure_request *request,
	struct frame **out, struct err *err)
{
	size_t count = (size_t)request->num_x * (size_t)request->num_y
		* (size_t)camera_planes(&c->caps);
	enum err_code code = need_rows(c, count, err);
	struct frame_info info = {.exposure_s = request->duration_s};
	if (code == ERR_OK) {
		code = c->driver->read_frame(c->ctx, c->rows, count, &info, err);
	}
	if (code == ERR_OK) {
		code = check_info(c, request, &info, err);
	}
	if (code == ERR_OK) {
		info.start_utc_ms = c->exposure.start_utc_ms;
		info.type = c->caps.frame_type;
		code = new_frame(c, &info, out, err);
	}
	if (code == ERR_OK) {
		frame_fill(*out, 0, request->num_y, c->rows);
	}
	return code;
}

enum err_code camera_drive_read(struct device *dev, const struct exposure_request *request, struct frame **out,
	struct err *err)
{
	struct camera_core *c = camera_of(dev);
	*out = NULL;
	pthread_mutex_unlock(&dev->lock);
	enum err_code code = c->driver->lend_frame != NULL ? read_lent(c, request, out, err)
							   : read_whole(c, request, out, err);
	if (code != ERR_OK && code != ERR_IO) {
		struct err ignored;
		c->driver->abort(c->ctx, &ignored); /* wherever the driver got stuck, it is idle afterwards */
		take_back(c);
	}
	pthread_mutex_lock(&dev->lock);
	return code;
}

enum err_code camera_drive_climate(struct device *dev, struct camera_climate *out, struct err *err)
{
	const struct camera_core *c = camera_of(dev);
	pthread_mutex_unlock(&dev->lock);
	return back(dev, c->driver->poll_climate(c->ctx, out, err));
}

enum err_code camera_drive_cooler(struct device *dev, bool on, double set_point_c, struct err *err)
{
	const struct camera_core *c = camera_of(dev);
	pthread_mutex_unlock(&dev->lock);
	return back(dev, c->driver->set_cooler(c->ctx, on, set_point_c, err));
}

enum err_code camera_drive_pulse(struct device *dev, const struct guide_wish *pulse, struct err *err)
{
	const struct camera_core *c = camera_of(dev);
	pthread_mutex_unlock(&dev->lock);
	return back(dev, c->driver->pulse_guide(c->ctx, pulse->direction, pulse->duration_ms, err));
}

enum err_code camera_drive_posted(struct device *dev, const void *data, size_t size, struct err *err)
{
	const struct camera_core *c = camera_of(dev);
	pthread_mutex_unlock(&dev->lock);
	return back(dev, c->driver->posted(c->ctx, data, size, err));
}

bool camera_drive_take(struct device *dev, struct camera_arrival *out)
{
	const struct camera_core *c = camera_of(dev);
	pthread_mutex_unlock(&dev->lock);
	bool came = c->driver->take_arrived(c->ctx, out);
	pthread_mutex_lock(&dev->lock);
	return came;
}

enum err_code camera_drive_open(struct device *dev, struct err *err)
{
	struct camera_core *c = camera_of(dev);
	memset(c->ctx, 0, c->driver->ctx_size);
	c->fresh_caps = (struct camera_caps){.electrons_per_adu = NAN, .full_well_e = NAN};
	enum err_code code = c->driver->open(c->ctx, &c->cfg->port, &dev->host, &c->fresh_caps, err);
	if (code != ERR_OK) {
		c->driver->close(c->ctx);
	}
	return code;
}

enum err_code camera_drive_identify(struct device *dev, struct err *err)
{
	struct camera_core *c = camera_of(dev);
	return c->driver->identify != NULL ? c->driver->identify(c->ctx, &c->fresh_caps, err) : ERR_OK;
}

enum err_code camera_drive_first_climate(struct device *dev, struct camera_climate *out, struct err *err)
{
	const struct camera_core *c = camera_of(dev);
	return c->driver->poll_climate(c->ctx, out, err);
}

void camera_drive_close(struct device *dev)
{
	struct camera_core *c = camera_of(dev);
	c->driver->close(c->ctx);
	take_back(c);
	frame_pool_trim(c->pool);
}
