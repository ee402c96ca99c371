/* SPDX-License-Identifier: MIT */
#include "alpaca_answer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What of a text that another server sent is shown to people. */
#define WORDS_SHOWN 160

/* Numbers of the ASCOM standard: Alpaca API Reference, table of error numbers. */
enum alpaca_error_number {
	ALPACA_NOT_IMPLEMENTED = 0x400,
	ALPACA_INVALID_VALUE = 0x401,
	ALPACA_VALUE_NOT_SET = 0x402,
	ALPACA_NOT_CONNECTED = 0x407,
	ALPACA_INVALID_OPERATION = 0x40B,
	ALPACA_ACTION_NOT_IMPLEMENTED = 0x40C,
	ALPACA_CANCELLED = 0x40E,
	ALPACA_LOWEST = 0x400,
	ALPACA_HIGHEST = 0xFFF,
};

enum err_code alpaca_error_code(int32_t number)
{
	switch (number) {
	case ALPACA_NOT_IMPLEMENTED:
		return ERR_NOT_IMPLEMENTED;
	case ALPACA_INVALID_VALUE:
		return ERR_INVALID_VALUE;
	case ALPACA_VALUE_NOT_SET:
		return ERR_VALUE_NOT_SET;
	case ALPACA_NOT_CONNECTED:
		return ERR_NOT_CONNECTED;
	case ALPACA_INVALID_OPERATION:
		return ERR_INVALID_OPERATION;
	case ALPACA_ACTION_NOT_IMPLEMENTED:
		return ERR_ACTION_NOT_IMPLEMENTED;
	default:
		/* An operation that was cancelled there was not cancelled by us, so it is a refusal like any other. */
		return ERR_REFUSED;
	}
}

/* The member of this name, in any case when it is not there as the standard spells it: servers exist that write
 * ServerTransactionId. */
static const struct json *member(const struct json *object, const char *name)
{
	const struct json *value = json_get(object, name);
	return value != NULL ? value : json_get_nocase(object, name);
}

/* What a server wrote, as it may be shown: one line, clean, not too long. */
static void show(struct span text, char out[WORDS_SHOWN])
{
	char raw[WORDS_SHOWN];
	snprintf(raw, sizeof raw, "%.*s", (int)(text.len < sizeof raw ? text.len : sizeof raw - 1), text.data);
	for (char *p = raw; *p != '\0'; p++) {
		*p = *p == '\n' || *p == '\r' || *p == '\t' ? ' ' : *p;
	}
	text_copy_clean(out, WORDS_SHOWN, raw);
	size_t len = strlen(out);
	while (len > 0 && (out[len - 1] == ' ' || out[len - 1] == '.')) {
		out[--len] = '\0';
	}
}

static enum err_code read_status(long status, struct span body, const char *what, struct err *err)
{
	if (status == 200) {
		return ERR_OK;
	}
	char words[WORDS_SHOWN];
	/* A page for browsers says nothing to people. */
	bool page = memchr(body.data != NULL ? body.data : "", '<', body.len) != NULL;
	show(page ? span_of("") : body, words);
	return err_set(err, status == 404 ? ERR_NOT_IMPLEMENTED : ERR_PROTOCOL, "%s: HTTP status %ld%s%s", what, status,
		words[0] != '\0' ? ": " : "", words);
}

enum err_code alpaca_error_tell(int32_t number, const char *text, const char *what, struct err *err)
{
	char words[WORDS_SHOWN];
	show(span_of(text), words);
	enum err_code code = err_set(err, alpaca_error_code(number), "%s (0x%X from the other server)",
		words[0] != '\0' ? words : what, (unsigned)number);
	if (err != NULL && number >= ALPACA_LOWEST && number <= ALPACA_HIGHEST) {
		err->number = number;
	}
	return code;
}

static enum err_code read_error(const struct json *json, const char *what, struct err *err)
{
	const struct json *number_json = member(json, "ErrorNumber");
	const struct json *words_json = member(json, "ErrorMessage");
	int32_t number = 0;
	const char *text = "";
	if (number_json != NULL && !json_as_i32(number_json, &number)) {
		return err_set(err, ERR_PROTOCOL, "%s: the answer's ErrorNumber is no whole number", what);
	}
	if (number == 0) {
		return ERR_OK;
	}
	if (words_json != NULL) {
		(void)json_as_string(words_json, &text);
	}
	return alpaca_error_tell(number, text, what, err);
}

static uint32_t read_server_id(const struct json *json)
{
	const struct json *id = member(json, "ServerTransactionID");
	double number = 0;
	bool fits = id != NULL && json_as_double(id, &number) && number >= 1 && number <= UINT32_MAX;
	return fits ? (uint32_t)number : 0;
}

enum err_code alpaca_answer_read(long status, struct span body, const char *what, struct alpaca_answer *out,
	struct err *err)
{
	*out = (struct alpaca_answer){.json = NULL};
	enum err_code code = read_status(status, body, what, err);
	if (code != ERR_OK) {
		return code;
	}
	struct err why;
	struct json *json = json_parse(body, &why);
	if (json == NULL || !json_is_object(json)) {
		json_free(json);
		return err_set(err, ERR_PROTOCOL, "%s: the answer is no Alpaca answer: %s", what,
			json == NULL ? why.text : "it is no JSON object");
	}
	out->server_id = read_server_id(json);
	code = read_error(json, what, err);
	if (code != ERR_OK) {
		json_free(json);
		return code;
	}
	out->json = json;
	out->value = member(json, "Value");
	return ERR_OK;
}

void alpaca_answer_fini(struct alpaca_answer *answer)
{
	json_free(answer->json);
	answer->json = NULL;
	answer->value = NULL;
}

static enum err_code wrong_type(const struct alpaca_answer *answer, const char *what, const char *type,
	struct err *err)
{
	return err_set(err, ERR_PROTOCOL, "%s: the answer's Value is %s", what,
		answer->value == NULL ? "missing" : type);
}

enum err_code alpaca_answer_bool(const struct alpaca_answer *answer, const char *what, bool *out, struct err *err)
{
	bool fits = answer->value != NULL && json_as_bool(answer->value, out);
	return fits ? ERR_OK : wrong_type(answer, what, "neither true nor false", err);
}

enum err_code alpaca_answer_int(const struct alpaca_answer *answer, const char *what, int32_t *out, struct err *err)
{
	bool fits = answer->value != NULL && json_as_i32(answer->value, out);
	return fits ? ERR_OK : wrong_type(answer, what, "no whole number of 32 bits", err);
}

enum err_code alpaca_answer_double(const struct alpaca_answer *answer, const char *what, double *out,
	struct err *err)
{
	double number;
	bool fits = answer->value != NULL && json_as_double(answer->value, &number) && isfinite(number);
	if (!fits) {
		return wrong_type(answer, what, "no number", err);
	}
	*out = number;
	return ERR_OK;
}

enum err_code alpaca_answer_text(const struct alpaca_answer *answer, const char *what, const char **out,
	struct err *err)
{
	bool fits = answer->value != NULL && json_as_string(answer->value, out);
	return fits ? ERR_OK : wrong_type(answer, what, "no text", err);
}

static void text_of(const struct json *object, const char *name, const char **out)
{
	const struct json *value = member(object, name);
	*out = "";
	if (value != NULL) {
		(void)json_as_string(value, out);
	}
}

bool alpaca_answer_device(const struct alpaca_answer *answer, int i, struct alpaca_listed *out)
{
	const struct json *element = answer->value != NULL ? json_element(answer->value, i) : NULL;
	if (element == NULL) {
		return false;
	}
	*out = (struct alpaca_listed){.name = "", .type = "", .unique_id = "", .number = -1};
	if (!json_is_object(element)) {
		return true;
	}
	text_of(element, "DeviceName", &out->name);
	text_of(element, "DeviceType", &out->type);
	text_of(element, "UniqueID", &out->unique_id);
	const struct json *number = member(element, "DeviceNumber");
	if (number == NULL || !json_as_i32(number, &out->number) || out->number < 0) {
		out->number = -1;
	}
	return true;
}
