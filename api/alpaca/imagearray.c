/* SPDX-License-Identifier: MIT */
/*
 * GET imagearray: which form of the picture the client wants, and the way to its first byte.
 */
#include "alpaca_call.h"

#include <string.h>
#include <strings.h>

#include "camera.h"

/* ---- negotiation ---- */

/* Whether the parameters of one element of an Accept header say q=0. */
static bool is_refused(const char *params, size_t len)
{
	for (size_t i = 0; i + 2 < len; i++) {
		if ((params[i] | 0x20) == 'q' && params[i + 1] == '=' && params[i + 2] == '0') {
			size_t rest = i + 3;
			while (rest < len && (params[rest] == '.' || params[rest] == '0')) {
				rest++;
			}
			return rest == len || params[rest] < '1' || params[rest] > '9';
		}
	}
	return false;
}

bool image_wants_bytes(const char *accept)
{
	static const char name[] = "application/imagebytes";
	while (accept != NULL && *accept != '\0') {
		accept += strspn(accept, " \t,");
		size_t len = strcspn(accept, ",");
		size_t used = sizeof name - 1;
		if (len >= used && strncasecmp(accept, name, used) == 0 &&
			(len == used || strchr("; \t", accept[used]) != NULL)) {
			return !is_refused(accept + used, len - used);
		}
		accept += len;
	}
	return false;
}

/* ---- the call ---- */

/* Sends the frame as text when its length is counted, else lets the call wait for its next turn, which comes at once,
 * but after whatever else the thread has to do. Takes over the reader. */
static enum http_result send_json(struct call *call, struct image_reader *reader, struct image_count count)
{
	if (!image_count_on(reader->frame, &count)) {
		enum http_result result = call_wait(call, 0, 0, 0);
		if (result == HTTP_WAIT) {
			call->wait->reader = *reader;
			call->wait->count = count;
		} else {
			image_reader_end(reader);
		}
		return result;
	}
	struct buf tail;
	buf_init(&tail, 1024);
	reply_tail(call, NULL, &tail);
	enum err_code code = image_stream_json(reader, count.length, buf_text(&tail), call->res);
	buf_fini(&tail);
	return code == ERR_OK ? HTTP_DONE : reply_failure(call, code, "The server is out of memory.");
}

enum http_result camera_get_imagearray(struct call *call)
{
	struct err err = {.code = ERR_OK};
	struct frame *frame = NULL;
	struct image_reader reader;
	if (call->wait != NULL && call->wait->reader.frame != NULL) {
		/* The counting goes on with this frame, even when a newer one has come. */
		reader = call->wait->reader;
		call->wait->reader = (struct image_reader){.frame = NULL};
		return send_json(call, &reader, call->wait->count);
	}
	if (camera_is_new_to(call->dev, &call->client)) {
		return reply_failure(call, ERR_INVALID_OPERATION,
			"There has been no exposure since you connected again.");
	}
	enum err_code code = camera_frame(call->dev, &frame, &err);
	if (code == ERR_OK) {
		code = image_reader_begin(call, frame, &reader, &err);
	}
	if (code != ERR_OK) {
		return reply_result(call, code, &err);
	}
	if (!image_wants_bytes(call->req->header(call->req, "Accept"))) {
		return send_json(call, &reader, (struct image_count){0});
	}
	code = image_stream_bytes(&reader, call->ids.transaction, call->server_transaction, call->res);
	return code == ERR_OK ? HTTP_DONE : reply_failure(call, code, "The server is out of memory.");
}
