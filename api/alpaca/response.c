/* SPDX-License-Identifier: MIT */
/* The envelopes of replies, printed straight into the body. */
#include "alpaca_call.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "json.h"

enum { REPLY_MAX = 4 * 1024 * 1024 };

static struct buf *begin(struct call *call)
{
	call->res->status = 200;
	call->res->content_type = "application/json";
	buf_init(&call->res->body, REPLY_MAX);
	return &call->res->body;
}

/* Texts that are polled all the time are put together by hand, because parsing a format for them takes too long. */
static char *put_text(char *at, const char *text)
{
	size_t len = strlen(text);
	memcpy(at, text, len);
	return at + len;
}

static char *put_number(char *at, uint32_t value)
{
	char digits[10];
	size_t n = 0;
	do {
		digits[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	while (n > 0) {
		*at++ = digits[--n];
	}
	return at;
}

/* Writes both ids, at most 79 characters. */
static char *put_ids(char *at, const struct call *call)
{
	at = put_text(at, "\"ClientTransactionID\":");
	at = put_number(at, call->ids.transaction);
	at = put_text(at, ",\"ServerTransactionID\":");
	return put_number(at, call->server_transaction);
}

static const char no_error[] = ",\"ErrorNumber\":0,\"ErrorMessage\":\"\"}";

void reply_tail(const struct call *call, const struct err *err, struct buf *out)
{
	char ids[80];
	buf_add(out, ids, (size_t)(put_ids(ids, call) - ids));
	if (err == NULL) {
		buf_puts(out, no_error);
		return;
	}
	/* Number and message are written both or not at all, or clients would see half an error. */
	buf_printf(out, ",\"ErrorNumber\":%d,\"ErrorMessage\":", err_number(err));
	struct json_writer w;
	json_begin(&w, out);
	json_string(&w, err->text[0] != '\0' ? err->text : err_name(err->code));
	buf_putc(out, '}');
}

/* Replies with a value of at most 32 characters; for the members that are polled. */
static enum http_result reply_plain(struct call *call, const char *value)
{
	char text[200];
	char *at = put_text(text, "{\"Value\":");
	at = put_text(at, value);
	*at++ = ',';
	at = put_ids(at, call);
	at = put_text(at, no_error);
	buf_add(begin(call), text, (size_t)(at - text));
	return HTTP_DONE;
}

enum http_result reply_ok(struct call *call)
{
	struct buf *out = begin(call);
	buf_putc(out, '{');
	reply_tail(call, NULL, out);
	return HTTP_DONE;
}

enum http_result reply_bool(struct call *call, bool value)
{
	return reply_plain(call, value ? "true" : "false");
}

enum http_result reply_int(struct call *call, int64_t value)
{
	char text[24];
	if (value >= 0 && value <= UINT32_MAX) {
		*put_number(text, (uint32_t)value) = '\0';
	} else {
		snprintf(text, sizeof text, "%" PRId64, value);
	}
	return reply_plain(call, text);
}

enum http_result reply_double(struct call *call, double value)
{
	if (!isfinite(value)) {
		return reply_failure(call, ERR_VALUE_NOT_SET, "There is no value yet.");
	}
	char text[32];
	text_print_double(text, value);
	return reply_plain(call, text);
}

enum http_result reply_string(struct call *call, const char *value)
{
	struct buf *out = begin(call);
	struct json_writer w;
	buf_puts(out, "{\"Value\":");
	json_begin(&w, out);
	json_string(&w, value);
	buf_putc(out, ',');
	reply_tail(call, NULL, out);
	return HTTP_DONE;
}

enum http_result reply_json(struct call *call, struct buf *value)
{
	if (value->failed) {
		buf_fini(value);
		return reply_failure(call, ERR_NOMEM, "The server is out of memory.");
	}
	struct buf *out = begin(call);
	buf_puts(out, "{\"Value\":");
	buf_add(out, buf_text(value), value->len);
	buf_fini(value);
	buf_putc(out, ',');
	reply_tail(call, NULL, out);
	return HTTP_DONE;
}

/* What stands in Value beside an error: strict clients want the key with the right type. */
static const char *dummy(enum value_type type)
{
	switch (type) {
	case VALUE_NONE:
		break;
	case VALUE_BOOL:
		return "\"Value\":false,";
	case VALUE_INT:
		return "\"Value\":0,";
	case VALUE_DOUBLE:
		return "\"Value\":0.0,";
	case VALUE_STRING:
		return "\"Value\":\"\",";
	case VALUE_ARRAY:
		return "\"Value\":[],";
	case VALUE_IMAGE:
		return "\"Type\":0,\"Rank\":0,\"Value\":[],";
	}
	return "";
}

enum http_result reply_error(struct call *call, const struct err *err)
{
	struct buf *out = begin(call);
	buf_putc(out, '{');
	buf_puts(out, dummy(call->route != NULL ? call->route->value : VALUE_NONE));
	reply_tail(call, err, out);
	return HTTP_DONE;
}

enum http_result reply_failure(struct call *call, enum err_code code, const char *fmt, ...)
{
	struct err err = {.code = code};
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err.text, sizeof err.text, fmt, ap);
	va_end(ap);
	return reply_error(call, &err);
}

enum http_result reply_result(struct call *call, enum err_code code, const struct err *err)
{
	if (code == ERR_OK) {
		return reply_ok(call);
	}
	/* The code is the function's answer; the text is an addition that may be absent. */
	if (err->code != code) {
		return reply_failure(
			call, code, "%s", err->text[0] != '\0' ? err->text : err_name(code));
	}
	return reply_error(call, err);
}

static void release_wait(void *data)
{
	struct alpaca_wait *wait = data;
	image_reader_end(&wait->reader);
	free(wait);
}

enum http_result call_wait(struct call *call, int step, uint64_t ticket, int64_t deadline_ms)
{
	if (call->wait == NULL) {
		call->wait = calloc(1, sizeof *call->wait);
		if (call->wait == NULL) {
			return reply_failure(call, ERR_NOMEM, "The server is out of memory.");
		}
		call->req->wait->data = call->wait;
		call->req->wait->release = release_wait;
		call->wait->server_transaction = call->server_transaction;
	}
	call->wait->step = step;
	call->wait->ticket = ticket;
	call->wait->deadline_ms = deadline_ms;
	call->req->wait->deadline_ms = deadline_ms;
	return HTTP_WAIT;
}

bool call_is_late(const struct call *call)
{
	return call->wait != NULL && clock_now_ms(clock_real()) >= call->wait->deadline_ms;
}
