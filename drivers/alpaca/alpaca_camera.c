/* SPDX-License-Identifier: MIT */
/*
 * A camera that another Alpaca server offers.  Exposures are that server's; its pictures come as ImageBytes, or as JSON
 * from servers that know nothing else.  Both have the order of our frames already, and go into the lent frame as they
 * come from the network.
 */
#include "alpaca_camera.h"

#include <math.h>
#include <stdio.h>

#include "alpaca_bytes.h"
#include "alpaca_json.h"
#include "log.h"
#include "moment.h"

#define IDENTIFY_MS 1150
#define ABORT_MS 1500
/* A picture that stops coming for so long is given up; reading out a large sensor takes some seconds before that. */
#define STALL_MS 30000
/* An exposure is looked at this often at the most and at the least. */
#define LOOK_MIN_MS 20
#define LOOK_MAX_MS 500
/* Durations that differ by more are those of two exposures: a fifth, and half a second for what shutters take. */
#define SAME_SHARE 0.2
#define SAME_S 0.5

/* CameraStates (ICameraV4). */
enum { STATE_IDLE, STATE_WAITING, STATE_EXPOSING, STATE_READING, STATE_DOWNLOAD, STATE_ERROR };

extern const struct camera_driver alpaca_camera_driver;

static enum err_code camera_open(void *ctx, const struct camera_port *port, const struct driver_host *host,
	struct camera_caps *caps, struct err *err)
{
	struct alpaca_camera *a = ctx;
	(void)caps;
	return alpaca_client_open(&a->client, "camera", port->port, port->device, host, err);
}

static enum err_code camera_identify(void *ctx, struct camera_caps *caps, struct err *err)
{
	struct alpaca_camera *a = ctx;
	int64_t deadline_ms = real_ms() + IDENTIFY_MS;
	enum err_code code = alpaca_client_link(&a->client, deadline_ms, err);
	if (code == ERR_OK) {
		code = alpaca_camera_ask(&a->client, &a->facts, deadline_ms, err);
	}
	if (code != ERR_OK) {
		return code;
	}
	for (int i = 0; i < ALPACA_MODES_MAX; i++) {
		a->facts.mode[i] = a->facts.mode_name[i][0] != '\0' ? a->facts.mode_name[i] : NULL;
	}
	alpaca_camera_caps(&a->client, &a->facts, caps);
	a->longest_s = caps->exposure_max_s;
	return ERR_OK;
}

enum err_code alpaca_camera_require_link(const struct alpaca_camera *a, struct err *err)
{
	return a->client.linked ? ERR_OK : err_set(err, ERR_NOT_CONNECTED, "not connected to the other server");
}

/* ---- ending ---- */

/* Has the other server throw away what it exposes.  A camera that cannot abort is stopped, and its picture is not
 * fetched. */
static enum err_code tell_abort(struct alpaca_camera *a, struct err *err)
{
	if (!a->facts.can_abort && !a->facts.can_stop) {
		return ERR_OK;
	}
	return alpaca_put(&a->client, ALPACA_STOP, a->facts.can_abort ? "abortexposure" : "stopexposure", "",
		real_ms() + ABORT_MS, err);
}

static enum err_code camera_abort(void *ctx, struct err *err)
{
	struct alpaca_camera *a = ctx;
	bool exposing = a->exposing;
	a->exposing = false;
	a->frame = NULL;
	if (!exposing || !a->client.linked) {
		return ERR_OK;
	}
	a->abort_owed = alpaca_http_is_late(a->client.http);
	return tell_abort(a, err);
}

static void camera_close(void *ctx)
{
	struct alpaca_camera *a = ctx;
	struct err ignored;
	if (!a->client.gone) {
		(void)camera_abort(a, &ignored);
	}
	alpaca_client_close(&a->client);
	*a = (struct alpaca_camera){.exposing = false};
}

/* Looks what became of a start that stayed out.  When an abort has overtaken it, the exposure is aborted again as soon
 * as the start is answered, since the other server may have taken the start after the abort. */
static enum err_code settle_late(struct alpaca_camera *a, int64_t until_ms, struct err *err)
{
	bool came = false;
	if (!alpaca_http_is_late(a->client.http)) {
		return ERR_OK;
	}
	enum err_code code = alpaca_client_late(&a->client, until_ms, &came, err);
	if (came && a->abort_owed) {
		a->abort_owed = false;
		log_warn(a->client.host->source, "the start of an exposure was answered after its abort: aborted "
			"again");
		return tell_abort(a, err);
	}
	if (came && code != ERR_OK) {
		a->exposing = false;
	}
	return code;
}

static enum err_code camera_stop(void *ctx, struct err *err)
{
	struct alpaca_camera *a = ctx;
	if (!a->exposing) {
		return ERR_OK;
	}
	enum err_code code =
		alpaca_put(&a->client, ALPACA_STOP, "stopexposure", "", real_ms() + ABORT_MS, err);
	a->stopped = a->stopped || code == ERR_OK;
	return code;
}

/* ---- starting ---- */

struct setting {
	const char *member, *name;
	int32_t value;
	bool wanted;
};

/* Everything is said before each exposure, because others may have changed it meanwhile. */
static enum err_code prepare(struct alpaca_camera *a, const struct exposure_request *r, int64_t deadline_ms,
	struct err *err)
{
	const struct alpaca_camera_facts *facts = &a->facts;
	const struct setting settings[] = {
		{"binx", "BinX", r->bin, true},
		{"biny", "BinY", r->bin, true},
		{"startx", "StartX", r->start_x, true},
		{"starty", "StartY", r->start_y, true},
		{"numx", "NumX", r->num_x, true},
		{"numy", "NumY", r->num_y, true},
		{"gain", "Gain", r->gain, facts->has_gain},
		{"offset", "Offset", r->offset, facts->has_offset},
		{"readoutmode", "ReadoutMode", r->readout_mode, facts->mode[0] != NULL && facts->mode[1] != NULL &&
			!facts->can_fast},
	};
	enum err_code code = ERR_OK;
	for (size_t i = 0; code == ERR_OK && i < sizeof settings / sizeof settings[0]; i++) {
		char fields[60];
		snprintf(fields, sizeof fields, "%s=%d", settings[i].name, (int)settings[i].value);
		if (settings[i].wanted) {
			code = alpaca_put(&a->client, ALPACA_ASK, settings[i].member, fields, deadline_ms, err);
		}
	}
	if (code == ERR_OK && facts->can_fast) {
		code = alpaca_put(&a->client, ALPACA_ASK, "fastreadout", r->fast_readout ? "FastReadout=True"
			: "FastReadout=False", deadline_ms, err);
	}
	return code;
}

static enum err_code camera_start(void *ctx, const struct exposure_request *request, struct err *err)
{
	struct alpaca_camera *a = ctx;
	int64_t deadline_ms = real_ms() + ALPACA_CAMERA_CALL_MS;
	enum err_code code = alpaca_camera_require_link(a, err);
	if (code == ERR_OK && a->exposing) {
		code = err_set(err, ERR_INVALID_OPERATION, "an exposure is going on");
	}
	if (code == ERR_OK && !(request->duration_s >= 0.0 && request->duration_s <= a->longest_s)) {
		code = err_set(err, ERR_INVALID_VALUE, "an exposure lasts 0 to %g s", a->longest_s);
	}
	if (code == ERR_OK) {
		code = settle_late(a, deadline_ms, err);
	}
	if (code == ERR_OK && alpaca_http_is_late(a->client.http)) {
		code = err_set(err, ERR_TIMEOUT, "%s has not answered the start of the exposure before",
			alpaca_http_name(a->client.http));
	}
	if (code == ERR_OK) {
		code = prepare(a, request, deadline_ms, err);
	}
	if (code != ERR_OK) {
		return code;
	}
	char fields[80], duration[32];
	text_print_double(duration, request->duration_s);
	snprintf(fields, sizeof fields, "Duration=%s&Light=%s", duration, request->light ? "True" : "False");
	a->request = *request;
	a->ready = a->stopped = a->abort_owed = false;
	a->start_ms = clock_now_ms(a->client.host->clock);
	code = alpaca_put(&a->client, ALPACA_ORDER, "startexposure", fields, deadline_ms, err);
	/* A start that has no answer yet may expose all the same, so core has to abort it when it gives it up. */
	a->exposing = code == ERR_OK || alpaca_http_is_late(a->client.http);
	return code;
}

static void camera_lend(void *ctx, struct frame *frame)
{
	struct alpaca_camera *a = ctx;
	a->frame = frame;
}

/* ---- watching ---- */

static int look_again_ms(double left_s)
{
	double half_ms = left_s * 500.0;
	return half_ms < LOOK_MIN_MS ? LOOK_MIN_MS : half_ms > LOOK_MAX_MS ? LOOK_MAX_MS : (int)half_ms;
}

/* What a state that is not "ready" means. */
static enum err_code judge_state(int32_t state, struct camera_reading *out, struct err *err)
{
	switch (state) {
	case STATE_IDLE:
		out->state = CAMERA_DRIVER_IDLE;
		return ERR_OK;
	case STATE_WAITING:
	case STATE_EXPOSING:
		out->state = CAMERA_DRIVER_EXPOSING;
		return ERR_OK;
	case STATE_READING:
	case STATE_DOWNLOAD:
		out->state = CAMERA_DRIVER_READING;
		return ERR_OK;
	default:
		return err_set(err, ERR_REFUSED, "the other server says that the camera is in an error state (%d)",
			(int)state);
	}
}

static enum err_code camera_poll(void *ctx, struct camera_reading *out, struct err *err)
{
	struct alpaca_camera *a = ctx;
	int64_t deadline_ms = real_ms() + ALPACA_CAMERA_CALL_MS;
	*out = (struct camera_reading){.state = CAMERA_DRIVER_IDLE};
	enum err_code code = alpaca_camera_require_link(a, err);
	if (code == ERR_OK) {
		code = settle_late(a, 0, err);
	}
	if (code != ERR_OK || !a->exposing) {
		return code;
	}
	double elapsed_s = (double)(clock_now_ms(a->client.host->clock) - a->start_ms) / 1000.0;
	out->elapsed_s = fmin(elapsed_s, a->request.duration_s);
	out->next_poll_ms = look_again_ms(a->request.duration_s - elapsed_s);
	bool ready = false;
	int32_t state = STATE_EXPOSING;
	/* The standard tells an exposure that has failed by an error of this member. */
	code = alpaca_get_bool(&a->client, "imageready", deadline_ms, &ready, err);
	if (code == ERR_OK && !ready) {
		code = alpaca_get_int(&a->client, "camerastate", deadline_ms, &state, err);
		if (code == ERR_NOT_IMPLEMENTED) {
			state = STATE_EXPOSING;
			code = ERR_OK;
		}
	}
	if (code == ERR_OK && !ready && state == STATE_IDLE) {
		/* It may have become ready between the two questions. */
		code = alpaca_get_bool(&a->client, "imageready", deadline_ms, &ready, err);
	}
	a->ready = code == ERR_OK && ready;
	if (a->ready) {
		out->state = CAMERA_DRIVER_READY;
		return ERR_OK;
	}
	code = code == ERR_OK ? judge_state(state, out, err) : code;
	a->exposing = a->exposing && !(code == ERR_OK && out->state == CAMERA_DRIVER_IDLE);
	return code;
}

/* ---- the picture ---- */

static bool take_bytes(void *ctx, const void *data, size_t size, struct err *err)
{
	return alpaca_bytes_take(ctx, data, size, err) == ERR_OK;
}

static bool take_json(void *ctx, const void *data, size_t size, struct err *err)
{
	return alpaca_json_take(ctx, data, size, err) == ERR_OK;
}

/* What an answer that was no ImageBytes means: text, or an error. */
static enum err_code read_text(const struct alpaca_camera *a, const struct alpaca_json *text,
	const struct alpaca_response *response, struct err *err)
{
	bool is_json = response->sunk != NULL;
	struct span body = is_json ? (struct span){buf_text(&text->envelope), text->envelope.len} : response->body;
	struct alpaca_answer answer;
	enum err_code code = alpaca_answer_read(response->status, body, "imagearray", &answer, err);
	alpaca_answer_fini(&answer);
	if (code == ERR_OK) {
		code = is_json ? alpaca_json_end(text, err)
			       : err_set(err, ERR_PROTOCOL, "%s sends a picture neither as ImageBytes nor as JSON",
					alpaca_http_name(a->client.http));
	}
	return code;
}

static enum err_code fetch_once(struct alpaca_camera *a, struct alpaca_bytes *bytes, struct err *err)
{
	char path[160], ids[80];
	struct alpaca_json text;
	const struct alpaca_sink sinks[] = {
		{.content_type = ALPACA_BYTES_TYPE, .take = take_bytes, .ctx = bytes},
		{.content_type = ALPACA_JSON_TYPE, .take = take_json, .ctx = &text},
		{.content_type = NULL},
	};
	struct alpaca_request request = {
		.lane = ALPACA_ASK,
		.path = path,
		.fields = ids,
		.accept = ALPACA_BYTES_TYPE ", " ALPACA_JSON_TYPE,
		.deadline_ms = CLOCK_NEVER,
		.stall_ms = STALL_MS,
		.sinks = sinks,
	};
	struct alpaca_response response;
	alpaca_bytes_begin(bytes, a->frame);
	alpaca_json_begin(&text, bytes);
	alpaca_client_path(&a->client, "imagearray", path, sizeof path);
	alpaca_client_ids(&a->client, ids, sizeof ids);
	enum err_code code = alpaca_http_call(a->client.http, &request, &response, err);
	a->client.gone = code == ERR_IO || code == ERR_TIMEOUT;
	if (code == ERR_OK) {
		code = response.sunk == &sinks[0] ? alpaca_bytes_end(bytes, err) : read_text(a, &text, &response, err);
	}
	alpaca_json_fini(&text);
	return code;
}

/* A picture whose transfer broke is still there, and is fetched once more. */
static enum err_code fetch(struct alpaca_camera *a, struct alpaca_bytes *bytes, struct err *err)
{
	struct err why;
	enum err_code code = fetch_once(a, bytes, &why);
	if (code == ERR_IO) {
		log_info(a->client.host->source, "the picture is fetched again: %s", why.text);
		code = fetch_once(a, bytes, &why);
	}
	return code == ERR_OK ? ERR_OK : err_copy(err, &why);
}

/* How long it really collected light; refuses a picture of somebody else's exposure, which took the place of ours. */
static enum err_code ask_duration(struct alpaca_camera *a, double *seconds, struct err *err)
{
	struct err why;
	double told;
	double asked = a->request.duration_s;
	*seconds = asked;
	enum err_code code = alpaca_get_double(&a->client, "lastexposureduration",
		real_ms() + ALPACA_CAMERA_CALL_MS, &told, &why);
	if (code == ERR_IO || code == ERR_CANCELLED || code == ERR_TIMEOUT) {
		return err_copy(err, &why);
	}
	if (code != ERR_OK || told < 0) {
		return ERR_OK;
	}
	*seconds = told;
	double floor_s = fmax(asked, a->facts.exposure_min_s > 0 ? a->facts.exposure_min_s : 0.0);
	bool longer = told > floor_s * (1.0 + SAME_SHARE) + SAME_S;
	bool shorter = told < asked * (1.0 - SAME_SHARE) - SAME_S && !a->stopped;
	if (longer || shorter) {
		return err_set(err, ERR_REFUSED, "the picture there is one of %.6g s, not of %.6g s: another client of "
			"%s has exposed", told, asked, alpaca_http_name(a->client.http));
	}
	return ERR_OK;
}

static enum err_code camera_read(void *ctx, struct frame_info *info, struct err *err)
{
	struct alpaca_camera *a = ctx;
	const struct exposure_request *r = &a->request;
	struct alpaca_bytes bytes;
	if (!a->exposing || !a->ready || a->frame == NULL) {
		return err_set(err, ERR_INVALID_OPERATION, "no exposure is ready");
	}
	double exposure_s = 0;
	enum err_code code = ask_duration(a, &exposure_s, err);
	if (code == ERR_OK) {
		code = fetch(a, &bytes, err);
	}
	if (code != ERR_OK) {
		return code;
	}
	if (bytes.cut > 0 && !a->warned_cut) {
		a->warned_cut = true;
		log_warn(a->client.host->source, "%llu pixels are outside of what the camera says that its pixels "
			"have, and were cut off", (unsigned long long)bytes.cut);
	}
	a->exposing = false;
	a->frame = NULL;
	bool mosaic = a->facts.has_sensor_type && a->facts.sensor_type >= 2;
	*info = (struct frame_info){
		.width = r->num_x,
		.height = r->num_y,
		.planes = a->facts.has_sensor_type && a->facts.sensor_type == 1 ? 3 : 1,
		.bin = r->bin,
		/* What binning makes of a mosaic is the other driver's affair. */
		.mosaic = mosaic && r->bin == 1 ? IMAGE_BAYER : IMAGE_MONO,
		.full_scale_adu = a->facts.max_adu > 0 ? (double)a->facts.max_adu : (double)NAN,
		.exposure_s = exposure_s,
	};
	return ERR_OK;
}

const struct camera_driver alpaca_camera_driver = {
	.name = "alpaca",
	.title = "Camera of another Alpaca server",
	.ctx_size = sizeof(struct alpaca_camera),
	.uses_port = true,
	.read_port = alpaca_place_check,
	.uses_device = true,
	.mode = CAMERA_BORROWED,
	.open = camera_open,
	.identify = camera_identify,
	.close = camera_close,
	.start_exposure = camera_start,
	.poll = camera_poll,
	.abort = camera_abort,
	.stop = camera_stop,
	.lend_frame = camera_lend,
	.read_lent = camera_read,
	.poll_climate = alpaca_camera_climate,
	.set_cooler = alpaca_camera_cooler,
	.pulse_guide = alpaca_camera_pulse,
};
