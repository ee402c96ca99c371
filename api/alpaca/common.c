/* SPDX-License-Identifier: MIT */
/* Members that every device has. */
#include "alpaca_call.h"

#include <stdio.h>
#include <string.h>

#include "borrowers.h"
#include "clock.h"
#include "json.h"

/* Clients give connecting 5 s and are promised an answer by 4.5 s. Core answers a little before this time. */
enum { CONNECT_WAIT_MS = 4400 };

enum http_result common_connected(struct call *call)
{
	return reply_bool(call, device_connected(call->dev, &call->client));
}

static enum err_code begin_connect(struct call *call, uint64_t *ticket, struct err *err)
{
	const char *ids = call->req->header(call->req, BORROWERS_HEADER);
	if (ids != NULL) {
		device_borrowed_by(call->dev, ids);
	}
	return device_connect(call->dev, &call->client, ticket, err);
}

static enum http_result connect_and_wait(struct call *call)
{
	struct err err = {.code = ERR_OK};
	uint64_t ticket;
	int64_t deadline_ms;
	if (call->wait == NULL) {
		enum err_code code = begin_connect(call, &ticket, &err);
		if (code != ERR_OK) {
			return reply_result(call, code, &err);
		}
		deadline_ms = clock_now_ms(clock_real()) + CONNECT_WAIT_MS;
	} else {
		ticket = call->wait->ticket;
		deadline_ms = call->wait->deadline_ms;
	}
	enum err_code result = ERR_OK;
	if (device_connect_done(call->dev, ticket, &result, &err)) {
		return reply_result(call, result, &err);
	}
	if (call_is_late(call)) {
		return reply_failure(call, ERR_TIMEOUT,
			"%s has not answered yet; focusd goes on trying.", call->info->name);
	}
	return call_wait(call, 0, ticket, deadline_ms);
}

static enum http_result disconnect_and_wait(struct call *call)
{
	int64_t deadline_ms;
	if (call->wait == NULL) {
		struct err err = {.code = ERR_OK};
		bool closing = false;
		enum err_code code = device_disconnect(call->dev, &call->client, &closing, &err);
		if (code != ERR_OK || !closing) {
			return reply_result(call, code, &err);
		}
		deadline_ms = clock_now_ms(clock_real()) + CONNECT_WAIT_MS;
	} else {
		deadline_ms = call->wait->deadline_ms;
	}
	/* Opening means that the link was down and that another client wishes it again already. */
	enum device_link link = device_link(call->dev);
	if (link == LINK_DOWN || link == LINK_OPENING) {
		return reply_ok(call);
	}
	if (call_is_late(call)) {
		/* This client reads false in either case; only the hardware takes time to let go. */
		return device_connected(call->dev, &call->client)
			       ? reply_failure(call, ERR_TIMEOUT, "%s does not let go of its port.",
					 call->info->name)
			       : reply_ok(call);
	}
	return call_wait(call, 0, 0, deadline_ms);
}

enum http_result common_set_connected(struct call *call)
{
	return call->value[0].b ? connect_and_wait(call) : disconnect_and_wait(call);
}

enum http_result common_connect(struct call *call)
{
	struct err err = {.code = ERR_OK};
	uint64_t ticket;
	enum err_code code = begin_connect(call, &ticket, &err);
	return reply_result(call, code, &err);
}

enum http_result common_disconnect(struct call *call)
{
	struct err err = {.code = ERR_OK};
	bool closing;
	enum err_code code = device_disconnect(call->dev, &call->client, &closing, &err);
	return reply_result(call, code, &err);
}

enum http_result common_connecting(struct call *call)
{
	struct err err = {.code = ERR_OK};
	bool connecting = false;
	enum err_code code = device_connecting(call->dev, &connecting, &err);
	return code == ERR_OK ? reply_bool(call, connecting) : reply_result(call, code, &err);
}

enum http_result common_description(struct call *call)
{
	/* Tells what the device says it is while it is connected; clients cut the text of a camera at 64 characters. */
	char text[65] = "";
	if (device_connected(call->dev, &call->client)) {
		alpaca_kind_of(call->info->kind)->describe(call->dev, text, sizeof text);
	}
	if (text[0] == '\0') {
		text_copy_clean(text, sizeof text, call->info->driver_title);
	}
	return reply_string(call, text);
}

enum http_result common_driverinfo(struct call *call)
{
	char text[200];
	snprintf(text, sizeof text, "focusd %s by the focusd project; driver %s (%s)",
		FOCUSD_VERSION, call->info->driver, call->info->driver_title);
	return reply_string(call, text);
}

enum http_result common_driverversion(struct call *call)
{
	/* Alpaca wants a version as "n.n" and nothing after it. */
	char text[16];
	snprintf(text, sizeof text, "%s", FOCUSD_VERSION);
	char *dot = strchr(text, '.');
	if (dot != NULL) {
		dot[1 + strspn(dot + 1, "0123456789")] = '\0';
	}
	return reply_string(call, text);
}

enum http_result common_interfaceversion(struct call *call)
{
	return reply_int(call, 4);
}

enum http_result common_name(struct call *call)
{
	return reply_string(call, call->info->name);
}
