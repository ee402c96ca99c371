/* SPDX-License-Identifier: MIT */
/*
 * A folder into which other software writes the frames that it takes.  It exposes nothing: it hands over each frame as
 * it comes, to be measured, so that the state of focus is known while somebody else owns the camera.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "camera_driver.h"
#include "folder_watch.h"

struct folder_camera {
	struct folder_watch *watch; /* NULL: not open */
};

static const char *const readout_modes[] = {"Watched", NULL};

static enum err_code folder_look(const char *path, struct err *err)
{
	DIR *dir = opendir(path);
	if (dir == NULL) {
		return err_set(err, ERR_IO, "cannot read the folder of frames %.150s: %s", path, strerror(errno));
	}
	closedir(dir);
	return ERR_OK;
}

static enum err_code folder_open(void *ctx, const struct camera_port *port, const struct driver_host *host,
	struct camera_caps *caps, struct err *err)
{
	struct folder_camera *c = ctx;
	/* The sensor is not known: frames of any size and type may come. */
	caps->max_bin = 1;
	caps->pixel_um = host->pixel_size_um;
	caps->readout_modes = readout_modes;
	snprintf(caps->identity, sizeof caps->identity, "Frames that other software writes");
	snprintf(caps->expose_refusal, sizeof caps->expose_refusal,
		"watches a folder and cannot expose: the software that owns the camera does that");
	return folder_watch_begin(port->path, host, &c->watch, err);
}

static void folder_close(void *ctx)
{
	struct folder_camera *c = ctx;
	folder_watch_end(c->watch);
	c->watch = NULL;
}

/* What was posted is only that there is news. */
static enum err_code folder_posted(void *ctx, const void *data, size_t size, struct err *err)
{
	(void)data;
	(void)size;
	const struct folder_camera *c = ctx;
	return folder_watch_lost(c->watch, err);
}

static bool folder_take_arrived(void *ctx, struct camera_arrival *out)
{
	const struct folder_camera *c = ctx;
	return folder_watch_take(c->watch, out);
}

/* Core has refused the exposure already, by the caps. */
static enum err_code folder_start(void *ctx, const struct exposure_request *request, struct err *err)
{
	(void)ctx;
	(void)request;
	return err_set(err, ERR_INVALID_OPERATION, "a watched folder cannot expose");
}

static enum err_code folder_poll(void *ctx, struct camera_reading *out, struct err *err)
{
	(void)ctx;
	(void)err;
	*out = (struct camera_reading){.state = CAMERA_DRIVER_IDLE};
	return ERR_OK;
}

/* Nothing is exposed here, so there is nothing to end. */
static enum err_code folder_abort(void *ctx, struct err *err)
{
	(void)ctx;
	(void)err;
	return ERR_OK;
}

static enum err_code folder_read(void *ctx, void *out, size_t count, struct frame_info *info, struct err *err)
{
	(void)ctx;
	(void)out;
	(void)count;
	(void)info;
	return err_set(err, ERR_INVALID_OPERATION, "no exposure is ready");
}

const struct camera_driver folder_camera_driver = {
	.name = "folder",
	.title = "Watched folder",
	.ctx_size = sizeof(struct folder_camera),
	.uses_path = true,
	.look_path = folder_look,
	.mode = CAMERA_WATCHED,
	.open = folder_open,
	.close = folder_close,
	.posted = folder_posted,
	.take_arrived = folder_take_arrived,
	.start_exposure = folder_start,
	.poll = folder_poll,
	.abort = folder_abort,
	.read_frame = folder_read,
};
