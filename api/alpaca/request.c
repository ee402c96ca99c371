/* SPDX-License-Identifier: MIT */
/* Turns bytes into a checked request. Pure. The texts reach people through their clients, so they say what was wrong
 * and what would be right. */
#include "alpaca_call.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Takes the text up to the next slash off path. */
static struct span next_element(const char **path)
{
	struct span element = {.data = *path, .len = strcspn(*path, "/")};
	*path += element.len;
	if (**path == '/') {
		(*path)++;
	}
	return element;
}

/* The length of a span for "%.*s", cut, because what is quoted may be long. */
static int shown(struct span span)
{
	return span.len > 40 ? 40 : (int)span.len;
}

enum err_code alpaca_path_parse(const char *path, struct alpaca_path *out, struct err *err)
{
	static const char prefix[] = "/api/";
	char names[64];
	if (strncmp(path, prefix, sizeof prefix - 1) != 0) {
		return err_set(err, ERR_INVALID_VALUE, "Not an Alpaca address: use /api/v1/{%s}/{number}/{member}.",
			alpaca_kind_names("|", names, sizeof names));
	}
	const char *rest = path + sizeof prefix - 1;
	struct span version = next_element(&rest);
	struct span type = next_element(&rest);
	struct span number = next_element(&rest);
	struct span member = {.data = rest, .len = strlen(rest)};
	if (!span_equal(version, "v1")) {
		return err_set(err, ERR_INVALID_VALUE,
			"There is no API version \"%.*s\" here, only v1 (in lower case).",
			shown(version), version.data);
	}
	struct alpaca_path found = {.kind = alpaca_kind_named(type), .member = member};
	if (found.kind == NULL) {
		return err_set(err, ERR_INVALID_VALUE,
			"There is no device type \"%.*s\" here, only %s (in lower case).",
			shown(type), type.data, alpaca_kind_names(" and ", names, sizeof names));
	}
	if (!text_parse_u32(number, &found.number) || (number.len > 1 && number.data[0] == '0')) {
		return err_set(err, ERR_INVALID_VALUE,
			"\"%.*s\" is no device number: write it in decimal digits, counted from 0.",
			shown(number), number.data);
	}
	if (member.len == 0 || memchr(member.data, '/', member.len) != NULL) {
		return err_set(err, ERR_INVALID_VALUE,
			"The address must end in one member name, as in "
			"/api/v1/focuser/0/position.");
	}
	*out = found;
	return ERR_OK;
}

static enum err_code parse_id(
	struct span form, bool any_case, const char *name, uint32_t *out, struct err *err)
{
	char text[64];
	int found = http_field(form, name, any_case, text, sizeof text);
	uint32_t value = 0;
	if (found == -2 || (found == 0 && !text_parse_u32(span_of(text), &value))) {
		return err_set(err, ERR_INVALID_VALUE,
			"%s must be a whole number from 0 to 4294967295%s%.40s%s.", name,
			found == 0 ? ", not \"" : "", found == 0 ? text : "",
			found == 0 ? "\"" : "");
	}
	*out = value;
	return ERR_OK;
}

enum err_code alpaca_ids_parse(
	struct span form, bool any_case, struct alpaca_ids *out, struct err *err)
{
	struct alpaca_ids ids = {.client = 0};
	enum err_code code = parse_id(form, any_case, "ClientID", &ids.client, err);
	if (code == ERR_OK) {
		code = parse_id(form, any_case, "ClientTransactionID", &ids.transaction, err);
	}
	if (code == ERR_OK) {
		*out = ids;
	}
	return code;
}

static const char *type_text(enum param_type type)
{
	switch (type) {
	case PARAM_BOOL:
		return "True or False";
	case PARAM_I32:
		return "a whole number";
	case PARAM_DOUBLE:
		return "a number with a decimal point";
	case PARAM_STRING:
		return "text in UTF-8";
	case PARAM_NONE:
		break;
	}
	return "nothing";
}

/* A value of that type, to show what a body looks like. */
static const char *type_example(enum param_type type)
{
	return type == PARAM_BOOL ? "True" : type == PARAM_I32 ? "1000" : type == PARAM_DOUBLE ? "1.5" : "text";
}

/* Says why a parameter that should be there is missing, and names the likely mistakes. */
static enum err_code missing(
	const struct http_request *req, const struct param *param, struct err *err)
{
	char ignored[8];
	if (http_field(req->body, param->name, true, ignored, sizeof ignored) != -1) {
		return err_set(err, ERR_INVALID_VALUE,
			"Parameter %s is missing: it is there with other capitals, but in the body of a PUT the name "
			"must be exactly %s.",
			param->name, param->name);
	}
	if (http_field(req->query, param->name, true, ignored, sizeof ignored) != -1) {
		return err_set(err, ERR_INVALID_VALUE,
			"Parameter %s is missing: PUT parameters belong in the body of the request "
			"(as a form, %s=...), not in the URL.",
			param->name, param->name);
	}
	if (strncasecmp(req->content_type, "application/json", 16) == 0) {
		return err_set(err, ERR_INVALID_VALUE,
			"Parameter %s is missing: send the body as "
			"application/x-www-form-urlencoded, "
			"not as JSON.",
			param->name);
	}
	return err_set(err, ERR_INVALID_VALUE,
		"Parameter %s is missing: it must be %s, in the body of the PUT as a form, as in %s=%s.",
		param->name, type_text(param->type), param->name, type_example(param->type));
}

static enum err_code parse_string(const struct http_request *req, const struct param *param,
	struct param_value *out, struct err *err)
{
	char *text = malloc(req->body.len + 1);
	if (text == NULL) {
		return err_set(err, ERR_NOMEM, "The server is out of memory.");
	}
	int found = http_field(req->body, param->name, false, text, req->body.len + 1);
	if (found == -1 && param->optional) {
		text[0] = '\0';
		found = 0;
	}
	if (found != 0) {
		free(text);
		return found == -1 ? missing(req, param, err)
				   : err_set(err, ERR_INVALID_VALUE,
					     "Parameter %s is not text in UTF-8.", param->name);
	}
	out->s = text;
	return ERR_OK;
}

enum err_code alpaca_param_parse(const struct http_request *req, const struct param *param,
	struct param_value *out, struct err *err)
{
	if (param->type == PARAM_STRING) {
		return parse_string(req, param, out, err);
	}
	char text[64];
	int found = http_field(req->body, param->name, false, text, sizeof text);
	if (found == -1) {
		return missing(req, param, err);
	}
	bool ok = found == 0;
	if (ok && param->type == PARAM_BOOL) {
		ok = text_parse_bool(span_of(text), &out->b);
	} else if (ok && param->type == PARAM_I32) {
		ok = text_parse_i32(span_of(text), &out->i);
	} else if (ok && param->type == PARAM_DOUBLE) {
		ok = text_parse_double(span_of(text), &out->d);
	}
	double real;
	if (!ok && param->type == PARAM_I32 && found == 0 && text_parse_double(span_of(text), &real) &&
		(real < INT32_MIN || real > INT32_MAX)) {
		return err_set(err, ERR_INVALID_VALUE,
			"Parameter %s must be from %" PRId32 " to %" PRId32 ", not %.40s.", param->name, INT32_MIN,
			INT32_MAX, text);
	}
	if (!ok) {
		return err_set(err, ERR_INVALID_VALUE, "Parameter %s must be %s, not \"%.40s\".",
			param->name, type_text(param->type), found == 0 ? text : "(unreadable)");
	}
	return ERR_OK;
}
