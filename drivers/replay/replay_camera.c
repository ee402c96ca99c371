/* SPDX-License-Identifier: MIT */
/*
 * A camera that serves recorded frames as if they were exposed at this moment: an exposure takes the time that was
 * asked for and delivers the frame that was recorded nearest to where the focuser stands, together with the position
 * of that frame.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "camera_driver.h"
#include "log.h"
#include "replay_frames.h"

#define NO_FRAME SIZE_MAX

struct replay_camera {
	const struct driver_host *host;
	struct replay_frames frames;
	struct replay_levels levels;
	/* The exposure. */
	struct exposure_request request;
	bool exposing;
	int64_t start_ms;
	int64_t ready_ms;
	size_t chosen;
	/* The last frame read, because the same one is often asked for again. */
	struct fits_frame cached;
	size_t cached_index;
};

extern const struct camera_driver replay_camera_driver;

static const char *const readout_modes[] = {"Recorded", NULL};
static const double exposure_max_s = 3600.0;

/* Copies the last part of the path, for people. */
static void folder_name(const char *path, char *out, size_t cap)
{
	size_t len = strlen(path);
	while (len > 1 && path[len - 1] == '/') {
		len--;
	}
	size_t start = len;
	while (start > 0 && path[start - 1] != '/') {
		start--;
	}
	snprintf(out, cap, "%.*s", (int)(len - start), path + start);
}

/* The highest value that an element can have: what whole numbers of 8 or 16 bits hold; for other types the value at
 * which the sensors of all frames saturate, or 0 (unknown) where headers do not say. */
static int32_t max_adu(const struct replay_frames *frames)
{
	if (frames->type == IMAGE_U8) {
		return UINT8_MAX;
	}
	if (frames->type == IMAGE_U16) {
		return UINT16_MAX;
	}
	double full = 0.0;
	for (size_t i = 0; i < frames->count; i++) {
		double of_this = frames->entries[i].full_scale_adu;
		full = isfinite(of_this) ? fmax(full, of_this) : INFINITY;
	}
	if (full > 0.0 && full <= INT32_MAX) {
		return (int32_t)ceil(full);
	}
	return frames->type == IMAGE_I32 ? INT32_MAX : 0;
}

/* Warns of a type that not every client can show: some take whole numbers only. */
static void tell_type(const struct replay_camera *c)
{
	if (image_type_is_float(c->frames.type)) {
		log_warn(c->host->source, "the recorded frames hold floating point numbers, and clients get them as "
			"such: programs that take whole numbers only cannot show them");
	}
}

static enum err_code replay_open(void *ctx, const struct camera_port *port,
	const struct driver_host *host, struct camera_caps *caps, struct err *err)
{
	struct replay_camera *c = ctx;
	c->host = host;
	c->cached_index = NO_FRAME;
	enum err_code code = replay_frames_list(&c->frames, port->path, host->source, err);
	if (code != ERR_OK) {
		return code;
	}
	const struct replay_entry *first = &c->frames.entries[0];
	memset(caps, 0, sizeof *caps);
	caps->width = first->width;
	caps->height = first->height;
	caps->max_bin = 4;
	caps->can_abort = true;
	caps->can_stop = true;
	caps->pixel_um = host->pixel_size_um > 0.0 ? host->pixel_size_um : first->pixel_um;
	caps->sensor_type = first->mosaic == IMAGE_BAYER ? 2 : 0;
	char folder[32];
	folder_name(port->path, folder, sizeof folder);
	snprintf(caps->identity, sizeof caps->identity, "Replay of %zu frames from %s",
		c->frames.count, folder);
	caps->exposure_max_s = exposure_max_s;
	caps->exposure_resolution_s = 0.001;
	caps->frame_type = c->frames.type;
	caps->max_adu = max_adu(&c->frames);
	tell_type(c);
	caps->electrons_per_adu = NAN;
	caps->full_well_e = NAN;
	caps->readout_modes = readout_modes;
	return ERR_OK;
}

static void replay_close(void *ctx)
{
	struct replay_camera *c = ctx;
	fits_frame_free(&c->cached);
	replay_frames_fini(&c->frames);
	c->cached_index = NO_FRAME;
	c->exposing = false;
}

static enum err_code replay_start(void *ctx, const struct exposure_request *request,
	struct err *err)
{
	struct replay_camera *c = ctx;
	if (!(request->duration_s >= 0.0) || request->duration_s > exposure_max_s) {
		return err_set(err, ERR_INVALID_VALUE, "an exposure lasts 0 to %g s", exposure_max_s);
	}
	if (c->exposing) {
		return err_set(err, ERR_INVALID_OPERATION, "an exposure is going on");
	}
	if (!request->focuser_known) {
		return err_set(err, ERR_INVALID_OPERATION, "recorded frames are chosen by the focuser's "
			"position, and it is not known: connect the focuser first");
	}
	c->request = *request;
	c->chosen = replay_frames_pick(&c->frames, request->focuser_position);
	c->start_ms = clock_now_ms(c->host->clock);
	c->ready_ms = c->start_ms + (int64_t)ceil(request->duration_s * 1000.0);
	c->exposing = true;
	return ERR_OK;
}

static enum err_code replay_poll(void *ctx, struct camera_reading *out, struct err *err)
{
	(void)err;
	struct replay_camera *c = ctx;
	memset(out, 0, sizeof *out);
	if (!c->exposing) {
		out->state = CAMERA_DRIVER_IDLE;
		return ERR_OK;
	}
	int64_t now = clock_now_ms(c->host->clock);
	out->elapsed_s = fmin((double)(now - c->start_ms) / 1000.0, c->request.duration_s);
	if (now >= c->ready_ms) {
		out->state = CAMERA_DRIVER_READY;
		return ERR_OK;
	}
	out->state = CAMERA_DRIVER_EXPOSING;
	int64_t left = c->ready_ms - now;
	out->next_poll_ms = left < 1000 ? (int)left : 1000;
	return ERR_OK;
}

static enum err_code replay_abort(void *ctx, struct err *err)
{
	(void)err;
	struct replay_camera *c = ctx;
	c->exposing = false;
	return ERR_OK;
}

static enum err_code replay_stop(void *ctx, struct err *err)
{
	(void)err;
	struct replay_camera *c = ctx;
	int64_t now = clock_now_ms(c->host->clock);
	if (c->exposing && now < c->ready_ms) {
		c->ready_ms = now;
	}
	return ERR_OK;
}

/* Reads the chosen frame into c->cached, unless it is there already. */
static enum err_code load(struct replay_camera *c, struct err *err)
{
	if (c->cached_index == c->chosen) {
		return ERR_OK;
	}
	const struct replay_entry *entry = &c->frames.entries[c->chosen];
	struct fits_frame fresh = {.pixels = NULL};
	/* A float holds the values of the other types exactly and takes half the memory. */
	bool exact = c->frames.type == IMAGE_I32 || c->frames.type == IMAGE_F64;
	enum err_code code = exact ? fits_frame_read_exact(entry->path, &fresh, err)
				   : fits_frame_read(entry->path, &fresh, err);
	if (code != ERR_OK) {
		return code;
	}
	if (fresh.width != entry->width || fresh.height != entry->height || fresh.type != entry->type) {
		fits_frame_free(&fresh);
		return err_set(err, ERR_IO, "%s is not the file it was: its size or type has changed",
			entry->name);
	}
	fits_frame_free(&c->cached);
	c->cached = fresh;
	c->cached_index = c->chosen;
	if (c->frames.type == IMAGE_U16
		&& replay_levels_fit(&c->levels, fresh.pixels, (size_t)fresh.width * (size_t)fresh.height)) {
		log_warn(c->host->source, "%s has negative values: %g is added to each pixel from here on",
			entry->name, -c->levels.zero);
	}
	return ERR_OK;
}

static enum err_code replay_read(void *ctx, void *out, size_t count, struct frame_info *info,
	struct err *err)
{
	struct replay_camera *c = ctx;
	const struct exposure_request *r = &c->request;
	if (!c->exposing || clock_now_ms(c->host->clock) < c->ready_ms) {
		return err_set(err, ERR_INVALID_OPERATION, "no exposure is ready");
	}
	struct replay_entry *entry = &c->frames.entries[c->chosen];
	if (r->bin < 1 || r->start_x < 0 || r->start_y < 0
		|| r->start_x + r->num_x > entry->width / r->bin
		|| r->start_y + r->num_y > entry->height / r->bin
		|| count < (size_t)r->num_x * (size_t)r->num_y) {
		return err_set(err, ERR_INTERNAL, "the frame that was asked for does not fit");
	}
	enum err_code code = load(c, err);
	if (code != ERR_OK) {
		c->exposing = false;
		return code;
	}
	replay_cut(&c->levels, c->frames.type, &c->cached, r->bin, r->start_x, r->start_y, r->num_x, r->num_y, out);
	memset(info, 0, sizeof *info);
	info->width = r->num_x;
	info->height = r->num_y;
	info->planes = 1;
	info->bin = r->bin;
	/* A mean over cells of a mosaic has no colour. */
	info->mosaic = r->bin == 1 ? c->cached.mosaic : IMAGE_MONO;
	double full = c->cached.full_scale_adu;
	if (c->frames.type == IMAGE_U16) {
		full -= c->levels.zero;
		full = full > UINT16_MAX ? UINT16_MAX : full;
	}
	info->full_scale_adu = full;
	/* For so long the recorded pixels collected light; the time that passed here added none. */
	info->exposure_s = isfinite(entry->exposure_s) ? entry->exposure_s : r->duration_s;
	info->position_known = true;
	info->position_steps = entry->position_steps;
	info->recording_id = entry->id;
	snprintf(info->label, sizeof info->label, "%s", entry->name);
	entry->served++;
	c->exposing = false;
	return ERR_OK;
}

const struct camera_driver replay_camera_driver = {
	.name = "replay",
	.title = "Recorded frames",
	.ctx_size = sizeof(struct replay_camera),
	.uses_path = true,
	.simulated = true,
	.owns_position = true,
	.needs_focuser = true,
	.open = replay_open,
	.close = replay_close,
	.start_exposure = replay_start,
	.poll = replay_poll,
	.abort = replay_abort,
	.stop = replay_stop,
	.read_frame = replay_read,
};
