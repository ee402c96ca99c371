/* SPDX-License-Identifier: MIT */
/* The Action GuidedFocus; its parameters are in the table of actions.c. */
#include "action.h"
#include "guided.h"

uint64_t action_ongoing_guided(struct call *call)
{
	return guided_ongoing(served_autofocus(call->served, call->dev));
}

enum http_result action_guided_focus(struct call *call, const struct action_value *value)
{
	enum { START, END };
	struct autofocus *af = served_autofocus(call->served, call->dev);
	struct err err = {.code = ERR_OK};
	enum err_code code = ERR_OK;
	if (value[0].given) {
		code = device_require(call->dev, &call->client, &err);
	}
	if (code == ERR_OK && value[0].given && (int)value[0].number == START) {
		uint64_t session;
		code = guided_start(af, &session, &err);
		call->started = code == ERR_OK;
	} else if (code == ERR_OK && value[0].given) {
		guided_end(af);
	}
	if (code != ERR_OK) {
		return reply_result(call, code, &err);
	}
	struct buf text;
	buf_init(&text, 1024 * 1024);
	guided_json(af, &text);
	enum http_result result = text.failed ? reply_failure(call, ERR_NOMEM, "The server is out of memory.")
					      : reply_string(call, buf_text(&text));
	buf_fini(&text);
	return result;
}
