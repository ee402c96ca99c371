/* SPDX-License-Identifier: MIT */
/*
 * A camera behind an INDI server (properties: libindi 1.9.9, indiccd.cpp).  What it tells comes over the line that all
 * devices of the server share, its pictures over a connection of their own (indi_blob.h), which fills the frame while
 * they come (indi_exposure.c).
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "indi_camera.h"
#include "moment.h"

#define IDENTIFY_MS 1100
/* A guide pulse that goes on is looked at this often, and may end so late. */
#define GUIDE_LOOK_MS 20
#define GUIDE_LATE_MS 2000

extern const struct camera_driver indi_camera_driver;

/* ---- the link ---- */

static enum err_code indi_camera_open(void *ctx, const struct camera_port *port, const struct driver_host *host,
	struct camera_caps *caps, struct err *err)
{
	(void)caps;
	struct indi_camera *c = ctx;
	char key[48];
	snprintf(key, sizeof key, "indi:shape:%d", host->number);
	c->shape = host->share(host->share_ctx, key, sizeof *c->shape);
	if (c->shape == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	return indi_peer_open(&c->peer, port->port, port->device, INDI_IS_CAMERA, host, err);
}

static void indi_camera_close(void *ctx)
{
	struct indi_camera *c = ctx;
	struct err ignored;
	if (c->peer.line != NULL && c->peer.listens) {
		if (c->phase != PHASE_IDLE && c->phase != PHASE_PREPARING && c->phase != PHASE_FAILED) {
			indi_line_switch(c->peer.line, c->peer.device, "CCD_ABORT_EXPOSURE", "ABORT", &ignored);
		}
		indi_setup_restore(&c->peer, &c->before);
	}
	indi_blob_close(c->blob);
	c->blob = NULL;
	c->phase = PHASE_IDLE;
	c->aborting = false;
	indi_peer_close(&c->peer);
}

static enum err_code indi_camera_identify(void *ctx, struct camera_caps *caps, struct err *err)
{
	struct indi_camera *c = ctx;
	enum err_code code = indi_peer_up(&c->peer, indi_camera_told, real_ms() + IDENTIFY_MS, err);
	if (code != ERR_OK) {
		return code;
	}
	const struct indi_store *store = indi_line_look(c->peer.line);
	if (indi_camera_told(store, c->peer.device)) {
		indi_camera_facts(store, c->peer.device, c->shape, c->peer.host->pixel_size_um, caps);
	} else {
		code = err_set(err, ERR_TIMEOUT, "INDI's driver of '%.40s' has changed meanwhile", c->peer.device);
	}
	indi_line_done(c->peer.line);
	c->caps = *caps;
	return code;
}

/* ---- guide port ---- */

static const char *const guide_property[2] = {INDI_GUIDE_NS, INDI_GUIDE_WE};

/* Whether a pulse goes on.  Some drivers say nothing until it is over, and some say nothing at all, so it lasts at
 * least as long as it was told to; one that stays Busy is not waited for. */
static bool is_guiding(const struct indi_camera *c, const struct indi_store *store)
{
	int64_t now = real_ms();
	for (int axis = 0; axis < 2; axis++) {
		const struct indi_property *p = indi_store_find(store, c->peer.device, guide_property[axis]);
		int64_t until = c->guides_until_ms[axis];
		if (p != NULL && now < (p->state == INDI_BUSY ? until + GUIDE_LATE_MS : until)) {
			return true;
		}
	}
	return false;
}

static enum err_code indi_camera_guide(void *ctx, enum camera_guide direction, int32_t duration_ms, struct err *err)
{
	struct indi_camera *c = ctx;
	static const char *const members[2][2] = {
		{"TIMED_GUIDE_N", "TIMED_GUIDE_S"}, {"TIMED_GUIDE_W", "TIMED_GUIDE_E"}};
	int axis = direction == CAMERA_NORTH || direction == CAMERA_SOUTH ? 0 : 1;
	int which = direction == CAMERA_NORTH || direction == CAMERA_WEST ? 0 : 1;
	struct indi_set set[2] = {{members[axis][which], duration_ms}, {members[axis][1 - which], 0}};
	const struct indi_store *store = indi_line_look(c->peer.line);
	enum err_code code = indi_peer_check(&c->peer, store, err);
	const struct indi_member *m = indi_member_find(
		indi_store_find(store, c->peer.device, guide_property[axis]), members[axis][which]);
	double most = m != NULL && m->max > m->min ? m->max : INFINITY;
	indi_line_done(c->peer.line);
	if (code == ERR_OK && duration_ms > most) {
		return err_set(err, ERR_INVALID_VALUE, "a guide pulse of '%.40s' lasts at most %.0f ms", c->peer.device,
			most);
	}
	if (code == ERR_OK) {
		code = indi_line_set(c->peer.line, c->peer.device, guide_property[axis], set, 2, err);
	}
	if (code == ERR_OK) {
		c->guides_until_ms[axis] = real_ms() + duration_ms;
	}
	return code;
}

/* ---- temperature ---- */

static enum err_code indi_camera_climate(void *ctx, struct camera_climate *out, struct err *err)
{
	struct indi_camera *c = ctx;
	const char *device = c->peer.device;
	enum err_code code = indi_line_check(c->peer.line, err);
	if (code != ERR_OK) {
		return code;
	}
	memset(out, 0, sizeof *out);
	const struct indi_store *store = indi_line_look(c->peer.line);
	code = indi_peer_check(&c->peer, store, err);
	const struct indi_property *p = indi_store_find(store, device, "CCD_TEMPERATURE");
	out->sensor_c = indi_store_number(store, device, "CCD_TEMPERATURE", "CCD_TEMPERATURE_VALUE");
	out->heatsink_c = NAN;
	struct indi_place power = indi_place_of(store, device, INDI_COOLER_POWER);
	out->power_percent = power.member != NULL ? fmin(fmax(power.member->value, 0.0), 100.0) : NAN;
	out->cooler_told = c->caps.has_cooler;
	bool has_switch = indi_store_find(store, device, "CCD_COOLER") != NULL;
	out->cooler_on = has_switch ? indi_store_on(store, device, "CCD_COOLER", "COOLER_ON")
		: p != NULL && p->state == INDI_BUSY;
	/* INDI does not tell the set point once the sensor's own temperature has taken its place. */
	out->set_point_c = NAN;
	out->guiding = is_guiding(c, store);
	indi_line_done(c->peer.line);
	out->next_poll_ms = out->guiding ? GUIDE_LOOK_MS : 5000;
	return code;
}

static enum err_code indi_camera_cooler(void *ctx, bool on, double set_point_c, struct err *err)
{
	struct indi_camera *c = ctx;
	const char *device = c->peer.device;
	const struct indi_store *store = indi_line_look(c->peer.line);
	bool has_switch = indi_store_find(store, device, "CCD_COOLER") != NULL;
	bool is_on = indi_store_on(store, device, "CCD_COOLER", "COOLER_ON");
	indi_line_done(c->peer.line);
	if (!on) {
		/* A set point alone would switch the cooler on, so it is sent with the next "on". */
		return has_switch ? indi_line_switch(c->peer.line, device, "CCD_COOLER", "COOLER_OFF", err)
			: err_set(err, ERR_REFUSED, "INDI's driver of '%.40s' cannot switch its cooler off", device);
	}
	struct indi_set set = {"CCD_TEMPERATURE_VALUE", set_point_c};
	enum err_code code = ERR_OK;
	if (has_switch && !is_on) {
		code = indi_line_switch(c->peer.line, device, "CCD_COOLER", "COOLER_ON", err);
	}
	return code == ERR_OK ? indi_line_set(c->peer.line, device, "CCD_TEMPERATURE", &set, 1, err) : code;
}

static enum err_code indi_camera_posted(void *ctx, const void *data, size_t size, struct err *err)
{
	(void)data;
	(void)size;
	struct indi_camera *c = ctx;
	return indi_peer_posted(&c->peer, err);
}

const struct camera_driver indi_camera_driver = {
	.name = "indi",
	.title = "INDI camera",
	.ctx_size = sizeof(struct indi_camera),
	.uses_port = true,
	.read_port = indi_read_port,
	.uses_device = true,
	.open = indi_camera_open,
	.identify = indi_camera_identify,
	.close = indi_camera_close,
	.posted = indi_camera_posted,
	.start_exposure = indi_exposure_start,
	.poll = indi_exposure_poll,
	.abort = indi_exposure_abort,
	.lend_frame = indi_exposure_lend,
	.read_lent = indi_exposure_read,
	.poll_climate = indi_camera_climate,
	.set_cooler = indi_camera_cooler,
	.pulse_guide = indi_camera_guide,
};
