/* SPDX-License-Identifier: MIT */
/*
 * The worker's part of a camera: start, watch, read out, publish.  Every function here runs on the device's worker
 * with its lock held, which drive.c gives back around a driver call.
 */
#include "camera_private.h"

#include <math.h>

/* An exposure is looked at this often when the driver gives no hint. */
#define POLL_MS 100
#define POLL_FAILURES 3

/* Ends the exposure without a picture; the next step takes back a frame that is still lent. */
static void end_without_frame(struct device *dev, const struct err *why)
{
	struct camera_core *c = camera_of(dev);
	exposure_over(&c->exposure, why);
	if (why->code != ERR_CANCELLED) {
		if (log_lasting_news(&c->exposure.failures, why->text)) {
			log_error(dev->info.source, "exposure failed: %s", why->text);
		}
		c->exposure.failed = !c->exposure.private;
		device_failed(dev, c->exposure.private ? NULL : &c->exposure.told, why);
	}
	device_changed(dev);
}

static struct step begin_exposure(struct device *dev)
{
	struct camera_core *c = camera_of(dev);
	struct err err = {0};
	struct exposure_request request = c->exposure.request;
	enum err_code code = camera_drive_start(dev, &request, &err);
	if (code == ERR_IO) {
		return step_lost(&err);
	}
	if (code != ERR_OK) {
		end_without_frame(dev, &err);
		return step_again();
	}
	exposure_begun(&c->exposure, clock_now_ms(dev->clock));
	device_changed(dev);
	return step_again();
}

static struct step abort_exposure(struct device *dev)
{
	struct camera_core *c = camera_of(dev);
	struct err err = {0};
	enum err_code code = ERR_OK;
	if (c->exposure.phase == EXPOSE_RUNNING) {
		code = camera_drive_abort(dev, &err);
	}
	if (code == ERR_IO) {
		return step_lost(&err);
	}
	struct err why;
	err_set(&why, ERR_CANCELLED, "the exposure of %s was aborted", dev->info.name);
	end_without_frame(dev, code == ERR_OK ? &why : &err);
	return step_again();
}

static struct step stop_exposure(struct device *dev)
{
	struct camera_core *c = camera_of(dev);
	struct err err = {0};
	c->exposure.stop_wanted = false;
	enum err_code code = camera_drive_stop(dev, &err);
	if (code == ERR_IO) {
		return step_lost(&err);
	}
	if (code != ERR_OK) {
		log_warn(dev->info.source, "stop: %s", err.text);
	}
	c->exposure.next_poll_ms = 0;
	return step_again();
}

static void publish_frame(struct device *dev, struct frame *frame)
{
	struct camera_core *c = camera_of(dev);
	bool retried = c->exposure.retried && !c->exposure.private;
	exposure_over(&c->exposure, NULL);
	unsigned failures = log_lasting_over(&c->exposure.failures);
	if (failures > 0) {
		log_info(dev->info.source, "an exposure succeeded after %u that failed", failures);
	}
	if (!retried) {
		(void)log_lasting_over(&c->exposure.torn);
	}
	dev->last_failure[0] = '\0';
	if (c->exposure.private) {
		picture_keep_for_run(&c->picture, frame);
	} else {
		/* A recording tells its own, older exposure time, but the client asked and waited for this one. */
		bool recorded = frame->info.recording_id != 0;
		double duration_s = recorded ? c->exposure.request.duration_s : frame->info.exposure_s;
		picture_publish(&c->picture, frame, duration_s, c->exposure.start_utc_ms);
	}
	device_changed(dev);
}

/* A second try must not cost the client's patience: N.I.N.A. waits a minute beyond the exposure, so longer exposures
 * than this are not repeated. */
#define RETRY_LONGEST_S 30.0

static struct step read_out(struct device *dev)
{
	struct camera_core *c = camera_of(dev);
	struct err err = {0};
	if (!camera_drive_lends(dev)) {
		exposure_read_out(&c->exposure);
		device_changed(dev);
	}
	struct exposure_request request = c->exposure.request;
	struct frame *frame = NULL;
	enum err_code code = camera_drive_read(dev, &request, &frame, &err);
	if (code != ERR_OK || c->exposure.abort_wanted) {
		frame_unref(frame);
	}
	if (code == ERR_IO) {
		return step_lost(&err);
	}
	if (c->exposure.abort_wanted) {
		struct err why;
		err_set(&why, ERR_CANCELLED, "the exposure of %s was aborted", dev->info.name);
		end_without_frame(dev, &why);
	} else if (code != ERR_OK && code != ERR_CANCELLED && !c->exposure.retried
		&& request.duration_s <= RETRY_LONGEST_S) {
		/* A client that gets no picture may go on with the last one that it had, so the exposure is made
		 * again. */
		if (log_lasting_news(&c->exposure.torn, err.text)) {
			log_warn(dev->info.source, "read-out failed, exposing again: %s", err.text);
		}
		device_count_error(dev, code);
		exposure_again(&c->exposure);
		device_changed(dev);
	} else if (code != ERR_OK) {
		end_without_frame(dev, &err);
	} else {
		publish_frame(dev, frame);
	}
	return step_again();
}

static struct step watch_exposure(struct device *dev)
{
	struct camera_core *c = camera_of(dev);
	struct err err = {0};
	struct camera_reading reading;
	enum err_code code = camera_drive_poll(dev, &reading, &err);
	int64_t now = clock_now_ms(dev->clock);
	c->exposure.next_poll_ms = now + (reading.next_poll_ms > 0 ? reading.next_poll_ms : POLL_MS);
	if (code == ERR_IO) {
		return step_lost(&err);
	}
	if (code != ERR_OK) {
		if (++c->exposure.poll_failures >= POLL_FAILURES) {
			end_without_frame(dev, &err);
		}
		return step_at(c->exposure.next_poll_ms);
	}
	c->exposure.poll_failures = 0;
	if (c->exposure.abort_wanted || c->exposure.stop_wanted) {
		return step_again();
	}
	if (reading.state == CAMERA_DRIVER_READY) {
		return read_out(dev);
	}
	if ((reading.state == CAMERA_DRIVER_READING) != c->exposure.reading) {
		c->exposure.reading = reading.state == CAMERA_DRIVER_READING;
		device_changed(dev);
	}
	if (reading.state == CAMERA_DRIVER_IDLE) {
		struct err why;
		err_set(&why, ERR_REFUSED, "%s ended the exposure without a frame", dev->info.name);
		end_without_frame(dev, &why);
		return step_again();
	}
	return step_at(c->exposure.next_poll_ms);
}

static struct step camera_step(struct device *dev)
{
	struct camera_core *c = camera_of(dev);
	if (c->exposure.phase != EXPOSE_RUNNING && c->lent != NULL) {
		/* The driver gave the exposure up, or took so long that core gives it up. */
		struct err ignored;
		camera_drive_abort(dev, &ignored);
	}
	if (c->exposure.phase != EXPOSE_NONE && c->exposure.abort_wanted) {
		return abort_exposure(dev);
	}
	if (c->exposure.phase == EXPOSE_ACCEPTED) {
		return begin_exposure(dev);
	}
	if (c->exposure.phase != EXPOSE_NONE && c->exposure.stop_wanted) {
		return stop_exposure(dev);
	}
	struct step climate;
	if (camera_climate_step(dev, &climate) || c->exposure.phase == EXPOSE_NONE) {
		return climate;
	}
	if (clock_now_ms(dev->clock) >= c->exposure.next_poll_ms) {
		return watch_exposure(dev);
	}
	return step_at(c->exposure.next_poll_ms < climate.at_ms ? c->exposure.next_poll_ms : climate.at_ms);
}

static enum err_code camera_open(struct device *dev, struct err *err)
{
	return camera_drive_open(dev, err);
}

static enum err_code camera_identify(struct device *dev, struct err *err)
{
	enum err_code code = camera_drive_identify(dev, err);
	if (code == ERR_OK) {
		camera_climate_open(dev);
	}
	return code;
}

static enum err_code camera_read_all(struct device *dev, bool *all, struct err *err)
{
	return camera_climate_first(dev, all, err);
}

/* The pixel size of the configuration stands above what the device says. */
static void take_pixel_size(struct camera_core *c)
{
	c->caps.pixel_um = isfinite(c->cfg->pixel_size_um) ? c->cfg->pixel_size_um : c->fresh_caps.pixel_um;
}

static bool camera_between(const struct device *dev)
{
	return camera_of(dev)->exposure.phase == EXPOSE_NONE;
}

static void camera_configure(struct device *dev)
{
	struct camera_core *c = camera_of(dev);
	c->cfg = &dev->config->camera[dev->info.number];
	if (dev->link == LINK_UP) {
		take_pixel_size(c);
	}
}

static void camera_came_up(struct device *dev, bool again)
{
	struct camera_core *c = camera_of(dev);
	c->caps = c->fresh_caps;
	take_pixel_size(c);
	exposure_forget(&c->exposure);
	if (!again) {
		camera_reset(dev);
	}
	camera_climate_came_up(dev, again);
	if (!dev->quiet_return) {
		if (c->caps.width > 0) {
			log_info(dev->info.source, "%s %dx%d px", c->caps.identity, (int)c->caps.width,
				(int)c->caps.height);
		} else {
			log_info(dev->info.source, "%s", c->caps.identity);
		}
	}
}

static void camera_went_down(struct device *dev, const struct err *why)
{
	struct camera_core *c = camera_of(dev);
	if (c->exposure.phase != EXPOSE_NONE) {
		end_without_frame(dev, why);
	}
	camera_climate_went_down(dev, why);
}

static void camera_halt(struct device *dev)
{
	struct camera_core *c = camera_of(dev);
	if (c->exposure.phase != EXPOSE_RUNNING) {
		return;
	}
	struct err err = {0};
	if (camera_drive_halt(dev, &err) != ERR_OK) {
		log_warn(dev->info.source, "abort on disconnect failed: %s", err.text);
	}
}

static int camera_open_wait(struct device *dev)
{
	(void)dev;
	return 0;
}

/* After a post the camera is read at once. */
static struct step camera_posted(struct device *dev, const void *data, size_t size)
{
	struct camera_core *c = camera_of(dev);
	struct err err = {0};
	if (c->driver->posted == NULL) {
		return step_again();
	}
	enum err_code code = camera_drive_posted(dev, data, size, &err);
	arrivals_take(dev);
	c->exposure.next_poll_ms = 0;
	camera_climate_look(c);
	return code == ERR_IO ? step_lost(&err) : step_again();
}

const struct device_class camera_class = {
	.open = camera_open,
	.identify = camera_identify,
	.read_all = camera_read_all,
	.close = camera_drive_close,
	.open_wait_ms = camera_open_wait,
	.came_up = camera_came_up,
	.went_down = camera_went_down,
	.step = camera_step,
	.posted = camera_posted,
	.stop = camera_halt,
	.unfit = camera_busy,
	.between = camera_between,
	.configure = camera_configure,
};
