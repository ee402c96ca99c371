/* SPDX-License-Identifier: MIT */
/* The action Calibrate, of focusers that calibrate themselves. */
#include <string.h>
#include <strings.h>

#include "alpaca_call.h"
#include "focuser.h"
#include "json.h"

bool calibrate_possible(struct call *call)
{
	if (call->info->kind != &focuser_kind) {
		return false;
	}
	struct focuser_calibration now;
	focuser_calibration(call->dev, &now);
	return now.possible;
}

static enum http_result reply_state(struct call *call)
{
	struct focuser_calibration now;
	focuser_calibration(call->dev, &now);
	struct buf text;
	struct json_writer w;
	buf_init(&text, 4096);
	json_begin(&w, &text);
	focuser_calibration_json(&now, &w);
	enum http_result result = text.failed
		? reply_failure(call, ERR_NOMEM, "The server is out of memory.")
		: reply_string(call, buf_text(&text));
	buf_fini(&text);
	return result;
}

enum http_result calibrate_action(struct call *call, const char *parameters)
{
	static const char blanks[] = " \t\r\n";
	struct span word = {.data = parameters + strspn(parameters, blanks)};
	word.len = strcspn(word.data, blanks);
	if (word.data[word.len + strspn(word.data + word.len, blanks)] != '\0') {
		word.len = 0;
		word.data = "?";
	}
	bool start = *word.data == '\0' || span_equal_nocase(word, "start");
	bool stop = span_equal_nocase(word, "abort");
	if (!start && !stop && !span_equal_nocase(word, "status")) {
		return reply_failure(call, ERR_INVALID_VALUE,
			"Parameters must be empty or start, abort, or status.");
	}
	struct err err = {.code = ERR_OK};
	enum err_code code = ERR_OK;
	if (start || stop) {
		code = device_require(call->dev, &call->client, &err);
	}
	if (code == ERR_OK && start) {
		code = focuser_calibrate(call->dev, &err);
	} else if (code == ERR_OK && stop) {
		code = focuser_calibrate_abort(call->dev, &err);
	}
	return code == ERR_OK ? reply_state(call) : reply_result(call, code, &err);
}
