/* SPDX-License-Identifier: MIT */
/*
 * The exposure of a camera behind an INDI server.  It is over when its picture is here and not before: "Ok" of
 * CCD_EXPOSURE may come earlier or later than the picture, and never with some drivers.  What can be tried again once,
 * such as a picture that was cut off, is told by the read-out; what cannot, such as another client that exposes now,
 * by poll().
 */
#include <math.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "indi_camera.h"
#include "log.h"
#include "moment.h"

/* A call may last two seconds. */
#define START_MS 1900
/* A camera that is slow to take its settings is waited for in pieces of this, so that an abort comes between, */
#define PREPARE_PIECE_MS 300
/* and so long in all: DSLRs and cameras that set up their sensor anew take some seconds. */
#define PREPARE_MS 15000
#define CONNECT_MS 700
/* An exposure that goes on when ours is to begin may be one that is being aborted at this moment. */
#define BUSY_MS 1000
/* A driver that says nothing to an abort for so long has nothing to abort. */
#define ABORT_ANSWER_MS 5000
/* A driver that does not begin; slow ones set up their camera first. */
#define BEGIN_MS 15000
/* After its end the picture is waited for so long.  QHY's driver gives a read-out up by itself after some 60 s and
 * begins anew (indi-3rdparty issue 996), so ours has to be longer. */
#define PICTURE_MS 120000
/* "Idle" in the place of the picture: it may be on its way on the other connection. */
#define IDLE_GRACE_MS 2000
/* While it is waited for; its coming is posted, so this is for what else may happen. */
#define PICTURE_LOOK_MS 100
/* The rest of an exposure counts down; when it grows by more than this, somebody has begun another one. */
#define GROWS_S 0.5
/* A picture can be this much earlier than the clocks say. */
#define EARLY_SHARE 0.9
#define EARLY_MS 100

/* ---- begin ---- */

/* Whether the camera is at rest.  A driver may not even have begun with what was aborted: then it says nothing of it
 * yet, and what it says afterwards would be taken for the next exposure. */
static bool is_free(const struct indi_store *store, void *arg)
{
	const struct indi_camera *c = arg;
	const struct indi_property *p = indi_store_find(store, c->peer.device, "CCD_EXPOSURE");
	const struct indi_property *abort = indi_store_find(store, c->peer.device, "CCD_ABORT_EXPOSURE");
	bool answered = !c->aborting || p == NULL || p->updates > c->aborted_at
		|| (abort != NULL && abort->updates > c->aborted_at)
		|| real_ms() - c->aborted_ms > ABORT_ANSWER_MS;
	return answered && (p == NULL || p->state != INDI_BUSY);
}

/* The connection for pictures, made anew where it broke. */
static enum err_code need_blob(struct indi_camera *c, int64_t deadline_ms, struct err *err)
{
	if (c->blob != NULL && !indi_blob_usable(c->blob)) {
		indi_blob_close(c->blob);
		c->blob = NULL;
	}
	return c->blob != NULL ? ERR_OK
		: indi_blob_open(c->peer.address, c->peer.device, INDI_PICTURE, c->peer.host, deadline_ms, &c->blob,
			  err);
}

static enum err_code begin(struct indi_camera *c, const struct indi_region *region, struct err *err)
{
	const struct exposure_request *r = &c->request;
	int64_t now = real_ms();
	double early_ms = c->duration_s * 1000.0 * EARLY_SHARE - EARLY_MS;
	struct indi_wanted wanted = {
		.exposure_s = c->duration_s,
		.earliest_ms = now + (early_ms > 0 ? (int64_t)early_ms : 0),
		.width = region->width / r->bin,
		.height = region->height / r->bin,
		.part = {
			.cut_x = r->start_x - region->x / r->bin,
			.cut_y = r->start_y - region->y / r->bin,
			.cut_width = r->num_x,
			.cut_height = r->num_y,
			.planes = camera_planes(&c->caps),
			.type = c->caps.frame_type,
		},
		.whole_width = c->caps.width / r->bin,
		.whole_height = c->caps.height / r->bin,
		.whole_x = r->start_x,
		.whole_y = r->start_y,
		.mosaic = c->caps.sensor_type == 2,
	};
	const struct indi_part *part = &wanted.part;
	/* A corner that the binning does not divide may leave a column or a row outside. */
	if (part->cut_x < 0 || part->cut_y < 0 || part->cut_x + part->cut_width > wanted.width
		|| part->cut_y + part->cut_height > wanted.height) {
		return err_set(err, ERR_REFUSED, "'%.40s' does not deliver the part of its sensor that was asked for",
			c->peer.device);
	}
	enum err_code code = indi_blob_expect(c->blob, &wanted, err);
	if (c->frame != NULL) {
		indi_blob_lend(c->blob, c->frame);
	}
	const struct indi_store *store = indi_line_look(c->peer.line);
	c->sent_at = store->updates;
	indi_line_done(c->peer.line);
	struct indi_set set = {"CCD_EXPOSURE_VALUE", c->duration_s};
	if (code == ERR_OK) {
		code = indi_line_set(c->peer.line, c->peer.device, "CCD_EXPOSURE", &set, 1, err);
	}
	if (code != ERR_OK) {
		indi_blob_forget(c->blob);
		return code;
	}
	c->phase = PHASE_SENT;
	c->sent_ms = now;
	c->ends_ms = now + (int64_t)ceil(c->duration_s * 1000.0);
	c->idle_ms = 0;
	c->left_s = INFINITY;
	c->final = false;
	return ERR_OK;
}

/* Some read-out modes have another number of pixels; ERR_IO then, because the next link learns them. */
static enum err_code check_sensor(const struct indi_camera *c, struct err *err)
{
	const struct indi_store *store = indi_line_look(c->peer.line);
	double width = indi_store_number(store, c->peer.device, "CCD_INFO", "CCD_MAX_X");
	double height = indi_store_number(store, c->peer.device, "CCD_INFO", "CCD_MAX_Y");
	indi_line_done(c->peer.line);
	return width == c->caps.width && height == c->caps.height ? ERR_OK
		: err_set(err, ERR_IO, "the sensor of '%.40s' has another size in this read-out mode; the link is "
			"opened anew for it", c->peer.device);
}

/* Brings the camera to where the exposure can begin, and begins it.  ERR_TIMEOUT when deadline_ms of the real clock
 * comes first: the same call goes on then. */
static enum err_code prepare(struct indi_camera *c, int64_t deadline_ms, struct err *err)
{
	int64_t now = real_ms();
	struct indi_region region = {0};
	int64_t busy_ms = c->aborting ? deadline_ms : c->asked_ms + BUSY_MS;
	const struct indi_store *store = indi_line_look(c->peer.line);
	enum err_code code = indi_peer_check(&c->peer, store, err);
	indi_line_done(c->peer.line);
	if (code == ERR_OK) {
		code = indi_line_wait(c->peer.line, c->peer.host, true, is_free, c,
			busy_ms < deadline_ms ? busy_ms : deadline_ms, err);
	}
	if (code == ERR_TIMEOUT && c->aborting) {
		return err_set(err, ERR_TIMEOUT, "'%.40s' does not end the exposure that was aborted", c->peer.device);
	}
	if (code == ERR_TIMEOUT) {
		return err_set(err, ERR_INVALID_OPERATION, "'%.40s' is exposing for another program", c->peer.device);
	}
	if (code == ERR_OK) {
		c->aborting = false;
		code = need_blob(c, now + CONNECT_MS, err);
		/* The shared line stands, so this is not the end of the link. */
		struct err why = *err;
		code = code == ERR_IO ? err_set(err, ERR_REFUSED, "no connection for pictures: %.160s", why.text)
				      : code;
	}
	if (code == ERR_OK) {
		code = indi_setup(&c->peer, &c->request, &c->caps, &c->shape->modes, &c->before, &region, deadline_ms,
			err);
	}
	if (code == ERR_OK) {
		code = check_sensor(c, err);
	}
	return code == ERR_OK ? begin(c, &region, err) : code;
}

enum err_code indi_exposure_start(void *ctx, const struct exposure_request *request, struct err *err)
{
	struct indi_camera *c = ctx;
	if (c->phase != PHASE_IDLE) {
		return err_set(err, ERR_INVALID_OPERATION, "an exposure is going on");
	}
	if (!(request->duration_s >= 0.0) || request->duration_s > c->caps.exposure_max_s) {
		return err_set(err, ERR_INVALID_VALUE, "an exposure lasts %g to %g s", c->caps.exposure_min_s,
			c->caps.exposure_max_s);
	}
	c->request = *request;
	c->duration_s = request->duration_s > c->caps.exposure_min_s ? request->duration_s : c->caps.exposure_min_s;
	c->frame = NULL;
	c->asked_ms = real_ms();
	enum err_code code = prepare(c, c->asked_ms + START_MS, err);
	if (code == ERR_TIMEOUT) {
		c->phase = PHASE_PREPARING;
		return ERR_OK;
	}
	return code;
}

void indi_exposure_lend(void *ctx, struct frame *frame)
{
	struct indi_camera *c = ctx;
	c->frame = frame;
	if (c->phase != PHASE_PREPARING) {
		indi_blob_lend(c->blob, frame);
	}
}

/* ---- watch ---- */

static void failed(struct indi_camera *c, bool final, const struct err *why)
{
	c->phase = PHASE_FAILED;
	c->final = final;
	c->why = *why;
}

/* When the property became Busy, in milliseconds since 1970; 0 when that was not told. */
static int64_t busy_since(const struct indi_property *p)
{
	struct tm tm = {.tm_isdst = 0};
	return strptime(p->busy_since, "%Y-%m-%dT%H:%M:%S", &tm) != NULL ? (int64_t)timegm(&tm) * 1000 : 0;
}

/* Takes what the property says of our exposure. */
static void watch_state(struct indi_camera *c, const struct indi_store *store, const struct indi_property *p,
	int64_t now)
{
	struct err why;
	const char *device = c->peer.device;
	const struct indi_member *m = indi_member_find(p, "CCD_EXPOSURE_VALUE");
	bool reacted = p->updates > c->sent_at;
	/* An "Idle" that something else follows was about what went on before. */
	c->idle_ms = p->state == INDI_IDLE ? c->idle_ms : 0;
	double left = m != NULL && isfinite(m->value) ? m->value : NAN;
	if (reacted && p->state == INDI_ALERT) {
		err_set(&why, ERR_REFUSED, "'%.40s' cannot expose: %.140s", device,
			indi_last_words(store, device, c->sent_at));
		failed(c, false, &why);
	} else if (reacted && p->state == INDI_BUSY && c->phase == PHASE_SENT) {
		c->phase = PHASE_EXPOSING;
		indi_blob_began(c->blob, busy_since(p));
		c->left_s = isnan(left) ? INFINITY : fmin(left, c->duration_s);
	} else if (p->state == INDI_BUSY && c->phase != PHASE_SENT) {
		if (left > c->left_s + GROWS_S || (c->phase == PHASE_WAITING && left > GROWS_S)) {
			err_set(&why, ERR_INVALID_OPERATION, "another program has begun an exposure with '%.40s'",
				device);
			failed(c, true, &why);
		}
		c->left_s = isnan(left) ? c->left_s : left;
	} else if (reacted && p->state == INDI_OK) {
		c->phase = PHASE_WAITING;
		c->left_s = 0.0;
	} else if (reacted && p->state == INDI_IDLE && c->idle_ms == 0) {
		c->idle_ms = now;
	}
	if (c->phase != PHASE_FAILED && c->idle_ms != 0 && now - c->idle_ms > IDLE_GRACE_MS) {
		err_set(&why, ERR_REFUSED, "the exposure of '%.40s' was ended by another program or by its driver",
			device);
		failed(c, true, &why);
	}
}

/* Goes on with a camera that takes its time over its settings. */
static enum err_code go_on_preparing(struct indi_camera *c, struct camera_reading *out, struct err *err)
{
	int64_t now = real_ms();
	enum err_code code = prepare(c, now + PREPARE_PIECE_MS, err);
	if (code == ERR_IO) {
		return code;
	}
	if (code != ERR_OK && code != ERR_CANCELLED && (code != ERR_TIMEOUT || now > c->asked_ms + PREPARE_MS)) {
		indi_setup_give_up(&c->peer);
		failed(c, false, err);
	}
	out->state = c->phase == PHASE_FAILED ? CAMERA_DRIVER_READY : CAMERA_DRIVER_EXPOSING;
	out->next_poll_ms = 1;
	return ERR_OK;
}

/* What is too late. */
static void watch_clock(struct indi_camera *c, int64_t now)
{
	struct err why;
	if (c->phase == PHASE_SENT && now - c->sent_ms > BEGIN_MS && now > c->ends_ms) {
		err_set(&why, ERR_TIMEOUT, "'%.40s' was told to expose and does nothing", c->peer.device);
		failed(c, false, &why);
	} else if (c->phase != PHASE_FAILED && now > c->ends_ms + PICTURE_MS) {
		err_set(&why, ERR_TIMEOUT, "no picture has come from '%.40s' within %d s after the exposure",
			c->peer.device, PICTURE_MS / 1000);
		failed(c, true, &why);
	}
}

enum err_code indi_exposure_poll(void *ctx, struct camera_reading *out, struct err *err)
{
	struct indi_camera *c = ctx;
	int64_t now = real_ms();
	enum err_code code = indi_line_check(c->peer.line, err);
	memset(out, 0, sizeof *out);
	if (code != ERR_OK || c->phase == PHASE_IDLE) {
		return code;
	}
	if (c->phase == PHASE_PREPARING) {
		return go_on_preparing(c, out, err);
	}
	struct indi_blob_result got = indi_blob_look(c->blob);
	const struct indi_store *store = indi_line_look(c->peer.line);
	code = indi_peer_check(&c->peer, store, err);
	const struct indi_property *p = indi_store_find(store, c->peer.device, "CCD_EXPOSURE");
	if (code == ERR_OK && p == NULL) {
		code = err_set(err, ERR_IO, "INDI's driver of '%.40s' has taken CCD_EXPOSURE back", c->peer.device);
	}
	if (code == ERR_OK && c->phase != PHASE_FAILED && got.state == INDI_BLOB_NONE) {
		watch_state(c, store, p, now);
	}
	indi_line_done(c->peer.line);
	if (code != ERR_OK) {
		return code;
	}
	if (got.state != INDI_BLOB_WHOLE) {
		watch_clock(c, now);
	}
	if (c->phase == PHASE_FAILED && c->final) {
		return err_copy(err, &c->why);
	}
	bool dark = now >= c->ends_ms || got.state == INDI_BLOB_COMING || c->phase == PHASE_WAITING;
	out->elapsed_s = fmin((double)(now - c->sent_ms) / 1000.0, c->request.duration_s);
	out->state = c->phase == PHASE_FAILED || got.state == INDI_BLOB_WHOLE || got.state == INDI_BLOB_FAILED
		? CAMERA_DRIVER_READY : dark ? CAMERA_DRIVER_READING : CAMERA_DRIVER_EXPOSING;
	/* News are posted; this is for what happens in silence. */
	int64_t left = c->ends_ms - now;
	out->next_poll_ms = left <= 0 ? PICTURE_LOOK_MS : left < 1000 ? (int)left : 1000;
	return ERR_OK;
}

static void let_go(struct indi_camera *c)
{
	if (c->blob != NULL) {
		indi_blob_forget(c->blob);
	}
	c->frame = NULL;
	c->phase = PHASE_IDLE;
}

enum err_code indi_exposure_abort(void *ctx, struct err *err)
{
	struct indi_camera *c = ctx;
	enum phase was = c->phase;
	let_go(c);
	if (was == PHASE_IDLE || was == PHASE_PREPARING || (was == PHASE_FAILED && c->final)) {
		return ERR_OK;
	}
	const struct indi_store *store = indi_line_look(c->peer.line);
	c->aborting = true;
	c->aborted_at = store->updates;
	c->aborted_ms = real_ms();
	indi_line_done(c->peer.line);
	return indi_line_switch(c->peer.line, c->peer.device, "CCD_ABORT_EXPOSURE", "ABORT", err);
}

/* ---- read ---- */

/* Pictures are of another kind than the link was opened for; the next link knows. */
static enum err_code reshape(struct indi_camera *c, const struct indi_blob_result *got, struct err *err)
{
	atomic_store(&c->shape->type, (int)got->type + 1);
	atomic_store(&c->shape->planes, got->planes);
	atomic_store(&c->shape->red, got->red + 1);
	return err_set(err, ERR_IO, "%.150s; the link is opened anew for it", got->why.text);
}

enum err_code indi_exposure_read(void *ctx, struct frame_info *info, struct err *err)
{
	struct indi_camera *c = ctx;
	struct indi_blob_result got = {.state = INDI_BLOB_NONE};
	if (c->phase != PHASE_IDLE && c->blob != NULL) {
		got = indi_blob_look(c->blob);
	}
	if (c->phase != PHASE_FAILED && got.state != INDI_BLOB_WHOLE && got.state != INDI_BLOB_FAILED) {
		return err_set(err, ERR_INVALID_OPERATION, "no exposure is ready");
	}
	enum phase was = c->phase;
	let_go(c);
	if (got.state == INDI_BLOB_FAILED) {
		/* Not the end of the link: the next exposure makes a new connection for its picture. */
		got.why.code = got.why.code == ERR_IO ? ERR_PROTOCOL : got.why.code;
		return got.reshaped ? reshape(c, &got, err) : err_copy(err, &got.why);
	}
	if (was == PHASE_FAILED && got.state != INDI_BLOB_WHOLE) {
		return err_copy(err, &c->why);
	}
	memset(info, 0, sizeof *info);
	info->width = c->request.num_x;
	info->height = c->request.num_y;
	info->planes = camera_planes(&c->caps);
	info->bin = c->request.bin;
	/* A binned mosaic has no colours any more; drivers that bin within a colour are not known. */
	info->mosaic = c->caps.sensor_type == 2 && c->request.bin == 1 ? IMAGE_BAYER : IMAGE_MONO;
	info->full_scale_adu = got.bits == 8 ? UINT8_MAX : got.bits == 16 ? UINT16_MAX : NAN;
	info->exposure_s = isfinite(got.exposure_s) ? got.exposure_s : c->duration_s;
	return ERR_OK;
}
