/* SPDX-License-Identifier: MIT */
/* The ids and typed parameters of a request, in query and body.  Input: query, line end, body. */
#include "alpaca_call.h"
#include "fuzz.h"

static const char *no_header(const struct http_request *req, const char *name)
{
	(void)req;
	(void)name;
	return NULL;
}

static void check_ids(struct span form, bool any_case)
{
	struct alpaca_ids ids = {.client = 7, .transaction = 8};
	struct err err = {.code = ERR_OK};
	if (alpaca_ids_parse(form, any_case, &ids, &err) != ERR_OK) {
		FUZZ_CHECK(ids.client == 7 && ids.transaction == 8 && err.text[0] != '\0');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
	size_t query_len = end != NULL ? (size_t)(end - data) : 0;
	size_t body_at = end != NULL ? query_len + 1 : 0;
	struct http_request req = {.verb = HTTP_PUT,
		.verb_text = "PUT",
		.path = "/",
		.query = {.data = (const char *)data, .len = query_len},
		.body = {.data = (const char *)data + body_at, .len = size - body_at},
		.content_type = size % 2 == 0 ? "" : "application/json",
		.header = no_header};
	check_ids(req.query, true);
	check_ids(req.body, false);
	static const struct param params[] = {{"Connected", PARAM_BOOL, false},
		{"Position", PARAM_I32, false}, {"Duration", PARAM_DOUBLE, false},
		{"Action", PARAM_STRING, false}, {"Parameters", PARAM_STRING, true}};
	for (size_t i = 0; i < sizeof params / sizeof params[0]; i++) {
		struct param_value value = {.s = NULL};
		struct err err = {.code = ERR_OK};
		enum err_code code = alpaca_param_parse(&req, &params[i], &value, &err);
		if (code != ERR_OK) {
			FUZZ_CHECK(value.s == NULL && err.text[0] != '\0');
		} else if (params[i].type == PARAM_STRING) {
			FUZZ_CHECK(value.s != NULL && text_is_utf8(span_of(value.s)));
		} else if (params[i].type == PARAM_DOUBLE) {
			FUZZ_CHECK(value.d - value.d == 0); /* finite */
		}
		free(value.s);
	}
	return 0;
}
