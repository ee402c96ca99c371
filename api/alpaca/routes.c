/* SPDX-License-Identifier: MIT */
/*
 * Every member of IFocuserV4 and ICameraV4 with its parameters, one row each, and the way from a
 * request to its row: path, verb, ids, parameters, then retry, what is not there, connection,
 * handler.
 */
#include "alpaca_call.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "events.h"

#define NO_COMMANDS "This device has no raw commands: use the members and actions of the interface."
#define NO_STACKING "This camera does not stack exposures itself."
#define NO_GAIN_NAMES "Gain is a number between GainMin and GainMax; there is no list of names."
#define NO_OFFSET_NAMES                                                                            \
	"Offset is a number between OffsetMin and OffsetMax; there is no list of names."

#define NO_PARAMS                                                                                  \
	{                                                                                          \
		NULL, PARAM_NONE, false                                                            \
	}
#define READ(devices, member, value, flags, handler)                                               \
	{                                                                                          \
		devices, member, HTTP_GET, value, flags, handler, NULL,                            \
		{                                                                                  \
			NO_PARAMS                                                                  \
		}                                                                                  \
	}
#define NO_READ(devices, member, value, why)                                                       \
	{                                                                                          \
		devices, member, HTTP_GET, value, 0, NULL, why,                                    \
		{                                                                                  \
			NO_PARAMS                                                                  \
		}                                                                                  \
	}
#define WRITE(devices, member, value, flags, handler, ...)                                         \
	{                                                                                          \
		devices, member, HTTP_PUT, value, flags, handler, NULL,                            \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}
#define NO_WRITE(devices, member, value, why, ...)                                                 \
	{                                                                                          \
		devices, member, HTTP_PUT, value, 0, NULL, why,                                    \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

/* clang-format off */
const struct route alpaca_routes[] = {
	/* Common to all devices. */
	WRITE(ROUTE_ANY, "action", VALUE_STRING, ROUTE_RETRY, common_action, {"Action",
		PARAM_STRING, false}, {"Parameters", PARAM_STRING, true}),
	NO_WRITE(ROUTE_ANY, "commandblind", VALUE_NONE, NO_COMMANDS, {"Command", PARAM_STRING,
		false}, {"Raw", PARAM_BOOL, false}),
	NO_WRITE(ROUTE_ANY, "commandbool", VALUE_BOOL, NO_COMMANDS, {"Command", PARAM_STRING,
		false}, {"Raw", PARAM_BOOL, false}),
	NO_WRITE(ROUTE_ANY, "commandstring", VALUE_STRING, NO_COMMANDS, {"Command", PARAM_STRING,
		false}, {"Raw", PARAM_BOOL, false}),
	WRITE(ROUTE_ANY, "connect", VALUE_NONE, 0, common_connect, NO_PARAMS),
	READ(ROUTE_ANY, "connected", VALUE_BOOL, 0, common_connected),
	WRITE(ROUTE_ANY, "connected", VALUE_NONE, 0, common_set_connected, {"Connected",
		PARAM_BOOL, false}),
	READ(ROUTE_ANY, "connecting", VALUE_BOOL, 0, common_connecting),
	READ(ROUTE_ANY, "description", VALUE_STRING, 0, common_description),
	READ(ROUTE_FOCUSER, "devicestate", VALUE_ARRAY, 0, focuser_get_devicestate),
	READ(ROUTE_CAMERA, "devicestate", VALUE_ARRAY, 0, camera_get_devicestate),
	WRITE(ROUTE_ANY, "disconnect", VALUE_NONE, 0, common_disconnect, NO_PARAMS),
	READ(ROUTE_ANY, "driverinfo", VALUE_STRING, 0, common_driverinfo),
	READ(ROUTE_ANY, "driverversion", VALUE_STRING, 0, common_driverversion),
	READ(ROUTE_ANY, "interfaceversion", VALUE_INT, 0, common_interfaceversion),
	READ(ROUTE_ANY, "name", VALUE_STRING, 0, common_name),
	READ(ROUTE_ANY, "supportedactions", VALUE_ARRAY, 0, common_supportedactions),

	/* Focuser. */
	READ(ROUTE_FOCUSER, "absolute", VALUE_BOOL, ROUTE_LINK, focuser_get_absolute),
	READ(ROUTE_FOCUSER, "ismoving", VALUE_BOOL, ROUTE_LINK, focuser_get_ismoving),
	READ(ROUTE_FOCUSER, "maxincrement", VALUE_INT, ROUTE_LINK, focuser_get_maxincrement),
	READ(ROUTE_FOCUSER, "maxstep", VALUE_INT, ROUTE_LINK, focuser_get_maxstep),
	READ(ROUTE_FOCUSER, "position", VALUE_INT, ROUTE_LINK, focuser_get_position),
	READ(ROUTE_FOCUSER, "stepsize", VALUE_DOUBLE, ROUTE_LINK, focuser_get_stepsize),
	READ(ROUTE_FOCUSER, "tempcomp", VALUE_BOOL, ROUTE_LINK, focuser_get_tempcomp),
	READ(ROUTE_FOCUSER, "tempcompavailable", VALUE_BOOL, ROUTE_LINK,
		focuser_get_tempcompavailable),
	READ(ROUTE_FOCUSER, "temperature", VALUE_DOUBLE, ROUTE_LINK, focuser_get_temperature),
	WRITE(ROUTE_FOCUSER, "tempcomp", VALUE_NONE, ROUTE_LINK, focuser_put_tempcomp, {"TempComp",
		PARAM_BOOL, false}),
	WRITE(ROUTE_FOCUSER, "halt", VALUE_NONE, ROUTE_LINK, focuser_put_halt, NO_PARAMS),
	WRITE(ROUTE_FOCUSER, "move", VALUE_NONE, ROUTE_LINK | ROUTE_RETRY, focuser_put_move,
		{"Position", PARAM_I32, false}),

	/* Camera. */
	READ(ROUTE_CAMERA, "bayeroffsetx", VALUE_INT, ROUTE_LINK, camera_get_bayeroffsetx),
	READ(ROUTE_CAMERA, "bayeroffsety", VALUE_INT, ROUTE_LINK, camera_get_bayeroffsety),
	READ(ROUTE_CAMERA, "binx", VALUE_INT, ROUTE_LINK, camera_get_bin),
	READ(ROUTE_CAMERA, "biny", VALUE_INT, ROUTE_LINK, camera_get_bin),
	READ(ROUTE_CAMERA, "camerastate", VALUE_INT, ROUTE_LINK, camera_get_camerastate),
	READ(ROUTE_CAMERA, "cameraxsize", VALUE_INT, ROUTE_LINK, camera_get_cameraxsize),
	READ(ROUTE_CAMERA, "cameraysize", VALUE_INT, ROUTE_LINK, camera_get_cameraysize),
	READ(ROUTE_CAMERA, "canabortexposure", VALUE_BOOL, ROUTE_LINK, camera_get_canabortexposure),
	READ(ROUTE_CAMERA, "canasymmetricbin", VALUE_BOOL, ROUTE_LINK, camera_get_no),
	READ(ROUTE_CAMERA, "canfastreadout", VALUE_BOOL, ROUTE_LINK, camera_get_canfastreadout),
	READ(ROUTE_CAMERA, "cangetcoolerpower", VALUE_BOOL, ROUTE_LINK, camera_get_cangetcoolerpower),
	READ(ROUTE_CAMERA, "canpulseguide", VALUE_BOOL, ROUTE_LINK, camera_get_canpulseguide),
	READ(ROUTE_CAMERA, "cansetccdtemperature", VALUE_BOOL, ROUTE_LINK,
		camera_get_cansetccdtemperature),
	READ(ROUTE_CAMERA, "canstopexposure", VALUE_BOOL, ROUTE_LINK, camera_get_canstopexposure),
	READ(ROUTE_CAMERA, "ccdtemperature", VALUE_DOUBLE, ROUTE_LINK, camera_get_ccdtemperature),
	READ(ROUTE_CAMERA, "cooleron", VALUE_BOOL, ROUTE_LINK, camera_get_cooleron),
	READ(ROUTE_CAMERA, "coolerpower", VALUE_DOUBLE, ROUTE_LINK, camera_get_coolerpower),
	READ(ROUTE_CAMERA, "electronsperadu", VALUE_DOUBLE, ROUTE_LINK, camera_get_electronsperadu),
	READ(ROUTE_CAMERA, "exposuremax", VALUE_DOUBLE, ROUTE_LINK, camera_get_exposuremax),
	READ(ROUTE_CAMERA, "exposuremin", VALUE_DOUBLE, ROUTE_LINK, camera_get_exposuremin),
	READ(ROUTE_CAMERA, "exposureresolution", VALUE_DOUBLE, ROUTE_LINK,
		camera_get_exposureresolution),
	READ(ROUTE_CAMERA, "fastreadout", VALUE_BOOL, ROUTE_LINK, camera_get_fastreadout),
	READ(ROUTE_CAMERA, "fullwellcapacity", VALUE_DOUBLE, ROUTE_LINK,
		camera_get_fullwellcapacity),
	READ(ROUTE_CAMERA, "gain", VALUE_INT, ROUTE_LINK, camera_get_gain),
	READ(ROUTE_CAMERA, "gainmax", VALUE_INT, ROUTE_LINK, camera_get_gainmax),
	READ(ROUTE_CAMERA, "gainmin", VALUE_INT, ROUTE_LINK, camera_get_gainmin),
	NO_READ(ROUTE_CAMERA, "gains", VALUE_ARRAY, NO_GAIN_NAMES),
	READ(ROUTE_CAMERA, "hasshutter", VALUE_BOOL, ROUTE_LINK, camera_get_hasshutter),
	READ(ROUTE_CAMERA, "heatsinktemperature", VALUE_DOUBLE, ROUTE_LINK,
		camera_get_heatsinktemperature),
	READ(ROUTE_CAMERA, "imagearray", VALUE_IMAGE, ROUTE_LINK, camera_get_imagearray),
	READ(ROUTE_CAMERA, "imagearrayvariant", VALUE_IMAGE, ROUTE_LINK, camera_get_imagearray),
	READ(ROUTE_CAMERA, "imageready", VALUE_BOOL, ROUTE_LINK, camera_get_imageready),
	READ(ROUTE_CAMERA, "ispulseguiding", VALUE_BOOL, ROUTE_LINK, camera_get_ispulseguiding),
	READ(ROUTE_CAMERA, "lastexposureduration", VALUE_DOUBLE, ROUTE_LINK,
		camera_get_lastexposureduration),
	READ(ROUTE_CAMERA, "lastexposurestarttime", VALUE_STRING, ROUTE_LINK,
		camera_get_lastexposurestarttime),
	READ(ROUTE_CAMERA, "maxadu", VALUE_INT, ROUTE_LINK, camera_get_maxadu),
	READ(ROUTE_CAMERA, "maxbinx", VALUE_INT, ROUTE_LINK, camera_get_maxbin),
	READ(ROUTE_CAMERA, "maxbiny", VALUE_INT, ROUTE_LINK, camera_get_maxbin),
	READ(ROUTE_CAMERA, "numx", VALUE_INT, ROUTE_LINK, camera_get_numx),
	READ(ROUTE_CAMERA, "numy", VALUE_INT, ROUTE_LINK, camera_get_numy),
	READ(ROUTE_CAMERA, "offset", VALUE_INT, ROUTE_LINK, camera_get_offset),
	READ(ROUTE_CAMERA, "offsetmax", VALUE_INT, ROUTE_LINK, camera_get_offsetmax),
	READ(ROUTE_CAMERA, "offsetmin", VALUE_INT, ROUTE_LINK, camera_get_offsetmin),
	NO_READ(ROUTE_CAMERA, "offsets", VALUE_ARRAY, NO_OFFSET_NAMES),
	READ(ROUTE_CAMERA, "percentcompleted", VALUE_INT, ROUTE_LINK, camera_get_percentcompleted),
	READ(ROUTE_CAMERA, "pixelsizex", VALUE_DOUBLE, ROUTE_LINK, camera_get_pixelsize),
	READ(ROUTE_CAMERA, "pixelsizey", VALUE_DOUBLE, ROUTE_LINK, camera_get_pixelsize),
	READ(ROUTE_CAMERA, "readoutmode", VALUE_INT, ROUTE_LINK, camera_get_readoutmode),
	READ(ROUTE_CAMERA, "readoutmodes", VALUE_ARRAY, ROUTE_LINK, camera_get_readoutmodes),
	READ(ROUTE_CAMERA, "sensorname", VALUE_STRING, ROUTE_LINK, camera_get_sensorname),
	READ(ROUTE_CAMERA, "sensortype", VALUE_INT, ROUTE_LINK, camera_get_sensortype),
	READ(ROUTE_CAMERA, "setccdtemperature", VALUE_DOUBLE, ROUTE_LINK,
		camera_get_setccdtemperature),
	READ(ROUTE_CAMERA, "startx", VALUE_INT, ROUTE_LINK, camera_get_startx),
	READ(ROUTE_CAMERA, "starty", VALUE_INT, ROUTE_LINK, camera_get_starty),
	NO_READ(ROUTE_CAMERA, "subexposureduration", VALUE_DOUBLE, NO_STACKING),
	WRITE(ROUTE_CAMERA, "binx", VALUE_NONE, ROUTE_LINK, camera_put_bin, {"BinX", PARAM_I32,
		false}),
	WRITE(ROUTE_CAMERA, "biny", VALUE_NONE, ROUTE_LINK, camera_put_bin, {"BinY", PARAM_I32,
		false}),
	WRITE(ROUTE_CAMERA, "cooleron", VALUE_NONE, ROUTE_LINK, camera_put_cooleron, {"CoolerOn",
		PARAM_BOOL, false}),
	WRITE(ROUTE_CAMERA, "fastreadout", VALUE_NONE, ROUTE_LINK, camera_put_fastreadout,
		{"FastReadout", PARAM_BOOL, false}),
	WRITE(ROUTE_CAMERA, "gain", VALUE_NONE, ROUTE_LINK, camera_put_gain, {"Gain", PARAM_I32,
		false}),
	WRITE(ROUTE_CAMERA, "numx", VALUE_NONE, ROUTE_LINK, camera_put_numx, {"NumX", PARAM_I32,
		false}),
	WRITE(ROUTE_CAMERA, "numy", VALUE_NONE, ROUTE_LINK, camera_put_numy, {"NumY", PARAM_I32,
		false}),
	WRITE(ROUTE_CAMERA, "offset", VALUE_NONE, ROUTE_LINK, camera_put_offset, {"Offset",
		PARAM_I32, false}),
	WRITE(ROUTE_CAMERA, "readoutmode", VALUE_NONE, ROUTE_LINK, camera_put_readoutmode,
		{"ReadoutMode", PARAM_I32, false}),
	WRITE(ROUTE_CAMERA, "setccdtemperature", VALUE_NONE, ROUTE_LINK,
		camera_put_setccdtemperature, {"SetCCDTemperature", PARAM_DOUBLE, false}),
	WRITE(ROUTE_CAMERA, "startx", VALUE_NONE, ROUTE_LINK, camera_put_startx, {"StartX",
		PARAM_I32, false}),
	WRITE(ROUTE_CAMERA, "starty", VALUE_NONE, ROUTE_LINK, camera_put_starty, {"StartY",
		PARAM_I32, false}),
	NO_WRITE(ROUTE_CAMERA, "subexposureduration", VALUE_NONE, NO_STACKING,
		{"SubExposureDuration", PARAM_DOUBLE, false}),
	WRITE(ROUTE_CAMERA, "abortexposure", VALUE_NONE, ROUTE_LINK, camera_put_abortexposure,
		NO_PARAMS),
	WRITE(ROUTE_CAMERA, "pulseguide", VALUE_NONE, ROUTE_LINK, camera_put_pulseguide,
		{"Direction", PARAM_I32, false}, {"Duration", PARAM_I32, false}),
	WRITE(ROUTE_CAMERA, "startexposure", VALUE_NONE, ROUTE_LINK | ROUTE_RETRY,
		camera_put_startexposure, {"Duration", PARAM_DOUBLE, false}, {"Light", PARAM_BOOL, false}),
	WRITE(ROUTE_CAMERA, "stopexposure", VALUE_NONE, ROUTE_LINK, camera_put_stopexposure,
		NO_PARAMS),
};
/* clang-format on */
const size_t alpaca_route_count = sizeof alpaca_routes / sizeof alpaca_routes[0];

enum {
	RETRY_WINDOW_MS = 15000,
	RETRY_ACTION_WINDOW_MS = 150000,
	JOIN_MS = 110000, /* longer than any call waits */
};

static int by_member(const void *a, const void *b)
{
	const struct route *const *left = a;
	const struct route *const *right = b;
	return strcmp((*left)->member, (*right)->member);
}

struct alpaca *alpaca_create(const struct served *served)
{
	struct alpaca *alpaca = calloc(1, sizeof *alpaca);
	if (alpaca == NULL) {
		return NULL;
	}
	alpaca->served = served;
	alpaca->retries = retry_create();
	alpaca->index = calloc(alpaca_route_count, sizeof(const struct route *));
	if (alpaca->retries == NULL || alpaca->index == NULL) {
		alpaca_destroy(alpaca);
		return NULL;
	}
	for (size_t i = 0; i < alpaca_route_count; i++) {
		alpaca->index[i] = &alpaca_routes[i];
	}
	qsort(alpaca->index, alpaca_route_count, sizeof(const struct route *), by_member);
	return alpaca;
}

void alpaca_destroy(struct alpaca *alpaca)
{
	if (alpaca == NULL) {
		return;
	}
	retry_destroy(alpaca->retries);
	free(alpaca->index);
	free(alpaca);
}

uint32_t alpaca_next_transaction(struct alpaca *alpaca)
{
	uint32_t number;
	do {
		number = atomic_fetch_add(&alpaca->transactions, 1) + 1;
	} while (number == 0);
	return number;
}

static bool is_below(const char *path, const char *root)
{
	size_t len = strlen(root);
	return strncmp(path, root, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

bool alpaca_owns(const char *path)
{
	return is_below(path, "/api") || is_below(path, "/management");
}

/* The rows of a member are neighbours in the index; *first is the first of them. */
static size_t find_member(const struct alpaca *alpaca, struct span member, size_t *first)
{
	size_t low = 0;
	size_t high = alpaca_route_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		const char *name = alpaca->index[middle]->member;
		int order = strncmp(name, member.data, member.len);
		if (order < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	/* Longer names that begin alike come after the exact one. */
	size_t count = 0;
	while (low + count < alpaca_route_count &&
		span_equal(member, alpaca->index[low + count]->member)) {
		count++;
	}
	*first = low;
	return count;
}

/* Finds the row, or says 400 or 405 and returns NULL. */
static const struct route *find_route(struct call *call, const struct alpaca_path *path)
{
	unsigned bit = path->kind->bit;
	enum http_verb verb = call->req->verb == HTTP_HEAD ? HTTP_GET : call->req->verb;
	bool reads = false;
	bool writes = false;
	size_t first;
	size_t count = find_member(call->alpaca, path->member, &first);
	for (size_t i = first; i < first + count; i++) {
		const struct route *route = call->alpaca->index[i];
		if ((route->devices & bit) == 0) {
			continue;
		}
		if (route->verb == verb) {
			return route;
		}
		reads = reads || route->verb == HTTP_GET;
		writes = writes || route->verb == HTTP_PUT;
	}
	const char *type = path->kind->kind->name;
	if (!reads && !writes) {
		http_text(call->res, 400,
			"A %s has no member \"%.*s\" (names are in lower case, as in "
			"/api/v1/%s/0/connected).",
			type, path->member.len > 40 ? 40 : (int)path->member.len, path->member.data,
			type);
		return NULL;
	}
	http_text(call->res, 405, "The member %.*s of a %s takes only %s.", (int)path->member.len,
		path->member.data, type,
		reads && writes ? "GET and PUT"
		: reads         ? "GET"
				: "PUT");
	http_add_header(call->res, "Allow", reads && writes ? "GET, PUT" : reads ? "GET" : "PUT");
	return NULL;
}

/* Path, verb, ids and parameters; false when an answer in plain text was given. */
static bool check(struct call *call)
{
	struct err err = {.code = ERR_OK};
	struct alpaca_path path;
	if (alpaca_path_parse(call->req->path, &path, &err) != ERR_OK) {
		http_text(call->res, 400, "%s", err.text);
		return false;
	}
	call->dev = path.number <= INT32_MAX
			    ? devices_find(call->served->devices, path.kind->kind, (int)path.number)
			    : NULL;
	if (call->dev == NULL) {
		http_text(call->res, 400,
			"There is no %s number %" PRIu32
			": GET /management/v1/configureddevices lists what "
			"there is.",
			path.kind->kind->name, path.number);
		return false;
	}
	call->info = device_info(call->dev);
	call->route = find_route(call, &path);
	if (call->route == NULL) {
		return false;
	}
	bool is_put = call->route->verb == HTTP_PUT;
	if (alpaca_ids_parse(is_put ? call->req->body : call->req->query, !is_put, &call->ids,
		    &err) != ERR_OK) {
		http_text(call->res, 400, "%s", err.text);
		return false;
	}
	for (int i = 0; i < ALPACA_MAX_PARAMS && call->route->param[i].name != NULL; i++) {
		enum err_code code = alpaca_param_parse(
			call->req, &call->route->param[i], &call->value[i], &err);
		if (code != ERR_OK) {
			http_text(call->res, code == ERR_NOMEM ? 500 : 400, "%s", err.text);
			return false;
		}
	}
	return true;
}

/* Gives the first answer of a repeated PUT, or waits for it. */
static enum http_result join(struct call *call, struct retry_ticket ticket)
{
	struct buf answer;
	buf_init(&answer, 1024 * 1024);
	switch (retry_fetch(call->alpaca->retries, ticket, &answer)) {
	case RETRY_READY:
		call->res->status = 200;
		call->res->content_type = "application/json";
		call->res->body = answer;
		return HTTP_DONE;
	case RETRY_PENDING:
		break;
	case RETRY_GONE:
		return reply_failure(call, ERR_INTERNAL,
			"The answer to the first of these equal requests is no longer known.");
	}
	buf_fini(&answer);
	if (call->wait == NULL) {
		enum http_result result =
			call_wait(call, 0, 0, clock_now_ms(clock_real()) + JOIN_MS);
		if (result == HTTP_WAIT) {
			call->wait->joined = true;
			call->wait->retry = ticket;
		}
		return result;
	}
	if (call_is_late(call)) {
		return reply_failure(
			call, ERR_TIMEOUT, "The first of these equal requests still runs.");
	}
	return HTTP_WAIT;
}

/* Whether the PUT is an earlier one sent again; otherwise *ticket remembers it. */
static bool is_repeated(struct call *call, struct retry_ticket *ticket)
{
	const struct retry_key key = {
		.device = call->dev,
		.peer = call->client.peer,
		.client = call->ids.client,
		.transaction = call->ids.transaction,
		.member = call->route->member,
		.body = call->req->body,
	};
	int64_t window_ms = (call->route->flags & ROUTE_RETRY) == 0 ? 0
			    : call->route->handler == common_action ? RETRY_ACTION_WINDOW_MS
								    : RETRY_WINDOW_MS;
	return retry_note(call->alpaca->retries, &key, window_ms, clock_now_ms(clock_real()),
		       ticket) == RETRY_AGAIN;
}

static enum http_result answer(struct call *call)
{
	if (call->route->handler == NULL) {
		return reply_failure(call, ERR_NOT_IMPLEMENTED, "%s", call->route->absent);
	}
	struct err err = {.code = ERR_OK};
	if ((call->route->flags & ROUTE_LINK) != 0 &&
		device_require(call->dev, &call->client, &err) != ERR_OK) {
		return reply_result(call, ERR_NOT_CONNECTED, &err);
	}
	return call->route->handler(call);
}

static enum http_result dispatch(struct call *call)
{
	call->client = (struct client){.id = call->ids.client};
	memcpy(call->client.peer, call->req->peer, sizeof call->client.peer);
	struct retry_ticket ticket = {.slot = 0, .serial = 0};
	if (call->wait != NULL) {
		call->server_transaction = call->wait->server_transaction;
		if (call->wait->joined) {
			return join(call, call->wait->retry);
		}
		ticket = call->wait->retry;
	} else {
		call->server_transaction = alpaca_next_transaction(call->alpaca);
		device_touch(call->dev, &call->client);
		if (call->route->verb == HTTP_PUT && is_repeated(call, &ticket)) {
			return join(call, ticket);
		}
	}
	enum http_result result = answer(call);
	if (result == HTTP_WAIT) {
		call->wait->retry = ticket;
	} else if (retry_answered(call->alpaca->retries, ticket,
			   (struct span){.data = buf_text(&call->res->body),
				   .len = call->res->body.len})) {
		events_publish(call->served->events);
	}
	return result;
}

enum http_result alpaca_handle(
	struct alpaca *alpaca, const struct http_request *req, struct http_response *res)
{
	if (!is_below(req->path, "/api")) {
		return management_handle(alpaca, req, res);
	}
	struct call call = {.alpaca = alpaca,
		.served = alpaca->served,
		.req = req,
		.res = res,
		.wait = req->wait->data};
	enum http_result result = check(&call) ? dispatch(&call) : HTTP_DONE;
	for (int i = 0; i < ALPACA_MAX_PARAMS; i++) {
		free(call.value[i].s);
	}
	return result;
}
