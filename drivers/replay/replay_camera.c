/* SPDX-License-Identifier: MIT */
/*
 * A camera that serves recorded frames as if they were exposed at this moment: an exposure takes the time that was
 * asked for and delivers the frame that was recorded nearest to where the focuser stood when it began, together with
 * the position of that frame. The file is read while the exposure goes on, so that the frame is there when it ends.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "camera_driver.h"
#include "log.h"
#include "frame_fetch.h"
#include "replay_frames.h"

struct replay_camera {
	const struct driver_host *host;
	struct replay_frames frames;
	struct frame_levels levels;
	/* The exposure. */
	struct exposure_request request;
	bool exposing;
	int64_t start_ms;
	int64_t ready_ms;
	struct replay_entry *chosen;
	struct frame *frame;            /* lent by core; NULL: not lent so far */
	struct frame_fetch *fetch;      /* which owns kept and levels while it is there */
	struct frame_recording kept;
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
	if (frames->type == IMAGE_U8 || frames->type == IMAGE_U16) {
		return frame_type_most(frames->type, NAN);
	}
	double full = 0.0;
	for (size_t i = 0; i < frames->count; i++) {
		double of_this = frames->entries[i].full_scale_adu;
		full = isfinite(of_this) ? fmax(full, of_this) : INFINITY;
	}
	return frame_type_most(frames->type, full);
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
	enum err_code code = replay_frames_list(&c->frames, port->path, host->source, err);
	if (code != ERR_OK) {
		return code;
	}
	const struct replay_entry *first = &c->frames.entries[0];
	memset(caps, 0, sizeof *caps);
	caps->width = first->file.width;
	caps->height = first->file.height;
	caps->max_bin = 4;
	caps->can_abort = true;
	caps->can_stop = true;
	caps->pixel_um = host->pixel_size_um > 0.0 ? host->pixel_size_um : first->pixel_um;
	caps->sensor_type = first->mosaic == IMAGE_BAYER ? 2 : 0;
	caps->bayer_offset_x = first->bayer_x;
	caps->bayer_offset_y = first->bayer_y;
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

/* Ends the exposure, whichever way it went. */
static void finish(struct replay_camera *c)
{
	frame_fetch_end(c->fetch);
	c->fetch = NULL;
	c->frame = NULL;
	c->exposing = false;
}

static void replay_close(void *ctx)
{
	struct replay_camera *c = ctx;
	finish(c);
	frame_recording_free(&c->kept);
	replay_frames_fini(&c->frames);
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
	struct replay_entry *entry = &c->frames.entries[replay_frames_pick(&c->frames, request->focuser_position)];
	if (request->bin < 1 || request->start_x < 0 || request->start_y < 0
		|| request->start_x + request->num_x > entry->file.width / request->bin
		|| request->start_y + request->num_y > entry->file.height / request->bin) {
		return err_set(err, ERR_INVALID_VALUE, "the recorded frames have %d x %d px: there is no such part of "
			"them at binning %d", (int)entry->file.width, (int)entry->file.height, request->bin);
	}
	c->request = *request;
	c->chosen = entry;
	c->start_ms = clock_now_ms(c->host->clock);
	c->ready_ms = c->start_ms + (int64_t)ceil(request->duration_s * 1000.0);
	c->exposing = true;
	return ERR_OK;
}

/* An abort is noticed after so long at the latest (real milliseconds). */
#define WAIT_MS 10

/* Whether the frame is complete, or never will be; waits a little for it, so that its end is seen at once. */
static bool fetched(struct replay_camera *c)
{
	return c->fetch == NULL || frame_fetch_wait(c->fetch, WAIT_MS);
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
		out->state = fetched(c) ? CAMERA_DRIVER_READY : CAMERA_DRIVER_READING;
		out->next_poll_ms = 1;
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
	finish(ctx);
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

static void replay_lend(void *ctx, struct frame *frame)
{
	struct replay_camera *c = ctx;
	const struct frame_fetch_job job = {
		.file = &c->chosen->file,
		.type = c->frames.type,
		.kept = &c->kept,
		.levels = &c->levels,
		.bin = c->request.bin,
		.start_x = c->request.start_x,
		.start_y = c->request.start_y,
		.frame = frame,
		.source = c->host->source,
	};
	c->frame = frame;
	c->fetch = frame_fetch_begin(&job);
}

static void describe(const struct replay_camera *c, struct frame_info *info)
{
	const struct exposure_request *r = &c->request;
	const struct replay_entry *entry = c->chosen;
	*info = (struct frame_info){.width = r->num_x, .height = r->num_y, .planes = 1, .bin = r->bin};
	frame_recording_describe(&c->kept, &c->levels, c->frames.type, info);
	/* For so long the recorded pixels collected light; the time that passed here added none. */
	info->exposure_s = isfinite(entry->exposure_s) ? entry->exposure_s : r->duration_s;
	info->position_known = true;
	info->position_steps = entry->position_steps;
	info->recording_id = entry->id;
	snprintf(info->label, sizeof info->label, "%s", entry->file.name);
}

static enum err_code replay_read_lent(void *ctx, struct frame_info *info, struct err *err)
{
	struct replay_camera *c = ctx;
	if (!c->exposing || c->frame == NULL || clock_now_ms(c->host->clock) < c->ready_ms) {
		return err_set(err, ERR_INVALID_OPERATION, "no exposure is ready");
	}
	while (!fetched(c)) {
		if (c->host->urgent != NULL && c->host->urgent(c->host->urgent_ctx)) {
			finish(c);
			return err_set(err, ERR_CANCELLED, "something else came first");
		}
	}
	enum err_code code = c->fetch != NULL ? frame_fetch_result(c->fetch, err)
					      : err_set(err, ERR_NOMEM, "no memory to read %s", c->chosen->file.name);
	if (code == ERR_OK) {
		describe(c, info);
		c->chosen->served++;
	}
	finish(c);
	return code;
}

const struct camera_driver replay_camera_driver = {
	.name = "replay",
	.title = "Recorded frames",
	.ctx_size = sizeof(struct replay_camera),
	.uses_path = true,
	.look_path = replay_frames_look,
	.simulated = true,
	.owns_position = true,
	.needs_focuser = true,
	.open = replay_open,
	.close = replay_close,
	.start_exposure = replay_start,
	.poll = replay_poll,
	.abort = replay_abort,
	.stop = replay_stop,
	.lend_frame = replay_lend,
	.read_lent = replay_read_lent,
};
