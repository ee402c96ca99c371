/* SPDX-License-Identifier: MIT */
/* The way of a request to its row of the table (route_table.c) and on: path, verb, ids, parameters; then the checks for
 * a member that the device does not have, and for the connection; then the handler. */
#include "alpaca_call.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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
	alpaca->starts = starts_create();
	alpaca->image_readers = image_readers_create();
	alpaca->index = calloc(alpaca_route_count, sizeof(const struct route *));
	if (alpaca->starts == NULL || alpaca->image_readers == NULL || alpaca->index == NULL) {
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
	starts_destroy(alpaca->starts);
	holds_destroy(alpaca->image_readers);
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

/* Finds the rows of a member, which are neighbours in the index: *first is the first of them, and the function returns
 * their number. */
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
	/* In the index, longer names that begin alike come after the exact one. */
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

/* Checks path, verb, ids and parameters; false when it has given an answer in plain text. */
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
	if (call->wait != NULL) {
		call->server_transaction = call->wait->server_transaction;
	} else {
		call->server_transaction = alpaca_next_transaction(call->alpaca);
		device_touch(call->dev, &call->client);
	}
	return answer(call);
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
