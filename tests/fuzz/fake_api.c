/* SPDX-License-Identifier: MIT */
#include "fake_api.h"

#include "fake_core.h"
#include "fuzz.h"
#include "json.h"

static const char *no_header(const struct http_request *req, const char *name)
{
	(void)req;
	(void)name;
	return NULL;
}

static void check_text(const struct http_response *res)
{
	/* The HTTP room answers for a body that could not be finished (500, in words of its own). */
	if (res->body.failed) {
		FUZZ_CHECK(fuzz_starved());
		return;
	}
	struct span text = {.data = buf_text(&res->body), .len = res->body.len};
	FUZZ_CHECK(text_is_utf8(text));
	if (res->status != 200) {
		FUZZ_CHECK(res->status >= 400 && (res->status < 500 || fuzz_starved()) && text.len > 1);
		return;
	}
	struct err err;
	bool before = fuzz_spare(true);
	struct json *json = json_parse(text, &err);
	FUZZ_CHECK(json != NULL && json_is_object(json));
	json_free(json);
	fuzz_spare(before);
}

/* Reads a stream to its end in pieces of an odd size. */
static void check_stream(const struct http_stream *stream)
{
	char piece[4093];
	uint64_t at = 0;
	ssize_t n;
	while ((n = stream->read(stream->arg, at, piece, sizeof piece)) > 0) {
		at += (uint64_t)n;
	}
	FUZZ_CHECK(stream->size < 0 || at == (uint64_t)stream->size);
	stream->release(stream->arg);
}

void fake_api_ask(enum http_verb verb, const char *path, struct span form)
{
	bool before = fuzz_spare(true);
	struct fake *fake = fake_create();
	struct alpaca *alpaca = alpaca_create(&fake->served);
	FUZZ_CHECK(alpaca != NULL);
	fuzz_spare(before);
	struct http_wait wait;
	memset(&wait, 0, sizeof wait);
	struct http_request req = {.verb = verb,
		.verb_text = "?",
		.path = path,
		.query = span_of(""),
		.body = span_of(""),
		.content_type = "",
		.peer = "10.0.0.2",
		.header = no_header,
		.wait = &wait};
	*(verb == HTTP_PUT ? &req.body : &req.query) = form;
	for (int turn = 0; turn < 2; turn++) {
		struct http_response res;
		memset(&res, 0, sizeof res);
		enum http_result result = alpaca_handle(alpaca, &req, &res);
		if (result == HTTP_DONE && res.stream.read != NULL) {
			check_stream(&res.stream);
		} else if (result == HTTP_DONE) {
			check_text(&res);
		}
		buf_fini(&res.body);
		if (result == HTTP_DONE) {
			break;
		}
		wait.resumed = true;
	}
	free(wait.data);
	alpaca_destroy(alpaca);
	fake_free(fake);
}
