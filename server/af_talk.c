/* SPDX-License-Identifier: MIT */
#include "af_talk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"

/* A server that went is asked again for so long, with pauses. */
#define GONE_MS 8000
#define PAUSE_MS 1000

int af_put(struct af_call *af, const char *kind, uint32_t number, const char *member, const char *fields,
	struct json **value, const volatile sig_atomic_t *stop)
{
	char path[120];
	snprintf(path, sizeof path, "/api/v1/%s/%" PRIu32 "/%s", kind, number, member);
	struct buf form;
	buf_init(&form, AF_REPLY_MAX);
	buf_printf(&form, "%s&ClientID=%" PRIu32 "&ClientTransactionID=%" PRIu32, fields, af->client,
		++af->transaction);
	int status = 0;
	int result = -1;
	enum err_code code = af_http(&af->server, "PUT", path, buf_text(&form), AF_PATIENCE_MS, stop, &status,
		&af->reply, &af->err);
	buf_fini(&form);
	if (code != ERR_OK) {
		return -1;
	}
	struct json *reply = json_parse((struct span){buf_text(&af->reply), af->reply.len}, NULL);
	const char *text = "";
	if (status != 200 || !json_as_i32(json_get(reply, "ErrorNumber"), &result)) {
		/* HTTP errors have a sentence as body: no such device, a name that is not allowed. */
		result = -1;
		err_set(&af->err, ERR_PROTOCOL, "it says: %.*s", (int)strcspn(buf_text(&af->reply), "\r\n"),
			buf_text(&af->reply));
	}
	json_as_string(json_get(reply, "ErrorMessage"), &text);
	text_copy_clean(af->message, sizeof af->message, text);
	if (value != NULL && result == 0 && json_as_string(json_get(reply, "Value"), &text)) {
		*value = json_parse(span_of(text), NULL);
	}
	json_free(reply);
	return result;
}

int af_action(struct af_call *af, const char *name, const char *parameters, struct json **value,
	const volatile sig_atomic_t *stop)
{
	struct buf fields;
	buf_init(&fields, AF_REPLY_MAX);
	buf_printf(&fields, "Action=%s&Parameters=", name);
	af_http_encode(&fields, parameters);
	int result = af_put(af, "focuser", af->focuser, "action", buf_text(&fields), value, stop);
	buf_fini(&fields);
	return result;
}

struct json *af_look(struct af_call *af, const char *id)
{
	int64_t until_ms = clock_now_ms(clock_real()) + GONE_MS;
	struct json *run = NULL;
	int result;
	while ((result = af_action(af, "AutofocusStatus", id, &run, NULL)) < 0 && af->err.code != ERR_PROTOCOL &&
		clock_now_ms(clock_real()) < until_ms) {
		nanosleep(&(struct timespec){.tv_sec = PAUSE_MS / 1000}, NULL);
	}
	if (result > 0) {
		err_set(&af->err, ERR_INVALID_OPERATION, "%s", af->message);
	}
	return run;
}
